"""Prefetch: windows that other processes read are those that this one would have read."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from drift.detection.reports import Report
from drift.pipeline import prefetch, run
from drift.pipeline import profile as profiling
from drift.windows import Window
from tests.pipeline.test_profile import DAYS, binnings, context, warehouse, windows
from tests.support.flights import FIRST, clock, monitor_text, open_context, rows

if TYPE_CHECKING:
    from pathlib import Path

    from drift.errors import DriftError
    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning

__all__ = ["binnings", "context", "warehouse", "windows"]


def begin(ahead: prefetch.Ahead) -> None:
    """Have everything read that may be."""
    ahead.started.result()
    nothing = Window(datetime(1999, 1, 1, tzinfo=UTC), datetime(1999, 1, 2, tzinfo=UTC))
    assert ahead.take(nothing) is None
    assert ahead.begun
    for future in ahead.begun.values():
        future.result()


def test_processes_read_what_this_one_would(
    context: Context, windows: list[Window], binnings: dict[str, Binning]
) -> None:
    """Decisions, outcomes and counts; what the gate rejects is not counted, what it knows it is not asked again."""
    tasks = [
        prefetch.Task(windows[4], None),
        prefetch.Task(windows[5], "accepted"),
        prefetch.Task(windows[-1], None),
    ]
    with prefetch.read_ahead(context.source, tasks, binnings, jobs=2) as ahead:
        assert ahead is not None
        begin(ahead)
        found = [ahead.take(task.window) for task in tasks]
        assert ahead.take(windows[6]) is None
    fresh, known, rejected = found
    assert fresh is not None
    assert known is not None
    assert rejected is not None
    assert (fresh.gate, fresh.outcomes) == profiling.examine(context.source, context.source.snapshot(windows[4]))
    assert fresh.profile == profiling.count_window(
        context.source, windows[4], binnings, context.source.snapshot(windows[4])
    )
    assert (known.gate, known.outcomes, known.profile and known.profile.n_rows) == ("accepted", None, 100)
    assert (rejected.gate, rejected.profile) == ("rejected", None)


@pytest.mark.parametrize("jobs", [1, 2])
def test_with_nothing_to_read_no_process_is_started(
    context: Context, windows: list[Window], binnings: dict[str, Binning], jobs: int
) -> None:
    """With one job neither."""
    tasks = [prefetch.Task(windows[4], None)] if jobs == 1 else []
    with prefetch.read_ahead(context.source, tasks, binnings, jobs=jobs) as ahead:
        assert ahead is None
        assert multiprocessing.active_children() == []


def test_until_processes_are_up_nobody_waits_for_them(
    context: Context, windows: list[Window], binnings: dict[str, Binning]
) -> None:
    """What is asked for meanwhile is left to whoever asks; they begin behind it."""
    tasks = [prefetch.Task(window, "accepted") for window in windows]
    with prefetch.read_ahead(context.source, tasks, binnings, jobs=2) as ahead:
        assert ahead is not None
        up, ahead.started = ahead.started, Future()
        assert ahead.take(windows[0]) is None
        up.result()
        ahead.started = up
        begin(ahead)
        assert ahead.take(windows[1]) is not None
        assert windows[0] not in {*ahead.begun, *(task.window for task in ahead.waiting)}


def test_a_process_that_dies_takes_nothing_with_it(
    context: Context, windows: list[Window], binnings: dict[str, Binning]
) -> None:
    """The windows it would have read are left for whoever asked."""
    tasks = [prefetch.Task(window, "accepted") for window in windows]
    with prefetch.read_ahead(context.source, tasks, binnings, jobs=2) as ahead:
        assert ahead is not None
        begin(ahead)
        assert ahead.take(windows[0]) is not None
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        assert [ahead.take(window) for window in windows[1:]][-1] is None


def test_a_source_that_fails_is_told_by_the_run_itself(tmp_path: Path) -> None:
    """Window by window, in the words of the one that reads it in order."""
    frame = rows(DAYS, 100)
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
        folder = tmp_path / name / "lake"
        for day, part in frame.groupby("day"):
            (folder / f"date={day}").mkdir(parents=True)
            part.drop(columns="day").to_parquet(folder / f"date={day}" / "part.parquet")
    told: dict[str, list[str]] = {}
    for name, jobs in {"one": 1, "many": 2}.items():
        source = f"{{files: '{tmp_path}/{name}/lake/date=*/*.parquet', time_column: date}}"
        context = open_context(f"sqlite:///{tmp_path / name / 'drift.db'}", "", monitor_text(source))
        calendar = context.monitor.window.calendar
        windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(DAYS)]
        run.backfill(context, windows[:10], clock=clock)
        (tmp_path / name / "lake" / f"date={FIRST + timedelta(days=12)}" / "part.parquet").write_bytes(b"no parquet")
        said = told[name] = []

        def note(window: Window, result: Report | DriftError, name: str = name, said: list[str] = said) -> None:
            outcome = result.status if isinstance(result, Report) else str(result).replace(f"/{name}/", "/")
            said.append(f"{window.key} {outcome}")

        run.backfill(context, windows[10:], clock=clock, jobs=jobs, progress=note)
    assert told["one"] == told["many"]
    assert [line.split(" ", 1)[1] for line in told["one"][:2]] == ["ok", "ok"]
    assert "part.parquet cannot be read as parquet" in told["one"][2]
