"""Alerts, their diaries and silences as rows: together or not at all, once each, whoever comes at the same time."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.alerts import lifecycle
from drift.alerts.actions import act
from drift.alerts.silences import expire, new_silence
from drift.config.alerts import Policy
from drift.errors import StoreConflict, StoreError
from drift.store.store import Store
from drift.windows import Window
from tests.store.test_outbox import DAY, NOW, advance, dump, message, observation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from drift.alerts.alerts import Alert, Transitions
    from drift.alerts.signals import Signal


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


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


def test_only_what_is_in_play_is_read(store: Store) -> None:
    """Keys with an alert that is open, not known to be over, or late enough, or that are named, with all their past."""
    days = [Window(DAY.start + timedelta(days=i), DAY.end + timedelta(days=i)) for i in range(8)]

    def step(feature: str, statuses: str) -> None:
        for window, letter in zip(days, statuses, strict=False):
            status = {"w": "warning", "c": "critical"}.get(letter, "ok")
            done = advance(store, observation(window, status, feature), now=window.end)
            store.save_alerts(done.alerts, done.events)

    step("over", "wooo")
    step("again", "woowo")
    step("late", "ooooowoo")

    def keys(alerts: list[Alert]) -> list[str]:
        return sorted(alert.key for alert in alerts)

    assert keys(store.alerts_in_play("flights")) == ["drift:again"] * 2
    assert keys(store.alerts_in_play("flights", days[6].start)) == ["drift:again"] * 2 + ["drift:late"]
    assert keys(store.alerts_in_play("flights", keys={"drift:over"})) == ["drift:again"] * 2 + ["drift:over"]
    assert store.alerts_in_play("trains", keys={"drift:over"}) == []
    first = store.alerts("flights")[0]
    assert store.alerts_beginning(first.id[:8]) == [first]
    assert len(store.alerts_beginning("")) == 2
    assert store.alerts_beginning("%") == []


def test_what_people_do_not_know_to_be_over_stays_in_play(store: Store) -> None:
    """An end that was kept back is told some day, however old."""
    done = advance(store, observation())
    (told,) = done.alerts
    owed = replace(told, state="resolved", resolved_window=told.last_window, resolved_at=NOW)
    store.save_alerts([owed], done.events)
    assert store.alerts_in_play("flights", NOW + timedelta(days=99)) == [owed]


def test_diaries_are_bounded_by_windows(store: Store) -> None:
    """Each alert with its lines of ``[since, until)``; a person's line counts by its time; others' are left out."""
    days = [Window(DAY.start + timedelta(days=i), DAY.end + timedelta(days=i)) for i in range(3)]
    for window, status in zip(days, ["warning", "critical", "ok"], strict=True):
        done = advance(store, observation(window, status), now=window.end)
        store.save_alerts(done.alerts, done.events)
    (alert,) = store.alerts("flights")
    changed, event = act(alert, "acknowledge", by="ada", now=days[2].end)
    store.save_alerts([changed], [event])

    def said(*bounds: datetime | None) -> list[str]:
        return [event.transition for _, lines in store.timelines("flights", *bounds) for event in lines]

    assert said() == ["opened", "escalated", "updated", "acknowledged"]
    assert said(days[1].start) == ["escalated", "updated", "acknowledged"]
    assert said(None, days[1].start) == ["opened"]
    assert said(days[2].end) == ["acknowledged"]
    assert store.timelines("trains") == []
    assert store.timelines("flights", days[2].end + timedelta(days=1)) == []


def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    """A repeated stage, even where its clock has moved on; the first one's times stay."""
    done = advance(store, observation())
    store.save_alerts(done.alerts, done.events, [message("one")])
    before = dump(store)
    store.save_alerts(done.alerts, done.events, [message("one")])
    assert dump(store) == before
    late = lifecycle.advance([], [observation()], monitor="flights", now=NOW + timedelta(hours=1))
    store.save_alerts(late.alerts, late.events, [message("one", created_at=NOW + timedelta(hours=1))])
    assert dump(store) == before


def test_an_answer_given_in_between_is_not_overwritten(store: Store) -> None:
    """Somebody acknowledges while a run is at work: the run is told to start again, and nothing of it is written."""
    opened = advance(store, observation())
    store.save_alerts(opened.alerts, opened.events)
    tomorrow = Window(DAY.start + timedelta(days=1), DAY.end + timedelta(days=1))
    stale = advance(store, observation(tomorrow), observation(tomorrow, feature="origin"), now=tomorrow.end)
    acknowledged, event = act(store.alerts("flights")[0], "acknowledge", by="ada", now=NOW)
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


def test_a_diary_without_its_alert_is_refused(store: Store) -> None:
    """It would never be shown."""
    done = advance(store, observation())
    with pytest.raises(StoreError, match="without the alert"):
        store.save_alerts([], done.events)


def test_concurrent_writers_of_one_transition_agree(store: Store) -> None:
    """Two evaluations of one window at the same time: one alert, one line, one notification."""
    transitions = [
        lifecycle.advance([], [observation()], monitor="flights", now=NOW + timedelta(seconds=i)) for i in range(4)
    ]
    failures: list[BaseException] = []

    def write(done: Transitions) -> None:
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


def test_whoever_tells_of_a_line_that_was_kept_looks_again(store: Store) -> None:
    """A backfill and a run of one window at the same time: the run finds the line there and notifies of it."""
    kept = lifecycle.advance([], [observation()], monitor="flights", now=NOW, page=False)
    told = lifecycle.advance([], [observation()], monitor="flights", now=NOW)
    store.save_alerts(kept.alerts, kept.events)
    with pytest.raises(StoreConflict):
        store.save_alerts(told.alerts, told.events, [message("one")])
    again = advance(store, observation())
    assert [page.event.transition for page in again.notices] == ["notified"]
    store.save_alerts(again.alerts, again.events, [message("one")])
    assert store.alerts("flights")[0].notified == "critical"


def test_what_people_do_comes_back(store: Store) -> None:
    """A snooze, field for field, with its line in the diary."""
    opened = advance(store, observation())
    store.save_alerts(opened.alerts, opened.events)
    alert, event = act(opened.alerts[0], "snooze", by="ada", now=NOW, until=NOW + timedelta(days=1), comment="known")
    store.save_alerts([alert], [event])
    assert store.alerts("flights") == [alert]
    assert store.alert_events(alert.id) == [*opened.events, event]


def test_a_silence_is_written_once_and_ended_once(store: Store) -> None:
    """Its history stays: who made it, who ended it; a second end is refused."""
    until = NOW + timedelta(days=3)
    one = new_silence("flights", "*_delay", reason="snow", until=until, by="ada", now=NOW)
    other = new_silence("trains", "*", reason="strike", until=until, by="bob", now=NOW + timedelta(hours=1))
    for each in (one, other, one):
        store.save_silence(each)
    assert store.silences() == [other, one]
    store.save_silence(replace(one, reason="forged"))
    assert store.silences("flights") == [one]
    ended = expire(one, by="eve", now=NOW + timedelta(hours=2), comment="thawed")
    store.save_silence(ended)
    store.save_silence(ended)
    with pytest.raises(StoreConflict, match="ended by eve before"):
        store.save_silence(expire(one, by="mallory", now=NOW + timedelta(hours=3)))
    assert store.silences("flights") == [ended]


@pytest.mark.slow
def test_what_is_in_play_is_all_that_a_step_needs(tmp_path: Path) -> None:
    """Whatever the order of arrival: the alerts in play lead to the same transitions as all that there ever were."""
    rng = random.Random(11)  # noqa: S311 - it is a test
    policy = Policy(cooldown=2, openings=2, within=6)
    features, count = ("a", "b", "c"), 14
    days = [Window(DAY.start + timedelta(days=i), DAY.end + timedelta(days=i)) for i in range(count)]
    steps = 0
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        for example in range(25):
            monitor = f"m{example}"
            arrival = days + rng.choices(days, k=4) if example % 2 else rng.sample(days, count)
            known: dict[datetime, list[Signal]] = {}
            for step, window in enumerate(arrival):
                statuses = rng.choices(["ok", "warning", "critical", "error"], [6, 2, 1, 1], k=len(features))
                seen = [observation(window, status, name) for name, status in zip(features, statuses, strict=True)]

                bad = {each.key for each in seen if each.state == "firing"}
                now = NOW + timedelta(days=step)
                needed, everything = (
                    lifecycle.advance(
                        alerts, seen, monitor=monitor, now=now, policy=policy, history=_since(known, alerts, window)
                    )
                    for alerts in (store.alerts_in_play(monitor, window.start, bad), store.alerts(monitor))
                )
                assert needed == everything
                store.save_alerts(needed.alerts, needed.events)
                known[window.start] = seen
                steps += bool(needed.events)
    assert steps > 100


def _since(known: dict[datetime, list[Signal]], alerts: list[Alert], window: Window) -> list[Signal]:
    """What the other windows said that a window has to be put among."""
    first = lifecycle.history_start(alerts, window)
    return [seen for start, said in known.items() if first <= start != window.start for seen in said]
