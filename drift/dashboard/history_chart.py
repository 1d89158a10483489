"""The history of a feature as SVG: its KL, its missing values and its rows over one axis of time."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from drift.dashboard.formatting import clipped, shown
from drift.dashboard.time_axis import (
    MANY,
    STRETCH,
    Panel,
    Span,
    bands,
    column,
    curve,
    grid,
    middle,
    numbers,
    part,
    stretched,
    stretches,
    through,
    uprights,
)
from drift.dashboard.time_marks import gap_of
from drift.detection.page.axes import ticks
from drift.detection.page.markup import Html, points, tag
from drift.text.formatting import figure, many, nats, percent, thousands, thresholds
from drift.text.statuses import STATUSES, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.alerts.circumstances import Event
    from drift.dashboard.formatting import LocalTime
    from drift.dashboard.time_axis import Row
    from drift.store.reads.windows import WindowState

HEIGHT = 470.0
KL, MISSING, ROWS = (34.0, 258.0), (300.0, 350.0), (382.0, 436.0)
"""Top and base of the three panels."""

ROOM = 5
"""The linear scale ends at this many times the critical threshold where most windows are below that."""

SMALLEST = 1e-5
"""Where the logarithmic scale begins at the lowest, in nats."""


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
        list(grid(span, KL[0], ROWS[1])),
        list(_axes(panel)),
        list(bands(alerts, span, local, *KL)),
        stretched(_interval(line, span, panel), *_thresholds(line, span, panel), height=HEIGHT),
        stretched(*(curve(line, of, span, panel) for of in ("kl", "kl_fixed", "kl_corrected")), height=HEIGHT),
        _quality(line, span),
        list(uprights(notes, span, KL[0], ROWS[1])),
        list(_limits(rows, panel)),
        [_mark(row, span, panel, few=len(line) <= MANY) for row in line],
        [column(row, _words(row, local), notes, span, to, (KL[0], ROWS[1]), chosen) for row in line],
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


# -- what is drawn ----------------------------------------------------------------------------------------------------


def _axes(panel: Panel) -> Iterator[Html]:
    """Name the panels, and draw the numbers of the KL."""
    yield tag("text", "KL, D(current‖reference), nats", y=11.0)
    yield tag("text", "missing", y=MISSING[0] - 8)
    yield tag("text", "rows", y=ROWS[0] - 8)
    if panel.log:
        decades = range(round(math.log10(panel.low)), round(math.log10(panel.high)) + 1)
        yield from numbers(panel, [(10.0**n, f"{10.0**n:g}") for n in decades])
    else:
        yield from numbers(panel, ticks(0.0, panel.high, 6))


def _interval(line: Iterable[Row], span: Span, panel: Panel) -> Html:
    """Draw the 95 % interval, each stretch of scores as a shape of its own."""
    path = "".join(
        f"M{through(found, 'ci_high', span, panel)}L{through(found[::-1], 'ci_low', span, panel)}z"
        for found in stretches(line, "ci_low")
    )
    return tag("path", d=Html(path), class_="band")


def _thresholds(line: Iterable[Row], span: Span, panel: Panel) -> Iterator[Html]:
    """Draw both thresholds as they were in force; one in another measure than the KL has no height here."""
    in_nats = [row if row.get("scale") == "kl" else {} for row in line]
    for name in ("warning", "critical"):
        path = ""
        for found in stretches(in_nats, name):
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
    curves = (curve(line, of, span, missing) for of in ("null_rate_reference", "null_rate_current"))
    return [
        *numbers(missing, [(value / 100, label) for value, label in ticks(0.0, 100 * missing.high, 2)], " %"),
        *numbers(rows, ticks(0.0, rows.high, 2)),
        stretched(*curves, tag("path", d=Html(bars), class_="rows"), height=HEIGHT),
    ]


def _mark(row: Row, span: Span, panel: Panel, *, few: bool) -> Html | None:
    """Draw the status of a window at the height of its score, or on the axis."""
    status = _status(row)
    x = part(middle(row, span) / 10)
    y = panel.base if row.get("kl") is None else panel.y(row["kl_corrected"])
    if status == "ok":
        return tag("circle", cx=x, cy=y, r=Html("2.2"), class_="s-ok") if few else None
    return tag("text", STATUSES[status][0], x=x, y=y + 4, text_anchor="middle", class_=f"mark s-{status}")


def _status(row: Row) -> str:
    return row["gap"] if "gap" in row else status_of(row["status"], row["severity"])


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
