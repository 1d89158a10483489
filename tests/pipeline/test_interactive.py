"""A monitor from Python, as in a notebook: the same rows as by the command line, and errors in words."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

import drift
from drift.errors import UnknownFeature
from tests.support.shop import write_orders

MONITOR = """
name: orders
source: {files: data, time_column: dt}
window: {every: 1d}
reference: {trailing: 7d}
features: {include: [price, payment]}
alerts: {routes: [{to: ops}]}
"""


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A monitor of twelve days, of which the last two drift; the path of its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRIFT_DATABASE", raising=False)
    monkeypatch.setenv("DRIFT_ROUTE_OPS", "file:inbox.jsonl")
    write_orders(tmp_path / "days", days=12, drifted=2, until=date(2024, 3, 12))
    for path in (tmp_path / "days").iterdir():
        (folder := tmp_path / "data" / f"dt={path.stem}").mkdir(parents=True)
        path.rename(folder / "rows.parquet")
    (tmp_path / "orders.yaml").write_text(MONITOR)
    return "orders.yaml"


def test_a_monitor_is_backfilled_run_and_read(orders: str) -> None:
    """A backfill notifies nobody, a run does unless asked not to; a database that is not there is made."""
    reports = drift.backfill(orders)
    assert [report.label for report in reports[-2:]] == ["2024-03-11", "2024-03-12"]
    assert len(drift.backfill(drift.load_monitor(orders), date(2024, 3, 10), "2024-03-12")) == 3
    report = drift.run(orders, window=date(2024, 3, 12), notify=False)
    assert (report.status, report["price"].status) == (reports[-1].status, "critical")
    assert not Path("inbox.jsonl").exists()
    assert drift.run(orders, "2024-03-12").status == "critical"
    (message,) = map(json.loads, Path("inbox.jsonl").read_text().splitlines())
    assert "payment" in message["body"]
    rows = drift.history(orders, "price", last=3)
    assert [row["status"] for row in rows] == [each["price"].status for each in reports[-3:]]
    assert len(drift.history(orders, database="sqlite:///drift.db")) == len(
        [v for each in reports for v in each.verdicts]
    )


def test_what_is_wrong_is_said(orders: str) -> None:
    """An unknown feature with the nearest, half a span, a window that failed beside others that are stored."""
    Path("data/dt=2024-03-05/rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(drift.DriftError, match="1 of 12 windows failed, the others are stored; 2024-03-05: "):
        drift.backfill(orders, "2024-03-01", "2024-03-12")
    assert {f"{row['window_start']:%d}" for row in drift.history(orders)} >= {"11", "12"}
    with pytest.raises(UnknownFeature, match="did you mean 'price'"):
        drift.history(orders, "prise")
    with pytest.raises(drift.DriftError, match="both start and end"):
        drift.backfill(orders, "2024-03-05")
    with pytest.raises(drift.DriftError, match=r"nowhere\.yaml"):
        drift.run("nowhere.yaml")
