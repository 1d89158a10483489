"""An incident as SVG: its alerts as bands over one axis of time, since when each is, and what else happened.

As in `drift.dashboard.time_axis`, widths are percentages of the page and heights are pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.alerts.rendering import named
from drift.dashboard.formatting import clipped, shown
from drift.dashboard.time_axis import Span, grid, part
from drift.dashboard.time_marks import GLYPHS
from drift.detection.page.markup import Html, tag, text
from drift.text.formatting import many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.alerts.alerts import Alert
    from drift.alerts.incidents import Incident
    from drift.dashboard.formatting import LocalTime

MOST_LANES = 30
"""Alerts that are drawn, the first by evidence."""

TOP, LANE = 24.0, 34.0


def timeline(incident: Incident, local: LocalTime) -> Html:
    """Return the alerts of an incident, a lane each, with the windows in which each may have begun."""
    lanes = incident.alerts[:MOST_LANES]
    base = TOP + LANE * len(lanes)
    span = _span(incident, local)
    drawn = tag(
        "svg",
        list(grid(span, TOP, base)),
        list(_events(incident, span, base, local)),
        [list(_lane(alert, span, TOP + LANE * place, local)) for place, alert in enumerate(lanes)],
        height=base + 24,
        role="img",
        aria_label=f"{many(len(incident.alerts), 'alert')} over time, {incident.onset.words(local.calendar)}",
    )
    more = len(incident.alerts) - len(lanes)
    words = tag("p", f"… and {many(more, 'more alert')} in the table", class_="muted") if more else ""
    return Html(tag("div", drawn, class_="plot lanes") + words)


def _span(incident: Incident, local: LocalTime) -> Span:
    """Return the time from the window before anything began to the end of the newest window."""
    calendar = local.calendar
    begun = [incident.onset.earliest, incident.opened, *(a.onset.earliest for a in incident.alerts if a.onset)]
    first = min([*begun, *(event.at for event in incident.events)])
    last = max(alert.last_window for alert in incident.alerts)
    start = calendar.previous(calendar.containing(first)).start
    return Span(start, calendar.next(calendar.containing(last)).end, calendar.zone)


def _events(incident: Incident, span: Span, base: float, local: LocalTime) -> Iterator[Html]:
    for event in incident.events:
        x, words = part(span.at(event.at)), f"{local.named(event.at)}: {clipped(shown(event.text), 90)}"
        yield tag("line", x1=x, x2=x, y1=TOP - 6, y2=base, class_="note")
        yield tag("text", GLYPHS[event.kind], tag("title", words), x=x, y=TOP - 10, text_anchor="middle")


def _lane(alert: Alert, span: Span, top: float, local: LocalTime) -> Iterator[Html]:
    """Draw an alert from its first window to its last, and the set of windows in which it began."""
    first, last = span.at(alert.opened_window), span.at(local.calendar.containing(alert.last_window).end)
    name = clipped(named(alert.kind, alert.key, alert.feature, alert.segment), 60)
    since = f", {alert.onset.words(local.calendar)}" if alert.onset else ""
    lasted = local.lasted(alert.opened_window, alert.last_window)
    yield tag("text", shown(name), x=0, y=top + 11)
    words = text(f"{shown(name)}: {alert.worst}, {local.named(alert.opened_window)}, {lasted}{since}")
    yield tag("rect", tag("title", words), x=part(first), width=part(last - first), y=top + 16, height=12.0,
              class_=f"alert s-{alert.worst}")  # fmt: skip
    if alert.onset:
        low, high = span.at(alert.onset.earliest), span.at(local.calendar.containing(alert.onset.latest).end)
        yield tag("rect", x=part(low), width=part(high - low), y=top + 28, height=4.0, class_="onset")
