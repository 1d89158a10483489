"""Assessment: two profiles under the same binnings become verdicts, with their errors, reasons and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from drift.config.features import Features
from drift.detection import history as own_history
from drift.detection.effect_size import sized
from drift.detection.evidence import Evidence
from drift.detection.findings import reading_findings, schema_findings
from drift.detection.late_labels import arrived, waited_for
from drift.detection.onset import SEED, onset, single
from drift.detection.scores import Explanation
from drift.detection.scoring import measure_together
from drift.detection.verdicts import judge
from drift.errors import is_failure
from drift.profiles.binning import NumericBinning
from drift.profiles.refinement import refined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.config.detection import Detection
    from drift.detection.findings import Finding
    from drift.detection.scores import CellShift, Past, Score, Status, Verdict
    from drift.profiles.histograms import Histogram, Profile

NOTICE = 0.002
"""Below this divergence, in nats, no cell is looked for that strayed, unless the whole is unusual."""


_UNSIZED = "detection.effect measures the {}, which only numbers have: choose kl, psi, js_distance or missing for it"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is assessed by itself: a window, or one of its segments.

    Parameters
    ----------
    reference, current
        Their histograms share each feature's binning.
    features
        The features that need a verdict, in order.
    history
        Earlier scores of each feature, oldest first.
    remembered
        Earlier windows, oldest first: the own history of each cell, and of a feature without enough scores.
    names
        Which reference a feature is compared with, where there is more than one.
    kl_fixed
        How far each feature is from its fixed baseline, in nats.
    baseline
        Where the reference cannot adapt, its own windows.
    """

    reference: Profile
    current: Profile
    features: Sequence[str]
    history: Mapping[str, Sequence[Past]] = field(default_factory=dict)
    remembered: Sequence[Profile] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    kl_fixed: Mapping[str, float] = field(default_factory=dict)
    baseline: Sequence[Profile] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is made of one subject: a verdict for each of its features, in their order, and what lies behind it."""

    n_reference: int
    n_current: int
    verdicts: list[Verdict]
    evidence: dict[str, Evidence]
    findings: list[Finding]


def assess(subjects: Sequence[Subject], detection: Detection, watched: Features | None = None) -> list[Assessment]:
    """Turn pairs of profiles (a window, its segments) into verdicts, controlling false discoveries over all of them.

    All features are inputs of equal weight unless `watched` says otherwise.
    """
    roles = watched or Features()
    subjects = [replace(s, reference=arrived(s.reference, roles), current=arrived(s.current, roles)) for s in subjects]
    pairs = [_pairs(subject) for subject in subjects]
    scores = measure_together(
        pairs,
        smoothing=detection.smoothing,
        histories=[_history(subject, each, detection) for subject, each in zip(subjects, pairs, strict=True)],
        persistence=detection.persistence.stretch,
        # Of several groups, those features with too few rows to be judged take no part in the others' control.
        min_rows=detection.min_rows if len(subjects) > 1 else 0,
    )
    return [_judged(*each, detection, roles) for each in zip(subjects, pairs, scores, strict=True)]


def _pairs(subject: Subject) -> dict[str, tuple[Histogram, Histogram]]:
    """Return both histograms, refined, of the features that can be compared."""
    reference, current = subject.reference, subject.current
    # With no rows on a side there is nothing to say of any feature, and the feature is not at fault.
    features = subject.features if reference.n_rows and current.n_rows else ()
    unknown = _unknown(subject)
    return {
        feature: refined(reference.histograms[feature], current.histograms[feature])
        for feature in features
        if feature in reference.histograms and feature in current.histograms and feature not in unknown
    }


def _unknown(subject: Subject) -> dict[str, str]:
    """Say of which features the reference knows no value that one of the window could be compared with."""
    found = {}
    for feature, before in subject.reference.histograms.items():
        now = subject.current.histograms.get(feature)
        if now is None or before.binning.fingerprint != now.binning.fingerprint:
            continue
        filled = [side.n > side.n_missing for side in (before, now)]
        if not any(filled):
            found[feature] = "no reference: it holds no value of the column, nor does the window"
        elif all(filled) and before.binning.blank:
            found[feature] = "no reference: no value was known when the bins were fitted"
    return found


def _history(
    subject: Subject, pairs: Mapping[str, tuple[Histogram, Histogram]], detection: Detection
) -> dict[str, Sequence[Past]]:
    """Return the past that each feature is judged by; none where the monitor asks for none."""
    return {
        feature: own_history.own_past(
            subject.history.get(feature, ()),
            feature,
            subject.remembered,
            windows=detection.history,
            recent=detection.persistence.stretch[0] - 1,
            most=_most(subject, detection),
            baseline=subject.baseline,
            smoothing=detection.smoothing,
        )
        for feature in (pairs if detection.history else ())
    }


def _most(subject: Subject, detection: Detection) -> int | None:
    """Return how many windows of an event make it usual; None where nothing does."""
    return None if subject.baseline else detection.remembered // 2 + 1


def _judged(
    subject: Subject,
    pairs: Mapping[str, tuple[Histogram, Histogram]],
    scores: Mapping[str, Score],
    detection: Detection,
    roles: Features,
) -> Assessment:
    reference, current = subject.reference, subject.current
    evidence = {
        feature: Evidence(before, after, reference.summaries.get(feature), current.summaries.get(feature))
        for feature, (before, after) in pairs.items()
    }
    explanations = {
        feature: Explanation(
            subject.names.get(feature, ""),
            subject.kl_fixed.get(feature),
            evidence[feature].wasserstein,
            _cell(score, subject, detection),
            sized(detection.effect_for(feature), score, evidence[feature]),
        )
        for feature, score in scores.items()
    }
    unsized: dict[str, tuple[Status, str]] = {
        feature: ("not_comparable", _UNSIZED.format(detection.effect_for(feature).measure))
        for feature, explanation in explanations.items()
        if explanation.size is None
    }
    verdicts = judge(
        subject.features,
        scores,
        detection,
        history=subject.history,
        explanations=explanations,
        unscored=_unscored(subject, roles) | unsized,
        watched=roles,
    )
    verdicts = [_dated(verdict, subject) if detection.history else verdict for verdict in verdicts]
    # The column of a label may come with its values.
    both = reference.schema.keys() & current.schema.keys()
    columns = [feature for feature in subject.features if roles.role_for(feature) != "label" or feature in both]
    findings = schema_findings(reference.schema, current.schema, columns)
    written = {
        feature: f"text is read as numbers written like {notation}"
        for feature, histogram in current.histograms.items()
        if isinstance(histogram.binning, NumericBinning) and (notation := histogram.binning.notation)
    }
    findings += reading_findings(reference.notes, {**current.notes, **written})
    return Assessment(reference.n_rows, current.n_rows, verdicts, evidence, findings)


def _cell(score: Score, subject: Subject, detection: Detection) -> CellShift | None:
    """Return the cell that strayed farthest, where there is anything to explain: significant, and worth a notice."""
    remarkable = score.kl_corrected >= NOTICE and score.q <= detection.fdr
    if not (remarkable or (score.z or 0.0) >= detection.z) or not detection.history:
        return None
    feature, stretch = score.feature, detection.persistence.stretch
    remembered = [p for p in subject.remembered if feature in p.histograms]
    start = max(len(remembered) - stretch[0] + 1, 0)
    recent = {p.window: p.histograms[feature] for p in remembered[start:]}
    apart = own_history.loud(subject.history.get(feature, ()), most=_most(subject, detection))
    earlier = remembered[:start] if len(subject.baseline) < own_history.OWN_HISTORY else []
    quiet = [p for p in earlier if p.window and p.window.start not in apart]
    past = {
        p.window: p.histograms[feature]
        for p in (*subject.baseline, *quiet)
        if feature in p.histograms and p.window not in recent
    }
    now = [*recent.values(), subject.current.histograms[feature]]
    found = [look(list(past.values()), now, persistence=stretch) for look in _LOOKS]
    return max((cell for cell in found if cell), key=lambda cell: max(cell.z, cell.lasting), default=None)


def _dated(verdict: Verdict, subject: Subject) -> Verdict:
    """Return the verdict of a feature that drifts with the window since which it does, or that alone did."""
    now = subject.current.histograms.get(verdict.feature)
    past = {each.window_start: each.severity for each in subject.history.get(verdict.feature, ())}
    lately = len(list(takewhile(lambda start: past[start] != "none", sorted(past, reverse=True))))
    over = lately == 1 and verdict.status == "ok" and verdict.severity == "none"
    if now is None or subject.current.window is None or not (verdict.drifting or over):
        return verdict
    windows = {
        each.window.start: one
        for each in (*subject.remembered, subject.current)
        if each.window and (one := each.histograms.get(verdict.feature))
        if one.binning.fingerprint == now.binning.fingerprint
    }
    if over:
        found = single(windows)
        dated = found if found and found.most_likely == max(past) else None
    else:
        dated = onset(windows, 1 + lately, rng=np.random.default_rng(SEED))
    return replace(verdict, explanation=replace(verdict.explanation, onset=dated))


# A label says more than the cell that it shares: where both strayed as far, it is named.
_LOOKS = (own_history.unusual_label, own_history.unusual_cell)


def _unscored(subject: Subject, roles: Features) -> dict[str, tuple[Status, str]]:
    """Say which features cannot be compared, and why: each with the status of its verdict."""
    reference, current = subject.reference, subject.current
    failed: dict[str, tuple[Status, str]] = {
        feature: ("error", why)
        for profile in (current, reference)
        for feature, why in profile.problems.items()
        if feature not in profile.histograms and is_failure(why)
    }
    if not reference.n_rows or not current.n_rows:
        side = "reference" if current.n_rows else "window"
        return dict.fromkeys(subject.features, ("insufficient_data", f"no rows in the {side}")) | failed
    sides = (reference, "the reference has no such column"), (current, "column missing")
    found: dict[str, tuple[Status, str]] = {}
    unknown = _unknown(subject)
    for feature in subject.features:
        lacking = [profile.problems.get(feature, why) for profile, why in sides if feature not in profile.histograms]
        if late := waited_for(feature, reference, current, roles):
            found[feature] = "insufficient_data", late
        elif lacking:
            found[feature] = "not_comparable", lacking[0]
        elif feature in unknown:
            found[feature] = "insufficient_data", unknown[feature]
    return found | failed
