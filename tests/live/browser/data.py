"""The databases that the browser looks at: the demo's year of real flights, a hostile one, an empty one.

    .venv/bin/python -m tests.live.browser.data FOLDER

What is there already stays, but for the year's alerts that tests answered.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from drift.cli import demo
from drift.config.monitor import load_monitor
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store import migrations
from drift.store.schema import metadata
from drift.store.store import Store

BLIZZARD = date(2013, 2, 8)


def remove(path: Path) -> None:
    """Remove a database, and what SQLite may have left beside it: it would be taken for the next one's."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def year(folder: Path) -> None:
    """Fill the demo's database: the whole of 2013, then once more up to the blizzard, with its alerts still open."""
    demo.unpack(folder)
    stamp = folder / "tables.txt"
    columns = "\n".join(str(column) for table in metadata.sorted_tables for column in table.columns)
    if not stamp.exists() or stamp.read_text() != columns:
        # The tables have changed since: what was filled then is of no use.
        for old in folder.glob("*.db"):
            if old.name != "warehouse.db":
                remove(old)
        stamp.write_text(columns)
    os.environ |= demo.environment(folder, "json://127.0.0.1:9/")
    for name, last in (("year", date(2013, 12, 31)), ("blizzard", BLIZZARD)):
        path = folder / f"{name}.db"
        if path.exists():
            continue
        part = folder / f"{name}.part.db"
        remove(part)
        remove(path)
        migrations.upgrade(f"sqlite:///{part}")
        with Store.open(f"sqlite:///{part}") as store:
            monitor = load_monitor(demo.resource("dags") / "monitors" / f"{demo.MONITOR}.yaml")
            context = Context.of(monitor, store, lambda _: os.environ["DRIFT_CONNECTION_WAREHOUSE"])
            calendar = context.monitor.window.calendar
            windows = calendar.between(calendar.starting(demo.FIRST).start, calendar.starting(last).end)
            run = list(windows)
            runs.backfill(context, run[:-1], clock=lambda: datetime.now(UTC))
            runs.run_window(context, run[-1], clock=lambda: datetime.now(UTC), url="http://127.0.0.1:9/log")
        part.rename(path)


def hostile(folder: Path) -> None:
    """Fill a database whose every name wants to be markup, and one with nothing in it."""
    from tests.support.dashboard_pairs import fill_pairs
    from tests.support.dashboard_samples import fill

    for name in ("hostile", "empty"):
        path = folder / f"{name}.db"
        remove(path)
        with Store.open(f"sqlite:///{path}", create=True) as store:
            if name == "hostile":
                fill(store)
                fill_pairs(store)


def main(folder: Path) -> None:
    """Fill all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    year(folder)
    hostile(folder)
    remove(folder / "answered.db")
    shutil.copy(folder / "blizzard.db", folder / "answered.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
