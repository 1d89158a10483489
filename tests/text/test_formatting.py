"""Numbers and instants in one style."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from drift.text import formatting


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (None, None, "–"),
        (0.0, None, "0 %"),
        (0.0004, None, "< 0.1 %"),
        (0.0994, None, "9.9 %"),
        (0.0996, None, "10 %"),
        (1.0, None, "100 %"),
        (0.17, 1, "17.0 %"),
        (0.0, 1, "0.0 %"),
    ],
)
def test_a_share_has_a_space_before_its_sign(share: float | None, decimals: int | None, text: str) -> None:
    """One decimal below 10 %, none above, unless so many are asked for; what is not 0 is never written as 0."""
    assert formatting.percent(share, decimals) == text


def test_an_instant_says_its_zone() -> None:
    """To the minute, in its own zone or the one asked for; programs read UTC with a Z."""
    at = datetime(2013, 2, 8, 3, 30, tzinfo=UTC)
    new_york = ZoneInfo("America/New_York")
    assert formatting.when(at) == "2013-02-08 03:30 UTC"
    assert formatting.when(at, new_york) == "2013-02-07 22:30 EST"
    assert (formatting.day(at), formatting.day(at, new_york)) == ("2013-02-08", "2013-02-07")
    assert formatting.iso(at.astimezone(timezone(timedelta(hours=2)))) == "2013-02-08T03:30:00Z"
