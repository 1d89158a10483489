"""The store: what the stages of a run write, and what later stages and readers ask for.

Each stage writes in one transaction, by natural keys. A stage that is repeated, retried, run twice at once or run late
ends in the same rows as one undisturbed run; only the times of a `run` tell the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from drift.store import engine as database
from drift.store import migrations, schema
from drift.store.alerts import Alerts, save_alerts
from drift.store.baselines import Baselines, baseline_spans
from drift.store.circumstances import Circumstances
from drift.store.engine import reads, writes
from drift.store.incidents import Incidents
from drift.store.outbox import Outbox
from drift.store.profiles import Profiles
from drift.store.reports import Reports
from drift.store.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from drift.alerts.alerts import Alert, Transitions
    from drift.windows import Window

_BY_WINDOW = (
    *("histogram", "pair_counts", "profile", "validation", "gate"),
    *("score", "measured", "relationship", "report", "run"),
)


@dataclass(frozen=True, slots=True)
class Store(Runs, Baselines, Profiles, Reports, Alerts, Circumstances, Incidents, Outbox):
    """The results database, open: its parts behind one front.

    A method is one transaction; where the database goes away it is tried again for `drift.store.engine.OUTAGE_SECONDS`.

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

    def prune(
        self, before: datetime, *, keep: Collection[tuple[str, datetime, datetime]] = (), dry_run: bool = False
    ) -> dict[str, int]:
        """Delete what is known of windows that start before an instant; return how many rows went, by table.

        Baselines, binnings and configurations stay, and so do the counts of the windows that baselines in force
        stand for, alerts that are not resolved and notifications that are still pending. Windows to `keep` are
        a monitor, and from when to when they start, the end left out. A `dry_run` only counts what would go, and may
        be asked of a database that cannot be written.
        """
        return (self._would_prune if dry_run else self._prune)(before, keep)

    @writes
    def _prune(
        self, connection: sa.Connection, before: datetime, keep: Collection[tuple[str, datetime, datetime]]
    ) -> dict[str, int]:
        return _forget(connection, before, keep, _delete)

    @reads
    def _would_prune(
        self, connection: sa.Connection, before: datetime, keep: Collection[tuple[str, datetime, datetime]]
    ) -> dict[str, int]:
        return _forget(connection, before, keep, _count)

    @writes
    def delete_window(
        self,
        connection: sa.Connection,
        monitor: str,
        window: Window,
        changed: Transitions,
        gone: Iterable[Alert] = (),
        *,
        dry_run: bool = False,
    ) -> dict[str, int]:
        """Delete all that is known of a window; return how many rows went, by table.

        With it go the alerts `gone`, the lines that it wrote in the timelines of others, and notifications of it that
        are still pending; what `changed` of the others is written.
        """
        alert, events, notification = schema.alert, schema.alert_event, schema.notification
        rows = {}
        for table in map(schema.metadata.tables.__getitem__, _BY_WINDOW):
            mine = (table.c.monitor == monitor) & (table.c.window_start == window.start)
            rows[table.name] = connection.execute(sa.delete(table).where(mine)).rowcount
        ids = [one.id for one in gone]
        save_alerts(connection, changed.alerts, changed.events)
        own = sa.select(alert.c.id).where(alert.c.monitor == monitor)
        written = events.c.alert_id.in_(own) & (events.c.window_start == window.start)
        lines = sa.delete(events).where(events.c.alert_id.in_(ids) | written)
        rows["alert_event"] = connection.execute(lines).rowcount
        rows["alert"] = connection.execute(sa.delete(alert).where(alert.c.id.in_(ids))).rowcount
        waiting = (notification.c.monitor == monitor) & (notification.c.window_start == window.start)
        waiting &= notification.c.state == "pending"
        rows["notification"] = connection.execute(sa.delete(notification).where(waiting)).rowcount
        if dry_run:
            connection.rollback()
        return rows

    def _revision(self) -> str | None:
        # Not by `reads`: how long to be patient is for whoever opens the store to say.
        with database.reading(self.engine) as connection:
            return migrations.revision_of(connection)


_Act = Callable[[sa.Connection, sa.Table, sa.ColumnElement[bool]], int]


def _delete(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(where)).rowcount


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one()


def _forget(
    connection: sa.Connection, before: datetime, keep: Collection[tuple[str, datetime, datetime]], act: _Act
) -> dict[str, int]:
    """Delete what may be forgotten, or count it; return how many rows, by table."""
    alert, events, notification = schema.alert, schema.alert_event, schema.notification
    spans = {True: baseline_spans(connection) | {*keep}, False: {*keep}}
    gone = {}
    # What hangs on these by a foreign key is counted by itself, so it goes first.
    for table in map(schema.metadata.tables.__getitem__, _BY_WINDOW):
        kept = spans[table.name in {"histogram", "pair_counts", "profile", "gate"}]
        gone[table.name] = _forget_windows(connection, table, before, kept, act)
    ended = (alert.c.state == "resolved") & (alert.c.last_window < before)
    gone["alert_event"] = act(connection, events, events.c.alert_id.in_(sa.select(alert.c.id).where(ended)))
    gone["alert"] = act(connection, alert, ended)
    done = (notification.c.state != "pending") & (notification.c.created_at < before)
    gone["notification"] = act(connection, notification, done)
    gone["mark"] = act(connection, schema.mark, schema.mark.c.at < before)
    return gone


def _forget_windows(
    connection: sa.Connection,
    table: sa.Table,
    before: datetime,
    kept: Collection[tuple[str, datetime, datetime]],
    act: _Act,
) -> int:
    """Delete the rows of old windows, but for those of some spans, or count them; return how many."""
    old = table.c.window_start < before
    # A monitor at a time: a condition over hundreds of them is deeper than SQLite reads.
    spans: dict[str, list[sa.ColumnElement[bool]]] = {
        monitor: [] for monitor in connection.scalars(sa.select(table.c.monitor).where(old).distinct())
    }
    for monitor, start, end in kept:
        if monitor in spans:
            spans[monitor].append((table.c.window_start >= start) & (table.c.window_start < end))
    return sum(
        act(connection, table, sa.and_(old, table.c.monitor == one, ~sa.or_(sa.false(), *own)))
        for one, own in spans.items()
    )
