"""A window's two bounds, in the form in which a column writes its times.

A source compares ``start <= time < end`` by itself (an index, a partition, a row group's statistics), so the bounds
have to speak the column's language: a date, an aware or a naive timestamp, ISO text, or a count since 1970.
One value of the column is the sample that shows which.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from drift.errors import SourceError, SourceMissing
from drift.windows import load_timezone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from drift.windows import Calendar, Window

Bound = date | datetime | str | int

_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"(?P<time>(?P<separator>[T ])\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
_COMPACT = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The smallest count since 1970 that is read in each unit, as nanoseconds a tick: seconds from 1973 to 5138, then
# milliseconds, microseconds, nanoseconds from 1973 on.
_TICKS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9))


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which rows of a source a window asks for: ``start <= column < end``. Rows without a time are in no window.

    Times that carry no zone are in `timezone`; None is the calendar's.
    """

    column: str
    window: Window
    calendar: Calendar
    timezone: str | None = None

    def bounds(self, sample: object, where: str) -> tuple[Bound, Bound]:
        """Return the window's start and end as values that compare with the column that `sample`, not null, is from.

        ==========================================  ======================================================
        sample                                      read as
        ==========================================  ======================================================
        date; text ``2013-02-08`` or ``20130208``;  a local date of the calendar
        integer 20130208
        aware datetime; text ending in Z or +00:00  an instant
        naive datetime; text without a zone         local time in `timezone`, else in the calendar's zone
        number of 10^8 and more                     seconds, ms, µs or ns since 1970, told by its magnitude
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
            "text and seconds (ms, µs, ns) since 1970: name another time_column, or convert it in a query"
        )

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
        shape = _TEXT.fullmatch(sample)
        if not shape:
            raise SourceError(
                f"{where} holds text that is not an ISO 8601 time, such as {_short(sample)}: name another time_column, "
                "or convert it in a query"
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
                f"{where} holds text with the offset {shape['zone']}, which does not sort by time: convert it to UTC "
                "or to a timestamp in a query"
            )
        return _prefix(start, shape["separator"]), _prefix(end, shape["separator"])


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
