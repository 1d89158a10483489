"""Other references: which windows a reader asks to compare a window with, as an address carries it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from drift.config.reference import describe_span, fixed_windows
from drift.errors import WindowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from drift.windows import Calendar, Window

MOST = 400
"""The most windows a reference may hold here."""

SYNTAX = "trailing:28, previous:1, weekday:8, baseline, or 2013-01-01..2013-01-28"
_COUNTED = re.compile(r"(trailing|previous|weekday):([0-9]{1,4})")
_SPAN = re.compile(r"([0-9T:+-]{10,40})\.\.([0-9T:+-]{10,40})")


@dataclass(frozen=True, slots=True)
class OtherReference:
    """A reference that a reader asked for: as the address carries it, in words, and its windows, oldest first."""

    text: str
    words: str
    windows: Sequence[Window]


def parse(
    text: str, calendar: Calendar, current: Window, baseline: Mapping[str, Any] | None = None
) -> OtherReference | None:
    """Read what to compare with, as `SYNTAX` says; None where it cannot be understood.

    ``baseline`` needs the stored row of the feature's baseline. The current window is never among those found.

    Examples
    --------
    >>> from datetime import date
    >>> from drift.windows import Calendar
    >>> days = Calendar("1d")
    >>> parse("weekday:2", days, days.starting(date(2013, 2, 8))).words
    'the same weekday of 2 weeks'
    >>> [str(w.start)[:10] for w in parse("trailing:2", days, days.starting(date(2013, 2, 8))).windows]
    ['2013-02-06', '2013-02-07']
    >>> parse("yesterday", days, days.starting(date(2013, 2, 8))) is None
    True
    """
    try:
        if text == "baseline":
            return _baseline(calendar, current, baseline)
        if counted := _COUNTED.fullmatch(text):
            return _counted(text, counted[1], int(counted[2]), calendar, current)
        if span := _SPAN.fullmatch(text):
            return _span(text, span[1], span[2], calendar, current)
    except (OverflowError, WindowError):
        return None
    return None


def _counted(text: str, kind: str, n: int, calendar: Calendar, current: Window) -> OtherReference | None:
    if not 1 <= n <= MOST or (kind == "weekday" and calendar.span.unit == "mo"):
        return None
    if kind == "trailing":
        return OtherReference(
            text, f"the {n} windows before" if n > 1 else "the window before", calendar.before(current, n)
        )
    if kind == "previous":
        words = "the window before" if n == 1 else f"{n} windows before"
        return OtherReference(text, words, calendar.before(current, n)[:1])
    return OtherReference(text, f"the same weekday of {n} week{'s' * (n > 1)}", calendar.same_weekday(current, n))


def _baseline(calendar: Calendar, current: Window, row: Mapping[str, Any] | None) -> OtherReference | None:
    if row is None:
        return None
    span = describe_span(calendar, row["fitted_from"], row["fitted_to"])
    windows = fixed_windows(calendar, current, row["fitted_from"], row["fitted_to"])
    return OtherReference("baseline", f"the baseline of {span} (version {row['version']})", windows[:MOST])


def _span(text: str, first: str, last: str, calendar: Calendar, current: Window) -> OtherReference | None:
    start, end = calendar.spanned(first)[0], calendar.spanned(last)[1]
    if end < start or (end.end - start.start) / calendar.span.nominal > MOST + 1:
        return None
    windows = fixed_windows(calendar, current, start.start, end.end)
    return OtherReference(text, f"the windows of {describe_span(calendar, start.start, end.end)}", windows)


def choices(calendar: Calendar, *, baseline: bool) -> list[tuple[str, str]]:
    """Return what a reader may choose without typing: the text and its words.

    Examples
    --------
    >>> from drift.windows import Calendar
    >>> [text for text, _ in choices(Calendar("7d"), baseline=True)]
    ['baseline', 'previous:1', 'trailing:4', 'trailing:12']
    """
    daily = calendar.span.nominal <= timedelta(days=1)
    a_day = max(1, round(timedelta(days=1) / calendar.span.nominal))
    trailing = [n for n in (7 * a_day, 14 * a_day, 28 * a_day, 56 * a_day) if n <= MOST] if daily else [4, 12]
    found = [("baseline", "the fixed baseline")] if baseline else []
    found += [("previous:1", "the window before")]
    found += [(f"trailing:{n}", f"the {n} windows before") for n in trailing]
    if daily:
        found += [(f"weekday:{n}", f"the same weekday of {n} weeks") for n in (4, 8)]
    return found
