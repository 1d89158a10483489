"""What the pages ask the results database of alerts, beyond what `Store` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from drift.store import engine, schema
from drift.store.alerts import alert_from

if TYPE_CHECKING:
    from collections.abc import Collection

    from drift.alerts.alerts import Alert
    from drift.store.store import Store


def counts(store: Store) -> dict[str, dict[str, int]]:
    """Return how many alerts of each monitor are open or acknowledged, by severity."""
    alert = schema.alert
    query = (
        sa.select(alert.c.monitor, alert.c.severity, sa.func.count())
        .where(alert.c.state != "resolved")
        .group_by(alert.c.monitor, alert.c.severity)
    )
    found: dict[str, dict[str, int]] = {}
    with engine.reading(store.engine) as connection:
        for monitor, severity, n in connection.execute(query):
            found.setdefault(monitor, {})[severity] = n
    return found


_WORST_FIRST = (
    sa.case(
        (schema.alert.c.state == "resolved", 3),
        (schema.alert.c.severity == "critical", 0),
        (schema.alert.c.severity == "warning", 1),
        else_=2,
    ),
    (schema.alert.c.state == "acknowledged"),
    schema.alert.c.opened_window.desc(),
    schema.alert.c.key,
    schema.alert.c.id,
)
"""What is over last; before that critical first, then what nobody has acknowledged, then the newest opening."""


def worst(store: Store) -> dict[str, Alert]:
    """Return the worst alert of each monitor that has one open or acknowledged."""
    alert = schema.alert
    rank = sa.func.row_number().over(partition_by=alert.c.monitor, order_by=_WORST_FIRST).label("rank")
    ranked = sa.select(alert, rank).where(alert.c.state != "resolved").subquery()
    with engine.reading(store.engine) as connection:
        rows = connection.execute(sa.select(ranked).where(ranked.c.rank == 1)).mappings().all()
    return {row["monitor"]: alert_from(row) for row in rows}


def page(
    store: Store,
    *,
    monitor: str | None,
    states: Collection[str],
    feature: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[Alert], int]:
    """Return one page of alerts, or all, the worst first and what is over last, and how many there are."""
    alert = schema.alert
    chosen: sa.ColumnElement[bool] = alert.c.state.in_(states)
    if monitor is not None:
        chosen &= alert.c.monitor == monitor
    if feature is not None:
        chosen &= alert.c.feature == feature
    query = sa.select(alert).where(chosen).order_by(*_WORST_FIRST)
    with engine.reading(store.engine) as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(alert).where(chosen)).scalar_one()
        rows = connection.execute(query.limit(limit).offset(offset)).mappings().all()
    return [alert_from(row) for row in rows], total


def one(store: Store, alert_id: str) -> Alert | None:
    """Return one alert; None where there is none."""
    with engine.reading(store.engine) as connection:
        row = connection.execute(sa.select(schema.alert).where(schema.alert.c.id == alert_id)).mappings().first()
    return None if row is None else alert_from(row)
