"""Digests: what one run tells one route, as a payload for programs.

The payload is the message (``drift.alert``, described in docs/alerts.md); text and HTML are renderings of it alone
(`drift.alerts.rendering`), so what waits in the outbox can be rendered for whichever channel it goes to, and what
waited together can be told together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from drift.alerts.rendering import title, to_text
from drift.detection.scores import SEVERITY_RANK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from drift.alerts.alerts import Notice, Transitions
    from drift.config.alerts import Alerts, NotifyType, Route
    from drift.detection.reports import Report

SCHEMA = "drift.alert"
SCHEMA_VERSION = 1

MOST_FEATURES = 20
"""Features whose figures a payload carries, the worst first."""

Urgency = Literal["critical", "warning", "resolved", "test"]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that is owed to a route: a row of the outbox.

    Parameters
    ----------
    id
        Idempotency key: the same transitions of the same window for the same route are the same message.
    monitor
    window_start
    route
        Name of the route, as in the monitor.
    title, body
        Plain text.
    payload
        Plain JSON, ``drift.alert``.
    created_at
    not_before
        The end of the quiet hours it waits for; None where it does not wait.
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

    @property
    def attempts(self) -> int:
        """How often it was taken to be sent: never, as long as it is in no outbox."""
        return 0


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader of a message sees more.

    Parameters
    ----------
    dashboard
        Address of the dashboard's root, or empty.
    run
        Address of the run's log, or empty.
    """

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
    zone: ZoneInfo,
    failures: Sequence[str] = (),
    label: str = "",
    links: Links | None = None,
) -> list[Notification]:
    """Write at most one message a route: everything that this run has to tell it.

    Parameters
    ----------
    report
        Of the window that was run.
    transitions
        What was found; only its pages are told.
    settings
        The monitor's: who is told of what. A route with severities is told of an alert that has one of them now, and of
        the end of one that people believe to have one; a route with features or a team is told of those, and of what
        concerns every feature. In its quiet hours only a message with something critical goes out at once.
    now
        Aware.
    zone
        Of the monitor, for quiet hours.
    failures
        Messages of the expectations that failed.
    label
        The window as its readers name it; by default the report's label.
    links
        Where to see more.

    Returns
    -------
    list of Notification
        None for a route with nothing to be told.
    """
    told: dict[str, dict[tuple[str, int], Notice]] = {}
    holds: dict[str, list[datetime | None]] = {}
    types: dict[str, Route] = {}
    for route in settings.routes:
        until = route.held_until(now, zone)
        for page in transitions.notices:
            if settings.concerns(route, page.alert.feature, page.alert.kind, page.severity):
                told.setdefault(route.to, {})[page.event.alert_id, page.event.seq] = page
                urgent = page.alert.live and page.severity == "critical"
                holds.setdefault(route.to, []).append(None if urgent else until)
                types.setdefault(route.to, route)
    found = []
    for to, pages in told.items():
        waits = [until for until in holds[to] if until is not None]
        until = min(waits) if len(waits) == len(holds[to]) else None
        content = payload(
            report, list(pages.values()), route=types[to], settings=settings, now=now,
            held=until and until.astimezone(zone), failures=failures, label=label, links=links or Links(),
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
    pages: Sequence[Notice],
    *,
    route: Route,
    settings: Alerts,
    now: datetime,
    held: datetime | None = None,
    failures: Sequence[str] = (),
    label: str = "",
    links: Links,
) -> dict[str, Any]:
    """Return the message as plain JSON, in the documented schema `SCHEMA_VERSION` (docs/alerts.md)."""
    figures = report.to_dict()
    worst = [v.feature for v in report.drifting]
    drift = [p.alert for p in pages if p.alert.kind == "drift"]
    paged = [a.feature for a in drift if a.feature in figures["features"] and not a.segment]
    inside = {name: one["features"] for name, one in figures["segments"].items()}
    segments: dict[str, dict[str, Any]] = {}
    for segment, feature in [(a.segment, a.feature) for a in drift if a.feature in inside.get(a.segment, {})]:
        if feature and sum(map(len, segments.values())) < MOST_FEATURES:
            segments.setdefault(segment, {})[feature] = inside[segment][feature]
    shown = list(dict.fromkeys([*(f for f in worst if f in paged), *filter(None, paged), *worst]))[:MOST_FEATURES]
    order = {feature: place for place, feature in enumerate(worst)}
    ranked = sorted(
        pages,
        key=lambda p: (
            not p.alert.live,
            -SEVERITY_RANK[p.alert.severity],
            order.get(p.alert.feature or "", -1),
            p.alert.key,
        ),
    )
    changes = "\n".join(sorted(f"{p.event.alert_id} {p.event.seq} {p.event.transition}" for p in pages))
    alerts = [_entry(page, settings, links) for page in ranked]
    urgency = _urgency(alerts)
    start = figures["window"]["start"] if figures["window"] else ""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": _name(f"{report.monitor}\0{report.window}\0{route.to}\0{changes}"),
        "created_at": _iso(now),
        "route": route.to,
        "urgency": urgency,
        "notify_type": route.notify_type(urgency),
        "monitor": report.monitor,
        "window": None if figures["window"] is None else figures["window"] | {"label": label or report.label},
        **{
            name: figures[name]
            for name in (
                "reference", "direction", "unit", "n_reference", "n_current",
                "gate", "status", "share_drifting", "total_kl", "findings",
            )
        },
        "failures": list(failures),
        "n_drifting": len(worst),
        "n_scored": sum(v.score is not None for v in report.verdicts),
        "alerts": alerts,
        "features": {
            name: {k: v for k, v in figures["features"][name].items() if k != "contributions"} for name in shown
        },
        "segments": {
            name: {feature: {k: v for k, v in each.items() if k != "contributions"} for feature, each in found.items()}
            for name, found in segments.items()
        },
        "held": held and {"until": held.isoformat(), "messages": 1},
        "link": links.page("monitor", name=report.monitor, **({"until": start} if start else {})),
        "run_url": links.run or None,
    }  # fmt: skip


def _entry(page: Notice, settings: Alerts, links: Links) -> dict[str, Any]:
    alert, event = page.alert, page.event
    return {
        "id": alert.id,
        "seq": event.seq,
        "key": alert.key,
        "kind": alert.kind,
        "feature": alert.feature,
        "segment": alert.segment,
        "team": settings.owner_of(alert.feature),
        "transition": event.transition,
        "state": alert.state,
        "severity": alert.severity,
        "reason": event.reason,
        "since": _iso(alert.opened_window),
        "windows": alert.windows,
        "link": links.page("alert", id=alert.id),
    }


def _urgency(alerts: Iterable[Mapping[str, Any]]) -> Urgency:
    live = [alert["severity"] for alert in alerts if alert["state"] != "resolved"]
    return "resolved" if not live else "critical" if "critical" in live else "warning"


# -- what waited together ---------------------------------------------------------------------------------------------


def newest(payloads: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how far each alert's diary has been told, by the alert's id."""
    found: dict[str, int] = {}
    for content in payloads:
        for alert in content["alerts"]:
            found[alert["id"]] = max(alert["seq"], found.get(alert["id"], 0))
    return found


def merge(payloads: Sequence[Mapping[str, Any]], told: Mapping[str, int], *, now: datetime) -> dict[str, Any] | None:
    """Put the payloads of several runs, oldest first, into one: of each alert the newest that is not told yet.

    Parameters
    ----------
    payloads
        Of one monitor and route, at least one.
    told
        From `newest`, of the messages that went out meanwhile.
    now
        Aware.

    Returns
    -------
    dict or None
        None where everything has been told.
    """
    alerts: dict[str, Mapping[str, Any]] = {}
    features: dict[str, Any] = {}
    segments: dict[str, dict[str, Any]] = {}
    for content in payloads:
        features = {**features, **content["features"]}
        for name, found in content.get("segments", {}).items():
            segments[name] = {**segments.get(name, {}), **found}
        alerts |= {a["id"]: a for a in content["alerts"] if a["seq"] > told.get(a["id"], 0)}
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
        "created_at": _iso(now),
        "urgency": urgency,
        "notify_type": types.get(urgency, last["notify_type"]),
        "alerts": ranked,
        "features": dict(list(features.items())[-MOST_FEATURES:]),
        "segments": segments,
        "held": {"until": held[-1]["until"], "messages": len(payloads)} if held else None,
    }


# -- a test -----------------------------------------------------------------------------------------------------------


def trial(monitor: str, route: str, *, by: str, now: datetime, notify_type: NotifyType = "info") -> Notification:
    """Return a message that says nothing but that it arrived, to try a route out.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> trial("flights", "ops-chat", by="ada", now=datetime(2013, 2, 8, tzinfo=UTC)).title
    'flights: TEST of route ops-chat'
    """
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": _name(f"test\0{monitor}\0{route}\0{now.isoformat()}"),
        "created_at": _iso(now),
        "route": route,
        "urgency": "test",
        "notify_type": notify_type,
        "tested_by": by,
        "monitor": monitor,
        "window": None,
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


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
