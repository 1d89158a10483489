"""Assessment: two profiles under the same binnings become verdicts, with their errors, reasons and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drift.config.features import Features
from drift.detection import history as own_history
from drift.detection.evidence import Evidence
from drift.detection.findings import schema_findings
from drift.detection.scoring import measure, together
from drift.detection.verdicts import judge
from drift.profiles.refinement import refined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drift.config.detection import Detection
    from drift.detection.reports import Report
    from drift.detection.scores import CellShift, Past, Score
    from drift.profiles.histograms import Histogram, Profile

NOTICE = 0.004
"""Below this divergence, in nats, nobody asks which cell strayed."""


def assess(
    head: Report,
    reference: Profile,
    current: Profile,
    *,
    features: Sequence[str],
    detection: Detection,
    history: Mapping[str, Sequence[Past]] | None = None,
    remembered: Sequence[Profile] = (),
    watched: Features | None = None,
) -> Report:
    """Turn two profiles under the same binnings into a report.

    Parameters
    ----------
    head
        A report without verdicts: what is compared with what, and what is known already.
    reference, current
        Their histograms share each feature's binning.
    features
        The features that a verdict is owed for, in order.
    detection
        Thresholds and rules.
    history
        Earlier scores of each feature, oldest first.
    remembered
        Earlier windows, oldest first: what is usual for each cell, and for a feature without scores enough.
    watched
        Roles and weights of the features; all are inputs of equal weight by default.
    """
    part = Part(head, reference, current, features, history or {}, remembered)
    return assess_together([part], detection=detection, watched=watched)[0]


@dataclass(frozen=True, slots=True)
class Part:
    """What is assessed by itself: a window, or one of its segments.

    Parameters
    ----------
    head, reference, current, features, history, remembered
        As for `assess`.
    """

    head: Report
    reference: Profile
    current: Profile
    features: Sequence[str]
    history: Mapping[str, Sequence[Past]] = field(default_factory=dict)
    remembered: Sequence[Profile] = ()


def assess_together(parts: Sequence[Part], *, detection: Detection, watched: Features | None = None) -> list[Report]:
    """Turn parts into a report each; the share of false discoveries is controlled over all of them.

    Parameters
    ----------
    parts
    detection, watched
        As for `assess`.
    """
    roles = watched or Features()
    parts = [replace(p, reference=arrived(p.reference, roles), current=arrived(p.current, roles)) for p in parts]
    # With no rows on a side there is nothing to say of any feature, and that is no fault of theirs.
    paired = [
        _pairs(p.reference, p.current, p.features if p.reference.n_rows and p.current.n_rows else []) for p in parts
    ]
    scores = [_measured(part, pairs, detection) for part, (pairs, _) in zip(parts, paired, strict=True)]
    if len(parts) > 1:
        scores = together(scores, min_rows=detection.min_rows)
    return [
        _judged(part, pairs, problems, mine, detection, roles)
        for part, (pairs, problems), mine in zip(parts, paired, scores, strict=True)
    ]


def _measured(part: Part, pairs: Mapping[str, tuple[Histogram, Histogram]], detection: Detection) -> dict[str, Score]:
    return measure(
        pairs,
        smoothing=detection.smoothing,
        history=own_history.with_stand_ins(
            {feature: part.history.get(feature, ()) for feature in pairs},
            part.remembered,
            windows=detection.history,
            smoothing=detection.smoothing,
        ),
        windows=detection.history,
        persistence=detection.persistence.stretch,
    )


def _judged(
    part: Part,
    pairs: Mapping[str, tuple[Histogram, Histogram]],
    problems: Mapping[str, str],
    scores: Mapping[str, Score],
    detection: Detection,
    roles: Features,
) -> Report:
    reference, current = part.reference, part.current
    late = _late(reference, current, [f for f in part.features if roles.role_for(f) == "label"])
    verdicts = judge(
        part.features,
        {f: replace(score, cell=_cell(score, part.remembered, current, detection)) for f, score in scores.items()},
        detection,
        history=part.history,
        problems={**problems, **late},
        n_reference=reference.n_rows,
        n_current=current.n_rows,
    )
    evidence = {
        feature: Evidence(before, after, reference.summaries.get(feature), current.summaries.get(feature))
        for feature, (before, after) in pairs.items()
    }
    return replace(
        part.head,
        verdicts=[
            replace(
                verdict,
                status="insufficient_data" if verdict.feature in late else verdict.status,
                score=_in_its_unit(verdict.score, evidence),
                role=roles.role_for(verdict.feature),
                weight=roles.weight_for(verdict.feature),
            )
            for verdict in verdicts
        ],
        n_reference=reference.n_rows,
        n_current=current.n_rows,
        findings=[*schema_findings(reference.schema, current.schema, part.features), *part.head.findings],
        evidence=evidence,
    )


def _cell(score: Score, remembered: Sequence[Profile], current: Profile, detection: Detection) -> CellShift | None:
    """Return the cell that strayed farthest, where there is anything to explain: significant, and worth a notice."""
    if score.kl_corrected < NOTICE or score.q > detection.fdr or not detection.history:
        return None
    feature = score.feature
    before = [profile.histograms[feature] for profile in remembered if feature in profile.histograms]
    stretch = detection.persistence.stretch
    start = max(len(before) - stretch[0] + 1, 0)
    recent = [*before[start:], current.histograms[feature]]
    return own_history.unusual_cell(before[:start], recent, persistence=stretch)


def _in_its_unit(score: Score | None, evidence: Mapping[str, Evidence]) -> Score | None:
    return score and replace(score, wasserstein=evidence[score.feature].wasserstein)


def arrived(profile: Profile, watched: Features) -> Profile:
    """Return a profile without the labels of which not one has arrived: they are no news, and no reference.

    Examples
    --------
    >>> from drift.profiles.binning import BOOLEAN
    >>> from drift.profiles.histograms import Histogram, Profile
    >>> late = Profile(None, 9, {"paid": Histogram(BOOLEAN, [0, 0, 0, 0, 9])})
    >>> dict(arrived(late, Features(roles={"paid": "label"})).histograms), list(arrived(late, Features()).histograms)
    ({}, ['paid'])
    """
    if "label" not in watched.roles.values():
        return profile
    absent = {
        feature
        for feature, histogram in profile.histograms.items()
        if watched.role_for(feature) == "label" and histogram.n == histogram.n_missing
    }
    return replace(
        profile,
        histograms={f: histogram for f, histogram in profile.histograms.items() if f not in absent},
        summaries={f: summary for f, summary in profile.summaries.items() if f not in absent},
    )


def _late(reference: Profile, current: Profile, labels: Sequence[str]) -> dict[str, str]:
    """Say which labels have not arrived, and where: the column is there, and was counted once."""
    if not reference.n_rows or not current.n_rows:
        return {}

    def absent(profile: Profile) -> set[str]:
        return {f for f in labels if f in profile.schema and f not in {**profile.problems, **profile.histograms}}

    return dict.fromkeys(absent(reference), "labels have not arrived in the reference") | dict.fromkeys(
        absent(current), f"labels have not arrived (0 of {current.n_rows:,})"
    )


def _pairs(
    reference: Profile, current: Profile, features: Iterable[str]
) -> tuple[dict[str, tuple[Histogram, Histogram]], dict[str, str]]:
    """Return the features that can be compared, each with both histograms, and why the others cannot."""
    pairs: dict[str, tuple[Histogram, Histogram]] = {}
    problems: dict[str, str] = {}
    for feature in features:
        before, after = reference.histograms.get(feature), current.histograms.get(feature)
        if before is None:
            problems[feature] = reference.problems.get(feature, "the reference has no such column")
        elif after is None:
            problems[feature] = current.problems.get(feature, "column missing")
        else:
            pairs[feature] = refined(before, after)
    return pairs, problems
