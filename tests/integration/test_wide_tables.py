"""Wide tables: the work of a comparison and of its reports is in proportion to the columns."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from drift.cli.tables import report_table
from drift.config.detection import Detection, EffectOverride
from drift.config.features import Features
from drift.pipeline.compare import compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, in every thread: the same each time, as no clock is."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in {"call", "c_call"}

    before = sys.getprofile()
    threading.setprofile(count)
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(lambda *_: None)
    return made


def frame(columns: int) -> pd.DataFrame:
    """A table of five rows."""
    rng = np.random.default_rng(columns)
    return pd.DataFrame({f"c{i}": rng.normal(size=5) for i in range(columns)})


def seen(table: Any, columns: int) -> None:
    """Compare a table with itself, every column named and its threshold set, and print all that can be printed."""
    names = [f"c{i}" for i in range(columns)]
    features = Features(include=names, kinds=dict.fromkeys(names, "numeric"), weights=dict.fromkeys(names, 2.0))
    detection = Detection(min_rows=3, features={name: EffectOverride(warning=0.02) for name in names})
    report = compare(table, table, features=features, detection=detection)
    report.to_json()
    report.to_html()
    with contextlib.redirect_stdout(io.StringIO()):
        report_table(report)


@pytest.mark.parametrize("form", ["frame", "parquet", "csv"])
def test_four_times_the_columns_are_four_times_the_work(form: str, tmp_path: Path) -> None:
    """Nothing is done anew for each pair of columns, whether all are named or none."""
    made = []
    for columns in (3, 100, 400):
        table: Any = frame(columns)
        if form != "frame":
            path = tmp_path / f"{columns}.{form}"
            table.to_parquet(path) if form == "parquet" else table.to_csv(path, index=False)
            table = path
        made.append(calls(partial(seen, table, columns)))
    assert made[2] < 5 * made[1]
