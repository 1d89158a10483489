"""A monitor at work: what it watches, where results go, and which windows it is held against."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drift import snapshots
from drift.references import describe_span, fixed_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from drift.binning import Binning
    from drift.config import Monitor
    from drift.snapshots import Snapshot
    from drift.store import Store
    from drift.windows import Window


@dataclass(frozen=True, slots=True)
class Baseline:
    """The windows that a feature's bins were fitted on, or that were promoted since: from `start` to `end`."""

    version: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Watch:
    """A monitor at work: what to watch, where results go, and how a connection id becomes a URL.

    Parameters
    ----------
    monitor
    store
    connect
        Resolves a connection id: Airflow's connections inside Airflow, the environment outside it.
    """

    monitor: Monitor
    store: Store
    connect: Callable[[str], str]
    empty: set[Window] = field(default_factory=set, init=False, repr=False, compare=False)
    """Reference windows found without a row, so that a backfill that starts before the data does not ask again."""

    @property
    def name(self) -> str:
        """The monitor's name."""
        return self.monitor.name

    def snapshot(self, window: Window) -> Snapshot:
        """Open one window of the source."""
        source = self.monitor.source
        url = self.connect(source.connection) if source.connection else None
        return snapshots.open_snapshot(source, window, calendar=self.monitor.window.calendar, url=url)

    def reference_windows(self, window: Window) -> list[Window]:
        """Return the windows of the main reference of `window`, oldest first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        if reference.fixed != "baseline":
            return reference.windows(calendar, window)
        newest = max(self.baselines().values(), key=lambda each: each.version, default=None)
        return fixed_windows(calendar, window, newest.start, newest.end) if newest else []

    def held_against(self, window: Window) -> dict[str, list[Window]]:
        """Return the windows of every reference of `window` by the reference's name, the main one first."""
        reference, calendar = self.monitor.reference, self.monitor.window.calendar
        found = {str(reference): self.reference_windows(window)}
        companion = reference.seasonal_companion(calendar) if self.monitor.detection.seasonal else None
        if companion:
            found[str(companion)] = companion.windows(calendar, window)
        return found

    def needed(self, window: Window) -> list[Window]:
        """Return the windows of all its references and `window` itself, oldest first."""
        return sorted({window, *(each for windows in self.held_against(window).values() for each in windows)})

    def baselines(self) -> dict[str, Baseline]:
        """Return of each feature the baseline in force."""
        return {
            feature: Baseline(row["version"], row["fitted_from"], row["fitted_to"])
            for feature, row in self.store.baselines(self.name).items()
        }

    def span(self, baseline: Baseline) -> str:
        """Name the windows of a baseline as their readers would."""
        return describe_span(self.monitor.window.calendar, baseline.start, baseline.end)

    def label(self, window: Window) -> str:
        """Name a window as its readers would."""
        return self.monitor.window.calendar.label(window)

    def features(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that are watched."""
        return self.monitor.features.select([c for c in columns if c != self.monitor.source.time_column])


def binning_key(binnings: Mapping[str, Binning]) -> str:
    """Return sixteen hexadecimal digits that name a set of binnings."""
    text = "\n".join(f"{feature}={binnings[feature].fingerprint}" for feature in sorted(binnings))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
