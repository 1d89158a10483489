"""The JSON API, ``/api/v1``: it reads, and takes marks. Every divergence is in nats, D(current‖reference)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from drift.alerts.circumstances import Event, around
from drift.alerts.incidents import Incident
from drift.dashboard import feature_view
from drift.dashboard.access import Reader, may_answer, read_form
from drift.dashboard.api import exports
from drift.dashboard.api.models import (
    AlertOut,
    Alerts,
    AlertWithTimeline,
    CellOut,
    ComparisonOut,
    EventOut,
    Features,
    HappenedOut,
    IncidentAround,
    IncidentOut,
    Incidents,
    MarkOut,
    MonitorOut,
    PairMeasuredOut,
    PairOfMany,
    PairOut,
    Pairs,
    Problem,
    RunOut,
    Runs,
    ScoreOut,
    Scores,
    ValidationOut,
)
from drift.dashboard.cell_table import cell_rows
from drift.dashboard.formatting import LocalTime, local_time_of, web_address
from drift.dashboard.parameters import (
    Against,
    Maybe,
    Name,
    Opened,
    Segment,
    State,
    Windows,
    WindowStart,
    instant,
    known_monitor,
    local_times,
    shown_until,
    states_of,
)
from drift.errors import DriftError, NotCompared, StoreError
from drift.pipeline import actions
from drift.pipeline.recall import recall_pair
from drift.store.reads import alerts as alert_reads
from drift.store.reads import features as feature_reads
from drift.store.reads import windows as window_reads
from drift.store.store import Store

router = APIRouter()
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is not HTTP, or its address is longer than 64 kB; the answer is plain text."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    404: {"model": Problem, "description": "Nothing of that name is stored."},
    422: {"model": Problem, "description": "A parameter was not understood."},
    429: {"model": Problem, "description": "Too many wrong tokens came from there; `Retry-After` says when to go on."},
    503: {"model": Problem, "description": "The results database does not answer."},
}
v1 = APIRouter(prefix="/api/v1", responses=_REFUSALS)

ALL_FEATURES_WINDOWS = 31

Limit = Annotated[int, Query(ge=1, le=1000, description="The largest number of entries to return.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many entries to skip.")]


def _local_time(store: Store, monitor: str) -> LocalTime:
    return local_time_of(known_monitor(store, monitor)["config"])


@v1.get("/monitors")
def monitors(store: Opened) -> list[MonitorOut]:
    """Every monitor that ever ran, and how it stands."""
    latest, alerts = window_reads.newest_windows(store, windows=1, until=datetime.now(UTC)), alert_reads.counts(store)
    found = []
    for row in store.monitors():
        name = row["monitor"]
        last = next(iter(latest.get(name, [])), None)
        found.append(
            MonitorOut(
                monitor=name,
                description=str(row["config"].get("description") or ""),
                timezone=local_time_of(row["config"]).zone,
                window=last.start if last else None,
                status=last.status if last else "never",
                n_judged=last.report.get("n_judged") if last else None,
                n_drifting=last.report.get("n_drifting") if last else None,
                open_alerts=alerts.get(name, {}),
                config_hash=row["config_hash"],
            )
        )
    return found


@v1.get("/scores")
def scores(
    store: Opened,
    monitor: Name,
    feature: Maybe = None,
    windows: Windows = 30,
    until: WindowStart = None,
    segment: Segment = "",
) -> Scores:
    """Scores of one feature, or of all features in at most 31 windows; earlier ones by `until`."""
    if feature is None and windows > ALL_FEATURES_WINDOWS:
        raise HTTPException(
            422, f"of all features at most {ALL_FEATURES_WINDOWS} windows: name a feature, or page by until"
        )
    before = shown_until(_local_time(store, monitor), until)
    rows = store.scores(monitor, feature=feature, segment=segment, until=before, windows=windows)
    first = rows[0]["window_start"] if rows else None
    more = first is not None and store.scores(monitor, feature=feature, segment=segment, until=first, limit=1)
    return Scores(
        monitor=monitor, scores=[ScoreOut.model_validate(row) for row in rows], earlier=first if more else None
    )


@v1.get("/report")
def report(store: Opened, monitor: Name, window: WindowStart = None) -> dict[str, Any]:
    """The whole report of one window (the newest by default): verdicts, intervals, and what every cell contributes."""
    found = store.load_report(monitor, _judged_window(store, monitor, window))
    if found is None:
        raise HTTPException(404, "nothing is stored for this window")
    return found.to_dict()


@v1.get("/runs")
def runs(store: Opened, monitor: Name, windows: Windows = 30, until: WindowStart = None) -> Runs:
    """Runs and the heads of their reports, newest window first; earlier ones by `until`."""
    before = shown_until(_local_time(store, monitor), until)
    states = window_reads.window_states(store, monitor, windows=windows, until=before)
    first = states[0].start if states else None
    more = first is not None and window_reads.window_states(store, monitor, windows=1, until=first)
    return Runs(monitor=monitor, runs=[_run(state) for state in states[::-1]], earlier=first if more else None)


def _run(state: window_reads.WindowState) -> RunOut:
    report, run = state.report, state.run
    heads = ("gate", "reference", "n_reference", "n_current", "n_judged", "n_drifting", "total_kl")
    times = ("config_hash", "started_at", "finished_at", "error")
    url = web_address(run.get("url")) or None
    return RunOut(
        window_start=state.start,
        window_end=state.end,
        status=state.status,
        findings=[finding["message"] for finding in report.get("findings", [])],
        url=url,
        **{name: report.get(name) for name in heads},
        **{name: run.get(name) for name in times},
    )


@v1.get("/validations")
def validations(store: Opened, monitor: Name, window: WindowStart = None) -> list[ValidationOut]:
    """What each expectation observed in one window (the newest by default), failures first."""
    from drift.windows import Window

    at, until = instant(_local_time(store, monitor), window), None if window else datetime.now(UTC)
    found = window_reads.window_states(store, monitor, windows=1, at=at, until=until)
    if not found:
        raise HTTPException(404, "nothing is stored for this window")
    rows = store.validations(monitor, Window(found[0].start, found[0].end))
    return [ValidationOut.model_validate(row) for row in rows]


@v1.get("/alerts")
def alerts(
    store: Opened,
    monitor: Maybe = None,
    feature: Maybe = None,
    state: State = "live",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Alerts:
    """Alerts, the worst first and what is over last; `live` is open or acknowledged."""
    states = states_of(state)
    found, total = alert_reads.page(store, monitor=monitor, feature=feature, states=states, limit=limit, offset=offset)
    return Alerts(total=total, alerts=[AlertOut(**asdict(alert)) for alert in found])


@v1.get("/incidents")
def incidents(
    store: Opened, monitor: Maybe = None, state: State = "live", limit: Limit = 100, offset: Offset = 0
) -> Incidents:
    """Incidents, those that go on first and then the newest; `live`, as `open`, has an alert that is not resolved."""
    live = None if state == "all" else state != "resolved"
    found, total = alert_reads.incidents(store, monitor=monitor, live=live, limit=limit, offset=offset)
    times = local_times(store)
    return Incidents(total=total, incidents=[IncidentOut(**_incident(each, times[each.monitor])) for each in found])


@v1.get("/incident")
def incident(store: Opened, id: Name) -> IncidentAround:  # noqa: A002 - the name readers type
    """The incident that an alert is part of, with what else happened then."""
    found = store.incident(id)
    if found is None:
        raise HTTPException(404, "there is no such incident")
    found = store.around(found.ranked(alert_reads.by_evidence(store, found.alerts)))
    told = _incident(found, local_times(store)[found.monitor])
    return IncidentAround(**told, events=_happened(found.events), elsewhere=list(found.elsewhere))


def _incident(found: Incident, local: LocalTime) -> dict[str, Any]:
    return {
        "id": found.id,
        "monitor": found.monitor,
        "state": found.state,
        "severity": found.severity,
        "words": found.words(local.calendar),
        "onset": found.onset.to_dict(),
        "opened_window": found.opened,
        "alerts": [AlertOut(**asdict(alert)) for alert in found.alerts],
    }


@v1.get("/alert")
def alert(store: Opened, id: Name) -> AlertWithTimeline:  # noqa: A002 - the name readers type
    """One alert, with its timeline, and what else happened when it may have begun."""
    found = alert_reads.one(store, id)
    if found is None:
        raise HTTPException(404, "there is no such alert")
    timeline = [EventOut(**asdict(event)) for event in store.alert_events(found.id)]
    since, until = around(found, local_times(store)[found.monitor].calendar)
    happened = _happened(store.circumstances(found.monitor, since, until))
    return AlertWithTimeline(**asdict(found), timeline=timeline, happened=happened)


def _happened(events: Iterable[Event]) -> list[HappenedOut]:
    return [
        HappenedOut(at=each.at, kind=each.kind, text=each.text, link=web_address(each.link) or None) for each in events
    ]


@v1.get("/marks")
def marks(store: Opened, monitor: Maybe = None, since: WindowStart = None, until: WindowStart = None) -> list[MarkOut]:
    """Marks, oldest first: all, or those of a monitor and of all monitors; `until` itself is left out."""
    local = _local_time(store, monitor) if monitor else local_time_of({})
    found = store.marks(monitor, since=instant(local, since), until=instant(local, until))
    return [MarkOut(**asdict(one)) for one in found]


@v1.post("/marks", status_code=201)
def mark(
    store: Opened,
    reader: Annotated[Reader, Depends(may_answer)],
    fields: Annotated[dict[str, str], Depends(read_form)],
) -> MarkOut:
    """Mark a moment by a form: `text`, and where they are given `at`, `monitor` (else all) and `by`.

    `at` is an instant in ISO 8601 or a local time of the monitor, now by default. The same mark made again is one.
    """
    by = reader.name or fields.get("by", "")[:80] or "somebody at the dashboard"
    at, monitors, now = (
        fields.get("at") or None,
        [fields["monitor"]] if fields.get("monitor") else (),
        datetime.now(UTC),
    )
    try:
        (made,) = actions.mark(store, fields.get("text", ""), at=at, monitors=monitors, by=by, now=now)
    except StoreError:
        raise
    except DriftError as error:
        raise HTTPException(422, str(error)) from error
    return MarkOut(**asdict(made))


@v1.get("/features")
def features(  # noqa: PLR0913, PLR0917 - as many as its address has parameters
    store: Opened,
    monitor: Name,
    windows: Windows = 30,
    order: window_reads.Order = "worst",
    having: window_reads.Having = "any",
    q: Annotated[Name, Query(description="Part of a name, whatever its case.")] = "",
    limit: Limit = 100,
    offset: Offset = 0,
    segment: Segment = "",
) -> Features:
    """The features of a monitor in its newest windows, worst first, by newest drift or by name."""
    known_monitor(store, monitor)
    states = window_reads.window_states(store, monitor, windows=windows, until=datetime.now(UTC), segment=segment)
    wanted = window_reads.Wanted(order, q, having, segment)
    names, total = window_reads.features(store, monitor, wanted, states, limit=limit, offset=offset)
    return Features(monitor=monitor, total=total, features=names)


@v1.get("/compare")
def compare(
    store: Opened,
    monitor: Name,
    feature: Name,
    against: Against = "previous:1",
    window: WindowStart = None,
    segment: Segment = "",
) -> ComparisonOut:
    """Compare one window of a feature (the newest by default) with any other reference, from stored counts."""
    local = _local_time(store, monitor)
    at = instant(local, window)
    if at is None:
        newest = store.scores(monitor, feature=feature, segment=segment, until=datetime.now(UTC), windows=1)
        at = newest[-1]["window_start"] if newest else None
    found = feature_reads.detail(store, monitor, feature, at, segment) if at is not None else None
    compared = feature_view.compare(store, monitor, feature, found, local, against or "previous:1") if found else None
    if at is None or found is None or compared is None:
        raise HTTPException(404, "nothing is stored for this feature in this window")
    numbers = ("kl", "kl_corrected", "ci_low", "ci_high", "p", "psi", "js", "n_reference", "n_current")
    return ComparisonOut(
        monitor=monitor,
        feature=feature,
        window_start=at,
        against=compared.reference.text,
        reference=compared.reference.words,
        windows=compared.windows,
        windows_asked=len(compared.reference.windows),
        warning=found.verdict.warning,
        critical=found.verdict.critical,
        scale=found.verdict.scale,
        explanation=list(compared.words),
        cells=[CellOut(**row) for row in cell_rows(compared.evidence, compared.score)],
        **{name: getattr(compared.score, name, None) for name in numbers},
    )


@v1.get("/pairs")
def pairs(store: Opened, monitor: Name, window: WindowStart = None, limit: Limit = 100, offset: Offset = 0) -> Pairs:
    """The pairs of columns of one window (the newest by default): those that stray first, then the most unusual."""
    at = _judged_window(store, monitor, window)
    found = store.measured_in(monitor, at)
    if found is None:
        raise HTTPException(404, "no pairs of columns were compared in this window")
    report = store.load_report(monitor, at)
    order, names = found.worst_first(), found.pairs
    return Pairs(
        monitor=monitor,
        window_start=at,
        total=len(order),
        unjudged=report.unjudged_pairs if report else "",
        pairs=[PairOfMany(columns=names[i], **asdict(found.at(i))) for i in order[offset : offset + limit]],
    )


@v1.get("/pair")
def pair(store: Opened, monitor: Name, a: Name, b: Name, window: WindowStart = None, windows: Windows = 30) -> PairOut:
    """How two columns go together in one window (the newest by default), cell by cell, and in those before it."""
    local, at = _local_time(store, monitor), _judged_window(store, monitor, window)
    try:
        found = recall_pair(store, monitor, at, (a, b))
    except NotCompared as error:
        raise HTTPException(404, str(error)) from error
    past = store.pair_history(monitor, a, b, until=at + timedelta(microseconds=1), limit=windows)
    return PairOut(
        monitor=monitor,
        window_start=at,
        state=found.state(local.calendar),
        history=[PairMeasuredOut(**asdict(each)) for each in past],
        **found.to_dict(),
    )


def _judged_window(store: Store, monitor: str, window: str | None) -> datetime:
    """Return the start of the window that is asked for, or of the newest that has a report."""
    at: datetime | None = instant(_local_time(store, monitor), window)
    newest = store.reports(monitor, limit=1, over_at=datetime.now(UTC)) if at is None else []
    at = at or next((row["window_start"] for row in newest), None)
    if at is None:
        raise HTTPException(404, "nothing is stored for this monitor")
    return at


v1.include_router(exports.router)
router.include_router(v1)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """Describe the API, in OpenAPI."""
    return JSONResponse(request.app.openapi())
