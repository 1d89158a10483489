"""Incidents: changes planted at once, and days apart, in the rows of real days, and which alerts become one incident.

    python -m benchmarks.incidents [--times N] [--seed N]

The flights of 2013 and the weather of that year under their monitors, as in `benchmarks.onset`. Of each trial two to
four changes of different features stay from their day on: all from the same day, or two from days that lie apart, where
the first is still open when the second is noticed. The windows are scored by the stages that a run uses, and their
alerts followed as a run does.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.onset import FLIGHTS, ROWS, WEATHER, weather
from benchmarks.planted_faults import ACCEPTED, load, markdown, places
from drift.alerts.lifecycle import advance
from drift.alerts.signals import signals_of
from drift.pipeline import evaluate, replay
from drift.pipeline.notify import closing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.onset import Change
    from benchmarks.planted_faults import Year
    from drift.alerts.alerts import Alert

PATIENCE = 8
"""Days within which a change is noticed, or not at all."""

APART = range(2, 11)
"""How many days lie between changes that are to be two. Those a day apart are one by rule: they have their own row."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of some changes: the first alert of each that was noticed, and how many were planted."""

    alerts: tuple[Alert, ...]
    planted: int

    @property
    def pairs(self) -> list[bool]:
        """Whether two alerts that were open at once are one incident, for each two."""
        return [
            one.incident == other.incident
            for one, other in combinations(self.alerts, 2)
            if one.live or one.last_window >= other.opened_window
        ]


def plant(year: Year, changes: Sequence[tuple[int, Change]], rng: np.random.Generator) -> Trial:
    """Let each change begin on its day and stay, and follow the alerts of all."""
    first = min(day for day, _ in changes)
    windows = year.windows[first : max(day for day, _ in changes) + PATIENCE]
    counts = {}
    for place, window in enumerate(windows, start=first):
        table = year.rows[window]
        for day, change in changes:
            table = change.spoil(table, 1.0, rng) if place >= day else table
        counts[window] = (year.profile(window, table), ACCEPTED)
    monitor = year.context.monitor
    on = replay.offline(monitor, year.memory.branch(first, dict(counts)))
    known: dict[str, Alert] = {}
    for window in windows:
        said = signals_of(evaluate.evaluate_window(on, window), closing=closing_of(monitor))
        done = advance(known.values(), said, monitor=monitor.name, now=window.end, policy=monitor.alerts.policy)
        known |= {alert.id: alert for alert in done.alerts}
    begun = {change.key: year.windows[day].start for day, change in changes}
    mine = sorted(known.values(), key=lambda alert: alert.opened_window)
    noticed: dict[str, Alert] = {}
    for alert in mine:
        if alert.key in begun and alert.opened_window >= begun[alert.key]:
            noticed.setdefault(alert.key, alert)
    return Trial(tuple(noticed.values()), len(changes))


def drawn(changes: Sequence[Change], n: int, rng: np.random.Generator) -> list[Change]:
    """Draw changes of different keys."""
    found: dict[str, Change] = {}
    for at in rng.permutation(len(changes)):
        found.setdefault(changes[at].key, changes[at])
    return list(found.values())[:n]


def together(year: Year, changes: Sequence[Change], n: int, options: argparse.Namespace) -> list[Trial]:
    """Plant so many changes on the same day."""
    rng = np.random.default_rng([options.seed, n])
    days = [day for day in places(year, options.times, rng) if day + PATIENCE < len(year.windows)]
    return [plant(year, [(day, change) for change in drawn(changes, n, rng)], rng) for day in days]


def apart(year: Year, changes: Sequence[Change], days: Sequence[int], options: argparse.Namespace) -> list[Trial]:
    """Plant two changes so many days apart."""
    rng = np.random.default_rng([options.seed, 0])
    found = []
    for day in places(year, options.times, rng):
        later = day + int(rng.choice(days))
        if later + PATIENCE < len(year.windows):
            found.append(plant(year, list(zip((day, later), drawn(changes, 2, rng), strict=True)), rng))
    return found


def row(name: str, trials: Sequence[Trial]) -> list[object]:
    """Write how often the alerts of a trial, and two of them, are one incident."""
    several = [trial for trial in trials if len(trial.alerts) > 1 and trial.pairs]
    whole = [len({alert.incident for alert in trial.alerts}) == 1 for trial in several]
    pairs = [pair for trial in several for pair in trial.pairs]
    noticed = f"{sum(len(trial.alerts) for trial in trials)} of {sum(trial.planted for trial in trials)}"
    if not several:
        return [name, noticed, 0, "–", "–"]
    return [name, noticed, len(several), f"{np.mean(whole):.2f}", f"{np.mean(pairs):.2f}"]


def main(argv: Sequence[str] | None = None) -> None:
    """Print of each kind of trial how many of its alerts, and of every two, are one incident."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=30, help="days on which changes are planted")
    parser.add_argument("--seed", type=int, default=8301)
    options = parser.parse_args(argv)
    rows = []
    for name, year, changes in (("flights", load(), (*FLIGHTS, ROWS[0])), ("weather", weather(), WEATHER)):
        rows += [row(f"{name}: {n} at once", together(year, changes, n, options)) for n in (2, 3, 4)]
        rows.append(row(f"{name}: 2, days apart", apart(year, changes, APART, options)))
        rows.append(row(f"{name}: 2, a day apart", apart(year, changes, [1], options)))
    markdown(["planted", "noticed", "trials with several", "all in one", "of each two"], rows)


if __name__ == "__main__":
    main()
