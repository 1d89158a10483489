"""Services: a payload (`drift.alerts.messages`) in the form that Slack, Teams, PagerDuty and Opsgenie have for it.

Pure: what is sent, and by `drift.alerts.sender`, to whom. Text that comes from data is never read as markup. What is
longer than a service takes is shortened, since a message that is refused would be lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drift.alerts import rendering
from drift.text.formatting import figure, percent, thousands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drift.alerts.rendering import Section

MOST_SLACK_HEADER, MOST_SLACK_TEXT = 150, 3000
"""Characters of a header and of a section's text (https://docs.slack.dev/reference/block-kit/blocks)."""

MOST_CARD = 28_000
"""Bytes of a message that a Teams webhook takes."""

_MARKS = {"failure": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "success": "\N{LARGE GREEN CIRCLE}"}
_COLOURS = {"failure": "Attention", "warning": "Warning", "success": "Good"}
_PRIORITIES = {"failure": 1, "warning": 3}


def facts(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of the whole window; none where it was not scored."""
    if not content.get("n_judged") or content["gate"] == "rejected" or rendering.run_failed(content):
        return {}
    return {
        "Drifting": f"{content['n_drifting']} of {content['n_judged']} features ({percent(content['share_drifting'])})",
        "KL in all": f"{figure(content['total_kl'])} nats",
        "Rows": thousands(content["n_current"]),
        "Rows of the reference": thousands(content["n_reference"]),
    }


def _parts(content: Mapping[str, Any]) -> list[Section]:
    """Return the sections of a message whose numbers stand apart."""
    first, *rest = rendering.sections(content)
    if facts(content):
        against = f"Compared with {rendering.plain(content['reference'])}. KL is D(current‖reference), in nats."
        first = rendering.Section("", (against, *first.lines[1:]))
    return [first, *rest]


# -- Slack ------------------------------------------------------------------------------------------------------------


def slack(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of Slack's Block Kit; its ``text`` is what a notification of a phone shows.

    Text from data stands in plain text, in which Slack reads no mention, link, emoji or format.
    """
    head = f"{_mark(content)} {rendering.title(content)}".lstrip()
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(fit(head, MOST_SLACK_HEADER, _entities))}]
    if numbers := facts(content):
        fields = [{"type": "mrkdwn", "text": f"*{name}*\n{value}"} for name, value in numbers.items()]
        blocks.append({"type": "section", "fields": fields})
    first, *rest = _parts(content)
    blocks.append(_slack_section(first, context=bool(numbers)))
    for part in rest:
        block = _slack_section(part, context=not part.heading)
        if part.alert:
            blocks.append({"type": "divider"})
            for name, url in rendering.links(part.alert).items():
                block["accessory"] = _slack_button(name, url)
        blocks.append(block)
    if buttons := [_slack_button(name, url) for name, url in rendering.links(content).items()]:
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": fit(head, MOST_SLACK_TEXT, _entities), "mrkdwn": False, "blocks": blocks}


def _slack_section(part: Section, *, context: bool) -> dict[str, Any]:
    head = f"{_mark(part.alert or {})} {part.heading}".strip()
    lines = [_entities(head)] if head else []
    room = MOST_SLACK_TEXT - len("\n…") - sum(map(len, lines))
    for line in part.lines:
        shown = _entities(f"• {line}" if head else line)
        room -= len(shown) + 1
        if room < 0:
            lines.append("…")
            break
        lines.append(shown)
    text = _plain("\n".join(lines))
    return {"type": "context", "elements": [text]} if context else {"type": "section", "text": text}


def _mark(about: Mapping[str, Any]) -> str:
    return _MARKS.get(about.get("notify_type", ""), "")


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _slack_button(name: str, url: str) -> dict[str, Any]:
    return {"type": "button", "text": _plain(name), "url": url}


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(text: str, most: int, escape: Callable[[str], str] = str) -> str:
    """Return text, escaped, as much of it as `most` characters hold."""
    short = text
    while len(escape(short)) > most:
        short = f"{short[: -1 - max(1, (len(escape(short)) - most) // 6)]}…"
    return escape(short)


# -- Teams ------------------------------------------------------------------------------------------------------------


def teams(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message to a Teams workflow: an Adaptive Card.

    Text from data stands in runs of text, whose Markdown is not read; a card that is too large loses its last parts.
    """
    parts = _parts(content)
    message = _card_message(content, parts)
    while len(json.dumps(message)) > MOST_CARD and len(parts) > 1:
        parts = parts[:-1]
        message = _card_message(content, [*parts, rendering.Section("", ("… shortened: Drift shows the rest",))])
    return message


def _card_message(content: Mapping[str, Any], parts: Iterable[Section]) -> dict[str, Any]:
    body = [_runs(rendering.title(content), size="Large", weight="Bolder", color=_colour(content))]
    if numbers := facts(content):
        body.append({"type": "FactSet", "facts": [{"title": n, "value": v} for n, v in numbers.items()]})
    body += [_container(part) for part in parts]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": rendering.title(content),
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [_open(name, url) for name, url in rendering.links(content).items()],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _container(part: Section) -> dict[str, Any]:
    items = []
    if part.heading:
        style: dict[str, Any] = {"weight": "Bolder", "color": _colour(part.alert or {})}
        for name, url in rendering.links(part.alert or {}).items():
            style["selectAction"] = _open(name, url)
        items.append(_runs(part.heading, **style))
    items += [_runs(line, size="Small") for line in part.lines]
    return {"type": "Container", "separator": part.alert is not None, "spacing": "Medium", "items": items}


def _runs(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _colour(about: Mapping[str, Any]) -> str:
    return _COLOURS.get(about.get("notify_type", ""), "Default")


def _open(name: str, url: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": name, "url": url}


# -- PagerDuty and Opsgenie -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """What one incident is to a service that keeps incidents.

    `key` is the same for all that is said of it: what is news updates it, and `resolved` ends it. `first` is whether it
    began just now.
    """

    key: str
    summary: str
    details: Mapping[str, str]
    notify_type: str
    resolved: bool = False
    first: bool = True
    monitor: str = ""
    component: str = ""
    group: str = ""
    kind: str = ""
    link: str = ""

    @property
    def priority(self) -> int:
        """Opsgenie's, from 1 of a failure to 5 of what is only said."""
        return _PRIORITIES.get(self.notify_type, 5)


def events(content: Mapping[str, Any]) -> list[Event]:
    """Return an event for each incident of a payload; a test is one of its own, which nothing resolves."""
    monitor = rendering.plain(content["monitor"], limit=60)
    if not content["alerts"]:
        said = "\n".join(line for part in rendering.sections(content) for line in part.lines)
        return [Event(content["id"], rendering.title(content), {"details": said}, content["notify_type"],
                      monitor=monitor, component=monitor, group=monitor, kind="test")]  # fmt: skip
    return [_event(content, incident, monitor) for incident in content["incidents"]]


def _event(content: Mapping[str, Any], incident: Mapping[str, Any], monitor: str) -> Event:
    alerts = [alert for alert in content["alerts"] if alert["incident"] == incident["id"]]
    worst, more = alerts[0], len(incident["alerts"]) - 1
    parts = [rendering.alert_section(content, alert) for alert in alerts[: rendering.MOST_SHOWN]]
    if more or incident["events"] or incident["elsewhere"]:
        parts = [rendering.incident_section(incident), *parts]
    lines = [line for part in parts for line in ([part.heading, *part.lines] if len(parts) > 1 else part.lines)]
    window = content["window"] or {}
    details = {
        "details": "\n".join(lines),
        "window": rendering.plain(window.get("label") or window.get("start") or ""),
        "since": rendering.plain(incident["onset"]["words"]),
        "log": rendering.links(content).get("Log of the run", ""),
    }
    links = [*rendering.links(incident).values(), *rendering.links(worst).values(), *rendering.links(content).values()]
    return Event(
        key=f"drift-{incident['id']}",
        summary=rendering.headline(content, worst) + (f" (+{more} more)" if more else ""),
        details={name: value for name, value in details.items() if value},
        notify_type=incident["notify_type"],
        resolved=incident["state"] == "resolved",
        first=all(a["transition"] == "opened" for a in alerts) and incident["id"] in {a["id"] for a in alerts},
        monitor=monitor,
        component=rendering.subject(worst),
        group=rendering.plain(worst.get("team") or content["monitor"], limit=60),
        kind=worst["kind"],
        link=next(iter(links), ""),
    )
