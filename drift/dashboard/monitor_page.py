"""The page of one monitor: features down, windows across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from drift.dashboard import alert_queries, events, figures, formatting, queries
from drift.dashboard.formatting import Place, iso, link, nats, place_of
from drift.dashboard.parameters import LIVE, Moment, Name, Opened, Page, Windows, instant, known_monitor
from drift.dashboard.rendering import render

router = APIRouter(include_in_schema=False)

CELLS_A_PAGE = 2000
EVENTS = 40


@router.get("/monitor")
def monitor(  # noqa: PLR0913, PLR0917 - as many as its address has parameters
    request: Request,
    store: Opened,
    name: Name,
    windows: Windows = 30,
    order: queries.Order = "worst",
    having: queries.Having = "any",
    q: Annotated[Name, Query()] = "",
    page: Page = 1,
    until: Moment = None,
) -> Response:
    """A monitor's heatmap: features down, windows across."""
    version = known_monitor(store, name)
    place = place_of(version["config"])
    moments = queries.timelines(store, name, windows=windows, until=instant(place, until)).get(name, [])
    size = max(15, min(50, CELLS_A_PAGE // windows))
    total = 0
    grid: list[dict[str, Any]] = []
    if moments:
        since, last = moments[0].start, moments[-1].start
        wanted = queries.Wanted(order, q, having)
        offset = (page - 1) * size
        names, total = queries.features(store, name, wanted, since=since, until=last, limit=size, offset=offset)
        found = queries.cells(store, name, names, since=since, until=last)
        columns = _columns(name, moments, place)
        grid = [_row(name, feature, columns, found) for feature in names]
    happened = events.events(moments, events.fits(store, name), place)
    return render(
        request,
        "monitor.html",
        monitor=version,
        name=name,
        place=place,
        moments=moments,
        heads=_heads(moments, happened, place),
        events=[event for event in happened[::-1] if event.kind != "news"][:EVENTS],
        marks=events.MARKS,
        grid=grid,
        total=total,
        pages=max(1, -(-total // size)),
        page=page,
        order=order,
        having=having,
        windows=windows,
        q=q,
        until=until,
        alerts=alert_queries.page(store, monitor=name, states=LIVE, limit=20)[0],
    )


def _heads(moments: Sequence[queries.Moment], happened: Sequence[events.Event], place: Place) -> list[dict[str, Any]]:
    told: dict[datetime, list[events.Event]] = {}
    for event in happened:
        told.setdefault(event.start, []).append(event)
    heads = []
    for moment in moments:
        mine = told.get(moment.start, [])
        kinds = [kind for kind in events.MARKS if kind in {event.kind for event in mine}]
        said = f"{place.label(moment.start, moment.end)}: {formatting.STATUSES[moment.status][1]}"
        heads.append(
            {
                "moment": moment,
                "short": place.short(moment.start),
                "marks": "".join(events.MARKS[kind][0] for kind in kinds),
                "said": "; ".join([said, *(formatting.shown(event.words) for event in mine)]),
            }
        )
    return heads


@dataclass(frozen=True, slots=True)
class _Column:
    """A window of the heatmap, with what every cell in it repeats."""

    moment: queries.Moment
    label: str
    at: str
    run: str


def _columns(monitor: str, moments: Sequence[queries.Moment], place: Place) -> list[_Column]:
    return [
        _Column(
            moment,
            place.label(moment.start, moment.end),
            link("", window=iso(moment.start)).replace("?", "&") + "#window",
            link("runs", monitor=monitor, window=iso(moment.start)) + "#window",
        )
        for moment in moments
    ]


def _row(
    monitor: str, feature: str, columns: Sequence[_Column], found: Mapping[tuple[str, datetime], Any]
) -> dict[str, Any]:
    shown, to = formatting.shown(feature), link("feature", monitor=monitor, feature=feature)
    scores = [found.get((feature, column.moment.start)) for column in columns]
    scored = [score for score in scores if score is not None and score.kl is not None]
    return {
        "feature": feature,
        "cells": [_cell(shown, to, column, score) for column, score in zip(columns, scores, strict=True)],
        "last": scored[-1] if scored else None,
        "worst": max(scored, key=lambda score: score.kl, default=None),
    }


def _cell(shown: str, to: str, column: _Column, score: Any) -> dict[str, str]:
    if score is None:
        status = figures.gap_of(column.moment)
        said = f"{shown}, {column.label}: {formatting.STATUSES[status][1]}"
        return {"status": status, "level": "", "said": said, "to": column.run}
    status = figures.status_of(score.status, score.severity)
    said = f"{shown}, {column.label}: {formatting.STATUSES[status][1]}; {said_of(score)}"
    return {"status": status, "level": _level(score, status), "said": said, "to": to + column.at}


def said_of(score: Any) -> str:
    """Return everything a cell stands for, in words."""
    limits = f"thresholds {score.warning:g} / {score.critical:g}"
    if score.kl is None:
        return f"{formatting.shown(score.reason)}; {limits}"
    return (
        f"KL {nats(score.kl)} nats, D(current‖reference), "
        f"95 % {nats(score.ci_low)} … {nats(score.ci_high)}; {limits}; "
        f"n {score.n_current:,} against {score.n_reference:,}"
    )


def _level(score: Any, status: str) -> str:
    """Return how far a quiet cell goes: below half the warning threshold, below it, below the critical one, above."""
    if status != "ok" or score.kl_corrected is None:
        return ""
    kl = score.kl_corrected
    return f"l{(kl >= score.warning / 2) + (kl >= score.warning) + (kl >= score.critical)}"
