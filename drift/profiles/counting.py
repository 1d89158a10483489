"""Counting: a stream of rows into cells, in one pass and bounded memory.

Numbers are looked at in chunks that fit the cache: counts and summary there and then. The values that recur are found
in a sample, the one that `drift.profiles.fitting` takes too; up to `SAMPLE` rows that is all of them. Labels are
counted chunk by chunk; those that have no cell of their own are followed, the most frequent ones at least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drift.errors import BinningError
from drift.profiles.binning import CHUNK, CategoricalBinning, NumericBinning
from drift.profiles.fitting import SAMPLE
from drift.profiles.heavy_hitters import Atoms, LabelTally
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.profiles.kinds import Parted, compatible, contained, infer_scale, is_text, to_labels, to_numbers, type_text
from drift.profiles.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.profiles.binning import Binning
    from drift.windows import Window


def count(
    batches: Iterable[pa.RecordBatch],
    binnings: Mapping[str, Binning],
    *,
    window: Window | None = None,
    schema: Mapping[str, str] | None = None,
) -> Profile:
    """Count a stream of rows into cells, in one pass and bounded memory.

    Batches may lack columns or change types, which is recorded, not raised: each histogram sums to the rows read, and a
    feature that could not be counted is in `problems` instead. `schema` has the Arrow types of the source as text, of
    all that may be features; by default those of the batches.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"x": [0.5, None, float("nan"), 7.0]})
    >>> profile = count([rows], {"x": NumericBinning([0, 1]), "y": NumericBinning([0, 1])})
    >>> profile.histograms["x"].counts.tolist(), dict(profile.problems)
    ([0, 1, 1, 2], {'y': 'column missing'})
    """
    tally = Tally(binnings, window=window, schema=schema)
    for batch in batches:
        tally.add(batch)
    return tally.profile()


class Tally:
    """A stream of rows on its way into a profile, pushed batch by batch: what `count` pulls.

    One for each segment counts many segments in one pass over their rows. Batches may be small: what is too little to
    be worth counting is copied, and counted with what comes next.

    Of each column a number of values is `held` in memory, as the sample that tells which recur: of a whole window as
    many as for a fit, less where there are many segments.

    Examples
    --------
    >>> import pyarrow as pa
    >>> tally = Tally({"x": NumericBinning([0, 1])})
    >>> for batch in pa.table({"x": [0.5, None, 7.0]}).to_batches(max_chunksize=2):
    ...     tally.add(batch)
    >>> tally.profile().histograms["x"].counts.tolist()
    [0, 1, 1, 1]
    """

    __slots__ = ("_columns", "_complete", "_counted", "_known", "_layout", "_n_rows", "_problems", "_types", "_window")

    def __init__(
        self,
        binnings: Mapping[str, Binning],
        *,
        window: Window | None = None,
        schema: Mapping[str, str] | None = None,
        held: int = SAMPLE,
    ) -> None:
        self._columns = {name: tally_of(binning, held) for name, binning in binnings.items()}
        self._window = window
        self._types = dict(schema or {})
        # Columns of the batches that a schema leaves out are there for another purpose, such as segments.
        self._complete = not schema
        self._n_rows = 0
        # Rows of each column seen.
        self._counted: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        # Which columns to count in a batch of the schema known: most have that of the one before.
        self._known: pa.Schema | None = None
        self._layout: list[tuple[str, int, Numbers | Labels]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows into account; they may lack columns or change types, which is recorded, not raised."""
        if self._known is None or not batch.schema.equals(self._known):
            self._learn(batch.schema)
        self._n_rows += batch.num_rows
        for name, index, column in self._layout:
            if name in self._problems:
                continue
            with contained(self._problems, name):
                column.add_arrow(batch.column(index))
                self._counted[name] += batch.num_rows

    def _learn(self, schema: pa.Schema) -> None:
        self._known, self._layout = schema, []
        kinds = schema.types
        for name, kind in zip(schema.names, kinds, strict=True) if self._complete else ():
            if name not in self._types:
                self._types[name] = type_text(kind)
        for name, column in self._columns.items():
            index = schema.get_field_index(name)
            if index < 0:
                continue
            self._counted.setdefault(name, 0)
            with contained(self._problems, name):
                check_type(column.binning, kinds[index], self._types.get(name, ""))
            self._layout.append((name, index, column))

    def profile(self) -> Profile:
        """Return what was counted; nothing can be added any more."""
        problems = dict(self._problems)
        for name in self._columns.keys() - problems.keys():
            having, n_rows = self._counted.get(name, 0), self._n_rows
            if name not in self._counted and (n_rows or (self._types and name not in self._types)):
                problems[name] = "column missing"
            elif having != n_rows:
                problems[name] = f"column missing in part of the window: {having:,} of {n_rows:,} rows have it"
        counted: dict[str, Histogram] = {}
        summaries: dict[str, Summary] = {}
        for name, column in self._columns.items():
            if name in problems:
                continue
            with contained(problems, name):
                counted[name] = column.histogram()
                if isinstance(column, Numbers):
                    summaries[name] = column.summary
        return Profile(
            self._window,
            self._n_rows,
            counted,
            summaries,
            self._types,
            problems,
        )


def count_numbers(binning: NumericBinning, values: ArrayLike) -> Histogram:
    """Count numbers, and the values that recur among them; NaN is missing.

    Examples
    --------
    >>> found = count_numbers(NumericBinning([0, 1, 2]), [0.5, 0.5, 1.5, float("nan")])
    >>> found.counts.tolist(), found.atoms.values.tolist()
    ([0, 2, 1, 0, 1], [0.5])
    """
    numbers = Numbers(binning)
    flat = np.asarray(values, np.float64).ravel()
    for start in range(0, len(flat), CHUNK):
        numbers.add(flat[start : start + CHUNK])
    return numbers.histogram()


def count_labels(
    binning: CategoricalBinning, labels: Sequence[str], counts: ArrayLike, n_missing: int = 0
) -> Histogram:
    """Count labels, each with its rows, and those that recur without a cell of their own.

    Examples
    --------
    >>> found = count_labels(CategoricalBinning(("JFK",)), ["JFK", "SFO"], [3, 2])
    >>> found.counts.tolist(), found.atoms.values.tolist()
    ([3, 0, 2, 0], ['SFO'])
    """
    tally = Labels(binning)
    tally.add(labels, counts, n_missing)
    return tally.histogram()


@dataclass(slots=True)
class Chunks:
    """A stream of numbers, cut anew into chunks of so many rows: what is counted does not depend on its batches.

    Examples
    --------
    >>> chunks = Chunks(3)
    >>> [chunk.tolist() for values in ([1.0, 2.0], [3.0, 4.0]) for chunk in chunks.add(np.array(values))]
    [[1.0, 2.0, 3.0]]
    >>> [chunk.tolist() for chunk in chunks.rest()]
    [[4.0]]
    """

    size: int = CHUNK
    _pending: list[NDArray[np.float64]] = field(default_factory=list)
    _rows: int = 0

    def add(self, values: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Take numbers, and yield the chunks that are full."""
        start = 0
        while start < len(values):
            part = values[start : start + self.size - self._rows]
            start += len(part)
            if len(part) == self.size:
                yield part
                continue
            # A copy: a view would pin the batch it was cut from.
            self._pending.append(part.copy())
            self._rows += len(part)
            if self._rows == self.size:
                yield from self.rest()

    def rest(self) -> Iterator[NDArray[np.float64]]:
        """Yield what has not filled a chunk."""
        pending, self._pending, self._rows = self._pending, [], 0
        if pending:
            yield pending[0] if len(pending) == 1 else np.concatenate(pending)


@dataclass(slots=True)
class Numbers:
    """A stream of numbers on its way into cells, chunk by chunk."""

    binning: NumericBinning
    held: int = SAMPLE
    sample: Sample | None = None
    """What recurs is found in it: a sample of these numbers from an earlier pass, else one of this."""
    summary: Summary = field(default_factory=Summary)
    counts: NDArray[np.int64] = field(init=False)
    _sampling: Sample | None = field(init=False)
    _chunks: Chunks = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.binning.n_cells, np.int64)
        self._sampling = None if self.sample else Sample(self.held)
        self._chunks = Chunks(min(self.held, CHUNK))

    def add_arrow(self, column: pa.Array[Any]) -> None:
        """Take a chunk of a column."""
        self.add(to_numbers(self.binning.parsed(column)))

    def add(self, values: NDArray[np.float64]) -> None:
        """Take numbers; NaN is missing."""
        for chunk in self._chunks.add(values):
            self.count(Parted.of(chunk))

    def count(self, chunk: Parted) -> None:
        """Count a chunk, whatever waits for more of its own."""
        if len(chunk.infinite):
            self.counts += self.binning.count_present(chunk.infinite)
            self.summary += Summary(infinite=len(chunk.infinite))
        self.counts[-1] += chunk.n_missing
        self.counts += self.binning.count_present(chunk.finite)
        self.summary += Summary.of_finite(chunk.finite)
        if self._sampling:
            self._sampling.add(chunk.finite)

    def histogram(self) -> Histogram:
        """Return what was counted; nothing can be added any more."""
        for chunk in self._chunks.rest():
            self.count(Parted.of(chunk))
        sample = self.sample or self._sampling or Sample(0)
        atoms = Atoms.of(sample.ordered, self.binning.shared).scaled(sample.stride)
        return Histogram(self.binning, self.counts, atoms.pruned())


@dataclass(slots=True)
class Labels:
    """A stream of labels on its way into cells; short chunks are joined until they are worth encoding."""

    binning: CategoricalBinning
    counts: NDArray[np.int64] = field(init=False)
    recurring: LabelTally = field(default_factory=LabelTally)
    """Those that have no cell of their own."""
    _pending: list[pa.Array[Any]] = field(default_factory=list)
    _rows: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.binning.n_cells, np.int64)

    def add(self, labels: Sequence[str], counts: ArrayLike, n_missing: int = 0) -> None:
        """Take labels into account, each with its rows, and rows without one."""
        named, rows = self.binning.named(labels), np.asarray(counts, np.int64)
        cells = self.binning.cell_of(named)
        np.add.at(self.counts, cells, rows)
        self.counts[-1] += n_missing
        hidden = np.flatnonzero(cells >= self.binning.other)
        if len(hidden):
            self.recurring.add(named, rows, hidden)

    def add_unnamed(self, rows: int, largest: int) -> None:
        """Take rows into account of labels that the binning does not know, none of which has more than `largest`."""
        self.counts[self.binning.unknown] += rows
        self.recurring.unnamed = max(self.recurring.unnamed, largest)

    def add_arrow(self, column: pa.Array[Any]) -> None:
        """Take a chunk of a column."""
        import pyarrow as pa
        import pyarrow.types as t

        if len(column) > _SHORT:
            self.add(*to_labels(column))
            return
        if t.is_dictionary(column.type):
            column = cast("pa.DictionaryArray[Any, Any]", column).dictionary_decode()
        if self._pending and self._pending[0].type != column.type:
            self._settle()
        # A copy: a view would pin the batch it was cut from.
        self._pending.append(pa.concat_arrays([column]))
        self._rows += len(column)
        if self._rows >= CHUNK:
            self._settle()

    def _settle(self) -> None:
        import pyarrow as pa

        pending, self._pending, self._rows = self._pending, [], 0
        if pending:
            self.add(*to_labels(pa.concat_arrays(pending)))

    def histogram(self) -> Histogram:
        """Return what was counted."""
        self._settle()
        return Histogram(self.binning, self.counts, self.recurring.atoms(self.binning.written))


_SHORT = 1 << 12
"""Chunks of labels up to this many rows wait for more."""


def tally_of(binning: Binning, held: int = SAMPLE) -> Numbers | Labels:
    """Return what counts a stream of a column into cells, holding so many numbers of it at most."""
    return Numbers(binning, held) if isinstance(binning, NumericBinning) else Labels(binning)


def check_type(binning: Binning, arrow_type: pa.DataType, types: str = "") -> None:
    """Refuse a column whose type cannot be counted under a binning; `types` names all it has, where several."""
    import pyarrow.types as t

    # Dates count days and timestamps seconds: neither may become the other.
    clock = binning.scale if isinstance(binning, NumericBinning) and binning.kind == "datetime" else None
    same_clock = clock is None or t.is_null(arrow_type) or clock == infer_scale(arrow_type)
    written = isinstance(binning, NumericBinning) and binning.notation and is_text(arrow_type)
    if not (written or compatible(binning.kind, arrow_type)) or not same_clock:
        found = type_text(arrow_type)
        raise BinningError(f"type changed: {binning.kind} in the reference, {types if found in types else found} now")
