"""The results database dies in the middle of a run and returns: a short outage is waited out, a long one is told."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.errors import StoreError
from drift.store import engine as database
from drift.store.store import Store
from tests.live.faults import work
from tests.live.faults.conftest import Until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live.faults.conftest import Server

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine needs more than half a minute to start a server, and that is not what is tested."""
    monkeypatch.setattr(database, "OUTAGE_SECONDS", 300.0)


@pytest.fixture
def calm(tmp_path: Path) -> tuple[work.Setting, dict[str, list[str]]]:
    """What the backfill of an incident writes where nothing happens: in SQLite, as it is the same there."""
    source = work.write_source(tmp_path / "source.db")
    setting = work.Setting(f"sqlite:///{tmp_path / 'calm.db'}", source)
    for scene in (work.upgrade, work.backfill):
        scene(setting)
    return setting, work.contents(setting.results)


def _die_and_return(server: Server, seconds: float, started: list[threading.Timer]) -> None:
    server.stop()
    timer = threading.Timer(seconds, server.start)
    timer.start()
    started.append(timer)


def _short(
    server: Server,
    url: str,
    calm: tuple[work.Setting, dict[str, list[str]]],
    listening: Callable[[Until], None],
    point: int,
) -> int:
    setting, expected = replace(calm[0], results=url), calm[1]
    work.upgrade(setting)
    started: list[threading.Timer] = []
    counter = Until(url, point, lambda: _die_and_return(server, 0.5, started))
    listening(counter)
    work.backfill(setting)
    counter.last = -1
    for timer in started:
        timer.join()
    assert work.differences(expected, work.contents(url)) == []
    return counter.sent


@pytest.mark.parametrize("point", [40, pytest.param(151, marks=pytest.mark.slow)])
def test_a_short_outage_is_waited_out(
    server: Server,
    mortal_url: str,
    calm: tuple[work.Setting, dict[str, list[str]]],
    listening: Callable[[Until], None],
    point: int,
) -> None:
    """The server is killed before a statement, and comes back: the run goes on and ends as if nothing had happened."""
    assert _short(server, mortal_url, calm, listening, point) > point


@pytest.mark.faults
@pytest.mark.parametrize("point", range(11, 230, 17))
def test_a_short_outage_is_waited_out_anywhere(
    server: Server,
    mortal_url: str,
    calm: tuple[work.Setting, dict[str, list[str]]],
    listening: Callable[[Until], None],
    point: int,
) -> None:
    """At every seventeenth statement or commit of a backfill."""
    _short(server, mortal_url, calm, listening, point)


def test_a_long_outage_fails_the_run_in_words_and_the_retry_completes(
    server: Server,
    mortal_url: str,
    calm: tuple[work.Setting, dict[str, list[str]]],
    listening: Callable[[Until], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patience ends; whoever runs it again gets what one undisturbed run would have written."""
    monkeypatch.setattr(database, "OUTAGE_SECONDS", 0.3)
    setting, expected = replace(calm[0], results=mortal_url), calm[1]
    work.upgrade(setting)
    listening(Until(mortal_url, 100, server.stop))
    with pytest.raises(StoreError, match=r"^results database postgresql\+psycopg://"):
        work.backfill(setting)
    with pytest.raises(StoreError, match="results database"):
        Store.open(mortal_url, patience=0.3)
    threading.Timer(0.5, server.start).start()
    Store.open(mortal_url, patience=30).close()
    work.backfill(replace(setting, now=work.RETRIED))
    assert work.differences(expected, work.contents(mortal_url)) == []


def test_a_deadlock_passes(postgres_url: str) -> None:
    """Two transactions that wait for each other: PostgreSQL ends one, which is then repeated and succeeds."""
    engine = database.make_engine(postgres_url)
    pair = sa.Table("pair", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))
    with database.writing(engine) as connection:
        pair.create(connection)
        connection.execute(pair.insert(), [{"id": 1, "n": 0}, {"id": 2, "n": 0}])
    both = threading.Barrier(2)
    tried: list[int] = []

    def cross(first: int, second: int) -> None:
        def attempt() -> None:
            tried.append(first)
            with database.writing(engine) as connection:
                connection.execute(pair.update().where(pair.c.id == first).values(n=pair.c.n + 1))
                if len(tried) <= 2:
                    both.wait(10)
                connection.execute(pair.update().where(pair.c.id == second).values(n=pair.c.n + 1))

        database.patiently(attempt, 30)

    threads = [threading.Thread(target=cross, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading(engine) as connection:
        assert connection.execute(sa.select(pair.c.n)).scalars().all() == [2, 2]
    assert len(tried) == 3
    engine.dispose()
