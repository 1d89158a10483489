"""Coarse cells: those that a column has in pairs, some of its binning's cells merged.

They are few, so that all pairs of many columns are few numbers. Which they are depends on the frozen binning alone,
whose fingerprint and the number of cells asked for name them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drift.errors import BinningError
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.kinds import to_codes, to_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.profiles.binning import Binning

COARSE, FINE = 10, 24
"""Cells of a column, and of one whose cells may explain what another does."""


@dataclass(frozen=True)
class Coarse:
    """The cells of a column that it has in pairs: some of its binning's whole cells, merged; made by `coarse`.

    Parameters
    ----------
    binning
        Without a value set apart.
    most
        Cells asked for at most; with the binning's fingerprint it names these cells.
    of_cell : intp, shape (binning.n_cells,)
        Of each cell of the binning, its coarse cell. Of numbers it does not decrease; *missing* is the last, alone.
    names
        What each coarse cell is called.
    """

    binning: Binning
    most: int
    of_cell: NDArray[np.intp] = field(repr=False)
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        self.of_cell.flags.writeable = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coarse) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[str, int]:
        """Fingerprint of the binning, and the most cells: what these cells are stored under."""
        return self.binning.fingerprint, self.most

    @property
    def n_cells(self) -> int:
        """Number of coarse cells."""
        return len(self.names)

    def merge(self, counts: ArrayLike) -> NDArray[np.int64]:
        """Return counts of the binning's cells as counts of these: int64, shape (n_cells,).

        Examples
        --------
        >>> coarse(NumericBinning([0, 1, 2, 3, 4]), most=3).merge([1, 2, 3, 4, 5, 6, 7]).tolist()
        [6, 15, 7]
        """
        merged = np.zeros(self.n_cells, np.int64)
        np.add.at(merged, self.of_cell, counts)
        return merged

    @property
    def cuts(self) -> tuple[float, ...]:
        """The edges between the cells of numbers: a number's cell is how many of them it reaches."""
        edges = cast("NumericBinning", self.binning).edges
        return tuple(edges[np.flatnonzero(np.diff(self.of_cell[: len(edges) + 1]))].tolist())

    def bounds(self, cell: int) -> tuple[float | None, float | None]:
        """Return a cell's numbers, ``low <= x < high``; None where it has no end, and both for *missing*.

        Examples
        --------
        >>> [coarse(NumericBinning([0, 1, 2, 3, 4]), most=4).bounds(cell) for cell in range(4)]
        [(None, 0.0), (0.0, 4.0), (4.0, None), (None, None)]
        """
        within = np.flatnonzero(self.of_cell == cell)
        if not isinstance(self.binning, NumericBinning) or cell == self.n_cells - 1:
            return None, None
        edges = self.binning.edges
        low, high = int(within[0]), int(within[-1])
        return float(edges[low - 1]) if low else None, float(edges[high]) if high < len(edges) else None

    def labels(self, cell: int) -> tuple[str, ...]:
        """Return the labels of a cell, as they are stored (perhaps hashed): those known to the binning.

        The cell of all other labels is the one of `other`.
        """
        binning = self.binning
        if not isinstance(binning, CategoricalBinning):
            return ()
        known = (*binning.levels, *(binning.rare or ()))
        found = self.of_cell[binning.cell_of(known)]
        return tuple(label for label, mine in zip(known, found.tolist(), strict=True) if mine == cell)

    @property
    def other(self) -> int | None:
        """The cell of a label that the binning does not know; None for numbers."""
        return int(self.of_cell[self.binning.unknown]) if isinstance(self.binning, CategoricalBinning) else None

    def codes(self, column: pa.Array[Any]) -> NDArray[np.uint8]:
        """Return the coarse cell of every row of a column; null and NaN are *missing*.

        Examples
        --------
        >>> import pyarrow as pa
        >>> coarse(NumericBinning([0, 1, 2])).codes(pa.array([-1, None, 1.5, float("nan")])).tolist()
        [0, 4, 2, 4]
        >>> coarse(CategoricalBinning(("JFK", "EWR"))).codes(pa.array(["EWR", None, "SFO"])).tolist()
        [1, 3, 2]
        """
        if isinstance(self.binning, NumericBinning):
            return _codes_of_numbers(self, self.binning.parsed(column))
        labels, rows = to_codes(column)
        present = [label for label in labels if label is not None]
        found = iter(self.of_cell[self.binning.cell_of(self.binning.named(present))].tolist())
        missing = self.n_cells - 1
        return np.array([missing if label is None else next(found) for label in labels], np.uint8)[rows]


def _codes_of_numbers(cells: Coarse, column: pa.Array[Any]) -> NDArray[np.uint8]:
    values = to_numbers(column)
    codes = np.zeros(len(values), np.uint8)
    for cut in cells.cuts:
        codes += values >= cut
    codes[np.isnan(values)] = cells.n_cells - 1
    return codes


@lru_cache(1 << 10)
def coarse(binning: Binning, most: int = COARSE) -> Coarse:
    """Return at most so many cells of a column, *missing* among them; fewer cells are merged from more.

    Of numbers neighbouring bins are merged, evenly, as they are quantiles. *Below* and *above*, which the reference
    hardly ever holds, stay apart, and so does a bin of one value, such as 0, as long as there are cells for those
    around it. Of categories the first levels stay, and the later ones go with *other*; *unseen* does
    not, since what was never there is news.

    Raises
    ------
    BinningError
        If `most` is not between 3 and 255.

    Examples
    --------
    >>> coarse(NumericBinning([-60, -10, -5, 0, 1, 30, 60, 400], "integer"), most=6).names
    ('below -60', '-60 … -1', '= 0', '1 … 399', '400 and above', 'missing')
    >>> coarse(CategoricalBinning(("DL", "UA", "B6", "AA"), rare=("HA",)), most=5).names
    ('DL', 'UA', 'other', 'unseen', 'missing')
    """
    if not _LEAST <= most <= _MOST:
        raise BinningError(f"{most} coarse cells are too few or too many: take {_LEAST} to {_MOST}")
    whole = binning.whole
    if isinstance(whole, NumericBinning):
        return _coarse_numbers(whole, most)
    return _coarse_labels(whole, most)


_LEAST, _MOST = 3, 255


def _coarse_numbers(binning: NumericBinning, most: int) -> Coarse:
    edges = binning.edges
    # Below and above weigh nothing, and yet stay apart: what is there is news.
    weights = np.array([0, *np.ones(len(edges) - 1, np.int64), 0] if len(edges) else [0])
    ends, single, zero = np.zeros((3, len(weights)), np.bool_)
    ends[[0, -1]] = len(edges) > 0
    single[1:-1] = ~binning.shared(edges[:-1])
    zero[1:-1] = single[1:-1] & (edges[:-1] <= 0) & (edges[1:] > 0)
    groups = _merged(weights, (single | ends, zero | ends, ends), max(most, FINE) - 1)
    if most < FINE:
        # Merged from the fine cells, so that a fine table can be merged to a coarse one.
        firsts = np.unique(groups, return_index=True)[1]
        weights = np.add.reduceat(weights, firsts)
        ends, single, zero = (np.logical_and.reduceat(each, firsts) for each in (ends, single, zero))
        groups = _merged(weights, (single | ends, zero | ends, ends), most - 1)[groups]
    starts = np.unique(groups, return_index=True)[1]
    cuts = [None, *edges[starts[1:] - 1].tolist(), None]
    names = [*map(binning.name_of, cuts, cuts[1:]), "missing"]
    return Coarse(binning, most, np.append(groups, len(starts)), tuple(names))


def _merged(weights: NDArray[np.int64], wished: Sequence[NDArray[np.bool_]], most: int) -> NDArray[np.intp]:
    """Return the group of each of some neighbours: apart what is wished first and has room, if anything."""
    found = (_evenly(weights, apart, most) for apart in (*wished, np.zeros(len(weights), np.bool_)))
    return next(groups for groups in found if groups is not None)


def _evenly(weights: NDArray[np.int64], apart: NDArray[np.bool_], most: int) -> NDArray[np.intp] | None:
    """Return the group of each of some neighbours, of even weight in each run between those apart; None for no room."""
    runs = np.split(np.arange(len(weights)), np.flatnonzero(apart[1:] | apart[:-1]) + 1)
    if len(runs) > most:
        return None
    parts = [1] * len(runs)
    room = [int(np.count_nonzero(weights[run])) for run in runs]
    total = [int(weights[run].sum()) for run in runs]
    for _ in range(most - len(runs)):
        # The run whose groups are the heaviest.
        heaviest = max(range(len(runs)), key=lambda i: (parts[i] < room[i], total[i] / parts[i]))
        parts[heaviest] += parts[heaviest] < room[heaviest]
    groups: list[int] = []
    for run, n, all_ in zip(runs, parts, total, strict=True):
        middle = 2 * np.cumsum(weights[run]) - weights[run]
        mine = np.minimum(middle * n // max(2 * all_, 1), n - 1)
        groups.extend((np.unique(mine, return_inverse=True)[1] + (groups[-1] + 1 if groups else 0)).tolist())
    return np.array(groups, np.intp)


def _coarse_labels(binning: CategoricalBinning, most: int) -> Coarse:
    n = len(binning.levels)
    # What no label can fall into takes no cell: *other* where every label is a level, *unseen* of an identifier.
    special = ["other", "unseen", "missing"]
    if binning.rare is None:
        special.remove("unseen")
    elif not binning.rare and n + 2 <= most:
        special.remove("other")
    own = min(n, most - len(special))
    names = (*binning.cells[:own], *special)
    missing, unseen = len(names) - 1, len(names) - 2
    other = unseen if binning.rare == () else own
    return Coarse(binning, most, np.array([*np.minimum(np.arange(n), own), other, unseen, missing], np.intp), names)
