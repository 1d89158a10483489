"""A session: the results database as one run sees it, read once and handed from stage to stage.

Each stage asks the store for what it needs, so that it may run alone, on another machine, tomorrow. Where they run one
after the other in one process most of these answers are the same: a session remembers them for the length of a run.
From run to run, as in a backfill, it keeps counts only, at most twice those of one run, and asks the store whether
they are still the same before it uses them again: the store remains the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drift.store import rows
from drift.store.profiles import Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.detection.reports import Gate, Report
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.store.rows import Row
    from drift.store.store import Store
    from drift.windows import Window


@dataclass
class Session:
    """What one monitor's runs read and wrote; to the stages it is a `Store`.

    Whatever it does not remember, it asks the store.

    Parameters
    ----------
    store
        Everything is written there at once, by the stage that writes it.
    expected
        Windows that the run will ask about: what is known of them is asked for at once.
    """

    store: Store
    hashes: set[str] = field(default_factory=set)
    fitted: dict[str, Row] | None = None
    binnings: dict[str, Binning] = field(default_factory=dict)
    cuts: dict[str, Binning] | None = None
    decisions: dict[Window, Gate | None] = field(default_factory=dict)
    known_heads: dict[Window, Head | None] = field(default_factory=dict)
    profiles: dict[Window, tuple[str, Profile]] = field(default_factory=dict)
    reports: dict[datetime, Report] = field(default_factory=dict)
    expected: Iterable[Window] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def begin(self, windows: Iterable[Window] = ()) -> None:
        """Begin the next run, which will ask about these windows: forget all but the counts."""
        self.fitted, self.cuts = None, None
        self.decisions, self.known_heads, self.reports = {}, {}, {}
        self.expected = windows

    # -- what is the same for all stages

    def save_monitor(self, monitor: str, config_hash: str, config: Mapping[str, Any], now: datetime) -> None:
        """As `Store.save_monitor`, once for each configuration."""
        if config_hash not in self.hashes:
            self.store.save_monitor(monitor, config_hash, config, now)
            self.hashes.add(config_hash)

    def baselines(self, monitor: str) -> dict[str, Row]:
        """As `Store.baselines`."""
        if self.fitted is None:
            self.fitted = self.store.baselines(monitor)
        return self.fitted

    def active_baseline(self, monitor: str) -> dict[str, Binning]:
        """As `Store.active_baseline`."""
        in_force = {feature: row["fingerprint"] for feature, row in self.baselines(monitor).items()}
        if in_force != {feature: binning.fingerprint for feature, binning in self.binnings.items()}:
            self.binnings = self.store.active_baseline(monitor)
            self.profiles = {}
        return self.binnings

    def segmentations(self, monitor: str) -> dict[str, Binning]:
        """As `Store.segmentations`."""
        if self.cuts is None:
            self.cuts = self.store.segmentations(monitor)
        return self.cuts

    def save_baseline(
        self,
        monitor: str,
        binnings: Mapping[str, Binning],
        segmentations: Mapping[str, Binning] | None = None,
        **options: Any,
    ) -> dict[str, Binning]:
        """As `Store.save_baseline`."""
        self.fitted, self.cuts = None, None
        if segmentations:
            self.profiles = {}
        return self.store.save_baseline(monitor, binnings, segmentations, **options)

    # -- the gate and the counts

    def save_gate(
        self, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """As `Store.save_gate`."""
        self.store.save_gate(monitor, window, decision, outcomes, now)
        self.decisions[window] = decision
        if head := self.known_heads.get(window):
            self.known_heads[window] = head._replace(gate=decision)

    def gates(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """As `Store.gates`."""
        # A counted window knows its decision.
        self.decisions |= {window: head.gate for window, head in self._heads(monitor, windows).items()}
        if new := [window for window in windows if window not in self.decisions]:
            known = self.store.gates(monitor, new)
            self.decisions |= {window: known.get(window.start) for window in new}
        return {window.start: gate for window in windows if (gate := self.decisions[window]) is not None}

    def validations(self, monitor: str, window: Window) -> list[Row]:
        """As `Store.validations`; where the gate found nothing amiss nobody needs them."""
        amiss = self.gates(monitor, [window]).get(window.start) in {"warned", "rejected"}
        return self.store.validations(monitor, window) if amiss else []

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
        """As `Store.save_profile`."""
        kept = self.store.save_profile(monitor, profile, segmentations, gate=gate, binning_key=binning_key, now=now)
        window = profile.window
        if window is not None:
            self.known_heads.pop(window, None)
            if kept and all(self.binnings.get(name) == each.binning for name, each in profile.histograms.items()):
                digest = rows.digest(profile)
                self.known_heads[window] = Head(window.start, window.end, gate, binning_key, digest)
                self.profiles[window] = digest, profile
        return kept

    def heads(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
        """As `Store.heads`."""
        return {head.window_start: head for head in self._heads(monitor, windows).values()}

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """As `Store.load_profiles`; the segments are always those in force."""
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

    def _heads(self, monitor: str, windows: Sequence[Window]) -> dict[Window, Head]:
        if any(window not in self.known_heads for window in windows):
            new = [window for window in {*windows, *self.expected} if window not in self.known_heads]
            known = self.store.heads(monitor, new)
            self.known_heads |= {window: known.get(window.start) for window in new}
        return {window: head for window in windows if (head := self.known_heads[window]) is not None}

    # -- verdicts and alerts

    def save_report(self, monitor: str, report: Report) -> None:
        """As `Store.save_report`."""
        self.store.save_report(monitor, report)
        if report.window is not None:
            self.reports[report.window.start] = report

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """As `Store.load_reports`: what this run has just written need not be read."""
        starts = self.store.report_starts(monitor, since=since, until=until)
        if all(start in self.reports for start in starts):
            return [self.reports[start] for start in starts]
        return self.store.load_reports(monitor, since=since, until=until)

    def save_alerts(self, alerts: Iterable[Any], events: Iterable[Any], notifications: Iterable[Any] = ()) -> None:
        """As `Store.save_alerts`, where there is anything to save."""
        changed, diary, owed = list(alerts), list(events), list(notifications)
        if changed or diary or owed:
            self.store.save_alerts(changed, diary, owed)
