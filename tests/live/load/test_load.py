"""Many monitors at once on PostgreSQL, and very many features in one: all is written, once, and nobody is stuck.

What it costs is measured by `benchmarks/load.py`; here it has to be right.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from drift.store.store import Store

ROOT = Path(__file__).parents[3]

# Forking wants a process without threads, so each scene is a program of its own.
CROWD = """
import json, sys
from benchmarks import load
results, monitors, features, at_once = sys.argv[1], *map(int, sys.argv[2:])
print(json.dumps(load.crowd(lambda: results, monitors, features, at_once, 300)))
"""
WIDE = """
import json, sys
from benchmarks import load
print(json.dumps(load.wide(lambda: sys.argv[1], "it", int(sys.argv[2]), 300)))
"""


def told(code: str, *arguments: object) -> list[list[str]]:
    """Run a scene, and return its table."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return rows


@pytest.mark.parametrize(
    ("monitors", "features", "at_once"),
    [pytest.param(4, 6, 4, marks=pytest.mark.slow), pytest.param(200, 50, 50, marks=pytest.mark.faults)],
    ids=["small", "whole"],
)
def test_many_monitors_at_once_are_all_judged(postgres_url: str, monitors: int, features: int, at_once: int) -> None:
    """Two days each; none fails, and PostgreSQL had to end no deadlock."""
    for line in told(CROWD, postgres_url, monitors, features, at_once):
        assert line[8:10] == ["0", "0"], line
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        counts = {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in ("report", "score", "profile")
        }
        fitted = connection.exec_driver_sql("SELECT count(DISTINCT (monitor, feature)) FROM baseline").scalar_one()
    engine.dispose()
    assert (counts["report"], counts["profile"]) == (2 * monitors, 9 * monitors)
    assert (counts["score"], fitted) == (2 * monitors * features, monitors * features)


@pytest.mark.parametrize(
    "features", [pytest.param(120, marks=pytest.mark.slow), pytest.param(2000, marks=pytest.mark.faults)]
)
def test_very_many_features_in_one_monitor(database_url: str, features: int) -> None:
    """Every one is judged, in a first run, in the next day's and in the same again."""
    assert len(told(WIDE, database_url, features)) == 3
    with Store.open(database_url) as store:
        assert [row["n_judged"] for row in store.reports("wide")] == [features, features]
