"""What people mute: for a time, for a reason, by somebody, and only what they named."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from drift.alerts.silences import Silence, expire, new_silence, silenced_by
from drift.alerts.suppression import Suppression
from drift.errors import DriftError
from tests.support.alert_samples import NOW, Record, check_laws, say

DAY = timedelta(days=1)


def made(features: str = "*_delay", *, now: datetime = NOW, **changes: Any) -> Silence:
    """A silence of three days."""
    given: dict[str, Any] = {"reason": "snow", "until": now + 3 * DAY, "by": "ada"} | changes
    return new_silence("flights", features, now=now, **given)


def test_it_begins_and_ends_by_itself() -> None:
    """From when it was made to its end, the end excluded."""
    one = made()
    assert [one.active(NOW + timedelta(days=i)) for i in (-1, 0, 2, 3)] == [False, True, True, False]


def test_somebody_may_end_it() -> None:
    """Once; who, when and why are kept."""
    ended = expire(made(), by="bob", now=NOW + DAY, comment="thawed")
    assert (ended.ended_by, ended.ended_at, ended.ended_reason) == ("bob", NOW + DAY, "thawed")
    assert [ended.active(NOW), ended.active(NOW + DAY)] == [True, False]
    with pytest.raises(DriftError, match="already over"):
        expire(ended, by="eve", now=NOW + DAY)
    with pytest.raises(DriftError, match="already over"):
        expire(made(), by="eve", now=NOW + 3 * DAY)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": " "}, "a reason"),
        ({"features": ""}, "a pattern"),
        ({"until": NOW}, "is past"),
        ({"until": (NOW + DAY).replace(tzinfo=None)}, "no time zone"),
    ],
)
def test_what_is_muted_has_a_name_a_reason_and_an_end(changes: dict[str, Any], words: str) -> None:
    """Nothing is muted for ever, or for nobody knows what."""
    with pytest.raises(DriftError, match=words):
        made(**changes)


def test_it_covers_what_it_names() -> None:
    """A pattern of features; an alert of no feature goes by its key, and another monitor's is none of it."""
    record = Record().days("critical")
    assert made().covers(record.only)
    assert not made("origin").covers(record.only)
    assert not new_silence("trains", "*", reason="x", until=NOW + DAY, by="ada", now=NOW).covers(record.only)
    words = silenced_by([made("*"), made("origin")], record.only, NOW)
    assert words == "* by ada until 2026-11-25 08:00 UTC: snow"


def test_a_muted_feature_is_told_when_it_no_longer_is() -> None:
    """It opens unheard; still open at the end of the silence, it is told then, with the reason."""
    record = Record(suppression=Suppression(silences=[made()]))
    record.days("critical", "critical")
    assert (record.notified(), record.suppressed_by()) == ([], ["silenced"])
    assert record.only.suppressed_by == "silenced: *_delay by ada until 2026-11-25 08:00 UTC: snow"
    record.wait(2 * DAY)
    assert record.notified() == []
    record.wait(DAY)
    assert record.notified() == ["notified"]
    assert "not notified before (silenced: *_delay by ada" in record.notices[0].event.reason
    check_laws(record)


def test_what_came_and_went_unheard_stays_so() -> None:
    """Nobody is told of the end of what nobody was told of."""
    record = Record(suppression=Suppression(silences=[made()])).days("critical", "quiet", "quiet")
    record.wait(9 * DAY)
    assert (record.notified(), record.suppressed_by()) == ([], ["silenced", "unheard"])
    check_laws(record)


def test_the_end_of_a_muted_alert_waits_too() -> None:
    """Muted after it was told: its end is told once the silence is over."""
    record = Record().days("critical")
    record.suppression = Suppression(silences=[made(now=record.clock)])
    for number in (2, 3):
        record.run(say(number, "quiet"))
    assert record.notified() == ["opened"]
    record.wait(4 * DAY)
    assert [(p.event.transition, p.alert.live) for p in record.notices] == [("opened", True), ("notified", False)]
    check_laws(record)
