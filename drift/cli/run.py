"""`drift run` and `drift backfill`: a monitor runs for one window, or for many."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Allow,
    Database,
    Day,
    Fail,
    Folder,
    Html,
    Json,
    Markdown,
    MonitorName,
    Since,
    Until,
    exit_on,
    now,
    open_context,
    print_error,
    print_json,
    route,
    say,
    show,
    window_of,
    windows_between,
    windows_of_data,
    write_pages,
)
from drift.errors import DriftError, InternalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.windows import Window

MANY = 100
"""From this many windows on, a process that reads ahead is worth the second it takes to start."""


def run(
    monitor: MonitorName,
    day: Day = None,
    force: Annotated[bool, typer.Option(help="Read the window again, even if it is stored.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Judge a window that is not over by its rows so far; store nothing.")
    ] = False,
    fail_on: Fail = None,
    allow: Allow = None,
    as_json: Json = False,
    html: Html = None,
    markdown: Markdown = None,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for one window: validate, count, score, alert, notify."""
    from drift.pipeline import run as runs

    context = open_context(monitor, folder, database)
    if partial:
        window = window_of(context, day) if day else context.monitor.window.calendar.containing(now())
        report = runs.look(context, window, now=now())
    else:
        try:
            report = runs.run_window(context, window_of(context, day), clock=now, force=force).report
        except DriftError:
            # A run that failed has an alert, too.
            with suppress(DriftError):
                _deliver(context)
            raise
        _deliver(context)
    write_pages(report, html=html, markdown=markdown, timezone=context.monitor.window.timezone)
    show(report, as_json=as_json)
    exit_on(report, fail_on, allow or ())


def _deliver(context: Context) -> None:
    """Send what is pending, this monitor's notifications that nothing suppresses any more included."""
    from drift.alerts import delivery
    from drift.pipeline import notify

    notify.remind(context, now=now())
    delivery.deliver(context.store, now(), route)


def backfill(
    monitor: MonitorName,
    start: Since = None,
    end: Until = None,
    whole: Annotated[bool, typer.Option("--all", help="From the first row of the data to the last.")] = False,
    force: Annotated[bool, typer.Option(help="Read the windows again, even if they are stored.")] = False,
    page: Annotated[bool, typer.Option(help="Send notifications; by default a backfill sends none.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of processes. Default: 2 where many files are read, else 1.")
    ] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for every window from one date to another, or of all its data, oldest first."""
    from drift.cli.tables import progress as progress_bar
    from drift.pipeline import run as runs

    context = open_context(monitor, folder, database)
    if whole == bool(start or end) or bool(start) != bool(end):
        raise DriftError("give --from DATE and --to DATE, or --all for the whole span of the data")
    windows = windows_between(context, start, end) if start and end else windows_of_data(context)
    failed: dict[str, list[str]] = {}
    code = 2
    jobs = jobs or (2 if context.monitor.source.files and len(windows) >= MANY else 1)
    with progress_bar(len(windows), f"backfill {context.name}", quiet=as_json) as advance:

        def progress(window: Window, result: Report | DriftError) -> None:
            nonlocal code
            if isinstance(result, DriftError):
                code = 3 if isinstance(result, InternalError) else code
                failed.setdefault(str(result), []).append(context.label(window))
            advance(context.label(window))

        reports = runs.backfill(context, windows, clock=now, force=force, page=page, jobs=jobs, progress=progress)
    if page:
        _deliver(context)
    counts = Counter(report.status for report in reports)
    lines = [f"{_labels(labels)}: {reason}" for reason, labels in failed.items()]
    if as_json:
        print_json({"monitor": context.name, "windows": len(windows), "statuses": counts, "failed": lines})
    else:
        say(f"{context.name}: {len(reports)} windows: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
        for line in lines:
            print_error(line)
        if reports:
            say(f"next: drift history {context.name}, drift alerts, drift dashboard")
    if failed:
        raise typer.Exit(code)


def _labels(labels: Sequence[str]) -> str:
    """Name the windows that failed for one reason."""
    return labels[0] if len(labels) == 1 else f"{len(labels)} windows, {labels[0]} … {labels[-1]}"
