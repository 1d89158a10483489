"""The use cases, and the only place that knows their order.

    plan → validate → baseline → profile (each missing window) → evaluate → notify

Each stage reads what it needs from the store and writes what it found there, in one transaction, by natural keys. So
each may be repeated, retried or run on another machine, and Airflow's tasks pass nothing but window keys.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drift.config.features import unmatched
from drift.config.reference import fixed_windows
from drift.errors import ConfigError, DriftError, InternalError, SourceError, WindowError, internal
from drift.pipeline import evaluate, notify, prefetch
from drift.pipeline import profile as profiling
from drift.pipeline.context import Context, binning_key
from drift.pipeline.fit import ensure_baseline, sparing, unvalidated, usable
from drift.pipeline.left_behind import left_behind, this_process
from drift.store.cache import Cache
from drift.store.memory import Preview
from drift.text import logs
from drift.text.formatting import when
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.alerts import alerts
    from drift.config.monitor import Monitor
    from drift.detection.reports import Gate, Report
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.segments import Segmentation
    from drift.sources.snapshot import Snapshot
    from drift.sources.validation_results import Outcome as Observed
    from drift.store.base import State


log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to read: windows never validated."""

    window: Window
    to_validate: list[Window] = field(default_factory=list)


def check_columns(context: Context[State], windows: Sequence[Window]) -> None:
    """Refuse a configuration that names a column which never was there; of one that ran before nothing is asked.

    So a column that goes missing takes away no monitor that works. The columns are those of the first and the last of
    the windows, of the newest window of their reference, and those with bins.

    Raises
    ------
    ConfigError
        Every name and pattern that matches none of them.
    """
    if not windows or context.store.has_run(context.name, context.monitor.config_hash):
        return
    columns = set(context.store.active_baseline(context.name))
    for window in {*context.reference_windows(windows[0])[-1:], windows[0], windows[-1]}:
        with suppress(SourceError):  # whoever reads it says so
            columns |= context.source.snapshot(window).schema.keys()
    problems = unmatched(context.monitor.patterns, columns)
    if columns and problems:
        raise ConfigError(problems)


@logs.stage("plan")
def plan(context: Context[State], window: Window, *, now: datetime, force: bool = False) -> Plan:
    """Record the monitor's version and list what was never validated of `window` and its references.

    With `force` the window is read again even if it is stored.
    """
    monitor = context.monitor
    context.store.save_monitor(monitor.name, monitor.config_hash, monitor.model_dump(mode="json", by_alias=True), now)
    # A window of the reference that is not over would be counted as if it were.
    wanted = [each for each in context.needed(window) if each.end <= now or each == window]
    new = unvalidated(context, wanted)
    return Plan(window, [w for w in wanted if w in new or (force and w == window)])


@logs.stage("validate")
def validate(
    context: Context[State], windows: Sequence[Window], current: Collection[Window], *, now: datetime
) -> dict[Window, Gate]:
    """Pass windows through the Great Expectations gate, and store what was observed.

    A rejected window is never scored, nor a reference unless the monitor's `reference.exclude` lets it. A reference
    window without a single row (before the data begin, or not yet arrived), or that cannot be read, is tried
    again; the `current` ones come first, and are gated as they are.
    """
    decided: dict[Window, Gate] = {}
    for window in sorted(windows, key=lambda w: w not in current):
        if window in context.source.empty and window not in current:
            continue
        with sparing(context, window, current, now=now):
            snapshot = context.source.snapshot(window)
            if window in current:
                context.source.opened[window] = snapshot
            if window in current or snapshot.count_rows():
                decided[window] = _validate_one(context, window, snapshot, now=now)
            else:
                context.source.empty.add(window)
    return decided


def _validate_one(context: Context[State], window: Window, snapshot: Snapshot, *, now: datetime) -> Gate:
    decision, outcomes = profiling.examine(context.source, snapshot)
    _save_gate(context, window, decision, outcomes, now=now)
    return decision


def _save_gate(
    context: Context[State], window: Window, decision: Gate, outcomes: Sequence[Observed], *, now: datetime
) -> None:
    context.store.save_gate(context.name, window, decision, outcomes, now)
    for outcome in outcomes:
        if not outcome.success:
            log.warning("%s %s: %s: %s", context.name, context.label(window), outcome.severity, outcome.message)


def to_profile(context: Context[State], window: Window, *, force: bool = False) -> list[Window]:
    """Return the windows that still have to be counted: of `window` and its references, those that passed the gate.

    With them go those of the baselines that never were: whoever fitted the bins may have died before.
    """
    wanted = usable(context, context.needed(window), window)
    missing = uncounted(context, wanted)
    again = [window] if force and window in wanted and context.store.active_baseline(context.name) else []
    return sorted({*missing, *again, *_never_counted(context, window)})


def _never_counted(context: Context[State], window: Window) -> list[Window]:
    """Return the windows of the baselines in force that were gated, and never counted."""
    calendar, baselines = context.monitor.window.calendar, set(context.baselines().values())
    fixed = {w for each in baselines for w in fixed_windows(calendar, window, each.start, each.end)}
    known = context.store.heads(context.name, sorted(fixed))
    return usable(context, sorted(w for w in fixed if w.start not in known))


def uncounted(context: Context[State], windows: Sequence[Window]) -> list[Window]:
    """Return those windows that are not counted under the binnings in force; none where there are no binnings."""
    binnings = context.store.active_baseline(context.name)
    key, known = binning_key(binnings, context.segmentations()), context.store.heads(context.name, windows)
    return [w for w in windows if binnings and (w.start not in known or known[w.start].binning_key != key)]


@logs.stage("profile")
def profile_window(context: Context[State], window: Window, *, now: datetime) -> Profile:
    """Read one window once, count it into cells, and store the counts."""
    binnings, by = context.store.active_baseline(context.name), context.segmentations()
    profile = profiling.count_window(context.source, window, binnings, context.source.take(window), by)
    gate = context.store.gates(context.name, [window]).get(window.start, "not_validated")
    _save_profile(context, window, profile, binnings, by, gate=gate, now=now)
    return profile


def _save_profile(
    context: Context[State],
    window: Window,
    profile: Profile,
    binnings: Mapping[str, Binning],
    by: Sequence[Segmentation],
    *,
    gate: Gate,
    now: datetime,
) -> None:
    key = binning_key(binnings, by)
    kept = context.store.save_profile(context.name, profile, by, gate=gate, binning_key=key, now=now)
    if not kept:
        log.warning("%s %s: the source has no rows left; the stored counts stay", context.name, context.label(window))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    report: Report
    transitions: alerts.Transitions
    profiled: int


def refuse_unfinished(monitor: Monitor, windows: Sequence[Window], now: datetime) -> None:
    """Refuse windows that are not over: counted now, their rows so far would stand for all of them."""
    ahead = [window for window in windows if window.end > now]
    if not ahead:
        return
    calendar = monitor.window.calendar
    newest, over = calendar.label(max(ahead)), when(max(ahead).end, calendar.zone)
    last = calendar.label(calendar.last_complete(now))
    raise WindowError(
        f"{monitor.name}: {newest} is not over until {over}: the last complete window is {last}; "
        "drift run --partial judges the rows so far"
    )


def look(context: Context[State], window: Window, *, now: datetime) -> Report:
    """Judge a window that need not be over by its rows so far: nothing is stored, and nobody is notified."""
    if window.start >= now:
        raise WindowError(f"{context.name}: {context.label(window)} has not begun")
    if not context.store.active_baseline(context.name):
        raise DriftError(f"{context.name} has no bins yet: run a window that is over first")
    on = replace(context, store=Preview(context.store))
    validate(on, plan(on, window, now=now, force=True).to_validate, [window], now=now)
    for each in to_profile(on, window, force=True):
        with sparing(on, each, [window], now=now):
            profile_window(on, each, now=now)
    return replace(evaluate.evaluate_window(on, window), label=f"{context.label(window)} (not over)")


def run_window(
    context: Context[State],
    window: Window,
    *,
    clock: Callable[[], datetime],
    force: bool = False,
    page: bool = True,
    url: str = "",
) -> Outcome:
    """Run every stage for one window; whatever happens, the run is recorded, and a failure with its error."""
    refuse_unfinished(context.monitor, [window], clock())
    _end_left_behind(context, [window], clock=clock, page=page)
    cache = Cache(context.store, expected=context.remembered(window))
    return _run(replace(context, store=cache), window, clock=clock, force=force, page=page, url=url, asked_for=[window])


def _run(
    context: Context[State],
    window: Window,
    *,
    clock: Callable[[], datetime],
    force: bool,
    page: bool,
    url: str = "",
    asked_for: Sequence[Window] = (),
) -> Outcome:
    started = clock()
    context.source.opened.clear()
    context.store.save_run_started(
        context.name, window, context.monitor.config_hash, started, url=url, process=this_process()
    )
    with recorded(context, window, clock=clock, page=page, url=url):
        check_columns(context, asked_for)
        todo = plan(context, window, now=started, force=force)
        validate(context, todo.to_validate, [window], now=started)
        ensure_baseline(context, window, now=started)
        missing = to_profile(context, window, force=force)
        for each in missing:
            with sparing(context, each, [window], now=started):
                profile_window(context, each, now=started)
        report = evaluate.evaluate_window(context, window)
        transitions = notify.notify_window(context, report, now=started, page=page, run_url=url)
    context.store.save_run_finished(context.name, window, report.status, clock(), reference=report.reference)
    return Outcome(report, transitions, len(missing))


@contextmanager
def recorded(
    context: Context[State], window: Window, *, clock: Callable[[], datetime], page: bool, url: str = ""
) -> Iterator[None]:
    """Record a run that fails, with its error, and raise its alert; what nobody expected becomes an `InternalError`."""
    try:
        yield
    except Exception as error:
        failure = error if isinstance(error, DriftError) else internal(error)
        log.debug("%s %s: the run failed", context.name, context.label(window), exc_info=True)
        try:
            _end(context, window, str(failure), now=clock(), page=page, url=url)
        except Exception as again:
            # As a rule for the same reason, which is what is to be said.
            log.debug("the failure could not be recorded", exc_info=True)
            log.warning("%s %s: the failure could not be recorded: %s", context.name, context.label(window), again)
        raise failure from error


def _end(context: Context[State], window: Window, error: str, *, now: datetime, page: bool, url: str = "") -> None:
    context.store.save_run_finished(context.name, window, "error", now, error=error)
    notify.run_failed(context, window, error, now=now, page=page, run_url=url)


def _end_left_behind(
    context: Context[State], windows: Collection[Window], *, clock: Callable[[], datetime], page: bool
) -> None:
    """End the runs of other windows whose process died, as runs that failed."""
    for row in context.store.running(context.name):
        window = Window(row["window_start"], row["window_end"])
        if window not in windows and (why := left_behind(row, clock())):
            log.warning("%s %s: %s", context.name, context.label(window), why)
            _end(context, window, why, now=clock(), page=page, url=row["url"] or "")


def backfill(
    context: Context[State],
    windows: Sequence[Window],
    *,
    clock: Callable[[], datetime],
    force: bool = False,
    page: bool = False,
    jobs: int = 1,
    progress: Callable[[Window, Report | DriftError], None] = lambda _window, _report: None,
) -> list[Report]:
    """Run many windows, oldest first; each row is read once, and nobody is paged unless asked.

    A window whose source fails, or in which something fails that nobody expected, is recorded as failed and the rest go
    on; if none succeeds the last error is raised.
    With `force` windows are read again although they are stored. This process is one of the `jobs`; the others
    read, and are spawned: the caller's main module must be importable. `progress` is given each window, and what
    came of it. A window that is not over is refused before anything is read.
    """
    refuse_unfinished(context.monitor, windows, clock())
    reports: list[Report] = []
    failure: SourceError | InternalError | None = None
    cache = Cache(context.store)
    context = replace(context, store=cache)
    ordered = sorted(windows)
    _end_left_behind(context, ordered, clock=clock, page=page)
    check_columns(context, ordered)
    prepare(context, ordered, now=clock(), page=page)
    binnings, by = context.store.active_baseline(context.name), context.segmentations()
    tasks = _to_read(context, ordered, force=force) if jobs > 1 else []
    with prefetch.read_ahead(context.source, tasks, binnings, by, jobs=jobs) as ahead:
        for window in ordered:
            cache.begin(context.remembered(window))
            try:
                with recorded(context, window, clock=clock, page=page):
                    found = ahead.take(window) if ahead else None
                    stored = _store(context, window, found, binnings, by, now=clock())
                report = _run(context, window, clock=clock, force=force and not stored, page=page).report
            except (SourceError, InternalError) as error:
                failure = error
                progress(window, error)
                continue
            reports.append(report)
            progress(window, report)
    if failure is not None and not reports:
        raise failure
    return reports


def _to_read(context: Context[State], windows: Sequence[Window], *, force: bool) -> list[prefetch.Task]:
    """Return what a backfill has to read of its own windows."""
    gates = {} if force else context.store.gates(context.name, windows)
    missing = windows if force else uncounted(context, windows)
    return [prefetch.Task(w, gates.get(w.start)) for w in missing if gates.get(w.start) != "rejected"]


def _store(
    context: Context[State],
    window: Window,
    found: prefetch.Read | None,
    binnings: Mapping[str, Binning],
    by: Sequence[Segmentation],
    *,
    now: datetime,
) -> bool:
    """Store what was read ahead of a window, and say whether there was anything."""
    if found is None:
        return False
    if found.outcomes is not None:
        _save_gate(context, window, found.gate, found.outcomes, now=now)
    if found.profile is not None:
        _save_profile(context, window, found.profile, binnings, by, gate=found.gate, now=now)
    return True


def prepare(context: Context[State], windows: Sequence[Window], *, now: datetime, page: bool = False) -> None:
    """Fit the first baseline before anything is counted: on the earliest whole reference that these windows have.

    A reference is whole where its oldest window holds rows. What is fitted on the first week of the data stands on
    whatever that week was, and a backfill need not: the weeks after it are there. Where none is whole, the latest
    window that has references enough decides. The windows it is fitted on are counted at once: how far the very first
    windows are from it does not depend on when they are asked.
    """
    ordered = sorted(windows)
    for window in ordered:
        if context.store.active_baseline(context.name):
            return
        with recorded(context, window, clock=lambda: now, page=page), sparing(context, window, now=now):
            validate(context, plan(context, window, now=now).to_validate, [window], now=now)
            oldest = context.reference_windows(window)[:1]
            if usable(context, oldest) and context.source.snapshot(oldest[0]).count_rows():
                _fit_and_count(context, window, now=now)
    for window in reversed(ordered):
        with recorded(context, window, clock=lambda: now, page=page):
            if _fit_and_count(context, window, now=now):
                return


def _fit_and_count(context: Context[State], window: Window, *, now: datetime) -> bool:
    fitted = ensure_baseline(context, window, now=now)
    for each in uncounted(context, usable(context, context.reference_windows(window))):
        profile_window(context, each, now=now)
    return bool(fitted)
