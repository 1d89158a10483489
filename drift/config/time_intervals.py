"""Hours of the week, as people write them: ``22:00-07:00``, ``mon-fri 20:00-08:00``, ``sat,sun``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Self

from drift.errors import WindowError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_TEXT = re.compile(
    rf"(?:daily|(?P<days>(?:{_DAY})(?:-(?:{_DAY}))?(?:,(?:{_DAY})(?:-(?:{_DAY}))?)*))?"
    r"(?:(?:^| )(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d))?"
)
_WHOLE_DAY = 24 * 60
_FIX = 'write "22:00-07:00", "mon-fri 20:00-08:00" or "sat,sun"'


@dataclass(frozen=True, slots=True)
class Hours:
    """Some hours of some days of the week, by the clock on the wall.

    Parameters
    ----------
    days
        The days on which they begin, Monday 0.
    start, end
        Minutes after midnight; an end at or before the start is on the next day.

    Examples
    --------
    >>> Hours.parse("fri-sun 22:00-07:00")
    Hours(days=(4, 5, 6), start=1320, end=1860)
    >>> Hours.parse("sat,sun") == Hours((5, 6), 0, 1440)
    True
    """

    days: tuple[int, ...]
    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hours: days (``sat``, ``mon-fri``, ``sat,sun``; every day where none are named), times, or both."""
        match = _TEXT.fullmatch(text.strip().lower())
        if not text.strip() or not match:
            raise WindowError(f"{text!r} is not hours of the week: {_FIX}")
        start, end = (_minutes(match[bound] or "00:00", text) for bound in ("from", "to"))
        if start == _WHOLE_DAY:
            raise WindowError(f"{text!r} begins at 24:00: {_FIX}")
        return cls(_days(match["days"]), start, end if end > start else end + _WHOLE_DAY)

    def end_of(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the hours that `instant` lies in are over; None where it lies outside."""
        today = instant.astimezone(zone).date()
        for day in (today, today - timedelta(days=1)):
            start, end = _at(day, self.start, zone), _at(day, self.end, zone)
            if day.weekday() in self.days and start <= instant < end:
                return end
        return None


def over_at(hours: Sequence[Hours], instant: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when some hours that follow each other without a gap are over; None where `instant` lies outside.

    Hours that never end are over after two weeks.
    """
    until: datetime | None = None
    while ends := [end for each in hours if (end := each.end_of(until or instant, zone))]:
        until = max(ends)
        if until - instant > timedelta(days=14):
            break
    return until


def never_over(hours: Sequence[Hours], zone: ZoneInfo) -> bool:
    """Whether some hours fill the whole week."""
    some_monday = datetime(2013, 1, 7, tzinfo=UTC)
    end = over_at(hours, some_monday, zone)
    return end is not None and end - some_monday > timedelta(days=14)


def _minutes(text: str, whole: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if hours * 60 + minutes > _WHOLE_DAY or minutes > 59:
        raise WindowError(f"{whole!r}: there is no {text}: {_FIX}")
    return hours * 60 + minutes


def _days(text: str | None) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(",") if text else ["mon-sun"]:
        first, _, last = part.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return tuple(sorted(found))


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return the instant that the clock on the wall shows that many minutes after a day's midnight."""
    later, minute = divmod(minutes, _WHOLE_DAY)
    wall = datetime.combine(day + timedelta(days=later), time(minute // 60, minute % 60), zone)
    return wall.astimezone(UTC)
