"""The page of two columns: how they go together, over time and in one window; and all pairs of a window."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request, Response

from drift.dashboard import joint_tables, pair_chart, pair_view, time_axis, time_marks
from drift.dashboard.formatting import link, local_time_of
from drift.dashboard.parameters import Name, Opened, Windows, WindowStart, instant, known_monitor
from drift.dashboard.rendering import base, render
from drift.detection.pair import what_moved
from drift.errors import NotCompared
from drift.pipeline.recall import recall_pair
from drift.store.reads import windows as window_reads
from drift.text.formatting import iso
from drift.text.statuses import STATUSES

router = APIRouter(include_in_schema=False)

SHOWN = 20
"""Pairs of a window that are listed."""


@router.get("/pair")
def pair(
    request: Request,
    store: Opened,
    monitor: Name,
    a: Name,
    b: Name,
    window: WindowStart = None,
    windows: Windows = 90,
) -> Response:
    """Two columns over time, and one window of them cell by cell beside what would be usual."""
    version = known_monitor(store, monitor)
    local = local_time_of(version["config"])
    at = instant(local, window)
    states = pair_view.course(store, monitor, windows, at, local)
    if not states:
        raise HTTPException(404, f"no window of {monitor} is stored")
    measured = store.pair_history(monitor, a, b, since=states[0].start, until=states[-1].end, limit=windows)
    alerts = pair_view.alerts_of(store, monitor, (a, b))
    rows = pair_view.rows(states, measured, alerts)
    at = at or (measured[-1].window_start if measured else states[-1].start)
    found, why_not = None, ""
    try:
        found = recall_pair(store, monitor, at, (a, b))
    except NotCompared as error:
        why_not = str(error)
        if not measured or a == b:
            raise HTTPException(404, why_not) from error
    moved = found.compared.moved()[: joint_tables.OUTLINED] if found else ()
    happened = store.circumstances(monitor, states[0].start, states[-1].end)
    happened = [event for event in happened if event.kind in time_axis.NOTED]
    in_force = store.measured_in(monitor, at)

    def to(start: datetime) -> str:
        return f"{base(request)}{link('pair', monitor=monitor, a=a, b=b, window=iso(start), windows=windows)}#window"

    return render(
        request,
        "pair.html",
        name=monitor,
        a=a,
        b=b,
        local=local,
        at=at,
        label=local.named(at),
        shown_status=next((row["status"] for row in rows if row["window_start"] == at), "absent"),
        rows=rows[::-1],
        found=found,
        why_not=why_not,
        moved=moved,
        changed=what_moved((a, b), moved, most=2),
        tables=joint_tables.joint_tables(found.compared, moved if found.measured.strays else ()) if found else None,
        chart=pair_chart.history(rows, local, happened, alerts, to=to, chosen=at),
        shown_statuses=[status for status in STATUSES if status in {row["status"] for row in rows}],
        shown_marks=time_marks.legend(happened),
        alerts=alerts[:4],
        columns=in_force.columns if in_force else (),
        windows=windows,
    )


@router.get("/pairs")
def pairs(request: Request, store: Opened, monitor: Name, window: WindowStart = None, column: Name = "") -> Response:
    """The pairs of a window, the most unusual first, and a way to any other."""
    version = known_monitor(store, monitor)
    local = local_time_of(version["config"])
    at = instant(local, window)
    newest = window_reads.window_states(store, monitor, windows=1, until=datetime.now(UTC))
    at = at or (newest[-1].start if newest else datetime.now(UTC))
    measured, report = store.measured_in(monitor, at), store.load_report(monitor, at)
    columns = measured.columns if measured else ()
    alerts = pair_view.alerts_of(store, monitor, [column] if column else columns)
    lines = pair_view.unusual(measured, alerts, column) if measured else []
    here = local.calendar.containing(at)
    return render(
        request,
        "pairs.html",
        name=monitor,
        local=local,
        at=at,
        column=column,
        columns=columns,
        lines=lines[:SHOWN],
        total=len(lines),
        why_not=report.unjudged_pairs if report else "nothing is stored for this window",
        earlier=local.calendar.previous(here).start,
        later=local.calendar.next(here).start,
    )
