"""Alerts, silences and notifications as pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response

from drift.alerts.alerts import Alert
from drift.alerts.circumstances import around, unsaid
from drift.dashboard import incident_chart, pair_view
from drift.dashboard.parameters import Maybe, Name, Opened, PageNumber, State, local_times, states_of
from drift.dashboard.rendering import render
from drift.dashboard.time_marks import legend
from drift.detection.page.document import where
from drift.pipeline import actions
from drift.store.reads import alerts as alert_reads
from drift.store.store import Store

router = APIRouter(include_in_schema=False)

A_PAGE, PAIRS = 50, 4
SPANS = (
    *(("4h", "4 hours"), ("1d", "1 day"), ("3d", "3 days"), ("7d", "1 week"), ("14d", "2 weeks"), ("28d", "4 weeks")),
)
"""For how long an alert may be snoozed, or features silenced, without naming a day."""


@router.get("/alerts")
def alerts(
    request: Request, store: Opened, monitor: Maybe = None, state: State = "live", page: PageNumber = 1
) -> Response:
    """Alerts, the worst first, and the silences in force."""
    times, now = local_times(store), datetime.now(UTC)
    states = states_of(state)
    found, total = alert_reads.page(
        store, monitor=monitor or None, states=states, limit=A_PAGE, offset=(page - 1) * A_PAGE
    )
    silences = actions.silences(store, monitor or None, now=now)
    return render(
        request,
        "alerts.html",
        alerts=[{"alert": a, "local": times[a.monitor], "snoozed": a.snoozed(now)} for a in found],
        silences=[{"silence": s, "local": times[s.monitor]} for s in silences],
        total=total,
        page=page,
        pages=max(1, -(-total // A_PAGE)),
        monitor=monitor,
        monitors=sorted(times),
        state=state,
        spans=SPANS,
        outbox=store.outbox_counts(),
    )


@router.get("/alert")
def alert(request: Request, store: Opened, id: Name) -> Response:  # noqa: A002 - the name readers type
    """One alert and its timeline."""
    found = alert_reads.one(store, id)
    if found is None:
        raise HTTPException(404, "there is no such alert; it may have been pruned")
    local, now = local_times(store)[found.monitor], datetime.now(UTC)
    silences = [s for s in actions.silences(store, found.monitor, now=now) if s.covers(found)]
    events = store.alert_events(found.id)
    return render(
        request,
        "alert.html",
        alert=found,
        incident=store.incident(found.id),
        local=local,
        slices=where(found.where) if found.where else None,
        pairs=_strayed(store, found) if found.kind == "relationship" else [],
        snoozed=found.snoozed(now),
        silences=[{"silence": silence, "local": local} for silence in silences],
        events=events,
        happened=unsaid(
            store.circumstances(found.monitor, *around(found, local.calendar)),
            [found.reason, *(event.reason for event in events)],
        ),
        spans=SPANS,
    )


def _strayed(store: Store, found: Alert) -> list[pair_view.Line]:
    """Return the pairs of a column that strayed in the window that opened its alert, the most unusual first."""
    measured = store.measured_in(found.monitor, found.opened_window)
    lines = pair_view.unusual(measured, [found], found.feature or "") if measured else []
    return [line for line in lines if line.measured.strays][:PAIRS]


@router.get("/incident")
def incident(request: Request, store: Opened, id: Name) -> Response:  # noqa: A002 - the name readers type
    """The alerts that began together, what else happened then, and where else."""
    found = store.incident(id)
    if found is None:
        raise HTTPException(404, "there is no such incident; it may have been pruned")
    found = store.around(found.ranked(alert_reads.by_evidence(store, found.alerts)))
    local, now = local_times(store)[found.monitor], datetime.now(UTC)
    return render(
        request,
        "incident.html",
        incident=found,
        local=local,
        chart=incident_chart.timeline(found, local),
        alerts=[{"alert": a, "local": local, "snoozed": a.snoozed(now)} for a in found.alerts],
        snoozed=any(a.snoozed(now) for a in found.alerts),
        marks=legend(found.events),
        spans=SPANS,
    )


@router.get("/notifications")
def notifications(
    request: Request,
    store: Opened,
    state: Literal["undelivered", "dead", "pending", "all"] = "undelivered",
    page: PageNumber = 1,
) -> Response:
    """What was not delivered yet, and what was given up."""
    several: dict[str, tuple[str, ...]] = {
        "undelivered": ("dead", "pending"),
        "all": ("dead", "pending", "sent", "merged"),
    }
    states, outbox = several.get(state, (state,)), store.outbox_counts()
    total = sum(outbox.get(each, 0) for each in states)
    rows = store.notifications(states, A_PAGE, (page - 1) * A_PAGE)
    times = local_times(store)
    shown: list[dict[str, Any]] = [row | {"local": times[row["monitor"]]} for row in rows]
    return render(
        request,
        "notifications.html",
        rows=shown,
        total=total,
        page=page,
        pages=max(1, -(-total // A_PAGE)),
        state=state,
        outbox=outbox,
    )
