"""The JSON API, read only: ``/api/v1``. Every divergence is in nats, D(current‖reference)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from drift.dashboard import figures, queries
from drift.dashboard.formatting import Place, place_of
from drift.dashboard.parameters import Maybe, Moment, Name, Opened, Windows, instant, known_monitor
from drift.store import Store

router = APIRouter()
v1 = APIRouter(prefix="/api/v1")

ALL_FEATURES_WINDOWS = 31

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Leave out so many.")]


class MonitorOut(BaseModel):
    """A monitor and how its newest window stands."""

    monitor: str
    description: str
    timezone: str
    window: datetime | None = Field(description="Start of the newest window.")
    status: str
    n_scored: int | None
    n_drifting: int | None
    open_alerts: dict[str, int] = Field(description="Open and acknowledged alerts, by severity.")
    config_hash: str


class ScoreOut(BaseModel):
    """What is made of one feature in one window. Divergences in nats; null where there is no score."""

    feature: str
    window_start: datetime
    window_end: datetime
    status: str
    severity: str
    reason: str
    warning: float
    critical: float
    kind: str | None
    kl: float | None
    kl_reverse: float | None
    psi: float | None
    js: float | None
    kl_corrected: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    q: float | None
    z: float | None
    noise: float | None
    n_reference: int | None
    n_current: int | None
    null_rate_reference: float | None
    null_rate_current: float | None
    smoothing: str | None
    fingerprint: str | None = Field(description="Of the binning.")


class Scores(BaseModel):
    """Scores, oldest window first; those before `earlier` come by asking for `until` it; null where there are none."""

    monitor: str
    direction: Literal["current||reference"] = "current||reference"
    unit: Literal["nats"] = "nats"
    scores: list[ScoreOut]
    earlier: datetime | None


class RunOut(BaseModel):
    """A window of a monitor: its run and the head of its report."""

    window_start: datetime
    window_end: datetime
    status: str
    gate: str | None
    reference: str | None
    n_reference: int | None
    n_current: int | None
    n_scored: int | None
    n_drifting: int | None
    total_kl: float | None
    findings: list[str]
    config_hash: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class Runs(BaseModel):
    """Runs, newest window first."""

    monitor: str
    runs: list[RunOut]
    earlier: datetime | None


class OutcomeOut(BaseModel):
    """What one expectation observed in one window."""

    key: str
    expectation: str
    column_name: str | None
    severity: str
    success: bool
    error: bool
    observed: str | None
    message: str


class AlertOut(BaseModel):
    """An alert."""

    id: str
    monitor: str
    key: str
    kind: str
    feature: str | None
    state: str
    severity: str
    worst: str
    reason: str
    opened_window: datetime
    last_window: datetime
    opened_at: datetime
    last_seen_at: datetime
    windows: int
    quiet: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_window: datetime | None
    resolved_by: str | None


class Alerts(BaseModel):
    """One page of alerts, the newest opening first."""

    total: int
    alerts: list[AlertOut]


class EventOut(BaseModel):
    """One line of an alert's diary."""

    seq: int
    at: datetime
    window_start: datetime | None
    transition: str
    reason: str
    actor: str


class AlertWithDiary(AlertOut):
    """An alert and everything that happened to it."""

    diary: list[EventOut]


def _place(store: Store, monitor: str) -> Place:
    return place_of(known_monitor(store, monitor)["config"])


@v1.get("/monitors")
def monitors(store: Opened) -> list[MonitorOut]:
    """Every monitor that ever ran, and how it stands."""
    timelines, alerts = queries.timelines(store, windows=1), queries.alert_counts(store)
    found = []
    for row in store.monitors():
        name = row["monitor"]
        last = next(iter(timelines.get(name, [])), None)
        found.append(
            MonitorOut(
                monitor=name,
                description=str(row["config"].get("description") or ""),
                timezone=place_of(row["config"]).zone,
                window=last.start if last else None,
                status=last.status if last else "never",
                n_scored=last.report.get("n_scored") if last else None,
                n_drifting=last.report.get("n_drifting") if last else None,
                open_alerts=alerts.get(name, {}),
                config_hash=row["config_hash"],
            )
        )
    return found


@v1.get("/scores")
def scores(store: Opened, monitor: Name, feature: Maybe = None, windows: Windows = 30, until: Moment = None) -> Scores:
    """Scores of one feature, or of all features in at most 31 windows; earlier ones by `until`."""
    if feature is None and windows > ALL_FEATURES_WINDOWS:
        raise HTTPException(
            422, f"of all features at most {ALL_FEATURES_WINDOWS} windows: name a feature, or page by until"
        )
    before = instant(_place(store, monitor), until)
    rows = store.scores(monitor, feature=feature, until=before, windows=windows)
    first = rows[0]["window_start"] if rows else None
    more = first is not None and store.scores(monitor, feature=feature, until=first, limit=1)
    return Scores(
        monitor=monitor, scores=[ScoreOut.model_validate(row) for row in rows], earlier=first if more else None
    )


@v1.get("/report")
def report(store: Opened, monitor: Name, window: Moment = None) -> dict[str, Any]:
    """The whole report of one window (the newest by default): verdicts, intervals, and what every cell contributes."""
    at = instant(_place(store, monitor), window)
    if at is None:
        newest = store.reports(monitor, limit=1)
        at = newest[0]["window_start"] if newest else None
    found = store.load_report(monitor, at) if at is not None else None
    if found is None:
        raise HTTPException(404, "nothing was stored of this window")
    return found.to_dict()


@v1.get("/runs")
def runs(store: Opened, monitor: Name, windows: Windows = 30, until: Moment = None) -> Runs:
    """Runs and the heads of their reports, newest window first; earlier ones by `until`."""
    before = instant(_place(store, monitor), until)
    moments = queries.timelines(store, monitor, windows=windows, until=before).get(monitor, [])
    first = moments[0].start if moments else None
    more = first is not None and queries.timelines(store, monitor, windows=1, until=first)
    return Runs(monitor=monitor, runs=[_run(moment) for moment in moments[::-1]], earlier=first if more else None)


def _run(moment: queries.Moment) -> RunOut:
    report, run = moment.report, moment.run
    heads = ("gate", "reference", "n_reference", "n_current", "n_scored", "n_drifting", "total_kl")
    times = ("config_hash", "started_at", "finished_at", "error")
    return RunOut(
        window_start=moment.start,
        window_end=moment.end,
        status=moment.status,
        findings=[finding["message"] for finding in report.get("findings", [])],
        **{name: report.get(name) for name in heads},
        **{name: run.get(name) for name in times},
    )


@v1.get("/validations")
def validations(store: Opened, monitor: Name, window: Moment = None) -> list[OutcomeOut]:
    """What each expectation observed in one window (the newest by default), failures first."""
    from drift.windows import Window

    at = instant(_place(store, monitor), window)
    found = queries.timelines(store, monitor, windows=1, at=at).get(monitor, [])
    if not found:
        raise HTTPException(404, "nothing was stored of this window")
    rows = store.validations(monitor, Window(found[0].start, found[0].end))
    return [OutcomeOut.model_validate(row) for row in rows]


@v1.get("/alerts")
def alerts(
    store: Opened,
    monitor: Maybe = None,
    state: Literal["live", "open", "acknowledged", "resolved", "all"] = "live",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Alerts:
    """Alerts, the newest opening first; `live` is open or acknowledged."""
    states = {"live": ("open", "acknowledged"), "all": ("open", "acknowledged", "resolved")}.get(state, (state,))
    found, total = queries.alerts(store, monitor=monitor, states=states, limit=limit, offset=offset)
    return Alerts(total=total, alerts=[AlertOut(**asdict(alert)) for alert in found])


@v1.get("/alert")
def alert(store: Opened, id: Name) -> AlertWithDiary:  # noqa: A002 - the name readers type
    """One alert, with its diary."""
    found = queries.alert(store, id)
    if found is None:
        raise HTTPException(404, "there is no such alert")
    diary = [EventOut(**asdict(event)) for event in store.alert_events(found.id)]
    return AlertWithDiary(**asdict(found), diary=diary)


@v1.get("/figures/history")
def history_figure(
    store: Opened,
    monitor: Name,
    feature: Name,
    windows: Windows = 90,
    window: Moment = None,
    scale: Literal["linear", "log"] = "linear",
) -> JSONResponse:
    """The chart of a feature over time, as a Plotly figure."""
    place = _place(store, monitor)
    rows = store.scores(monitor, feature=feature, windows=windows)
    if not rows:
        raise HTTPException(404, "this monitor has no score of such a feature")
    moments = queries.timelines(store, monitor, windows=windows).get(monitor, [])
    seen = [moment for moment in moments if moment.start >= rows[0]["window_start"]]
    return JSONResponse(figures.history(rows, seen, place, chosen=instant(place, window), log=scale == "log"))


@v1.get("/figures/histogram")
def histogram_figure(store: Opened, monitor: Name, feature: Name, window: Moment) -> JSONResponse:
    """The chart of a feature's cells in one window, reference beside current, as a Plotly figure."""
    at = instant(_place(store, monitor), window)
    found = store.load_report(monitor, at) if at is not None else None
    evidence = found.evidence.get(feature) if found else None
    if found is None or evidence is None:
        raise HTTPException(404, "no counts are stored of this feature in this window")
    return JSONResponse(figures.histogram(evidence, found[feature].score))


router.include_router(v1)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """Describe the API, in OpenAPI."""
    return JSONResponse(request.app.openapi())
