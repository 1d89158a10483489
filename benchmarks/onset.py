"""Since when: changes planted in the rows of real days, and how well their beginning is dated.

    python -m benchmarks.onset [--times N] [--seed N]

Three streams a day at a time, each with default detection: the flights of 2013 under the demo's monitor, those from JFK
alone (as a segment of it), and the hourly weather at the three airports. Each change begins on ordinary days drawn by
the seed and stays, rises for twenty days, or is over the next day. The windows are scored by the stages that a run uses
and become alerts as theirs do; what is looked at is the onset of the alert when it opens and some windows later.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.faults import in_km, lost, renamed, replaced, shifted
from benchmarks.planted_faults import ACCEPTED, ROOT, by_day, lived, load, markdown, places
from drift.alerts.alerts import fold
from drift.alerts.signals import signals_of
from drift.config.monitor import parse_monitor
from drift.pipeline import evaluate, replay
from drift.pipeline.notify import closing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from benchmarks.planted_faults import Year
    from drift.detection.onset import Onset

    Spoil = Callable[[pa.Table, float, np.random.Generator], pa.Table]

RISE = 20
"""Days a ramp rises for."""

PATIENCE = 10
"""Days within which a change is notified, or not at all."""

LATER = (0, 3, 7)
"""Windows after the one that was notified, at which the onset is looked at."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changes, by a strength between 0 and 1, and the key of the alert that it opens."""

    name: str
    key: str
    spoil: Spoil


def in_celsius(table: pa.Table, column: str, share: float, rng: np.random.Generator) -> pa.Table:
    """Give a share of the temperatures in degrees Celsius."""
    chosen = rng.random(table.num_rows) < share
    celsius = pc.cast(pc.divide(pc.subtract(table[column], 32.0), 1.8), table[column].type)
    return table.set_column(table.schema.get_field_index(column), column, pc.if_else(chosen, celsius, table[column]))


def fewer(table: pa.Table, share: float, rng: np.random.Generator) -> pa.Table:
    """Lose a share of the rows."""
    return table.filter(rng.random(table.num_rows) >= share)


FLIGHTS: tuple[Change, ...] = (
    Change("unit change: half in km", "drift:distance", lambda t, by, rng: in_km(t, 0.5 * by, rng)),
    Change("B6 becomes JBU", "drift:carrier", lambda t, by, _: renamed(t, "carrier", "B6", "JBU") if by == 1 else t),
    Change("+8 minutes", "drift:dep_delay", lambda t, by, _: shifted(t, "dep_delay", round(8 * by))),
    Change("10 % nulls", "drift:dep_delay", lambda t, by, rng: replaced(t, "dep_delay", 0.1 * by, None, rng)),
    Change("3 % −999", "drift:air_time", lambda t, by, rng: replaced(t, "air_time", 0.03 * by, -999, rng)),
    Change("half of JFK lost", "drift:origin", lambda t, by, rng: lost(t, "origin", "JFK", 0.5 * by, rng)),
    Change("5 % zeroed", "drift:arr_delay", lambda t, by, rng: replaced(t, "arr_delay", 0.05 * by, 0, rng)),
    Change("2 % of a new carrier", "drift:carrier", lambda t, by, rng: replaced(t, "carrier", 0.02 * by, "XX", rng)),
)

ROWS: tuple[Change, ...] = (
    Change("60 % of the rows lost", "volume:fewer", lambda t, by, rng: fewer(t, 0.6 * by, rng)),
    Change("95 % of the rows lost", "volume:fewer", lambda t, by, rng: fewer(t, 0.95 * by, rng)),
    Change("every row thrice", "volume:more", lambda t, by, _: t.take(np.tile(np.arange(t.num_rows), 3)) if by else t),
)

JFK: tuple[Change, ...] = (
    Change("JFK: +12 minutes", "drift:dep_delay", lambda t, by, _: shifted(t, "dep_delay", round(12 * by))),
    Change("JFK: 20 % nulls", "drift:arr_delay", lambda t, by, rng: replaced(t, "arr_delay", 0.2 * by, None, rng)),
    Change("JFK: half in km", "drift:distance", lambda t, by, rng: in_km(t, 0.5 * by, rng)),
    Change("JFK: 5 % of a carrier", "drift:carrier", lambda t, by, rng: replaced(t, "carrier", 0.05 * by, "XX", rng)),
)

WEATHER: tuple[Change, ...] = (
    Change("`temp` in °C", "drift:temp", lambda t, by, rng: in_celsius(t, "temp", by, rng)),
    Change("half of `visib` missing", "drift:visib", lambda t, by, rng: replaced(t, "visib", 0.5 * by, None, rng)),
    Change("`pressure` + 40", "drift:pressure", lambda t, by, _: shifted(t, "pressure", round(40 * by))),
    Change(
        "a third of `wind_dir` at 0", "drift:wind_dir", lambda t, by, rng: replaced(t, "wind_dir", by / 3, 0.0, rng)
    ),
    Change("JFK lost", "drift:origin", lambda t, by, rng: lost(t, "origin", "JFK", by, rng)),
    Change(
        "20 % of `wind_gust` −999",
        "drift:wind_gust",
        lambda t, by, rng: replaced(t, "wind_gust", 0.2 * by, -999.0, rng),
    ),
)

RAMPS: tuple[Change, ...] = (
    Change("units: to half in km", "drift:distance", lambda t, by, rng: in_km(t, 0.5 * by, rng)),
    Change("to 30 % nulls", "drift:dep_delay", lambda t, by, rng: replaced(t, "dep_delay", 0.3 * by, None, rng)),
    Change("to +20 minutes", "drift:dep_delay", lambda t, by, _: shifted(t, "dep_delay", round(20 * by))),
    Change("to 20 % −999", "drift:air_time", lambda t, by, rng: replaced(t, "air_time", 0.2 * by, -999, rng)),
    Change("JFK to a fifth", "drift:origin", lambda t, by, rng: lost(t, "origin", "JFK", 0.8 * by, rng)),
    Change("to 20 % of a new carrier", "drift:carrier", lambda t, by, rng: replaced(t, "carrier", 0.2 * by, "XX", rng)),
)


def weather() -> Year:
    """Read the hourly weather, a day at a time."""
    source = "source: {files: weather.parquet, time_column: obs_date}\nwindow: {every: 1d, timezone: America/New_York}"
    monitor = parse_monitor(
        f"name: weather\n{source}\nfeatures: {{exclude: [event_time]}}\nreference: {{trailing: 28d}}"
    )
    return lived(monitor, by_day(pq.read_table(ROOT / "data" / "weather.parquet"), "obs_date", monitor), frozenset())


def from_jfk(year: Year) -> Year:
    """Return the flights from JFK alone, as the segment of the year that they are."""
    rows = {window: lost(lost(table, "origin", "EWR", 1.0, _NONE), "origin", "LGA", 1.0, _NONE)
            for window, table in year.rows.items()}  # fmt: skip
    return lived(year.context.monitor, rows, year.odd)


_NONE = np.random.default_rng(0)


@dataclass(frozen=True, slots=True)
class Dated:
    """What was said of one planted change, by how many windows after it was notified."""

    first: int
    onsets: dict[int, Onset | None]


def plant(year: Year, change: Change, first: int, rise: int, rng: np.random.Generator) -> Dated | None:
    """Let a change begin on a day; None where it is not notified within `PATIENCE` days.

    It rises for `rise` days, or is over after the first where that is 0.
    """
    windows = year.windows[first : first + PATIENCE + 1 + LATER[-1]]
    counts = {
        window: (year.profile(window, change.spoil(year.rows[window], min(1.0, (i + 1) / max(rise, 1)), rng)), ACCEPTED)
        for i, window in enumerate(windows if rise else windows[:1])
    }
    monitor = year.context.monitor
    on = replay.offline(monitor, year.memory.branch(first, dict(counts)))
    seen = []
    noticed: int | None = None
    found: dict[int, Onset | None] = {}
    for i, window in enumerate(windows):
        said = signals_of(evaluate.evaluate_window(on, window), closing=closing_of(monitor))
        seen += [one for one in said if one.key == change.key]
        alerts = fold(seen, [], None, monitor.name, monitor.alerts.policy)
        if noticed is None and alerts:
            noticed = i
        if noticed is None and i == (PATIENCE if rise else 0):
            return None
        if noticed is not None and i - noticed in LATER:
            found[i - noticed] = alerts[-1 if rise else 0].onset
    return Dated(first, found)


def table(year: Year, changes: Sequence[Change], rise: int, options: argparse.Namespace) -> None:
    """Print how changes were dated, one by one and all together."""
    rows: list[list[object]] = []
    every: list[list[float]] = []
    for at, change in enumerate(changes):
        days = places(year, options.times, np.random.default_rng([options.seed, rise, at]))
        planted = [
            (first, plant(year, change, first, rise, np.random.default_rng([options.seed, rise, at, first])))
            for first in days
            if first + PATIENCE + LATER[-1] < len(year.windows)
        ]
        notified = [one for _, one in planted if one]
        marks = [[mark for later in LATER for mark in marked(year, one, later)] for one in notified]
        every += marks
        rows.append([f"{change.name} · `{change.key}`", f"{len(notified)} of {len(planted)}", *told(marks)])
    markdown(["change", "notified", *(f"{n} later" for n in LATER)], [*rows, ["**all**", len(every), *told(every)]])


def marked(year: Year, one: Dated, later: int) -> tuple[float, ...]:
    """Return whether the true day is covered and exact, how many days the set has, whether it is gradual, or single."""
    onset = one.onsets.get(later)
    if onset is None:
        return (np.nan,) * 5
    true = year.windows[one.first].start
    width = sum(onset.earliest <= window.start <= onset.latest for window in year.windows)
    covered, exact = onset.earliest <= true <= onset.latest, onset.most_likely == true
    return float(covered), float(exact), float(width), float(onset.kind == "gradual"), float(onset.kind == "single")


def told(marks: Sequence[Sequence[float]]) -> list[str]:
    """Write for each time: covered, exact, median days, gradual, single; and how many are not dated, if any."""
    if not marks:
        return ["–"] * len(LATER)
    found = np.array(marks).reshape(len(marks), len(LATER), 5)
    undated = np.isnan(found[:, :, 0]).sum(axis=0)
    mean, middle = np.nanmean(found, axis=0), np.nanmedian(found[:, :, 2], axis=0)
    return [
        f"{m[0]:.2f} / {m[1]:.2f} / {width:g} / {m[3]:.2f} / {m[4]:.2f}" + f" ({n} undated)" * bool(n)
        for m, width, n in zip(mean, middle, undated, strict=True)
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables: of each time the true day covered / exact / median days of the set / gradual / single."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=20, help="days a change begins on")
    parser.add_argument("--seed", type=int, default=8201)
    parser.add_argument("--only", default="", help="part of the heading of the tables to print")
    options = parser.parse_args(argv)
    flights = load()
    tables: list[tuple[str, Callable[[], Year], Sequence[Change], int]] = [
        ("Flights: changes that stay", lambda: flights, FLIGHTS, 1),
        ("Rows: changes that stay", lambda: flights, ROWS, 1),
        ("A segment: changes that stay", lambda: from_jfk(flights), JFK, 1),
        ("Weather: changes that stay", weather, WEATHER, 1),
        ("Ramps of twenty days", lambda: flights, RAMPS, RISE),
        ("Changes of one day", lambda: flights, (*FLIGHTS, *ROWS), 0),
    ]
    print("covered / exact / median days of the set / gradual / single, when notified and so many windows later")
    for heading, year, changes, rise in tables:
        if options.only.lower() in heading.lower():
            print(f"\n## {heading}")
            table(year(), changes, rise, options)


if __name__ == "__main__":
    main()
