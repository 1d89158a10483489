"""`drift gate`: lets a pipeline go on, or stops it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from drift.cli.options import (
    DATABASE,
    Database,
    Day,
    FailOn,
    Json,
    MonitorName,
    now,
    open_store,
    print_json,
    say,
)
from drift.pipeline import spans

Choice = Literal["block", "pass"]


def gate(
    monitor: MonitorName,
    severity: Annotated[FailOn, typer.Option(help="Stop at this severity and above.")] = "critical",
    day: Day = None,
    no_result: Annotated[Choice, typer.Option(help="What to do where the window has no result yet.")] = "block",
    rejected: Annotated[Choice, typer.Option(help="What to do where the expectations rejected the window.")] = "block",
    max_age: Annotated[
        str | None, typer.Option(help="A newest window that ended longer ago than this, such as 2d, does not count.")
    ] = None,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Decide whether a downstream job may go on: exit code 0 to go on, 1 to stop.

    Reads only the results database: the newest window that the monitor was run for, or the one of --date.
    """
    from drift.pipeline import gate as gates
    from drift.windows import Span

    name = monitor
    if Path(monitor).suffix in {".yaml", ".yml"}:
        from drift.config.monitor import load_monitor

        name = load_monitor(monitor).name
    with open_store(database) as store:
        window = spans.window_on(gates.stored_calendar(store, name), day) if day else None
        decision = gates.decide(
            store,
            name,
            severity=severity,
            window=window,
            no_result=no_result,
            rejected=rejected,
            max_age=Span.parse(max_age).nominal if max_age else None,
            now=now(),
        )
    if as_json:
        print_json(decision.to_dict())
    else:
        say(decision)
    if not decision.cleared:
        raise typer.Exit(1)
