"""The state of every monitor's newest window, of its alerts and of the outbox: what a scrape asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from drift.store import engine, schema
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from drift.store.store import Store


@dataclass(frozen=True, slots=True)
class Health:
    """What is stored, at one moment: rows of the newest window by monitor, and numbers by what they are keyed by.

    `statuses` counts the features of the newest windows; `features` are those that drift and the worst others; `strays`
    counts the pairs of columns that no longer go together as they did, and `pairs` are the clearest of them;
    `successes` say when a run last ended without an error, `oldest` when the oldest notification due was written.
    """

    reports: Mapping[str, sa.RowMapping]
    runs: Mapping[str, sa.RowMapping]
    statuses: Mapping[tuple[str, str], int]
    features: Sequence[sa.RowMapping]
    strays: Mapping[str, int]
    pairs: Sequence[sa.RowMapping]
    successes: Mapping[str, datetime]
    alerts: Mapping[tuple[str, str, str], int]
    notifications: Mapping[str, int]
    oldest: datetime | None


def health(store: Store, *, most: int, worst: int, now: datetime) -> Health:
    """Read it all in one transaction; windows that are not over at `now` are left out.

    Of a monitor's features at most `most` are named, those that drift first, and `worst` of the others.
    """
    score, run = _of_newest(now, schema.score, "feature", "status", "kl_corrected"), schema.run
    alert, notification = schema.alert, schema.notification
    statuses = sa.select(score.c.monitor, score.c.status, sa.func.count()).group_by(score.c.monitor, score.c.status)
    pair = _of_newest(now, schema.relationship, "named", "first_column", "second_column", "kl_corrected", "position")
    strays = sa.select(pair.c.monitor, sa.func.count()).group_by(pair.c.monitor)
    ended = run.c.error.is_(None) & run.c.finished_at.is_not(None)
    successes = sa.select(run.c.monitor, sa.func.max(run.c.finished_at)).where(ended).group_by(run.c.monitor)
    columns = (alert.c.monitor, alert.c.state, alert.c.severity)
    alerts = sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns)
    states = sa.select(notification.c.state, sa.func.count()).group_by(notification.c.state)
    due = (notification.c.state == "pending") & notification.c.not_before.is_(None)
    with engine.reading(store.engine) as connection:
        return Health(
            _newest(connection, schema.report, now),
            _newest(connection, run, now),
            {(monitor, status): n for monitor, status, n in connection.execute(statuses)},
            connection.execute(_worst(score, most, worst)).mappings().all(),
            dict(iter(connection.execute(strays))),
            connection.execute(sa.select(pair).where(pair.c.position < most)).mappings().all(),
            dict(iter(connection.execute(successes.order_by(run.c.monitor)))),
            {(monitor, state, severity): n for monitor, state, severity, n in connection.execute(alerts)},
            dict(iter(connection.execute(states))),
            connection.execute(sa.select(sa.func.min(notification.c.created_at)).where(due)).scalar(),
        )


def _newest(connection: sa.Connection, table: sa.Table, now: datetime) -> dict[str, sa.RowMapping]:
    """Return the row of the newest window of each monitor."""
    mine = table.c.segment == WHOLE if "segment" in table.c else sa.true()
    newest = sa.select(table.c.monitor, sa.func.max(table.c.window_start).label("at"))
    one = newest.where(mine, table.c.window_end <= now).group_by(table.c.monitor).subquery()
    both = (table.c.monitor == one.c.monitor) & (table.c.window_start == one.c["at"])
    query = sa.select(table).join(one, both).where(mine).order_by(table.c.monitor)
    return {row["monitor"]: row for row in connection.execute(query).mappings()}


def _of_newest(now: datetime, table: sa.Table, *columns: str) -> sa.Subquery:
    """Return some columns of the newest window of each monitor, as a query to select from."""
    report = schema.report
    newest = sa.select(report.c.monitor, sa.func.max(report.c.window_start).label("at"))
    over = (report.c.segment == WHOLE) & (report.c.window_end <= now)
    one = newest.where(over).group_by(report.c.monitor).subquery()
    both = (table.c.monitor == one.c.monitor) & (table.c.window_start == one.c["at"]) & (table.c.segment == WHOLE)
    return sa.select(table.c.monitor, *(table.c[name] for name in columns)).join(one, both).subquery()


def _worst(score: sa.Subquery, most: int, worst: int) -> sa.Select[tuple[object, ...]]:
    drifts = sa.case((score.c.status == "critical", 0), (score.c.status == "warning", 1), else_=2)
    order = (drifts, sa.func.coalesce(score.c.kl_corrected, -1).desc(), score.c.feature)
    rank = sa.func.row_number().over(partition_by=score.c.monitor, order_by=order)
    other = sa.func.row_number().over(partition_by=(score.c.monitor, drifts), order_by=order)
    each = sa.select(score, rank.label("rank"), other.label("other"), drifts.label("drifts")).subquery()
    chosen = (each.c["rank"] <= most) & ((each.c.drifts < 2) | (each.c.other <= worst))
    return sa.select(each).where(chosen).order_by(each.c.monitor, each.c["rank"])
