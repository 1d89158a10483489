"""Clocks that jump, and days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from drift.config.monitor import parse_monitor
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.live.faults import work

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """
name: calls
source: {connection: warehouse, table: calls, time_column: at, timezone: UTC}
window: {every: EVERY, timezone: America/New_York}
reference: {trailing: TRAILING, min_windows: 2}
detection: {min_rows: 20}
"""


def write_calls(path: Path, first: datetime, hours: int, an_hour: int) -> str:
    """Write calls, so many in each hour of real time."""
    rng = np.random.default_rng(3)
    n = hours * an_hour
    minutes = np.repeat(np.arange(hours), an_hour) * 60 + rng.integers(0, 60, n)
    frame = pd.DataFrame(
        {"at": [first + timedelta(minutes=int(m)) for m in minutes], "length": np.round(rng.gamma(2, 3, n), 2)}
    )
    engine = sa.create_engine(f"sqlite:///{path}")
    frame["at"] = frame["at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame.to_sql("calls", engine, index=False)
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("every", ["1d", pytest.param("1h", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "change", [datetime(2024, 3, 10, 7, tzinfo=UTC), datetime(2024, 11, 3, 6, tzinfo=UTC)], ids=["spring", "autumn"]
)
def test_every_row_of_a_short_or_long_day_is_counted_once(tmp_path: Path, every: str, change: datetime) -> None:
    """The day has 23 or 25 hours and the windows say so; one at a time and as a backfill, the rows are the same."""
    later = change + timedelta(days=30)
    around = timedelta(days=3 if every == "1d" else 1)
    hours = int(2 * around / timedelta(hours=1))
    source = write_calls(tmp_path / "calls.db", change - around, hours, 40)
    found = []
    text = CALLS.replace("EVERY", every).replace("TRAILING", "2d" if every == "1d" else "4h")
    for one_by_one in (True, False):
        store = Store.open(f"sqlite:///{tmp_path / f'{one_by_one}.db'}", create=True)
        with store:
            context = Context.of(parse_monitor(text), store, lambda _name: source)
            calendar = context.monitor.window.calendar
            windows = list(calendar.between(change - around, change + around))
            # The bins are fitted on the same windows either way.
            run.prepare(context, windows, now=later)
            if one_by_one:
                for window in windows:
                    run.run_window(context, window, clock=lambda: later)
            else:
                run.backfill(context, windows, clock=lambda: later, page=True)
            counted = {row["window_start"]: row for row in store.reports("calls", 1000)}
            assert sum(row["n_current"] for row in counted.values()) == 40 * len(
                [i for i in range(hours) if any(change - around + timedelta(hours=i) in w for w in windows)]
            )
            lengths = {(w.end - w.start) / timedelta(hours=1) for w in windows}
            assert lengths == ({24.0, 23.0 if change.month == 3 else 25.0} if every == "1d" else {1.0})
        found.append(work.contents(str(store.engine.url)))
    assert work.differences(*found) == []


def test_a_clock_that_jumps_changes_times_of_writing_only(tmp_path: Path) -> None:
    """Back by a day, on by a year: each run's clock is another, its window is not."""
    source = work.write_source(tmp_path / "source.db")
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("calm", "jumping")]
    jumps = [0, 0, -1, 365, -130, 30, 0]
    for url, days in zip(urls, ([0] * 7, jumps), strict=True):
        work.upgrade(work.Setting(url, source))
        for number, jump in zip(range(7, 14), days, strict=True):
            setting = work.Setting(url, source, work.NOW + timedelta(days=jump))
            context = setting.context()
            with context.store:
                run.run_window(context, work.day(context, number), clock=setting.clock)
    calm, jumping = map(work.contents, urls)
    kept = set(calm) - {"alert_event", "notification", "alert"}
    assert work.differences({n: calm[n] for n in kept}, {n: jumping[n] for n in kept}) == []
    with Store.open(urls[0]) as one, Store.open(urls[1]) as other:
        assert [(a.key, a.state, a.severity) for a in one.alerts()] == [
            (a.key, a.state, a.severity) for a in other.alerts()
        ]
