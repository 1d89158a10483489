"""The work that is disturbed: a small monitor's life in scenes, and what the database must look like after each.

A scene starts from a database in a known state, does one thing that production does, and may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from drift.config.monitor import parse_monitor
from drift.errors import SourceError
from drift.pipeline import actions, run
from drift.pipeline.context import Context
from drift.store import migrations, schema
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from drift.windows import Window

FIRST = date(2024, 1, 1)
DAYS, ROWS = 22, 300
INCIDENT = 9
"""The day from which on the delays are later, and some carriers are missing."""
OVER = 12
"""The day from which on the carriers are there again."""

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
RETRIED = NOW + timedelta(minutes=7)

MONITOR = """
name: flights
source: {connection: warehouse, table: flights, time_column: day}
window: {every: 1d, timezone: America/New_York}
reference: {trailing: 7d, min_windows: 3}
detection: {min_rows: 100}
alerts: {routes: [{to: ops}, {to: mail, severity: [critical]}]}
"""
GATE = """
expectations:
  - expect_column_values_to_not_be_null: {column: carrier}
    severity: warn
"""

WRITTEN_AT = {
    *("acknowledged_at", "activated_at", "at", "checked_at", "created_at", "finished_at", "first_seen_at"),
    "last_seen_at",
    *("next_attempt_at", "opened_at", "resolved_at", "started_at", "notified_at", "tried_at"),
}
"""Columns that say when something was written: the only ones in which a retried run may differ."""


def rows() -> pd.DataFrame:
    """Return quiet days, then the incident."""
    rng = np.random.default_rng(5)
    n = DAYS * ROWS
    day = np.repeat(np.arange(DAYS), ROWS)
    carrier = rng.choice(["AA", "B6", "DL"], n, p=[0.5, 0.3, 0.2]).astype(object)
    carrier[(day >= INCIDENT) & (day < OVER) & (rng.random(n) < 0.2)] = None
    return pd.DataFrame(
        {
            "day": [FIRST + timedelta(days=int(i)) for i in day],
            "delay": np.round(rng.normal(10, 5, n) + np.where(day >= INCIDENT, 8, 0), 3),
            "carrier": carrier,
            "late": (rng.random(n) < 0.2).astype(int),
        }
    )


def write_source(path: Path) -> str:
    """Write the rows into a SQLite file, and return its URL."""
    url = f"sqlite:///{path}"
    engine = sa.create_engine(url)
    rows().to_sql("flights", engine, index=False, dtype={"day": sa.Date()})
    engine.dispose()
    return url


def opened(results: str, source: str, *, gated: bool = False) -> Context:
    """Open the monitor; whoever does closes its store."""
    return Context.of(parse_monitor(MONITOR + GATE * gated), Store.open(results), lambda _name: source)


def day(context: Context, number: int) -> Window:
    """Return a day's window."""
    return context.monitor.window.calendar.starting(FIRST + timedelta(days=number))


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a scene plays, and when."""

    results: str
    source: str
    now: datetime = NOW
    gated: bool = False

    def context(self) -> Context:
        """Open the monitor."""
        return opened(self.results, self.source, gated=self.gated)

    def clock(self) -> datetime:
        """Return the time."""
        return self.now


def upgrade(setting: Setting) -> None:
    """Create the tables."""
    migrations.upgrade(setting.results)


def _run(setting: Setting, number: int) -> None:
    context = setting.context()
    with context.store:
        run.run_window(context, day(context, number), clock=setting.clock)


def first(setting: Setting) -> None:
    """Run for the first time: fit the bins, count the reference, judge a quiet day."""
    _run(setting, 7)


def incident(setting: Setting) -> None:
    """Run the second day of the incident: alerts and messages."""
    _run(setting, INCIDENT + 1)


def failure(setting: Setting) -> None:
    """Run while the source is gone: the run fails, and says so."""
    context = opened(setting.results, setting.source + ".gone", gated=setting.gated)
    with context.store:
        try:
            run.run_window(context, day(context, INCIDENT), clock=setting.clock)
        except SourceError:
            return
        raise AssertionError("the source was there")


def backfill(setting: Setting) -> None:
    """Fill three days up, incident included."""
    context = setting.context()
    with context.store:
        windows = [day(context, number) for number in (INCIDENT - 1, INCIDENT, INCIDENT + 1)]
        run.backfill(context, windows, clock=setting.clock, page=True)


def recovery(setting: Setting) -> None:
    """Fill up from the day before the incident until after the carriers are there again."""
    context = setting.context()
    with context.store:
        windows = [day(context, number) for number in range(INCIDENT - 1, OVER + 2)]
        run.backfill(context, windows, clock=setting.clock, page=True)


def answer(setting: Setting) -> None:
    """Acknowledge every open alert."""
    with Store.open(setting.results) as store:
        for alert in store.alerts("flights", ["open"]):
            actions.act(store, alert, "acknowledge", by="ada", now=setting.now, comment="looking")


def prune(setting: Setting) -> None:
    """Forget the first days."""
    with Store.open(setting.results) as store:
        store.prune(datetime(2024, 1, 6, tzinfo=UTC))


SCENES: dict[str, tuple[Callable[[Setting], None], tuple[Callable[[Setting], None], ...]]] = {
    "upgrade": (upgrade, ()),
    "first": (first, (upgrade,)),
    "incident": (incident, (upgrade, first, lambda s: _run(s, 8), lambda s: _run(s, 9))),
    "failure": (failure, (upgrade, first)),
    "backfill": (backfill, (upgrade,)),
    "recovery": (recovery, (upgrade,)),
    "recovery again": (recovery, (upgrade, recovery)),
    "answer": (answer, (upgrade, backfill)),
    "prune": (prune, (upgrade, backfill)),
}
"""What is done, and what was done before, undisturbed."""


def contents(url: str) -> dict[str, list[str]]:
    """Return every row of every table, without the times of writing."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        there = set(sa.inspect(connection).get_table_names())
        found = {
            table.name: sorted(map(_row, connection.execute(sa.select(*_compared(table)))))
            for table in schema.metadata.sorted_tables
            if table.name in there
        }
    engine.dispose()
    return found


def _row(row: sa.Row[Any]) -> str:
    # A message says when it was written, too.
    values = [{k: v for k, v in each.items() if k != "created_at"} if isinstance(each, dict) else each for each in row]
    return repr(values)


def _compared(table: sa.Table) -> list[Any]:
    # As bytes and text, not as arrays, whose `repr` leaves digits out.
    return [
        sa.type_coerce(c, sa.LargeBinary) if "counts" in c.name or c.name == "contributions" else c
        for c in table.c
        if c.name not in WRITTEN_AT
    ]


def differences(expected: dict[str, list[str]], found: dict[str, list[str]]) -> list[str]:
    """Say where two databases differ, a few lines of each table."""
    lines: list[str] = []
    for name in sorted({*expected, *found}):
        before, after = (set(each.get(name, ["<no table>"])) for each in (expected, found))
        lines += [f"{name}: missing {row[:600]}" for row in sorted(before - after)[:2]]
        lines += [f"{name}: beyond {row[:600]}" for row in sorted(after - before)[:2]]
        if len(expected.get(name, [])) != len(found.get(name, [])):
            lines.append(f"{name}: {len(found.get(name, []))} rows instead of {len(expected.get(name, []))}")
    return lines


def sliced(points: int, most: int | None) -> Iterable[int]:
    """Return all points, or so many of them, evenly."""
    if most is None or points <= most:
        return range(points)
    if most < 2:
        return range(most)
    return sorted({round(i * (points - 1) / (most - 1)) for i in range(most)})
