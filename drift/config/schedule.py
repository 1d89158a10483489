"""When a monitor runs: five-field cron, checked without a scheduler at hand."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drift.windows import Span

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly")

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_VALUE = "[0-9]{1,2}|[A-Za-z]{3}"
_PART = re.compile(rf"(?:(?P<all>\*)|(?P<low>{_VALUE})(?:-(?P<high>{_VALUE}))?)(?:/(?P<step>[0-9]{{1,3}}))?")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def wrong_with(schedule: str) -> str | None:
    """Say what is wrong with a schedule; None if it is a preset or five valid cron fields.

    Examples
    --------
    >>> wrong_with("30 6 * * MON-FRI"), wrong_with("@daily")
    (None, None)
    >>> wrong_with("0 25 * * *")
    'the hour "25" is not within 0-23'
    >>> wrong_with("0 0 30 2 *")
    'there is no such day in these months'
    """
    if schedule.startswith("@"):
        return None if schedule in PRESETS else f"there is no preset {schedule}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"a schedule has 5 fields, not {len(fields)}"
    chosen = []
    for text, (name, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        values = _values(text, lowest, highest, names)
        if values is None:
            return f'the {name} "{text}" is not within {lowest}-{highest}'
        chosen.append(values)
    days, months = chosen[2:4]
    # Cron joins day of month and day of week by "or", so that any day of the week saves the date.
    if fields[4].startswith("*") and all(min(days) > _LONGEST[month - 1] for month in months):
        return "there is no such day in these months"
    return None


def _values(text: str, lowest: int, highest: int, names: dict[str, int]) -> set[int] | None:
    chosen: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not match:
            return None
        low, high = lowest, highest
        if not match["all"]:
            bounds = [_number(match["low"], names), _number(match["high"] or match["low"], names)]
            # `5/15` is `5-59/15` to every cron that knows it.
            if match["step"] and not match["high"]:
                bounds[1] = highest
            if bounds[0] is None or bounds[1] is None:
                return None
            low, high = bounds[0], bounds[1]
        step = int(match["step"] or 1)
        if not lowest <= low <= high <= highest or step == 0:
            return None
        chosen.update(range(low, high + 1, step))
    return chosen


def _number(text: str, names: dict[str, int]) -> int | None:
    return names.get(text.upper(), int(text) if text.isascii() and text.isdigit() else None)


def for_windows(span: Span) -> str:
    """Return the schedule on which windows of `span` end; where cron has none, one that is finer.

    Windows of weeks end on Mondays, as `drift.windows.Calendar` cuts them.

    Examples
    --------
    >>> from drift.windows import Span
    >>> [for_windows(Span.parse(every)) for every in ("15m", "1h", "6h", "1d", "3d", "2w")]
    ['*/15 * * * *', '@hourly', '0 */6 * * *', '@daily', '@daily', '0 0 * * 1']
    """
    if span.unit == "d":
        return "@daily" if span.amount % 7 else "0 0 * * 1"
    if span.amount % 60:
        return f"*/{math.gcd(span.amount, 60)} * * * *".replace("*/1 ", "* ")
    hours = span.amount // 60
    return {1: "@hourly", 24: "@daily"}.get(hours, f"0 */{hours} * * *")
