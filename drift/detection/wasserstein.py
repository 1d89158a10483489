"""Wasserstein-1 distance of two sides of a numeric feature, from their counts and summaries alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drift.profiles.binning import NumericBinning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drift.profiles.histograms import Histogram, Summary

    Floats = NDArray[np.float64]


def wasserstein(
    reference: Histogram,
    current: Histogram,
    reference_summary: Summary | None = None,
    current_summary: Summary | None = None,
) -> float | None:
    r"""Return the Wasserstein-1 distance of the values present: dates in days, times in seconds, numbers in their unit.

    How far a value has to move, on average, to turn one distribution into the other:

    .. math:: W_1(P, Q) = \int_0^1 |F_P^{-1}(u) - F_Q^{-1}(u)|\, du

    (Vallender, *Theory of Probability and its Applications* 18, 1974), exactly, of the two distributions that the
    counts and summaries describe (`PiecewiseUniform`). Each of these is no further from the values counted than their
    bins are wide, weighted with the rows in them. It is a distance: symmetric, zero only for equal sides, and it keeps
    the triangle inequality; it is at least the difference of the means, where these are known. Without summaries, what
    lies beyond the edges is taken to lie on them. None for categories and where a side has no value.

    Examples
    --------
    >>> from drift.profiles.histograms import Histogram, Summary
    >>> binning = NumericBinning([0, 1, 2, 3, 4])
    >>> before, after = [0.5, 1.5, 1.5], [2.5, 3.5, 3.5]
    >>> wasserstein(Histogram(binning, binning.count(before)), Histogram(binning, binning.count(after)))
    2.0
    """
    before, after = distribution_of(reference, reference_summary), distribution_of(current, current_summary)
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
class PiecewiseUniform:
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


def distribution_of(histogram: Histogram, summary: Summary | None) -> PiecewiseUniform | None:
    """Return the distribution of the values present; None for categories and where there are none."""
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
    full = counts > 0
    low, high, counts = low[full], high[full], counts[full]
    # Infinite values are counted, but have no place in the mean.
    if summary is not None and summary.n == total and math.isfinite(summary.mean):
        low, high = _with_mean(low, high, counts / total, summary.mean)
    return PiecewiseUniform(low, high, np.cumsum(counts) / total)


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
