"""Pairs: for any two columns of a window, how many rows have each combination of their cells.

What no histogram of one column holds: where a change is, and whether columns still go together. Counted is an even
sample of a window's rows, the same for all columns (`drift.profiles.pair_tally`). Like histograms, pairs add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drift.errors import BinningError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse


@dataclass(frozen=True)
class Pairs:
    """How many rows of a sample have each combination of cells of any two columns.

    Parameters
    ----------
    columns : dict
        The cells of each column.
    n_rows
        Rows of the sample.
    counts : int, shape (C, C)
        C is the sum of the columns' cells; rows with both cells. Symmetric.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning, NumericBinning
    >>> from drift.profiles.coarse_cells import coarse
    >>> columns = {"origin": coarse(CategoricalBinning(("JFK",))), "x": coarse(NumericBinning([]))}
    >>> pairs = Pairs.of(columns, np.array([[0, 0, 1], [0, 1, 0]], np.uint8))
    >>> pairs.table("origin", "x").tolist()
    [[1, 1], [1, 0], [0, 0]]
    >>> (pairs + pairs).table("x", "x").tolist()
    [[4, 0], [0, 2]]
    """

    columns: Mapping[str, Coarse]
    n_rows: int
    counts: NDArray[np.integer[Any]] = field(repr=False)

    def __post_init__(self) -> None:
        size = sum(each.n_cells for each in self.columns.values())
        if self.counts.shape != (size, size):
            raise BinningError(f"pairs of {size} cells have a count for each two of them, got {self.counts.shape}")
        self.counts.flags.writeable = False

    @classmethod
    def of(cls, columns: Mapping[str, Coarse], codes: NDArray[np.uint8]) -> Pairs:
        """Count rows, given the cell of each column (shape (columns, rows))."""
        places = _places(columns)
        counts = np.empty((sum(map(len, places.values())),) * 2, narrowest(codes.shape[1]))
        runs = _runs(list(places.values()), codes)
        for i, one in enumerate(runs):
            counts[one.cells, one.cells] = one.parts.T @ (
                np.bincount(one.rows, minlength=one.n)[:, np.newaxis] * one.parts
            )
            for other in runs[i + 1 :]:
                both = np.bincount(one.rows * np.uint16(other.n) + other.rows, minlength=one.n * other.n)
                table = one.parts.T @ both.reshape(one.n, other.n).astype(np.float64) @ other.parts
                counts[one.cells, other.cells], counts[other.cells, one.cells] = table, table.T
        return cls(columns, codes.shape[1], counts)

    @classmethod
    def total(cls, parts: Sequence[Pairs]) -> Pairs:
        """Return the pairs of all rows together, of the columns `in_common`.

        Each row of a sample counts once, whatever part of its window the sample was.
        """
        shared = in_common(parts)
        alike = [part.under(shared) for part in parts]
        counts = np.zeros(alike[0].counts.shape, np.int64)
        for part in alike:
            counts += part.counts
        return cls(shared, sum(part.n_rows for part in parts), counts)

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs.total((self, other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pairs)
            and list(self.columns.items()) == list(other.columns.items())
            and self.n_rows == other.n_rows
            and bool((self.counts == other.counts).all())
        )

    def __hash__(self) -> int:
        return hash((self.n_rows, *self.columns))

    def table(self, a: str, b: str) -> NDArray[np.int64]:
        """Return the rows with each cell of `a` and each of `b`: int64, shape (cells of a, cells of b)."""
        return self.counts[_block(self._places[a], self._places[b])].astype(np.int64)

    def margin(self, name: str) -> NDArray[np.int64]:
        """Return the rows with each cell of a column: int64, shape (cells,)."""
        place = self._places[name]
        return self.counts.diagonal()[place.start : place.stop].astype(np.int64)

    def under(self, columns: Mapping[str, Coarse]) -> Pairs:
        """Return the pairs of some of these columns, in the order given, under cells that theirs are merged to.

        Examples
        --------
        >>> from drift.profiles.binning import CategoricalBinning
        >>> from drift.profiles.coarse_cells import FINE, coarse
        >>> binning = CategoricalBinning(tuple("abcdefghi"))
        >>> fine = Pairs.of({"x": coarse(binning, FINE)}, np.arange(11, dtype=np.uint8)[np.newaxis])
        >>> fine.under({"x": coarse(binning)}).margin("x").tolist()
        [1, 1, 1, 1, 1, 1, 1, 2, 1, 1]
        """
        if list(columns.items()) == list(self.columns.items()):
            return self
        places, merged = _places(columns), [np.empty(0, np.intp)]
        for name, cells in columns.items():
            into = np.empty(self.columns[name].n_cells, np.intp)
            into[self.columns[name].of_cell] = cells.of_cell + places[name].start
            merged.append(into)
        ours = np.array([cell for name in columns for cell in self._places[name]], np.intp)
        counts, into = self.counts[np.ix_(ours, ours)], np.concatenate(merged)
        size = sum(map(len, places.values()))
        if size < len(into):
            merged_counts = np.zeros((size, size), counts.dtype)
            np.add.at(merged_counts, (into[:, np.newaxis], into), counts)
            counts = merged_counts
        return Pairs(columns, self.n_rows, counts)

    def restricted(self, names: Sequence[str]) -> Pairs:
        """Return the pairs of some of these columns, in the order given."""
        return self.under({name: self.columns[name] for name in names})

    @cached_property
    def _places(self) -> dict[str, range]:
        return _places(self.columns)


def in_common(parts: Sequence[Pairs]) -> dict[str, Coarse]:
    """Return the columns that all parts have under one binning, each in the fewest cells that one of them has."""
    first, *others = [part.columns for part in parts]
    alike = {
        name: [cells, *(other[name] for other in others if name in other and other[name].binning == cells.binning)]
        for name, cells in first.items()
    }
    return {name: min(all_, key=lambda cells: cells.most) for name, all_ in alike.items() if len(all_) == len(parts)}


def narrowest(n_rows: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the smallest type that holds any count of so many rows."""
    return cast("np.dtype[np.unsignedinteger[Any]]", np.min_scalar_type(n_rows))


def _places(columns: Mapping[str, Coarse]) -> dict[str, range]:
    """Return which cells of all are those of each column."""
    ends = np.cumsum([0, *(each.n_cells for each in columns.values())]).tolist()
    return dict(zip(columns, map(range, ends, ends[1:]), strict=True))


def _block(a: range, b: range) -> tuple[slice, slice]:
    return slice(a.start, a.stop), slice(b.start, b.stop)


@dataclass(frozen=True, slots=True)
class _Run:
    """Some neighbouring columns as one, so that a pass over the rows counts several tables.

    `rows` has the combination of their cells that each row has, of `n`, and `parts` of which `cells` each is made.
    """

    cells: slice
    n: int
    rows: NDArray[np.uint16]
    parts: NDArray[np.float64]


def _runs(places: Sequence[range], codes: NDArray[np.uint8]) -> list[_Run]:
    runs: list[_Run] = []
    for place, ours in zip(places, codes.astype(np.uint16), strict=True):
        size, own = len(place), np.eye(len(place))
        last = runs[-1] if runs else None
        if last is None or last.n * size > _COMBINED:
            runs.append(_Run(slice(place.start, place.stop), size, ours, own))
            continue
        parts = np.hstack([np.repeat(last.parts, size, axis=0), np.tile(own, (last.n, 1))])
        rows = last.rows * np.uint16(size) + ours
        runs[-1] = _Run(slice(last.cells.start, place.stop), last.n * size, rows, parts)
    return runs


_COMBINED = 128
"""Combinations of cells that are looked at as one column, at most."""
