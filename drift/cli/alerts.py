"""`drift alerts`: list alerts and act on them, silence features, try routes out, and send what is pending."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    By,
    Database,
    Folder,
    Json,
    Reason,
    connection,
    find_monitor,
    monitors_of,
    now,
    open_store,
    print_error,
    print_json,
    route,
    say,
)
from drift.errors import DriftError, NotifyError
from drift.text.formatting import when

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from drift.alerts.actions import Action
    from drift.alerts.alerts import Alert
    from drift.store.store import Store
    from drift.windows import Calendar

alerts_app = typer.Typer(help="List alerts and act on them.", no_args_is_help=False, invoke_without_command=True)

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Id of the alert, or the start of it.")]
Name = Annotated[str, typer.Argument(metavar="MONITOR", help="Name of a monitor.")]
Everything = Annotated[bool, typer.Option("--all", help="Include those that are over.")]
ByMonitor = Annotated[str | None, typer.Option("--monitor", help="Only those of this monitor.")]
Until = Annotated[
    str | None,
    typer.Option("--until", help="When it ends, in the monitor's time zone: 2013-02-12 or 2013-02-12T08:00."),
]
For = Annotated[str | None, typer.Option("--for", help="How long it lasts from now, instead of --until: 4h, 2d.")]


AllOfIt = Annotated[bool, typer.Option("--incident", help="All alerts of its incident.")]


# -- list -------------------------------------------------------------------------------------------------------------


@alerts_app.callback()
def alerts(
    context: typer.Context, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List alerts, as `drift alerts list` does."""
    if context.invoked_subcommand is None:
        alerts_list(None, everything, as_json, database)


@alerts_app.command("list")
def alerts_list(
    monitor: ByMonitor = None, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List open and acknowledged alerts, the worst first."""
    from drift.cli.tables import alerts_table
    from drift.store.reads.alerts import page

    states = ("open", "acknowledged", *(["resolved"] if everything else []))
    found, _ = page(open_store(database), monitor=monitor, states=states)
    if as_json:
        print_json([asdict(alert) for alert in found])
    elif not found:
        say("no alerts" if everything else "no open alerts")
    else:
        alerts_table(found, now())


@alerts_app.command("show")
def alerts_show(alert: AlertId, as_json: Json = False, database: Database = DATABASE) -> None:
    """Show the timeline of one alert, and what else happened when it may have begun."""
    from drift.alerts.circumstances import around
    from drift.cli.tables import alert_timeline

    store = open_store(database)
    found = _one_alert(store, alert)
    events, calendar = store.alert_events(found.id), _calendar(store, found.monitor)
    happened = store.circumstances(found.monitor, *around(found, calendar))
    if as_json:
        told = {"events": [asdict(event) for event in events], "happened": [asdict(event) for event in happened]}
        print_json(asdict(found) | told)
    else:
        incident = store.incident(found.id)
        since = found.onset.words(calendar) if found.onset else ""
        opening = store.load_report(found.monitor, found.opened_window)
        alert_timeline(found, events, since, incident.words(calendar) if incident else "", happened, opening)


@alerts_app.command("diary", hidden=True)
@alerts_app.command("timeline")
def alerts_timeline(
    monitor: Name,
    start: Annotated[str | None, typer.Option("--from", help="First local date of the windows.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last local date of the windows, inclusive.")] = None,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Write what people were notified of, when and why, as a timeline in Markdown."""
    from drift.alerts.timeline import timeline

    store = open_store(database)
    calendar = _calendar(store, monitor)
    found = store.timelines(
        monitor,
        calendar.spanned(start)[0].start if start else None,
        calendar.spanned(end)[1].end if end else None,
    )
    if as_json:
        print_json([asdict(alert) | {"events": [asdict(event) for event in lines]} for alert, lines in found])
        return
    events = [event for _, lines in found for event in lines]
    for line in (timeline([alert for alert, _ in found], events, calendar) or "nobody was notified of anything").split(
        "\n"
    ):
        say(line)


def _calendar(store: Store, monitor: str) -> Calendar:
    """Return the calendar of a monitor as it was run last."""
    from drift.config.reference import calendar_of

    known = {row["monitor"]: row["config"] for row in store.monitors()}
    if monitor not in known:
        raise DriftError(f"no monitor {monitor!r} has run; those that have: {', '.join(sorted(known)) or 'none'}")
    return calendar_of(known[monitor])


def _one_alert(store: Store, prefix: str) -> Alert:
    known = {alert.id: alert for alert in store.alerts_beginning(prefix)}
    return known[_whole(prefix, known, "alert", "drift alerts list --all")]


def _whole(prefix: str, ids: Iterable[str], what: str, listing: str) -> str:
    """Return the only id that begins so."""
    matches = [each for each in ids if each.startswith(prefix)]
    if len(matches) != 1:
        many = "more than one" if matches else "no"
        raise DriftError(f"{many} {what} begins with {prefix!r}: see {listing}")
    return matches[0]


# -- act --------------------------------------------------------------------------------------------------------------


@alerts_app.command("ack")
def alerts_ack(
    alert: AlertId, by: By, comment: Reason = "", incident: AllOfIt = False, database: Database = DATABASE
) -> None:
    """Acknowledge an alert: it is not repeated, unless it becomes worse."""
    _act(database, alert, "acknowledge", by, comment, together=incident)


@alerts_app.command("snooze")
def alerts_snooze(
    alert: AlertId,
    by: By,
    until: Until = None,
    span: For = None,
    comment: Reason = "",
    incident: AllOfIt = False,
    database: Database = DATABASE,
) -> None:
    """Send no notification of an alert for a time, unless it becomes worse."""
    _act(database, alert, "snooze", by, comment, until, span, together=incident)


@alerts_app.command("unsnooze")
def alerts_unsnooze(
    alert: AlertId, by: By, comment: Reason = "", incident: AllOfIt = False, database: Database = DATABASE
) -> None:
    """End a snooze before its time."""
    _act(database, alert, "unsnooze", by, comment, together=incident)


@alerts_app.command("resolve")
def alerts_resolve(
    alert: AlertId, by: By, comment: Reason = "", incident: AllOfIt = False, database: Database = DATABASE
) -> None:
    """Resolve an alert by hand. The next window that drifts opens a new one."""
    _act(database, alert, "resolve", by, comment, together=incident)


def _act(
    database: str,
    prefix: str,
    action: Action,
    by: str,
    comment: str,
    until: str | None = None,
    span: str | None = None,
    *,
    together: bool,
) -> None:
    from drift.pipeline import actions

    store = open_store(database)
    found = _one_alert(store, prefix)
    end = _end(_calendar(store, found.monitor), until, span) if action == "snooze" else None
    incident = store.incident(found.id) if together else None
    changed = (
        actions.act_on_incident(store, incident, action, by=by, comment=comment, now=now(), until=end)
        if incident
        else [actions.act(store, found, action, by=by, comment=comment, now=now(), until=end)]
    )
    snoozed = f", snoozed until {when(end)}" if end else ""
    for each in changed:
        say(f"{each.key} ({each.monitor}): {each.state}{snoozed}")


def _end(calendar: Calendar, until: str | None, span: str | None) -> datetime:
    """Return when something ends: at a local time of the monitor, or a span from now."""
    from drift.windows import Span, parse_date

    if (until is None) == (span is None):
        raise DriftError("until when? give either --until 2013-02-12T08:00 or --for 4h")
    if span is not None:
        return (now() + Span.parse(span).nominal).astimezone(calendar.zone)
    end: date | datetime = parse_date(until or "")
    if not isinstance(end, datetime):
        return calendar.midnight(end).astimezone(calendar.zone)
    return end if end.tzinfo else end.replace(tzinfo=calendar.zone)


# -- silence ----------------------------------------------------------------------------------------------------------


@alerts_app.command("silence")
def alerts_silence(
    monitor: Name,
    features: Annotated[
        str, typer.Argument(help="A feature or a pattern, such as '*_delay'; or table, gate, rows, 'volume:*', run.")
    ],
    reason: Reason,
    by: By,
    until: Until = None,
    span: For = None,
    database: Database = DATABASE,
) -> None:
    """Send no notification of some features for a time. Their alerts still open and close."""
    from drift.pipeline import actions

    store = open_store(database)
    end = _end(_calendar(store, monitor), until, span)
    silence = actions.silence_features(store, monitor, features, reason=reason, until=end, by=by, now=now())
    say(f"{silence.id}: {features} of {monitor} silenced until {when(end)}")


@alerts_app.command("unsilence")
def alerts_unsilence(
    silence: Annotated[str, typer.Argument(metavar="SILENCE", help="Id of the silence, or the start of it.")],
    by: By,
    comment: Reason = "",
    database: Database = DATABASE,
) -> None:
    """End a silence before its time. Notifications of alerts that are still open follow."""
    from drift.pipeline import actions

    store = open_store(database)
    found = _whole(silence, [each.id for each in store.silences()], "silence", "drift alerts silences --all")
    ended = actions.expire_silence(store, found, by=by, now=now(), comment=comment)
    say(f"{ended.features} of {ended.monitor}: no longer silenced")


@alerts_app.command("silences")
def alerts_silences(
    monitor: ByMonitor = None, everything: Everything = False, as_json: Json = False, database: Database = DATABASE
) -> None:
    """List silences: who asked for them, until when and why."""
    from drift.cli.tables import silences_table
    from drift.pipeline import actions

    at = now()
    found = actions.silences(open_store(database), monitor, now=at, everything=everything)
    if as_json:
        print_json([asdict(silence) for silence in found])
    elif not found:
        say("nothing was ever silenced" if everything else "nothing is silenced")
    else:
        silences_table(found, at)


# -- deliver ----------------------------------------------------------------------------------------------------------


@alerts_app.command("test")
def alerts_test(
    to: Annotated[str, typer.Argument(metavar="ROUTE", help="Name of a route, as in the monitors' files.")],
    by: By,
    monitor: Annotated[str | None, typer.Option("--monitor", help="Monitor that the route belongs to.")] = None,
    folder: Folder = MONITORS,
) -> None:
    """Send a test message over a route."""
    from drift.pipeline import actions

    if monitor is not None:
        chosen = find_monitor(monitor, folder)
    else:
        known, _ = monitors_of(folder)
        with_it = [each for each in known if any(one.to == to for one in each.alerts.routes)]
        if not with_it:
            routes = ", ".join(sorted({one.to for each in known for one in each.alerts.routes})) or "none"
            raise DriftError(f"no monitor in {folder} has a route {to!r}; there are: {routes}")
        chosen = with_it[0]
    try:
        actions.try_route(chosen, to, route, by=by, now=now())
    except DriftError:
        raise
    except Exception as error:  # noqa: BLE001 - nor may a traceback
        # What a library says may quote the URL.
        raise NotifyError(f"route {to!r}: {type(error).__name__} while sending") from None
    say(f"{to}: the channel accepted a test message of {chosen.name}")


@alerts_app.command("deliver")
def alerts_deliver(as_json: Json = False, folder: Folder = MONITORS, database: Database = DATABASE) -> None:
    """Send pending notifications: those due to be tried again, and those that nothing suppresses any more."""
    from drift.alerts import delivery

    store = open_store(database)
    if folder.is_dir():
        _remind(store, folder)
    else:
        print_error(f"{folder} is not a folder of monitors (--monitors): only what is in the outbox is sent")
    done = delivery.deliver(store, now(), route)
    if as_json:
        print_json(asdict(done))
        return
    say(done)
    for row in store.notifications(["pending"]):
        say(f"{row['route']}: {row['title']} waits until {when(row['next_attempt_at'])}")


def _remind(store: Store, folder: Path) -> None:
    """Write the notifications that nothing suppresses any more, of every monitor; a broken one hinders no other."""
    from drift.pipeline import notify
    from drift.pipeline.context import Context

    monitors, problems = monitors_of(folder)
    for monitor in monitors:
        try:
            notify.remind(Context.of(monitor, store, connection), now=now())
        except DriftError as error:
            problems.append(f"{monitor.name}: {error}")
    for problem in problems:
        print_error(problem)


@alerts_app.command("undelivered")
def alerts_undelivered(
    waiting: Annotated[bool, typer.Option("--waiting", help="Include those that are still pending.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Largest number to list.")] = 100,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """List the notifications that were given up: on which route, and why."""
    from drift.cli.tables import notifications_table

    found = open_store(database).notifications(["dead", "pending"] if waiting else ["dead"], limit)
    if as_json:
        print_json(found)
    elif not found:
        say("nothing is pending, nothing was given up" if waiting else "nothing was given up")
    else:
        notifications_table(found)


@alerts_app.command("retry")
def alerts_retry(
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="Id of a notification, or the start of it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Retry all that were given up.")] = False,
    database: Database = DATABASE,
) -> None:
    """Make notifications that were given up pending again; `drift alerts deliver` then sends them."""
    store = open_store(database)
    if (message is None) != everything:
        raise DriftError("which message? give its id (see drift alerts undelivered) or --all")
    chosen = None
    if message is not None:
        given_up = [row["id"] for row in store.notifications(["dead"], 1_000_000)]
        chosen = _whole(message, given_up, "message that was given up", "drift alerts undelivered")
    n = store.retry_notifications(now(), chosen)
    say(f"{n} message{'s' * (n != 1)} to be tried again: drift alerts deliver")
