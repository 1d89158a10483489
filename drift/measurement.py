"""Measurement: from two histograms a feature to a score with its error."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from drift import divergence
from drift.binning import CategoricalBinning
from drift.contingency import MIN_POOLED
from drift.errors import BinningMismatch, DistributionError
from drift.fitting import MAX_KNOWN_LEVELS
from drift.scores import Past, Score
from drift.significance import (
    HISTORY,
    benjamini_hochberg,
    confidence_interval,
    history_statistic,
    history_z,
    p_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drift.binning import Binning
    from drift.divergence import Smoothing
    from drift.histograms import Histogram

    Floats = NDArray[np.float64]


def measure(
    pairs: Mapping[str, tuple[Histogram, Histogram]],
    *,
    seed: int,
    smoothing: Smoothing = "pooled",
    fdr: float = 0.01,
    history: Mapping[str, Sequence[Past]] | None = None,
    windows: int = HISTORY,
) -> dict[str, Score]:
    """Score every feature: divergences, their error, and how surely it is more than sampling.

    Parameters
    ----------
    pairs
        Reference and current histogram of each feature, under one binning. A feature with an empty side has no score.
    seed
        Of the permutation test. With the feature's name it seeds that feature's draws, whatever stands beside it.
    smoothing
        How empty cells are smoothed in `kl`, `kl_reverse`, `psi` and `js`; not ``none``: a score is finite.
    fdr
        The false-discovery rate the q-values will be held against.
    history
        Earlier windows of each feature, newest last.
    windows
        How many of them tell what is usual.

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
    >>> from drift.binning import CategoricalBinning
    >>> from drift.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> pair = (Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [300, 200, 0, 0, 500]))
    >>> score = measure({"carrier": pair}, seed=0)["carrier"]
    >>> round(score.kl_corrected, 2), score.q < 1e-100, bool(score.kl == score.contributions.sum())
    (3.05, True, True)
    """
    if smoothing == "none":
        raise DistributionError("smoothing 'none' leaves infinite divergences, a score is finite: use 'pooled'")
    names = [name for name, (reference, current) in pairs.items() if reference.n and current.n]
    if not names:
        return {}
    binnings = [pairs[name][0].binning for name in names]
    x, y = _matrices(pairs, names)
    x = _with_singletons_unseen(x, y, binnings)
    ordered = np.array([binning.ordered for binning in binnings])
    p = p_values(
        *_as_tested(x, y, binnings),
        ordered=ordered,
        fdr=fdr,
        seeds=[[abs(seed), zlib.crc32(name.encode("utf-8", "surrogatepass"))] for name in names],
    )
    q = benjamini_hochberg(p)
    current, reference = divergence.smooth(y, x, smoothing)
    parts = divergence.contributions(current, reference)
    reverse = divergence.contributions(reference, current).sum(axis=1)
    js = np.minimum(divergence.js_divergence(current, reference), np.log(2))
    corrected = divergence.kl_corrected(y, x)
    low, high = confidence_interval(corrected, x, y)
    noise = divergence.noise_floor(y, x)
    cells = ((x + y) > 0).sum(axis=1)
    scores = {}
    for i, name in enumerate(names):
        before, after = pairs[name]
        own = np.append(parts[i, : before.binning.missing], parts[i, -1])
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
            z=_unusual(kl, before.n, after.n, int(cells[i]), (history or {}).get(name, ()), windows),
            noise=float(noise[i]),
            n_reference=before.n,
            n_current=after.n,
            smoothing=smoothing,
            fingerprint=before.binning.fingerprint,
            contributions=own,
        )
    return scores


def corrected(pairs: Mapping[str, tuple[Histogram, Histogram]]) -> dict[str, float]:
    """Return the bias-corrected divergence of each feature, and nothing else of what `measure` finds out.

    Parameters
    ----------
    pairs
        As for `measure`.

    Returns
    -------
    dict
        Nats, as in `drift.scores.Score.kl_corrected`; features with an empty side are left out.

    Raises
    ------
    BinningMismatch
        If the two histograms of a feature do not share their bins.

    Examples
    --------
    >>> from drift.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> before, now = Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [200, 300, 0, 0, 0])
    >>> round(corrected({"carrier": (before, now)})["carrier"], 2)
    0.08
    """
    names = [name for name, (reference, current) in pairs.items() if reference.n and current.n]
    if not names:
        return {}
    x, y = _matrices(pairs, names)
    x = _with_singletons_unseen(x, y, [pairs[name][0].binning for name in names])
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


def _with_singletons_unseen(x: Floats, y: Floats, binnings: Sequence[Binning]) -> Floats:
    """Return the reference counts with labels that it held once counted as unseen, as far as the current rows need it.

    A reference has no label that it has not seen, a current window of a long-tailed feature always has: the chance of
    one is the share of the rows whose label was seen once (Good & Turing, 1953), as each of these is unseen to the rest
    of the reference. Untreated, an unchanged column of 500 categories is called every day. How many of the rare labels
    were seen once is not known; every one may have been, so unseen labels are news only beyond that.
    """
    x = x.copy()
    n, m = x.sum(axis=1), y.sum(axis=1)
    for i, binning in enumerate(binnings):
        if not isinstance(binning, CategoricalBinning) or binning.rare is None:
            continue
        other, unseen = len(binning.levels), len(binning.levels) + 1
        short = np.ceil(y[i, unseen] * n[i] / m[i]) - x[i, unseen]
        if short <= 0:
            continue
        rare = min(short, len(binning.rare), x[i, other])
        once = np.flatnonzero(x[i, :other] == 1)[::-1][: int(short - rare)]
        x[i, other] -= rare
        x[i, once] = 0
        x[i, unseen] += rare + len(once)
    return x


def _as_tested(x: Floats, y: Floats, binnings: Sequence[Binning]) -> tuple[Floats, Floats]:
    """Return the counts to test with, freed of what the fit on the reference does to them.

    The outermost edges are the reference's own extremes, so no row of it lies beyond them, while a current window of
    the same size expects one: the row on an edge counts beyond it. Untreated, that raises the false-alarm rate to 1.2
    times nominal where the samples are of equal size (and not at all where the reference is ten times larger); treated,
    it is .93 to 1.04 times.

    Which labels became levels may be chance too: those of an identifier are merely the luckiest of many like them.
    Levels that are so small that they merge, or no more frequent than the rare labels are by chance (four standard
    deviations above their mean), are of one kind with *other* and *unseen*, and merge with them.
    """
    x, y = x.copy(), y.copy()
    for i, binning in enumerate(binnings):
        if isinstance(binning, CategoricalBinning):
            levels = slice(0, len(binning.levels))
            n_rare = MAX_KNOWN_LEVELS if binning.rare is None else max(len(binning.rare), 1)
            usual = x[i, len(binning.levels)] / n_rare
            pooled = x[i, levels] + y[i, levels]
            chance = (pooled < MIN_POOLED) | (x[i, levels] <= usual + 4 * np.sqrt(usual))
            small = np.flatnonzero((pooled > 0) & chance)
            if len(small):
                tail = [*small.tolist(), len(binning.levels), len(binning.levels) + 1]
                for counts in (x, y):
                    together = counts[i, tail].sum()
                    counts[i, tail] = 0
                    counts[i, tail[0]] = together
        elif binning.n_cells > 3:
            above = binning.missing - 1
            for outside, inside in ((0, 1), (above, above - 1)):
                if x[i, outside] == 0 and x[i, inside] > 1:
                    x[i, outside], x[i, inside] = 1, x[i, inside] - 1
    return x, y


def _unusual(kl: float, n: int, m: int, cells: int, past: Sequence[Past], windows: int) -> float | None:
    known = past[-windows:] if windows else ()
    earlier = history_statistic(
        [w.kl for w in known], [w.n_reference for w in known], [w.n_current for w in known], [w.cells for w in known]
    )
    return history_z(float(history_statistic(kl, n, m, cells)), earlier, cells, windows=max(windows, 1))
