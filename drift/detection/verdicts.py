"""Verdicts: from a score to a status, a severity and a reason in words.

A feature drifts where the difference is all of

- *significant*: its q-value over the monitor's features is at most the false-discovery rate;
- *large*: the bias-corrected divergence reaches the threshold that a person set;
- *unusual*: as many robust standard deviations beyond its own history (`drift.detection.history`) as asked, as a whole,
  together with the windows just before, or in one of its cells;
- *lasting*: in as many of the last windows as asked, unless it is so large that nobody gains by waiting.

The first three make the severity of one window, the fourth the status that is reported. A cell is as large as what it
moved by itself, in nats, from its own median share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from drift.config.detection import Effect
from drift.config.features import Features
from drift.detection.history import OWN_HISTORY
from drift.detection.scores import SEVERITY_RANK, STATUS_ORDER, UNEXPLAINED, Past, Score, Severity, Status, Verdict
from drift.detection.size import Size
from drift.text.formatting import percent, thousands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.config.detection import Detection
    from drift.detection.scores import CellShift, Explanation

FAST_KL, FAST_MARGIN = 0.05, 2.0
"""One window is enough, without waiting for the next, from this divergence *and* this far beyond what is unusual."""

FAR_Z, FAR_FLOOR = 10.0, 0.4
"""Or this far beyond anything the feature did before, from this share of the warning threshold on (.004 nats)."""

VAST = 5.0
"""Or where it is unusual, and its whole interval lies beyond this many times the critical threshold (.5 nats: 1 σ)."""


def judge(
    features: Sequence[str],
    scores: Mapping[str, Score],
    detection: Detection,
    *,
    history: Mapping[str, Sequence[Past]] | None = None,
    explanations: Mapping[str, Explanation] | None = None,
    unscored: Mapping[str, tuple[Status, str]] | None = None,
    watched: Features | None = None,
    scored_under: tuple[int, int] | None = None,
) -> list[Verdict]:
    """Turn scores into verdicts, one for every feature asked for, in their order, each with its reason.

    Parameters
    ----------
    history
        Earlier windows of each feature, newest last: persistence counts their severities.
    explanations
        What explains each score; a cell that strayed may be reason enough, and its size is compared with the
        thresholds.
    unscored
        The features that cannot be compared, each with its status and reason.
    watched
        Roles and weights of the features; all are inputs of equal weight by default.
    scored_under
        The persistence that the scores were measured with, where it may differ from that of `detection`. What they say
        of lasting holds for that one alone: under another one it is left out.
    """
    roles = watched or Features()
    stretch = detection.persistence.stretch
    found = []
    for feature in features:
        effect, score, size = detection.effect_for(feature), scores.get(feature), None
        explanation = (explanations or {}).get(feature, UNEXPLAINED)
        status: Status
        severity: Severity = "none"
        if unscored and feature in unscored:
            (status, reason), score = unscored[feature], None
        elif score is None:
            status, reason = "error", "no score was computed, though there are rows: please report this"
        else:
            past = (history or {}).get(feature, ())
            size = explanation.size or Size(max(score.kl_corrected, 0.0), effect)
            effect = size.effect
            case = _Case(score, explanation.cell, size, detection, past, (scored_under or stretch) == stretch)
            status, severity, reason = case.verdict()
        found.append(
            Verdict(
                feature,
                status,
                severity,
                reason,
                effect.warning,
                effect.critical,
                score,
                roles.role_for(feature),
                roles.weight_for(feature),
                explanation if score else UNEXPLAINED,
                effect.scale,
                size.value if size else None,
            )
        )
    return found


def judge_again(
    verdicts: Sequence[Verdict],
    detection: Detection,
    history: Mapping[str, Sequence[Past]],
    *,
    scored_under: tuple[int, int],
) -> list[Verdict]:
    """Judge the scores of verdicts, each of which has one, under other settings."""
    scores = {verdict.feature: verdict.score for verdict in verdicts if verdict.score is not None}
    explanations = {
        verdict.feature: replace(verdict.explanation, size=_size_again(verdict, detection.effect_for(verdict.feature)))
        for verdict in verdicts
    }
    return judge(list(scores), scores, detection, history=history, explanations=explanations, scored_under=scored_under)


def _size_again(verdict: Verdict, effect: Effect) -> Size | None:
    if verdict.size is None or effect.measure == "kl":
        return None
    # On a scale of its own, or by KL, where there was nothing to measure.
    return Size(verdict.size, effect if verdict.scale == effect.scale else Effect())


@dataclass(frozen=True, slots=True)
class _Case:
    """One score, beside everything that it is judged by; what it says of lasting may not count."""

    score: Score
    cell: CellShift | None
    size: Size
    detection: Detection
    past: Sequence[Past]
    lasting: bool

    @property
    def effect(self) -> Effect:
        """The thresholds in force."""
        return self.size.effect

    @property
    def cell_lasting(self) -> float:
        """How far the cell that strayed is beyond its own history, in the last windows together."""
        return self.cell.lasting if self.cell and self.lasting else 0.0

    def verdict(self) -> tuple[Status, Severity, str]:
        """Return status, severity and reason."""
        if min(self.score.n_reference, self.score.n_current) < self.detection.min_rows:
            return "insufficient_data", "none", self.too_few()
        severity, why = self.severity()
        if severity == "none" and (far := self.far()):
            severity, why = "warning", far
        status, reason = self.status(severity, why)
        return status, severity, f"{reason}{self.limited(status, severity)}"

    def too_few(self) -> str:
        """Return what there is to say with fewer rows than a verdict takes."""
        score = self.score
        side, rows = (
            ("window", score.n_current) if score.n_current <= score.n_reference else ("reference", score.n_reference)
        )
        few = f"{thousands(rows)} rows in the {side}, min_rows is {thousands(self.detection.min_rows)}"
        if self.size.level == "none":
            return few
        and_so = "and significant" if score.q <= self.detection.fdr else "but not significant"
        return f"{few}: {self.size}, large {and_so} (p {_small(score.p)})"

    def limited(self, status: Status, severity: Severity) -> str:
        """Say why a status is not what the size of the divergence alone would make it; empty where it is."""
        level, critical = self.size.level, self.size.limit("critical")
        if status == "warning" and level == "critical":
            if severity == "critical":
                rule = self.detection.persistence
                return f"; a warning, as it was not critical in {rule.at_least} of the last {rule.of} windows"
            return f"; a warning, as what is unusual of it is below {critical}"
        if status == "critical" and level != "critical":
            return f"; critical, as what is unusual reaches {critical}"
        return ""

    def severity(self) -> tuple[Severity, str]:
        """Return what one window says by itself, and why."""
        score, size, q = self.score, self.size, _small(self.score.q)
        level = size.level
        significant = score.q <= self.detection.fdr
        if level == "none" and not (significant and self.strays()):
            below = f"{size} < {size.limit('warning')}"
            if significant:
                return "none", f"significant (q {q}) but below the effect floor: {below}"
            return "none", f"{below}, not significant (q {q})"
        large = f"{size} ≥ {size.limit(level)}" if level != "none" else f"{size}"
        if not significant:
            rows = min(score.n_current, score.n_reference)
            return "none", f"{large} but not significant: q {q} with {thousands(rows)} rows"
        found = self.unusual(level)
        if found is None:
            z = f"z {score.z:.1f} < {self.detection.z:g}"
            return "none", f"within its own history ({z}): {size} is usual here"
        severity, beyond = found
        return severity, f"{large}, q {q}{beyond}"

    def unusual(self, level: Severity) -> tuple[Severity, str] | None:
        """Return how severe a large difference is beside the feature's own history, and why; None if it is not."""
        score, cell = self.score, self.cell
        if score.z is None and level != "none":
            few = "history too short" if self.past else "no history"
            return level, f"; {few}: judged by sampling error and effect floor alone"
        short = "" if len(self.past) >= OWN_HISTORY else f" ({len(self.past)} scores: stored windows stand in)"
        beyond = f"robust sd beyond its own history{short}"
        found: list[tuple[Severity, str]] = []
        if score.z is not None and score.z >= self.detection.z and level != "none":
            found.append((level, f", {score.z:.0f} {beyond}"))
        lasted = self.lasted()
        if lasted != "none":
            found.append(
                (lasted, f", {score.z_lasting:.0f} {beyond} over the last {self.detection.persistence.of} windows")
            )
        if cell and self.strays():
            # How large the whole divergence is says nothing of the cell: a restless feature is large every day.
            by_itself = self.effect.level(cell.kl) if self.effect.measure == "kl" else level
            found.append((by_itself, f"; {self.moved(cell)}, {max(cell.z, self.cell_lasting):.0f} {beyond}"))
        return max(found, key=lambda one: SEVERITY_RANK[one[0]], default=None)

    def status(self, severity: Severity, why: str) -> tuple[Status, str]:
        """Return the status that persistence leaves of this window's severity, and the whole reason."""
        rule = self.detection.persistence
        if severity == "none":
            return "ok", why
        if rule.at_least <= 1:
            return severity, why
        recent = [SEVERITY_RANK[w.severity] for w in self.before()] + [SEVERITY_RANK[severity]]
        found: list[tuple[Status, str]] = []
        levels: tuple[Literal["critical", "warning"], ...] = ("critical", "warning")
        for level in levels[levels.index(severity) :]:
            count = sum(rank >= SEVERITY_RANK[level] for rank in recent)
            if count >= rule.at_least:
                least = f" at least {level}" if level != severity else ""
                found.append((level, f"{count} of the last {rule.of} windows{least}"))
        if self.unmistakable():
            found.append((severity, f"too large to wait for {rule.at_least} windows"))
        lasted = self.lasted()
        if lasted != "none":
            found.append((lasted, "lasting"))
        if self.cell_lasting >= self.detection.cell_z and self.strays():
            found.append(("warning", f"in {rule.at_least} of the last {rule.of} windows"))
        if found:
            status, words = min(found, key=lambda one: STATUS_ORDER[one[0]])
            return status, f"{why}; {words}"
        return "ok", f"{sum(rank > 0 for rank in recent)} of the {rule.at_least} windows it takes: {why}"

    def before(self) -> Sequence[Past]:
        """Return the windows just before this one that persistence looks at."""
        return self.past[max(len(self.past) - self.detection.persistence.of + 1, 0) :]

    def unmistakable(self) -> bool:
        """Whether nobody gains by waiting for another window."""
        score, critical, in_nats = self.score, self.effect.critical, self.effect.measure == "kl"
        if self.far():
            return True
        if self.size.value < (FAST_KL if in_nats else critical / 2):
            return False
        if score.z is None:
            # Without a history nothing can be called unusual: then only what is critical over its whole interval.
            return score.ci_low >= self.effect.in_nats.critical and self.size.level == "critical"
        vast = score.z >= self.detection.z and (score.ci_low if in_nats else self.size.value) >= VAST * critical
        return vast or score.z >= self.detection.z + FAST_MARGIN

    def far(self) -> str:
        """Say what is far beyond anything the feature did before, though it may be small; empty where nothing is."""
        score, cell, least = self.score, self.cell, FAR_FLOOR * self.effect.in_nats.warning
        if self.size.level == "none" and self.effect.measure != "kl":
            return ""
        small = f"{self.size}, far beyond its own history"
        # A cell's deviations are those of sampling at least, so that they stand for themselves.
        if cell and cell.z >= FAR_Z and cell.kl >= least:
            return f"{small}: {self.moved(cell)}, {cell.z:.0f} robust sd"
        if score.z is not None and score.z >= FAR_Z and score.kl_corrected >= least and score.q <= self.detection.fdr:
            return f"{small}: {score.z:.0f} robust sd, q {_small(score.q)}"
        return ""

    def moved(self, cell: CellShift) -> str:
        """Say how far the share of a cell moved."""
        return f"{cell.cell} {percent(cell.usual, 1)} → {percent(cell.share, 1)} ({cell.kl:.2g} nats by itself)"

    def lasted(self) -> Severity:
        """Return how large a difference is that is unusual together with the windows before: as large as it lasted."""
        z = self.score.z_lasting
        if z is None or not self.lasting or z < self.detection.z:
            return "none"
        scale = self.effect.scale
        if scale == "kl":
            before = [w.kl_corrected for w in self.before()]
        else:
            # What was measured on another scale does not count.
            before = [w.size or 0.0 if w.scale == scale else 0.0 for w in self.before()]
        recent, value = sorted([*before, self.size.value]), self.size.value
        return self.effect.level(min(recent[max(len(recent) - self.detection.persistence.at_least, 0)], value))

    def strays(self) -> bool:
        """Whether one cell is unusual, and large by itself: beside its median share, which no single day changes.

        By a measure other than KL, which no cell has by itself, the feature must be large too.
        """
        cell, least = self.cell, self.effect.in_nats.warning
        far = cell is not None and max(cell.z, self.cell_lasting) >= self.detection.cell_z
        large = self.effect.measure == "kl" or self.size.level != "none"
        return bool(far and cell and cell.kl >= least and large)


def _small(share: float) -> str:
    return "< 1e-6" if share < 1e-6 else f"{share:.2g}"
