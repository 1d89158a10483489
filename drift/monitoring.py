"""The use cases, and the only place that knows their order.

    plan → validate → baseline → profile (each missing window) → evaluate → notify

Each stage reads what it needs from the store and writes what it found there, in one transaction, by natural keys. So
each may be repeated, retried or run on another machine, and Airflow's tasks pass nothing but window keys.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from drift import alerts, comparison, digest, notify, snapshots, validation
from drift.errors import DriftError, SourceError, StoreConflict, StoreError
from drift.fitting import fit
from drift.histograms import Profile, count
from drift.kinds import is_comparable
from drift.reports import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.binning import Binning
    from drift.config import Monitor
    from drift.reports import Gate
    from drift.snapshots import Snapshot
    from drift.store import Store
    from drift.windows import Window

log = logging.getLogger(__name__)

CONFLICTS = 5
"""How often alerts that somebody else changes meanwhile are read again before giving up."""

VOLUME_FACTOR = 2.0
"""A window with so many times more or fewer rows than a reference window has is a finding."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A monitor at work: what to watch, where results go, and how a connection id becomes a URL.

    Parameters
    ----------
    monitor
    store
    connect
        Resolves a connection id: Airflow's connections inside Airflow, the environment outside it.
    """

    monitor: Monitor
    store: Store
    connect: Callable[[str], str]
    empty: set[Window] = field(default_factory=set, init=False, repr=False, compare=False)
    """Reference windows found without a row, so that a backfill that starts before the data does not ask again."""

    @property
    def name(self) -> str:
        """The monitor's name."""
        return self.monitor.name

    def snapshot(self, window: Window) -> Snapshot:
        """Open one window of the source."""
        source = self.monitor.source
        url = self.connect(source.connection) if source.connection else None
        return snapshots.open_snapshot(source, window, calendar=self.monitor.window.calendar, url=url)

    def reference_windows(self, window: Window) -> list[Window]:
        """Return the windows that `window` is compared with, oldest first."""
        return self.monitor.reference.windows(self.monitor.window.calendar, window)

    def label(self, window: Window) -> str:
        """Name a window as its readers would."""
        return self.monitor.window.calendar.label(window)

    def features(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that are watched."""
        return self.monitor.features.select([c for c in columns if c != self.monitor.source.time_column])


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to read: windows never gated, and windows never counted under the binnings in force."""

    window: Window
    to_validate: list[Window] = field(default_factory=list)


def binning_key(binnings: Mapping[str, Binning]) -> str:
    """Return sixteen hexadecimal digits that name a set of binnings."""
    text = "\n".join(f"{feature}={binnings[feature].fingerprint}" for feature in sorted(binnings))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    wanted = [*watch.reference_windows(window), window]
    known = watch.store.gates(monitor.name, wanted)
    return Plan(window, [w for w in wanted if w.start not in known or (force and w == window)])


def validate(
    watch: Watch, windows: Sequence[Window], current: Collection[Window], *, now: datetime
) -> dict[Window, Gate]:
    """Pass windows through the Great Expectations gate, and store what was observed.

    A rejected window is never profiled, scored or used as a reference. A reference window without a single row (before
    the data begin, or not yet arrived) is left open; the `current` ones are gated as they are.
    """
    decided: dict[Window, Gate] = {}
    for window in windows:
        if window in watch.empty and window not in current:
            continue
        snapshot = watch.snapshot(window)
        if window in current or snapshot.count_rows():
            decided[window] = _validate_one(watch, window, snapshot, now=now)
        else:
            watch.empty.add(window)
    return decided


def _validate_one(watch: Watch, window: Window, snapshot: Snapshot, *, now: datetime) -> Gate:
    expectations = watch.monitor.expectations
    if not expectations:
        watch.store.save_gate(watch.name, window, "not_validated", [], now)
        return "not_validated"
    frame = snapshot.to_pandas(validation.columns_needed(expectations, list(snapshot.schema)))
    outcomes = validation.validate(frame, expectations)
    decision = validation.decide(outcomes)
    watch.store.save_gate(watch.name, window, decision, outcomes, now)
    for outcome in outcomes:
        if not outcome.success:
            log.warning("%s %s: %s: %s", watch.name, watch.label(window), outcome.severity, outcome.message)
    return decision


def _usable(watch: Watch, windows: Sequence[Window]) -> list[Window]:
    """Return those windows that passed their gate (or had none)."""
    gates = watch.store.gates(watch.name, windows)
    return [w for w in windows if gates.get(w.start) not in {None, "rejected"}]


def ensure_baseline(
    watch: Watch, window: Window, *, now: datetime, by: str = "drift", new: bool = False
) -> dict[str, Binning]:
    """Return the frozen binnings; where there are none yet, fit them on the references of `window`.

    Fitting waits until enough reference windows hold rows (`reference.min_windows`); until then the result is empty.

    Parameters
    ----------
    watch, window, now
    by
        Who asks, for the record.
    new
        Fit a new version although there is one.
    """
    active = watch.store.active_baseline(watch.name)
    if active and not new:
        return active
    usable = _usable(watch, watch.reference_windows(window))
    opened = [(w, watch.snapshot(w)) for w in usable]
    filled = [(w, snapshot, rows) for w, snapshot in opened if (rows := snapshot.count_rows())]
    if len(filled) < watch.monitor.reference_min_windows:
        return active
    columns: dict[str, str] = {}
    for _, snapshot, _ in filled:
        columns |= snapshot.schema
    features = watch.features(columns)
    total = sum(rows for _, _, rows in filled)

    def reference() -> Iterator[pa.RecordBatch]:
        for _, snapshot, _ in filled:
            yield from snapshot.batches([f for f in features if f in snapshot.schema])

    options = comparison.fit_options(features, watch.monitor.features, salt=watch.name)
    binnings, problems = fit(reference(), options, expected_rows=total // len(filled))
    for feature, problem in problems.items():
        log.warning("%s: feature %s is not watched: %s", watch.name, feature, problem)
    watch.store.save_baseline(
        watch.name,
        binnings,
        types=columns,
        fitted_from=filled[0][0].start,
        fitted_to=filled[-1][0].end,
        n_rows=total,
        now=now,
        by=by,
        reason="first reference" if not active else "asked for",
        new=new,
    )
    return watch.store.active_baseline(watch.name)


def to_profile(watch: Watch, window: Window, *, force: bool = False) -> list[Window]:
    """Return the windows that still have to be counted: of `window` and its references, those that passed the gate."""
    binnings = watch.store.active_baseline(watch.name)
    if not binnings:
        return []
    wanted = _usable(watch, [*watch.reference_windows(window), window])
    counted = watch.store.profiled(watch.name, wanted, binning_key(binnings))
    return [w for w in wanted if not counted.get(w.start) or (force and w == window)]


def profile_window(watch: Watch, window: Window, *, now: datetime) -> Profile:
    """Read one window once, count it into cells, and store the counts."""
    binnings = watch.store.active_baseline(watch.name)
    snapshot = watch.snapshot(window)
    features = [feature for feature in binnings if feature in snapshot.schema]
    profile = count(snapshot.batches(features), binnings, window=window, schema=snapshot.schema)
    gate = watch.store.gates(watch.name, [window]).get(window.start, "not_validated")
    kept = watch.store.save_profile(watch.name, profile, gate=gate, binning_key=binning_key(binnings), now=now)
    if not kept:
        log.warning("%s %s: the source has no rows left; the stored counts stay", watch.name, watch.label(window))
    return profile


def evaluate_window(watch: Watch, window: Window, *, now: datetime) -> Report:
    """Score one window against its reference from stored counts alone, and store the verdicts."""
    report = _evaluate(watch, window)
    watch.store.save_report(watch.name, report, now)
    return report


def recall(watch: Watch, window: Window) -> Report:
    """Return the stored report of a window, with its evidence.

    Raises
    ------
    StoreError
        If the window was never run.
    """
    report = watch.store.load_report(watch.name, window.start)
    if report is None:
        raise StoreError(
            f"{watch.name} has no report of {watch.label(window)}: drift run {watch.name} --date {watch.label(window)}"
        )
    return replace(report, label=watch.label(window))


def _evaluate(watch: Watch, window: Window) -> Report:
    monitor = watch.monitor
    gate = watch.store.gates(watch.name, [window]).get(window.start, "not_validated")
    label = watch.label(window)
    wanted = watch.reference_windows(window)
    empty = Profile(None, 0, {})
    if gate == "rejected":
        return Report(watch.name, window, "none: rejected by its expectations", [], 0, 0, gate, label=label)
    binnings = watch.store.active_baseline(watch.name)
    stored = {p.window: (p, g) for p, g in watch.store.load_profiles(watch.name, [*wanted, window], binnings)}
    current = stored[window][0] if window in stored else Profile(window, 0, {})
    used = [stored[w][0] for w in wanted if w in stored and stored[w][0].n_rows and stored[w][1] != "rejected"]
    described = f"{monitor.reference}: {len(used)} of {len(wanted)} windows"
    needed = monitor.reference_min_windows
    reference = reduce(add, used, empty)
    features = watch.features({**reference.schema, **current.schema, **dict.fromkeys(binnings, "")})
    unbinned = {f: _why_unbinned({**reference.schema, **current.schema}[f]) for f in features if f not in binnings}
    reference = replace(reference, problems={**reference.problems, **unbinned})
    findings = []
    if len(used) < needed:
        reference = Profile(None, 0, {})
        few = f"the reference has {len(used)} of {len(wanted)} windows with rows; it needs {needed}"
        findings.append(Finding("no_reference", few))
        features = features or list(binnings)
    elif current.n_rows:
        usual = reference.n_rows / len(used)
        if not 1 / VOLUME_FACTOR <= current.n_rows / usual <= VOLUME_FACTOR:
            odd = f"row count {current.n_rows:,} against {usual:,.0f} in a reference window"
            findings.append(Finding("row_count", odd))
    else:
        findings.append(Finding("no_rows", "the window holds no rows"))
    return comparison.assess(
        Report(watch.name, window, described, [], 0, 0, gate, findings, label=label),
        reference,
        current,
        features=features,
        detection=monitor.detection,
        seed=zlib.crc32(f"{watch.name} {window.key}".encode()),
        history=watch.store.history(watch.name, features, before=window.start, limit=monitor.detection.history),
    )


def _why_unbinned(arrow_type: str) -> str:
    if not is_comparable(arrow_type):
        return f"type {arrow_type} cannot be compared: exclude the feature"
    return "the column came after the bins were fitted: drift baseline fit gives it bins"


def notify_window(watch: Watch, report: Report, *, now: datetime, page: bool = True) -> alerts.Transitions:
    """Advance the alerts by one report; write them, their events and the notifications owed in one transaction.

    Parameters
    ----------
    watch, report, now
    page
        False for a backfill: alerts change their state, nobody is told.
    """
    for _ in range(CONFLICTS - 1):
        try:
            return _notify(watch, report, now=now, page=page)
        except StoreConflict:
            # A person answered an alert, or another run moved it, since it was read: look again.
            log.info("%s: the alerts changed meanwhile; read again", watch.name)
    return _notify(watch, report, now=now, page=page)


def _notify(watch: Watch, report: Report, *, now: datetime, page: bool) -> alerts.Transitions:
    window = _window_of(report)
    failures = [row["message"] for row in watch.store.validations(watch.name, window) if not row["success"]]
    known = watch.store.alerts(watch.name)
    # Later windows too: one that arrives late is put in its place among them.
    others = watch.store.load_reports(watch.name, since=alerts.history_start(known, window))
    transitions = alerts.advance(
        known,
        alerts.observations(report, failures=failures),
        monitor=watch.name,
        now=now,
        history=[seen for other in others if other.window != window for seen in alerts.observations(other)],
        page=page,
    )
    owed = digest.notifications(report, transitions, routes=watch.monitor.alerts.routes, now=now)
    watch.store.save_alerts(transitions.alerts, transitions.events, owed)
    return transitions


def _window_of(report: Report) -> Window:
    if report.window is None:
        raise StoreError(f"{report.monitor}: a report without a window raises no alerts")
    return report.window


def answer(
    store: Store, alert: alerts.Alert, action: alerts.Answer, *, by: str, now: datetime, comment: str = ""
) -> alerts.Alert:
    """Acknowledge or resolve an alert by hand, and write who did it and why."""
    changed, event = alerts.answer(alert, action, by=by, now=now, comment=comment)
    store.save_alerts([changed], [event])
    return changed


def deliver(store: Store, resolve: Callable[[str], str], *, now: datetime) -> notify.Delivered:
    """Send what the outbox holds and is due."""
    return notify.deliver(store, now, resolve)


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
    started = clock()
    watch.store.save_run_started(watch.name, window, watch.monitor.config_hash, started, url=url)
    try:
        todo = plan(watch, window, now=started, force=force)
        validate(watch, todo.to_validate, [window], now=started)
        ensure_baseline(watch, window, now=started)
        missing = to_profile(watch, window, force=force)
        for each in missing:
            profile_window(watch, each, now=started)
        report = evaluate_window(watch, window, now=started)
        transitions = notify_window(watch, report, now=started, page=page)
    except DriftError as error:
        watch.store.save_run_finished(watch.name, window, "error", clock(), error=str(error))
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
    progress: Callable[[Window, Report | DriftError], None] = lambda _window, _report: None,
) -> list[Report]:
    """Run many windows, oldest first; each row is read once, and nobody is paged unless asked.

    A window whose source fails is recorded as failed and the rest go on; if none succeeds the last error is raised.
    """
    reports: list[Report] = []
    failure: SourceError | None = None
    prepare(watch, windows, now=clock())
    for window in sorted(windows):
        try:
            report = run_window(watch, window, clock=clock, force=force, page=page).report
        except SourceError as error:
            failure = error
            progress(window, error)
            continue
        reports.append(report)
        progress(window, report)
    if failure is not None and not reports:
        raise failure
    return reports


def prepare(watch: Watch, windows: Sequence[Window], *, now: datetime) -> None:
    """Fit the first baseline on the earliest of `windows` that has references enough: all are counted under it."""
    for window in sorted(windows):
        if watch.store.active_baseline(watch.name):
            return
        validate(watch, plan(watch, window, now=now).to_validate, [window], now=now)
        ensure_baseline(watch, window, now=now)
