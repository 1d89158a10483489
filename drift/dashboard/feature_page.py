"""The page of one feature: its course, and one window of it cell by cell, held against any reference."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response

from drift.dashboard import against as others
from drift.dashboard import alert_queries, events, feature_queries, figures, formatting, queries
from drift.dashboard.cells import cells
from drift.dashboard.feature_queries import Comparison, Detail
from drift.dashboard.formatting import Place, place_of
from drift.dashboard.parameters import ALL, AgainstText, Moment, Name, Opened, Segment, Windows, instant, known_monitor
from drift.dashboard.rendering import render
from drift.errors import WindowError
from drift.store.store import Store

router = APIRouter(include_in_schema=False)

Scale = Literal["linear", "log"]


@router.get("/feature")
def feature(  # noqa: PLR0913, PLR0917 - as many as its address has parameters
    request: Request,
    store: Opened,
    monitor: Name,
    feature: Name,
    window: Moment = None,
    windows: Windows = 90,
    scale: Scale = "linear",
    against: AgainstText = None,
    segment: Segment = "",
) -> Response:
    """A feature over time, and one window of it cell by cell."""
    version = known_monitor(store, monitor)
    place = place_of(version["config"])
    at = instant(place, window)
    rows, moments = course(store, monitor, feature, windows, at, place, segment)
    if at is None:
        at = next((row["window_start"] for row in rows[::-1] if row["kl"] is not None), rows[-1]["window_start"])
    found = feature_queries.detail(store, monitor, feature, at, segment)
    compared = compare(store, monitor, feature, found, place, against) if found else None
    statuses = [figures.status_of(row["status"], row["severity"]) for row in rows]
    told = {row["window_start"] for row in rows}
    seen = {*statuses, *(figures.gap_of(m) for m in moments if m.start not in told)}
    has_baseline = feature_queries.baseline(store, monitor, feature) is not None
    happened = events.events(moments, events.fits(store, monitor), place)
    return render(
        request,
        "feature.html",
        monitor=version,
        name=monitor,
        feature=feature,
        place=place,
        rows=[{"row": row, "status": status} for row, status in zip(rows[::-1], statuses[::-1], strict=True)],
        segment=segment,
        segments=queries.segments(store, monitor),
        newest=store.scores(monitor, feature=feature, segment=segment, windows=1)[-1],
        status_of=figures.status_of,
        shown_statuses=[status for status in formatting.STATUSES if status in seen],
        marks={kind: events.MARKS[kind] for kind in ("baseline", "config") if kind in {e.kind for e in happened}},
        at=at,
        found=found,
        shown_status=figures.status_of(found.verdict.status, found.verdict.severity) if found else None,
        view=view(found, compared) if found else None,
        compared=compared,
        against=against or "",
        choices=others.choices(place.calendar, baseline=has_baseline),
        run_url=run_url(store, monitor, at),
        windows=windows,
        scale=scale,
        alerts=alert_queries.page(store, monitor=monitor, feature=feature, states=ALL, limit=4)[0],
    )


def course(
    store: Store, monitor: str, feature: str, windows: int, at: datetime | None, place: Place, segment: str = ""
) -> tuple[list[dict[str, Any]], list[queries.Moment]]:
    """Return the scores of a feature and the windows they are of: the newest ones, or those around an older one.

    Raises
    ------
    HTTPException
        404 where there are none.
    """
    rows = store.scores(monitor, feature=feature, segment=segment, windows=windows)
    until = None
    if at is not None and rows and at < rows[0]["window_start"]:
        # The window that is asked for stands two thirds along.
        until = at + (windows // 3 + 1) * place.calendar.span.nominal
        rows = store.scores(monitor, feature=feature, segment=segment, windows=windows, until=until) or rows
    if not rows:
        raise HTTPException(404, "this monitor has no score of such a feature")
    moments = queries.timelines(store, monitor, windows=windows, until=until, segment=segment).get(monitor, [])
    return rows, [moment for moment in moments if moment.start >= rows[0]["window_start"]]


def compare(
    store: Store, monitor: str, feature: str, found: Detail, place: Place, text: str | None
) -> Comparison | None:
    """Hold the window against what a reader asked for; None where they asked for nothing.

    Raises
    ------
    HTTPException
        422 where it cannot be understood, or there is no baseline.
    """
    if not text or found.report.window is None:
        return None
    baseline = feature_queries.baseline(store, monitor, feature) if text == "baseline" else None
    try:
        wanted = others.parse(text, place.calendar, found.report.window, baseline)
    except WindowError as error:
        raise HTTPException(422, f"against: {error}") from error
    if wanted is None:
        known = "this feature has no baseline" if text == "baseline" else f"write {others.SYNTAX}"
        raise HTTPException(422, f"against: {known}; at most {others.MOST} windows")
    return feature_queries.compare(store, monitor, feature, found, wanted)


def run_url(store: Store, monitor: str, at: Any) -> str:
    """Return where the log of a window's run is; empty where that is not known."""
    moments = queries.timelines(store, monitor, windows=1, at=at).get(monitor, [])
    return formatting.web_address(moments[0].run.get("url")) if moments else ""


def view(found: Detail, compared: Comparison | None) -> dict[str, Any]:
    """Return what the lower half of the page shows: the stored evidence, or that against another reference."""
    score = compared.score if compared else found.verdict.score
    evidence = compared.evidence if compared else found.evidence
    rows = cells(evidence, score)
    return {
        "score": score,
        "evidence": evidence,
        "words": compared.words if compared else found.words,
        "cells": rows,
        "widest": max((row["part"] or 0.0 for row in rows), default=0.0) or 1.0,
    }
