"""The file behind a SQLite database: opened to be read where nothing can be written, and missed when it is gone."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sqlalchemy.engine import Dialect
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

_CANNOT_BE_WRITTEN = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

_FILES, _USED = "drift_files", "drift_used"


def watch(engine: sa.Engine) -> None:
    """Open the file of an engine by `_connect`, and remember which one it was."""
    sa.event.listen(engine, "do_connect", _connect)
    sa.event.listen(engine, "checkout", _open_anew)


def check(connection: sa.Connection) -> None:
    """Refuse to go on where the database, or the log beside it, is no longer the file that was opened.

    For the beginning and the end of a transaction: what was written in between would be in no file that anybody finds.
    """
    opened: MutableMapping[Path, tuple[int, ...]] = connection.info.get(_FILES, {})
    for path, before in opened.items():
        now = _identity(path, whole=len(before) > 2)
        if now != before:
            # The next connection opens what is there then.
            connection.invalidate()
            done = "removed or moved" if now is None else "changed" if now[:2] == before[:2] else "replaced"
            raise StoreError(
                f"results database sqlite:///{path}: the file was {done} while it was in use, and what was written "
                "since it was opened may be missing: run the same again"
            )


def check_written(connection: sa.Connection) -> None:
    """`check` after a commit; from now on the log is there for as long as the connection is."""
    check(connection)
    opened: MutableMapping[Path, tuple[int, ...]] = connection.info.get(_FILES, {})
    for log in [path.with_name(f"{path.name}-wal") for path in list(opened)[:1]]:
        if log not in opened and (identity := _identity(log)):
            opened[log] = identity


def _connect(dialect: Dialect, record: ConnectionPoolEntry, given: list[Any], named: dict[str, Any]) -> Any:
    """Open a file that is there; where neither it nor a log beside it can be written, as it lies there."""
    if str(given[0]).startswith("file:"):
        return None  # SQLite's own words say how
    path = Path(given[0]).absolute()
    if _identity(path) is None:
        raise sqlite3.OperationalError("unable to open database file")
    raw: Any = dialect.connect(path, **named)
    frozen = False
    try:
        raw.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CANNOT_BE_WRITTEN or not path.is_file():
            return raw  # whoever uses it hears why
        raw.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise sqlite3.OperationalError(
                f"it cannot be written, and {log.name} holds what is not in it yet: copy both to where both can be"
            ) from error
        raw, frozen = dialect.connect(f"{path.as_uri()}?mode=ro&immutable=1", **{**named, "uri": True}), True
    record.info[_FILES] = {path: _identity(path, whole=frozen) or ()}
    return raw


def _open_anew(_raw: object, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    # Nobody says that a file is being changed which was opened as one that never is: each transaction looks again.
    frozen = any(len(identity) > 2 for identity in record.info.get(_FILES, {}).values())
    if frozen and record.info.get(_USED):
        raise sa.exc.DisconnectionError
    record.info[_USED] = True


def _identity(path: Path, *, whole: bool = False) -> tuple[int, ...] | None:
    """Return which file lies there, and with `whole` as of when; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, *((found.st_size, found.st_mtime_ns) if whole else ()))
