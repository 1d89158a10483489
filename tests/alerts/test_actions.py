"""What people do about alerts, and what the machine makes of it afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drift.alerts.actions import act
from drift.errors import DriftError
from tests.support.alert_samples import NOW, Record, check_laws, say

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_an_ended_alert_takes_no_answer() -> None:
    """Whoever is late is told so."""
    alert = Record().days("critical", "quiet", "quiet").only
    with pytest.raises(DriftError, match="already resolved"):
        act(alert, "acknowledge", by="ada", now=NOW)


def test_an_answer_has_a_reason_and_an_actor() -> None:
    """The comment is the reason; without one, and without a name, there still is one."""
    alert = Record().days("critical").only
    assert act(alert, "acknowledge", by="ada", now=NOW, comment="on it")[1].reason == "on it"
    event = act(alert, "resolve", by=" ", now=NOW)[1]
    assert (event.reason, event.actor, event.suppressed_by) == (
        "resolved by unknown",
        "unknown",
        "by hand: unknown knows",
    )
    event = act(alert, "snooze", by="ada", now=NOW, until=NOW + DAY, comment="known")[1]
    assert (event.transition, event.reason) == ("snoozed", "until 2026-11-23 08:00 UTC: known")


@pytest.mark.parametrize(
    ("action", "until", "words"),
    [
        ("snooze", None, "a snooze needs an end"),
        ("snooze", NOW, "is past"),
        ("snooze", (NOW + DAY).replace(tzinfo=None), "no time zone"),
        ("unsnooze", None, "is not snoozed"),
    ],
)
def test_a_snooze_has_an_end_to_come(action: Any, until: Any, words: str) -> None:
    """Nothing is put off for ever, or back into the past."""
    alert = Record().days("critical").only
    with pytest.raises(DriftError, match=words):
        act(alert, action, by="ada", now=NOW, until=until)


def test_a_snooze_keeps_quiet_until_its_end() -> None:
    """Nothing is repeated meanwhile; still open at the end, it is told once."""
    record = Record().days("critical")
    record.by_hand(record.only, "snooze", until=record.clock + 3 * DAY)
    record.run(say(2, "critical"), after=DAY)
    record.run(say(3, "critical"), after=DAY)
    assert record.notified() == ["opened"]
    record.wait(DAY)
    assert record.notified() == ["opened", "notified"]
    assert record.notices[-1].event.reason == "the snooze by ada is over; still critical: critical on day 3"
    record.wait(HOUR)
    assert record.notified() == ["opened", "notified"]
    check_laws(record)


def test_becoming_critical_breaks_the_snooze_of_a_warning() -> None:
    """The escalation is told, and the diary says that the snooze is over."""
    record = Record().days("warning")
    record.by_hand(record.only, "snooze", until=record.clock + 9 * DAY)
    record.run(say(2, "warning"))
    record.run(say(3, "critical"))
    assert record.notified() == ["opened", "escalated"]
    assert [(e.transition, e.actor) for e in record.events[-2:]] == [("escalated", "drift"), ("unsnoozed", "drift")]
    assert record.only.snoozed_until is None
    record.run(say(4, "critical"), after=7 * DAY)
    assert record.notified()[-1] == "repeated"
    check_laws(record)


def test_the_end_of_a_snoozed_alert_is_told_at_the_end_of_the_snooze() -> None:
    """Whoever was told of it hears of its end, and not before they asked to."""
    record = Record().days("critical")
    record.by_hand(record.only, "snooze", until=record.clock + 9 * DAY)
    record.run(say(2, "quiet"))
    record.run(say(3, "quiet"))
    assert (record.notified(), record.suppressed_by()) == (["opened"], ["snoozed"])
    record.wait(9 * DAY)
    assert record.notified() == ["opened", "notified"]
    assert not record.notices[-1].alert.live
    check_laws(record)


def test_a_snooze_can_be_taken_back() -> None:
    """What is critical and unacknowledged is repeated again from then on."""
    record = Record().days("critical")
    record.by_hand(record.only, "snooze", until=record.clock + 9 * DAY)
    record.by_hand(record.only, "unsnooze", by="bob")
    assert (record.events[-1].transition, record.events[-1].actor) == ("unsnoozed", "bob")
    record.run(say(2, "critical"), after=7 * DAY)
    assert record.notified() == ["opened", "repeated"]


def test_an_answer_settles_what_was_pending() -> None:
    """Somebody who acknowledges what a backfill opened knows of it: nobody else is told."""
    record = Record()
    record.run(say(1, "critical"), page=False)
    record.by_hand(record.only, "acknowledge")
    record.run(say(2, "critical"))
    assert record.notified() == []
    check_laws(record)


def test_a_snooze_survives_a_late_opening() -> None:
    """If the alert turns out to have begun earlier, it is still snoozed."""
    record = Record()
    record.run(say(3, "critical"))
    until = record.clock + 9 * DAY
    record.by_hand(record.only, "snooze", until=until)
    record.run(say(2, "critical"))
    (alert,) = (a for a in record.alerts.values() if not a.withdrawn)
    assert (alert.snoozed_until, alert.snoozed_by) == (until, "ada")
