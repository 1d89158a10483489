"""`drift alerts`: see and answer them, mute features, try routes out, and send what is owed."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Folder,
    Json,
    moment,
    now,
    open_store,
    print_error,
    print_json,
    route,
)
from drift.errors import DriftError, NotifyError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from drift.alerts.actions import Action
    from drift.alerts.alerts import Alert, AlertEvent
    from drift.config.monitor import Monitor
    from drift.store.store import Store

alerts_app = typer.Typer(help="See and answer alerts.", no_args_is_help=False, invoke_without_command=True)


def os_user() -> str:
    """Return the name of whoever runs this; ``unknown`` where the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, or how it begins.")]
By = Annotated[str, typer.Option(default_factory=os_user, show_default="the user of this machine", help="Who.")]
Comment = Annotated[str, typer.Option(help="Why.")]
Everything = Annotated[bool, typer.Option("--all", help="Those that are over too.")]
ByMonitor = Annotated[str | None, typer.Option("--monitor", help="Only those of this monitor.")]
Until = Annotated[
    str | None, typer.Option("--until", help="A date or time of the monitor's time zone: 2013-02-12, 2013-02-12T08:00.")
]
For = Annotated[str | None, typer.Option("--for", help="Or how long from now: 4h, 2d.")]


# -- see --------------------------------------------------------------------------------------------------------------


@alerts_app.callback()
def alerts(
    context: typer.Context, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List alerts, as `drift alerts list` does."""
    if context.invoked_subcommand is None:
        _list(database, None, everything=everything, as_json=as_json)


@alerts_app.command("list")
def alerts_list(
    monitor: ByMonitor = None, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List alerts: open and acknowledged ones, newest first."""
    _list(database, monitor, everything=everything, as_json=as_json)


def _list(database: str, monitor: str | None, *, everything: bool, as_json: bool) -> None:
    from drift.cli.tables import alerts_table

    found = open_store(database).alerts(monitor, None if everything else ["open", "acknowledged"])
    if as_json:
        print_json([asdict(alert) for alert in found])
    elif not found:
        print("no alerts" if everything else "no open alerts")
    else:
        alerts_table(found, now())


@alerts_app.command("show")
def alerts_show(alert: AlertId, as_json: Json = False, database: Database = DATABASE) -> None:
    """Show the diary of one alert."""
    from drift.cli.tables import alert_timeline

    store = open_store(database)
    found = _one_alert(store, alert)
    events: list[AlertEvent] = store.alert_events(found.id)
    if as_json:
        print_json(asdict(found) | {"events": [asdict(event) for event in events]})
    else:
        alert_timeline(found, events)


@alerts_app.command("diary")
def alerts_diary(
    monitor: Annotated[str, typer.Argument(metavar="MONITOR", help="Name of a monitor.")],
    start: Annotated[str | None, typer.Option("--from", help="Of windows from this date on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="To this date, included.")] = None,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Write what people were told of a monitor, when and why, as a diary in Markdown."""
    from drift.alerts.timeline import timeline
    from drift.windows import Calendar

    store = open_store(database)
    windows = {row["monitor"]: row["config"].get("window", {}) for row in store.monitors()}
    if monitor not in windows:
        raise DriftError(f"no monitor {monitor!r} has run; those that have: {', '.join(sorted(windows)) or 'none'}")
    calendar = Calendar(windows[monitor].get("every", "1d"), windows[monitor].get("timezone") or "UTC")
    found = store.timelines(
        monitor,
        calendar.starting(moment(start)).start if start else None,
        calendar.starting(moment(end)).end if end else None,
    )
    events = [event for _, lines in found for event in lines]
    if as_json:
        print_json([asdict(alert) | {"events": [asdict(event) for event in lines]} for alert, lines in found])
    else:
        print(timeline([alert for alert, _ in found], events, calendar) or "nobody was told anything")


def _one_alert(store: Store, prefix: str) -> Alert:
    known = {alert.id: alert for alert in store.alerts_beginning(prefix)}
    return known[_whole(prefix, known, "alert", "drift alerts list --all")]


def _whole(prefix: str, ids: Iterable[str], what: str, listing: str) -> str:
    """Return the only id that begins so."""
    matches = [each for each in ids if each.startswith(prefix)]
    if len(matches) != 1:
        raise DriftError(f"{'no' if not matches else 'more than one'} {what} begins with {prefix!r}: {listing}")
    return matches[0]


# -- answer -----------------------------------------------------------------------------------------------------------


@alerts_app.command("ack")
def alerts_ack(alert: AlertId, by: By, comment: Comment = "", database: Database = DATABASE) -> None:
    """Acknowledge an alert: somebody is on it."""
    _answer(database, alert, "acknowledge", by, comment)


@alerts_app.command("snooze")
def alerts_snooze(
    alert: AlertId,
    by: By,
    until: Until = None,
    span: For = None,
    comment: Comment = "",
    database: Database = DATABASE,
) -> None:
    """Be told nothing more of an alert for a time, unless it becomes worse."""
    _answer(database, alert, "snooze", by, comment, until, span)


@alerts_app.command("unsnooze")
def alerts_unsnooze(alert: AlertId, by: By, comment: Comment = "", database: Database = DATABASE) -> None:
    """Take a snooze back."""
    _answer(database, alert, "unsnooze", by, comment)


@alerts_app.command("resolve")
def alerts_resolve(alert: AlertId, by: By, comment: Comment = "", database: Database = DATABASE) -> None:
    """Resolve an alert by hand; the next window that drifts opens a new one."""
    _answer(database, alert, "resolve", by, comment)


def _answer(
    database: str,
    prefix: str,
    action: Action,
    by: str,
    comment: str,
    until: str | None = None,
    span: str | None = None,
) -> None:

    store = open_store(database)
    found = _one_alert(store, prefix)
    end = _end(store, found.monitor, until, span) if action == "snooze" else None
    from drift.pipeline import actions

    changed = actions.act(store, found, action, by=by, comment=comment, now=now(), until=end)
    snoozed = f", snoozed until {end:%Y-%m-%d %H:%M %Z}" if end else ""
    print(f"{changed.key} ({changed.monitor}): {changed.state}{snoozed}")


def _end(store: Store, monitor: str, until: str | None, span: str | None) -> datetime:
    """Return when something ends that a person asked for: a local time of the monitor, or so long from now."""
    from drift.windows import Span, load_timezone

    if (until is None) == (span is None):
        raise DriftError("until when? --until 2013-02-12T08:00, or --for 4h")
    zone = load_timezone(_timezones(store).get(monitor, "UTC"))
    if span is not None:
        return (now() + Span.parse(span).nominal).astimezone(zone)
    end: date | datetime = moment(until or "")
    if not isinstance(end, datetime):
        end = datetime(end.year, end.month, end.day)  # noqa: DTZ001 - the zone follows
    return end if end.tzinfo else end.replace(tzinfo=zone)


def _timezones(store: Store) -> dict[str, str]:
    return {row["monitor"]: row["config"].get("window", {}).get("timezone") or "UTC" for row in store.monitors()}


# -- mute -------------------------------------------------------------------------------------------------------------


@alerts_app.command("mute")
def alerts_mute(
    monitor: Annotated[str, typer.Argument(metavar="MONITOR", help="Name of a monitor.")],
    features: Annotated[
        str, typer.Argument(help="A feature or a pattern, such as '*_delay'; or table, gate, rows, volume, run.")
    ],
    reason: Annotated[str, typer.Option(help="Why: whoever wonders reads it.")],
    by: By,
    until: Until = None,
    span: For = None,
    database: Database = DATABASE,
) -> None:
    """Be told nothing of some features of a monitor for a time; their alerts go on opening and closing."""
    store = open_store(database)
    if monitor not in (known := _timezones(store)):
        raise DriftError(f"no monitor {monitor!r} has run; those that have: {', '.join(sorted(known)) or 'none'}")
    end = _end(store, monitor, until, span)
    from drift.pipeline import actions

    silence = actions.silence_features(store, monitor, features, reason=reason, until=end, by=by, now=now())
    print(f"{silence.id}: {features} of {monitor} muted until {end:%Y-%m-%d %H:%M %Z}")


@alerts_app.command("unmute")
def alerts_unmute(
    silence: Annotated[str, typer.Argument(metavar="SILENCE", help="Its id, or how it begins.")],
    by: By,
    comment: Comment = "",
    database: Database = DATABASE,
) -> None:
    """End a silence before its time; what is still open is told."""
    store = open_store(database)
    found = _whole(silence, [each.id for each in store.silences()], "silence", "drift alerts muted --all")
    from drift.pipeline import actions

    ended = actions.expire_silence(store, found, by=by, now=now(), comment=comment)
    print(f"{ended.features} of {ended.monitor}: no longer muted")


@alerts_app.command("muted")
def alerts_muted(
    monitor: ByMonitor = None, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List what is muted: by whom, until when and why."""
    from drift.cli.tables import silences_table

    at = now()
    from drift.pipeline import actions

    found = actions.silences(open_store(database), monitor, now=at, everything=everything)
    if as_json:
        print_json([asdict(silence) for silence in found])
    elif not found:
        print("nothing is muted" if not everything else "nothing was ever muted")
    else:
        silences_table(found, at)


# -- deliver ----------------------------------------------------------------------------------------------------------


@alerts_app.command("test")
def alerts_test(
    to: Annotated[str, typer.Argument(metavar="ROUTE", help="A route, as the monitors name it.")],
    by: By,
    monitor: Annotated[str | None, typer.Option("--monitor", help="The monitor whose route it is.")] = None,
    folder: Folder = MONITORS,
) -> None:
    """Send a message over a route that says nothing but that it arrived."""
    from drift.cli.options import find_monitor

    if monitor is not None:
        chosen = find_monitor(monitor, folder)
    else:
        known, _ = _monitors(folder)
        with_it = [each for each in known if any(one.to == to for one in each.alerts.routes)]
        if not with_it:
            routes = ", ".join(sorted({one.to for each in known for one in each.alerts.routes})) or "none"
            raise DriftError(f"no monitor in {folder} has a route {to!r}; there are: {routes}")
        chosen = with_it[0]
    from drift.pipeline import actions

    try:
        actions.try_route(chosen, to, route, by=by, now=now())
    except DriftError:
        raise
    except Exception as error:  # noqa: BLE001 - nor may a traceback
        # What a library says may quote the URL.
        raise NotifyError(f"route {to!r}: {type(error).__name__} while sending") from None
    print(f"{to}: the channel took a test message of {chosen.name}")


def _monitors(folder: Path) -> tuple[list[Monitor], list[str]]:
    """Return the monitors of a folder, and the problems of its other files."""
    from drift.config.monitor import load_monitor, monitor_files
    from drift.errors import ConfigError

    found, problems = [], []
    for path in monitor_files(folder):
        try:
            found.append(load_monitor(path))
        except ConfigError as error:
            problems += error.problems
    return found, problems


@alerts_app.command("deliver")
def alerts_deliver(as_json: Json = False, folder: Folder = MONITORS, database: Database = DATABASE) -> None:
    """Send what is owed: what failed and is due again, and what is no longer kept back, such as by a snooze."""
    store = open_store(database)
    if folder.is_dir():
        remind_all(store, folder)
    else:
        print_error(f"{folder} is no folder of monitors (--monitors): only what the outbox holds already is sent")
    from drift.alerts import delivery

    done = delivery.deliver(store, now(), route)
    print_json(asdict(done)) if as_json else print(done)


def remind_all(store: Store, folder: Path) -> None:
    """Put into the outbox what is no longer kept back, of every monitor of a folder; a broken one hinders no other."""
    import os

    from drift.config.connections import resolve_url
    from drift.pipeline import notify
    from drift.pipeline.context import Context

    monitors, problems = _monitors(folder)
    for monitor in monitors:
        context = Context(monitor, store, lambda connection: resolve_url(connection, os.environ))
        try:
            notify.remind(context, now=now())
        except DriftError as error:
            problems.append(f"{monitor.name}: {error}")
    for problem in problems:
        print_error(problem)


@alerts_app.command("undelivered")
def alerts_undelivered(
    waiting: Annotated[bool, typer.Option("--waiting", help="What waits to be sent too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """List the messages that were given up: to whom, and why."""
    from drift.cli.tables import notifications_table

    found = open_store(database).notifications(["dead", "pending"] if waiting else ["dead"], limit)
    if as_json:
        print_json(found)
    elif not found:
        print("nothing waits, nothing was given up" if waiting else "nothing was given up")
    else:
        notifications_table(found)


@alerts_app.command("retry")
def alerts_retry(
    message: Annotated[str | None, typer.Argument(metavar="MESSAGE", help="Its id, or how it begins.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that was given up.")] = False,
    database: Database = DATABASE,
) -> None:
    """Have what was given up tried again, as if it were new; `drift alerts deliver` then sends it."""
    store = open_store(database)
    if (message is None) != everything:
        raise DriftError("which message? give its id (drift alerts undelivered), or --all")
    chosen = None
    if message is not None:
        given_up = [row["id"] for row in store.notifications(["dead"], 1_000_000)]
        chosen = _whole(message, given_up, "message that was given up", "drift alerts undelivered")
    n = store.retry_notifications(now(), chosen)
    print(f"{n} message{'s' * (n != 1)} to be tried again: drift alerts deliver")
