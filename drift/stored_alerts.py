"""Alerts, their diaries and what people muted, as rows.

Functions over an open connection; `drift.store.Store` opens the transactions, in which the notifications owed for a
change of an alert are written with it (`drift.outbox`).
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import sqlalchemy as sa

from drift.alerts import Alert, Event
from drift.database import insert, insert_missing
from drift.errors import StoreConflict, StoreError
from drift.silences import Silence
from drift.tables import alert, alert_event, silence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


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


def save(connection: sa.Connection, changed: Iterable[Alert], diary: Iterable[Event]) -> None:
    """Write changed alerts and the new lines of their diaries.

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


def _insert_new(connection: sa.Connection, wanted: Mapping[str, Alert]) -> set[str]:
    if not wanted:
        return set()
    new = insert(connection.dialect.name, alert).on_conflict_do_nothing(index_elements=[alert.c.id])
    rows = [asdict(wanted[alert_id]) for alert_id in sorted(wanted)]
    return set(connection.execute(new.returning(alert.c.id), rows).scalars())


def _same_lines(connection: sa.Connection, mine: Sequence[Event]) -> bool:
    """Whether the diary holds these lines already, told or not as these are; only the clock may differ."""
    if not mine:
        return False
    stored = {event.seq: _said(event) for event in events(connection, mine[0].alert_id)}
    return all(stored.get(event.seq) == _said(event) for event in mine)


def _said(event: Event) -> tuple[object, ...]:
    return event.transition, event.window_start, event.actor, not event.untold


def silences(connection: sa.Connection, monitor: str | None) -> list[Silence]:
    """Return what people muted, over or not, the newest first."""
    query = sa.select(silence).order_by(silence.c.created_at.desc(), silence.c.id)
    if monitor is not None:
        query = query.where(silence.c.monitor == monitor)
    return [Silence(**row) for row in connection.execute(query).mappings()]


def save_silence(connection: sa.Connection, one: Silence) -> None:
    """Write a silence, or the end of one: the first end that was written stays, and so does all the rest.

    Raises
    ------
    StoreConflict
        If somebody else ended it before.
    """
    insert_missing(connection, silence, [asdict(one)])
    if one.ended_at is None:
        return
    ends = {name: getattr(one, name) for name in ("ended_at", "ended_by", "ended_why")}
    open_ = (silence.c.id == one.id) & silence.c.ended_at.is_(None)
    connection.execute(sa.update(silence).where(open_).values(**ends))
    known = connection.execute(sa.select(silence).where(silence.c.id == one.id)).mappings().one()
    if known["ended_at"] != one.ended_at:
        raise StoreConflict(f"silence {one.id} was ended by {known['ended_by']} before")
