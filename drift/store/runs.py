"""Runs: which monitor ran with which configuration, for which window, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.store.engine import Part, reads, rows_of, upsert, writes
from drift.store.schema import monitor_version, report, run
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from drift.store.rows import Row


class Runs(Part):
    """The part of the store that knows monitors and their runs."""

    __slots__ = ()

    @writes
    def save_monitor(
        self, connection: sa.Connection, monitor: str, config_hash: str, config: Mapping[str, Any], now: datetime
    ) -> None:
        """Record the configuration that a monitor runs with."""
        known = sa.select(monitor_version.c.config_hash, monitor_version.c.activation)
        newest = known.where(monitor_version.c.monitor == monitor).order_by(*_LAST_WRITTEN).limit(1)
        last = connection.execute(newest).first()
        if last is None or last.config_hash != config_hash:
            row: Row = {"monitor": monitor, "config_hash": config_hash, "config": dict(config)}
            row |= {"first_seen_at": now, "activated_at": now, "activation": last.activation + 1 if last else 1}
            upsert(connection, monitor_version, [row], keep={"first_seen_at"})

    @reads
    def has_run(self, connection: sa.Connection, monitor: str, config_hash: str) -> bool:
        """Return whether a run with this configuration ever succeeded."""
        mine = (run.c.monitor == monitor) & (run.c.config_hash == config_hash)
        ended = run.c.error.is_(None) & (run.c.status != "running")
        return connection.execute(sa.select(sa.exists().where(mine, ended))).scalar_one()

    @reads
    def monitors(self, connection: sa.Connection) -> list[Row]:
        """Return the monitors by name, each with the configuration it ran with last."""
        return newest_configs(connection)

    @writes
    def save_run_started(
        self,
        connection: sa.Connection,
        monitor: str,
        window: Window,
        config_hash: str,
        now: datetime,
        *,
        url: str = "",
        process: str = "",
        upstream: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Record that a run for a window has begun; an earlier run's end is forgotten.

        `upstream` names the ``asset``, ``dag`` and ``run`` of each update that triggered it.
        """
        row = {
            "monitor": monitor,
            "window_start": window.start,
            "window_end": window.end,
            "config_hash": config_hash,
            "status": "running",
            "started_at": now,
            "finished_at": None,
            "error": None,
            "url": url or None,
            "process": process or None,
            "upstream": [dict(each) for each in upstream] or None,
        }
        upsert(connection, run, [row])

    @writes
    def save_run_finished(
        self,
        connection: sa.Connection,
        monitor: str,
        window: Window,
        status: str,
        now: datetime,
        *,
        reference: str | None = None,
        error: str | None = None,
    ) -> None:
        """Record how a run for a window ended."""
        row = {
            "monitor": monitor,
            "window_start": window.start,
            "window_end": window.end,
            "reference": reference,
            "status": status,
            "finished_at": now,
            "error": error,
            "process": None,
        }
        upsert(connection, run, [row])

    @reads
    def latest_runs(self, connection: sa.Connection, *, over_at: datetime) -> list[Row]:
        """Return the run of the newest window of each monitor, of those that are over."""
        newest = sa.select(run.c.monitor, sa.func.max(run.c.window_start).label("newest"))
        one = newest.where(run.c.window_end <= over_at).group_by(run.c.monitor).subquery()
        mine = (run.c.monitor == one.c.monitor) & (run.c.window_start == one.c.newest)
        return rows_of(connection, sa.select(run).join(one, mine).order_by(run.c.monitor))

    @reads
    def runs(
        self, connection: sa.Connection, monitor: str, limit: int = 100, *, over_at: datetime | None = None
    ) -> list[Row]:
        """Return the runs of the newest windows of a monitor, newest first; of those that are over then, if given."""
        mine = run.c.monitor == monitor
        if over_at is not None:
            mine &= run.c.window_end <= over_at
        return rows_of(connection, sa.select(run).where(mine).order_by(run.c.window_start.desc()).limit(limit))

    @reads
    def running(self, connection: sa.Connection, monitor: str) -> list[Row]:
        """Return the runs of a monitor that have not said how they ended, oldest window first."""
        mine = (run.c.monitor == monitor) & (run.c.status == "running")
        return rows_of(connection, sa.select(run).where(mine).order_by(run.c.window_start))

    @reads
    def unfinished(self, connection: sa.Connection, now: datetime) -> list[tuple[str, Window]]:
        """Return the windows with a run or a report that are not over, by monitor and time."""
        tables = [
            sa.select(table.c.monitor, table.c.window_start, table.c.window_end).where(table.c.window_end > now)
            for table in (run, report)
        ]
        found = connection.execute(sa.union(*tables))
        return sorted((row.monitor, Window(row.window_start, row.window_end)) for row in found)

    @reads
    def run_of(self, connection: sa.Connection, monitor: str, window: Window) -> Row | None:
        """Return the run of one window of a monitor; None where there was none."""
        query = sa.select(run).where(run.c.monitor == monitor, run.c.window_start == window.start)
        return next(iter(rows_of(connection, query)), None)

    @reads
    def run_results(self, connection: sa.Connection, monitor: str, since: datetime) -> list[tuple[Window, str | None]]:
        """Return how the runs ended for the windows that start from `since` on, oldest first: their errors, or None."""
        ended = (run.c.monitor == monitor) & (run.c.window_start >= since) & (run.c.status != "running")
        query = sa.select(run.c.window_start, run.c.window_end, run.c.error).where(ended).order_by(run.c.window_start)
        return [(Window(row.window_start, row.window_end), row.error) for row in connection.execute(query)]


# Of two written at once the hash decides: every reader then finds the same one.
_LAST_WRITTEN = (monitor_version.c.activation.desc(), monitor_version.c.config_hash)


def newest_configs(connection: sa.Connection) -> list[Row]:
    """Return the monitors by name, in a transaction of the caller's (`Runs.monitors`)."""
    newest: dict[str, Row] = {}
    for row in rows_of(connection, sa.select(monitor_version).order_by(monitor_version.c.monitor, *_LAST_WRITTEN)):
        newest.setdefault(row["monitor"], row)
    return list(newest.values())
