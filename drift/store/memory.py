"""The memory of a replay: stored counts to read, and what the replay finds, for it to look back at."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drift.alerts import incidents
from drift.detection.scores import Past
from drift.errors import StoreError
from drift.store import rows as to_rows
from drift.store.cache import ReadThrough
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.alerts.incidents import Incident
    from drift.alerts.silences import Silence
    from drift.detection.relationships import Measured
    from drift.detection.reports import Gate, Report
    from drift.detection.scores import ReportStatus
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.pairs import Pairs
    from drift.profiles.segments import Segmentation
    from drift.store.profiles import Head
    from drift.store.rows import Row
    from drift.windows import Window


@dataclass
class Memory(ReadThrough):
    """What is stored of one monitor, each window read once, and what a replay writes: it stays here.

    Parameters
    ----------
    counts
        Of each window; None where there are none.
    judged
        Reports, in the order of their windows.
    past, in_segments
        What each feature remembers of these, of the whole window and of its segments.
    raised
        Alerts by id.
    given
        Windows whose counts are not those that are stored.
    """

    counts: dict[Window, tuple[Profile, Gate] | None] = field(default_factory=dict)
    judged: list[Report] = field(default_factory=list)
    past: list[dict[str, Past]] = field(default_factory=list)
    in_segments: list[dict[str, dict[str, Past]]] = field(default_factory=list)
    raised: dict[str, Alert] = field(default_factory=dict)
    given: frozenset[Window] = frozenset()

    def afresh(self) -> Memory:
        """Return a copy that has found nothing yet, and knows all counts."""
        return replace(self, judged=[], past=[], in_segments=[], raised={})

    def branch(self, reports: int, counts: Mapping[Window, tuple[Profile, Gate] | None]) -> Memory:
        """Return a copy that ends after some reports, and in which some windows have other counts."""
        return replace(
            self,
            counts={**self.counts, **counts},
            judged=self.judged[:reports],
            past=self.past[:reports],
            in_segments=self.in_segments[:reports],
            raised=dict(self.raised),
            given=self.given.union(counts),
        )

    def heads(self, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
        """As the store's."""
        return self.store.heads(monitor, windows)

    def load_profiles(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """As the store's, under the binnings and with the segments in force."""
        if new := [window for window in windows if window not in self.counts]:
            stored = self.store.load_profiles(monitor, new, binnings, segmentations)
            known = {one.window: (one, gate) for one, gate in stored}
            self.counts |= {window: known.get(window) for window in new}
        return [counted for window in sorted(windows) if (counted := self.counts[window]) is not None]

    def load_pairs(
        self,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> dict[Window, Pairs]:
        """As the store's; of counts that were given, the pairs they came with."""
        stored = [window for window in windows if window not in self.given]
        found = self.store.load_pairs(monitor, stored, binnings, segmentations) if stored else {}
        given = {window: self.counts[window] for window in windows if window in self.given}
        return found | {window: one[0].pairs for window, one in given.items() if one and one[0].pairs is not None}

    # -- what the replay found

    def save_report(self, monitor: str, found: Report) -> None:
        """Remember a report; they come in the order of their windows."""
        window = window_of(found)
        if self.judged and window <= window_of(self.judged[-1]):
            raise StoreError(f"{monitor}: a replay goes through windows in order; {window} came late")
        self.judged.append(found)
        self.past.append(_past(monitor, found, window))
        self.in_segments.append({name: _past(monitor, one, window) for name, one in found.segments.items()})

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = WHOLE
    ) -> dict[str, list[Past]]:
        """As the store's, of the reports found."""
        del monitor
        end = self._since(before)
        start = max(end - limit, 0)
        recent = [each.get(segment, {}) for each in self.in_segments[start:end]] if segment else self.past[start:end]
        return {feature: [past[feature] for past in recent if feature in past] for feature in features}

    def measured(self, monitor: str, *, before: datetime, limit: int = 56) -> list[Measured]:
        """As the store's, of the reports found."""
        del monitor
        end = self._since(before)
        return [one.measured for one in self.judged[max(end - limit, 0) : end] if one.measured]

    def reports(self, monitor: str, limit: int | None = 100, *, over_at: datetime | None = None) -> list[Row]:
        """As the store's, of the reports found."""
        found = [each for each in self.judged if over_at is None or window_of(each).end <= over_at]
        newest = found[::-1][:limit]
        return [to_rows.report_row(monitor, report, window_of(report)) for report in newest]

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """As the store's, of the reports found."""
        del monitor
        found = self.judged[self._since(since) :]
        return found if until is None else [report for report in found if window_of(report).start <= until]

    def report_statuses(
        self, monitor: str, *, since: datetime, until: datetime | None = None
    ) -> dict[datetime, ReportStatus]:
        """As the store's, of the reports found."""
        return {window_of(each).start: each.status for each in self.load_reports(monitor, since=since, until=until)}

    def _since(self, start: datetime) -> int:
        """Return the index of the first report of a window that starts then or later."""
        return bisect_left(self.judged, start, key=lambda report: window_of(report).start)

    def save_alerts(self, changed: Iterable[Alert], *_: object) -> None:
        """Remember alerts; timelines and notifications are dropped."""
        self.raised |= {alert.id: alert for alert in changed}

    def alerts(self, monitor: str | None = None, states: Collection[str] | None = None) -> list[Alert]:
        """As the store's, of the alerts found."""
        del monitor
        return [alert for alert in reversed(self.raised.values()) if states is None or alert.state in states]

    def alerts_in_play(self, monitor: str, *_: object) -> list[Alert]:
        """Return all alerts found, which are few."""
        return self.alerts(monitor)

    def incidents(self, ids: Collection[str], changed: Iterable[Alert] = ()) -> list[Incident]:
        """As the store's, of the alerts found."""
        members = self.raised | {alert.id: alert for alert in changed}
        return incidents.known(alert for alert in members.values() if {alert.incident, alert.known_as} & set(ids))

    def around(self, incident: Incident) -> Incident:
        """Return the incident alone: what happened besides is not replayed."""
        return incident

    def silences(self, *_: object) -> list[Silence]:
        """Return none: silences are not replayed."""
        return []

    def has_run(self, *_: object) -> bool:
        """Return yes: what is replayed ran."""
        return True

    def running(self, *_: object) -> list[Row]:
        """Return none: no run of a replay is left behind."""
        return []

    def run_results(self, *_: object) -> list[tuple[Window, str | None]]:
        """Return none: no run of a replay fails."""
        return []

    # -- what other stages write

    def save_gate(self, monitor: str, window: Window, decision: Gate, *_: object) -> None:
        """Remember what validation decided."""
        del monitor
        self.decisions[window] = decision

    def save_profile(self, monitor: str, counted: Profile, *_: object, gate: Gate, **__: object) -> bool:
        """Remember counts."""
        del monitor
        self.counts[window_of(counted)] = counted, gate
        self.given |= {window_of(counted)}
        return True

    def save_baseline(self, monitor: str, *_: object, **__: object) -> dict[str, Binning]:
        """Refuse: counts under new bins would have to be read."""
        raise StoreError(f"{monitor}: a replay fits no bins")

    def save_monitor(self, *_: object) -> None:
        """Do nothing: a replay records no configuration."""

    def save_run_started(self, *_: object, **__: object) -> None:
        """Do nothing: a replay records no run."""

    def save_run_finished(self, *_: object, **__: object) -> None:
        """Do nothing: a replay records no run."""


@dataclass
class Preview(Memory):
    """A memory that looks back at what is stored: one window judged as a run would, and nothing written."""

    def history(
        self, monitor: str, features: Collection[str], *, before: datetime, limit: int = 56, segment: str = WHOLE
    ) -> dict[str, list[Past]]:
        """As the store's."""
        return self.store.history(monitor, features, before=before, limit=limit, segment=segment)

    def load_reports(self, monitor: str, *, since: datetime, until: datetime | None = None) -> list[Report]:
        """As the store's."""
        return self.store.load_reports(monitor, since=since, until=until)


def window_of(found: Report | Profile) -> Window:
    """Return the window of a report or profile: only windows are replayed."""
    if found.window is None:
        raise StoreError("what has no window cannot be replayed")
    return found.window


def _past(monitor: str, report: Report, window: Window) -> dict[str, Past]:
    """Return what is remembered of each feature: what a store would give back."""
    rows = to_rows.score_rows(monitor, report, window)
    return {row["feature"]: Past(**{name: row[name] for name in Past._fields}) for row in rows if row["kl"] is not None}
