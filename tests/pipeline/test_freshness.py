"""Arrival: what has not come is named, what came is found, and nobody waits for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from drift.errors import ConfigError, WindowError
from drift.pipeline import freshness, gate
from drift.pipeline import run as runs
from drift.pipeline.freshness import Wait
from tests.support.flights import clock, monitor_text, open_context, rows, write_parquet, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context
    from drift.windows import Window


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Four days of flights, 400 rows each."""
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(4), warehouse)
    return open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)


def day(context: Context, number: int) -> Window:
    """A day of January."""
    return context.monitor.window.calendar.starting(date(2024, 1, number))


def test_rows_that_came_are_there(context: Context) -> None:
    """Only the window without rows is missing, or with fewer than asked for."""
    windows = [day(context, 4), day(context, 5)]
    assert freshness.missing(context, windows, Wait()) == {windows[1]: "no rows"}
    assert freshness.missing(context, windows[:1], Wait(rows=401)) == {windows[0]: "400 rows of 401"}
    assert freshness.missing(context, windows[:1], Wait(rows=400)) == {}


def test_a_file_is_waited_for_by_the_local_date(context: Context, tmp_path: Path) -> None:
    """The placeholders are the local start of the window: a marker of its own for each day."""
    window = day(context, 4)
    wait = Wait(file=str(tmp_path / "date=%Y-%m-%d" / "_SUCCESS"))
    marker = tmp_path / "date=2024-01-04" / "_SUCCESS"
    assert freshness.missing(context, [window], wait) == {window: f"{marker} is not there"}
    marker.parent.mkdir()
    marker.touch()
    assert freshness.missing(context, [window], wait) == {}


def test_a_source_that_is_not_there_yet_has_nothing_yet(tmp_path: Path) -> None:
    """No table, no partition, no folder: reasons to wait, not to fail; what comes is found."""
    sql = open_context(f"sqlite:///{tmp_path / 'drift.db'}", f"sqlite:///{tmp_path / 'none.db'}")
    assert "no such SQLite database" in freshness.missing(sql, [day(sql, 1)], Wait())[day(sql, 1)]
    text = monitor_text(f"{{files: '{tmp_path}/lake/date=*/*.parquet', time_column: day}}", name="lake")
    files = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)
    assert freshness.missing(files, [day(files, 1)], Wait())
    write_parquet(rows(1), tmp_path / "lake")
    assert freshness.missing(files, [day(files, 1), day(files, 2)], Wait()) == {day(files, 2): "no rows"}


def test_what_was_counted_is_there(context: Context, tmp_path: Path) -> None:
    """A source that has been emptied since makes nobody wait."""
    windows = [day(context, number) for number in (1, 2, 3, 4)]
    runs.backfill(context, windows, clock=clock)
    write_sql(rows(0), f"sqlite:///{tmp_path / 'warehouse.db'}")
    assert freshness.missing(context, windows, Wait()) == {}


def test_giving_up_is_a_status_of_the_run(context: Context) -> None:
    """It says by when, in the monitor's time zone, and what was missing."""
    window, deadline = day(context, 5), datetime(2024, 1, 6, 8, tzinfo=UTC)
    error = freshness.give_up(context, {window: "no rows"}, deadline, now=clock())
    (run,) = context.store.runs(context.name)
    assert error == "no data by 2024-01-06 03:00 EST: 2024-01-05: no rows"
    assert (run["status"], run["error"]) == (freshness.NO_DATA, error)
    decision = gate.decide(context.store, context.name, now=clock())
    assert str(decision) == f"flights 2024-01-05: stop: no result: {error}"


def test_a_wait_is_checked() -> None:
    """What would wait for nothing, or without a pause, is refused; what a trigger carries comes back."""
    for wrong in ({"rows": 0}, {"every": timedelta(0)}, {"on_timeout": "hang"}):
        with pytest.raises(ConfigError, match="wait: "):
            Wait(**wrong)
    with pytest.raises(WindowError, match="is not a span"):
        Wait("soon")
    wait = Wait("6h", every="10m", rows=0, file="s3://lake/date=%Y-%m-%d")
    again = Wait.from_dict(wait.to_dict())
    assert (again.seconds, again.rows, again.file) == (600, 0, wait.file)
    assert wait.deadline(clock()) == clock() + timedelta(hours=6)
