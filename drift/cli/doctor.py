"""`drift doctor`: looks at everything that an installation needs."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, Json, connection, now, print_json, route, say


def doctor(
    airflow: Annotated[str, typer.Option("--airflow", help="Address of Airflow's API server.")] = "",
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Check everything an installation needs, and say what to do. Exits with 1 if a check fails."""
    from drift.cli.tables import check_line
    from drift.pipeline import doctor as examination

    checks = []
    for check in examination.examine(
        database,
        folder,
        env=os.environ,
        connect=connection,
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
        say(f"{states.count('ok')} ok, {states.count('warn')} to look at, {states.count('fail')} failed")
    if "fail" in states:
        raise typer.Exit(1)
