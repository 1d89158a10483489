"""A window's two bounds, in the form in which a column writes its times.

A source compares ``start <= time < end`` by itself (an index, a partition, a row group's statistics), so the bounds
have to speak the column's language: a date, an aware or a naive timestamp, ISO text, or a count since 1970.
One value of the column is the sample that shows which.
"""

from __future__ import annotations

import difflib
import math
import re
from calendar import isleap
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from drift.config.source import PARTS
from drift.errors import SourceError, SourceMissing
from drift.text.formatting import thousands
from drift.windows import load_timezone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    import pyarrow as pa

    from drift.config.source import Source
    from drift.windows import Calendar, Window

Bound = date | datetime | str | int

_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"(?P<time>(?P<separator>[T ])\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
_COMPACT = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_COUNT = re.compile(r"[1-9]\d{8,18}(?:\.\d+)?")
_SHAPE = r"^(?:(?:19|2[01])\d\d-\d\d-\d\d|(?:19|20)\d{6}$|[1-9]\d{8,18}(?:\.\d+)?$)"
_PLACEHOLDER = r"^(?:1970-?01-?01|1900-?01-?01)"
SAMPLED = 1_000
"""So many values are looked at for one that is a time."""

EARLIEST, LATEST = date(1900, 1, 2), date(2200, 1, 1)
"""Times are from the one to the other, and 1 January 1970 at midnight is none: such stand for a time nobody knows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = ((day - date(1970, 1, 1)).days * 86_400 for day in (EARLIEST, LATEST))

# The smallest count since 1970 that is read in each unit, as nanoseconds a tick: seconds from 1973 to 5138, then
# milliseconds, microseconds, nanoseconds from 1973 on.
_TICKS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9))


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which rows of a source a window asks for: ``start <= column < end``. Rows without a time are in no window.

    Times that carry no zone are in `timezone`; None is the calendar's. Texts are in `time_format`, else ISO 8601.
    """

    column: str
    window: Window
    calendar: Calendar
    timezone: str | None = None
    time_format: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, as `PartsFilter` has several."""
        return (self.column,)

    def bounds(self, sample: object, where: str) -> tuple[Bound, Bound]:
        """Return the window's start and end as values that compare with the column that `sample`, not null, is from.

        ==========================================  ======================================================
        sample                                      read as
        ==========================================  ======================================================
        date; text ``2013-02-08`` or ``20130208``;  a local date of the calendar
        integer 20130208
        aware datetime; text ending in Z or +00:00  an instant
        naive datetime; text without a zone         local time in `timezone`, else in the calendar's zone
        number of 10^8 and more, also as text       seconds, ms, µs or ns since 1970, told by its magnitude
        ==========================================  ======================================================

        A bound on text is the shortest prefix that names it (``2013-02-08`` for a midnight): it sorts right
        against values with and without seconds, fractions and a zone, and an index on the column stays usable.

        Raises
        ------
        SourceError
            If the value is not a time in any of these forms, or the column (in the message `where`) holds dates and the
            window is not whole days.

        Examples
        --------
        >>> from drift.windows import Calendar
        >>> calendar = Calendar("1d", "America/New_York")
        >>> day = WindowFilter("t", calendar.starting(date(2013, 2, 8)), calendar)
        >>> day.bounds(date(1970, 1, 1), "flight_date")
        (datetime.date(2013, 2, 8), datetime.date(2013, 2, 9))
        >>> day.bounds("2013-01-01T10:15:00Z", "event_time")
        ('2013-02-08T05:00', '2013-02-09T05:00')
        >>> day.bounds(1357035300, "epoch")
        (1360299600, 1360386000)
        """
        window = self.window
        match sample:
            case datetime(tzinfo=None):
                return self._wall_clocks()
            case datetime():
                return window.start, window.end
            case date():
                return self._local_dates(where)
            case str():
                return self._texts(sample.strip(), where)
            case bool():
                pass
            case int() | float() | Decimal() if math.isfinite(sample):
                if sample == int(sample) and _COMPACT.fullmatch(str(int(sample))):
                    start, end = self._local_dates(where)
                    return int(f"{start:%Y%m%d}"), int(f"{end:%Y%m%d}")
                for smallest, tick in _TICKS:
                    if sample >= smallest:
                        return _since_1970(window.start, tick), _since_1970(window.end, tick)
        raise SourceError(
            f"{where} does not look like a time: it holds {_short(sample)}. Drift reads dates, timestamps, ISO 8601 "
            "text and seconds (ms, µs, ns) since 1970: name another time_column, convert it (in a table: by a query), "
            "or where columns hold the parts of a time write time: {year: year, month: month, day: day}"
        )

    def inside(self, texts: pa.Array[Any], where: str) -> pa.Array[Any]:
        """Return which texts are times in `time_format` within the window; null where one is not a time in it.

        Examples
        --------
        >>> import pyarrow as pa
        >>> from drift.windows import Calendar
        >>> calendar = Calendar("1d")
        >>> day = WindowFilter("t", calendar.starting(date(2013, 2, 8)), calendar, time_format="%d/%m/%Y")
        >>> day.inside(pa.array(["08/02/2013", "8/2/2013", "02/08/2013", "unknown", None]), "t").to_pylist()
        [True, True, False, None, None]
        """
        if not re.search("%[HI]", self.time_format or ""):
            self._local_dates(where)
        inside: pa.Array[Any] = _between(self.parsed(texts), *self._wall_clocks())
        return inside

    def parsed(self, texts: pa.Array[Any]) -> Any:
        """Return the local times that texts in `time_format` write; null where one is not a time in it."""
        import pyarrow.compute as pc

        return pc.strptime(texts, format=self.time_format or "", unit="s", error_is_null=True)

    def _local_dates(self, where: str) -> tuple[date, date]:
        window, calendar = self.window, self.calendar
        start, end = (bound.astimezone(calendar.zone).date() for bound in (window.start, window.end))
        if calendar.midnight(start) != window.start or calendar.midnight(end) != window.end:
            raise SourceError(
                f"{where} holds dates, which cannot tell {calendar.label(window)} from the rest of its day: "
                "use windows of whole days (every: 1d), or name a column of timestamps as time_column"
            )
        return start, end

    def _wall_clocks(self) -> tuple[datetime, datetime]:
        zone = load_timezone(self.timezone) if self.timezone else self.calendar.zone
        return _wall_clock(self.window.start, zone), _wall_clock(self.window.end, zone)

    def _texts(self, sample: str, where: str) -> tuple[str, str]:
        if _COMPACT.fullmatch(sample):
            first, last = self._local_dates(where)
            return f"{first:%Y%m%d}", f"{last:%Y%m%d}"
        if _COUNT.fullmatch(sample):
            counts = [str(count) for count in self.bounds(float(sample), where)]
            # Counts of one length sort as text.
            if {len(count) for count in counts} == {len(sample.partition(".")[0])}:
                return counts[0], counts[1]
        shape = _TEXT.fullmatch(sample)
        if not shape:
            raise SourceError(
                f"{where} holds text that is not an ISO 8601 time, such as {_short(sample)}: say how it is written, "
                'such as time_format: "%d/%m/%Y", or name another time_column'
            )
        if not shape["time"]:
            first, last = self._local_dates(where)
            return first.isoformat(), last.isoformat()
        if not shape["zone"]:
            start, end = self._wall_clocks()
        elif shape["zone"] == "Z" or not shape["zone"].strip("+-0:"):
            start, end = self.window.start, self.window.end
        else:
            raise SourceError(
                f"{where} holds text with the offset {shape['zone']}, which does not sort by time: convert it to UTC, "
                "or that of a table to a timestamp in a query"
            )
        return _prefix(start, shape["separator"]), _prefix(end, shape["separator"])


@dataclass(frozen=True, slots=True)
class PartsFilter:
    """Which rows a window asks for where columns hold the parts of a local time: year, month, day, hour, in this order.

    The parts are compared in their order, as text is letter by letter, so every row that has them is in exactly one
    window: one of 31 February in that of 29 February. `impossible` tells it from the others.
    """

    columns: tuple[str, ...]
    window: Window
    calendar: Calendar
    timezone: str | None = None

    def bounds(self, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the first parts of the window, and those of the next one.

        Examples
        --------
        >>> from drift.windows import Calendar
        >>> calendar = Calendar("1mo")
        >>> PartsFilter(("y", "m"), calendar.starting(date(2023, 12, 1)), calendar).bounds("table sales")
        ((2023, 12), (2024, 1))
        """
        zone = load_timezone(self.timezone) if self.timezone else self.calendar.zone
        n = len(self.columns)
        found = []
        for bound in (self.window.start, self.window.end):
            wall = _wall_clock(bound, zone)
            parts = (wall.year, wall.month, wall.day, wall.hour)
            if (*parts[n:], wall.minute, wall.second, wall.microsecond) != (*_FIRST[n:], 0, 0, 0):
                raise SourceError(
                    f"{where}: {', '.join(self.columns)} tell the {PARTS[n - 1]}, which cannot tell "
                    f"{self.calendar.label(self.window)} from the rest of it: use longer windows, or add the "
                    f"{PARTS[min(n, 3)]} to source.time"
                )
            found.append(parts[:n])
        return found[0], found[1]

    def inside(self, columns: Sequence[Any], where: str) -> Any:
        """Return the condition that rows are in the window, on columns of any library with operators."""
        start, end = self.bounds(where)
        return _in_order(columns, start, end)

    def impossible(self, columns: Sequence[Any]) -> Any:
        """Return the condition that a row of the window has parts that no time has; None where a year is all there is.

        Examples
        --------
        >>> from drift.windows import Calendar
        >>> calendar = Calendar("1d")
        >>> day = PartsFilter(("y", "m", "d"), calendar.starting(date(2023, 2, 28)), calendar)
        >>> import numpy as np
        >>> day.impossible([np.full(3, 2023), np.full(3, 2), np.array([28, 29, 31])]).tolist()
        [False, True, True]
        """
        year, month, day, hour = (*columns, None, None, None, None)[:4]
        if month is None:
            return None
        wrong = (month < 1) | (month > 12)
        if day is not None:
            short = (month == 4) | (month == 6) | (month == 9) | (month == 11)
            wrong = wrong | (day < 1) | (day > 31) | (short & (day > 30)) | ((month == 2) & (day > 29))
            for each in range(self.window.start.year - 1, self.window.end.year + 2):
                if not isleap(each):
                    wrong = wrong | ((year == each) & (month == 2) & (day > 28))
        return wrong if hour is None else wrong | (hour < 0) | (hour > 23)

    def refuse(self, parts: Sequence[object], where: str) -> NoReturn:
        """Say that some parts are not those of a time."""
        said = ", ".join(f"{name} {part}" for name, part in zip(self.columns, parts, strict=False))
        raise SourceError(f"{where} holds {said}, which is not a time: mend it, or leave it out by a query or a glob")


_FIRST = (1, 1, 1, 0)


def instant(value: object, calendar: Calendar, timezone: str | None, where: str) -> datetime:
    """Return the instant that a value of a time column stands for, in any form that `WindowFilter.bounds` knows.

    Raises
    ------
    SourceError
        If it is not a time.

    Examples
    --------
    >>> from drift.windows import Calendar
    >>> calendar = Calendar("1d", "America/New_York")
    >>> for value in (date(2013, 2, 8), "2013-02-08T10:15Z", 20130208):
    ...     print(instant(value, calendar, None, "t"))
    2013-02-08 05:00:00+00:00
    2013-02-08 10:15:00+00:00
    2013-02-08 05:00:00+00:00
    """
    zone = load_timezone(timezone) if timezone else calendar.zone
    match value:
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
        case date():
            return calendar.midnight(value)
        case bool():
            pass
        case str() | int() | float() | Decimal():
            text = value.strip() if isinstance(value, str) else f"{value:f}".partition(".")[0]
            if isinstance(value, str) or _COMPACT.fullmatch(text):
                with suppress(ValueError):
                    whole = len(text) in {len("20130208"), len("2013-02-08")}
                    read: date = date.fromisoformat(text) if whole else datetime.fromisoformat(text)
                    return instant(read, calendar, timezone, where)
            else:
                ticks = next((tick for smallest, tick in _TICKS if value >= smallest), None)
                if ticks:
                    return _EPOCH + timedelta(microseconds=int(value) * ticks // 1000)
    raise SourceError(f"{where} holds {_short(value)}, which is not a time: name the span with --from and --to")


Chosen = WindowFilter | PartsFilter


def window_filter(source: Source, window: Window, calendar: Calendar) -> Chosen:
    """Return which rows of a source a window asks for."""
    if source.time:
        return PartsFilter(source.time.columns, window, calendar, source.timezone)
    return WindowFilter(source.time_column or "", window, calendar, source.timezone, source.time_format)


def sample_of(values: Iterable[object]) -> object:
    """Return the first value that is a time, and no placeholder of one; else the first; None where there is none.

    Examples
    --------
    >>> sample_of([None, "", "0000-00-00", "2013-02-08"]), sample_of([0, -1, 1360281600]), sample_of(["soon", "later"])
    ('2013-02-08', 1360281600, 'soon')
    """
    first = None
    for value in values:
        if value is None or value == "":
            continue
        first = value if first is None else first
        if is_time(value):
            return value
    return first


def shape_of(sample: str) -> str:
    """Return the pattern of texts that are written like a sample of times, so that they sort with it."""
    if _COMPACT.fullmatch(sample.strip()):
        return r"^\d{8}$"
    return r"^\d{9,19}(\.\d+)?$" if _COUNT.fullmatch(sample.strip()) else r"^\d{4}-\d\d-\d\d"


def is_time(value: object) -> bool:
    """Say whether a value of a time column is a time, and no placeholder of one."""
    match value:
        case bool():
            return False
        case str():
            return bool(re.match(_SHAPE, value.strip())) and not re.match(_PLACEHOLDER, value.strip())
        case int() | float() | Decimal():
            return value >= 10**8 or 19000102 <= value < 22000101
        case _:
            return True


def untimed(column: Any, shape: str = "") -> int:
    """Return how many values of a column are not among its `times_in`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> untimed(pa.array(["2013-02-08", "unknown", "", "0000-00-00", "1970-01-01", "9999-12-31", None]))
    6
    >>> untimed(pa.array([1360281600, 20130208, 0, -1, None])), untimed(pa.array([date(1970, 1, 1), date(2013, 2, 8)]))
    (3, 1)
    """
    return len(column) - int(times_in(column, shape).true_count)


def times_in(column: Any, shape: str = "") -> Any:
    """Return which values of a column are times, not null, words or placeholders; texts have a `shape` in common."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if t.is_temporal(kind) and not t.is_time(kind):
        seconds = column.cast(pa.timestamp("s", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        good: Any = pc.and_(_between(seconds, _FIRST_SECOND, _LAST_SECOND), seconds.cast(pa.bool_()))
    elif t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False)
        good = pc.or_(_between(numbers, 19000102.0, 22000101.0), _between(numbers, 1e8, math.inf))
    elif t.is_null(kind):
        return pa.nulls(len(column), pa.bool_())
    else:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
        known = pc.and_(pc.match_substring_regex(texts, _SHAPE), pc.match_substring_regex(texts, shape))
        good = pc.and_not(known, pc.match_substring_regex(texts, _PLACEHOLDER))
    return good


def _between(values: Any, low: Any, high: Any) -> Any:
    import pyarrow.compute as pc

    return pc.and_kleene(pc.greater_equal(values, low), pc.less(values, high))


def readable_bounds(sample: object) -> list[Bound]:
    """Return, in the form of a sample, the first time that is read, the first one no more, and what 1970-01-01 is.

    Of a count since 1970 the first alone; of texts, where a day has many, the next day too.

    Examples
    --------
    >>> readable_bounds("2013-02-08"), readable_bounds(20130208), readable_bounds(1360281600)
    (['1900-01-02', '2200-01-01', '1970-01-01', '1970-01-02'], [19000102, 22000101], [100000000])
    """
    days = [EARLIEST, LATEST, date(1970, 1, 1)]
    match sample:
        case str():
            return [day.isoformat() for day in (*days, date(1970, 1, 2))]
        case datetime():
            return [datetime.combine(day, datetime.min.time(), sample.tzinfo) for day in days]
        case date():
            return [*days]
        case _:
            return [10**8] if float(str(sample)) >= 10**8 else [int(f"{day:%Y%m%d}") for day in days[:2]]


def beyond(column: Any, bounds: Sequence[Any]) -> list[Any]:
    """Return which values of a column, of SQLAlchemy or Ibis, are no readable times by their `readable_bounds`.

    As ranges, none of which overlaps another.
    """
    first, *rest = bounds
    wrong = [column < first, *(column >= each for each in rest[:1])]
    if rest[1:]:
        wrong.append((column >= rest[1]) & (column < rest[2]) if rest[2:] else column == rest[1])
    return wrong


def untimed_note(column: str, n_rows: int) -> dict[str, str]:
    """Return what is noted of rows without a readable time; nothing where there are none."""
    rows = "row without a readable time is" if n_rows == 1 else "rows without a readable time are"
    return {column: f"{thousands(n_rows)} {rows} in no window"} if n_rows else {}


def _in_order(columns: Sequence[Any], start: Sequence[int], end: Sequence[int]) -> Any:
    """Return ``start <= columns < end``, part by part; the range of the first is named alone, to skip partitions."""
    first, low, high = columns[0], start[0], end[0]
    if len(columns) == 1:
        return (first >= low) & (first < high)
    if low == high:
        return (first == low) & _in_order(columns[1:], start[1:], end[1:])
    after = (first > low) | ((first == low) & _from(columns[1:], start[1:]))
    before = (first < high) | ((first == high) & _until(columns[1:], end[1:]))
    return (first >= low) & (first <= high) & after & before


def _from(columns: Sequence[Any], start: Sequence[int]) -> Any:
    first, low = columns[0], start[0]
    return first >= low if len(columns) == 1 else (first > low) | ((first == low) & _from(columns[1:], start[1:]))


def _until(columns: Sequence[Any], end: Sequence[int]) -> Any:
    first, high = columns[0], end[0]
    return first < high if len(columns) == 1 else (first < high) | ((first == high) & _until(columns[1:], end[1:]))


def _short(sample: object) -> str:
    text = repr(sample)
    return text if len(text) <= 40 else text[:39] + "…"


def _since_1970(instant: datetime, tick: int) -> int:
    """Return the first count of `tick` nanoseconds that is not before `instant`."""
    return -(-((instant - _EPOCH) // timedelta(microseconds=1) * 1000) // tick)


def _wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the naive local time from which on clocks show `instant` or later.

    When clocks go back an hour occurs twice, and a naive time in it is taken as the first. So windows that start
    in the repeated hour start at its end instead, and every row is in exactly one window.
    """
    local = instant.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    minute = instant.replace(second=0, microsecond=0)
    while minute.astimezone(zone).fold:
        minute -= timedelta(minutes=1)
    return minute.astimezone(zone).replace(tzinfo=None) + timedelta(minutes=1)


def _prefix(moment: datetime, separator: str) -> str:
    day = moment.date().isoformat()
    if moment.microsecond:
        return f"{day}{separator}{moment:%H:%M:%S.%f}".rstrip("0")
    if moment.second:
        return f"{day}{separator}{moment:%H:%M:%S}"
    return f"{day}{separator}{moment:%H:%M}" if moment.hour or moment.minute else day


def missing_column(name: str, known: Iterable[str], where: str) -> SourceMissing:
    """Return the error that a source has no such column, with the columns that it has."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:20])}{', …' if names[20:] else ''}"
    return SourceMissing(f"{where} has no column {name!r}: {hint}")
