"""`drift replay` and `drift tune`: what other settings would have told of the stored windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, Json, MonitorName, moment, open_context, print_json
from drift.cli.starting import import_special_functions

if TYPE_CHECKING:
    from drift.pipeline.context import Context
    from drift.windows import Window

Last = Annotated[int | None, typer.Option("--last", min=1, help="Only the newest so many windows.")]
Since = Annotated[str | None, typer.Option("--from", help="First local date.")]
Until = Annotated[str | None, typer.Option("--to", help="Last local date, included.")]


def replay(
    monitor: MonitorName,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, such as detection.effect.warning=0.02.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Take detection and reference of this file.")] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show what other settings would have told of the stored windows; reads no source and writes nothing."""
    from dataclasses import replace

    import_special_functions()
    from drift.cli.tables import replay_tables
    from drift.config.monitor import load_monitor
    from drift.config.overrides import adopt, read_settings, with_settings
    from drift.pipeline import replay as replays

    context = open_context(monitor, folder, database)
    asked = adopt(context.monitor, load_monitor(config)) if config else context.monitor
    asked = with_settings(asked, read_settings(settings or []))
    lead = max(replays.lead_of(context.monitor), replays.lead_of(asked))
    windows, lead = _stored(context, last, start, end, lead)
    memory = replays.Memory(context.store)
    in_force = replays.replay(context, memory, windows, lead=lead)
    changed = settings or config
    asked_for = (
        replays.replay(replace(context, monitor=asked), memory.afresh(), windows, lead=lead) if changed else None
    )
    if as_json:
        print_json(replays.to_dict(in_force, asked_for))
    else:
        replay_tables(in_force, asked_for)


def tune(
    monitor: MonitorName,
    wished: Annotated[float, typer.Option("--pages-per-month", min=0, help="So many pages that tell of drift.")] = 2.0,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds where faults are planted.")] = 0,
    plants: Annotated[int, typer.Option(min=0, max=10_000, help="How often each fault is planted.")] = 40,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Propose settings for a wished number of pages a month, with what they would have caught and missed."""
    import numpy as np

    import_special_functions()
    from drift.cli.tables import proposal_tables
    from drift.pipeline import tuning

    context = open_context(monitor, folder, database)
    windows, lead = _stored(context, last, start, end, tuning.lead_needed(context.monitor))
    rng = np.random.default_rng(seed)
    found = tuning.tune(context, windows, lead=lead, wished=wished, rng=rng, times=plants)
    if as_json:
        print_json(found.to_dict())
    else:
        proposal_tables(found)


def _stored(
    context: Context, last: int | None, start: str | None, end: str | None, lead: int
) -> tuple[list[Window], int]:
    from drift.pipeline.replay import windows_run

    calendar = context.monitor.window.calendar
    first, until = (calendar.starting(moment(day)) if day else None for day in (start, end))
    return windows_run(context.store, context.monitor, last=last, first=first, until=until, lead=lead)
