"""Clearance: a pipeline goes on, or stops, for a reason that stands in the store."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from drift.config.monitor import parse_monitor
from drift.errors import DriftError, SourceUnreachable
from drift.pipeline import gate
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from tests.support.flights import SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

EXPECTATIONS = "[{expect_table_row_count_to_be_between: {min_value: 300}, severity: reject}]"


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Context:
    """Eleven quiet days, a day on which delays moved, and one with too few rows, all of them run but the last two."""
    frame = rows(13)
    frame.loc[frame["day"] == date(2024, 1, 12), "delay"] += 8
    short = frame["day"] == date(2024, 1, 13)
    frame = frame[~short | (frame.index % 2 == 0)]
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(frame, warehouse)
    context = open_context(database_url, warehouse)
    calendar = context.monitor.window.calendar
    first, last = calendar.starting(date(2024, 1, 1)), calendar.starting(date(2024, 1, 11))
    runs.backfill(context, list(calendar.between(first.start, last.end)), clock=clock)
    return context


def run(context: Context, day: int) -> None:
    """Run a day of January."""
    runs.run_window(context, context.monitor.window.calendar.starting(date(2024, 1, day)), clock=clock)


def decide(context: Context, **options: Any) -> gate.Clearance:
    """Ask at the tests' time."""
    return gate.decide(context.store, context.name, **{"now": clock(), **options})


def test_a_quiet_window_goes_on(context: Context) -> None:
    """The newest window decides, and the words name it."""
    found = decide(context)
    assert found.cleared
    assert str(found) == "flights 2024-01-11: go on: nothing critical in 3 features"


def test_a_critical_window_stops(context: Context) -> None:
    """What would open an alert stops, at its severity and below; an earlier window is still what it was."""
    run(context, 12)
    for severity in ("warning", "critical"):
        found = decide(context, severity=severity)
        assert str(found) == "flights 2024-01-12: stop: delay critical"
        assert (found.cleared, found.final, found.status, found.found) == (False, True, "critical", ("delay",))
    assert decide(context, window=context.monitor.window.calendar.starting(date(2024, 1, 10))).cleared


def test_a_rejected_window_is_a_choice(context: Context) -> None:
    """What was never scored stops or passes as asked, and the expectation that failed is named."""
    strict = parse_monitor(monitor_text(SQL, expectations=EXPECTATIONS))
    run(Context.of(strict, context.store, context.source.connect), 13)
    found = decide(context)
    assert (found.cleared, found.status) == (False, "rejected")
    assert "its expectations rejected the window; " in found.reason
    assert "200" in found.reason
    assert decide(context, rejected="pass").cleared


def test_no_result_is_a_choice(context: Context) -> None:
    """Never run, being run, failed, too old: each has its reason, and may be different at the next try."""
    window = context.monitor.window.calendar.starting(date(2024, 1, 13))
    assert decide(context, window=window).reason == "no result: the window was never run"
    assert "too long ago" in decide(context, max_age=timedelta(days=2)).reason
    assert decide(context, max_age=timedelta(days=365)).cleared
    context.store.save_run_started(context.name, window, "c0ffee", clock())
    assert decide(context).reason == "no result: the window is being run since 2024-06-01 12:00 UTC"
    context.store.save_run_finished(context.name, window, "error", clock(), error="the warehouse does not answer")
    found = decide(context)
    assert (found.reason, found.final, found.cleared) == ("no result: the warehouse does not answer", False, False)
    assert decide(context, no_result="pass").cleared


def test_a_window_that_cannot_be_compared_is_no_result(context: Context) -> None:
    """An empty window opens no gate: nothing in it was found to be quiet."""
    run(context, 14)
    assert decide(context).reason == "no result: the window holds no rows"


def test_an_unknown_monitor_is_an_error(context: Context) -> None:
    """A wrong name neither opens nor shuts anything."""
    with pytest.raises(DriftError, match=r"no monitor 'flight' was ever run on .*; there is: flights"):
        gate.decide(context.store, "flight", now=clock(), no_result="pass")


def test_a_failed_source_is_no_result(context: Context) -> None:
    """A run that failed left its error, and the gate repeats it."""

    def dead(_name: str) -> str:
        raise SourceUnreachable("warehouse: no route to host")

    broken = context.of(context.monitor, context.store, dead)
    with pytest.raises(SourceUnreachable):
        run(broken, 12)
    assert decide(context).reason == "no result: warehouse: no route to host"


def test_a_segment_stops_too(tmp_path: Path) -> None:
    """What moved in one segment alone is found, and named with it."""
    frame = rows(12)
    frame.loc[(frame["day"] == date(2024, 1, 12)) & (frame["carrier"] == "DL"), "delay"] += 40
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(frame, warehouse)
    floors = "features: {delay: {warning: 1.5, critical: 2}}"
    detection = f"{{min_rows: 30, persistence: {{of: 1, at_least: 1}}, {floors}}}"
    text = monitor_text(SQL, segments="[carrier]", detection=detection)
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, text)
    calendar = context.monitor.window.calendar
    first, last = calendar.starting(date(2024, 1, 1)), calendar.starting(date(2024, 1, 12))
    runs.backfill(context, list(calendar.between(first.start, last.end)), clock=clock)
    assert decide(context).found == ("delay in carrier=DL",)
