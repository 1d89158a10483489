"""URLs, failures in words, and transactions that wait their turn."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.errors import MissingExtra, SchemaOutdated, StoreError
from drift.store import engine as database
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d", "postgresql+psycopg://u:p@h/d"],
)
def test_every_spelling_of_postgresql_means_one_driver(url: str) -> None:
    """SQLAlchemy's default driver has changed between versions, Airflow writes `postgres`."""
    assert str(database.normalise(url)) == "postgresql+psycopg://u:***@h/d"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "needs a URL"),
        ("results.db", "needs a URL"),
        ("postgresql://u:s3cret@h:port/d", "needs a URL"),
        ("mysql://u:s3cret@h/d", "not mysql"),
        ("sqlite+aiosqlite:///x.db", r"sqlite\+aiosqlite:// .*asynchronous.*: write sqlite://"),
        ("postgresql+asyncpg://u:s3cret@h/d", r"\+asyncpg:// .*asynchronous.*: write postgresql\+psycopg://"),
        ("mysql+aiomysql://u:s3cret@h/d", r"sqlite:///drift.db or postgresql://.* not mysql\+aiomysql"),
        ("sqlite://", "memory"),
        ("sqlite:///:memory:", "memory"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, said: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(StoreError, match=said) as caught:
        Store.open(url)
    shown = f"{caught.value} {caught.value.__cause__} {caught.value.__context__ if caught.value.__cause__ else ''}"
    assert "s3cret" not in shown


def test_an_unreachable_server_is_named_without_its_password() -> None:
    """Nothing listens on port 1 of this machine."""
    with pytest.raises(StoreError, match=r"drift:\*\*\*@127\.0\.0\.1:1/drift") as caught:
        Store.open("postgresql://drift:s3cret@127.0.0.1:1/drift?connect_timeout=2")
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_wrong_password_is_not_repeated(postgres_url: str) -> None:
    """The server's refusal is passed on, the secret is not."""
    url = sa.make_url(postgres_url).set(username="nobody", password="s3cret")
    with pytest.raises(StoreError) as caught:
        Store.open(url.render_as_string(hide_password=False))
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """And stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and nothing else in the world\n" * 20)
    for create in (False, True):
        with pytest.raises(StoreError, match="not a database"):
            Store.open(f"sqlite:///{path}", create=create)
    assert path.read_text().startswith("these are my notes")


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="it cannot be created"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'drift.db'}", create=True)
    with pytest.raises(SchemaOutdated, match="drift db upgrade"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'drift.db'}")


def test_a_database_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    """Reading works, writing is refused in words."""
    Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True).close()
    with Store.open(f"sqlite:///file:{tmp_path / 'drift.db'}?mode=ro&uri=true") as store:
        assert store.monitors() == []
        with pytest.raises(StoreError, match="the right to write"):
            store.prune(datetime(2013, 2, 9, tzinfo=UTC))


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is optional."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="postgres"):
        database.make_engine("postgresql://u@h/d")


@pytest.fixture
def counter(database_url: str) -> Iterator[tuple[sa.Engine, sa.Table]]:
    """An engine and a table with one number in it."""
    engine = database.make_engine(database_url)
    table = sa.Table(
        "counter", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer)
    )
    with database.writing(engine) as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"id": 1, "n": 0}])
    yield engine, table
    engine.dispose()


def test_writers_that_read_first_take_turns(counter: tuple[sa.Engine, sa.Table]) -> None:
    """A deferred transaction would fail where another one has written in between; no increment is lost."""
    engine, table = counter
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                with database.writing(engine) as connection:
                    n = connection.execute(sa.select(table.c.n).with_for_update()).scalar_one()
                    connection.execute(table.update().values(n=n + 1))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading(engine) as connection:
        assert connection.execute(sa.select(table.c.n)).scalar_one() == 80


def test_a_failed_transaction_leaves_nothing(counter: tuple[sa.Engine, sa.Table]) -> None:
    """Not even a table: definitions are part of it."""
    engine, table = counter

    def half_way() -> None:
        with database.writing(engine) as connection:
            connection.execute(table.update().values(n=7))
            connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
            connection.execute(table.insert(), [{"id": 1, "n": 0}])

    with pytest.raises(StoreError):
        half_way()
    with database.reading(engine) as connection:
        assert connection.execute(sa.select(table.c.n)).scalar_one() == 0
        assert not sa.inspect(connection).has_table("half")


def test_values_stay_out_of_messages(counter: tuple[sa.Engine, sa.Table]) -> None:
    """What was to be written may be nobody's business."""
    engine, table = counter
    with pytest.raises(StoreError) as caught, database.writing(engine) as connection:
        connection.execute(table.insert(), [{"id": 1, "n": 987654321}])
    assert "987654321" not in f"{caught.value} {caught.value.__cause__}"


def test_upserts_keep_and_change(counter: tuple[sa.Engine, sa.Table]) -> None:
    """`insert_missing` keeps the first, `upsert` brings up to date but for what is to be kept."""
    engine, table = counter
    with database.writing(engine) as connection:
        database.insert_missing(connection, table, [{"id": 1, "n": 5}, {"id": 2, "n": 5}])
        database.upsert(connection, table, [{"id": 2, "n": 6}, {"id": 3, "n": 6}])
        database.upsert(connection, table, [{"id": 3, "n": 9}], keep={"n"})
        database.upsert(connection, table, [])
        assert connection.execute(sa.select(table).order_by(table.c.id)).all() == [(1, 0), (2, 6), (3, 6)]


@pytest.mark.postgres
def test_a_database_without_an_encoding_holds_any_text(postgres_server: str) -> None:
    """What is written to one that was made as SQL_ASCII is read back as it was."""
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE unencoded ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    engine = database.make_engine(sa.make_url(postgres_server).set(database="unencoded"))
    try:
        with database.reading(engine) as connection:
            assert connection.execute(sa.select(sa.literal("café 東京"))).scalar_one() == "café 東京"
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE unencoded WITH (FORCE)")
        admin.dispose()
