"""Connections to a source's database: what they refuse, and how their failures are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.errors import SourceError, SourceUnreachable
from drift.sources import sql_engine
from tests.sources.test_sql import fill, open_database

if TYPE_CHECKING:
    from pathlib import Path

    from drift.errors import DriftError


def test_the_session_is_read_only(database_url: str) -> None:
    """Should a statement get through, the database refuses to write."""
    fill(database_url, "CREATE TABLE t (day date)")
    engine = sql_engine.engine_of(database_url)
    with pytest.raises(SourceError, match=r"(?i)read-?only"), sql_engine.session(engine, "here") as connection:
        connection.exec_driver_sql("DROP TABLE t")


def test_each_session_has_a_clock_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of a URL is kept, and the time limit is that of the session: what one used up the next one has."""
    url = fill(f"sqlite:///{tmp_path / 't.db'}", "CREATE TABLE t (x int)")
    million = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1e6) SELECT max(n) FROM r"
    monkeypatch.setenv("DRIFT_SOURCE_SECONDS", "0.001")
    engine = sql_engine.engine_of(url)
    with pytest.raises(SourceError, match="took too long"), sql_engine.session(engine, "here") as connection:
        connection.exec_driver_sql(million)
    monkeypatch.delenv("DRIFT_SOURCE_SECONDS")
    with sql_engine.session(engine, "here") as connection:
        assert connection.exec_driver_sql(million).scalar_one() == 1_000_000
    assert sql_engine.engine_of(url) is sql_engine.engine_of(url)


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
