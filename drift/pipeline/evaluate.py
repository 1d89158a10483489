"""Evaluation: one window scored against its references, from stored counts alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drift import logs
from drift.config.reference import fixed_windows
from drift.detection import assess as assessment
from drift.detection import findings as standing
from drift.detection import reference as references
from drift.detection.findings import Finding
from drift.detection.reports import Report
from drift.errors import StoreError
from drift.profiles.histograms import Profile
from drift.profiles.kinds import is_comparable
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.pipeline.context import Baseline, Context
    from drift.profiles.binning import Binning
    from drift.profiles.segments import Segmentation
    from drift.windows import Window


@logs.stage("evaluate")
def evaluate_window(context: Context, window: Window) -> Report:
    """Score one window against its reference from stored counts alone, and store the verdicts."""
    report = _evaluate(context, window)
    context.store.save_report(context.name, report)
    return report


def recall(context: Context, window: Window) -> Report:
    """Return the stored report of a window, with its evidence.

    Raises
    ------
    StoreError
        If the window was never run.
    """
    report = context.store.load_report(context.name, window.start)
    if report is None:
        name, label = context.name, context.label(window)
        raise StoreError(f"{name} has no report of {label}: drift run {name} --date {label}")
    return replace(report, label=context.label(window))


def _evaluate(context: Context, window: Window) -> Report:
    monitor, label = context.monitor, context.label(window)
    gate = context.store.gates(context.name, [window]).get(window.start, "not_validated")
    if gate == "rejected":
        return Report(context.name, window, "none: rejected by its expectations", [], 0, 0, gate, label=label)
    binnings = context.store.active_baseline(context.name)
    segmentations = context.segmentations()
    known = _recorded(context, window, binnings, segmentations)
    current, needed = known.current, monitor.reference_min_windows
    critical = _critical(context, known.held_against, window)
    reference, names = _composed(context, known, critical)
    main = next(iter(known.references))
    used = known.references[main]
    columns = {**{c: t for profile in used for c, t in profile.schema.items()}, **current.schema}
    features = context.features({**columns, **dict.fromkeys(binnings, "")})
    unbinned = {f: _why_unbinned(columns[f], [p.schema.get(f) for p in used]) for f in features if f not in binnings}
    reference = replace(reference, problems={**reference.problems, **unbinned})
    findings = []
    if len(used) < needed:
        few = f"the reference has {len(used)} of {len(known.held_against[main])} windows with rows; it needs {needed}"
        if monitor.reference.fixed == "baseline" and not known.baselines:
            few = f"there is no baseline yet: drift baseline promote {context.name} --from DATE --to DATE --reason WHY"
        findings.append(Finding("no_reference", few))
        features = features or list(binnings)
    elif not current.n_rows:
        findings.append(Finding("no_rows", "the window holds no rows"))
    else:
        findings += _standing(context, known, reference.n_rows / len(used))
    head = Report(context.name, window, _described(known), [], 0, 0, gate, findings, label=label)
    whole = _part(context, window, head, known, reference, features)
    parts, sides = [whole], [(known, names)]
    binned = [feature for feature in features if feature in binnings]
    for by in segmentations if current.n_rows and len(used) >= needed else ():
        own = [feature for feature in binned if feature not in by.columns]
        for segment in by.names if by.watched else ():
            mine = known.of(segment)
            if mine.current.n_rows or any(mine.references.values()):
                before, chosen = _composed(context, mine, critical)
                parts.append(_part(context, window, replace(head, segment=segment), mine, before, own))
                sides.append((mine, chosen))
    assessed = assessment.assess_together(parts, detection=monitor.detection, watched=monitor.features)
    report, *others = (
        _beside_the_baseline(context, each, mine, chosen) for each, (mine, chosen) in zip(assessed, sides, strict=True)
    )
    slow = standing.moved_findings(report.verdicts, whole.history)
    segments = {each.segment: replace(each, findings=[]) for each in others}
    return replace(report, findings=[*report.findings, *slow], segments=segments)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the store holds that a window is judged by: its counts, and of each reference the windows that may be used.

    `baselines` are the baselines in force by feature, `fixed` their windows; `remembered` are those just before.
    """

    current: Profile
    held_against: dict[str, list[Window]]
    references: dict[str, list[Profile]]
    baselines: dict[str, Baseline]
    fixed: dict[Baseline, list[Profile]]
    remembered: list[Profile]
    segment: str = WHOLE

    def of(self, segment: str) -> _Recorded:
        """Return the same of one segment; a window in which it had no rows is none of its references."""

        def mine(profiles: Iterable[Profile]) -> list[Profile]:
            return [one for each in profiles if (one := each.segments.get(segment)) and one.n_rows]

        return replace(
            self,
            current=self.current.segments.get(segment) or Profile(self.current.window, 0, {}),
            references={name: mine(profiles) for name, profiles in self.references.items()},
            remembered=mine(self.remembered),
            segment=segment,
        )


def _composed(
    context: Context, known: _Recorded, critical: Mapping[str, Collection[tuple[str, datetime]]]
) -> tuple[Profile, dict[str, str]]:
    """Return what the window, or a segment of it, is held against, and what some of its features are."""
    left_out, needed = critical.get(known.segment, ()), context.monitor.reference_min_windows
    return references.compose(
        known.references, known.current, context.monitor.detection, left_out=left_out, least=needed
    )


def _part(
    context: Context, window: Window, head: Report, known: _Recorded, reference: Profile, features: Sequence[str]
) -> assessment.Part:
    """Return what is assessed by itself, with what is remembered of it."""
    remembered = context.monitor.detection.remembered
    history = context.store.history(
        context.name, features, before=window.start, limit=remembered, segment=known.segment
    )
    return assessment.Part(head, reference, known.current, features, history, known.remembered)


def _recorded(
    context: Context, window: Window, binnings: Mapping[str, Binning], segmentations: Sequence[Segmentation]
) -> _Recorded:
    held_against, baselines = context.held_against(window), context.baselines()
    calendar = context.monitor.window.calendar
    fixed = {each: fixed_windows(calendar, window, each.start, each.end) for each in set(baselines.values())}
    remembered = context.remembered(window)
    wanted = {window, *(w for some in (*held_against.values(), *fixed.values(), remembered) for w in some)}
    loaded = context.store.load_profiles(context.name, sorted(wanted), binnings, segmentations)
    stored = {p.window: (assessment.arrived(p, context.monitor.features), gate) for p, gate in loaded}
    rejected = "rejected" not in context.monitor.reference.exclude

    def may_be_used(windows: Iterable[Window]) -> list[Profile]:
        found = [stored[w] for w in windows if w in stored]
        return [profile for profile, gate in found if profile.n_rows and (gate != "rejected" or rejected)]

    return _Recorded(
        stored[window][0] if window in stored else Profile(window, 0, {}),
        held_against,
        {name: may_be_used(windows) for name, windows in held_against.items()},
        baselines,
        {each: may_be_used(windows) for each, windows in fixed.items()},
        may_be_used(remembered),
    )


def _described(known: _Recorded) -> str:
    """Say which references there are, and how much of them."""
    main, *companions = (
        f"{name}: {len(known.references[name])} of {len(windows)}" for name, windows in known.held_against.items()
    )
    return "; ".join([f"{main} windows", *companions])


def _critical(
    context: Context, held_against: Mapping[str, Sequence[Window]], window: Window
) -> dict[str, set[tuple[str, datetime]]]:
    """Return by segment which features were critical when, where the monitor keeps these out of its references."""
    starts = [w.start for windows in held_against.values() for w in windows]
    if "critical" not in context.monitor.reference.exclude or context.monitor.reference.fixed or not starts:
        return {}
    found: dict[str, set[tuple[str, datetime]]] = {}
    for report in context.store.load_reports(context.name, since=min(starts), until=max(starts)):
        if report.window and report.window < window:
            for one in (report, *report.segments.values()):
                found.setdefault(one.segment, set()).update(
                    (v.feature, report.window.start) for v in one.verdicts if v.status == "critical"
                )
    return found


def _standing(context: Context, known: _Recorded, usual: float) -> list[Finding]:
    """Return what is found beside KL, so that no reference that adapts hides it."""
    newest = max(known.fixed, key=lambda each: each.version, default=None)
    found = standing.volume_findings(
        known.current.n_rows,
        usual,
        [profile.n_rows for profile in known.fixed[newest]] if newest else [],
        label=context.span(newest) if newest else "",
    )
    # A baseline whose windows are gone leaves the reference to compare with.
    instead = next(iter(known.references.values()))
    before = {feature: known.fixed[each] or instead for feature, each in known.baselines.items()}
    return found + standing.still_findings(known.current, before, min_rows=context.monitor.detection.min_rows)


def _beside_the_baseline(context: Context, report: Report, known: _Recorded, names: Mapping[str, str]) -> Report:
    """Note with each score which reference it was held against, and how far the feature is from its baseline."""
    away = {each: _away(context.total(profiles), known) for each, profiles in known.fixed.items()}
    fixed = {feature: away[each].get(feature) for feature, each in known.baselines.items()}
    verdicts = [
        replace(v, score=replace(v.score, kl_fixed=fixed.get(v.feature), reference=names.get(v.feature, "")))
        if v.score
        else v
        for v in report.verdicts
    ]
    return replace(report, verdicts=verdicts)


def _away(baseline: Profile, known: _Recorded) -> dict[str, float]:
    mine = baseline.segments.get(known.segment) if known.segment else baseline
    return references.from_baseline(mine, known.current) if mine else {}


def _why_unbinned(arrow_type: str, before: Iterable[str | None]) -> str:
    types = list(dict.fromkeys(each for each in before if each not in {None, "null"}))
    if len(types) > 1:
        return f"its type changed within the reference ({', then '.join(types[:3])}): drift baseline fit gives it bins"
    if not is_comparable(arrow_type):
        return f"type {arrow_type} cannot be compared: exclude the feature"
    if " and " in arrow_type:
        return f"its files differ in type, {arrow_type}: write them with one, and drift baseline fit gives it bins"
    return "the column came after the bins were fitted: drift baseline fit gives it bins"
