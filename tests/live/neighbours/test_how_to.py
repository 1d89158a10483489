"""What `docs/how-to/dbt_feast_mlflow.md` says to type is typed, beside the real tools."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.shop import write_orders

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "how-to" / "dbt_feast_mlflow.md").read_text()
CONSOLE = re.findall(r"^```console\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
FEAST, MLFLOW = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)

PROJECT = {
    "dbt_project.yml": "{name: shop, version: '1.0', profile: shop, models: {shop: {+materialized: table}}}",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}",
    "models/orders.sql": "select created_at, country, payment, price from read_parquet('data/*.parquet')",
    "models/orders.yml": "models: [{name: orders, description: Paid orders., config: {meta: {owner: shop team}}}]",
}


def installed(folder: Path, *packages: str) -> Path:
    """Make an environment with Drift and other packages, and return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    subprocess.run([*uv, *packages], cwd=ROOT, check=True)
    return folder / "bin"


def typed(script: str, folder: Path, programs: Path) -> str:
    """Run lines in a shell that finds the programs, and return what they print."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFT_", "PYTHON"))}
    env |= {"PATH": f"{programs}:{os.environ['PATH']}", "DBT_PROFILES_DIR": ".", "DO_NOT_TRACK": "1"}
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_models_of_dbt_are_monitored(tmp_path: Path) -> None:
    """Built, proposed, judged: the last days' fault is found in the table that dbt wrote."""
    programs = installed(tmp_path / "env", "dbt-core<1.12", "dbt-duckdb", ".[warehouse]")
    write_orders(tmp_path / "data", days=20, drifted=2)
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (commands,) = CONSOLE
    said = typed(commands.replace("$ ", ""), tmp_path, programs)
    assert "orders: 20 windows: " in said
    assert "2 critical" in said
    assert 'owners: {"*": "shop team"}' in (tmp_path / "monitors" / "orders.yaml").read_text()


def test_two_retrievals_of_feast_are_compared(tmp_path: Path) -> None:
    """The feature that moved is named, and the keys are left out."""
    programs = installed(tmp_path / "env", "feast", ".")
    rng, days = np.random.default_rng(3), pd.date_range("2024-02-01", "2024-03-31", tz="UTC")
    table = pd.MultiIndex.from_product([days, range(1, 50)], names=["event_timestamp", "shop_id"]).to_frame(index=False)
    moved = 15 * (table["event_timestamp"] >= "2024-03-28")
    (tmp_path / "data").mkdir()
    table.assign(
        orders_7d=rng.poisson(20 + moved), refund_rate=rng.beta(2, 30, len(table)).astype("float32")
    ).to_parquet(tmp_path / "data" / "shop_stats.parquet", index=False)
    (tmp_path / "compare.py").write_text(FEAST)
    assert "critical: orders_7d (input) is critical; 1 of 2 features drifted" in typed(
        "python compare.py", tmp_path, programs
    )


def test_a_report_is_an_artefact_of_mlflow(tmp_path: Path) -> None:
    """HTML, JSON, metrics and the status are those of the run."""
    programs = installed(tmp_path / "env", "mlflow-skinny", "sqlalchemy", ".")
    write_orders(tmp_path / "data", days=4, drifted=2)
    for name, day in (("trained_on", 0), ("new", -1)):
        sorted((tmp_path / "data").iterdir())[day].rename(tmp_path / f"{name}.parquet")
    read = (
        "from pathlib import Path\n"
        "run = mlflow.last_active_run()\n"
        "print(run.data.tags['drift.status'], run.data.metrics['kl/price'] > 0.1, run.info.artifact_uri)\n"
        "print(sorted(each.name for each in Path('mlruns').rglob('report.*')))\n"
    )
    (tmp_path / "log.py").write_text("import mlflow\nmlflow.set_tracking_uri('sqlite:///mlflow.db')\n" + MLFLOW + read)
    said = typed("python log.py", tmp_path, programs)
    assert said.splitlines()[-2].startswith("critical True ")
    assert said.splitlines()[-1] == "['report.html', 'report.json']"
