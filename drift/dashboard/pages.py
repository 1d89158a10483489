"""The pages: each gathers what it shows and hands it to its template; every link is relative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette._utils import get_route_path

import drift
from drift.dashboard import assets, figures, formatting, queries
from drift.dashboard.formatting import Place, iso, link, nats, place_of
from drift.dashboard.parameters import Maybe, Moment, Name, Opened, Page, Windows, instant, known_monitor
from drift.errors import ConfigError
from drift.evidence import explain
from drift.store import Store
from drift.windows import Window

router = APIRouter(include_in_schema=False)

CELLS_A_PAGE = 2000
ALERTS_A_PAGE = 50
_URGENCY = (
    "failed",
    "critical",
    "error",
    "rejected",
    "warning",
    "not_comparable",
    "insufficient_data",
    "running",
    "ok",
)
_STATES = {"live": ("open", "acknowledged"), "all": ("open", "acknowledged", "resolved")}

Scale = Literal["linear", "log"]
State = Literal["live", "open", "acknowledged", "resolved", "all"]


# -- rendering --------------------------------------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    env = Environment(
        loader=PackageLoader("drift.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        name: getattr(formatting, name)
        for name in ("shown", "clipped", "nats", "percent", "count", "number", "probability", "duration", "iso")
    }
    env.globals |= {
        "statuses": formatting.STATUSES,
        "link": link,
        "asset": assets.address,
        "version": drift.__version__,
    }
    return env


def local_path(request: Request) -> str:
    """Return the path below the dashboard's root."""
    return get_route_path(request.scope)


def base(request: Request) -> str:
    """Return the way from the page a browser has asked for to the dashboard's root, such as ``./``."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    root = str(request.scope.get("root_path", "")).encode()
    below = raw.removeprefix(root)
    return "../" * (below.count(b"/") - 1) or "./"


def _render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    page = _templates().get_template(template)
    here = local_path(request).lstrip("/")
    text = page.render(base=base(request), here=here, has_login=request.app.state.has_login, **context)
    return HTMLResponse(text, status, dict(headers or {}))


def message(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page that says what went wrong and where to go on."""
    titles = {401: "Sign in first", 404: "Not here", 422: "That was not understood", 503: "Not available"}
    return _render(
        request, "message.html", status=status, headers=headers, title=titles.get(status, f"Error {status}"), text=text
    )


def login(request: Request, *, wrong: bool = False, headers: Mapping[str, str] | None = None) -> Response:
    """Return the login form, which leads back to where the reader wanted to go."""
    query = request.url.query
    here = local_path(request).lstrip("/")
    wanted = "" if here in {"login", "logout"} else here + (f"?{query}" if query else "")
    status = 401 if wrong or headers else 200
    return _render(request, "login.html", status=status, headers=headers, wrong=wrong, next=wanted)


# -- overview ---------------------------------------------------------------------------------------------------------


@router.get("/")
def overview(request: Request, store: Opened) -> Response:
    """Every monitor: how it stands, what is open, and its last thirty windows."""
    stored = store.monitors()
    timelines = queries.timelines(store, windows=30)
    open_alerts = queries.alert_counts(store)
    now = datetime.now(UTC)
    rows = []
    for version in stored:
        name, place = version["monitor"], place_of(version["config"])
        moments = timelines.get(name, [])
        last = moments[-1] if moments else None
        rows.append(
            {
                "name": name,
                "description": str(version["config"].get("description") or ""),
                "place": place,
                "last": last,
                "moments": moments,
                "status": last.status if last else "never",
                "alerts": open_alerts.get(name, {}),
                "behind": _behind(place, last, now),
            }
        )
    rows.sort(key=lambda row: (_urgency(row["status"]), row["name"]))
    waiting, problems = _configured(request.app.state.monitors)
    missing = [name for name in waiting if name not in {row["name"] for row in rows}]
    return _render(request, "overview.html", rows=rows, missing=missing, problems=problems)


def _urgency(status: str) -> int:
    return _URGENCY.index(status) if status in _URGENCY else len(_URGENCY)


def _behind(place: Place, last: queries.Moment | None, now: datetime) -> bool:
    """Whether more than one whole window has passed since the last one that was run."""
    if last is None:
        return False
    calendar = place.calendar
    return last.end < calendar.previous(calendar.last_complete(now)).start


def _configured(folder: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the monitors in a folder, and the problems of its files."""
    if folder is None or not folder.is_dir():
        return (), ()
    files = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())
    return _read_monitors(folder, tuple((path.name, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=1)
def _read_monitors(folder: Path, _as_of: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from drift.config import load_monitors

    try:
        return tuple(monitor.name for monitor in load_monitors(folder)), ()
    except ConfigError as error:
        return (), tuple(error.problems)


# -- one monitor ------------------------------------------------------------------------------------------------------


@router.get("/monitor")
def monitor(
    request: Request,
    store: Opened,
    name: Name,
    windows: Windows = 30,
    order: queries.Order = "worst",
    q: Annotated[Name, Query()] = "",
    page: Page = 1,
    until: Moment = None,
) -> Response:
    """A monitor's heatmap: features down, windows across."""
    version = known_monitor(store, name)
    place = place_of(version["config"])
    moments = queries.timelines(store, name, windows=windows, until=instant(place, until)).get(name, [])
    size = max(15, min(50, CELLS_A_PAGE // windows))
    names: list[str] = []
    total = 0
    grid: list[dict[str, Any]] = []
    if moments:
        span = {"since": moments[0].start, "until": moments[-1].start}
        offset = (page - 1) * size
        names, total = queries.features(store, name, **span, order=order, match=q, limit=size, offset=offset)
        found = queries.cells(store, name, names, **span)
        grid = [_row(name, feature, moments, found, place) for feature in names]
    return _render(
        request,
        "monitor.html",
        monitor=version,
        name=name,
        place=place,
        moments=moments,
        heads=_heads(moments, place),
        grid=grid,
        total=total,
        pages=max(1, -(-total // size)),
        page=page,
        order=order,
        windows=windows,
        q=q,
        until=until,
        alerts=queries.alerts(store, monitor=name, states=_STATES["live"], limit=20)[0],
    )


def _heads(moments: Sequence[queries.Moment], place: Place) -> list[dict[str, Any]]:
    heads = []
    before: str | None = None
    for moment in moments:
        config = moment.run.get("config_hash")
        changed = bool(before and config and before != config)
        before = config or before
        news = [finding["message"] for finding in moment.report.get("findings", [])]
        if changed:
            news.append("the monitor's configuration changed")
        if moment.status in {"rejected", "failed"}:
            news.append(moment.run.get("error") or formatting.STATUSES[moment.status][1])
        heads.append({"moment": moment, "short": place.short(moment.start), "news": news, "changed": changed})
    return heads


def _row(
    monitor: str,
    feature: str,
    moments: Sequence[queries.Moment],
    found: Mapping[tuple[str, datetime], Mapping[str, Any]],
    place: Place,
) -> dict[str, Any]:
    cells = [_cell(monitor, feature, moment, found.get((feature, moment.start)), place) for moment in moments]
    scored = [cell["score"] for cell in cells if cell["score"] is not None and cell["score"]["kl"] is not None]
    worst = max(scored, key=lambda score: score["kl"], default=None)
    return {"feature": feature, "cells": cells, "last": scored[-1] if scored else None, "worst": worst}


def _cell(
    monitor: str, feature: str, moment: queries.Moment, score: Mapping[str, Any] | None, place: Place
) -> dict[str, Any]:
    label = place.label(moment.start, moment.end)
    if score is None:
        status = figures.gap_of(moment)
        to = link("runs", monitor=monitor, window=iso(moment.start)) + "#window"
        said = f"{formatting.shown(feature)}, {label}: {formatting.STATUSES[status][1]}"
        return {"status": status, "level": "", "said": said, "to": to, "score": None}
    status = figures.status_of(score)
    to = link("feature", monitor=monitor, feature=feature, window=iso(moment.start)) + "#window"
    return {"status": status, "level": _level(score, status), "said": said_of(score, label), "to": to, "score": score}


def said_of(score: Mapping[str, Any], label: str) -> str:
    """Return everything a cell stands for, as one sentence."""
    said = f"{formatting.shown(score['feature'])}, {label}: {formatting.STATUSES[figures.status_of(score)][1]}"
    limits = f"thresholds {score['warning']:g} / {score['critical']:g}"
    if score["kl"] is None:
        return f"{said}; {formatting.shown(score['reason'])}; {limits}"
    return (
        f"{said}; KL {nats(score['kl'])} nats, D(current‖reference), "
        f"95 % {nats(score['ci_low'])} … {nats(score['ci_high'])}; {limits}; "
        f"n {score['n_current']:,} against {score['n_reference']:,}"
    )


def _level(score: Mapping[str, Any], status: str) -> str:
    """Return how far a quiet cell goes: below half the warning threshold, below it, below the critical one, above."""
    if status != "ok" or score["kl_corrected"] is None:
        return ""
    steps = (score["warning"] / 2, score["warning"], score["critical"])
    return f"l{sum(score['kl_corrected'] >= step for step in steps)}"


# -- one feature ------------------------------------------------------------------------------------------------------


@router.get("/feature")
def feature(
    request: Request,
    store: Opened,
    monitor: Name,
    feature: Name,
    window: Moment = None,
    windows: Windows = 90,
    scale: Scale = "linear",
) -> Response:
    """A feature over time, and one window of it cell by cell."""
    version = known_monitor(store, monitor)
    place = place_of(version["config"])
    rows = store.scores(monitor, feature=feature, windows=windows)
    if not rows:
        raise HTTPException(404, "this monitor has no score of such a feature")
    at = instant(place, window)
    if at is None:
        at = next((row["window_start"] for row in rows[::-1] if row["kl"] is not None), rows[-1]["window_start"])
    detail = _detail(store, monitor, feature, at, place)
    statuses = [figures.status_of(row) for row in rows]
    moments = queries.timelines(store, monitor, windows=windows).get(monitor, [])
    told = {row["window_start"] for row in rows}
    seen = {*statuses, *(figures.gap_of(m) for m in moments if m.start >= min(told) and m.start not in told)}
    return _render(
        request,
        "feature.html",
        monitor=version,
        name=monitor,
        feature=feature,
        place=place,
        rows=[{"row": row, "status": status} for row, status in zip(rows[::-1], statuses[::-1], strict=True)],
        shown_statuses=[status for status in formatting.STATUSES if status in seen],
        at=at,
        detail=detail,
        windows=windows,
        scale=scale,
        alerts=[a for a in store.alerts(monitor) if a.feature == feature][:20],
    )


def _detail(store: Store, monitor: str, feature: str, at: datetime, place: Place) -> dict[str, Any] | None:
    """Return what one window says of a feature; None where it says nothing."""
    report = store.load_report(monitor, at)
    verdict = next((v for v in report.verdicts if v.feature == feature), None) if report else None
    if report is None or verdict is None or report.window is None:
        return None
    evidence = report.evidence.get(feature)
    parts = verdict.score.contributions.tolist() if verdict.score is not None else None
    cells = []
    for i, (cell, before, after, share_before, share_after) in enumerate(evidence.cells() if evidence else []):
        part = parts[i] if parts else None
        if before or after:
            cells.append(
                {
                    "cell": cell, "before": before, "after": after, "share_before": share_before,
                    "share_after": share_after, "part": part,
                }
            )  # fmt: skip
    return {
        "report": report,
        "verdict": verdict,
        "score": verdict.score,
        "status": figures.status_of({"status": verdict.status, "severity": verdict.severity}),
        "evidence": evidence,
        "words": explain(verdict, evidence, most=5),
        "cells": cells,
        "widest": max((cell["part"] or 0.0 for cell in cells), default=0.0) or 1.0,
        "label": place.label(report.window.start, report.window.end),
    }


# -- alerts -----------------------------------------------------------------------------------------------------------


@router.get("/alerts")
def alerts(request: Request, store: Opened, monitor: Maybe = None, state: State = "live", page: Page = 1) -> Response:
    """Alerts: those that wait for somebody first."""
    places = {row["monitor"]: place_of(row["config"]) for row in store.monitors()}
    states = _STATES.get(state, (state,))
    found, total = queries.alerts(
        store, monitor=monitor or None, states=states, limit=ALERTS_A_PAGE, offset=(page - 1) * ALERTS_A_PAGE
    )
    return _render(
        request,
        "alerts.html",
        alerts=[{"alert": a, "place": places.get(a.monitor, place_of({}))} for a in found],
        total=total,
        page=page,
        pages=max(1, -(-total // ALERTS_A_PAGE)),
        monitor=monitor,
        monitors=sorted(places),
        state=state,
        outbox=store.outbox_counts(),
    )


@router.get("/alert")
def alert(request: Request, store: Opened, id: Name) -> Response:  # noqa: A002 - the name readers type
    """One alert and its diary."""
    found = queries.alert(store, id)
    if found is None:
        raise HTTPException(404, "there is no such alert; it may have been pruned")
    places = {row["monitor"]: place_of(row["config"]) for row in store.monitors()}
    place = places.get(found.monitor, place_of({}))
    return _render(request, "alert.html", alert=found, place=place, events=store.alert_events(found.id))


# -- runs and data quality --------------------------------------------------------------------------------------------


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
        moments = [m for found in queries.timelines(store, windows=min(windows, 10)).values() for m in found]
        rows = _run_rows(sorted(moments, key=lambda m: (m.start, m.monitor), reverse=True), places)
        empty: dict[str, Any] = {"expectations": [], "chosen": None, "outcomes": [], "place": None, "asked": None}
        return _render(request, "runs.html", **context, rows=rows, **empty)
    known_monitor(store, monitor)
    place = places[monitor]
    moments = queries.timelines(store, monitor, windows=windows, until=instant(place, until)).get(monitor, [])
    at = instant(place, window)
    chosen = None
    if at is not None:
        chosen = next(iter(queries.timelines(store, monitor, windows=1, at=at).get(monitor, [])), None)
    return _render(
        request,
        "runs.html",
        **context,
        rows=_run_rows(moments[::-1], places),
        expectations=queries.expectations(store, monitor, since=moments[0].start) if moments else [],
        chosen=_run_rows([chosen], places)[0] if chosen else None,
        outcomes=store.validations(monitor, Window(chosen.start, chosen.end)) if chosen else [],
        place=place,
        asked=window,
    )


def _run_rows(moments: Sequence[queries.Moment], places: Mapping[str, Place]) -> list[dict[str, Any]]:
    rows = []
    for moment in moments:
        place = places.get(moment.monitor, place_of({}))
        url = str(moment.run.get("url") or "")
        rows.append(
            {
                "moment": moment,
                "place": place,
                "label": place.label(moment.start, moment.end),
                # A stored address is a link only where it can be nothing else.
                "url": url if url.startswith(("https://", "http://")) else "",
            }
        )
    return rows


# -- the API's listing ------------------------------------------------------------------------------------------------


@router.get("/docs")
def docs(request: Request) -> Response:
    """What the API answers, without anybody else's scripts."""
    document = request.app.openapi()
    paths = [
        {"path": path, "summary": get["description"], "parameters": get.get("parameters", [])}
        for path, methods in document["paths"].items()
        for get in [methods["get"]]
    ]
    return _render(request, "docs.html", paths=paths)
