# ruff: noqa: DTZ001 - naive times are one of the things that a column may hold
"""A window's bounds in the language of a column: every row is in exactly one window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.sources.time_filter import PartsFilter, WindowFilter, missing_column
from drift.windows import Calendar, Window

NEW_YORK = Calendar("1d", "America/New_York")
DAY = NEW_YORK.starting(date(2013, 2, 8))


def bounds(sample: object, window: Window = DAY, calendar: Calendar = NEW_YORK, timezone: str | None = None) -> Any:
    """Return the window's bounds like `sample`."""
    return WindowFilter("t", window, calendar, timezone).bounds(sample, "table x: t")


@pytest.mark.parametrize(
    ("sample", "start", "end"),
    [
        (date(2000, 1, 1), date(2013, 2, 8), date(2013, 2, 9)),
        (datetime(2000, 1, 1, tzinfo=UTC), DAY.start, DAY.end),
        (datetime(2000, 1, 1), datetime(2013, 2, 8), datetime(2013, 2, 9)),
        ("2000-01-01", "2013-02-08", "2013-02-09"),
        ("20000101", "20130208", "20130209"),
        ("2000-01-01T00:00:00Z", "2013-02-08T05:00", "2013-02-09T05:00"),
        ("2000-01-01 00:00:00.125+00:00", "2013-02-08 05:00", "2013-02-09 05:00"),
        ("2000-01-01 00:00:00", "2013-02-08", "2013-02-09"),
        (20000101, 20130208, 20130209),
        (1360299600, 1360299600, 1360386000),
        (1360299600.5, 1360299600, 1360386000),
        (Decimal("1360299600.5"), 1360299600, 1360386000),
        (1360299600_000, 1360299600_000, 1360386000_000),
        (1360299600_000_000, 1360299600_000_000, 1360386000_000_000),
        (1360299600_000_000_000, 1360299600_000_000_000, 1360386000_000_000_000),
    ],
)
def test_each_shape_gets_bounds_of_its_own_kind(sample: object, start: object, end: object) -> None:
    """Dates are local, instants are instants, naive times are local, counts have their unit."""
    assert bounds(sample) == (start, end)


def test_a_source_may_have_a_zone_of_its_own() -> None:
    """Naive times are read in the source's zone where it names one."""
    assert bounds(datetime(2000, 1, 1), timezone="UTC") == (datetime(2013, 2, 8, 5), datetime(2013, 2, 9, 5))
    assert bounds("2000-01-01T00:00", timezone="UTC") == ("2013-02-08T05:00", "2013-02-09T05:00")


@pytest.mark.parametrize("sample", ["2013-02-08", date(2013, 2, 8), 20130208, "20130208"])
def test_hours_cannot_be_told_by_a_date(sample: object) -> None:
    """An hourly window on a column of dates says what to do instead of returning a whole day or nothing."""
    hourly = Calendar("1h", "America/New_York")
    with pytest.raises(SourceError, match=r"holds dates.*use windows of whole days"):
        bounds(sample, hourly.starting(datetime(2013, 2, 8, 7)), hourly)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ("8 Feb 2013", "not an ISO 8601"),
        ("2013-02-08T10:00:00-05:00", "does not sort"),
        ("", "not an ISO 8601"),
        (17, "does not look like a time"),
        (True, "does not look like a time"),
        (float("inf"), "does not look like a time"),
        (float("nan"), "does not look like a time"),
        (b"2013", "does not look like a time"),
        (timedelta(1), "does not look like a time"),
    ],
)
def test_what_is_no_time_is_refused(sample: object, says: str) -> None:
    """A column that cannot be compared is an error that names the column, never an empty window."""
    with pytest.raises(SourceError, match=says) as caught:
        bounds(sample)
    assert "table x: t" in str(caught.value)


def text_forms(moment: datetime) -> list[str]:
    """Write a UTC time in the ways people do."""
    naive = moment.replace(tzinfo=None)
    return [
        naive.isoformat(timespec="microseconds") + "Z",
        naive.isoformat(timespec="milliseconds") + "+00:00",
        naive.isoformat(timespec="seconds") + "Z",
    ]


@given(
    st.datetimes(datetime(2013, 1, 1), datetime(2013, 12, 31)),
    st.sampled_from(["15m", "1h", "6h", "1d", "7d"]),
    st.sampled_from(["America/New_York", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_text_sorts_as_its_instants_do(naive: datetime, every: str, zone: str) -> None:
    """Whatever its fractions and zone mark, text lies between the bounds of the window that holds its instant."""
    calendar = Calendar(every, zone)
    moment = naive.replace(tzinfo=UTC)
    for text in text_forms(moment):
        window = calendar.containing(datetime.fromisoformat(text))
        start, end = bounds(text, window, calendar)
        assert start <= text < end


@given(
    st.datetimes(datetime(2013, 1, 1), datetime(2013, 12, 31))
    | st.datetimes(datetime(2013, 11, 3), datetime(2013, 11, 3, 4))
    | st.datetimes(datetime(2013, 3, 10), datetime(2013, 3, 10, 5)),
    st.sampled_from(["15m", "1h", "1d"]),
)
def test_a_naive_time_is_in_exactly_one_window(naive: datetime, every: str) -> None:
    """Also in the hour that occurs twice (taken as the first) and in the one that never does."""
    naive = naive.replace(fold=0)
    calendar = Calendar(every, "America/New_York")
    middle = calendar.containing(naive.replace(tzinfo=calendar.zone).astimezone(UTC))
    after = [middle]
    for _ in range(5):
        after.append(calendar.next(after[-1]))
    windows = [*calendar.before(middle, 5), *after]
    sample = datetime(2013, 1, 1)
    cuts = [(w, *bounds(sample, w, calendar)) for w in windows]
    holding = [w for w, start, end in cuts if start <= naive < end]
    assert len(holding) == 1
    exists = naive.replace(tzinfo=calendar.zone)
    if exists.astimezone(UTC).astimezone(exists.tzinfo).replace(tzinfo=None) == naive:
        assert exists.astimezone(UTC) in holding[0]


@given(st.datetimes(datetime(2013, 1, 1), datetime(2013, 12, 31)), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_counts_keep_to_their_window(naive: datetime, per_second: int) -> None:
    """A count since 1970 lies between the bounds exactly where its instant lies in the window."""
    moment = naive.replace(tzinfo=UTC)
    ticks = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * per_second // 10**6
    window = NEW_YORK.containing(moment)
    start, end = bounds(ticks, window)
    assert start <= ticks < end


def test_a_missing_column_suggests_the_one_meant() -> None:
    """The error names what the source has."""
    assert "did you mean 'dep_delay'?" in str(missing_column("dep_dely", ["carrier", "dep_delay"], "table x"))
    assert "it has a, b" in str(missing_column("zzz", ["a", "b"], "table x"))


PARTS = st.tuples(st.integers(2019, 2025), st.integers(0, 14), st.integers(0, 33))


@given(PARTS, st.sampled_from(["1d", "7d", "1mo", "1q", "1y"]), st.sampled_from(["UTC", "America/New_York"]))
@example((2023, 2, 29), "1d", "UTC")
@example((2024, 13, 1), "1mo", "UTC")
def test_parts_are_in_one_window(parts: tuple[int, int, int], every: str, zone: str) -> None:
    """Whatever stands in the columns is in one window; a date is in its own, and what is not a date is named."""
    calendar = Calendar(every, zone)
    low, high = datetime(parts[0] - 1, 1, 1, tzinfo=UTC), datetime(parts[0] + 2, 1, 1, tzinfo=UTC)
    windows = [PartsFilter(("y", "m", "d"), window, calendar) for window in calendar.between(low, high)]
    (found,) = [each for each in windows if each.inside(parts, "t")]
    try:
        day = date(*parts)
    except ValueError:
        assert found.impossible(parts)
    else:
        assert not found.impossible(parts)
        assert found.window == calendar.starting(day)


def test_parts_that_are_too_coarse_are_refused() -> None:
    """A month cannot tell one day from the others."""
    calendar = Calendar("1d")
    day = PartsFilter(("y", "m"), calendar.starting(date(2013, 2, 8)), calendar)
    with pytest.raises(SourceError, match="y, m tell the month, which cannot tell 2013-02-08 from the rest of it"):
        day.bounds("t")


@pytest.mark.parametrize("sample", ["1360299600", "1360299600.25"])
def test_counts_as_text_sort_as_text(sample: str) -> None:
    """Seconds that are text, beside a word in the column, get bounds of as many digits."""
    assert bounds(sample) == ("1360299600", "1360386000")


@pytest.mark.parametrize(
    ("texts", "time_format", "inside"),
    [
        (["08/02/2013", "8/2/2013", "02/08/2013", "0000-00-00", None], "%d/%m/%Y", [True, True, False, None, None]),
        (["08.02.13 23:59", "09.02.13 00:00"], "%d.%m.%y %H:%M", [True, False]),
        (["Feb 8 2013", "soon"], "%b %d %Y", [True, None]),
    ],
)
def test_texts_in_a_format_of_their_own(texts: list[str | None], time_format: str, inside: list[bool | None]) -> None:
    """Day first, month first or by name, as a person says; what is written in another way is no time."""
    chosen = WindowFilter("t", DAY, NEW_YORK, time_format=time_format)
    assert chosen.inside(pa.array(texts), "x: t").to_pylist() == inside


def test_days_alone_do_not_tell_hours() -> None:
    """A format without the hour is refused where windows are shorter than a day."""
    hourly = Calendar("1h")
    chosen = WindowFilter("t", hourly.starting(datetime(2013, 2, 8, 7)), hourly, time_format="%d/%m/%Y")
    with pytest.raises(SourceError, match="holds dates"):
        chosen.inside(pa.array(["08/02/2013"]), "x: t")
