"""The page of one monitor: features down, windows across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from markupsafe import Markup

from drift.alerts.circumstances import Event
from drift.dashboard import formatting, pair_view, time_marks
from drift.dashboard.formatting import LocalTime, link, local_time_of
from drift.dashboard.pages.overview import configured
from drift.dashboard.parameters import (
    LIVE,
    TO_RUN,
    Name,
    Opened,
    PageNumber,
    Segment,
    Windows,
    WindowStart,
    known_monitor,
    shown_until,
)
from drift.dashboard.rendering import base, render
from drift.store.reads import alerts
from drift.store.reads import windows as window_reads
from drift.store.store import Store
from drift.text.formatting import at_random, iso, nats, thousands, thresholds
from drift.text.statuses import STATUSES, status_of

router = APIRouter(include_in_schema=False)

CELLS_A_PAGE = 2000
EVENTS = 40
ALERTS = 5
PAIRS = 10


@router.get("/monitor")
def monitor(  # noqa: PLR0913, PLR0917 - as many as its address has parameters
    request: Request,
    store: Opened,
    name: Name,
    windows: Windows = 30,
    order: window_reads.Order = "worst",
    having: window_reads.Having = "any",
    q: Annotated[Name, Query()] = "",
    page: PageNumber = 1,
    until: WindowStart = None,
    segment: Segment = "",
) -> Response:
    """A monitor's heatmap: features down, windows across."""
    try:
        version = known_monitor(store, name)
    except HTTPException:
        if name in configured(request.app.state.monitors)[0]:
            return render(request, "message.html", title=f"{name} has never run", text=TO_RUN)
        raise
    local = local_time_of(version["config"])
    states = window_reads.window_states(store, name, windows=windows, until=shown_until(local, until), segment=segment)
    size = max(15, min(50, CELLS_A_PAGE // windows))
    total = 0
    seen: set[str] = set()
    grid: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    n_pairs = 0
    if states:
        wanted = window_reads.Wanted(order, q, having, segment)
        names, total = window_reads.features(store, name, wanted, states, limit=size, offset=(page - 1) * size)
        found = window_reads.heatmap(store, name, names, since=states[0].start, until=states[-1].start, segment=segment)
        columns = _columns(base(request), name, states, local)
        seen = {_status(column, found.get((feature, column.state.start))) for feature in names for column in columns}
        grid = [_row(base(request), name, feature, columns, found, segment) for feature in names]
        if page == 1 and not segment and not q:
            pairs, n_pairs = _pair_rows(base(request), store, name, columns)
            seen |= {status for row in pairs for status in row["statuses"]}
    now = datetime.now(UTC)
    found_alerts, n_alerts = alerts.page(store, monitor=name, states=LIVE, limit=ALERTS)
    # What was marked since the last window stands beside the newest ones.
    last = states[-1].end if states and until else now
    happened = store.circumstances(name, states[0].start, last) if states else []
    return render(
        request,
        "monitor.html",
        monitor=version,
        name=name,
        local=local,
        states=states,
        heads=_heads(states, happened, local),
        groups=_groups(states, local),
        shown_statuses=[status for status in STATUSES if status in seen],
        shown_marks=time_marks.legend(happened),
        width=_width(states),
        events=happened[::-1][:EVENTS],
        grid=grid,
        pairs=pairs,
        n_pairs=n_pairs,
        total=total,
        pages=max(1, -(-total // size)),
        page=page,
        order=order,
        having=having,
        windows=windows,
        q=q,
        until=until,
        segment=segment,
        segments=window_reads.segments(store, name),
        alerts=[{"alert": a, "local": local, "snoozed": a.snoozed(now)} for a in found_alerts],
        n_alerts=n_alerts,
    )


def _width(states: Sequence[window_reads.WindowState]) -> str:
    """Return how wide the columns are: as wide as leaves all of them in sight where the screen has 1,400 pixels."""
    return next((width for most, width in ((40, "wide"), (60, "narrow")) if len(states) <= most), "narrowest")


def _groups(states: Sequence[window_reads.WindowState], local: LocalTime) -> list[dict[str, Any]]:
    """Return the months (or years, or days) above the heads, each named as fully as its columns have room for."""
    room = {"wide": 3, "narrow": 2, "narrowest": 1.4}[_width(states)]
    found = []
    for (full, short), members in groupby(states, key=lambda state: local.heads(state.start)[:2]):
        n = len(list(members))
        found.append({"n": n, "full": full, "text": next((t for t in (full, short) if len(t) <= n * room), "")})
    if found and not found[-1]["text"]:
        # The newest may reach beyond its columns: nothing follows it.
        found[-1]["text"] = local.heads(states[-1].start)[1]
    return found


def _heads(
    states: Sequence[window_reads.WindowState], happened: Sequence[Event], local: LocalTime
) -> list[dict[str, Any]]:
    heads = []
    for state in states:
        mine = [event for event in happened if state.start <= event.at < state.end]
        glyphs = "".join(glyph for glyph, _ in time_marks.legend(mine))
        said = f"{local.label(state.start, state.end)}: {STATUSES[state.status][1]}"
        said = "; ".join([said, *(formatting.shown(event.text) for event in mine)])
        heads.append({"state": state, "short": local.heads(state.start)[2], "marks": glyphs, "said": said})
    return heads


@dataclass(frozen=True, slots=True)
class _Column:
    """A window of the heatmap, with what every cell in it repeats; all of it safe to stand in a page."""

    state: window_reads.WindowState
    label: str
    at: str
    run: str


def _columns(root: str, monitor: str, states: Sequence[window_reads.WindowState], local: LocalTime) -> list[_Column]:
    return [
        _Column(
            state,
            escape(local.label(state.start, state.end)),
            escape(link("", window=iso(state.start)).replace("?", "&") + "#window"),
            escape(root + link("runs", monitor=monitor, window=iso(state.start)) + "#window"),
        )
        for state in states
    ]


def _row(
    root: str,
    monitor: str,
    feature: str,
    columns: Sequence[_Column],
    found: Mapping[tuple[str, datetime], Any],
    segment: str,
) -> dict[str, Any]:
    shown = escape(formatting.shown(feature))
    to = escape(root + link("feature", monitor=monitor, feature=feature, segment=segment or None))
    scores = [found.get((feature, column.state.start)) for column in columns]
    scored = [score for score in scores if score is not None and score.kl is not None]
    # Thousands of cells: put together here, since a template takes three times as long for each.
    cells = "".join(_cell(shown, to, column, score) for column, score in zip(columns, scores, strict=True))
    return {
        "feature": feature,
        "cells": Markup(cells),  # noqa: S704 - every part of it is escaped
        "last": scored[-1] if scored else None,
        "worst": max(scored, key=lambda score: score.kl, default=None),
    }


def _pair_rows(root: str, store: Store, monitor: str, columns: Sequence[_Column]) -> tuple[list[dict[str, Any]], int]:
    """Return the pairs of columns that strayed in any of the windows, as rows of the heatmap, and how many did."""
    states = [column.state for column in columns]
    measured = store.measured(monitor, before=states[-1].end, limit=len(states))
    strayed = pair_view.strayed(one for one in measured if one.window_start >= states[0].start)
    alerts = pair_view.alerts_of(store, monitor, {name for pair in strayed[:PAIRS] for name in pair})
    found = []
    for a, b in strayed[:PAIRS]:
        about = [alert for alert in alerts if alert.feature in {a, b}]
        rows = pair_view.rows(states, [one.of(a, b) for one in measured if {a, b} <= {*one.columns}], about)
        to = escape(root + link("pair", monitor=monitor, a=a, b=b))
        shown = escape(f"{formatting.shown(a)} × {formatting.shown(b)}")
        cells = "".join(_pair_cell(shown, to, column, row) for column, row in zip(columns, rows, strict=True))
        values = [row["kl_corrected"] for row in rows if row["kl_corrected"] is not None]
        found.append(
            {
                "columns": (a, b),
                "cells": Markup(cells),  # noqa: S704 - every part of it is escaped
                "statuses": {row["status"] for row in rows},
                "last": values[-1] if values else None,
                "worst": max(values, default=None),
            }
        )
    return found, len(strayed)


def _pair_cell(shown: str, to: str, column: _Column, row: Mapping[str, Any]) -> str:
    if row["kl_corrected"] is None:
        return _drawn(shown, column.run, column, row["status"])
    said = f"; D(p‖q*) {nats(row['kl_corrected'])} nats, paired at random {at_random(row['mixed'])}"
    return _drawn(shown, to + column.at, column, row["status"], said, "l0" if row["status"] == "ok" else "")


def _cell(shown: str, to: str, column: _Column, score: Any) -> str:
    """Return one cell of the heatmap as HTML; what is not escaped already is so here."""
    status = _status(column, score)
    if score is None:
        return _drawn(shown, column.run, column, status)
    return _drawn(shown, to + column.at, column, status, f"; {escape(said_of(score))}", _level(score, status))


def _drawn(shown: str, to: str, column: _Column, status: str, said: str = "", level: str = "") -> str:
    """Return a cell of a row; all that it is given is escaped already."""
    glyph, words = STATUSES[status]
    label = f"{shown}, {column.label}: {words}{said}"
    # What is quiet has its shade alone: hundreds of marks would hide those that matter.
    mark = "" if status == "ok" else glyph
    return f'<td class="s-{status} {level}"><a href="{to}" aria-label="{label}">{mark}</a></td>\n'


def _status(column: _Column, score: Any) -> str:
    return time_marks.gap_of(column.state) if score is None else status_of(score.status, score.severity)


def said_of(score: Any) -> str:
    """Return everything a cell stands for, in words."""
    limits = f"thresholds {thresholds(score.warning, score.critical, score.scale)}"
    if score.kl is None:
        return f"{formatting.shown(score.reason)}; {limits}"
    return (
        f"KL {nats(score.kl)} nats, D(current‖reference), "
        f"95 % {nats(score.ci_low)} … {nats(score.ci_high)}; {limits}; "
        f"n {thousands(score.n_current)} against {thousands(score.n_reference)}"
    )


def _level(score: Any, status: str) -> str:
    """Return how far a quiet cell goes: below half the warning threshold, below it, below the critical one, above."""
    if status != "ok" or score.size is None:
        return ""
    size = score.size
    return f"l{(size >= score.warning / 2) + (size >= score.warning) + (size >= score.critical)}"
