"""Pictures: what a person can see before the inner eye of a feature, in its own unit.

Mean, spread, extremes, quartiles, zeros and missing values of one side, and the Wasserstein-1 distance between two. All
of it comes from what is stored of a window, a `Histogram` and a `Summary`, so it can be had of any sum of windows.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.profiles.binning import NumericBinning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Histogram, Summary
    from drift.profiles.kinds import Scale

    Floats = NDArray[np.float64]

_SECONDS = {"date": 86_400.0, "timestamp": 1.0, "time": 1.0}
_SPANS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))
_POINTS = ("mean", "low", "q25", "median", "q75", "high")


@dataclass(frozen=True, slots=True)
class Picture:
    """One side of a feature in its own unit; what it does not have, or what is not known, is None.

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
        """Return the picture as plain JSON, points in time as text."""
        fields = asdict(self)
        if binning.kind != "datetime":
            return fields
        return fields | {name: None if fields[name] is None else show(fields[name], binning) for name in _POINTS}

    def words(self, binning: Binning) -> dict[str, str]:
        """Return what is known as its readers write it, by its name.

        Examples
        --------
        >>> Picture(930, missing=0.5, mean=12.3, std=40.0, zeros=0.02).words(NumericBinning([0, 1]))["spread"]
        '40'
        """
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


def picture(histogram: Histogram, summary: Summary | None = None) -> Picture:
    """Return what is known of one side of a feature.

    Examples
    --------
    >>> from drift.profiles.histograms import Histogram, Summary
    >>> binning = NumericBinning([0, 10, 20])
    >>> values = [1.0, 2.0, 9.0, 12.0, float("nan")]
    >>> seen = picture(Histogram(binning, binning.count(values)), Summary.of(values))
    >>> seen.missing, seen.mean, seen.low, seen.high, round(seen.median, 1)
    (0.2, 6.0, 1.0, 12.0, 5.5)
    """
    missing = histogram.n_missing / histogram.n if histogram.n else None
    form = _form(histogram, summary)
    q25, median, q75 = (None, None, None) if form is None else map(form.quantile, (0.25, 0.5, 0.75))
    if summary is None or not summary.n:
        return Picture(histogram.n, missing, q25=q25, median=median, q75=q75)
    numeric = histogram.binning.kind == "numeric"
    return Picture(
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


def wasserstein(
    reference: Histogram,
    current: Histogram,
    reference_summary: Summary | None = None,
    current_summary: Summary | None = None,
) -> float | None:
    r"""Return the Wasserstein-1 distance of the values present, in the feature's own unit.

    How far a value has to move, on average, to turn one distribution into the other:

    .. math:: W_1(P, Q) = \int_0^1 |F_P^{-1}(u) - F_Q^{-1}(u)|\, du

    (Vallender, *Theory of Probability and its Applications* 18, 1974), exactly, of the two distributions that the
    counts and summaries describe (`Form`). Each of these is no further from the values counted than their bins are
    wide, weighted with the rows in them. It is a distance: symmetric, zero for equal sides alone, and it keeps the
    triangle inequality; it is at least the difference of the means, where these are known.

    Parameters
    ----------
    reference, current
        Under the same binning.
    reference_summary, current_summary
        They tell the extremes and the means. Without them what lies beyond the edges is taken to lie on them.

    Returns
    -------
    float or None
        In days for dates, in seconds for times; None for categories and where a side has no value.

    Examples
    --------
    >>> from drift.profiles.histograms import Histogram, Summary
    >>> binning = NumericBinning([0, 1, 2, 3, 4])
    >>> before, after = [0.5, 1.5, 1.5], [2.5, 3.5, 3.5]
    >>> wasserstein(Histogram(binning, binning.count(before)), Histogram(binning, binning.count(after)))
    2.0
    """
    before, after = _form(reference, reference_summary), _form(current, current_summary)
    if before is None or after is None:
        return None
    cuts = np.array(sorted({*before.upto.tolist(), *after.upto.tolist()}))
    start = np.append(0.0, cuts[:-1])
    middle = (start + cuts) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        first, last = (before.at(ends, middle) - after.at(ends, middle) for ends in (start, cuts))
        # Between two cuts the difference is a straight line: a trapezium, or two triangles where it crosses zero.
        both = np.abs(first) + np.abs(last)
        part = np.divide(np.abs(first), both, out=np.zeros_like(both), where=both > 0)
        crossing = np.signbit(first) != np.signbit(last)
        distance = float(((cuts - start) * (both - np.where(crossing, 2 * part * np.abs(last), 0.0))).sum() / 2)
    return distance if math.isfinite(distance) else None


@dataclass(frozen=True, slots=True)
class Form:
    """The distribution that counts and a summary describe: uniform stretches, in order.

    The rows of a bin lie evenly in it, those below and above every edge between that edge and the extreme; no stretch
    leaves the extremes. Where the mean is known the stretches are shortened at one end until it is met, the widest
    first, as it is there that rows may be anywhere: one row at a million among those just above the last edge then
    stands for itself, and not for all of them.

    Parameters
    ----------
    low, high : float64, shape (n_stretches,)
    upto : float64, shape (n_stretches,)
        Share of the rows that lie in a stretch or before it; the last is 1.
    """

    low: Floats
    high: Floats
    upto: Floats

    def at(self, share: Floats, inside: Floats) -> Floats:
        """Return the quantiles of `share`, on the stretches that hold the shares `inside`."""
        i = np.minimum(np.searchsorted(self.upto, inside, "left"), len(self.upto) - 1)
        before = np.where(i > 0, self.upto[i - 1], 0.0)
        along = np.clip((share - before) / (self.upto[i] - before), 0.0, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            found: Floats = np.minimum(self.low[i] + (self.high[i] - self.low[i]) * along, self.high[i])
        return found

    def quantile(self, share: float) -> float | None:
        """Return one quantile."""
        wanted = np.array([share])
        found = float(self.at(wanted, wanted)[0])
        return found if math.isfinite(found) else None


def _form(histogram: Histogram, summary: Summary | None) -> Form | None:
    binning = histogram.binning
    if not isinstance(binning, NumericBinning):
        return None
    counts = histogram.whole().counts[:-1]
    total = int(counts.sum())
    edges = binning.edges
    if summary is not None and summary.low is not None and summary.high is not None:
        first, last = summary.low, summary.high
    elif len(edges):
        first, last = float(edges[0]), float(edges[-1])
    else:
        return None
    if not total:
        return None
    low, high = np.append(first, edges), np.append(edges, last)
    if binning.scale in {"integer", "date"}:
        low, high = np.ceil(low), np.append(np.ceil(high[:-1]) - 1, high[-1:])
    low = np.clip(low, first, last)
    high = np.maximum(low, np.clip(high, first, last))
    held = counts > 0
    low, high, counts = low[held], high[held], counts[held]
    # Infinite values are counted, but have no place in the mean.
    if summary is not None and summary.n == total and math.isfinite(summary.mean):
        low, high = _with_mean(low, high, counts / total, summary.mean)
    return Form(low, high, np.cumsum(counts) / total)


def _with_mean(low: Floats, high: Floats, share: Floats, mean: float) -> tuple[Floats, Floats]:
    """Shorten stretches at one end, in proportion to their length, until their mean is the one that is known."""
    with np.errstate(over="ignore", invalid="ignore"):
        reach = high - low
        excess = mean - float((share * (low / 2 + high / 2)).sum())
    widest = float(reach.max())
    if not excess or not widest or not math.isfinite(excess) or not math.isfinite(widest):
        return low, high
    # A stretch gives the part min(1, κ · relative) of its length. What all of them give rises with κ in straight lines,
    # with a bend wherever one is used up: between the bends κ can be read off.
    relative = reach / widest
    order = np.flatnonzero(relative > 1e-9)
    order = order[np.argsort(-relative[order], kind="stable")]
    r, room = relative[order], (share * reach)[order] / 2
    slower = np.cumsum((room * r)[::-1])[::-1] - room * r
    bends = np.cumsum(room) + slower / r
    kappa = float(np.interp(abs(excess), np.append(0.0, bends), np.append(0.0, 1 / r)))
    given = np.minimum(1.0, kappa * relative) * reach
    return (np.minimum(low + given, high), high) if excess > 0 else (low, np.maximum(low, high - given))


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
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def unit(binning: Binning) -> str | None:
    """Return the unit of spreads and distances where it is one of time: ``days`` or ``seconds``."""
    if not isinstance(binning, NumericBinning) or binning.kind != "datetime":
        return None
    return "days" if binning.scale == "date" else "seconds"


def show_span(span: float, binning: Binning) -> str:
    """Return a spread or a distance as its readers write it.

    Examples
    --------
    >>> show_span(7200.0, NumericBinning([0, 1], "timestamp")), show_span(57.1234, NumericBinning([0, 1]))
    ('2 hours', '57.12')
    """
    scale: Scale = binning.scale if isinstance(binning, NumericBinning) else "number"
    if scale not in _SECONDS:
        return show(span, binning)
    seconds = span * _SECONDS[scale]
    name, lasting = next((each for each in _SPANS if seconds >= each[1]), _SPANS[-1])
    count = f"{seconds / lasting:.3g}"
    return f"{count} {name}" if count == "1" else f"{count} {name}s"


def in_words(before: Picture, after: Picture, distance: float | None, binning: Binning) -> str | None:
    """Say how far the values moved, or None where there is nothing to say.

    Examples
    --------
    >>> in_words(Picture(9, median=4.0), Picture(9, median=61.0), 57.0, NumericBinning([0, 99]))
    'median 4 → 61, Wasserstein-1 57'
    """
    parts = []
    if before.median is not None and after.median is not None:
        old, new = show(before.median, binning), show(after.median, binning)
        parts.append(f"median {old}" if old == new else f"median {old} → {new}")
    if distance is not None:
        parts.append(f"Wasserstein-1 {show_span(distance, binning)}")
    return ", ".join(parts) or None
