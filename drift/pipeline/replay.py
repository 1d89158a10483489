"""Replay: which pages settings would have sent for the stored windows, from stored counts alone.

The stages that score a window and advance its alerts are the very ones a run uses. They work on a `Memory` in place of
the results database, so nothing is written, and what they look back at (earlier scores, alerts) is what the replay has
found by itself. The source is never opened.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from drift.config.overrides import changes
from drift.detection.scores import SEVERITY_RANK
from drift.errors import DriftError, StoreError
from drift.pipeline import evaluate, notify
from drift.pipeline.context import Context
from drift.store.memory import window_of
from drift.text.formatting import iso
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.alerts.alerts import Notice, Transition
    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.detection.scores import Severity
    from drift.store.base import State, StateReader
    from drift.store.memory import Memory
    from drift.windows import Calendar

SCHEMA_VERSION = 1

MONTH = timedelta(days=30)
"""What a month is when pages are counted."""

CALLS: frozenset[Transition] = frozenset({"opened", "reopened", "escalated", "flapping", "notified"})
"""The transitions that count as a page: something began or grew worse. An all-clear is sent too, but wakes nobody."""


# -- the replay -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A page: an incident that began or grew worse in a window, by the worst of its alerts that did.

    `incident` is its id, `since` and `where` in words when that alert began and in which rows; what an earlier version
    saved has none of them.
    """

    window: datetime
    label: str
    key: str
    feature: str | None
    severity: Severity
    transition: Transition
    reason: str
    incident: str = ""
    since: str = ""
    where: str = ""

    @property
    def about_data(self) -> bool:
        """Whether it is about drift, which detection decides; others are about the gate, the rows or the schema."""
        return self.key.startswith(("drift:", "table"))

    @property
    def words(self) -> str:
        """Why, since when and where."""
        return "; ".join(filter(None, (self.reason, self.since, self.where)))


@dataclass(frozen=True)
class Replay:
    """The pages of a span of windows under some settings.

    Parameters
    ----------
    reports
        Of every window scored, oldest first: the first `lead` of them only to have something to look back at.
    calls
        The pages of the windows behind these, oldest first.
    """

    monitor: Monitor
    reports: Sequence[Report]
    calls: Sequence[Call]
    lead: int = 0

    def settled(self) -> Replay:
        """Return the replay from the first window on that has a history to be compared with, if half of it is left.

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
        start = window_of(self.reports[lead]).start
        return replace(self, lead=lead, calls=[call for call in self.calls if call.window >= start])

    @property
    def windows(self) -> list[Window]:
        """The windows that were asked for."""
        return [window_of(report) for report in self.reports[self.lead :]]

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
        return dict(Counter(report.status for report in self.reports[self.lead :]))

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
        "window": iso(call.window),
        "label": call.label,
        "key": call.key,
        "feature": call.feature,
        "severity": call.severity,
        "transition": call.transition,
        "reason": call.reason,
        "incident": call.incident,
        "since": call.since,
        "where": call.where,
    }


def with_saved_calls(replay: Replay, saved: bytes, path: str) -> Replay:
    """Return a replay with the pages of another one of the same windows, which `drift replay --json` has printed."""
    span = [iso(replay.windows[0].start), iso(replay.windows[-1].end)]
    try:
        document = json.loads(saved)
        theirs = [document[end] for end in ("from", "to")]
        pages = document["in_force"]["calls"]
        calls = [Call(**page | {"window": datetime.fromisoformat(page["window"])}) for page in pages]
    except (ValueError, KeyError, TypeError) as exc:
        raise DriftError(f"{path}: not the output of `drift replay --json`: {exc!r}") from None
    if theirs != span:
        raise DriftError(
            f"{path} replays {' to '.join(map(str, theirs))}, and this replay {' to '.join(span)}: "
            "ask for the same windows with --from and --to"
        )
    return replace(replay, calls=calls)


def lead_of(monitor: Monitor) -> int:
    """Return how many windows before the first one count for it: its history, and that of those persistence asks."""
    return monitor.detection.remembered


def windows_run(
    store: StateReader,
    monitor: Monitor,
    *,
    last: int | None = None,
    first: Window | None = None,
    until: Window | None = None,
    lead: int = 0,
    now: datetime,
) -> tuple[list[Window], int]:
    """Return windows that have a report and are over, oldest first, and how many of them came by `lead` alone.

    Only the newest `last`, or those from `first` to `until`, both included; and before them up to `lead` earlier
    ones.
    """
    limit = _ALL if first or until or last is None else last + lead
    calendar = monitor.window.calendar
    rows = reversed(store.reports(monitor.name, limit, over_at=now))
    known = [Window(row["window_start"], row["window_end"]) for row in rows]
    known = [window for window in known if calendar.containing(window.start) == window]
    wanted = [w for w in known if (not first or w >= first) and (not until or w <= until)]
    wanted = wanted[-last:] if last else wanted
    if not wanted:
        raise StoreError(
            f"{monitor.name} has no reports to replay{' there' if known else ''}: drift backfill {monitor.name} --all"
        )
    end, begin = known.index(wanted[-1]) + 1, known.index(wanted[0])
    start = max(begin - lead, 0)
    return known[start:end], begin - start


_ALL = 1_000_000


def replay(monitor: Monitor, memory: Memory, windows: Sequence[Window], *, lead: int = 0) -> Replay:
    """Score windows, oldest first, and advance alerts from stored counts, under the settings of the monitor.

    The memory is read through, and filled with what is found; the first `lead` windows are scored and page nobody.
    """
    on = offline(monitor, memory)
    if not memory.active_baseline(monitor.name):
        raise StoreError(f"{monitor.name} has no baseline yet, so nothing is counted: drift backfill {monitor.name}")
    preload(on, memory, windows)
    calls: list[Call] = []
    for i, window in enumerate(windows):
        report = evaluate.evaluate_window(on, window)
        pages = notify.notify_window(on, report, now=window.end).notices
        if i >= lead:
            calls += calls_of(pages, monitor.window.calendar, window)
    return Replay(monitor, list(memory.judged), calls, lead)


def offline(monitor: Monitor, memory: Memory) -> Context[State]:
    """Return the monitor at work on a memory alone: no source, no routes."""

    def refuse(connection: str) -> NoReturn:
        raise DriftError(f"{monitor.name}: a replay asked for connection {connection}: please report this")

    quiet = monitor.model_copy(update={"alerts": monitor.alerts.model_copy(update={"routes": []})})
    return Context.of(quiet, memory, refuse)


def preload(context: Context[State], memory: Memory, windows: Sequence[Window]) -> None:
    """Read the counts and gates of windows and of their references, each once."""
    ordered = sorted({each for window in windows for each in (*context.needed(window), *context.remembered(window))})
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        memory.load_profiles(context.name, part, memory.active_baseline(context.name), context.segmentations())
        memory.gates(context.name, part)


_AT_ONCE = 5_000


def calls_of(notices: Iterable[Notice], calendar: Calendar, window: Window) -> list[Call]:
    """Return the pages of one window that count, one an incident."""
    worst: dict[str, Notice] = {}
    for notice in notices:
        alert = notice.alert
        if notice.event.transition in CALLS and alert.live:
            known = worst.setdefault(alert.known_as, notice)
            if SEVERITY_RANK[alert.severity] > SEVERITY_RANK[known.alert.severity]:
                worst[alert.known_as] = notice
    return [
        Call(
            notice.event.window_start or alert.opened_window,
            calendar.label(window),
            alert.key,
            alert.feature,
            alert.severity,
            notice.event.transition,
            alert.reason,
            incident,
            alert.onset.words(calendar) if alert.onset else "",
            alert.where.words() if alert.where else "",
        )
        for incident, notice in worst.items()
        for alert in (notice.alert,)
    ]


def to_dict(in_force: Replay, asked_for: Replay | None) -> dict[str, Any]:
    """Return one replay, or two side by side, as plain JSON (docs/how-to/replay.md)."""
    windows = in_force.windows
    return {
        "schema": "drift.replay",
        "schema_version": SCHEMA_VERSION,
        "monitor": in_force.monitor.name,
        "from": iso(windows[0].start),
        "to": iso(windows[-1].end),
        "windows": len(windows),
        "months": in_force.months,
        "in_force": in_force.to_dict(),
        "asked_for": asked_for and {"settings": changes(in_force.monitor, asked_for.monitor), **asked_for.to_dict()},
    }
