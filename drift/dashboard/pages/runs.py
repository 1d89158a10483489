"""Runs and data quality: how each window was run, and what its expectations observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from drift.dashboard import formatting
from drift.dashboard.formatting import LocalTime, local_time_of
from drift.dashboard.parameters import (
    Maybe,
    Opened,
    Windows,
    WindowStart,
    instant,
    known_monitor,
    local_times,
    shown_until,
)
from drift.dashboard.rendering import render
from drift.store.reads import windows as window_reads
from drift.windows import Window

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(
    request: Request,
    store: Opened,
    monitor: Maybe = None,
    windows: Windows = 30,
    until: WindowStart = None,
    window: WindowStart = None,
) -> Response:
    """Runs, newest window first; for one monitor, its expectations and what the gate observed."""
    times = local_times(store)
    context: dict[str, Any] = {"monitors": sorted(times), "monitor": monitor, "windows": windows, "until": until}
    if not monitor:
        newest = window_reads.newest_windows(store, windows=min(windows, 10), until=datetime.now(UTC))
        states = [m for found in newest.values() for m in found]
        rows = _rows(sorted(states, key=lambda m: (m.start, m.monitor), reverse=True), times)
        empty: dict[str, Any] = {"expectations": [], "chosen": None, "outcomes": [], "local": None, "asked": None}
        return render(request, "runs.html", **context, rows=rows, **empty)
    local = local_time_of(known_monitor(store, monitor)["config"])
    states = window_reads.window_states(store, monitor, windows=windows, until=shown_until(local, until))
    at = instant(local, window)
    found = window_reads.window_states(store, monitor, windows=1, at=at) if at is not None else []
    return render(
        request,
        "runs.html",
        **context,
        rows=_rows(states[::-1], times),
        expectations=window_reads.expectations(store, monitor, since=states[0].start) if states else [],
        chosen=_rows(found, times)[0] if found else None,
        outcomes=store.validations(monitor, Window(found[0].start, found[0].end)) if found else [],
        local=local,
        asked=window,
    )


def _rows(states: Sequence[window_reads.WindowState], times: Mapping[str, LocalTime]) -> list[dict[str, Any]]:
    return [
        {
            "state": state,
            "local": times[state.monitor],
            "label": times[state.monitor].label(state.start, state.end),
            "url": formatting.web_address(state.run.get("url")),
        }
        for state in states
    ]
