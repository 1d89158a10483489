"""`drift prune`: deletes old windows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from drift.cli.options import DATABASE, Database, Json, now, open_store, print_json, say
from drift.text.formatting import day, when


def prune(
    keep: Annotated[str, typer.Option("--keep", help="How much to keep, such as 400d or 52w.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be deleted.")] = False,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Delete old windows. Baselines, open alerts and what the next run needs stay, however old they are."""
    from drift.store import retention

    with open_store(database) as store:
        pruned = retention.prune(store, keep, now=now(), dry_run=dry_run)
    if as_json:
        kept = [asdict(each) for each in pruned.kept]
        print_json({"before": pruned.before, "dry_run": dry_run, "rows": pruned.rows, "kept": kept})
        return
    say(f"windows that start before {when(pruned.before)}" + ", if it were for real:" * dry_run)
    width = max(map(len, pruned.rows))
    for table, rows in pruned.rows.items():
        say(f"  {table:<{width}} {rows:>10,} rows {'would go' if dry_run else 'gone'}")
    for each in pruned.kept:
        say(f"  kept of {each.monitor}: from {day(each.start)} on, for {each.why}")
