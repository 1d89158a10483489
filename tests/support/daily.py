"""A table of one file a day, lived through day by day: what the end-to-end cases of detection and alerts run on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from drift.alerts.alerts import NOTIFIED
from drift.config.monitor import parse_monitor
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.support.flights import OPENED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from drift.detection.reports import Report
    from drift.windows import Window

FIRST = date(2024, 1, 1)
MORNING = timedelta(hours=6)


def live(folder: Path, columns: Sequence[Mapping[str, Any]], keys: str = "") -> tuple[Context, list[Report]]:
    """Run a monitor every morning at six on the columns of each day; return it, and the reports.

    `keys` are further lines of the monitor's file.
    """
    for i, one in enumerate(columns):
        frame = pd.DataFrame(one).assign(day=FIRST + timedelta(days=i))
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{i:03}.parquet")
    source = f"source: {{files: {folder}/*.parquet, time_column: day}}"
    text = f"name: daily\n{source}\nwindow: {{every: 1d}}\nalerts: {{routes: [{{to: ops}}]}}\n{keys}"
    store = Store.open(f"sqlite:///{folder / 'drift.db'}", create=True)
    OPENED.append(store)
    context = Context.of(parse_monitor(text), store, lambda _name: "")
    calendar = context.monitor.window.calendar
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(len(columns))]
    run.prepare(context, windows, now=windows[0].end + MORNING)

    def lived(window: Window) -> Report:
        return run.run_window(context, window, clock=lambda: window.end + MORNING).report

    return context, [lived(window) for window in windows]


def notified(context: Context) -> list[tuple[datetime, str, str]]:
    """Return what people were notified of, oldest first: when, the key of its alert, and the transition."""
    return sorted(
        (event.at, alert.key, event.transition)
        for alert, events in context.store.timelines(context.name)
        for event in events
        if event.transition in NOTIFIED and not event.suppressed_by
    )
