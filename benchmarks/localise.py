"""Where: faults planted in one slice of the rows of real days, and whether that slice is named.

    python -m benchmarks.localise [--times N] [--seed N]

The flights of 2013 under the demo's monitor with its default detection, as in `benchmarks.planted_faults`, explained by
carrier, airport and destination. A fault spoils one feature in the rows of a slice, in half of them, or in rows of all
slices; or a slice loses rows. It begins on an ordinary day drawn by the seed and lasts; asked is the report of the
first of three days that is notified. Faults that are not notified, and days that drift without one, do not count. The
slice is named first if it is the first named, or one of the ties, which hold nine tenths of the same rows.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.faults import KM
from benchmarks.planted_faults import ACCEPTED, LASTING, load, markdown, places
from drift.pipeline import evaluate, replay
from drift.profiles.coarse_cells import COARSE, FINE, coarse
from drift.profiles.pair_tally import PairTally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.planted_faults import Year
    from drift.detection.scores import Verdict
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.histograms import Profile
    from drift.windows import Window

    Change = Callable[[pa.ChunkedArray, np.random.Generator], object]

EXPLAINING = ("carrier", "origin", "dest")

FEWEST = 40
"""Rows of a slice that a fault is planted in, on its first day."""

SIZES = (0.1, 0.03)
"""What a fault adds to the divergence of its feature at least, in nats."""

NUMBERS: dict[str, Change] = {
    "+8": lambda values, _: pc.add(values, 8),
    "+20": lambda values, _: pc.add(values, 20),
    "× 1.609": lambda values, _: pc.round(pc.multiply(values.cast(pa.float64()), KM)),
    "null": lambda values, _: pa.nulls(len(values), values.type),
    "−999": lambda values, _: pa.array([-999] * len(values)),
    "0": lambda values, _: pa.array([0] * len(values)),
}
LABELS: dict[str, Change] = {
    "null": NUMBERS["null"],
    "one label": lambda values, rng: pa.array([values[int(rng.integers(len(values)))].as_py()] * len(values)),
    "a new label": lambda values, _: pa.array(["XX"] * len(values)),
}
KINDS: dict[str, tuple[float, ...]] = {
    "a whole slice": (1.0,),
    "half of a slice": (0.5,),
    "rows lost of a slice": (0.5, 0.8, 1.0),
    "all rows, or some of all": (0.05, 0.1, 0.3, 1.0),
}
"""Which rows are spoiled, and the shares of them that are drawn from."""

LOST, ANYWHERE = list(KINDS)[2:]


@dataclass(frozen=True, slots=True)
class Planted:
    """What was said of one fault that was notified.

    `added` is what the fault adds to the divergence of the feature on that day, in nats; a slice named is a column and
    a cell, which is empty for all rows but one cell's; `alike` whether it was said of every cell of a column.
    """

    added: float
    named: tuple[tuple[str, str], ...]
    true: tuple[str, str]
    alike: bool


@dataclass(frozen=True)
class Pairing:
    """The year with the pairs of its columns counted."""

    year: Year
    columns: Mapping[str, Coarse]

    @classmethod
    def of(cls, year: Year) -> Pairing:
        """Count the pairs of every day."""
        cells = {name: FINE if name in EXPLAINING else COARSE for name in year.binnings}
        found = cls(year, {name: coarse(year.binnings[name], most) for name, most in cells.items()})
        for window, table in year.rows.items():
            year.memory.counts[window] = (found.profile(window, table), ACCEPTED)
        return found

    def profile(self, window: Window, table: pa.Table) -> Profile:
        """Count rows as the monitor does, and their pairs."""
        tally = PairTally(self.columns)
        for batch in table.to_batches():
            tally.add(batch)
        return replace(self.year.profile(window, table), pairs=tally.pairs())

    def notified(self, first: int, spoiled: Mapping[Window, pa.Table], feature: str) -> tuple[Verdict, float] | None:
        """Return the verdict of the first spoiled day that is notified, and the day's KL without the fault."""
        counts = {window: (self.profile(window, table), ACCEPTED) for window, table in spoiled.items()}
        on = replay.offline(self.year.context.monitor, self.year.memory.branch(first, dict(counts)))
        for window, before in zip(spoiled, self.year.replayed.reports[first:], strict=False):
            verdict, score = evaluate.evaluate_window(on, window)[feature], before[feature].score
            if verdict.drifting:
                return verdict, score.kl_corrected if score else 0.0
        return None


def plant(pairing: Pairing, kind: str, first: int, rng: np.random.Generator) -> Planted | None:
    """Plant one fault, drawn at random; None where there is no such slice, or it is not notified for itself."""
    year = pairing.year
    windows = year.windows[first : first + LASTING]
    feature = str(rng.choice(list(year.binnings)))
    column = str(rng.choice([name for name in EXPLAINING if name != feature]))
    labels = year.rows[windows[0]][column].value_counts().to_pylist()
    known = pairing.columns[column].names
    large = sorted(str(each["values"]) for each in labels if each["counts"] >= FEWEST and each["values"] in known)
    if not large or any(report[feature].drifting for report in year.replayed.reports[first : first + LASTING]):
        return None
    label, share = str(rng.choice(large)), float(rng.choice(KINDS[kind]))
    ways = NUMBERS if year.binnings[feature].ordered else LABELS
    change = ways[str(rng.choice(list(ways)))]
    spoiled = {}
    for window in windows:
        table = year.rows[window]
        inside = (kind == ANYWHERE) | _mask(table[column], label)
        inside &= rng.random(table.num_rows) < share
        spoiled[window] = (
            table.filter(pa.array(~inside)) if kind == LOST else changed(table, feature, inside, change, rng)
        )
    found = pairing.notified(first, spoiled, feature)
    if found is None or found[0].score is None:
        return None
    verdict, without = found
    where = verdict.explanation.where
    named = tuple((each.column, "" if each.outside else each.cell) for each in where.slices) if where else ()
    alike = bool(where and where.alike)
    return Planted(found[0].score.kl_corrected - max(without, 0.0), () if alike else named, (column, label), alike)


def _mask(column: pa.ChunkedArray, label: str) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.equal(column, label), False).to_numpy())  # noqa: FBT003 - its argument


def changed(
    table: pa.Table, feature: str, inside: NDArray[np.bool_], change: Change, rng: np.random.Generator
) -> pa.Table:
    """Put something else in the place of a feature's values in some rows."""
    values = table[feature]
    if not inside.any():
        return table
    new = change(values, rng)
    at = table.schema.get_field_index(feature)
    mixed = pc.if_else(pa.array(inside), new.cast(values.type), values)
    return table.set_column(at, table.schema.field(feature), mixed)


def row(kind: str, least: float, planted: Sequence[Planted]) -> list[object]:
    """Say of faults of one kind, from a size on, how often a slice was named, the right one first, and ties."""
    some = [one for one in planted if one.added >= least]
    shares = [[bool(one.named), one.true in one.named, len(one.named) > 1, one.alike] for one in some]
    said, right, ties, alike = np.mean(shares, axis=0).tolist() if some else [np.nan] * 4
    return [kind, f"≥ {least:g}", len(some), said, "–" if kind == ANYWHERE else right, ties, alike]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=300, help="faults of each kind, of which some are not notified")
    parser.add_argument("--seed", type=int, default=9101)
    options = parser.parse_args(argv)
    pairing = Pairing.of(load())
    rows = []
    for at, kind in enumerate(KINDS):
        rng = np.random.default_rng([options.seed, at])
        days = [day for _ in range(0, options.times, 60) for day in places(pairing.year, 60, rng)]
        found = [plant(pairing, kind, int(first), rng) for first in rng.permutation(days)[: options.times]]
        rows += [row(kind, least, [one for one in found if one]) for least in SIZES]
    markdown(
        [
            "rows spoiled",
            "added KL, nats",
            "notified",
            "a slice named",
            "the right one first",
            "with ties",
            "alike in all",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
