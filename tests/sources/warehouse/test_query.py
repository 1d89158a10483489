"""Databases that count: how they are reached, what their columns are, and what may be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from drift.errors import DriftError, SourceError, SourceMissing, SourceUnreachable
from drift.profiles.binning import NumericBinning
from drift.sources.sql import open_sql
from drift.sources.warehouse.query import backend_of
from drift.sources.warehouse.source import open_warehouse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ducks(tmp_path: Path) -> str:
    """URL of a DuckDB file with a table ``t``."""
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        connection.execute("CREATE TABLE t (day DATE, x INTEGER)")
        connection.execute("INSERT INTO t VALUES ('2013-02-08', 1), ('2013-02-09', 2)")
    return f"duckdb:///{tmp_path / 'w.duckdb'}"


DUCK_TYPES = {
    "BOOLEAN": "bool", "TINYINT": "int64", "UINTEGER": "int64", "UBIGINT": "uint64", "HUGEINT": "double",
    "FLOAT": "double", "DECIMAL(9,2)": "double", "VARCHAR": "string", "UUID": "string", "ENUM('a', 'b')": "string",
    "DATE": "date32[day]", "TIME": "time64[us]", "TIMESTAMP": "timestamp[us]", "TIMESTAMP_S": "timestamp[us]",
    "TIMESTAMP_NS": "timestamp[ns]", "TIMESTAMPTZ": "timestamp[us, tz=UTC]", "BLOB": "binary",
    "INTERVAL": "duration[us]", "INTEGER[]": "list<item: int32>", "STRUCT(a INTEGER)": "struct<a: int32>",
}  # fmt: skip


def test_duckdb_columns_have_the_types_of_sql_sources(tmp_path: Path) -> None:
    """Integers are int64, decimals float64, enums text; what has no kind keeps its own type."""
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(DUCK_TYPES))
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        connection.execute(f"CREATE TABLE t ({columns})")
    for place in ({"table": "t"}, {"query": "SELECT * FROM t"}):
        found = open_warehouse(f"duckdb:///{tmp_path / 'w.duckdb'}", **place)
        types = [str(field.type) for field in found.arrow_schema]
        assert dict(zip(DUCK_TYPES, types, strict=True)) == DUCK_TYPES
        assert found.refused.keys() == {f"c{list(DUCK_TYPES).index('INTERVAL')}"}


def test_postgres_columns_have_the_types_that_are_read(postgres_url: str) -> None:
    """The very same as `drift.sources.sql` reads; what Python would write in another way is refused."""
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("CREATE DOMAIN positive AS int CHECK (value > 0)")
        connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('glad')")
        connection.exec_driver_sql(
            "CREATE TABLE t (s smallint, p positive, r real, n numeric, m numeric(9,2), b bool, x text, c char(3), "
            "e mood, u uuid, d date, t time, ts timestamp, tz timestamptz, i interval, raw bytea, j jsonb, a int[], "
            "z timetz, net inet, money money)"
        )
    found = open_warehouse(postgres_url, table="t")
    assert found.arrow_schema == open_sql(postgres_url, table="t")[0]
    assert found.refused.keys() == {"j", "a", "z", "net", "money"}
    assert "cast it to text in a query, or use engine: local" in found.refused["j"]


def test_rows_are_read_for_what_cannot_be_done_inside(ducks: str) -> None:
    """In the columns asked for, and without any they still have a length."""
    opened = open_warehouse(ducks, table="t")
    assert pa.Table.from_batches(opened.read(["x"])).to_pydict() == {"x": [1, 2]}
    assert sum(batch.num_rows for batch in opened.read([])) == 2


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t",
        "SELECT * FROM t; DROP TABLE t",
        "SELECT 1 AS day) q; DROP TABLE t; --",
        "SELEKT",
        ";",
        "COPY t TO 'x.csv'",
    ],
)
def test_only_one_select_is_accepted(ducks: str, query: str) -> None:
    """Whatever the query tries, the table is still there, and the error is ours."""
    with pytest.raises(SourceError):
        open_warehouse(ducks, query=query).count_rows()
    assert open_warehouse(ducks, table="t").count_rows() == 2


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t",
        " select day, x from t ;\n;",
        "-- all\n/* of\nthem */ SELECT * FROM t -- end",
        "WITH u AS (SELECT * FROM t) SELECT * FROM u",
        "SELECT day, x FROM t WHERE ':z' <> '%s'",
        "SELECT day, max(x) AS x FROM t GROUP BY day ORDER BY day",
    ],
)
def test_queries_are_read_as_written(ducks: str, query: str) -> None:
    """Comments, semicolons, CTEs, colons and percent signs: it is the user's SQL."""
    assert open_warehouse(ducks, query=query).count_rows() == 2


def test_duplicate_names_in_a_query_are_refused(ducks: str) -> None:
    """A join that selects one name twice has to name them apart."""
    with pytest.raises(SourceError, match="more than one column named 'day'"):
        open_warehouse(ducks, query="SELECT 1 AS day, 2 AS day")


def test_missing_tables_and_files_say_so(ducks: str, tmp_path: Path) -> None:
    """No database is made of a typo."""
    with pytest.raises(SourceMissing, match="table nope of duckdb:"):
        open_warehouse(ducks, table="nope")
    with pytest.raises(SourceMissing, match="no such DuckDB database"):
        open_warehouse(f"duckdb:///{tmp_path}/nope.duckdb", table="t")
    assert not (tmp_path / "nope.duckdb").exists()


def test_an_error_in_the_middle_is_ours(postgres_url: str) -> None:
    """A value that cannot be computed shows while counting."""
    opened = open_warehouse(postgres_url, query="SELECT 1 / (g - 1) AS x FROM generate_series(1, 2) g")
    with pytest.raises(SourceError, match="division by zero"):
        opened.profile({"x": NumericBinning([0])})


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("sqlite:///x.db", SourceError, "counts inside postgresql, duckdb, pyspark.*: use engine: local"),
        ("postgresql://ada:hunter2@127.0.0.1:1/db", SourceUnreachable, "cannot connect"),
        ("snowflake://ada:hunter2@account/db", SourceError, r"is missing: pip install 'ibis-framework\[snowflake\]'"),
    ],
)
def test_wrong_urls_are_explained_without_their_password(url: str, error: type[DriftError], says: str) -> None:
    """Unknown, unreachable, not installed: each says so, none shows the password."""
    with pytest.raises(error, match=says) as caught:
        open_warehouse(url, table="t")
    assert "hunter2" not in str(caught.value)


def test_what_a_url_begins_with_names_the_backend() -> None:
    """Drivers are no part of it."""
    assert [backend_of(f"{name}://x") for name in ("postgresql+psycopg", "postgres", "duckdb", "mysql")] == [
        "postgres", "postgres", "duckdb", None,
    ]  # fmt: skip
