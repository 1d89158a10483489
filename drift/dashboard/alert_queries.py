"""What the pages ask the results database of alerts, silences and notifications, and the one thing they change there.

Answers themselves go through `drift.alerting`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift import database, tables
from drift.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from drift.store import Store

    Row = dict[str, Any]


def counts(store: Store) -> dict[str, dict[str, int]]:
    """Return how many alerts of each monitor are open or acknowledged, by severity."""
    alert = tables.alert
    query = (
        sa.select(alert.c.monitor, alert.c.severity, sa.func.count())
        .where(alert.c.state != "resolved")
        .group_by(alert.c.monitor, alert.c.severity)
    )
    found: dict[str, dict[str, int]] = {}
    with database.reading(store.engine) as connection:
        for monitor, severity, n in connection.execute(query):
            found.setdefault(monitor, {})[severity] = n
    return found


def page(
    store: Store,
    *,
    monitor: str | None,
    states: Collection[str],
    feature: str | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[Alert], int]:
    """Return one page of alerts, the newest opening first, and how many there are."""
    alert = tables.alert
    chosen: sa.ColumnElement[bool] = alert.c.state.in_(states)
    if monitor is not None:
        chosen &= alert.c.monitor == monitor
    if feature is not None:
        chosen &= alert.c.feature == feature
    query = sa.select(alert).where(chosen).order_by(alert.c.opened_window.desc(), alert.c.key, alert.c.id)
    with database.reading(store.engine) as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(alert).where(chosen)).scalar_one()
        rows = connection.execute(query.limit(limit).offset(offset)).mappings().all()
    return [_alert(row) for row in rows], total


def one(store: Store, alert_id: str) -> Alert | None:
    """Return one alert; None where there is none."""
    with database.reading(store.engine) as connection:
        row = connection.execute(sa.select(tables.alert).where(tables.alert.c.id == alert_id)).mappings().first()
    return None if row is None else _alert(row)


def _alert(row: sa.RowMapping) -> Alert:
    return Alert(**{field.name: row[field.name] for field in fields(Alert)})


def notifications(store: Store, states: Collection[str], *, limit: int, offset: int = 0) -> tuple[list[Row], int]:
    """Return one page of notifications without their payload, the newest first, and how many there are."""
    table = tables.notification
    chosen = table.c.state.in_(states)
    columns = [column for column in table.c if column.name != "payload"]
    query = sa.select(*columns).where(chosen).order_by(table.c.created_at.desc(), table.c.id)
    with database.reading(store.engine) as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(table).where(chosen)).scalar_one()
        rows = connection.execute(query.limit(limit).offset(offset)).mappings()
        return [dict(row) for row in rows], total


def revive(store: Store, notification_id: str | None, now: datetime) -> int:
    """Have notifications that were given up tried again, as if they were new; return how many.

    Parameters
    ----------
    store
    notification_id
        Only this one; None for all that were given up.
    now
    """
    table = tables.notification
    chosen = table.c.state == "dead"
    if notification_id is not None:
        chosen &= table.c.id == notification_id
    statement = sa.update(table).where(chosen).values(state="pending", attempts=0, next_attempt_at=now)
    with database.writing(store.engine) as connection:
        return int(connection.execute(statement).rowcount)
