"""Retention: what is old goes, what is needed stays, and nobody is surprised by how much it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from drift.config.monitor import parse_monitor
from drift.errors import DriftError
from drift.pipeline import run
from drift.store import retention, schema
from drift.store.store import Store
from tests.support.flights import SQL, clock, monitor_text, open_context, rows, write_sql
from tests.support.store_samples import dump

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context

DAYS = 24


@pytest.fixture(params=["{trailing: 7d, min_windows: 3}", "{fixed: [2024-01-02, 2024-01-06], min_windows: 3}"])
def context(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Context:
    """A monitor that has run for some weeks."""
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(DAYS, 120), warehouse)
    text = monitor_text(SQL, reference=request.param, detection="{min_rows: 100, history: 4, seasonal: false}")
    opened = open_context(database_url, warehouse, text)
    calendar = opened.monitor.window.calendar
    start = datetime(2024, 1, 8, 5, tzinfo=UTC)
    run.backfill(opened, list(calendar.between(start, start + timedelta(days=DAYS - 7))), clock=clock)
    return opened


def test_a_dry_run_says_what_goes_and_takes_nothing(context: Context) -> None:
    """To the row."""
    before = dump(context.store)
    now = datetime(2024, 1, 25, tzinfo=UTC)
    would = retention.prune(context.store, "2d", now=now, dry_run=True)
    assert dump(context.store) == before
    assert sum(would.rows.values()) > 0
    assert retention.prune(context.store, "2d", now=now) == would
    assert sum(retention.prune(context.store, "2d", now=now).rows.values()) == 0


def test_the_next_run_does_not_see_what_was_forgotten(context: Context, tmp_path: Path) -> None:
    """The newest window is judged as before, and so is the one after it: from what stayed, without the source."""
    window = context.monitor.window.calendar.starting(datetime(2024, 1, 24, 5, tzinfo=UTC))
    report = run.run_window(context, window, clock=clock).report
    pruned = retention.prune(context.store, "1d", now=datetime(2024, 2, 20, tzinfo=UTC))
    assert pruned.rows["profile"] > 0
    assert pruned.kept
    (tmp_path / "warehouse.db").unlink()
    again = run.run_window(context, window, clock=clock)
    assert again.profiled == 0
    assert again.report.to_dict() == report.to_dict()


def test_a_configuration_that_cannot_be_read_keeps_everything(tmp_path: Path) -> None:
    """What is not understood is not thrown away, and the reason is told."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        now = datetime(2024, 6, 1, tzinfo=UTC)
        store.save_monitor("old", "c0ffee", {"name": "old", "shape": "of another version"}, now)
        calendar = parse_monitor(monitor_text(SQL)).window.calendar
        store.save_run_started("old", calendar.starting(datetime(2020, 1, 1, tzinfo=UTC)), "c0ffee", now)
        pruned = retention.prune(store, "400d", now=now)
        assert sum(pruned.rows.values()) == 0
        assert "cannot be read here" in pruned.kept[0].why


@pytest.mark.parametrize("keep", ["1h", "-3d", "soon", "0d"])
def test_a_span_that_nobody_means_is_refused(keep: str) -> None:
    """Nothing is forgotten by a slip of the finger."""
    with pytest.raises(DriftError, match=keep):
        retention.cutoff(keep, datetime(2024, 6, 1, tzinfo=UTC))


def test_a_thousand_monitors_are_pruned_too(database_url: str) -> None:
    """SQLite reads no condition that is a thousand deep."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    calendar = parse_monitor(monitor_text(SQL)).window.calendar
    window = calendar.starting(datetime(2020, 1, 1, tzinfo=UTC))
    names = [f"m{i:04}" for i in range(1100)]
    with Store.open(database_url, create=True) as store:
        with store.engine.begin() as connection:
            found = [
                {"monitor": n, "window_start": window.start, "window_end": window.end, "status": "ok"} for n in names
            ]
            connection.execute(schema.run.insert(), found)
        keep = [(name, window.start, window.end) for name in names[1:]]
        assert store.prune(now, keep=keep)["run"] == 1
        assert store.prune(now)["run"] == 1099
