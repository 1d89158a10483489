"""Scoring: two histograms of a feature become a score with its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.history import MIN_HISTORY, history_statistic, history_z, sampling_z
from drift.detection.scores import Past, Score
from drift.errors import BinningMismatch, DistributionError
from drift.profiles.binning import CategoricalBinning
from drift.profiles.refinement import newest_label
from drift.statistics import divergence
from drift.statistics.false_discovery import benjamini_hochberg
from drift.statistics.selection_bias import as_tested, expected_unseen, unseen_rows
from drift.statistics.significance import confidence_interval, p_values

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
    persistence: tuple[int, int] = (1, 1),
) -> dict[str, Score]:
    """Score every feature: divergences, their error, and how surely it is more than sampling.

    A feature with an empty side has no score. The history is of the earlier windows, newest last; `persistence` says
    how many windows are looked at, and how many of them a change must last to be called lasting. `smoothing` fills the
    empty cells in `kl`, `kl_reverse`, `psi` and `js`.

    Raises
    ------
    BinningMismatch
        If the two histograms of a feature do not share their bins.
    DistributionError
        If `smoothing` is ``none``: a score is finite.

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
    (scores,) = measure_together([pairs], [history or {}], smoothing=smoothing, persistence=persistence)
    return scores


def measure_together(
    groups: Sequence[Mapping[str, tuple[Histogram, Histogram]]],
    histories: Sequence[Mapping[str, Sequence[Past]]],
    *,
    smoothing: Smoothing = "pooled",
    persistence: tuple[int, int] = (1, 1),
    min_rows: int = 0,
) -> list[dict[str, Score]]:
    """Score several groups of features, as `measure` does, with false discoveries controlled over all of them together.

    A group is a window, say, or one of its segments. A feature with fewer rows than `min_rows` on a side is never
    called, so it takes no part; its own q is that of all together.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> pair = (Histogram(carriers, [600, 400, 0, 0, 0]), Histogram(carriers, [560, 440, 0, 0, 0]))
    >>> whole, segment = measure_together([{"carrier": pair}] * 2, [{}] * 2, min_rows=200)
    >>> whole["carrier"].q == whole["carrier"].p
    True
    """
    if smoothing == "none":
        raise DistributionError("smoothing 'none' leaves infinite divergences, a score is finite: use 'pooled'")
    counted = [_grouped(pairs) for pairs in groups]
    tested = [_tested(group) for group in counted]
    judged = np.concatenate([np.minimum(g.x.sum(axis=1), g.y.sum(axis=1)) >= min_rows for g in counted])
    p = np.concatenate(tested)
    q = benjamini_hochberg(p)
    q[judged] = benjamini_hochberg(p[judged])
    own_q = np.split(q, np.cumsum([len(own_p) for own_p in tested])[:-1])
    return [
        _scored(*each, smoothing=smoothing, persistence=persistence)
        for each in zip(counted, tested, own_q, histories, strict=True)
    ]


def corrected(pairs: Mapping[str, tuple[Histogram, Histogram]]) -> dict[str, float]:
    """Return the bias-corrected divergence of each feature, in nats, and nothing else of what `measure` finds out."""
    group = _grouped(pairs)
    x = _with_expected_unseen(group)
    return dict(zip(group.names, divergence.kl_corrected(group.y, x).tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Group:
    """The counts of the features that have rows on both sides: padded, the missing cell last.

    Of the reference `x`, of the current window `y`, both float64 of shape (n_features, n_cells); `recurring`, of shape
    (n_features,), is the chance of the `newest_label`, NaN where it is not worth a look.
    """

    names: list[str]
    binnings: list[Binning]
    x: Floats
    y: Floats
    recurring: Floats


def _grouped(pairs: Mapping[str, tuple[Histogram, Histogram]]) -> _Group:
    names = [name for name, (reference, current) in pairs.items() if reference.n and current.n]
    binnings = [pairs[name][0].binning for name in names]
    x, y = np.zeros((2, len(names), max((binning.n_cells for binning in binnings), default=1)))
    for i, (name, binning) in enumerate(zip(names, binnings, strict=True)):
        before, after = pairs[name]
        if binning.fingerprint != after.binning.fingerprint:
            raise BinningMismatch(
                f"{name}: binnings {binning.fingerprint} (reference) and {after.binning.fingerprint} (current) "
                "do not compare: profile both windows under one binning"
            )
        for row, counts in ((x[i], before.counts), (y[i], after.counts)):
            row[: binning.missing], row[-1] = counts[: binning.missing], counts[binning.missing]
    return _Group(names, binnings, x, y, np.array([newest_label(*pairs[name]) for name in names], np.float64))


def _tested(group: _Group) -> Floats:
    """Return the p-value of each feature."""
    if not group.names:
        return np.empty(0)
    x, y, unseen = as_tested(group.x, group.y, group.binnings)
    ordered = np.array([binning.ordered for binning in group.binnings])
    return p_values(x, y, ordered=ordered, beside=np.stack([unseen, group.recurring]))


def _scored(
    group: _Group,
    p: Floats,
    q: Floats,
    past: Mapping[str, Sequence[Past]],
    *,
    smoothing: Smoothing,
    persistence: tuple[int, int],
) -> dict[str, Score]:
    """Return a score of each feature, given its p- and q-value."""
    if not group.names:
        return {}
    x, y = _with_expected_unseen(group), group.y
    n, m, cells = x.sum(axis=1), y.sum(axis=1), ((x + y) > 0).sum(axis=1)
    current, reference = divergence.smooth(y, x, smoothing)
    parts = divergence.contributions(current, reference)
    reverse = divergence.contributions(reference, current).sum(axis=1)
    js = np.minimum(divergence.js_divergence(current, reference), np.log(2))
    estimate = divergence.kl_corrected(y, x)
    low, high = confidence_interval(estimate, x, y)
    noise = divergence.noise_floor(y, x)
    earlier = [past.get(name, ()) for name in group.names]
    unusual = _unusual(history_statistic(parts.sum(axis=1), n, m, cells), cells, earlier, persistence)
    scores = {}
    for i, (name, binning) in enumerate(zip(group.names, group.binnings, strict=True)):
        own = parts[i, : binning.n_cells].copy()
        own[-1] = parts[i, -1]
        own.flags.writeable = False
        # The sum of what is stored, so that the parts shown beside it always add up to the whole.
        kl = float(own.sum())
        z, z_lasting = unusual[i]
        scores[name] = Score(
            feature=name,
            kind=binning.kind,
            kl=kl,
            kl_reverse=float(reverse[i]),
            psi=kl + float(reverse[i]),
            js=float(js[i]),
            kl_corrected=float(estimate[i]),
            ci_low=float(low[i]),
            ci_high=float(high[i]),
            p=float(p[i]),
            q=float(q[i]),
            z=z,
            z_lasting=z_lasting,
            noise=float(noise[i]),
            cells=int(cells[i]),
            n_reference=int(n[i]),
            n_current=int(m[i]),
            smoothing=smoothing,
            fingerprint=binning.fingerprint,
            contributions=own,
        )
    return scores


def _with_expected_unseen(group: _Group) -> Floats:
    """Return the reference counts with labels that it held once counted as unseen, as far as the current rows need it.

    A reference has no label that it has not seen, a current window of a long-tailed feature always has
    (`drift.statistics.selection_bias`). Untreated, an unchanged column of 500 categories differs every day.
    """
    x, y = group.x.copy(), group.y
    n, m, expected = x.sum(axis=1), y.sum(axis=1), expected_unseen(x, group.binnings)
    for i, binning in enumerate(group.binnings):
        if not isinstance(binning, CategoricalBinning):
            continue
        other, unseen = binning.other, binning.unseen
        short = min(np.ceil(y[i, unseen] * n[i] / m[i]), np.round(expected[i])) - unseen_rows(x[i], binning)
        if short <= 0:
            continue
        rare = min(short, x[i, other])
        once = np.flatnonzero(x[i, : len(binning.levels)] == 1)[::-1][: int(short - rare)]
        x[i, other] -= rare
        x[i, once] = 0
        x[i, unseen] += rare + len(once)
    return x


def _unusual(
    now: Floats,
    cells: NDArray[np.int64],
    past: Sequence[Sequence[Past]],
    persistence: tuple[int, int],
) -> list[tuple[float | None, float | None]]:
    """Return how far each feature's window, and the last windows together, lie beyond its past."""
    found: list[tuple[float | None, float | None]] = [(None, None)] * len(past)
    of, at_least = persistence
    lengths = np.array([len(some) for some in past])
    # Features with as many windows behind them are looked at together; nearly always these are all.
    for length in {length for length in lengths.tolist() if length - of + 1 >= max(MIN_HISTORY, of)}:
        some = np.flatnonzero(lengths == length).tolist()
        known = np.array([[(w.kl, w.n_reference, w.n_current, w.cells) for w in past[i]] for i in some], np.float64)
        before = history_statistic(*np.moveaxis(known, -1, 0))
        earlier, recent = np.split(np.column_stack([before, now[some]]), [length - of + 1], axis=1)
        z = history_z(recent[:, -1:], earlier, cells[some])
        by_sampling, weight = sampling_z(now[some], cells[some], earlier, known[:, : length - of + 1, 3])
        z += weight * np.maximum(by_sampling - z, 0)
        lasting = history_z(recent, earlier, cells[some], at_least=at_least)
        for at, i in enumerate(some):
            found[i] = float(z[at]), float(lasting[at])
    return found
