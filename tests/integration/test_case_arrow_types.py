"""Case: one table with a column of every type that Polars, DuckDB, Spark and pandas write, watched day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from drift.config.monitor import parse_monitor
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.support.arrow_samples import WITH_LABELS, WITHOUT_LABELS, not_utf8

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2024, 1, 1)  # noqa: DTZ001 - as Spark and pandas write it
UNWRITABLE = "dictionary of string_view"


def test_every_column_is_judged_or_refused_alone(tmp_path: Path) -> None:
    """What has labels is quiet until it changes; the rest has its type as the reason; rows are cut by views."""
    judged = {name: array for name, (array, _) in WITH_LABELS.items() if name != UNWRITABLE}
    refused = {name: array for name, (array, _) in WITHOUT_LABELS.items()}
    for i in range(10):
        day = FIRST + timedelta(i)
        columns: dict[str, Any] = {
            name: pa.concat_arrays([array.slice(2, 1) if i == 9 else array] * (240 if i == 9 else 60))
            for name, array in {**judged, **refused, "latin": not_utf8()}.items()
        }
        columns["cut"] = pa.array(["web", "shop"] * 120, pa.string()).cast(pa.string_view())
        columns["event_time"] = pa.array([day + timedelta(minutes=n) for n in range(240)], pa.timestamp("us"))
        pq.write_table(pa.table(columns), tmp_path / f"{i}.parquet", use_deprecated_int96_timestamps=i % 2 == 1)
    monitor = parse_monitor(
        f"name: m\nsource: {{files: '{tmp_path}/*.parquet', time_column: event_time}}\nwindow: {{every: 1d}}\n"
        "reference: {fixed: [2024-01-01, 2024-01-08]}\ndetection: {persistence: {at_least: 1, of: 1}}\n"
        "segments: [cut]\n"
    )
    windows = [monitor.window.calendar.starting((FIRST + timedelta(i)).date()) for i in (7, 8, 9)]
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        reports = run.backfill(Context.of(monitor, store, str), windows, clock=lambda: datetime(2024, 2, 1, tzinfo=UTC))
    for report in reports:
        found = {name: report[name].status for name in judged}
        assert found == dict.fromkeys(judged, "critical" if report is reports[-1] else "ok")
        assert {report[name].status for name in [*refused, "latin"]} == {"not_comparable"}
        for name in refused:
            assert WITHOUT_LABELS[name][1] in report[name].reason
        assert {name.partition("=")[2] for name in report.segments} >= {"web", "shop"}
