"""Windows of time: half-open, aware, cut by a calendar in the monitor's own time zone.

A day belongs to a place. `Calendar("1d", "America/New_York")` cuts at New York's midnights, so its
days have 23, 24 or 25 hours; windows of hours or minutes are elapsed time counted from local
midnight, so a long or short day has more or fewer of them and no instant is counted twice. Months,
quarters and years begin on the first of a month, whatever their length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drift.errors import WindowError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPAN = re.compile(r"^\s*(\d{1,6})\s*(mo|m|h|d|w|q|y)\s*$")
_MONTHS = re.compile(r"(\d{4})(?:-(?:(\d{2})|Q([1-4])))?")
_MONDAY = date(1970, 1, 5)
_MINUTES_A_DAY = 24 * 60
_MAX_DAYS = 366
_UNITS: dict[str, tuple[int, Literal["m", "d", "mo"]]] = {
    "m": (1, "m"), "h": (60, "m"), "d": (1, "d"), "w": (7, "d"), "mo": (1, "mo"), "q": (3, "mo"), "y": (12, "mo"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open span of time ``[start, end)``, held in UTC.

    Both ends are aware datetimes of any time zone, kept as UTC; a naive one, or an end not after the start, is a
    `WindowError`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> Window(datetime(2013, 2, 8, tzinfo=UTC), datetime(2013, 2, 9, tzinfo=UTC)).key
    '2013-02-08T00:00:00Z/2013-02-09T00:00:00Z'
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            bound = getattr(self, name)
            if bound.tzinfo is None:
                raise WindowError(f"window {name} {bound} has no time zone: give an aware datetime")
            object.__setattr__(self, name, bound.astimezone(UTC))
        if self.start >= self.end:
            raise WindowError(f"window end {self.end} is not after its start {self.start}")

    @property
    def key(self) -> str:
        """The window as one string, ``start/end`` in ISO 8601 UTC: what XCom and file names carry."""
        return f"{_iso(self.start)}/{_iso(self.end)}"

    @classmethod
    def from_key(cls, key: str) -> Window:
        """Read back what `key` wrote."""
        try:
            start, end = (datetime.fromisoformat(part) for part in key.split("/"))
        except ValueError as error:
            raise WindowError(f"{key!r} is not a window: write START/END in ISO 8601") from error
        return cls(start, end)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as a person writes it: ``15m``, ``1h``, ``1d``, ``4w``, ``1mo``, ``1q``, ``1y``.

    Examples
    --------
    >>> Span.parse("7d"), str(Span.parse("2w")), str(Span.parse("2q")), str(Span.parse("1y"))
    (Span(amount=7, unit='d'), '14d', '6mo', '12mo')
    """

    amount: int
    unit: Literal["m", "d", "mo"]

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read a whole number of ``m``, ``h``, ``d``, ``w``, ``mo``, ``q`` or ``y``, above zero."""
        match = _SPAN.match(str(text))
        if not match or int(match[1]) == 0:
            raise WindowError(
                f"{text!r} is not a span of time: write a number and a unit, such as 15m, 1h, 1d, 4w, 1mo, 1q, 1y"
            )
        times, unit = _UNITS[match[2]]
        return cls(times * int(match[1]), unit)

    @property
    def nominal(self) -> timedelta:
        """Its length when no clock is changed; of months their mean length in the Gregorian calendar."""
        match self.unit:
            case "m":
                return timedelta(minutes=self.amount)
            case "d":
                return timedelta(days=self.amount)
            case "mo":
                return self.amount * timedelta(days=365.2425) / 12

    def __str__(self) -> str:
        if self.unit == "m" and self.amount % 60 == 0:
            return f"{self.amount // 60}h"
        return f"{self.amount}{self.unit}"


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def load_timezone(name: str) -> ZoneInfo:
    """Return the IANA time zone `name`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WindowError(f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin or UTC") from error


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a monitor cuts time into windows.

    Parameters
    ----------
    every
        Length of a window: whole days (``1d``, ``7d``, ``1w``; weeks start on Monday), hours and minutes that divide
        a day (``1h``, ``6h``, ``15m``), or months that divide a year (``1mo``, ``1q``, ``1y``), counted from January.
    timezone
        IANA name of the zone whose midnights cut the days.

    Examples
    --------
    >>> calendar = Calendar("1d", "America/New_York")
    >>> calendar.starting(date(2013, 3, 10)).key  # clocks go forward: 23 hours
    '2013-03-10T05:00:00Z/2013-03-11T04:00:00Z'
    >>> [w.key[:10] for w in calendar.before(calendar.starting(date(2013, 3, 10)), 2)]
    ['2013-03-08', '2013-03-09']
    >>> quarters = Calendar("1q")
    >>> [quarters.label(w) for w in quarters.before(quarters.starting(date(2013, 2, 8)), 2)]
    ['2012-Q3', '2012-Q4']
    """

    every: str
    timezone: str = "UTC"
    span: Span = field(init=False, repr=False, compare=False)
    zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        span = Span.parse(self.every)
        if span.unit == "m" and _MINUTES_A_DAY % span.amount:
            raise WindowError(f"windows of {self.every} do not divide a day: use 15m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h")
        if span.unit == "d" and span.amount > _MAX_DAYS:
            raise WindowError(f"windows of {self.every} are longer than {_MAX_DAYS}d")
        if span.unit == "mo" and 12 % span.amount:
            raise WindowError(f"windows of {self.every} do not divide a year: use 1mo, 2mo, 1q, 4mo, 6mo, 1y")
        object.__setattr__(self, "span", span)
        object.__setattr__(self, "zone", load_timezone(self.timezone))

    def midnight(self, day: date) -> datetime:
        """Return the instant at which the local `day` begins (its first instant where midnight does not exist)."""
        try:
            return datetime.combine(day, time(), self.zone).astimezone(UTC)
        except OverflowError as error:
            raise WindowError(f"{day} is too near the end of the calendar to have a window") from error

    def containing(self, instant: datetime) -> Window:
        """Return the window that holds an aware `instant`."""
        if instant.tzinfo is None:
            raise WindowError(f"{instant} has no time zone: give an aware datetime")
        try:
            # In UTC: of two local times that are equal but for their fold the cache must not take one for the other.
            return _containing(self, instant.astimezone(UTC))
        except OverflowError as error:
            raise WindowError(f"{instant} is too near the end of the calendar to have a window") from error

    def starting(self, when: date | datetime) -> Window:
        """Return the window that a person means by `when`: the one holding that local date or time.

        A naive datetime is local time; a plain date is its first instant.
        """
        if not isinstance(when, datetime):
            return self.containing(self.midnight(when))
        return self.containing(when if when.tzinfo else when.replace(tzinfo=self.zone))

    def spanned(self, text: str) -> tuple[Window, Window]:
        """Return the first and the last window that a person means by a text: a date or time, a month, quarter or year.

        Examples
        --------
        >>> calendar = Calendar("1d")
        >>> [calendar.label(window) for window in calendar.spanned("2013-02")]
        ['2013-02-01', '2013-02-28']
        """
        first, months = _period(text)
        last = _month(first, months) - timedelta(days=1) if months else first
        return self.starting(first), self.starting(last)

    def next(self, window: Window) -> Window:
        """Return the window that follows."""
        return self.containing(window.end)

    def previous(self, window: Window) -> Window:
        """Return the window before."""
        return self.containing(window.start - timedelta(microseconds=1))

    def last_complete(self, now: datetime) -> Window:
        """Return the newest window that has wholly passed at `now`."""
        return self.previous(self.containing(now))

    def between(self, start: datetime, end: datetime) -> Iterator[Window]:
        """Yield the windows that lie wholly within ``[start, end)``, oldest first."""
        window = self.containing(start)
        if window.start < start:
            window = self.next(window)
        while window.end <= end:
            yield window
            window = self.next(window)

    def before(self, window: Window, count: int) -> list[Window]:
        """Return the `count` windows before `window`, oldest first."""
        found: list[Window] = []
        for _ in range(count):
            window = self.previous(window)
            found.append(window)
        return found[::-1]

    def within(self, window: Window, span: Span) -> list[Window]:
        """Return the windows of the `span` that ends where `window` starts, oldest first.

        A span of months is for windows of months, which begin with one.
        """
        local = window.start.astimezone(self.zone)
        if local.date() - date.min <= span.nominal:
            raise WindowError(f"a span of {span} before {window} reaches before the year 1")
        if span.unit == "mo":
            start = self.midnight(_month(local.date(), -span.amount))
        elif span.unit == "d":
            start = self.midnight(local.date() - timedelta(days=span.amount))
            if window.start != self.midnight(local.date()):
                wall = local.replace(tzinfo=None) - timedelta(days=span.amount)
                start = wall.replace(tzinfo=self.zone).astimezone(UTC)
        else:
            start = window.start - span.nominal
        return list(self.between(start, window.start))

    def same_weekday(self, window: Window, weeks: int) -> list[Window]:
        """Return the windows at the same local time 1 to `weeks` weeks before, oldest first."""
        local = window.start.astimezone(self.zone).replace(tzinfo=None)
        found = {
            self.containing((local - timedelta(weeks=back)).replace(tzinfo=self.zone)) for back in range(1, weeks + 1)
        }
        return sorted(w for w in found if w.end <= window.start)

    def label(self, window: Window) -> str:
        """Name the window as its readers would: the local date, with the time where windows are shorter than a day.

        Examples
        --------
        >>> calendar = Calendar("7d", "America/New_York")
        >>> calendar.label(calendar.starting(date(2013, 2, 8)))
        '2013-02-04 … 02-10'
        """
        start, end = window.start.astimezone(self.zone), window.end.astimezone(self.zone)
        if self.span.unit == "m":
            return f"{start:%Y-%m-%d %H:%M} {start:%Z}"
        if self.span.unit == "mo":
            return _months_label(start.date(), self.span.amount)
        if self.span.amount == 1:
            return f"{start:%Y-%m-%d}"
        last = end.date() - timedelta(days=1)
        return f"{start:%Y-%m-%d} … {last:%Y-%m-%d}" if last.year != start.year else f"{start:%Y-%m-%d} … {last:%m-%d}"


@lru_cache(maxsize=1 << 12)
def _containing(calendar: Calendar, instant: datetime) -> Window:
    day = _day_of(calendar, instant)
    if calendar.span.unit == "mo":
        first = _month(day, -((day.month - 1) % calendar.span.amount))
        return Window(calendar.midnight(first), calendar.midnight(_month(first, calendar.span.amount)))
    if calendar.span.unit == "d":
        first = day - timedelta(days=(day - _MONDAY).days % calendar.span.amount)
        return Window(calendar.midnight(first), calendar.midnight(first + timedelta(days=calendar.span.amount)))
    return next(w for w in _day_windows(calendar, day) if instant in w)


def _month(day: date, later: int) -> date:
    """Return the first day of the month that lies so many months after that of `day`."""
    months = day.year * 12 + day.month - 1 + later
    try:
        return date(months // 12, months % 12 + 1, 1)
    except ValueError as error:
        raise WindowError(f"{day} is too near the end of the calendar to have a window of months") from error


def _months_label(first: date, months: int) -> str:
    match months:
        case 1:
            return f"{first:%Y-%m}"
        case 3:
            return f"{first:%Y}-Q{first.month // 3 + 1}"
        case 12:
            return f"{first:%Y}"
        case _:
            return f"{first:%Y-%m} … {first.month + months - 1:02}"


def parse_date(text: str) -> date | datetime:
    """Read a local date or time as `Calendar.label` writes it, or as people do; a month or a year is its first day.

    What is not one is a `WindowError`.

    Examples
    --------
    >>> [str(parse_date(text)) for text in ("2013-02-08", "2013-02", "2013-Q3", "2013", "2013-02-04 … 02-10")]
    ['2013-02-08', '2013-02-01', '2013-07-01', '2013-01-01', '2013-02-04']
    """
    return _period(text)[0]


def _period(text: str) -> tuple[date | datetime, int]:
    """Read a date or time, and how many months it is the first of; none where it is a day or a time."""
    first = text.split(" … ", maxsplit=1)[0].strip()
    try:
        if match := _MONTHS.fullmatch(first):
            year, month, quarter = match.groups()
            number = 3 * int(quarter) - 2 if quarter else int(month or 1)
            return date(int(year), number, 1), 3 if quarter else 1 if month else 12
        return (date.fromisoformat(first) if len(first) == len("2013-02-08") else datetime.fromisoformat(first)), 0
    except ValueError as error:
        choice = "2013-02-08T17:00 for windows of hours, 2013-02, 2013-Q1 or 2013 for months"
        raise WindowError(f"{text!r} is not a date: write 2013-02-08; {choice}") from error


def _day_of(calendar: Calendar, instant: datetime) -> date:
    """Return the local day whose window holds `instant`."""
    day = instant.astimezone(calendar.zone).date()
    # Clocks put back across midnight (St John's until 2011) begin a day, leave it and begin it again.
    while instant >= calendar.midnight(day + timedelta(days=1)):
        day += timedelta(days=1)
    while instant < calendar.midnight(day):
        day -= timedelta(days=1)
    return day


def _day_windows(calendar: Calendar, day: date) -> list[Window]:
    start, end = calendar.midnight(day), calendar.midnight(day + timedelta(days=1))
    step = timedelta(minutes=calendar.span.amount)
    # A clock change longer than half a step makes a window of its own; a shorter one is absorbed by the last.
    count = max(1, int((end - start) / step + 0.5))
    cuts = [start + i * step for i in range(count)] + [end]
    return [Window(a, b) for a, b in pairwise(cuts)]
