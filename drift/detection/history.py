r"""Own history: how far a window lies beyond the windows before it, in standard deviations.

Real days are not independent draws from one urn. A delay differs from day to day far more than sampling explains, a
timetable far less; weekdays differ from Sundays. So a window is compared with the quiet windows before it
(`own_past`), in two ways.

As a whole: `history_z` of the statistic of its divergence. The past are the feature's earlier scores; as long as
these are too few the stored windows stand in, each compared with the rest of them (`leave_one_out`). Of a feature whose
past differs no more than sampling explains, sampling theory says more than a short past can: `sampling_z`.

Cell by cell: `unusual_cell`, and `unusual_label` for labels that have none. The days of a feature differ along few
directions (location, scale, the weekday), which its past shows; a cell whose share strays from these is news, even
where the divergence as a whole is not.

References
----------
.. [1] Wilson, E. B. & Hilferty, M. M. (1931). The distribution of chi-square. *Proc. Nat. Acad. Sci.* 17(12), 684-688.
.. [2] Rousseeuw, P. J. & Croux, C. (1993). Alternatives to the median absolute deviation. *J. Am. Stat. Assoc.*
   88(424), 1273-1283.
.. [3] Jackson, J. E. & Mudholkar, G. S. (1979). Control procedures for residuals associated with principal component
   analysis. *Technometrics* 21(3), 341-349.
.. [4] Anscombe, F. J. (1948). The transformation of Poisson, binomial and negative-binomial data. *Biometrika* 35(3/4),
   246-254.
.. [5] McCullagh, P. & Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., 4.5.2 and 9.2.4.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.scores import CellShift, Past
from drift.profiles.binning import NumericBinning
from drift.statistics import divergence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import ArrayLike, NDArray

    from drift.profiles.histograms import Histogram, Profile
    from drift.statistics.divergence import Smoothing

    Floats = NDArray[np.float64]

HISTORY = 56
"""Windows of a feature's own past that the next one is compared with: eight weeks of days."""

MIN_HISTORY = 5
"""Fewer windows say nothing: with the two before this one that persistence looks at, a week of days."""

LASTING = 7
"""This many windows in a row that drift are an event, and no part of what is usual when it is over."""

OWN_HISTORY = 14
"""With fewer scores of its own than this, a verdict says that the history is short."""

DIRECTIONS = 2
"""The days of a feature are taken to differ by themselves along at most this many directions: location and scale."""

CELLS_A_DIRECTION = 4
"""A feature has one direction per this many cells: one of three cells has none, or nothing would be left."""

LEAST_SHARE = 0.005
"""A cell that moved by less than this share of the rows is not news."""

PRIOR = 20.0
"""How many degrees of freedom the assumption weighs that a feature's windows differ by sampling alone."""

RESTLESS = 0.1
"""From this p-value down a past speaks against sampling; a long one would say so more clearly, and has a lower one."""

_CLIP = 3.0
_UPPER = 0.8
_UPPER_NORMAL = 0.8416212335729143  # the normal quantile of _UPPER
_FOLDED_NORMAL = 1.2815515655446004  # of a normal absolute value

_ORDER_STATISTIC = {(3, 2): 0.67, (3, 3): 0.75, (2, 2): 0.83, (5, 3): 0.54}
"""Standard deviation of the n-th largest of that many normal draws; 1 is always on the safe side."""


# -- as a whole -------------------------------------------------------------------------------------------------------


def history_statistic(kl: ArrayLike, n_reference: ArrayLike, n_current: ArrayLike, cells: ArrayLike) -> Floats:
    r"""Return :math:`\sqrt[3]{2h\,\mathrm{KL}/(k-1)}`, comparable between windows of any size, nearly normal [1]_.

    Examples
    --------
    >>> float(history_statistic(0.018, 1000, 1000, 10))
    1.2599210498948732
    """
    n, m = np.asarray(n_reference, np.float64), np.asarray(n_current, np.float64)
    free = np.maximum(np.asarray(cells, np.float64) - 1, 1)
    return np.asarray(np.cbrt(2 * n * m / np.maximum(n + m, 1) * np.asarray(kl, np.float64) / free))


def history_z(recent: ArrayLike, past: ArrayLike, cells: ArrayLike, *, at_least: int = 1) -> Floats:
    r"""Say how far a window lies beyond each feature's own past, in robust standard deviations.

    The median of the past takes the place of theory's mean, and the larger of its MAD and of the distance from the
    median to the 80th percentile (both scaled to a normal standard deviation) that of theory's standard deviation: the
    MAD alone does not see the weekend, two days of seven, nor that the past is skewed. It is never taken below what
    sampling alone gives, :math:`\sqrt{2/(9(k-1))}` [1]_, so that a past without any variation does not cry wolf. What
    is learned from few windows is divided by `uncertainty`.

    Of several recent windows, what `at_least` so many of them reach is compared with what stretches of the same length
    in the past reached: a small change that lasts is found sooner than by counting windows, and a column whose days
    resemble each other has its own law.

    Parameters
    ----------
    recent : array_like, shape (n_features, n_recent)
        By `history_statistic`; this window last.
    past : array_like, shape (n_features, n_windows)
        Of the windows before these, newest last; at least as many as there are recent ones.
    cells : array_like of int, shape (n_features,)
        Occupied cells of this window.

    Examples
    --------
    >>> history_z([[2.0], [1.2]], [[1.0] * 56, [1.0] * 56], [10, 10]).round(2).tolist()
    [6.36, 1.27]
    >>> history_z([[2.0]], [[1.0] * 14], [10]).round(2).tolist()
    [3.79]
    >>> lasting = [history_z([[1, last, 2.0]], [[1.0] * 56], [10], at_least=2) for last in (1, 2)]
    >>> [z.round(1).tolist() for z in lasting]
    [[0.0], [8.2]]
    """
    before, last = np.asarray(past, np.float64), np.asarray(recent, np.float64)
    of = last.shape[1]
    reached, now = before, last[:, -1]
    if of > 1:
        reached = np.sort(np.lib.stride_tricks.sliding_window_view(before, of, axis=1), axis=-1)[..., of - at_least]
        now = np.sort(last, axis=1)[:, of - at_least]
    median = np.median(reached, axis=1)
    spread = 1.4826 * np.median(np.abs(reached - median[:, None]), axis=1)
    upper = (np.quantile(reached, _UPPER, axis=1) - median) / _UPPER_NORMAL
    narrow = _ORDER_STATISTIC.get((of, at_least), 1.0)
    least = np.sqrt(2 / (9 * np.maximum(np.asarray(cells) - 1, 1))) * narrow
    scale = np.maximum(np.maximum(spread, upper), least) * uncertainty(_independent(before.shape[1], of))
    return np.asarray((now - median) / scale)


def sampling_z(statistic: ArrayLike, cells: ArrayLike, past: ArrayLike, past_cells: ArrayLike) -> tuple[Floats, Floats]:
    r"""Say how far a window lies beyond sampling, and how much that counts beside the feature's own history.

    With :math:`G = 2h\,\mathrm{KL}`, :math:`\chi^2_{k-1}` under sampling alone, the windows of a feature are taken to
    have one factor of overdispersion, :math:`G/\varphi \sim \chi^2`. Its estimate is drawn towards 1, as if
    :math:`\nu_0` = `PRIOR` degrees of freedom had shown just that, and is never below 1:

    .. math:: \tilde\varphi = \max\!\left(1, \frac{\nu_0 + \sum G_i}{\nu_0 + \nu}\right), \qquad
              z = \Phi^{-1}\!\left(F_{k-1,\,\nu_0+\nu}\!\left(\frac{G}{(k-1)\,\tilde\varphi}\right)\right),
              \qquad \nu = \sum (k_i - 1)

    over the windows of the past: an F in place of a :math:`\chi^2`, as the scale of a linear model is treated [5]_.
    The weight is 1 where the past says nothing against sampling, and falls to 0 with :math:`P(\chi^2_\nu \ge \sum
    G_i)` from `RESTLESS` :math:`/ (1 + \nu/2\nu_0)` down.

    Parameters
    ----------
    statistic : array_like, shape (n_features,)
        Of this window, by `history_statistic`.
    cells : array_like of int, shape (n_features,)
        Occupied cells of this window.
    past, past_cells : array_like, shape (n_features, n_windows)
        The same of the windows before.

    Returns
    -------
    z, weight : ndarray of float64, shape (n_features,)

    Examples
    --------
    >>> z, weight = sampling_z([2.0, 2.0], [10, 10], [[1.0] * 7, [1.5] * 7], [[10] * 7] * 2)
    >>> z.round(1).tolist(), weight.round(2).tolist()
    ([5.5, 2.5], [1.0, 0.0])
    """
    from scipy.special import chdtrc, fdtrc, ndtri

    free, past_free = (np.maximum(np.asarray(each, np.float64) - 1, 1) for each in (cells, past_cells))
    total = (np.asarray(past, np.float64) ** 3 * past_free).sum(axis=1)
    known = past_free.sum(axis=1)
    scale = np.maximum((PRIOR + total) / (PRIOR + known), 1.0)
    tail = fdtrc(free, PRIOR + known, np.asarray(statistic, np.float64) ** 3 / scale)
    weight = np.clip(chdtrc(known, total) * (1 + known / (2 * PRIOR)) / RESTLESS, 0.0, 1.0)
    return np.asarray(-ndtri(np.maximum(tail, np.finfo(np.float64).tiny))), np.asarray(weight)


def _independent(windows: int, of: int) -> float:
    """Return as how many independent values stretches of `of` windows count: they overlap."""
    return 2 * windows / (of + 1)


@lru_cache(maxsize=1 << 10)
def uncertainty(windows: float) -> float:
    """Return the factor by which a threshold learned from this few windows is raised, compared with one of 56.

    The robust standard deviation of few windows is itself uncertain [2]_: of seven normal ones, four such deviations
    are exceeded 80 times as often as of 56. Raised as the quantile of Student's t with half as many degrees of freedom
    as a standard deviation would have, the rate is again that of 56 (simulated: within a factor of 1.5 from 7 on).

    Examples
    --------
    >>> [round(uncertainty(windows), 2) for windows in (7, 14, 28, 56, 365)]
    [4.59, 1.68, 1.16, 1.0, 1.0]
    """
    from scipy.special import stdtrit

    if windows >= HISTORY:
        return 1.0
    tail = 1 - 1.63e-4  # where four deviations of 56 windows lie
    return float(stdtrit((windows - 1) / 2, tail) / stdtrit((HISTORY - 1) / 2, tail))


# -- what the past is -------------------------------------------------------------------------------------------------


def loud(past: Sequence[Past], *, most: int | None) -> frozenset[datetime]:
    """Return where the windows start that say nothing of what is usual; `past` is oldest first.

    Beside a reference that cannot follow (`most` is None) these are all that drift by themselves. Beside one that does,
    single ones belong to what a feature does. An event that lasts is no measure of itself: windows that drift without a
    break, up to now or for as long as `LASTING`. More than `most` of these are usual.
    """
    if most is None:
        return frozenset(window.window_start for window in past if window.severity != "none")
    runs: list[list[datetime]] = [[]]
    for window in past:
        if window.severity == "none":
            runs.append([])
        else:
            runs[-1].append(window.window_start)
    *over, lasting = runs
    found = frozenset(start for run in (*(each for each in over if len(each) >= LASTING), lasting) for start in run)
    return found if len(found) <= most else frozenset()


def leave_one_out(profiles: Sequence[Profile], feature: str, *, smoothing: Smoothing = "pooled") -> list[Past]:
    """Compare each window with all the others: what its score would have been, had there been one.

    The profiles are those of one window each, oldest first, under the same binnings. There is as much as there are
    windows with rows of the feature, if there are two; with severity ``none``.
    """
    having = [p for p in profiles if p.window and feature in p.histograms and p.histograms[feature].n]
    if len(having) < 2:
        return []
    now = np.array([p.histograms[feature].counts for p in having], np.float64)
    rest = now.sum(axis=0) - now
    current, reference = divergence.smooth(now, rest, smoothing)
    kl = divergence.contributions(current, reference).sum(axis=1)
    corrected = divergence.kl_corrected(now, rest)
    cells = int((now.sum(axis=0) > 0).sum())
    return [
        Past(p.window.start, float(a), float(b), int(n), int(m), cells, "none")
        for p, a, b, n, m in zip(having, kl, corrected, rest.sum(axis=1), now.sum(axis=1), strict=True)
        if p.window
    ]


def own_past(
    scored: Sequence[Past],
    feature: str,
    profiles: Sequence[Profile],
    *,
    windows: int,
    recent: int,
    most: int | None,
    baseline: Sequence[Profile] = (),
    smoothing: Smoothing = "pooled",
) -> list[Past]:
    """Return the windows that the next one of a feature is compared with: the quiet ones, and then the last few.

    Everything is oldest first.

    Parameters
    ----------
    scored, feature
        The feature's earlier scores.
    profiles
        The stored windows: as long as fewer than half of `windows` are quiet, those without a score stand in, each
        compared with the others.
    windows
        From how many windows a past is learned.
    recent
        How many windows before this one persistence looks at: these stand last, quiet or not.
    most
        As in `loud`.
    baseline
        Where the reference cannot adapt, its own windows, each compared with the others. From `OWN_HISTORY` of them on
        these alone are the past: what drifts by hardly enough is called on some days, and on the others it is quiet
        and would become usual.
    """
    apart = loud(scored, most=most)
    if baseline:
        own = leave_one_out(baseline, feature, smoothing=smoothing)
        if len(own) >= OWN_HISTORY:
            scored = scored[max(len(scored) - recent, 0) :]
    elif len(scored) - len(apart) < min(windows // 2, len(profiles)):
        still = [p for p in profiles if p.window and p.window.start not in apart]
        own = leave_one_out(still, feature, smoothing=smoothing)
    else:
        own = []
    last = {past.window_start for past in scored[max(len(scored) - recent, 0) :]}
    stands_in = {past.window_start for past in own} - ({p.window_start for p in scored} if not baseline else last)
    known = [
        *(past for past in own if past.window_start in stands_in),
        *(past for past in scored if past.window_start not in stands_in and past.window_start not in apart - last),
    ]
    if baseline:
        # Its windows may be later than this one.
        return known
    if len(known) < MIN_HISTORY + recent and apart:
        # What was called before there was a history is no event.
        return own_past(scored, feature, profiles, windows=windows, recent=recent, most=0)
    return sorted(known, key=lambda past: past.window_start)


# -- cell by cell -----------------------------------------------------------------------------------------------------


def unusual_cell(
    past: Sequence[Histogram], recent: Sequence[Histogram], *, persistence: tuple[int, int] = (1, 1)
) -> CellShift | None:
    r"""Return the cell whose share lies farthest beyond its own past, or None where there is too little of one.

    In :math:`\sqrt{\text{share}}`, of which sampling has the standard deviation :math:`1/(2\sqrt m)` whatever the share
    [4]_. The windows of the past differ from their median along few principal directions (clipped at three deviations a
    cell, so that an incident does not become one); what a window leaves of these is the residual, as in the control
    charts of [3]_. Its unit is the residuals of the past, each window left out of its own (leverage), by the larger of
    MAD and 80th percentile; never less than sampling.

    The recent windows, this one last, are as many as `persistence` looks at, if there are as many. `lasting` is of the
    residual that as many of them reach as a change must last, compared with what stretches of the same length in the
    past reached: an autocorrelated column has its own law.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> past = [Histogram(carriers, [600 + day % 7, 400, 0, 0, 0]) for day in range(56)]
    >>> now = Histogram(carriers, [600, 390, 0, 10, 0])
    >>> found = unusual_cell(past, [past[0], now, now], persistence=(3, 2))
    >>> found.cell, found.usual, found.share, round(found.z), round(found.lasting)
    ('unseen', 0.0, 0.01, 6, 8)
    """
    past, recent = ([one for one in some if one.n] for some in (past, recent))
    looked_at = min(persistence[0], len(recent))
    needed = min(persistence[1], looked_at)
    if len(past) < OWN_HISTORY or not looked_at:
        return None
    before, now = (_shares(some) for some in (past, recent[-looked_at:]))
    usual = _middle(before)
    least = 0.5 / np.sqrt(recent[-1].n)
    strayed, residual = _residuals(np.sqrt(before), np.sqrt(now), least)
    unsure = uncertainty(len(past))
    unsure_of_many = uncertainty(_independent(len(past), looked_at))
    away = _deviations(strayed, residual[-1], least) / unsure
    strays = np.sort(np.lib.stride_tricks.sliding_window_view(strayed, looked_at, axis=0), axis=-1)
    stays = np.sort(residual, axis=0)
    narrow = least * _ORDER_STATISTIC.get((looked_at, needed), 1.0)
    best: CellShift | None = None
    for sign, at in ((1.0, looked_at - needed), (-1.0, needed - 1)):
        z = sign * away
        lasting = _deviations(sign * strays[..., at], sign * stays[at], narrow) / unsure_of_many
        # What is over is not news: this window itself has to stray.
        small = sign * (now[-1] - usual) < LEAST_SHARE
        z[small] = 0.0
        lasting[small | (np.sort(sign * (now - usual), axis=0)[looked_at - needed] < LEAST_SHARE)] = 0.0
        for i in {int(z.argmax()), int(lasting.argmax())}:
            if max(z[i], lasting[i]) > (max(best.z, best.lasting) if best else 0.0):
                was, is_now = float(usual[i]), float(now[-1, i])
                nats = _binary_kl(is_now, was, 0.5 / recent[-1].n)
                best = CellShift(recent[-1].binning.cells[i], was, is_now, nats, float(z[i]), float(lasting[i]))
    return best


def unusual_label(
    past: Sequence[Histogram], recent: Sequence[Histogram], *, persistence: tuple[int, int] = (1, 1)
) -> CellShift | None:
    """Return the largest label without a cell, or number below or above all bins, that no window of the past held.

    None where there is none. How far beyond is measured against what the past had of such labels: each of its windows
    had others, perhaps, that the windows before it did not hold. With a new label a day a new label is not news.

    Parameters
    ----------
    past, recent, persistence
        As for `unusual_cell`.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.counting import count_labels
    >>> carriers = CategoricalBinning(("UA",))
    >>> past = [count_labels(carriers, ["UA", "AS"], [950, 50])] * 56
    >>> now = count_labels(carriers, ["UA", "HA"], [950, 50])
    >>> found = unusual_label(past, [past[0], now, now], persistence=(3, 2))
    >>> found.cell, found.usual, found.share, round(found.z), round(found.lasting)
    ('HA', 0.0, 0.05, 14, 21)
    """
    past, recent = ([one for one in some if one.n] for some in (past, recent))
    looked_at = min(persistence[0], len(recent))
    if len(past) < OWN_HISTORY or not looked_at:
        return None
    now = [_outside(one) for one in recent[-looked_at:]]
    if max(now[-1].values(), default=0.0) < LEAST_SHARE:
        return None
    known: set[str] = set()
    news = []
    for labels in map(_outside, past):
        news.append(max((share for label, share in labels.items() if label not in known), default=0.0))
        known |= labels.keys()
    label = max(now[-1].keys() - known, key=lambda label: (now[-1][label], label), default=None)
    if label is None or now[-1][label] < LEAST_SHARE:
        return None
    reached = sorted(each.get(label, 0.0) for each in now)[looked_at - min(persistence[1], looked_at)]
    # Of the first windows all labels are new.
    usual = np.sqrt(np.array(news[MIN_HISTORY:]))[:, None]
    least, unsure = 0.5 / np.sqrt(recent[-1].n), uncertainty(len(usual))
    narrow = least * _ORDER_STATISTIC.get((looked_at, min(persistence[1], looked_at)), 1.0)
    z = float(_deviations(usual, np.sqrt([now[-1][label]]), least)[0]) / unsure
    lasting = float(_deviations(usual, np.sqrt([reached]), narrow)[0]) / unsure if reached >= LEAST_SHARE else 0.0
    share = now[-1][label]
    return CellShift(label, 0.0, share, _binary_kl(share, 0.0, 0.5 / recent[-1].n), max(z, 0.0), max(lasting, 0.0))


def _outside(histogram: Histogram) -> dict[str, float]:
    """Return the shares of what recurs without a cell: of labels, and of numbers below or above all bins."""
    binning, atoms = histogram.binning, histogram.atoms
    if atoms is None:
        return {}
    if not isinstance(binning, NumericBinning):
        return dict(zip(atoms.values.tolist(), (atoms.rows / histogram.n).tolist(), strict=True))
    cells = binning.cell_of(atoms.values)
    ends = (cells == 0) | (cells == len(binning.edges))
    found = zip(atoms.values[ends].tolist(), (atoms.rows[ends] / histogram.n).tolist(), strict=True)
    return {f"= {binning.format(value)}": share for value, share in found}


def _binary_kl(share: float, usual: float, least: float) -> float:
    """Return D(share‖usual) of a cell beside all the others together; a cell never seen counts as half a row."""
    p, q = (np.array([s, 1 - s]) for s in (share, float(np.clip(usual, least, 1 - least))))
    return float(divergence.contributions(p, q).sum())


def _shares(histograms: Sequence[Histogram]) -> Floats:
    counts = np.array([one.counts for one in histograms], np.float64)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _residuals(past: Floats, recent: Floats, least: float) -> tuple[Floats, Floats]:
    """Return what the principal directions of the past leave of it, each window left out, and of the recent windows."""
    middle = _middle(past)
    before, now = past - middle, recent - middle
    occupied = int(((past > 0).any(axis=0) | (recent > 0).any(axis=0)).sum())
    directions = min(DIRECTIONS, (occupied - 1) // CELLS_A_DIRECTION)
    if not directions:
        return before, now
    limit = _CLIP * np.maximum(1.4826 * _middle(np.abs(before)), least)
    clipped = np.clip(before, -limit, limit)
    left, _, right = np.linalg.svd(clipped, full_matrices=False)
    left, right = left[:, :directions], right[:directions]
    leverage = np.minimum((left**2).sum(axis=1), 0.9)
    before = (before - clipped @ right.T @ right) / (1 - leverage)[:, None]
    return before, now - np.clip(now, -limit, limit) @ right.T @ right


def _middle(figures: Floats) -> Floats:
    """Return the median of each column; of few rows, without NaN, a sort is quicker than `numpy.median`."""
    ordered = np.sort(figures, axis=0)
    return np.asarray((ordered[(len(figures) - 1) // 2] + ordered[len(figures) // 2]) / 2)


def _deviations(past: Floats, now: Floats, least: float) -> Floats:
    """Return how far `now` lies beyond the past in its robust standard deviations, cell by cell."""
    middle = _middle(past)
    distance = np.sort(np.abs(past - middle), axis=0)
    n = len(distance)
    spread = 1.4826 * (distance[(n - 1) // 2] + distance[n // 2]) / 2
    far = distance[min(int(np.ceil(_UPPER * (n - 1))), n - 1)] / _FOLDED_NORMAL
    return np.asarray((now - middle) / np.maximum(np.maximum(spread, far), least))
