"""Fixtures that many tests share: databases, real ones."""

from __future__ import annotations

import os
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from drift.text import secrets
from tests.support.laws import load_profile
from tests.support.postgres import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.warehouses import Ducks, Postgres

load_profile()

# Monitors of tests name files by whole paths; those that look at the root take this away.
os.environ.setdefault("DRIFT_FILES_ROOT", "/")


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's process knows is not masked in the next one."""
    monkeypatch.setattr(secrets, "_KNOWN", {})
    monkeypatch.setattr(secrets, "_COMPILED", [])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a PostgreSQL server, and leave out what takes too long, unless ``-m`` names it."""
    for item in items:
        if "postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")
    unasked = {name for name in ("faults", "slow") if name not in config.option.markexpr}
    left_out = [item for item in items if unasked & {mark.name for mark in item.iter_markers()}]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server: TEST_POSTGRES_URL, or one started for this session."""
    from sqlalchemy.engine import make_url

    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    with started() as server:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a fresh, empty PostgreSQL database (``postgresql+psycopg``), dropped after the test."""
    with postgres_database(postgres_server) as url:
        yield url


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """Make an empty database on a PostgreSQL server, and drop it afterwards."""
    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh, empty database: SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        (tmp_path / "test.db").touch()
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ducks(tmp_path: Path) -> Ducks:
    """A DuckDB database that counts by itself."""
    from tests.support.warehouses import Ducks

    return Ducks(tmp_path / "w.duckdb")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Postgres]:
    """A PostgreSQL database that counts by itself."""
    from tests.support.warehouses import Postgres

    found = Postgres(postgres_url)
    yield found
    found.engine.dispose()


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Ducks | Postgres:
    """A database that counts by itself: DuckDB, then PostgreSQL."""
    found: Ducks | Postgres = request.getfixturevalue({"duckdb": "ducks", "postgresql": "postgres"}[request.param])
    return found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write columns to a Parquet or CSV file below the test's folder, and return the file."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    def write_file(name: str, **columns: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table(columns)
        if path.suffix == ".csv":
            pa_csv.write_csv(table, path)
        else:
            pq.write_table(table, path)
        return path

    return write_file


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    """Close every store that `tests.support.flights` opened: Python 3.13 warns of connections left open."""
    yield
    flights = sys.modules.get("tests.support.flights")
    for store in flights.OPENED if flights else ():
        store.close()
