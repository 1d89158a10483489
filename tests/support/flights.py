"""A small warehouse of made-up flights, and monitors on it: what the integration tests run on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from drift.config.monitor import parse_monitor
from drift.pipeline.context import Context
from drift.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from drift.windows import Window

FIRST = date(2024, 1, 1)

OPENED: list[Store] = []
"""Stores to close after each test; one that a wider fixture keeps opens itself again."""


def clock() -> datetime:
    """Return a time at which every test runs."""
    return datetime(2024, 6, 1, 12, tzinfo=UTC)


def rows(days: int, a_day: int = 400, *, seed: int = 1) -> pd.DataFrame:
    """Return quiet days: a delay, a carrier, a flag."""
    rng = np.random.default_rng(seed)
    n = days * a_day
    return pd.DataFrame(
        {
            "day": np.repeat([FIRST + timedelta(days=i) for i in range(days)], a_day),
            "delay": rng.normal(10, 5, n),
            "carrier": rng.choice(["AA", "B6", "DL"], n, p=[0.5, 0.3, 0.2]),
            "late": rng.random(n) < 0.2,
        }
    )


def write_sql(frame: pd.DataFrame, url: str, table: str = "flights") -> None:
    """Write a table, NaN as NULL."""
    engine = sa.create_engine(url)
    kinds: dict[str, Any] = {"day": sa.Date(), "delay": sa.Float(), "carrier": sa.Text(), "late": sa.Boolean()}
    frame.to_sql(
        table, engine, index=False, if_exists="replace", dtype={c: kinds[c] for c in frame.columns if c in kinds}
    )
    engine.dispose()


def write_parquet(frame: pd.DataFrame, folder: Path) -> None:
    """Write a file a day."""
    for day, part in frame.groupby("day"):
        path = folder / f"date={day}"
        path.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(part, preserve_index=False), path / "part-0.parquet")


def monitor_text(source: str, **changes: str) -> str:
    """Return a monitor file; `changes` replace whole top-level keys."""
    keys = {
        "name": "flights",
        "source": source,
        "window": "{every: 1d, timezone: America/New_York}",
        "reference": "{trailing: 7d, min_windows: 3}",
        "detection": "{min_rows: 100}",
        "alerts": "{routes: [{to: ops}]}",
    } | changes
    return "\n".join(f"{key}: {value}" for key, value in keys.items())


SQL = "{connection: warehouse, table: flights, time_column: day}"


def open_context(results: str, warehouse: str, text: str | None = None) -> Context:
    """Open a monitor on a warehouse, its results database made on the way; closed after the test."""
    store = Store.open(results, create=True)
    OPENED.append(store)
    return Context.of(parse_monitor(text or monitor_text(SQL)), store, lambda _name: warehouse)


def days(context: Context, first: int, last: int) -> list[Window]:
    """Return the windows of those days, the last included."""
    calendar = context.monitor.window.calendar
    return [calendar.starting(FIRST + timedelta(days=i)) for i in range(first, last + 1)]
