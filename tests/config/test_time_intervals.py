"""Hours of the week: what people write, what it means on the wall's clock, and where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.time_intervals import Hours, never_over, over_at
from drift.errors import WindowError

NEW_YORK = ZoneInfo("America/New_York")


def local(text: str) -> datetime:
    """An instant by the clock on New York's walls."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("22:00-07:00", range(7), 1320, 1860),
        ("sat 02:00-06:00", [5], 120, 360),
        ("Mon-Fri 20:00-24:00", range(5), 1200, 1440),
        ("fri-mon", [0, 4, 5, 6], 0, 1440),
        ("sat,sun", [5, 6], 0, 1440),
        ("tue,thu-fri 00:00-00:00", [1, 3, 4], 0, 1440),
        ("daily 12:00-13:00", range(7), 720, 780),
        ("daily", range(7), 0, 1440),
    ],
)
def test_what_people_write(text: str, days: list[int], start: int, end: int) -> None:
    """Days, times, or both."""
    assert Hours.parse(text) == Hours(tuple(days), start, end)


@pytest.mark.parametrize(
    "text", ["", " ", "noon", "sat 2-6", "25:00-26:00", "24:00-25:00", "24:00-06:00", "22:60-23:00", "sat-", "22:00"]
)
def test_what_is_no_hours(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(WindowError, match="22:00-07:00"):
        Hours.parse(text)


def test_a_night_belongs_to_the_day_it_begins_on() -> None:
    """Friday's night lasts until Saturday morning; Saturday has none."""
    night = Hours.parse("fri 22:00-07:00")
    assert night.end_of(local("2013-02-09T06:59"), NEW_YORK) == local("2013-02-09T07:00")
    outside = ("2013-02-08T21:59", "2013-02-09T07:00", "2013-02-09T23:00", "2013-02-08T06:00")
    assert [night.end_of(local(when), NEW_YORK) for when in outside] == [None] * 4


def test_clocks_that_are_changed() -> None:
    """The night of the change ends when the clock says so, an hour sooner or later."""
    night = [Hours.parse("22:00-07:00")]
    for evening, hours in [("2013-03-09T23:00", 7), ("2013-11-02T23:00", 9), ("2013-02-08T23:00", 8)]:
        end = over_at(night, local(evening), NEW_YORK)
        assert end is not None
        assert end - local(evening).astimezone(UTC) == timedelta(hours=hours)


def test_hours_that_follow_each_other_are_one() -> None:
    """Night, weekend, night: over on Monday morning; hours with a gap between them are not."""
    assert over_at(
        [Hours.parse("sat 00:00-12:00"), Hours.parse("sat 13:00-24:00")], local("2013-02-09T11:00"), NEW_YORK
    )
    parts = [Hours.parse(text) for text in ("sat 00:00-12:00", "sat 12:00-24:00", "sun")]
    assert over_at(parts, local("2013-02-09T11:00"), NEW_YORK) == local("2013-02-11T00:00")


def test_a_whole_week_is_never_over() -> None:
    """Somebody who asks for that asks for no message at all."""
    assert never_over([Hours.parse("daily")], NEW_YORK)
    assert never_over([Hours.parse("07:00-22:00"), Hours.parse("22:00-07:00")], NEW_YORK)
    assert not never_over([Hours.parse("mon-sat"), Hours.parse("sun 00:00-23:59")], NEW_YORK)
    assert not never_over([], NEW_YORK)


HOURS = st.builds(
    lambda days, start, length: Hours(tuple(sorted(days)), start, start + length),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
INSTANTS = st.datetimes(datetime(2013, 1, 1), datetime(2013, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(HOURS, max_size=3), INSTANTS, st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]))
def test_when_it_is_over_it_is_over(hours: list[Hours], when: datetime, zone: str) -> None:
    """The end lies ahead, and outside of all the hours, unless they never end."""
    place = ZoneInfo(zone)
    end = over_at(hours, when, place)
    if end is not None:
        assert end > when
        assert end - when > timedelta(days=14) or over_at(hours, end, place) is None
