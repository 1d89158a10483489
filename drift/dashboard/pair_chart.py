"""The history of a pair of columns as SVG: how far its pairing is from its reference, and its rows paired at random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drift.dashboard.time_axis import (
    MANY,
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
    uprights,
)
from drift.detection.page.axes import ticks
from drift.detection.page.markup import Html, tag
from drift.text.formatting import at_random, nats
from drift.text.statuses import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.alerts.circumstances import Event
    from drift.dashboard.formatting import LocalTime
    from drift.dashboard.time_axis import Row

HEIGHT = 392.0
KL, MIXED = (34.0, 258.0), (300.0, 358.0)
"""Top and base of the two panels."""


def history(
    rows: Sequence[Row],
    local: LocalTime,
    notes: Sequence[Event],
    alerts: Sequence[Alert],
    *,
    to: Callable[[datetime], str],
    chosen: datetime | None,
) -> Html:
    """Return the divergence of a pair's pairing and its share of rows paired at random, over time.

    Parameters
    ----------
    rows
        Windows, oldest first, at least one, each with its `status`; `kl_corrected`, `mixed` and `z` are None where it
        was not measured.
    notes, alerts, to, chosen
        As in `drift.dashboard.history_chart.history`.
    """
    span = Span(rows[0]["window_start"], rows[-1]["window_end"], local.calendar.zone)
    kl, mixed = (
        Panel(*place, 0.0, min(max([low, *(row[of] for row in rows if row[of] is not None)]), high) * 1.05)
        for place, low, high, of in ((KL, 1e-4, math.inf, "kl_corrected"), (MIXED, 0.01, 1.0, "mixed"))
    )
    drawn = tag(
        "svg",
        list(grid(span, KL[0], MIXED[1])),
        tag("text", "D(p‖q*), nats", y=11.0),
        tag("text", "paired at random", y=MIXED[0] - 8),
        list(numbers(kl, ticks(0.0, kl.high, 6))),
        list(numbers(mixed, [(value / 100, label) for value, label in ticks(0.0, 100 * mixed.high, 2)], " %")),
        list(bands(alerts, span, local, *KL)),
        stretched(curve(rows, "kl_corrected", span, kl), curve(rows, "mixed", span, mixed), height=HEIGHT),
        list(uprights(notes, span, KL[0], MIXED[1])),
        [_mark(row, span, kl, few=len(rows) <= MANY) for row in rows],
        [column(row, _words(row, local), notes, span, to, (KL[0], MIXED[1]), chosen) for row in rows],
        height=HEIGHT,
        aria_hidden="true",
    )
    return tag("div", drawn, class_="plot")


def _mark(row: Row, span: Span, panel: Panel, *, few: bool) -> Html | None:
    """Draw the status of a window at the height of its divergence, or on the axis."""
    x = part(middle(row, span) / 10)
    y = panel.base if row["kl_corrected"] is None else panel.y(row["kl_corrected"])
    if row["status"] == "ok":
        return tag("circle", cx=x, cy=y, r=Html("2.2"), class_="s-ok") if few else None
    return tag("text", STATUSES[row["status"]][0], x=x, y=y + 4, text_anchor="middle", class_=f"mark s-{row['status']}")


def _words(row: Row, local: LocalTime) -> Iterator[str]:
    yield f"{local.label(row['window_start'], row['window_end'])}: {STATUSES[row['status']][1]}"
    if row["kl_corrected"] is not None:
        yield f"D(p‖q*) {nats(row['kl_corrected'])} nats, corrected"
        yield f"paired at random {at_random(row['mixed'])}"
    if row["z"] is not None:
        yield f"{row['z']:.1f} robust standard deviations beyond its own history"
