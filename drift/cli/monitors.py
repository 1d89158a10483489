"""The commands of a monitor: check it, run it, fill it up, look at what it found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Day,
    Fail,
    Feature,
    Folder,
    From,
    Html,
    Json,
    MonitorName,
    Segment,
    To,
    exit_on,
    now,
    open_context,
    print_error,
    print_json,
    route,
    show,
    window_of,
    windows_between,
    write_html,
)
from drift.cli.starting import import_special_functions
from drift.errors import ConfigError, DriftError

if TYPE_CHECKING:
    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.windows import Window

MANY = 100
"""Windows from which on a process that reads ahead is worth the second it takes to start."""


def check(
    files: Annotated[list[Path], typer.Argument(help="Monitor files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Check monitor files and print every problem: file, line, key, and what to do. Exits with 1 if there are any."""
    from drift.config.monitor import load_monitor, monitor_files

    paths = [path for file in files for path in (monitor_files(file) if file.is_dir() else [file])]
    problems: list[str] = []
    for path in paths:
        try:
            monitor = load_monitor(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if monitor.expectations:
            problems += [f"{path}: {problem}" for problem in _expectation_problems(monitor)]
    if as_json:
        print_json({"files": [str(p) for p in paths], "problems": problems})
    else:
        for problem in problems:
            print_error(problem)
        if not problems:
            print(f"{len(paths)} monitor file{'s' * (len(paths) != 1)}, no problems")
    if problems:
        raise typer.Exit(1)


def _expectation_problems(monitor: Monitor) -> list[str]:
    from drift.errors import MissingExtra
    from drift.sources.validation import check_expectations

    try:
        return check_expectations(monitor.expectations)
    except MissingExtra as error:
        return [str(error)]


def schema() -> None:
    """Print the JSON Schema of a monitor file, for editors."""
    from drift.config.monitor import json_schema

    print_json(json_schema())


def run(
    monitor: MonitorName,
    day: Day = None,
    force: Annotated[bool, typer.Option(help="Read the window again although it is stored.")] = False,
    fail_on: Fail = None,
    as_json: Json = False,
    html: Html = None,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for one window: gate, count, score, alert, notify."""
    import_special_functions()
    from drift.pipeline import run as runs

    context = open_context(monitor, folder, database)
    try:
        outcome = runs.run_window(context, window_of(context, day), clock=now, force=force)
    except DriftError:
        # A run that failed has an alert, too.
        with suppress(DriftError):
            _deliver(context)
        raise
    _deliver(context)
    write_html(outcome.report, html, timezone=context.monitor.window.timezone)
    show(outcome.report, as_json=as_json)
    exit_on(outcome.report, fail_on)


def _deliver(context: Context) -> None:
    """Send what is owed: of this monitor also what is no longer kept back."""
    from drift.alerts import delivery
    from drift.pipeline import notify

    notify.remind(context, now=now())
    delivery.deliver(context.store, now(), route)


def backfill(
    monitor: MonitorName,
    start: From,
    end: To,
    force: Annotated[bool, typer.Option(help="Read windows again although they are stored.")] = False,
    page: Annotated[bool, typer.Option(help="Send the alerts too: by default a backfill tells nobody.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes at work; a second one by default where many files are read.")
    ] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for every window from one date to another, oldest first."""
    import_special_functions()
    from drift.cli.tables import progress as progress_bar
    from drift.pipeline import run as runs

    context = open_context(monitor, folder, database)
    windows = windows_between(context, start, end)
    failed = []
    jobs = jobs or (2 if context.monitor.source.files and len(windows) >= MANY else 1)
    with progress_bar(len(windows), f"backfill {context.name}", quiet=as_json) as advance:

        def progress(window: Window, result: Report | DriftError) -> None:
            if isinstance(result, DriftError):
                failed.append(f"{context.label(window)}: {result}")
            advance(context.label(window))

        reports = runs.backfill(context, windows, clock=now, force=force, page=page, jobs=jobs, progress=progress)
    if page:
        _deliver(context)
    counts: dict[str, int] = {}
    for report in reports:
        status = runs.run_status(report)
        counts[status] = counts.get(status, 0) + 1
    if as_json:
        print_json({"monitor": context.name, "windows": len(windows), "statuses": counts, "failed": failed})
    else:
        print(f"{context.name}: {len(reports)} windows: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
        for line in failed:
            print_error(line)
    if failed:
        raise typer.Exit(2)


def history(
    monitor: MonitorName,
    feature: Annotated[str | None, typer.Argument(help="Only this feature.")] = None,
    last: Annotated[int, typer.Option(help="How many windows back.")] = 30,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show the stored scores of a monitor, newest window last."""
    from drift.cli.tables import history_table

    context = open_context(monitor, folder, database)
    rows = context.store.scores(context.name, feature=feature, windows=last)
    if as_json:
        print_json({"monitor": context.name, "direction": "current||reference", "unit": "nats", "scores": rows})
    elif not rows:
        print(f"{context.name} has no scores yet: drift backfill {context.name} --from DATE --to DATE")
    else:
        history_table(context, rows, feature)


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
    """Show which cells of a feature moved in one window, and what each adds to its KL."""
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
    write_html(mine, html, timezone=context.monitor.window.timezone)
    if as_json:
        print_json(report.to_dict() | {"features": {feature: report.to_dict()["features"][feature]}})
    else:
        explanation(report, feature)
