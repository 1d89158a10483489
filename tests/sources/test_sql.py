# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Tables and queries on SQLite and PostgreSQL: types, names, times, streams, and what may be wrong with databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from drift.config.source import Source
from drift.errors import SourceError, SourceMissing, SourceUnreachable
from drift.sources import sql, sql_engine, sql_types
from drift.sources.snapshot import Snapshot, open_snapshot
from drift.sources.time_filter import WindowFilter
from drift.windows import Calendar, Window
from tests.support.times import TIMES

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = Calendar("1d", "America/New_York")
UTC_DAYS = Calendar("1d", "UTC")
DAY = UTC_DAYS.starting(date(2013, 2, 8))


def open_database(url: str, window: Window | None = None, calendar: Calendar = UTC_DAYS, **keys: Any) -> Snapshot:
    """Open a table or query by a Source, as a monitor does."""
    source = Source(**{"connection": "db", "time_column": "day", **keys})
    return open_snapshot(source, window, calendar=calendar, url=url)


def rows(snapshot: Snapshot, *columns: str) -> dict[str, list[Any]]:
    """Read columns whole."""
    return snapshot.to_table(columns or None).to_pydict()


def fill(url: str, *statements: str) -> str:
    """Run SQL, and return the URL."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%") if "psycopg" in url else statement)
    return url


TYPES = """CREATE TABLE t (day date, n smallint, big bigint, f real, price numeric(10,2), flag boolean, label text,
naive timestamp, short varchar(5))"""


def test_tables_keep_their_types(database_url: str) -> None:
    """Integers are int64, floats and decimals float64, and nulls are nulls."""
    fill(
        database_url,
        TYPES,
        "INSERT INTO t VALUES ('2013-02-08', 1, 5000000000, 1.5, 9.99, true, 'a', '2013-02-08 10:00:00.5', 'b')",
        "INSERT INTO t (day) VALUES ('2013-02-08')",
    )
    snapshot = open_database(database_url, DAY, table="t")
    assert snapshot.schema == {
        "day": "date32[day]", "n": "int64", "big": "int64", "f": "double", "price": "double", "flag": "bool",
        "label": "string", "naive": "timestamp[us]", "short": "string",
    }  # fmt: skip
    read = rows(snapshot)
    assert {name: values[0] for name, values in read.items()} == {
        "day": date(2013, 2, 8), "n": 1, "big": 5_000_000_000, "f": 1.5, "price": 9.99, "flag": True, "label": "a",
        "naive": datetime(2013, 2, 8, 10, 0, 0, 500_000), "short": "b",
    }  # fmt: skip
    assert all(values[1] is None for name, values in read.items() if name != "day")


def test_an_empty_window_of_a_table(database_url: str) -> None:
    """A declared type stands without rows; there are no batches, and a DataFrame without rows."""
    fill(database_url, TYPES, "INSERT INTO t (day) VALUES ('2013-02-01'), (NULL)")
    snapshot = open_database(database_url, DAY, table="t")
    assert snapshot.schema["price"] == "double"
    assert snapshot.count_rows() == 0
    assert list(snapshot.batches()) == []
    assert list(snapshot.to_pandas(["n"]).columns) == ["n"]
    assert open_database(database_url, table="t").count_rows() == 2


NASTY = ["sp ace", 'quo"te', "it's", "[b]", "naïve 列", "select", "50%", "a:b", "x'; DROP TABLE t; --", "UPPER", "a.b"]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_quoted(database_url: str, name: str) -> None:
    """A table and its columns may be called anything, and nothing in a name is SQL."""
    quoted = '"' + name.replace('"', '""') + '"'
    fill(
        database_url,
        f"CREATE TABLE {quoted} ({quoted} date, x int)",
        f"INSERT INTO {quoted} VALUES ('2013-02-08', 1), ('2013-02-07', 2)",
    )
    snapshot = open_database(database_url, DAY, table=name, time_column=name)
    assert rows(snapshot, "x", name) == {"x": [1], name: [date(2013, 2, 8)]}
    query = open_database(database_url, DAY, query=f"SELECT * FROM {quoted}", time_column=name)
    assert rows(query, "x") == {"x": [1]}


def test_a_schema_is_its_own_key(postgres_url: str) -> None:
    """A table in another schema is found by `schema`, and a dot in `table` is a letter."""
    fill(postgres_url, "CREATE SCHEMA s", "CREATE TABLE s.t (day date)", "INSERT INTO s.t VALUES ('2013-02-08')")
    assert open_database(postgres_url, DAY, table="t", schema="s").count_rows() == 1
    with pytest.raises(SourceMissing, match=r"table s\.t of .*no such table"):
        open_database(postgres_url, DAY, table="s.t")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t",
        "  select day, x from t ;  ",
        "SELECT day, x FROM t;\n;",
        "-- the flights\n/* all\nof them */ SELECT * FROM t -- end",
        "WITH u AS (SELECT * FROM t) SELECT * FROM u",
        "SELECT day, x FROM t WHERE ':z' <> '%s' AND 5 % 3 = 2",
        "SELECT day, max(x) AS x FROM t GROUP BY day ORDER BY day",
    ],
)
def test_queries_are_read_as_written(database_url: str, query: str) -> None:
    """Comments, semicolons, CTEs, colons and percent signs: it is the user's SQL."""
    fill(database_url, "CREATE TABLE t (day date, x int)", "INSERT INTO t VALUES ('2013-02-08', 1), ('2013-02-07', 2)")
    snapshot = open_database(database_url, DAY, query=query)
    assert rows(snapshot, "x") == {"x": [1]}
    assert snapshot.count_rows() == 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("DELETE FROM t", "is not a SELECT"),
        ("/* x */ insert into t values (1)", "is not a SELECT"),
        (";", "holds 0 statements"),
        ("-- nothing", "holds 0 statements"),
        ("SELECT * FROM t; DROP TABLE t", "holds 2 statements"),
        ("SELECT 1 AS day) q; DROP TABLE t; --", "cannot be read as SQL"),
        ("WITH d AS (DELETE FROM t RETURNING day) SELECT * FROM d", "writes or locks"),
        ("SELECT nope FROM t", "nope"),
        ("SELECT day FROM nowhere", "nowhere"),
        ("SELEKT", "is not a SELECT"),
    ],
)
def test_only_one_select_is_accepted(database_url: str, query: str, says: str) -> None:
    """Whatever the query tries, the table is still there, and the error is ours."""
    fill(database_url, "CREATE TABLE t (day date)", "INSERT INTO t VALUES ('2013-02-08')")
    with pytest.raises(SourceError, match=says):
        open_database(database_url, DAY, query=query).count_rows()
    assert open_database(database_url, DAY, table="t").count_rows() == 1


def test_duplicate_names_in_a_query_are_refused(postgres_url: str) -> None:
    """A join that selects one name twice has to name them apart."""
    with pytest.raises(SourceError, match="more than one column named 'day'"):
        open_database(postgres_url, DAY, query="SELECT 1 AS day, 2 AS day")


@pytest.mark.parametrize(
    ("declared", "inside", "outside"),
    [*TIMES, ("text", "2013-02-08", "2013-02-09"), ("numeric", 1360299600.5, 1360386000.5)],
)
def test_times_of_every_kind_in_sql(database_url: str, declared: str, inside: object, outside: object) -> None:
    """The bounds speak the column's language; rows without a time are in no window."""
    fill(
        database_url,
        f"CREATE TABLE t (x int, day {declared})",
        f"INSERT INTO t VALUES (0, NULL), (1, {inside!r}), (2, {outside!r})",
    )
    window = NEW_YORK.starting(date(2013, 2, 8))
    assert rows(open_database(database_url, window, NEW_YORK, table="t"), "x") == {"x": [1]}
    assert rows(open_database(database_url, window, NEW_YORK, query="SELECT * FROM t"), "x") == {"x": [1]}


def test_a_time_column_without_any_time_has_no_rows(database_url: str) -> None:
    """All null: no window has a row."""
    fill(database_url, "CREATE TABLE t (day text, x int)", "INSERT INTO t VALUES (NULL, 1)")
    assert open_database(database_url, DAY, table="t").count_rows() == 0


@pytest.mark.parametrize("kind", ["text", "date not null"])
def test_an_index_on_text_times_is_used(tmp_path: Path, kind: str) -> None:
    """The filter compares the bare column with bound text, so SQLite searches its index; so it does for other rows."""
    url = fill(
        f"sqlite:///{tmp_path / 't.db'}",
        f"CREATE TABLE t (day {kind}, x int)",
        "CREATE INDEX by_day ON t (day)",
        "INSERT INTO t VALUES ('2013-02-08T05:00:00Z', 1)",
    )
    engine = sql_engine.engine_of(url)
    relation = sql.relation_of(engine, "t", None, None)
    with engine.connect() as connection:
        chosen = WindowFilter("day", DAY, UTC_DAYS)
        where, untimed = sql._where(connection, relation, {"day": pa.string()}, chosen)
        compiled = relation.select(sa.column("x"), where=where).compile(engine)
        assert "2013" not in str(compiled)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params.values())).all()
        ranges = [relation.select(sa.func.count(), where=each).compile(engine) for each in untimed[1:]]
        counts = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", tuple(each.params.values())).all()
            for each in ranges
        ]
    assert "USING INDEX by_day" in str(plan)
    assert all("USING COVERING INDEX by_day (day" in str(each) for each in counts)


@pytest.mark.parametrize(
    ("declared", "values", "arrow_type", "read"),
    [
        ("integer", [1, "'unknown'"], "string", ["1", "unknown"]),
        ("integer", [1, 2.5], "double", [1.0, 2.5]),
        ("real", [1, 2], "double", [1.0, 2.0]),
        ("integer", [1, "x'00ff'"], "string", ["1", "\x00\ufffd"]),
        ("blob", ["x'00ff'"], "binary", [b"\x00\xff"]),
        ("boolean", [1, 0, "NULL"], "bool", [True, False, None]),
        ("boolean", [1, 2], "int64", [1, 2]),
        ("date", ["'2013-02-08'", "'2013-02-30'"], "string", ["2013-02-08", "2013-02-30"]),
        ("date", ["'2013-02-08'", "'soon'"], "string", ["2013-02-08", "soon"]),
        ("date", [20130208], "int64", [20130208]),
        (
            "datetime",
            ["'2013-02-08'", "'2013-02-08 10:00'"],
            "timestamp[us]",
            [datetime(2013, 2, 8), datetime(2013, 2, 8, 10)],
        ),
        ("datetime", ["'2013-02-08T10:00:00Z'"], "timestamp[us, tz=UTC]", [datetime(2013, 2, 8, 10, tzinfo=UTC)]),
        ("datetime", ["'2013-02-08'", "'08.02.2013'"], "string", ["2013-02-08", "08.02.2013"]),
        ("numeric(5,2)", [1, 2.25], "double", [1.0, 2.25]),
        ("", [1, 2], "int64", [1, 2]),
        ("", ["NULL"], "null", [None]),
        ("varchar(3)", ["NULL"], "string", [None]),
    ],
)
def test_sqlite_columns_hold_what_they_like(
    tmp_path: Path, declared: str, values: list[Any], arrow_type: str, read: list[Any]
) -> None:
    """A value that does not fit the declaration turns the column, never the run; the schema says it beforehand."""
    url = fill(
        f"sqlite:///{tmp_path / 't.db'}",
        f"CREATE TABLE t (day text, x {declared})",
        *[f"INSERT INTO t VALUES ('2013-02-08', {value})" for value in values],
        "INSERT INTO t VALUES ('2013-02-07', 'another day')",
    )
    snapshot = open_database(url, DAY, table="t")
    assert snapshot.schema["x"] == arrow_type
    assert rows(snapshot, "x") == {"x": read}


def test_mixed_zones_in_sqlite_are_text(tmp_path: Path) -> None:
    """Times with and without a zone in one column are not one type."""
    url = fill(
        f"sqlite:///{tmp_path / 't.db'}",
        "CREATE TABLE t (day text, x datetime)",
        "INSERT INTO t VALUES ('2013-02-08', '2013-02-08T10:00:00Z'), ('2013-02-08', '2013-02-08 10:00:00')",
    )
    assert rows(open_database(url, DAY, table="t"), "x") == {"x": ["2013-02-08T10:00:00Z", "2013-02-08 10:00:00"]}


def test_postgres_types_beyond_the_usual(postgres_url: str) -> None:
    """Whatever PostgreSQL has is at least its text; infinite dates are the last days that Python has."""
    fill(
        postgres_url,
        "CREATE DOMAIN positive AS int CHECK (value > 0)",
        "CREATE TYPE mood AS ENUM ('glad')",
        "CREATE TABLE t (day date, u uuid, j jsonb, a int[], d positive, m mood, n numeric, i interval, b bytea, "
        "until timestamptz, since date)",
        "INSERT INTO t VALUES ('2013-02-08', '00000000-0000-0000-0000-000000000001', '{\"b\": 1}', '{1,2}', 3, 'glad', "
        "'NaN', '1 hour', '\\x00', 'infinity', '4713-01-01 BC')",
    )
    for snapshot in (
        open_database(postgres_url, DAY, table="t"),
        open_database(postgres_url, DAY, query="SELECT * FROM t"),
    ):
        read = {name: values[0] for name, values in rows(snapshot).items()}
        assert read["u"] == "00000000-0000-0000-0000-000000000001"
        assert (read["j"], read["a"], read["d"], read["m"]) == ('{"b": 1}', "[1, 2]", 3, "glad")
        assert np.isnan(read["n"])
        assert read["i"].total_seconds() == 3600
        assert read["b"] == b"\x00"
        assert read["until"] == datetime(9999, 12, 30, tzinfo=UTC)
        assert read["since"] == date(1, 1, 2)


def test_long_tables_are_streamed(database_url: str) -> None:
    """Rows come in bounded batches, in one pass, and again on a second call."""
    counter = (
        "WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s WHERE x < 70000) "
        "SELECT '2013-02-08' AS day, x, x * 0.5 AS half FROM s"
    )
    fill(database_url, "CREATE TABLE unused (x int)")
    snapshot = open_database(database_url, None, query=counter)
    for _ in range(2):
        batches = list(snapshot.batches(["x"]))
        assert [len(batch) for batch in batches] == [65536, 4464]
        assert sum(pc.sum(batch.column(0)).as_py() for batch in batches) == 70000 * 70001 // 2
    with closing(snapshot.read(["x"])) as abandoned:
        next(abandoned)


UNTYPED: dict[str, pa.DataType | None] = {"day": None, "x": None}
EARLY = sa.column("rowid") <= 2


@pytest.mark.parametrize(
    ("sample", "late", "arrow_type", "read"),
    [
        (["1", "2"], "2.5", "int64", [1, 2, 2.5]),
        (["1", "2"], "'x'", "int64", ["1", "2", "x"]),
        (["1.5", "NULL"], "'x'", "double", ["1.5", None, "x"]),
        (["'a'", "'b'"], "3", "string", ["a", "b", "3"]),
        (["NULL", "NULL"], "3", "null", [None, None, 3]),
        (["1", "2"], "NULL", "int64", [1, 2, None]),
    ],
)
def test_untyped_queries_widen_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: list[str], late: str, arrow_type: str, read: list[Any]
) -> None:
    """Where a database says no types, the first rows do, and a later batch that does not fit is wider."""
    url = fill(
        f"sqlite:///{tmp_path / 't.db'}",
        "CREATE TABLE t (day text, x)",
        *[f"INSERT INTO t VALUES ('2013-02-08', {value})" for value in [*sample, late]],
    )
    # SQLite in the part of a database whose queries have no types, and whose first rows are the first two.
    monkeypatch.setattr(sql, "stored_types", lambda c, r, _, __: sql_types.sampled_types(c, r, UNTYPED, EARLY))
    monkeypatch.setattr(sql, "_MAX_ROWS", 1)
    snapshot = open_database(url, DAY, table="t")
    assert snapshot.schema["x"] == arrow_type
    column = snapshot.to_pandas(["x"])["x"]
    assert [None if pd.isna(value) else value for value in column] == read


# --- what may be wrong with databases ---------------------------------------------------------------------------------


def test_missing_tables_and_columns_say_so(database_url: str) -> None:
    """The error names the table, and the one that was probably meant."""
    fill(database_url, "CREATE TABLE flights (day date)")
    with pytest.raises(SourceMissing, match=r"table flihgts of .*did you mean 'flights'"):
        open_database(database_url, DAY, table="flihgts")
    with pytest.raises(SourceMissing, match="has no column 'dey': did you mean 'day'"):
        open_database(database_url, DAY, table="flights", time_column="dey")


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    """SQLite would make an empty database; a typo in a path must not."""
    path = tmp_path / "nope.db"
    with pytest.raises(SourceMissing, match=r"nope\.db: no such SQLite database"):
        open_database(f"sqlite:///{path}", table="t")
    assert not path.exists()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is refused by name."""
    (tmp_path / "a.db").write_bytes(b"certainly no SQLite database, but long enough to be looked at" * 20)
    with pytest.raises(SourceError, match="not a database"):
        open_database(f"sqlite:///{tmp_path / 'a.db'}", table="t")


def test_a_locked_database_is_worth_a_retry(tmp_path: Path) -> None:
    """Another process at work is no broken source."""
    import sqlite3

    url = fill(f"sqlite:///{tmp_path / 't.db'}", "CREATE TABLE t (day date)")
    holder = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(SourceUnreachable, match="locked"):
            open_database(f"{url}?timeout=0.05", table="t")
    finally:
        holder.close()


def test_a_forbidden_table_says_what_to_grant(postgres_url: str) -> None:
    """Permission denied is not a missing table; the error names neither SQL nor password."""
    fill(
        postgres_url,
        "CREATE TABLE t (day date)",
        "DROP ROLE IF EXISTS drift_reader",
        "CREATE ROLE drift_reader LOGIN PASSWORD 'hunter2'",
    )
    url = (
        sa.make_url(postgres_url).set(username="drift_reader", password="hunter2").render_as_string(hide_password=False)
    )
    try:
        with pytest.raises(SourceError, match="permission denied: grant SELECT") as caught:
            open_database(url, DAY, table="t")
        assert "hunter2" not in str(caught.value)
    finally:
        fill(postgres_url, "DROP ROLE drift_reader")


def test_an_error_in_the_middle_of_a_stream_is_ours(postgres_url: str) -> None:
    """A value that cannot be computed shows while reading."""
    snapshot = open_database(
        postgres_url, None, query="SELECT g AS day, 1 / (100000 - g) AS x FROM generate_series(1, 100001) g"
    )
    with pytest.raises(SourceError, match="division by zero"):
        list(snapshot.batches(["x"]))


def test_an_unresolved_connection_is_no_crash() -> None:
    """A table without a URL is a mistake of the caller that names the connection."""
    source = Source(connection="db", table="t", time_column="day")
    with pytest.raises(SourceError, match="connection 'db'"):
        open_snapshot(source, DAY, calendar=UTC_DAYS)


@pytest.mark.parametrize(
    ("good", "keys"),
    [("2013-02-08", {}), ("2013-02-08 10:00:00", {}), ("1360281600", {}), ("08/02/2013", {"time_format": "%d/%m/%Y"})],
)
@pytest.mark.parametrize("placeholder", ["", "unknown", "0000-00-00", "1970-01-01", "9999-12-31", "0", "-1", None])
def test_a_placeholder_costs_its_row(
    database_url: str, good: str, keys: dict[str, Any], placeholder: str | None
) -> None:
    """In a column of text, wherever it stands, it is in no window, and counted; the others are."""
    bad = "NULL" if placeholder is None else f"'{placeholder}'"
    rows_ = ", ".join([f"({bad}, 1)"] * 2 + [f"('{good}', 2)"] * 3)
    fill(database_url, "CREATE TABLE t (day VARCHAR(30), x INTEGER)", f"INSERT INTO t VALUES {rows_}")
    snapshot = open_database(database_url, DAY, table="t", **keys)
    assert snapshot.count_rows() == 3
    assert snapshot.notes() == {"day": "2 rows without a readable time are in no window"}


@pytest.mark.parametrize("bad", [0, -1])
def test_numbers_that_are_no_time_cost_their_rows(database_url: str, bad: int) -> None:
    """Seconds since 1970 with zeros and minus ones among them, also where these come first."""
    rows_ = ", ".join([f"({bad}, 1)"] * 2_000 + ["(1360281600, 2)"])
    fill(database_url, "CREATE TABLE t (day INTEGER, x INTEGER)", f"INSERT INTO t VALUES {rows_}")
    snapshot = open_database(database_url, DAY, table="t")
    assert snapshot.count_rows() == 1
    assert snapshot.notes() == {"day": "2,000 rows without a readable time are in no window"}


def test_true_dates_have_placeholders_too(database_url: str) -> None:
    """1970-01-01 and 9999-12-31 in a column of dates."""
    days_ = ", ".join(f"('{day}')" for day in ("1970-01-01", "9999-12-31", "2013-02-08"))
    fill(database_url, "CREATE TABLE t (day DATE)", f"INSERT INTO t VALUES {days_}")
    snapshot = open_database(database_url, DAY, table="t")
    assert (snapshot.count_rows(), list(snapshot.notes())) == (1, ["day"])


@pytest.mark.parametrize("slashes", ["sqlite:///", "sqlite:////", "sqlite://////"])
def test_a_sqlite_path_may_have_slashes_to_spare(tmp_path: Path, slashes: str) -> None:
    """`sqlite:////` before an absolute path names the same file, to the system and so to us."""
    with closing(sqlite3.connect(tmp_path / "w.db")) as made:
        made.execute("CREATE TABLE flights (day TEXT)")
    assert sql.tables_of(f"{slashes}{tmp_path / 'w.db'}", None) == ["flights"]
