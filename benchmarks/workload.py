"""The tables that the performance benchmarks read: made by seed, kept for the next run.

    python -m benchmarks.workload [--rows 1M] [--numbers 40] [--texts 10] [--levels N] [--group 122880]
                                  [--writer zstd] [--folder build/benchmarks]

A workload is a reference and a current table of the same rows and columns, as one of two writers leaves them:

- `zstd`: row groups of 122,880 rows (DuckDB's; PyArrow's own million is a choice). Numbers are float64: normal,
  lognormal, Student's t with two degrees of freedom and whole, in turns; 2 % are missing, as null in even columns and
  as NaN in odd ones.
- `pandas`: what `DataFrame.to_parquet` writes unasked (snappy, a row group of up to 1,048,576 rows, pandas' metadata).
  Numbers are normal; amounts in cents, half of them zero; with a tail as heavy as Pareto's, of index 1.1; and counts,
  of which every second column is int64 with none missing. 2 % of the others are NaN, which pandas writes as null.

Texts have 3 to 5,000 categories with Zipf's frequencies. In the current table every fifth column has moved by a tenth
(of a standard deviation, a logarithm, a count), or has its two most frequent categories changed over.

Above `LINKED` rows a table is a folder of hard links to one file of that many rows, which a reader cannot tell from
other files: thirty million rows cost the disk ten, or one as pandas writes them, who holds all that it writes.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

FOLDER = Path(__file__).parent.parent / "build" / "benchmarks"
LEVELS = (3, 5, 10, 20, 50, 100, 300, 1000, 2000, 5000)
"""Categories of each text column, in turns."""

MISSING = 0.02
GROUP = 122_880

Writer = Literal["zstd", "pandas"]
LINKED: dict[Writer, int] = {"zstd": 10_000_000, "pandas": 1_000_000}


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
        Rows of a row group, of `zstd`.
    writer
    """

    rows: int
    numbers: int = 40
    texts: int = 10
    levels: int | None = None
    group: int = GROUP
    writer: Writer = "zstd"

    @property
    def name(self) -> str:
        """What its files are called.

        Examples
        --------
        >>> Workload(1_000_000).name
        '1M-40-10'
        >>> Workload(1_000_000, writer="pandas").name
        '1M-40-10-pandas'
        """
        levels = f"-{self.levels}-levels" if self.levels else ""
        group = f"-{self.group}-rows" if self.group != GROUP else ""
        writer = f"-{self.writer}" if self.writer != "zstd" else ""
        return f"{short(self.rows)}-{self.numbers}-{self.texts}{levels}{group}{writer}"

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
        # Renamed when whole, so that an interrupted run leaves no half of a table behind.
        part = path.with_suffix(".part")
        if self.rows > LINKED[self.writer]:
            self._link(part, side, folder)
        elif self.writer == "pandas":
            self._table(side, 0, self.rows).to_pandas().to_parquet(part)
        else:
            self._write_groups(part, side)
        part.rename(path)

    def _link(self, part: Path, side: int, folder: Path) -> None:
        size = LINKED[self.writer]
        one = replace(self, rows=size)
        one.write(folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for i in range(self.rows // size):
            (part / f"{i}.parquet").hardlink_to(one.paths(folder)[side])

    def _write_groups(self, part: Path, side: int) -> None:
        from pyarrow import parquet

        with parquet.ParquetWriter(part, self._table(side, 0, 0).schema, compression="zstd") as file:
            for start in range(0, self.rows, self.group):
                table = self._table(side, start, min(self.group, self.rows - start))
                file.write_table(table, row_group_size=self.group)

    def _table(self, side: int, start: int, size: int) -> pa.Table:
        import pyarrow as pa

        make = _tied if self.writer == "pandas" else _numbers
        columns = {f"n{i:03}": make(i, side, start, size) for i in range(self.numbers)}
        columns |= {f"s{i:03}": _texts(i, side, start, size, self.levels) for i in range(self.texts)}
        return pa.table(columns)


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


def _tied(column: int, side: int, start: int, size: int) -> Any:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([3, column, side, start])
    moved = 0.1 * side * (column % 5 == 0)
    match column % 4:
        case 0:
            values = rng.normal(moved, 1, size)
        case 1:
            values = np.round(rng.lognormal(3 + moved, 1.5, size), 2) * (rng.random(size) < 0.5)
        case 2:
            values = rng.pareto(1.1, size) * (1 + moved)
        case _:
            counts = rng.poisson(4 + moved, size)
            if column % 8 == 3:
                return pa.array(counts)
            values = counts.astype(float)
    values[rng.random(size) < MISSING] = np.nan
    return pa.array(values)


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
    parser.add_argument("--writer", choices=get_args(Writer), default="zstd")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(argv)
    workload = Workload(options.rows, options.numbers, options.texts, options.levels, options.group, options.writer)
    workload.write(options.folder)
    print(*workload.paths(options.folder), sep="\n")


if __name__ == "__main__":
    main()
