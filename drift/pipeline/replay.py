"""Replay: what settings would have told of the windows that are stored, from stored counts alone.

The stages that score a window and advance its alerts are the very ones a run uses. They work on a `Memory` in place of
the results database, so nothing is written, and what they look back at (earlier scores, alerts) is what the replay has
found by itself. The source is never opened.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from drift.config.overrides import changes
from drift.detection.scores import Past
from drift.errors import DriftError, StoreError
from drift.pipeline import evaluate, notify, run
from drift.pipeline.context import Context
from drift.store import rows as to_rows
from drift.store.schema import WHOLE
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert, AlertEvent, Notice, Transition
    from drift.alerts.silences import Silence
    from drift.config.monitor import Monitor
    from drift.detection.reports import Gate, Report
    from drift.detection.scores import Severity
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.segments import Segmentation
    from drift.store.rows import Row
    from drift.store.store import Store

SCHEMA_VERSION = 1

MONTH = timedelta(days=30)
"""What a month is when pages are counted."""

CALLS: frozenset[Transition] = frozenset({"opened", "reopened", "escalated", "flapping", "notified"})
"""The transitions that count as a page: something began or grew worse. An all-clear is told too, but wakes nobody."""


# -- a results database in memory -------------------------------------------------------------------------------------


@dataclass
class Memory:
    """Stored counts to read, and what a replay finds, for it to look back at; to the stages it is a `Store`.

    Parameters
    ----------
    store
        Where counts are read from, each window once; nothing is ever written there.
    """

    store: Store
    counts: dict[Window, tuple[Profile, Gate] | None] = field(default_factory=dict)
    decisions: dict[Window, Gate | None] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    past: list[dict[str, Past]] = field(default_factory=list)
    in_segments: list[dict[str, dict[str, Past]]] = field(default_factory=list)
    found: dict[str, Alert] = field(default_factory=dict)
    binnings: dict[str, Binning] = field(default_factory=dict)
    fitted: dict[str, Row] = field(default_factory=dict)
    cuts: dict[str, Binning] | None = None

    def afresh(self) -> Memory:
        """Return a copy that has found nothing yet, and knows all counts."""
        return replace(self, reports=[], past=[], in_segments=[], found={})

    def branch(self, reports: int, counts: Mapping[Window, tuple[Profile, Gate] | None]) -> Memory:
        """Return a copy that has found the first so many reports, and in which some windows have other counts."""
        return replace(
            self,
            counts={**self.counts, **counts},
            reports=self.reports[:reports],
            past=self.past[:reports],
            in_segments=self.in_segments[:reports],
            found=dict(self.found),
        )

    # -- what is stored

    def active_baseline(self, monitor: str) -> dict[str, Binning]:
        """As `Store.active_baseline`."""
        if not self.binnings:
            self.binnings = self.store.active_baseline(monitor)
        return self.binnings

    def baselines(self, monitor: str) -> dict[str, Row]:
        """As `Store.baselines`."""
        if not self.fitted:
            self.fitted = self.store.baselines(monitor)
        return self.fitted

    def segmentations(self, monitor: str) -> dict[str, Binning]:
        """As `Store.segmentations`."""
        if self.cuts is None:
            self.cuts = self.store.segmentations(monitor)
        return self.cuts

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """As `Store.gates`."""
        if new := [window for window in windows if window not in self.decisions]:
            known = self.store.gates(monitor, new)
            self.decisions |= {window: known.get(window.start) for window in new}
        return {window.start: gate for window in windows if (gate := self.decisions[window]) is not None}

    def validations(self, monitor: str, window: Window) -> list[Row]:
        """As `Store.validations`; where the gate found nothing amiss nobody needs them."""
        amiss = self.gates(monitor, [window]).get(window.start) in {"warned", "rejected"}
        return self.store.validations(monitor, window) if amiss else []

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """As `Store.load_profiles`, under the binnings and with the segments in force."""
        if new := [window for window in windows if window not in self.counts]:
            stored = self.store.load_profiles(monitor, new, binnings, segmentations)
            known = {one.window: (one, gate) for one, gate in stored}
            self.counts |= {window: known.get(window) for window in new}
        return [counted for window in sorted(windows) if (counted := self.counts[window]) is not None]

    # -- what the replay found

    def save_report(self, monitor: str, report: Report) -> None:
        """Remember a report; they come in the order of their windows."""
        window = _window(report)
        if self.reports and window <= _window(self.reports[-1]):
            raise StoreError(f"{monitor}: a replay goes through windows in order; {window} came late")
        self.reports.append(report)
        self.past.append(_past(monitor, report, window))
        self.in_segments.append({name: _past(monitor, one, window) for name, one in report.segments.items()})

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = WHOLE
    ) -> dict[str, list[Past]]:
        """As `Store.history`."""
        del monitor
        end = self._since(before)
        start = max(end - limit, 0)
        recent = [each.get(segment, {}) for each in self.in_segments[start:end]] if segment else self.past[start:end]
        return {feature: [past[feature] for past in recent if feature in past] for feature in features}

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """As `Store.load_reports`."""
        del monitor
        found = self.reports[self._since(since) :]
        return found if until is None else [report for report in found if _window(report).start <= until]

    def _since(self, start: datetime) -> int:
        """Return the index of the first report of a window that starts then or later."""
        return bisect_left(self.reports, start, key=lambda report: _window(report).start)

    def alerts(self, monitor: str | None = None, states: Collection[str] | None = None) -> list[Alert]:
        """As `Store.alerts`."""
        del monitor
        return [alert for alert in reversed(self.found.values()) if states is None or alert.state in states]

    def alerts_in_play(self, monitor: str, since: datetime | None = None, keys: Collection[str] = ()) -> list[Alert]:
        """As `Store.alerts_in_play`: all there are, which are few."""
        del since, keys
        return self.alerts(monitor)

    def silences(self, monitor: str | None = None) -> list[Silence]:
        """As `Store.silences`; what people mute is no part of a replay."""
        del monitor
        return []

    def run_results(self, monitor: str, since: datetime) -> list[tuple[Window, str | None]]:
        """As `Store.run_results`; no run of a replay fails."""
        del monitor, since
        return []

    def save_alerts(
        self, changed: Iterable[Alert], events: Iterable[AlertEvent], notifications: Iterable[Any] = ()
    ) -> None:
        """Remember alerts; diaries and messages are dropped."""
        del events, notifications
        self.found |= {alert.id: alert for alert in changed}


def _past(monitor: str, report: Report, window: Window) -> dict[str, Past]:
    """Return what is remembered of each feature: what a store would give back."""
    rows = to_rows.score_rows(monitor, report, window)
    return {row["feature"]: Past(**{name: row[name] for name in Past._fields}) for row in rows if row["kl"] is not None}


def _window(report: Report) -> Window:
    if report.window is None:
        raise StoreError(f"{report.monitor}: a report without a window cannot be replayed")
    return report.window


# -- the replay -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A page: something that began or grew worse, as someone would have been told.

    Parameters
    ----------
    window
        Start of the window.
    label
        The window, as its readers name it.
    key, feature
        As in `drift.alerts.alerts.Alert`.
    severity
    transition
        ``opened``, ``reopened`` or ``escalated``.
    reason
    """

    window: datetime
    label: str
    key: str
    feature: str | None
    severity: Severity
    transition: Transition
    reason: str

    @property
    def about_data(self) -> bool:
        """Whether it tells of drift, which detection decides; the gate, the rows and the schema tell of the rest."""
        return self.key.startswith(("drift:", "table"))


@dataclass(frozen=True)
class Replay:
    """What a monitor's settings tell of a span of windows.

    Parameters
    ----------
    monitor
        With the settings that were replayed.
    reports
        Of every window scored, oldest first: the first `lead` of them only to have something to look back at.
    calls
        The pages of the windows behind these, oldest first.
    lead
    """

    monitor: Monitor
    reports: Sequence[Report]
    calls: Sequence[Call]
    lead: int = 0

    def settled(self) -> Replay:
        """Return the replay from the first window on that has a history to be held against, if half of it is left.

        What pages before says more of the missing history than of any setting.
        """
        known = (
            i
            for i, report in enumerate(self.reports)
            if any(v.score is not None and v.score.z is not None for v in report.verdicts)
        )
        lead = max(self.lead, next(known, 0))
        if 2 * lead > len(self.reports) + self.lead:
            return self
        start = _window(self.reports[lead]).start
        return replace(self, lead=lead, calls=[call for call in self.calls if call.window >= start])

    @property
    def windows(self) -> list[Window]:
        """The windows that were asked for."""
        return [_window(report) for report in self.reports[self.lead :]]

    @property
    def months(self) -> float:
        """How many months the windows fill."""
        return len(self.windows) * (self.monitor.window.calendar.span.nominal / MONTH)

    def a_month(self, calls: int) -> float:
        """Return how many that many pages are a month."""
        return calls / self.months

    @property
    def by_key(self) -> dict[str, int]:
        """How often each key paged, the loudest first."""
        counts: dict[str, int] = {}
        for call in self.calls:
            counts[call.key] = counts.get(call.key, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def statuses(self) -> dict[str, int]:
        """How many windows had each status."""
        counts: dict[str, int] = {}
        for report in self.reports[self.lead :]:
            word = run.run_status(report)
            counts[word] = counts.get(word, 0) + 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """The replay as plain JSON."""
        return {
            "pages": len(self.calls),
            "pages_a_month": self.a_month(len(self.calls)),
            "by_severity": {s: sum(c.severity == s for c in self.calls) for s in ("critical", "warning")},
            "by_key": self.by_key,
            "windows_by_status": self.statuses,
            "calls": [call_to_dict(call) for call in self.calls],
        }


def call_to_dict(call: Call) -> dict[str, Any]:
    """Return a page as plain JSON."""
    return {
        "window": call.window.isoformat().replace("+00:00", "Z"),
        "label": call.label,
        "key": call.key,
        "feature": call.feature,
        "severity": call.severity,
        "transition": call.transition,
        "reason": call.reason,
    }


def lead_of(monitor: Monitor) -> int:
    """Return how many windows before the first one count for it: its history, and that of those persistence asks."""
    return monitor.detection.remembered


def windows_run(
    store: Store,
    monitor: Monitor,
    *,
    last: int | None = None,
    first: Window | None = None,
    until: Window | None = None,
    lead: int = 0,
) -> tuple[list[Window], int]:
    """Return windows that have a report, oldest first.

    Parameters
    ----------
    store, monitor
    last
        Only the newest so many.
    first, until
        Only those from one window to another, both included.
    lead
        Return up to so many earlier ones too.

    Returns
    -------
    list of Window, int
        The windows, and how many of them came by `lead` alone.

    Raises
    ------
    StoreError
        If there are none.
    """
    limit = _ALL if first or until or last is None else last + lead
    calendar = monitor.window.calendar
    known = [Window(row["window_start"], row["window_end"]) for row in reversed(store.reports(monitor.name, limit))]
    known = [window for window in known if calendar.containing(window.start) == window]
    wanted = [w for w in known if (not first or w >= first) and (not until or w <= until)]
    wanted = wanted[-last:] if last else wanted
    if not wanted:
        raise StoreError(
            f"{monitor.name} has no reports to replay{' there' if known else ''}: "
            f"drift backfill {monitor.name} --from DATE --to DATE"
        )
    end, begin = known.index(wanted[-1]) + 1, known.index(wanted[0])
    start = max(begin - lead, 0)
    return known[start:end], begin - start


_ALL = 1_000_000


def replay(context: Context, memory: Memory, windows: Sequence[Window], *, lead: int = 0) -> Replay:
    """Score windows and advance alerts from stored counts, under the settings of the monitor.

    Parameters
    ----------
    watch
        The monitor; its store and its source are left alone.
    memory
        Of the same results database; read through, and filled with what is found.
    windows
        Oldest first.
    lead
        The first so many windows are scored and page nobody.

    Raises
    ------
    StoreError
        If no bins were ever fitted.
    """
    monitor = context.monitor
    on = offline(monitor, memory)
    if not memory.active_baseline(monitor.name):
        raise StoreError(f"{monitor.name} has no baseline yet, so nothing is counted: drift backfill {monitor.name}")
    preload(on, memory, windows)
    calls: list[Call] = []
    for i, window in enumerate(windows):
        report = evaluate.evaluate_window(on, window)
        pages = notify.notify_window(on, report, now=window.end).notices
        if i >= lead:
            calls += calls_of(pages, context.label(window))
    return Replay(monitor, list(memory.reports), calls, lead)


def offline(monitor: Monitor, memory: Memory) -> Context:
    """Return the monitor at work on a memory alone: no source, no routes."""

    def refuse(connection: str) -> NoReturn:
        raise DriftError(f"{monitor.name}: a replay asked for connection {connection}: please report this")

    quiet = monitor.model_copy(update={"alerts": monitor.alerts.model_copy(update={"routes": []})})
    # To the stages a memory is a store: it answers whatever they ask for.
    return Context(quiet, cast("Store", memory), refuse)


def preload(context: Context, memory: Memory, windows: Sequence[Window]) -> None:
    """Read the counts and gates of windows and of their references, each once."""
    ordered = sorted({each for window in windows for each in (*context.needed(window), *context.remembered(window))})
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        memory.load_profiles(context.name, part, memory.active_baseline(context.name), context.segmentations())
        memory.gates(context.name, part)


_AT_ONCE = 5_000


def calls_of(pages: Iterable[Notice], label: str) -> list[Call]:
    """Return the pages of one window that count."""
    return [
        Call(
            page.event.window_start or page.alert.opened_window,
            label,
            page.alert.key,
            page.alert.feature,
            page.alert.severity,
            page.event.transition,
            page.alert.reason,
        )
        for page in pages
        if page.event.transition in CALLS and page.alert.live
    ]


def to_dict(in_force: Replay, asked_for: Replay | None) -> dict[str, Any]:
    """Return one replay, or two side by side, as plain JSON (docs/replay.md)."""
    windows = in_force.windows
    return {
        "schema": "drift.replay",
        "schema_version": SCHEMA_VERSION,
        "monitor": in_force.monitor.name,
        "from": windows[0].start.isoformat().replace("+00:00", "Z"),
        "to": windows[-1].end.isoformat().replace("+00:00", "Z"),
        "windows": len(windows),
        "months": in_force.months,
        "in_force": in_force.to_dict(),
        "asked_for": asked_for and {"settings": changes(in_force.monitor, asked_for.monitor), **asked_for.to_dict()},
    }
