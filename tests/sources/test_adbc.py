"""ADBC beside SQLAlchemy on a real PostgreSQL: the same batches, errors and order, and what is left to SQLAlchemy."""

from __future__ import annotations

import signal
import sys
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from drift.errors import SourceError, SourceUnreachable
from drift.sources import adbc, sql
from drift.sources.sql import open_sql
from drift.sources.time_filter import WindowFilter
from drift.windows import Calendar
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.windows import Window

UTC_DAYS = Calendar("1d", "UTC")
DAY = UTC_DAYS.starting(date(2013, 2, 8))


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each read went through ADBC, in order."""
    taken: list[bool] = []

    @contextmanager
    def watched(*arguments: Any) -> Iterator[Iterator[pa.RecordBatch] | None]:
        with adbc.adbc_batches(*arguments) as batches:
            taken.append(batches is not None)
            yield batches

    monkeypatch.setattr(sql, "adbc_batches", watched)
    return taken


def both_ways(url: str, window: Window | None = None, **source: Any) -> tuple[list[pa.RecordBatch], ...]:
    """Read everything as it comes, and then as if ADBC were not installed."""
    chosen = WindowFilter("day", window, UTC_DAYS) if window else None
    schema, _, read, _ = open_sql(url, chosen=chosen, **source)
    fast = list(read(schema.names))
    with pytest.MonkeyPatch.context() as blocked:
        blocked.setitem(sys.modules, "adbc_driver_postgresql", None)
        return fast, list(read(schema.names))


def same(one: list[pa.RecordBatch], other: list[pa.RecordBatch]) -> None:
    """Assert that batches are the same in number, length, types and values, NaN and the sign of zero included."""
    assert [batch.schema for batch in one] == [batch.schema for batch in other]
    assert [repr(batch.to_pydict()) for batch in one] == [repr(batch.to_pydict()) for batch in other]
    for batch in one:
        batch.validate(full=True)


FLOATS = ["NaN", "Infinity", "-Infinity", "0", "-0", "0.1", "1e-37", "3.4e38", "-16777217", "1e10"]
NUMERICS = [
    "NaN", "Infinity", "-Infinity", "0.00", "-0.001", "10000", "1e400", "-1e400", "1e-400", "0.1", "9007199254740993",
    "1.7976931348623157e308", "1.7976931348623159e308", "2.4703282292062327e-324", "123456789012345678901234567890.5",
    "99999999999999999999999999.999999999999999999999999", "1e16", "0.30000000000000004",
]  # fmt: skip
HOSTILE = {
    "smallint": ["-32768", "32767", "0"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "9007199254740993"],
    "real": [*FLOATS, "1.17549435e-38", "1e-45", "3.4028235e38", "8388608.5"],
    "double precision": [*FLOATS, "5e-324", "1.7976931348623157e308", "9007199254740993", "2.2250738585072014e-308"],
    "numeric": NUMERICS,
    "numeric(10,2)": ["9.99", "-0.01", "12345678.90", "NaN"],
    "boolean": ["true", "false"],
    "text": ["", " ", "\\0", "\\x00", "🦩e\u0301", "it''s", 'a "b"', "%s %", ":x", "NaN", "a\nb\tc\r", "x" * 9999],
    "varchar(9)": ["", "naïve 列", "a  "],
    "char(4)": ["", "ab", "abcd"],
    "mood": ["glad", "it''s", ""],
    "uuid": ["00000000-0000-0000-0000-000000000001", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"],
    "bytea": ["", "\\x00ff", "\\xdeadbeef"],
    "date": ["1969-12-31", "0001-01-01", "4713-01-01 BC", "infinity", "-infinity", "9999-12-31", "2024-02-29"],
    "timestamp": ["1969-12-31 23:59:59.999999", "1582-10-10", "infinity", "-infinity", "0044-03-15 BC"],
    "timestamptz": [
        "1969-12-31 23:59:59.999999+00", "1900-01-01 00:00+05:45", "infinity", "-infinity", "2013-11-03 01:30-04",
        "9999-12-31 23:59:59+00",
    ],
    "positive": ["1", "2147483647"],
}  # fmt: skip


@pytest.fixture
def typed_url(postgres_url: str) -> str:
    """A database with an enumeration and a domain."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('glad', 'it''s', '')")
        connection.exec_driver_sql("CREATE DOMAIN positive AS int CHECK (value > 0)")
    return postgres_url


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_hostile_values_of_every_type_are_the_same_both_ways(typed_url: str, ways: list[bool], zone: str) -> None:
    """Types and values are SQLAlchemy's, each null among the others, whatever zone the session has."""
    url = sa.make_url(typed_url).update_query_dict({"options": f"-c TimeZone={zone}"})
    text = url.render_as_string(hide_password=False)
    for kind, values in HOSTILE.items():
        rows = ", ".join(f"('{value}'::{kind})" for value in values)
        same(*both_ways(text, query=f"SELECT * FROM (VALUES {rows}, (NULL)) t (day)"))
    assert ways == [True, False] * len(HOSTILE)


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**40)),
            st.none() | st.floats(),
            st.none() | st.floats(width=32),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.none() | st.dates(),
            st.none() | st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
        ),
        min_size=1,
        max_size=9,
    )
)
def test_any_values_are_the_same_both_ways(postgres_server: str, ways: list[bool], rows: list[tuple[Any, ...]]) -> None:
    """Numbers, texts and times of every size: the nearest float64, the same text, the same instant."""
    kinds = ["numeric", "double precision", "real", "bigint", "text", "date", "timestamp"]

    def literal(value: object, kind: str) -> str:
        return "NULL" if value is None else "'" + str(value).replace("'", "''") + f"'::{kind}"

    values = ", ".join(f"({', '.join(map(literal, row, kinds))})" for row in rows)
    # A first row says the types where all is null.
    types = ", ".join(f"NULL::{kind}" for kind in kinds)
    same(*both_ways(postgres_server, query=f"SELECT * FROM (VALUES ({types}), {values}) t (a, b, c, d, e, f, g)"))
    assert ways[-2:] == [True, False]


@pytest.mark.parametrize(
    "expression",
    [
        "interval '1 month'",
        "interval '1 hour'",
        "time '10:00'",
        "'{1,2}'::int[]",
        """'{"b": 1}'::json""",
        """'{"b": 1}'::jsonb""",
        "inet '10.0.0.1'",
        "1::oid",
        "1::money",
        "'(1,2)'::point",
        "'[1,5)'::int4range",
    ],
)
def test_what_adbc_gives_otherwise_is_left_to_sqlalchemy(postgres_url: str, ways: list[bool], expression: str) -> None:
    """One such column, and the whole read goes the other way, with the same result."""
    same(*both_ways(postgres_url, query=f"SELECT 1 AS day, {expression} AS x"))
    assert ways == [False, False]


@pytest.mark.parametrize(
    ("declared", "inside", "outside", "streamed"),
    [
        ("date", "2013-02-08", "2013-02-09", True),
        ("timestamp", "2013-02-08 00:00:00", "2013-02-07 23:59:59.999999", True),
        ("timestamptz", "2013-02-08 00:00:00+00", "2013-02-07 23:59:59.999999+00", True),
        ("bigint", 1360281600, 1360368000, True),
        ("numeric", "1360281600.5", "1360368000.5", True),
        ("text", "2013-02-08", "2013-02-09", False),
    ],
)
def test_the_windows_bounds_are_literals(
    postgres_url: str, ways: list[bool], declared: str, inside: object, outside: object, streamed: int
) -> None:
    """Dates, timestamps and numbers are written into the statement, whatever zone the session has; text never is."""
    url = sa.make_url(postgres_url).update_query_dict({"options": "-c TimeZone=Asia/Tokyo"})
    rows = f"('{inside}'::{declared}, 1, '%s :x'), ('{outside}', 2, ''), (NULL, 3, '')"
    query = f"SELECT * FROM (VALUES {rows}) t (day, x, y)"
    fast, slow = both_ways(url.render_as_string(hide_password=False), DAY, query=query)
    same(fast, slow)
    assert [batch["x"].to_pylist() for batch in fast] == [[1]]
    assert ways == [bool(streamed), False]


def test_no_rows_are_no_batches(postgres_url: str, ways: list[bool]) -> None:
    """An empty result has no batch, as the other way."""
    assert both_ways(postgres_url, query="SELECT 1 AS day WHERE false") == ([], [])
    assert ways == [True, False]


def test_batches_have_the_same_rows(postgres_url: str, ways: list[bool]) -> None:
    """Pieces of any size are cut and joined to 65,536 rows, in the server's order."""
    query = "SELECT g AS day, repeat('x', g % 200) AS x FROM generate_series(1, 150000) g"
    fast, slow = both_ways(postgres_url, query=query)
    assert [len(batch) for batch in fast] == [65536, 65536, 18928]
    assert fast == slow
    assert ways == [True, False]


@pytest.mark.parametrize("sizes", [[], [1], [5], [10], [23], [3, 3, 3, 3], [0, 4, 6, 0, 1], [9, 1, 25, 5]])
def test_pieces_become_batches(sizes: list[int]) -> None:
    """Every batch but the last has the asked number of rows, none is empty, and no row is lost or moved."""
    table = pa.table({"x": list(range(sum(sizes)))}).combine_chunks()
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    pieces = [
        pa.RecordBatch.from_arrays([pa.array(range(a, a + n), pa.int64())], ["x"])
        for a, n in zip(starts, sizes, strict=True)
    ]
    batches = list(adbc._in_batches(iter(pieces), 10))
    assert [len(batch) for batch in batches[:-1]] == [10] * (len(batches) - 1)
    assert all(0 < len(batch) <= 10 for batch in batches)
    assert [value for batch in batches for value in batch["x"].to_pylist()] == table["x"].to_pylist()


def test_other_encodings(postgres_server: str, ways: list[bool]) -> None:
    """Text of a LATIN1 database arrives as Unicode; of an unknown encoding SQLAlchemy makes what it can."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    for encoding, letter in (("LATIN1", "chr(233)"), ("SQL_ASCII", "'e'::text")):
        name = f"encoded_{encoding.lower()}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        try:
            url = sa.make_url(postgres_server).set(database=name).update_query_dict({"client_encoding": "utf8"})
            same(*both_ways(url.render_as_string(hide_password=False), query=f"SELECT 1 AS day, {letter} AS x"))
        finally:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    assert ways == [True, False, False, False]


@pytest.mark.parametrize(
    ("late", "kind", "says"),
    [
        ("1 / (100000 - g)", SourceError, "refused: division by zero$"),
        ("CASE WHEN g = 100000 THEN hangs() END", SourceUnreachable, "statement timeout"),
        ("CASE WHEN g = 100000 THEN dies() END", SourceUnreachable, "stopped answering: .*terminating connection"),
        ("CASE WHEN g = 100000 THEN writes() END", SourceError, "(?i)read-only"),
    ],
)
def test_errors_in_the_middle_are_the_same(
    postgres_url: str, ways: list[bool], late: str, kind: type[SourceError], says: str
) -> None:
    """The server's reason, of the kind that SQLAlchemy's way gives; the URL's time-out and read-only hold here, too."""
    # What a query may not call by itself, somebody's function may.
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).begin() as connection:
        for name, body in {
            "hangs": "pg_sleep(60)", "dies": "pg_terminate_backend(pg_backend_pid())", "writes": "lo_create(0)"
        }.items():  # fmt: skip
            sql = f"SELECT length(({body})::text)"
            connection.exec_driver_sql(f"CREATE FUNCTION {name}() RETURNS int VOLATILE LANGUAGE sql AS '{sql}'")
    url = sa.make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=2s"})
    _, _, read, _ = open_sql(
        url.render_as_string(hide_password=False),
        query=f"SELECT g AS day, {late} AS x FROM generate_series(1, 100001) g",
    )
    for streamed in (True, False):
        with pytest.MonkeyPatch.context() as blocked:
            if not streamed:
                blocked.setitem(sys.modules, "adbc_driver_postgresql", None)
            with pytest.raises(SourceError, match=says) as caught:
                list(read(["day", "x"]))
        assert type(caught.value) is kind
    assert ways == [True, False]


def test_a_signal_ends_the_wait(postgres_url: str, ways: list[bool]) -> None:
    """A task's time-out that rings while the server computes cancels the statement, and is what is raised."""
    endless = "(SELECT max(i) FROM generate_series(1, 1000000000) i)"
    _, _, read, _ = open_sql(postgres_url, query=f"SELECT 1 AS day, {endless} AS x")

    def ring(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(1)
    try:
        with pytest.raises(InterruptedError):
            list(read(["day", "x"]))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert ways == [True]


def test_a_stream_that_is_left_stops_the_server(postgres_url: str, ways: list[bool]) -> None:
    """Whoever stops reading does not wait for the rest, and no statement goes on."""
    # In FROM the function would be run to its end before its first row.
    _, _, read, _ = open_sql(postgres_url, query="SELECT generate_series(1, 100000000000) AS day")
    with closing(read(["day"])) as stream:
        assert next(stream).num_rows == 65536
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).connect() as connection:
        busy = sa.text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'")
        for _ in range(100):
            if not connection.execute(busy).scalar_one():
                break
            connection.execute(sa.text("SELECT pg_sleep(.1)"))
        assert connection.execute(busy).scalar_one() == 0
    assert ways == [True]


def test_a_server_that_is_gone_is_explained(postgres_url: str, ways: list[bool]) -> None:
    """Where ADBC cannot connect, SQLAlchemy says why, without the password."""
    engine = sa.create_engine("postgresql+psycopg://ada:hunter2@127.0.0.1:1/db")
    with adbc.adbc_batches(engine, sa.select, [sa.literal_column("1")], pa.schema({"x": pa.int64()}), 9) as batches:
        assert batches is None
    _, _, read, _ = open_sql(postgres_url, query="SELECT 1 AS day")
    assert [len(batch) for batch in read(["day"])] == [1]
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert found.scalar_one() == 1
    assert ways == [True]


def test_other_drivers_and_what_only_psycopg_knows_are_left_alone() -> None:
    """SQLite never asks for ADBC, and times are compared as UTC in literals."""
    engine = sa.create_engine("sqlite://")
    with adbc.adbc_batches(engine, sa.select, [sa.literal_column("1")], pa.schema({"x": pa.int64()}), 9) as batches:
        assert batches is None
    statement: sa.Select[Any] = sa.select(sa.column("a%b")).where(
        sa.column("t") >= sa.bindparam("p", datetime(2013, 2, 8, tzinfo=UTC), sa.DateTime(timezone=True))
    )
    assert "2013-02-08 00:00:00+00:00" in str(adbc._sql(statement))
    assert '"a%b"' in str(adbc._sql(statement))
