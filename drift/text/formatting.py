"""Numbers, shares, dates and instants as people read them, in one style.

- A share is in percent, a space before the sign: ``2.6 %``; one decimal below 10 %, none above.
- A count has its thousands apart: ``25,631``.
- A divergence has four decimals in tables and three significant digits in sentences.
- A date is ``2013-02-08``; an instant has its zone: ``2013-02-08 05:30 UTC``; for programs, ISO 8601 with a ``Z``.
- What is not known is a dash: ``–``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, tzinfo

TINY = sys.float_info.min
"""A smaller number, which the edge of a cell may be, is read as zero."""


def percent(share: float | None, decimals: int | None = None) -> str:
    """Return a share in percent.

    Parameters
    ----------
    share
        From 0 to 1.
    decimals
        None is one below 10 %, and none above.

    Examples
    --------
    >>> percent(0.5), percent(0.0123), percent(0.00001), percent(None)
    ('50 %', '1.2 %', '< 0.1 %', '–')
    >>> percent(0.5, 1)
    '50.0 %'
    """
    if share is None:
        return "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if decimals is None:
        decimals = 1 if 0 < share < 0.0995 else 0
    return f"{100 * share:.{decimals}f} %"


def at_random(share: float | None) -> str:
    """Write a share of rows paired at random, whose estimate may lie beyond none and all.

    Examples
    --------
    >>> at_random(-0.01), at_random(0.27), at_random(1.1), at_random(None)
    ('0 %', '27 %', '100 %', '–')
    """
    return percent(None if share is None else min(max(share, 0.0), 1.0))


def nats(value: float | None) -> str:
    """Return a divergence with four decimals, without its unit.

    Examples
    --------
    >>> nats(1.28443), nats(0.00001), nats(-0.001), nats(-0.00001), nats(None)
    ('1.2844', '< 0.0001', '-0.0010', '0.0000', '–')
    """
    if value is None:
        return "–"
    return "< 0.0001" if 0 < value < 0.00005 else f"{value:z.4f}"


def figure(value: float) -> str:
    """Return a divergence in a sentence, three digits of it.

    Examples
    --------
    >>> figure(1.28443), figure(0.01), figure(5e-324), figure(-0.0)
    ('1.28', '0.01', '< 0.0001', '0')
    """
    return "< 0.0001" if 0 < value < 0.0001 else f"{value:z.3g}"


def thousands(value: int | None) -> str:
    """Return a number of rows, its thousands apart.

    Examples
    --------
    >>> thousands(25631), thousands(None)
    ('25,631', '–')
    """
    return "–" if value is None else f"{value:,}"


def many(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> many(1, "window"), many(1200, "window")
    ('1 window', '1,200 windows')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def number(value: float | None) -> str:
    """Return a number of the data, four digits of it.

    Examples
    --------
    >>> number(1234.567), number(-0.0), number(None)
    ('1235', '0', '–')
    """
    return "–" if value is None else f"{0.0 if abs(value) < TINY else value:z.4g}"


def probability(value: float | None) -> str:
    """Return a p-value.

    Examples
    --------
    >>> probability(0.25), probability(1e-30)
    ('0.25', '< 0.0001')
    """
    if value is None:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took.

    Examples
    --------
    >>> at = datetime(2013, 2, 9, tzinfo=UTC)
    >>> duration(at, at.replace(second=3)), duration(at, at.replace(minute=2)), duration(at, None)
    ('3.0 s', '2.0 min', '–')
    """
    if start is None or end is None:
        return "–"
    seconds = max(0.0, (end - start).total_seconds())
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def day(instant: datetime, zone: tzinfo = UTC) -> str:
    """Return the date of an instant, in a zone."""
    return f"{instant.astimezone(zone):%Y-%m-%d}"


def when(instant: datetime, zone: tzinfo | None = None) -> str:
    """Return an instant to the minute, with its zone: its own, or the one given.

    Examples
    --------
    >>> when(datetime(2013, 2, 8, 5, 30, tzinfo=UTC))
    '2013-02-08 05:30 UTC'
    """
    return f"{instant.astimezone(zone) if zone else instant:%Y-%m-%d %H:%M %Z}"


def iso(instant: datetime) -> str:
    """Return an instant in ISO 8601, as programs read it.

    Examples
    --------
    >>> iso(datetime(2013, 2, 8, 5, tzinfo=UTC))
    '2013-02-08T05:00:00Z'
    """
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def spoken(kind: str) -> str:
    """Return a word of ours without its underscores.

    Examples
    --------
    >>> spoken("missing_column")
    'missing column'
    """
    return kind.replace("_", " ")


def thresholds(warning: float, critical: float, scale: str = "kl") -> str:
    """Return both thresholds of an effect, with the measure and unit where it is not KL.

    Examples
    --------
    >>> thresholds(0.01, 0.1), thresholds(5, 20, "mean %")
    ('0.01 / 0.1', '5 / 20 (mean %)')
    """
    return f"{warning:g} / {critical:g}{'' if scale == 'kl' else f' ({scale})'}"
