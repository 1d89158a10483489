"""Connections to a source's database: they only read, end in time, and fail in our own words.

PostgreSQL refuses to write; SQLite opens its file to read, and authorises nothing but reading.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import socket
import sqlite3
import time
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc

from drift.errors import MissingExtra, SourceError, SourceMissing, SourceUnreachable
from drift.sources import queries, time_limit
from drift.text.secrets import learn_url, masked

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT_SECONDS = 10
_FAILURES = exc.SQLAlchemyError, pa.ArrowException, UnicodeError, TimeoutError
_LOCKED = ("locked", "busy")
_FORBIDDEN = ("not authorized", "authorization denied", "prohibited")
_STEPS = 100_000
"""SQLite's own steps, some milliseconds, between two looks at the clock."""

_SQLITE_BYTES = 1 << 26
"""The longest value a SQLite database may hand over: 64 MiB."""

_SQLITE_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_TRANSACTION,
}
_SQLITE_PRAGMAS = {"table_info", "table_xinfo", "table_list", "read_uncommitted"}


def engine_of(url: str) -> sa.Engine:
    """Return the engine of a URL, without a pool, whose connections only read; where its database offers that."""
    return _made(_parsed(url), time_limit.patience())


@lru_cache(maxsize=8)  # an engine compiles a statement once, and asks a server once what it is
def _made(parsed: sa.URL, patience: float) -> sa.Engine:
    dialect = parsed.get_backend_name()
    options = {"postgresql_readonly": True} if dialect == "postgresql" else {}
    try:
        if parsed.get_dialect().is_async:
            what, fix = "is a driver for asynchronous programs", f"write {_SYNCHRONOUS.get(dialect, dialect)}://"
            raise SourceError(f"{parsed.drivername}:// {what}, which Drift is not: {fix}")
        limits = _limits(parsed, dialect, patience)
        engine = sa.create_engine(parsed, poolclass=sa.NullPool, execution_options=options, connect_args=limits)
    except ModuleNotFoundError as error:
        module = error.name or parsed.drivername
        if module == "psycopg":
            raise MissingExtra(module, extra="postgres") from None
        package = _PACKAGES.get(module, module)
        raise SourceError(f"{parsed.drivername}:// needs the driver {module}: pip install {package}") from None
    except exc.NoSuchModuleError:
        raise SourceError(
            f"{parsed.drivername}:// is not a database that SQLAlchemy knows here: install its dialect"
        ) from None
    except (exc.ArgumentError, ImportError) as error:
        raise SourceError(f"{parsed.drivername}://: {_safe(error)}") from None
    if dialect == "postgresql":
        if engine.driver == "psycopg":
            sa.event.listen(engine, "do_connect", _connect_limited)
        sa.event.listen(engine, "connect", _guard_postgresql)
    elif dialect == "sqlite":
        sa.event.listen(engine, "do_connect", _read_only_sqlite)
        sa.event.listen(engine, "connect", _guard_sqlite)
    return engine


def _limits(parsed: sa.URL, dialect: str, patience: float) -> dict[str, int]:
    """Return the time-outs that a driver takes, where the URL does not say them."""
    limits = {"connect_timeout": _CONNECT_SECONDS} if dialect in {"postgresql", "mysql", "mariadb"} else {}
    if re.fullmatch(r"(mysql|mariadb)(\+(pymysql|mysqldb))?", parsed.drivername):
        limits |= dict.fromkeys(("read_timeout", "write_timeout"), math.ceil(patience))
    return {name: limit for name, limit in limits.items() if name not in parsed.query}


_SYNCHRONOUS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}
_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary", "mysql": "mysql-connector-python"}
"""What is installed under another name than what is imported."""


def _parsed(url: str) -> sa.URL:
    """Return a URL with its driver; refuse what would not be read."""
    learn_url(url)
    if url.partition("://")[2].partition("/")[0].count("@") > 1:
        raise SourceError("the connection's URL has more than one @ before its host: write %40 for one in the password")
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        # The text may hold a password, so it is not shown.
        raise SourceError("the connection's URL cannot be read: write dialect://user:password@host/database") from None
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    dialect = parsed.get_backend_name()
    if dialect == "duckdb":
        raise SourceError("duckdb:// is read by engine: warehouse (or auto): pip install 'driftmeter[warehouse]'")
    path = parsed.database or ""
    if dialect == "sqlite" and path and path != ":memory:" and not path.startswith("file:") and not Path(path).exists():
        # SQLite would make a new, empty database of it.
        raise SourceMissing(f"{path}: no such SQLite database")
    return parsed


def _connect_limited(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
    """Connect so that each wait for PostgreSQL has an end: who does not answer in time, or drips, is hung up on."""
    from psycopg import Connection, OperationalError

    class Limited(Connection[Any]):
        def wait(self, *args: Any, **kwargs: Any) -> Any:
            late: list[bool] = []

            def hang_up() -> None:
                late.append(True)
                line.shutdown(socket.SHUT_RDWR)

            with socket.socket(fileno=os.dup(self.fileno())) as line:
                timer = Timer(time_limit.patience(), hang_up)
                timer.daemon = True
                timer.start()
                try:
                    return super().wait(*args, **kwargs)
                except OperationalError as error:
                    if late:
                        raise OperationalError(time_limit.no_answer()) from error
                    raise
                finally:
                    timer.cancel()

    return Limited.connect(*arguments, **options)


def _guard_postgresql(connection: Any, _record: object) -> None:
    # Said in SQL, as poolers refuse what is said while connecting; committed, as a rollback would take it back.
    cursor = connection.cursor()
    cursor.execute("SET default_transaction_read_only = on")
    cursor.execute(queries.postgres_limit())
    cursor.close()
    connection.commit()


def _read_only_sqlite(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    path = str(arguments[0])
    if path in {"", ":memory:"}:
        return
    # A path of two slashes (sqlite:////, and then an absolute path) would be a host.
    uri = path if path.startswith("file:") else f"file:{'//' * path.startswith('/')}{quote(path)}"
    arguments[0] = uri if "mode=" in uri else f"{uri}{'&' if '?' in uri else '?'}mode=ro"
    options["uri"] = True


def _guard_sqlite(connection: Any, _record: object) -> None:
    until = time.monotonic() + time_limit.seconds()
    # A window's statements are few; the clock runs for them together.
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _SQLITE_BYTES)
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_sqlite_allows)


def _sqlite_allows(action: int, what: str | None, name: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = name != "load_extension"
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = what in _SQLITE_PRAGMAS
    else:
        allowed = action in _SQLITE_READS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


@contextmanager
def session(engine: sa.Engine, origin: str) -> Iterator[sa.Connection]:
    """Open a read-only connection, and turn what the database raises into our own errors."""
    try:
        connection = engine.connect()
    except (exc.SQLAlchemyError, OSError) as error:
        raise SourceUnreachable(f"{origin}: cannot connect to the database: {_safe(error)}") from error
    try:
        with explaining(engine, origin):
            try:
                yield connection
            except exc.NoSuchTableError as error:
                raise SourceMissing(f"{origin}: no such table{_nearest(connection, origin)}") from error
    finally:
        # What has been read stays read.
        with suppress(exc.DBAPIError):
            connection.close()


@contextmanager
def explaining(engine: sa.Engine, origin: str) -> Iterator[None]:
    """Turn what the database, or the reading of its rows, raises into our own errors."""
    try:
        yield
    except (*_FAILURES, engine.dialect.loaded_dbapi.Error) as error:
        raise _explained(error, engine, origin) from error


def _explained(error: Exception, engine: sa.Engine, origin: str) -> SourceError:
    reason = _safe(error)
    original = getattr(error, "orig", error)
    state = str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
    if state in {"42P01", "42703", "3F000"} or "no such table" in reason or "no such column" in reason:
        return SourceMissing(f"{origin}: {reason}")
    if state == "42501":
        return SourceError(f"{origin}: permission denied: grant SELECT to this user ({reason})")
    sqlite = engine.dialect.name == "sqlite"
    if (state == "57014" and "timeout" in reason) or (sqlite and reason == "interrupted"):
        return SourceUnreachable(f"{origin}: {time_limit.too_long(reason)}")
    driver = engine.dialect.loaded_dbapi
    lost = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError | TimeoutError)
    lost = lost or isinstance(error, (driver.OperationalError, driver.InterfaceError, driver.InternalError))
    if sqlite and any(word in reason for word in _FORBIDDEN):
        return SourceError(f"{origin}: the session is read-only, and reads nothing but its own tables: {reason}")
    if any(word in reason for word in _LOCKED) if sqlite else lost and not state.startswith("25"):
        return SourceUnreachable(f"{origin}: the database stopped answering: {reason}")
    return SourceError(f"{origin}: the database refused: {reason}")


def _safe(error: BaseException) -> str:
    """Return the reason in one line, without secrets."""
    return masked(" ".join(str(getattr(error, "orig", None) or error).split()))[:500]


def _nearest(connection: sa.Connection, origin: str) -> str:
    name = origin.removeprefix("table ").rsplit(" of ", 1)[0]
    schema, _, plain = name.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        known = [*inspector.get_table_names(schema=schema or None), *inspector.get_view_names(schema=schema or None)]
    except exc.SQLAlchemyError:
        known = []
    close = difflib.get_close_matches(plain, known, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    if known:
        return f"; it has {', '.join(sorted(known)[:20])}"
    return " (a schema is its own key: `schema: …`)"
