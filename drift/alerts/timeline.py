"""A timeline: what a monitor's alerts did over a time, in words, as an operator would have written it down.

Written in Markdown, a day at a time, from the stored events of the alerts (`drift.alerts.alerts.AlertEvent`) alone.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from drift.alerts.alerts import NOTIFIED, SYSTEM
from drift.alerts.rendering import named
from drift.text.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drift.alerts.alerts import Alert, AlertEvent
    from drift.windows import Calendar

_NOT_NEWS = ("known:", "superseded:", "unheard:", "handed over:", "inhibited:")
"""Why nobody was notified of an event that is not news: it stands in the alert's own timeline, not here."""

_ENDS = {"resolved", "withdrawn"}


def timeline(alerts: Iterable[Alert], events: Iterable[AlertEvent], calendar: Calendar) -> str:
    """Write what happened: a paragraph for each time that people were notified, were not notified, or acted.

    In Markdown, under a heading a month, which says how many messages were pages (something opened, grew worse, or went
    on unacknowledged) and how many were about ends alone; empty where nothing happened. What is not news (one more
    window, one quiet window, a lower severity) is left out. Windows and times are as in the monitor's `calendar`.
    """
    known = {alert.id: alert for alert in alerts}
    shown = sorted(
        (event for event in events if _is_shown(event)),
        key=lambda e: (e.at, known[e.alert_id].key, known[e.alert_id].opened_window, e.seq),
    )
    parts = []
    for month, of_month in groupby(shown, key=lambda e: f"{e.at.astimezone(calendar.zone):%B %Y}"):
        moments = [list(each) for _, each in groupby(of_month, key=lambda e: e.at)]
        parts += [f"### {month}", f"*{_counted(moments)}*", *(_moment(each, known, calendar) for each in moments)]
    return "\n\n".join(parts)


def _is_shown(event: AlertEvent) -> bool:
    if event.actor != SYSTEM:
        return True
    return event.transition in NOTIFIED and not event.suppressed_by.startswith(_NOT_NEWS)


def _is_message(event: AlertEvent) -> bool:
    return event.actor == SYSTEM and event.transition in NOTIFIED and not event.suppressed_by


def _counted(moments: list[list[AlertEvent]]) -> str:
    sent = [{e.transition for e in events if _is_message(e)} for events in moments]
    ends = sum(kinds != set() and kinds <= _ENDS for kinds in sent)
    again = sum(kinds != set() and kinds <= {*_ENDS, "repeated"} for kinds in sent) - ends
    paged = sum(map(bool, sent)) - ends
    reminders = f" ({again} of them reminders)" if again else ""
    return f"{paged} page{'s' * (paged != 1)}{reminders}, {ends} message{'s' * (ends != 1)} of ends alone"


def _moment(events: list[AlertEvent], known: Mapping[str, Alert], calendar: Calendar) -> str:
    when = f"{events[0].at.astimezone(calendar.zone):%a %m-%d %H:%M}"
    starts = {event.window_start for event in events if event.window_start is not None}
    windows = ", ".join(calendar.label(calendar.containing(start)) for start in sorted(starts))
    lines = [f"- {_line(event, known[event.alert_id], calendar)}" for event in events]
    return "\n".join([f"**{when}**{f', of {windows}' if windows else ''}", "", *lines])


def _line(event: AlertEvent, alert: Alert, calendar: Calendar) -> str:
    name = f"**{_safe(named(alert.kind, alert.key, alert.feature, alert.segment))}**"
    since = calendar.label(calendar.containing(alert.opened_window))
    name += f" (since {since})" if event.transition in {"resolved", "repeated", "notified"} else ""
    who = f" by {_safe(event.actor)}" if event.actor != SYSTEM else ""
    why = event.suppressed_by if event.actor == SYSTEM else ""
    quietly = f" *Not notified: {_safe(why)}.*" if why else ""
    return f"{event.transition} {name}{who}: {_safe(event.reason)}.{quietly}"


def _safe(text: object) -> str:
    """Return text of any origin as one harmless line of Markdown."""
    return markdown(text, limit=1000).rstrip(".")
