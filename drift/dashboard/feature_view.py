"""What the page of a feature, its two charts and the API show alike: its course, and one window of it compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import HTTPException

from drift.dashboard import feature_queries, formatting, queries
from drift.dashboard import references as others
from drift.dashboard.cell_table import cells
from drift.dashboard.feature_queries import Comparison, Detail
from drift.dashboard.formatting import Place
from drift.errors import WindowError
from drift.store.store import Store


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
    """Compare the window with what a reader asked for; None where they asked for nothing.

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
