"""Descriptive statistics of one side of a feature, in its own unit, and how they are written.

Mean, spread, extremes, quartiles, zeros and missing values come from what is stored of a window, a `Histogram` and a
`Summary`, so any sum of windows has them too.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from drift.detection.wasserstein import distribution_of
from drift.profiles.binning import NumericBinning
from drift.text.formatting import number

if TYPE_CHECKING:
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Histogram, Summary
    from drift.profiles.kinds import Scale

_SECONDS = {"date": 86_400.0, "timestamp": 1.0, "time": 1.0}
_SPANS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))
_POINTS = ("mean", "low", "q25", "median", "q75", "high")


@dataclass(frozen=True, slots=True)
class Description:
    """One side of a feature in its own unit; what it does not have, or is not known, is None.

    Parameters
    ----------
    n
        Rows, missing ones too.
    missing
        Share of the rows whose value is missing.
    mean, std
        Of the values present and finite; the standard deviation is that of a sample.
    low, high
        Smallest and largest of them.
    q25, median, q75
        Approximate quartiles of the values present.
    zeros
        Share of the finite values that are exactly zero.
    """

    n: int
    missing: float | None = None
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    q25: float | None = None
    median: float | None = None
    q75: float | None = None
    high: float | None = None
    zeros: float | None = None

    def to_dict(self, binning: Binning) -> dict[str, Any]:
        """Return the description as plain JSON, points in time as text."""
        fields = asdict(self)
        if binning.kind != "datetime":
            return fields
        return fields | {name: None if fields[name] is None else show(fields[name], binning) for name in _POINTS}

    def words(self, binning: Binning) -> dict[str, str]:
        """Return what is known as its readers write it, by its name."""
        numeric = isinstance(binning, NumericBinning)
        values = {
            "mean": (self.mean, show),
            "spread": (self.std, show_span),
            "min": (self.low, show),
            "25 %": (self.q25, show),
            "median": (self.median, show),
            "75 %": (self.q75, show),
            "max": (self.high, show),
        }
        shares = {"zeros": self.zeros, "missing": self.missing} if numeric else {"missing": self.missing}
        return (
            {"rows": f"{self.n:,}"}
            | {name: "-" if v is None else said(v, binning) for name, (v, said) in values.items() if numeric}
            | {name: "-" if share is None else f"{100 * share:.3g} %" for name, share in shares.items()}
        )


def describe(histogram: Histogram, summary: Summary | None = None) -> Description:
    """Return what is known of one side of a feature."""
    missing = histogram.n_missing / histogram.n if histogram.n else None
    known = distribution_of(histogram, summary)
    q25, median, q75 = (None, None, None) if known is None else map(known.quantile, (0.25, 0.5, 0.75))
    if summary is None or not summary.n:
        return Description(histogram.n, missing, q25=q25, median=median, q75=q75)
    numeric = histogram.binning.kind == "numeric"
    return Description(
        histogram.n,
        missing,
        summary.mean if math.isfinite(summary.mean) else None,
        summary.std,
        summary.low,
        q25,
        median,
        q75,
        summary.high,
        summary.zeros / summary.n if numeric else None,
    )


# -- in words ---------------------------------------------------------------------------------------------------------


def show(value: float, binning: Binning) -> str:
    """Return a value of a feature as its readers write it.

    Examples
    --------
    >>> show(15706.0, NumericBinning([15000, 16000], "date")), show(12.3456, NumericBinning([0, 20], "integer"))
    ('2013-01-01', '12.35')
    """
    if isinstance(binning, NumericBinning) and binning.kind == "datetime":
        return binning.format(value)
    return f"{value:.0f}" if 9999.5 <= abs(value) < 1e15 else number(value)


def unit(binning: Binning) -> str | None:
    """Return the unit of spreads and distances where it is one of time: ``days`` or ``seconds``."""
    if not isinstance(binning, NumericBinning) or binning.kind != "datetime":
        return None
    return "days" if binning.scale == "date" else "seconds"


def show_span(span: float, binning: Binning) -> str:
    """Return a spread or a distance as its readers write it."""
    scale: Scale = binning.scale if isinstance(binning, NumericBinning) else "number"
    if scale not in _SECONDS:
        return show(span, binning)
    seconds = span * _SECONDS[scale]
    name, lasting = next((each for each in _SPANS if seconds >= each[1]), _SPANS[-1])
    count = f"{seconds / lasting:.3g}"
    return f"{count} {name}" if count == "1" else f"{count} {name}s"


def in_words(before: Description, after: Description, distance: float | None, binning: Binning) -> str | None:
    """Say how far the values moved, or None where there is nothing to say."""
    parts = []
    if before.median is not None and after.median is not None:
        old, new = show(before.median, binning), show(after.median, binning)
        parts.append(f"median {old}" if old == new else f"median {old} → {new}")
    if distance is not None:
        parts.append(f"moved by {show_span(distance, binning)} on average (Wasserstein-1)")
    return ", ".join(parts) or None
