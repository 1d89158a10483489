"""Evaluation: one window scored against its references, from stored counts alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drift.config.reference import fixed_windows
from drift.detection.assess import Subject, assess
from drift.detection.findings import (
    FAILING,
    Finding,
    failing_findings,
    moved_findings,
    outgrown_findings,
    still_findings,
    volume_findings,
)
from drift.detection.late_labels import arrived
from drift.detection.localise import localise
from drift.detection.onset import SEED, onset_of
from drift.detection.reference import compose, from_baseline
from drift.detection.relationships import Relationships, judge_relationships, relationship_finding
from drift.detection.reports import Report
from drift.detection.rollups import roll_up
from drift.detection.row_counts import beside_usual, row_count
from drift.pipeline.isolation import isolated
from drift.profiles.histograms import Profile
from drift.profiles.kinds import is_comparable
from drift.profiles.pair_choice import left_out
from drift.profiles.pairs import Pairs
from drift.store.schema import WHOLE
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.detection.assess import Assessment
    from drift.detection.localise import Where
    from drift.detection.reports import Gate
    from drift.detection.row_counts import RowCount
    from drift.detection.scores import Past
    from drift.pipeline.context import Baseline, Context
    from drift.profiles.binning import Binning
    from drift.store.base import State
    from drift.windows import Window


@logs.stage("evaluate")
def evaluate_window(context: Context[State], window: Window) -> Report:
    """Score one window against its reference from stored counts alone, and store the verdicts."""
    gate = context.store.gates(context.name, [window]).get(window.start, "not_validated")
    if gate == "rejected":
        label = context.label(window)
        report = Report(context.name, window, "none: rejected by its expectations", [], 0, 0, gate, label=label)
    else:
        stored = gather(context, window, gate)
        report = isolated(lambda failed: _judged(context, stored.without(failed)), stored.parts[0].features)
    context.store.save_report(context.name, report)
    return report


def _judged(context: Context[State], stored: Gathered) -> Report:
    subjects = [reference(context, stored, part) for part in stored.parts]
    whole, *parts = assess(subjects, context.monitor.detection, context.monitor.features)
    pairs = paired(context, stored) if whole.n_reference and whole.n_current else {}
    whole = located(context, stored, whole, pairs)
    related = relationships(context, stored, whole, pairs)
    found = [*findings(context, stored, whole), *map(relationship_finding, related.broken)]
    return replace(
        annotate(context, stored, [whole, *parts], found),
        n_pairs=len(related.measured.mixed) if related.measured else 0,
        unjudged_pairs="; ".join(filter(None, [related.why_not, _without_pairs(stored)])),
        measured=related.measured,
        relationships=related.broken,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the store holds of a window, or of one of its segments (empty for the whole window).

    Parameters
    ----------
    features
        Those that need a verdict, in order.
    references
        The windows that may be used, by the reference's name; the main one first.
    remembered
        The windows just before, oldest first.
    history
        Earlier scores of each feature, oldest first.
    """

    segment: str
    features: Sequence[str]
    current: Profile
    references: Mapping[str, Sequence[Profile]]
    remembered: Sequence[Profile]
    history: Mapping[str, Sequence[Past]]

    @property
    def main(self) -> Sequence[Profile]:
        """The windows of the main reference."""
        return next(iter(self.references.values()))

    def without(self, features: Mapping[str, str]) -> Recorded:
        """Return what is held without the counts and scores of some features, each with the reason."""
        return replace(
            self,
            current=self.current.without(features),
            references={name: _without(windows, features) for name, windows in self.references.items()},
            remembered=_without(self.remembered, features),
            history={feature: past for feature, past in self.history.items() if feature not in features},
        )


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the store holds that a window is judged by.

    Parameters
    ----------
    wanted
        The windows of every reference, whether they may be used or not.
    fixed
        The windows of each baseline.
    rows
        Of every window that may be used, with or without rows.
    critical
        By segment, which features were critical when: their counts are left out of the references.
    parts
        The whole window, then its segments.
    """

    window: Window
    gate: Gate
    binnings: Mapping[str, Binning]
    wanted: Mapping[str, Sequence[Window]]
    baselines: Mapping[str, Baseline]
    fixed: Mapping[Baseline, Sequence[Profile]]
    rows: Mapping[Window, int]
    critical: Mapping[str, set[tuple[str, datetime]]]
    parts: Sequence[Recorded]

    @property
    def main(self) -> Sequence[Window]:
        """The windows of the main reference, whether they may be used or not."""
        return next(iter(self.wanted.values()))

    def without(self, features: Mapping[str, str]) -> Gathered:
        """Return what is held without the counts and scores of some features, each with the reason."""
        if not features:
            return self
        fixed = {baseline: _without(windows, features) for baseline, windows in self.fixed.items()}
        return replace(self, fixed=fixed, parts=[part.without(features) for part in self.parts])


def _without(windows: Sequence[Profile], features: Mapping[str, str]) -> list[Profile]:
    return [profile.without(features) for profile in windows]


# -- gather: what the store holds -------------------------------------------------------------------------------------


def gather(context: Context[State], window: Window, gate: Gate) -> Gathered:
    """Read what the store holds that the window is judged by."""
    monitor, store = context.monitor, context.store
    wanted, baselines, before = context.compared_with(window), context.baselines(), context.remembered(window)
    binnings, segmentations = store.active_baseline(context.name), context.segmentations()
    calendar = monitor.window.calendar
    fixed = {each: fixed_windows(calendar, window, each.start, each.end) for each in set(baselines.values())}
    needed = {window, *(w for some in (*wanted.values(), *fixed.values(), before) for w in some)}
    loaded = store.load_profiles(context.name, sorted(needed), binnings, segmentations)
    profiles = {profile.window: (arrived(profile, monitor.features), decision) for profile, decision in loaded}

    barred = "rejected" if "rejected" in monitor.reference.exclude else None
    rows = {each: profile.n_rows for each, (profile, decision) in profiles.items() if each and decision != barred}

    def may_be_used(windows: Iterable[Window]) -> list[Profile]:
        return [profiles[each][0] for each in windows if rows.get(each)]

    def history(features: Sequence[str], segment: str) -> Mapping[str, Sequence[Past]]:
        limit = monitor.detection.remembered
        return store.history(context.name, features, before=window.start, limit=limit, segment=segment)

    def part_of(segment: str, features: Sequence[str]) -> Recorded:
        def mine(some: Sequence[Profile]) -> list[Profile]:
            # A window in which the segment had no rows is not part of its reference.
            return [one for each in some if (one := each.segments.get(segment)) and one.n_rows]

        own = whole.current.segments.get(segment) or Profile(window, 0, {})
        of_each = {name: mine(some) for name, some in whole.references.items()}
        earlier = history(features, segment) if own.n_rows or any(of_each.values()) else {}
        return Recorded(segment, features, own, of_each, mine(whole.remembered), earlier)

    current = profiles[window][0] if window in profiles else Profile(window, 0, {})
    references = {name: may_be_used(windows) for name, windows in wanted.items()}
    main = next(iter(references.values()))
    features = context.source.features({**_columns(main), **current.schema, **binnings})
    enough = len(main) >= monitor.reference_min_windows
    if not enough:
        features = features or list(binnings)
    whole = Recorded(WHOLE, features, current, references, may_be_used(before), history(features, WHOLE))
    segments = [
        part_of(segment, [feature for feature in features if feature in binnings and feature not in by.columns])
        for by in segmentations
        if by.watched and current.n_rows and enough
        for segment in by.names
    ]
    return Gathered(
        window,
        gate,
        binnings,
        wanted,
        baselines,
        {each: may_be_used(windows) for each, windows in fixed.items()},
        rows,
        _critical(context, wanted, window),
        [whole, *(part for part in segments if part.current.n_rows or any(part.references.values()))],
    )


def _critical(
    context: Context[State], compared_with: Mapping[str, Sequence[Window]], window: Window
) -> dict[str, set[tuple[str, datetime]]]:
    """Return by segment which features were critical when, where the monitor keeps these out of its references."""
    starts = [w.start for windows in compared_with.values() for w in windows]
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


def _columns(profiles: Iterable[Profile]) -> dict[str, str]:
    return {column: arrow_type for profile in profiles for column, arrow_type in profile.schema.items()}


# -- reference: what a part is compared with --------------------------------------------------------------------------


def reference(context: Context[State], stored: Gathered, part: Recorded) -> Subject:
    """Compose what the window, or a segment of it, is compared with, feature by feature."""
    adapts, starts = not context.monitor.reference.fixed, {each.window.start for each in part.main if each.window}
    drifted = {
        (feature, window.window_start)
        for feature, past in part.history.items()
        for window in past
        if window.severity != "none" and window.window_start in starts
    }
    composed, names = compose(
        part.references,
        part.current,
        context.monitor.detection,
        left_out=stored.critical.get(part.segment, ()),
        drifted=drifted if adapts else (),
        least=context.monitor.reference_min_windows,
    )
    types = {**_columns(part.main), **part.current.schema}
    unbinned = {
        feature: part.current.problems.get(feature)
        or _why_unbinned(context.name, types[feature], [profile.schema.get(feature) for profile in part.main])
        for feature in part.features
        if feature not in stored.binnings
    }
    away = {each: from_baseline(windows, part.current, part.segment) for each, windows in stored.fixed.items()}
    return Subject(
        replace(composed, problems={**composed.problems, **unbinned}),
        part.current,
        part.features,
        part.history,
        part.remembered,
        names,
        {feature: away[each][feature] for feature, each in stored.baselines.items() if feature in away[each]},
        () if adapts else part.main,
    )


def _why_unbinned(monitor: str, arrow_type: str, before: Iterable[str | None]) -> str:
    again = f"drift baseline fit {monitor} gives it bins"
    types = list(dict.fromkeys(each for each in before if each not in {None, "null"}))
    if len(types) > 1:
        return f"its type changed within the reference ({', then '.join(types[:3])}): {again}"
    if not is_comparable(arrow_type):
        return f"type {arrow_type} cannot be compared: exclude the feature"
    if " and " in arrow_type:
        return f"its files differ in type, {arrow_type}: write them with one, and {again}"
    return f"it came after the bins were fitted, or could not be read: {again}, or says why not"


# -- pairs: in which rows it drifts, and which columns no longer go together ------------------------------------------


def paired(context: Context[State], stored: Gathered) -> dict[Window, Pairs]:
    """Return the pairs of the window and of its reference."""
    whole = stored.parts[0]
    windows = [each.window for each in (*whole.main, whole.current) if each.window]
    return context.store.load_pairs(context.name, windows, stored.binnings, context.segmentations())


def relationships(
    context: Context[State], stored: Gathered, assessed: Assessment, pairs: Mapping[Window, Pairs]
) -> Relationships:
    """Judge how the features of the whole window go together."""
    current = pairs.get(stored.window)
    before = [each for window, each in pairs.items() if window != stored.window]
    detection = context.monitor.detection
    least = context.monitor.reference_min_windows
    why_not = {
        "detection.history is false": not detection.history,
        "explain_by is empty, so that pairs are not counted": context.monitor.explain_by == [],
        f"fewer than {least} windows of the reference have pairs": len(before) < least,
        "its pairs are not stored": current is None,
    }
    if current is None or any(why_not.values()):
        return Relationships(None, (), next(why for why, holds in why_not.items() if holds))
    drifting = {verdict.feature for verdict in assessed.verdicts if verdict.strays}
    return judge_relationships(
        Pairs.total(before),
        current.restricted([name for name in current.columns if name in set(stored.parts[0].features)]),
        context.store.measured(context.name, before=stored.window.start, limit=detection.remembered),
        detection,
        start=stored.window.start,
        windows=[window.start for window in pairs if window != stored.window],
        drifting=drifting,
    )


def _without_pairs(stored: Gathered) -> str:
    """Name the features whose pairs are not counted, because there are very many."""
    names = left_out(stored.binnings)
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"those of {', '.join(names[:NAMED])}{more}, which of {len(stored.binnings)} features go least with others"


NAMED = 10
"""Features without pairs that are named, at most."""


def located(
    context: Context[State], stored: Gathered, assessed: Assessment, pairs: Mapping[Window, Pairs]
) -> Assessment:
    """Say of the features of the whole window that drift in which rows they do."""
    whole, detection, current = stored.parts[0], context.monitor.detection, pairs.get(stored.window)
    if current is None or not any(verdict.drifting for verdict in assessed.verdicts):
        return assessed
    reference = {window: each for window, each in pairs.items() if window != stored.window}

    def where(feature: str) -> Where | None:
        loud = {past.window_start for past in whole.history.get(feature, ()) if past.severity != "none"}
        quiet = [each for window, each in reference.items() if window.start not in loud]
        return localise(quiet or [*reference.values()], current, feature, min_rows=detection.min_rows)

    verdicts = [
        replace(one, explanation=replace(one.explanation, where=where(one.feature))) if one.drifting else one
        for one in assessed.verdicts
    ]
    return replace(assessed, verdicts=verdicts)


# -- findings: what is found beside the scores ------------------------------------------------------------------------


def findings(context: Context[State], stored: Gathered, assessed: Assessment) -> list[Finding]:
    """Return what is found in the whole window beside its scores, so that no reference that adapts hides it."""
    whole, least, reference = stored.parts[0], context.monitor.reference_min_windows, context.monitor.reference
    if len(whole.main) < least:
        wanted = len(stored.main)
        few = f"the reference has {len(whole.main)} of {wanted} windows with rows; it needs {least}"
        if reference.fixed == "baseline" and not stored.baselines:
            few = f"there is no baseline yet: drift baseline promote {context.name} --from DATE --to DATE --reason WHY"
        found = _lasting(context, stored, few) or [Finding("no_reference", few)]
    elif not whole.current.n_rows:
        usual, _ = _row_counts(context, stored)
        if usual and usual.alike and not usual.usual:
            found = [Finding("other", f"the window holds no rows, as is usual for this {usual.alike}")]
        else:
            found = [_rows_dated(context, stored, usual, Finding("no_rows", "the window holds no rows"))]
    else:
        newest = max(stored.fixed, key=lambda each: each.version, default=None)
        rows, last = _row_counts(context, stored)
        # A baseline whose windows are gone leaves the reference to compare with.
        before = {feature: stored.fixed[each] or whole.main for feature, each in stored.baselines.items()}
        found = [
            *(
                _rows_dated(context, stored, rows, each) if each.severity != "none" else each
                for each in volume_findings(
                    rows,
                    _row_counts(context, stored, newest)[0] if newest and not reference.fixed else None,
                    label=context.span(newest) if newest else "",
                    before=last,
                )
            ),
            *still_findings(whole.current, before, min_rows=context.monitor.detection.min_rows),
            *outgrown_findings(
                whole.current, before, monitor=context.name, min_rows=context.monitor.detection.min_rows
            ),
        ]
        overall = roll_up(assessed.verdicts)
        if overall.status == "not_judged":
            found += _lasting(context, stored, overall.reason)
        elif any(verdict.status == "error" for verdict in assessed.verdicts):
            found += failing_findings(assessed.verdicts, _failed(context, stored.window))
    return [*assessed.findings, *found, *moved_findings(assessed.verdicts, whole.history)]


def _failed(context: Context[State], window: Window) -> list[set[str]]:
    """Return which features failed with an error in each window just before that was run."""
    first = context.monitor.window.calendar.before(window, FAILING - 1)[0]
    earlier = context.store.load_reports(context.name, since=first.start, until=window.start)
    return [{v.feature for v in one.verdicts if v.status == "error"} for one in earlier if one.window != window]


def _lasting(context: Context[State], stored: Gathered, why: str) -> list[Finding]:
    """Say that nothing is judged where the next window will not mend it: it lasts, or the reference cannot be read."""
    whole, least = stored.parts[0], context.monitor.reference_min_windows
    if stored.binnings and not whole.current.n_rows:
        return []  # the rows' own alert says so
    gates = context.store.gates(context.name, stored.main)
    unread = [window for window in stored.main if gates.get(window.start) == "unreadable"]
    if len(whole.main) < least <= len(whole.main) + len(unread):
        last = context.label(unread[-1])
        why = f"{len(unread)} windows of the reference cannot be read, the last of them {last}; {why}"
        return [Finding("not_judged", f"no feature was judged: {why}")]
    # As long as the reference is long.
    before = context.monitor.window.calendar.before
    first = before(stored.window, len(stored.main) or 1)[0] if context.monitor.reference.fixed else stored.main[0]
    known = context.store.report_statuses(context.name, since=first.start, until=stored.window.start)
    earlier = {status for start, status in known.items() if start != stored.window.start}
    if first.start not in known or earlier - {"not_judged", "rejected"}:
        return []
    return [Finding("not_judged", f"no feature was judged in any window since {context.label(first)}: {why}")]


def _row_counts(
    context: Context[State], stored: Gathered, baseline: Baseline | None = None
) -> tuple[RowCount | None, RowCount | None]:
    """Compare the window's rows with those of its reference, or a baseline; if it is slack, of the last that is not."""
    own = {profile.window for profile in stored.fixed[baseline] if profile.window} if baseline else set()
    main = own or set(stored.main)
    # Days after a fixed reference say nothing of what is usual: they may be what has changed.
    past = main if own or context.monitor.reference.fixed else stored.rows.keys()
    known = {each: stored.rows[each] for each in past if each in stored.rows and each < stored.window}
    zone = context.monitor.window.calendar.zone

    def of(rows: int, window: Window) -> RowCount | None:
        return row_count(rows, window, {w: n for w, n in known.items() if w < window}, main, zone)

    current = of(stored.parts[0].current.n_rows, stored.window)
    if not current or not current.slack:
        return current, None
    earlier = (of(stored.rows[w], w) for w in sorted(stored.rows, reverse=True) if w < stored.window)
    return current, next((one for one in earlier if one and not one.slack), None)


def _rows_dated(context: Context[State], stored: Gathered, usual: RowCount | None, found: Finding) -> Finding:
    """Return a finding about the number of rows with the window since which it is so."""
    counted = {each: n for each, n in stored.rows.items() if each < stored.window}
    counted[stored.window] = stored.parts[0].current.n_rows
    line = beside_usual(counted, usual.alike if usual else "", context.monitor.window.calendar.zone)
    return replace(found, onset=onset_of(line, rng=np.random.default_rng(SEED)))


# -- annotate: the report ---------------------------------------------------------------------------------------------


def annotate(
    context: Context[State], stored: Gathered, assessed: Sequence[Assessment], found: Sequence[Finding]
) -> Report:
    """Put the report together: verdicts and findings of the whole window, and verdicts of its segments."""
    counts = [f"{name}: {len(stored.parts[0].references[name])} of {len(ws)}" for name, ws in stored.wanted.items()]
    words = "; ".join([f"{counts[0]} windows", *counts[1:]])

    def report(part: Recorded, one: Assessment, segments: Mapping[str, Report]) -> Report:
        return Report(
            context.name,
            stored.window,
            words,
            one.verdicts,
            one.n_reference,
            one.n_current,
            stored.gate,
            () if part.segment else found,
            one.evidence,
            context.label(stored.window),
            part.segment,
            segments,
        )

    whole, *parts = zip(stored.parts, assessed, strict=True)
    return report(*whole, {part.segment: report(part, one, {}) for part, one in parts})
