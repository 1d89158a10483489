"""The file behind a SQLite database: read where nothing can be written, and missed when it is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import traceback
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drift.errors import StoreError
from drift.store import engine, schema
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2013, 2, 9, 6, tzinfo=UTC)


def filled(path: Path) -> Store:
    """A database in use that knows one monitor."""
    store = Store.open(f"sqlite:///{path}", create=True)
    store.save_monitor("flights", "one", {}, NOW)
    return store


def _remove(path: Path) -> None:
    path.unlink()


def _move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").rename(path)


def _remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize(
    ("vanish", "words"),
    [
        (_remove, "removed or moved"),
        (_move, "removed or moved"),
        (_replace, "replaced"),
        (_remove_log, "removed or moved"),
    ],
)
def test_a_database_that_vanishes_is_missed_at_the_next_write(
    tmp_path: Path, vanish: Callable[[Path], None], words: str
) -> None:
    """What would be written goes into no file that anybody finds; and none is made in its place."""
    path = tmp_path / "drift.db"
    with filled(path) as store:
        vanish(path)
        left = path.exists()
        with pytest.raises(StoreError, match=words):
            store.save_monitor("flights", "two", {}, NOW)
        if not left:
            with pytest.raises(StoreError, match="is not there"):
                store.save_monitor("flights", "two", {}, NOW)
            assert not path.exists()


def test_a_database_that_vanishes_while_it_is_written_is_missed_at_the_commit(tmp_path: Path) -> None:
    """The last transaction of a run has no next one."""
    path = tmp_path / "drift.db"
    store = filled(path)

    def last() -> None:
        with engine.writing(store.engine) as connection:
            connection.execute(schema.monitor_version.delete())
            path.unlink()

    with store, pytest.raises(StoreError, match="removed or moved"):
        last()


def test_a_log_that_comes_and_goes_with_its_writers_is_not_missed(tmp_path: Path) -> None:
    """The last one to leave takes it away, and a reader that found it there reads on."""
    path = tmp_path / "drift.db"
    filled(path).close()
    with Store.open(f"sqlite:///{path}") as reader:
        for number in range(3):
            with Store.open(f"sqlite:///{path}") as writer:
                writer.save_monitor("flights", str(number), {}, NOW)
            assert [row["config_hash"] for row in reader.monitors()] == [str(number)]
        reader.save_monitor("flights", "own", {}, NOW)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user finds."""
    made = Path(tempfile.mkdtemp())
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def test_a_database_is_read_where_nothing_can_be_written(folder: Path) -> None:
    """It lies there as its last writer left it; what would be written is refused in words."""
    path = folder / "drift.db"
    filled(path).close()

    def look() -> None:
        with Store.open(f"sqlite:///{path}") as store:
            assert [row["config_hash"] for row in store.monitors()] == ["one"]
            with pytest.raises(StoreError, match="the right to write"):
                store.save_monitor("flights", "two", {}, NOW)
            assert [row["config_hash"] for row in store.monitors()] == ["one"]

    only_reading(path, look)


def test_a_database_in_use_is_read_with_its_log(folder: Path) -> None:
    """Whoever may only read sees what is committed, before it is in the file itself."""
    path = folder / "drift.db"

    def look() -> None:
        with Store.open(f"sqlite:///{path}") as store:
            assert [row["config_hash"] for row in store.monitors()] == ["one"]

    with filled(path):
        assert path.with_name("drift.db-wal").stat().st_size
        only_reading(path, look)


def test_a_log_that_nobody_can_read_is_not_left_out(folder: Path) -> None:
    """Its process was killed, and its index is gone: what it holds would silently be missing."""
    path = folder / "drift.db"
    with filled(path):
        copy = folder / "copy.db"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")

    def look() -> None:
        with pytest.raises(StoreError, match=r"copy\.db-wal holds what is not in it yet"):
            Store.open(f"sqlite:///{copy}")

    only_reading(copy, look)


def test_a_file_that_is_written_while_it_is_read_as_it_lies_there_is_read_again(folder: Path) -> None:
    """Who cannot write beside it cannot say that they read: the transaction fails, the next one sees what is new."""
    path = folder / "drift.db"
    filled(path).close()
    other = folder / "other.db"
    with filled(other) as changed:
        changed.save_monitor("flights", "two", {}, NOW)
    writable = os.open(path, os.O_WRONLY)

    def look() -> None:
        with Store.open(f"sqlite:///{path}") as store:
            with pytest.raises(StoreError, match="changed"), engine.reading(store.engine):
                os.write(writable, after)
            assert [row["config_hash"] for row in store.monitors()] == ["two"]

    after = other.read_bytes()
    only_reading(path, look)
    os.close(writable)


def test_a_backup_is_restored_over_a_database_whose_process_was_killed(tmp_path: Path) -> None:
    """A copy beside the log that it left comes back with what came after the backup; `.restore` does not."""
    path, backup = tmp_path / "drift.db", tmp_path / "backup.db"
    filled(path).close()
    shutil.copy(path, backup)
    child = os.fork()
    if not child:
        filled(path).save_monitor("flights", "later", {}, NOW)
        os._exit(0)
    os.waitpid(child, 0)
    copied = tmp_path / "copied.db"
    shutil.copy(backup, copied)
    shutil.copy(f"{path}-wal", f"{copied}-wal")

    def versions(database: Path) -> list[str]:
        with Store.open(f"sqlite:///{database}") as store:
            return [row["config_hash"] for row in store.monitors()]

    assert versions(copied) == ["later"]
    # What sqlite3's own .restore does.
    with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    assert versions(path) == ["one"]


def only_reading(path: Path, job: Callable[[], None]) -> None:
    """Do something in a fork that may not write the file, nor anything beside it."""
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            job()
        except BaseException:  # noqa: BLE001 - told to the parent
            os.write(write, traceback.format_exc().encode()[:60_000])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    os.waitpid(child, 0)
    assert said == ""
