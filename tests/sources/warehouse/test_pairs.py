"""Pairs inside DuckDB and PostgreSQL: the same numbers in every cell as the local engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.profiles import segments
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.sources.warehouse import engine
from drift.sources.warehouse import pairs as inside
from drift.sources.warehouse.query import BACKENDS, written
from drift.sources.warehouse.source import open_warehouse
from tests.support.warehouses import KINDS, MANY, POSTGRES_KINDS, Ducks, Kind, Postgres, binnings_for, frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drift.profiles.binning import Binning
    from drift.profiles.pairs import Pairs


def numeric(*edges: float) -> NumericBinning:
    """A binning with these edges."""
    return NumericBinning(np.array(edges, np.float64))


def counted(
    database: Ducks | Postgres, table: pa.Table, columns: Mapping[str, Binning], features: Mapping[str, Binning]
) -> tuple[Pairs | None, Pairs | None]:
    """The pairs of columns, some of which are features, in the database and here; every second has few cells."""
    cells = {name: coarse(each, (5, FINE)[i % 2]) for i, (name, each) in enumerate(columns.items())}
    schema = {field.name: str(field.type) for field in table.schema}
    batches = table.to_batches() if table.num_rows else []
    local = segments.count(batches, features, (), schema=schema, pairs=cells)
    return open_warehouse(database.url, table="t").profile(features, pairs=cells).pairs, local.pairs


def assert_same_pairs(
    database: Ducks | Postgres, kinds: Mapping[str, Kind], rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Equal of whatever is counted, be it a feature, a column to cut by, or not there."""
    table = database.fill(kinds, rows)
    columns = binnings_for(table, data)
    others = {name for name, each in columns.items() if isinstance(each, CategoricalBinning)}
    left_out = data.draw(st.sets(st.sampled_from(sorted(others))))
    features = {name: each for name, each in columns.items() if name not in left_out} | {"gone": numeric(0)}
    ours, local = counted(database, table, columns | {"gone": numeric(0)}, features)
    assert ours == local


@MANY
@given(rows=frames(KINDS), data=st.data())
def test_duckdb_pairs_what_the_local_engine_pairs(
    ducks: Ducks, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Every kind of column with every other, whatever they hold."""
    assert_same_pairs(ducks, KINDS, rows, data)


@MANY
@given(rows=frames(POSTGRES_KINDS), data=st.data())
def test_postgres_pairs_what_the_local_engine_pairs(
    postgres: Postgres, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """The same there, whatever the collation takes for one."""
    assert_same_pairs(postgres, POSTGRES_KINDS, rows, data)


def test_many_columns_of_many_rows_take_one_statement(database: Ducks | Postgres) -> None:
    """More columns than a number holds, more labels than are pushed down, more rows than one batch holds."""
    rng = np.random.default_rng(11)
    n, labels = 17_000, [f"id-{i}" for i in range(1500)]
    kinds = {f"i{i}": KINDS["h"] for i in range(40)} | {"s": KINDS["s"], "t": KINDS["s"], "b": KINDS["b"]}
    values = [*rng.integers(-50, 50, (40, n)).tolist(), rng.choice(labels, n).tolist(), rng.choice(labels, n).tolist()]
    values.append(np.where(rng.random(n) < 0.3, None, rng.random(n) < 0.5).tolist())  # type: ignore[call-overload]
    table = database.fill(kinds, list(zip(*values, strict=True)))
    columns: dict[str, Binning] = {name: numeric(*range(-40, 50, 5)) for name in kinds}
    columns |= {
        "s": CategoricalBinning(tuple(labels[:1200])),
        "t": CategoricalBinning(tuple(labels[:30])),
        "b": BOOLEAN,
    }
    ours, local = counted(database, table, columns, {})
    assert ours is not None
    assert ours.n_rows == n
    assert ours == local


def test_of_more_rows_an_even_sample_is_looked_at(database: Ducks | Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """About as many as the limit, always the same, from everywhere, and in step with nothing that alternates."""
    monkeypatch.setattr(engine, "LIMIT", 2000)
    n = 20_000
    kinds = {"i": KINDS["i"], "two": KINDS["h"]}
    table = database.fill(kinds, [(i, i % 2) for i in range(n)])
    columns: dict[str, Binning] = {"i": numeric(*range(0, n + 1, 4000)), "two": CategoricalBinning(("0", "1"))}
    first, everything = counted(database, table, columns, columns)
    again, _ = counted(database, table, columns, columns)
    assert first is not None
    assert everything is not None
    assert first == again
    assert abs(first.n_rows - 2000) <= 5
    assert np.abs(first.table("i", "two") * 10 - everything.table("i", "two")).max() <= 100


def test_rows_that_change_meanwhile_are_an_error(ducks: Ducks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of other rows than those that were counted are never stored."""
    ducks.fill({"f": KINDS["f"]}, [(1.0,)])
    opened = open_warehouse(ducks.url, table="t")
    monkeypatch.setattr(engine.Warehouse, "count_rows", lambda _self, _run=None: 2)
    with pytest.raises(SourceError, match=r"rows changed while they were counted \(1 in pairs, 2 before\)"):
        opened.profile({}, pairs={"f": coarse(numeric(0, 1))})


def test_cells_fit_into_numbers_of_64_bits() -> None:
    """No number is short of room, none is made without need, and what the database cannot say stands by itself."""
    columns = {f"x{i}": coarse(numeric(*range(30)), FINE) for i in range(30)}
    columns["s"] = coarse(CategoricalBinning(("a",), salt="salt"))
    columns["y"] = coarse(numeric(), 3)
    words = inside.packed(columns)
    assert [name for names in words for name in names] == list(columns)
    assert ["s"] in words
    assert ["y"] in words
    sizes = [int(np.prod([columns[name].n_cells for name in names], dtype=object)) for names in words[:-2]]
    assert all(size <= 2**62 for size in sizes)
    assert all(one * columns[names[0]].n_cells > 2**62 for one, names in zip(sizes, words[1:-2], strict=False))


@pytest.mark.parametrize("backend", sorted(set(BACKENDS.values())))
def test_every_dialect_can_be_written(backend: str) -> None:
    """Numbers and labels, in one statement."""
    columns = {"x": coarse(numeric(0, 1, 2)), "s": coarse(CategoricalBinning(("a",)))}
    sql = written(inside.pairs_branch(columns, {"x": pa.float64(), "s": pa.string()}), backend)
    assert "61" in sql
    assert sql.count("GROUP BY") == 1
