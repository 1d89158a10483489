"""Days of a column with known truth, in files, from end to end: what was not there is seen, and named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from drift.pipeline import run
from tests.support.flights import FIRST, clock, days, monitor_text, open_context, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drift.detection.reports import Report

    Column = Callable[[int, np.random.Generator], Sequence[Any]]


def lived(tmp_path: Path, column: Column, n_days: int) -> list[Report]:
    """Run a monitor with default settings over days of one column, and return their reports."""
    rng = np.random.default_rng(1)
    parts = [pd.DataFrame({"v": column(day, rng)}).assign(day=FIRST + timedelta(days=day)) for day in range(n_days)]
    write_parquet(pd.concat(parts), tmp_path / "lake")
    source = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: date}}"
    defaults = {"window": "{every: 1d}", "reference": "{trailing: 28d}", "detection": "{}"}
    text = monitor_text(source, features="{exclude: [day]}", **defaults)
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)
    return run.backfill(context, days(context, 0, n_days - 1), clock=clock)


def step(first: Any, second: Any, third: Any) -> Column:
    """Return a column that becomes another one on day 20, and a third one on day 32."""
    return lambda day, _rng: [first if day < 20 else second if day < 32 else third] * 300


COLUMNS: dict[str, tuple[Column, str, str]] = {
    "one label": (step("a", "b", "c"), "'b'", "'c'"),
    "ids": (
        lambda day, rng: (
            [f"{n:x}" for n in rng.integers(0, 2**40, 300)] if day < 20 else ["N/A" if day < 32 else "null"] * 300
        ),
        "'N/A'",
        "'null'",
    ),
    "beside levels": (
        lambda day, rng: [*rng.choice(["p", "q"], 180), *(["x" if day < 20 else "y" if day < 32 else "z"] * 120)],
        "'y'",
        "'z'",
    ),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_what_takes_over_is_critical_on_its_day_and_named(tmp_path: Path, case: str) -> None:
    """Also the second time, when what was new and what is new are both unseen to the frozen bins."""
    column, second, third = COLUMNS[case]
    reports = lived(tmp_path, column, 33)
    for day, label in ((20, second), (32, third)):
        assert reports[day]["v"].status == "critical"
        assert any(line.startswith(f"{label} 0 % →") for line in reports[day].explain("v")), label
    assert all(report["v"].status in {"ok", "insufficient_data"} for report in reports[:20])
