"""Runs and data quality: how each window was run, and what its expectations observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from drift.dashboard import formatting
from drift.dashboard.formatting import Place, place_of
from drift.dashboard.parameters import Maybe, Moment, Opened, Windows, instant, known_monitor
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
    until: Moment = None,
    window: Moment = None,
) -> Response:
    """Runs, newest window first; for one monitor, its expectations and what the gate observed."""
    stored = {row["monitor"]: row for row in store.monitors()}
    places = {name: place_of(row["config"]) for name, row in stored.items()}
    context: dict[str, Any] = {"monitors": sorted(stored), "monitor": monitor, "windows": windows, "until": until}
    if not monitor:
        moments = [m for found in window_reads.timelines(store, windows=min(windows, 10)).values() for m in found]
        rows = _rows(sorted(moments, key=lambda m: (m.start, m.monitor), reverse=True), places)
        empty: dict[str, Any] = {"expectations": [], "chosen": None, "outcomes": [], "place": None, "asked": None}
        return render(request, "runs.html", **context, rows=rows, **empty)
    known_monitor(store, monitor)
    place = places[monitor]
    moments = window_reads.timelines(store, monitor, windows=windows, until=instant(place, until)).get(monitor, [])
    at = instant(place, window)
    chosen = None
    if at is not None:
        chosen = next(iter(window_reads.timelines(store, monitor, windows=1, at=at).get(monitor, [])), None)
    return render(
        request,
        "runs.html",
        **context,
        rows=_rows(moments[::-1], places),
        expectations=window_reads.expectations(store, monitor, since=moments[0].start) if moments else [],
        chosen=_rows([chosen], places)[0] if chosen else None,
        outcomes=store.validations(monitor, Window(chosen.start, chosen.end)) if chosen else [],
        place=place,
        asked=window,
    )


def _rows(moments: Sequence[window_reads.WindowState], places: Mapping[str, Place]) -> list[dict[str, Any]]:
    rows = []
    for moment in moments:
        place = places.get(moment.monitor, place_of({}))
        rows.append(
            {
                "moment": moment,
                "place": place,
                "label": place.label(moment.start, moment.end),
                "url": formatting.web_address(moment.run.get("url")),
            }
        )
    return rows
