"""Since when: lasting faults and slow ramps planted in the rows of real days, and how well their beginning is dated.

    python -m benchmarks.onset [--times N] [--seed N]

The flights of 2013 under the demo's monitor with its default detection, as in `benchmarks.planted_faults`. Each fault
begins on ordinary days drawn by the seed and stays; a ramp rises for twenty days. The windows are scored by the stages
that a run uses until the feature is notified, and dated then and some windows later.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.faults import in_km, lost, renamed, replaced, shifted
from benchmarks.planted_faults import ACCEPTED, load, markdown, places
from drift.pipeline import evaluate, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from benchmarks.planted_faults import Year
    from drift.detection.onset import Onset

    Spoil = Callable[[pa.Table, float, np.random.Generator], pa.Table]

RISE = 20
"""Days a ramp rises for."""

PATIENCE = 10
"""Days within which a fault is notified, or not at all."""

LATER = (0, 3, 7)
"""Windows after the one that was notified, at which the onset is looked at."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """A fault that stays, of a strength between 0 and 1."""

    name: str
    feature: str
    spoil: Spoil


FAULTS: tuple[Lasting, ...] = (
    Lasting("unit change: half in km", "distance", lambda t, by, rng: in_km(t, 0.5 * by, rng)),
    Lasting("B6 becomes JBU", "carrier", lambda t, by, _: renamed(t, "carrier", "B6", "JBU") if by == 1 else t),
    Lasting("+8 minutes", "dep_delay", lambda t, by, _: shifted(t, "dep_delay", round(8 * by))),
    Lasting("10 % nulls", "dep_delay", lambda t, by, rng: replaced(t, "dep_delay", 0.1 * by, None, rng)),
    Lasting("3 % −999", "air_time", lambda t, by, rng: replaced(t, "air_time", 0.03 * by, -999, rng)),
    Lasting("half of JFK lost", "origin", lambda t, by, rng: lost(t, "origin", "JFK", 0.5 * by, rng)),
    Lasting("5 % zeroed", "arr_delay", lambda t, by, rng: replaced(t, "arr_delay", 0.05 * by, 0, rng)),
    Lasting("2 % of a new carrier", "carrier", lambda t, by, rng: replaced(t, "carrier", 0.02 * by, "XX", rng)),
)

RAMPS: tuple[Lasting, ...] = (
    Lasting("units: to half in km", "distance", lambda t, by, rng: in_km(t, 0.5 * by, rng)),
    Lasting("to 30 % nulls", "dep_delay", lambda t, by, rng: replaced(t, "dep_delay", 0.3 * by, None, rng)),
    Lasting("to +20 minutes", "dep_delay", lambda t, by, _: shifted(t, "dep_delay", round(20 * by))),
    Lasting("to 20 % −999", "air_time", lambda t, by, rng: replaced(t, "air_time", 0.2 * by, -999, rng)),
    Lasting("JFK to a fifth", "origin", lambda t, by, rng: lost(t, "origin", "JFK", 0.8 * by, rng)),
    Lasting("to 20 % of a new carrier", "carrier", lambda t, by, rng: replaced(t, "carrier", 0.2 * by, "XX", rng)),
)


@dataclass(frozen=True, slots=True)
class Dated:
    """What was said of one planted fault: None where nothing was; by how many windows after it was notified."""

    first: int
    onsets: dict[int, Onset | None]


def plant(year: Year, fault: Lasting, first: int, rise: int, rng: np.random.Generator) -> Dated | None:
    """Let a fault begin on a day and rise for so many; None where it is not notified within `PATIENCE` days."""
    windows = year.windows[first : first + PATIENCE + 1 + LATER[-1]]
    counts = {
        window: (year.profile(window, fault.spoil(year.rows[window], min(1.0, (i + 1) / rise), rng)), ACCEPTED)
        for i, window in enumerate(windows)
    }
    on = replay.offline(year.context.monitor, year.memory.branch(first, dict(counts)))
    noticed: int | None = None
    found: dict[int, Onset | None] = {}
    for i, window in enumerate(windows):
        verdict = evaluate.evaluate_window(on, window)[fault.feature]
        if noticed is None and verdict.drifting:
            noticed = i
        if noticed is None and i == PATIENCE:
            return None
        if noticed is not None and i - noticed in LATER:
            # An alert keeps the date of the newest window that could say so.
            found[i - noticed] = verdict.explanation.onset or next(reversed(found.values()), None)
    return Dated(first, found)


def table(year: Year, faults: Sequence[Lasting], rise: int, options: argparse.Namespace) -> None:
    """Print how faults were dated, one by one and all together."""
    rows: list[list[object]] = []
    every: list[list[float]] = []
    for at, fault in enumerate(faults):
        days = places(year, options.times, np.random.default_rng([options.seed, rise, at]))
        planted = [
            (first, plant(year, fault, first, rise, np.random.default_rng([options.seed, rise, at, first])))
            for first in days
            if first + PATIENCE + LATER[-1] < len(year.windows)
        ]
        notified = [one for _, one in planted if one]
        marks = [[mark for later in LATER for mark in marked(year, one, later)] for one in notified]
        every += marks
        rows.append([f"{fault.name} · `{fault.feature}`", f"{len(notified)} of {len(planted)}", *told(marks)])
    markdown(["fault", "notified", *(f"{n} later" for n in LATER)], [*rows, ["**all**", len(every), *told(every)]])


def marked(year: Year, one: Dated, later: int) -> tuple[float, float, float, float]:
    """Return whether the true day is covered and exact, how many days the set has, and whether it is gradual."""
    onset = one.onsets.get(later)
    if onset is None:
        return (np.nan,) * 4
    true = year.windows[one.first].start
    width = sum(onset.earliest <= window.start <= onset.latest for window in year.windows)
    covered = onset.earliest <= true <= onset.latest
    return float(covered), float(onset.most_likely == true), float(width), float(onset.kind == "gradual")


def told(marks: Sequence[Sequence[float]]) -> list[str]:
    """Write for each time: covered, exact, median days, gradual."""
    if not marks:
        return ["–"] * len(LATER)
    found = np.array(marks).reshape(len(marks), len(LATER), 4)
    mean, middle = np.nanmean(found, axis=0), np.nanmedian(found[:, :, 2], axis=0)
    return [f"{m[0]:.2f} / {m[1]:.2f} / {width:g} / {m[3]:.2f}" for m, width in zip(mean, middle, strict=True)]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables: of each time the true day covered / exact / median days of the set / called gradual."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=20, help="days a fault begins on")
    parser.add_argument("--seed", type=int, default=8101)
    options = parser.parse_args(argv)
    year = load()
    print("covered / exact / median days of the set / called gradual, when notified and so many windows later")
    print("\n## Faults that stay")
    table(year, FAULTS, 1, options)
    print("\n## Ramps of twenty days")
    table(year, RAMPS, RISE, options)


if __name__ == "__main__":
    main()
