"""Detection: from two histograms a feature to a score with its error, and from a score to a verdict in words.

A feature drifts where the difference is all of

- *significant*: its q-value over the monitor's features is at most the false-discovery rate;
- *unusual*: beyond its own history by so many robust standard deviations as asked, once there is a history;
- *large*: the bias-corrected divergence reaches the threshold a person set;
- *lasting*: in so many of the last windows, unless it is so large that waiting helps nobody.

The first three make the severity of one window, the fourth the status that people are told.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drift import divergence
from drift.binning import CategoricalBinning
from drift.contingency import MIN_POOLED
from drift.errors import BinningMismatch, DistributionError
from drift.fitting import MAX_KNOWN_LEVELS
from drift.scores import SEVERITY_RANK, Score, Severity, Status, Verdict
from drift.significance import (
    HISTORY,
    MIN_HISTORY,
    benjamini_hochberg,
    confidence_interval,
    history_statistic,
    history_z,
    p_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from drift.binning import Binning
    from drift.config import Detection, Effect
    from drift.divergence import Smoothing
    from drift.histograms import Histogram

    Floats = NDArray[np.float64]

FAST_KL, FAST_MARGIN = 0.05, 2.0
"""A window is told at once, without waiting for the next, from this divergence *and* so far beyond what is unusual."""

VAST = 5.0
"""Or where it is unusual, and its whole interval lies beyond so many times the critical threshold (.5 nats: 1 σ)."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of one earlier window of a feature.

    Parameters
    ----------
    window_start
    kl, kl_corrected
        As in `drift.scores.Score`.
    n_reference, n_current
        Rows.
    cells
        Cells that held rows on either side.
    severity
        What that window alone said.
    """

    window_start: datetime
    kl: float
    kl_corrected: float
    n_reference: int
    n_current: int
    cells: int
    severity: Severity


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


def judge(
    features: Sequence[str],
    scores: Mapping[str, Score],
    detection: Detection,
    *,
    history: Mapping[str, Sequence[Past]] | None = None,
    problems: Mapping[str, str] | None = None,
    n_reference: int,
    n_current: int,
) -> list[Verdict]:
    """Turn scores into verdicts, one for every feature asked for, each with its reason.

    Parameters
    ----------
    features
        The features a verdict is owed for, in order.
    scores
        From `measure`.
    detection
        Thresholds and rules of the monitor.
    history
        Earlier windows of each feature, newest last: persistence counts their severities.
    problems
        Why a feature could not be counted, in words: it is ``not_comparable``.
    n_reference, n_current
        Rows.

    Examples
    --------
    >>> from drift.config import Detection
    >>> judge(["tailnum"], {}, Detection(), n_reference=900, n_current=0)[0].reason
    'no rows in the window'
    """
    found = []
    for feature in features:
        effect = detection.effect_for(feature)
        score = scores.get(feature)
        past = (history or {}).get(feature, ())
        status: Status
        severity: Severity = "none"
        if problems and feature in problems:
            status, reason, score = "not_comparable", problems[feature], None
        elif not n_reference or not n_current:
            status, score = "insufficient_data", None
            reason = f"no rows in the {'reference' if n_current else 'window'}"
        elif score is None:
            status, reason = "error", "no score was computed, though there are rows: please report this"
        elif min(score.n_reference, score.n_current) < detection.min_rows:
            status, reason = "insufficient_data", _too_few(score, effect, detection)
        else:
            severity, why = _severity(score, effect, detection)
            status, reason = _lasting(severity, why, score, effect, detection, past)
        found.append(Verdict(feature, status, severity, reason, effect.warning, effect.critical, score))
    return found


def _too_few(score: Score, effect: Effect, detection: Detection) -> str:
    side, rows = (
        ("window", score.n_current) if score.n_current <= score.n_reference else ("reference", score.n_reference)
    )
    few = f"{rows:,} rows in the {side}, min_rows is {detection.min_rows:,}"
    if _shown(score) < effect.warning:
        return few
    significant = "significant" if score.q <= detection.fdr else "not significant"
    return f"{few}: corrected KL {_shown(score):.3g}, large but {significant} (p {_small(score.p)})"


def _severity(score: Score, effect: Effect, detection: Detection) -> tuple[Severity, str]:
    """Return what one window says by itself, and why."""
    kl = _shown(score)
    level: Severity = "critical" if kl >= effect.critical else "warning" if kl >= effect.warning else "none"
    limit = effect.critical if level == "critical" else effect.warning
    if score.q > detection.fdr:
        if level == "none":
            return "none", f"corrected KL {kl:.3g} < warning {limit:g}, not significant (q {_small(score.q)})"
        rows = min(score.n_current, score.n_reference)
        return (
            "none",
            f"corrected KL {kl:.3g} ≥ {level} {limit:g} but not significant: q {_small(score.q)} with {rows:,} rows",
        )
    if level == "none":
        return (
            "none",
            f"significant (q {_small(score.q)}) but below the effect floor: corrected KL {kl:.3g} < warning {limit:g}",
        )
    if score.z is not None and score.z < detection.z:
        usual = f"within its own history (z {score.z:.1f} < {detection.z:g}): corrected KL {kl:.3g} is usual here"
        return "none", usual
    return level, f"corrected KL {kl:.3g} ≥ {level} {limit:g}, q {_small(score.q)}"


def _lasting(
    severity: Severity, why: str, score: Score, effect: Effect, detection: Detection, past: Sequence[Past]
) -> tuple[Status, str]:
    """Return the status that persistence leaves of this window's severity, and the whole reason."""
    if severity == "none":
        return "ok", why
    if score.z is not None:
        why += f", {score.z:.0f} robust sd beyond its own history"
    elif past:
        short = f"{len(past)} of {MIN_HISTORY} windows"
        why += f"; history too short ({short}): judged by sampling error and effect floor alone"
    else:
        why += "; no history: judged by sampling error and effect floor alone"
    rule = detection.persistence
    if rule.at_least <= 1:
        return severity, why
    recent = [SEVERITY_RANK[w.severity] for w in past[-(rule.of - 1) :]] + [SEVERITY_RANK[severity]]
    levels: tuple[Severity, ...] = ("critical", "warning")
    for level in levels:
        count = sum(rank >= SEVERITY_RANK[level] for rank in recent)
        if SEVERITY_RANK[level] <= SEVERITY_RANK[severity] and count >= rule.at_least:
            lasting = f"{count} of the last {rule.of} windows" + (f" at least {level}" if level != severity else "")
            return _told(level), f"{why}; {lasting}"
    # Without a history nothing can be called unusual: then only what is critical over its whole interval cannot wait.
    unusual = (
        score.ci_low >= effect.critical
        if score.z is None
        else score.z >= detection.z + FAST_MARGIN or score.ci_low >= VAST * effect.critical
    )
    if unusual and _shown(score) >= FAST_KL:
        return _told(severity), f"{why}; too large to wait for {rule.at_least} windows"
    seen = sum(rank > 0 for rank in recent)
    return "ok", f"{seen} of the {rule.at_least} windows it takes: {why}"


def _told(severity: Severity) -> Status:
    return "critical" if severity == "critical" else "warning"


def _shown(score: Score) -> float:
    """Return the bias-corrected estimate as it is held against thresholds: never negative."""
    return max(score.kl_corrected, 0.0)


def _small(share: float) -> str:
    return "< 1e-6" if share < 1e-6 else f"{share:.2g}"
