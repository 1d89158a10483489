"""Notifying: a report advances the alerts of its monitor, and notifications are written with them.

The clock alone advances them too: it brings up what is no longer suppressed. What people do stands in
`drift.pipeline.actions`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drift.alerts import delivery, incidents, lifecycle, messages
from drift.alerts.alerts import Transitions
from drift.alerts.signals import Closing, Signal, run_signal, signals_of
from drift.alerts.suppression import Suppression
from drift.detection.reports import Report
from drift.errors import StoreConflict, StoreError
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.config.monitor import Monitor
    from drift.detection.reports import Gate
    from drift.detection.scores import Verdict
    from drift.pipeline.context import Context
    from drift.store.base import State
    from drift.store.store import Store
    from drift.windows import Window


log = logs.logger(__name__)

CONFLICTS = 5
"""How often alerts that somebody else changes meanwhile are read before giving up."""

STILL = 0.5
"""A feature has not come back while it is at least this share as far from its baseline as when its alert opened."""

DASHBOARD = "DRIFT_DASHBOARD_URL"
"""The environment variable with the dashboard's address, where the monitor does not give it."""


@logs.stage("notify")
def notify_window(
    context: Context[State], report: Report, *, now: datetime, page: bool = True, run_url: str = ""
) -> Transitions:
    """Advance the alerts by one report; write them, their events and the notifications in one transaction.

    Without `page` (a backfill) alerts change their state and nobody is notified; messages link to the log at
    `run_url`.
    """
    window = _window_of(report)
    failures = _failures(context, window)

    def signals(known: Iterable[Alert]) -> list[Signal]:
        return [*_signals(context, report, known, failures), run_signal(window, None)]

    return _retried(
        context, lambda: _advance(context, report, signals, now=now, page=page, run_url=run_url, failures=failures)
    )


def run_failed(
    context: Context[State], window: Window, error: str, *, now: datetime, page: bool = True, run_url: str = ""
) -> Transitions:
    """Open the alert of a run that failed, with the error; the next run that succeeds ends it.

    If the window was evaluated before, its signals stay.
    """
    stored = context.store.load_reports(context.name, since=window.start, until=window.start)
    report = Report(context.name, window, "none: the run failed", [], 0, 0, label=context.label(window))
    failures = _failures(context, window)

    def signals(known: Iterable[Alert]) -> list[Signal]:
        before = [seen for each in stored for seen in _signals(context, each, known, failures)]
        return [*before, run_signal(window, error)]

    return _retried(context, lambda: _advance(context, report, signals, now=now, page=page, run_url=run_url))


def remind(context: Context[State], *, now: datetime) -> Transitions:
    """Notify people, by the clock alone, of what is no longer suppressed and of critical alerts not acknowledged.

    For whoever empties the outbox between two runs: maintenance, a snooze or a silence may be over.
    """
    return _retried(context, lambda: _remind(context, now=now))


def deliver(context: Context[Store], now: datetime, route: Callable[[str], str]) -> delivery.Delivered:
    """Send what is pending, this monitor's notifications that nothing suppresses any more included."""
    remind(context, now=now)
    return delivery.deliver(context.store, now, route)


def closing_of(monitor: Monitor) -> Closing:
    """Return when a feature of the monitor counts as back to normal."""
    return Closing(monitor.alerts.policy.close_below, monitor.detection.fdr, monitor.detection.z)


def _failures(context: Context[State], window: Window, gate: Gate = "rejected") -> list[str]:
    if gate not in {"warned", "rejected"}:
        return []
    return [row["message"] for row in context.store.validations(context.name, window) if not row["success"]]


def _signals(context: Context[State], report: Report, known: Iterable[Alert], failures: Sequence[str]) -> list[Signal]:
    adapted = _adapted(context, report, known)
    return signals_of(report, failures=failures, adapted=adapted, closing=closing_of(context.monitor))


def _retried(context: Context[State], attempt: Callable[[], Transitions]) -> Transitions:
    for _ in range(CONFLICTS - 1):
        try:
            return attempt()
        except StoreConflict:
            # A person or another run changed an alert since it was read: look again.
            log.info("%s: the alerts changed meanwhile; read again", context.name)
    return attempt()


def _advance(
    context: Context[State],
    report: Report,
    signals: Callable[[Iterable[Alert]], list[Signal]],
    *,
    now: datetime,
    page: bool,
    run_url: str,
    failures: Sequence[str] = (),
) -> Transitions:
    window = _window_of(report)
    # What lies in the future says nothing of today, and hides nothing.
    ahead = max(window.end, context.monitor.window.calendar.containing(now).start)

    def in_play(since: datetime, keys: Collection[str] = ()) -> list[Alert]:
        return lifecycle.as_of(context.store.alerts_in_play(context.name, since, keys), window, ahead)

    known = in_play(window.start)
    found = signals(known)
    opening = {seen.key for seen in found if seen.state == "firing"} - {alert.key for alert in known}
    if not known and not opening:
        return Transitions()
    # What opens may have been open before: whether it flaps depends on when.
    known, since = lifecycle.reaching(lambda start: in_play(start, opening), window)
    if (begun := incidents.reach(known, found, window)) < since:
        known = in_play(begun, opening)
    # Later windows too: one that arrives late is put in its place among them.
    history = signals_since(context, since, window, [a.last_window for a in known], ahead)
    transitions = lifecycle.advance(
        known,
        found,
        monitor=context.name,
        now=now,
        policy=context.monitor.alerts.policy,
        history=history,
        page=page,
        suppression=_suppression(context, now),
    )
    _write(context, report, transitions, now=now, run_url=run_url, failures=failures)
    return transitions


def signals_since(
    context: Context[State],
    since: datetime,
    window: Window,
    reached: Iterable[datetime] = (),
    ahead: datetime | None = None,
) -> list[Signal]:
    """Return what the other windows since an instant said, but for those from `ahead` on."""
    runs = [each for each in context.store.run_results(context.name, since) if not ahead or each[0].start < ahead]
    # The own run of a later window, if it is under way or was killed before it got here, notifies people of it.
    last = max([window.start, *reached, *(each.start for each, _ in runs)])
    reports = [
        each for each in context.store.load_reports(context.name, since=since, until=last) if each.window != window
    ]
    closing = closing_of(context.monitor)
    found = [
        seen
        for each in reports
        # As the window's own run had them, so that to run another one again changes no word.
        for seen in signals_of(each, failures=_failures(context, _window_of(each), each.gate), closing=closing)
    ]
    return found + [run_signal(each, error) for each, error in runs if each != window]


def _remind(context: Context[State], *, now: datetime) -> Transitions:
    calendar = context.monitor.window.calendar
    latest = calendar.last_complete(now)
    transitions = lifecycle.remind(
        lifecycle.as_of(context.store.alerts_in_play(context.name), latest, latest.end),
        monitor=context.name,
        now=now,
        every=calendar.span.nominal,
        policy=context.monitor.alerts.policy,
        suppression=_suppression(context, now),
    )
    if transitions.alerts:
        newest = context.store.reports(context.name, 1, over_at=now)
        report = context.store.load_report(context.name, newest[0]["window_start"]) if newest else None
        if report is None:
            report = Report(context.name, latest, "none", [], 0, 0, label=context.label(latest))
        _write(context, report, transitions, now=now)
    return transitions


def _suppression(context: Context[State], now: datetime) -> Suppression:
    alerts, zone = context.monitor.alerts, context.monitor.window.calendar.zone
    active = [each for each in context.store.silences(context.name) if each.active(now)]
    return Suppression(alerts.maintenance_at(now, zone), active, alerts.audience)


def _write(
    context: Context[State],
    report: Report,
    transitions: Transitions,
    *,
    now: datetime,
    run_url: str = "",
    failures: Sequence[str] = (),
) -> None:
    settings = context.monitor.alerts
    told = [notice.alert for notice in transitions.notices] if settings.routes else []
    ids = {alert.incident for alert in told} | {alert.known_as for alert in told}
    worst = [verdict.feature for verdict in report.drifting]
    about = context.store.incidents(ids, transitions.alerts) if ids else []
    notifications = messages.notifications(
        report,
        transitions,
        settings,
        now=now,
        calendar=context.monitor.window.calendar,
        failures=failures,
        links=messages.Links(settings.dashboard or os.environ.get(DASHBOARD, ""), run_url),
        incidents=[context.store.around(each.ranked(worst)) for each in about],
    )
    context.store.save_alerts(transitions.alerts, transitions.events, notifications)


def _adapted(context: Context[State], report: Report, known: Iterable[Alert]) -> dict[str, str]:
    """Say, by the key of its alert, what is quiet only because its reference has moved.

    That is what is as its reference is now, and still at least half as far from its baseline as when the alert opened.
    """
    if context.monitor.reference.fixed:
        return {}
    start = _window_of(report).start
    whole = [a for a in known if a.kind in {"drift", "table"} and not a.segment and a.opened_window < start]
    alerts = [a for a in whole if a.live or a.last_window >= start]
    quiet = {v.feature: v for v in report.verdicts if v.status == "ok" and v.severity == "none"}
    found: dict[str, str] = {}
    for opened in {alert.opened_window for alert in alerts}:
        reports = context.store.load_reports(context.name, since=opened, until=opened)
        then = {v.feature: v for each in reports for v in each.drifting}
        away = {f: far for f in then.keys() & quiet.keys() if (far := _still_away(then[f], quiet[f]))}
        for alert in (alert for alert in alerts if alert.opened_window == opened):
            mine = {f: far for f, far in away.items() if alert.kind == "table" or f == alert.feature}
            if mine:
                found[alert.key] = _moved(context, mine, together=alert.kind == "table")
    return found


def _moved(context: Context[State], away: Mapping[str, float], *, together: bool) -> str:
    """Say how far features still are from the baselines they had, though their references have moved."""
    when = ", ".join(sorted({context.span(each) for f, each in context.baselines().items() if f in away}))
    many = f"{len(away)} features " if together else ""
    how_far = f"{'up to ' * (len(away) > 1)}{max(away.values()):.2g}"
    return f"the reference has adapted: {many}still {how_far} nats from the baseline of {when}"


def _still_away(then: Verdict, now: Verdict) -> float:
    """Return how far a feature is from its baseline, if that is at least half as far as it was; else 0."""
    was, away = (v.explanation.kl_fixed for v in (then, now))
    return away if was and away and away >= max(STILL * was, now.in_nats.warning) else 0.0


def _window_of(report: Report) -> Window:
    if report.window is None:
        raise StoreError(f"{report.monitor}: a report without a window raises no alerts")
    return report.window
