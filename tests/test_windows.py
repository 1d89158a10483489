"""Twin of `drift.windows`."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.errors import WindowError
from drift.windows import Calendar, Span, Window, load_timezone, parse_date
from tests.support.laws import examples

ZONES = sorted(name for name in available_timezones() if "/" in name)
FIRST, LAST = date(1990, 1, 1), date(2036, 12, 31)
NEW_YORK = "America/New_York"
law = examples(100)

zones = st.sampled_from(
    ["UTC", NEW_YORK, "Africa/Cairo", "Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia"]
) | st.sampled_from(ZONES)


@cache
def clock_changes(name: str) -> list[date]:
    """Return the UTC dates on which a zone's clocks were changed."""
    zone = ZoneInfo(name)
    noons = [datetime(1990, 1, 1, 12, tzinfo=UTC) + timedelta(days=i) for i in range((LAST - FIRST).days)]
    return [
        b.date()
        for a, b in itertools.pairwise(noons)
        if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()
    ]


@st.composite
def zoned_instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """Draw a zone and an instant, most often near a change of its clocks."""
    zone = draw(zones)
    changes = clock_changes(zone)
    days = st.dates(FIRST, LAST) | st.sampled_from(changes) if changes else st.dates(FIRST, LAST)
    day = draw(days)
    minutes = draw(st.integers(-3 * 1440, 3 * 1440))
    return zone, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)


spans = st.sampled_from(
    ["1d", "7d", "1w", "2w", "10d", "1h", "3h", "12h", "15m", "30m", "24h", "1mo", "1q", "6mo", "1y"]
)


def hours(window: Window) -> float:
    """Return a window's length."""
    return (window.end - window.start) / timedelta(hours=1)


# --- one window


def test_a_window_is_half_open() -> None:
    """The start belongs to the window, the end to the next."""
    window = Window(datetime(2013, 2, 8, tzinfo=UTC), datetime(2013, 2, 9, tzinfo=UTC))
    assert window.start in window
    assert window.end not in window
    assert window.end - timedelta(microseconds=1) in window


def test_a_window_is_the_same_whatever_zone_names_its_bounds() -> None:
    """Bounds are kept as UTC, so equal spans are equal windows with one key."""
    zone = timezone(timedelta(hours=-5))
    local = Window(datetime(2013, 2, 8, tzinfo=zone), datetime(2013, 2, 9, tzinfo=zone))
    assert local == Window(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))
    assert local.key == str(local) == "2013-02-08T05:00:00Z/2013-02-09T05:00:00Z"


@law
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()),  # noqa: DTZ001 - hypothesis adds the zones
    st.timedeltas(timedelta(microseconds=1), timedelta(days=4000)),
)
def test_a_key_reads_back(start: datetime, length: timedelta) -> None:
    """`from_key` undoes `key`, to the microsecond."""
    start = start.astimezone(UTC)
    window = Window(start, start + length)
    assert Window.from_key(window.key) == window


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (datetime(2013, 2, 8), datetime(2013, 2, 9, tzinfo=UTC), "start .* no time zone"),  # noqa: DTZ001
        (datetime(2013, 2, 8, tzinfo=UTC), datetime(2013, 2, 9), "end .* no time zone"),  # noqa: DTZ001
        (datetime(2013, 2, 9, tzinfo=UTC), datetime(2013, 2, 8, tzinfo=UTC), "not after"),
        (datetime(2013, 2, 9, tzinfo=UTC), datetime(2013, 2, 9, tzinfo=UTC), "not after"),
    ],
)
def test_impossible_windows_are_refused(start: datetime, end: datetime, said: str) -> None:
    """Naive, empty and reversed bounds raise, and the message says which it was."""
    with pytest.raises(WindowError, match=said):
        Window(start, end)


@pytest.mark.parametrize(
    "key", ["", "2013-02-08", "a/b", "2013-02-08/2013-02-09", "2013-02-08T00:00Z/2013-02-09T00:00Z/x"]
)
def test_keys_that_are_none_are_refused(key: str) -> None:
    """Whatever is not two aware instants is not a window."""
    with pytest.raises(WindowError):
        Window.from_key(key)


# --- spans and calendars: what may be asked


@pytest.mark.parametrize(
    ("text", "written", "nominal"),
    [
        ("15m", "15m", timedelta(minutes=15)),
        ("60m", "1h", timedelta(hours=1)),
        (" 6 h ", "6h", timedelta(hours=6)),
        ("28d", "28d", timedelta(days=28)),
        ("2w", "14d", timedelta(days=14)),
        ("2q", "6mo", timedelta(days=365.2425) / 2),
        ("1y", "12mo", timedelta(days=365.2425)),
    ],
)
def test_spans_as_people_write_them(text: str, written: str, nominal: timedelta) -> None:
    """Minutes, hours, days, weeks, months, quarters and years, in their shortest form."""
    assert str(Span.parse(text)) == written
    assert Span.parse(text).nominal == nominal
    assert Span.parse(written) == Span.parse(text)


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5h", "1yr", "1 month", "1D", "1d 2h", "1;DROP TABLE"])
def test_spans_that_are_none_are_refused(text: str) -> None:
    """The message shows what was written and what would do."""
    with pytest.raises(WindowError, match="such as 15m, 1h, 1d, 4w"):
        Span.parse(text)


@pytest.mark.parametrize(
    ("every", "said"),
    [
        ("7h", "divide a day"),
        ("25h", "divide a day"),
        ("367d", "longer"),
        ("0d", "not a span"),
        ("5mo", "divide a year"),
        ("2y", "divide a year"),
    ],
)
def test_calendars_that_cannot_tile_are_refused(every: str, said: str) -> None:
    """Hours must divide a day, months a year, and a window is at most a year."""
    with pytest.raises(WindowError, match=said):
        Calendar(every)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "America", "../../etc/passwd", "/etc/passwd", "UTC\0", "New York", "Ünï"]
)
def test_zones_that_are_none_are_refused(name: str) -> None:
    """No name, however hostile, gets past the zone database."""
    with pytest.raises(WindowError, match="not a time zone"):
        load_timezone(name)


@pytest.mark.parametrize("day", [date.min, date.max])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", NEW_YORK, "UTC"])
def test_the_ends_of_time_are_refused(day: date, zone: str) -> None:
    """A date whose window cannot be written down raises a `WindowError`, not an `OverflowError`, or has a window."""
    try:
        window = Calendar("1d", zone).starting(day)
    except WindowError:
        return
    assert window.start < window.end


def test_a_reference_longer_than_time_is_refused() -> None:
    """A trailing span that reaches before the year 1 raises a `WindowError`."""
    calendar = Calendar("1d")
    with pytest.raises(WindowError):
        calendar.within(calendar.starting(date(2013, 2, 8)), Span.parse("999999d"))


def test_naive_instants_are_refused_where_they_are_ambiguous() -> None:
    """`containing` needs an aware instant; `starting` reads a naive one as local time."""
    calendar = Calendar("1h", NEW_YORK)
    with pytest.raises(WindowError, match="no time zone"):
        calendar.containing(datetime(2013, 2, 8, 17))  # noqa: DTZ001
    assert calendar.starting(datetime(2013, 2, 8, 17)).start == datetime(2013, 2, 8, 22, tzinfo=UTC)  # noqa: DTZ001


# --- days, hours and weeks across changes of the clocks


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        (NEW_YORK, date(2013, 3, 10), 23),
        (NEW_YORK, date(2013, 11, 3), 25),
        (NEW_YORK, date(2013, 2, 8), 24),
        ("Australia/Lord_Howe", date(2023, 10, 1), 23.5),
        ("Australia/Lord_Howe", date(2023, 4, 2), 24.5),
        ("Africa/Cairo", date(2024, 4, 26), 23),  # no midnight
        ("Africa/Cairo", date(2024, 10, 31), 25),  # clocks go back at its end
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # no midnight
        ("America/Sao_Paulo", date(2019, 2, 16), 25),
        ("America/Havana", date(2023, 11, 5), 25),  # midnight strikes twice
        ("Europe/Berlin", date(2026, 3, 29), 23),
    ],
)
def test_days_are_as_long_as_they_were(zone: str, day: date, length: float) -> None:
    """A local day runs from its first instant to the next day's: 23 to 25 hours."""
    window = Calendar("1d", zone).starting(day)
    assert hours(window) == length
    assert Calendar("1d", zone).label(window) == str(day)
    assert window.start.astimezone(ZoneInfo(zone)).date() == day
    assert (window.start - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == day - timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "every", "count"),
    [
        (NEW_YORK, date(2013, 3, 10), "1h", 23),
        (NEW_YORK, date(2013, 11, 3), "1h", 25),
        (NEW_YORK, date(2013, 11, 3), "6h", 4),
        (NEW_YORK, date(2013, 3, 10), "12h", 2),
        (NEW_YORK, date(2013, 11, 3), "24h", 1),
        ("Australia/Lord_Howe", date(2023, 10, 1), "30m", 47),
        ("Australia/Lord_Howe", date(2023, 4, 2), "15m", 98),
        ("Africa/Cairo", date(2024, 4, 26), "1h", 23),
    ],
)
def test_short_windows_tile_a_changed_day(zone: str, day: date, every: str, count: int) -> None:
    """A long or short day has more or fewer hours, and they cover it once."""
    whole = Calendar("1d", zone).starting(day)
    parts = list(Calendar(every, zone).between(whole.start, whole.end))
    assert len(parts) == count
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))


def test_the_hour_that_strikes_twice_has_two_labels() -> None:
    """01:00 EDT and 01:00 EST are different windows and read differently."""
    calendar = Calendar("1h", NEW_YORK)
    day = Calendar("1d", NEW_YORK).starting(date(2013, 11, 3))
    labels = [calendar.label(window) for window in calendar.between(day.start, day.end)]
    assert labels[1:3] == ["2013-11-03 01:00 EDT", "2013-11-03 01:00 EST"]
    assert len(set(labels)) == 25


def test_a_day_that_never_was() -> None:
    """Samoa had no 2011-12-30: the day before is followed by the day after."""
    calendar = Calendar("1d", "Pacific/Apia")
    before = calendar.starting(date(2011, 12, 29))
    assert calendar.label(calendar.next(before)) == "2011-12-31"
    assert calendar.previous(calendar.next(before)) == before
    assert hours(before) == 24


def test_clocks_that_go_back_across_midnight() -> None:
    """In St John's on 2010-11-07 00:01 became 23:01 of the day before; that hour belongs to one window all the same."""
    again = datetime(2010, 11, 7, 2, 45, tzinfo=UTC)
    for every in ("1d", "1h", "7d"):
        assert again in Calendar(every, "America/St_Johns").containing(again)


@law
@given(zoned_instants(), spans)
@example(("America/St_Johns", datetime(2010, 11, 7, 2, 45, tzinfo=UTC)), "1d")
@example(("Pacific/Apia", datetime(2011, 12, 30, 9, 59, tzinfo=UTC)), "1d")
def test_windows_tile_time(where: tuple[str, datetime], every: str) -> None:
    """Every instant is in exactly one window; windows meet without gap or overlap; next and previous are inverse."""
    zone, instant = where
    calendar = Calendar(every, zone)
    window = calendar.containing(instant)
    assert instant in window
    assert calendar.containing(window.start) == window
    assert calendar.containing(window.end - timedelta(microseconds=1)) == window
    after, before = calendar.next(window), calendar.previous(window)
    assert (before.end, after.start) == (window.start, window.end)
    assert calendar.previous(after) == calendar.next(before) == window
    assert calendar.last_complete(instant) == before
    assert calendar.last_complete(window.end) == window
    assert Window.from_key(window.key) == window


@law
@given(zoned_instants(), st.sampled_from(["1h", "2h", "15m", "6h", "12h"]))
def test_short_windows_tile_days(where: tuple[str, datetime], every: str) -> None:
    """No short window crosses a local midnight, and together they are the day; all but the last are of full length."""
    zone, instant = where
    day = Calendar("1d", zone).containing(instant)
    calendar = Calendar(every, zone)
    parts = list(calendar.between(day.start, day.end))
    assert (parts[0].start, parts[-1].end) == (day.start, day.end)
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    assert {part.end - part.start for part in parts[:-1]} <= {calendar.span.nominal}


@law
@given(zoned_instants(), st.sampled_from(["7d", "1w"]))
def test_weeks_start_on_monday(where: tuple[str, datetime], every: str) -> None:
    """A week runs from the first instant of a local Monday to that of the next."""
    zone, instant = where
    window = Calendar(every, zone).containing(instant)
    start, end = (bound.astimezone(ZoneInfo(zone)) for bound in (window.start, window.end))
    assert (start.weekday(), end.weekday()) == (0, 0)
    assert end.date() - start.date() == timedelta(days=7)


@law
@given(zoned_instants(), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_months_start_on_the_first(where: tuple[str, datetime], months: int) -> None:
    """A window of months begins at the local midnight of a first, counted from January, and ends with another."""
    zone, instant = where
    calendar = Calendar(f"{months}mo", zone)
    window = calendar.containing(instant)
    bounds = [bound.astimezone(calendar.zone).date() for bound in (window.start, window.end)]
    assert [calendar.midnight(day) for day in bounds] == [window.start, window.end]
    assert [(day.day, (day.month - 1) % months) for day in bounds] == [(1, 0), (1, 0)]
    first, last = bounds
    assert (last.year - first.year) * 12 + last.month - first.month == months


@given(zoned_instants(), st.sampled_from([("1mo", 1), ("1q", 3), ("1y", 12)]), st.integers(1, 14))
def test_a_trailing_span_of_months_counts_windows(
    where: tuple[str, datetime], every: tuple[str, int], count: int
) -> None:
    """So many months before a window are so many windows, whatever their lengths, leap years and clocks."""
    zone, instant = where
    calendar = Calendar(every[0], zone)
    window = calendar.containing(instant)
    assert calendar.within(window, Span(count * every[1], "mo")) == calendar.before(window, count)


@pytest.mark.parametrize(
    ("year", "every", "lengths"),
    [
        (2023, "1mo", [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
        (2024, "1mo", [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
        (2024, "1q", [91, 91, 92, 92]),
        (2024, "1y", [366]),
    ],
)
def test_months_are_as_long_as_they_are(year: int, every: str, lengths: list[int]) -> None:
    """February has its leap day, a quarter three months, a year all its days; in New York less or more by an hour."""
    calendars = [Calendar(every, zone) for zone in ("UTC", NEW_YORK)]
    utc, new_york = (
        [hours(window) for window in each.between(each.midnight(date(year, 1, 1)), each.midnight(date(year + 1, 1, 1)))]
        for each in calendars
    )
    assert utc == [24 * days for days in lengths]
    assert sum(new_york) == sum(utc)
    assert every == "1y" or new_york != utc


@given(zoned_instants(), spans)
def test_a_label_reads_back(where: tuple[str, datetime], every: str) -> None:
    """What a window of a day or more is called names it again: messages print it behind `--date`."""
    zone, instant = where
    calendar = Calendar(every, zone)
    window = calendar.containing(instant)
    if calendar.span.unit != "m":
        assert calendar.starting(parse_date(calendar.label(window))) == window


@pytest.mark.parametrize(
    ("every", "text", "first", "last"),
    [
        ("1d", "2013-02", "2013-02-01", "2013-02-28"),
        ("1d", "2012-Q1", "2012-01-01", "2012-03-31"),
        ("1d", "2013-02-08", "2013-02-08", "2013-02-08"),
        ("1mo", "2013", "2013-01", "2013-12"),
        ("1mo", "2013-02-08", "2013-02", "2013-02"),
        ("1q", "2013-02", "2013-Q1", "2013-Q1"),
        ("1h", "2013-02-08T17:20", "2013-02-08 17:00 EST", "2013-02-08 17:00 EST"),
    ],
)
def test_a_text_names_windows(every: str, text: str, first: str, last: str) -> None:
    """A month, quarter or year means all windows in it; what is shorter than a window means the one that holds it."""
    calendar = Calendar(every, NEW_YORK)
    assert [calendar.label(window) for window in calendar.spanned(text)] == [first, last]


@pytest.mark.parametrize("text", ["2013-13", "2013-02-30", "2013-Q5", "13", "0000", "yesterday", ""])
def test_texts_that_name_no_window_are_refused(text: str) -> None:
    """The message shows what would do."""
    with pytest.raises(WindowError, match="is not a date: write 2013-02-08"):
        Calendar("1d").spanned(text)


@given(zoned_instants(), spans, st.integers(0, 12))
def test_before_counts_back(where: tuple[str, datetime], every: str, count: int) -> None:
    """`before` gives so many windows, oldest first, that meet each other and end where the current one starts."""
    zone, instant = where
    calendar = Calendar(every, zone)
    window = calendar.containing(instant)
    found = [*calendar.before(window, count), window]
    assert len(found) == count + 1
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


# --- references


@law
@given(zoned_instants(), st.sampled_from([1, 7, 28, 60]))
@example(("Africa/Cairo", datetime(2024, 4, 26, 12, tzinfo=UTC)), 28)
@example(("America/Sao_Paulo", datetime(2018, 11, 4, 12, tzinfo=UTC)), 28)
def test_trailing_days_are_the_days_before(where: tuple[str, datetime], days: int) -> None:
    """N trailing days are the N local dates before, whatever the clocks did, without the dates that never were."""
    zone, instant = where
    calendar = Calendar("1d", zone)
    window = calendar.containing(instant)
    found = calendar.within(window, Span.parse(f"{days}d"))
    today = date.fromisoformat(calendar.label(window))
    wanted = {calendar.starting(today - timedelta(days=back)) for back in range(1, days + 1)} - {window}
    assert found == sorted(wanted)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Africa/Cairo", date(2024, 4, 26)), ("America/Sao_Paulo", date(2018, 11, 4)), (NEW_YORK, date(2013, 3, 10))],
)
def test_a_day_without_midnight_has_a_whole_reference(zone: str, day: date) -> None:
    """28 days trail a day whose clocks skip midnight, as they trail any other."""
    calendar = Calendar("1d", zone)
    found = calendar.within(calendar.starting(day), Span.parse("28d"))
    assert [calendar.label(w) for w in found] == [str(day - timedelta(days=back)) for back in range(28, 0, -1)]


@pytest.mark.parametrize(
    ("every", "span", "count"),
    [("1d", "28d", 28), ("7d", "4w", 4), ("1h", "1d", 24), ("1h", "6h", 6), ("15m", "1d", 96)],
)
def test_trailing_lengths(every: str, span: str, count: int) -> None:
    """A trailing span holds as many windows as fit, and ends where the current one starts."""
    calendar = Calendar(every, NEW_YORK)
    window = calendar.starting(datetime(2013, 6, 12, 17, 30))  # noqa: DTZ001
    found = calendar.within(window, Span.parse(span))
    assert len(found) == count
    assert found[-1].end == window.start


def test_a_trailing_week_of_hours_across_a_change_of_the_clocks() -> None:
    """Seven days back is the same local time, so the week that lost an hour has 167."""
    calendar = Calendar("1h", NEW_YORK)
    window = calendar.starting(datetime(2013, 3, 12, 9))  # noqa: DTZ001
    found = calendar.within(window, Span.parse("7d"))
    assert len(found) == 167
    assert calendar.label(found[0]) == "2013-03-05 09:00 EST"


def test_a_span_shorter_than_a_window_holds_none() -> None:
    """A trailing reference never takes a part of a window."""
    calendar = Calendar("7d", NEW_YORK)
    assert calendar.within(calendar.starting(date(2013, 2, 8)), Span.parse("6d")) == []


@law
@given(zoned_instants(), st.integers(1, 9))
def test_same_weekday(where: tuple[str, datetime], weeks: int) -> None:
    """The same weekday over N weeks: that many days, each whole weeks before by the local calendar."""
    zone, instant = where
    calendar = Calendar("1d", zone)
    window = calendar.containing(instant)
    found = calendar.same_weekday(window, weeks)
    today = date.fromisoformat(calendar.label(window))
    wanted = {calendar.starting(today - timedelta(weeks=back)) for back in range(1, weeks + 1)} - {window}
    assert found == sorted(wanted)


def test_same_weekday_keeps_the_local_hour() -> None:
    """Nine o'clock is compared with nine o'clock, in summer time and in winter time."""
    calendar = Calendar("1h", NEW_YORK)
    found = calendar.same_weekday(calendar.starting(datetime(2013, 3, 13, 9)), 2)  # noqa: DTZ001
    assert [calendar.label(w) for w in found] == ["2013-02-27 09:00 EST", "2013-03-06 09:00 EST"]


def test_same_weekday_of_weeks_is_the_weeks_before() -> None:
    """Weeks have no weekday: the last N of them, and never the current one."""
    calendar = Calendar("7d", NEW_YORK)
    window = calendar.starting(date(2013, 3, 13))
    assert calendar.same_weekday(window, 4) == calendar.before(window, 4)


def test_between_takes_whole_windows_only() -> None:
    """A fixed reference whose ends cut windows leaves the cut ones out."""
    calendar = Calendar("7d", NEW_YORK)
    day = Calendar("1d", NEW_YORK)
    start, end = day.starting(date(2013, 1, 1)).start, day.starting(date(2013, 4, 1)).start
    found = list(calendar.between(start, end))
    assert [calendar.label(found[0]), calendar.label(found[-1])] == ["2013-01-07 … 01-13", "2013-03-25 … 03-31"]
    assert len(found) == 12


@pytest.mark.parametrize(
    ("every", "when", "label"),
    [
        ("1d", date(2013, 2, 8), "2013-02-08"),
        ("7d", date(2013, 12, 31), "2013-12-30 … 2014-01-05"),
        ("1mo", date(2013, 2, 8), "2013-02"),
        ("2mo", date(2013, 2, 8), "2013-01 … 02"),
        ("1q", date(2013, 2, 8), "2013-Q1"),
        ("1y", date(2013, 2, 8), "2013"),
        ("15m", datetime(2013, 2, 8, 17, 20), "2013-02-08 17:15 EST"),  # noqa: DTZ001
    ],
)
def test_labels(every: str, when: date, label: str) -> None:
    """A window is called by its local date, and by its time where it is shorter than a day."""
    calendar = Calendar(every, NEW_YORK)
    assert calendar.label(calendar.starting(when)) == label


def test_an_hour_that_comes_twice_has_two_windows() -> None:
    """Two local times that differ in their fold alone are an hour apart, whichever is asked for first."""
    calendar = Calendar("1h", "America/New_York")
    first = datetime(2013, 11, 3, 1, 30, tzinfo=calendar.zone)
    windows = [calendar.containing(when) for when in (first, first.replace(fold=1), first)]
    assert windows[0] == windows[2]
    assert windows[1].start - windows[0].start == timedelta(hours=1)
