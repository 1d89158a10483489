"""Segments inside DuckDB and PostgreSQL: the same ones, with the same numbers in every cell, as the local engine's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.profiles import segments
from drift.profiles.binning import Binning, CategoricalBinning, NumericBinning
from drift.profiles.segments import Segmentation
from drift.sources.warehouse import engine, fit
from drift.sources.warehouse.query import BACKENDS, compiled, written
from drift.sources.warehouse.segments import largest_branch, places
from drift.sources.warehouse.source import open_warehouse
from tests.support.warehouses import (
    KINDS,
    MANY,
    POSTGRES_KINDS,
    Ducks,
    Kind,
    Postgres,
    assert_segments_equal,
    binnings_for,
    frames,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.profiles.histograms import Profile


def repeated(kinds: Mapping[str, Kind]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Few rows, each several times: ties, and segments of more than one row."""
    return frames(kinds).flatmap(lambda few: st.lists(st.sampled_from(few), max_size=20) if few else st.just([]))


def cuts(kinds: Mapping[str, Kind]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Ways to cut: by any column, by combinations, by one that is not there."""
    columns = st.lists(st.sampled_from([*kinds, "gone", "s"]), min_size=1, max_size=4, unique=True).map(tuple)
    return st.lists(columns, min_size=1, max_size=3, unique_by=lambda each: tuple(sorted(each)))


def numeric(*edges: float) -> NumericBinning:
    """A binning with these edges."""
    return NumericBinning(np.array(edges, np.float64))


def batches(table: pa.Table) -> list[pa.RecordBatch]:
    """The rows as the local engine reads them."""
    return table.to_batches() if table.num_rows else []


def locally(table: pa.Table, binnings: Mapping[str, Binning], by: Sequence[Segmentation]) -> Profile:
    """What the local engine counts."""
    schema = {field.name: str(field.type) for field in table.schema}
    return segments.count(batches(table), binnings, by, schema=schema)


def assert_same_segments(
    database: Ducks | Postgres, kinds: Mapping[str, Kind], rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """The same segments are found, and counted alike; those found in other rows too."""
    table = database.fill(kinds, rows)
    opened = open_warehouse(database.url, table="t")
    ways = data.draw(cuts(kinds))
    most, least = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0, 1, 2, 3.5]))
    expected = [segments.fit(batches(table), columns, most=most, least=least) for columns in ways]
    found = fit.fit_segments(opened, ways, most=most, least=least)
    assert [by for by, _ in found] == [by for by, _ in expected]
    for (_, some), (_, every) in zip(found, expected, strict=True):
        assert some.items() <= every.items()
        assert min(2, len(every)) <= len(some)
    odd = st.sampled_from(["", "a", "(other)", "(missing)", "\\", "1", "nan", "true", "2013-02-08", "1.0", "9" * 30])
    by = [
        Segmentation(
            fitted.columns,
            tuple(
                dict.fromkeys(
                    [
                        *fitted.watched[: data.draw(st.integers(0, 5))],
                        segments.name_of(fitted.columns, [data.draw(st.none() | odd) for _ in fitted.columns]),
                        "of=other,columns=",
                    ]
                )
            ),
        )
        if data.draw(st.booleans())
        else fitted
        for fitted, _ in found
    ]
    binnings = binnings_for(table, data) | {"gone": numeric(0, 1)}
    inside = opened.profile(binnings, by)
    assert_segments_equal(inside, locally(table, binnings, by))
    for each in by:
        for name, histogram in inside.histograms.items():
            parts = [inside.segments[one].histograms[name].counts for one in each.names]
            assert np.sum(parts, axis=0).tolist() == histogram.counts.tolist()


@MANY
@given(rows=repeated(KINDS), data=st.data())
def test_duckdb_cuts_as_the_local_engine_does(ducks: Ducks, rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """By every kind of column and their combinations; and the segments add up to the whole, cell by cell."""
    assert_same_segments(ducks, KINDS, rows, data)


@MANY
@given(rows=repeated(POSTGRES_KINDS), data=st.data())
def test_postgres_cuts_as_the_local_engine_does(
    postgres: Postgres, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """The same there, whatever the collation takes for one."""
    assert_same_segments(postgres, POSTGRES_KINDS, rows, data)


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0, 1.0], [1.0, -1.0, 0.5], [0.5, 1.0, 1.0, 1.0, 1.0], [-1.0] * 7])
def test_sums_near_the_largest_float_are_the_local_ones(database: Ducks | Postgres, values: list[float]) -> None:
    """What overflows in one engine overflows in none: in the whole, and in each segment."""
    rows = [(value * sys.float_info.max, "ab"[i % 2]) for i, value in enumerate(values)]
    table = database.fill({"f": KINDS["f"], "s": KINDS["s"]}, rows)
    by = [segments.fit(batches(table), ("s",), most=2, least=0)[0]]
    binnings = {"f": numeric(0, 1)}
    inside = open_warehouse(database.url, table="t").profile(binnings, by)
    assert_segments_equal(inside, locally(table, binnings, by))


MANY_ROWS = [(None if i % 11 == 0 else i % 7, "a" if i % 3 else None, i % 5) for i in range(700)]
MANY_KINDS = {"f": KINDS["f"], "s": KINDS["s"], "i": KINDS["i"]}


def fill_many(database: Ducks | Postgres) -> tuple[pa.Table, dict[str, Binning]]:
    """A table of three columns, and their binnings."""
    table = database.fill(MANY_KINDS, MANY_ROWS)
    return table, {
        "f": numeric(0.0, 2.0, 4.0),
        "s": CategoricalBinning(("a",), ()),
        "i": CategoricalBinning(("1", "2"), (), "salt"),
    }


def test_segments_take_no_more_statements(database: Ducks | Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for the rows, one for numbers, one for labels, each a single scan; and one finds all segments."""
    table, binnings = fill_many(database)
    opened = open_warehouse(database.url, table="t")
    asked: list[str] = []
    write = type(opened.database).statement

    def statement(self: Any, wanted: Any, branches: Sequence[str]) -> str:
        asked.append(write(self, wanted, branches))
        return asked[-1]

    monkeypatch.setattr(type(opened.database), "statement", statement)
    found = [by for by, _ in fit.fit_segments(opened, [("s",), ("i", "s")], most=3)]
    assert len(asked) == 1
    inside = opened.profile(binnings, found)
    assert len(asked) == 1 + 3
    assert all(sql.count('FROM "t"') == 1 for sql in asked)
    assert_segments_equal(inside, locally(table, binnings, found))
    asked.clear()
    opened.profile(binnings)
    assert len(asked) == 3


def test_many_segments_are_counted_by_several_statements(ducks: Ducks, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back of one is bounded."""
    table, binnings = fill_many(ducks)
    by = [segments.fit(batches(table), ["i"], most=10)[0]]
    monkeypatch.setattr(engine, "HISTOGRAMS_AT_ONCE", 1)
    assert_segments_equal(open_warehouse(ducks.url, table="t").profile(binnings, by), locally(table, binnings, by))


def test_rows_that_change_in_a_segment_are_an_error(ducks: Ducks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of a segment that do not sum to its rows are never stored."""
    table, binnings = fill_many(ducks)
    by = [segments.fit(batches(table), ["s"], most=10)[0]]
    monkeypatch.setattr(engine.Warehouse, "_rows_by_segment", lambda *_: {0: 465, 1: 235})
    with pytest.raises(SourceError, match=r"rows changed while they were counted \(466 of f in s=a, 465 before\)"):
        open_warehouse(ducks.url, table="t").profile(binnings, by)


def test_an_empty_table_has_empty_segments(database: Ducks | Postgres) -> None:
    """All that are watched, each without a row."""
    table = database.fill(MANY_KINDS, [])
    by = [Segmentation(("s",), ("s=a", "s=(missing)"))]
    binnings: dict[str, Binning] = {
        "f": numeric(0, 1),
        "s": numeric(0, 1),
        "gone": numeric(),
    }
    opened = open_warehouse(database.url, table="t")
    assert_segments_equal(opened.profile(binnings, by), locally(table, binnings, by))
    assert fit.fit_segments(opened, [("s",)], most=3) == [(Segmentation(("s",), ()), {})]
    assert fit.fit_segments(opened, [], most=3) == []


def test_identifiers_make_no_list(database: Ducks | Postgres) -> None:
    """Of segments by a key of the table only those come back that may be watched; or two, for there are several."""
    database.fill(MANY_KINDS, [(0.0, f"id-{i}" if i < 500 else "many", i) for i in range(600)])
    opened = open_warehouse(database.url, table="t")
    ((by, rows), (none, two)) = fit.fit_segments(opened, [("s",), ("i",)], most=5, least=50)
    assert (by.watched, len(rows)) == (("s=many",), 2)
    assert (none.watched, len(two)) == ((), 2)


def test_what_cannot_be_counted_inside_makes_no_segments(postgres: Postgres) -> None:
    """It is an error that says what to do, not a window of one segment; what has no text form is missing, as ever."""
    postgres.run("CREATE TABLE t (x int, j jsonb, raw bytea)")
    postgres.run("INSERT INTO t VALUES (1, '{}', 'a'), (2, '[]', 'b')")
    opened = open_warehouse(postgres.url, table="t")
    with pytest.raises(SourceError, match="no segments by j: type jsonb is not counted inside PostgreSQL: cast it"):
        fit.fit_segments(opened, [("x", "j")], most=5)
    with pytest.raises(SourceError, match="no segments by j"):
        opened.profile({"x": numeric(1, 2)}, [Segmentation(("j",), ("j=a",))])
    assert fit.fit_segments(opened, [("raw",)], most=5) == [(Segmentation(("raw",), ()), {"raw=(missing)": 2})]


@pytest.mark.parametrize("backend", sorted(set(BACKENDS.values()) - {"pyspark"}))
def test_every_dialect_can_be_written(backend: str) -> None:
    """In standard SQL: CASE, GROUP BY and two ranks; what it means was run on DuckDB, PostgreSQL and Spark alone."""
    import ibis
    import sqlglot

    rows = ibis.table({"s": "string", "f": "float64"}, name="t")
    keys = {"s": rows.s, "f": rows.f.cast("string"), "gone": ibis.literal("(")}
    by = [
        Segmentation(("s", "f", "gone"), (r"s=a\=b,f=1.5,gone=(missing)", "s=x,f=y,gone=(missing)")),
        Segmentation(("gone",), ()),
    ]
    one, two = places(by, keys, {"s": pa.string(), "f": pa.float64(), "gone": None})
    placed = compiled(backend, rows.select(one=one, two=two))
    # No number is called y.
    assert placed.count("WHEN") == 1
    assert "'613d62'" in placed
    ranked = written(largest_branch(3, ["k0", "k1"], width=3, most=20, least=99.5), backend)
    assert "100" in ranked
    assert "RANK()" in ranked
    for sql in (placed, ranked):
        assert len(sqlglot.parse(sql, read=backend)) == 1
