r"""Selection bias: the counts to test with, freed of what fitting the cells on one of the samples does to them.

Cells are fitted on a reference and frozen; the same rows are then compared with a current window that had no say in the
cells. Untreated, that alone raises alarms:

- *Ties*: a value has a cell of its own if it holds 2 % of the reference, in part by luck.
- *Levels*: the fifty most frequent labels are in part the luckiest; they fall back in any other window.
- *Unseen labels*: a reference has no label that it has not seen; a long-tailed feature's current window always has.

What is done about it holds for any law of the labels:

- A level is tested by itself only if its pooled count would have made it a level anyway: of t rows of a label in both
  samples the reference has :math:`X \sim \mathrm{Bin}(t, n/(n+m))`; :math:`P(X \le c)` may be `CHANCE` at most, with c
  the rows of the most frequent label that is not a level. Which labels these are is then decided by pooled counts
  alone, so all permutations of the rows are equally likely, as the test supposes. All other labels, known or not, are
  one cell. A tie likewise; if it could have missed that, it counts with the bins on both its sides.
- Unseen labels are compared with what the fit leaves to expect. Each row whose label no other row has is unseen to the
  rest of the reference [1]_, so with :math:`f_1, f_2` labels seen once and twice and :math:`a = m/n`

  .. math:: d = y_\mathrm{unseen} - a f_1, \quad E\,d = 0, \quad
            \mathrm{Var}\,d = a (1 + a) f_1 \left(1 - \tfrac{f_1}{n}\right) + 2 a^2 f_2.

  The last term is the excess over two binomial counts: an unseen label comes more than once. A reference of other
  windows than the fit's own holds unseen labels itself; of these and of what is to be expected the larger counts.

References
----------
.. [1] Good, I. J. (1953). The population frequencies of species and the estimation of population parameters.
   *Biometrika* 40(3-4), 237-264.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.fitting import TIE_SHARE
from drift.statistics.two_sample_tests import cell_against_rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drift.profiles.binning import Binning, Vocabulary

    Floats = NDArray[np.float64]

CHANCE = 0.02
"""How likely a level that is tested by itself may at most have missed becoming one."""


def as_tested(x: Floats, y: Floats, binnings: Sequence[Binning]) -> tuple[Floats, Floats, Floats]:
    """Return the counts to test with, and the p-value of the number of unseen labels.

    Parameters
    ----------
    x, y : float64, shape (n_features, n_cells)
        Reference and current counts, neither side empty; the last column is the missing cell.
    binnings
        Of each feature.

    Returns
    -------
    x, y : float64, shape (n_features, n_cells)
    unseen : float64, shape (n_features,)
        NaN where unseen labels do not matter.

    Examples
    --------
    >>> from drift.profiles.binning import Vocabulary
    >>> binning = CategoricalBinning(("a", "b"), rare=("c", "d"), vocabulary=Vocabulary(100, 2, 0, 1))
    >>> x, y, unseen = as_tested(np.array([[95.0, 3, 2, 0, 0]]), np.array([[90.0, 4, 0, 6, 0]]), [binning])
    >>> x.tolist(), y.tolist(), unseen.round(2).tolist()
    ([[95.0, 0.0, 5.0, 0.0, 0.0]], [[90.0, 0.0, 10.0, 0.0, 0.0]], [0.16])
    """
    tested_x, tested_y = x.copy(), y.copy()
    for before, after, binning in zip(tested_x, tested_y, binnings, strict=True):
        if isinstance(binning, NumericBinning):
            _numbers(before, after, binning)
        elif not binning.boolean:
            _labels(before, after, binning)
    return tested_x, tested_y, _unseen_p(x, y, binnings)


def expected_unseen(x: Floats, binnings: Sequence[Binning]) -> Floats:
    """Return how many of the reference's rows have a label that is unseen to its other rows, shape (n_features,).

    Examples
    --------
    >>> from drift.profiles.binning import Vocabulary
    >>> binning = CategoricalBinning(("a",), rare=("b", "c"), vocabulary=Vocabulary(1000, 2, 0, 1))
    >>> expected_unseen(np.array([[4990.0, 10, 0, 0], [4900.0, 20, 80, 0]]), [binning] * 2).tolist()
    [10.0, 80.0]
    """
    found = np.zeros(len(x))
    for i, binning in enumerate(binnings):
        if isinstance(binning, CategoricalBinning) and binning.rare is not None and not binning.boolean:
            known, held = binning.vocabulary, unseen_rows(x[i], binning)
            found[i] = max(held, (x[i].sum() - x[i, -1]) * known.once / known.rows) if known else held
    return found


def unseen_rows(counts: Floats, binning: CategoricalBinning) -> float:
    """Return the rows of all unseen labels, with a cell of their own or without."""
    return float(counts[: binning.n_cells - 1][binning.whole_cells[:-1] == binning.whole.unseen].sum())


def _numbers(x: Floats, y: Floats, binning: NumericBinning) -> None:
    """Count values whose cell may be luck with their neighbours."""
    from scipy.special import bdtr

    if binning.n_cells <= 3:
        return
    above, edges = binning.missing - 1, binning.edges[:-1]
    alone = ~binning.shared(edges)
    if not alone.any():
        return
    n, m = x[:-1].sum(), y[:-1].sum()
    single = np.zeros(above, np.bool_)
    single[np.searchsorted(binning.whole_cells, np.arange(1, len(edges) + 1))] = alone
    pooled, cutoff = (x + y)[:above], np.ceil(TIE_SHARE * n) - 1
    luck = single & (bdtr(cutoff, np.maximum(pooled, cutoff + 1).astype(np.int64), n / max(n + m, 1)) > CHANCE)
    if not luck.any():
        return
    # What a value that is not a tie would be part of: the bin on both its sides, as far as no true tie bounds it.
    inside = ~(single & ~luck)
    inside[0] = False
    joined = (luck[:-1] | luck[1:]) & inside[:-1] & inside[1:]
    first = np.flatnonzero(np.append(True, ~joined))
    for counts in (x, y):
        sums = np.add.reduceat(counts[:above], first)
        counts[:above] = 0
        counts[first] = sums


def _labels(x: Floats, y: Floats, binning: CategoricalBinning) -> None:
    """Count all labels as *other* but the levels that would be levels whatever the split of their rows."""
    from scipy.special import bdtr

    levels, known = len(binning.levels), binning.vocabulary
    n, m = x[:-1].sum(), y[:-1].sum()
    # A part of the fit's rows has that part of the labels' rows.
    cutoff = np.floor(known.cutoff * (min(1.0, n / known.rows) if known.rows else 1.0)) if known else 0.0
    pooled = x[:levels] + y[:levels]
    alone = bdtr(cutoff, np.maximum(pooled, cutoff + 1).astype(np.int64), n / max(n + m, 1)) <= CHANCE
    small = np.append(np.flatnonzero(~alone), binning.unseen)
    for counts in (x, y):
        counts[binning.other] += counts[small].sum()
        counts[small] = 0


def _unseen_p(x: Floats, y: Floats, binnings: Sequence[Binning]) -> Floats:
    """Return the p-value of the current window's unseen labels, shape (n_features,); NaN where there are none."""
    expected = expected_unseen(x, binnings)
    found = np.full(len(x), np.nan)
    rows: list[int] = []
    values: list[tuple[float, float, float, float, float]] = []
    for i, binning in enumerate(binnings):
        if isinstance(binning, CategoricalBinning) and binning.rare is not None and not binning.boolean:
            n, m = x[i, :-1].sum(), y[i, :-1].sum()
            held, seen = unseen_rows(x[i], binning), unseen_rows(y[i], binning)
            new = expected[i] + seen
            if n and m and 0 < new < n + m:
                rows.append(i)
                excess = _excess_variance(held, expected[i], seen, n, m, binning.vocabulary)
                values.append((expected[i], seen, n, m, excess))
    if rows:
        found[rows] = cell_against_rest(*np.array(values).T)
    return found


def _excess_variance(held: float, expected: float, seen: float, n: float, m: float, known: Vocabulary | None) -> float:
    """Return by how much the variance of unseen rows exceeds that of rows that come one by one."""
    if not known or not known.rows:
        return 0.0
    # Unseen labels that the reference itself holds are a plain sample of those that there are.
    topped_up = 1 - held / expected if expected else 1.0
    # Where next to no label was seen twice, what both samples have seen says more than their number.
    again = n * (n - expected + m - seen) / (n + m)
    twice = again * (known.twice + 0.5) / (known.rows - known.once + 1)
    return float(topped_up * 2 * (m / known.rows) ** 2 * twice)
