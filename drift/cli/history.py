"""`drift history`: the stored scores of a monitor."""

from __future__ import annotations

from typing import Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Folder,
    Json,
    MonitorName,
    now,
    open_context,
    print_json,
    say,
)


def history(
    monitor: MonitorName,
    feature: Annotated[str | None, typer.Argument(help="Show only this feature, with a line for each window.")] = None,
    last: Annotated[int, typer.Option(help="Number of windows, the newest ones.")] = 30,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show the stored scores of a monitor, newest window last."""
    from drift.cli.tables import history_table
    from drift.pipeline.interactive import scores

    context = open_context(monitor, folder, database)
    rows = scores(context, feature, last=last, now=now())
    if as_json:
        print_json({"monitor": context.name, "direction": "current||reference", "unit": "nats", "scores": rows})
    elif not rows:
        say(f"{context.name} has no scores yet: drift backfill {context.name} --all")
    else:
        history_table(context, rows, feature)
