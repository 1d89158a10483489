"""Histograms: the counts of one window under a binning; they add up.

A window is read once and becomes a `Profile`: one `Histogram` and, for numbers, one `Summary` a feature. Everything
later (any reference, any comparison, replay, backfill) is arithmetic on these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.binning import CategoricalBinning, NumericBinning
from drift.errors import BinningError, BinningMismatch
from drift.kinds import compatible, infer_scale, to_labels, to_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.binning import Binning
    from drift.windows import Window


@dataclass(frozen=True)
class Histogram:
    """Counts of rows in the cells of a binning.

    Parameters
    ----------
    binning
    counts : int64, shape (n_cells,)
        Not negative.

    Raises
    ------
    BinningError
        If the counts do not fit the binning.

    Examples
    --------
    >>> binning = NumericBinning([0, 1, 2])
    >>> a = Histogram(binning, binning.count([0.5, 1.5]))
    >>> (a + a).counts.tolist(), (a + a).n
    ([0, 2, 2, 0, 0], 4)
    """

    binning: Binning
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        given = np.asarray(self.counts)
        with np.errstate(invalid="ignore"):
            counts = given.astype(np.int64)
        if counts.shape != (self.binning.n_cells,) or (counts < 0).any() or (counts != given).any():
            raise BinningError(
                f"a histogram of {self.binning.n_cells} cells needs as many counts ≥ 0, got {given.tolist()}"
            )
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    @classmethod
    def empty(cls, binning: Binning) -> Histogram:
        """Return the histogram of no rows: the zero of ``+``."""
        return cls(binning, np.zeros(binning.n_cells, np.int64))

    @property
    def n(self) -> int:
        """Rows counted, missing ones too."""
        return int(self.counts.sum())

    @property
    def n_missing(self) -> int:
        """Rows whose value is null or NaN."""
        return int(self.counts[self.binning.missing])

    @property
    def shares(self) -> NDArray[np.float64]:
        """Counts divided by `n`; all zero where there are no rows."""
        return self.counts / max(self.n, 1)

    def __add__(self, other: Histogram) -> Histogram:
        if self.binning.fingerprint != other.binning.fingerprint:
            raise BinningMismatch(
                f"histograms of binnings {self.binning.fingerprint} and {other.binning.fingerprint} do not add up: "
                "profile both windows under one binning"
            )
        return Histogram(self.binning, self.counts + other.counts)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Histogram)
            and self.binning.fingerprint == other.binning.fingerprint
            and bool((self.counts == other.counts).all())
        )

    def __hash__(self) -> int:
        return hash((self.binning.fingerprint, self.counts.tobytes()))

    def quantile(self, share: float) -> float | None:
        """Return the approximate quantile of the values present, by linear interpolation within its bin.

        None for categories, for no values, and where the quantile lies below or above every edge.
        """
        binning = self.binning
        if not isinstance(binning, NumericBinning) or len(binning.edges) == 0:
            return None
        inside = self.counts[:-1]
        cumulative = np.cumsum(inside)
        if cumulative[-1] == 0:
            return None
        target = share * cumulative[-1]
        cell = int(np.searchsorted(cumulative, target, "left"))
        while inside[cell] == 0:
            cell += 1
        if cell in {0, len(inside) - 1}:
            return None
        low, high = binning.edges[cell - 1], binning.edges[cell]
        if binning.scale in {"integer", "date"}:
            high = max(low, high - 1)
        before = cumulative[cell] - inside[cell]
        return float(low + (high - low) * (target - before) / inside[cell])


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person can picture of a numeric feature, in its own unit; summaries of disjoint rows add up.

    Parameters
    ----------
    n : int
        Finite values.
    mean, m2 : float
        Their mean, and their sum of squared deviations from it (Chan, Golub & LeVeque, 1979).
    low, high : float or None
        Smallest and largest of them.
    zeros, infinite : int
        Values that are exactly zero; values that are infinite (in none of the above).

    Examples
    --------
    >>> total = Summary.of([1.0, 2.0]) + Summary.of([6.0, float("inf")])
    >>> total.n, total.mean, round(total.std, 3), total.high, total.infinite
    (3, 3.0, 2.646, 6.0, 1)
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    low: float | None = None
    high: float | None = None
    zeros: int = 0
    infinite: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64] | list[float]) -> Summary:
        """Summarise numbers; NaN are left out."""
        flat = np.asarray(values, np.float64)
        finite = np.isfinite(flat)
        infinite = 0
        if not finite.all():
            infinite = int(np.isinf(flat).sum())
            flat = flat[finite]
        if not len(flat):
            return cls(infinite=infinite)
        # Float64 overflows on values near its limit; infinity is then the honest sum, and it is not stored as one.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(flat.mean())
            if not math.isfinite(mean):
                mean = float((flat / len(flat)).sum())
            m2 = float(np.square(flat - mean).sum())
        return cls(
            len(flat), mean, m2, float(flat.min()), float(flat.max()), len(flat) - int(np.count_nonzero(flat)), infinite
        )

    @property
    def std(self) -> float | None:
        """Sample standard deviation; None below two values."""
        return math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 and math.isfinite(self.m2) else None

    def __add__(self, other: Summary) -> Summary:
        infinite = self.infinite + other.infinite
        if not self.n or not other.n:
            full = self if self.n else other
            return Summary(full.n, full.mean, full.m2, full.low, full.high, full.zeros, infinite)
        n = self.n + other.n
        step = other.mean - self.mean
        mean = (
            self.mean + step * other.n / n
            if math.isfinite(step)
            else self.mean * (self.n / n) + other.mean * (other.n / n)
        )
        return Summary(
            n,
            mean,
            self.m2 + other.m2 + step * step * (self.n * other.n / n),
            min(x for x in (self.low, other.low) if x is not None),
            max(x for x in (self.high, other.high) if x is not None),
            self.zeros + other.zeros,
            infinite,
        )


@dataclass(frozen=True)
class Profile:
    """One window of rows, counted: all that is ever stored of it.

    Parameters
    ----------
    window
        None for a table that has no time.
    n_rows
    histograms : dict
        One for each feature that could be counted; each sums to `n_rows`.
    summaries : dict
        One for each numeric feature.
    schema : dict
        Arrow type of every column seen, as text.
    problems : dict
        Why each of the other features could not be counted, in words.

    Raises
    ------
    BinningMismatch
        By ``+``, where a feature was counted under different binnings.
    """

    window: Window | None
    n_rows: int
    histograms: Mapping[str, Histogram]
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    schema: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Profile) -> Profile:
        def merged(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: reduce(add, [side[name] for side in (mine, theirs) if name in side])
                for name in {**mine, **theirs}
            }

        return Profile(
            None,
            self.n_rows + other.n_rows,
            merged(self.histograms, other.histograms),
            merged(self.summaries, other.summaries),
            {**self.schema, **other.schema},
            {**self.problems, **other.problems},
        )


def _same_clock(binning: Binning, arrow_type: pa.DataType) -> bool:
    """Say whether dates are still dates and timestamps timestamps: their numbers count days or seconds."""
    import pyarrow.types as t

    return (
        not isinstance(binning, NumericBinning)
        or binning.kind != "datetime"
        or t.is_null(arrow_type)
        or binning.scale == infer_scale(arrow_type)
    )


def _count_column(column: pa.Array[Any], binning: Binning) -> tuple[NDArray[np.int64], Summary]:
    if not compatible(binning.kind, column.type) or not _same_clock(binning, column.type):
        raise BinningError(f"type changed: {binning.kind} in the reference, {column.type} now")
    if isinstance(binning, CategoricalBinning):
        return binning.count_labels(*to_labels(column)), Summary()
    values, n_null = to_numbers(column)
    cells = binning.count(values)
    cells[-1] += n_null
    return cells, Summary.of(values)


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
    counts = {name: np.zeros(binning.n_cells, np.int64) for name, binning in binnings.items()}
    summaries = dict.fromkeys(binnings, Summary())
    seen: set[str] = set()
    types = dict(schema or {})
    problems: dict[str, str] = {}
    n_rows = 0
    for batch in batches:
        n_rows += batch.num_rows
        for column_type in batch.schema:
            types.setdefault(column_type.name, str(column_type.type))
        for name, binning in binnings.items():
            index = batch.schema.get_field_index(name)
            if index < 0 or name in problems:
                continue
            seen.add(name)
            try:
                cells, summary = _count_column(batch.column(index), binning)
            except BinningError as error:
                problems[name] = str(error)
                continue
            counts[name] += cells
            summaries[name] += summary
    for name in binnings.keys() - problems.keys():
        have = int(counts[name].sum())
        if name not in seen and (n_rows or (types and name not in types)):
            problems[name] = "column missing"
        elif have != n_rows:
            problems[name] = f"column missing in part of the window: {have:,} of {n_rows:,} rows have it"
    good = [name for name in binnings if name not in problems]
    return Profile(
        window,
        n_rows,
        {name: Histogram(binnings[name], counts[name]) for name in good},
        {name: summaries[name] for name in good if isinstance(binnings[name], NumericBinning)},
        types,
        problems,
    )
