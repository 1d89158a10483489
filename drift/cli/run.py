"""`drift run` and `drift backfill`: a monitor runs for one window, or for many."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
    monitor_paths,
    now,
    open_context,
    print_error,
    print_failure,
    print_json,
    route,
    say,
    show,
    window_of,
    write_pages,
)
from drift.errors import DriftError, InternalError
from drift.pipeline import spans
from drift.text.formatting import many

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
    from drift.alerts.delivery import Delivered
    from drift.pipeline import notify
    from drift.pipeline import run as runs

    context = open_context(monitor, folder, database)
    if partial:
        window = window_of(context, day) if day else context.monitor.window.calendar.containing(now())
        report, sent = runs.look(context, window, now=now()), None
    else:
        try:
            report = runs.run_window(context, window_of(context, day), clock=now, force=force).report
        except DriftError:
            # A run that failed has an alert, too.
            with suppress(DriftError):
                notify.deliver(context, now(), route)
            raise
        sent = notify.deliver(context, now(), route)
    write_pages(report, html=html, markdown=markdown, timezone=context.monitor.window.timezone)
    show(report, as_json=as_json)
    if sent and sent != Delivered() and not as_json:
        say(f"notifications: {sent}")
    exit_on(report, fail_on, allow or ())


class Backfilled(NamedTuple):
    """What became of the windows of a monitor."""

    context: Context
    n_windows: int
    statuses: Counter[str]
    failed: list[str]
    code: int


def backfill(
    monitor: Annotated[
        str | None, typer.Argument(help="Name of a monitor, or path of its file. Default: all of the folder.")
    ] = None,
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
    """Run monitors for every window from one date to another, or of all their data, oldest first."""
    if whole == bool(start or end) or bool(start) != bool(end):
        raise DriftError("give --from DATE and --to DATE, or --all for the whole span of the data")
    found: list[Backfilled] = []
    code = 0
    for name in [monitor] if monitor else monitor_paths(folder):
        try:
            context = open_context(name, folder, database)
            windows = (
                spans.between(context.monitor.window.calendar, start, end)
                if start and end
                else spans.of_data(context, now())
            )
            one = _backfill(context, windows, force=force, page=page, jobs=jobs, quiet=as_json)
        except DriftError as error:
            code = max(code, print_failure(error, "" if monitor else name))
            continue
        found.append(one)
        code = max(code, one.code)
        if not as_json:
            _tell(one)
    if as_json and found:
        answers = [
            {"monitor": each.context.name, "windows": each.n_windows, "statuses": each.statuses, "failed": each.failed}
            for each in found
        ]
        print_json(answers[0] if monitor else answers)
    elif any(each.statuses for each in found):
        _next([each.context for each in found if each.statuses], page=page)
    if code:
        raise typer.Exit(code)


def _backfill(
    context: Context, windows: Sequence[Window], *, force: bool, page: bool, jobs: int | None, quiet: bool
) -> Backfilled:
    """Run a monitor for many windows, beside a bar that shows how far it is."""
    from drift.cli.tables import progress as progress_bar
    from drift.pipeline import notify
    from drift.pipeline import run as runs

    failed: dict[str, list[str]] = {}
    internal = False
    jobs = jobs or (2 if context.monitor.source.files and len(windows) >= MANY else 1)
    with progress_bar(len(windows), f"backfill {context.name}", quiet=quiet) as advance:

        def progress(window: Window, result: Report | DriftError) -> None:
            nonlocal internal
            if isinstance(result, DriftError):
                internal |= isinstance(result, InternalError)
                failed.setdefault(str(result), []).append(context.label(window))
            advance(context.label(window))

        reports = runs.backfill(context, windows, clock=now, force=force, page=page, jobs=jobs, progress=progress)
    if page:
        notify.deliver(context, now(), route)
    statuses: Counter[str] = Counter(report.status for report in reports)
    lines = [f"{_labels(labels)}: {reason}" for reason, labels in failed.items()]
    return Backfilled(context, len(windows), statuses, lines, 3 if internal else 2 if failed else 0)


def _tell(one: Backfilled) -> None:
    counts = ", ".join(f"{n} {status}" for status, n in one.statuses.items())
    say(f"{one.context.name}: {many(one.statuses.total(), 'window')}: {counts}")
    for line in one.failed:
        print_error(line)


def _next(contexts: Sequence[Context], *, page: bool) -> None:
    """Name what there is to look at, and the runs that notify."""
    notifying = [each.name for each in contexts if each.monitor.alerts.routes and not page]
    runs = [f"drift run {name} (notifies of what is open; a backfill does not)" for name in notifying]
    histories = [f"drift history {each.name}" for each in contexts[:1] if len(contexts) == 1]
    say("next: " + ", ".join([*runs, *histories, "drift alerts", "drift dashboard"]))


def _labels(labels: Sequence[str]) -> str:
    """Name the windows that failed for one reason."""
    return labels[0] if len(labels) == 1 else f"{len(labels)} windows, {labels[0]} … {labels[-1]}"
