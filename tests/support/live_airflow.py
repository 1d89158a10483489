"""An Airflow at work on PostgreSQL, beside the database that the command line fills with the same days."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.cli import demo
from drift.store import migrations, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = float(os.environ.get("DRIFT_AIRFLOW_PATIENCE", "600"))
BEFORE, FIRST, LAST = date(2013, 1, 1), date(2013, 2, 1), date(2013, 3, 2)
"""The history that is there, and the thirty days that Airflow fills in."""

MONITOR = """
name: {name}
source: {{connection: warehouse, table: {table}, time_column: day}}
window: {{every: 1d, timezone: UTC}}
reference: {{trailing: 3d, min_windows: 2}}
detection: {{min_rows: 100, seasonal: false}}
schedule: "@daily"
"""

PASSING = {"at", "url", "events", "seq"}
"""What tells of the course of a run, not of its result; so do all times but those of windows."""


def ago(days: int) -> date:
    """A day in UTC."""
    return (datetime.now(UTC) - timedelta(days=days)).date()


def days(*numbers: int) -> Any:
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
    """An Airflow, and the databases it works with: its results, and those it is compared with."""

    home: Path
    monitors: Path
    environment: dict[str, str]
    results: str
    control: str
    warehouse: str
    port: int

    def has(self, parts: Collection[str]) -> bool:
        """Whether these parts of it are well."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=5) as answer:
            said = json.load(answer)
        return all(said[name]["status"] == "healthy" for name in parts)

    def fill(self, first: date, last: date) -> None:
        """Fill days in from the command line, in the other database."""
        done = subprocess.run(
            [sys.executable, "-m", "drift", "backfill", "flights", "--from", f"{first}", "--to", f"{last}"],
            env={**self.environment, "DRIFT_DATABASE": self.control},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

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

    def backfill(self) -> None:
        """Ask for the thirty days of the flights, one after another; `filled` are their runs."""
        self.command(
            *("backfill", "create", "--dag-id", "flights", "--max-active-runs", "1"),
            *("--from-date", f"{FIRST}T00:00:00", "--to-date", f"{LAST}T12:00:00"),
        )

    def filled(self) -> list[dict[str, Any]]:
        """Return the runs of the backfill that have succeeded; none has failed."""
        found = [run for run in self.runs("flights") if run["run_type"] == "backfill"]
        assert [run for run in found if run["state"] == "failed"] == []
        return [run for run in found if run["state"] == "success"]

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


def prepared(folder: Path, server: str, executor: str, dags: Path) -> Live:
    """Make all that an Airflow needs; January is there already, in the database that it fills and in the other one."""
    home, monitors = folder / "airflow", folder / "monitors"
    monitors.mkdir()
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "live_dags.py").write_text(dags.read_text())
    demo.unpack(folder)
    (monitors / "flights.yaml").write_text((ROOT / "dags" / "monitors" / "flights.yaml").read_text())
    url = sa.make_url(server)
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def create(name: str, template: str = "template1", driver: str = "postgresql+psycopg") -> str:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return url.set(database=name, drivername=driver).render_as_string(hide_password=False)

    control = create("drift_cli")
    metadata = create("airflow_live", driver="postgresql+psycopg2")
    migrations.upgrade(control)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    warehouse = f"sqlite:///{folder / 'warehouse.db'}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "DRIFT_"))} | {
        "DRIFT_CONNECTION_WAREHOUSE": warehouse,
        "DRIFT_MONITORS": str(monitors),
        "DRIFT_ROUTE_OPS": "json://127.0.0.1:9/",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": executor,
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata.replace("psycopg2", "psycopg", 1),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    Live(home, monitors, environment, "", control, warehouse, port).fill(BEFORE, FIRST - timedelta(days=1))
    results = create("drift_live", "drift_cli")
    return Live(home, monitors, environment | {"DRIFT_DATABASE": results}, results, control, warehouse, port)


def rows(url: str, monitor: str) -> dict[str, list[str]]:
    """Everything a results database holds of a monitor, but what tells when and where it was computed."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    found = {}
    with engine.connect() as connection:
        for table in schema.metadata.sorted_tables:
            query = sa.select(*(c for c in table.c if c.name not in PASSING and not c.name.endswith("_at")))
            if "monitor" in table.c:
                query = query.where(table.c.monitor == monitor)
            elif table is schema.alert_event:
                query = query.join(schema.alert).where(schema.alert.c.monitor == monitor)
            found[table.name] = sorted(str(tuple(row)) for row in connection.execute(query))
    return found


def assert_as_the_command_line(live: Live) -> None:
    """Fill the thirty days in with `drift backfill` as well: both end in the same rows, and nobody was notified."""
    live.fill(FIRST, LAST)
    theirs, ours = rows(live.control, "flights"), rows(live.results, "flights")
    differing = [name for name in ours if name not in {"binning", "notification"} and ours[name] != theirs[name]]
    counts = {name: len(found) for name, found in ours.items() if found}
    sys.stdout.write(f"\nrows compared: {counts}; differing: {differing}\n")
    assert len(ours["score"]) > 0
    assert not ours["notification"]
    assert {name: (ours[name], theirs[name]) for name in differing} == {}
