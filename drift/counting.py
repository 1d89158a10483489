"""Counting: a stream of rows into cells, in one pass and bounded memory.

Numbers are sorted in chunks that fit the cache, and everything about them is read off there: counts, the values that
recur, and the summary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.atoms import Atoms
from drift.binning import CHUNK, CategoricalBinning, NumericBinning
from drift.errors import BinningError
from drift.histograms import Histogram, Profile, Summary
from drift.kinds import compatible, infer_scale, to_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.binning import Binning
    from drift.windows import Window

_MOST_LISTS = 64


def count(
    batches: Iterable[pa.RecordBatch],
    binnings: Mapping[str, Binning],
    *,
    window: Window | None = None,
    schema: Mapping[str, str] | None = None,
) -> Profile:
    """Count a stream of rows into cells, in one pass and bounded memory.

    Parameters
    ----------
    batches
        The rows; they may lack columns or change types, which is recorded, not raised.
    binnings
        The frozen binning of every feature to count.
    window
        The window they stand for.
    schema
        Arrow types of the source as text, where known beyond the batches.

    Returns
    -------
    Profile
        Its histograms each sum to the rows read; a feature that could not be counted is in `problems` instead.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"x": [0.5, None, float("nan"), 7.0]})
    >>> profile = count([rows], {"x": NumericBinning([0, 1]), "y": NumericBinning([0, 1])})
    >>> profile.histograms["x"].counts.tolist(), dict(profile.problems)
    ([0, 1, 1, 2], {'y': 'column missing'})
    """
    buffer = np.empty(CHUNK)
    tallies: dict[str, _Numbers | _Labels] = {
        name: _Numbers(binning, buffer) if isinstance(binning, NumericBinning) else _Labels(binning)
        for name, binning in binnings.items()
    }
    having = dict.fromkeys(binnings, 0)
    seen: set[str] = set()
    types = dict(schema or {})
    problems: dict[str, str] = {}
    n_rows = 0
    for batch in batches:
        n_rows += batch.num_rows
        for column_type in batch.schema:
            types.setdefault(column_type.name, str(column_type.type))
        for name, tally in tallies.items():
            index = batch.schema.get_field_index(name)
            if index < 0 or name in problems:
                continue
            seen.add(name)
            column = batch.column(index)
            try:
                _check_type(tally.binning, column.type)
                tally.add_arrow(column)
            except BinningError as error:
                problems[name] = str(error)
                continue
            having[name] += len(column)
    for name in binnings.keys() - problems.keys():
        if name not in seen and (n_rows or (types and name not in types)):
            problems[name] = "column missing"
        elif having[name] != n_rows:
            problems[name] = f"column missing in part of the window: {having[name]:,} of {n_rows:,} rows have it"
    histograms = {name: tally.histogram() for name, tally in tallies.items() if name not in problems}
    summaries = {name: each.summary for name, each in tallies.items() if isinstance(each, _Numbers)}
    return Profile(
        window,
        n_rows,
        histograms,
        {name: summaries[name] for name in histograms if name in summaries},
        types,
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
    numbers = _Numbers(binning)
    flat = np.asarray(values, np.float64).ravel()
    for start in range(0, len(flat), CHUNK):
        numbers.add(flat[start : start + CHUNK], 0)
    return numbers.histogram()


@dataclass(slots=True)
class _Numbers:
    """A stream of numbers on its way into cells, sorted in chunks of so many rows wherever its batches are cut.

    So what is counted does not depend on the cuts, and up to one chunk not on the order of the rows either.
    """

    binning: NumericBinning
    buffer: NDArray[np.float64] = field(default_factory=lambda: np.empty(CHUNK))
    counts: NDArray[np.int64] = field(init=False)
    summary: Summary = field(default_factory=Summary)
    atoms: list[Atoms] = field(default_factory=list)
    pending: list[NDArray[np.float64]] = field(default_factory=list)
    rows: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.binning.n_cells, np.int64)

    def add_arrow(self, column: pa.Array[Any]) -> None:
        start = 0
        while start < len(column):
            part = column.slice(start, CHUNK - self.rows)
            self.add(*to_numbers(part))
            start += len(part)

    def add(self, values: NDArray[np.float64], n_null: int) -> None:
        """Take no more rows than are missing in the chunk."""
        self.counts[-1] += n_null
        self.rows += len(values) + n_null
        self.pending.append(values)
        if self.rows == CHUNK:
            self.sort()

    def sort(self) -> None:
        size = sum(map(len, self.pending))
        ordered = self.buffer[:size]
        if size:
            np.concatenate(self.pending, out=ordered)
            ordered.sort()
            self.counts += self.binning.count_sorted(ordered)
            present = int(np.searchsorted(ordered, np.inf, "right"))
            self.atoms.append(Atoms.of(ordered[:present], self.binning.shared))
            self.summary += Summary.of_sorted(ordered)
        self.pending, self.rows = [], 0
        if len(self.atoms) == _MOST_LISTS:
            self.atoms = [Atoms.total(self.atoms).pruned()]

    def histogram(self) -> Histogram:
        self.sort()
        return Histogram(self.binning, self.counts, Atoms.total(self.atoms or [Atoms.none()]).pruned())


@dataclass(slots=True)
class _Labels:
    """A stream of labels on its way into cells."""

    binning: CategoricalBinning
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.binning.n_cells, np.int64)

    def add_arrow(self, column: pa.Array[Any]) -> None:
        self.counts += self.binning.count_arrow(column)

    def histogram(self) -> Histogram:
        return Histogram(self.binning, self.counts)


def _same_clock(binning: Binning, arrow_type: pa.DataType) -> bool:
    """Say whether dates are still dates and timestamps timestamps: their numbers count days or seconds."""
    import pyarrow.types as t

    return (
        not isinstance(binning, NumericBinning)
        or binning.kind != "datetime"
        or t.is_null(arrow_type)
        or binning.scale == infer_scale(arrow_type)
    )


def _check_type(binning: Binning, arrow_type: pa.DataType) -> None:
    if not compatible(binning.kind, arrow_type) or not _same_clock(binning, arrow_type):
        raise BinningError(f"type changed: {binning.kind} in the reference, {arrow_type} now")
