"""Days of a column with known truth, in files, from end to end: what was not there is seen, named, and watched."""

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


def lived(tmp_path: Path, column: Column, n_days: int, **keys: str) -> list[Report]:
    """Run a monitor with default settings day by day over one column, and return its reports."""
    rng = np.random.default_rng(1)
    parts = [pd.DataFrame({"v": column(day, rng)}).assign(day=FIRST + timedelta(days=day)) for day in range(n_days)]
    write_parquet(pd.concat(parts), tmp_path / "lake")
    source = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: date}}"
    defaults = {"window": "{every: 1d}", "reference": "{trailing: 28d}", "detection": "{}"}
    text = monitor_text(source, features="{exclude: [day]}", **{**defaults, **keys})
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)
    return [run.run_window(context, day, clock=clock).report for day in days(context, 0, n_days - 1)]


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
    "one number": (step(0.0, 100.0, 200.0), "median 0 → 100", "= 200"),
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
        named = [line.replace("rose from 0 % to", "0 % →") for line in reports[day].explain("v")]
        assert any(line.startswith((f"{label} 0 % →", f"{label},")) for line in named), named
    assert all(report["v"].status == "ok" for report in reports[7:20])


VALUES: dict[str, Callable[[int, np.random.Generator], Any]] = {
    "numbers": lambda day, rng: rng.normal(0 if day < 37 else 5, 1, 300),
    "whole numbers": lambda day, rng: pd.array(rng.integers(0, 50, 300) + 200 * (day >= 37), "Int64"),
    "labels": lambda day, rng: rng.choice(["x", "y" if day < 37 else "z"], 300),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_column_without_a_value_is_not_judged_and_watched_once_it_has_some(tmp_path: Path, case: str) -> None:
    """Null from the first day: no reference. First values are news; a week of them has bins, and a step is seen."""

    def column(day: int, rng: np.random.Generator) -> Any:
        found = VALUES[case](day, rng)
        return (
            pd.Series(found).mask(pd.Series([day < 10] * 300)) if case == "whole numbers" or day >= 10 else [None] * 300
        )

    reports = lived(tmp_path, column, 38, reference="{trailing: 14d}")
    for report in reports[7:10]:
        assert report["v"].status == "insufficient_data"
        assert report["v"].reason.startswith("no reference")
    assert reports[10]["v"].status == "critical"
    assert [finding.kind for finding in reports[10].findings] == ["bins_outgrown"]
    assert all(report["v"].score is not None for report in reports[17:])
    assert not any(finding.kind == "bins_outgrown" for report in reports[17:37] for finding in report.findings)
    assert [report["v"].status for report in reports[30:]] == ["ok"] * 7 + ["critical"]
