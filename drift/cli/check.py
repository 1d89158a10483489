"""`drift check` and `drift schema`: is a monitor file right, and what may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import Json, connection, now, print_error, print_json, say
from drift.errors import ConfigError, DriftError

if TYPE_CHECKING:
    from drift.config.monitor import Monitor


def check(
    files: Annotated[list[Path], typer.Argument(help="Monitor files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Check monitor files and print every problem: file, line, key, and the fix. Exits with 1 if there are any.

    Names are compared with the columns where the source is files that are at hand.
    """
    from drift.config.monitor import load_monitor, monitor_files

    paths = [path for file in files for path in (monitor_files(file) if file.is_dir() else [file])]
    problems: list[str] = []
    for path in paths:
        try:
            monitor = load_monitor(path)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += [f"{path}: {problem}" for problem in _column_problems(monitor)]
    if as_json:
        print_json({"files": [str(p) for p in paths], "problems": problems})
    else:
        for problem in problems:
            print_error(problem)
        if not problems:
            say(f"{len(paths)} monitor file{'s' * (len(paths) != 1)}, no problems")
    if problems:
        raise typer.Exit(1)


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


def schema() -> None:
    """Print the JSON Schema of a monitor file, for editors."""
    from drift.config.monitor import json_schema

    print_json(json_schema())
