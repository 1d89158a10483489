"""A standalone Airflow whose metadata and results are on PostgreSQL: only where `make test-airflow` asks for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = float(os.environ.get("DRIFT_AIRFLOW_PATIENCE", "600"))
BEFORE, FIRST, LAST = date(2013, 1, 1), date(2013, 2, 1), date(2013, 3, 2)
"""The history that is there, and the thirty days that Airflow fills in."""

# `dags.py` is for the dag-processor alone.
collect_ignore_glob = ["dags.py"] if os.environ.get("DRIFT_AIRFLOW") else ["*.py"]

MONITOR = """
name: {name}
source: {{connection: warehouse, table: {table}, time_column: day}}
window: {{every: 1d, timezone: UTC}}
reference: {{trailing: 3d, min_windows: 2}}
detection: {{min_rows: 100, seasonal: false}}
schedule: "@daily"
"""


def ago(days: int) -> date:
    """A day in UTC."""
    return (datetime.now(UTC) - timedelta(days=days)).date()


def days(*numbers: int) -> pd.DataFrame:
    """Rows of some days before today; those of two days ago moved."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(7)
    parts = [
        pd.DataFrame({"day": ago(number), "delay": rng.normal(10 + 8 * (number == 2), 5, 400)}) for number in numbers
    ]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Live:
    """The Airflow at work."""

    environment: dict[str, str]
    results: str
    control: str
    warehouse: str
    port: int

    def command(self, *arguments: str) -> str:
        """Run one of Airflow's commands."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def api(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Ask Airflow's interface."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/auth/token", timeout=30) as answer:
            token = json.load(answer)["access_token"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http address
            return json.load(answer)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first."""
        found: list[dict[str, Any]] = self.api(f"/dags/{dag}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        return found

    def switch_on(self, *dags: str) -> None:
        """Unpause DAGs, once they are known."""
        for dag in dags:
            until(partial(self.api, f"/dags/{dag}"), f"{dag} is there")
            self.api(f"/dags/{dag}", {"is_paused": False}, "PATCH")

    def trigger(self, dag: str, **conf: str) -> dict[str, Any]:
        """Run a DAG by hand."""
        run: dict[str, Any] = self.api(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        return run

    def ended(self, run: dict[str, Any], patience: float = PATIENCE) -> str:
        """Wait for a run to end, and say how."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
        ended: str = until(
            lambda: (state := self.api(path)["state"]) in {"success", "failed"} and state, f"{path} ends", patience
        )
        return ended

    def tasks(self, run: dict[str, Any]) -> dict[str, list[str]]:
        """Return the states of a run's tasks, by task."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances?limit=100"
        found: dict[str, list[str]] = {}
        for each in self.api(path)["task_instances"]:
            found.setdefault(each["task_id"], []).append(each["state"])
        return found

    def log(self, run: dict[str, Any], task: str) -> str:
        """Return what a task said in its first try."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances/{task}/logs/1"
        return "\n".join(str(line.get("event", line)) for line in self.api(path)["content"])


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + patience
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            found = condition()
        except OSError as failed:
            error, found = failed, None
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"not within {patience:.0f} s: {what} ({error})")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop Airflow and every process it started."""
    for sign, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        deadline = time.monotonic() + patience
        try:
            os.killpg(process.pid, sign)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.2)
        except ProcessLookupError:
            break
    process.wait()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Live]:
    """Start everything; January is there already, in the database that Airflow fills and in the one it is held to."""
    import sqlalchemy as sa

    from drift.cli import demo
    from drift.store import migrations
    from tests.support.flights import write_sql

    folder = tmp_path_factory.mktemp("live")
    monitors = folder / "monitors"
    monitors.mkdir()
    demo.unpack(folder)
    warehouse = f"sqlite:///{folder / 'warehouse.db'}"
    (monitors / "flights.yaml").write_text((ROOT / "dags" / "monitors" / "flights.yaml").read_text())
    for name in ("live", "follower", "late", "never"):
        table = name if name in {"late", "never"} else "live"
        (monitors / f"{name}.yaml").write_text(MONITOR.format(name=name, table=table))
    write_sql(days(1, 2, 3, 4, 5, 6, 7), warehouse, "live")
    for table in ("late", "never"):
        write_sql(days(2, 3, 4, 5, 6), warehouse, table)

    server = sa.make_url(postgres_server)
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def create(name: str, template: str = "template1") -> sa.URL:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return server.set(database=name)

    control = create("drift_cli").render_as_string(hide_password=False)
    metadata = create("airflow_live")
    migrations.upgrade(control)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "DRIFT_"))}
    env |= {
        "DRIFT_CONNECTION_WAREHOUSE": warehouse,
        "DRIFT_MONITORS": str(monitors),
        "DRIFT_ROUTE_OPS": "json://127.0.0.1:9/",
    }
    fill(env | {"DRIFT_DATABASE": control}, BEFORE, FIRST - timedelta(days=1))
    results = create("drift_live", "drift_cli").render_as_string(hide_password=False)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="airflow-live-"))
    (home / "dags").mkdir()
    (home / "dags" / "live_dags.py").write_text((Path(__file__).parent / "dags.py").read_text())
    env |= {
        "DRIFT_DATABASE": results,
        "LIVE_WAIT": "60",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.set(drivername="postgresql+psycopg2").render_as_string(
            hide_password=False
        ),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata.set(drivername="postgresql+psycopg").render_as_string(
            hide_password=False
        ),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    log = (home / "standalone.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow", "standalone"],
        env=env,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    airflow = Live(env, results, control, warehouse, port)
    try:
        until(lambda: healthy(port, process), f"Airflow is healthy; see {log.name}", 300)
        yield airflow
    finally:
        stop(process)
        log.close()
        admin.dispose()


def fill(env: dict[str, str], first: date, last: date) -> None:
    """Fill days in from the command line."""
    command = [sys.executable, "-m", "drift", "backfill", "flights", "--from", f"{first}", "--to", f"{last}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def healthy(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether all its parts are well."""
    assert process.poll() is None, "Airflow has ended"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
        parts = json.load(answer)
    return all(
        parts[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")
    )
