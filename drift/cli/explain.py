"""`drift explain`: which cells of a feature, or of a pair of columns, moved in one window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Day,
    Folder,
    Html,
    Json,
    MonitorName,
    Segment,
    open_context,
    print_json,
    window_of,
    write_pages,
)
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.pipeline.context import Context
    from drift.windows import Window

PAST = 15
"""Windows of a pair's history that are shown."""


def explain(
    monitor: MonitorName,
    feature: Annotated[str | None, typer.Argument(help="Name of a feature.")] = None,
    pair: Annotated[
        tuple[str, str] | None, typer.Option("--pair", metavar="A B", help="Two columns: how they go together.")
    ] = None,
    day: Day = None,
    segment: Segment = "",
    as_json: Json = False,
    html: Html = None,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show which cells of a feature, or of two columns together, moved in a window, and what each adds to the KL."""
    if (feature is None) == (pair is None):
        raise DriftError("name a FEATURE, or two columns by --pair A B, and not both")
    if pair and (segment or html):
        raise DriftError(f"--pair goes without {'--segment: only whole windows have pairs' if segment else '--html'}")
    context = open_context(monitor, folder, database)
    window = window_of(context, day)
    if pair:
        _pair(context, window, pair, as_json=as_json)
    elif feature:
        _feature(context, window, feature, segment, as_json=as_json, html=html)


def _feature(context: Context, window: Window, feature: str, segment: str, *, as_json: bool, html: Path | None) -> None:
    from drift.cli.tables import explanation
    from drift.pipeline.recall import recall

    report = recall(context, window)
    if segment:
        if segment not in report.segments:
            named = ", ".join(report.segments) or "none"
            raise DriftError(f"{context.name} has no segment {segment!r} in {report.label}; it has: {named}")
        report = replace(report.segments[segment], label=f"{report.label}, {segment}")
    if feature not in {v.feature for v in report.verdicts}:
        known = ", ".join(v.feature for v in report.verdicts) or "none"
        raise DriftError(f"{context.name} has no score for {feature!r} in {report.label}; it has: {known}")
    mine = replace(report, verdicts=[v for v in report.verdicts if v.feature == feature])
    write_pages(mine, html=html, timezone=context.monitor.window.timezone)
    if as_json:
        print_json(report.to_dict() | {"features": {feature: report.to_dict()["features"][feature]}})
    else:
        explanation(report, feature, context.monitor.window.calendar)


def _pair(context: Context, window: Window, columns: tuple[str, str], *, as_json: bool) -> None:
    from drift.cli.tables import pair_explanation
    from drift.pipeline.recall import recall_pair

    found = recall_pair(context.store, context.name, window.start, columns)
    until = window.start + timedelta(microseconds=1)
    past = context.store.pair_history(context.name, *columns, until=until, limit=PAST)
    if as_json:
        spanned = {"start": window.start, "end": window.end}
        print_json({"monitor": context.name, "window": spanned, **found.to_dict(), "history": past})
    else:
        pair_explanation(context, found, past)
