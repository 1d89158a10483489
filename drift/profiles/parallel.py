"""Two tables, fitted and counted a column at a time, on every core: as fast as they can be decoded, in little memory.

A column of the reference is held while its bins are fitted, so that it is read once; one that is too long is read
twice. Decoding, comparing and summing run outside Python's lock, so columns go to as many threads as there are cores.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.errors import BinningError
from drift.profiles import counting
from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import coarse
from drift.profiles.fitting import Labels, check_later, sketch
from drift.profiles.histograms import Profile
from drift.profiles.kinds import Parted, contained, integers, to_numbers
from drift.profiles.pair_tally import LIMIT
from drift.profiles.pairs import Pairs
from drift.profiles.sampling import kept, stride_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.fitting import FitOptions, Numbers
    from drift.profiles.histograms import Histogram, Summary

    Stream = Callable[[str], Iterator[pa.Array[Any]]]

HELD_ROWS = 1 << 21
"""Columns of the reference up to this many rows are held in memory."""

TEXT_ROWS = 1 << 18
"""This many rows of a text column are counted at once."""

MOST_THREADS = 4
SMALL = 1 << 21
"""Values of both tables together that one thread is done with before a second one has begun."""


_KEPT_BYTES = 1 << 23
"""The C library of Linux gives memory back to the system as soon as twice the largest block freed so far lies idle.

Until so large a block has been freed, each chunk's memory is given back and has to be had anew, which costs a tenth of
the time.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read a column at a time, with its columns' Arrow types as text.

    `columns` opens it, for one thread: it yields what streams one column in chunks.
    """

    n_rows: int
    schema: Mapping[str, str]
    columns: Callable[[], AbstractContextManager[Stream]]


def profiles(
    before: Table, after: Table, features: Mapping[str, FitOptions], *, paired: bool = False
) -> tuple[Profile, Profile, dict[str, str]]:
    """Fit a binning for each feature on one table, and count both tables under it.

    Last comes why no binning could be fitted to each of the other features. If `paired`, the pairs of all columns that
    both tables have are counted, too, in an even sample of their rows (`drift.profiles.sampling`).

    Examples
    --------
    >>> import pyarrow as pa
    >>> from contextlib import nullcontext
    >>> from drift.profiles.fitting import FitOptions
    >>> rows = pa.table({"x": [1.0, None, 3.0]})
    >>> table = Table(3, {"x": "double"}, lambda: nullcontext(lambda name: iter(rows[name].chunks)))
    >>> profiles(table, table, {"x": FitOptions()})[1].histograms["x"].n_missing
    1
    """
    # Of the current table perhaps only why the column could not be counted.
    found: dict[str, tuple[_Side, _Side | str]] = {}
    coded: dict[str, tuple[Coarse, NDArray[np.uint8], NDArray[np.uint8]]] = {}
    paired_rows = [kept(0, table.n_rows, stride_of(table.n_rows, LIMIT)) for table in (before, after)]
    names, lock = iter(features), Lock()

    def work() -> None:
        with before.columns() as old, after.columns() as new:
            while True:
                with lock:
                    name = next(names, None)
                if name is None:
                    return
                kept_old, kept_new = _Sampled(old, paired_rows[0]), _Sampled(new, paired_rows[1])
                streams = (kept_old.stream, kept_new.stream) if paired else (old, new)
                with contained(problems, name):
                    known = streams[1] if name in after.schema else None
                    found[name] = _column(
                        name, features[name], streams[0], known, before.n_rows, after.n_rows, after.schema.get(name, "")
                    )
                if not paired or isinstance(found.get(name, ("", ""))[1], str):
                    continue
                with contained({}, name):
                    cells = coarse(found[name][0][0].binning)
                    coded[name] = cells, kept_old.codes(cells), kept_new.codes(cells)

    problems: dict[str, str] = {}
    np.empty(_KEPT_BYTES, np.uint8)  # and freed, which is all it is for
    threads = min(_cores(), MOST_THREADS, 1 + (before.n_rows + after.n_rows) * len(features) // SMALL)
    with ThreadPoolExecutor(threads, thread_name_prefix="drift-columns") as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    reference = {name: found[name][0] for name in features if name in found}
    current = {name: found[name][1] for name in features if name in found}
    unfit = {name: problems[name] for name in features if name in problems}
    cells = {name: coded[name][0] for name in features if name in coded}
    pairs = [Pairs.of(cells, np.array([coded[name][side] for name in cells])) if cells else None for side in (1, 2)]
    return _profile(before, reference, pairs[0]), _profile(after, current, pairs[1]), unfit


class _Sampled:
    """A stream of which `rows`, those in which pairs are counted, are held until their cells are known."""

    __slots__ = ("_held", "_n", "_rows", "_source")

    def __init__(self, source: Stream, rows: NDArray[np.int64]) -> None:
        self._source, self._rows, self._n = source, rows, 0
        self._held: list[pa.Array[Any]] = []

    def stream(self, name: str) -> Iterator[pa.Array[Any]]:
        """Stream the column; what is read a second time is not held again."""
        for chunk in self._source(name):
            first, self._n = self._n, self._n + len(chunk)
            start, stop = np.searchsorted(self._rows, (first, self._n)).tolist()
            if stop > start:
                mine = self._rows[start:stop] - first
                self._held.append(chunk.take(integers(mine)) if len(mine) < len(chunk) else chunk)
            yield chunk

    def codes(self, cells: Coarse) -> NDArray[np.uint8]:
        """Return the cells of the rows that were held."""
        import pyarrow as pa

        alike = (list(chunks) for _, chunks in groupby(self._held, key=attrgetter("type")))
        return np.concatenate([np.empty(0, np.uint8), *(cells.codes(pa.concat_arrays(chunks)) for chunks in alike)])


def _profile(table: Table, sides: Mapping[str, _Side | str], pairs: Pairs | None) -> Profile:
    counted = {name: side for name, side in sides.items() if not isinstance(side, str)}
    return Profile(
        None,
        table.n_rows,
        {name: histogram for name, (histogram, _) in counted.items()},
        {name: summary for name, (_, summary) in counted.items() if summary},
        table.schema,
        {name: side for name, side in sides.items() if isinstance(side, str)},
        pairs=pairs,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_Side = tuple["Histogram", "Summary | None"]


def _column(
    name: str, options: FitOptions, old: Stream, new: Stream | None, n_before: int, n_after: int, types: str
) -> tuple[_Side, _Side | str]:
    import pyarrow.types as t

    sketched = first = None
    chunks, held = counting.Chunks(), list[Parted]()
    short = n_before <= HELD_ROWS
    for chunk in _joined(old(name)):
        if t.is_null(chunk.type):
            if short:
                held.append(Parted(np.empty(0), np.empty(0), len(chunk)))
            continue
        if sketched is None or first is None:
            sketched, first = sketch(chunk.type, options), chunk.type
        elif chunk.type != first:
            check_later(sketched, first, chunk.type)
        if isinstance(sketched, Labels):
            sketched.add(chunk)
            continue
        held += _taken(sketched, chunks.add(to_numbers(chunk)), keep=short)
    if sketched and not isinstance(sketched, Labels):
        held += _taken(sketched, chunks.rest(), keep=short)
    if sketched is None and not n_before:
        raise BinningError("the reference has no such column")
    # Nothing but nulls is known of a column without a type; whatever comes next is a value where there was none.
    binning = sketched.fitted(options, n_after) if sketched else CategoricalBinning(())
    reference = _reference(binning, sketched, held, old(name), n_before)
    return reference, _counted(name, binning, new, types) if new else "column missing"


def _taken(sketched: Numbers, chunks: Iterator[NDArray[np.float64]], *, keep: bool) -> list[Parted]:
    """Take chunks into account, and return them where they are to be kept."""
    parted = []
    for values in chunks:
        part = Parted.of(values)
        sketched.take(part)
        if keep:
            parted.append(part)
    return parted


def _reference(
    binning: Binning,
    sketched: Numbers | Labels | None,
    held: Sequence[Parted],
    chunks: Iterator[pa.Array[Any]],
    n_rows: int,
) -> _Side:
    """Count the reference by what its fit has kept of it, or anew."""
    if isinstance(binning, CategoricalBinning):
        labels = sketched.counts if isinstance(sketched, Labels) else {}
        rows = np.fromiter(labels.values(), np.int64, len(labels))
        return counting.count_labels(binning, list(labels), rows, n_rows - int(rows.sum())), None
    if isinstance(sketched, Labels):
        return _tallied(binning, chunks)
    numbers = counting.Numbers(binning, sample=sketched.sample if sketched else None)
    for part in held:
        numbers.count(part)
    for chunk in () if held else chunks:
        numbers.add(to_numbers(chunk))
    return numbers.histogram(), numbers.summary


def _counted(name: str, binning: Binning, new: Stream, types: str) -> _Side | str:
    problems: dict[str, str] = {}
    found: list[_Side] = []
    with contained(problems, name):
        found.append(_tallied(binning, new(name), types))
    return found[0] if found else problems[name]


def _tallied(binning: Binning, chunks: Iterator[pa.Array[Any]], types: str = "") -> _Side:
    tally = counting.tally_of(binning)
    for chunk in _joined(chunks):
        counting.check_type(binning, chunk.type, types)
        tally.add_arrow(chunk)
    return tally.histogram(), tally.summary if isinstance(tally, counting.Numbers) else None


def _joined(chunks: Iterator[pa.Array[Any]]) -> Iterator[pa.Array[Any]]:
    """Join chunks of texts: each has a dictionary of its own, and Arrow merges them faster than we could."""
    import pyarrow as pa
    import pyarrow.types as t

    pending: list[pa.Array[Any]] = []
    for chunk in chunks:
        if pending and pending[0].type != chunk.type:
            yield pa.concat_arrays(pending)
            pending = []
        if not t.is_dictionary(chunk.type):
            yield chunk
            continue
        pending.append(chunk)
        if sum(map(len, pending)) >= TEXT_ROWS:
            yield pa.concat_arrays(pending)
            pending = []
    if pending:
        yield pa.concat_arrays(pending)
