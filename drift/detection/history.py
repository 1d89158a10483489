r"""Own history: how far a window lies beyond the windows before it, in robust standard deviations.

Real days are not independent draws from one urn. A delay differs from day to day far more than sampling explains, a
timetable far less; weekdays differ from Sundays. So a window is compared with the windows before it, in two ways.

As a whole: `history_z` of the statistic of its divergence. The past are the feature's earlier scores; as long as
these are too few the stored windows stand in, each compared with the rest of them (`leave_one_out`).

Cell by cell: `unusual_cell`. The days of a feature differ along few directions (location, scale, the weekday), which
its past shows; a cell whose share strays from these is news, even where the divergence as a whole is not.

References
----------
.. [1] Wilson, E. B. & Hilferty, M. M. (1931). The distribution of chi-square. *Proc. Nat. Acad. Sci.* 17(12), 684-688.
.. [2] Rousseeuw, P. J. & Croux, C. (1993). Alternatives to the median absolute deviation. *J. Am. Stat. Assoc.*
   88(424), 1273-1283.
.. [3] Jackson, J. E. & Mudholkar, G. S. (1979). Control procedures for residuals associated with principal component
   analysis. *Technometrics* 21(3), 341-349.
.. [4] Anscombe, F. J. (1948). The transformation of Poisson, binomial and negative-binomial data. *Biometrika* 35(3/4),
   246-254.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.detection.scores import CellShift, Past
from drift.statistics import divergence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from drift.profiles.histograms import Histogram, Profile
    from drift.statistics.divergence import Smoothing

    Floats = NDArray[np.float64]

HISTORY = 56
"""Windows of a feature's own past that the next one is compared with: eight weeks of days."""

MIN_HISTORY = 7
"""Fewer windows say nothing: a week of days holds every weekday once."""

OWN_HISTORY = 14
"""With fewer scores of its own than this, a verdict says that the history is short."""

DIRECTIONS = 2
"""The days of a feature are taken to differ by themselves along at most this many directions: location and scale."""

CELLS_A_DIRECTION = 4
"""A feature has one direction per this many cells: one of three cells has none, or nothing would be left."""

LEAST_SHARE = 0.005
"""A cell that moved by less than this share of the rows is not news."""

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


def history_z(
    statistic: ArrayLike,
    past: ArrayLike,
    cells: ArrayLike,
    *,
    windows: int = HISTORY,
    persistence: tuple[int, int] = (1, 1),
) -> Floats | None:
    r"""Say how far a window lies beyond each feature's own past, in robust standard deviations.

    The median of the past takes the place of theory's mean, and the larger of its MAD and of the distance from the
    median to the 80th percentile (both scaled to a normal standard deviation) that of theory's standard deviation: the
    MAD alone does not see the weekend, two days of seven, nor that the past is skewed. It is never taken below what
    sampling alone gives, :math:`\sqrt{2/(9(k-1))}` [1]_, so that a past without any variation does not cry wolf. What
    is learned from few windows is divided by `uncertainty`.

    With a `persistence`, windows looked at and how many of them must reach the statistic, what as many of the last
    windows reach is compared with what stretches of the same length in the past reached: a small change that lasts is
    found sooner than by counting windows, and a column whose days resemble each other has its own law.

    Parameters
    ----------
    statistic : array_like, shape (n_features,)
        Of this window, by `history_statistic`.
    past : array_like, shape (n_features, n_windows)
        Of the windows before, newest last.
    cells : array_like of int, shape (n_features,)
        Occupied cells of this window.

    Returns
    -------
    ndarray of float64, shape (n_features,), or None
        None where fewer than `MIN_HISTORY` windows are known.

    Examples
    --------
    >>> history_z([2.0, 1.2], [[1.0] * 56, [1.0] * 56], [10, 10]).round(2).tolist()
    [6.36, 1.27]
    >>> history_z([2.0], [[1.0] * 14], [10]).round(2).tolist(), history_z([2.0], [[1.0] * 6], [10])
    ([3.79], None)
    >>> lasting = [history_z([2.0], [[1.0] * 56 + last], [10], persistence=(3, 2)) for last in ([1, 1], [1, 2])]
    >>> [z.round(1).tolist() for z in lasting]
    [[0.0], [8.2]]
    """
    of, at_least = persistence
    values = np.asarray(past, np.float64)[:, -(windows + of - 1) :]
    length = values.shape[1] - of + 1
    if length < max(MIN_HISTORY, of):
        return None
    before, recent = values[:, :length], np.column_stack([values[:, length:], np.asarray(statistic, np.float64)])
    reached, now = before, recent[:, -1]
    if of > 1:
        reached = np.sort(np.lib.stride_tricks.sliding_window_view(before, of, axis=1), axis=-1)[..., of - at_least]
        now = np.sort(recent, axis=1)[:, of - at_least]
    median = np.median(reached, axis=1)
    spread = 1.4826 * np.median(np.abs(reached - median[:, None]), axis=1)
    upper = (np.quantile(reached, _UPPER, axis=1) - median) / _UPPER_NORMAL
    least = np.sqrt(2 / (9 * np.maximum(np.asarray(cells) - 1, 1))) * _ORDER_STATISTIC.get(persistence, 1.0)
    scale = np.maximum(np.maximum(spread, upper), least) * uncertainty(_independent(length, of))
    return np.asarray((now - median) / scale)


def _independent(windows: int, of: int) -> float:
    """Return as how many independent values stretches of `of` windows count: they overlap."""
    return 2 * windows / (of + 1)


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


def leave_one_out(
    profiles: Sequence[Profile], features: Sequence[str], *, smoothing: Smoothing = "pooled"
) -> dict[str, list[Past]]:
    """Compare each stored window with all the others: what its score would have been, had there been one.

    The profiles are those of one window each, oldest first, under the same binnings. Of each feature there is as much
    as there are windows with rows, if there are two; with severity ``none``.
    """
    found: dict[str, list[Past]] = {}
    for feature in features:
        having = [p for p in profiles if p.window and feature in p.histograms and p.histograms[feature].n]
        if len(having) < 2:
            continue
        now = np.array([p.histograms[feature].counts for p in having], np.float64)
        rest = now.sum(axis=0) - now
        current, reference = divergence.smooth(now, rest, smoothing)
        kl = divergence.contributions(current, reference).sum(axis=1)
        corrected = divergence.kl_corrected(now, rest)
        cells = int((now.sum(axis=0) > 0).sum())
        found[feature] = [
            Past(p.window.start, float(a), float(b), int(n), int(m), cells, "none")
            for p, a, b, n, m in zip(having, kl, corrected, rest.sum(axis=1), now.sum(axis=1), strict=True)
            if p.window
        ]
    return found


def with_stand_ins(
    history: Mapping[str, Sequence[Past]],
    profiles: Sequence[Profile],
    *,
    windows: int,
    smoothing: Smoothing = "pooled",
) -> dict[str, Sequence[Past]]:
    """Fill up a short history with the stored windows that have no score, each compared with the others.

    Everything is oldest first. Where there are half as many scores as `windows` nothing stands in.
    """
    short = [feature for feature, past in history.items() if len(past) < min(windows // 2, len(profiles))]
    found = dict(history)
    for feature, stand_ins in leave_one_out(profiles, short, smoothing=smoothing).items():
        known = {past.window_start for past in history[feature]}
        more = [past for past in stand_ins if past.window_start not in known]
        found[feature] = sorted([*history[feature], *more], key=lambda past: past.window_start)
    return found


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
    usual = np.median(before, axis=0)
    least = 0.5 / np.sqrt(recent[-1].n)
    strayed, residual = _residuals(np.sqrt(before), np.sqrt(now), least)
    unsure = uncertainty(len(past))
    unsure_of_many = uncertainty(_independent(len(past), looked_at))
    best: CellShift | None = None
    for sign in (1.0, -1.0):
        z = _deviations(sign * strayed, sign * residual[-1], least) / unsure
        strays = np.sort(np.lib.stride_tricks.sliding_window_view(sign * strayed, looked_at, axis=0), axis=-1)
        stays = np.sort(sign * residual, axis=0)[looked_at - needed]
        narrow = least * _ORDER_STATISTIC.get((looked_at, needed), 1.0)
        lasting = _deviations(strays[..., looked_at - needed], stays, narrow) / unsure_of_many
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


def _binary_kl(share: float, usual: float, least: float) -> float:
    """Return D(share‖usual) of a cell beside all the others together; a cell never seen counts as half a row."""
    p, q = (np.array([s, 1 - s]) for s in (share, float(np.clip(usual, least, 1 - least))))
    return float(divergence.contributions(p, q).sum())


def _shares(histograms: Sequence[Histogram]) -> Floats:
    counts = np.array([one.counts for one in histograms], np.float64)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _residuals(past: Floats, recent: Floats, least: float) -> tuple[Floats, Floats]:
    """Return what the principal directions of the past leave of it, each window left out, and of the recent windows."""
    middle = np.median(past, axis=0)
    before, now = past - middle, recent - middle
    occupied = int(((past > 0).any(axis=0) | (recent > 0).any(axis=0)).sum())
    directions = min(DIRECTIONS, (occupied - 1) // CELLS_A_DIRECTION)
    if not directions:
        return before, now
    limit = _CLIP * np.maximum(1.4826 * np.median(np.abs(before), axis=0), least)
    clipped = np.clip(before, -limit, limit)
    left, _, right = np.linalg.svd(clipped, full_matrices=False)
    left, right = left[:, :directions], right[:directions]
    leverage = np.minimum((left**2).sum(axis=1), 0.9)
    before = (before - clipped @ right.T @ right) / (1 - leverage)[:, None]
    return before, now - np.clip(now, -limit, limit) @ right.T @ right


def _deviations(past: Floats, now: Floats, least: float) -> Floats:
    """Return how far `now` lies beyond the past in its robust standard deviations, cell by cell."""
    middle = np.median(past, axis=0)
    distance = np.sort(np.abs(past - middle), axis=0)
    n = len(distance)
    spread = 1.4826 * (distance[(n - 1) // 2] + distance[n // 2]) / 2
    far = distance[min(int(np.ceil(_UPPER * (n - 1))), n - 1)] / _FOLDED_NORMAL
    return np.asarray((now - middle) / np.maximum(np.maximum(spread, far), least))
