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
from typing import TYPE_CHECKING

from drift import alerts, comparison, composition, digest, notify, snapshots, standing, validation
from drift.errors import DriftError, SourceError, StoreConflict, StoreError
from drift.fitting import fit
from drift.histograms import Profile, count
from drift.kinds import is_comparable
from drift.references import describe_span, fixed_windows
from drift.reports import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.binning import Binning
    from drift.config import Monitor
    from drift.reports import Gate
    from drift.scores import Verdict
    from drift.snapshots import Snapshot
    from drift.store import Store
    from drift.windows import Window

log = logging.getLogger(__name__)

CONFLICTS = 5
"""How often alerts that somebody else changes meanwhile are read again before giving up."""

STILL = 0.5
"""What is at least this share as far from its baseline as when its alert opened has not come back."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The windows that a feature's bins were fitted on, or that were promoted since: from `start` to `end`."""

    version: int
    start: datetime
    end: datetime


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
        """Return the windows of the main reference of `window`, oldest first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        if reference.fixed != "baseline":
            return reference.windows(calendar, window)
        newest = max(self.baselines().values(), key=lambda each: each.version, default=None)
        return fixed_windows(calendar, window, newest.start, newest.end) if newest else []

    def held_against(self, window: Window) -> dict[str, list[Window]]:
        """Return the windows of every reference of `window` by the reference's name, the main one first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        found = {str(reference): self.reference_windows(window)}
        companion = reference.seasonal_companion(calendar) if self.monitor.detection.seasonal else None
        if companion:
            found[str(companion)] = companion.windows(calendar, window)
        return found

    def needed(self, window: Window) -> list[Window]:
        """Return the windows of all its references and `window` itself, oldest first."""
        return sorted({window, *(each for windows in self.held_against(window).values() for each in windows)})

    def baselines(self) -> dict[str, Baseline]:
        """Return of each feature the baseline in force."""
        return {
            feature: Baseline(row["version"], row["fitted_from"], row["fitted_to"])
            for feature, row in self.store.baselines(self.name).items()
        }

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
    wanted = watch.needed(window)
    known = watch.store.gates(monitor.name, wanted)
    return Plan(window, [w for w in wanted if w.start not in known or (force and w == window)])


def validate(
    watch: Watch, windows: Sequence[Window], current: Collection[Window], *, now: datetime
) -> dict[Window, Gate]:
    """Pass windows through the Great Expectations gate, and store what was observed.

    A rejected window is never scored, nor a reference unless the monitor's `reference.exclude` lets it. A reference
    window without a single row (before the data begin, or not yet arrived) is left open; the `current` ones are gated
    as they are.
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
    if active:
        return active
    return fit_bins(watch, watch.reference_windows(window), now=now, by=by, reason="first reference")


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
    opened = [(w, watch.snapshot(w)) for w in usable(watch, windows)]
    filled = [(w, snapshot, rows) for w, snapshot in opened if (rows := snapshot.count_rows())]
    if len(filled) < watch.monitor.reference_min_windows:
        return {}
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
        reason=reason,
        new=new,
    )
    return watch.store.active_baseline(watch.name)


def to_profile(watch: Watch, window: Window, *, force: bool = False) -> list[Window]:
    """Return the windows that still have to be counted: of `window` and its references, those that passed the gate."""
    wanted = usable(watch, watch.needed(window), window)
    missing = uncounted(watch, wanted)
    return [w for w in wanted if w in missing or (force and w == window and watch.store.active_baseline(watch.name))]


def uncounted(watch: Watch, windows: Sequence[Window]) -> list[Window]:
    """Return those windows that are not counted under the binnings in force; none where there are no binnings."""
    binnings = watch.store.active_baseline(watch.name)
    counted = watch.store.profiled(watch.name, windows, binning_key(binnings))
    return [w for w in windows if binnings and w.start not in counted]


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
    monitor, label = watch.monitor, watch.label(window)
    gate = watch.store.gates(watch.name, [window]).get(window.start, "not_validated")
    if gate == "rejected":
        return Report(watch.name, window, "none: rejected by its expectations", [], 0, 0, gate, label=label)
    binnings = watch.store.active_baseline(watch.name)
    known = _recorded(watch, window, binnings)
    current, needed = known.current, monitor.reference_min_windows
    reference, names = composition.compose(
        known.references,
        current,
        monitor.detection,
        left_out=_critical(watch, known.held_against, window),
        least=needed,
    )
    main = next(iter(known.references))
    used = known.references[main]
    columns = {**{c: t for profile in used for c, t in profile.schema.items()}, **current.schema}
    features = watch.features({**columns, **dict.fromkeys(binnings, "")})
    unbinned = {f: _why_unbinned(columns[f]) for f in features if f not in binnings}
    reference = replace(reference, problems={**reference.problems, **unbinned})
    findings = []
    if len(used) < needed:
        few = f"the reference has {len(used)} of {len(known.held_against[main])} windows with rows; it needs {needed}"
        if monitor.reference.fixed == "baseline" and not known.baselines:
            few = f"there is no baseline yet: drift baseline promote {watch.name} --from DATE --to DATE --reason WHY"
        findings.append(Finding("no_reference", few))
        features = features or list(binnings)
    elif not current.n_rows:
        findings.append(Finding("no_rows", "the window holds no rows"))
    else:
        findings += _standing(watch, known, reference.n_rows / len(used))
    report = comparison.assess(
        Report(watch.name, window, _described(known), [], 0, 0, gate, findings, label=label),
        reference,
        current,
        features=features,
        detection=monitor.detection,
        seed=zlib.crc32(f"{watch.name} {window.key}".encode()),
        history=watch.store.history(watch.name, features, before=window.start, limit=monitor.detection.history),
        watched=monitor.features,
    )
    return _beside_the_baseline(report, known, names)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the store holds that a window is judged by: its counts, and of each reference the windows that may be used.

    `baselines` are the baselines in force by feature, `fixed` their windows.
    """

    current: Profile
    held_against: dict[str, list[Window]]
    references: dict[str, list[Profile]]
    baselines: dict[str, Baseline]
    fixed: dict[Baseline, list[Profile]]


def _recorded(watch: Watch, window: Window, binnings: Mapping[str, Binning]) -> _Recorded:
    held_against, baselines = watch.held_against(window), watch.baselines()
    calendar = watch.monitor.window.calendar
    fixed = {each: fixed_windows(calendar, window, each.start, each.end) for each in set(baselines.values())}
    wanted = {window, *(w for some in (*held_against.values(), *fixed.values()) for w in some)}
    loaded = watch.store.load_profiles(watch.name, sorted(wanted), binnings)
    stored = {p.window: (comparison.arrived(p, watch.monitor.features), gate) for p, gate in loaded}
    rejected = "rejected" not in watch.monitor.reference.exclude

    def may_be_used(windows: Iterable[Window]) -> list[Profile]:
        found = [stored[w] for w in windows if w in stored]
        return [profile for profile, gate in found if profile.n_rows and (gate != "rejected" or rejected)]

    return _Recorded(
        stored[window][0] if window in stored else Profile(window, 0, {}),
        held_against,
        {name: may_be_used(windows) for name, windows in held_against.items()},
        baselines,
        {each: may_be_used(windows) for each, windows in fixed.items()},
    )


def _described(known: _Recorded) -> str:
    """Say which references there are, and how much of them."""
    main, *companions = (
        f"{name}: {len(known.references[name])} of {len(windows)}" for name, windows in known.held_against.items()
    )
    return "; ".join([f"{main} windows", *companions])


def _critical(watch: Watch, held_against: Mapping[str, Sequence[Window]], window: Window) -> set[tuple[str, datetime]]:
    """Return the features and windows that were critical, where the monitor keeps these out of its references."""
    starts = [w.start for windows in held_against.values() for w in windows]
    if "critical" not in watch.monitor.reference.exclude or watch.monitor.reference.fixed or not starts:
        return set()
    reports = watch.store.load_reports(watch.name, since=min(starts), until=max(starts))
    return {
        (verdict.feature, report.window.start)
        for report in reports
        for verdict in report.verdicts
        if report.window and report.window < window and verdict.status == "critical"
    }


def _standing(watch: Watch, known: _Recorded, usual: float) -> list[Finding]:
    """Return what is found beside KL, so that no reference that adapts hides it."""
    newest = max(known.fixed, key=lambda each: each.version, default=None)
    found = standing.volume_findings(
        known.current.n_rows,
        usual,
        [profile.n_rows for profile in known.fixed[newest]] if newest else [],
        label=_span(watch, newest) if newest else "",
    )
    # A baseline whose windows are gone leaves the reference to compare with.
    instead = next(iter(known.references.values()))
    before = {feature: known.fixed[each] or instead for feature, each in known.baselines.items()}
    return found + standing.still_findings(known.current, before, min_rows=watch.monitor.detection.min_rows)


def _beside_the_baseline(report: Report, known: _Recorded, names: Mapping[str, str]) -> Report:
    """Note with each score which reference it was held against, and how far the feature is from its baseline."""
    away = {
        each: composition.from_baseline(composition.merge(profiles), known.current)
        for each, profiles in known.fixed.items()
    }
    fixed = {feature: away[each].get(feature) for feature, each in known.baselines.items()}
    verdicts = [
        replace(v, score=replace(v.score, kl_fixed=fixed.get(v.feature), reference=names.get(v.feature, "")))
        if v.score
        else v
        for v in report.verdicts
    ]
    return replace(report, verdicts=verdicts)


def _span(watch: Watch, baseline: Baseline) -> str:
    return describe_span(watch.monitor.window.calendar, baseline.start, baseline.end)


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
        alerts.observations(report, failures=failures, adapted=_adapted(watch, report, known)),
        monitor=watch.name,
        now=now,
        history=[seen for other in others if other.window != window for seen in alerts.observations(other)],
        page=page,
    )
    owed = digest.notifications(report, transitions, routes=watch.monitor.alerts.routes, now=now)
    watch.store.save_alerts(transitions.alerts, transitions.events, owed)
    return transitions


def _adapted(watch: Watch, report: Report, known: Iterable[alerts.Alert]) -> dict[str, str]:
    """Say, by the key of its alert, what is quiet only because its reference has moved.

    That is what is as its reference is now, and still at least half as far from its baseline as when the alert opened.
    """
    window = _window_of(report)
    drift = [a for a in known if a.kind in {"drift", "table"} and (a.live or a.last_window >= window.start)]
    quiet = {v.feature: v for v in report.verdicts if v.status == "ok" and v.severity == "none"}
    found: dict[str, str] = {}
    for start in {alert.opened_window for alert in drift if alert.opened_window < window.start}:
        then = {
            v.feature: v for r in watch.store.load_reports(watch.name, since=start, until=start) for v in r.drifting
        }
        stay = {f: away for f in then.keys() & quiet.keys() if (away := _still_away(then[f], quiet[f]))}
        for alert in drift:
            mine = [feature for feature in stay if alert.kind == "table" or feature == alert.feature]
            if alert.opened_window != start or not mine:
                continue
            when = ", ".join(sorted({_span(watch, each) for f, each in watch.baselines().items() if f in mine}))
            furthest = max(stay[feature] for feature in mine)
            many = f"{len(mine)} features " if alert.kind == "table" else ""
            how_far = f"up to {furthest:.2g}" if len(mine) > 1 else f"{furthest:.2g}"
            found[alert.key] = f"the reference has adapted: {many}still {how_far} nats from the baseline of {when}"
    return found


def _still_away(then: Verdict, now: Verdict) -> float:
    """Return how far a feature is from its baseline, if that is at least half as far as it was; else 0."""
    was, away = (v.score.kl_fixed if v.score else None for v in (then, now))
    return away if was and away and away >= max(STILL * was, now.warning) else 0.0


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
