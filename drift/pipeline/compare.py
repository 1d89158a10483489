"""Comparisons: one table against another, with no monitor and no store.

`compare` is what `drift compare` runs; `assess` turns two profiles into a report and is what a monitor runs too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drift.config.detection import Detection, Persistence
from drift.config.features import Features
from drift.detection import history as own_history
from drift.detection.evidence import Evidence
from drift.detection.reports import Finding, Report
from drift.detection.scoring import measure, together
from drift.detection.verdicts import judge
from drift.profiles import parallel
from drift.profiles.counting import count
from drift.profiles.fitting import FitOptions, fit
from drift.profiles.kinds import same_family
from drift.profiles.refinement import refined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from drift.detection.scores import CellShift, Past, Score
    from drift.profiles.histograms import Histogram, Profile

NOTICE = 0.004
"""Below this divergence, in nats, nobody asks which cell strayed."""


def fit_options(features: Sequence[str], config: Features, *, salt: str = "") -> dict[str, FitOptions]:
    """Return what the configuration asks for each feature's binning.

    Examples
    --------
    >>> fit_options(["dep_delay"], Features(bins={"*_delay": 20}))["dep_delay"].bins
    20
    """
    return {
        name: FitOptions(
            kind=config.kind_for(name),
            bins=config.bins_for(name),
            levels=config.levels,
            salt=salt if config.hashes(name) else "",
        )
        for name in features
    }


def schema_findings(reference: Mapping[str, str], current: Mapping[str, str], features: Iterable[str]) -> list[Finding]:
    """Say which of the features' columns appeared, vanished or changed type.

    Examples
    --------
    >>> [str(f) for f in schema_findings({"a": "int64", "b": "string"}, {"a": "double", "c": "bool"}, "abc")]
    ['column a: double now, int64 in the reference', 'column b: missing', 'column c: new (bool)']
    """
    if not reference or not current:
        # Where a side holds nothing at all there is no schema to differ from.
        return []
    found = []
    for name in features:
        before, after = reference.get(name), current.get(name)
        if before is None and after is not None:
            found.append(Finding("new_column", f"column {name}: new ({after})", name))
        elif before is not None and after is None:
            found.append(Finding("missing_column", f"column {name}: missing", name))
        elif before is None or after is None or before == after or "null" in {before, after}:
            continue
        elif same_family(before, after):
            found.append(Finding("recast_column", f"column {name}: {after} now, {before} in the reference", name))
        else:
            found.append(Finding("retyped_column", f"column {name}: type changed from {before} to {after}", name))
    return found


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


def compare(
    reference: pd.DataFrame | pa.Table | str | Path,
    current: pd.DataFrame | pa.Table | str | Path,
    *,
    features: Features | None = None,
    detection: Detection | None = None,
    name: str = "compare",
) -> Report:
    """Compare two tables, feature by feature: D(current‖reference) in nats, with its error.

    Parameters
    ----------
    reference, current
        A pandas DataFrame, an Arrow table, or a path: a Parquet or CSV file, a folder of them, or a glob.
    features
        Which columns, of which kind, binned how; every column by default.
    detection
        Thresholds and rules; a single comparison has no earlier windows, so one window is enough to call.
    name
        What to call the comparison in the report.

    Raises
    ------
    SourceError
        If a table cannot be read.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> report = compare(pd.DataFrame({"x": rng.normal(0, 1, 2000)}), pd.DataFrame({"x": rng.normal(0.5, 1, 2000)}))
    >>> report["x"].status, report["x"].score.ci_low < 0.125 < report["x"].score.ci_high
    ('critical', True)
    """
    from drift.sources.snapshot import open_table

    wanted = features or Features()
    rules = detection or Detection(persistence=Persistence(of=1, at_least=1))
    before, after = open_table(reference), open_table(current)
    both = list(dict.fromkeys([*before.schema, *after.schema]))
    placed = (before.placed | after.placed) - wanted.named
    selected = [column for column in wanted.select(both) if column not in placed]
    shared = [column for column in selected if column in before.schema]
    options = fit_options(shared, wanted, salt=name)
    if before.columns and after.columns:
        reference_profile, current_profile, unfit = parallel.profiles(
            parallel.Table(before.count_rows(), before.schema, before.columns),
            parallel.Table(after.count_rows(), after.schema, after.columns),
            options,
        )
    else:
        binnings, unfit = fit(before.batches(shared), options, expected_rows=after.count_rows())
        reference_profile = count(before.batches(list(binnings)), binnings, schema=before.schema)
        present = [column for column in binnings if column in after.schema]
        current_profile = count(after.batches(present), binnings, schema=after.schema)
    reference_profile = replace(reference_profile, problems={**reference_profile.problems, **unfit})
    head = Report(name, None, _describe(reference), [], 0, 0)
    return assess(head, reference_profile, current_profile, features=selected, detection=rules, watched=wanted)


def _describe(reference: object) -> str:
    import os

    return f"reference {os.fspath(reference)}" if isinstance(reference, (str, os.PathLike)) else "reference table"
