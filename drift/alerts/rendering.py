"""Rendering: a payload (`drift.alerts.messages`) in sections for people, as text and as HTML.

Names, labels and reasons come from data that anyone may have written: in text they are one line each, every character
of it shown, without mentions that would wake a whole channel; in HTML they are escaped besides. What a service has a
form of its own for is written in `drift.alerts.services`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from drift.config.alerts import is_web_address
from drift.text.formatting import figure, percent, thousands, thresholds
from drift.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_SHOWN = 10
"""Alerts, features and findings that a text shows of each, before it says how many more there are."""

_MENTION = re.compile(r"@(?=everyone|here|channel|all\b|room\b)|<(?=[!@#])", re.IGNORECASE)
_NAMES = {
    "gate": "expectations",
    "rows": "no rows",
    "volume:fewer": "fewer rows",
    "volume:more": "more rows",
    "table": "the table",
    "not_judged": "no feature judged",
    "run": "the run",
}
_AGAIN = {"notified", "repeated", "flapping"}


def plain(text: object, *, limit: int = 300) -> str:
    r"""Return text of any origin as one harmless line.

    What would be obeyed or cannot be seen is written as an escape (`drift.text.visible`), mentions of a whole channel
    lose their effect, and what is longer than `limit` characters is cut.

    Examples
    --------
    >>> plain("delay\x1b[31m\nDROP\u202e")
    'delay\\x1b[31m\\nDROP\\u202e'
    >>> plain("@everyone").isascii(), plain("ada@example.com")
    (False, 'ada@example.com')
    """
    line = _MENTION.sub(lambda m: f"{m[0]}\N{ZERO WIDTH SPACE}", " ".join(visible(text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def title(content: Mapping[str, Any]) -> str:
    """Return the one line that says what happened, how bad it is and where.

    Such as ``flights 2013-02-08: CRITICAL dep_delay: missing rose from 2.3 % to 51 % (+2 more)``.
    """
    if content["urgency"] == "test":
        return f"{_when(content)}: TEST of route {plain(content['route'], limit=80)}"
    more = len(content["alerts"]) - 1
    return headline(content, content["alerts"][0]) + (f" (+{more} more)" if more else "")


def headline(content: Mapping[str, Any], alert: Mapping[str, Any]) -> str:
    """Return the one line that says it of one alert."""
    entry = _figures_of(content, alert) or {}
    lines = entry.get("explanation") if alert["state"] != "resolved" else None
    what = ""
    if lines:
        what = f": {plain(lines[0].rpartition(': ')[0] or lines[0], limit=80)}"
    elif "kl" in entry and alert["state"] != "resolved":
        what = f": KL {figure(entry['kl'])} nats"
    return f"{_when(content)}: {_heading(alert)} {subject(alert)}{what}"


def _when(content: Mapping[str, Any]) -> str:
    window = content["window"]
    label = plain(window["label"] or window["start"], limit=60) if window else ""
    return f"{plain(content['monitor'], limit=60)} {label}".rstrip()


def named(kind: str, key: str, feature: str | None, segment: str = "") -> str:
    """Say what an alert is of.

    Examples
    --------
    >>> named("drift", "drift:delay", "delay"), named("schema", "schema:delay", "delay"), named("run", "run", None)
    ('delay', 'column delay', 'the run')
    >>> named("drift", "drift:delay@origin=JFK", "delay", "origin=JFK")
    'delay in origin=JFK'
    """
    if segment:
        return f"{named(kind, key.removesuffix(f'@{segment}'), feature)} in {plain(segment, limit=80)}"
    shown = plain(feature, limit=80) if feature is not None else ""
    if kind == "schema":
        return f"column {shown}"
    if kind == "relationship":
        return f"the relationships of {shown}"
    if kind == "not_judged" and shown:
        return f"{shown} (not judged)"
    return shown or _NAMES.get(key, plain(key, limit=80))


def subject(alert: Mapping[str, Any]) -> str:
    """Say what an alert of a payload is of."""
    return named(alert["kind"], alert["key"], alert["feature"], alert.get("segment", ""))


def _figures_of(content: Mapping[str, Any], alert: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a payload says about the feature that an alert is about, in its segment."""
    if alert["kind"] != "drift":
        return None
    segment = alert.get("segment", "")
    features = content.get("segments", {}).get(segment, {}) if segment else content["features"]
    found: Mapping[str, Any] | None = features.get(alert["feature"])
    return found


def run_failed(content: Mapping[str, Any]) -> bool:
    """Whether a payload says that the run failed."""
    return any(alert["key"] == "run" and alert["state"] != "resolved" for alert in content["alerts"])


def _overall(content: Mapping[str, Any]) -> list[str]:
    if content["urgency"] == "test":
        who = plain(content["tested_by"], limit=80)
        return [f"{who} sent this message to test the route. Nothing has happened; there is nothing to do."]
    if run_failed(content):
        return ["The run failed: nothing is known about this window."]
    if content["gate"] == "rejected":
        return ["The window was rejected by its expectations: it was not scored, and no window is compared with it."]
    scores = (
        f"{content['n_drifting']} of {content['n_judged']} judged features drifted "
        f"({percent(content['share_drifting'])}), {figure(content['total_kl'])} nats in all; "
        f"{thousands(content['n_current'])} rows compared with {thousands(content['n_reference'])} of the reference "
        f"({plain(content['reference'])}). KL is D(current‖reference), in nats."
    )
    warned = content["gate"] == "warned"
    return [scores, *(["The window is accepted, although an expectation failed."] if warned else [])]


def _figures(entry: Mapping[str, Any]) -> str:
    limits = thresholds(*(entry["threshold"][name] for name in ("warning", "critical", "scale")))
    if "kl" not in entry:
        return f"no score, {entry['status'].replace('_', ' ')}"
    interval = entry["interval"]
    return (
        f"KL {figure(entry['kl'])} nats, corrected {figure(max(entry['kl_corrected'], 0))} "
        f"(95 % {figure(interval['low'])} … {figure(interval['high'])}), "
        f"threshold {limits}, {thousands(entry['n_current'])} rows compared with {thousands(entry['n_reference'])}"
    )


def _heading(alert: Mapping[str, Any]) -> str:
    over = alert["state"] == "resolved"
    word = "RESOLVED" if over else alert["severity"].upper()
    if alert["transition"] in {"resolved", "opened"}:
        return word
    late = "notified late" if over else "still open"
    return f"{word} ({late if alert['transition'] == 'notified' else alert['transition']})"


def _details(content: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    """Return the lines of one alert: what moved in the feature's own unit, its figures, why."""
    entry = _figures_of(content, alert)
    if alert["key"] == "gate" and alert["state"] != "resolved" and content["failures"]:
        return _some([plain(failure) for failure in content["failures"]])
    if entry is None:
        return [plain(alert["reason"]), *_since(alert)]
    moved = [plain(line) for line in entry.get("explanation", [])] if alert["state"] != "resolved" else []
    moved += _since(alert)
    news = alert["state"] == "resolved" or alert["transition"] in _AGAIN
    why = alert["reason"] if news else entry["reason"]
    return [*moved, _figures(entry), plain(why)]


def _since(alert: Mapping[str, Any]) -> list[str]:
    """Return the line that says since when, of an alert that is dated and not over, or was in one window only."""
    onset = alert.get("onset")
    if onset is None or (alert["state"] == "resolved" and onset["kind"] != "single"):
        return []
    return [plain(onset["words"])]


def _also(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the features that drift without being news: their alerts are known, or the table's alert covers them."""
    alerted = {a["feature"] for a in content["alerts"] if a["kind"] == "drift" and not a.get("segment", "")}
    entries = [(name, e) for name, e in content["features"].items() if name not in alerted]
    return [
        (
            f"{entry['status'].upper()} {plain(name, limit=80)}",
            "; ".join([*map(plain, entry.get("explanation", [])), _figures(entry)]),
        )
        for name, entry in entries
    ]


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"… and {more} more"] if more > 0 else [])]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message: lines under a heading, or without one, and the alert or incident of the payload it is of."""

    heading: str
    lines: tuple[str, ...]
    alert: Mapping[str, Any] | None = None


def sections(content: Mapping[str, Any]) -> list[Section]:
    """Return what a payload says, in order, each line harmless: how it stands, each alert, what else there is."""
    found = [Section("", tuple(_overall(content)))]
    found += [incident_section(each) for each in content["incidents"] if _says_more(each)]
    found += [alert_section(content, alert) for alert in content["alerts"][:MOST_SHOWN]]
    if (more := len(content["alerts"]) - MOST_SHOWN) > 0:
        found.append(Section("", (f"… and {more} more alerts",)))
    if also := _also(content):
        found.append(Section("Also drifting", tuple(_some([f"{name}: {figures}" for name, figures in also]))))
    if content["findings"]:
        findings = [plain(finding["message"]) for finding in content["findings"]]
        found.append(Section("Findings", tuple(_some(findings))))
    if content["held"]:
        found.append(Section("", (_held(content["held"]),)))
    return found


def _says_more(incident: Mapping[str, Any]) -> bool:
    return len(incident["alerts"]) > 1 or bool(incident["events"] or incident["elsewhere"])


def incident_section(incident: Mapping[str, Any]) -> Section:
    """Return what a payload says about one of its incidents: its alerts by evidence, what else happened, and where."""
    over = "over, " if incident["state"] == "resolved" else ""
    names = _some([subject(alert) for alert in incident["alerts"]])
    lines = [", ".join(names)] if len(incident["alerts"]) > 1 else []
    lines += _some([f"{subject(alert)}: {plain(alert['end'])}" for alert in incident["alerts"] if alert["end"]])
    lines += [f"also in {plain(each)}" for each in incident["elsewhere"]]
    lines += [f"{plain(each['window'], limit=60)}: {plain(each['text'])}" for each in incident["events"]]
    return Section(f"1 incident {over}{plain(incident['words'])}", tuple(lines), incident)


def alert_section(content: Mapping[str, Any], alert: Mapping[str, Any]) -> Section:
    """Return what a payload says about one of its alerts."""
    return Section(f"{_heading(alert)} {subject(alert)}", tuple(_details(content, alert)), alert)


def to_text(content: Mapping[str, Any]) -> str:
    """Render a payload as plain text, for chats and terminals."""
    parts = [
        "\n".join([part.heading, *(f"  {line}" for line in part.lines)] if part.heading else part.lines)
        for part in sections(content)
    ]
    links = [plain(content[name], limit=2000) for name in ("link", "run_url") if content[name]]
    return "\n\n".join([*parts, *(["\n".join(links)] if links else [])])


def _held(held: Mapping[str, Any]) -> str:
    some = "1 message" if held["messages"] == 1 else f"{held['messages']} messages in one"
    return f"Held back in quiet hours until {plain(held['until'])}: {some}."


def to_html(content: Mapping[str, Any]) -> str:
    """Render a payload as HTML, for mail: no styles, scripts or images, everything escaped."""
    parts = [f"<h2>{escape(title(content))}</h2>"]
    for part in sections(content):
        if part.heading:
            items = "".join(f"<li>{escape(line)}</li>" for line in part.lines)
            parts += [f"<h3>{escape(part.heading)}</h3>", f"<ul>{items}</ul>"]
        else:
            parts += [f"<p>{escape(line)}</p>" for line in part.lines]
    parts += [f'<p><a href="{escape(link)}">{escape(link)}</a></p>' for link in links(content).values()]
    return "\n".join(parts)


def links(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the web addresses that a payload, or an alert or incident of it, leads to, by what they show."""
    page = f"Open the {'alert' if 'transition' in content else 'incident' if 'words' in content else 'monitor'}"
    leads = {page: content.get("link"), "Log of the run": content.get("run_url")}
    found = {name: plain(link or "", limit=2000) for name, link in leads.items()}
    return {name: link for name, link in found.items() if is_web_address(link)}
