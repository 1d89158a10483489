"""The containers of docker-compose.yml in a project of their own: only where `make test-compose` asks for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "drift-test"
# A loopback address of its own: whatever runs on this machine's 8080 stays where it is.
ADDRESS = "127.0.0.77"
SERVICES = (
    "postgres",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "drift-dashboard",
)
PATIENCE = 300

collect_ignore_glob = [] if os.environ.get("DRIFT_COMPOSE") else ["test_*.py"]

MONITOR = """
name: live
description: Rows up to yesterday, made for the test
source: {connection: warehouse, table: live, time_column: day}
window: {every: 1d, timezone: UTC}
reference: {trailing: 3d, min_windows: 2}
detection: {min_rows: 100, seasonal: false}
schedule: "@daily"
"""

ROWS = """
SELECT setseed(.5);
CREATE TABLE live AS
    SELECT day, CASE WHEN ago = 2 THEN 18 ELSE 10 END + 5 * (random() + random() + random() - 1.5) AS delay,
           (ARRAY['AA', 'B6', 'DL'])[1 + floor(3 * random())::int] AS carrier
    FROM generate_series(1, 12) AS ago, generate_series(1, 400) AS n,
         LATERAL (SELECT (now() AT TIME ZONE 'UTC')::date - ago AS day) AS days;
"""


@dataclass(frozen=True)
class Stack:
    """The running containers."""

    environment: dict[str, str]

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run a command of Compose."""
        new = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        command = ["docker", "compose"] if new else ["docker-compose"]
        return self.run([*command, "--project-name", PROJECT, "--ansi", "never", *arguments], check=check)

    def run(self, command: list[str], *, check: bool = True, text: str | None = None) -> str:
        """Run a command, and show what it said if it fails."""
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, input=text, check=False
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def containers(self) -> dict[str, tuple[str, str]]:
        """Return the id and the state in words of every container, by its service."""
        mine = ["docker", "ps", "--all", "--filter", f"label=com.docker.compose.project={PROJECT}"]
        said = self.run([*mine, "--format", '{{.Label "com.docker.compose.service"}}|{{.ID}}|{{.Status}}'])
        return {name: (number, state) for name, number, state in (line.split("|") for line in said.splitlines())}

    def inspect(self, service: str, what: str) -> str:
        """Return what the engine knows of a service."""
        return self.run(["docker", "inspect", "--format", what, self.containers()[service][0]]).strip()

    def healthy(self) -> bool:
        """Whether every service that lasts is up and well."""
        there = self.containers()
        return all("(healthy)" in there[service][1] for service in SERVICES)

    def shell(self, service: str, *command: str, text: str | None = None) -> str:
        """Run a command in a service."""
        return self.run(["docker", "exec", "-i", self.containers()[service][0], *command], text=text)

    def sql(self, database: str, query: str) -> list[list[str]]:
        """Ask the PostgreSQL of the stack."""
        psql = [
            "psql",
            "--username",
            "drift",
            "--dbname",
            database,
            "--no-align",
            "--tuples-only",
            "--field-separator=|",
        ]
        said = self.shell("postgres", *psql, text=query)
        return [line.split("|") for line in said.splitlines() if line]

    def get(self, port: int, path: str, token: str = "") -> Any:
        """Fetch a page."""
        return self.send(port, path, None, token)

    def send(
        self, port: int, path: str, body: dict[str, Any] | None, token: str = "", method: str | None = None
    ) -> Any:
        """Send JSON and return what came back, read as JSON where it is some."""
        request = urllib.request.Request(
            f"http://{ADDRESS}:{port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own http address
            text = answer.read().decode()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def airflow(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Ask Airflow's own interface, as its user."""
        user = {"username": "admin", "password": self.environment["AIRFLOW_ADMIN_PASSWORD"]}
        token = self.send(8080, "/auth/token", user)["access_token"]
        return self.send(8080, f"/api/v2{path}", body, token, method)

    def finished(self, run: dict[str, Any]) -> dict[str, Any]:
        """Wait for a run to end, and return how it did."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
        ended: dict[str, Any] = until(
            lambda: (now := self.airflow(path))["state"] in {"success", "failed"} and now, f"{path} ends"
        )
        return ended


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + patience
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (OSError, AssertionError, KeyError) as failed:
            error, found = failed, None
        if found:
            return found
        time.sleep(2)
    raise AssertionError(f"not within {patience:.0f} s: {what} ({error})")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Build the image, start everything, wait until it is well, and take it all down in the end."""
    folder = tmp_path_factory.mktemp("compose")
    monitors = folder / "monitors"
    shutil.copytree(ROOT / "dags" / "monitors", monitors)
    (monitors / "live.yaml").write_text(MONITOR)
    for path in (folder.parent, folder, monitors):
        path.chmod(0o755)
    secrets = folder / ".env"
    make = [sys.executable, str(ROOT / "docker" / "secrets_to_env.py"), str(ROOT / ".env.example"), str(secrets)]
    subprocess.run(make, check=True, capture_output=True)
    stack = Stack(
        os.environ
        | dict(re.findall(r"^(\w+)=(.*)$", secrets.read_text(), re.MULTILINE))
        | {"BIND_ADDRESS": ADDRESS, "MONITORS_FOLDER": str(monitors), "COMPOSE_HTTP_TIMEOUT": "300"}
    )
    # What an interrupted test has left.
    stack.compose("down", "--volumes", "--remove-orphans", check=False)
    try:
        stack.compose("build")
        stack.compose("up", "--detach")
        until(stack.healthy, "every service is healthy")
        stack.sql("warehouse", ROWS)
        yield stack
    except BaseException:
        print(stack.compose("logs", "--tail", "40", check=False)[-20_000:])  # noqa: T201 - why it failed
        raise
    finally:
        if not os.environ.get("DRIFT_COMPOSE_KEEP"):
            stack.compose("down", "--volumes", "--remove-orphans", check=False)
