"""The outbox: pending notifications, from the transaction that changed an alert to the channel that took them.

A notification is written in the transaction that changes its alert (a transactional outbox), so none is lost and none
is sent for what never happened.
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.alerts import messages as payloads
from drift.alerts.delivery import SKEW, Waiting
from drift.alerts.messages import Notification
from drift.store.engine import Part, insert_missing, reads, rows_of, writes
from drift.store.schema import notification

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.store.rows import Row

LEASE = timedelta(minutes=10)
"""How long a sender may take before another one may try the same notification."""

_FIELDS = [field.name for field in fields(Notification)]


class Outbox(Part):
    """The part of the store that knows notifications, from the change of an alert to the channel that took them."""

    __slots__ = ()

    @writes
    def waiting_routes(self, connection: sa.Connection, now: datetime) -> list[Waiting]:
        """Return the routes on which something is due, by name, and how their channels have done of late."""
        _release(connection, now)
        mine = notification.c
        success = sa.func.max(sa.case((mine.sent_at <= now + SKEW, mine.sent_at)))
        last = (
            sa.select(mine.route, success.label("at")).where(mine.sent_at.is_not(None)).group_by(mine.route).subquery()
        )
        due = _due(now)
        failed = mine.state.in_(["pending", "dead"]) & mine.last_error.is_not(None)
        failed &= mine.tried_at.is_not(None) & (last.c.at.is_(None) | (mine.tried_at > last.c.at))
        new = last.c.at.is_(None) | (mine.created_at > last.c.at)
        query = (
            sa.select(
                mine.route,
                sa.func.sum(sa.case((due, 1), else_=0)).label("due"),
                sa.func.sum(sa.case((failed & new, mine.attempts), (failed, 1), else_=0)).label("failures"),
                sa.func.max(sa.case((failed, mine.tried_at))).label("tried_at"),
            )
            .outerjoin(last, last.c.route == mine.route)
            .group_by(mine.route)
            .order_by(mine.route)
        )
        found = [Waiting(row.route, row.due, row.failures, row.tried_at) for row in connection.execute(query)]
        return [route for route in found if route.due]

    @writes
    def due_notifications(
        self, connection: sa.Connection, now: datetime, limit: int = 50, *, route: str | None = None
    ) -> list[Notification]:
        """Take the notifications that are due, of one route where it is named, oldest first.

        No other sender takes them for the time of a `LEASE`.
        """
        _release(connection, now)
        due = _due(now)
        if route is not None:
            due &= notification.c.route == route
        query = (
            sa.select(notification.c.id)
            .where(due)
            .order_by(notification.c.next_attempt_at, notification.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = connection.execute(query).scalars().all()
        statement = (
            sa.update(notification)
            .where(notification.c.id.in_(taken) & due)
            .values(next_attempt_at=now + LEASE, attempts=notification.c.attempts + 1, tried_at=now)
            .returning(notification)
        )
        if not taken:
            return []
        rows = connection.execute(statement).mappings()
        found = [Notification(**{name: row[name] for name in _FIELDS}) for row in rows]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    @writes
    def mark_sent(self, connection: sa.Connection, notification_id: str, now: datetime) -> None:
        """Record that a notification was delivered; one that is no longer pending stays as it is."""
        _mark(connection, notification_id, state="sent", sent_at=now, last_error=None)

    @writes
    def mark_failed(
        self, connection: sa.Connection, notification_id: str, error: str, next_attempt_at: datetime | None
    ) -> None:
        """Record that a notification was not delivered: when to try again, or None to give it up."""
        after = {"state": "dead"} if next_attempt_at is None else {"next_attempt_at": next_attempt_at}
        _mark(connection, notification_id, last_error=error, **after)

    @reads
    def notifications(
        self, connection: sa.Connection, states: Collection[str], limit: int = 100, offset: int = 0
    ) -> list[Row]:
        """Return notifications in some states, the newest first, without their payload."""
        columns = [column for column in notification.c if column.name != "payload"]
        query = sa.select(*columns).where(notification.c.state.in_(states))
        newest = query.order_by(notification.c.created_at.desc(), notification.c.id).limit(limit).offset(offset)
        return rows_of(connection, newest)

    @writes
    def retry_notifications(self, connection: sa.Connection, now: datetime, notification_id: str | None = None) -> int:
        """Have what was given up tried again as if it were new: one of them, or all; return how many."""
        chosen = notification.c.state == "dead"
        if notification_id is not None:
            chosen &= notification.c.id == notification_id
        # Whoever asks for it knows that the channel is back: what failed then does not hold it up.
        fresh = {"state": "pending", "attempts": 0, "next_attempt_at": now, "tried_at": None}
        return int(connection.execute(sa.update(notification).where(chosen).values(fresh)).rowcount)

    @reads
    def outbox_counts(self, connection: sa.Connection) -> dict[str, int]:
        """Return how many notifications are pending, sent and dead."""
        query = sa.select(notification.c.state, sa.func.count()).group_by(notification.c.state)
        return {"pending": 0, "sent": 0, "dead": 0} | {row[0]: row[1] for row in connection.execute(query)}


def add_notifications(connection: sa.Connection, messages: Iterable[Any]) -> None:
    """Write notifications; those that are there already stay as they are."""
    insert_missing(connection, notification, [_pending(message) for message in messages])


def _pending(message: Any) -> dict[str, Any]:
    given = asdict(message) if is_dataclass(message) and not isinstance(message, type) else dict(message)
    due = given["not_before"] or given["created_at"]
    fresh = {"state": "pending", "attempts": 0, "next_attempt_at": due, "last_error": None, "sent_at": None}
    names = ("id", "monitor", "window_start", "route", "title", "body", "payload", "created_at", "not_before")
    return {name: given[name] for name in names} | fresh


def _due(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a notification is due; a time that a clock far ahead has set is not believed."""
    ahead = sa.func.coalesce(notification.c.tried_at, notification.c.created_at) > now + SKEW
    return (notification.c.state == "pending") & (ahead | (notification.c.next_attempt_at <= now))


def _release(connection: sa.Connection, now: datetime) -> None:
    """Put the notifications whose quiet hours are over into one for each monitor and route.

    What a later message says already is left out: of an alert that grew critical in the night people were notified
    at once.
    """
    waited = (
        (notification.c.state == "pending")
        & (notification.c.not_before <= now)
        & (notification.c.next_attempt_at <= now)
        & (notification.c.attempts == 0)
    )
    query = sa.select(notification).where(waited).order_by(notification.c.created_at, notification.c.id)
    groups: dict[tuple[str, str], list[sa.RowMapping]] = {}
    for row in connection.execute(query.with_for_update(skip_locked=True)).mappings():
        groups.setdefault((row["monitor"], row["route"]), []).append(row)
    for (monitor, route), rows in groups.items():
        since = rows[0]["created_at"]
        ours = (notification.c.monitor == monitor) & (notification.c.route == route)
        later = sa.select(notification.c.payload).where(
            ours, notification.c.not_before.is_(None), notification.c.created_at >= since
        )
        sent = payloads.newest(connection.execute(later).scalars())
        merged = payloads.merge([row["payload"] for row in rows], sent, now=now)
        if merged is not None and len(rows) == 1 and merged["alerts"] == rows[0]["payload"]["alerts"]:
            continue
        _replace(connection, rows, merged, now)


def _replace(
    connection: sa.Connection, rows: Sequence[sa.RowMapping], merged: Mapping[str, Any] | None, now: datetime
) -> None:
    why = "later messages say it already"
    if merged is not None:
        why = f"merged into {merged['id']}"
        start = max((row["window_start"] for row in rows if row["window_start"] is not None), default=None)
        add_notifications(connection, [payloads.message(merged, rows[0]["monitor"], start, now)])
    mine = notification.c.id.in_([row["id"] for row in rows])
    connection.execute(sa.update(notification).where(mine).values(state="merged", last_error=why))


def _mark(connection: sa.Connection, notification_id: str, **values: Any) -> None:
    """Change a notification that is still pending; what is sent or dead stays so."""
    pending = (notification.c.id == notification_id) & (notification.c.state == "pending")
    connection.execute(sa.update(notification).where(pending).values(**values))
