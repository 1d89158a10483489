"""Retention: what may be forgotten, and what is still needed however old it is.

Needed are the windows that a reference of the next run stands on, those of each feature's own history, and those since
a live alert was opened. The store keeps besides, whatever it is asked: baselines, the counts they stand for, binnings,
configurations, live alerts and pending notifications.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drift.config.monitor import parse_monitor
from drift.errors import ConfigError, DriftError
from drift.windows import Span, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drift.alerts.alerts import Alert
    from drift.config.monitor import Monitor
    from drift.store.store import Store

ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
LEAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """Windows of a monitor that stay however old they are, those that start in ``[start, end)``; and why, in words."""

    monitor: str
    start: datetime
    end: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was forgotten, or would be: rows by table, and what stayed although it is older."""

    before: datetime
    rows: dict[str, int]
    kept: list[Kept]


def cutoff(keep: str, now: datetime) -> datetime:
    """Return the instant before which windows are forgotten, to keep a span of at least a day: ``400d``, ``52w``.

    Examples
    --------
    >>> cutoff("400d", datetime(2014, 3, 1, tzinfo=UTC)).date()
    datetime.date(2013, 1, 25)
    """
    length = Span.parse(keep).nominal
    if length < LEAST:
        raise DriftError(f"--keep {keep} would forget what came today: keep 1d at least, 400d for a year's comparison")
    try:
        return now - length
    except OverflowError:
        return ALWAYS


def needed(monitor: Monitor, newest: Window, live: Iterable[Alert] = ()) -> list[Kept]:
    r"""Return the windows that the next run of a monitor needs.

    Parameters
    ----------
    monitor
    newest
        The newest window that was run; it may be run again, and the one after it comes next.
    live
        Its alerts that are not resolved.

    Examples
    --------
    >>> source = "source: {files: a.csv, time_column: t}"
    >>> monitor = parse_monitor(f"name: n\nwindow: {{every: 1d}}\nreference: {{same_weekday: 60}}\n{source}")
    >>> newest = monitor.window.calendar.starting(datetime(2024, 6, 1, tzinfo=UTC))
    >>> [(str(kept.start.date()), kept.why) for kept in needed(monitor, newest)]
    [('2023-04-08', 'same weekday of 60 weeks'), ('2024-04-04', 'own history of each feature')]
    """
    calendar, reference, detection = monitor.window.calendar, monitor.reference, monitor.detection
    runs = [newest, calendar.next(newest)]
    companion = reference.seasonal_companion(calendar) if detection.seasonal else None
    found = []
    for each in (reference, companion):
        if each is None or each.fixed == "baseline":
            continue
        windows = [window for run in runs for window in each.windows(calendar, run)]
        if windows:
            last = max(windows).end if each.fixed else newest.end
            found.append(Kept(monitor.name, min(windows).start, last, str(each)))
    before = calendar.before(newest, detection.remembered)
    if before:
        found.append(Kept(monitor.name, before[0].start, newest.end, "own history of each feature"))
    opened = min((alert.opened_window for alert in live), default=None)
    if opened is not None:
        found.append(Kept(monitor.name, opened, newest.end, "alerts that are not resolved"))
    return found


def prune(store: Store, keep: str, *, now: datetime, dry_run: bool = False) -> Pruned:
    """Forget windows older than a span of time, such as ``400d``, but for those that are needed.

    With `dry_run` nothing is written, and the rows are those that would go.
    """
    before = cutoff(keep, now)
    newest = {row["monitor"]: Window(row["window_start"], row["window_end"]) for row in store.latest_runs(over_at=now)}
    live = store.alerts(states=["open", "acknowledged"])
    kept: list[Kept] = []
    for row in store.monitors():
        name = row["monitor"]
        if name not in newest:
            continue
        try:
            monitor = parse_monitor(json.dumps(row["config"]))
        except ConfigError as error:
            # Written by another version, or for another environment: what is not understood is not thrown away.
            kept.append(Kept(name, ALWAYS, now, f"its configuration cannot be read here: {error.problems[0]}"))
        else:
            kept += needed(monitor, newest[name], [alert for alert in live if alert.monitor == name])
    spans = [(each.monitor, each.start, each.end) for each in kept if each.start < before]
    rows = store.prune(before, keep=spans, dry_run=dry_run)
    return Pruned(before, rows, [each for each in kept if each.start < before])
