r"""Dependence: how two columns go together, apart from how each is distributed by itself.

Counts of pairs come as arrays of shape ``(n_pairs, a, b)``, reference x and current y. Empty rows and columns change
nothing, so that pairs of unequal shape are padded. With p and q the joint shares of today and of the reference, and
:math:`q^*` the reference *raked* to today's margins, the distribution nearest to q of those with the margins of p [1]_
[2]_,

.. math:: D(p\|q) = D(p\|q^*) + D(q^*\|q)

exactly, both parts ≥ 0. The second is what the margins did, which the histograms of both columns show. The first is
what the *pairing* did, which no histogram shows: it is 0 if and only if all odds ratios agree, and raking the reference
to any other margins first does not change it.

Whether it is more than sampling is tested as a logistic model [3]_: given how many rows of both samples together are in
a cell, those of today are binomial, and where the odds ratios agree, the logit of "this row is of today" is an effect
of the row plus one of the column. The deviance G of that fit has nearly a gamma law with the mean and the variance that
permutations with the margins fixed give it [4]_: the sum of those of each cell, exact where it expects less than a row,
less what the fitted effects took of it. For full tables that is χ² with (a − 1)(b − 1) degrees of freedom.

A join on the wrong key, a column sorted by itself, labels attached to the wrong rows: all mix the pairing with none,
:math:`p = (1 - \varepsilon) q^* + \varepsilon\, p_{i\cdot} p_{\cdot j}`. The share ε of such rows is estimated by the
score of that mixture at ε = .03, which sees them in cells that hold no row where all is well:

.. math:: \hat\varepsilon = \frac{\sum w_{ij} (p_{ij} - q^*_{ij})}{\sum w_{ij} (p_{i\cdot} p_{\cdot j} - q^*_{ij})},
          \quad w_{ij} = \frac{p_{i\cdot} p_{\cdot j} - q^*_{ij}}{.97\, q^*_{ij} + .03\, p_{i\cdot} p_{\cdot j}}

Its p-value is that of such a sum over binomial cells, by a saddlepoint [5]_.

References
----------
.. [1] Csiszár, I. (1975). I-divergence geometry of probability distributions and minimization problems. *Ann. Prob.*
   3(1), 146-158.
.. [2] Deming, W. E. & Stephan, F. F. (1940). On a least squares adjustment of a sampled frequency table when the
   expected marginal totals are known. *Ann. Math. Statist.* 11(4), 427-444.
.. [3] Bartlett, M. S. (1935). Contingency table interactions. *J. R. Statist. Soc. Suppl.* 2(2), 248-252.
.. [4] McCullagh, P. (1986). The conditional distribution of goodness-of-fit statistics for discrete data. *J. Amer.
   Statist. Assoc.* 81(393), 104-107.
.. [5] Lugannani, R. & Rice, S. (1980). Saddle point approximation for the distribution of the sum of independent random
   variables. *Adv. Appl. Prob.* 12(2), 475-490.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from drift.statistics.divergence import as_distribution, kl_divergence
from drift.statistics.saddlepoint import excess, reach
from drift.statistics.significance import interval
from drift.statistics.two_sample_tests import SMALLEST_P

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Curve = Callable[[Floats], tuple[Floats, Floats]]

LEAST_MARGIN = 10
"""Rows and columns of a table with fewer rows in either sample say nothing of how they go with the others."""

STEPS = 40
"""Newton's steps; a full table takes four, one that determines its own fit up to twenty."""

LONGEST_STEP = 1.5
"""No effect moves further at once, in units of the logarithm: the curve is exponential."""

TRACE = 0.02
"""Rows that are added to a cell."""

LEAST_MEAN = 0.5
"""A table whose G has a smaller mean is taken to have this one: hardly anything can happen in it."""

MIXED = 0.03
"""Share of rows paired at random that the estimate of this share is made to tell from none.

The less, the more it looks at cells that hold none, where real days differ least.
"""

FARTHEST = 60.0
"""How far a saddlepoint is followed: a cell is then e⁶⁰ times as likely as it was."""

DENSE = 50
"""Expected rows from which a cell's G follows χ² with Bartlett's correction to four digits."""


@dataclass(frozen=True, slots=True)
class Dependence:
    r"""How far each of n pairs of columns goes together differently than in the reference. Divergences in nats.

    Parameters
    ----------
    kl : float64, shape (n,)
        :math:`D(p\|q^*)` of the smoothed shares, ≥ 0.
    kl_corrected : float64, shape (n,)
        Its bias-corrected estimate; may be slightly negative.
    statistic, expected : float64, shape (n,)
        G, and its mean where nothing changed but sampling.
    free : float64, shape (n,)
        Degrees of freedom of the χ² law that G follows, scaled to its mean; 0 where nothing can be tested.
    p : float64, shape (n,)
        Calibrated p-value of "the odds ratios are those of the reference"; 1 where nothing can be tested.
    raked : float64, shape (n, a, b)
        :math:`q^*`: today's shares, had both columns changed alone.
    smoothed : float64, shape (n, a, b)
        q: the reference's shares. What cannot be compared is as it is today, in q and in :math:`q^*` alike.
    mixed : float64, shape (n,)
        Estimated share of today's rows in which the two go together as if drawn at random.
    mixed_sd : float64, shape (n,)
        Its standard deviation by sampling where there are none; infinite where the pair cannot show any.
    p_mixed : float64, shape (n,)
        Calibrated p-value of as large a share, where the odds ratios are those of the reference.
    h, delta : float64, shape (n,)
        What the `interval` needs: half the factor that makes a divergence the G of it, and the delta method's variance.
    """

    kl: Floats
    kl_corrected: Floats
    statistic: Floats
    expected: Floats
    free: Floats
    p: Floats
    raked: Floats
    smoothed: Floats
    mixed: Floats
    mixed_sd: Floats
    p_mixed: Floats
    h: Floats
    delta: Floats

    def interval(self, i: int) -> tuple[float, float]:
        """Return the 95 % confidence interval of the divergence of one pair: ``0 ≤ low ≤ high``."""
        if not self.free[i]:
            return 0.0, 0.0
        low, high = interval(*(each[i : i + 1] for each in (self.kl_corrected, self.expected, self.h, self.delta)))
        return float(low[0]), float(high[0])


def rake(table: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> Floats:
    r"""Return the distribution nearest to a table of those with given margins [1]_.

    It is :math:`q^*_{ij} = a_i b_j q_{ij}`, the limit of iterative proportional fitting [2]_, found by Newton's method:
    it has the odds ratios of the table, and its empty cells.

    Parameters
    ----------
    table : array_like, shape (n, a, b)
        Shares or counts.
    rows : array_like, shape (n, a)
    columns : array_like, shape (n, b)
        Margins of the result, of equal sums. Where the table has empty cells there may be no such distribution; then
        what is nearest to it.

    Returns
    -------
    ndarray of float64, shape (n, a, b)

    Examples
    --------
    >>> rake([[[0.4, 0.1], [0.1, 0.4]]], [[0.2, 0.8]], [[0.5, 0.5]]).round(4).tolist()
    [[[0.1826, 0.0174], [0.3174, 0.4826]]]
    """
    q = np.array(table, np.float64)
    for axis, target in ((2, np.asarray(rows, np.float64)), (1, np.asarray(columns, np.float64))):
        have = q.sum(axis=axis)
        q *= np.expand_dims(np.divide(target, have, out=np.zeros_like(have), where=have > 0), axis)

    def curve(effects: Floats) -> tuple[Floats, Floats]:
        return (now := q * np.exp(effects)), now

    margins = np.asarray(rows, np.float64), np.asarray(columns, np.float64)
    start = np.zeros_like(margins[0]), np.zeros_like(margins[1])
    return curve(_effects(curve, margins, start, exact=1e-13).sums)[0]


def pairing_divergence(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Return :math:`D(p\|q^*)`, the part of :math:`D(p\|q)` that is not of the margins, in nats.

    Parameters
    ----------
    p, q : array_like, shape (n, a, b)
        Joint probabilities: each table sums to 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        Infinite where p has rows in an empty cell of q.

    Raises
    ------
    DistributionError
        If p or q is not a distribution.

    Examples
    --------
    >>> together, apart = [[[0.5, 0.0], [0.0, 0.5]]], [[[0.25, 0.25], [0.25, 0.25]]]
    >>> pairing_divergence(together, apart).round(4).tolist()
    [0.6931]
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    as_distribution(p.reshape(len(p), -1), "P"), as_distribution(q.reshape(len(q), -1), "Q")
    near = rake(q, p.sum(axis=2), p.sum(axis=1)).reshape(len(q), -1)
    return kl_divergence(p.reshape(len(p), -1), near / near.sum(axis=1, keepdims=True))


def mutual_information(counts: ArrayLike) -> Floats:
    r"""Return how much two columns say of each other, in nats, corrected for bias and not below 0.

    .. math:: I = D(p\|p_{i\cdot} p_{\cdot j}) - \frac{(a_+ - 1)(b_+ - 1)}{2n}

    Parameters
    ----------
    counts : array_like, shape (..., a, b)

    Examples
    --------
    >>> round(float(mutual_information([[500, 0], [0, 500]])), 4)
    0.6926
    """
    x = np.asarray(counts, np.float64)
    n = np.maximum(x.sum(axis=(-2, -1)), 1)
    rows, columns = x.sum(axis=-1), x.sum(axis=-2)
    apart = rows[..., :, None] * columns[..., None, :] / n[..., None, None]
    free = np.maximum((rows > 0).sum(axis=-1) - 1, 0) * np.maximum((columns > 0).sum(axis=-1) - 1, 0)
    return np.asarray(np.maximum((excess(x, apart).sum(axis=(-2, -1)) - free / 2) / n, 0.0))


def dependence(reference: ArrayLike, current: ArrayLike) -> Dependence:
    r"""Compare how columns go together in two samples, whatever their margins.

    The reference's cells are drawn towards the rows :math:`\hat x` that the odds ratios common to both sides give them
    under its own margins, by one row: :math:`\hat x + (x - \hat x)\,\hat x/(\hat x + 1)`. So none is empty that could
    be met, and where the odds ratios agree the divergence is 0. Rows and columns of a table with fewer than
    `LEAST_MARGIN` rows in either sample are left out: of how they go with the others nothing is known.

    Parameters
    ----------
    reference, current : array_like of counts, shape (n_pairs, a, b)

    Examples
    --------
    >>> before, margins, mixed = [[[400, 100], [100, 400]]], [[[96, 24], [16, 64]]], [[[70, 50], [30, 50]]]
    >>> for after in (margins, mixed):
    ...     found = dependence(before, after)
    ...     print(f"{found.kl[0]:.3f} nats, p {found.p[0]:.2g}")
    0.000 nats, p 1
    0.094 nats, p 3.7e-08
    """
    from scipy.special import gammaincc

    whole = np.array(current, np.float64)
    x, y = _comparable(np.array(reference, np.float64), whole)
    t = x + y
    fitted, leverage = _logistic(x, y)
    rest = t - fitted
    g = 2 * (excess(y, fitted) + excess(x, rest)).sum(axis=(1, 2))
    mean, variance = _deviance_moments(t, fitted)
    usual = np.maximum(mean - leverage, 0.0)
    expected = usual.sum(axis=(1, 2))
    # Cells less fitted effects: at least one is free, and more is not left by rounding, as of a table of one row.
    testable = ((t > 0).sum(axis=(1, 2)) - leverage.sum(axis=(1, 2)) > 0.5) & (expected > 0)
    at_least = np.maximum(expected, LEAST_MEAN)
    spread = np.maximum((variance - leverage * np.minimum(variance, 2)).sum(axis=(1, 2)), at_least)
    p = np.where(testable, np.clip(gammaincc(at_least**2 / spread, g * at_least / spread), SMALLEST_P, 1), 1.0)
    free = np.where(testable, 2 * at_least**2 / spread, 0.0)

    n, m = (np.maximum(side.sum(axis=(1, 2), keepdims=True), 1) for side in (x, y))
    known = rest / (rest + 1)
    now, before = y / m, (rest + known * (x - rest)) / n
    near = rake(before, now.sum(axis=2), now.sum(axis=1))
    kl = excess(now, near).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where((now > 0) & (near > 0), np.log(now / near), 0.0)
        noise = usual * (1 + known**2 * fitted / np.maximum(rest, 0.1)) / m
        h = np.where(testable, expected / noise.sum(axis=(1, 2)), 1.0)
        off = np.where(before > 0, known**2 * (now - near) ** 2 / before, 0.0).sum(axis=(1, 2)) / n[:, 0, 0]
    delta = ((now * log_ratio**2).sum(axis=(1, 2)) - kl**2) / m[:, 0, 0] + off
    corrected = kl - np.where(testable, expected / (2 * h), 0.0)
    weight, gain, sd = _mixture(near, near * (1 / m + 1 / n))
    tells = (gain > 1e-12) & (sd > 1e-12)
    mixed = np.divide((weight * (now - near)).sum(axis=(1, 2)), gain, out=np.zeros_like(gain), where=tells)
    mixed_sd = np.divide(sd, gain, out=np.full_like(gain, np.inf), where=tells)
    # For the p-value the weights come from what permutations leave as it is: the rows of both samples, and margins.
    permuted, _, _ = _mixture(fitted, np.divide(fitted * rest, t, out=np.zeros_like(t), where=t > 0))
    # Of all rows of today; what cannot be compared is as it is.
    rows = np.maximum(whole.sum(axis=(1, 2), keepdims=True), 1)
    compared = y.sum(axis=(1, 2), keepdims=True) / rows
    share = compared[:, 0, 0]
    return Dependence(
        kl * share,
        corrected * share,
        g,
        at_least,
        free,
        p,
        near * compared + (whole - y) / rows,
        before / np.maximum(before.sum(axis=(1, 2), keepdims=True), 1e-300) * compared + (whole - y) / rows,
        mixed,
        mixed_sd,
        _score_tail(np.where(t > 0, permuted, 0.0), t, y, fitted),
        h / np.maximum(share, 1e-300),
        delta * share**2,
    )


def _comparable(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return both tables without the rows and columns that one of them hardly has."""
    while True:
        few = np.zeros(x.shape, np.bool_)
        for axis in (1, 2):
            least = np.minimum(x.sum(axis=axis, keepdims=True), y.sum(axis=axis, keepdims=True))
            few |= least < LEAST_MARGIN
        few &= x + y > 0
        if not few.any():
            return x, y
        x, y = np.where(few, 0.0, x), np.where(few, 0.0, y)


def _mixture(expected: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what each cell says of rows paired at random, what all of them add to that sum, and its deviation."""
    m = np.maximum(expected.sum(axis=(1, 2), keepdims=True), 1e-300)
    apart = expected.sum(axis=2, keepdims=True) * expected.sum(axis=1, keepdims=True) / m
    away, some = apart - expected, expected + apart > 0
    weight = np.divide(away, (1 - MIXED) * expected + MIXED * apart, out=np.zeros_like(away), where=some)
    gain = (away * weight).sum(axis=(1, 2))
    # Margins are the same on both sides: what rows and columns explain of the weights is not noise.
    by_cell = MIXED * variance * weight
    start = np.zeros(away.shape[:2]), np.zeros((len(away), away.shape[2]))
    margins = by_cell.sum(axis=2), by_cell.sum(axis=1)
    effects = _effects(lambda e: (variance * e, variance), margins, start, exact=1e-9 * max(float(m.max()), 1))
    weight = weight - effects.sums / MIXED
    return weight, gain, np.sqrt((variance * weight**2).sum(axis=(1, 2)))


def _score_tail(weight: Floats, t: Floats, y: Floats, fitted: Floats) -> Floats:
    """Return the chance that a score of binomial cells is as large: Lugannani and Rice's saddlepoint [5]_."""
    from scipy.special import ndtr

    weight = weight / np.maximum(np.abs(weight).max(axis=(1, 2), keepdims=True), 1e-300)
    share = np.divide(fitted, t, out=np.zeros_like(t), where=t > 0)
    score = (weight * (y - fitted)).sum(axis=(1, 2))
    variance = (t * share * (1 - share) * weight**2).sum(axis=(1, 2))
    z = np.divide(score, np.sqrt(variance), out=np.zeros_like(score), where=variance > 0)
    p = np.asarray(ndtr(-z))
    far = np.flatnonzero(z > 1)
    if not len(far):
        return p
    weight, t, share, score, variance = weight[far], t[far], share[far], score[far], variance[far]
    centre = (weight * t * share).sum(axis=(1, 2))
    at, left = score / variance, STEPS
    while True:
        at = np.clip(at, 1e-3, FARTHEST)
        grown = share * np.exp(at[:, None, None] * weight)
        total = 1 - share + grown
        odds = grown / total
        first = (t * weight * odds).sum(axis=(1, 2)) - centre
        second = np.maximum((t * weight**2 * odds * (1 - odds)).sum(axis=(1, 2)), 1e-300)
        step = np.clip((score - first) / second, -1, 1)
        if np.abs(step).max() < 1e-6 or not left:
            break
        at, left = at + step, left - 1
    exponent = (t * np.log(total)).sum(axis=(1, 2)) - at * centre
    root = np.sqrt(2 * np.maximum(at * score - exponent, 1e-12))
    p[far] = ndtr(-root - np.log(at * np.sqrt(second) / root) / root)
    return np.asarray(np.clip(p, SMALLEST_P, 1))


def _logistic(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return today's rows of each cell if the odds ratios agreed, and how much of its G the fitted effects take."""
    t = x + y
    # A trace of the common share in every cell: where one side is empty throughout, no effect runs away.
    trace = np.where(t > 0, TRACE, 0.0)
    share = y.sum(axis=(1, 2), keepdims=True) / np.maximum(t.sum(axis=(1, 2), keepdims=True), 1)
    x, y, t = x + trace * (1 - share), y + trace * share, t + trace

    def curve(effects: Floats) -> tuple[Floats, Floats]:
        share = 1 / (1 + np.exp(-effects))
        return (now := t * share), now * (1 - share)

    def log_odds(axes: tuple[int, ...]) -> Floats:
        before, now = x.sum(axis=axes), y.sum(axis=axes)
        return np.asarray(np.log((now + (now == 0)) / (before + (before == 0))))

    margins = y.sum(axis=2), y.sum(axis=1)
    start = log_odds((2,)), log_odds((1,)) - log_odds((1, 2))[:, None]
    found = _effects(curve, margins, start, exact=1e-3)
    fitted, variance = curve(found.sums)
    fitted *= (t - trace) / np.maximum(t, 1e-300)
    inverse = np.linalg.inv(found.information)
    crossed = found.crossed @ inverse
    of_row = found.scale + (crossed * found.crossed).sum(axis=2)
    spread = of_row[:, :, None] - 2 * crossed + np.diagonal(inverse, axis1=1, axis2=2)[:, None, :]
    return fitted, np.where(t > 0, variance * spread, 0.0)


@dataclass(frozen=True, slots=True)
class _Effects:
    """What fits a table to its margins: the sums of an effect a row and one a column, and what is known of these."""

    sums: Floats
    scale: Floats
    crossed: Floats
    information: Floats


def _effects(curve: Curve, margins: tuple[Floats, Floats], start: tuple[Floats, Floats], *, exact: float) -> _Effects:
    """Find the effects by Newton's method on the convex dual, the rows' eliminated."""
    rows, columns = (each.copy() for each in start)
    diagonal = np.arange(columns.shape[1])
    left = STEPS
    while True:
        sums = rows[:, :, None] + columns[:, None, :]
        mean, variance = curve(sums)
        off_rows, off_columns = margins[0] - mean.sum(axis=2), margins[1] - mean.sum(axis=1)
        scale = 1 / np.maximum(variance.sum(axis=2), 1e-12)
        crossed = variance * scale[:, :, None]
        information = -(crossed.transpose(0, 2, 1) @ variance)
        # One effect is free, more where a table falls into parts: a little of each keeps the system regular.
        information[:, diagonal, diagonal] += variance.sum(axis=1) * (1 + 1e-9) + 1e-12
        off = max(np.abs(off_rows).max(initial=0), np.abs(off_columns).max(initial=0))
        if off <= exact or not left:
            return _Effects(sums, scale, crossed, information)
        left -= 1
        gradient = off_columns - (off_rows[:, None, :] @ crossed)[:, 0]
        by_column = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        by_row = scale * off_rows - (crossed @ by_column[:, :, None])[:, :, 0]
        longest = np.maximum(np.abs(by_row).max(axis=1), np.abs(by_column).max(axis=1))
        length = np.minimum(1, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))[:, None]
        rows += length * by_row
        columns += length * by_column


# -- the law of a cell's deviance -------------------------------------------------------------------------------------

_ROWS = np.array([*range(1, 17), 20, 24, 32, 48, 64, 96, 128, 256, 1e4])
_LOG_EXPECTED = np.linspace(np.log(1e-4), np.log(1.2 * DENSE), 128)


@cache
def _tabulated() -> tuple[Floats, Floats]:
    """Return mean and variance of a binomial cell's deviance, by its rows and the logarithm of those expected."""
    t, mean = _ROWS[:, None, None], np.minimum(np.exp(_LOG_EXPECTED)[:, None], 0.9999 * _ROWS[:, None, None])
    y = np.arange(reach(float(mean.max())), dtype=np.float64)
    inside, y = y <= t, np.minimum(y, t)
    odds = np.log(mean / (t - mean))
    with np.errstate(divide="ignore"):
        steps = np.log((t - y[..., :-1]) / (y[..., :-1] + 1)) + odds
    mass = np.cumsum(np.concatenate([np.zeros_like(odds), steps], axis=2), axis=2)
    mass = np.where(inside, np.exp(mass - mass.max(axis=2, keepdims=True)), 0.0)
    mass /= mass.sum(axis=2, keepdims=True)
    g = 2 * (excess(y, mean) + excess(t - y, t - mean))
    first = (mass * g).sum(axis=2)
    return first, (mass * g**2).sum(axis=2) - first**2


def _deviance_moments(t: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of each cell's deviance, t its rows on both sides and how many of today it expects."""
    fewer = np.minimum(expected, t - expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        bartlett = np.where(t > 0, 1 + (t / (fewer * (t - fewer)) - 1 / t) / 6, 0.0)
    mean, variance = bartlett, 2 * bartlett**2
    cells = np.nonzero((t > 0) & (fewer < DENSE))
    rows, log_expected = t[cells], np.log(np.maximum(fewer[cells], 1e-300))
    # Linear between rows in 1 / t, between expectations in their logarithm.
    above = np.clip(np.searchsorted(_ROWS, rows, "right"), 1, len(_ROWS) - 1)
    by_rows = np.clip((1 / _ROWS[above - 1] - 1 / rows) / (1 / _ROWS[above - 1] - 1 / _ROWS[above]), 0, 1)
    place = (log_expected - _LOG_EXPECTED[0]) / (_LOG_EXPECTED[1] - _LOG_EXPECTED[0])
    left = np.clip(place, 0, len(_LOG_EXPECTED) - 2).astype(np.intp)
    by_expected = np.clip(place - left, 0, 1)
    for moment, table in zip((mean, variance), _tabulated(), strict=True):
        lower, upper = (
            table[at, left] * (1 - by_expected) + table[at, left + 1] * by_expected for at in (above - 1, above)
        )
        moment[cells] = lower * (1 - by_rows) + upper * by_rows
    return mean, variance
