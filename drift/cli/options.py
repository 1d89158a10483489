"""What the commands share: their options, and how a name becomes a monitor, a date a window, a report an exit code."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from drift.detection.scores import Gap
from drift.errors import ConfigError, DriftError, InternalError
from drift.pipeline import spans
from drift.text import logs
from drift.text.formatting import iso
from drift.text.visible import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.store.store import Store
    from drift.windows import Window

DATABASE = "sqlite:///drift.db"
MONITORS = Path("monitors")

FailOn = Literal["warning", "critical"]


def os_user() -> str:
    """Return the name of the user of this machine; ``unknown`` where the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Database = Annotated[
    str, typer.Option("--database", "-d", envvar="DRIFT_DATABASE", help="URL of the results database.")
]
Folder = Annotated[Path, typer.Option("--monitors", envvar="DRIFT_MONITORS", help="Folder of the monitor files.")]
MonitorName = Annotated[str, typer.Argument(metavar="MONITOR", help="Name of a monitor, or path of its file.")]
Segment = Annotated[
    str, typer.Option("--segment", help="Look at one segment, such as origin=JFK, instead of the whole window.")
]
Day = Annotated[
    str | None,
    typer.Option("--date", help="The window that holds this local date or time. Default: the last complete window."),
]
Fail = Annotated[
    FailOn | None,
    typer.Option("--fail-on", help="Exit with 1 if any feature reaches this severity, or could not be judged."),
]
Allow = Annotated[
    list[Gap] | None,
    typer.Option("--allow", help="With --fail-on: do not fail for this reason why something could not be judged."),
]
_NAMED = 5
"""Columns that a message names of those that could not be judged."""
Html = Annotated[
    Path | None, typer.Option("--html", help="Also write the report to this file, as one self-contained HTML page.")
]
Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", help="Also write a summary to this file, as Markdown for a pull request's comment."),
]
By = Annotated[
    str,
    typer.Option(
        default_factory=os_user, show_default="the user of this machine", help="Name recorded in the audit log."
    ),
]
Reason = Annotated[str, typer.Option(help="Reason recorded in the audit log.")]
From = Annotated[str, typer.Option("--from", help="First local date.")]
To = Annotated[str, typer.Option("--to", help="Last local date, inclusive.")]
Since = Annotated[str | None, typer.Option("--from", help="First local date.")]
Until = Annotated[str | None, typer.Option("--to", help="Last local date, inclusive.")]


def now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


def open_store(database: str) -> Store:
    """Open the results database."""
    from drift.store.store import Store

    return Store.open(database)


def connection(name: str) -> str:
    """Return the URL of a connection, by the environment."""
    from drift.config.connections import resolve_url

    return resolve_url(name, os.environ)


def open_context(name: str, folder: Path, database: str) -> Context:
    """Open a monitor, by its name or the path of its file, on the results database."""
    from drift.config.monitor import load_monitor
    from drift.pipeline.context import Context

    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        monitor = load_monitor(path)
    else:
        if not folder.is_dir():
            raise no_monitors(folder)
        monitor = find_monitor(name, folder)
    return Context.of(monitor, open_store(database), connection)


def no_monitors(folder: Path) -> DriftError:
    """Return the error that there is no folder of monitors, and what to do."""
    return DriftError(
        f"{folder} is not a folder: drift init DATA writes a first monitor there; name another with --monitors or "
        "DRIFT_MONITORS, or the monitor by its file"
    )


def monitor_paths(folder: Path) -> list[str]:
    """Return the paths of all monitor files of a folder."""
    from drift.config.monitor import monitor_files

    if not folder.is_dir():
        raise no_monitors(folder)
    found = [str(path) for path in monitor_files(folder)]
    if not found:
        raise DriftError(f"{folder} holds no monitor file (*.yaml, *.yml): drift init DATA writes one")
    return found


def monitors_of(folder: Path) -> tuple[list[Monitor], list[str]]:
    """Return the monitors of a folder, and the problems of its other files."""
    from drift.config.monitor import load_monitor, monitor_files

    found, problems = [], []
    for path in monitor_files(folder):
        try:
            found.append(load_monitor(path))
        except ConfigError as error:
            problems += error.problems
    return found, problems


def find_monitor(name: str, folder: Path) -> Monitor:
    """Return a monitor by name; a broken file beside it is an error only where it may be the one that is meant."""
    found, problems = monitors_of(folder)
    known = {monitor.name: monitor for monitor in found}
    if name in known:
        return known[name]
    if problems:
        raise ConfigError(problems)
    raise DriftError(f"{folder} has no monitor {name!r}; it has: {', '.join(sorted(known)) or 'none'}")


def route(name: str) -> str:
    """Return the Apprise URL behind a route's name, from the environment."""
    from drift.alerts.channels import resolve_route

    return resolve_route(name, os.environ)


def window_of(context: Context, day: str | None) -> Window:
    """Return the window that holds a date, or the last complete one."""
    return spans.window_of(context.monitor.window.calendar, day, now())


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        print_json(report.to_dict())
        return
    from drift.cli.tables import report_table

    report_table(report)


def write_pages(report: Report, *, html: Path | None, markdown: Path | None = None, timezone: str = "UTC") -> None:
    """Write a report as one HTML page and its summary as Markdown, each where a file is named."""
    for path, render in ((html, report.to_html), (markdown, report.to_markdown)):
        if path is None:
            continue
        text = render(timezone=timezone)
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise DriftError(f"cannot write {path}: {error.strerror or error}") from error


def exit_on(report: Report, fail_on: FailOn | None, allowed: Collection[Gap]) -> None:
    """Leave with 1 if a feature or relationship reaches a severity, or where no answer is not allowed."""
    if not fail_on:
        return
    gaps = {gap: reasons for gap, reasons in report.gaps().items() if gap not in allowed}
    for gap, reasons in gaps.items():
        print_error(f"{'; '.join(reasons[:_NAMED])}{'; …' * (len(reasons) > _NAMED)} (--allow {gap} permits it)")
    if gaps or report.severity in {fail_on, "critical"}:
        raise typer.Exit(1)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print JSON; times in UTC."""

    def plain(thing: object) -> str:
        return iso(thing) if isinstance(thing, datetime) else str(thing)

    print(json_text(value, indent=2, default=plain))


def say(line: object) -> None:
    """Print one line, whatever names and messages are in it."""
    print(visible(line))


def print_error(message: str) -> None:
    """Print an error as one line on standard error; where logs are JSON, as one of theirs."""
    if logs.is_json():
        logs.logger("drift").error("%s", message)
        return
    print(f"error: {visible(message)}", file=sys.stderr)


def print_failure(error: DriftError, of: str = "") -> int:
    """Print an error, each problem of a file on a line of its own, and return the exit code that it stands for."""
    for problem in error.problems if isinstance(error, ConfigError) else [f"{of}{': ' * bool(of)}{error}"]:
        print_error(problem)
    return 3 if isinstance(error, InternalError) else 2
