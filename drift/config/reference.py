"""How a monitor cuts time, and which windows the current one is compared with."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from drift.config.problems import noun, shorten
from drift.config.validation import Model, Refusal, Text, known_timezone, refuse, refuse_value, split_message
from drift.errors import WindowError
from drift.windows import Calendar, Span, parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drift.windows import Window

MAX_WINDOWS = 1000
"""The most windows a trailing reference may hold, and a previous one may reach back."""

SEASON_WEEKS = 8
"""Weeks of the seasonal companion: a trailing reference does not know what a Sunday looks like, these windows do."""

MIN_SEASON = 4
"""Fewer windows of the same weekday than this are not a companion: their own noise would come back every week."""

KINDS = ("trailing", "fixed", "previous", "same_weekday")
"""The kinds of a reference, of which a monitor has exactly one."""

_MAX_FIXED_WINDOWS = 10_000

Fixed = tuple[datetime | date, datetime | date]
LeftOut = Literal["rejected", "critical"]


class WindowSpec(Model):
    """How time is cut: windows of days, of hours or minutes that divide a day, or of months that divide a year."""

    every: Text = Field(
        description="Length of a window: 15m, 1h, 1d, 7d, 1mo, 1q, 1y, …; weeks begin on Monday, years in January.",
        examples=["1d", "1h", "7d", "1mo"],
    )
    timezone: Text = Field("UTC", description="IANA time zone whose midnights cut the days.")

    @field_validator("every")
    @classmethod
    def _check_every(cls, value: str) -> str:
        try:
            Calendar(value)
        except WindowError as error:
            what, fix = split_message(error)
            refuse_value(what, fix if fix[:3] in {"use", "wri"} else "write 15m, 1h, 6h, 1d, 7d or 1mo")
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        return known_timezone(value)

    @property
    def calendar(self) -> Calendar:
        """The calendar that cuts the windows."""
        return Calendar(self.every, self.timezone)


def _read_bounds(value: Any) -> Any:
    if value == "baseline":
        return value
    if not isinstance(value, list | tuple) or len(value) != 2:
        refuse_value(f"should be two dates, not {noun(value)}", "write [2013-01-01, 2013-04-01]; the end is exclusive")
    bounds = tuple(map(_read_date, value))
    refuse(
        *(
            ((i,), f"{shorten(value[i])} is not a date", "write 2013-01-01 or 2013-01-01T06:00, between 1900 and 2200")
            for i, bound in enumerate(bounds)
            if bound is None
        )
    )
    return bounds


def _read_date(value: Any) -> date | None:
    if (isinstance(value, str) and "-" in value[1:]) or re.fullmatch(r"\d{4}", str(value)):
        try:
            value = parse_date(str(value))
        except WindowError:
            return None
    return value if isinstance(value, date) and 1900 <= value.year <= 2200 else None


class Reference(Model):
    """What the current window is compared with; exactly one of the four kinds."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]})

    trailing: Text | None = Field(None, description="The span just before the current window.", examples=["28d"])
    fixed: Annotated[Fixed | Literal["baseline"], BeforeValidator(_read_bounds)] | None = Field(
        None,
        description="From one date or local time to another, the end exclusive; without the current window. "
        "Or `baseline`: the windows that `drift baseline promote` named last.",
    )
    previous: int | None = Field(None, ge=1, le=MAX_WINDOWS, description="The single window that many windows before.")
    same_weekday: int | None = Field(
        None, ge=1, le=104, description="The same weekday and time in that many weeks before."
    )
    min_windows: int | None = Field(
        None, ge=1, description="Fewer stored windows than this are not a reference; by default a quarter of them all."
    )
    exclude: list[LeftOut] = Field(
        ["rejected"],
        description="Windows that are not a reference: `rejected` by their expectations; for each feature those in "
        "which it was `critical`.",
    )

    @field_validator("trailing")
    @classmethod
    def _check_trailing(cls, value: str | None) -> str | None:
        try:
            return value and str(Span.parse(value)) and value
        except WindowError as error:
            refuse_value(*split_message(error))

    @model_validator(mode="after")
    def _check_kinds(self) -> Self:
        kinds = self._kinds()
        if not kinds:
            refuse(((), "names no reference", "give exactly one of trailing, fixed, previous, same_weekday"))
        refuse(*(((kind,), f"{kinds[0]} is given already", "keep exactly one kind of reference") for kind in kinds[1:]))
        return self

    def _kinds(self) -> list[str]:
        return [kind for kind in KINDS if getattr(self, kind) is not None]

    def __str__(self) -> str:
        if self.trailing:
            return f"trailing {self.trailing}"
        if self.fixed == "baseline":
            return "fixed baseline"
        if self.fixed:
            return "fixed {} … {}".format(*(bound.isoformat() for bound in self.fixed))
        if self.previous:
            return "previous window" if self.previous == 1 else f"{self.previous} windows before"
        return f"same weekday of {self.same_weekday} week{'s' * (self.same_weekday != 1)}"

    def windows(self, calendar: Calendar, current: Window) -> list[Window]:
        """Return the windows to compare `current` with, oldest first; `current` itself is never among them.

        Examples
        --------
        >>> calendar = Calendar("1d", "America/New_York")
        >>> day = calendar.starting(date(2013, 2, 8))
        >>> [calendar.label(w) for w in Reference(same_weekday=2).windows(calendar, day)]
        ['2013-01-25', '2013-02-01']
        """
        if self.trailing:
            return calendar.within(current, Span.parse(self.trailing))
        if self.previous:
            return calendar.before(current, self.previous)[:1]
        if self.same_weekday:
            return calendar.same_weekday(current, self.same_weekday)
        if self.fixed == "baseline":
            raise WindowError("the windows of a fixed baseline stand in the results database, not in the calendar")
        return fixed_windows(calendar, current, *self._span(calendar))

    def seasonal_companion(self, calendar: Calendar) -> Reference | None:
        """Return the reference that is offered beside a trailing one of windows of a day or less: the same weekday."""
        daily = calendar.span.nominal <= timedelta(days=1)
        return Reference(same_weekday=SEASON_WEEKS) if self.trailing and daily else None

    def count(self, calendar: Calendar) -> int:
        """Return how many windows the reference has, give or take those that a clock change adds or takes."""
        if self.trailing:
            return max(1, round(Span.parse(self.trailing).nominal / calendar.span.nominal))
        if self.fixed == "baseline":
            return 1
        if self.fixed:
            start, end = self._span(calendar)
            return max(1, round((end - start) / calendar.span.nominal))
        return self.same_weekday or 1

    def _span(self, calendar: Calendar) -> tuple[datetime, datetime]:
        if not self.fixed or self.fixed == "baseline":
            raise WindowError(f"a reference of kind {self._kinds()[0]} has no fixed span: give fixed: [START, END]")
        start, end = (_instant(bound, calendar) for bound in self.fixed)
        return start, end

    def refusals(self, calendar: Calendar) -> list[Refusal]:
        """Say what makes no sense with these windows."""
        every = f"windows of {calendar.every}"
        found: list[Refusal] = []
        if self.trailing:
            found += _trailing_refusals(Span.parse(self.trailing), calendar)
        if self.fixed and self.fixed != "baseline":
            found += self._fixed_refusals(calendar)
        if self.same_weekday and calendar.span.nominal > timedelta(days=1):
            fix = "use trailing, or windows of 1d or less"
            found.append((("same_weekday",), f"{every} have no weekday", fix))
        if not found and self.fixed != "baseline" and self.min_windows and self.min_windows > self.count(calendar):
            what = f"{self.min_windows} is more than the {self.count(calendar)} windows of the reference"
            found.append((("min_windows",), what, "lower it, or leave it out for a quarter of them"))
        return found

    def _fixed_refusals(self, calendar: Calendar) -> list[Refusal]:
        start, end = self._span(calendar)
        if start >= end:
            fix = "write the earlier date first; the end is exclusive"
            return [(("fixed",), "ends before it starts, or at once", fix)]
        found: list[Refusal] = []
        for i, (bound, name) in enumerate(((start, "start"), (end, "end"))):
            window = calendar.containing(bound)
            if window.start != bound:
                choice = " or ".join(local(edge, calendar) for edge in (window.start, window.end))
                found.append((("fixed", i), f"the {name} lies within a window of {calendar.every}", f"write {choice}"))
        if calendar.containing(start).end > end:
            found = [(("fixed",), f"is shorter than one window of {calendar.every}", "lengthen it")]
        elif (end - start) / calendar.span.nominal > _MAX_FIXED_WINDOWS:
            what = f"holds more than {_MAX_FIXED_WINDOWS:,} windows of {calendar.every}"
            found.append((("fixed",), what, "shorten it, or use longer windows"))
        return found


def fixed_windows(calendar: Calendar, current: Window, start: datetime, end: datetime) -> list[Window]:
    """Return the windows from `start` to `end`, oldest first, without `current`."""
    return [window for window in calendar.between(start, end) if window != current]


def calendar_of(config: Mapping[str, Any]) -> Calendar:
    """Return the calendar of a stored configuration; days in UTC where another version, or a hand, wrote it.

    Examples
    --------
    >>> calendar_of({"window": {"every": "1h", "timezone": "Asia/Tokyo"}}), calendar_of({"window": {"every": "?"}})
    (Calendar(every='1h', timezone='Asia/Tokyo'), Calendar(every='1d', timezone='UTC'))
    """
    window = config.get("window")
    fields = window if isinstance(window, dict) else {}
    return _calendar(str(fields.get("every", "1d")), str(fields.get("timezone") or "UTC"))


@cache
def _calendar(every: str, timezone: str) -> Calendar:
    try:
        return Calendar(every, timezone)
    except WindowError:
        return Calendar("1d")


def describe_span(calendar: Calendar, start: datetime, end: datetime) -> str:
    """Name a span by its first and last local day; by their times too where it does not begin and end with days."""
    first, last = local(start, calendar), local(end, calendar)
    if "T" in first or "T" in last:
        return f"{first} … {last}"
    last = f"{end.astimezone(calendar.zone).date() - timedelta(days=1)}"
    if first == last:
        return first
    return f"{first} … {last[5:] if first[:4] == last[:4] else last}"


def _trailing_refusals(span: Span, calendar: Calendar) -> list[Refusal]:
    path, every = ("trailing",), calendar.span
    ratio = span.amount / every.amount if span.unit == every.unit else span.nominal / every.nominal
    if ratio < 1:
        return [(path, f"is shorter than one window of {calendar.every}", f"write {calendar.every} or more")]
    if every.unit == "d" and span.unit == "m":
        return [(path, "counts hours where windows are days", "write days: days can have 23 or 25 hours")]
    if (every.unit == "mo") != (span.unit == "mo"):
        what, fix = ("days", "months") if every.unit == "mo" else ("months", "days")
        words = f"counts {what} where windows of {calendar.every} are cut by {fix}"
        return [(path, words, f"write {fix}: months have 28 to 31 days")]
    if ratio != int(ratio):
        return [
            (path, f"is not a whole number of windows of {calendar.every}", f"write a multiple of {calendar.every}")
        ]
    if ratio > MAX_WINDOWS:
        what = f"holds {int(ratio):,} windows of {calendar.every}, more than {MAX_WINDOWS:,}"
        return [(path, what, "shorten it, or use longer windows")]
    return []


def _instant(bound: date, calendar: Calendar) -> datetime:
    if not isinstance(bound, datetime):
        return calendar.midnight(bound)
    return (bound if bound.tzinfo else bound.replace(tzinfo=calendar.zone)).astimezone(UTC)


def local(instant: datetime, calendar: Calendar) -> str:
    """Write an instant as the local date, with the time where it is not midnight."""
    here = instant.astimezone(calendar.zone)
    return f"{here:%Y-%m-%d}" if calendar.midnight(here.date()) == instant else f"{here:%Y-%m-%dT%H:%M}"


def default_reference(window: WindowSpec) -> Reference:
    """Return 28 days for days, 7 days for less (fewer where those were too many windows), four windows for more.

    Of months a year, or four windows where that is more: the seasons of a year are in it.
    """
    calendar = window.calendar
    span = calendar.span
    if span.unit == "mo":
        trailing = f"{max(12, 4 * span.amount)}mo"
    elif span.unit == "d":
        trailing = "28d" if span.amount == 1 else f"{4 * span.amount}d"
    else:
        days = min(7, MAX_WINDOWS * span.amount // (24 * 60))
        trailing = f"{days}d" if days else "12h"
    return with_min_windows(Reference(trailing=trailing), calendar)


def with_min_windows(reference: Reference, calendar: Calendar) -> Reference:
    """Return the reference with the default of `min_windows` filled in: a quarter of its windows, rounded up."""
    if reference.min_windows:
        return reference
    return reference.model_copy(update={"min_windows": math.ceil(reference.count(calendar) / 4)})
