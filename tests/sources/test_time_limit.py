"""Sources that stall: real servers behind a relay that stops answering."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

import pytest
import sqlalchemy as sa

from drift.errors import ConfigError, SourceUnreachable
from drift.sources import sql_engine, time_limit
from drift.sources.sql import open_sql
from drift.sources.warehouse.source import open_warehouse
from tests.support.relay import relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.relay import Relay

ROWS = "SELECT g AS day, repeat('x', 200) AS x FROM generate_series(1, 100000) g"


@pytest.fixture
def stalling(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Relay]]:
    """URL of PostgreSQL behind a relay; nobody waits longer for it than .7 s."""
    monkeypatch.setenv(time_limit.SECONDS_VARIABLE, "0.6")
    monkeypatch.setattr(time_limit, "_GRACE", 0.1)
    url = sa.make_url(postgres_url)
    folder = str(url.query.get("host", "")) or url.host or ""
    upstream = f"{folder}/.s.PGSQL.{url.port or 5432}" if folder.startswith("/") else (folder, url.port or 5432)
    with relay(upstream) as between:
        local = url.difference_update_query(["host"]).set(host="127.0.0.1", port=between.port)
        yield local.render_as_string(hide_password=False), between


# psycopg says so of the cursor of a connection that is lost.
@pytest.mark.filterwarnings("ignore:.*ServerCursor.* was deleted while still open:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*ServerCursor:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mood", ["silent", "drip"])
@pytest.mark.parametrize("way", ["psycopg", "adbc", "warehouse"])
def test_rows_that_stall_are_left_behind(
    way: str, mood: Literal["silent", "drip"], stalling: tuple[str, Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a table, silent or byte by byte, through psycopg, ADBC, and as a warehouse."""
    url, between = stalling
    if way == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    read = open_warehouse(url, query=ROWS).read if way == "warehouse" else open_sql(url, query=ROWS)[2]
    batches = read(["day", "x"])
    assert next(batches).num_rows >= 16384
    between.mood = mood
    since = time.monotonic()
    with pytest.raises(SourceUnreachable, match=r"stopped answering: no answer within 0\.6 s: .*DRIFT_SOURCE_SECONDS"):
        list(batches)
    assert time.monotonic() - since < 1.5


@pytest.mark.parametrize("mood", ["silent", "drip"])
def test_a_statement_that_stalls_is_left_behind(mood: Literal["silent", "drip"], stalling: tuple[str, Relay]) -> None:
    """Before its first row, and the next statement has a connection of its own."""
    url, between = stalling
    engine = sql_engine.engine_of(url)
    asked = ExitStack()
    connection = asked.enter_context(sql_engine.session(engine, "t"))
    between.mood = mood
    with pytest.raises(SourceUnreachable, match="no answer within"), asked:
        connection.exec_driver_sql("SELECT 1")
    between.mood = "open"
    with sql_engine.session(engine, "t") as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_who_is_left_behind_is_cancelled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cancelled call leaves may be closed; what goes on may not, until it ends."""
    monkeypatch.setenv(time_limit.SECONDS_VARIABLE, "0.01")
    monkeypatch.setattr(time_limit, "_GRACE", 0.2)
    for cancelled in (True, False):
        over, closed = threading.Event(), threading.Event()
        cancel = over.set if cancelled else lambda: None
        with ExitStack() as using:
            using.callback(closed.set)
            with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
                time_limit.in_time(over.wait, cancel=cancel, using=using)
        assert (time_limit.is_left(), closed.is_set()) == (not cancelled, cancelled)
        over.set()
        assert closed.wait(5)
    assert not time_limit.is_left()


def test_what_a_call_raises_is_raised() -> None:
    """Its own error, of any kind, also one of time."""

    def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("x"), TimeoutError("its own"), SystemExit(3)):
        with pytest.raises(type(error)) as caught:
            time_limit.in_time(fail, error)
        assert caught.value is error
    assert list(time_limit.each_in_time(iter([1, 2]))) == [1, 2]


@pytest.mark.parametrize("said", ["ten", "0", "-1", "1e9", "nan"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never taken for none."""
    monkeypatch.setenv(time_limit.SECONDS_VARIABLE, said)
    with pytest.raises(ConfigError, match=f"DRIFT_SOURCE_SECONDS={said}: write seconds"):
        time_limit.seconds()
