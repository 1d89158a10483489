"""References: which windows a reference has, and which references make no sense."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.monitor import Monitor
from drift.config.reference import MAX_WINDOWS, Reference, WindowSpec, describe_span
from drift.config.source import Source
from drift.config.validation import parse_options
from drift.errors import ConfigError, WindowError
from drift.windows import Calendar

NEW_YORK = Calendar("1d", "America/New_York")


def monitor(window: dict[str, Any], reference: Any = None) -> Monitor:
    """A monitor that differs in its window and reference only."""
    keys = {} if reference is None else {"reference": reference}
    source = {"files": "a.csv", "time_column": "t"}
    return parse_options(lambda: Monitor.model_validate({"name": "m", "source": source, "window": window, **keys}))


def told(every: str, reference: Any, timezone: str = "UTC") -> str:
    """What is wrong with a reference of windows, as one text."""
    with pytest.raises(ConfigError) as caught:
        monitor({"every": every, "timezone": timezone}, reference)
    return str(caught.value)


def labels(reference: Reference, calendar: Calendar, day: date | datetime) -> list[str]:
    """The reference windows of the window that holds a day."""
    return [calendar.label(window) for window in reference.windows(calendar, calendar.starting(day))]


def test_trailing() -> None:
    """The days just before, oldest first, across a change of clocks."""
    assert labels(Reference(trailing="3d"), NEW_YORK, date(2013, 3, 12)) == ["2013-03-09", "2013-03-10", "2013-03-11"]


def test_previous() -> None:
    """The single window that many windows before."""
    assert labels(Reference(previous=1), NEW_YORK, date(2013, 3, 12)) == ["2013-03-11"]
    assert labels(Reference(previous=7), NEW_YORK, date(2013, 3, 12)) == ["2013-03-05"]


def test_same_weekday() -> None:
    """The same weekday, and for windows below a day the same local time."""
    assert labels(Reference(same_weekday=2), NEW_YORK, date(2013, 3, 12)) == ["2013-02-26", "2013-03-05"]
    hourly = Calendar("1h", "America/New_York")
    found = labels(Reference(same_weekday=1), hourly, datetime(2013, 3, 12, 6))  # noqa: DTZ001 - local time
    assert found == ["2013-03-05 06:00 EST"]


@pytest.mark.parametrize(
    "bounds",
    [
        ["2013-01-01", "2013-01-04"],
        ["2013-01-01T00:00", "2013-01-04"],
        ["2013-01-01T05:00:00Z", "2013-01-04T00:00:00-05:00"],
        [date(2013, 1, 1), datetime(2013, 1, 4, 5, tzinfo=UTC)],
    ],
)
def test_fixed(bounds: list[Any]) -> None:
    """Dates are local days, naive times local times, and the end is exclusive."""
    reference = Reference.model_validate({"fixed": bounds})
    assert labels(reference, NEW_YORK, date(2014, 1, 1)) == ["2013-01-01", "2013-01-02", "2013-01-03"]


def test_a_window_is_not_part_of_its_own_reference() -> None:
    """Within a fixed reference, a window is compared with the others."""
    reference = Reference(fixed=(date(2013, 1, 1), date(2013, 1, 4)))
    assert labels(reference, NEW_YORK, date(2013, 1, 2)) == ["2013-01-01", "2013-01-03"]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ({"trailing": "28d"}, "trailing 28d"),
        ({"fixed": ["2013-01-01", "2013-04-01"]}, "fixed 2013-01-01 … 2013-04-01"),
        ({"previous": 1}, "previous window"),
        ({"previous": 7}, "7 windows before"),
        ({"same_weekday": 1}, "same weekday of 1 week"),
        ({"same_weekday": 8}, "same weekday of 8 weeks"),
    ],
)
def test_a_reference_in_words(reference: dict[str, Any], text: str) -> None:
    """Reports say what was compared with."""
    assert str(Reference.model_validate(reference)) == text


@pytest.mark.parametrize(
    ("every", "trailing", "min_windows"),
    [
        ("1d", "28d", 7),
        ("1h", "7d", 42),
        ("15m", "7d", 168),
        ("5m", "3d", 216),
        ("1m", "12h", 180),
        ("24h", "7d", 2),
        ("7d", "28d", 1),
        ("2w", "56d", 1),
        ("366d", "1464d", 1),
        ("1mo", "12mo", 3),
        ("1q", "12mo", 1),
        ("1y", "48mo", 1),
    ],
)
def test_the_default_reference(every: str, trailing: str, min_windows: int) -> None:
    """28 days of days, 7 days of less, four windows of more, a year of months; a quarter of them must be stored."""
    found = monitor({"every": every}).reference
    assert (found.trailing, found.min_windows) == (trailing, min_windows)


@given(
    st.sampled_from([f"{n}m" for n in range(1, 1441) if 1440 % n == 0])
    | st.integers(1, 366).map("{}d".format)
    | st.sampled_from(["1mo", "2mo", "1q", "4mo", "6mo", "1y"])
)
def test_the_default_reference_passes_its_own_checks(every: str) -> None:
    """What is the default for a window may be written down for it."""
    default = monitor({"every": every})
    assert monitor({"every": every}, default.reference.model_dump()).config_hash == default.config_hash
    assert default.reference.count(default.window.calendar) <= MAX_WINDOWS


@pytest.mark.parametrize(
    ("reference", "min_windows"),
    [
        ({"trailing": "5d"}, 2),
        ({"previous": 9}, 1),
        ({"same_weekday": 8}, 2),
        ({"fixed": ["2013-01-01", "2014-01-01"]}, 92),
        ({"trailing": "28d", "min_windows": 28}, 28),
    ],
)
def test_min_windows_is_a_quarter(reference: dict[str, Any], min_windows: int) -> None:
    """Rounded up, at least one, unless it is given."""
    found = monitor({"every": "1d"}, reference)
    assert found.reference.min_windows == found.reference_min_windows == min_windows


@given(st.sampled_from(["1d", "7d", "3d", "1h", "6h", "1mo", "1q"]), st.integers(0, 300), st.integers(1, 60))
def test_a_fixed_reference_counts_its_windows(every: str, first: int, many: int) -> None:
    """The count that `min_windows` is a quarter of is the number of windows, but for changes of clocks."""
    calendar = Calendar(every, "America/New_York")
    windows = [calendar.starting(date.fromordinal(date(2013, 1, 1).toordinal() + first))]
    while len(windows) < many:
        windows.append(calendar.next(windows[-1]))
    reference = Reference(fixed=(windows[0].start, windows[-1].end))
    found = reference.windows(calendar, calendar.starting(date(2035, 1, 1)))
    assert found == windows
    assert abs(reference.count(calendar) - many) <= 1


@pytest.mark.parametrize(
    ("every", "reference", "problem"),
    [
        ("1d", {}, "reference: names no reference; fix: give exactly one of trailing, fixed, previous, same_weekday"),
        (
            "1d",
            {"trailing": "28d", "previous": 1},
            "reference.previous: trailing is given already; fix: keep exactly one",
        ),
        ("1d", {"trailing": "28"}, "reference.trailing: '28' is not a span of time; fix: write a number and a unit"),
        ("1d", {"trailing": 28}, "reference.trailing: should be text, not a number"),
        ("1d", {"trailing": "12h"}, "reference.trailing: is shorter than one window of 1d; fix: write 1d or more"),
        ("1d", {"trailing": "48h"}, "reference.trailing: counts hours where windows are days; fix: write days"),
        (
            "7d",
            {"trailing": "10d"},
            "reference.trailing: is not a whole number of windows of 7d; fix: write a multiple",
        ),
        ("6h", {"trailing": "9h"}, "reference.trailing: is not a whole number of windows of 6h"),
        ("1h", {"trailing": "42d"}, "reference.trailing: holds 1,008 windows of 1h, more than 1,000"),
        ("1d", {"previous": 0}, "reference.previous: 0 should be at least 1"),
        ("1d", {"previous": 1001}, "reference.previous: 1001 should be at most 1000"),
        ("1d", {"previous": "1"}, "reference.previous: should be a whole number, not text"),
        ("1d", {"same_weekday": 0}, "reference.same_weekday: 0 should be at least 1"),
        ("1d", {"same_weekday": 105}, "reference.same_weekday: 105 should be at most 104"),
        ("7d", {"same_weekday": 4}, "reference.same_weekday: windows of 7d have no weekday; fix: use trailing"),
        ("1mo", {"same_weekday": 4}, "reference.same_weekday: windows of 1mo have no weekday; fix: use trailing"),
        ("1mo", {"trailing": "90d"}, "reference.trailing: counts days where windows of 1mo are cut by months; fix:"),
        ("1d", {"trailing": "1mo"}, "reference.trailing: counts months where windows of 1d are cut by days; fix:"),
        ("1q", {"trailing": "4mo"}, "reference.trailing: is not a whole number of windows of 1q"),
        (
            "1mo",
            {"fixed": ["2013-01-15", "2013-04-01"]},
            "reference.fixed[0]: the start lies within a window of 1mo; fix: write 2013-01-01 or 2013-02-01",
        ),
        ("1y", {"fixed": [2012, "2013-07"]}, "the end lies within a window of 1y; fix: write 2013-01-01 or 2014-01-01"),
        ("1mo", {"fixed": ["2013-01", "2013-13"]}, 'reference.fixed[1]: "2013-13" is not a date'),
        ("1d", {"trailing": "3d", "min_windows": 4}, "reference.min_windows: 4 is more than the 3 windows of the"),
        ("1d", {"trailing": "3d", "min_windows": 0}, "reference.min_windows: 0 should be at least 1"),
        ("1d", {"fixed": ["2013-02-01", "2013-01-01"]}, "reference.fixed: ends before it starts, or at once"),
        ("1d", {"fixed": ["2013-02-01", "2013-02-01"]}, "reference.fixed: ends before it starts, or at once"),
        ("7d", {"fixed": ["2013-01-07", "2013-01-10"]}, "reference.fixed: is shorter than one window of 7d"),
        (
            "7d",
            {"fixed": ["2013-01-01", "2013-03-04"]},
            "reference.fixed[0]: the start lies within a window of 7d; fix: write 2012-12-31 or 2013-01-07",
        ),
        (
            "6h",
            {"fixed": ["2013-01-01", "2013-01-02T07:00"]},
            "reference.fixed[1]: the end lies within a window of 6h; fix: write 2013-01-02T06:00 or 2013-01-02T12:00",
        ),
        ("15m", {"fixed": ["2013-01-01", "2014-01-01"]}, "reference.fixed: holds more than 10,000 windows of 15m"),
        ("1d", {"fixed": "2013-01-01"}, "reference.fixed: should be two dates, not text; fix: write [2013-01-01,"),
        ("1d", {"fixed": ["2013-01-01"]}, "reference.fixed: should be two dates, not a list"),
        (
            "1d",
            {"fixed": ["2013-01-01", "2013-02-30"]},
            'reference.fixed[1]: "2013-02-30" is not a date; fix: write 2013-01-01',
        ),
        ("1d", {"fixed": [20130101, "9999-12-31"]}, "reference.fixed[0]: 20130101 is not a date"),
        ("1d", {"fixed": ["2013-01-01", "9999-12-31"]}, 'reference.fixed[1]: "9999-12-31" is not a date'),
        ("1d", {"trailng": "28d"}, "reference.trailng: is not a known key; fix: did you mean trailing?"),
    ],
)
def test_references_that_make_no_sense(every: str, reference: dict[str, Any], problem: str) -> None:
    """Each is refused with what would do."""
    assert problem in told(every, reference)


def test_boundaries_are_those_of_the_monitors_time_zone() -> None:
    """An instant that is a midnight in UTC is within a day of New York."""
    fixed = {"fixed": ["2013-01-01T00:00:00Z", "2013-02-01"]}
    assert "reference.fixed[0]: the start lies within a window of 1d" in told("1d", fixed, "America/New_York")
    monitor({"every": "1d"}, fixed)


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ({"every": "5h"}, "window.every: windows of 5h do not divide a day; fix: use 15m, 30m"),
        (
            {"every": "400d"},
            "window.every: windows of 400d are longer than 366d; fix: write 15m, 1h, 6h, 1d, 7d or 1mo",
        ),
        ({"every": "0d"}, "window.every: '0d' is not a span of time"),
        ({"every": 1}, "window.every: should be text, not a number"),
        ({"every": "1d", "timezone": "EST5"}, "window.timezone: 'EST5' is not a time zone; fix: use an IANA name"),
        ({"every": "1d", "timezone": "../etc"}, "window.timezone: '../etc' is not a time zone"),
        ({"timezone": "UTC"}, "window.every: is missing; fix: add every: 1d"),
    ],
)
def test_impossible_windows(window: dict[str, Any], problem: str) -> None:
    """A window must tile the calendar, in a time zone that there is."""
    with pytest.raises(ConfigError) as caught:
        monitor(window)
    assert problem in str(caught.value)


def test_only_a_fixed_reference_has_a_fixed_span() -> None:
    """Asking another kind for it is an error with the way out."""
    with pytest.raises(WindowError, match="a reference of kind previous has no fixed span"):
        Reference(previous=1)._span(NEW_YORK)


def test_a_window_spec_is_a_calendar() -> None:
    """The calendar is that of `drift.windows`."""
    assert WindowSpec(every="1d", timezone="America/New_York").calendar == NEW_YORK
    assert Source(files="a.csv", time_column="t").timezone is None


def test_a_fixed_baseline_is_named_by_a_word() -> None:
    """Its windows stand in the results database, so it asks for one window until a person asks for more."""
    reference = monitor({"every": "1d"}, {"fixed": "baseline"}).reference
    assert (reference.fixed, reference.min_windows, str(reference)) == ("baseline", 1, "fixed baseline")
    assert monitor({"every": "1d"}, {"fixed": "baseline", "min_windows": 9}).reference.min_windows == 9
    with pytest.raises(WindowError, match="results database"):
        reference.windows(NEW_YORK, NEW_YORK.starting(date(2013, 3, 12)))
    assert "should be two dates" in told("1d", {"fixed": "basline"})


@pytest.mark.parametrize(
    ("every", "reference", "companion"),
    [
        ("1d", {"trailing": "28d"}, "same weekday of 8 weeks"),
        ("1h", {"trailing": "7d"}, "same weekday of 8 weeks"),
        ("7d", {"trailing": "28d"}, None),
        ("1d", {"same_weekday": 4}, None),
        ("1d", {"previous": 1}, None),
        ("1d", {"fixed": ["2013-01-01", "2013-02-01"]}, None),
    ],
)
def test_only_a_trailing_reference_of_days_has_a_companion(
    every: str, reference: dict[str, Any], companion: str | None
) -> None:
    """Weeks have no weekday, and whoever names other windows means these."""
    found = monitor({"every": every}, reference).reference.seasonal_companion(Calendar(every))
    assert (found and str(found)) == companion


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (date(2013, 1, 1), date(2013, 1, 2), "2013-01-01"),
        (date(2013, 1, 1), date(2013, 1, 29), "2013-01-01 … 01-28"),
        (date(2012, 12, 31), date(2013, 1, 2), "2012-12-31 … 2013-01-01"),
    ],
)
def test_a_span_is_named_by_its_days(start: date, end: date, name: str) -> None:
    """The last day included, the year once where it is the same."""
    assert describe_span(NEW_YORK, NEW_YORK.midnight(start), NEW_YORK.midnight(end)) == name


def test_a_span_of_hours_is_named_by_its_hours() -> None:
    """Where it does not begin and end at midnight."""
    start, end = datetime(2013, 1, 1, 6, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC)
    assert describe_span(Calendar("1h"), start, end) == "2013-01-01T06:00 … 2013-01-02"


def test_what_is_kept_out_is_a_choice() -> None:
    """Rejected windows by default; a word that means nothing is told."""
    assert monitor({"every": "1d"}, {"trailing": "7d"}).reference.exclude == ["rejected"]
    assert monitor({"every": "1d"}, {"trailing": "7d", "exclude": []}).reference.exclude == []
    assert "exclude" in told("1d", {"trailing": "7d", "exclude": ["warned"]})
