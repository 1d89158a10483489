"""The windows that a person means: by a date, from one date to another, or as far as the data go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.errors import DriftError, WindowError

if TYPE_CHECKING:
    from datetime import datetime

    from drift.pipeline.context import Context
    from drift.store.base import State
    from drift.windows import Calendar, Window


def window_on(calendar: Calendar, day: str) -> Window:
    """Return the one window that a date or time names."""
    first, last = calendar.spanned(day)
    if first != last:
        raise WindowError(f"{day} names many windows of {calendar.every}: write a date such as {first.start:%Y-%m-%d}")
    return first


def window_of(calendar: Calendar, day: str | None, now: datetime) -> Window:
    """Return the window that holds a date, or the last complete one."""
    return window_on(calendar, day) if day else calendar.last_complete(now)


def between(calendar: Calendar, start: str, end: str) -> list[Window]:
    """Return the windows from one date to another, both included."""
    first, last = calendar.spanned(start)[0], calendar.spanned(end)[1]
    if last < first:
        raise DriftError(f"the end, {end}, is before the start, {start}")
    return list(calendar.between(first.start, last.end))


def of_data(context: Context[State], now: datetime) -> list[Window]:
    """Return the windows from the first to the last row of the source, as far as they are over."""
    from drift.sources.time_span import time_span

    calendar = context.monitor.window.calendar
    found = time_span(context.monitor.source, calendar, context.source.url)
    if found is None:
        raise DriftError(f"{context.name}: no row of the source has a time: there is nothing to run")
    first, last = calendar.containing(found[0]), calendar.last_complete(now)
    if last.end <= first.start:
        raise DriftError(f"{context.name}: the window of the first row, {context.label(first)}, is not over yet")
    return list(calendar.between(first.start, min(last.end, calendar.containing(found[1]).end)))
