"""Airflow's parts, two of Celery's workers, Redis between them, PostgreSQL behind: only for `make test-celery`."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.live_airflow import Live

# `dags.py` is for the dag-processor and the workers alone.
collect_ignore_glob = ["dags.py"] if os.environ.get("DRIFT_CELERY") else ["*.py"]


@dataclass(frozen=True)
class Crew:
    """An Airflow, and the session of each worker by the file of its log."""

    airflow: Live
    workers: Mapping[Path, int]


@pytest.fixture(scope="session")
def crew(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Crew]:
    """Start everything."""
    from tests.support.flights import write_sql
    from tests.support.kept import kept
    from tests.support.live_airflow import MONITOR, days, prepared, until

    folder = tmp_path_factory.mktemp("celery")
    airflow = prepared(folder, postgres_server, "CeleryExecutor", Path(__file__).parent / "dags.py")
    (airflow.monitors / "live.yaml").write_text(MONITOR.format(name="live", table="live"))
    write_sql(days(1, 2, 3, 4, 5, 6, 7), airflow.warehouse, "live")
    with socket.create_server(("127.0.0.1", 0)) as free:
        redis = free.getsockname()[1]
    airflow.environment.update(
        {
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(),
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            # A worker that is gone is missed soon: what it had taken is handed out again, what it ran is tried again.
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "120",
        }
    )
    airflow.command("db", "migrate")
    worker = ("celery", "worker", "--skip-serve-logs", "--without-mingle", "--without-gossip", "--celery-hostname")
    with ExitStack() as stack:

        def start(name: str, *command: str) -> tuple[Path, int]:
            log = airflow.home / f"{name}.log"
            return log, stack.enter_context(kept(command, log, airflow.environment))

        start("redis", "redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--save", "", "--dir", str(folder))
        for part in ("api-server", "scheduler", "dag-processor"):
            start(part, sys.executable, "-m", "airflow", part)
        workers = dict(start(name, sys.executable, "-m", "airflow", *worker, name) for name in ("first", "second"))
        until(
            lambda: (
                airflow.has(("metadatabase", "scheduler", "dag_processor"))
                and all(" ready." in log.read_text() for log in workers)
            ),
            f"Airflow is healthy; see {airflow.home}",
            300,
        )
        yield Crew(airflow, workers)
