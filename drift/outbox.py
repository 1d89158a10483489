"""Alerts, their diaries, and the notifications owed: what a report changes, written together or not at all.

Functions over an open connection; `drift.store.Store` opens the transactions. A notification is written in the
transaction that changes its alert (a transactional outbox), so none is lost and none is sent for what never happened.
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.alerts import Alert, Event
from drift.database import insert, insert_missing
from drift.errors import StoreConflict, StoreError
from drift.tables import alert, alert_event, notification

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

LEASE = timedelta(minutes=10)
"""How long a sender may take before another one may try the same notification."""


def alerts(connection: sa.Connection, monitor: str | None, states: Collection[str] | None) -> list[Alert]:
    """Return alerts, the newest opening first."""
    query = sa.select(alert).order_by(alert.c.opened_window.desc(), alert.c.key, alert.c.id)
    if monitor is not None:
        query = query.where(alert.c.monitor == monitor)
    if states is not None:
        query = query.where(alert.c.state.in_(states))
    return [_alert(row) for row in connection.execute(query).mappings()]


def events(connection: sa.Connection, alert_id: str) -> list[Event]:
    """Return the diary of an alert, in order."""
    query = sa.select(alert_event).where(alert_event.c.alert_id == alert_id).order_by(alert_event.c.seq)
    return [Event(**row) for row in connection.execute(query).mappings()]


def _alert(row: sa.RowMapping) -> Alert:
    return Alert(**{field.name: row[field.name] for field in fields(Alert)})


def save(connection: sa.Connection, changed: Iterable[Alert], diary: Iterable[Event], messages: Iterable[Any]) -> None:
    """Write changed alerts, the new lines of their diaries, and the notifications owed for them.

    The diary is the guard: an alert is changed only where it is at the line its writer had read. Where the same lines
    are there already (a repeated run, a concurrent one that said the same), nothing changes.

    Raises
    ------
    StoreError
        If somebody else changed one of the alerts in between; nothing is written then.
    """
    wanted = {one.id: one for one in changed}
    lines: dict[str, list[Event]] = {}
    for event in diary:
        lines.setdefault(event.alert_id, []).append(event)
    if strangers := lines.keys() - wanted.keys():
        raise StoreError(f"the diary of alert {min(strangers)} was to be written without the alert itself")
    new = _insert_new(connection, wanted)
    known = {
        row["id"]: _alert(row)
        for row in connection.execute(
            sa.select(alert).where(alert.c.id.in_(wanted.keys() - new)).order_by(alert.c.id).with_for_update()
        ).mappings()
    }
    for alert_id, stored in known.items():
        after, mine = wanted[alert_id], lines.get(alert_id, [])
        if stored == after or _same_lines(connection, mine):
            lines.pop(alert_id, None)
            continue
        if stored.events != after.events - len(mine):
            raise StoreConflict(
                f"alert {alert_id} ({stored.key} of {stored.monitor}) was changed by somebody else in between: "
                "run the same window again"
            )
        connection.execute(sa.update(alert).where(alert.c.id == alert_id).values(**asdict(after)))
    insert_missing(connection, alert_event, [asdict(event) for mine in lines.values() for event in mine])
    insert_missing(connection, notification, [_owed(message) for message in messages])


def _insert_new(connection: sa.Connection, wanted: Mapping[str, Alert]) -> set[str]:
    if not wanted:
        return set()
    statement = insert(connection, alert).on_conflict_do_nothing(index_elements=[alert.c.id]).returning(alert.c.id)
    rows = [asdict(wanted[alert_id]) for alert_id in sorted(wanted)]
    return set(connection.execute(statement, rows).scalars())


def _same_lines(connection: sa.Connection, mine: Sequence[Event]) -> bool:
    """Whether the diary holds these lines already; only the clock may differ."""
    if not mine:
        return False
    stored = {event.seq: event for event in events(connection, mine[0].alert_id)}
    return all(
        event.seq in stored
        and (stored[event.seq].transition, stored[event.seq].window_start, stored[event.seq].actor)
        == (event.transition, event.window_start, event.actor)
        for event in mine
    )


def _owed(message: Any) -> dict[str, Any]:
    given = asdict(message) if is_dataclass(message) and not isinstance(message, type) else dict(message)
    created = given["created_at"]
    fresh = {"state": "pending", "attempts": 0, "next_attempt_at": created, "last_error": None, "sent_at": None}
    names = ("id", "monitor", "window_start", "route", "title", "body", "payload", "created_at")
    return {name: given[name] for name in names} | fresh


def claim(connection: sa.Connection, now: datetime, limit: int, lease: timedelta = LEASE) -> Sequence[sa.Row[Any]]:
    """Take the notifications that are due, oldest first, so that no other sender takes them while the lease runs."""
    due = (notification.c.state == "pending") & (notification.c.next_attempt_at <= now)
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
        .values(next_attempt_at=now + lease, attempts=notification.c.attempts + 1)
        .returning(notification)
    )
    found = connection.execute(statement).all() if taken else []
    return sorted(found, key=lambda row: (row.created_at, row.id))


def mark(connection: sa.Connection, notification_id: str, **values: Any) -> None:
    """Change a notification that is still pending; what is sent or dead stays so."""
    pending = (notification.c.id == notification_id) & (notification.c.state == "pending")
    connection.execute(sa.update(notification).where(pending).values(**values))


def counts(connection: sa.Connection) -> dict[str, int]:
    """Return the number of notifications in each state."""
    query = sa.select(notification.c.state, sa.func.count()).group_by(notification.c.state)
    return {"pending": 0, "sent": 0, "dead": 0} | {row[0]: row[1] for row in connection.execute(query)}
