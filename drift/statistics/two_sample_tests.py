r"""Two samples of counts, tested for a difference: which cells merge, four looks at them, and their combination.

Counts come as arrays of shape ``(n_features, n_cells)``, reference x and current y. The *last* column is the missing
cell (all zero where a feature has none); the others are in their natural order, padded with empty cells, which change
nothing.

The test of "nothing changed but sampling" looks four ways at once, because an omnibus test over twenty cells is blind
to a small shift of all of them and to a jump of one: all cells together (the likelihood ratio :math:`G = 2m\,KL`), the
cell that moved most, and, where cells have an order, location and scale (Wilcoxon's and Mood's rank scores over the
values that are present). Each has the law that permuting the rows would give it: a double saddlepoint or an exact sum
where cells expect few rows, χ² with Bartlett's correction [2]_ where they expect enough. The four are combined by the
Cauchy rule [1]_, which needs no knowledge of how they depend on each other.

References
----------
.. [1] Liu, Y. & Xie, J. (2020). Cauchy combination test. *J. Amer. Statist. Assoc.* 115(529), 393-402.
.. [2] Williams, D. A. (1976). Improved likelihood ratio tests for complete contingency tables. *Biometrika* 63(1),
   33-37.
.. [3] Lancaster, H. O. (1961). Significance tests in discrete distributions. *J. Amer. Statist. Assoc.* 56(294),
   223-234.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.statistics.saddlepoint import deviance_tail, excess, linear_tail, reach

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

MIN_POOLED = 5
"""Cells with fewer rows in both samples together are merged before testing."""

SPARSE = 5
"""Expected rows of the smaller sample from which a cell's part of G follows χ² with Bartlett's correction."""

TABULATED = 10
"""Expected rows below which a single cell's tail is summed exactly: alone it has no other cells to smooth its steps."""

TABULATED_ALONE = 200
"""… and those below which the tail of the one that moved most is: far out, where what is new lies, χ² errs longest."""

SEES_NOTHING = 0.9
"""The largest p-value combined: one of 1 would count as minus infinity, and outvote the looks that see something."""

FAR = 0.1
"""Rank scores whose normal p-value is below this are looked at more closely."""

BEYOND = 1e-15
"""Below this, p-values keep their approximate law: no false-discovery rate asks for more digits."""

SMALLEST_P = 1e-300


def merge_cells(reference: ArrayLike, current: ArrayLike, *, ordered: ArrayLike) -> tuple[Floats, Floats]:
    """Merge the cells in which both samples together have fewer than five rows.

    Ordered cells merge with their neighbours, unordered ones together; the missing rows of an ordered feature, if fewer
    than five, join its fullest cell. Only the pooled counts decide, so the law of all permutations stays what it was.

    Parameters
    ----------
    reference, current : array_like of counts, shape (n_features, n_cells)
        The last column is the missing cell.
    ordered : array_like of bool, shape (n_features,)

    Returns
    -------
    reference, current : ndarray of float64, shape (n_features, n_cells)
        Cells that were merged away are empty.

    Examples
    --------
    >>> x, y = merge_cells([[0, 9, 9, 2, 0, 3]], [[1, 9, 9, 2, 0, 9]], ordered=[True])
    >>> x.tolist(), y.tolist()
    ([[9.0, 11.0, 0.0, 0.0, 0.0, 3.0]], [[10.0, 11.0, 0.0, 0.0, 0.0, 9.0]])
    """
    x, y = np.array(reference, np.float64, ndmin=2), np.array(current, np.float64, ndmin=2)
    has_order = np.broadcast_to(np.asarray(ordered, bool), x.shape[:1])
    pooled = x + y
    few = np.flatnonzero(((pooled > 0) & (pooled < MIN_POOLED)).any(axis=1))
    if not len(few):
        return x, y
    group = np.where(has_order[few, None], _neighbours(pooled[few]), _together(pooled[few]))
    rows = np.arange(len(few))[:, None]
    for counts in (x, y):
        total = np.zeros_like(pooled[few])
        np.add.at(total, (rows, group), counts[few])
        counts[few] = total
    return x, y


def _neighbours(pooled: Floats) -> NDArray[np.intp]:
    """Return the cell each cell goes to: filled from the left, a remainder joins the last full one."""
    n_features, n_cells = pooled.shape
    group = np.zeros((n_features, n_cells), np.intp)
    held = np.zeros(n_features)
    here = np.zeros(n_features, np.intp)
    for cell in range(n_cells - 1):
        group[:, cell] = here
        held += pooled[:, cell]
        full = held >= MIN_POOLED
        here += full
        held[full] = 0
    leftover = (group[:, :-1] == here[:, None]) & (here > 0)[:, None]
    group[:, :-1] -= leftover
    sizes = np.zeros_like(pooled)
    np.add.at(sizes, (np.arange(n_features)[:, None], group[:, :-1]), pooled[:, :-1])
    fullest = sizes.max(axis=1)
    few = np.minimum(pooled[:, -1], fullest) < MIN_POOLED
    group[:, -1] = np.where(few & (fullest > 0), sizes.argmax(axis=1), n_cells - 1)
    return group


def _together(pooled: Floats) -> NDArray[np.intp]:
    """Return the cell each cell goes to: all small ones to the first small one, or to the smallest of the others."""
    cells = np.broadcast_to(np.arange(pooled.shape[1]), pooled.shape)
    small = pooled < MIN_POOLED
    enough = np.where(small, pooled, 0).sum(axis=1) >= MIN_POOLED
    others = np.where(small, np.inf, pooled)
    target = np.where(enough | small.all(axis=1), small.argmax(axis=1), others.argmin(axis=1))
    return np.where(small, target[:, None], cells)


def heads(x: Floats, y: Floats, *, ordered: Bools) -> Floats:
    """Return the p-values of the four looks at each row of counts, shape (4, n_rows); NaN where not taken.

    All cells, the largest cell, location, scale. Few rows are merged before all but the largest cell is looked at: its
    law is exact however few they are, and a label that is new is as much news with four rows as five rows allow.

    Examples
    --------
    >>> x, y = np.array([[500.0, 500, 0]]), np.array([[55.0, 45, 0]])
    >>> heads(x, y, ordered=np.array([False])).round(3).tolist()
    [[0.341], [0.341], [nan], [nan]]
    """
    # The smaller sample is the one whose law is tabulated.
    swap = (y.sum(axis=1) > x.sum(axis=1))[:, None]
    large, small = np.where(swap, y, x), np.where(swap, x, y)
    found = np.full((4, len(x)), np.nan)
    found[1] = largest_cell(large, small)
    large, small = merge_cells(large, small, ordered=ordered)
    found[0] = np.where((large + small > 0).sum(axis=1) > 2, all_cells(large, small), found[1])
    found[2:, ordered] = ranks(large[ordered, :-1], small[ordered, :-1])
    return found


def all_cells(x: Floats, y: Floats) -> Floats:
    """Return the p-value of G over all cells, shape (n_rows,); y is the smaller sample."""
    from scipy.special import chdtrc

    n, m = x.sum(axis=1), y.sum(axis=1)
    total, pooled = n + m, x + y
    k = (pooled > 0).sum(axis=1)
    free = np.maximum(k - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = pooled * (m / total)[:, None]
        g = 2 * (excess(y, expected) + excess(x, pooled - expected)).sum(axis=1)
        inverse = np.where(pooled > 0, 1 / pooled, 0).sum(axis=1)
        bartlett = 1 + (total * inverse - 1) * (total / n + total / m - 1) / (6 * total * free)
        least = np.where(pooled > 0, expected, np.inf).min(axis=1)
    sparse = least < SPARSE
    p = np.asarray(chdtrc(free, np.where(sparse, g, g / bartlett)))
    # G of cells that expect less than a row can be far below its degrees of freedom and still be much.
    rows = np.flatnonzero(sparse & (k > 2) & (p > BEYOND) & ((p < 0.5) | (least < 1)) & (g > 0))
    exact = deviance_tail(pooled[rows], m[rows], g[rows], sparse_below=SPARSE)
    p[rows] = np.where(np.isnan(exact), p[rows], exact)
    return p


def largest_cell(x: Floats, y: Floats) -> Floats:
    """Return the p-value of the largest G of a cell against all others together, shape (n_rows,); y is the smaller.

    The chance that a cell of its margins has so large a G is summed exactly where the cell expects few rows, what is
    equally large with half its weight (mid-p [3]_), and is that of χ² elsewhere; k cells are nearly independent
    (Šidák), two are one comparison.
    """
    n, m = x.sum(axis=1)[:, None], y.sum(axis=1)[:, None]
    total, pooled = n + m, x + y
    some = pooled > 0
    k = some.sum(axis=1)
    against = np.where(some, _against_the_rest(x, y, n, m), 0.0)
    g = against.max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bartlett = 1 + (total / pooled + total / (total - pooled) - 1) * (total / n + total / m - 1) / (6 * total)
        expected = pooled * m / total
    each = np.where(some, _chi2_one(g[:, None] / np.where(np.isfinite(bartlett), bartlett, 1.0)), 0.0)
    rough = _chi2_one(g)
    first_of_all = np.arange(x.shape[1]) == against.argmax(axis=1)[:, None]
    few = (expected < TABULATED) | (first_of_all & (expected < TABULATED_ALONE))
    rows, cells = np.nonzero(some & few & ((rough < 0.3) & (rough > BEYOND))[:, None])
    order = np.argsort(expected[rows, cells], kind="stable")
    for first in range(0, len(order), 2048):
        at = rows[order[first : first + 2048]], cells[order[first : first + 2048]]
        each[at] = _cell_tail(pooled[at], n[at[0], 0], m[at[0], 0], g[at[0]], equal=0.5)
    with np.errstate(divide="ignore"):
        together = -np.expm1(np.log1p(-np.minimum(each, 1 - 1e-16)).sum(axis=1))
    return np.asarray(np.where(k > 2, together, each.max(axis=1, initial=0.0)))


def cell_against_rest(x: Floats, y: Floats, n: Floats, m: Floats, excess_variance: Floats) -> Floats:
    """Return the p-value of one cell against all others together, shape (n_cells,).

    Parameters
    ----------
    x, y : float64, shape (n_cells,)
        Rows of the cell in both samples; not both 0.
    n, m : float64, shape (n_cells,)
        Rows of the samples.
    excess_variance : float64, shape (n_cells,)
        Of y, beyond that of rows that come one by one. Rows are then tested as if they came in clumps of one size.

    Examples
    --------
    >>> one = np.ones(1)
    >>> p = cell_against_rest(0 * one, 3 * one, 300 * one, 100 * one, 0 * one)
    >>> round(float(p[0]), 4)  # half of C(100, 3) / C(400, 3)
    0.0076
    """
    total, pooled = n + m, x + y
    single = m * pooled * (total - pooled) / (n * total)
    with np.errstate(divide="ignore"):
        clump = np.where(single > 0, 1 + excess_variance / np.maximum(single, SMALLEST_P), 1.0)
    swap, rest = m > n, 2 * pooled > total
    x, y, n, m = (
        np.where(swap, y, x) / clump,
        np.where(swap, x, y) / clump,
        np.where(swap, m, n) / clump,
        np.where(swap, n, m) / clump,
    )
    x, y = np.where(rest, n - x, x), np.where(rest, m - y, y)
    g = _against_the_rest(x, y, n, m)
    p = _chi2_one(g)
    few = ((x + y) * m / (n + m) < TABULATED) & (p > BEYOND)
    if few.any():
        exact = _cell_tail(np.maximum(np.round(x + y), 1)[few], np.ceil(n)[few], np.ceil(m)[few], g[few], equal=0.5)
        p[few] = np.where((clump[few] > 1) & (p[few] < 0.5), np.maximum(p[few], exact), exact)
    return p


def _against_the_rest(x: Floats, y: Floats, n: Floats, m: Floats) -> Floats:
    """Return G of each cell against all others together."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (x + y) / (n + m)
    cell = excess(x, n * share) + excess(y, m * share)
    return 2 * (cell + excess(n - x, n * (1 - share)) + excess(m - y, m * (1 - share)))


def _cell_tail(pooled: Floats, n: Floats, m: Floats, g: Floats, *, equal: float = 1.0) -> Floats:
    """Return the hypergeometric chance that a cell's G is more than `g`, and so much of that it is equal."""
    t, n, m = pooled[:, None], n[:, None], m[:, None]
    least = np.maximum(t - n, 0)
    y = least + np.arange(reach(float((t * m / (n + m)).max())), dtype=np.float64)
    inside = y <= np.minimum(t, m)
    y = np.minimum(y, np.minimum(t, m))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log((t - y) * (m - y) / ((y + 1) * (n - t + y + 1)))[:, :-1]
    log_mass = np.cumsum(np.concatenate([np.zeros_like(t), log_ratio], axis=1), axis=1)
    mass = np.where(inside, np.exp(log_mass - log_mass.max(axis=1, keepdims=True)), 0.0)
    each = _against_the_rest(t - y, y, n, m)
    # Clumps are not whole numbers: what is nearer to the mean than any whole number is taken for the nearest.
    observed = np.maximum(g, np.where(inside, each, np.inf).min(axis=1))[:, None]
    counted = np.where(each > observed * (1 + 1e-9), 1.0, np.where(each >= observed * (1 - 1e-9), equal, 0.0))
    return np.asarray((mass * counted).sum(axis=1) / mass.sum(axis=1))


def ranks(x: Floats, y: Floats) -> Floats:
    """Return the p-values of the location and the scale scores, shape (2, n_rows); NaN where the values do not vary."""
    n, m, pooled = x.sum(axis=1), y.sum(axis=1), x + y
    scores, population = _rank_scores(pooled)
    found = np.full(scores.shape[:2], np.nan)
    # Both scores of a row are looked at by themselves, in one pass.
    look, row = np.nonzero((population > 0) & (n > 0) & (m > 0))
    score, drawn, of_all = scores[look, row], m[row], n[row] + m[row]
    variance = population[look, row] * n[row] * drawn / (of_all - 1)
    s = (y[row] * score).sum(axis=1)
    z2 = s * s / variance
    p = _chi2_one(z2)
    # The scale score is skewed; far out the normal law then errs.
    far = np.flatnonzero((p < FAR) & (p > BEYOND))
    unit, z = np.sqrt(variance[far]), np.sqrt(z2[far])
    tail = linear_tail(score[far] * (np.sign(s[far]) / unit)[:, None], pooled[row[far]], drawn[far], z, z)
    p[far] = np.where(np.isnan(tail), p[far], np.minimum(2 * tail, 1.0))
    found[look, row] = p
    return found


def _rank_scores(pooled: Floats) -> tuple[Floats, Floats]:
    """Return Wilcoxon's and Mood's score of each cell, centred, and their population variances (0 where all are tied).

    Shapes (2, n_rows, n_cells) and (2, n_rows).
    """
    total = pooled.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rank = (np.cumsum(pooled, axis=-1) - pooled / 2) / total[:, None]
        scores = np.stack([rank, (rank - 0.5) ** 2])
        centred = scores - ((pooled * scores).sum(axis=-1) / total)[..., None]
        variance = (pooled * centred**2).sum(axis=-1) / total
    return centred, np.where(variance > 1e-12, variance, 0.0)


def _chi2_one(statistic: Floats) -> Floats:
    """Return the tail of χ² with one degree of freedom; the error function is ten times faster than `chdtrc`."""
    from scipy.special import erfc

    return np.asarray(erfc(np.sqrt(statistic / 2)))


def combine(p: Floats) -> Floats:
    """Combine p-values over the first axis by the Cauchy rule [1]_; a NaN is a look that was not taken.

    Examples
    --------
    >>> combine(np.array([[0.02, 0.5, 1e-20], [0.02, np.nan, 1.0]]))
    array([2.e-02, 5.e-01, 2.e-20])
    """
    made = np.isfinite(p)
    bounded = np.clip(np.where(made, p, 0.5), SMALLEST_P, SEES_NOTHING)
    score: Floats = np.where(bounded < 1e-8, 1 / (np.pi * bounded), np.tan((0.5 - bounded) * np.pi))
    mean: Floats = np.where(made, score, 0).sum(axis=0) / np.maximum(made.sum(axis=0), 1)
    return np.where(mean > 1e8, 1 / (np.pi * np.maximum(mean, 1e8)), 0.5 - np.arctan(mean) / np.pi)
