"""The axis of time that charts share, and what stands on it whatever a chart is of.

Widths are percentages of the page and heights are pixels, so that text keeps its size on any screen; lines and areas
are drawn in coordinates of their own, 1000 to the full width, which stretch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from drift.dashboard.formatting import clipped, shown
from drift.dashboard.time_marks import GLYPHS
from drift.detection.page.axes import times
from drift.detection.page.markup import Html, points, tag, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import tzinfo

    from drift.alerts.alerts import Alert
    from drift.alerts.circumstances import Event
    from drift.dashboard.formatting import LocalTime
    from drift.detection.onset import Onset

    Row = Mapping[str, Any]

NOTED = frozenset({"mark", "baseline", "config"})
"""Kinds of events that are drawn: what changed from then on, whatever the feature."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STRETCH = 1000.0

MANY = 120
"""Of more windows than this, those that are ok have no mark of their own."""

WIDE, PHONE = 10, 3
"""How many ticks of time there is room for."""


@dataclass(frozen=True, slots=True)
class Span:
    """The axis of time, from the first window's start to the last one's end."""

    start: datetime
    end: datetime
    zone: tzinfo

    def at(self, instant: datetime, width: float = 100.0) -> float:
        """Return where an instant stands on an axis so wide.

        Examples
        --------
        >>> span = Span(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 5, tzinfo=UTC), UTC)
        >>> span.at(datetime(2013, 1, 2, tzinfo=UTC))
        25.0
        """
        return width * ((instant - self.start) / (self.end - self.start))

    def ticks(self, most: int) -> dict[float, str]:
        """Return the places of round local times, in percent, and how these are written."""
        low, high = (_wall_clock(instant, self.zone) for instant in (self.start, self.end))
        return {
            self.at((_EPOCH + timedelta(seconds=at)).replace(tzinfo=self.zone).astimezone(UTC)): label
            for at, label in times(low, high, most)
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """An axis of numbers from `base` up to `top`; what lies beyond stands at its ends."""

    top: float
    base: float
    low: float
    high: float
    log: bool = False

    def y(self, value: float) -> float:
        """Return the height of a value.

        Examples
        --------
        >>> Panel(0.0, 100.0, 0.0, 2.0).y(0.5), Panel(0.0, 100.0, 0.01, 1.0, log=True).y(0.1)
        (75.0, 50.0)
        """
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        at = math.log10(max(value, self.low)) if self.log else value
        return self.base - (self.base - self.top) * min(max((at - low) / (high - low), 0.0), 1.0)


def part(percentage: float) -> Html:
    """Write a place on the axis."""
    return Html(f"{percentage:.2f}%")


def _wall_clock(instant: datetime, zone: tzinfo) -> float:
    return instant.astimezone(zone).replace(tzinfo=UTC).timestamp()


def stretched(*children: object, height: float) -> Html:
    """Return a drawing in coordinates of its own over the whole chart."""
    return tag("svg", *children, viewBox=Html(f"0 0 {STRETCH:g} {height:g}"), preserveAspectRatio="none",
               width=Html("100%"), height=height)  # fmt: skip


def grid(span: Span, top: float, base: float) -> Iterator[Html]:
    """Draw ticks of round local times, fewer on a phone."""
    wide, phone = span.ticks(WIDE), span.ticks(PHONE)
    for at, label in (wide | phone).items():
        seen = None if at in wide and at in phone else "wide" if at in wide else "phone"
        x = part(at)
        yield tag("line", x1=x, x2=x, y1=top, y2=base, class_=f"grid {seen}" if seen else "grid")
        anchor = "middle" if 4 < at < 96 else "start" if at < 50 else "end"
        yield tag("text", label, x=x, y=base + 18, text_anchor=anchor, class_=seen)


def numbers(panel: Panel, found: Iterable[tuple[float, str]], unit: str = "") -> Iterator[Html]:
    """Draw the ticks of a panel's own numbers."""
    for value, label in found:
        y = panel.y(value)
        yield tag("line", x1=0, x2=Html("100%"), y1=y, y2=y, class_="grid")
        yield tag("text", f"{label}{unit}", x=-6, y=y + 4, text_anchor="end")


def stretches(line: Iterable[Row], of: str) -> Iterator[list[Row]]:
    """Return the windows in a row that hold such a number."""
    found: list[Row] = []
    for row in line:
        if row.get(of) is not None:
            found.append(row)
        elif found:
            yield found
            found = []
    if found:
        yield found


def middle(row: Row, span: Span) -> float:
    """Return where the middle of a window stands in a stretched drawing."""
    return (span.at(row["window_start"], STRETCH) + span.at(row["window_end"], STRETCH)) / 2


def through(rows: Iterable[Row], of: str, span: Span, panel: Panel) -> str:
    """Return a path from window to window."""
    return "L".join(points("{} {}", middle(row, span), panel.y(row[of])) for row in rows)


def curve(line: Iterable[Row], of: str, span: Span, panel: Panel) -> Html:
    """Draw a line from window to window, broken where one has no such number."""
    path = "".join(f"M{through(found, of, span, panel)}h.1" for found in stretches(line, of))
    return tag("path", d=Html(path), class_=f"line {of}")


def bands(alerts: Iterable[Alert], span: Span, local: LocalTime, top: float, base: float) -> Iterator[Html]:
    """Draw a band for each alert, a strip in its colour above it."""
    for alert in alerts:
        first, last = span.at(alert.opened_window), span.at(local.calendar.containing(alert.last_window).end)
        first, last = max(first, 0.0), min(last, 100.0)
        if first < last:
            place = {"x": part(first), "width": part(last - first), "class_": f"alert s-{alert.worst}"}
            yield tag("rect", y=top - 8, height=5.0, **place)
            yield tag("rect", y=top, height=base - top, fill_opacity=Html("0.1"), **place)
        if alert.onset:
            yield from _onset(alert.onset, span, local, top, base)


def _onset(onset: Onset, span: Span, local: LocalTime, top: float, base: float) -> Iterator[Html]:
    """Draw since when: the set that holds the first window, and a line at the most likely one where it stayed."""
    first, last = span.at(onset.earliest), span.at(local.calendar.containing(onset.latest).end)
    first, last = max(first, 0.0), min(last, 100.0)
    if first < last:
        x = part(max(span.at(onset.most_likely), 0.0))
        yield tag("rect", x=part(first), width=part(last - first), y=top, height=6.0, class_="onset")
        if onset.kind != "single":
            yield tag("line", x1=x, x2=x, y1=top, y2=base, class_="onset")


def uprights(events: Iterable[Event], span: Span, top: float, base: float) -> Iterator[Html]:
    """Draw an upright line for each thing that happened."""
    for note in events:
        x = part(span.at(note.at))
        yield tag("line", x1=x, x2=x, y1=top - 8, y2=base, class_="note")
        yield tag("text", GLYPHS[note.kind], x=x, y=top - 10, text_anchor="middle")


def column(
    row: Row,
    words: Iterable[str],
    events: Iterable[Event],
    span: Span,
    to: Callable[[datetime], str],
    heights: tuple[float, float],
    chosen: datetime | None,
) -> Html:
    """Return a window as a column over all panels: it says its numbers, and opens."""
    first, last = span.at(row["window_start"]), span.at(row["window_end"])
    top, base = heights
    drawn = tag("rect", x=part(first), width=part(last - first), y=top, height=base - top,
                class_="chosen" if row["window_start"] == chosen else None)  # fmt: skip
    mine = [note for note in events if row["window_start"] <= note.at < row["window_end"]]
    said = [f"{GLYPHS[note.kind]} {clipped(shown(note.text), 90)}" for note in mine]
    # The table of windows is there for the keyboard.
    return tag(
        "a",
        tag("title", Html("\n".join(map(text, [*words, *said])))),
        drawn,
        href=to(row["window_start"]),
        tabindex=-1,
    )
