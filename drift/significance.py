r"""How surely two windows differ: p-values, confidence intervals, false discoveries, a feature's own history.

Counts come as two arrays of shape ``(n_features, n_cells)``, reference and current; the last column is the missing
cell.

References
----------
.. [1] Besag, J. & Clifford, P. (1991). Sequential Monte Carlo p-values. *Biometrika* 78(2), 301-304.
.. [2] Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. *J. R. Statist.
   Soc. B* 57(1), 289-300.
.. [3] Wilson, E. B. & Hilferty, M. M. (1931). The distribution of chi-square. *Proc. Nat. Acad. Sci.* 17(12), 684-688.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.contingency import DENSE, SMALLEST_P, Permutations, approximate_p, merge_cells, tail_bound
from drift.divergence import smooth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

PERMUTE_BELOW = 0.10
"""A sparse feature whose approximate p-value is below this is permuted."""

HISTORY = 56
"""Windows of a feature's own past that the next one is held against: eight weeks of days."""

MIN_HISTORY = 14
"""Fewer windows say too little: two weeks of days hold every weekday twice, and the MAD of 14 is known to ±25 %."""


def p_values(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    ordered: ArrayLike,
    fdr: float = 0.01,
    seeds: Sequence[Sequence[int]] | None = None,
) -> Floats:
    """Return the p-value of "nothing changed but sampling" for each feature.

    Small cells are merged. Where every cell then expects at least 20 rows in both samples, the parts of the statistic
    have their χ² laws; elsewhere Pearson's χ² has the gamma law with its exact permutation moments, and if the result
    is below .10 the whole statistic is permuted, sequentially (Besag & Clifford [1]_): until ten permutations are as
    extreme as the data, the false-discovery verdict is beyond doubt, or ``n_features / fdr`` are done.

    Parameters
    ----------
    reference, current : array_like of counts, shape (n_features, n_cells)
        The last column is the missing cell.
    ordered : array_like of bool, shape (n_features,)
        Whether the cells before the last have an order.
    fdr
        The false-discovery rate the p-values will be held against; decides how far permutations must reach.
    seeds
        What `numpy.random.default_rng` takes, one for each feature; its number by default.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        In (0, 1]. 1 where a side is empty or all rows are in one cell.

    Examples
    --------
    >>> p_values([[500, 500, 0], [500, 500, 0]], [[50, 50, 0], [20, 80, 0]], ordered=[False, True]).round(12).tolist()
    [0.99, 4.475e-09]
    """
    x, y = merge_cells(reference, current, ordered=ordered)
    n, m = x.sum(axis=1), y.sum(axis=1)
    n_features = len(x)
    has_order = np.broadcast_to(np.asarray(ordered, bool), (n_features,))
    p = np.ones(n_features)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(x + y > 0, (x + y) * (np.minimum(n, m) / (n + m))[:, None], np.inf).min(
            axis=1, initial=np.inf
        )
    comparable = (n > 0) & (m > 0) & ((x + y > 0).sum(axis=1) > 1)
    dense = expected >= DENSE
    some = np.flatnonzero(comparable)
    p[some] = approximate_p(x[some], y[some], ordered=has_order[some], dense=dense[some])
    doubtful = comparable & ~dense & (p < PERMUTE_BELOW)
    if doubtful.any():
        bound = np.where(doubtful, tail_bound(x, y, ordered=has_order), 1.0)
        # A hundredth of what can matter: taking the bound there adds at most 1 % to the error rate of the permutations.
        obvious = bound <= 0.01 * fdr / n_features
        p[obvious] = bound[obvious]
        chosen = np.flatnonzero(doubtful & ~obvious).tolist()
        p = _permuted(x, y, p, has_order, chosen, fdr, [[i] for i in range(n_features)] if seeds is None else seeds)
    return np.clip(p, SMALLEST_P, 1.0)


def _permuted(
    x: Floats, y: Floats, p: Floats, ordered: Bools, chosen: Sequence[int], fdr: float, seeds: Sequence[Sequence[int]]
) -> Floats:
    """Replace the p-values of the `chosen` features by sequential permutation."""
    p = p.copy()
    most = max(int(np.ceil(len(p) / fdr)), 999)
    tests = {i: Permutations(x[i], y[i], ordered=bool(ordered[i]), rng=np.random.default_rng(seeds[i])) for i in chosen}
    live = list(chosen)
    block = 128
    while live:
        for i in live:
            p[i] = tests[i].more(block)
        # A verdict beyond doubt needs no more: called even at half the rate, or far from it. More draws would change
        # the digits, hardly ever the verdict.
        q = benjamini_hochberg(p)
        live = [i for i in live if not tests[i].settled and q[i] > fdr / 2 and (q[i] <= 4 * fdr or tests[i].hits < 4)]
        drawn = max((tests[i].drawn for i in live), default=most)
        block = min(drawn, most - drawn)
        if block <= 0:
            break
    return p


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Return for each p-value the smallest false-discovery rate at which it would be called [2]_.

    Calling every feature with ``q ≤ rate`` keeps the expected share of false calls among the called at or below `rate`,
    for independent and for positively dependent features.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    values = np.asarray(p, np.float64)
    n = len(values)
    order = np.argsort(values, kind="stable")
    # The factor is at least 1 in floating point too, so that no q is below its p.
    steps = values[order] * (n / np.arange(1, n + 1))
    q = np.empty(n)
    q[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return np.minimum(q, 1.0)


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
        Bias-corrected estimates, `drift.divergence.kl_corrected`.
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
    estimate = np.nan_to_num(np.maximum(np.asarray(kl, np.float64), 0.0))
    n, m = np.maximum(x.sum(axis=-1), 1), np.maximum(y.sum(axis=-1), 1)
    free = np.maximum(((x + y) > 0).sum(axis=-1) - 1.0, 1.0)
    h = n * m / (n + m)
    statistic = np.maximum(2 * h * np.nan_to_num(np.asarray(kl, np.float64)) + free, 0.0)
    tail = (1 - level) / 2
    low, high = (_noncentrality(statistic, free, p) / (2 * h) for p in (1 - tail, tail))
    p, q = smooth(y, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(q > 0, p / q, 0.0)
        log_ratio = np.where(ratio > 0, np.log(ratio), 0.0)
    delta = ((p * log_ratio**2).sum(axis=-1) - (p * log_ratio).sum(axis=-1) ** 2) / m
    delta += ((q * ratio**2).sum(axis=-1) - (q * ratio).sum(axis=-1) ** 2) / n
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


def history_statistic(kl: ArrayLike, n_reference: ArrayLike, n_current: ArrayLike, cells: ArrayLike) -> Floats:
    r"""Return :math:`\sqrt[3]{2h\,\mathrm{KL}/(k-1)}`, comparable between windows of any size, nearly normal [3]_.

    Examples
    --------
    >>> float(history_statistic(0.018, 1000, 1000, 10))
    1.2599210498948732
    """
    n, m = np.asarray(n_reference, np.float64), np.asarray(n_current, np.float64)
    free = np.maximum(np.asarray(cells, np.float64) - 1, 1)
    return np.asarray(np.cbrt(2 * n * m / np.maximum(n + m, 1) * np.asarray(kl, np.float64) / free))


def history_z(statistic: float, past: ArrayLike, cells: int, *, windows: int = HISTORY) -> float | None:
    r"""Say how far a window lies beyond the feature's own past, in robust standard deviations.

    Real days are not independent draws: a delay differs from day to day far more than sampling explains, a timetable
    far less. The median of the past and its MAD take the place of theory. The standard deviation is never taken below
    what sampling alone gives, :math:`\sqrt{2/(9(k-1))}` [3]_, so that a past without any variation does not cry wolf.

    Parameters
    ----------
    statistic
        Of this window, by `history_statistic`.
    past : array_like
        Of the windows before, newest last; only the last `windows` count.
    cells
        Occupied cells of this window.
    windows
        How far back to look.

    Returns
    -------
    float or None
        None where fewer than `MIN_HISTORY` windows are known.

    Examples
    --------
    >>> round(history_z(2.0, [1.0] * 20, 10), 2)
    6.36
    >>> history_z(2.0, [1.0] * 9, 10) is None
    True
    """
    values = np.asarray(past, np.float64)
    values = values[np.isfinite(values)][-windows:]
    if len(values) < MIN_HISTORY:
        return None
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    least = float(np.sqrt(2 / (9 * max(cells - 1, 1))))
    return (float(statistic) - median) / max(spread, least)
