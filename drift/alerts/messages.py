"""Messages: what one run notifies one route of, as a payload for programs.

The payload is the message (``drift.alert``, described in docs/reference/alerts.md); text and HTML are renderings of it
alone (`drift.alerts.rendering`), so a notification in the outbox can be rendered for any channel, and several that
waited together can be merged into one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from drift.alerts.incidents import known
from drift.alerts.rendering import title, to_text
from drift.detection.scores import SEVERITY_RANK
from drift.text.formatting import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert, Notice, Transitions
    from drift.alerts.incidents import Incident
    from drift.config.alerts import Alerts, NotifyType, Route
    from drift.detection.reports import Report
    from drift.windows import Calendar

SCHEMA = "drift.alert"
SCHEMA_VERSION = 1

MOST_FEATURES = 20
"""Features whose figures a payload carries, the worst first."""

MOST_EVENTS = 3
"""Of what else happened in an incident, and elsewhere, a payload carries so many, the newest first."""

Urgency = Literal["critical", "warning", "resolved", "test"]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a route: a row of the outbox.

    `id` is its idempotency key: the same transitions of the same window for the same route are the same message.
    `title` and `body` are plain text, `payload` is plain JSON (``drift.alert``). `not_before` is the end of the quiet
    hours it waits for, None where it does not wait; `attempts` is how often it was taken to be sent.
    """

    id: str
    monitor: str
    window_start: datetime | None
    route: str
    title: str
    body: str
    payload: Mapping[str, Any]
    created_at: datetime
    not_before: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader sees more: the dashboard's root and the run's log, each an address or empty."""

    dashboard: str = ""
    run: str = ""

    def page(self, path: str, /, **parameters: str) -> str | None:
        """Return the address of one of the dashboard's pages.

        Examples
        --------
        >>> Links("https://drift.example/").page("monitor", name="flights & trains")
        'https://drift.example/monitor?name=flights+%26+trains'
        """
        if not self.dashboard:
            return None
        return f"{self.dashboard.rstrip('/')}/{path}?{urlencode(parameters, errors='replace')}"


def notifications(
    report: Report,
    transitions: Transitions,
    settings: Alerts,
    *,
    now: datetime,
    calendar: Calendar,
    failures: Sequence[str] = (),
    links: Links | None = None,
    incidents: Sequence[Incident] | None = None,
) -> list[Notification]:
    """Write at most one notification a route, with everything that this run has for it; none without notices.

    A route with severities is notified of an alert that has one of them now, and of the end of one that people believe
    to have one; a route with features or a team is notified of those, and of what concerns every feature. In its quiet
    hours (by `calendar`) only a message with something critical goes out at once. `failures` are the messages of the
    expectations that failed. `incidents` are those of the notices
    with all their alerts, by default with these alone; each route is told what concerns it.
    """
    found = []
    if incidents is None:
        incidents = known([notice.alert for notice in transitions.notices])
    by_name: dict[str, list[Route]] = {}
    for route in settings.routes:
        by_name.setdefault(route.to, []).append(route)
    for routes in by_name.values():
        notices: dict[tuple[str, int], Notice] = {}
        holds: list[datetime | None] = []
        first: Route | None = None
        for route in routes:
            until = route.held_until(now, calendar.zone)
            for notice in transitions.notices:
                alert = notice.alert
                if settings.concerns(route, alert.feature, alert.kind, notice.severity):
                    notices[alert.id, notice.event.seq] = notice
                    holds.append(None if alert.live and notice.severity == "critical" else until)
                    first = first or route
        if first is None:
            continue
        waits = [until for until in holds if until is not None]
        until = min(waits) if len(waits) == len(holds) else None
        content = payload(
            report, list(notices.values()), route=first, settings=settings, now=now,
            calendar=calendar, held=until and until.astimezone(calendar.zone), failures=failures,
            links=links or Links(), incidents=incidents,
        )  # fmt: skip
        start = report.window.start if report.window else None
        found.append(message(content, report.monitor, start, now, not_before=until))
    return found


def message(
    content: Mapping[str, Any],
    monitor: str,
    window_start: datetime | None,
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> Notification:
    """Return the row of the outbox for a payload."""
    return Notification(
        content["id"],
        monitor,
        window_start,
        content["route"],
        title(content),
        to_text(content),
        content,
        now,
        not_before,
    )


def payload(  # noqa: PLR0913 - each names a part of the message
    report: Report,
    notices: Sequence[Notice],
    *,
    route: Route,
    settings: Alerts,
    now: datetime,
    calendar: Calendar,
    held: datetime | None = None,
    failures: Sequence[str] = (),
    links: Links,
    incidents: Sequence[Incident],
) -> dict[str, Any]:
    """Return the message as plain JSON, in the documented schema `SCHEMA_VERSION` (docs/reference/alerts.md)."""
    figures = report.to_dict()
    worst = [v.feature for v in report.drifting]
    changes = "\n".join(sorted(f"{n.event.alert_id} {n.event.seq} {n.event.transition}" for n in notices))
    ids = {alert.id: each.id for each in incidents for alert in each.alerts}
    alerts = [_entry(notice, route, settings, links, calendar, ids) for notice in _ranked(notices, worst)]
    urgency = _urgency(alerts)
    window = figures["window"]
    until = {"until": window["start"]} if window and window["start"] else {}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": _name(f"{report.monitor}\0{report.window}\0{route.to}\0{changes}"),
        "created_at": iso(now),
        "route": route.to,
        "urgency": urgency,
        "notify_type": route.notify_type(urgency),
        "monitor": report.monitor,
        "window": window and window | {"label": report.label},
        **{
            name: figures[name]
            for name in (
                "reference", "direction", "unit", "n_reference", "n_current",
                "gate", "status", "share_drifting", "total_kl", "findings",
            )
        },
        "failures": list(failures),
        "n_drifting": len(worst),
        "n_judged": report.rollup().n_judged,
        "incidents": [
            _incident(each, members, route, links, calendar)
            for each in incidents
            if (members := _concerned(each, alerts, route, settings))
        ],
        "alerts": alerts,
        "features": _features(figures, notices, worst),
        "segments": _segments(figures, notices),
        "held": held and {"until": held.isoformat(), "messages": 1},
        "link": links.page("monitor", name=report.monitor, **until),
        "run_url": links.run or None,
    }  # fmt: skip


def _ranked(notices: Iterable[Notice], worst: Sequence[str]) -> list[Notice]:
    """Return notices, the most urgent first: alerts before ends, by severity, then as the features rank."""
    order = {feature: place for place, feature in enumerate(worst)}

    def rank(notice: Notice) -> tuple[bool, int, int, str]:
        alert = notice.alert
        return not alert.live, -SEVERITY_RANK[alert.severity], order.get(alert.feature or "", -1), alert.key

    return sorted(notices, key=rank)


def _features(figures: Mapping[str, Any], notices: Iterable[Notice], worst: Sequence[str]) -> dict[str, Any]:
    """Return the figures of the features that notices are about, and of the worst others that drift."""
    drift = [n.alert.feature for n in notices if n.alert.kind == "drift" and not n.alert.segment]
    about = [feature for feature in drift if feature in figures["features"]]
    names = dict.fromkeys([*(f for f in worst if f in about), *filter(None, about), *worst])
    return {name: _without_cells(figures["features"][name]) for name in list(names)[:MOST_FEATURES]}


def _segments(figures: Mapping[str, Any], notices: Iterable[Notice]) -> dict[str, dict[str, Any]]:
    """Return the figures of the features that notices are about in segments, by segment."""
    found: dict[str, dict[str, Any]] = {}
    for alert in (notice.alert for notice in notices):
        inside = figures["segments"].get(alert.segment, {"features": {}})["features"]
        if (
            alert.kind == "drift"
            and alert.feature
            and alert.feature in inside
            and sum(map(len, found.values())) < MOST_FEATURES
        ):
            found.setdefault(alert.segment, {})[alert.feature] = _without_cells(inside[alert.feature])
    return found


def _without_cells(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name != "contributions"}


def _entry(
    notice: Notice, route: Route, settings: Alerts, links: Links, calendar: Calendar, incidents: Mapping[str, str]
) -> dict[str, Any]:
    alert, event = notice.alert, notice.event
    return {
        "id": alert.id,
        "incident": incidents.get(alert.id, alert.known_as),
        "seq": event.seq,
        "key": alert.key,
        "kind": alert.kind,
        "feature": alert.feature,
        "segment": alert.segment,
        "team": settings.owner_of(alert.feature),
        "transition": event.transition,
        "state": alert.state,
        "severity": alert.severity,
        "notify_type": route.notify_type(alert.severity if alert.live else "resolved"),
        "reason": event.reason,
        "since": iso(alert.opened_window),
        "onset": alert.onset and alert.onset.to_dict() | {"words": alert.onset.words(calendar)},
        "where": alert.where and alert.where.to_dict(),
        "windows": alert.windows,
        "link": links.page("alert", id=alert.id),
    }


def _concerned(
    incident: Incident, alerts: Iterable[Mapping[str, Any]], route: Route, settings: Alerts
) -> tuple[Alert, ...]:
    """Return the alerts of an incident that a route is notified of; none where this message is about none of them."""
    said = {alert["id"] for alert in alerts if alert["incident"] == incident.id}
    routes = [each for each in settings.routes if each.to == route.to]
    heard = tuple(
        a
        for a in incident.alerts
        if a.id in said or any(settings.concerns(each, a.feature, a.kind, a.worst) for each in routes)
    )
    return heard if said else ()


def _incident(
    incident: Incident, members: tuple[Alert, ...], route: Route, links: Links, calendar: Calendar
) -> dict[str, Any]:
    heard = replace(incident, alerts=members)
    return {
        "id": heard.id,
        "state": heard.state,
        "severity": heard.severity,
        "notify_type": route.notify_type(heard.severity if heard.live else "resolved"),
        "words": heard.words(calendar),
        "onset": heard.onset.to_dict() | {"words": heard.onset.words(calendar)},
        "alerts": [
            {"id": a.id, "key": a.key, "kind": a.kind, "feature": a.feature, "segment": a.segment, "state": a.state,
             "severity": a.severity, "end": heard.ends.get(a.id)}
            for a in members
        ],
        "elsewhere": list(heard.elsewhere[:MOST_EVENTS]),
        "events": [
            {"at": iso(each.at), "window": calendar.label(calendar.containing(each.at)), "kind": each.kind,
             "text": each.text}
            for each in heard.events[: -MOST_EVENTS - 1 : -1]
        ],
        "link": links.page("incident", id=heard.id),
    }  # fmt: skip


def _urgency(alerts: Iterable[Mapping[str, Any]]) -> Urgency:
    live = [alert["severity"] for alert in alerts if alert["state"] != "resolved"]
    return "resolved" if not live else "critical" if "critical" in live else "warning"


# -- what waited together ---------------------------------------------------------------------------------------------


def newest(payloads: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of the last event of each alert that was sent, by the alert's id."""
    found: dict[str, int] = {}
    for content in payloads:
        for alert in content["alerts"]:
            found[alert["id"]] = max(alert["seq"], found.get(alert["id"], 0))
    return found


def merge(payloads: Sequence[Mapping[str, Any]], sent: Mapping[str, int], *, now: datetime) -> dict[str, Any] | None:
    """Put the payloads of several runs, oldest first, into one: of each alert the newest event that was not sent yet.

    They are of one monitor and route. `sent` is from `newest`, of the messages that went out meanwhile; None where
    these said everything.
    """
    alerts: dict[str, Mapping[str, Any]] = {}
    features: dict[str, Any] = {}
    segments: dict[str, dict[str, Any]] = {}
    incidents: dict[str, Mapping[str, Any]] = {}
    for content in payloads:
        incidents |= {each["id"]: each for each in content["incidents"]}
        features = {**features, **content["features"]}
        for name, found in content.get("segments", {}).items():
            segments[name] = {**segments.get(name, {}), **found}
        alerts |= {a["id"]: a for a in content["alerts"] if a["seq"] > sent.get(a["id"], 0)}
    if not alerts:
        return None
    last = payloads[-1]
    ranked = sorted(alerts.values(), key=lambda a: (a["state"] == "resolved", -SEVERITY_RANK[a["severity"]], a["key"]))
    urgency = _urgency(ranked)
    types = {content["urgency"]: content["notify_type"] for content in payloads}
    held = [content["held"] for content in payloads if content["held"]]
    return {
        **last,
        "id": _name("\n".join(content["id"] for content in payloads)),
        "created_at": iso(now),
        "urgency": urgency,
        "notify_type": types.get(urgency, last["notify_type"]),
        "incidents": [incidents[i] for i in dict.fromkeys(a["incident"] for a in ranked) if i in incidents],
        "alerts": ranked,
        "features": dict(list(features.items())[-MOST_FEATURES:]),
        "segments": segments,
        "held": {"until": held[-1]["until"], "messages": len(payloads)} if held else None,
    }


# -- a test -----------------------------------------------------------------------------------------------------------


def trial(monitor: str, route: str, *, by: str, now: datetime, notify_type: NotifyType = "info") -> Notification:
    """Return a test message, to try a route out."""
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": _name(f"test\0{monitor}\0{route}\0{now.isoformat()}"),
        "created_at": iso(now),
        "route": route,
        "urgency": "test",
        "notify_type": notify_type,
        "tested_by": by,
        "monitor": monitor,
        "window": None,
        "incidents": [],
        "alerts": [],
        "features": {},
        "segments": {},
        "findings": [],
        "failures": [],
        "held": None,
        "link": None,
        "run_url": None,
    }
    return message(content, monitor, None, now)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
