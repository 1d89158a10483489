"""Connections to a source's database: what they refuse, and how their failures are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.errors import SourceError, SourceUnreachable
from drift.sources import sql_engine
from tests.sources.test_sql import fill, open_database

if TYPE_CHECKING:
    from drift.errors import DriftError


def test_the_session_is_read_only(database_url: str) -> None:
    """Should a statement get through, the database refuses to write."""
    fill(database_url, "CREATE TABLE t (day date)")
    engine = sql_engine.engine_of(database_url)
    with pytest.raises(SourceError, match=r"(?i)read-?only"), sql_engine.session(engine, "here") as connection:
        connection.exec_driver_sql("DROP TABLE t")


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:1/db", SourceUnreachable, "cannot connect"),
        ("postgres://ada:hunter2@127.0.0.1:1/db", SourceUnreachable, "cannot connect"),
        ("postgresql+nosuch://ada:hunter2@h/db", SourceError, "not a database that SQLAlchemy knows"),
        ("postgresql+pg8000://ada:hunter2@h/db", SourceError, "needs the driver pg8000: pip install pg8000"),
        ("mysql+pymysql://ada:hunter2@h/db", SourceError, "needs the driver pymysql"),
        ("mysql://ada:hunter2@h/db", SourceError, "needs the driver MySQLdb: pip install mysqlclient"),
        ("postgresql+asyncpg://ada:hunter2@h/db", SourceError, r"asynchronous .*: write postgresql\+psycopg://"),
        ("mysql+aiomysql://ada:hunter2@h/db", SourceError, r"asynchronous .*: write mysql\+pymysql://"),
        ("sqlite+aiosqlite://", SourceError, "asynchronous .*: write sqlite://"),
        ("nosuch://ada:hunter2@h/db", SourceError, "not a database that SQLAlchemy knows"),
        ("ada:hunter2", SourceError, "URL cannot be read"),
        ("postgresql://ada:hunter2@h:port/db", SourceError, "URL cannot be read"),
        ("", SourceError, "URL cannot be read"),
    ],
)
def test_wrong_urls_are_explained_without_their_password(url: str, error: type[DriftError], says: str) -> None:
    """Unreachable, unknown, not installed, not a URL: each says so, none shows the password."""
    with pytest.raises(error, match=says) as caught:
        open_database(url, table="t")
    assert "hunter2" not in str(caught.value)
