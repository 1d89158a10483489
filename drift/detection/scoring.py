"""Measurement: from two histograms a feature to a score with its error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.history import HISTORY, history_statistic, history_z
from drift.detection.scores import Past, Score
from drift.errors import BinningMismatch, DistributionError
from drift.profiles.binning import CategoricalBinning
from drift.statistics import divergence
from drift.statistics.selection_bias import as_tested, expected_unseen
from drift.statistics.significance import benjamini_hochberg, confidence_interval, p_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Histogram
    from drift.statistics.divergence import Smoothing

    Floats = NDArray[np.float64]


def measure(
    pairs: Mapping[str, tuple[Histogram, Histogram]],
    *,
    smoothing: Smoothing = "pooled",
    history: Mapping[str, Sequence[Past]] | None = None,
    windows: int = HISTORY,
    persistence: tuple[int, int] = (1, 1),
) -> dict[str, Score]:
    """Score every feature: divergences, their error, and how surely it is more than sampling.

    Parameters
    ----------
    pairs
        Reference and current histogram of each feature, under one binning. A feature with an empty side has no score.
    smoothing
        How empty cells are smoothed in `kl`, `kl_reverse`, `psi` and `js`; not ``none``: a score is finite.
    history
        Earlier windows of each feature, newest last.
    windows
        How many of them tell what is usual.
    persistence
        Windows looked at, and how many of them a change must last to be called lasting.

    Returns
    -------
    dict
        One `Score` for each feature that has rows on both sides, in the order of `pairs`.

    Raises
    ------
    BinningMismatch
        If the two histograms of a feature do not share their bins.
    DistributionError
        If `smoothing` is ``none``.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> pair = (Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [300, 200, 0, 0, 500]))
    >>> score = measure({"carrier": pair})["carrier"]
    >>> round(score.kl_corrected, 2), score.q < 1e-100, bool(score.kl == score.contributions.sum())
    (3.05, True, True)
    """
    if smoothing == "none":
        raise DistributionError("smoothing 'none' leaves infinite divergences, a score is finite: use 'pooled'")
    names = [name for name, (reference, current) in pairs.items() if reference.counts.any() and current.counts.any()]
    if not names:
        return {}
    binnings = [pairs[name][0].binning for name in names]
    x, y = _matrices(pairs, names)
    n, m = x.sum(axis=1), y.sum(axis=1)
    ordered = np.array([binning.ordered for binning in binnings])
    tested_x, tested_y, unseen = as_tested(x, y, binnings)
    p = p_values(tested_x, tested_y, ordered=ordered, beside=unseen)
    x = _with_expected_unseen(x, y, binnings)
    q = benjamini_hochberg(p)
    current, reference = divergence.smooth(y, x, smoothing)
    parts = divergence.contributions(current, reference)
    reverse = divergence.contributions(reference, current).sum(axis=1)
    js = np.minimum(divergence.js_divergence(current, reference), np.log(2))
    corrected = divergence.kl_corrected(y, x)
    low, high = confidence_interval(corrected, x, y)
    noise = divergence.noise_floor(y, x)
    cells = ((x + y) > 0).sum(axis=1)
    past = [(history or {}).get(name, ()) for name in names]
    unusual = _unusual(parts.sum(axis=1), n, m, cells, past, windows, persistence)
    scores = {}
    for i, name in enumerate(names):
        before = pairs[name][0]
        own = parts[i, : before.binning.n_cells].copy()
        own[-1] = parts[i, -1]
        own.flags.writeable = False
        # The sum of what is stored, so that the parts shown beside it always add up to the whole.
        kl = float(own.sum())
        scores[name] = Score(
            feature=name,
            kind=before.binning.kind,
            kl=kl,
            kl_reverse=float(reverse[i]),
            psi=kl + float(reverse[i]),
            js=float(js[i]),
            kl_corrected=float(corrected[i]),
            ci_low=float(low[i]),
            ci_high=float(high[i]),
            p=float(p[i]),
            q=float(q[i]),
            z=unusual[i][0],
            z_lasting=unusual[i][1],
            noise=float(noise[i]),
            n_reference=int(n[i]),
            n_current=int(m[i]),
            smoothing=smoothing,
            fingerprint=before.binning.fingerprint,
            contributions=own,
        )
    return scores


def together(groups: Sequence[Mapping[str, Score]], *, min_rows: int) -> list[dict[str, Score]]:
    """Control the share of false discoveries over several groups of scores at once, as over one.

    Parameters
    ----------
    groups
        Such as a window's features, and those of each of its segments.
    min_rows
        What has fewer rows on a side is never called, so it takes no part; its own q is that of all together.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> pair = (Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [560, 440, 0, 0, 0]))
    >>> whole, segment = together([measure({"carrier": pair})] * 2, min_rows=200)
    >>> whole["carrier"].q == whole["carrier"].p
    True
    """
    scores = [score for group in groups for score in group.values()]
    p = np.array([score.p for score in scores])
    judged = np.array([min(score.n_reference, score.n_current) >= min_rows for score in scores], bool)
    q = benjamini_hochberg(p)
    q[judged] = benjamini_hochberg(p[judged])
    found = iter(q.tolist())
    return [{name: replace(score, q=next(found)) for name, score in group.items()} for group in groups]


def corrected(pairs: Mapping[str, tuple[Histogram, Histogram]]) -> dict[str, float]:
    """Return the bias-corrected divergence of each feature, and nothing else of what `measure` finds out.

    Parameters
    ----------
    pairs
        As for `measure`.

    Returns
    -------
    dict
        Nats, as in `drift.detection.scores.Score.kl_corrected`; features with an empty side are left out.

    Raises
    ------
    BinningMismatch
        If the two histograms of a feature do not share their bins.

    Examples
    --------
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> before, now = Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [200, 300, 0, 0, 0])
    >>> round(corrected({"carrier": (before, now)})["carrier"], 2)
    0.08
    """
    names = [name for name, (reference, current) in pairs.items() if reference.n and current.n]
    if not names:
        return {}
    x, y = _matrices(pairs, names)
    x = _with_expected_unseen(x, y, [pairs[name][0].binning for name in names])
    return dict(zip(names, divergence.kl_corrected(y, x).tolist(), strict=True))


def _matrices(pairs: Mapping[str, tuple[Histogram, Histogram]], names: Sequence[str]) -> tuple[Floats, Floats]:
    """Return reference and current counts, shape (n_features, n_cells): padded, the missing cell last."""
    width = max(pairs[name][0].binning.n_cells for name in names)
    x, y = np.zeros((2, len(names), width))
    for i, name in enumerate(names):
        before, after = pairs[name]
        if before.binning.fingerprint != after.binning.fingerprint:
            raise BinningMismatch(
                f"{name}: binnings {before.binning.fingerprint} (reference) and {after.binning.fingerprint} (current) "
                "do not compare: profile both windows under one binning"
            )
        missing = before.binning.missing
        for row, counts in ((x[i], before.counts), (y[i], after.counts)):
            row[:missing], row[-1] = counts[:missing], counts[missing]
    return x, y


def _with_expected_unseen(x: Floats, y: Floats, binnings: Sequence[Binning]) -> Floats:
    """Return the reference counts with labels that it held once counted as unseen, as far as the current rows need it.

    A reference has no label that it has not seen, a current window of a long-tailed feature always has
    (`drift.statistics.selection_bias`). Untreated, an unchanged column of 500 categories differs every day.
    """
    x = x.copy()
    n, m, expected = x.sum(axis=1), y.sum(axis=1), expected_unseen(x, binnings)
    for i, binning in enumerate(binnings):
        if not isinstance(binning, CategoricalBinning):
            continue
        other, unseen = len(binning.levels), len(binning.levels) + 1
        short = min(np.ceil(y[i, unseen] * n[i] / m[i]), np.round(expected[i])) - x[i, unseen]
        if short <= 0:
            continue
        rare = min(short, x[i, other])
        once = np.flatnonzero(x[i, :other] == 1)[::-1][: int(short - rare)]
        x[i, other] -= rare
        x[i, once] = 0
        x[i, unseen] += rare + len(once)
    return x


def _unusual(
    kl: Floats,
    n: Floats,
    m: Floats,
    cells: NDArray[np.int64],
    past: Sequence[Sequence[Past]],
    windows: int,
    persistence: tuple[int, int],
) -> list[tuple[float | None, float | None]]:
    """Return how far each feature's window, and the last windows together, lie beyond its past."""
    now = history_statistic(kl, n, m, cells)
    found: list[tuple[float | None, float | None]] = [(None, None)] * len(past)
    lengths = np.array([len(some) for some in past])
    # Features with as many windows behind them are looked at together; nearly always these are all.
    for length in set(lengths.tolist()) if windows else ():
        some = np.flatnonzero(lengths == length).tolist()
        known = [[(w.kl, w.n_reference, w.n_current, w.cells) for w in past[i]] for i in some]
        earlier = history_statistic(*np.moveaxis(np.array(known, np.float64).reshape(len(some), length, 4), -1, 0))
        z = history_z(now[some], earlier, cells[some], windows=windows)
        lasting = history_z(now[some], earlier, cells[some], windows=windows, persistence=persistence)
        for at, i in enumerate(some):
            found[i] = (
                None if z is None else float(z[at]),
                None if lasting is None else float(lasting[at]),
            )
    return found
