"""The store: what the stages of a run write, and what later stages and readers ask for.

Each stage writes in one transaction, by natural keys. A stage that is repeated, retried, run twice at once or run late
ends in the same rows as one undisturbed run; only the times of a `run` tell the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from drift.store import engine as database
from drift.store import migrations
from drift.store.alerts import Alerts
from drift.store.baselines import Baselines
from drift.store.outbox import Outbox
from drift.store.profiles import Profiles
from drift.store.reports import Reports
from drift.store.retention import Retention
from drift.store.runs import Runs


@dataclass(frozen=True, slots=True)
class Store(Runs, Baselines, Profiles, Reports, Alerts, Outbox, Retention):
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

    def _revision(self) -> str | None:
        # Not by `reads`: how long to be patient is for whoever opens the store to say.
        with database.reading(self.engine) as connection:
            return migrations.revision_of(connection)
