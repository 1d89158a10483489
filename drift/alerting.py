"""Alerting: a report advances the alerts of its monitor, and what people are owed is written with them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from drift import alerts, digest, notify
from drift.errors import StoreConflict, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from drift.reports import Report
    from drift.scores import Verdict
    from drift.store import Store
    from drift.watch import Watch
    from drift.windows import Window


log = logging.getLogger(__name__)

CONFLICTS = 5
"""How often alerts that somebody else changes meanwhile are read again before giving up."""

STILL = 0.5
"""What is at least this share as far from its baseline as when its alert opened has not come back."""


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
            when = ", ".join(sorted({watch.span(each) for f, each in watch.baselines().items() if f in mine}))
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
