"""The history of a feature as SVG: its KL, its missing values and its rows over one axis of time.

Widths are percentages of the page and heights are pixels, so that text keeps its size on any screen; lines and areas
are drawn in coordinates of their own, 1000 to the full width, which stretch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from drift.dashboard.formatting import clipped, shown
from drift.dashboard.time_marks import GLYPHS, gap_of
from drift.detection.page.axes import ticks, times
from drift.detection.page.markup import Html, points, tag, text
from drift.text.formatting import figure, many, nats, percent, thousands, thresholds
from drift.text.statuses import STATUSES, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from drift.alerts.alerts import Alert
    from drift.alerts.circumstances import Event
    from drift.dashboard.formatting import LocalTime
    from drift.detection.onset import Onset
    from drift.store.reads.windows import WindowState

    Row = Mapping[str, Any]

NOTED = frozenset({"mark", "baseline", "config"})
"""Kinds of events that are drawn: what changed from then on, whatever the feature."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STRETCH, HEIGHT = 1000.0, 470.0
KL, MISSING, ROWS = (34.0, 258.0), (300.0, 350.0), (382.0, 436.0)
"""Top and base of the three panels."""

ROOM = 5
"""The linear scale ends at this many times the critical threshold where most windows are below that."""

SMALLEST = 1e-5
"""Where the logarithmic scale begins at the lowest, in nats."""

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


def history(
    rows: Sequence[Row],
    states: Iterable[WindowState],
    local: LocalTime,
    notes: Sequence[Event] = (),
    alerts: Iterable[Alert] = (),
    *,
    to: Callable[[datetime], str],
    chosen: datetime | None = None,
    log: bool = False,
) -> Html:
    """Return a feature's KL with its interval and thresholds, its missing values and its rows, over time.

    Parameters
    ----------
    rows
        Stored scores of one feature, oldest first, at least one.
    states
        The windows of the monitor; those without a score are marked on the axis, and interrupt the lines.
    notes, alerts
        Marks, new baselines and configurations are upright lines. Alerts of the feature are bands from their first
        window to their last, with the set of windows in which the change began.
    to
        Where a window is opened, by its start.
    chosen
        The window that the page shows.
    log
        Whether the axis of the KL is logarithmic.
    """
    scored = {row["window_start"] for row in rows}
    gaps = [{"window_start": s.start, "window_end": s.end, "gap": gap_of(s)} for s in states if s.start not in scored]
    line: list[Row] = sorted([*rows, *gaps], key=lambda row: row["window_start"])
    span = Span(line[0]["window_start"], max(row["window_end"] for row in line), local.calendar.zone)
    panel = kl_panel(rows, log=log)
    drawn = tag(
        "svg",
        list(_grid(span, panel)),
        list(_alerts(alerts, span, local)),
        _stretched(_interval(line, span, panel), *_thresholds(line, span, panel)),
        _stretched(*(_curve(line, of, span, panel) for of in ("kl", "kl_fixed", "kl_corrected"))),
        _quality(line, span),
        list(_notes(notes, span)),
        list(_limits(rows, panel)),
        [_mark(row, span, panel, few=len(line) <= MANY) for row in line],
        [_column(row, notes, span, local, to, chosen) for row in line],
        height=HEIGHT,
        aria_hidden="true",
    )
    words = _above(rows, panel, local)
    return Html(tag("div", drawn, class_="plot") + (tag("p", words, class_="muted") if words else ""))


def kl_panel(rows: Sequence[Row], *, log: bool) -> Panel:
    """Return the axis of the KL, on which both thresholds can be told from zero, whatever the largest score."""
    scores = [row["kl_corrected"] for row in rows if row["kl"] is not None]
    fixed = [row["kl_fixed"] for row in rows if row.get("kl_fixed") is not None]
    limits = [row[name] for row in rows if row["scale"] == "kl" for name in ("warning", "critical")]
    highest = max([*scores, *fixed, *limits, 1e-4])
    if log:
        least = min([value for value in [*scores, *fixed, *limits] if value > 0], default=SMALLEST)
        low, high = math.floor(math.log10(max(least, SMALLEST))), math.ceil(math.log10(highest * 1.05))
        return Panel(*KL, 10.0**low, 10.0**high, log=True)
    if limits:
        highest = min(highest, max(ROOM * max(limits), 1.5 * median(scores or [0.0])))
    return Panel(*KL, 0.0, highest * 1.05)


def _above(rows: Sequence[Row], panel: Panel, local: LocalTime) -> str:
    """Say what is higher than the chart, the highest first."""
    scored = (row for row in rows if row["kl"] is not None and row["kl_corrected"] > panel.high)
    above = sorted(scored, key=lambda row: -row["kl_corrected"])
    said = [f"{local.named(row['window_start'])} ({figure(row['kl_corrected'])})" for row in above[:3]]
    if len(above) > 3:
        said.append(many(len(above) - 3, "more window"))
    fixed = sum((row.get("kl_fixed") or 0.0) > panel.high for row in rows)
    if fixed:
        said.append(f"the KL from the fixed baseline in {many(fixed, 'window')}")
    return f"Higher than the chart: {', '.join(said)}; the logarithmic scale shows all." if said else ""


# -- axes -------------------------------------------------------------------------------------------------------------


def _wall_clock(instant: datetime, zone: tzinfo) -> float:
    return instant.astimezone(zone).replace(tzinfo=UTC).timestamp()


def _part(percentage: float) -> Html:
    return Html(f"{percentage:.2f}%")


def _stretched(*children: object) -> Html:
    return tag("svg", *children, viewBox=Html(f"0 0 {STRETCH:g} {HEIGHT:g}"), preserveAspectRatio="none",
               width=Html("100%"), height=HEIGHT)  # fmt: skip


def _grid(span: Span, panel: Panel) -> Iterator[Html]:
    """Draw ticks of time across all panels, and those of each panel's own numbers."""
    wide, phone = span.ticks(WIDE), span.ticks(PHONE)
    for at, label in (wide | phone).items():
        seen = None if at in wide and at in phone else "wide" if at in wide else "phone"
        x = _part(at)
        yield tag("line", x1=x, x2=x, y1=KL[0], y2=ROWS[1], class_=f"grid {seen}" if seen else "grid")
        yield tag("text", label, x=x, y=ROWS[1] + 18, text_anchor="middle" if at < 96 else "end", class_=seen)
    yield tag("text", "KL, D(current‖reference), nats", y=11.0)
    yield tag("text", "missing", y=MISSING[0] - 8)
    yield tag("text", "rows", y=ROWS[0] - 8)
    if panel.log:
        decades = range(round(math.log10(panel.low)), round(math.log10(panel.high)) + 1)
        yield from _numbers(panel, [(10.0**n, f"{10.0**n:g}") for n in decades])
    else:
        yield from _numbers(panel, ticks(0.0, panel.high, 6))


def _numbers(panel: Panel, found: Iterable[tuple[float, str]], unit: str = "") -> Iterator[Html]:
    for value, label in found:
        y = panel.y(value)
        yield tag("line", x1=0, x2=Html("100%"), y1=y, y2=y, class_="grid")
        yield tag("text", f"{label}{unit}", x=-6, y=y + 4, text_anchor="end")


# -- what is drawn ----------------------------------------------------------------------------------------------------


def _stretches(line: Iterable[Row], of: str) -> Iterator[list[Row]]:
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


def _middle(row: Row, span: Span) -> float:
    return (span.at(row["window_start"], STRETCH) + span.at(row["window_end"], STRETCH)) / 2


def _through(rows: Iterable[Row], of: str, span: Span, panel: Panel) -> str:
    return "L".join(points("{} {}", _middle(row, span), panel.y(row[of])) for row in rows)


def _curve(line: Iterable[Row], of: str, span: Span, panel: Panel) -> Html:
    """Draw a line from window to window, broken where one has no such number."""
    path = "".join(f"M{_through(found, of, span, panel)}h.1" for found in _stretches(line, of))
    return tag("path", d=Html(path), class_=f"line {of}")


def _interval(line: Iterable[Row], span: Span, panel: Panel) -> Html:
    """Draw the 95 % interval, each stretch of scores as a shape of its own."""
    path = "".join(
        f"M{_through(found, 'ci_high', span, panel)}L{_through(found[::-1], 'ci_low', span, panel)}z"
        for found in _stretches(line, "ci_low")
    )
    return tag("path", d=Html(path), class_="band")


def _thresholds(line: Iterable[Row], span: Span, panel: Panel) -> Iterator[Html]:
    """Draw both thresholds as they were in force; one in another measure than the KL has no height here."""
    in_nats = [row if row.get("scale") == "kl" else {} for row in line]
    for name in ("warning", "critical"):
        path = ""
        for found in _stretches(in_nats, name):
            path += points("M{} {}", span.at(found[0]["window_start"], STRETCH), panel.y(found[0][name]))
            ends = ((panel.y(row[name]), span.at(row["window_end"], STRETCH)) for row in found)
            path += "".join(points("V{}H{}", *end) for end in ends)
        yield tag("path", d=Html(path), class_=f"line limit {name}")


def _limits(rows: Sequence[Row], panel: Panel) -> Iterator[Html]:
    """Write the newest thresholds over their lines, where there is room between them."""
    taken = math.inf
    for row in [row for row in rows if row["scale"] == "kl"][-1:]:
        for name in ("critical", "warning"):
            y = panel.y(row[name])
            if abs(y - taken) >= 12:
                yield tag("text", f"{name} {row[name]:g}", x=Html("100%"), dx=6, y=y + 4, class_=f"{name} wide")
            taken = y


def _quality(line: Sequence[Row], span: Span) -> list[Html]:
    """Draw the missing values of each window and of its reference, and its rows."""
    rates = [row[of] for row in line for of in ("null_rate_current", "null_rate_reference") if row.get(of) is not None]
    missing = Panel(*MISSING, 0.0, max([0.01, *rates]) * 1.05)
    rows = Panel(*ROWS, 0.0, max([1, *(row.get("n_current") or 0 for row in line)]) * 1.05)
    bars = "".join(
        points("M{} {}V{}H{}V{}z", at, ROWS[1], rows.y(row["n_current"]), span.at(row["window_end"], STRETCH), ROWS[1])
        for row in line
        if row.get("n_current")
        for at in [span.at(row["window_start"], STRETCH)]
    )
    curves = (_curve(line, of, span, missing) for of in ("null_rate_reference", "null_rate_current"))
    return [
        *_numbers(missing, [(value / 100, label) for value, label in ticks(0.0, 100 * missing.high, 2)], " %"),
        *_numbers(rows, ticks(0.0, rows.high, 2)),
        _stretched(*curves, tag("path", d=Html(bars), class_="rows")),
    ]


def _alerts(alerts: Iterable[Alert], span: Span, local: LocalTime) -> Iterator[Html]:
    """Draw a band for each alert, a strip in its colour above it."""
    for alert in alerts:
        first, last = span.at(alert.opened_window), span.at(local.calendar.containing(alert.last_window).end)
        first, last = max(first, 0.0), min(last, 100.0)
        if first < last:
            place = {"x": _part(first), "width": _part(last - first), "class_": f"alert s-{alert.worst}"}
            yield tag("rect", y=KL[0] - 8, height=5.0, **place)
            yield tag("rect", y=KL[0], height=KL[1] - KL[0], fill_opacity=Html("0.1"), **place)
        if alert.onset:
            yield from _onset(alert.onset, span, local)


def _onset(onset: Onset, span: Span, local: LocalTime) -> Iterator[Html]:
    """Draw since when: the set that holds the first window, and a line at the most likely one where it stayed."""
    first, last = span.at(onset.earliest), span.at(local.calendar.containing(onset.latest).end)
    first, last = max(first, 0.0), min(last, 100.0)
    if first < last:
        x = _part(max(span.at(onset.most_likely), 0.0))
        yield tag("rect", x=_part(first), width=_part(last - first), y=KL[0], height=6.0, class_="onset")
        if onset.kind != "single":
            yield tag("line", x1=x, x2=x, y1=KL[0], y2=KL[1], class_="onset")


def _notes(notes: Iterable[Event], span: Span) -> Iterator[Html]:
    for note in notes:
        x = _part(span.at(note.at))
        yield tag("line", x1=x, x2=x, y1=KL[0] - 8, y2=ROWS[1], class_="note")
        yield tag("text", GLYPHS[note.kind], x=x, y=KL[0] - 10, text_anchor="middle")


def _mark(row: Row, span: Span, panel: Panel, *, few: bool) -> Html | None:
    """Draw the status of a window at the height of its score, or on the axis."""
    status = _status(row)
    x = _part(_middle(row, span) / 10)
    y = panel.base if row.get("kl") is None else panel.y(row["kl_corrected"])
    if status == "ok":
        return tag("circle", cx=x, cy=y, r=Html("2.2"), class_="s-ok") if few else None
    return tag("text", STATUSES[status][0], x=x, y=y + 4, text_anchor="middle", class_=f"mark s-{status}")


def _status(row: Row) -> str:
    return row["gap"] if "gap" in row else status_of(row["status"], row["severity"])


def _column(
    row: Row,
    notes: Iterable[Event],
    span: Span,
    local: LocalTime,
    to: Callable[[datetime], str],
    chosen: datetime | None,
) -> Html:
    """Return the window as a column over all panels: it says its numbers, and opens."""
    first, last = span.at(row["window_start"]), span.at(row["window_end"])
    column = tag("rect", x=_part(first), width=_part(last - first), y=KL[0], height=ROWS[1] - KL[0],
                 class_="chosen" if row["window_start"] == chosen else None)  # fmt: skip
    mine = [note for note in notes if row["window_start"] <= note.at < row["window_end"]]
    said = [f"{GLYPHS[note.kind]} {clipped(shown(note.text), 90)}" for note in mine]
    # The table of windows is there for the keyboard.
    return tag(
        "a",
        tag("title", Html("\n".join(map(text, [*_words(row, local), *said])))),
        column,
        href=to(row["window_start"]),
        tabindex=-1,
    )


def _words(row: Row, local: LocalTime) -> Iterator[str]:
    yield f"{local.label(row['window_start'], row['window_end'])}: {STATUSES[_status(row)][1]}"
    if "gap" in row:
        return
    if row["kl"] is not None:
        yield f"KL {nats(row['kl'])} nats, corrected {nats(row['kl_corrected'])}"
        yield f"95 % {nats(row['ci_low'])} … {nats(row['ci_high'])}"
        yield f"thresholds {thresholds(row['warning'], row['critical'], row['scale'])}"
        if row.get("kl_fixed") is not None:
            yield f"from the fixed baseline {nats(row['kl_fixed'])}"
        yield f"{thousands(row['n_current'])} rows against {thousands(row['n_reference'])}"
        yield f"missing {percent(row['null_rate_current'])}, in the reference {percent(row['null_rate_reference'])}"
    yield clipped(shown(row["reason"]), 90)
