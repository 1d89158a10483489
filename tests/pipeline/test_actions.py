"""What people do about alerts, on a real store: actions, silences, routes tried out."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from drift.errors import DriftError
from drift.pipeline import actions, notify
from tests.pipeline.test_notify import DAY, HOUR, backfilled, only, outbox, run, shifted_warehouse
from tests.support.flights import clock

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A monitor of 14 days, the last one shifted and not run yet."""
    return backfilled(tmp_path, shifted_warehouse(tmp_path))


def test_silenced_then_notified(context: Context) -> None:
    """A silence keeps everybody quiet; once it is ended by hand, the clock brings up what is still open, once."""
    silence = actions.silence_features(
        context.store, "flights", "del*", reason="known", until=clock() + DAY, by="ada", now=clock()
    )
    assert actions.silences(context.store, "flights", now=clock()) == [silence]
    run(context)
    assert outbox(context) == []
    assert only(context).suppressed_by.startswith("silenced: del* by ada until 2024-06-02 12:00 UTC: known")
    assert notify.remind(context, now=clock() + HOUR).notices == ()
    ended = actions.expire_silence(context.store, silence.id, by="bob", now=clock() + HOUR)
    assert actions.silences(context.store, now=clock() + HOUR) == []
    assert actions.silences(context.store, now=clock() + HOUR, everything=True) == [ended]
    for _ in range(2):
        notify.remind(context, now=clock() + 2 * HOUR)
    (message,) = outbox(context)
    assert message["alerts"][0]["reason"].startswith("not notified before (silenced: del* by ada")
    assert message["features"]["delay"]["kl"] > 0.1


def test_a_silence_that_is_not_there(context: Context) -> None:
    """Ending it is an error that names it."""
    with pytest.raises(DriftError, match="no silence 'x'"):
        actions.expire_silence(context.store, "x", by="ada", now=clock())


def test_a_mark_stands_at_an_instant_or_at_a_local_time(context: Context) -> None:
    """Of the monitors it is about; where these differ in their zone, a local time is no instant."""
    store = context.store
    for name, zone in (("east", "America/New_York"), ("west", "America/Los_Angeles")):
        store.save_monitor(name, "c", {"window": {"every": "1d", "timezone": zone}}, clock())

    def marked(at: Any, *monitors: str) -> list[tuple[str | None, str]]:
        found = actions.mark(store, "release", at=at, monitors=monitors, by="ada", now=clock())
        return [(one.monitor, f"{one.at:%m-%dT%H:%M}") for one in found]

    assert marked("2024-01-12", "east") == marked(date(2024, 1, 12), "east") == [("east", "01-12T05:00")]
    assert marked("2024-01-12T03:00", "west") == [("west", "01-12T11:00")]
    assert marked("2024-01-12T03:00Z", "east", "west", "east") == [("east", "01-12T03:00"), ("west", "01-12T03:00")]
    assert marked(None) == [(None, f"{clock():%m-%dT%H:%M}")]
    with pytest.raises(DriftError, match="America/Los_Angeles, America/New_York: add its offset"):
        marked("2024-01-12", "east", "west")
    with pytest.raises(DriftError, match="have: east, flights, west"):
        marked("2024-01-12", "north")


def test_an_action_is_stored_with_who_and_why(context: Context) -> None:
    """Acknowledged, snoozed, resolved: each a line of the timeline."""
    run(context)
    alert = actions.act(context.store, only(context), "acknowledge", by="ada", now=clock(), comment="on it")
    alert = actions.act(context.store, alert, "snooze", by="bob", now=clock(), until=clock() + DAY)
    actions.act(context.store, alert, "resolve", by="eve", now=clock())
    timeline = [(e.transition, e.actor, e.reason) for e in context.store.alert_events(alert.id)][1:]
    assert timeline == [
        ("acknowledged", "ada", "on it"),
        ("snoozed", "bob", "until 2024-06-02 12:00 UTC: snoozed by bob"),
        ("resolved", "eve", "resolved by eve"),
    ]


def test_a_route_can_be_tried_out(context: Context, tmp_path: Path) -> None:
    """A message arrives, and neither the alerts nor the outbox know of it."""
    inbox = tmp_path / "inbox.jsonl"
    actions.try_route(context.monitor, "ops", lambda _: inbox.as_uri(), by="ada", now=clock())
    (line,) = inbox.read_text().splitlines()
    assert json.loads(line)["title"] == "flights: TEST of route ops"
    assert outbox(context) == []
    with pytest.raises(DriftError, match="flights has no route 'pager'; it has: ops"):
        actions.try_route(context.monitor, "pager", lambda _: inbox.as_uri(), by="ada", now=clock())
