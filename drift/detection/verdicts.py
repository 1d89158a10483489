"""Detection: from a score to a verdict in words.

A feature drifts where the difference is all of

- *significant*: its q-value over the monitor's features is at most the false-discovery rate;
- *large*: the bias-corrected divergence reaches the threshold a person set;
- *unusual*: beyond its own history (`drift.detection.history`) by so many robust standard deviations as asked, as a
  whole, together
  with the windows just before, or in one of its cells;
- *lasting*: in so many of the last windows, unless it is so large that waiting helps nobody.

The first three make the severity of one window, the fourth the status that people are told. A cell is as large as what
it moved by itself, in nats, against its usual share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.detection.history import MIN_HISTORY, OWN_HISTORY
from drift.detection.scores import SEVERITY_RANK, STATUS_ORDER, Past, Score, Severity, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from drift.config.detection import Detection, Effect

    Floats = NDArray[np.float64]

FAST_KL, FAST_MARGIN = 0.05, 2.0
"""A window is told at once, without waiting for the next, from this divergence *and* so far beyond what is unusual."""

VAST = 5.0
"""Or where it is unusual, and its whole interval lies beyond so many times the critical threshold (.5 nats: 1 σ)."""


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
    >>> from drift.config.detection import Detection
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
            severity, why = _severity(score, effect, detection, past)
            status, reason = _status(severity, why, score, effect, detection, past)
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


def _severity(score: Score, effect: Effect, detection: Detection, past: Sequence[Past]) -> tuple[Severity, str]:
    """Return what one window says by itself, and why."""
    kl = _shown(score)
    level = _level(kl, effect)
    significant = score.q <= detection.fdr
    if level == "none" and not (significant and _strays(score, effect, detection)):
        below = f"corrected KL {kl:.3g} < warning {effect.warning:g}"
        if significant:
            return "none", f"significant (q {_small(score.q)}) but below the effect floor: {below}"
        return "none", f"{below}, not significant (q {_small(score.q)})"
    limit = effect.critical if level == "critical" else effect.warning
    large = f"corrected KL {kl:.3g} ≥ {level} {limit:g}" if level != "none" else f"corrected KL {kl:.3g}"
    if not significant:
        rows = min(score.n_current, score.n_reference)
        return "none", f"{large} but not significant: q {_small(score.q)} with {rows:,} rows"
    found = _unusual(level, score, effect, detection, past)
    if found is None:
        usual = f"within its own history (z {score.z:.1f} < {detection.z:g}): corrected KL {kl:.3g} is usual here"
        return "none", usual
    severity, beyond = found
    return severity, f"{large}, q {_small(score.q)}{beyond}"


def _unusual(
    level: Severity, score: Score, effect: Effect, detection: Detection, past: Sequence[Past]
) -> tuple[Severity, str] | None:
    """Return how severe a large difference is beside the feature's own history, and in what way; None if it is not."""
    if score.z is None and level != "none":
        few = f"history too short ({len(past)} of {MIN_HISTORY} windows)" if past else "no history"
        return level, f"; {few}: judged by sampling error and effect floor alone"
    short = "" if len(past) >= OWN_HISTORY else f" ({len(past)} scores: stored windows stand in)"
    beyond = f"robust sd beyond its own history{short}"
    if score.z is not None and score.z >= detection.z and level != "none":
        return level, f", {score.z:.0f} {beyond}"
    lasted = _lasted(score, effect, detection, past)
    if lasted != "none":
        return lasted, f", {score.z_lasting:.0f} {beyond} over the last {detection.persistence.of} windows"
    cell = score.cell
    if cell and _strays(score, effect, detection):
        moved = f"{cell.cell} {cell.usual:.1%} → {cell.share:.1%} ({cell.kl:.2g} nats by itself)"
        # How large the whole divergence is says nothing of the cell: a restless feature is large every day.
        return _level(cell.kl, effect), f"; {moved}, {max(cell.z, cell.lasting):.0f} {beyond}"
    return None


def _status(
    severity: Severity, why: str, score: Score, effect: Effect, detection: Detection, past: Sequence[Past]
) -> tuple[Status, str]:
    """Return the status that persistence leaves of this window's severity, and the whole reason."""
    rule = detection.persistence
    if severity == "none":
        return "ok", why
    if rule.at_least <= 1:
        return severity, why
    recent = [SEVERITY_RANK[w.severity] for w in past[max(len(past) - rule.of + 1, 0) :]] + [SEVERITY_RANK[severity]]
    told: list[tuple[Status, str]] = []
    levels: tuple[Severity, ...] = ("critical", "warning")
    for level in levels[levels.index(severity) :]:
        count = sum(rank >= SEVERITY_RANK[level] for rank in recent)
        if count >= rule.at_least:
            least = f" at least {level}" if level != severity else ""
            told.append((_told(level), f"{count} of the last {rule.of} windows{least}"))
    if _unmistakable(score, effect, detection):
        told.append((_told(severity), f"too large to wait for {rule.at_least} windows"))
    lasted = _lasted(score, effect, detection, past)
    if lasted != "none":
        told.append((_told(lasted), "lasting"))
    if score.cell and score.cell.lasting >= detection.cell_z and _strays(score, effect, detection):
        told.append(("warning", f"in {rule.at_least} of the last {rule.of} windows"))
    if told:
        status, words = min(told, key=lambda one: STATUS_ORDER[one[0]])
        return status, f"{why}; {words}"
    return "ok", f"{sum(rank > 0 for rank in recent)} of the {rule.at_least} windows it takes: {why}"


def _unmistakable(score: Score, effect: Effect, detection: Detection) -> bool:
    """Whether waiting for another window helps nobody."""
    if _shown(score) < FAST_KL:
        return False
    if score.z is None:
        # Without a history nothing can be called unusual: then only what is critical over its whole interval.
        return score.ci_low >= effect.critical
    vast = score.z >= detection.z and score.ci_low >= VAST * effect.critical
    return vast or score.z >= detection.z + FAST_MARGIN


def _lasted(score: Score, effect: Effect, detection: Detection, past: Sequence[Past]) -> Severity:
    """Return how large a difference is that together with the windows before is unusual: as large as it lasted."""
    if score.z_lasting is None or score.z_lasting < detection.z:
        return "none"
    rule = detection.persistence
    recent = sorted([*(w.kl_corrected for w in past[max(len(past) - rule.of + 1, 0) :]), _shown(score)])
    return _level(min(recent[max(len(recent) - rule.at_least, 0)], _shown(score)), effect)


def _strays(score: Score, effect: Effect, detection: Detection) -> bool:
    """Whether one cell is unusual, and large by itself: against what is usual, which no day changes."""
    cell = score.cell
    return bool(cell and max(cell.z, cell.lasting) >= detection.cell_z and cell.kl >= effect.warning)


def _level(kl: float, effect: Effect) -> Severity:
    return "critical" if kl >= effect.critical else "warning" if kl >= effect.warning else "none"


def _told(severity: Severity) -> Status:
    return "critical" if severity == "critical" else "warning"


def _shown(score: Score) -> float:
    """Return the bias-corrected estimate as it is held against thresholds: never negative."""
    return max(score.kl_corrected, 0.0)


def _small(share: float) -> str:
    return "< 1e-6" if share < 1e-6 else f"{share:.2g}"
