"""Pairs: for any two columns of a window, how many rows have each combination of their cells.

What no histogram of one column holds: where a change is, and whether columns still go together. Cells are coarse, so
that all pairs of many columns are few numbers; which they are depends on the frozen binning alone (`coarse`), whose
fingerprint and the number of cells asked for name them. Counted is an even sample of a window's rows, the same for
all columns, and all rows up to `LIMIT`. Like histograms, pairs add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drift.errors import BinningError
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.kinds import contained, integers, present, to_codes, to_numbers
from drift.profiles.sampling import kept

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.profiles.binning import Binning

COARSE, FINE = 10, 24
"""Cells of a column, and of one whose cells may explain what another does."""

FEW, MOST_EXPLAINING = 24, 12
"""Labels of a column that may explain others without being asked to, at most, and such columns."""

MOST_COLUMNS = 200
"""Columns whose pairs are counted, at most: their number grows with the square."""

LIMIT = 1 << 16
"""Rows of a window that are looked at, at most."""


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
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = cast("pa.DictionaryArray[Any, Any]", column).dictionary_decode()
    values, n_null = to_numbers(column)
    codes = np.zeros(len(values), np.uint8)
    for cut in cells.cuts:
        codes += values >= cut
    codes[np.isnan(values)] = cells.n_cells - 1
    if not n_null:
        return codes
    rows = np.full(len(column), cells.n_cells - 1, np.uint8)
    rows[present(column)] = codes
    return rows


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


def choose(
    binnings: Mapping[str, Binning],
    cut_by: Mapping[str, Binning] | None = None,
    explain_by: Sequence[str] | None = None,
) -> dict[str, Coarse]:
    """Return the columns whose pairs are counted, with their cells: those that may explain others first.

    Parameters
    ----------
    binnings
        Of the features. An identifier or free text is left out unless it is to explain others.
    cut_by
        Of columns that segments are cut by, which need not be features.
    explain_by
        The columns that may explain what others do, and get up to `FINE` cells; all that no binning knows are left out.
        None is the columns of `cut_by` and the features of at most `FEW` labels, `MOST_EXPLAINING` at most; an empty
        list turns pairs off.

    Examples
    --------
    >>> known = {"x": NumericBinning([0, 1]), "origin": CategoricalBinning(("JFK",))}
    >>> {name: cells.most for name, cells in choose(known).items()}
    {'origin': 24, 'x': 10}
    >>> choose(known, explain_by=[])
    {}
    """
    if explain_by is not None and not explain_by:
        return {}
    known = {**(cut_by or {}), **binnings}
    if explain_by is None:
        explain_by = [name for name in known if name in (cut_by or {}) or _few(known[name])][:MOST_EXPLAINING]
    found = {name: coarse(known[name], FINE) for name in explain_by if name in known}
    found |= {name: coarse(one) for name, one in known.items() if name not in found and not _identifies(one)}
    return found


def _few(binning: Binning) -> bool:
    return (
        isinstance(binning, CategoricalBinning)
        and len(binning.levels) + len(binning.rare or ()) <= FEW
        and (binning.rare is not None)
    )


def _identifies(binning: Binning) -> bool:
    """Say whether most rows have a label that no other row has."""
    if not isinstance(binning, CategoricalBinning):
        return False
    known = binning.vocabulary
    return binning.rare is None or (known is not None and 2 * known.once > known.rows)


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
        counts = np.empty((sum(map(len, places.values())),) * 2, np.int32)
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
        """Return the pairs of all rows together: of the columns that all parts have under one binning.

        Where some have a column in fewer cells than others, so has the total. Each row of a sample counts once,
        whatever part of its window the sample was.
        """
        shared = {
            name: min((part.columns[name] for part in parts), key=lambda cells: cells.most)
            for name, cells in parts[0].columns.items()
            if all(name in part.columns and part.columns[name].binning == cells.binning for part in parts)
        }
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


class PairTally:
    """A stream of rows on its way into pairs, pushed batch by batch.

    Everything up to `limit` rows is counted, then one of every 2, 4, 8, … neighbours (`drift.profiles.sampling`), the
    same rows of every column however the stream is cut. A column that a batch lacks, or that cannot be read as its
    cells say, is left out.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"origin": ["JFK", None, "EWR", "JFK"], "x": [0.5, 2.0, None, 0.5]})
    >>> cells = {"origin": coarse(CategoricalBinning(("JFK",))), "x": coarse(NumericBinning([]))}
    >>> tally = PairTally(cells)
    >>> tally.add(rows)
    >>> tally.pairs().table("origin", "x").tolist()
    [[2, 0], [0, 1], [1, 0]]
    """

    __slots__ = ("_bytes", "_coded", "_codes", "_columns", "_held", "_limit", "_n", "_problems", "_rows", "_stride")

    def __init__(self, columns: Mapping[str, Coarse], limit: int = LIMIT) -> None:
        self._columns, self._limit = dict(columns), limit
        # Rows seen, those that stayed, and those of them whose cells are known.
        self._n = self._rows = self._coded = self._bytes = 0
        self._stride = 1
        self._codes: list[NDArray[np.uint8]] = []
        # As most rows that stay at first go later, they are held, and looked at as late as can be.
        self._held: list[pa.RecordBatch] = []
        self._problems: dict[str, str] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows into account."""
        batch = batch.select([name for name in self._columns if name in batch.schema.names])
        for start in range(0, batch.num_rows, LIMIT):
            part = batch.slice(start, LIMIT)
            first, self._n = self._n, self._n + part.num_rows
            if self._stride > 1:
                part = part.take(integers(kept(first, self._n, self._stride) - first))
            if self._held and not self._held[0].schema.equals(part.schema):
                self._look()
            self._held.append(part)
            self._rows += part.num_rows
            while self._rows > self._limit:
                self._thin()
            self._bytes += part.nbytes
            if self._bytes > _HELD_BYTES:
                self._look()

    def _thin(self) -> None:
        """Let one of every two neighbours stay."""
        stay = kept(0, self._rows, 2)
        starts = np.cumsum([self._coded, *(batch.num_rows for batch in self._held)])
        coded, *_ = ends = np.searchsorted(stay, starts).tolist()
        self._codes = [codes[:, stay[:coded]] for codes in self._joined()]
        places = (integers(stay[i:j] - start) for i, j, start in zip(ends, ends[1:], starts, strict=False))
        self._held = [batch.take(mine) for batch, mine in zip(self._held, places, strict=True)]
        self._bytes = sum(batch.nbytes for batch in self._held)
        self._stride, self._rows, self._coded = 2 * self._stride, len(stay), coded

    def _look(self) -> None:
        """Find the cells of the rows that are held."""
        import pyarrow as pa

        held, n_rows = self._held, self._rows - self._coded
        self._held, self._bytes, self._coded = [], 0, self._rows
        if not n_rows:
            return
        codes = np.zeros((len(self._columns), n_rows), np.uint8)
        for mine, (name, cells) in zip(codes, self._columns.items(), strict=True):
            if name in self._problems:
                continue
            with contained(self._problems, name):
                mine[:] = cells.codes(pa.concat_arrays([batch.column(name) for batch in held]))
        self._codes.append(codes)

    def _joined(self) -> list[NDArray[np.uint8]]:
        return [np.concatenate(self._codes, axis=1)] if len(self._codes) > 1 else self._codes

    def pairs(self, without: Collection[str] = ()) -> Pairs:
        """Return what was counted, but for some columns; nothing can be added any more."""
        self._look()
        stays = [name not in self._problems and name not in without for name in self._columns]
        columns = {name: cells for (name, cells), stay in zip(self._columns.items(), stays, strict=True) if stay}
        codes = self._joined() or [np.empty((len(stays), 0), np.uint8)]
        return Pairs.of(columns, codes[0][stays])


_HELD_BYTES = 1 << 25
