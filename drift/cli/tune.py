"""`drift tune`: proposes settings for a wished number of pages a month."""

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
    Since,
    Until,
    open_context,
    print_json,
    window_of,
)
from drift.cli.replay import Last, stored_windows


def tune(
    monitor: MonitorName,
    wished: Annotated[
        float, typer.Option("--pages-per-month", min=0, help="How many pages about drift are wished for.")
    ] = 2.0,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="A date whose event must still be paged; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random choice of where faults are planted.")] = 0,
    plants: Annotated[int, typer.Option(min=0, max=10_000, help="How often each fault is planted.")] = 40,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Propose settings for a wished number of pages a month, and say what they would have caught and missed."""
    import numpy as np

    from drift.cli.tables import proposal_tables
    from drift.pipeline import tuning

    context = open_context(monitor, folder, database)
    windows, lead = stored_windows(context, last, start, end, tuning.lead_needed(context.monitor))
    rng = np.random.default_rng(seed)
    events = list(dict.fromkeys(window_of(context, day) for day in keep or []))
    found = tuning.tune(context, windows, lead=lead, wished=wished, rng=rng, times=plants, keep=events)
    if as_json:
        print_json(found.to_dict())
    else:
        proposal_tables(found)
