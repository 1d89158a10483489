r"""How surely two windows differ: p-values and confidence intervals.

Counts come as two arrays of shape ``(n_features, n_cells)``, reference and current; the last column is the missing
cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.statistics.divergence import smooth
from drift.statistics.two_sample_tests import SMALLEST_P, combine, heads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def p_values(
    reference: ArrayLike, current: ArrayLike, *, ordered: ArrayLike, beside: ArrayLike | None = None
) -> Floats:
    """Return the p-value of "nothing changed but sampling" for each feature.

    All cells, the cell that moved most and, where cells have an order, location and scale are tested and combined
    (`drift.statistics.two_sample_tests`). Nothing is drawn at random, and no feature's p-value depends on another's
    counts.

    Parameters
    ----------
    reference, current : array_like of counts, shape (n_features, n_cells)
        The last column is the missing cell.
    ordered : array_like of bool, shape (n_features,)
        Whether the cells before the last have an order.
    beside : array_like, shape (n_features,) or (n_looks, n_features)
        p-values of what the counts do not show, to be combined with the others; NaN for none.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        In (0, 1]. 1 where a side is empty, or all rows are in one cell and nothing stands beside it.

    Examples
    --------
    >>> p_values([[500, 500, 0], [500, 500, 0]], [[50, 50, 0], [20, 80, 0]], ordered=[False, True]).round(12).tolist()
    [0.9, 3.179e-09]
    """
    x, y = np.array(reference, np.float64, ndmin=2), np.array(current, np.float64, ndmin=2)
    has_order = np.broadcast_to(np.asarray(ordered, bool), len(x))
    some = np.flatnonzero((x.sum(axis=1) > 0) & (y.sum(axis=1) > 0) & ((x + y > 0).sum(axis=1) > 1))
    looks = np.full((4, len(x)), np.nan)
    looks[:, some] = heads(x[some], y[some], ordered=has_order[some])
    if beside is not None:
        looks = np.vstack([looks, beside])
    taken = np.isfinite(looks).any(axis=0)
    p = np.ones(len(x))
    p[taken] = combine(looks[:, taken])
    return np.clip(p, SMALLEST_P, 1.0)


def confidence_interval(
    kl: ArrayLike, reference: ArrayLike, current: ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    r"""Return a confidence interval of the divergence D(current‖reference), in nats.

    With :math:`h = nm/(n+m)`, :math:`2h\hat D + k - 1` is nearly noncentral :math:`\chi^2_{k-1}(2hD)`. That law is
    inverted for D, and the half-widths are scaled by the delta method's standard deviation over the law's own,

    .. math:: \sqrt{\frac{V_\Delta + V_0}{2\hat D/h + V_0}}, \quad V_0 = \frac{k-1}{2h^2}, \quad
              V_\Delta = \frac1m \mathrm{Var}_p \ln\frac pq + \frac1n \mathrm{Var}_q \frac pq

    The delta method alone, or a percentile bootstrap, covers almost nothing where D is small.

    Parameters
    ----------
    kl : array_like, shape (n_features,)
        Bias-corrected estimates, `drift.statistics.divergence.kl_corrected`.
    reference, current : array_like of counts, shape (n_features, n_cells)
    level
        Nominal coverage.

    Returns
    -------
    low, high : ndarray of float64, shape (n_features,)
        ``0 ≤ low ≤ max(0, kl) ≤ high``, finite.

    Examples
    --------
    >>> low, high = confidence_interval([0.0], [[5000, 5000]], [[500, 500]])
    >>> float(low[0]), round(float(high[0]), 4)
    (0.0, 0.0048)
    """
    x, y = np.array(reference, np.float64, ndmin=2), np.array(current, np.float64, ndmin=2)
    n, m = np.maximum(x.sum(axis=-1), 1), np.maximum(y.sum(axis=-1), 1)
    free = np.maximum(((x + y) > 0).sum(axis=-1) - 1.0, 1.0)
    p, q = smooth(y, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(q > 0, p / q, 0.0)
        log_ratio = np.where(ratio > 0, np.log(ratio), 0.0)
    delta = ((p * log_ratio**2).sum(axis=-1) - (p * log_ratio).sum(axis=-1) ** 2) / m
    delta += ((q * ratio**2).sum(axis=-1) - (q * ratio).sum(axis=-1) ** 2) / n
    return interval(np.nan_to_num(np.asarray(kl, np.float64)), free, n * m / (n + m), delta, level=level)


def interval(kl: Floats, free: Floats, h: Floats, delta: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the interval of an estimate with so many degrees of freedom, by the delta method's variance `delta`."""
    estimate = np.maximum(kl, 0.0)
    statistic = np.maximum(2 * h * kl + free, 0.0)
    tail = (1 - level) / 2
    low, high = (_noncentrality(statistic, free, p) / (2 * h) for p in (1 - tail, tail))
    base = free / (2 * h**2)
    scale = np.sqrt((np.maximum(delta, 0) + base) / (2 * estimate / h + base))
    low = np.clip(estimate - scale * np.maximum(estimate - low, 0), 0.0, estimate)
    return low, estimate + scale * np.maximum(high - estimate, 0)


def _noncentrality(x: Floats, df: Floats, p: float) -> Floats:
    """Return the noncentrality at which χ²(df) stays below `x` with probability `p`; 0 where there is none."""
    from scipy.special import chdtr, chndtrinc, ndtri

    z = float(ndtri(p))
    # Its normal limit with the first correction; beyond x = 1000 right to better than .1 %, and safe for any size.
    root = np.sqrt(z * z + np.maximum(x - df / 2, 0.0))
    found = np.maximum((root - z) ** 2 - df / 2 - (z * z - 1), 0.0)
    exact = (x < 1000) & (chdtr(df, x) > p)
    found[exact] = chndtrinc(x[exact], df[exact], p)
    found[chdtr(df, x) <= p] = 0.0
    return np.nan_to_num(found)
