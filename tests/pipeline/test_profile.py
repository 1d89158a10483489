"""Reading windows, here and in processes of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from drift.pipeline import fit, run
from drift.pipeline import profile as profiling
from drift.profiles import pair_choice
from drift.profiles.coarse_cells import COARSE, FINE
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning
    from drift.windows import Window

DAYS = 16
GATE = "[{expect_table_row_count_to_be_between: {min_value: 50}, severity: reject}]"


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """Days of 100 rows; of the last one, 25."""
    frame = rows(DAYS, 100)
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(frame[:-75], url)
    return url


@pytest.fixture
def context(tmp_path: Path, warehouse: str) -> Context:
    """A monitor with bins, and a gate that rejects the last day."""
    return open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, monitor_text(SQL, expectations=GATE))


@pytest.fixture
def windows(context: Context) -> list[Window]:
    """All days."""
    calendar = context.monitor.window.calendar
    return [calendar.starting(FIRST + timedelta(days=i)) for i in range(DAYS)]


@pytest.fixture
def binnings(context: Context, windows: list[Window]) -> dict[str, Binning]:
    """Bins fitted on the first days."""
    run.validate(context, windows[:4], windows[:4], now=clock())
    return fit.fit_bins(context, windows[:4], now=clock(), by="ada", reason="a test")


def test_examining_and_counting_store_nothing(
    context: Context, windows: list[Window], binnings: dict[str, Binning]
) -> None:
    """What comes back is all there is."""
    gate, outcomes = profiling.examine(context.source, context.source.snapshot(windows[-1]))
    assert (gate, [outcome.success for outcome in outcomes]) == ("rejected", [False])
    profile = profiling.count_window(context.source, windows[-2], binnings, context.source.snapshot(windows[-2]))
    assert (profile.n_rows, {h.n for h in profile.histograms.values()}) == (100, {100})
    assert context.store.gates(context.name, windows[4:]) == {}
    assert context.store.load_profiles(context.name, windows, binnings) == []


def test_pairs_are_those_of_the_rows(
    context: Context, windows: list[Window], binnings: dict[str, Binning], tmp_path: Path, warehouse: str
) -> None:
    """Of the columns that are counted, those that may explain the others in their own cells; or of none."""
    snapshot = context.source.snapshot(windows[1])
    found = profiling.count_window(context.source, windows[1], binnings, snapshot)
    assert found.pairs is not None
    assert {name: cells.most for name, cells in found.pairs.columns.items()} == {
        "carrier": FINE,
        "late": FINE,
        "delay": COARSE,
    }
    day = rows(DAYS, 100)[100:200]
    expected = pd.crosstab(day["carrier"], day["late"]).loc[list(found.pairs.columns["carrier"].names[:3])]
    assert found.pairs.table("carrier", "late")[:3, :2].tolist() == expected.to_numpy().tolist()
    for i, text in enumerate(("[]", "[delay]")):
        other = open_context(f"sqlite:///{tmp_path / f'{i}.db'}", warehouse, monitor_text(SQL, explain_by=text))
        off = profiling.count_window(other.source, windows[1], binnings, snapshot)
        if i == 0:
            assert off.pairs is None
            assert off == replace(found, pairs=None)
        else:
            assert off.pairs is not None
            assert {name: cells.most for name, cells in off.pairs.columns.items()} == {
                "delay": FINE,
                "carrier": COARSE,
                "late": COARSE,
            }


def test_of_very_many_columns_some_have_pairs_and_the_report_says_so(
    context: Context, windows: list[Window], binnings: dict[str, Binning], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that explain others before the rest."""
    monkeypatch.setattr(pair_choice, "MOST_COLUMNS", 2)
    snapshot = context.source.snapshot(windows[1])
    found = profiling.count_window(context.source, windows[1], binnings, snapshot)
    assert found.pairs is not None
    assert list(found.pairs.columns) == ["carrier", "late"]
    assert "pairs of columns are counted of 2 of 3: explain_by says of which in any case" in found.notes[""]


def test_without_expectations_nothing_is_asked(tmp_path: Path, warehouse: str, windows: list[Window]) -> None:
    """The gate says so."""
    context = open_context(f"sqlite:///{tmp_path / 'other.db'}", warehouse)
    assert profiling.examine(context.source, context.source.snapshot(windows[-1])) == ("not_validated", [])
