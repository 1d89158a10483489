"""Alerts and what is owed for them: together or not at all, once each, whoever comes at the same time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from drift import alerts, tables
from drift.digest import Notification
from drift.errors import StoreError
from drift.outbox import LEASE
from drift.store import Store
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2013, 2, 9, 6, tzinfo=UTC)
DAY = Calendar("1d").starting(datetime(2013, 2, 8, tzinfo=UTC))
ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def observation(window: Window = DAY, status: str = "critical", feature: str = "dep_delay") -> alerts.Observation:
    """What a window says of a feature."""
    severity: Any = "none" if status == "ok" else status
    return alerts.Observation(window, f"drift:{feature}", "drift", feature, severity, status, "KL 1.28")  # type: ignore[arg-type]


def message(name: str, *, created_at: datetime = NOW) -> Notification:
    """A notification that is owed."""
    return Notification(
        name, "flights", DAY.start, "ops-chat", "title", "body", {"id": name, "π": [1, None]}, created_at
    )


def dump(store: Store) -> dict[str, list[Any]]:
    """Every row of the tables of alerts."""
    with store.engine.connect() as connection:
        names = ("alert", "alert_event", "notification")
        return {n: [tuple(r) for r in connection.execute(sa.select(tables.metadata.tables[n]))] for n in names}


def advance(store: Store, *says: alerts.Observation, now: datetime = NOW) -> alerts.Transitions:
    """Advance the stored alerts, without writing them."""
    return alerts.advance(store.alerts("flights"), says, monitor="flights", now=now)


def test_alerts_and_their_diaries_come_back(store: Store) -> None:
    """Field for field, after each transition."""
    days = [Window(DAY.start + timedelta(days=i), DAY.end + timedelta(days=i)) for i in range(4)]
    for window, status in zip(days, ["warning", "critical", "ok", "ok"], strict=True):
        done = advance(store, observation(window, status), now=window.end)
        store.save_alerts(done.alerts, done.events)
        assert store.alerts("flights") == list(done.alerts)
    (alert,) = store.alerts(states=["resolved"])
    assert [event.transition for event in store.alert_events(alert.id)] == [
        "opened",
        "escalated",
        "updated",
        "resolved",
    ]
    assert store.alerts(states=["open", "acknowledged"]) == []
    assert store.alerts("another") == []


def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    """A repeated stage, even where its clock has moved on; the first one's times stay."""
    done = advance(store, observation())
    store.save_alerts(done.alerts, done.events, [message("one")])
    before = dump(store)
    store.save_alerts(done.alerts, done.events, [message("one")])
    assert dump(store) == before
    late = alerts.advance([], [observation()], monitor="flights", now=NOW + timedelta(hours=1))
    store.save_alerts(late.alerts, late.events, [message("one", created_at=NOW + timedelta(hours=1))])
    assert dump(store) == before


def test_a_sent_notification_is_not_owed_again(store: Store) -> None:
    """Its id is an idempotency key."""
    store.save_alerts([], [], [message("one")])
    assert [due.id for due in store.due_notifications(NOW, 10)] == ["one"]
    store.mark_sent("one", NOW)
    store.save_alerts([], [], [message("one")])
    assert store.due_notifications(NOW + timedelta(days=1), 10) == []
    assert store.outbox_counts() == {"pending": 0, "sent": 1, "dead": 0}


def test_an_answer_given_in_between_is_not_overwritten(store: Store) -> None:
    """Somebody acknowledges while a run is at work: the run is told to start again, and nothing of it is written."""
    opened = advance(store, observation())
    store.save_alerts(opened.alerts, opened.events)
    tomorrow = Window(DAY.start + timedelta(days=1), DAY.end + timedelta(days=1))
    stale = advance(store, observation(tomorrow), observation(tomorrow, feature="origin"), now=tomorrow.end)
    acknowledged, event = alerts.answer(store.alerts("flights")[0], "acknowledge", by="ada", now=NOW)
    store.save_alerts([acknowledged], [event])
    before = dump(store)
    with pytest.raises(StoreError, match="changed by somebody else"):
        store.save_alerts(stale.alerts, stale.events, [message("stale")])
    assert dump(store) == before
    again = advance(store, observation(tomorrow), observation(tomorrow, feature="origin"), now=tomorrow.end)
    store.save_alerts(again.alerts, again.events, [message("fresh")])
    assert {alert.feature: alert.state for alert in store.alerts()} == {"dep_delay": "acknowledged", "origin": "open"}


def test_the_diary_is_never_rewritten(store: Store) -> None:
    """A line that is there stays as it is."""
    done = advance(store, observation())
    store.save_alerts(done.alerts, done.events)
    forged = replace(done.events[0], reason="nothing happened")
    store.save_alerts(done.alerts, [forged])
    assert store.alert_events(done.alerts[0].id) == list(done.events)


def test_a_notification_that_cannot_be_written_takes_the_alert_with_it(store: Store) -> None:
    """One transaction: no alert without its notification."""
    done = advance(store, observation())
    broken = replace(message("one"), payload={"kl": float("nan")})
    with pytest.raises(StoreError):
        store.save_alerts(done.alerts, done.events, [broken])
    assert dump(store) == {"alert": [], "alert_event": [], "notification": []}


def test_a_diary_without_its_alert_is_refused(store: Store) -> None:
    """It would never be shown."""
    done = advance(store, observation())
    with pytest.raises(StoreError, match="without the alert"):
        store.save_alerts([], done.events)


def test_a_failed_notification_waits_and_a_dead_one_stays(store: Store) -> None:
    """Leases, pauses and ends."""
    store.save_alerts([], [], [message("one"), message("two", created_at=NOW + timedelta(seconds=1))])
    assert [due.id for due in store.due_notifications(NOW, 10)] == ["one"]
    later = NOW + timedelta(minutes=1)
    (two,) = store.due_notifications(later, 10)
    assert (two.id, two.route, two.attempts, two.payload) == ("two", "ops-chat", 1, {"id": "two", "π": [1, None]})
    store.mark_failed("one", "no answer", later + timedelta(minutes=5))
    store.mark_failed("two", "no such route", None)
    assert store.due_notifications(later, 10) == []
    (one,) = store.due_notifications(later + timedelta(minutes=5), 10)
    assert (one.id, one.attempts, one.last_error) == ("one", 2, "no answer")
    store.mark_sent("two", later)
    assert store.outbox_counts() == {"pending": 1, "sent": 0, "dead": 1}


def test_a_sender_that_died_is_replaced_after_its_lease(store: Store) -> None:
    """At least once: what was taken and never marked is due again."""
    store.save_alerts([], [], [message("one")])
    assert store.due_notifications(NOW, 10)
    assert store.due_notifications(NOW + LEASE - timedelta(seconds=1), 10) == []
    assert [due.attempts for due in store.due_notifications(NOW + LEASE, 10)] == [2]


SENDER = """
import sys
from datetime import datetime
from drift.store import Store
with Store.open(sys.argv[1]) as store:
    now = datetime.fromisoformat(sys.argv[2])
    while due := store.due_notifications(now, 3):
        for one in due:
            print(one.id)
            store.mark_sent(one.id, now)
"""


def test_concurrent_senders_share_the_work(store: Store, database_url: str) -> None:
    """Two processes and two threads: each notification goes to one of them, and all are sent."""
    names = [f"n{i:03}" for i in range(60)]
    store.save_alerts([], [], [message(name) for name in names])
    others = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, database_url, NOW.isoformat()], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    sent: list[str] = []

    def send() -> None:
        while due := store.due_notifications(NOW, 3):
            for one in due:
                sent.append(one.id)
                store.mark_sent(one.id, NOW)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        out, _ = other.communicate()
        assert other.returncode == 0
        sent += out.decode().split()
    assert Counter(sent) == Counter(names)
    assert store.outbox_counts() == {"pending": 0, "sent": 60, "dead": 0}


def test_concurrent_writers_of_one_transition_agree(store: Store) -> None:
    """Two evaluations of one window at the same time: one alert, one line, one notification."""
    transitions = [
        alerts.advance([], [observation()], monitor="flights", now=NOW + timedelta(seconds=i)) for i in range(4)
    ]
    failures: list[BaseException] = []

    def write(done: alerts.Transitions) -> None:
        try:
            store.save_alerts(done.alerts, done.events, [message("one")])
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(done,)) for done in transitions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {name: len(rows) for name, rows in dump(store).items()} == {"alert": 1, "alert_event": 1, "notification": 1}
