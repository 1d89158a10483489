"""Relationships that break while every histogram stays: how many are notified, who is named, and what quiet days cost.

    python -m benchmarks.relationships [--times N] [--seed N] [--only faults,onset,null,restless] [--table NAME]

The flights of 2013 in the demo's bins, or another table: `weather` at their airports, hourly, 72 rows a day, or `us`,
the flights within the United States from January to June 2001, some 16,500 a day, with the places of their airports
(Bureau of Transportation Statistics, public; in the npm package `vega-datasets`). Each fault only reorders the values
of a column among the rows of a day, so that no histogram changes, on three days in a row, on ordinary days drawn by the
seed. It counts as notified where a finding names a pair of the column, and as named where the first finding names the
column.

`onset` lets faults stay and prints of those notified: true day in the set / exact / days of the set / gradual.

`null` draws 200 features, each with one that it depends on, from one law for 30 days;
`restless` simulates 50 correlated columns whose correlations differ from day to day.
"""

from __future__ import annotations

import argparse
import subprocess
import tarfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks.onset import weather
from benchmarks.planted_faults import ROOT, Year, by_day, lived, load, markdown
from drift.config.detection import Detection
from drift.config.monitor import parse_monitor
from drift.detection.relationships import Measured, Relationships, judge_relationships
from drift.profiles.binning import NumericBinning
from drift.profiles.coarse_cells import Coarse, coarse
from drift.profiles.pairs import Pairs
from drift.statistics.dependence import mutual_information

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.detection.onset import Onset

    Codes = NDArray[np.uint8]
    Values = Mapping[str, NDArray[np.float64]]
    Order = Callable[[Values, np.random.Generator], NDArray[np.intp]]

SEED = 6101
"""The rule was chosen on 6001."""

LASTING, TRAILING, DETECTION = 3, 28, Detection()
TIED = 0.1
"""Nats of mutual information that tie a column to another."""

LATER = (0, 3, 7)
"""Windows after the one that was notified, at which the onset is looked at."""

TOGETHER = (
    ("carrier", "dest"), ("dest", "distance"), ("dep_delay", "arr_delay"),
    ("temp", "dewp"), ("origin", "destination"), ("distance", "destination"),
)  # fmt: skip
"""Columns that are misjoined together, of any of the tables."""

OF_A_CARRIER = {
    "`distance` of one carrier in km, its histogram kept": "distance",
    "`air_time` of one carrier × 1.6, its histogram kept": "air_time",
}

LAGGED = ("carrier", "distance", "dep_delay", "temp")

DATED = ("carrier", "origin", "dest", "air_time", "distance")
"""Columns that are permuted for good: those of the flights whose faults are found."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Columns whose values are reordered among the rows of a day, together."""

    name: str
    columns: tuple[str, ...]
    order: Order


def permuted(values: Values, rng: np.random.Generator, *, share: float) -> NDArray[np.intp]:
    """Permute a share of the rows."""
    n = len(next(iter(values.values())))
    order, rows = np.arange(n), rng.choice(n, round(share * n), replace=False)
    order[rows] = rng.permutation(rows)
    return order


def lagged(values: Values, rng: np.random.Generator) -> NDArray[np.intp]:
    """Take each row's value from the row before."""
    del rng
    return np.roll(np.arange(len(next(iter(values.values())))), 1)


def rescaled(values: Values, rng: np.random.Generator, *, column: str, by: str, group: float) -> NDArray[np.intp]:
    """Give the rows of one group the places that 1.6 times their value would have."""
    del rng
    mine, order = values[column], np.empty(len(values[column]), np.intp)
    order[np.argsort(np.where(values[by] == group, 1.609 * mine, mine), kind="stable")] = np.argsort(
        mine, kind="stable"
    )
    return order


@dataclass(frozen=True, slots=True)
class Days:
    """A year of rows in coarse cells, with what was made of each day as it was."""

    columns: Mapping[str, Coarse]
    codes: Sequence[Codes]
    values: Sequence[Values]
    pairs: Sequence[Pairs]
    starts: Sequence[datetime]
    drifting: Sequence[frozenset[str]]
    judged: Sequence[Relationships]

    @classmethod
    def of(cls, year: Year) -> Days:
        """Count the pairs of each day, and judge it."""
        columns = {name: coarse(binning) for name, binning in year.binnings.items()}
        tables = {window: table.combine_chunks() for window, table in year.rows.items()}
        codes = [
            np.stack([cells.codes(table[name].combine_chunks()) for name, cells in columns.items()])
            for table in tables.values()
        ]
        values = [
            {
                name: np.unique(table[name].to_pandas().astype(str), return_inverse=True)[1].astype(float)
                if not year.binnings[name].ordered
                else table[name].to_pandas().to_numpy(float)
                for name in columns
            }
            for table in tables.values()
        ]
        pairs = [Pairs.of(columns, each) for each in codes]
        starts = [window.start for window in year.rows]
        reports = {report.window: frozenset(v.feature for v in report.drifting) for report in year.replayed.reports}
        drifting = [reports.get(window, frozenset()) for window in year.rows]
        days = cls(columns, codes, values, pairs, starts, drifting, [])
        judged: list[Relationships] = []
        for day in range(len(pairs)):
            judged.append(days.judge(day, pairs, judged))
        return cls(columns, codes, values, pairs, starts, drifting, judged)

    def judge(self, day: int, pairs: Sequence[Pairs], judged: Sequence[Relationships]) -> Relationships:
        """Judge a day by the days before it."""
        if day < 7:
            return Relationships(None, (), "too early")
        past = [one.measured for one in judged[:day] if one.measured]
        reference = Pairs.total(pairs[max(day - TRAILING, 0) : day])
        return judge_relationships(
            reference, pairs[day], past, DETECTION, start=self.starts[day], drifting=self.drifting[day]
        )

    def plant(self, fault: Fault, first: int, rng: np.random.Generator, lasting: int = LASTING) -> list[Relationships]:
        """Return what is made of some days with a fault."""
        pairs, judged = list(self.pairs), list(self.judged)
        at = [list(self.columns).index(name) for name in fault.columns]
        for day in range(first, first + lasting):
            order = fault.order(self.values[day], rng)
            if not (np.sort(order) == np.arange(len(order))).all():
                raise AssertionError
            codes = self.codes[day].copy()
            codes[at] = codes[at][:, order]
            pairs[day] = Pairs.of(self.columns, codes)
            judged[day] = self.judge(day, pairs, judged)
        return judged[first : first + lasting]

    def quiet(self, year: Year, lasting: int = LASTING) -> list[int]:
        """Return the ordinary days with ordinary ones about them, and so many days after."""
        ordinary = set(year.ordinary)
        last = len(self.pairs) - lasting
        return [i for i in year.ordinary if i <= last and all(i + k in ordinary for k in range(-2, LASTING))]


def onset_table(year: Year, days: Days, times: int, seed: int) -> None:
    """Print how well faults that stay are dated, when they are notified and some windows later."""
    rows: list[list[object]] = []
    every = list[list[list[float]]]()
    last = LATER[-1] + LASTING
    for at, (share, name) in enumerate((share, name) for share in (0.05, 0.1, 0.3) for name in DATED):
        fault = Fault(f"{share:.0%} of `{name}` permuted", (name,), partial(permuted, share=share))
        rng, found = np.random.default_rng([seed, 1, at]), list[list[list[float]]]()
        for first in (int(rng.choice(stretch)) for stretch in np.array_split(days.quiet(year, last), times)):
            onsets: list[Onset | None] = []
            known: Onset | None = None
            for each in days.plant(fault, first, rng, last):
                lasting = [one.onset for one in each.broken if one.lasting and one.column == name]
                known = next(iter(lasting), None) or known
                if lasting or onsets:
                    onsets.append(known)
            if len(onsets) > LATER[-1]:
                found.append([_dated(days.starts, first, onsets[later]) for later in LATER])
        every += found
        rows.append([fault.name, f"{len(found)} of {times}", *_dates(found)])
    rows.append(["all", len(every), *_dates(every)])
    markdown(["fault", "notified", *(f"{later} windows later" for later in LATER)], rows)


def _dated(starts: Sequence[datetime], first: int, onset: Onset | None) -> list[float]:
    """Return whether the true day is covered and exact, how many days the set has, and whether it is gradual."""
    if onset is None:
        return [np.nan] * 4
    width = sum(onset.earliest <= each <= onset.latest for each in starts)
    covered = onset.earliest <= starts[first] <= onset.latest
    return [float(covered), float(onset.most_likely == starts[first]), float(width), float(onset.kind == "gradual")]


def _dates(found: Sequence[Sequence[Sequence[float]]]) -> list[str]:
    """Write for each time: covered, exact, median days of the set, gradual."""
    if not found:
        return ["–"] * len(LATER)
    marks = np.array(found)
    mean, middle = np.nanmean(marks, axis=0), np.nanmedian(marks[:, :, 2], axis=0)
    return [f"{m[0]:.2f} / {m[1]:.2f} / {width:g} / {m[3]:.2f}" for m, width in zip(mean, middle, strict=True)]


def faults_table(year: Year, days: Days, times: int, seed: int) -> None:
    """Print what is notified of faults, and of ordinary days."""
    windows = year.windows
    ordinary = set(year.ordinary)
    quiet = days.quiet(year)
    whole = Pairs.total(days.pairs)
    ties = {pair: float(mutual_information(whole.table(*pair))) for pair in combinations(days.columns, 2)}
    tied = {name: max(tie for pair, tie in ties.items() if name in pair) for name in days.columns}
    faults = [
        *(
            Fault(f"{share:.0%} of `{name}` permuted", (name,), partial(permuted, share=share))
            for share in (0.1, 0.05)
            for name in days.columns
            if tied[name] >= TIED
        ),
        *(
            Fault(
                "10 % of " + " and ".join(f"`{each}`" for each in names) + " permuted together",
                names,
                partial(permuted, share=0.1),
            )
            for names in TOGETHER
        ),
        *(Fault(f"`{name}` of the row before", (name,), lagged) for name in LAGGED),
        *(
            Fault(name, (column,), partial(rescaled, column=column, by="carrier", group=0.0))
            for name, column in OF_A_CARRIER.items()
            if "carrier" in days.columns
        ),
    ]
    faults = [fault for fault in faults if set(fault.columns) <= days.columns.keys()]
    rows: list[list[object]] = []
    for at, fault in enumerate(faults):
        rng = np.random.default_rng([seed, at])
        first_days = [int(rng.choice(stretch)) for stretch in np.array_split(quiet, times)]
        found = [days.plant(fault, first, rng) for first in first_days]
        told = [[[one for one in day.broken if one.lasting] for day in three] for three in found]
        concerns = [
            [
                [bool({name for pair in one.pairs for name in pair.columns} & set(fault.columns)) for one in day]
                for day in three
            ]
            for three in told
        ]
        by_day = [
            float(np.mean([any(any(day) for day in three[: k + 1]) for three in concerns])) for k in range(LASTING)
        ]
        firsts = [next((day[0].column for day in three if day), "") for three in told]
        named = [first in fault.columns for first in firsts if first]
        rows.append(
            [fault.name, max(tied[name] for name in fault.columns), *by_day, float(np.mean(named)) if named else "–"]
        )
    markdown(["fault", "tie, nats", "day 1", "by day 2", "by day 3", "named first, of notified"], rows)
    before: set[str] = set()
    pages = Counter[str]()
    single = 0
    for day in year.judged:
        now = {one.column for one in days.judged[day].broken if one.lasting}
        if day in ordinary:
            pages.update(now - before)
            single += bool(days.judged[day].broken)
        before = now
    n = len(ordinary)
    counts = f"{sum(pages.values()) * 30 / n:.2f} pages in 30 days ({dict(pages)}), {single} with a finding"
    print(f"\n{n} ordinary days from {windows[year.judged[0]].start:%m-%d}: {counts}.")


def _stream(count: Callable[[int], Pairs], n_days: int, watched: int) -> tuple[int, int, float]:
    """Return pages and days with a finding of the last days of a stream, and the seconds a day took."""
    start, past = datetime(2024, 1, 1, tzinfo=UTC), list[Measured]()
    pairs, pages, single, seconds = list[Pairs](), 0, 0, 0.0
    before: set[str] = set()
    for day in range(n_days):
        pairs.append(count(day))
        if day < 7:
            continue
        reference = Pairs.total(pairs[max(day - TRAILING, 0) : day])
        began = time.process_time()
        found = judge_relationships(reference, pairs[day], past, DETECTION, start=start + timedelta(days=day))
        seconds = time.process_time() - began
        if found.measured:
            past.append(found.measured)
        now = {one.column for one in found.broken if one.lasting}
        if day >= n_days - watched:
            pages, single = pages + len(now - before), single + bool(found.broken)
        before = now
    return pages, single, seconds


def _cells(n: int, k: int) -> tuple[dict[str, Coarse], NDArray[np.float64]]:
    """Return so many columns of k even cells, and the normal quantiles between these."""
    from scipy.special import ndtri

    cuts = ndtri(np.arange(1, k) / k)
    cells = coarse(NumericBinning(np.array([-9.0, *cuts, 9.0])))
    return {f"c{i:03}": cells for i in range(n)}, cuts


def _codes(values: NDArray[np.float64], cells: Coarse) -> Codes:
    """Return the coarse cell of every value, and 1 % missing."""
    edges = cells.binning.edges  # type: ignore[union-attr]
    codes = cells.of_cell[np.searchsorted(edges, values, "right")].astype(np.uint8)
    codes[np.random.default_rng(len(values)).random(values.shape) < 0.01] = cells.n_cells - 1
    return codes


def restless_table(seed: int, months: int = 2) -> None:
    """Print pages of 50 correlated columns whose correlations differ from day to day."""
    columns, _ = _cells(50, 7)
    cells = next(iter(columns.values()))
    rows: list[list[object]] = []
    for n_rows in (1000, 5000):
        for unrest in (0.0, 0.05, 0.1):
            pages, single, cost = 0.0, 0.0, 0.0
            for month in range(months):
                rng = np.random.default_rng([seed, n_rows, int(100 * unrest), month])
                loadings, restless = rng.normal(0, 0.8, (50, 3)), rng.uniform(0, unrest, (50, 1))

                def count(
                    day: int,
                    rng: np.random.Generator = rng,
                    loadings: NDArray[np.float64] = loadings,
                    restless: NDArray[np.float64] = restless,
                    n_rows: int = n_rows,
                ) -> Pairs:
                    today = loadings + restless * rng.normal(size=(50, 3)) * (1.5 if day % 7 >= 5 else 1.0)
                    x = today @ rng.normal(size=(3, n_rows)) + rng.normal(size=(50, n_rows))
                    return Pairs.of(columns, _codes(x / np.sqrt((loadings**2).sum(axis=1, keepdims=True) + 1), cells))

                more, findings, cost = _stream(count, 84 + 30, 30)
                pages, single = pages + more, single + findings
            rows.append([f"{n_rows:,}", unrest, pages / months, single / months, cost])
    markdown(
        ["rows", "a day's own change of each loading, up to", "pages in 30 days", "days with a finding", "CPU s a day"],
        rows,
    )


def null_table(seed: int) -> None:
    """Print pages of 200 features of which nothing changes."""
    columns, _ = _cells(200, 7)
    cells = next(iter(columns.values()))
    rows: list[list[object]] = []
    for n_rows in (500, 5000, 50_000):
        rng = np.random.default_rng([seed, n_rows])

        def count(day: int, rng: np.random.Generator = rng, n_rows: int = n_rows) -> Pairs:
            del day
            x = rng.standard_normal((200, n_rows))
            x[1::2] = 0.9 * x[::2] + 0.44 * x[1::2]
            return Pairs.of(columns, _codes(x, cells))

        rows.append([f"{n_rows:,}", *_stream(count, 14 + 30, 30)])
    markdown(["rows", "pages in 30 days", "days with a finding", "CPU s a day"], rows)


def us_flights() -> Year:
    """Read the flights within the United States, a day at a time."""
    folder = ROOT / "build" / "vega-datasets"
    if not [*folder.glob("*.tgz")]:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", "vega-datasets@3.2.1"], cwd=folder, check=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        packed = {name: package.extractfile(f"package/data/{name}") for name in ("flights-3m.parquet", "airports.csv")}
        files = [BytesIO(each.read()) for each in packed.values() if each]
    table, airports = pq.read_table(files[0]), csv.read_csv(files[1])
    at = table["date"]
    table = table.set_column(0, "day", at.cast(pa.date32(), safe=False)).append_column(
        "hour", pc.hour(at).cast(pa.int16())
    )
    for end in ("origin", "destination"):
        place = pc.index_in(table[end].cast(pa.string()), value_set=airports["iata"].combine_chunks())
        for name in ("latitude", "longitude"):
            table = table.append_column(f"{end}_{name}", airports[name].take(place))
    table = table.filter(pc.less(table["day"], pa.scalar(date(2001, 7, 1))))
    monitor = parse_monitor(
        "name: us\nsource: {files: us.parquet, time_column: day}\nwindow: {every: 1d}\nreference: {trailing: 28d}"
    )
    return lived(monitor, by_day(table, "day", monitor), frozenset())


TABLES: dict[str, Callable[[], Year]] = {"flights": load, "weather": weather, "us": us_flights}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=40, help="days that each fault is planted on")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="faults,onset,restless,null")
    parser.add_argument("--table", choices=TABLES, default="flights")
    options = parser.parse_args(argv)
    started = time.perf_counter()
    for name in options.only.split(","):
        if name in {"faults", "onset"}:
            year = TABLES[options.table]()
            table = faults_table if name == "faults" else onset_table
            table(year, Days.of(year), options.times, options.seed)
        elif name == "restless":
            restless_table(options.seed)
        else:
            null_table(options.seed)
        print(f"[{name}: {time.perf_counter() - started:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
