"""Detection: from a score to a verdict in words.

A feature drifts where the difference is all of

- *significant*: its q-value over the monitor's features is at most the false-discovery rate;
- *unusual*: beyond its own history by so many robust standard deviations as asked, once there is a history;
- *large*: the bias-corrected divergence reaches the threshold a person set;
- *lasting*: in so many of the last windows, unless it is so large that waiting helps nobody.

The first three make the severity of one window, the fourth the status that people are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.scores import SEVERITY_RANK, Past, Score, Severity, Status, Verdict
from drift.significance import (
    MIN_HISTORY,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from drift.config import Detection, Effect

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
