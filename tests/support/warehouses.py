# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Tables of hostile values in DuckDB and PostgreSQL, and what the local engine makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.types as t
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import strategies as st

from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning
from drift.profiles.counting import count
from drift.profiles.kinds import infer_kind, infer_scale, to_labels, to_numbers
from drift.sources.sql import open_sql
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from drift.profiles.histograms import Profile

MANY = examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
"""Each example fills a table of a real database."""

HOSTILE_FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.1, 0.1 + 0.2, 3.0, 1e16, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308,
    2.0**53, 2.0**53 + 2, 1e-300, 1e149, math.inf, -math.inf, math.nan,
]  # fmt: skip
HOSTILE_INTEGERS = [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 1234567890123456789]
HOSTILE_TEXT = [
    "", " ", "a", "A", "a ", " a", "ä", "a\u0308", "ß", "SS", "é", "日本", "😀", "'", '"', "\\", "\\x41", "%s", "%%",
    ":x", "?", "??", "null", "NULL", "nan", "true", "0", "00", "1", "-1", "1.0", "a\nb", "\t", "\x01", "\x7f",
    "; DROP TABLE t; --", "$1", "x" * 300, "\u200b", "İ", "i", "I", "\ufffd",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A type of column: its name in DuckDB and PostgreSQL, and values to fill it with."""

    duckdb: str
    postgres: str
    values: st.SearchStrategy[Any]


MOMENTS = st.datetimes(datetime(1600, 1, 1), datetime(2400, 1, 1))
KINDS = {
    "f": Kind("DOUBLE", "double precision", st.sampled_from(HOSTILE_FLOATS) | st.floats()),
    "g": Kind("FLOAT", "real", st.sampled_from([0.0, 1.1, -1.1, 3.0, math.inf, math.nan]) | st.floats(width=32)),
    "i": Kind("BIGINT", "bigint", st.sampled_from(HOSTILE_INTEGERS) | st.integers(-(2**63), 2**63 - 1)),
    "h": Kind("SMALLINT", "smallint", st.integers(-3, 3)),
    "d": Kind("DECIMAL(12,3)", "numeric(12,3)", st.decimals(-1000, 1000, places=3)),
    "w": Kind("DECIMAL(38,10)", "numeric(38,10)", st.decimals(-(10**27), 10**27, places=10)),
    "b": Kind("BOOLEAN", "boolean", st.booleans()),
    "s": Kind(
        "VARCHAR",
        "text",
        st.sampled_from(HOSTILE_TEXT) | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    ),
    "day": Kind("DATE", "date", st.dates(date(1600, 1, 1), date(2400, 1, 1))),
    "ts": Kind("TIMESTAMP", "timestamp", MOMENTS),
    "tz": Kind("TIMESTAMPTZ", "timestamptz", MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
    "tm": Kind("TIME", "time", st.times()),
}
POSTGRES_KINDS = KINDS | {
    "u": Kind(
        "",
        "numeric",
        st.sampled_from([Decimal("1e400"), Decimal("-1e400"), Decimal("1e-400"), Decimal("0.1"), Decimal("NaN")])
        | st.decimals(allow_infinity=False, allow_nan=False, min_value=-(10**20), max_value=10**20),
    ),
    "c": Kind("", "char(5)", st.sampled_from(["", " ", "a", "a ", "A", "é", "'"])),
    "n": Kind("", "text COLLATE drift_blind", st.sampled_from(["a", "A", "ä", "Ä", "a "])),
    "e": Kind("", "drift_mood", st.sampled_from(["glad", "Glad", "sad "])),
    "q": Kind("", "uuid", st.uuids().map(str)),
    "v": Kind("", "interval", st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))),
}


def frames(kinds: Mapping[str, Kind]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of every kind, nulls among them; often few enough to repeat."""
    return st.lists(st.tuples(*[st.none() | kind.values for kind in kinds.values()]), max_size=12)


def binnings_for(table: pa.Table, data: st.DataObject) -> dict[str, Binning]:
    """Binnings whose edges and levels are the data's own values, where being off by one bit shows."""
    categorical = data.draw(st.booleans())
    found: dict[str, Binning] = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        kind = infer_kind(column.type)
        if categorical or kind in {"categorical", "boolean"}:
            seen, _, _ = to_labels(column)
            known = data.draw(st.lists(st.sampled_from([*seen, "?", "a", "3"]), unique=True, max_size=8))
            cut = data.draw(st.integers(0, len(known)))
            salt = data.draw(st.sampled_from(["", "", "salt"]))
            rare = data.draw(st.sampled_from([tuple(known[cut:]), None]))
            found[name] = CategoricalBinning(tuple(known[:cut]), rare, salt)
            if kind == "boolean" and data.draw(st.booleans()):
                found[name] = BOOLEAN
        else:
            values = to_numbers(column)
            values = np.unique(values[np.isfinite(values)] + 0.0)
            with np.errstate(over="ignore"):
                around = [*values.tolist(), *np.nextafter(values, np.inf).tolist(), 0.0]
            drawn = data.draw(st.lists(st.sampled_from([each for each in around if math.isfinite(each)]), max_size=20))
            edges = np.unique(np.array(drawn, np.float64))
            inside = values[(values >= edges[0]) & (values < edges[-1])][:3] if len(edges) > 1 else []
            apart = inside if data.draw(st.booleans()) else []
            found[name] = NumericBinning(edges, infer_scale(column.type), apart)
    return found


def locally(table: pa.Table, binnings: Mapping[str, Binning]) -> Profile:
    """What the local engine counts."""
    batches = table.to_batches() if table.num_rows else []
    return count(batches, binnings, schema={field.name: str(field.type) for field in table.schema})


def assert_equal(inside: Profile, local: Profile) -> None:
    """The same rows, cells, recurring labels, problems and types; summaries to ten digits."""
    assert inside.n_rows == local.n_rows
    assert dict(inside.problems) == dict(local.problems)
    assert dict(inside.schema) == dict(local.schema)
    cells = {name: histogram.counts.tolist() for name, histogram in local.histograms.items()}
    assert {name: histogram.counts.tolist() for name, histogram in inside.histograms.items()} == cells
    for name, histogram in local.histograms.items():
        if isinstance(histogram.binning, CategoricalBinning):
            ours, theirs = inside.histograms[name].atoms, histogram.atoms
            assert ours is not None
            assert theirs is not None
            # A whole that is the sum of its segments knows less of what recurs only in all of them together.
            assert (ours.rows_of(theirs.values)[1] >= theirs.rows).all(), name
            assert ours == theirs or inside.segments, name
    assert inside.summaries.keys() == local.summaries.keys()
    for name, expected in local.summaries.items():
        found = inside.summaries[name]
        assert (found.n, found.low, found.high, found.zeros, found.infinite) == (
            expected.n, expected.low, expected.high, expected.zeros, expected.infinite,
        ), name  # fmt: skip
        size = max(abs(expected.low or 0.0), abs(expected.high or 0.0))
        assert math.isclose(found.mean, expected.mean, rel_tol=1e-10, abs_tol=1e-10 * size), name
        if size < 1e140:
            assert math.isclose(found.m2, expected.m2, rel_tol=1e-9, abs_tol=1e-10 * size**2), name
        else:
            assert not math.isfinite(found.m2) or not math.isfinite(expected.m2) or found.m2 >= 0


def assert_segments_equal(inside: Profile, local: Profile) -> None:
    """The same in the whole and in each segment."""
    assert_equal(inside, local)
    assert list(inside.segments) == list(local.segments)
    for name, expected in local.segments.items():
        assert_equal(inside.segments[name], expected)


class Ducks:
    """A DuckDB file, filled anew for each example; what it holds, as Drift's SQL sources have types."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"duckdb:///{path}"

    def run(self, sql: str) -> None:
        """Run SQL."""
        with duckdb.connect(self.path) as connection:
            connection.execute(sql)

    def load(self, name: str, table: pa.Table) -> None:
        """Make a table of Arrow's."""
        with duckdb.connect(self.path) as connection:
            connection.register("loaded", table)
            connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM loaded')

    def fill(self, kinds: Mapping[str, Kind], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Make the table ``t``, and return its rows as Arrow."""
        columns = ", ".join(f'"{name}" {kind.duckdb}' for name, kind in kinds.items())
        with duckdb.connect(self.path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"CREATE OR REPLACE TABLE t ({columns})")
            if rows and len(rows) < 1000:
                connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' for _ in kinds)})", rows)
            elif rows:
                loaded = [pa.array(values) for values in zip(*rows, strict=True)]
                connection.register("loaded", pa.table(loaded, names=list(kinds)))
                connection.execute("INSERT INTO t SELECT * FROM loaded")
            table = connection.sql("SELECT * FROM t").to_arrow_table()
        columns_as_read = [as_sql_source(table[name].combine_chunks()) for name in table.column_names]
        return pa.table(columns_as_read, names=table.column_names)


def as_sql_source(column: pa.Array[Any]) -> pa.Array[Any]:
    """A column with the type that Drift's SQL sources give it."""
    if t.is_integer(column.type):
        return column.cast(pa.int64())
    if t.is_decimal(column.type):
        # As Python rounds it; Arrow's own cast is off by one bit in every fifth value.
        return pa.array([None if value is None else float(value) for value in column.to_pylist()], pa.float64())
    return column.cast(pa.float64()) if t.is_floating(column.type) else column


class Postgres:
    """A PostgreSQL database, its table filled anew for each example."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url)
        blind = "CREATE COLLATION drift_blind ({})"
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CREATE TYPE drift_mood AS ENUM ('glad', 'Glad', 'sad ')")
            try:
                # Case and accents are one to it.
                ignorant = "provider = icu, locale = 'und-u-ks-level1', deterministic = false"
                connection.exec_driver_sql(blind.format(ignorant))
            except sa.exc.NotSupportedError:
                connection.exec_driver_sql(blind.format("locale = 'C'"))

    def run(self, sql: str) -> None:
        """Run SQL."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(sql.replace("%", "%%"))

    def fill(self, kinds: Mapping[str, Kind], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Make the table ``t``, and return its rows as Drift's SQL source reads them."""
        columns = ", ".join(f'"{name}" {kind.postgres}' for name, kind in kinds.items())
        with self.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS t")
            connection.exec_driver_sql(f"CREATE TABLE t ({columns})")
            if rows:
                marks = ", ".join(f"CAST(%s AS {kind.postgres.partition(' COLLATE')[0]})" for kind in kinds.values())
                connection.exec_driver_sql(f"INSERT INTO t VALUES ({marks})", list(rows))
        schema, _, read, _ = open_sql(self.url, table="t")
        batches = list(read(schema.names))
        return pa.Table.from_batches(batches) if batches else schema.empty_table()


def dump(results: sa.Engine, clocks: Collection[str] = ()) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the results, but for clocks, what names the engine, and atoms, which are not looked for inside."""
    left_out = {"started_at", "finished_at", "config_hash", "config", "atoms", "digest", *clocks}
    metadata = sa.MetaData()
    metadata.reflect(results)
    with results.connect() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(sa.select(*[c for c in table.c if c.name not in left_out]))),
                key=repr,
            )
            for table in metadata.sorted_tables
        }


def alike(one: Any, other: Any) -> bool:
    """The same to nine digits, as means and sums of squares are."""
    match one, other:
        case float(), float():
            return math.isclose(one, other, rel_tol=1e-9)
        case dict(), dict():
            return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
        case ((list() | tuple()), (list() | tuple())):
            return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)
