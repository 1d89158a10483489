"""PostgreSQL through ADBC: COPY straight into Arrow, where the extra `adbc` is installed.

The batches are those that SQLAlchemy's way gives, type for type and value for value. Whatever ADBC cannot give so
(intervals, times of day, arrays, JSON, a bound that is text), or cannot open, is left to SQLAlchemy.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from drift.sources import queries, time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Memory holds one such piece, and at most one batch of rows that it is put together to.
_PIECE_BYTES = 1 << 22
_PLAIN_TEXT = {b"text", b"varchar", b"bpchar", b"name"}


@contextmanager
def adbc_batches(
    engine: sa.Engine, select: Callable[..., sa.Select[Any]], columns: list[Any], schema: pa.Schema, rows: int
) -> Iterator[Iterator[pa.RecordBatch] | None]:
    """Open a stream of a statement's rows in a read-only transaction, or None where it is left to SQLAlchemy.

    `select` makes the statement of expressions, one for each field of `schema`; every batch but the last has as many
    rows as asked for.

    Raises
    ------
    psycopg.Error
        While streaming: as psycopg would, of the class that belongs to the SQLSTATE.
    """
    if engine.dialect.name != "postgresql" or engine.dialect.driver != "psycopg":
        yield None
        return
    try:
        from adbc_driver_postgresql import StatementOptions, dbapi
    except ImportError:
        yield None
        return
    settings = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(_PIECE_BYTES)}
    plain = _sql(select(*columns))
    conninfo = _conninfo(engine)
    if plain is None or conninfo is None:
        yield None
        return
    try:
        connection = dbapi.connect(conninfo, autocommit=True)
    except dbapi.Error:
        # SQLAlchemy gets through, or says why not.
        yield None
        return
    with ExitStack() as opened:
        cursor = opened.enter_context(opened.enter_context(connection).cursor(adbc_stmt_kwargs=settings))
        wait = partial(time_limit.in_time, cancel=cursor.adbc_cancel, using=opened)
        statement = None
        with suppress(dbapi.Error):
            statement = wait(_exact, cursor, plain, select, columns, schema)
        if statement is None:
            yield None
        else:
            yield _in_batches((_fitted(piece, schema) for piece in _pieces(wait, cursor, statement)), rows)


def _exact(
    cursor: Any, plain: str, select: Callable[..., sa.Select[Any]], columns: list[Any], schema: pa.Schema
) -> str | None:
    """Begin the transaction, and return the statement whose columns are exact; None if there is none."""
    cursor.execute("BEGIN READ ONLY")
    cursor.execute(queries.postgres_limit())
    cursor.execute("SELECT current_setting('server_encoding')")
    encoding = cursor.fetchone()
    as_text = _columns_as_text(cursor.adbc_execute_schema(plain), schema)
    if as_text is None or encoding == ("SQL_ASCII",):
        return None
    shown = [
        sa.cast(column, sa.Text).label(field.name) if text else column
        for column, field, text in zip(columns, schema, as_text, strict=True)
    ]
    return _sql(select(*shown))


def _conninfo(engine: sa.Engine) -> str | None:
    """Return what SQLAlchemy would hand to psycopg, as libpq reads it; None where it holds what only psycopg knows."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    _, arguments = engine.dialect.create_connect_args(engine.url)
    arguments.pop("context", None)
    try:
        return make_conninfo(**{"connect_timeout": 10, **arguments, "client_encoding": "UTF8"})
    except ProgrammingError:
        return None


def _sql(statement: sa.Select[Any]) -> str | None:
    """Return the statement with its bounds written into it; None if one is text: COPY takes no parameters."""
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    if any(isinstance(value, str) for value in statement.compile(dialect=dialect).params.values()):
        return None
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _columns_as_text(offered: pa.Schema, wanted: pa.Schema) -> list[bool] | None:
    """Return which columns have to come as the server's text to be exact; None if one of them cannot be."""
    as_text = []
    for field, kind in zip(offered, wanted.types, strict=True):
        name = (field.metadata or {}).get(b"POSTGRESQL:type")
        if t.is_string(kind) and (field.type == pa.string() or name == b"uuid"):
            as_text.append(name not in _PLAIN_TEXT)
        elif kind == pa.float64() and (field.type in {pa.float32(), pa.float64()} or name == b"numeric"):
            # psycopg reads a float4's shortest text, which is another float64 than the float4 itself.
            as_text.append(field.type == pa.float32())
        elif (field.type == kind and not t.is_time(kind)) or (t.is_integer(kind) and t.is_integer(field.type)):
            as_text.append(False)
        else:
            return None
    return as_text


def _pieces(wait: Callable[..., Any], cursor: Any, statement: str) -> Iterator[pa.RecordBatch]:
    from adbc_driver_postgresql import dbapi
    from psycopg import errors

    try:
        wait(cursor.execute, statement)
        # Of the readers only this one, which is not public, tells an error's SQLSTATE.
        pieces = iter(cursor._results.reader)  # noqa: SLF001
        while (piece := wait(next, pieces, None)) is not None:
            yield piece
    except dbapi.Error as error:
        reason = str(error).split("\nQuery was:")[0].rsplit(" SQLSTATE: ", 1)[0].split("]: ", 1)[-1]
        try:
            kind = errors.lookup(error.sqlstate or "08006")
        except KeyError:
            kind = errors.DatabaseError
        raise kind(reason.removeprefix("ERROR:").strip(" .\n")) from error


def _fitted(piece: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_cast(array, kind) for array, kind in zip(piece.columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: Any, kind: pa.DataType) -> pa.Array[Any]:
    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    try:
        fitted: pa.Array[Any] = pc.cast(plain, kind)
    except pa.ArrowInvalid:
        # Beyond the largest float64, where Python says infinite.
        fitted = pa.array([None if value is None else float(value) for value in plain.to_pylist()], kind)
    return fitted


def _in_batches(pieces: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Cut and join pieces to batches of `rows`, the last shorter."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for piece in pieces:
        rest = piece
        while n_held + len(rest) >= rows:
            yield _joined([*held, rest.slice(0, rows - n_held)])
            rest, held, n_held = rest.slice(rows - n_held), [], 0
        if len(rest):
            held.append(rest)
            n_held += len(rest)
    if held:
        yield _joined(held)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    return parts[0] if len(parts) == 1 else pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
