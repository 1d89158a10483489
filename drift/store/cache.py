"""The cache of a run: what its stages read and wrote, read once and handed from stage to stage.

Each stage asks the store for what it needs, so that it may run alone, on another machine, tomorrow. Where they run one
after the other in one process most of these answers are the same: the cache remembers them for the length of a run.
From run to run, as in a backfill, it keeps counts only, at most twice those of one run, and of pairs, which are large,
those of one run as far as they fit; and asks the store whether they are still the same before it uses them again: the
store remains the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from drift.store import rows
from drift.store.base import StateReader
from drift.store.profiles import Head
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
    from drift.store.base import State
    from drift.store.rows import Row
    from drift.windows import Window

PAIRS_BYTES = 1 << 26
"""Pairs of columns that are kept from run to run, at most."""


@dataclass
class ReadThrough(StateReader):
    """Reads the state of one monitor through, and remembers what does not change by itself."""

    store: StateReader
    fitted: dict[str, Row] | None = None
    binnings: dict[str, Binning] = field(default_factory=dict)
    cuts: dict[str, Binning] | None = None
    decisions: dict[Window, Gate | None] = field(default_factory=dict)

    def baselines(self, monitor: str) -> dict[str, Row]:
        """As the store's, asked once."""
        if self.fitted is None:
            self.fitted = self.store.baselines(monitor)
        return self.fitted

    def active_baseline(self, monitor: str) -> dict[str, Binning]:
        """As the store's, asked again where other binnings are in force."""
        in_force = {feature: row["fingerprint"] for feature, row in self.baselines(monitor).items()}
        if in_force != {feature: binning.fingerprint for feature, binning in self.binnings.items()}:
            self.binnings = self.store.active_baseline(monitor)
        return self.binnings

    def segmentations(self, monitor: str) -> dict[str, Binning]:
        """As the store's, asked once."""
        if self.cuts is None:
            self.cuts = self.store.segmentations(monitor)
        return self.cuts

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """As the store's, each window asked once."""
        if new := [window for window in windows if window not in self.decisions]:
            known = self.store.gates(monitor, new)
            self.decisions |= {window: known.get(window.start) for window in new}
        return {window.start: gate for window in windows if (gate := self.decisions[window]) is not None}

    def validations(self, monitor: str, window: Window) -> list[Row]:
        """As the store's; where validation found nothing amiss nobody needs them."""
        amiss = self.gates(monitor, [window]).get(window.start) in {"warned", "rejected"}
        return self.store.validations(monitor, window) if amiss else []

    def load_report(self, monitor: str, window_start: datetime) -> Report | None:
        """As the store's."""
        return next(iter(self.load_reports(monitor, since=window_start, until=window_start)), None)

    def load_pairs(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> dict[Window, Pairs]:
        """As the store's."""
        return self.store.load_pairs(monitor, windows, binnings, segmentations)

    def measured(self, monitor: str, *, before: datetime, limit: int = 56) -> list[Measured]:
        """As the store's."""
        return self.store.measured(monitor, before=before, limit=limit)

    def circumstances(self, monitor: str, since: datetime, until: datetime) -> list[Event]:
        """As the store's."""
        return self.store.circumstances(monitor, since, until)

    def incidents(self, ids: Collection[str], changed: Iterable[Alert] = ()) -> list[Incident]:
        """As the store's."""
        return self.store.incidents(ids, changed)

    def around(self, incident: Incident) -> Incident:
        """As the store's."""
        return self.store.around(incident)


@dataclass
class Cache(ReadThrough):
    """What one monitor's runs read and wrote, before the store, where everything is written at once by its stage.

    Parameters
    ----------
    expected
        Windows that the run will ask about: what is known of them is asked for at once.
    """

    store: State
    expected: Iterable[Window] = ()
    hashes: set[str] = field(default_factory=set)
    known_heads: dict[Window, Head | None] = field(default_factory=dict)
    profiles: dict[Window, tuple[str, Profile]] = field(default_factory=dict)
    pairs: dict[Window, tuple[str, Pairs | None]] = field(default_factory=dict)
    written: dict[datetime, Report] = field(default_factory=dict)
    asked: set[Window] = field(default_factory=set)

    def begin(self, windows: Iterable[Window] = ()) -> None:
        """Begin the next run, which will ask about these windows, and most of this one's: forget all but the counts."""
        self.fitted, self.cuts = None, None
        self.decisions, self.known_heads, self.written = {}, {}, {}
        self.expected, self.asked = {*windows, *self.asked}, set()

    # -- what is the same for all stages

    def save_monitor(self, monitor: str, config_hash: str, config: Mapping[str, Any], now: datetime) -> None:
        """As the store's, once for each configuration."""
        if config_hash not in self.hashes:
            self.store.save_monitor(monitor, config_hash, config, now)
            self.hashes.add(config_hash)

    def active_baseline(self, monitor: str) -> dict[str, Binning]:
        """As the store's; counts under other binnings are forgotten."""
        before = self.binnings
        if super().active_baseline(monitor) is not before:
            self.profiles, self.pairs = {}, {}
        return self.binnings

    def save_baseline(
        self,
        monitor: str,
        binnings: Mapping[str, Binning],
        segmentations: Mapping[str, Binning] | None = None,
        **named: Any,
    ) -> dict[str, Binning]:
        """As the store's; what is in force is asked for again."""
        self.fitted, self.cuts = None, None
        if segmentations:
            self.profiles, self.pairs = {}, {}
        return self.store.save_baseline(monitor, binnings, segmentations, **named)

    # -- the gate and the counts

    def save_gate(
        self, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """As the store's."""
        self.store.save_gate(monitor, window, decision, outcomes, now)
        self.decisions[window] = decision
        if head := self.known_heads.get(window):
            self.known_heads[window] = head._replace(gate=decision)

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """As the store's; a counted window knows what validation decided."""
        self.decisions |= {window: head.gate for window, head in self._heads(monitor, windows).items()}
        return super().gates(monitor, windows)

    def save_profile(
        self,
        monitor: str,
        counted: Profile,
        segmentations: Sequence[Segmentation] = (),
        *,
        gate: Gate,
        binning_key: str,
        now: datetime,
    ) -> bool:
        """As the store's."""
        kept = self.store.save_profile(monitor, counted, segmentations, gate=gate, binning_key=binning_key, now=now)
        window = counted.window
        if window is not None:
            self.known_heads.pop(window, None)
            if kept and all(self.binnings.get(name) == each.binning for name, each in counted.histograms.items()):
                digest = rows.digest(counted)
                self.known_heads[window] = Head(window.start, window.end, gate, binning_key, digest)
                self.profiles[window] = digest, replace(counted, pairs=None)
                self.pairs[window] = digest, counted.pairs
        return kept

    def heads(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
        """As the store's."""
        return {head.window_start: head for head in self._heads(monitor, windows).values()}

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """As the store's; the segments are always those in force."""
        if binnings is not self.binnings:
            return self.store.load_profiles(monitor, windows, binnings, segmentations)
        heads = self._heads(monitor, windows)
        known = {window: self.profiles[window] for window in heads if window in self.profiles}
        known = {window: counted for window, counted in known.items() if counted[0] == heads[window].digest}
        if new := [window for window in heads if window not in known]:
            stored = self.store.load_profiles(monitor, new, binnings, segmentations)
            loaded = {profile.window: profile for profile, _ in stored}
            known |= {window: (heads[window].digest, loaded[window]) for window in new if window in loaded}
        # The next window's references are mostly these; a weekday's come back after a week.
        others = [item for item in self.profiles.items() if item[0] not in known]
        self.profiles = dict(others[-len(known) :]) | known
        return [(known[window][1], heads[window].gate) for window in sorted(known)]

    def load_pairs(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> dict[Window, Pairs]:
        """As the store's; the segments are always those in force."""
        if binnings is not self.binnings:
            return self.store.load_pairs(monitor, windows, binnings, segmentations)
        heads = self._heads(monitor, windows)
        known = {window: self.pairs[window] for window in heads if window in self.pairs}
        known = {window: counted for window, counted in known.items() if counted[0] == heads[window].digest}
        if new := [window for window in heads if window not in known]:
            loaded = self.store.load_pairs(monitor, new, binnings, segmentations)
            known |= {window: (heads[window].digest, loaded.get(window)) for window in new}
        ordered = sorted(known.items())
        # Those of the newest windows are needed longest.
        sizes = [pairs.counts.nbytes if pairs else 0 for _, (_, pairs) in reversed(ordered)]
        fit = sum(total <= PAIRS_BYTES for total in accumulate(sizes))
        self.pairs = dict(ordered[len(ordered) - fit :])
        return {window: pairs for window, (_, pairs) in ordered if pairs is not None}

    def _heads(self, monitor: str, windows: Sequence[Window]) -> dict[Window, Head]:
        self.asked.update(windows)
        if any(window not in self.known_heads for window in windows):
            new = [window for window in {*windows, *self.expected} if window not in self.known_heads]
            known = self.store.heads(monitor, new)
            self.known_heads |= {window: known.get(window.start) for window in new}
        return {window: head for window in windows if (head := self.known_heads[window]) is not None}

    # -- verdicts and alerts

    def save_report(self, monitor: str, found: Report) -> None:
        """As the store's."""
        self.store.save_report(monitor, found)
        if found.window is not None:
            self.written[found.window.start] = found

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """As the store's: what this run has just written need not be read."""
        starts = self.store.report_statuses(monitor, since=since, until=until)
        if all(start in self.written for start in starts):
            return [self.written[start] for start in starts]
        return self.store.load_reports(monitor, since=since, until=until)

    def save_alerts(
        self, changed: Iterable[Alert], events: Iterable[AlertEvent], notifications: Iterable[Any] = ()
    ) -> None:
        """As the store's, where there is anything to save."""
        found = list(changed), list(events), list(notifications)
        if any(found):
            self.store.save_alerts(*found)

    # -- what nobody asks twice

    def reports(self, monitor: str, limit: int | None = 100, *, over_at: datetime | None = None) -> list[Row]:
        """As the store's."""
        return self.store.reports(monitor, limit, over_at=over_at)

    def report_statuses(
        self, monitor: str, *, since: datetime, until: datetime | None = None
    ) -> dict[datetime, ReportStatus]:
        """As the store's."""
        return self.store.report_statuses(monitor, since=since, until=until)

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = WHOLE
    ) -> dict[str, list[Past]]:
        """As the store's."""
        return self.store.history(monitor, features, before=before, limit=limit, segment=segment)

    def alerts(self, monitor: str | None = None, states: Collection[str] | None = None) -> list[Alert]:
        """As the store's."""
        return self.store.alerts(monitor, states)

    def alerts_in_play(self, monitor: str, since: datetime | None = None, keys: Collection[str] = ()) -> list[Alert]:
        """As the store's."""
        return self.store.alerts_in_play(monitor, since, keys)

    def silences(self, monitor: str | None = None) -> list[Silence]:
        """As the store's."""
        return self.store.silences(monitor)

    def has_run(self, monitor: str, config_hash: str) -> bool:
        """As the store's."""
        return self.store.has_run(monitor, config_hash)

    def run_results(self, monitor: str, since: datetime) -> list[tuple[Window, str | None]]:
        """As the store's."""
        return self.store.run_results(monitor, since)

    def running(self, monitor: str) -> list[Row]:
        """As the store's."""
        return self.store.running(monitor)

    def save_run_started(self, monitor: str, window: Window, config_hash: str, now: datetime, **named: Any) -> None:
        """As the store's."""
        self.store.save_run_started(monitor, window, config_hash, now, **named)

    def save_run_finished(self, monitor: str, window: Window, status: str, now: datetime, **named: str | None) -> None:
        """As the store's."""
        self.store.save_run_finished(monitor, window, status, now, **named)
