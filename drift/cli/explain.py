"""`drift explain`: which cells of a feature moved in one window."""

from __future__ import annotations

from dataclasses import replace

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Day,
    Feature,
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


def explain(
    monitor: MonitorName,
    feature: Feature,
    day: Day = None,
    segment: Segment = "",
    as_json: Json = False,
    html: Html = None,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show which cells of a feature moved in a window, and what each contributes to its KL."""
    from drift.cli.tables import explanation
    from drift.pipeline import evaluate

    context = open_context(monitor, folder, database)
    report = evaluate.recall(context, window_of(context, day))
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
