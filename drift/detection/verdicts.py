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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drift.config.features import Features
from drift.detection.history import OWN_HISTORY
from drift.detection.scores import SEVERITY_RANK, STATUS_ORDER, UNEXPLAINED, Past, Score, Severity, Status, Verdict
from drift.text.formatting import figure, percent, thousands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.config.detection import Detection, Effect
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
        What explains each score; a cell that strayed may be reason enough.
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
        effect = detection.effect_for(feature)
        score = scores.get(feature)
        explanation = (explanations or {}).get(feature, UNEXPLAINED)
        status: Status
        severity: Severity = "none"
        if unscored and feature in unscored:
            (status, reason), score = unscored[feature], None
        elif score is None:
            status, reason = "error", "no score was computed, though there are rows: please report this"
        else:
            past = (history or {}).get(feature, ())
            case = _Case(score, explanation.cell, effect, detection, past, (scored_under or stretch) == stretch)
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
    explanations = {verdict.feature: verdict.explanation for verdict in verdicts}
    return judge(list(scores), scores, detection, history=history, explanations=explanations, scored_under=scored_under)


@dataclass(frozen=True, slots=True)
class _Case:
    """One score, beside everything that it is judged by; what it says of lasting may not count."""

    score: Score
    cell: CellShift | None
    effect: Effect
    detection: Detection
    past: Sequence[Past]
    lasting: bool

    @property
    def kl(self) -> float:
        """The bias-corrected estimate as it is compared with thresholds: never negative."""
        return max(self.score.kl_corrected, 0.0)

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
        if self.kl < self.effect.warning:
            return few
        and_so = "and significant" if score.q <= self.detection.fdr else "but not significant"
        return f"{few}: corrected KL {figure(self.kl)}, large {and_so} (p {_small(score.p)})"

    def limited(self, status: Status, severity: Severity) -> str:
        """Say why a status is not what the size of the divergence alone would make it; empty where it is."""
        level, critical = self.level(self.kl), f"critical {self.effect.critical:g}"
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
        score, kl, q = self.score, self.kl, _small(self.score.q)
        level = self.level(kl)
        significant = score.q <= self.detection.fdr
        if level == "none" and not (significant and self.strays()):
            below = f"corrected KL {figure(kl)} < warning {self.effect.warning:g}"
            if significant:
                return "none", f"significant (q {q}) but below the effect floor: {below}"
            return "none", f"{below}, not significant (q {q})"
        limit = self.effect.critical if level == "critical" else self.effect.warning
        large = f"corrected KL {figure(kl)} ≥ {level} {limit:g}" if level != "none" else f"corrected KL {figure(kl)}"
        if not significant:
            rows = min(score.n_current, score.n_reference)
            return "none", f"{large} but not significant: q {q} with {thousands(rows)} rows"
        found = self.unusual(level)
        if found is None:
            z = f"z {score.z:.1f} < {self.detection.z:g}"
            return "none", f"within its own history ({z}): corrected KL {figure(kl)} is usual here"
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
            found.append((self.level(cell.kl), f"; {self.moved(cell)}, {max(cell.z, self.cell_lasting):.0f} {beyond}"))
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
        score, critical = self.score, self.effect.critical
        if self.far():
            return True
        if self.kl < FAST_KL:
            return False
        if score.z is None:
            # Without a history nothing can be called unusual: then only what is critical over its whole interval.
            return score.ci_low >= critical
        vast = score.z >= self.detection.z and score.ci_low >= VAST * critical
        return vast or score.z >= self.detection.z + FAST_MARGIN

    def far(self) -> str:
        """Say what is far beyond anything the feature did before, though it may be small; empty where nothing is."""
        score, cell, least = self.score, self.cell, FAR_FLOOR * self.effect.warning
        small = f"corrected KL {figure(self.kl)}, far beyond its own history"
        # A cell's deviations are those of sampling at least, so that they stand for themselves.
        if cell and cell.z >= FAR_Z and cell.kl >= least:
            return f"{small}: {self.moved(cell)}, {cell.z:.0f} robust sd"
        if score.z is not None and score.z >= FAR_Z and self.kl >= least and score.q <= self.detection.fdr:
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
        recent = sorted([*(w.kl_corrected for w in self.before()), self.kl])
        return self.level(min(recent[max(len(recent) - self.detection.persistence.at_least, 0)], self.kl))

    def strays(self) -> bool:
        """Whether one cell is unusual, and large by itself: beside its median share, which no single day changes."""
        cell = self.cell
        far = cell is not None and max(cell.z, self.cell_lasting) >= self.detection.cell_z
        return bool(far and cell and cell.kl >= self.effect.warning)

    def level(self, kl: float) -> Severity:
        """Return the severity of a divergence by the thresholds alone."""
        return "critical" if kl >= self.effect.critical else "warning" if kl >= self.effect.warning else "none"


def _small(share: float) -> str:
    return "< 1e-6" if share < 1e-6 else f"{share:.2g}"
