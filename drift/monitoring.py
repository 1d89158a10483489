"""The use cases, and the only place that knows their order.

    plan → validate → baseline → profile (each missing window) → evaluate → notify

Each stage reads what it needs from the store and writes what it found there, in one transaction, by natural keys. So
each may be repeated, retried or run on another machine, and Airflow's tasks pass nothing but window keys.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from drift import alerting, alerts, comparison, evaluation, logs, reading, segments
from drift.errors import DriftError, SourceError, SourceUnreachable
from drift.fitting import fit
from drift.kinds import family
from drift.session import Session
from drift.watch import Watch, binning_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.binning import Binning
    from drift.histograms import Profile
    from drift.outcomes import Outcome as Observed
    from drift.reports import Gate, Report
    from drift.segments import Segmentation
    from drift.snapshots import Snapshot
    from drift.store import Store
    from drift.windows import Window


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to read: windows never gated, and windows never counted under the binnings in force."""

    window: Window
    to_validate: list[Window] = field(default_factory=list)


@logs.stage("plan")
def plan(watch: Watch, window: Window, *, now: datetime, force: bool = False) -> Plan:
    """Record the monitor's version and list the windows that were never gated: `window` and its references.

    Parameters
    ----------
    watch, window
    now
        Time of the run, aware.
    force
        Read `window` again even if it is stored.
    """
    monitor = watch.monitor
    watch.store.save_monitor(monitor.name, monitor.config_hash, monitor.model_dump(mode="json", by_alias=True), now)
    wanted = watch.needed(window)
    known = watch.store.gates(monitor.name, wanted)
    return Plan(window, [w for w in wanted if w.start not in known or (force and w == window)])


@logs.stage("validate")
def validate(
    watch: Watch, windows: Sequence[Window], current: Collection[Window], *, now: datetime
) -> dict[Window, Gate]:
    """Pass windows through the Great Expectations gate, and store what was observed.

    A rejected window is never scored, nor a reference unless the monitor's `reference.exclude` lets it. A reference
    window without a single row (before the data begin, or not yet arrived), or that cannot be read, is left open; the
    `current` ones come first, and are gated as they are.
    """
    decided: dict[Window, Gate] = {}
    for window in sorted(windows, key=lambda w: w not in current):
        if window in watch.empty and window not in current:
            continue
        with sparing(watch, [window], current):
            snapshot = watch.snapshot(window)
            if window in current:
                watch.opened[window] = snapshot
            if window in current or snapshot.count_rows():
                decided[window] = _validate_one(watch, window, snapshot, now=now)
            else:
                watch.empty.add(window)
    return decided


@contextmanager
def sparing(watch: Watch, windows: Sequence[Window], current: Collection[Window]) -> Iterator[None]:
    """Go on without a reference window that cannot be read: its own run tells of it. Outages are for a retry.

    Parameters
    ----------
    watch
    windows
        What is read; the first one is named in the log.
    current
        Windows that the run is for: without them there is nothing to go on with.
    """
    try:
        yield
    except SourceUnreachable:
        raise
    except SourceError as error:
        if not windows or windows[0] in current:
            raise
        log.warning("%s %s: is no reference, for it cannot be read: %s", watch.name, watch.label(windows[0]), error)


def _validate_one(watch: Watch, window: Window, snapshot: Snapshot, *, now: datetime) -> Gate:
    decision, outcomes = reading.examine(watch, snapshot)
    _save_gate(watch, window, decision, outcomes, now=now)
    return decision


def _save_gate(watch: Watch, window: Window, decision: Gate, outcomes: Sequence[Observed], *, now: datetime) -> None:
    watch.store.save_gate(watch.name, window, decision, outcomes, now)
    for outcome in outcomes:
        if not outcome.success:
            log.warning("%s %s: %s: %s", watch.name, watch.label(window), outcome.severity, outcome.message)


def usable(watch: Watch, windows: Sequence[Window], current: Window | None = None) -> list[Window]:
    """Return those windows that may be counted: gated, and not rejected where that excludes them.

    Parameters
    ----------
    watch, windows
    current
        The window that is to be judged; rejected, it never is.
    """
    gates = watch.store.gates(watch.name, windows)
    rejected = "rejected" not in watch.monitor.reference.exclude
    return [w for w in windows if (gate := gates.get(w.start)) and (gate != "rejected" or (rejected and w != current))]


@logs.stage("baseline")
def ensure_baseline(watch: Watch, window: Window, *, now: datetime, by: str = "drift") -> dict[str, Binning]:
    """Return the frozen binnings; where there are none yet, fit them on the main reference of `window`.

    Fitting waits until enough reference windows hold rows (`reference.min_windows`); until then the result is empty.

    Parameters
    ----------
    watch, window, now
    by
        Who asks, for the record.
    """
    active = watch.store.active_baseline(watch.name)
    if not active:
        return fit_bins(watch, watch.reference_windows(window), now=now, by=by, reason="first reference")
    if len(watch.segmentations()) < len(watch.monitor.segments):
        filled = _filled(watch, watch.reference_windows(window))
        if filled:
            reason = "segments that the monitor did not ask for before"
            _freeze(watch, filled, {}, types={}, now=now, by=by, reason=reason)
    return active


def fit_bins(
    watch: Watch, windows: Sequence[Window], *, now: datetime, by: str, reason: str, new: bool = False
) -> dict[str, Binning]:
    """Fit binnings on those of some windows that may be used and hold rows, and return the binnings in force then.

    With fewer such windows than `reference.min_windows` nothing is fitted.

    Parameters
    ----------
    watch, windows, now
    by, reason
        Who asks and why, for the record.
    new
        Make a new version although there is one.
    """
    filled = _filled(watch, windows)
    if not filled:
        return {}
    columns: dict[str, str] = {}
    for _, snapshot, _ in filled:
        columns |= watch.columns(snapshot)
    features = watch.features(columns)
    total = sum(rows for _, _, rows in filled)

    alike = _alike(watch, filled, features)
    being_read: list[Window] = []

    def reference() -> Iterator[pa.RecordBatch]:
        for (window, snapshot, _), own in zip(filled, alike, strict=True):
            being_read[:] = [window]
            yield from snapshot.batches(own)

    options = comparison.fit_options(features, watch.monitor.features, salt=watch.name)
    inside = watch.warehouse([w for w, _, _ in filled], features, lambda: total)
    if inside is not None:
        from drift import warehouse_fit

        binnings, problems = warehouse_fit.fit(inside, options, expected_rows=total // len(filled))
    else:
        readable = False
        with sparing(watch, being_read, []):
            binnings, problems = fit(reference(), options, expected_rows=total // len(filled))
            readable = True
        if not readable:
            rest = [window for window in windows if window not in being_read]
            return fit_bins(watch, rest, now=now, by=by, reason=reason, new=new)
    for feature, problem in problems.items():
        log.warning("%s: feature %s is not watched: %s", watch.name, feature, problem)
    _freeze(watch, filled, binnings, types=columns, now=now, by=by, reason=reason, new=new)
    return watch.store.active_baseline(watch.name)


def _alike(watch: Watch, filled: Sequence[Filled], features: Sequence[str]) -> list[list[str]]:
    """Return of each window the features that are of the kind which they have in most rows of the reference.

    So a day of another type takes no part in the fit, wherever it lies.
    """
    families = [{field.name: family(field) for field in snapshot.arrow_schema} for _, snapshot, _ in filled]
    usual: dict[str, str] = {}
    for feature in features:
        rows: Counter[str] = Counter()
        for found, (_, _, n_rows) in zip(families, filled, strict=True):
            if found.get(feature, "null") != "null":
                rows[found[feature]] += n_rows
        usual[feature] = next((kind for kind, _ in rows.most_common(1)), "null")
    labels = {f for f in features if watch.monitor.features.kind_for(f) == "categorical"}
    return [
        [f for f in features if f in found and (f in labels or found[f] in {usual[f], "null"})] for found in families
    ]


Filled = tuple["Window", "Snapshot", int]
"""A window, its rows not yet read, and how many there are."""


def _freeze(
    watch: Watch,
    filled: Sequence[Filled],
    binnings: Mapping[str, Binning],
    *,
    types: Mapping[str, str],
    now: datetime,
    by: str,
    reason: str,
    new: bool = False,
) -> None:
    """Store what was fitted on some windows, with the segments that they have."""
    watch.store.save_baseline(
        watch.name,
        binnings,
        _fit_segments(watch, filled),
        types=types,
        fitted_from=filled[0][0].start,
        fitted_to=filled[-1][0].end,
        n_rows=sum(rows for _, _, rows in filled),
        now=now,
        by=by,
        reason=reason,
        new=new,
    )


def _filled(watch: Watch, windows: Sequence[Window]) -> list[Filled]:
    """Open those of some windows that may be used and hold rows; none where they are too few for a reference."""
    opened = [(w, watch.snapshot(w)) for w in usable(watch, windows)]
    filled = [(w, snapshot, rows) for w, snapshot in opened if (rows := snapshot.count_rows())]
    return filled if len(filled) >= watch.monitor.reference_min_windows else []


def _fit_segments(watch: Watch, filled: Sequence[Filled]) -> dict[str, Binning]:
    """Find the segments to watch; those too small for a window to be compared are none."""
    cuts, most = watch.monitor.segment_columns, watch.monitor.max_segments
    if not cuts:
        return {}
    least = watch.monitor.detection.min_rows * len(filled)
    inside = watch.warehouse([window for window, _, _ in filled], (), lambda: sum(rows for _, _, rows in filled))
    if inside is not None:
        from drift import warehouse_fit

        found = warehouse_fit.fit_segments(inside, cuts, most=most, least=least)
    else:
        found = [segments.fit(_rows(filled, columns), columns, most=most, least=least) for columns in cuts]
    for fitted, rows in found:
        if not fitted.watched:
            largest = (
                f"the largest has {max(rows.values()):,} rows, {least:,} are min_rows in each of {len(filled)} windows"
            )
            why = largest if len(rows) > 1 else f"every row is in {', '.join(rows)}"
            log.warning("%s: no segments by %s: %s", watch.name, ", ".join(fitted.columns), why)
    return {segments.key_of(fitted.columns): fitted.binning for fitted, _ in found}


def _rows(filled: Sequence[Filled], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for _, snapshot, _ in filled:
        yield from snapshot.batches([c for c in columns if c in snapshot.schema])


def to_profile(watch: Watch, window: Window, *, force: bool = False) -> list[Window]:
    """Return the windows that still have to be counted: of `window` and its references, those that passed the gate."""
    wanted = usable(watch, watch.needed(window), window)
    missing = uncounted(watch, wanted)
    return [w for w in wanted if w in missing or (force and w == window and watch.store.active_baseline(watch.name))]


def uncounted(watch: Watch, windows: Sequence[Window]) -> list[Window]:
    """Return those windows that are not counted under the binnings in force; none where there are no binnings."""
    binnings = watch.store.active_baseline(watch.name)
    counted = watch.store.profiled(watch.name, windows, binning_key(binnings, watch.segmentations()))
    return [w for w in windows if binnings and w.start not in counted]


@logs.stage("profile")
def profile_window(watch: Watch, window: Window, *, now: datetime) -> Profile:
    """Read one window once, count it into cells, and store the counts."""
    binnings, by = watch.store.active_baseline(watch.name), watch.segmentations()
    snapshot = watch.opened.pop(window) if window in watch.opened else watch.snapshot(window)
    profile = reading.count_window(watch, window, binnings, snapshot, by)
    gate = watch.store.gates(watch.name, [window]).get(window.start, "not_validated")
    _save_profile(watch, window, profile, binnings, by, gate=gate, now=now)
    return profile


def _save_profile(
    watch: Watch,
    window: Window,
    profile: Profile,
    binnings: Mapping[str, Binning],
    by: Sequence[Segmentation],
    *,
    gate: Gate,
    now: datetime,
) -> None:
    key = binning_key(binnings, by)
    kept = watch.store.save_profile(watch.name, profile, by, gate=gate, binning_key=key, now=now)
    if not kept:
        log.warning("%s %s: the source has no rows left; the stored counts stay", watch.name, watch.label(window))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    report: Report
    transitions: alerts.Transitions
    profiled: int


def run_window(
    watch: Watch,
    window: Window,
    *,
    clock: Callable[[], datetime],
    force: bool = False,
    page: bool = True,
    url: str = "",
) -> Outcome:
    """Run every stage for one window, recording the run whatever happens.

    Raises
    ------
    DriftError
        If a stage fails; the run is then recorded as failed, with the error.
    """
    session = Session(watch.store)
    session.begin(watch.remembered(window))
    at_work = replace(watch, store=cast("Store", session))
    return _run(at_work, window, clock=clock, force=force, page=page, url=url)


def _run(
    watch: Watch, window: Window, *, clock: Callable[[], datetime], force: bool, page: bool, url: str = ""
) -> Outcome:
    started = clock()
    watch.opened.clear()
    watch.store.save_run_started(watch.name, window, watch.monitor.config_hash, started, url=url)
    try:
        todo = plan(watch, window, now=started, force=force)
        validate(watch, todo.to_validate, [window], now=started)
        ensure_baseline(watch, window, now=started)
        missing = to_profile(watch, window, force=force)
        for each in missing:
            with sparing(watch, [each], [window]):
                profile_window(watch, each, now=started)
        report = evaluation.evaluate_window(watch, window, now=started)
        transitions = alerting.notify_window(watch, report, now=started, page=page, run_url=url)
    except DriftError as error:
        watch.store.save_run_finished(watch.name, window, "error", clock(), error=str(error))
        alerting.run_failed(watch, window, str(error), now=started, page=page, run_url=url)
        raise
    watch.store.save_run_finished(watch.name, window, run_status(report), clock(), reference=report.reference)
    return Outcome(report, transitions, len(missing))


def run_status(report: Report) -> str:
    """Return the one word a run is stored under."""
    return "rejected" if report.gate == "rejected" else report.status


def backfill(
    watch: Watch,
    windows: Sequence[Window],
    *,
    clock: Callable[[], datetime],
    force: bool = False,
    page: bool = False,
    jobs: int = 1,
    progress: Callable[[Window, Report | DriftError], None] = lambda _window, _report: None,
) -> list[Report]:
    """Run many windows, oldest first; each row is read once, and nobody is paged unless asked.

    A window whose source fails is recorded as failed and the rest go on; if none succeeds the last error is raised.

    Parameters
    ----------
    watch, windows, clock
    force
        Read windows again although they are stored.
    page
        Tell people of alerts.
    jobs
        Processes at work, this one too; the others read, and are spawned: the caller's main module must be importable.
    progress
        Told of each window, and what came of it.
    """
    reports: list[Report] = []
    failure: SourceError | None = None
    session = Session(watch.store)
    watch = replace(watch, store=cast("Store", session))
    prepare(watch, windows, now=clock())
    ordered = sorted(windows)
    binnings, by = watch.store.active_baseline(watch.name), watch.segmentations()
    tasks = _to_read(watch, ordered, force=force) if jobs > 1 else []
    with reading.read_ahead(watch, tasks, binnings, by, jobs=jobs) as ahead:
        for window in ordered:
            session.begin(watch.remembered(window))
            try:
                found = ahead.take(window) if ahead else None
                stored = _store(watch, window, found, binnings, by, now=clock())
                report = _run(watch, window, clock=clock, force=force and not stored, page=page).report
            except SourceError as error:
                failure = error
                progress(window, error)
                continue
            reports.append(report)
            progress(window, report)
    if failure is not None and not reports:
        raise failure
    return reports


def _to_read(watch: Watch, windows: Sequence[Window], *, force: bool) -> list[reading.Task]:
    """Return what a backfill has to read of its own windows."""
    gates = {} if force else watch.store.gates(watch.name, windows)
    missing = windows if force else uncounted(watch, windows)
    return [reading.Task(w, gates.get(w.start)) for w in missing if gates.get(w.start) != "rejected"]


def _store(
    watch: Watch,
    window: Window,
    found: reading.Read | None,
    binnings: Mapping[str, Binning],
    by: Sequence[Segmentation],
    *,
    now: datetime,
) -> bool:
    """Store what was read ahead of a window, and say whether there was anything."""
    if found is None:
        return False
    if found.outcomes is not None:
        _save_gate(watch, window, found.gate, found.outcomes, now=now)
    if found.profile is not None:
        _save_profile(watch, window, found.profile, binnings, by, gate=found.gate, now=now)
    return True


def prepare(watch: Watch, windows: Sequence[Window], *, now: datetime) -> None:
    """Fit the first baseline before anything is counted: on the earliest whole reference that these windows have.

    A reference is whole where its oldest window holds rows. What is fitted on the first week of the data stands on
    whatever that week was, and a backfill need not: the weeks after it are there. Where none is whole, the latest
    window that has references enough decides. The windows it is fitted on are counted at once: how far the very first
    windows are from it does not depend on when they are asked.
    """
    ordered = sorted(windows)
    for window in ordered:
        if watch.store.active_baseline(watch.name):
            return
        with sparing(watch, [window], []):
            validate(watch, plan(watch, window, now=now).to_validate, [window], now=now)
            oldest = watch.reference_windows(window)[:1]
            if usable(watch, oldest) and watch.snapshot(oldest[0]).count_rows():
                _fit_and_count(watch, window, now=now)
    for window in reversed(ordered):
        if _fit_and_count(watch, window, now=now):
            return


def _fit_and_count(watch: Watch, window: Window, *, now: datetime) -> bool:
    fitted = ensure_baseline(watch, window, now=now)
    for each in uncounted(watch, usable(watch, watch.reference_windows(window))):
        profile_window(watch, each, now=now)
    return bool(fitted)
