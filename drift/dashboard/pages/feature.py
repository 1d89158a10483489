"""The page of one feature: its scores over time, and one window cell by cell, compared with any reference."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request, Response

from drift.dashboard import feature_view, history_chart, other_references, time_axis, time_marks
from drift.dashboard.formatting import link, local_time_of
from drift.dashboard.parameters import ALL, Against, Name, Opened, Segment, Windows, WindowStart, instant, known_monitor
from drift.dashboard.rendering import base, render
from drift.store.reads import alerts, features
from drift.store.reads import windows as window_reads
from drift.text.formatting import iso
from drift.text.statuses import STATUSES, status_of

router = APIRouter(include_in_schema=False)

Scale = Literal["linear", "log"]

MOST_ALERTS = 100
"""Alerts that are drawn on the time axis, the newest."""


@router.get("/feature")
def feature(  # noqa: PLR0913, PLR0917 - as many as its address has parameters
    request: Request,
    store: Opened,
    monitor: Name,
    feature: Name,
    window: WindowStart = None,
    windows: Windows = 90,
    scale: Scale = "linear",
    against: Against = None,
    segment: Segment = "",
) -> Response:
    """A feature over time, and one window of it cell by cell."""
    version = known_monitor(store, monitor)
    local = local_time_of(version["config"])
    at = instant(local, window)
    rows, states = feature_view.course(store, monitor, feature, windows, at, local, segment)
    if at is None:
        at = next((row["window_start"] for row in rows[::-1] if row["kl"] is not None), rows[-1]["window_start"])
    found = features.detail(store, monitor, feature, at, segment)
    compared = feature_view.compare(store, monitor, feature, found, local, against) if found else None
    statuses = [status_of(row["status"], row["severity"]) for row in rows]
    scored = {row["window_start"] for row in rows}
    seen = {*statuses, *(time_marks.gap_of(m) for m in states if m.start not in scored)}
    has_baseline = features.baseline(store, monitor, feature) is not None
    happened = store.circumstances(monitor, states[0].start, states[-1].end) if states else []
    happened = [event for event in happened if event.kind in time_axis.NOTED]
    alerted = [
        alert
        for alert in alerts.page(store, monitor=monitor, feature=feature, states=ALL, limit=MOST_ALERTS)[0]
        if alert.segment == segment
    ]

    def to(start: datetime) -> str:
        given = {"monitor": monitor, "feature": feature, "window": iso(start), "windows": windows, "scale": scale}
        return f"{base(request)}{link('feature', **given, segment=segment or None)}#window"

    chart = history_chart.history(rows, states, local, happened, alerted, to=to, chosen=at, log=scale == "log")
    newest = store.scores(monitor, feature=feature, segment=segment, until=datetime.now(UTC), windows=1) or rows
    return render(
        request,
        "feature.html",
        monitor=version,
        name=monitor,
        feature=feature,
        local=local,
        rows=[{"row": row, "status": status} for row, status in zip(rows[::-1], statuses[::-1], strict=True)],
        segment=segment,
        segments=window_reads.segments(store, monitor),
        newest=newest[-1],
        status_of=status_of,
        shown_statuses=[status for status in STATUSES if status in seen],
        shown_marks=time_marks.legend(happened),
        at=at,
        found=found,
        shown_status=status_of(found.verdict.status, found.verdict.severity) if found else None,
        view=feature_view.view(found, compared) if found else None,
        compared=compared,
        against=against or "",
        choices=other_references.choices(local.calendar, baseline=has_baseline),
        run_url=feature_view.run_url(store, monitor, at),
        windows=windows,
        scale=scale,
        alerts=alerted[:4],
        chart=chart,
    )
