"""How a process ends: a fault of Drift's own is said, recorded and alerted; a database that only reads is enough to."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from drift.dashboard import create_app
from drift.errors import StoreError
from drift.pipeline import run
from drift.store.store import Store
from tests.support.flights import SQL, clock, days, monitor_text, open_context, rows, write_sql
from tests.support.store_samples import NOW, save_everything

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = """
from drift.pipeline import evaluate
from drift.cli.app import main

def gather(*_):
    raise KeyError("gone")

evaluate.gather = gather
main()
"""


def test_a_fault_of_drift_itself_ends_with_three(tmp_path: Path) -> None:
    """One line that asks for a report, no traceback; the run failed, and its alert is open and pending."""
    results, warehouse = (f"sqlite:///{tmp_path / name}.db" for name in ("drift", "warehouse"))
    write_sql(rows(9, 120), warehouse)
    context = open_context(results, warehouse)
    *before, last = days(context, 0, 8)
    run.backfill(context, before, clock=clock)
    (tmp_path / "flights.yaml").write_text(monitor_text(SQL))
    env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFT_")}
    env |= {"DRIFT_DATABASE": results, "DRIFT_CONNECTION_WAREHOUSE": warehouse}
    asked = [sys.executable, "-c", BROKEN, "run", "flights.yaml", "--date", context.label(last)]
    ended = subprocess.run(asked, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    assert "unexpected KeyError" in ended.stderr
    assert "please report it" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    (failed,) = [row for row in context.store.runs("flights") if row["window_start"] == last.start]
    assert (failed["status"], "unexpected KeyError" in failed["error"]) == ("error", True)
    assert [(alert.key, alert.state) for alert in context.store.alerts("flights")] == [("run", "open")]
    assert context.store.outbox_counts()["pending"] == 1


def test_who_may_only_read_sees_the_dashboard_and_what_would_be_forgotten(tmp_path: Path) -> None:
    """Of a SQLite file that is opened to be read."""
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        save_everything(store, NOW)
    with Store.open(f"sqlite:///file:{tmp_path}/drift.db?mode=ro&uri=true") as store:
        client = TestClient(create_app(store, read_only=True))
        for page in ("/", "/monitor?name=flights", "/alerts", "/api/v1/monitors", "/metrics", "/healthz"):
            assert client.get(page).status_code == 200, page
        before = datetime(2033, 1, 1, tzinfo=UTC)
        assert store.prune(before, dry_run=True)["profile"]
        with pytest.raises(StoreError, match="the right to write"):
            store.prune(before)
