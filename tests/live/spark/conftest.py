"""Spark's own standalone cluster on loopback, a master and workers: only where `make test-spark` asks for it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore_glob = [] if os.environ.get("DRIFT_SPARK") else ["*.py"]


@dataclass(frozen=True)
class Cluster:
    """A master with its workers, and where they write."""

    folder: Path
    port: int
    page: int

    @property
    def master(self) -> str:
        """What Spark calls it."""
        return f"spark://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What Drift calls it."""
        settings = {
            "spark.master": self.master,
            "spark.driver.host": "127.0.0.1",
            "spark.executor.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        return "pyspark://?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in settings.items())

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Keep a worker of one core."""
        before = self.workers()
        kind = ["worker.Worker", self.master, "--cores", "1", "--memory", "1g", "--host", "127.0.0.1"]
        with self.running(*kind, "--webui-port", "0", "--work-dir", str(self.folder / "work")):
            self.until(before + 1)
            yield
        self.until(before)

    @contextmanager
    def running(self, kind: str, *arguments: str) -> Iterator[None]:
        """Keep one of Spark's servers."""
        import pyspark

        home = Path(pyspark.__file__).parent
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.folder / "scratch"),
        }
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}", *arguments]
        with kept(command, self.folder / f"{kind}.log", environment):
            yield

    def workers(self) -> int:
        """How many there are; -1 where there is no master."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/json/", timeout=5) as answer:
                said: dict[str, Any] = json.load(answer)
        except OSError:
            return -1
        return int(said["aliveworkers"])

    def until(self, workers: int) -> None:
        """Wait for so many."""
        deadline = time.monotonic() + 120
        while self.workers() != workers:
            assert time.monotonic() < deadline, f"not {workers} workers within 120 s; see {self.folder}"
            time.sleep(0.2)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and one worker; the second is each test's own."""
    found = Cluster(tmp_path_factory.mktemp("spark"), free_port(), free_port())
    command = ["--host", "127.0.0.1", "--port", str(found.port), "--webui-port", str(found.page)]
    with found.running("master.Master", *command):
        found.until(0)
        with found.worker():
            yield found


@pytest.fixture(scope="session", autouse=True)
def _python() -> None:
    """Let Spark's drivers find this Python."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
