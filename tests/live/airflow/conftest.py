"""A standalone Airflow whose metadata and results are on PostgreSQL: only where `make test-airflow` asks for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.live_airflow import Live

# `dags.py` is for the dag-processor alone.
collect_ignore_glob = ["dags.py"] if os.environ.get("DRIFT_AIRFLOW") else ["*.py"]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Live]:
    """Start everything."""
    from tests.support.flights import write_sql
    from tests.support.kept import kept
    from tests.support.live_airflow import MONITOR, days, prepared, until

    found = prepared(
        tmp_path_factory.mktemp("live"), postgres_server, "LocalExecutor", Path(__file__).parent / "dags.py"
    )
    for name in ("live", "follower", "late", "never"):
        table = name if name in {"late", "never"} else "live"
        (found.monitors / f"{name}.yaml").write_text(MONITOR.format(name=name, table=table))
    write_sql(days(1, 2, 3, 4, 5, 6, 7), found.warehouse, "live")
    for table in ("late", "never"):
        write_sql(days(2, 3, 4, 5, 6), found.warehouse, table)
    log, parts = found.home / "standalone.log", ("metadatabase", "scheduler", "triggerer", "dag_processor")
    with kept([sys.executable, "-m", "airflow", "standalone"], log, {**found.environment, "LIVE_WAIT": "60"}):
        until(lambda: found.has(parts), f"Airflow is healthy; see {log}", 300)
        yield found
