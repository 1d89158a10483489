"""Incidents: the alerts that began together, with what else is stored of that time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.alerts import incidents
from drift.alerts.circumstances import unsaid
from drift.config.reference import calendar_of
from drift.store.alerts import found_alerts
from drift.store.circumstances import circumstances_of
from drift.store.engine import Part, reads
from drift.store.runs import newest_configs
from drift.store.schema import alert, alert_event, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.alerts.incidents import Incident
    from drift.windows import Calendar

NOTICED = timedelta(days=28)
"""What began is noticed within this time."""

_SAID_BY = {"volume": "rows", "rows": "rows", "schema": "schema", "run": "failed", "gate": "rejected"}
"""The kind of event that an alert of such a key says itself."""


class Incidents(Part):
    """The part of the store that puts alerts together."""

    __slots__ = ()

    @reads
    def incidents(
        self, connection: sa.Connection, ids: Collection[str], changed: Iterable[Alert] = ()
    ) -> list[Incident]:
        """Return incidents by their ids, the oldest first, where alerts are about to be `changed` as they are then."""
        mine = alert.c.incident.in_(sorted(ids)) | alert.c.notified_as.in_(sorted(ids))
        members = {one.id: one for one in found_alerts(connection, mine)}
        members |= {one.id: one for one in changed if {one.incident, one.known_as} & set(ids)}
        return incidents.known(members.values())

    @reads
    def incident(self, connection: sa.Connection, alert_id: str) -> Incident | None:
        """Return the incident that an alert is part of, or that people know by its id; None where there is none."""
        about = sa.or_(alert.c.id == alert_id, alert.c.incident == alert_id, alert.c.notified_as == alert_id)
        mine = alert.c.incident.in_(sa.select(alert.c.incident).where(about))
        found = {one.id: one for one in incidents.known(found_alerts(connection, mine))}
        return found.get(alert_id) or next(iter(found.values()), None)

    @reads
    def around(self, connection: sa.Connection, incident: Incident) -> Incident:
        """Return an incident with what else happened then, to its monitor and to those that share a source."""
        configs = {row["monitor"]: row["config"] for row in newest_configs(connection)}
        if incident.monitor not in configs:
            return incident
        calendar = calendar_of(configs[incident.monitor])
        since, until = incident.about(calendar)
        said = {_SAID_BY.get(each.key.partition(":")[0]) for each in incident.alerts}
        # What was released in the evening shows the next day.
        before = calendar.previous(calendar.containing(since)).start
        events = circumstances_of(connection, incident.monitor, before, until)
        mine = alert_event.c.alert_id.in_([each.id for each in incident.alerts])
        reasons = {each.reason for each in incident.alerts}
        reasons |= {*connection.execute(sa.select(alert_event.c.reason).where(mine)).scalars()}
        sources = {name: _assets(connection, name, before, until) | _place(config) for name, config in configs.items()}
        beside = {
            name: calendar_of(config)
            for name, config in sorted(configs.items())
            if name != incident.monitor and sources[name] & sources[incident.monitor]
        }
        return replace(
            incident,
            events=tuple(event for event in unsaid(events, reasons) if event.kind not in said),
            elsewhere=tuple(_elsewhere(connection, beside, since, until)),
            ends={} if incident.live else _ends(connection, incident),
        )


def _ends(connection: sa.Connection, incident: Incident) -> dict[str, str]:
    """Return why each alert of an incident is over, as its timeline says."""
    mine = alert_event.c.alert_id.in_([each.id for each in incident.alerts]) & (alert_event.c.transition == "resolved")
    query = sa.select(alert_event.c.alert_id, alert_event.c.reason).where(mine).order_by(alert_event.c.seq)
    return {row.alert_id: row.reason for row in connection.execute(query)}


def _elsewhere(
    connection: sa.Connection, monitors: Mapping[str, Calendar], since: datetime, until: datetime
) -> Iterable[str]:
    """Say which incidents of other monitors began in the same time, the oldest first."""
    for monitor, calendar in monitors.items():
        first, last = calendar.containing(since).start, until + NOTICED
        then = (alert.c.monitor == monitor) & alert.c.opened_window.between(first, last)
        for each in incidents.known(found_alerts(connection, then)):
            first, last = each.onset.earliest, calendar.containing(each.onset.latest).end
            if first < until and since < last:
                yield f"{monitor}: {each.words(calendar)}"


def _assets(connection: sa.Connection, monitor: str, since: datetime, until: datetime) -> set[str]:
    """Return the assets, as Airflow names them, whose updates triggered the runs of a monitor in a time."""
    then = (run.c.monitor == monitor) & (run.c.window_start >= since) & (run.c.window_start < until)
    updates = connection.execute(sa.select(run.c.upstream).where(then, run.c.upstream.is_not(None))).scalars()
    return {f"asset {each['asset']}" for some in updates for each in some}


def _place(config: Mapping[str, Any]) -> set[str]:
    """Return where a monitor's rows lie: its connection, or the folder that holds the folder of its files."""
    source = config.get("source", {})
    if source.get("connection") or not source.get("files"):
        return {f"connection {source['connection']}"} if source.get("connection") else set()
    fixed = PurePosixPath(source["files"].partition("*")[0].partition("{")[0] + "_").parent
    return {f"{fixed.parent if fixed.parent.name else fixed}/"}
