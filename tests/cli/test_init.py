"""`drift init`: from data to a monitor that is checked and runs at once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.config.monitor import load_monitor
from tests.support.command import runner
from tests.support.flights import write_sql
from tests.support.shop import write_orders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Drift


@pytest.fixture
def drift(tmp_path: Path) -> Drift:
    """Run `drift` in a folder of its own."""
    return runner(tmp_path)


def test_files_get_a_monitor_that_is_right_and_runs(drift: Drift, tmp_path: Path) -> None:
    """Each command says what to type next, and that works; a file that is there stays."""
    write_orders(tmp_path / "data" / "orders", days=9)
    done = drift("init", "data/orders")
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote " in done.stdout
    assert "9 windows of 1d by created_at" in done.stdout
    assert "  left out order_id: identifier: " in done.stdout
    assert done.stdout.splitlines()[-2:] == ["  drift backfill --all", "  drift dashboard"]
    path = tmp_path / "monitors" / "orders.yaml"
    path.write_text(path.read_text().partition("# What holds today")[0])  # Great Expectations takes its time
    assert drift("check").stdout == "1 monitor file, no problems\nnext: drift backfill --all, then drift dashboard\n"
    said = drift("backfill", "--all").stdout
    assert said.startswith("orders: 9 windows: ")
    assert said.endswith("\nnext: drift history orders, drift alerts, drift dashboard\n")
    again = drift("init", "data/orders")
    assert (again.returncode, "--force writes over it" in again.stderr) == (2, True)
    assert drift("init", "data/orders", "--force").returncode == 0


def test_the_routes_that_are_set_are_the_routes_that_are_written(drift: Drift, tmp_path: Path) -> None:
    """Where none is, the last lines say how to name one; where one is, what to run to be notified."""
    write_orders(tmp_path / "data" / "orders", days=3)
    assert "notifies nobody: set DRIFT_ROUTE_OPS to " in drift("init", "data/orders").stdout
    drift = runner(tmp_path, DRIFT_ROUTE_ON_CALL="file:inbox.jsonl")
    assert "notifies on_call\n" in drift("init", "data/orders", "--force").stdout
    path = tmp_path / "monitors" / "orders.yaml"
    assert [each.to for each in load_monitor(path).alerts.routes] == ["on_call"]
    path.write_text(re.sub(r"# What holds today.*?(?=alerts:)", "", path.read_text(), flags=re.DOTALL))
    assert "\nnext: drift run orders (notifies of what is open; " in drift("backfill", "--all").stdout


def test_files_that_the_shell_names_are_one_table_if_their_columns_agree(drift: Drift, tmp_path: Path) -> None:
    """Else each is a table; several tables of many files are told apart by nobody."""
    write_orders(tmp_path / "data", days=9)
    names = [f"data/{path.name}" for path in sorted((tmp_path / "data").iterdir())]
    assert drift("init", *names).returncode == 0
    assert load_monitor(tmp_path / "monitors" / "data.yaml").source.files == "data/*.parquet"
    pd.read_parquet(tmp_path / names[0]).drop(columns="price").to_parquet(tmp_path / "other.parquet")
    done = drift("init", names[0], "other.parquet")
    assert "wrote " in done.stdout
    assert (tmp_path / "monitors" / "other.yaml").exists()
    done = drift("init", *names, "data/../other.parquet")
    assert (done.returncode, "differ in their columns" in done.stderr) == (2, True)


def test_a_database_gets_a_monitor_a_table(drift: Drift, tmp_path: Path) -> None:
    """What cannot be watched is said to; the connection has a name, and no URL with a password is written or shown."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    write_sql(write_orders(tmp_path / "orders", days=9), url, "orders")
    write_sql(pd.DataFrame({"name": ["a", "b"]}), url, "countries")
    done = drift("init", url)
    assert done.returncode == 0
    assert "error: countries: table countries of " in done.stderr
    assert f"  export DRIFT_CONNECTION_SHOP={url}\n" in done.stdout
    monitor = load_monitor(tmp_path / "monitors" / "orders.yaml")
    assert (monitor.source.connection, monitor.source.table, monitor.window.every) == ("shop", "orders", "1d")
    assert url not in (tmp_path / "monitors" / "orders.yaml").read_text()
    done = drift("init", url, "--table", "countries")
    assert (done.returncode, "no column tells when a row happened" in done.stderr) == (2, True)
    done = drift("init", "postgresql://me:geheim@127.0.0.1:1/shop")
    assert (done.returncode, "geheim" in done.stdout + done.stderr) == (2, False)


def test_models_of_dbt_bring_their_owners_and_descriptions(drift: Drift, tmp_path: Path) -> None:
    """By meta or group; what is ephemeral has no rows of its own."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    write_sql(write_orders(tmp_path / "orders", days=9), url, "fct_orders")
    node = {"resource_type": "model", "schema": "main", "config": {"materialized": "table"}}
    owned = {"materialized": "table", "meta": {"owner": "shop team"}}
    nodes = {
        "a": {**node, "name": "orders", "alias": "fct_orders", "description": "All\norders: paid", "config": owned},
        "b": {**node, "name": "step", "config": {"materialized": "ephemeral"}},
        "c": {**node, "resource_type": "test", "name": "not_null"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    done = drift("init", url, "--dbt", "manifest.json", "--route", "ops")
    assert (done.returncode, done.stderr) == (0, "")
    monitor = load_monitor(tmp_path / "monitors" / "orders.yaml")
    assert (monitor.source.table, monitor.description) == ("fct_orders", "All orders: paid")
    assert monitor.alerts.owners == {"*": "shop team"}
    assert [route.to for route in monitor.alerts.routes] == ["ops"]
    (tmp_path / "manifest.json").write_text("[]")
    assert "is not a dbt manifest" in drift("init", url, "--dbt", "manifest.json").stderr


@pytest.mark.parametrize("rows", [1, 30])
def test_little_data_have_a_monitor_too(drift: Drift, tmp_path: Path, rows: int) -> None:
    """Few rows in one file: there is nothing to judge yet, and nothing breaks."""
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    pd.DataFrame({"at": times, "x": np.arange(rows) / 7}).to_csv(tmp_path / "few.csv", index=False)
    assert drift("init", "few.csv").returncode == 0
    assert drift("check").returncode == 0


def test_what_is_not_there_is_said(drift: Drift) -> None:
    """One line, no traceback."""
    for data in ("nowhere/*.parquet", "nowhere", "sqlite:///nowhere.db", "nothing://x", "://"):
        done = drift("init", data)
        assert done.returncode == 2, data
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
