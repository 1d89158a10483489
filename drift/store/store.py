"""The store: what the stages of a run write, and what later stages and readers ask for.

Each stage writes in one transaction, by natural keys. A stage that is repeated, retried, run twice at once or run late
ends in the same rows as one undisturbed run; only the times of a `run` tell the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from drift.errors import StoreError
from drift.store import alerts as alert_rows
from drift.store import engine as database
from drift.store import migrations, outbox, profiles, schema
from drift.store import reports as report_rows
from drift.store.engine import upsert
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert, Event
    from drift.alerts.silences import Silence
    from drift.detection.reports import Gate, Report
    from drift.detection.scores import Past
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.store.outbox import Waiting
    from drift.store.profiles import Head
    from drift.store.rows import Row


_BY_WINDOW = ("histogram", "profile", "validation", "gate", "score", "report", "run")


@database.patient
@dataclass(frozen=True, slots=True)
class Store:
    """The results database, open.

    A method is one transaction; where the database went away it is tried again for `database.OUTAGE_SECONDS`.

    Parameters
    ----------
    engine
        From `Store.open`, which checks that the tables are the ones this version works with.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Store.open(f"sqlite:///{folder.name}/drift.db", create=True) as store:
    ...     store.save_monitor("flights", "c0ffee", {"name": "flights"}, datetime(2013, 1, 1, tzinfo=UTC))
    ...     [monitor["monitor"] for monitor in store.monitors()]
    ['flights']
    >>> folder.cleanup()
    """

    engine: sa.Engine

    @classmethod
    def open(cls, url: str, *, create: bool = False, patience: float = 0.0) -> Store:
        """Open a results database.

        Parameters
        ----------
        url
            ``sqlite:///path/to/drift.db`` or ``postgresql://user:password@host/database``.
        create
            Create it, or bring it up to this version, where needed.
        patience
            Seconds to wait for a database that does not answer. None by default: a URL that never worked may be wrong.

        Raises
        ------
        SchemaOutdated
            If its tables are missing or of another version; the message says what to run.
        StoreError
            If it does not answer, or is none.
        """
        parsed = database.normalise(url)
        if create:
            migrations.upgrade(parsed)
        elif not database.is_there(parsed):
            migrations.compare(None, parsed)
        store = cls(database.make_engine(parsed))
        try:
            migrations.compare(database.patiently(store._revision, patience), parsed)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        return database.hidden(self.engine.url)

    # -- monitors and baselines ---------------------------------------------------------------------------------------

    def save_monitor(self, monitor: str, config_hash: str, config: Mapping[str, Any], now: datetime) -> None:
        """Record the configuration a monitor runs with."""
        table = schema.monitor_version
        newest = (
            sa.select(table.c.config_hash)
            .where(table.c.monitor == monitor)
            .order_by(table.c.activated_at.desc(), table.c.first_seen_at.desc())
            .limit(1)
        )
        row: Row = {"monitor": monitor, "config_hash": config_hash, "config": dict(config)}
        with database.writing(self.engine) as connection:
            if connection.execute(newest).scalar() != config_hash:
                row |= {"first_seen_at": now, "activated_at": now}
                upsert(connection, table, [row], keep={"first_seen_at"})

    def monitors(self) -> list[Row]:
        """Return the monitors by name, each with the configuration it ran with last."""
        table = schema.monitor_version
        query = sa.select(table).order_by(table.c.monitor, table.c.activated_at, table.c.first_seen_at)
        return list({row["monitor"]: row for row in self._rows(query)}.values())

    def active_baseline(self, monitor: str) -> dict[str, Binning]:
        """Return the binnings in force: of each feature the highest version."""
        with database.reading(self.engine) as connection:
            return profiles.active(connection, monitor)

    def baselines(self, monitor: str) -> dict[str, Row]:
        """Return of each feature the version in force: its fingerprint, what it was fitted on, by whom and why."""
        with database.reading(self.engine) as connection:
            return profiles.active_rows(connection, monitor)

    def segmentations(self, monitor: str) -> dict[str, Binning]:
        """Return the ways in force to cut a window into segments, by what they are stored under."""
        with database.reading(self.engine) as connection:
            return profiles.active(connection, monitor, schema.CUTS)

    def baseline_rows(self, monitor: str) -> list[Row]:
        """Return every version of every feature's binning, with who fitted it, when, on what and why."""
        table, specs = schema.baseline, schema.binning
        query = (
            sa.select(table, specs.c.kind, specs.c.spec)
            .join(specs)
            .where(table.c.monitor == monitor, table.c.segment == schema.WHOLE)
            .order_by(table.c.feature, table.c.version)
        )
        return self._rows(query)

    def save_baseline(  # noqa: PLR0913 - what an audit asks for, each by name
        self,
        monitor: str,
        binnings: Mapping[str, Binning],
        segmentations: Mapping[str, Binning] | None = None,
        *,
        types: Mapping[str, str],
        fitted_from: datetime,
        fitted_to: datetime,
        n_rows: int,
        now: datetime,
        by: str,
        reason: str,
        new: bool = False,
    ) -> dict[str, Binning]:
        """Freeze binnings, and return those in force afterwards.

        The first one wins: of two runs that fit at the same time both end with the same binnings.

        Parameters
        ----------
        monitor
        binnings
            One a feature.
        segmentations
            Ways to cut a window into segments, as binnings of the segments' names; see `drift.profiles.segments`.
        types
            Arrow type of each column, as text.
        fitted_from, fitted_to, n_rows
            What they were fitted on.
        now, by, reason
            For the record.
        new
            Make a new version of those features whose binning, or what it was fitted on, differs from the one in force.
            Otherwise only features without a binning get one.
        """
        record = {
            "fitted_from": fitted_from,
            "fitted_to": fitted_to,
            "n_rows": n_rows,
            "created_at": now,
            "created_by": by,
            "reason": reason,
        }
        with database.writing(self.engine) as connection:
            profiles.save_baseline(connection, monitor, binnings, types, record, new=new)
            if segmentations:
                profiles.save_baseline(connection, monitor, segmentations, {}, record, new=new, segment=schema.CUTS)
            return profiles.active(connection, monitor)

    # -- the gate -----------------------------------------------------------------------------------------------------

    def save_gate(
        self, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """Record what the gate decided on a window, and what each expectation observed; a stored profile follows."""
        with database.writing(self.engine) as connection:
            profiles.save_gate(connection, monitor, window, decision, outcomes, now)

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """Return what the gate decided, by the window's start; windows it never saw are left out."""
        with database.reading(self.engine) as connection:
            return profiles.gates(connection, monitor, windows)

    def validations(self, monitor: str, window: Window) -> list[Row]:
        """Return what each expectation observed in a window, failures first."""
        table = schema.validation
        mine = database.matches(table, {"monitor": monitor, "window_start": window.start})
        return self._rows(sa.select(table).where(mine).order_by(table.c.success, table.c.key))

    # -- profiles -----------------------------------------------------------------------------------------------------

    def save_profile(
        self,
        monitor: str,
        profile: Profile,
        segmentations: Sequence[Segmentation] = (),
        *,
        gate: Gate,
        binning_key: str,
        now: datetime,
    ) -> bool:
        """Write the counts of a window and of its segments, in place of those it had.

        Returns
        -------
        bool
            False, and nothing is written, where the profile holds no rows and the stored one does: a source that has
            been emptied since does not take away what was counted.

        Raises
        ------
        StoreError
            If the profile has no window.
        """
        window = _window(profile.window, f"a profile of {monitor}")
        with database.writing(self.engine) as connection:
            return profiles.save_profile(
                connection, monitor, profile, window, segmentations, gate=gate, binning_key=binning_key, now=now
            )

    def heads(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
        """Return what is known of the counted ones among some windows without their counts, by their start."""
        with database.reading(self.engine) as connection:
            return profiles.heads(connection, monitor, windows)

    def profiled(self, monitor: str, windows: Sequence[Window], binning_key: str) -> dict[datetime, Gate]:
        """Return which windows are counted under a set of binnings, by start, each with its gate."""
        with database.reading(self.engine) as connection:
            return profiles.profiled(connection, monitor, windows, binning_key)

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """Return the stored profiles among some windows, oldest first, with the counts under these binnings.

        With segmentations, each holds the profiles of its segments.
        """
        with database.reading(self.engine) as connection:
            return profiles.load_profiles(connection, monitor, windows, binnings, segmentations)

    # -- runs ---------------------------------------------------------------------------------------------------------

    def save_run_started(self, monitor: str, window: Window, config_hash: str, now: datetime, *, url: str = "") -> None:
        """Record that a run for a window has begun; an earlier run's end is forgotten."""
        row = {
            "monitor": monitor,
            "window_start": window.start,
            "window_end": window.end,
            "config_hash": config_hash,
            "status": "running",
            "started_at": now,
            "finished_at": None,
            "timings": None,
            "error": None,
            "url": url or None,
        }
        with database.writing(self.engine) as connection:
            upsert(connection, schema.run, [row])

    def save_run_finished(
        self,
        monitor: str,
        window: Window,
        status: str,
        now: datetime,
        *,
        reference: str | None = None,
        timings: Mapping[str, float] | None = None,
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
            "timings": None if timings is None else dict(timings),
            "error": error,
        }
        with database.writing(self.engine) as connection:
            upsert(connection, schema.run, [row])

    def latest_runs(self) -> list[Row]:
        """Return the run of the newest window of each monitor."""
        table = schema.run
        newest = sa.select(table.c.monitor, sa.func.max(table.c.window_start).label("newest")).group_by(table.c.monitor)
        one = newest.subquery()
        mine = (table.c.monitor == one.c.monitor) & (table.c.window_start == one.c.newest)
        return self._rows(sa.select(table).join(one, mine).order_by(table.c.monitor))

    def runs(self, monitor: str, limit: int = 100) -> list[Row]:
        """Return the runs of the newest windows of a monitor, newest first."""
        table = schema.run
        query = sa.select(table).where(table.c.monitor == monitor).order_by(table.c.window_start.desc()).limit(limit)
        return self._rows(query)

    def run_of(self, monitor: str, window: Window) -> Row | None:
        """Return the run of one window of a monitor; None where there was none."""
        table = schema.run
        query = sa.select(table).where(table.c.monitor == monitor, table.c.window_start == window.start)
        return next(iter(self._rows(query)), None)

    def run_results(self, monitor: str, since: datetime) -> list[tuple[Window, str | None]]:
        """Return how the runs ended for the windows that start from `since` on, oldest first: their errors, or None."""
        table = schema.run
        ended = (table.c.monitor == monitor) & (table.c.window_start >= since) & (table.c.status != "running")
        columns = (table.c.window_start, table.c.window_end, table.c.error)
        rows = self._rows(sa.select(*columns).where(ended).order_by(table.c.window_start))
        return [(Window(row["window_start"], row["window_end"]), row["error"]) for row in rows]

    # -- reports and scores -------------------------------------------------------------------------------------------

    def save_report(self, monitor: str, report: Report, now: datetime) -> None:  # noqa: ARG002 - no time is stored: a repeated report is the same report
        """Write every verdict of a window, in place of those it had.

        Raises
        ------
        StoreError
            If a number is infinite or NaN, or the report has no window; nothing is written then.
        """
        window = _window(report.window, f"a report of {monitor}")
        with database.writing(self.engine) as connection:
            report_rows.save(connection, monitor, report, window)

    def load_report(self, monitor: str, window_start: datetime) -> Report | None:
        """Return the report of the window that starts then, as it was written; None where there is none."""
        return next(iter(self.load_reports(monitor, since=window_start, until=window_start)), None)

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """Return the reports of the windows that start from `since` to `until`, both included, oldest first.

        Evidence comes with the verdicts whose histograms are still stored.
        """
        with database.reading(self.engine) as connection:
            return report_rows.load(connection, monitor, since, until)

    def report_starts(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[datetime]:
        """Return where the windows start of which `load_reports` would return the reports."""
        with database.reading(self.engine) as connection:
            return report_rows.starts(connection, monitor, since, until)

    def reports(self, monitor: str, limit: int = 100) -> list[Row]:
        """Return the heads of the newest reports of a monitor, without their scores, newest first."""
        table = schema.report
        mine = (table.c.monitor == monitor) & (table.c.segment == schema.WHOLE)
        query = sa.select(table).where(mine).order_by(table.c.window_start.desc()).limit(limit)
        return self._rows(query)

    def scores(
        self,
        monitor: str,
        *,
        feature: str | None = None,
        segment: str = schema.WHOLE,
        since: datetime | None = None,
        until: datetime | None = None,
        windows: int | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """Return stored scores, oldest window first, without the arrays.

        Parameters
        ----------
        monitor
        feature
            Only this one.
        segment
            The whole window, or one of its segments.
        since, until
            Only windows that start in ``[since, until)``.
        windows
            Only the newest so many windows.
        limit
            Only the newest so many rows.
        """
        with database.reading(self.engine) as connection:
            return report_rows.scores(
                connection,
                monitor,
                feature=feature,
                segment=segment,
                since=since,
                until=until,
                windows=windows,
                limit=limit,
            )

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = schema.WHOLE
    ) -> dict[str, list[Past]]:
        """Return what each feature scored in the windows before one: the newest `limit` of them, newest last.

        Parameters
        ----------
        monitor, features
        before
            Start of the window that is to be judged.
        limit
            Windows to go back; those in which a feature has no score are left out.
        segment
            The whole window, or one of its segments.
        """
        with database.reading(self.engine) as connection:
            return report_rows.history(connection, monitor, features, before, limit, segment)

    # -- alerts and notifications -------------------------------------------------------------------------------------

    def alerts(self, monitor: str | None = None, states: Collection[str] | None = None) -> list[Alert]:
        """Return alerts, the newest opening first, of one monitor and in some states only where given."""
        with database.reading(self.engine) as connection:
            return alert_rows.alerts(connection, monitor, states)

    def alerts_in_play(self, monitor: str, since: datetime | None = None, keys: Collection[str] = ()) -> list[Alert]:
        """Return all alerts of those keys of a monitor that a run may have to do with, the newest opening first.

        A key is in play if it is among `keys`, or has an alert that is open, that people do not know to be over, or
        whose last window starts at `since` or later.
        """
        with database.reading(self.engine) as connection:
            return alert_rows.in_play(connection, monitor, since, keys)

    def alerts_beginning(self, prefix: str) -> list[Alert]:
        """Return the alerts whose id begins so, two at most."""
        with database.reading(self.engine) as connection:
            return alert_rows.beginning(connection, prefix)

    def alert_events(self, alert_id: str) -> list[Event]:
        """Return the diary of an alert, in order."""
        with database.reading(self.engine) as connection:
            return alert_rows.events(connection, alert_id)

    def diaries(
        self, monitor: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[tuple[Alert, list[Event]]]:
        """Return the alerts of a monitor, each with what its diary says of the windows in ``[since, until)``."""
        with database.reading(self.engine) as connection:
            return alert_rows.diaries(connection, monitor, since, until)

    def save_alerts(self, alerts: Iterable[Alert], events: Iterable[Event], notifications: Iterable[Any] = ()) -> None:
        """Write changed alerts, the new lines of their diaries and the notifications owed, together or not at all.

        Writing the same again changes nothing.

        Raises
        ------
        StoreError
            If somebody else changed one of the alerts in between; nothing is written then.
        """
        with database.writing(self.engine) as connection:
            alert_rows.save(connection, alerts, events)
            outbox.add(connection, notifications)

    def silences(self, monitor: str | None = None) -> list[Silence]:
        """Return what people muted, over or not, the newest first."""
        with database.reading(self.engine) as connection:
            return alert_rows.silences(connection, monitor)

    def save_silence(self, silence: Silence) -> None:
        """Write a silence, or the end of one, which is written once.

        Raises
        ------
        StoreConflict
            If somebody else ended it before.
        """
        with database.writing(self.engine) as connection:
            alert_rows.save_silence(connection, silence)

    def waiting_routes(self, now: datetime) -> list[Waiting]:
        """Return the routes on which something is due, and how their channels have done of late."""
        with database.writing(self.engine) as connection:
            return outbox.waiting(connection, now)

    def due_notifications(self, now: datetime, limit: int = 50, *, route: str | None = None) -> list[sa.Row[Any]]:
        """Take notifications that are due, oldest first; for some minutes no other sender gets them."""
        with database.writing(self.engine) as connection:
            return list(outbox.claim(connection, now, limit, route))

    def mark_sent(self, notification_id: str, now: datetime) -> None:
        """Record that a notification was delivered."""
        with database.writing(self.engine) as connection:
            outbox.mark(connection, notification_id, state="sent", sent_at=now, last_error=None)

    def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record that a notification was not delivered: when to try again, or None to give it up."""
        values: Row = {"last_error": error}
        values |= {"state": "dead"} if next_attempt_at is None else {"next_attempt_at": next_attempt_at}
        with database.writing(self.engine) as connection:
            outbox.mark(connection, notification_id, **values)

    def notifications(self, states: Collection[str], limit: int = 100, offset: int = 0) -> list[Row]:
        """Return notifications in some states, the newest first, without their payload."""
        with database.reading(self.engine) as connection:
            return outbox.rows(connection, states, limit, offset)

    def retry_notifications(self, now: datetime, notification_id: str | None = None) -> int:
        """Have what was given up tried again as if it were new, all of it or one; return how many."""
        with database.writing(self.engine) as connection:
            return outbox.revive(connection, notification_id, now)

    def outbox_counts(self) -> dict[str, int]:
        """Return how many notifications are pending, sent and dead."""
        with database.reading(self.engine) as connection:
            return outbox.counts(connection)

    # -- retention ----------------------------------------------------------------------------------------------------

    def prune(
        self,
        before: datetime,
        *,
        keep: Collection[tuple[str, datetime, datetime]] = (),
        dry_run: bool = False,
    ) -> dict[str, int]:
        """Delete what is known of windows that start before an instant; return how many rows went, by table.

        Baselines, binnings and configurations stay, and so do the counts of the windows that baselines in force stand
        for, alerts that are not resolved and notifications that are still owed.

        Parameters
        ----------
        before
        keep
            Windows that stay all the same: a monitor, and from when to when they start, the end left out.
        dry_run
            Take it all back at the end: the numbers are what would go.
        """
        alert, owed = schema.alert, schema.notification
        with database.writing(self.engine) as connection:
            gone = {}
            spans = {True: profiles.baseline_spans(connection) | {*keep}, False: {*keep}}
            # What hangs on these by a foreign key is counted by itself, so it goes first.
            for table in map(schema.metadata.tables.__getitem__, _BY_WINDOW):
                kept = spans[table.name in {"histogram", "profile", "gate"}]
                gone[table.name] = _forget(connection, table, before, kept)
            ended = sa.select(alert.c.id).where(alert.c.state == "resolved", alert.c.last_window < before)
            events = schema.alert_event
            gone["alert_event"] = connection.execute(sa.delete(events).where(events.c.alert_id.in_(ended))).rowcount
            gone["alert"] = connection.execute(sa.delete(alert).where(alert.c.id.in_(ended))).rowcount
            done = (owed.c.state != "pending") & (owed.c.created_at < before)
            gone["notification"] = connection.execute(sa.delete(owed).where(done)).rowcount
            if dry_run:
                connection.rollback()
        return gone

    def _revision(self) -> str | None:
        with database.reading(self.engine) as connection:
            return migrations.revision_of(connection)

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with database.reading(self.engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _forget(
    connection: sa.Connection, table: sa.Table, before: datetime, kept: Collection[tuple[str, datetime, datetime]]
) -> int:
    """Delete the rows of old windows, but for those of some spans; return how many."""
    old = table.c.window_start < before
    # A monitor at a time: a condition over hundreds of them is deeper than SQLite reads.
    spans: dict[str, list[sa.ColumnElement[bool]]] = {
        monitor: [] for monitor in connection.scalars(sa.select(table.c.monitor).where(old).distinct())
    }
    for monitor, start, end in kept:
        if monitor in spans:
            spans[monitor].append((table.c.window_start >= start) & (table.c.window_start < end))
    mine = (
        sa.delete(table).where(old, table.c.monitor == one, ~sa.or_(sa.false(), *own)) for one, own in spans.items()
    )
    return sum(connection.execute(statement).rowcount for statement in mine)


def _window(window: Window | None, what: str) -> Window:
    if window is None:
        raise StoreError(f"{what} has no window, and only windows are stored")
    return window
