"""Alerts, their timelines and silences; notifications are written with the change they are about."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.alerts.alerts import Alert, AlertEvent
from drift.alerts.silences import Silence
from drift.detection.localise import Where
from drift.detection.onset import Onset
from drift.errors import StoreConflict, StoreError
from drift.store.engine import Part, insert, insert_missing, reads, writes
from drift.store.outbox import add_notifications
from drift.store.schema import NEVER, alert, alert_event, silence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime


class Alerts(Part):
    """The part of the store that knows alerts, their timelines and silences."""

    __slots__ = ()

    @reads
    def alerts(
        self, connection: sa.Connection, monitor: str | None = None, states: Collection[str] | None = None
    ) -> list[Alert]:
        """Return alerts, the newest opening first, of one monitor and in some states only where given."""
        return _alerts(connection, monitor, states)

    @reads
    def alerts_in_play(
        self, connection: sa.Connection, monitor: str, since: datetime | None = None, keys: Collection[str] = ()
    ) -> list[Alert]:
        """Return all alerts of those keys of a monitor that the next step may be about, the newest opening first.

        A key is in play if it is named, or has an alert that is open, that people do not know to be over, or whose last
        window starts at `since` or later. Its older alerts come with it: whether something flaps depends on them.
        """
        asked = {"monitor": monitor, "since": since or NEVER, "keys": sorted(keys)}
        return [alert_from(row) for row in connection.execute(_IN_PLAY, asked).mappings()]

    @reads
    def alerts_beginning(self, connection: sa.Connection, prefix: str) -> list[Alert]:
        """Return the alerts whose id begins so, two at most: one is the one that is meant, more are too many."""
        mine = alert.c.id.startswith(prefix, autoescape=True)
        return _found(connection, _ALERTS.where(mine).order_by(alert.c.id).limit(2))

    @reads
    def alert_events(self, connection: sa.Connection, alert_id: str) -> list[AlertEvent]:
        """Return the timeline of an alert, in order."""
        return _events(connection, alert_id)

    @reads
    def timelines(
        self,
        connection: sa.Connection,
        monitor: str,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[tuple[Alert, list[AlertEvent]]]:
        """Return the alerts of a monitor, each with the events whose windows start in ``[since, until)``.

        A line of no window, such as a person's, counts by its time. Alerts without any such line are left out.
        """
        when = sa.func.coalesce(alert_event.c.window_start, alert_event.c.at)
        query = sa.select(alert_event).join(alert).where(alert.c.monitor == monitor)
        if since is not None:
            query = query.where(when >= since)
        if until is not None:
            query = query.where(when < until)
        lines: dict[str, list[AlertEvent]] = {}
        for row in connection.execute(query.order_by(alert_event.c.alert_id, alert_event.c.seq)).mappings():
            lines.setdefault(row["alert_id"], []).append(AlertEvent(**row))
        return [(one, lines[one.id]) for one in _alerts(connection, monitor) if one.id in lines]

    @writes
    def save_alerts(
        self,
        connection: sa.Connection,
        changed: Iterable[Alert],
        events: Iterable[AlertEvent],
        notifications: Iterable[Any] = (),
    ) -> None:
        """Write changed alerts, their new events and the notifications, together or not at all.

        The timeline is the guard: an alert is changed only where it is at the event its writer had read. Where
        the same lines are there already (a repeated run, a concurrent one that said the same), nothing changes.
        If somebody else changed one of the alerts in between, nothing is written and a `StoreConflict` says so.
        """
        save_alerts(connection, changed, events, notifications)

    @reads
    def silences(self, connection: sa.Connection, monitor: str | None = None) -> list[Silence]:
        """Return the silences, over or not, the newest first."""
        query = sa.select(silence).order_by(silence.c.created_at.desc(), silence.c.id)
        if monitor is not None:
            query = query.where(silence.c.monitor == monitor)
        return [Silence(**row) for row in connection.execute(query).mappings()]

    @writes
    def save_silence(self, connection: sa.Connection, one: Silence) -> None:
        """Write a silence, or the end of one: the first end that was written stays, and so does all the rest.

        A `StoreConflict` says that somebody else ended it before.
        """
        insert_missing(connection, silence, [asdict(one)])
        if one.ended_at is None:
            return
        ends = {name: getattr(one, name) for name in ("ended_at", "ended_by", "ended_reason")}
        open_ = (silence.c.id == one.id) & silence.c.ended_at.is_(None)
        connection.execute(sa.update(silence).where(open_).values(**ends))
        known = connection.execute(sa.select(silence).where(silence.c.id == one.id)).mappings().one()
        if known["ended_at"] != one.ended_at:
            raise StoreConflict(f"silence {one.id} was ended by {known['ended_by']} before")


def save_alerts(
    connection: sa.Connection, changed: Iterable[Alert], events: Iterable[AlertEvent], notifications: Iterable[Any] = ()
) -> None:
    """Write alerts, their events and notifications, in a transaction of the caller's (`Alerts.save_alerts`)."""
    wanted = {one.id: one for one in changed}
    lines: dict[str, list[AlertEvent]] = {}
    for event in events:
        lines.setdefault(event.alert_id, []).append(event)
    if strangers := lines.keys() - wanted.keys():
        raise StoreError(f"events of alert {min(strangers)} were to be written without the alert itself")
    new = _insert_new(connection, wanted)
    others = _ALERTS.where(alert.c.id.in_(wanted.keys() - new)).order_by(alert.c.id).with_for_update()
    known = {one.id: one for one in _found(connection, others)}
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
        connection.execute(sa.update(alert).where(alert.c.id == alert_id).values(**_row(after)))
    insert_missing(connection, alert_event, [asdict(event) for mine in lines.values() for event in mine])
    add_notifications(connection, notifications)


def _alerts(
    connection: sa.Connection, monitor: str | None = None, states: Collection[str] | None = None
) -> list[Alert]:
    query = _ALERTS.order_by(*_NEWEST)
    if monitor is not None:
        query = query.where(alert.c.monitor == monitor)
    if states is not None:
        query = query.where(alert.c.state.in_(states))
    return _found(connection, query)


_DATED = ("onset", "began")
_PLAIN = [field.name for field in fields(Alert) if field.name not in {*_DATED, "where"}]
_ALERTS = sa.select(*(alert.c[name] for name in (*_PLAIN, *_DATED, "slices")))
_NEWEST = (alert.c.opened_window.desc(), alert.c.key, alert.c.id)
_MINE = alert.c.monitor == sa.bindparam("monitor")
_PLAYING = sa.select(alert.c.key).where(
    _MINE,
    (alert.c.state != "resolved")
    | (alert.c.notified != "none")  # open to people
    | (alert.c.last_window >= sa.bindparam("since")),
)
_IN_PLAY = _ALERTS.where(
    _MINE, alert.c.key.in_(_PLAYING) | alert.c.key.in_(sa.bindparam("keys", expanding=True))
).order_by(*_NEWEST)


def found_alerts(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Alert]:
    """Return the alerts of which something holds, in a transaction of the caller's."""
    return _found(connection, _ALERTS.where(which).order_by(*_NEWEST))


def _found(connection: sa.Connection, query: sa.Select[Any]) -> list[Alert]:
    return [alert_from(row) for row in connection.execute(query).mappings()]


def alert_from(row: Mapping[str, Any] | sa.RowMapping) -> Alert:
    """Read back an alert from its row."""
    onset, began = (row[name] and Onset.from_dict(row[name]) for name in _DATED)
    where = row["slices"] and Where.of(row["slices"])
    return Alert(**{name: row[name] for name in _PLAIN}, onset=onset, began=began, where=where)


def _row(one: Alert) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(one).items() if name in _PLAIN}
    dated = {name: found and found.to_dict() for name, found in (("onset", one.onset), ("began", one.began))}
    return {**plain, **dated, "slices": one.where and one.where.to_dict()["slices"]}


def _events(connection: sa.Connection, alert_id: str) -> list[AlertEvent]:
    query = sa.select(alert_event).where(alert_event.c.alert_id == alert_id).order_by(alert_event.c.seq)
    return [AlertEvent(**row) for row in connection.execute(query).mappings()]


def _insert_new(connection: sa.Connection, wanted: Mapping[str, Alert]) -> set[str]:
    if not wanted:
        return set()
    new = insert(connection.dialect.name, alert).on_conflict_do_nothing(index_elements=[alert.c.id])
    rows = [_row(wanted[alert_id]) for alert_id in sorted(wanted)]
    return set(connection.execute(new.returning(alert.c.id), rows).scalars())


def _same_lines(connection: sa.Connection, mine: Sequence[AlertEvent]) -> bool:
    """Whether the timeline holds these events already, suppressed or not as these are; only the clock may differ."""
    if not mine:
        return False
    stored = {event.seq: _said(event) for event in _events(connection, mine[0].alert_id)}
    return all(stored.get(event.seq) == _said(event) for event in mine)


def _said(event: AlertEvent) -> tuple[object, ...]:
    return event.transition, event.window_start, event.actor, not event.suppressed_by
