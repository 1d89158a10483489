"""When a monitor runs: five-field cron, checked without a scheduler at hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drift.windows import Span

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly")

_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31",
    "month": "1-12",
    "day of week": "0-7",
}


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
    for at, (name, limits) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(_FIELDS)
        alone[at] = fields[at]
        # What cronsim reads beyond cron (5L, LW, MON#2) Airflow writes otherwise, or refuses when it parses the DAG.
        if (name.startswith("day") and set("L#") & set(fields[at].upper())) or not _is_cron(alone):
            return f'the {name} "{fields[at]}" is not within {limits}'
    return None if _is_cron(fields) else "there is no such day in these months"


def _is_cron(fields: list[str]) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def for_windows(span: Span) -> str:
    """Return the schedule on which windows of `span` end; where cron has none, one that is finer.

    Windows of weeks end on Mondays, as `drift.windows.Calendar` cuts them.

    Examples
    --------
    >>> from drift.windows import Span
    >>> [for_windows(Span.parse(every)) for every in ("15m", "1h", "6h", "1d", "3d", "2w")]
    ['*/15 * * * *', '@hourly', '0 */6 * * *', '@daily', '@daily', '0 0 * * 1']
    >>> [for_windows(Span.parse(every)) for every in ("1mo", "1q", "1y")]
    ['@monthly', '0 0 1 */3 *', '0 0 1 1 *']
    """
    if span.unit == "mo":
        return {1: "@monthly", 12: "0 0 1 1 *"}.get(span.amount, f"0 0 1 */{span.amount} *")
    if span.unit == "d":
        return "@daily" if span.amount % 7 else "0 0 * * 1"
    if span.amount % 60:
        return f"*/{math.gcd(span.amount, 60)} * * * *".replace("*/1 ", "* ")
    hours = span.amount // 60
    return {1: "@hourly", 24: "@daily"}.get(hours, f"0 */{hours} * * *")
