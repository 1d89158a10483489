"""`drift check` and `drift schema`: is a monitor file right, and what may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import MONITORS, Folder, Json, connection, no_monitors, now, print_error, print_json, route, say
from drift.errors import ConfigError, DriftError, SourceError
from drift.text.formatting import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drift.config.monitor import Monitor


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Monitor files, or folders of them. Default: the folder of monitors.")
    ] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
) -> None:
    """Check monitor files and print every problem: file, line, key, and the fix. Exits with 1 if there are any.

    Names are compared with the columns where the source is files that are at hand, and a query is parsed where its
    connection says which database it is for. Connections and routes that are not
    known here are noted, each once: where the monitors run they may be.
    """
    from drift.config.monitor import load_monitor, monitor_files

    paths = _files(files, folder)
    empty = [each for each in files or [folder] if each.is_dir() and not monitor_files(each)]
    problems = [f"{each}: holds no monitor file (*.yaml, *.yml)" for each in empty]
    unknown: dict[str, list[str]] = {}
    for path in paths:
        try:
            monitor = load_monitor(path)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += [f"{path}: {each}" for each in (*_column_problems(monitor), *_query_problems(monitor))]
        for reason in _unknown_names(monitor):
            unknown.setdefault(reason, []).append(monitor.name)
    if as_json:
        print_json({"files": [str(p) for p in paths], "problems": problems, "unknown": unknown})
    else:
        _show(len(paths), problems, unknown)
        if paths and not problems:
            named = "" if not files else f"{paths[0]} " if len(paths) == 1 else "NAME "
            say(f"next: drift backfill {named}--all, then drift dashboard")
    if problems:
        raise typer.Exit(1)


def _files(files: Sequence[Path] | None, folder: Path) -> list[Path]:
    from drift.config.monitor import monitor_files

    if not files and not folder.is_dir():
        raise no_monitors(folder)
    return [path for file in files or [folder] for path in (monitor_files(file) if file.is_dir() else [file])]


def _show(n_files: int, problems: Sequence[str], unknown: Mapping[str, Sequence[str]]) -> None:
    for problem in problems:
        print_error(problem)
    if not problems:
        say(f"{many(n_files, 'monitor file')}, no problems")
    for reason, names in unknown.items():
        say(f"note: {reason} (for {', '.join(names)})")


def _unknown_names(monitor: Monitor) -> Iterator[str]:
    """Say which connection and routes of a monitor nothing here stands for."""
    source = monitor.source.connection
    for resolve, name in [(connection, source), *((route, each.to) for each in monitor.alerts.routes)]:
        try:
            if name:
                resolve(name)
        except DriftError as error:
            yield str(error)


def _column_problems(monitor: Monitor) -> list[str]:
    """Say which names match no column, where files that are at hand say which columns there are."""
    from drift.config.features import unmatched
    from drift.pipeline.context import SourceReader

    if not monitor.source.files or "://" in monitor.source.files:
        return []
    try:
        snapshot = SourceReader(monitor, connection).snapshot(monitor.window.calendar.last_complete(now()))
    except DriftError:
        return []  # drift doctor looks at sources
    return unmatched(monitor.patterns, snapshot.schema)


def _query_problems(monitor: Monitor) -> list[str]:
    """Say what in a query would be refused by every run, where the connection tells whose SQL it is."""
    from drift.sources.queries import one_select

    source = monitor.source
    if not source.query or not source.connection:
        return []
    try:
        dialect = connection(source.connection).partition(":")[0].partition("+")[0]
    except DriftError:
        return []  # noted as unknown
    try:
        one_select(source.query, dialect, "source.query")
    except SourceError as error:
        return [str(error)]
    return []


def schema() -> None:
    """Print the JSON Schema of a monitor file, for editors."""
    from drift.config.monitor import json_schema

    print_json(json_schema())
