"""Every table of a monitor that ran, as a file: the same rows in every format, as they are stored."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from drift.alerts.marks import new_mark
from drift.dashboard import create_app
from drift.dashboard.api.exports import Format, cell
from drift.store.reads.exports import Table
from tests.support.daily import live
from tests.support.flights import clock

if TYPE_CHECKING:
    from pathlib import Path

KEYS = """
reference: {trailing: 14d}
detection: {min_rows: 100, seasonal: false}
expectations: [{expect_column_values_to_not_be_null: {column: delay}, severity: warn}]
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Days in the last of which a single value comes out of nowhere, and a column goes with no other; one is marked."""
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("exports")
    days: list[dict[str, Any]] = [{"delay": rng.normal(0, 10, 400), "=x": rng.integers(0, 5, 400)} for _ in range(40)]
    for day in days:
        day["y"] = np.where(rng.random(400) < 0.9, day["=x"], rng.integers(0, 5, 400))
    days[-1]["y"] = rng.permutation(days[-1]["y"])
    for day in days[-2:]:
        day["delay"][:60] = 3.25
    context, _ = live(folder, days, KEYS)
    context.store.save_marks([new_mark("release 214", at=clock(), by="=ada", now=clock())])
    return TestClient(create_app(context.store))


@pytest.mark.parametrize("table", get_args(Table))
def test_all_formats_hold_the_same_rows(client: TestClient, table: str, tmp_path: Path) -> None:
    """Column by column, and what is nested as JSON."""
    got = {one: client.get(f"/api/v1/export/{table}", params={"format": one}) for one in get_args(Format)}
    assert {one: answer.status_code for one, answer in got.items()} == dict.fromkeys(got, 200)
    (tmp_path / "it.parquet").write_bytes(got["parquet"].content)
    packed = pq.read_table(tmp_path / "it.parquet").to_pylist()
    plain = list(csv.DictReader(io.StringIO(got["csv"].text)))
    assert packed
    assert plain == [{name: "" if value is None else str(cell(value)) for name, value in row.items()} for row in packed]
    if table == "scores":
        cells = [json.loads(row["cell"]) for row in packed if row["cell"]]
        assert any({"cell", "share"} <= found.keys() for found in cells), cells
