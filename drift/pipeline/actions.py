"""What people do: acknowledge, snooze and resolve alerts, silence features, mark a moment, try a route out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from drift.alerts import actions as alert_actions
from drift.alerts import channels, lifecycle, messages
from drift.alerts import silences as silence_rules
from drift.alerts.alerts import SYSTEM
from drift.alerts.marks import Mark, new_mark
from drift.errors import DriftError
from drift.pipeline import notify
from drift.windows import Calendar, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from drift.alerts.alerts import Alert
    from drift.alerts.incidents import Incident
    from drift.alerts.silences import Silence
    from drift.config.monitor import Monitor
    from drift.pipeline.context import Context
    from drift.store.store import Store
    from drift.windows import Window


def act(
    store: Store,
    alert: Alert,
    action: alert_actions.Action,
    *,
    by: str,
    now: datetime,
    comment: str = "",
    until: datetime | None = None,
) -> Alert:
    """Acknowledge, snooze, unsnooze or resolve an alert by hand, and write who did it and why.

    A `StoreConflict` says that somebody else changed the alert since it was read: read it again.
    """
    changed, event = alert_actions.act(alert, action, by=by, now=now, comment=comment, until=until)
    store.save_alerts([changed], [event])
    return changed


def act_on_incident(
    store: Store,
    incident: Incident,
    action: alert_actions.Action,
    *,
    by: str,
    now: datetime,
    comment: str = "",
    until: datetime | None = None,
) -> list[Alert]:
    """Do the same about all alerts of an incident that it can be done about, at once; return them afterwards."""
    mine = [
        alert
        for alert in incident.alerts
        if alert.live
        and (action != "acknowledge" or alert.state == "open")
        and (action != "unsnooze" or alert.snoozed(now))
    ]
    if not mine:
        raise DriftError(f"incident {incident.id} is {incident.state}: there is no alert to {action}")
    done = [alert_actions.act(each, action, by=by, now=now, comment=comment, until=until) for each in mine]
    store.save_alerts([alert for alert, _ in done], [event for _, event in done])
    return [alert for alert, _ in done]


def delete_window(context: Context, window: Window, *, by: str, now: datetime, dry_run: bool = False) -> dict[str, int]:
    """Take a window out of the results database, with all that hangs on it; return how many rows went, by table.

    Alerts stand as if it had never been run. With `dry_run` everything is taken back, so that the numbers are true.
    """
    store, name = context.store, context.name
    known = store.alerts(name)
    touched = [alert for alert in known if alert.opened_window <= window.start <= alert.last_window]
    since = lifecycle.history_start(touched, window)
    changed, gone = lifecycle.forget(
        known,
        window,
        monitor=name,
        now=now,
        by=by,
        policy=context.monitor.alerts.policy,
        history=notify.signals_since(context, since, window) if touched else (),
    )
    rows = store.delete_window(name, window, changed, gone, dry_run=dry_run)
    if not any(rows.values()):
        raise DriftError(f"{name} has no window {context.label(window)} in {store.name}: drift history {name}")
    return rows


def silence_features(
    store: Store, monitor: str, features: str, *, reason: str, until: datetime, by: str, now: datetime
) -> Silence:
    """Silence features of a monitor: their alerts still change, and nobody is notified before the silence ends."""
    silence = silence_rules.new_silence(monitor, features, reason=reason, until=until, by=by, now=now)
    store.save_silence(silence)
    return silence


def expire_silence(store: Store, silence_id: str, *, by: str, now: datetime, comment: str = "") -> Silence:
    """End a silence before its time; people are then notified of what is still open."""
    known = [each for each in store.silences() if each.id == silence_id]
    if not known:
        raise DriftError(f"there is no silence {silence_id!r}: drift alerts silences lists them")
    ended = silence_rules.expire(known[0], by=by, now=now, comment=comment)
    store.save_silence(ended)
    return ended


def silences(store: Store, monitor: str | None = None, *, now: datetime, everything: bool = False) -> list[Silence]:
    """Return the silences in force, the newest first; with `everything` those that are over too."""
    return [each for each in store.silences(monitor) if everything or each.active(now)]


def mark(
    store: Store, text: str, *, at: str | date | None, monitors: Collection[str] = (), by: str, now: datetime
) -> list[Mark]:
    """Mark a moment of monitors that have run, or of all: now, or at a local date or time of theirs.

    Raises
    ------
    DriftError
        If there is no such monitor, or a time without an offset could be several instants.
    """
    known = {row["monitor"]: row["config"].get("window", {}).get("timezone") or "UTC" for row in store.monitors()}
    if unknown := [name for name in monitors if name not in known]:
        names = ", ".join(known) or "none"
        raise DriftError(f"no monitor {unknown[0]!r} has run on {store.name}; those that have: {names}")
    instant = now if at is None else _instant(at, {known[name] for name in monitors or known})
    whose: list[str | None] = [*dict.fromkeys(monitors)] or [None]
    found = [new_mark(text, at=instant, by=by, now=now, monitor=name) for name in whose]
    store.save_marks(found)
    ids = {one.id for one in found}
    return [one for one in store.marks(since=instant, until=instant + timedelta(microseconds=1)) if one.id in ids]


def _instant(at: str | date, zones: Collection[str]) -> datetime:
    """Return an instant given as such, or as a local date or time of monitors in one zone."""
    given = parse_date(at) if isinstance(at, str) else at
    if isinstance(given, datetime) and given.tzinfo:
        return given
    if len(zones) > 1:
        raise DriftError(f"{at} is a local time, and the monitors are in {', '.join(sorted(zones))}: add its offset")
    calendar = Calendar("1d", next(iter(zones), "UTC"))
    return given.replace(tzinfo=calendar.zone) if isinstance(given, datetime) else calendar.midnight(given)


def try_route(
    monitor: Monitor, to: str, resolve: Callable[[str], str], *, by: str, now: datetime, timeout: float = 10.0
) -> None:
    """Send a test message over a route that the monitor names, whose URL `resolve` gives; it mentions `by`."""
    settings = next((route for route in monitor.alerts.routes if route.to == to), None)
    if settings is None:
        routes = ", ".join(dict.fromkeys(route.to for route in monitor.alerts.routes))
        raise DriftError(f"{monitor.name} has no route {to!r}; it has: {routes or 'none'}")
    trial = messages.trial(monitor.name, to, by=by or SYSTEM, now=now, notify_type=settings.notify_type("test"))
    channels.send_to(resolve(to), trial, timeout)
