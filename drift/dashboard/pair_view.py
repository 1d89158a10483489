"""What pages show of pairs of columns: the course of one, all of a window, and which strayed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.dashboard.parameters import ALL
from drift.dashboard.time_marks import gap_of
from drift.store.reads import alerts as alert_reads
from drift.store.reads import windows as window_reads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from drift.alerts.alerts import Alert
    from drift.dashboard.formatting import LocalTime
    from drift.detection.pair import PairMeasured
    from drift.detection.relationships import Measured
    from drift.store.reads.windows import WindowState
    from drift.store.store import Store

MOST_ALERTS = 100
"""Alerts of a monitor's relationships that are looked at: those that go on, then the newest."""


@dataclass(frozen=True, slots=True)
class Line:
    """A pair in one window."""

    columns: tuple[str, str]
    status: str
    measured: PairMeasured


def alerts_of(store: Store, monitor: str, columns: Collection[str]) -> list[Alert]:
    """Return the alerts of relationships of some columns, the worst first."""
    found = alert_reads.page(store, monitor=monitor, kind="relationship", states=ALL, limit=MOST_ALERTS)[0]
    return [alert for alert in found if alert.feature in columns]


def status_of(measured: PairMeasured, alerts: Iterable[Alert]) -> str:
    """Return the one word for a pair in a window: one that strays is as bad as the alert that counts the window."""
    if measured.z is None:
        return "not_judged"
    if not measured.strays:
        return "ok"
    there = [each for each in alerts if each.opened_window <= measured.window_start <= each.last_window]
    return "critical" if any(each.worst == "critical" for each in there) else "warning" if there else "pending"


def course(store: Store, monitor: str, windows: int, at: datetime | None, local: LocalTime) -> Sequence[WindowState]:
    """Return the newest windows of a monitor, or those around an older one."""
    now = datetime.now(UTC)
    states = window_reads.window_states(store, monitor, windows=windows, until=now)
    if at is not None and states and at < states[0].start:
        # The window that is asked for stands two thirds along.
        until = at + (windows // 3 + 1) * local.calendar.span.nominal
        states = window_reads.window_states(store, monitor, windows=windows, until=until) or states
    return states


def rows(
    states: Iterable[WindowState], measured: Iterable[PairMeasured], alerts: Sequence[Alert]
) -> list[dict[str, Any]]:
    """Return what a pair was measured at in each window, None where it was not."""
    found = {each.window_start: each for each in measured}
    nothing = {"kl_corrected": None, "mixed": None, "z": None}
    return [
        {"window_start": state.start, "window_end": state.end}
        | (
            {"kl_corrected": one.kl_corrected, "mixed": one.mixed, "z": one.z, "status": status_of(one, alerts)}
            if (one := found.get(state.start))
            else {**nothing, "status": gap_of(state)}
        )
        for state in states
    ]


def unusual(measured: Measured, alerts: Sequence[Alert], column: str = "") -> list[Line]:
    """Return the pairs of a window, or those of one column: first those that stray, then by how unusual they are."""
    pairs, found = measured.pairs, []
    for i in measured.worst_first():
        if column and column not in pairs[i]:
            continue
        about = [alert for alert in alerts if alert.feature in pairs[i]]
        found.append(Line(pairs[i], status_of(measured.at(i), about), measured.at(i)))
    return found


def strayed(measured: Iterable[Measured]) -> list[tuple[str, str]]:
    """Return the pairs that strayed in any of some windows, the one first that did in most."""
    found: Counter[tuple[str, str]] = Counter()
    for one in measured:
        found.update(one.pairs[i] for i in np.flatnonzero(one.strays).tolist())
    return [pair for pair, _ in found.most_common()]
