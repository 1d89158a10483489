"""What the stages of a run ask of the state they work on, and what they write there.

The store (`drift.store.store`), the cache of a run (`drift.store.cache`) and the memory of a replay
(`drift.store.memory`) all answer to it. What each method does stands with the part of the store that owns the tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert, AlertEvent
    from drift.alerts.circumstances import Event
    from drift.alerts.incidents import Incident
    from drift.alerts.silences import Silence
    from drift.detection.relationships import Measured
    from drift.detection.reports import Gate, Report
    from drift.detection.scores import Past, ReportStatus
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.pairs import Pairs
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.store.profiles import Head
    from drift.store.rows import Row
    from drift.windows import Window


class StateReader(Protocol):
    """What is known of a monitor: its baselines, its windows, its reports and its alerts."""

    def baselines(self, monitor: str) -> dict[str, Row]: ...

    def active_baseline(self, monitor: str) -> dict[str, Binning]: ...

    def segmentations(self, monitor: str) -> dict[str, Binning]: ...

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]: ...

    def validations(self, monitor: str, window: Window) -> list[Row]: ...

    def heads(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]: ...

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]: ...

    def load_pairs(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> dict[Window, Pairs]: ...

    def reports(self, monitor: str, limit: int | None = 100, *, over_at: datetime | None = None) -> list[Row]: ...

    def load_report(self, monitor: str, window_start: datetime) -> Report | None: ...

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]: ...

    def report_statuses(
        self, monitor: str, *, since: datetime, until: datetime | None = None
    ) -> dict[datetime, ReportStatus]: ...

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = WHOLE
    ) -> dict[str, list[Past]]: ...

    def measured(self, monitor: str, *, before: datetime, limit: int = 56) -> list[Measured]: ...

    def alerts(self, monitor: str | None = None, states: Collection[str] | None = None) -> list[Alert]: ...

    def alerts_in_play(
        self, monitor: str, since: datetime | None = None, keys: Collection[str] = ()
    ) -> list[Alert]: ...

    def incidents(self, ids: Collection[str], changed: Iterable[Alert] = ()) -> list[Incident]: ...

    def around(self, incident: Incident) -> Incident: ...

    def silences(self, monitor: str | None = None) -> list[Silence]: ...

    def circumstances(self, monitor: str, since: datetime, until: datetime) -> list[Event]: ...

    def has_run(self, monitor: str, config_hash: str) -> bool: ...

    def running(self, monitor: str) -> list[Row]: ...

    def run_results(self, monitor: str, since: datetime) -> list[tuple[Window, str | None]]: ...


class StateWriter(Protocol):
    """What the stages write, each in one transaction and by natural keys."""

    def save_monitor(self, monitor: str, config_hash: str, config: Mapping[str, Any], now: datetime) -> None: ...

    def save_run_started(
        self,
        monitor: str,
        window: Window,
        config_hash: str,
        now: datetime,
        *,
        url: str = "",
        process: str = "",
        upstream: Sequence[Mapping[str, str]] = (),
    ) -> None: ...

    def save_run_finished(
        self,
        monitor: str,
        window: Window,
        status: str,
        now: datetime,
        *,
        reference: str | None = None,
        error: str | None = None,
    ) -> None: ...

    def save_gate(
        self, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
    ) -> None: ...

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
    ) -> dict[str, Binning]: ...

    def save_profile(
        self,
        monitor: str,
        counted: Profile,
        segmentations: Sequence[Segmentation] = (),
        *,
        gate: Gate,
        binning_key: str,
        now: datetime,
    ) -> bool: ...

    def save_report(self, monitor: str, found: Report) -> None: ...

    def save_alerts(
        self, changed: Iterable[Alert], events: Iterable[AlertEvent], notifications: Iterable[Any] = ()
    ) -> None: ...


class State(StateReader, StateWriter, Protocol):
    """What a run works on."""
