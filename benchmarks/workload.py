"""The tables that the performance benchmarks read: made by seed, written a row group at a time, kept for the next run.

    python -m benchmarks.workload [--rows 1M] [--numbers 40] [--texts 10] [--levels N] [--group 122880]
                                  [--folder build/benchmarks]

A workload is a reference and a current table of the same rows and columns. Numbers are float64: normal, lognormal,
Student's t with two degrees of freedom and whole, in turns, with 2 % missing, as null in even columns and as NaN in odd
ones. Texts have 3 to 5,000 categories with Zipf's frequencies. In the current table every fifth column has moved by a
tenth of a standard deviation, or has its two most frequent categories changed over. Parquet, zstd, in
row groups of 122,880 rows (DuckDB's; PyArrow's own million is a choice).

Above `LINKED` rows a table is a folder of hard links to one file of that many rows, which a reader cannot tell from
other files: thirty million rows cost the disk ten.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

FOLDER = Path(__file__).parent.parent / "build" / "benchmarks"
LEVELS = (3, 5, 10, 20, 50, 100, 300, 1000, 2000, 5000)
"""Categories of each text column, in turns."""

MISSING = 0.02
GROUP = 122_880
LINKED = 10_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """Two tables to compare.

    Parameters
    ----------
    rows
        Of each table.
    numbers, texts
        Columns of each kind.
    levels
        Categories of every text column; as in `LEVELS` by default.
    group
        Rows of a row group.
    """

    rows: int
    numbers: int = 40
    texts: int = 10
    levels: int | None = None
    group: int = GROUP

    @property
    def name(self) -> str:
        """What its files are called.

        Examples
        --------
        >>> Workload(1_000_000).name
        '1M-40-10'
        """
        levels = f"-{self.levels}-levels" if self.levels else ""
        group = f"-{self.group}-rows" if self.group != GROUP else ""
        return f"{short(self.rows)}-{self.numbers}-{self.texts}{levels}{group}"

    def paths(self, folder: Path = FOLDER) -> tuple[Path, Path]:
        """Return where the reference and the current table are, or will be."""
        return folder / self.name / "reference.parquet", folder / self.name / "current.parquet"

    def write(self, folder: Path = FOLDER) -> None:
        """Write the tables that are not there yet."""
        for side, path in enumerate(self.paths(folder)):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(path, side, folder)

    def _write(self, path: Path, side: int, folder: Path) -> None:
        if self.rows > LINKED:
            one = replace(self, rows=LINKED)
            one.write(folder)
            whole = one.paths(folder)[side]
            part = path.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for i in range(self.rows // LINKED):
                (part / f"{i}.parquet").hardlink_to(whole)
            part.rename(path)
            return
        import pyarrow as pa
        from pyarrow import parquet

        part = path.with_suffix(".part")
        names = [f"n{i:03}" for i in range(self.numbers)] + [f"s{i:03}" for i in range(self.texts)]
        kinds = [pa.float64()] * self.numbers + [pa.string()] * self.texts
        with parquet.ParquetWriter(part, pa.schema(list(zip(names, kinds, strict=True))), compression="zstd") as file:
            for start in range(0, self.rows, self.group):
                size = min(self.group, self.rows - start)
                numbers = [_numbers(i, side, start, size) for i in range(self.numbers)]
                texts = [_texts(i, side, start, size, self.levels) for i in range(self.texts)]
                file.write_table(pa.table([*numbers, *texts], names), row_group_size=self.group)
        # Renamed when whole, so that an interrupted run leaves no half of a table behind.
        part.rename(path)


def _numbers(column: int, side: int, start: int, size: int) -> Any:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([1, column, side, start])
    moved = 0.1 * side * (column % 5 == 0)
    match column % 4:
        case 0:
            values = rng.normal(moved, 1, size)
        case 1:
            values = rng.lognormal(moved, 1, size)
        case 2:
            values = rng.standard_t(2, size) + moved
        case _:
            values = np.floor(rng.exponential(20, size)) + (moved > 0)
    missing = rng.random(size) < MISSING
    if column % 2:
        values[missing] = np.nan
        return pa.array(values)
    return pa.array(values, mask=missing)


def _texts(column: int, side: int, start: int, size: int, levels: int | None) -> Any:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([2, column, side, start])
    n = levels or LEVELS[column % len(LEVELS)]
    weights = 1 / np.arange(1, n + 1)
    if side and column % 5 == 0:
        weights[[0, 1]] = weights[[1, 0]]
    codes: np.ndarray = np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), rng.random(size), "right")
    labels = pa.array([f"category {i:05}" for i in range(n)])
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=rng.random(size) < MISSING), labels)
    return array.cast(pa.string())


SIZES = {"k": 1_000, "M": 1_000_000}


def parse(text: str) -> int:
    """Return the number of rows that a person wrote.

    Examples
    --------
    >>> parse("100k"), parse("1M"), parse("250")
    (100000, 1000000, 250)
    """
    return int(float(text[:-1]) * SIZES[text[-1]]) if text[-1:] in SIZES else int(text)


def short(rows: int) -> str:
    """Write a number of rows as `parse` reads it.

    Examples
    --------
    >>> short(10_000), short(30_000_000), short(1500)
    ('10k', '30M', '1500')
    """
    return next((f"{rows // size}{unit}" for unit, size in reversed(SIZES.items()) if rows % size == 0), str(rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Write a workload and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=parse, default=1_000_000)
    parser.add_argument("--numbers", type=int, default=40)
    parser.add_argument("--texts", type=int, default=10)
    parser.add_argument("--levels", type=int)
    parser.add_argument("--group", type=int, default=GROUP)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(argv)
    workload = Workload(options.rows, options.numbers, options.texts, options.levels, options.group)
    workload.write(options.folder)
    print(*workload.paths(options.folder), sep="\n")


if __name__ == "__main__":
    main()
