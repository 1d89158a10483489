"""What keeps an installation well: `drift doctor` and `drift prune`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, Json, now, open_store, print_json, route


def doctor(
    airflow: Annotated[str, typer.Option("--airflow", help="Address of Airflow's API server.")] = "",
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Look at everything an installation needs, and say what to do. Exits with 1 if something fails."""
    from drift.cli.tables import check_line
    from drift.config.connections import resolve_url
    from drift.pipeline import doctor as examination

    checks = []
    for check in examination.examine(
        database,
        folder,
        env=os.environ,
        connect=lambda name: resolve_url(name, os.environ),
        resolve=route,
        now=now,
        airflow=airflow,
    ):
        checks.append(check)
        if not as_json:
            check_line(check.state, check.name, check.message, check.fix)
    states = [check.state for check in checks]
    if as_json:
        print_json({"checks": [asdict(check) for check in checks], "ok": "fail" not in states})
    else:
        print(f"{states.count('ok')} ok, {states.count('warn')} to look at, {states.count('fail')} failed")
    if "fail" in states:
        raise typer.Exit(1)


def prune(
    keep: Annotated[str, typer.Option("--keep", help="How much stays, such as 400d or 52w.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Forget old windows. Baselines, live alerts, and what the next run needs stay, however old they are."""
    from drift.store import retention

    with open_store(database) as store:
        pruned = retention.prune(store, keep, now=now(), dry_run=dry_run)
    if as_json:
        kept = [asdict(each) for each in pruned.kept]
        print_json({"before": pruned.before, "dry_run": dry_run, "rows": pruned.rows, "kept": kept})
        return
    print(f"windows that start before {pruned.before:%Y-%m-%d %H:%M} UTC" + ", if it were for real:" * dry_run)
    width = max(map(len, pruned.rows))
    for table, rows in pruned.rows.items():
        print(f"  {table:<{width}} {rows:>10,} rows {'would go' if dry_run else 'gone'}")
    for each in pruned.kept:
        print(f"  kept of {each.monitor}: from {each.start:%Y-%m-%d} on, for {each.why}")
