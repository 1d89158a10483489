"""Predicates: run in real databases, they find exactly the rows that were counted in the cell."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from drift.detection.predicates import MOST_LABELS, predicate
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import Coarse, coarse
from drift.profiles.numerals import Notation

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = ("O'Hare", 'the "best"', "';--", "100%", "a_b", "NULL", "other", "", "\\", "größe", "two\nlines", " JFK ")


def columns() -> dict[str, tuple[Coarse, list[Any]]]:
    """Return cells of several kinds, each with values that fall into all of them, and beside them."""
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(40)]
    numbers = [-1e9, -0.1, 0.0, 0.1, 0.25, 0.3, 1.0, 7.5, 1e20, None]
    return {
        "hostile": (coarse(CategoricalBinning(HOSTILE, rare=("x", "y'")), 24), [*HOSTILE, "x", "y'", "new", None]),
        "few": (coarse(CategoricalBinning(HOSTILE, rare=("x",)), 5), [*HOSTILE, "x", "new", None]),
        "identifier": (coarse(CategoricalBinning(HOSTILE[:3], rare=None), 24), [*HOSTILE, "new", None]),
        "empty": (coarse(CategoricalBinning((), rare=None)), ["a", None]),
        "numbers": (coarse(NumericBinning(np.array([0.0, 0.1, 0.2, 0.3, 1.0], np.float64)), 24), numbers),
        "merged": (coarse(NumericBinning(np.array([0.0, 0.1, 0.2, 0.3, 1.0], np.float64)), 4), numbers),
        "blank": (coarse(NumericBinning(np.array([], np.float64))), numbers),
        "whole": (
            coarse(NumericBinning(np.array([-5, 0, 1, 10, 1e15], np.float64), "integer")),
            [-9, -5, -1, 0, 1, 9, 10, 2**52, None],
        ),
        "days": (
            coarse(NumericBinning(np.array([20454.0, 20460.5, 20470.0, 20480.0], np.float64), "date")),
            [*days, None],
        ),
        "flag": (coarse(BOOLEAN), [True, False, None]),
    }


def found(rows: Sequence[Any], column: str, condition: str, database: str) -> set[int]:
    """Return the places of the rows for which a condition holds."""
    quoted = '"' + column.replace('"', '""') + '"'
    if database == "duckdb":
        connection = duckdb.connect()
        table = pa.table({"n": range(len(rows)), column: rows})
        connection.register("t", table)
        return {n for (n,) in connection.execute(f"SELECT n FROM t WHERE {condition}").fetchall()}
    lite = sqlite3.connect(":memory:")
    lite.execute(f"CREATE TABLE t (n INTEGER, {quoted})")
    lite.executemany(
        "INSERT INTO t VALUES (?, ?)", [(n, str(v) if isinstance(v, date) else v) for n, v in enumerate(rows)]
    )
    return {n for (n,) in lite.execute(f"SELECT n FROM t WHERE {condition}")}


@pytest.mark.parametrize("database", ["duckdb", "sqlite"])
@pytest.mark.parametrize("kind", columns())
def test_a_condition_finds_the_rows_of_its_cell(kind: str, database: str) -> None:
    """And the other way round those outside it, rows without a value among them."""
    cells, rows = columns()[kind]
    codes = cells.codes(pa.array(rows)).tolist()
    for cell in range(cells.n_cells):
        inside = {n for n, code in enumerate(codes) if code == cell}
        for outside in (False, True):
            condition = predicate(kind, cells, cell, outside=outside)
            if condition is None:
                assert kind == "flag"  # a boolean that is neither
                assert not inside
            else:
                wanted = set(range(len(rows))) - inside if outside else inside
                assert found(rows, kind, condition, database) == wanted, condition


@pytest.mark.parametrize("database", ["duckdb", "sqlite"])
@pytest.mark.parametrize("name", ["origin", "Origin", "group", "from where", 'a "b"', "größe", "1st", "'; --", "asof"])
def test_a_column_is_quoted_where_it_has_to_be(name: str, database: str) -> None:
    """A plain name in lower case is not; a reserved word, capitals and whatever else are."""
    cells = coarse(CategoricalBinning(("JFK", "EWR")))
    condition = predicate(name, cells, 0)
    assert condition is not None
    assert condition.startswith('"') == (name != "origin")
    assert found(["EWR", "JFK", None], name, condition, database) == {1}


def test_what_sql_cannot_say_has_no_condition() -> None:
    """Hashed labels, numbers as text, instants, and cells of very many labels; *missing* always has one."""
    for cells in (
        coarse(CategoricalBinning(("h1", "h2"), salt="s")),
        coarse(NumericBinning(np.array([0, 1, 2], np.float64), notation=Notation(",", "."))),
        coarse(NumericBinning(np.array([0, 1, 2], np.float64), "timestamp")),
        coarse(NumericBinning(np.array([0, 1, 2], np.float64), "time")),
    ):
        assert predicate("x", cells, 0) is None
        assert predicate("x", cells, 0, outside=True) is None
        assert predicate("x", cells, cells.n_cells - 1) == "x IS NULL"
    many = coarse(CategoricalBinning(("a", "b"), rare=tuple(f"r{i}" for i in range(MOST_LABELS + 1))))
    assert predicate("x", many, 2) is None
