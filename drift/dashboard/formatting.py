"""Words, glyphs and numbers as a reader sees them: no status by colour alone, no name that can pose as markup."""

from __future__ import annotations

from calendar import month_name
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from drift.config.reference import calendar_of
from drift.errors import WindowError
from drift.text.formatting import many, when
from drift.text.visible import visible
from drift.windows import Calendar, Window, parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(name: object) -> str:
    """Return a name as it can be seen; that of nothing is said.

    Examples
    --------
    >>> shown(""), shown("Zürich ✈")
    ('(empty)', 'Zürich ✈')
    """
    return visible(name) or "(empty)"


def clipped(text: str, length: int = 40) -> str:
    """Return a text of at most that many characters.

    Examples
    --------
    >>> clipped("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


def web_address(url: object) -> str:
    """Return a stored address where it can be a link and nothing else; else empty.

    Examples
    --------
    >>> web_address("https://airflow.example/log"), web_address("javascript:alert(1)"), web_address(None)
    ('https://airflow.example/log', '', '')
    """
    text = str(url or "")
    return text if text.startswith(("https://", "http://")) else ""


def link(page: str, /, **parameters: object) -> str:
    """Return a link relative to the dashboard's root; parameters that are None are left out.

    Examples
    --------
    >>> link("feature", monitor="flights", feature="a/b <c>", window=None)
    'feature?monitor=flights&feature=a%2Fb%20%3Cc%3E'
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{page}?{urlencode(given, quote_via=quote, safe='')}" if given else page


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A monitor's calendar, and its instants and windows as its readers write them."""

    calendar: Calendar

    @property
    def zone(self) -> str:
        """The IANA name of the zone."""
        return self.calendar.timezone

    def label(self, start: datetime, end: datetime) -> str:
        """Name a window as its readers would."""
        return self.calendar.label(Window(start, end))

    def heads(self, start: datetime) -> tuple[str, str, str]:
        """Name a window for a column's head: what several share, in full and shortened, and what is its own.

        Examples
        --------
        >>> local = local_time_of({"window": {"every": "1d", "timezone": "America/New_York"}})
        >>> local.heads(datetime(2013, 2, 8, 5, tzinfo=UTC))
        ('February 2013', '2013-02', '08')
        >>> local_time_of({"window": {"every": "1q"}}).heads(datetime(2013, 4, 1, tzinfo=UTC))
        ('2013', '2013', 'Q2')
        >>> local_time_of({"window": {"every": "1h"}}).heads(datetime(2013, 4, 1, 7, tzinfo=UTC))
        ('2013-04-01', '04-01', '07:00')
        """
        local = start.astimezone(self.calendar.zone)
        match self.calendar.span.unit:
            case "mo":
                label = self.calendar.label(self.calendar.containing(start))
                return f"{local:%Y}", f"{local:%Y}", label.removeprefix(f"{local:%Y}-")
            case "m":
                return f"{local:%Y-%m-%d}", f"{local:%m-%d}", f"{local:%H:%M}"
            case "d":
                return f"{month_name[local.month]} {local:%Y}", f"{local:%Y-%m}", f"{local:%d}"

    def lasted(self, first: datetime, last: datetime) -> str:
        """Say how long it is from the start of one window to the end of another.

        Examples
        --------
        >>> at = datetime(2013, 2, 8, tzinfo=UTC)
        >>> local_time_of({}).lasted(at, at), local_time_of({"window": {"every": "1w"}}).lasted(at, at)
        ('1 day', '7 days')
        >>> local_time_of({"window": {"every": "15m"}}).lasted(at, at.replace(minute=30))
        '45 minutes'
        """
        span = self.calendar.span
        amount = (round((last - first) / span.nominal) + 1) * span.amount
        if span.unit == "m" and amount % 60 == 0:
            return many(amount // 60, "hour")
        return many(amount, {"m": "minute", "d": "day", "mo": "month"}[span.unit])

    def named(self, start: datetime | None) -> str:
        """Name the window that starts then, where the calendar has one; else the instant.

        Examples
        --------
        >>> local = local_time_of({})
        >>> local.named(datetime(2013, 2, 8, tzinfo=UTC)), local.named(datetime(2013, 2, 8, 5, tzinfo=UTC))
        ('2013-02-08', '2013-02-08 05:00 UTC')
        """
        if start is None:
            return "–"
        window = self.calendar.containing(start)
        return self.calendar.label(window) if window.start == start else self.time(start)

    def time(self, instant: datetime | None) -> str:
        """Show an instant, with its zone.

        Examples
        --------
        >>> local_time_of({}).time(datetime(2013, 2, 8, 5, 30, tzinfo=UTC))
        '2013-02-08 05:30 UTC'
        """
        if instant is None:
            return "–"
        return when(instant, self.calendar.zone)

    def wall_clock(self, instant: datetime) -> str:
        """Return the wall-clock time, as a chart's axis takes it."""
        return instant.astimezone(self.calendar.zone).replace(tzinfo=None).isoformat()

    def instant(self, text: str) -> datetime | None:
        """Read the start of a window: an instant in ISO 8601, or a local date or time; None where it is neither.

        Examples
        --------
        >>> local = local_time_of({"window": {"every": "1d", "timezone": "America/New_York"}})
        >>> local.instant("2013-02-08") == local.instant("2013-02-08T05:00:00Z") == datetime(2013, 2, 8, 5, tzinfo=UTC)
        True
        """
        try:
            given = parse_date(text)
            if isinstance(given, datetime) and given.tzinfo is not None:
                return given.astimezone(UTC)
            return self.calendar.starting(given).start
        except (OverflowError, WindowError):
            return None


def local_time_of(config: Mapping[str, Any]) -> LocalTime:
    """Return the local time of a stored configuration; UTC where it names no zone."""
    return LocalTime(calendar_of(config))
