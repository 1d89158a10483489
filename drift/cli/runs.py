"""`drift runs`: takes windows back that should never have been run."""

from __future__ import annotations

from typing import Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    By,
    Database,
    Folder,
    Json,
    MonitorName,
    now,
    open_context,
    print_json,
    say,
    window_of,
)

runs_app = typer.Typer(help="Delete windows that should never have been run.", no_args_is_help=True)


@runs_app.callback()
def _group() -> None:
    """Keep the name of the one command there is."""


@runs_app.command("delete")
def delete(
    monitor: MonitorName,
    by: By,
    day: Annotated[str, typer.Option("--window", help="The window that holds this local date or time.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Delete a window with all that hangs on it: counts, scores, report, its part in alerts, pending notifications."""
    from drift.pipeline.actions import delete_window

    context = open_context(monitor, folder, database)
    window = window_of(context, day)
    rows = delete_window(context, window, by=by, now=now(), dry_run=not yes)
    if not yes:
        what = ", ".join(f"{n:,} {table}" for table, n in rows.items() if n)
        typer.confirm(f"{context.name} {context.label(window)}: delete {what}?", abort=True, err=True)
        rows = delete_window(context, window, by=by, now=now())
    if as_json:
        print_json({"monitor": context.name, "window": window.key, "rows": rows})
        return
    say(f"{context.name} {context.label(window)} is deleted:")
    for table, n in rows.items():
        say(f"  {table:<12} {n:>10,} rows")
