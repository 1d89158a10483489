"""Alerts and their notifications: together or not at all, once each, whoever comes at the same time."""

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

from drift.alerts import lifecycle
from drift.alerts.delivery import Breaker
from drift.alerts.messages import Notification
from drift.alerts.signals import Signal
from drift.errors import StoreError
from drift.store import schema
from drift.store.outbox import LEASE
from drift.store.store import Store
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.alerts.alerts import Transitions

NOW = datetime(2013, 2, 9, 6, tzinfo=UTC)
DAY = Calendar("1d").starting(datetime(2013, 2, 8, tzinfo=UTC))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def observation(window: Window = DAY, status: str = "critical", feature: str = "dep_delay") -> Signal:
    """What a window says of a feature."""
    severity: Any = "none" if status == "ok" else status
    return Signal(window, f"drift:{feature}", "drift", feature, severity, status, "KL 1.28")  # type: ignore[arg-type]


def message(name: str, *, created_at: datetime = NOW) -> Notification:
    """A notification that is pending."""
    return Notification(
        name, "flights", DAY.start, "ops-chat", "title", "body", {"id": name, "π": [1, None]}, created_at
    )


def dump(store: Store) -> dict[str, list[Any]]:
    """Every row of the tables of alerts."""
    with store.engine.connect() as connection:
        names = ("alert", "alert_event", "notification")
        return {n: [tuple(r) for r in connection.execute(sa.select(schema.metadata.tables[n]))] for n in names}


def advance(store: Store, *says: Signal, now: datetime = NOW) -> Transitions:
    """Advance the stored alerts, without writing them."""
    return lifecycle.advance(store.alerts("flights"), says, monitor="flights", now=now)


def test_a_sent_notification_is_not_pending_again(store: Store) -> None:
    """Its id is an idempotency key."""
    store.save_alerts([], [], [message("one")])
    assert [due.id for due in store.due_notifications(NOW, 10)] == ["one"]
    store.mark_sent("one", NOW)
    store.save_alerts([], [], [message("one")])
    assert store.due_notifications(NOW + timedelta(days=1), 10) == []
    assert store.outbox_counts() == {"pending": 0, "sent": 1, "dead": 0}


def test_what_a_clock_that_was_ahead_has_put_off_goes_out_once_it_is_right(store: Store) -> None:
    """A failed attempt, a success and the writing of a message a year ahead: none of them holds anything up."""
    ahead = NOW + timedelta(days=365)
    store.save_alerts([], [], [message("failed"), message("new", created_at=ahead), message("sent", created_at=ahead)])
    assert len(store.due_notifications(ahead)) == 3
    store.mark_sent("sent", ahead)
    store.mark_failed("failed", "no answer", ahead + timedelta(hours=1))
    (route,) = store.waiting_routes(NOW)
    assert route.due == 2
    assert not Breaker(failures=1).is_open(route, NOW)
    assert {due.id for due in store.due_notifications(NOW)} == {"failed", "new"}
    assert store.due_notifications(NOW) == []
    for name in ("failed", "new"):
        store.mark_failed(name, "no answer", NOW + timedelta(minutes=1))
    (route,) = store.waiting_routes(NOW + timedelta(minutes=1))
    assert route.failures == 4, "the success that lies ahead hides none of them"
    assert Breaker().is_open(replace(route, failures=5), NOW + timedelta(minutes=1))


def test_a_notification_that_cannot_be_written_takes_the_alert_with_it(store: Store) -> None:
    """One transaction: no alert without its notification."""
    done = advance(store, observation())
    broken = replace(message("one"), payload={"kl": float("nan")})
    with pytest.raises(StoreError):
        store.save_alerts(done.alerts, done.events, [broken])
    assert dump(store) == {"alert": [], "alert_event": [], "notification": []}


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
    assert (one.id, one.attempts) == ("one", 2)
    assert [(row["id"], row["last_error"]) for row in store.notifications(["pending"])] == [("one", "no answer")]
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
from drift.store.store import Store
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


# -- quiet hours ------------------------------------------------------------------------------------------------------


def held(name: str, number: int, *alerts: tuple[str, int, str], urgent: bool = False) -> Notification:
    """A notification of one night, and what it tells of some alerts: their ids, lines and severities."""
    entries = [
        {"id": alert, "seq": seq, "key": alert, "kind": "drift", "feature": alert, "team": None, "state": "open"}
        | {
            "severity": severity,
            "transition": "opened",
            "reason": f"line {seq}",
            "since": "",
            "incident": alert,
            "windows": 1,
            "link": None,
        }
        for alert, seq, severity in alerts
    ]
    content: dict[str, Any] = {
        "id": name, "route": "mail", "urgency": "critical" if urgent else "warning", "notify_type": "warning",
        "monitor": "flights", "window": None, "alerts": entries, "features": {}, "findings": [], "failures": [],
        "incidents": [], "held": None if urgent else {"until": "2013-02-09T07:00:00-05:00", "messages": 1},
        "link": None,
        "run_url": None, "gate": "accepted", "n_drifting": 1, "n_judged": 9, "share_drifting": 0.1, "total_kl": 1.0,
        "n_current": 900, "n_reference": 9000, "reference": "trailing 28d",
    }  # fmt: skip
    at = NOW + timedelta(hours=number)
    return Notification(name, "flights", DAY.start, "mail", name, name, content, at, None if urgent else MORNING)


MORNING = NOW + timedelta(hours=6)


def test_what_waits_is_not_due_before(store: Store) -> None:
    """One message that waited alone goes out as it is, at the end of the quiet hours."""
    store.save_alerts([], [], [held("one", 0, ("a", 1, "warning"))])
    assert store.due_notifications(MORNING - timedelta(seconds=1), 10) == []
    (due,) = store.due_notifications(MORNING, 10)
    assert (due.id, due.not_before) == ("one", MORNING)


def test_what_waited_goes_out_in_one_digest(store: Store) -> None:
    """The messages of a night are one in the morning; the outbox says what became of each."""
    store.save_alerts([], [], [held("one", 0, ("a", 1, "warning")), held("two", 1, ("b", 1, "warning"))])
    (due,) = store.due_notifications(MORNING, 10)
    assert [alert["id"] for alert in due.payload["alerts"]] == ["a", "b"]
    assert due.payload["held"]["messages"] == 2
    assert due.id == due.payload["id"]
    assert store.outbox_counts() == {"pending": 1, "sent": 0, "dead": 0, "merged": 2}
    store.mark_sent(due.id, MORNING)
    assert store.due_notifications(MORNING + timedelta(days=1), 10) == []


def test_what_was_told_meanwhile_is_not_told_again(store: Store) -> None:
    """An alert that grew critical in the night went out at once; the morning's digest has only the rest, if any."""
    night = [
        held("one", 0, ("a", 1, "warning"), ("b", 1, "warning")),
        held("two", 1, ("a", 2, "critical"), urgent=True),
    ]
    store.save_alerts([], [], night)
    (urgent,) = store.due_notifications(NOW + timedelta(hours=1), 10)
    assert urgent.id == "two"
    store.mark_sent("two", NOW + timedelta(hours=1))
    (due,) = store.due_notifications(MORNING, 10)
    assert [alert["id"] for alert in due.payload["alerts"]] == ["b"]


def test_nothing_is_left_where_all_was_told(store: Store) -> None:
    """Then there is no digest, and the outbox says why."""
    night = [held("one", 0, ("a", 1, "warning")), held("two", 1, ("a", 2, "critical"), urgent=True)]
    store.save_alerts([], [], night)
    assert [due.id for due in store.due_notifications(MORNING, 10)] == ["two"]
    assert store.outbox_counts() == {"pending": 1, "sent": 0, "dead": 0, "merged": 1}


# -- the state of a route ---------------------------------------------------------------------------------------------


def test_failures_in_a_row_are_counted_from_the_rows(store: Store) -> None:
    """Those since the last success; of what was there before it only one each, so one bad message is no dead route."""
    minute = timedelta(minutes=1)
    store.save_alerts([], [], [message("bad")])
    now = NOW
    for failures in range(3):
        (route,) = store.waiting_routes(now)
        assert (route.route, route.due, route.failures) == ("ops-chat", 1, failures)
        assert store.due_notifications(now, route="elsewhere") == []
        assert store.due_notifications(now, route="ops-chat")
        store.mark_failed("bad", "no answer", now + minute)
        assert store.waiting_routes(now) == []
        now += minute
    store.save_alerts([], [], [message("good", created_at=now)])
    assert [due.id for due in store.due_notifications(now, 1)] == ["bad"]
    store.mark_failed("bad", "no answer", now + minute)
    assert [due.id for due in store.due_notifications(now, 1)] == ["good"]
    store.mark_sent("good", now)
    now += minute
    assert [route.failures for route in store.waiting_routes(now)] == [0]
    assert store.due_notifications(now)
    store.mark_failed("bad", "no answer", now + minute)
    assert [(route.failures, route.tried_at) for route in store.waiting_routes(now + minute)] == [(1, now)]


def test_what_was_given_up_can_be_seen_and_tried_again(store: Store) -> None:
    """As if it were new, and without holding up its route."""
    store.save_alerts([], [], [message("one"), message("two")])
    for due in store.due_notifications(NOW):
        store.mark_failed(due.id, "refused", None)
    assert {(row["id"], row["last_error"]) for row in store.notifications(["dead"])} == {
        ("one", "refused"),
        ("two", "refused"),
    }
    later = NOW + timedelta(days=1)
    assert store.retry_notifications(later, "one") == 1
    assert store.retry_notifications(later, "one") == 0
    assert [route.failures for route in store.waiting_routes(later)] == [1]
    assert store.retry_notifications(later) == 1
    assert [(route.due, route.failures) for route in store.waiting_routes(later)] == [(2, 0)]
    assert [row["attempts"] for row in store.notifications(["pending"])] == [0, 0]
