# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Counting inside DuckDB and PostgreSQL: the same numbers in every cell as the local engine."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.pipeline import run
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning
from drift.sources.time_filter import WindowFilter
from drift.sources.warehouse import engine as warehouse
from drift.sources.warehouse.source import open_warehouse
from drift.windows import Calendar, Window
from tests.support.flights import FIRST, clock, monitor_text, open_context, rows, write_sql
from tests.support.warehouses import (
    KINDS,
    MANY,
    POSTGRES_KINDS,
    Ducks,
    Postgres,
    alike,
    assert_equal,
    binnings_for,
    dump,
    frames,
    locally,
)

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context

NEW_YORK = Calendar("1d", "America/New_York")
DAY = NEW_YORK.starting(date(2013, 2, 8))


# --- the same cells ---------------------------------------------------------------------------------------------------


@MANY
@given(rows=frames(KINDS), data=st.data())
def test_duckdb_counts_what_the_local_engine_counts(
    ducks: Ducks, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Every cell of every kind of column, whatever it holds."""
    table = ducks.fill(KINDS, rows)
    binnings = binnings_for(table, data) | {"gone": NumericBinning([0, 1])}
    assert_equal(open_warehouse(ducks.url, table="t").profile(binnings), locally(table, binnings))


@MANY
@given(rows=frames(POSTGRES_KINDS), data=st.data())
def test_postgres_counts_what_the_local_engine_counts(
    postgres: Postgres, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Every cell of every kind of column, whatever it holds and however it is collated."""
    table = postgres.fill(POSTGRES_KINDS, rows)
    binnings = binnings_for(table, data) | {"gone": NumericBinning([0, 1])}
    assert_equal(open_warehouse(postgres.url, table="t").profile(binnings), locally(table, binnings))


def test_many_rows_are_counted_alike(database: Ducks | Postgres) -> None:
    """More rows than one batch holds, more labels than are pushed down, sums of many squares."""
    rng = np.random.default_rng(7)
    kinds = {name: KINDS[name] for name in ("f", "i", "s")}
    n = 40_000
    values = np.where(rng.random(n) < 0.05, np.nan, rng.lognormal(0, 2, n)).tolist()
    labels = [f"id-{x}" for x in rng.zipf(1.3, n) % 20_000]
    table = database.fill(kinds, list(zip(values, rng.integers(-50, 50, n).tolist(), labels, strict=True)))
    known = sorted(set(labels))
    binnings: dict[str, Binning] = {
        "f": NumericBinning(np.quantile([v for v in values if not math.isnan(v)], np.arange(1, 60) / 60)),
        "i": NumericBinning(range(-50, 50, 3), "integer"),
        "s": CategoricalBinning(tuple(known[:50]), tuple(known[50:3000:2])),
    }
    assert_equal(open_warehouse(database.url, table="t").profile(binnings), locally(table, binnings))
    few: dict[str, Binning] = {
        "s": CategoricalBinning(tuple(known[:50]), None, "salt"),
        "i": CategoricalBinning(("1", "-3"), ("7", "x")),
    }
    assert_equal(open_warehouse(database.url, table="t").profile(few), locally(table, few))


def test_an_empty_table_has_empty_histograms(database: Ducks | Postgres) -> None:
    """No rows are no problem; a column that is not there is one all the same."""
    table = database.fill({"f": KINDS["f"], "s": KINDS["s"]}, [])
    binnings: dict[str, Binning] = {"f": NumericBinning([0, 1]), "s": NumericBinning([0, 1]), "gone": BOOLEAN}
    found = open_warehouse(database.url, table="t").profile(binnings, window=DAY)
    assert_equal(found, locally(table, binnings))
    assert (found.window, found.n_rows, dict(found.problems)) == (DAY, 0, {"gone": "column missing"})


def test_a_column_of_another_type_is_a_problem(database: Ducks | Postgres) -> None:
    """In the same words, and the others are counted."""
    kinds = {name: KINDS[name] for name in ("f", "s", "day", "ts", "b", "i")}
    table = database.fill(kinds, [(1.0, "a", date(2024, 1, 1), datetime(2024, 1, 1), True, 1)])
    binnings: dict[str, Binning] = {
        "f": CategoricalBinning(("1",)),
        "s": NumericBinning([0, 1]),
        "day": NumericBinning([0], "timestamp"),
        "ts": NumericBinning([0], "date"),
        "b": NumericBinning([0, 1]),
        "i": BOOLEAN,
    }
    found = open_warehouse(database.url, table="t").profile(binnings)
    assert_equal(found, locally(table, binnings))
    assert found.problems.keys() == {"s", "day", "ts"}


def test_nan_in_parquet_files_is_missing_to_duckdb(tmp_path: Path) -> None:
    """A file's statistics leave NaN out, and DuckDB would answer from them; views and queries over files are safe."""
    holes = [[1.0, math.nan, 3.0], [math.nan] * 3, [math.inf, math.nan, math.inf], [0.0, math.nan, -1.0]]
    for i, values in enumerate(holes):
        path = tmp_path / f"{i}.parquet"
        pq.write_table(
            pa.table({"x": values, "day": [date(2013, 2, 8)] * 3, "epoch": [1360299600.0, math.nan, 2e9]}), path
        )
        binnings = {"x": NumericBinning([-5.0, 0.5, 2.0, 10.0])}
        expected = NumericBinning([-5.0, 0.5, 2.0, 10.0]).count(values).tolist()
        query = f"SELECT * FROM read_parquet('{path}')"
        opened = open_warehouse("duckdb:///:memory:", query=query)
        assert opened.profile(binnings).histograms["x"].counts.tolist() == expected
        labels = opened.profile({"x": CategoricalBinning(("1", "inf"))}).histograms["x"]
        assert labels.n_missing == sum(math.isnan(value) for value in values)
        late = [WindowFilter("epoch", Window(DAY.start, DAY.end + timedelta(days=10_000)), NEW_YORK)]
        assert open_warehouse("duckdb:///:memory:", query=query, chosen=late).count_rows() == 2


def test_rows_that_change_meanwhile_are_an_error(ducks: Ducks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts that do not sum to the rows are never stored."""
    ducks.fill({"f": KINDS["f"]}, [(1.0,)])
    opened = open_warehouse(ducks.url, table="t")
    monkeypatch.setattr(warehouse.Warehouse, "count_rows", lambda _self, _run=None: 2)
    with pytest.raises(SourceError, match=r"rows changed while they were counted \(1 of f, 2 before\)"):
        opened.profile({"f": NumericBinning([0])})


def backfilled(folder: Path, url: str, engine: str, **keys: str) -> Context:
    """A monitor that has run two weeks."""
    text = monitor_text(f"{{connection: warehouse, table: flights, time_column: day, engine: {engine}}}", **keys)
    context = open_context(f"sqlite:///{folder / engine}.db", url, text)
    calendar = context.monitor.window.calendar
    days = [calendar.starting(FIRST + timedelta(days=i)) for i in range(14)]
    run.backfill(context, days, clock=clock, page=True)
    return context


@pytest.mark.parametrize("segments", [pytest.param("[]", marks=pytest.mark.slow), "[carrier, [late, carrier]]"])
def test_a_monitor_stores_the_same_rows_with_either_engine(tmp_path: Path, postgres_url: str, segments: str) -> None:
    """Bins, segments, counts, scores, verdicts and alerts, row for row."""
    frame = rows(14, 1200)
    frame.loc[frame["day"] == FIRST + timedelta(days=13), "delay"] += 8
    frame.loc[(frame["carrier"] == "DL") & (frame["day"] >= FIRST + timedelta(days=11)), "delay"] += 8
    frame.loc[::50, "delay"] = None
    frame.loc[::7, "carrier"] = None
    write_sql(frame, postgres_url)
    keys = {"segments": segments, "max_segments": "3"}
    local, inside = (
        dump(backfilled(tmp_path, postgres_url, engine, **keys).store.engine) for engine in ("local", "warehouse")
    )
    assert local["score"]
    assert local["alert"]
    assert ("carrier=DL" in str(local["score"])) == (segments != "[]")
    assert ("carrier=(other)" in str(local["score"])) == (segments != "[]")
    assert inside.keys() == local.keys()
    for table, found in inside.items():
        assert [pair for pair in zip(found, local[table], strict=True) if not alike(*pair)] == []


def test_a_monitor_on_duckdb_needs_no_sqlalchemy(tmp_path: Path) -> None:
    """Rows are gated, fitted and counted inside; the shifted day is found."""
    frame = rows(14)
    frame.loc[frame["day"] == FIRST + timedelta(days=13), "delay"] += 8
    ducks = Ducks(tmp_path / "w.duckdb")
    ducks.load("flights", pa.Table.from_pandas(frame, preserve_index=False))
    text = monitor_text(
        "{connection: warehouse, table: flights, time_column: day}",
        expectations="[{expect_table_row_count_to_be_between: {min_value: 300}, severity: reject}]",
        segments="[late]",
    )
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", ducks.url, text)
    calendar = context.monitor.window.calendar
    reports = run.backfill(context, [calendar.starting(FIRST + timedelta(days=i)) for i in range(14)], clock=clock)
    assert [v.feature for v in reports[-1].drifting] == ["delay"]
    assert reports[-1].n_current == 400
    assert [v.feature for v in reports[-1].segments["late=false"].drifting] == ["delay"]


def test_what_cannot_be_counted_inside_is_counted_here(tmp_path: Path, postgres_url: str) -> None:
    """With auto; asked for, it is a problem in words, and the other features are counted."""
    frame = rows(3).assign(extra="{}")
    write_sql(frame, postgres_url)
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE flights ALTER extra TYPE jsonb USING extra::jsonb")
    opened = open_warehouse(postgres_url, table="flights")
    found = opened.profile({"extra": CategoricalBinning(("{}",)), "late": BOOLEAN})
    assert "type jsonb is not counted inside PostgreSQL: cast it to text" in found.problems["extra"]
    assert found.histograms["late"].n == 1200
    for engine, expected in (("auto", type(None)), ("warehouse", warehouse.Warehouse)):
        source = f"{{connection: warehouse, table: flights, time_column: day, engine: {engine}}}"
        context = open_context(f"sqlite:///{tmp_path / engine}.db", postgres_url, monitor_text(source))
        window = context.monitor.window.calendar.starting(FIRST)
        assert isinstance(context.source.warehouse([window], ["extra", "late"], lambda: 10**9), expected)
        cut = replace(context.source, monitor=context.monitor.model_copy(update={"segments": ["extra"]}))
        assert isinstance(cut.warehouse([window], ["late"], lambda: 10**9), expected)
        assert context.source.warehouse([window], ["late"], lambda: 10**9) is not None
