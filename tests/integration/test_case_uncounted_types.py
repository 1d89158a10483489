"""What cannot be counted inside a database says so in the report, with its type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from drift.config.monitor import Monitor
from drift.pipeline.context import Context
from drift.pipeline.run import backfill
from drift.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2024, 2, 1, tzinfo=UTC)


def test_a_type_that_is_not_counted_inside_is_named_in_the_report(tmp_path: Path) -> None:
    """Fitting the bins again would not help, and is not advised; the other columns are watched."""
    import duckdb

    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT TIMESTAMP '2024-01-01' + INTERVAL 1 MINUTE * i AS ts,"
            " (i * 7919 % 1000)::DOUBLE AS x, INTERVAL 1 SECOND * (i % 60) AS wait FROM range(28800) r(i)"
        )
    monitor = Monitor.model_validate(
        {
            "name": "waits",
            "source": {"connection": "wh", "table": "t", "time_column": "ts", "engine": "warehouse"},
            "window": {"every": "1d"},
            "reference": {"trailing": "7d"},
        }
    )
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        context = Context.of(monitor, store, lambda _: f"duckdb:///{path}")
        calendar = monitor.window.calendar
        windows = list(calendar.between(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 17, tzinfo=UTC)))
        backfill(context, windows, clock=lambda: NOW)
        (report,) = store.load_reports("waits", since=datetime(2024, 1, 16, tzinfo=UTC))
    verdicts = {verdict.feature: verdict for verdict in report.verdicts}
    assert (verdicts["x"].status, verdicts["wait"].status) == ("ok", "not_comparable")
    assert verdicts["wait"].reason.startswith("type interval is not counted inside this database")
