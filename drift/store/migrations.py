"""Migrations of the results database: Alembic, with the revisions of `sql/migrations` and the views of `sql/views`.

They lie beside `drift/` in a checkout and inside it in a wheel. Drift keeps its revision in a version table of its own,
so that its tables may share a database with Airflow's.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.errors import SchemaOutdated, StoreError
from drift.store import engine as database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config

VERSION_TABLE = "drift_alembic_version"

_LOCK_KEY = 0x6472696674  # "drift"
# Alembic keeps the migration under way in module globals.
_ONE_AT_A_TIME = threading.Lock()


def sql_folder() -> Path:
    """Return the folder of migrations and views: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


def head() -> str:
    """Return the newest revision this version of Drift knows.

    Examples
    --------
    >>> head() >= "0001"
    True
    """
    # Alembic would say the same, but takes most of a second to import, and every command opens the store.
    return max(path.name.partition("_")[0] for path in (sql_folder() / "migrations" / "versions").glob("[0-9]*_*.py"))


def config(connection: sa.Connection) -> Config:
    """Return the configuration for Alembic's own commands, such as ``alembic.command.revision``."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    made.set_main_option("script_location", str(sql_folder() / "migrations").replace("%", "%%"))
    # Set, so that Alembic does not warn that it splits a list it was not given.
    made.set_main_option("path_separator", "os")
    return made


def current(url: str | sa.URL) -> str | None:
    """Return the revision a database is at; None where it has none."""
    parsed = database.normalise(url) if isinstance(url, str) else url
    if not database.is_there(parsed):
        return None
    with _engine(parsed) as engine, database.reading(engine) as connection:
        return revision_of(connection)


def revision_of(connection: sa.Connection) -> str | None:
    """Return the revision of an open database; None where it has none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()
    return None if found is None else str(found)


def check(url: str | sa.URL) -> None:
    """Make sure that a database has the tables this version of Drift works with; `SchemaOutdated` says what to do."""
    parsed = database.normalise(url) if isinstance(url, str) else url
    compare(current(parsed), parsed)


def compare(found: str | None, url: sa.URL) -> None:
    """Raise `SchemaOutdated` unless a database at `url` is at this version's revision."""
    shown, newest = database.hidden(url), head()
    if found is None:
        raise SchemaOutdated(f"results database {shown} is not created yet: run `drift db upgrade`")
    if found < newest:
        raise SchemaOutdated(
            f"results database {shown} is at revision {found}, behind {newest}: run `drift db upgrade`"
        )
    if found > newest:
        raise SchemaOutdated(
            f"results database {shown} is at revision {found}, ahead of this Drift ({newest}): "
            f"install that newer Drift, or have it run `drift db downgrade {newest}`"
        )


def upgrade(url: str | sa.URL, revision: str = "head") -> None:
    """Create a database's tables, or bring them up to a revision, in one transaction; then renew the views.

    Several processes may call it at once: one does the work, the others find it done. A SQLite file and its folder
    are created where they are missing. A database that is ahead of this version of Drift is left alone
    (`SchemaOutdated`).
    """
    parsed = database.normalise(url) if isinstance(url, str) else url
    if parsed.get_backend_name() == "sqlite":
        _make_file(parsed)
        with _engine(parsed) as engine:
            _write_ahead(engine)
    with _engine(parsed) as engine, _migrating(engine) as connection:
        found = revision_of(connection)
        if found == (head() if revision == "head" else revision):
            return
        if found is not None and found > head():
            compare(found, parsed)
        _alembic(connection, "upgrade", revision)


def downgrade(url: str | sa.URL, revision: str) -> None:
    """Take a database back to a revision, in one transaction; ``base`` drops every table and all that is in them."""
    parsed = database.normalise(url) if isinstance(url, str) else url
    if not database.is_there(parsed):
        compare(None, parsed)
    with _engine(parsed) as engine, _migrating(engine) as connection:
        compare(revision_of(connection) and head(), parsed)
        _alembic(connection, "downgrade", revision)


def differences(url: str | sa.URL) -> list[str]:
    """Return where a database's tables differ from `drift.store.schema`, in Alembic's words; empty where nowhere."""
    from drift.store.schema import metadata

    with _quiet():
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    with (
        _engine(database.normalise(url) if isinstance(url, str) else url) as engine,
        database.reading(engine) as connection,
    ):
        options: dict[str, Any] = {"version_table": VERSION_TABLE, "compare_type": True, "include_name": ours}
        with _quiet():
            found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [str(difference) for difference in found]


def views() -> dict[str, str]:
    """Return the SQL of every view, by name, in the order in which they can be created.

    Examples
    --------
    >>> "drift_scores" in views()
    True
    """
    return {path.stem: path.read_text("utf-8") for path in sorted((sql_folder() / "views").glob("*.sql"))}


def _alembic(connection: sa.Connection, command: str, revision: str) -> None:
    with _quiet():
        import alembic.command
        from alembic.util import CommandError
    shown = database.hidden(connection.engine.url)
    # Views stand in the way of changes to their tables, and only fit the newest ones.
    for name in reversed(views()):
        connection.execute(sa.text(f"DROP VIEW IF EXISTS {name}"))
    try:
        with _quiet():
            getattr(alembic.command, command)(config(connection), revision)
    except CommandError as error:
        raise StoreError(f"results database {shown}: {error}") from error
    if connection.dialect.name == "sqlite" and (
        orphan := connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    ):
        raise StoreError(f"results database {shown}: rows of {orphan[0]} would lose what they belong to")
    if revision_of(connection) == head():
        for definition in views().values():
            # As DDL, so that a colon in it is not a parameter, nor a per cent sign a placeholder.
            connection.execute(sa.DDL(definition.replace("%", "%%")))  # type: ignore[no-untyped-call]


@contextmanager
def _migrating(engine: sa.Engine) -> Iterator[sa.Connection]:
    if engine.dialect.name == "sqlite":
        # Altering a table there may mean to drop it and copy it back, and its children would go with it.
        sa.event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA foreign_keys = OFF"))
    with _ONE_AT_A_TIME, database.writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            # Another process may be at it for longer than anybody else holds a lock.
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
        yield connection


@contextmanager
def _engine(url: sa.URL) -> Iterator[sa.Engine]:
    engine = database.make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _make_file(url: sa.URL) -> None:
    if database.is_uri(url):
        return
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch()
    except OSError as error:
        raise StoreError(f"results database {database.hidden(url)}: it cannot be created: {error}") from error


def _write_ahead(engine: sa.Engine) -> None:
    # Kept in the file. Readers then never wait for a writer. It cannot be changed within a transaction.
    with database.explained(engine.url), contextlib.closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode = WAL")


@contextmanager
def _quiet() -> Iterator[None]:
    # Airflow's own Alembic logs here too, so the level is only lent.
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
