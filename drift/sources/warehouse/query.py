"""A table or query inside a database that can count by itself: how to ask it, and what its columns are.

Ibis writes the rows that are looked at, as the types of their columns ask for in each database; what is made of them is
SQL over columns of our own (float64, text, whole numbers), which sqlglot writes in each dialect. PostgreSQL is reached
by `drift.sources.sql`, and its types are those read there; the others are reached by Ibis, and their types are what
`drift.sources.sql_types` would make of them.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.types as t
import sqlalchemy as sa

from drift.config import roots
from drift.errors import MissingExtra, SourceError, SourceMissing, SourceUnreachable
from drift.sources import queries, sql_engine, time_limit
from drift.sources import sql as sql_source
from drift.text.secrets import learn_url, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    Run = Callable[[str], Iterator[Sequence[Sequence[Any]]]]

BACKENDS = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "duckdb": "duckdb",
    "pyspark": "pyspark",
    "databricks": "databricks",
    "bigquery": "bigquery",
    "snowflake": "snowflake",
    "trino": "trino",
}
"""What a URL begins with → the backend of Ibis that writes its SQL."""

_BATCH_ROWS = 1 << 14

# What PostgreSQL prints as Python reads it: text, varchar, char, "char", name, uuid.
_POSTGRES_TEXT = frozenset({18, 19, 25, 1042, 1043, 2950})
_POSTGRES_PLAIN_TEXT = frozenset({25, 1043})
_POSTGRES_STORED = {
    16: "boolean",
    17: "binary",
    700: "float32",
    701: "float64",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamp('UTC')",
    1186: "interval('us')",
}
_NUMERIC = 1700
_FLOAT_DIGITS = 300
_PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's type as Drift's SQL sources give it, as Ibis names it in the database, and what is special about it.

    `refused` says why it cannot be counted inside, where it cannot.
    """

    arrow: pa.DataType
    stored: Any
    special: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """A table or query in a database that Ibis calls `backend`, and how to ask about it.

    `origin` names it in messages, and never holds a password. A `session` is read-only, and on one state of the data
    where the database can.
    """

    backend: str
    origin: str
    session: Callable[[], AbstractContextManager[Run]] = field(repr=False)
    columns: Mapping[str, Column]
    table: str | None
    schema: str | None
    query: str | None

    def source(self) -> Any:
        """Return the table or query as an Ibis table."""
        import ibis

        stored = {name: column.stored for name, column in self.columns.items()}
        if self.query is not None:
            return ibis.table(stored, name="drift_query")
        return ibis.table(stored, name=self.table, database=self.schema)

    def statement(self, rows: Any, branches: Sequence[str] = ("SELECT * FROM drift_rows",)) -> str:
        """Return SQL that reads rows of the source once, as ``drift_rows``, and unites what branches make of them.

        The rows are an Ibis table; the branches are SQL as `written` takes it.
        """
        quoted = {name: self.quoted(name) for name in ("drift_query", "drift_rows")}
        parts = []
        if self.query is not None:
            # On a line of its own the bracket survives a comment at the query's end.
            parts.append(f"{quoted['drift_query']} AS (\n{self.query}\n)")
        # PostgreSQL stores rows, and would read them once for each feature; DuckDB stores columns, and need not copy.
        how = {"postgres": "MATERIALIZED ", "duckdb": "NOT MATERIALIZED " if self.query is None else ""}
        parts.append(f"{quoted['drift_rows']} AS {how.get(self.backend, '')}(\n{compiled(self.backend, rows)}\n)")
        body = "\nUNION ALL\n".join(f"(\n{written(each, self.backend)}\n)" for each in branches)
        return f"WITH {', '.join(parts)}\n{body}"

    def quoted(self, name: str) -> str:
        """Return a name as the dialect quotes it."""
        return f"`{name}`" if self.backend in {"pyspark", "databricks", "bigquery"} else f'"{name}"'


def is_installed() -> bool:
    """Say whether Ibis can be imported."""
    return find_spec("ibis") is not None


def backend_of(url: str) -> str | None:
    """Return Ibis's name for the database of a URL, or None where Drift cannot count inside it."""
    return BACKENDS.get(url.partition(":")[0].partition("+")[0])


def sqlalchemy_knows(url: str) -> bool:
    """Say whether SQLAlchemy has a dialect for a URL here.

    Examples
    --------
    >>> sqlalchemy_knows("postgresql+psycopg://db/x"), sqlalchemy_knows("nosuch:///x")
    (True, False)
    """
    try:
        sa.make_url(url).get_dialect()
    except (sa.exc.ArgumentError, ImportError):
        return False
    return True


def compiled(backend: str, expression: Any) -> str:
    """Write an Ibis table expression as a backend's SQL; nothing is asked of the database."""
    import ibis

    if backend == "pyspark":
        return str(ibis.pyspark.compile(expression, pretty=False))
    return str(ibis.to_sql(expression, dialect=backend, pretty=False))


@lru_cache(maxsize=1024)
def written(sql: str, backend: str) -> str:
    """Write a statement of DuckDB's dialect, over columns of our own, in a backend's.

    Examples
    --------
    >>> written("SELECT CAST('0.1' AS DOUBLE) AS x FROM drift_rows", "bigquery")
    "SELECT CAST('0.1' AS FLOAT64) AS `x` FROM `drift_rows`"
    """
    # Ibis changes dialects of sqlglot's when it is imported, which has no effect on one that was used before.
    import_module("ibis.backends.sql.dialects")
    import sqlglot

    return sqlglot.transpile(sql, read="duckdb", write=queries.dialect_of(backend), identify=True)[0]


def open_database(url: str, *, table: str | None, schema: str | None, query: str | None) -> Database:
    """Look at a table or query, and settle its types."""
    backend = backend_of(url)
    if backend is None:
        known = ", ".join(name for name in BACKENDS if name != "postgres")
        raise SourceError(
            f"engine: warehouse counts inside {known}; this connection is {url.partition(':')[0]}: use engine: local"
        )
    if not is_installed():
        raise MissingExtra("ibis", extra="warehouse")
    return (_open_postgres if backend == "postgres" else _open_backend)(url, table, schema, query)


# --- PostgreSQL, by Drift's own SQL source ----------------------------------------------------------------------------


def _open_postgres(url: str, table: str | None, schema: str | None, query: str | None) -> Database:
    arrow_schema, origin, _, _ = sql_source.open_sql(url, table=table, schema=schema, query=query)
    engine = sql_engine.engine_of(url)
    relation = sql_source.relation_of(engine, table, schema, query)
    if query is not None:
        query = queries.one_select(query, engine.dialect.name, origin)

    @contextmanager
    def session() -> Iterator[Run]:
        with sql_engine.session(engine, origin) as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            # The order of a scan decides what is sampled.
            connection.exec_driver_sql("SET LOCAL synchronize_seqscans = off")

            def run(sql: str) -> Iterator[Sequence[Sequence[Any]]]:
                streamed = connection.execution_options(yield_per=_BATCH_ROWS)
                with streamed.exec_driver_sql(sql.replace("%", "%%")) as result:
                    yield from result.partitions(_BATCH_ROWS)

            yield run

    with sql_engine.session(engine, origin) as connection:
        described: Any = connection.execute(relation.select(sa.text("*")).limit(0)).cursor.description
        unusual = {each[1] for each in described} - _POSTGRES_TEXT
        kinds = sa.text("SELECT oid, typname, typcategory FROM pg_type WHERE oid = ANY(:oids)")
        named = {oid: rest for oid, *rest in connection.execute(kinds, {"oids": list(unusual)})}
    columns = {
        each.name: _postgres_column(arrow_schema.field(each.name).type, each, *named.get(each.type_code, ("", "S")))
        for each in described
    }

    return Database("postgres", origin, session, columns, table, schema, query)


def _postgres_column(arrow: Any, described: Any, name: str, category: str) -> Column:
    oid = described.type_code
    if t.is_string(arrow):
        if oid not in _POSTGRES_TEXT and category not in {"S", "E"}:
            why = f"type {name} is not counted inside PostgreSQL: cast it to text in a query, or use engine: local"
            return Column(arrow, "string", refused=why)
        return Column(arrow, "string", "" if oid in _POSTGRES_PLAIN_TEXT else _PRINTED)
    if oid == _NUMERIC:
        fits = 0 < (described.precision or 0) <= _FLOAT_DIGITS and (described.scale or 0) <= _FLOAT_DIGITS
        return Column(arrow, "decimal", "" if fits else "unbounded")
    return Column(arrow, _POSTGRES_STORED.get(oid, "int64"))


# --- the others, by Ibis's --------------------------------------------------------------------------------------------


def _open_backend(url: str, table: str | None, schema: str | None, query: str | None) -> Database:
    learn_url(url)
    shown = masked(sa.make_url(url).set(query={}).render_as_string(hide_password=True))
    name = f"{schema}.{table}" if schema else table
    origin = f"the query on {shown}" if table is None else f"table {name} of {shown}"
    backend_name = BACKENDS[url.partition(":")[0]]
    if query is not None:
        query = queries.one_select(query, backend_name, origin)
    with _connected(url, origin) as backend, _explaining(url, origin), _quiet():
        columns = {column: _column(kind) for column, kind in _types(backend, table, schema, query, origin)}

    @contextmanager
    def session() -> Iterator[Run]:
        with _connected(url, origin) as backend:

            def run(sql: str) -> Iterator[Sequence[Sequence[Any]]]:
                with _explaining(url, origin), _guarded(backend, sql):
                    rows = _batches(backend, sql)
                    yield from rows if backend.name == "duckdb" else time_limit.each_in_time(rows)

            yield run

    return Database(backend_name, origin, session, columns, table, schema, query)


def tables_of(url: str, schema: str | None) -> list[str]:
    """Return the tables and views of a schema, by default of the database's own, in the order of their names."""
    learn_url(url)
    origin = f"schema {schema or 'by default'} of {masked(sa.make_url(url).render_as_string(hide_password=True))}"
    with _connected(url, origin) as backend, _explaining(url, origin), _quiet():
        if backend.name == "duckdb":  # whose result Ibis 12 cannot take here
            asked = (
                "SELECT table_name FROM information_schema.tables WHERE table_schema = coalesce(?, current_schema())"
            )
            names = sorted(name for (name,) in backend.con.execute(asked, [schema]).fetchall())
        else:
            names = sorted(backend.list_tables(database=schema))
    if not names:
        raise SourceMissing(f"{origin} has no table")
    return names


@contextmanager
def _connected(url: str, origin: str) -> Iterator[Any]:
    import ibis

    with _explaining(url, origin), _quiet():
        match BACKENDS[url.partition(":")[0]]:
            case "duckdb":
                backend = _duckdb(url, origin)
            case "pyspark":
                backend = _spark(url)
            case _:
                backend = time_limit.in_time(ibis.connect, url)
    try:
        yield backend
    finally:
        # A Spark session may be the caller's own, and who does not answer does not take leave either.
        if backend.name == "duckdb" or (backend.name != "pyspark" and not time_limit.is_left()):
            backend.disconnect()


@contextmanager
def _explaining(url: str, origin: str) -> Iterator[None]:
    """Turn what a driver raises into our own errors; every driver has a tree of its own."""
    try:
        yield
    except (SourceError, MissingExtra):
        raise
    except ModuleNotFoundError as error:
        name = BACKENDS[url.partition(":")[0]]
        raise SourceError(f"{origin}: {error.name} is missing: pip install 'ibis-framework[{name}]'") from None
    except Exception as error:
        raise _explained(error, origin) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ibis's warnings of its own calls (pandas 4, DuckDB's new names) from those who cannot mend them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _types(
    backend: Any, table: str | None, schema: str | None, query: str | None, origin: str
) -> Iterable[tuple[str, Any]]:
    if query is None or backend.name != "duckdb":
        found = backend.table(table, database=schema) if query is None else backend.sql(query)
        kinds = dict(found.schema().items())
        if backend.name == "pyspark":
            # Spark's timestamps are instants; Ibis takes them for local times.
            described = backend.raw_sql(query or backend.compile(found)).schema
            kinds |= {each.name: "timestamp('UTC')" for each in described if each.dataType.typeName() == "timestamp"}
        import ibis

        return [(name, ibis.dtype(kind)) for name, kind in kinds.items()]
    # Ibis 12 asks DuckDB 2 for the types of a query in a way that is gone.
    parse = backend.compiler.type_mapper.from_string
    described = backend.con.execute(f"DESCRIBE {query}").fetchall()
    names = [each[0] for each in described]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{origin} has more than one column named {twice!r}: give each a name with AS")
    return [(each[0], parse(each[1])) for each in described]


def _duckdb(url: str, origin: str) -> Any:
    import ibis

    parsed = sa.make_url(url)
    path = parsed.database or ":memory:"
    if path == ":memory:":
        backend = ibis.duckdb.connect(**parsed.query)
    else:
        if not path.startswith("md:") and not Path(path).is_file():
            raise SourceMissing(f"{origin}: no such DuckDB database")
        backend = ibis.duckdb.connect(path, read_only=True, **parsed.query)
    # From here on a query reads the monitor's files and no others, by what is there already; nothing can be set anew.
    backend.con.execute("SET allowed_directories = [?]", [f"{roots.monitors_root()}/"])
    for name in ("autoinstall_known_extensions", "autoload_known_extensions", "enable_external_access"):
        backend.con.execute(f"SET {name} = false")
    backend.con.execute("SET lock_configuration = true")
    return backend


@contextmanager
def _guarded(backend: Any, sql: str) -> Iterator[None]:
    """In DuckDB let nothing through that it does not take for one SELECT, and end what takes too long."""
    if backend.name != "duckdb":
        yield
        return
    if [statement.type.name for statement in backend.con.extract_statements(sql)] != ["SELECT"]:
        raise SourceError("not one SELECT: the session only reads")
    timer = Timer(time_limit.seconds(), backend.con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _spark(url: str) -> Any:
    """Return the Spark session there is, or start one with what the URL says: ``pyspark://?spark.master=local[4]``."""
    import ibis
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in sa.make_url(url).query.items():
        builder = builder.config(name, str(value))
    return ibis.pyspark.connect(builder.getOrCreate())


def _explained(error: Exception, origin: str) -> SourceError:
    reason = masked(" ".join(str(error).split()))[:500]
    kind = type(error).__name__
    if kind == "InterruptException":
        return SourceUnreachable(f"{origin}: {time_limit.too_long('interrupted')}")
    if kind in {"TableNotFound", "CatalogException"}:
        return SourceMissing(f"{origin}: no such table: {reason}")
    if kind in {"IOException", "ConnectionException", "OperationalError", "InterfaceError", "TimeoutError"}:
        return SourceUnreachable(f"{origin}: the database does not answer: {reason}")
    return SourceError(f"{origin}: the database refused: {reason}")


def _batches(backend: Any, sql: str) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield the rows of what a driver makes of SQL: a cursor, a Spark frame, a job's rows."""
    result = backend.raw_sql(sql)
    if hasattr(result, "fetchmany"):
        while rows := result.fetchmany(_BATCH_ROWS):
            yield rows
        return
    iterator = iter(result.toLocalIterator() if hasattr(result, "toLocalIterator") else result)
    while batch := [tuple(row) for row in islice(iterator, _BATCH_ROWS)]:
        yield batch


def _column(kind: Any) -> Column:
    """Return a column of an Ibis type, with the type that a SQL source would give it."""
    if kind.is_decimal():
        narrow = kind.precision and kind.precision <= _EXACT_DIGITS
        return Column(pa.float64(), kind, "" if narrow else "wide")
    if kind.is_timestamp():
        unit: Literal["ns", "us"] = "ns" if kind.scale == 9 else "us"
        return Column(pa.timestamp(unit, "UTC") if kind.timezone else pa.timestamp(unit), kind)
    if kind.is_interval():
        why = "type interval is not counted inside this database: turn it into a number in a query"
        return Column(pa.duration("us"), kind, refused=why)
    if kind.is_nested() or kind.is_uint64():
        return Column(kind.to_pyarrow(), kind)
    arrow = next((arrow for says, arrow in _ARROW_TYPES.items() if getattr(kind, says)()), None)
    return Column(arrow or pa.string(), kind, "" if arrow else _PRINTED)


_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "is_string": pa.string(),
    "is_boolean": pa.bool_(),
    "is_integer": pa.int64(),
    "is_floating": pa.float64(),
    "is_date": pa.date32(),
    "is_time": pa.time64("us"),
    "is_null": pa.null(),
    "is_binary": pa.binary(),
}
_EXACT_DIGITS = 15
