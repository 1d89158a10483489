"""Other tools on relationships that break while every histogram stays: what they find, call on quiet days, and cost.

    python -m benchmarks.peer_relationships [--times N] [--seed N] [--only faults,cost] [--folder build/benchmarks]

Faults like those of `benchmarks.relationships`, each on two days in a row of the demo's year, in as many stretches of
it as `--times` says. Every tool is given 28 days as reference, and judges by its defaults the days with each fault, and
what is ordinary of that week as it was: the same rows of the same columns, in an environment of its own
(`benchmarks.peers`), by `peers/run_NAME_relationships.py`. What one told of a stretch is kept in the folder and not
asked for again; NannyML's classifiers get every second stretch, and take half an hour of the first run.

`cost` judges the rest of the year after the first 28 days in one process. What is slow judges fewer days, twice, and
the year lies on the line through both.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import HERE, environment
from benchmarks.planted_faults import ROOT, both, load, markdown, places
from benchmarks.processes import python, run
from benchmarks.relationships import TRAILING, Days, Fault, lagged, permuted, rescaled
from benchmarks.workload import FOLDER
from drift.cli.demo import unpack
from drift.text.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.detection.relationships import Relationships

SEED = 7301
"""Not used before."""

TIMES, PLANTED, WEEK = 8, 2, 7
YEAR = 365 - TRAILING
MADE_UP = np.datetime64("2100-01-01")
"""Where the days begin that are handed to a peer."""

FEATURES = ["carrier", "origin", "dest", "dep_delay", "arr_delay", "air_time", "distance"]
"""As the demo's monitor watches them."""


def permuting(name: str, share: float) -> Fault:
    """Return the fault that a share of a column's values are in other rows."""
    return Fault(f"{percent(share)} of `{name}` permuted", (name,), partial(permuted, share=share))


FAULTS = (
    *(permuting(name, share) for share in (0.1, 0.3) for name in ("carrier", "dest", "distance", "air_time", "origin")),
    Fault("10 % of `dest` and `distance` permuted together", ("dest", "distance"), partial(permuted, share=0.1)),
    Fault("`carrier` of the row before", ("carrier",), lagged),
    Fault(
        "`distance` of one carrier in km, its histogram kept",
        ("distance",),
        partial(rescaled, column="distance", by="carrier", group=0.0),
    ),
    permuting("dep_delay", 0.1),
    permuting("dep_delay", 0.3),
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A peer's way to look at a table, the days after which its cost is taken, and which stretches it gets."""

    name: str
    peer: str
    method: str
    spans: tuple[int, ...]
    every: int = 1

    def command(self, folder: Path, reference: Path, days: Path) -> list[str | Path]:
        """Return what judges some days."""
        return [
            environment(self.peer, folder),
            HERE / f"run_{self.peer}_relationships.py",
            reference,
            days,
            self.method,
        ]


OURS = "Drift"
TOOLS = (
    Tool("NannyML, reconstruction error", "nannyml", "reconstruction", (YEAR,)),
    Tool("NannyML, domain classifier", "nannyml", "classifier", (2, 6), every=2),
    Tool("Evidently, `DataDriftPreset`", "evidently", "drift", (10, 40)),
    Tool("Evidently, correlations", "evidently", "correlations", (10, 40)),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a tool made of a day: the more strength, the more unusual; and the columns that it names."""

    called: bool
    strength: float
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a tool made of the days that follow a reference: those of each fault, and some as they were."""

    planted: tuple[tuple[Told, ...], ...]
    ordinary: tuple[Told, ...]

    @classmethod
    def of(cls, told: Sequence[Told]) -> Stretch:
        """Part days in the order of `cases`."""
        ends = range(PLANTED, PLANTED * len(FAULTS) + 1, PLANTED)
        return cls(tuple(tuple(told[end - PLANTED : end]) for end in ends), tuple(told[ends[-1] :]))

    def above(self, least: float) -> Stretch:
        """Return what would be told if a day were called above a strength."""

        def again(days: Iterable[Told]) -> tuple[Told, ...]:
            return tuple(replace(one, called=one.strength > least) for one in days)

        return Stretch(tuple(map(again, self.planted)), again(self.ordinary))


def threshold(ordinary: Sequence[float], most: int) -> float:
    """Return the least strength that no more than so many ordinary days are above.

    Examples
    --------
    >>> threshold([3.0, 1.0, 2.0], 0), threshold([3.0, 1.0, 2.0], 1)
    (3.0, 2.0)
    """
    return sorted(ordinary, reverse=True)[most]


def found(runs: Sequence[Sequence[Told]]) -> list[float]:
    """Return the share of runs of days that are called by each day."""
    called = [[one.called for one in days] for days in runs]
    return [float(share) for share in np.logical_or.accumulate(called, axis=1).mean(axis=0)]


def named(stretches: Sequence[Stretch]) -> float | str:
    """Return the share of called faults of which the first call names a column at fault."""
    hits = [
        bool(set(first.columns) & set(fault.columns))
        for stretch in stretches
        for fault, days in zip(FAULTS, stretch.planted, strict=True)
        if (first := next((one for one in days if one.called), None)) and first.columns
    ]
    return float(np.mean(hits)) if hits else "–"


def year_of(spans: Sequence[int], seconds: Sequence[float]) -> float:
    """Return what a year of days takes, on the line through what fewer took.

    Examples
    --------
    >>> year_of([337], [50.0]), year_of([10, 20], [15.0, 25.0])
    (50.0, 342.0)
    """
    slope = (seconds[-1] - seconds[0]) / (spans[-1] - spans[0]) if len(spans) > 1 else 0.0
    return seconds[-1] + slope * (YEAR - spans[-1])


# --- the same rows for everyone


def reordered(table: pa.Table, columns: Sequence[str], order: NDArray[np.intp]) -> pa.Table:
    """Return a table in which the values of some columns stand in other rows."""
    for name in columns:
        table = table.set_column(table.column_names.index(name), name, table[name].take(pa.array(order, pa.int64())))
    return table


def dated(tables: Iterable[pa.Table], path: Path) -> Path:
    """Write tables as one, a made-up day each."""
    days = [
        table.append_column("day", pa.array(np.full(table.num_rows, MADE_UP + i).astype("datetime64[us]")))
        for i, table in enumerate(tables)
    ]
    pq.write_table(pa.concat_tables(days), path)
    return path


def cases(days: Days, tables: Sequence[pa.Table], first: int, ordinary: Iterable[int], seed: int) -> list[pa.Table]:
    """Return the rows of the days of each fault, and then of ordinary ones."""
    spoiled = []
    for i, fault in enumerate(FAULTS):
        rng = np.random.default_rng([seed, i, first])
        spoiled += [
            reordered(tables[day], fault.columns, fault.order(days.values[day], rng))
            for day in range(first, first + PLANTED)
        ]
    return [*spoiled, *(tables[day] for day in ordinary)]


def of_ours(days: Days, first: int, ordinary: Iterable[int], seed: int) -> Stretch:
    """Return what Drift makes of the same days."""

    def told(judged: Relationships) -> Told:
        lasting = [one for one in judged.broken if one.lasting]
        return Told(
            bool(lasting), max((one.z for one in lasting), default=0.0), tuple(one.column for one in lasting[:1])
        )

    planted = [
        one
        for i, fault in enumerate(FAULTS)
        for one in days.plant(fault, first, np.random.default_rng([seed, i, first]))[:PLANTED]
    ]
    return Stretch.of([told(one) for one in (*planted, *(days.judged[day] for day in ordinary))])


def of_peer(command: Sequence[str | Path], kept: Path) -> Stretch:
    """Return what a peer makes of days, or made of them before."""
    if not kept.exists():
        beside = kept.with_suffix(".part")
        run(command, output=beside)
        beside.rename(kept)
    lines = [json.loads(line) for line in kept.read_text().splitlines() if line.startswith("{")]
    lines.sort(key=itemgetter("day"))
    return Stretch.of([Told(one["called"], one["strength"], tuple(one["columns"])) for one in lines])


# --- tables


def faults_table(times: int, seed: int, folder: Path) -> None:
    """Print what each tool finds by its own thresholds, and by those that call no more ordinary days than Drift."""
    year = load()
    days = Days.of(year)
    tables = [table.select(FEATURES) for table in year.rows.values()]
    place = folder / f"relationships-{seed}-{times}"
    place.mkdir(parents=True, exist_ok=True)
    told: dict[str, list[Stretch]] = {name: [] for name in (OURS, *(tool.name for tool in TOOLS))}
    for i, first in enumerate(places(year, times, np.random.default_rng(seed))):
        ordinary = sorted({*year.ordinary} & {*range(first, first + WEEK)})
        reference = dated(tables[first - TRAILING : first], place / f"{first}-reference.parquet")
        planted = dated(cases(days, tables, first, ordinary, seed), place / f"{first}-days.parquet")
        told[OURS].append(of_ours(days, first, ordinary, seed))
        for tool in TOOLS:
            if i % tool.every == 0:
                command = tool.command(folder, reference, planted)
                told[tool.name].append(of_peer(command, place / f"{first}-{tool.peer}-{tool.method}.json"))
    print(f"\nWith the defaults, day 1 / by day {PLANTED}:")
    recall_table(told)
    same = {OURS: told[OURS]}
    for tool in TOOLS:
        most = sum(one.called for stretch in told[OURS][:: tool.every] for one in stretch.ordinary)
        least = threshold([one.strength for stretch in told[tool.name] for one in stretch.ordinary], most)
        same[tool.name] = [stretch.above(least) for stretch in told[tool.name]]
    print("\nWith thresholds that call no more ordinary days than Drift:")
    recall_table(same)


def recall_table(told: Mapping[str, Sequence[Stretch]]) -> None:
    """Print how many of each fault are called, whether rightly named, and how many ordinary days are."""
    rows: list[list[object]] = [
        [fault.name, *(both(found([stretch.planted[i] for stretch in each])) for each in told.values())]
        for i, fault in enumerate(FAULTS)
    ]
    everything = (both(found([days for stretch in each for days in stretch.planted])) for each in told.values())
    as_it_was = (both(found([stretch.ordinary[:PLANTED] for stretch in each])) for each in told.values())
    quiet = ([one.called for stretch in each for one in stretch.ordinary] for each in told.values())
    rows += [
        ["**mean**", *everything],
        ["the same days, nothing planted", *as_it_was],
        ["a column at fault named, of those that name any", *(named(each) for each in told.values())],
        ["ordinary days called", *(f"{sum(called)} of {len(called)}" for called in quiet)],
    ]
    markdown(["fault", *told], rows)


MONITOR = """
name: year
source: {{files: "{folder}/flights/date=*/*.parquet", time_column: date}}
window: {{every: 1d, timezone: America/New_York}}
reference: {{trailing: 28d}}
features: {{exclude: [event_time, flight_date, tailnum]}}
"""


PART = """
import sys
from pathlib import Path
from benchmarks.peer_relationships import part
part(Path(sys.argv[1]))
"""


def part(place: Path) -> None:
    """Write the demo's files, and for the peers a reference and the days after it."""
    unpack(place)
    flights = pq.read_table(ROOT / "data" / "flights.parquet")
    table = flights.select(FEATURES).append_column("day", flights["flight_date"].cast(pa.timestamp("us")))
    day = np.unique(table["day"].to_numpy(), return_inverse=True)[1]
    pq.write_table(table.filter(pa.array(day < TRAILING)), place / "reference.parquet")
    for n in {n for tool in TOOLS for n in tool.spans}:
        after = (day >= TRAILING) & (day < TRAILING + n)
        pq.write_table(table.filter(pa.array(after)), place / f"{n}.parquet")


def cost_table(folder: Path) -> None:
    """Print what the days of a year after a reference take, and of how many days it was measured."""
    with tempfile.TemporaryDirectory(prefix="drift-bench-") as name:
        place = Path(name)
        # Elsewhere, as a child counts its parent's memory as its own.
        run(python(PART, place))
        monitor = place / "year.yaml"
        monitor.write_text(MONITOR.format(folder=place))
        drift, database = [sys.executable, "-m", "drift"], ["--database", f"sqlite:///{place}/drift.db"]
        run([*drift, "db", "upgrade", *database])
        year = ["--from", "2013-01-01", "--to", "2013-12-31", "--jobs", "1"]
        cost = run([*drift, "backfill", monitor, *year, *database], env={"DRIFT_FILES_ROOT": name})
        rows: list[list[object]] = [[f"{OURS}, all that a run does", YEAR, f"{cost.cpu:.0f}", f"{cost.peak:.0f}"]]
        for tool in TOOLS:
            costs = [run(tool.command(folder, place / "reference.parquet", place / f"{n}.parquet")) for n in tool.spans]
            seconds = year_of(tool.spans, [cost.cpu for cost in costs])
            spans = " and ".join(map(str, tool.spans))
            rows.append([tool.name, spans, f"{seconds:.0f}", f"{max(cost.peak for cost in costs):.0f}"])
    markdown(["", "days judged", f"CPU s for {YEAR} days", "peak MB"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=TIMES, help="stretches of the year that each fault is planted in")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="faults,cost")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where environments and answers are kept")
    options = parser.parse_args(argv)
    if "faults" in options.only:
        faults_table(options.times, options.seed, options.folder)
    if "cost" in options.only:
        cost_table(options.folder)


if __name__ == "__main__":
    main()
