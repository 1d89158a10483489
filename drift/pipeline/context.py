"""What a run needs: the monitor, the state it works on and a reader of rows; and which windows it is compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

from drift.config.reference import describe_span, fixed_windows
from drift.profiles.segments import Segmentation, key_of
from drift.sources import snapshot as snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.config.monitor import Monitor
    from drift.profiles.binning import Binning
    from drift.sources.file_opening import Opened
    from drift.sources.snapshot import Snapshot
    from drift.sources.warehouse.engine import Warehouse
    from drift.store.base import State
    from drift.store.store import Store
    from drift.windows import Window

S_co = TypeVar("S_co", bound="State", default="Store", covariant=True)
_S = TypeVar("_S", bound="State")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The windows that a feature's bins were fitted on, or that were promoted since: from `start` to `end`."""

    version: int
    start: datetime
    end: datetime


def _nothing_opened() -> Opened:
    return {}


@dataclass(slots=True)
class SourceReader:
    """Opens windows of a monitor's source, and keeps what the next one needs again: all that reading rows takes.

    Parameters
    ----------
    connect
        Resolves a connection id: Airflow's connections inside Airflow, the environment outside it.
    empty
        Reference windows found without a row, so that a backfill that starts before the data does not ask again.
    opened
        Windows that passed validation and are about to be counted, so that they are opened once.
    files
        Files of the last window that was opened: the next one's are often the same.
    """

    monitor: Monitor
    connect: Callable[[str], str]
    empty: set[Window] = field(default_factory=set, init=False, repr=False)
    opened: dict[Window, Snapshot] = field(default_factory=dict, init=False, repr=False)
    files: Opened = field(default_factory=_nothing_opened, init=False, repr=False)

    @property
    def url(self) -> str | None:
        """The URL of the source's database; None where the source is files."""
        source = self.monitor.source
        return self.connect(source.connection) if source.connection else None

    def snapshot(self, window: Window) -> Snapshot:
        """Open one window of the source."""
        source, calendar = self.monitor.source, self.monitor.window.calendar
        return snapshots.open_snapshot(source, window, calendar=calendar, url=self.url, known=self.files)

    def take(self, window: Window) -> Snapshot:
        """Return one window of the source: the one that validation opened, once, or opened now."""
        return self.opened.pop(window) if window in self.opened else self.snapshot(window)

    def warehouse(
        self, windows: Sequence[Window], features: Iterable[str], n_rows: Callable[[], int]
    ) -> Warehouse | None:
        """Open windows where they are counted inside their database, by the source's `engine`; else None.

        Segments of the rows are counted where the features are.
        """
        source = self.monitor.source
        url = self.url if source.may_count_inside else None
        if url is None:
            return None
        from drift.sources.warehouse import source as warehouse_source

        if not warehouse_source.counts_inside(source.engine, url, n_rows):
            return None
        opened = warehouse_source.open_source(source, windows, calendar=self.monitor.window.calendar, url=url)
        # What it cannot count, and nobody asked it to, is counted here.
        needed = {*features, *(column for columns in self.monitor.segment_columns for column in columns)}
        refused = source.engine == "auto" and not opened.refused.keys().isdisjoint(needed)
        return None if refused and not warehouse_source.reads_inside(source.engine, url) else opened

    def columns(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the columns of a window that may be watched, with their types: not those that say where it lies."""
        placed = snapshot.placed - self.monitor.features.named
        return {name: kind for name, kind in snapshot.schema.items() if name not in placed}

    def features(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that are watched."""
        return self.monitor.features.select([c for c in columns if c not in self.monitor.source.time_columns])


@dataclass(frozen=True, slots=True)
class Context(Generic[S_co]):
    """What a run needs: the monitor, the state it works on, and the rows.

    A stage takes a `Context[State]`, whose store may be the cache of a run or the memory of a replay; whoever opens
    the store has a `Context`, which is one of the `Store`.
    """

    store: S_co
    source: SourceReader

    @staticmethod
    def of(monitor: Monitor, store: _S, connect: Callable[[str], str]) -> Context[_S]:
        """Return a context whose source nobody has read yet; `connect` resolves a connection id."""
        return Context(store, SourceReader(monitor, connect))

    @property
    def monitor(self) -> Monitor:
        """The monitor, whose source is read."""
        return self.source.monitor

    @property
    def name(self) -> str:
        """The monitor's name."""
        return self.monitor.name

    def reference_windows(self, window: Window) -> list[Window]:
        """Return the windows of the main reference of `window`, oldest first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        if reference.fixed != "baseline":
            return reference.windows(calendar, window)
        newest = max(self.baselines().values(), key=lambda each: each.version, default=None)
        return fixed_windows(calendar, window, newest.start, newest.end) if newest else []

    def compared_with(self, window: Window) -> dict[str, list[Window]]:
        """Return the windows of every reference of `window` by the reference's name, the main one first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        found = {str(reference): self.reference_windows(window)}
        companion = reference.seasonal_companion(calendar) if self.monitor.detection.seasonal else None
        if companion:
            found[str(companion)] = companion.windows(calendar, window)
        return found

    def needed(self, window: Window) -> list[Window]:
        """Return the windows of all its references and `window` itself, oldest first."""
        return sorted({window, *(each for windows in self.compared_with(window).values() for each in windows)})

    def remembered(self, window: Window) -> list[Window]:
        """Return the windows before `window` whose stored counts are its own history; oldest first."""
        detection = self.monitor.detection
        return self.monitor.window.calendar.before(window, detection.remembered if detection.history else 0)

    def baselines(self) -> dict[str, Baseline]:
        """Return of each feature the baseline in force."""
        return {
            feature: Baseline(row["version"], row["fitted_from"], row["fitted_to"])
            for feature, row in self.store.baselines(self.name).items()
        }

    def segmentations(self) -> list[Segmentation]:
        """Return the ways in force to cut a window into segments, of those that the monitor asks for."""
        if not self.monitor.segments:
            return []
        stored = self.store.segmentations(self.name)
        by = {key_of(columns): columns for columns in self.monitor.segment_columns}
        return [Segmentation.of(columns, stored[key]) for key, columns in by.items() if key in stored]

    def span(self, baseline: Baseline) -> str:
        """Name the windows of a baseline as their readers would."""
        return describe_span(self.monitor.window.calendar, baseline.start, baseline.end)

    def label(self, window: Window) -> str:
        """Name a window as its readers would."""
        return self.monitor.window.calendar.label(window)


def binning_key(binnings: Mapping[str, Binning], segmentations: Iterable[Segmentation] = ()) -> str:
    """Return sixteen hexadecimal digits that name a set of binnings, and of ways to cut a window into segments."""
    lines = [f"{feature}={binnings[feature].fingerprint}" for feature in sorted(binnings)]
    lines += sorted(f"by {key_of(each.columns)}={each.fingerprint}" for each in segmentations)
    text = "\n".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
