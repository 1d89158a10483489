"""Marks, and what else is stored of what happened to a monitor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.alerts.circumstances import Event, Fit, Passed, circumstances
from drift.alerts.marks import Mark
from drift.config.reference import calendar_of
from drift.detection.findings import Finding
from drift.store.engine import Part, insert_missing, reads, writes
from drift.store.schema import WHOLE, baseline, gate, mark, monitor_version, report, run, validation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Circumstances(Part):
    """The part of the store that knows marks, and what happened around a time."""

    __slots__ = ()

    @writes
    def save_marks(self, connection: sa.Connection, marks: Iterable[Mark]) -> None:
        """Write marks; one that is there already stays as it is."""
        insert_missing(connection, mark, [asdict(one) for one in marks])

    @writes
    def delete_mark(self, connection: sa.Connection, mark_id: str) -> bool:
        """Delete a mark; return whether it was there."""
        return bool(connection.execute(sa.delete(mark).where(mark.c.id == mark_id)).rowcount)

    @reads
    def marks(
        self,
        connection: sa.Connection,
        monitor: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Mark]:
        """Return the marks of ``[since, until)``, oldest first: all, or those of a monitor and of all monitors."""
        return _marks(connection, monitor, since, until)

    @reads
    def circumstances(self, connection: sa.Connection, monitor: str, since: datetime, until: datetime) -> list[Event]:
        """Return what happened to a monitor in the windows that start in ``[since, until)``, oldest first, and marks.

        `drift.alerts.circumstances` says what counts. Empty for a monitor that has never run.
        """
        return circumstances_of(connection, monitor, since, until)


def circumstances_of(connection: sa.Connection, monitor: str, since: datetime, until: datetime) -> list[Event]:
    """Return what happened to a monitor, in a transaction of the caller's (`Circumstances.circumstances`)."""
    versions = connection.execute(sa.select(monitor_version).where(monitor_version.c.monitor == monitor))
    rows = sorted(versions.mappings(), key=lambda row: row["activation"])
    if not rows:
        return []
    before = sa.select(sa.func.max(run.c.started_at)).where(run.c.monitor == monitor, run.c.window_start < since)
    return circumstances(
        _passed(connection, monitor, since, until),
        calendar=calendar_of(rows[-1]["config"]),
        marks=_marks(connection, monitor, since, until),
        baselines=_fits(connection, monitor),
        configs={row["config_hash"]: row["config"] for row in rows},
        ran=connection.execute(before).scalar(),
    )


def _marks(
    connection: sa.Connection, monitor: str | None, since: datetime | None, until: datetime | None
) -> list[Mark]:
    query = sa.select(mark).order_by(mark.c.at, mark.c.monitor, mark.c.text)
    if monitor is not None:
        query = query.where((mark.c.monitor == monitor) | mark.c.monitor.is_(None))
    if since is not None:
        query = query.where(mark.c.at >= since)
    if until is not None:
        query = query.where(mark.c.at < until)
    return [Mark(**row) for row in connection.execute(query).mappings()]


def _passed(connection: sa.Connection, monitor: str, since: datetime, until: datetime) -> list[Passed]:
    """Return what is stored of the windows of a time, and of the newest one before, in order."""

    def rows(table: sa.Table, *names: str, where: sa.ColumnElement[bool] | None = None) -> list[sa.RowMapping]:
        start, mine = table.c.window_start, sa.true() if where is None else where
        mine = (table.c.monitor == monitor) & mine
        first = sa.select(sa.func.max(start)).where(mine, start < since).scalar_subquery()
        asked = sa.select(start, *(table.c[name] for name in names))
        asked = asked.where(mine, start >= sa.func.coalesce(first, since), start < until)
        return list(connection.execute(asked.order_by(start)).mappings())

    found: dict[datetime, dict[str, Any]] = {}
    for row in rows(run, "started_at", "config_hash", "error", "url", "upstream"):
        found.setdefault(row["window_start"], {}).update(row)
    for row in rows(report, "findings", where=report.c.segment == WHOLE):
        findings = [Finding.from_dict(each) for each in row["findings"]]
        found.setdefault(row["window_start"], {})["findings"] = findings
    for row in rows(gate, "decision"):
        found.setdefault(row["window_start"], {})["gate"] = row["decision"]
    failed = (validation.c.window_start.in_(sorted(found))) & ~validation.c.success & (validation.c.monitor == monitor)
    query = sa.select(validation.c.window_start, validation.c.key, validation.c.message).where(failed)
    for start, key, message in connection.execute(query.order_by(validation.c.key)):
        found[start].setdefault("failures", {})[key] = message
    return [
        Passed(start, **{name: value for name, value in known.items() if name != "window_start"})
        for start, known in sorted(found.items())
    ]


def _fits(connection: sa.Connection, monitor: str) -> list[Fit]:
    """Return the versions of a monitor's baseline after the first, oldest first."""
    about = (baseline.c.version, baseline.c.created_at, baseline.c.created_by, baseline.c.reason)
    columns = (*about, baseline.c.fitted_from, baseline.c.fitted_to)
    query = (
        sa.select(*columns, sa.func.count())
        .where(baseline.c.monitor == monitor, baseline.c.segment == WHOLE, baseline.c.version > 1)
        .group_by(*columns)
        .order_by(baseline.c.created_at)
    )
    return [Fit(*row) for row in connection.execute(query)]
