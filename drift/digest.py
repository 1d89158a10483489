"""Digests: what one run tells one route, as a payload for programs and as text and HTML for people.

The payload is the message (``drift.alert``, described in docs/alerts.md); text and HTML are renderings of it alone, so
what waits in the outbox can be rendered for whichever channel it goes to. Names, labels and reasons come from data that
anyone may have written: in text they are one line each, without control characters and without mentions that would
wake a whole channel; in HTML they are escaped besides.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from drift.features import matches
from drift.scores import SEVERITY_RANK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts import Page, Transitions
    from drift.config import Route
    from drift.reports import Report

SCHEMA = "drift.alert"
SCHEMA_VERSION = 1

MOST_FEATURES = 20
"""Features whose figures a payload carries, the worst first."""
MOST_SHOWN = 10
"""Alerts, features and findings that a text shows of each, before it says how many more there are."""

Urgency = Literal["critical", "warning", "resolved"]

_MENTION = re.compile(r"@(?=everyone|here|channel|all\b|room\b)|<(?=[!@#])", re.IGNORECASE)
_NAMES = {"gate": "expectations", "volume": "number of rows", "table": "the table"}


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
    """

    id: str
    monitor: str
    window_start: datetime | None
    route: str
    title: str
    body: str
    payload: Mapping[str, Any]
    created_at: datetime


def plain(text: object, *, limit: int = 300) -> str:
    r"""Return text of any origin as one harmless line.

    Control and format characters (line breaks, escape codes, reversed writing) become spaces or vanish, mentions of a
    whole channel lose their effect, and what is longer than `limit` characters is cut.

    Examples
    --------
    >>> plain("delay\x1b[31m\nDROP\u202e")
    'delay [31m DROP'
    >>> plain("@everyone").isascii(), plain("ada@example.com")
    (False, 'ada@example.com')
    """
    kept = "".join(
        " "
        if (kind := unicodedata.category(c)) in {"Cc", "Zl", "Zp"}
        else ""
        if kind in {"Cf", "Cs", "Co", "Cn"}
        else c
        for c in str(text)
    )
    line = _MENTION.sub(lambda m: f"{m[0]}\N{ZERO WIDTH SPACE}", " ".join(kept.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def notifications(
    report: Report,
    transitions: Transitions,
    routes: Sequence[Route],
    *,
    now: datetime,
    failures: Sequence[str] = (),
    label: str = "",
    link: str | None = None,
) -> list[Notification]:
    """Write at most one message a route: everything that this run has to tell it.

    Parameters
    ----------
    report
        Of the window that was run.
    transitions
        What `advance` found; only its pages are told.
    routes
        Who is told of what. A route with severities is told of an alert that has one of them now, and of the end of one
        that ever had; a route with features is told of those, and of what concerns every feature (gate, rows, table).
    now
        Aware.
    failures
        Messages of the expectations that failed.
    label
        The window as its readers name it; by default the report's label.
    link
        Where to see more.

    Returns
    -------
    list of Notification
        None for a route with nothing to be told.
    """
    told: dict[str, dict[tuple[str, int], Page]] = {}
    for route in routes:
        for page in transitions.pages:
            if _concerns(route, page):
                told.setdefault(route.to, {})[page.event.alert_id, page.event.seq] = page
    found = []
    for to, pages in told.items():
        content = payload(report, list(pages.values()), route=to, now=now, failures=failures, label=label, link=link)
        start = report.window.start if report.window else None
        found.append(
            Notification(content["id"], report.monitor, start, to, title(content), to_text(content), content, now)
        )
    return found


def _concerns(route: Route, page: Page) -> bool:
    alert = page.alert
    if route.features is not None and alert.feature is not None and not matches(alert.feature, route.features):
        return False
    return route.severity is None or (alert.severity if alert.live else alert.worst) in route.severity


def payload(
    report: Report,
    pages: Sequence[Page],
    *,
    route: str,
    now: datetime,
    failures: Sequence[str] = (),
    label: str = "",
    link: str | None = None,
) -> dict[str, Any]:
    """Return the message as plain JSON, in the documented schema `SCHEMA_VERSION` (docs/alerts.md)."""
    figures = report.to_dict()
    worst = [v.feature for v in report.drifting]
    paged = [p.alert.feature for p in pages if p.alert.kind == "drift" and p.alert.feature in figures["features"]]
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
    live = [p.alert.severity for p in pages if p.alert.live]
    urgency: Urgency = "resolved" if not live else "critical" if "critical" in live else "warning"
    changes = "\n".join(sorted(f"{p.event.alert_id} {p.event.seq} {p.event.transition}" for p in pages))
    key = f"{report.monitor}\0{report.window}\0{route}\0{changes}"
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "id": hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "created_at": _iso(now),
        "route": route,
        "urgency": urgency,
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
        "alerts": [
            {
                "id": p.alert.id,
                "key": p.alert.key,
                "kind": p.alert.kind,
                "feature": p.alert.feature,
                "transition": p.event.transition,
                "state": p.alert.state,
                "severity": p.alert.severity,
                "reason": p.event.reason,
                "since": _iso(p.alert.opened_window),
                "windows": p.alert.windows,
            }
            for p in ranked
        ],
        "features": {
            name: {k: v for k, v in figures["features"][name].items() if k != "contributions"} for name in shown
        },
        "link": link,
    }  # fmt: skip


# -- for people -------------------------------------------------------------------------------------------------------


def title(content: Mapping[str, Any]) -> str:
    """Return the one line that says what happened, how bad it is and where.

    Returns
    -------
    str
        Such as ``flights 2013-02-08: CRITICAL dep_delay KL 1.28 nats (+2 more)``.
    """
    first, more = content["alerts"][0], len(content["alerts"]) - 1
    word = first["severity"].upper() if first["state"] != "resolved" else "RESOLVED"
    kl = content["features"].get(first["feature"], {}).get("kl") if first["kind"] == "drift" else None
    figure = f" KL {kl:.3g} nats" if kl is not None and first["state"] != "resolved" else ""
    rest = f" (+{more} more)" if more else ""
    return f"{_when(content)}: {word} {_name(first)}{figure}{rest}"


def _when(content: Mapping[str, Any]) -> str:
    window = content["window"]
    label = plain(window["label"] or window["start"], limit=60) if window else ""
    return f"{plain(content['monitor'], limit=60)} {label}".rstrip()


def _name(alert: Mapping[str, Any]) -> str:
    feature = plain(alert["feature"], limit=80) if alert["feature"] is not None else ""
    if alert["kind"] == "schema":
        return f"column {feature}"
    return feature or _NAMES.get(alert["key"], plain(alert["key"], limit=80))


def _overall(content: Mapping[str, Any]) -> list[str]:
    if content["gate"] == "rejected":
        return ["The window was rejected by its expectations: it was not scored and is no reference for others."]
    scores = (
        f"{content['n_drifting']} of {content['n_scored']} scored features drift "
        f"({content['share_drifting']:.0%}), {content['total_kl']:.3g} nats in all; "
        f"{content['n_current']:,} rows against {content['n_reference']:,} of the reference "
        f"({plain(content['reference'])}). KL is D(current‖reference), in nats."
    )
    warned = content["gate"] == "warned"
    return [scores, *(["The window is accepted, although an expectation failed."] if warned else [])]


def _figures(entry: Mapping[str, Any]) -> str:
    limits = f"{entry['threshold']['warning']:g} / {entry['threshold']['critical']:g}"
    if "kl" not in entry:
        return f"no score, {entry['status'].replace('_', ' ')}"
    interval = entry["interval"]
    return (
        f"KL {entry['kl']:.3g} nats, 95 % interval {interval['low']:.3g} … {interval['high']:.3g}, "
        f"threshold {limits}, {entry['n_current']:,} rows against {entry['n_reference']:,}"
    )


def _heading(alert: Mapping[str, Any]) -> str:
    word = "RESOLVED" if alert["state"] == "resolved" else alert["severity"].upper()
    return word if alert["transition"] in {"resolved", "opened"} else f"{word} ({alert['transition']})"


def _details(content: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    """Say of one alert: its figures, what moved, why."""
    entry = content["features"].get(alert["feature"]) if alert["kind"] == "drift" else None
    if alert["key"] == "gate" and alert["state"] != "resolved" and content["failures"]:
        return _some([plain(failure) for failure in content["failures"]])
    if entry is None:
        return [plain(alert["reason"])]
    moved = [plain(line) for line in entry.get("explanation", [])] if alert["state"] != "resolved" else []
    why = alert["reason"] if alert["state"] == "resolved" else entry["reason"]
    return [_figures(entry), *moved, plain(why)]


def _also(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the features that drift without being news: their alerts are known, or the table's stands for them."""
    told = {a["feature"] for a in content["alerts"] if a["kind"] == "drift"}
    entries = [(name, e) for name, e in content["features"].items() if name not in told]
    return [
        (
            f"{entry['status'].upper()} {plain(name, limit=80)}",
            "; ".join([_figures(entry), *map(plain, entry.get("explanation", []))]),
        )
        for name, entry in entries
    ]


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"… and {more} more"] if more > 0 else [])]


def to_text(content: Mapping[str, Any]) -> str:
    """Render a payload as plain text, for chats and terminals."""
    lines = _overall(content)
    for alert in content["alerts"][:MOST_SHOWN]:
        lines += ["", f"{_heading(alert)} {_name(alert)}", *(f"  {line}" for line in _details(content, alert))]
    if (more := len(content["alerts"]) - MOST_SHOWN) > 0:
        lines += ["", f"… and {more} more alerts"]
    if also := _also(content):
        lines += ["", "Also drifting", *_some([f"  {name}: {figures}" for name, figures in also])]
    if content["findings"]:
        lines += ["", "Findings", *_some([f"  {plain(finding['message'])}" for finding in content["findings"]])]
    if content["link"]:
        lines += ["", plain(content["link"], limit=2000)]
    return "\n".join(lines)


def to_html(content: Mapping[str, Any]) -> str:
    """Render a payload as HTML, for mail: no styles, scripts or images, everything escaped."""

    def items(lines: Iterable[str]) -> str:
        return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"

    parts = [f"<h2>{escape(title(content))}</h2>", *(f"<p>{escape(line)}</p>" for line in _overall(content))]
    for alert in content["alerts"][:MOST_SHOWN]:
        parts += [f"<h3>{escape(f'{_heading(alert)} {_name(alert)}')}</h3>", items(_details(content, alert))]
    if (more := len(content["alerts"]) - MOST_SHOWN) > 0:
        parts.append(f"<p>… and {more} more alerts</p>")
    if also := _also(content):
        parts += ["<h3>Also drifting</h3>", items(_some([f"{name}: {figures}" for name, figures in also]))]
    if content["findings"]:
        parts += ["<h3>Findings</h3>", items(_some([plain(finding["message"]) for finding in content["findings"]]))]
    link = plain(content["link"] or "", limit=2000)
    if link.startswith(("https://", "http://")):
        parts.append(f'<p><a href="{escape(link)}">{escape(link)}</a></p>')
    return "\n".join(parts)


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
