"""Alerts, their diaries and silences as rows: together or not at all, once each, whoever comes at the same time."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift import lifecycle
from drift.answers import answer
from drift.errors import StoreConflict, StoreError
from drift.silences import mute, unmute
from drift.store import Store
from drift.windows import Window
from tests.test_outbox import DAY, NOW, advance, dump, message, observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.alerts import Transitions


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
    acknowledged, event = answer(store.alerts("flights")[0], "acknowledge", by="ada", now=NOW)
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
    """A backfill and a run of one window at the same time: the run finds the line there, untold, and tells it then."""
    kept = lifecycle.advance([], [observation()], monitor="flights", now=NOW, page=False)
    told = lifecycle.advance([], [observation()], monitor="flights", now=NOW)
    store.save_alerts(kept.alerts, kept.events)
    with pytest.raises(StoreConflict):
        store.save_alerts(told.alerts, told.events, [message("one")])
    again = advance(store, observation())
    assert [page.event.transition for page in again.pages] == ["told"]
    store.save_alerts(again.alerts, again.events, [message("one")])
    assert store.alerts("flights")[0].told == "critical"


def test_what_people_do_comes_back(store: Store) -> None:
    """A snooze, field for field, with its line in the diary."""
    opened = advance(store, observation())
    store.save_alerts(opened.alerts, opened.events)
    alert, event = answer(opened.alerts[0], "snooze", by="ada", now=NOW, until=NOW + timedelta(days=1), comment="known")
    store.save_alerts([alert], [event])
    assert store.alerts("flights") == [alert]
    assert store.alert_events(alert.id) == [*opened.events, event]


def test_a_silence_is_written_once_and_ended_once(store: Store) -> None:
    """Its history stays: who made it, who ended it; a second end is refused."""
    until = NOW + timedelta(days=3)
    one = mute("flights", "*_delay", reason="snow", until=until, by="ada", now=NOW)
    other = mute("trains", "*", reason="strike", until=until, by="bob", now=NOW + timedelta(hours=1))
    for each in (one, other, one):
        store.save_silence(each)
    assert store.silences() == [other, one]
    store.save_silence(replace(one, reason="forged"))
    assert store.silences("flights") == [one]
    ended = unmute(one, by="eve", now=NOW + timedelta(hours=2), comment="thawed")
    store.save_silence(ended)
    store.save_silence(ended)
    with pytest.raises(StoreConflict, match="ended by eve before"):
        store.save_silence(unmute(one, by="mallory", now=NOW + timedelta(hours=3)))
    assert store.silences("flights") == [ended]
