"""A monitor at work: which windows it is compared with, and what it opens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.errors import SourceError
from drift.pipeline import baselines, run
from drift.pipeline.context import Baseline, binning_key
from drift.profiles.binning import CategoricalBinning
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_parquet, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context
    from drift.windows import Window

DAYS = 12


def day(context: Context, i: int) -> Window:
    """The window `i` days after the first."""
    return context.monitor.window.calendar.starting(FIRST + timedelta(days=i))


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """Some quiet days."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(DAYS, 100), url)
    return url


def opened(tmp_path: Path, warehouse: str, **changes: str) -> Context:
    """A monitor on them."""
    return open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, monitor_text(SQL, **changes))


def test_a_trailing_reference_ends_where_the_window_starts(tmp_path: Path, warehouse: str) -> None:
    """Seven days, oldest first, and the same weekdays beside them."""
    context = opened(tmp_path, warehouse)
    window = day(context, 30)
    assert context.reference_windows(window) == [day(context, i) for i in range(23, 30)]
    main, *companions = context.compared_with(window)
    assert main == str(context.monitor.reference)
    assert [len(context.compared_with(window)[name]) for name in companions] == [8]


def test_without_seasons_there_is_no_companion(tmp_path: Path, warehouse: str) -> None:
    """Who asks for one reference gets one."""
    context = opened(tmp_path, warehouse, detection="{seasonal: false}")
    assert list(context.compared_with(day(context, 30))) == [str(context.monitor.reference)]


def test_what_a_run_needs_is_in_order_and_without_repeats(tmp_path: Path, warehouse: str) -> None:
    """The window, and every window of every reference once."""
    context = opened(tmp_path, warehouse)
    needed = context.needed(day(context, 30))
    assert needed == sorted(set(needed))
    assert needed[-1] == day(context, 30)
    assert needed[0] == day(context, 30 - 7 * 8)


def test_a_baseline_is_what_was_fitted_or_promoted_last(tmp_path: Path, warehouse: str) -> None:
    """Where it is the reference there is none before it, and its windows are those of its span."""
    context = opened(tmp_path, warehouse, reference="{fixed: baseline}")
    window = day(context, 8)
    assert (context.baselines(), context.reference_windows(window)) == ({}, [])
    promoted = [day(context, i) for i in range(4)]
    baselines.promote(context, promoted, now=clock(), by="ada", reason="the model's training set")
    assert set(context.baselines().values()) == {Baseline(1, promoted[0].start, promoted[-1].end)}
    assert context.reference_windows(window) == promoted
    assert context.span(context.baselines()["delay"]) == "2024-01-01 … 01-04"


def test_the_time_column_is_no_feature(tmp_path: Path, warehouse: str) -> None:
    """What is watched is selected from the columns that are there."""
    context = opened(tmp_path, warehouse, features="{exclude: [late]}")
    assert context.source.features(["day", "delay", "late"]) == ["delay"]


def test_what_says_where_rows_lie_is_no_column_to_watch(tmp_path: Path) -> None:
    """Unless the monitor names it."""
    write_parquet(rows(1, 100), tmp_path / "lake")
    source = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: day}}"
    for features, known in (("{}", False), ("{kinds: {date: categorical}}", True), ("{include: ['d*']}", False)):
        context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", monitor_text(source, features=features))
        assert ("date" in context.source.columns(context.source.snapshot(day(context, 0)))) is known


def test_a_window_of_a_database_needs_its_url(tmp_path: Path) -> None:
    """The connection is resolved when the source is opened, and not before."""
    context = opened(tmp_path, f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(SourceError, match=r"none\.db"):
        context.source.snapshot(day(context, 0))


def test_a_file_that_was_rewritten_is_opened_anew(tmp_path: Path) -> None:
    """What is remembered from window to window is no longer true then."""
    frame = rows(2, 100)
    write_parquet(frame, tmp_path / "lake")
    text = monitor_text(f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: day}}")
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)
    assert [context.source.snapshot(day(context, i)).count_rows() for i in (0, 1, 0)] == [100, 100, 100]
    write_parquet(frame[:30], tmp_path / "lake")
    assert [context.source.snapshot(day(context, i)).count_rows() for i in (0, 1)] == [30, 100]


def test_windows_without_rows_are_asked_for_once(tmp_path: Path, warehouse: str) -> None:
    """A backfill that starts before the data does not look for the same nothing again and again."""
    context = opened(tmp_path, warehouse)
    empty = [day(context, i) for i in (-2, -1)]
    for _ in range(2):
        assert run.validate(context, empty, [], now=clock()) == {}
    assert context.source.empty == set(empty)


def test_a_set_of_binnings_has_a_name() -> None:
    """The same for the same bins in any order, another for any other."""
    carrier, origin = CategoricalBinning(("UA", "B6")), CategoricalBinning(("EWR",))
    key = binning_key({"carrier": carrier, "origin": origin})
    assert key == binning_key({"origin": origin, "carrier": carrier})
    assert key != binning_key({"carrier": carrier})
    assert len(key) == 16
