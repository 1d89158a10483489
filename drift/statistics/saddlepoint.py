r"""Tails of sums of counts whose total is given, to a few per cent however far out: the double saddlepoint.

Two samples of m and n rows are drawn from one population. Given the pooled count :math:`t_i` of every cell, the counts
of the sample of m rows are independent :math:`Y_i \sim \mathrm{Bin}(t_i, \pi)`, :math:`\pi = m/(n+m)`, conditional on
:math:`\sum Y_i = m`: the law of all permutations of the rows. For :math:`S = \sum_i f_i(Y_i)` with the joint cumulant
function :math:`K(a, b) = \sum_i \ln E\, e^{a f_i(Y_i) + b Y_i}`, solve :math:`K_a = s,\ K_b = m`; then [1]_ [2]_

.. math:: P(S \ge s \mid \textstyle\sum Y_i = m) \approx \Phi\!\left(-w - \tfrac1w \ln\tfrac vw\right), \quad
          w = \mathrm{sgn}(a)\sqrt{2(as + bm - K)}, \quad v = a \sqrt{|K''(a,b)| / K_{bb}(0,0)}.

It takes the place of thousands of permutations, has no random part, and is as good at :math:`10^{-8}` as at .05.

References
----------
.. [1] Skovgaard, I. M. (1987). Saddlepoint expansions for conditional distributions. *J. Appl. Prob.* 24(4), 875-887.
.. [2] Barndorff-Nielsen, O. E. (1991). Modified signed log likelihood ratio. *Biometrika* 78(3), 557-563.
.. [3] Robinson, J. (1982). Saddlepoint approximations for permutation tests and confidence intervals. *J. R. Statist.
   Soc. B* 44(1), 91-101.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Cumulants = Callable[[Floats, Floats], tuple[Floats, Floats, Floats, Floats, Floats, Floats]]

STEPS = 12
"""Newton's steps; it takes four or five."""

CHUNK = 64
"""Rows tabulated at a time: their tables fit the cache."""


def conditional_tail(cumulants: Cumulants, s: Floats, m: Floats, *, start: Floats, limit: Floats) -> Floats:
    r"""Return :math:`P(S \ge s \mid T = m)` of each row, shape (n_rows,).

    Parameters
    ----------
    cumulants
        :math:`K, K_a, K_b, K_{aa}, K_{ab}, K_{bb}` of (S, T) at (a, b); 0 at the origin, where :math:`K_b = m`.
    s, m : float64, shape (n_rows,)
    start : float64, shape (n_rows,)
        Where to begin in a; b begins at 0.
    limit : float64, shape (n_rows,)
        What a stays below.

    Returns
    -------
    ndarray of float64
        NaN where there is no saddlepoint (s at the end of what S can be) or where s is the mean of S.
    """
    from scipy.special import ndtr

    a, b = start.astype(np.float64), np.zeros_like(s)
    flat, arrived = cumulants(b, b)[5], np.zeros(len(s), np.bool_)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            k, ka, kb, kaa, kab, kbb = cumulants(a, b)
            off_a, off_b, determinant = ka - s, kb - m, kaa * kbb - kab**2
            step_a = (kab * off_b - kbb * off_a) / determinant
            step_b = (kab * off_a - kaa * off_b) / determinant
            room = np.where(step_a > 0, (limit - a) / 2, np.inf)
            length = np.fmin(1.0, np.fmin(room / np.abs(step_a), 2 / np.abs(step_b)))
            step_a, step_b = np.nan_to_num(length * step_a), np.nan_to_num(length * step_b)
            # A row that has arrived stays, so that no row's digits depend on how long the others take.
            a, b = np.where(arrived, a, a + step_a), np.where(arrived, b, b + step_b)
            # What the exponent still gained by this step; at the saddlepoint it is stationary.
            arrived |= np.abs(step_a * off_a + step_b * off_b) < 1e-5
            if arrived.all():
                break
        k, ka, kb, kaa, kab, kbb = cumulants(a, b)
        w = np.sign(a) * np.sqrt(np.maximum(2 * (a * s + b * m - k), 0.0))
        v = a * np.sqrt((kaa * kbb - kab**2) / flat)
        tail = ndtr(-w - np.log(v / w) / w)
        found = (np.abs(w) > 1e-2) & (np.abs(ka - s) <= 1e-2 * (1 + np.abs(s))) & (np.abs(kb - m) <= 1e-2 * (1 + m))
    return np.where(found & np.isfinite(tail), tail, np.nan)


def excess(count: Floats, expected: Floats) -> Floats:
    """Return ``a ln(a / e) - a + e``: half of what a count adds to a deviance, never negative, 0 where a = e.

    Examples
    --------
    >>> excess(np.array([0.0, 5.0, 10.0]), np.array([5.0, 5.0, 5.0])).round(4).tolist()
    [5.0, 0.0, 1.9315]
    """
    off = count - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        # log1p keeps its digits where a and e are huge and nearly equal.
        return np.where(count > 0, np.maximum(count * np.log1p(off / expected) - off, 0.0), expected)


def deviance_tail(pooled: Floats, m: Floats, g: Floats, *, sparse_below: float) -> Floats:
    r"""Return the chance that the deviance G of all cells is at least `g`; NaN where it is not found.

    The deviance of a cell is :math:`f_i(y) = 2[y \ln\frac{y}{t_i\pi} + (t_i-y) \ln\frac{t_i-y}{t_i(1-\pi)}]`; their sum
    is the G of the whole table. Cells with few expected rows are tabulated; in the others f is the square of a normal
    variable, times Bartlett's factor.

    Parameters
    ----------
    pooled : float64, shape (n_rows, n_cells)
        Rows of both samples.
    m : float64, shape (n_rows,)
        Rows of the smaller sample, at most half of all.
    g : float64, shape (n_rows,)
    sparse_below
        Expected rows of the smaller sample below which a cell is tabulated. Every row has such a cell.

    Examples
    --------
    >>> p = deviance_tail(np.array([[5.0, 6, 7, 8, 40]]), np.array([22.0]), np.array([12.0]), sparse_below=10)
    >>> round(float(p[0]), 3)  # by two million permutations .0305, by χ² with 4 degrees of freedom .0174
    0.031
    """
    tail = np.empty(len(g))
    share = m / pooled.sum(axis=1)
    expected = pooled * share[:, None]
    sparse = (pooled > 0) & (expected < sparse_below)
    # Rows of like size together: a table is as wide as the largest of them needs.
    order = np.argsort(np.where(sparse, expected, 0).max(axis=1), kind="stable")
    for first in range(0, len(order), CHUNK):
        rows = order[first : first + CHUNK]
        tail[rows] = _deviance_tail(pooled[rows], share[rows], m[rows], g[rows], sparse[rows])
    return tail


def _deviance_tail(pooled: Floats, share: Floats, m: Floats, g: Floats, sparse: Bools) -> Floats:
    rows, cells = np.nonzero(sparse)
    starts = np.searchsorted(rows, np.arange(len(pooled)))
    t, p = pooled[rows, cells][:, None], share[rows][:, None]
    y = np.arange(reach(float((t * p).max())), dtype=np.float64)
    y2, x, inside = y * y, np.maximum(t - y, 0), y <= t
    with np.errstate(divide="ignore"):
        log_ratio = np.log(x[:, :-1] / y[1:]) + np.log(p / (1 - p))
    log_mass = np.cumsum(np.concatenate([t * np.log1p(-p), log_ratio], axis=1), axis=1)
    f = np.where(inside, 2 * (excess(y, t * p) + excess(x, t - t * p)), 0.0)

    dense = (pooled > 0) & ~sparse
    variance = np.where(dense, pooled * (share * (1 - share))[:, None], 0.0)
    mean = np.where(dense, pooled, 0).sum(axis=1) * share
    with np.errstate(divide="ignore"):
        bartlett = np.where(dense, 1 + (1 / (share * (1 - share)) - 1)[:, None] / (6 * pooled), 0.0)

    def cumulants(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        weight = log_mass + a[rows, None] * f
        weight += b[rows, None] * y
        top = weight.max(axis=1, keepdims=True)
        weight -= top
        np.exp(weight, out=weight)
        total = weight.sum(axis=1)
        weight /= total[:, None]
        mean_y = weight @ y
        var_y = weight @ y2 - mean_y**2
        weight *= f
        mean_f = weight.sum(axis=1)
        covariance = weight @ y - mean_f * mean_y
        weight *= f
        var_f = weight.sum(axis=1) - mean_f**2
        sums = np.stack([np.log(total) + top[:, 0], mean_f, mean_y, var_f, covariance, var_y])
        k, ka, kb, kaa, kab, kbb = np.add.reduceat(sums, starts, axis=1)
        # Z normal: ln E exp(a c Z² + b σ Z) = b²σ² / (2(1 - 2ac)) - ln(1 - 2ac) / 2.
        c, q = bartlett, 1 - 2 * a[:, None] * bartlett
        return (
            k + b * mean + b * b * (variance / q).sum(axis=1) / 2 - np.log(q).sum(axis=1) / 2,
            ka + b * b * (c * variance / q**2).sum(axis=1) + (c / q).sum(axis=1),
            kb + mean + b * (variance / q).sum(axis=1),
            kaa + 4 * b * b * (c**2 * variance / q**3).sum(axis=1) + 2 * (c / q**2 * c).sum(axis=1),
            kab + 2 * b * (c * variance / q**2).sum(axis=1),
            kbb + (variance / q).sum(axis=1),
        )

    free = np.maximum((pooled > 0).sum(axis=1) - 1, 1)
    limit = np.where(dense.any(axis=1), 0.5 / np.maximum(bartlett.max(axis=1), 0.1), np.inf)
    with np.errstate(divide="ignore"):
        # The saddlepoint of a χ² law.
        start = np.clip((1 - free / g) / 2, -1.0, 0.9 * np.minimum(limit, 0.5))
    return conditional_tail(cumulants, g, m, start=start, limit=limit)


def reach(expected: float) -> int:
    """Return how many counts 0, 1, 2, … a table needs for cells that expect at most this many rows."""
    return int(expected + 10 * np.sqrt(expected) + 10)


def linear_tail(scores: Floats, pooled: Floats, m: Floats, s: Floats, start: Floats) -> Floats:
    r"""Return the chance that the sum of scores :math:`\sum_i a_i Y_i` is at least `s` [3]_; NaN where it is not found.

    Parameters
    ----------
    scores, pooled : float64, shape (n_rows, n_cells)
        Scores are centred: their mean over the pooled rows is 0.
    m, s : float64, shape (n_rows,)
    start : float64, shape (n_rows,)
        `s` over the variance of S.

    Sums that lie on a lattice have half of P(S = s) in the tail, as a mid-p has.

    Examples
    --------
    >>> tail = linear_tail(*np.array([[[-1.5, -0.5, 0.5, 1.5]], [[9.0, 9, 9, 9]]]), *np.array([[12.0], [10], [1]]))
    >>> round(float(tail[0]), 4)  # by two million permutations P(S > 10) = .0003, P(S ≥ 10) = .0010
    0.0006
    """
    log_odds = np.log(m / (pooled.sum(axis=1) - m))
    base = np.logaddexp(0, log_odds)[:, None]

    def cumulants(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
        tilt = a[:, None] * scores + (b + log_odds)[:, None]
        k = (pooled * (np.logaddexp(0, tilt) - base)).sum(axis=1)
        mean = pooled / (1 + np.exp(-tilt))
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.where(pooled > 0, mean * (1 - mean / pooled), 0.0)
        by_score = variance * scores
        return (
            k,
            (mean * scores).sum(axis=1),
            mean.sum(axis=1),
            (by_score * scores).sum(axis=1),
            by_score.sum(axis=1),
            variance.sum(axis=1),
        )

    return conditional_tail(cumulants, s, m, start=start, limit=np.full(len(s), np.inf))
