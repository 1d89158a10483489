"""Windows of a table of a hundred million rows, counted inside a cluster of two workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.store import migrations
from tests.live.spark import tables
from tests.support.warehouses import alike, dump

if TYPE_CHECKING:
    from tests.live.spark.conftest import Cluster

ROWS = int(os.environ.get("DRIFT_SPARK_ROWS", "100_000_000"))

CLOCKS = {"at", "activated_at", "checked_at", "created_at", "first_seen_at", "last_seen_at", "notified_at", "opened_at"}

MONITOR = """
name: trips
source: {{{source}, time_column: day}}
window: {{every: 1d, timezone: UTC}}
reference: {{trailing: 1d, min_windows: 1}}
detection: {{min_rows: 100, seasonal: false}}
segments: [{segments}]
"""


@dataclass(frozen=True)
class Done:
    """Where a run has stored its results, and what it took: seconds, and at most so much memory in Python, MB."""

    results: sa.Engine
    seconds: float
    memory: float


def drift(folder: Path, source: str, *command: str, url: str = "", segments: str = "") -> Done:
    """Run a command of a monitor in a process and a results database of its own."""
    folder.mkdir()
    (folder / "trips.yaml").write_text(MONITOR.format(source=source, segments=segments))
    results = f"sqlite:///{folder / 'drift.db'}"
    migrations.upgrade(results)
    environment = {
        **os.environ,
        "DRIFT_DATABASE": results,
        "DRIFT_MONITORS": str(folder),
        "DRIFT_CONNECTION_SPARK": url,
    }
    started, memory = time.monotonic(), 0.0
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "drift", command[0], "trips", *command[1:]], env=environment, stdout=log, stderr=log
        )
        try:
            while process.poll() is None:
                memory = max(memory, peak_of(process.pid))
                time.sleep(0.05)
        finally:
            process.kill()
        seconds = time.monotonic() - started
        log.seek(0)
        said = log.read()
    assert process.returncode == 0, said[-5000:]
    return Done(sa.create_engine(results, poolclass=sa.NullPool), seconds, memory)


def peak_of(pid: int) -> float:
    """The most memory that a process has held so far, MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


@pytest.fixture(scope="session")
def lake(cluster: Cluster) -> Path:
    """The folder of both tables."""
    folder = cluster.folder / "lake"
    started = time.monotonic()
    command = [sys.executable, tables.__file__, cluster.master, str(folder), str(ROWS)]
    with cluster.worker(), (cluster.folder / "tables.log").open("wb") as log:
        assert subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0, log.name
    size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
    sys.stdout.write(f"\n{ROWS:,} rows written in {time.monotonic() - started:.0f} s: {size / 1e9:.1f} GB\n")
    return folder


def inside(folder: Path) -> str:
    """A table as Spark reads it."""
    return f'connection: spark, engine: warehouse, query: "SELECT * FROM parquet.`{folder}`"'


def test_a_cluster_stores_what_the_local_engine_stores(cluster: Cluster, lake: Path, tmp_path: Path) -> None:
    """Bins, segments, counts, pairs, scores, alerts, row for row; the day that moved is found."""
    days = ("backfill", "--from", "2024-01-02", "--to", "2024-01-03")
    here = drift(tmp_path / "here", f'files: "{lake}/small/*.parquet"', *days, segments="paid")
    with cluster.worker():
        there = drift(tmp_path / "there", inside(lake / "small"), *days, url=cluster.url, segments="paid")
    ours, local = dump(there.results, CLOCKS), dump(here.results, CLOCKS)
    assert len(local["pair_counts"]) == 3
    assert len(local["alert"]) > 0
    assert ours.keys() == local.keys()
    for table, found in ours.items():
        assert [pair for pair in zip(found, local[table], strict=True) if not alike(*pair)] == [], table
    sys.stdout.write(f"\n2 days of {tables.SMALL:,} rows: {here.seconds:.0f} s here, {there.seconds:.0f} s inside\n")


def test_a_large_window_costs_no_memory_here(cluster: Cluster, lake: Path, tmp_path: Path) -> None:
    """A million rows, and a quarter of the table, with one worker and with two, each beside a reference as large."""
    source, large = inside(lake / "large"), ("run", "--date", "2024-01-07")
    small = drift(tmp_path / "small", source, "run", "--date", "2024-01-05", url=cluster.url)
    one = drift(tmp_path / "one", source, *large, url=cluster.url)
    with cluster.worker():
        two = drift(tmp_path / "two", source, *large, url=cluster.url)
    for name, done in {"1M + 1M": small, "one worker": one, "two workers": two}.items():
        sys.stdout.write(f"\n{name}: {done.seconds:.0f} s, {done.memory:.0f} MB\n")
    for done in (one, two):
        assert asked(done, "SELECT n_rows FROM profile") == [((ROWS - 2 * tables.MEDIUM) // 4,)] * 2
        assert ("x",) in asked(done, "SELECT feature FROM alert")
        assert done.memory < 1.1 * small.memory


def asked(done: Done, query: str) -> list[tuple[object, ...]]:
    """Rows of the results."""
    with done.results.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]
