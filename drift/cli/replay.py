"""`drift replay`: what other settings would have reported of the stored windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    Database,
    Folder,
    Json,
    MonitorName,
    Since,
    Until,
    now,
    open_context,
    print_json,
)

if TYPE_CHECKING:
    from drift.pipeline.context import Context
    from drift.windows import Window

Last = Annotated[int | None, typer.Option("--last", min=1, help="Number of windows, the newest ones.")]


def replay(
    monitor: MonitorName,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: KEY=VALUE, such as detection.effect.warning=0.02."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Take detection and reference from this monitor file.")
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(
            "--before",
            exists=True,
            dir_okay=False,
            help="Show beside it what `drift replay --json` printed before an upgrade.",
        ),
    ] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show which pages other settings would have sent. Reads only stored windows and writes nothing."""
    from drift.cli.tables import replay_tables
    from drift.config.monitor import load_monitor
    from drift.config.overrides import adopt, read_settings, with_settings
    from drift.pipeline import replay as replays
    from drift.store.memory import Memory

    context = open_context(monitor, folder, database)
    asked = adopt(context.monitor, load_monitor(config)) if config else context.monitor
    asked = with_settings(asked, read_settings(settings or []))
    lead = max(replays.lead_of(context.monitor), replays.lead_of(asked))
    windows, lead = stored_windows(context, last, start, end, lead)
    memory = Memory(context.store)
    in_force = replays.replay(context.monitor, memory, windows, lead=lead)
    sides = {"in force": in_force}
    if before:
        sides = {"before": replays.with_saved_calls(in_force, before.read_bytes(), str(before)), **sides}
    asked_for = None
    if settings or config:
        sides["asked for"] = asked_for = replays.replay(asked, memory.afresh(), windows, lead=lead)
    if as_json:
        print_json(replays.to_dict(in_force, asked_for))
    else:
        replay_tables(sides)


def stored_windows(
    context: Context, last: int | None, start: str | None, end: str | None, lead: int
) -> tuple[list[Window], int]:
    """Return the stored windows that are asked for, and how many before them only give them a history."""
    from drift.pipeline.replay import windows_run

    calendar = context.monitor.window.calendar
    first = calendar.spanned(start)[0] if start else None
    until = calendar.spanned(end)[1] if end else None
    return windows_run(context.store, context.monitor, last=last, first=first, until=until, lead=lead, now=now())
