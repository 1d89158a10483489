"""Axes: where ticks stand, and what they are called, for numbers and for times."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.profiles.binning import NumericBinning
    from drift.profiles.kinds import Scale

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_SECONDS = (1, 5, 15, 30, *(60 * n for n in (1, 5, 15, 30)), *(3600 * n for n in (1, 2, 3, 6, 12)))
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000)


def steps(scale: Scale, reach: float) -> tuple[float, str]:
    """Return what a density counts its rows per, in the feature's unit, and its name.

    Examples
    --------
    >>> steps("timestamp", 10 * 86_400.0), steps("number", 3.0)
    ((86400.0, 'day'), (1.0, 'unit'))
    """
    if scale in {"number", "integer"}:
        return 1.0, "unit"
    if scale == "date":
        return 1.0, "day"
    return next(
        (each for each in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")) if reach >= 3 * each[0]),
        (1.0, "second"),
    )


def ticks(low: float, high: float, most: int, binning: NumericBinning | None = None) -> list[tuple[float, str]]:
    """Return about `most` round values from `low` to `high` and how they are written.

    Examples
    --------
    >>> ticks(0.0, 10.0, 4)
    [(0.0, '0.0'), (2.5, '2.5'), (5.0, '5.0'), (7.5, '7.5'), (10.0, '10.0')]
    >>> from drift.profiles.binning import NumericBinning
    >>> ticks(15700.0, 15790.0, 3, NumericBinning([15700, 15790], "date"))
    [(15706.0, '2013-01'), (15737.0, '2013-02'), (15765.0, '2013-03')]
    """
    if binning is not None and binning.scale in {"date", "timestamp", "time"}:
        unit = _DAY if binning.scale == "date" else 1.0
        return [(at / unit, label) for at, label in times(low * unit, high * unit, most)]
    step = _round((high - low) / max(most, 1))
    if not step or not math.isfinite(step):
        return []
    first = math.ceil(low / step - 1e-9)
    found = [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, _number(value, step)) for value in found]


def powers(low: float, high: float) -> list[tuple[float, str]]:
    """Return the powers of ten between two of them, and 2 and 5 times each where these are few; as exponents.

    Examples
    --------
    >>> [label for _, label in powers(-1.2, 2.0)], [label for _, label in powers(2.5, 4.0)]
    (['0.1', '1', '10', '100'], ['500', '1,000', '2,000', '5,000', '10,000'])
    """
    factors = (1, 2, 5) if high - low < 2 else (1,)
    found = [(power, factor) for power in range(math.floor(low), math.floor(high) + 1) for factor in factors]
    exact = [(power + math.log10(factor), f"{factor}e{power}") for power, factor in found]
    return [(at, f"{float(text):,.9g}") for at, text in exact if low - 1e-9 <= at <= high + 1e-9]


def times(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return about `most` round times, in seconds since 1970; none in years that no calendar has.

    Examples
    --------
    >>> times(0.0, 172_800.0, 2)
    [(0.0, '1970-01-01'), (86400.0, '1970-01-02'), (172800.0, '1970-01-03')]
    """
    try:
        return list(_times(low, high, most))
    except (OverflowError, ValueError):
        return []


def _round(step: float) -> float:
    """Return the next larger of 1, 2, 2.5, 5 times a power of ten."""
    if not step > 0 or not math.isfinite(step):
        return 0.0
    power = 10.0 ** math.floor(math.log10(step))
    return next((nice * power for nice in (1, 2, 2.5, 5) if nice * power >= step * (1 - 1e-9)), 10 * power)


def _number(value: float, step: float) -> str:
    value = value if abs(value) > step / 2 else 0.0
    if not 1e-6 <= step < 1e9:
        return f"{value:.{max(3, math.ceil(math.log10(max(abs(value), step) / step)) + 2)}g}"
    # As many decimals as the step has.
    decimals = next(n for n in range(9) if abs(round(step, n) - step) < step / 1e3)
    return f"{value:,.{decimals}f}"


def _times(low: float, high: float, most: int) -> Iterator[tuple[float, str]]:
    reach = high - low
    fine = next((step for step in (*_SECONDS, *(_DAY * n for n in _DAYS)) if reach / step <= most), None)
    if fine is None:
        yield from _months(low, high, next((n for n in _MONTHS if reach / (n * 30.4 * _DAY) <= most), _MONTHS[-1]))
        return
    for i in range(math.ceil(low / fine), math.floor(high / fine) + 1):
        at = fine * i
        shape = "%Y-%m-%d" if at % _DAY == 0 and high > _DAY else "%H:%M" if fine >= _MINUTE else "%H:%M:%S"
        yield at, f"{_EPOCH + timedelta(seconds=at):{shape}}"


def _months(low: float, high: float, step: int) -> Iterator[tuple[float, str]]:
    start = _EPOCH + timedelta(seconds=low)
    month = math.ceil((12 * start.year + start.month - 1) / step) * step
    while True:
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        seconds = (at - _EPOCH).total_seconds()
        if seconds > high:
            return
        if seconds >= low:
            yield seconds, f"{at:%Y}" if step % 12 == 0 else f"{at:%Y-%m}"
        month += step
