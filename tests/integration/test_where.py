"""Where, from rows to messages: a fault in one slice of the rows, and one in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import sqlalchemy as sa

from drift.pipeline.replay import preload, replay
from drift.store.memory import Memory
from drift.store.schema import notification
from tests.support.daily import live

if TYPE_CHECKING:
    from pathlib import Path

DAYS, FAULTY = 34, 32


def test_a_fault_in_one_slice_is_found_there(tmp_path: Path) -> None:
    """Named with the columns that hold the same rows, its condition finds them; a fault in all rows is alike in all."""
    rng = np.random.default_rng(17)
    columns = []
    for i in range(DAYS):
        n = 1200
        airport = rng.choice(["O'Hare", "JFK", "LGA"], n, p=[0.2, 0.5, 0.3])
        delay, fuel = rng.normal(10, 5, n), rng.normal(50, 5, n)
        if i >= FAULTY:
            delay[airport == "O'Hare"] += 20
            fuel *= 1.6
        carrier = np.where(airport == "O'Hare", "UA", rng.choice(["B6", "DL"], n))
        columns.append({"delay": delay, "fuel": fuel, "airport": airport, "carrier": carrier})
    context, reports = live(tmp_path, columns)
    drifting = {verdict.feature: verdict.explanation.where for verdict in reports[-1].drifting}
    assert drifting.keys() == {"delay", "fuel"}
    everywhere = drifting["fuel"]
    assert everywhere is not None
    assert everywhere.words().startswith("alike in every airport: ")
    assert {each.cell for each in everywhere.slices} == {"JFK", "LGA", "O'Hare"}
    where = drifting["delay"]
    assert where is not None
    assert {each.name for each in where.slices} == {"airport = O'Hare", "carrier = UA"}
    assert where.words() == (
        "mostly in airport = O'Hare, or carrier = UA (19 % of the rows), nearly the same rows: "
        "without them nothing of the divergence is left"
    )

    # Stored with the score and the alert, and in the message.
    stored = context.store.load_report("daily", reports[-1].window.start) if reports[-1].window else None
    assert stored is not None
    assert stored["delay"].explanation.where == where
    alerts = {alert.key: alert.where for alert in context.store.alerts("daily")}
    assert alerts == {"drift:delay": where, "drift:fuel": everywhere}
    with context.store.engine.connect() as connection:
        ((payload, text),) = connection.execute(sa.select(notification.c.payload, notification.c.body))
    first = {name: reports[FAULTY][name].explanation.where for name in ("delay", "fuel")}
    assert all(each and each.words() in text for each in first.values())
    said = {alert["feature"]: alert["where"] for alert in payload["alerts"]}
    assert said == {name: each and each.to_dict() for name, each in first.items()}

    # Replayed from the counts alone, it is the same; and the condition finds the rows.
    windows = [report.window for report in reports if report.window]
    memory = Memory(context.store)
    preload(context, memory, windows)
    again = replay(context.monitor, memory, windows).reports[-1]
    assert again["delay"].explanation.where == where
    for each in where.slices:
        query = f"SELECT count(*) FROM '{tmp_path}/033.parquet' WHERE {each.sql}"
        assert duckdb.connect().execute(query).fetchall() == [(round(each.now * 1200),)]
