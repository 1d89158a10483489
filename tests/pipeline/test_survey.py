"""Surveys: which column tells the time, and how rows fill windows, in files and in a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import DriftError, SourceMissing
from drift.pipeline.survey import WINDOWS, lengths, spread, survey, time_keys
from drift.sources.warehouse.query import tables_of
from drift.windows import Calendar
from tests.support.flights import write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.warehouses import Ducks

NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        ({"updated_at": ["2024-01-02"], "order_date": ["2024-01-01"]}, "order_date"),
        ({"birthDate": [date(1980, 1, 1)], "seen": [datetime(2024, 1, 1, tzinfo=UTC)]}, "seen"),
        ({"n": [20240101], "ts": [1_704_067_200_000]}, "ts"),
        ({"day": [None, None, "2024-01-01"], "moment": ["2024-01-01T10:00:00Z"] * 3}, "moment"),
        ({"day": ["", "unknown", *["2024-01-01"] * 30], "x": [1] * 32}, "day"),
        ({"order_id": [1_700_000_000, 1_700_000_001]}, None),
        ({"lent": ["soon"], "price": [12]}, None),
        ({"hour": pa.array([36_000], pa.time32("s"))}, None),
    ],
)
def test_the_most_promising_time_column_goes_first(columns: dict[str, Any], first: str | None) -> None:
    """By type, name and missing values; what is born, updated or mostly missing goes last."""
    assert next((key["time_column"] for key in time_keys(pa.table(columns))), None) == first


def test_folders_by_date_tell_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one column, or as parts; whole files are skipped by them."""
    monkeypatch.chdir(tmp_path)
    for day in pd.date_range("2024-02-20", "2024-02-29"):
        for folder in (f"one/dt={day:%Y-%m-%d}", f"parts/year={day:%Y}/month={day:%m}/day={day:%d}"):
            (tmp_path / folder).mkdir(parents=True)
            frame = pd.DataFrame({"at": [day + timedelta(hours=3)] * 200, "x": np.arange(200) / 7})
            frame.to_parquet(tmp_path / folder / "a.parquet", index=False)
    assert survey({"files": "one"}, None, now=NOW).source.time_column == "dt"
    found = survey({"files": "parts"}, None, now=NOW)
    assert found.source.time is not None
    assert (found.source.time_columns, found.every, found.rows) == (("year", "month", "day"), "1d", [200] * 8)


@pytest.mark.parametrize(
    ("rows", "days", "column", "every"),
    [
        (90_000, 90, "times", "1d"),
        (700, 90, "times", "7d"),
        (700, 900, "dates", "1mo"),
        (20_000, 3, "times", "1h"),
        (20_000, 3, "dates", "1d"),
        (30, 20, "times", "1d"),
        (400, 40, "dates", "7d"),
        (400, 140, "dates", "1mo"),
        (5, 0, "times", "1d"),
    ],
)
def test_windows_are_as_short_as_rows_allow(rows: int, days: int, column: str, every: str) -> None:
    """A hundred rows each, if the history is long enough for longer ones."""
    assert lengths(rows, days * DAY, dates=column == "dates")[0] == every


def test_the_windows_looked_at_are_spread_and_end_with_the_last() -> None:
    """However many there are."""
    calendar = Calendar("1d")
    for n in (1, 2, WINDOWS, WINDOWS + 1, 100):
        windows = list(calendar.between(NOW - timedelta(hours=6) - n * DAY, NOW))
        found = spread(windows)
        assert len(windows) == n
        assert found == sorted(set(found))
        assert (len(found), found[-1]) == (min(n, WINDOWS), windows[-1])


def test_monthly_snapshots_have_months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most days are empty, longer windows are tried."""
    monkeypatch.chdir(tmp_path)
    days = np.repeat(pd.date_range("2022-01-01", "2024-02-01", freq="MS").to_numpy(), 5000)
    pd.DataFrame({"day": days, "x": np.arange(len(days)) / 7}).to_parquet("a.parquet")
    assert survey({"files": "a.parquet"}, None, now=NOW).every == "1mo"


def test_a_table_is_seen_as_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same windows, rows and sample, whatever holds them; the sample is of windows from first to last."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"day": np.repeat(pd.date_range("2024-01-01", "2024-02-29").to_numpy(), 150)})
    frame["n"] = np.arange(len(frame))
    frame["day"] = frame["day"].dt.date
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame, url, "sales")
    frame.to_parquet("sales.parquet", index=False)
    table = survey({"connection": "w", "table": "sales"}, url, now=NOW)
    files = survey({"files": "sales.parquet"}, None, now=NOW)
    assert (table.every, table.n_rows, table.rows, list(table.windows)) == (
        files.every,
        files.n_rows,
        files.rows,
        list(files.windows),
    )
    assert table.sample.to_pydict() == files.sample.to_pydict()
    assert len(set(table.sample["day"].to_pylist())) == WINDOWS


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"x": [1.5]}, "no column tells when a row happened"),
        ({"x": pa.array([], pa.float64())}, "holds no row"),
        ({"t": ["2090-01-01"] * 3}, "no column tells when a row happened, by windows that are over"),
    ],
)
def test_what_has_no_time_or_row_is_said_to(
    columns: dict[str, Any], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And which columns there are."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(columns), "a.parquet")
    with pytest.raises(DriftError, match=why):
        survey({"files": "a.parquet"}, None, now=NOW)


def test_a_database_that_only_ibis_reads_is_looked_at_as_any_other(ducks: Ducks) -> None:
    """DuckDB, as dbt-duckdb leaves it: its tables are found, and rows fill windows from the first to the last."""
    at = pa.array([NOW - 4 * DAY + timedelta(hours=3, minutes=15 * i) for i in range(300)]).cast(pa.timestamp("us"))
    ducks.load("orders", pa.table({"ordered_at": at, "price": [i / 7 for i in range(300)]}))
    assert tables_of(ducks.url, None) == tables_of(ducks.url, "main") == ["orders"]
    found = survey({"connection": "w", "table": "orders"}, ducks.url, now=NOW)
    assert (found.source.time_column, found.n_rows, found.every) == ("ordered_at", 300, "1d")
    assert (len(found.windows), found.rows) == (4, [60, 96, 96, 48])
    with pytest.raises(SourceMissing, match="has no table"):
        tables_of(ducks.url, "nowhere")
