"""The results database itself: its URL, its engine, its transactions, and its failures in words.

SQLite by default, PostgreSQL in production; a URL chooses.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from drift.errors import MissingExtra, StoreError
from drift.store import sqlite_file
from drift.text import logs
from drift.text.secrets import learn_url, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.engine.interfaces import DBAPIConnection

log = logs.logger(__name__)

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Part = TypeVar("_Part", bound="Part")

BUSY_SECONDS = 30
"""How long a writer waits for another one to finish before it gives up (SQLite)."""

CONNECT_SECONDS = 10

OUTAGE_SECONDS = 30.0
"""How long a transaction is tried again whose database went away, before it gives up."""

LOCK_SECONDS = 60
"""How long a statement waits for a row that somebody else holds (PostgreSQL): nobody of us holds one for long."""

IDLE_SECONDS = 300
"""After how long PostgreSQL ends a transaction that does nothing, and with it the locks of a machine that vanished."""

# A dead peer is noticed within a minute, not after the two hours of the operating system.
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}

# Connection lost, serialisation failure, deadlock, too many connections, server going down, crashed, starting.
_PASSING = ("08", "40001", "40P01", "53300", "57P01", "57P02", "57P03")

_WRITES = "drift_writes"
_JSON = partial(json.dumps, allow_nan=False)


def normalise(url: str) -> sa.URL:
    """Return the URL with its driver written out; ``postgres://`` is PostgreSQL too.

    SQLite's memory, which forgets everything, is refused as other kinds of database are.

    Examples
    --------
    >>> normalise("postgres://drift@db/drift").drivername
    'postgresql+psycopg'
    >>> normalise("drift.db")
    Traceback (most recent call last):
    drift.errors.StoreError: the results database needs a URL: sqlite:///drift.db or postgresql://user@host/database
    """
    learn_url(url)
    needed = "the results database needs a URL: sqlite:///drift.db or postgresql://user@host/database"
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Without the cause: it may quote the URL, password and all.
        raise StoreError(needed) from None
    kind = parsed.drivername.partition("+")[0]
    if kind in {"postgresql", "sqlite"} and _is_async(parsed):
        what = f"{parsed.drivername}:// is a driver for asynchronous programs, which Drift is not"
        raise StoreError(f"{what}: write {'postgresql+psycopg' if kind == 'postgresql' else kind}://")
    if kind in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise StoreError(f"{needed}, not {parsed.drivername}")
    if parsed.database in {None, "", ":memory:"}:
        raise StoreError("the results database cannot be SQLite's memory: name a file, such as sqlite:///drift.db")
    return parsed


def _is_async(url: sa.URL) -> bool:
    try:
        return bool(url.get_dialect().is_async)
    except (sa.exc.ArgumentError, ImportError):
        return False


def hidden(url: sa.URL | str) -> str:
    """Return the URL as it may be shown: without its passwords.

    Examples
    --------
    >>> hidden("postgresql://drift:s3cret@db/drift?sslpassword=x")
    'postgresql+psycopg://drift:***@db/drift?sslpassword=***'
    """
    parsed = normalise(url) if isinstance(url, str) else url
    return masked(parsed.render_as_string(hide_password=True))


def is_there(url: sa.URL) -> bool:
    """Say whether there can be a database: False only for a SQLite file that does not exist."""
    if url.get_backend_name() != "sqlite" or is_uri(url):
        return True
    try:
        return Path(str(url.database)).exists()
    except OSError:
        return True  # SQLite says why nobody can look


def is_uri(url: sa.URL) -> bool:
    """Say whether SQLite reads the file's name as a URI, which only it can open."""
    return str(url.database).startswith("file:")


def make_engine(url: sa.URL | str) -> sa.Engine:
    """Return an engine; it connects when it is first used, and creates no file."""
    parsed = normalise(url) if isinstance(url, str) else url
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True, json_serializer=_JSON
        )
        sqlite_file.watch(engine)
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    # Said, as a server whose database has no encoding (SQL_ASCII) would let the driver guess ASCII.
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "drift",
        "client_encoding": "utf8",
        **_ALIVE,
    }
    try:
        engine = sa.create_engine(
            parsed,
            connect_args={key: value for key, value in arguments.items() if key not in parsed.query},
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=_JSON,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", extra="postgres") from error
    sa.event.listen(engine, "connect", _configure_postgresql)
    return engine


def _configure_postgresql(connection: DBAPIConnection, _record: object) -> None:
    # Said in SQL, as poolers refuse what is said while connecting; committed, as a rollback would take it back.
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    cursor.close()
    connection.commit()


def _configure_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver's own idea of when a transaction begins is off: `_begin_sqlite` says it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later fails at once where another one has written in between; one that
    # asks for the lock at its beginning waits its turn.
    sqlite_file.check(connection)
    writes = connection.get_execution_options().get(_WRITES)
    # By the driver: a fifth of what SQLAlchemy takes to say it, for every transaction.
    cursor = connection.connection.cursor()
    cursor.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    cursor.close()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that only reads."""
    with explained(engine.url), engine.connect() as connection:
        with connection.begin():
            yield connection
        if engine.dialect.name == "sqlite":
            sqlite_file.check(connection)


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that writes: all of it, or nothing."""
    with explained(engine.url), engine.connect() as connection:
        with connection.execution_options(**{_WRITES: True}).begin():
            yield connection
        if engine.dialect.name == "sqlite":
            sqlite_file.check_written(connection)


@contextmanager
def explained(url: sa.URL) -> Iterator[None]:
    """Turn the database's failures into `StoreError`, without a password."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, ValueError) as error:
        # The drivers' own errors are SQLAlchemy's by now, but for those of a connection or a value in the making.
        raise StoreError(f"results database {hidden(url)}: {_reason(error)}") from error


def patiently(attempt: Callable[[], _T], seconds: float) -> _T:
    """Return what a transaction returns, tried again while its database is away, at most for so many seconds.

    Only what passes by itself is tried again: a server that is gone, going or coming, has no connection left, or
    ended a deadlock. Each transaction of ours writes by natural keys: one whose commit was lost on the way may be
    repeated.
    """
    until, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            return attempt()
        except StoreError as error:
            left = until - time.monotonic()
            if left <= 0 or not is_passing(error):
                raise
            log.warning("%s; trying again for %.0f s", error, left)
        # Of many that wait none must be in step with another.
        time.sleep(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311 - no secret
        pause = min(5.0, 2 * pause)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the store: methods over the tables of one subject, each of which is one transaction.

    Where the database goes away a method is tried again for `OUTAGE_SECONDS`.
    """

    engine: sa.Engine


def reads(method: Callable[Concatenate[_Part, sa.Connection, _P], _T]) -> Callable[Concatenate[_Part, _P], _T]:
    """Give a method of a part a transaction that only reads."""
    return _in_transaction(method, reading)


def writes(method: Callable[Concatenate[_Part, sa.Connection, _P], _T]) -> Callable[Concatenate[_Part, _P], _T]:
    """Give a method of a part a transaction that writes: all of it, or nothing."""
    return _in_transaction(method, writing)


def _in_transaction(
    method: Callable[Concatenate[_Part, sa.Connection, _P], _T],
    begin: Callable[[sa.Engine], AbstractContextManager[sa.Connection]],
) -> Callable[Concatenate[_Part, _P], _T]:
    @wraps(method)
    def repeated(part: _Part, /, *given: _P.args, **named: _P.kwargs) -> _T:
        def attempt() -> _T:
            with begin(part.engine) as connection:
                return method(part, connection, *given, **named)

        return patiently(attempt, OUTAGE_SECONDS)

    return repeated


def is_passing(error: BaseException) -> bool:
    """Say whether a failure of the database passes by itself, so that the same transaction may succeed later."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if not isinstance(cause, sa.exc.DBAPIError) or isinstance(cause.orig, sqlite3.Error):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    if state is None:
        # The server said nothing: it was not reached, or is gone.
        return cause.connection_invalidated or isinstance(cause, sa.exc.OperationalError)
    return cause.connection_invalidated or state.startswith(_PASSING)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.StatementError) and error.orig is not None else error
    text = masked(" ".join(str(cause).split()))
    if "unable to open database file" in text:
        return f"{text}: it, or its folder, is not there or not readable"
    if "readonly database" in text or "read-only" in text:
        return f"{text}: give the user that runs Drift the right to write it and its folder"
    if "database is locked" in text:
        return f"{text}: another program has been writing for more than {BUSY_SECONDS} s; try again"
    if isinstance(error, sa.exc.OperationalError) and error.connection_invalidated:
        return f"{text}: the connection was lost; try again"
    return text


def rows_of(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    """Return what a query finds, a dictionary for each row."""
    return [dict(row) for row in connection.execute(query).mappings()]


def insert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert of the dialect, ``sqlite`` or ``postgresql``, which knows ``ON CONFLICT``."""
    from sqlalchemy.dialects import postgresql, sqlite

    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet; the others stay as they are: the first one wins."""
    if rows:
        connection.execute(_insert_missing(connection.dialect.name, table), _ordered(table, rows))


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert a row whose key is not there yet, and say whether it was: then nothing that hangs on it is stored."""
    return connection.execute(_insert_new(connection.dialect.name, table), row).first() is not None


def upsert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, keep: Collection[str] = ()
) -> None:
    """Insert rows, or bring those already there up to date, but for the columns to `keep` as they were first written.

    All rows have the same columns, every column of the primary key among them.
    """
    if rows:
        statement = _upsert(connection.dialect.name, table, tuple(rows[0]), frozenset(keep))
        connection.execute(statement, _ordered(table, rows))


# A statement that is made once is compiled once; made anew each time it costs more than the database takes to run it.


@lru_cache(maxsize=128)
def _insert_missing(dialect: str, table: sa.Table) -> sa.Insert:
    return insert(dialect, table).on_conflict_do_nothing(index_elements=list(table.primary_key))


@lru_cache(maxsize=128)
def _insert_new(dialect: str, table: sa.Table) -> sa.Insert:
    return _insert_missing(dialect, table).returning(*table.primary_key)


@lru_cache(maxsize=128)
def _upsert(dialect: str, table: sa.Table, columns: tuple[str, ...], keep: frozenset[str]) -> sa.Insert:
    statement = insert(dialect, table)
    fixed = {*table.primary_key.columns.keys(), *keep}
    changed = {name: statement.excluded[name] for name in columns if name not in fixed}
    if not changed:
        return _insert_missing(dialect, table)
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


def _ordered(table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    # Two writers of the same rows lock them in the same order, so neither waits for the other in a circle.
    keys = table.primary_key.columns.keys()
    return [dict(row) for row in sorted(rows, key=lambda row: tuple(row[key] for key in keys))]


def matches(table: sa.Table, key: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """Return the condition that columns have these values."""
    return sa.and_(*(table.c[name] == value for name, value in key.items()))


def delete_others(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], name: str, kept: Collection[str]
) -> None:
    """Delete the rows under a key whose column `name` has none of the values that are kept.

    Call it while the row they hang on is locked: two writers of one key then take turns.
    """
    connection.execute(_delete_others(table, tuple(key), name), {**key, "kept": sorted(kept)})


@lru_cache(maxsize=128)
def _delete_others(table: sa.Table, key: tuple[str, ...], name: str) -> sa.Delete:
    mine = sa.and_(*(table.c[column] == sa.bindparam(column) for column in key))
    return sa.delete(table).where(mine, table.c[name].not_in(sa.bindparam("kept", expanding=True)))
