"""What the pages ask the results database of alerts, beyond what `Store` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from drift.store import engine, schema
from drift.store.alerts import alert_from

if TYPE_CHECKING:
    from collections.abc import Collection

    from drift.alerts.alerts import Alert
    from drift.alerts.incidents import Incident
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
    kind: str | None = None,
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
    if kind is not None:
        chosen &= alert.c.kind == kind
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


def by_evidence(store: Store, alerts: Collection[Alert]) -> list[str]:
    """Return the features of some alerts of one monitor, the one first that drifted most, in any of its windows."""
    score, first = schema.score, min(alert.opened_window for alert in alerts)
    last = max(alert.last_window for alert in alerts)
    query = (
        sa.select(score.c.feature)
        .where(
            score.c.monitor == next(iter(alerts)).monitor,
            score.c.segment == schema.WHOLE,
            score.c.feature.in_({alert.feature for alert in alerts if alert.feature}),
            score.c.window_start.between(first, last),
        )
        .group_by(score.c.feature)
        .order_by(sa.func.max(score.c.size / score.c.critical).desc(), score.c.feature)
    )
    with engine.reading(store.engine) as connection:
        return list(connection.execute(query).scalars())


def incidents(
    store: Store, *, monitor: str | None, live: bool | None, limit: int, offset: int = 0
) -> tuple[list[Incident], int]:
    """Return one page of incidents, those that go on first and then the newest, and how many there are."""
    alert = schema.alert
    going = sa.func.max(sa.case((alert.c.state != "resolved", 1), else_=0))
    query = sa.select(alert.c.incident).group_by(alert.c.incident)
    if monitor is not None:
        query = query.where(alert.c.monitor == monitor)
    if live is not None:
        query = query.having(going == int(live))
    newest = query.order_by(going.desc(), sa.func.max(alert.c.opened_window).desc(), alert.c.incident)
    with engine.reading(store.engine) as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
        ids = list(connection.execute(newest.limit(limit).offset(offset)).scalars())
    order = {name: place for place, name in enumerate(ids)}
    found = store.incidents(ids)
    return sorted(found, key=lambda each: order.get(each.alerts[0].incident, len(order))), total
