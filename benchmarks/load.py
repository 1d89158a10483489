"""What a whole platform costs: many monitors at once on PostgreSQL, and one monitor with very many features.

    python -m benchmarks.load [--only crowd,wide] [--monitors 200] [--features 50] [--at-once 50] [--wide 2000]

The crowd: every monitor reads the same Parquet files, a file a day, and writes to one PostgreSQL; so many processes at
once take a monitor each, then the next. The first round fits bins and counts eight days, the second is the next day's.
The wide one: a single monitor of very many features, first run and daily run, on SQLite and on PostgreSQL. Every run is
a process of its own, forked from one that has everything imported. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from pyarrow import parquet

from benchmarks.processes import load, table
from benchmarks.scale import databases
from drift.config.monitor import parse_monitor
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.live.faults.crowd import together

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = date(2026, 1, 1)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = 9
"""Seven of a reference, the first that is judged, and the next one."""


def write_days(folder: Path, features: int, rows: int) -> None:
    """Write a file a day: two columns in three are numbers, one is text."""
    rng = np.random.default_rng(8)
    for number in range(DAYS):
        columns: dict[str, Any] = {"day": pa.array([FIRST + timedelta(days=number)] * rows)}
        for i in range(features):
            text = i % 3 == 2
            values = rng.choice([f"v{k}" for k in range(12)], rows) if text else np.round(rng.normal(i, 1 + i, rows), 4)
            columns[f"f{i:04}"] = pa.array(values)
        path = folder / f"date={FIRST + timedelta(days=number)}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        parquet.write_table(pa.table(columns), path)


def run(results: str, files: str, name: str, number: int) -> None:
    """Run a day of a monitor."""
    text = (
        f"name: {name}\nsource: {{files: '{files}/date=*/*.parquet', time_column: day}}\nwindow: {{every: 1d}}\n"
        "reference: {trailing: 7d, min_windows: 3}\nfeatures: {exclude: [date]}\n"
        "alerts: {routes: [{to: ops}]}\n"
    )
    context = Context.of(parse_monitor(text), Store.open(results, patience=30), lambda one: one)
    with context.store:
        window = context.monitor.window.calendar.starting(FIRST + timedelta(days=number))
        runs.run_window(context, window, clock=lambda: NOW)


def crowd(make: Callable[[], str], monitors: int, features: int, at_once: int, rows: int) -> list[list[str]]:
    """Return a row of the table for each round."""
    results = make()
    Store.open(results, create=True).close()
    engine = sa.create_engine(results)
    lines = []
    with tempfile.TemporaryDirectory(prefix="drift-load-") as folder:
        write_days(Path(folder), features, rows)
        names = [f"m{i:03}" for i in range(monitors)]
        for round_, number in (("first run", DAYS - 2), ("next day", DAYS - 1)):
            each: list[str] = []
            failures, seconds, began = [], [], time.monotonic()
            for start in range(0, monitors, at_once):
                each = names[start : start + at_once]
                bad, took = together([lambda n=n, d=number: run(results, folder, n, d) for n in each])
                failures += bad
                seconds += took
            wall = time.monotonic() - began
            with engine.connect() as connection:
                deadlocks = connection.exec_driver_sql(
                    "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
                ).scalar_one()
                size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
                scores = connection.exec_driver_sql("SELECT count(*) FROM score").scalar_one()
            for failure in failures[:3]:
                print(failure)
            half, most, last = np.quantile(seconds or [0], [0.5, 0.95, 1])
            lines.append(
                [
                    *(round_, f"{monitors}", f"{at_once}", f"{wall:.1f}", f"{monitors / wall:.1f}"),
                    *(f"{half:.2f}", f"{most:.2f}", f"{last:.2f}", f"{len(failures)}", f"{deadlocks}"),
                    *(f"{scores:,}", f"{size / 1e6:.0f}"),
                ]
            )
    engine.dispose()
    return lines


def wide(make: Callable[[], str], kind: str, features: int, rows: int) -> list[list[str]]:
    """Return a row of the table for each run."""
    results = make()
    Store.open(results, create=True).close()
    lines = []
    with tempfile.TemporaryDirectory(prefix="drift-load-") as folder:
        write_days(Path(folder), features, rows)
        for round_, number in (("first run", DAYS - 2), ("next day", DAYS - 1), ("the same again", DAYS - 1)):
            began = time.monotonic()
            read, write = os.pipe()
            child = os.fork()
            if not child:
                try:
                    run(results, folder, "wide", number)
                    used = resource.getrusage(resource.RUSAGE_SELF)
                    os.write(write, f"{used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}".encode())
                finally:
                    os._exit(0)
            os.close(write)
            with os.fdopen(read) as told:
                cpu, peak = (float(word) for word in told.read().split())
            os.waitpid(child, 0)
            wall = time.monotonic() - began
            lines.append([kind, round_, f"{features}", f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}"])
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="crowd,wide")
    parser.add_argument("--monitors", type=int, default=200)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--wide", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=5000)
    asked = parser.parse_args()
    with databases() as makers:
        if "crowd" in asked.only:
            title = f"{asked.monitors} monitors of {asked.features} features, {asked.rows:,} rows a day, on PostgreSQL"
            heading = ["round", "runs", "at once", "wall s", "runs/s", "p50 s", "p95 s", "max s", "failed", "deadlocks"]
            rows = crowd(makers["PostgreSQL"], asked.monitors, asked.features, asked.at_once, asked.rows)
            table(title, [*heading, "scores", "MB"], rows)
        if "wide" in asked.only:
            title = f"One monitor of {asked.wide:,} features, {asked.rows:,} rows a day"
            lines = [line for kind, make in makers.items() for line in wide(make, kind, asked.wide, asked.rows)]
            table(title, ["database", "round", "features", "wall s", "CPU s", "peak MB"], lines)
    print(f"\n{load()}")


if __name__ == "__main__":
    main()
