"""Fitting: a binning for each feature, from one pass over a reference.

The bins rule is STATISTICS' own: few enough cells that both samples feed them, cuts in the tails where a change of
scale shows first, and a cell for every value that recurs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.errors import BinningError
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning, Vocabulary, hash_label
from drift.profiles.kinds import (
    Parted,
    Scale,
    compatible,
    contained,
    infer_kind,
    infer_scale,
    integers,
    is_text,
    to_labels,
    to_numbers,
    type_text,
    value_type,
    words,
)
from drift.profiles.numerals import Notation, Numerals, parse
from drift.profiles.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.config.features import FeatureKind

TIE_SHARE = 0.02
"""A value holding this share of the reference has a cell of its own."""

TAILS = (0.05, 0.01, 0.001)
"""Cut on both sides where the smaller sample expects at least `TAIL_ROWS` rows beyond."""

TAIL_ROWS = 5
_LOOK_FIRST = 64
ROWS_A_BIN = 50
MIN_BINS, MAX_BINS = 4, 10

MAX_KNOWN_LEVELS = 10_000
"""Rare levels remembered by name; a feature with more is an identifier and does not tell *unseen* from *other*."""

SAMPLE = 1 << 16
"""Edges, and the values that recur, come from all numbers up to this many, then from a systematic sample (rank error
below 0.3 %)."""


def bin_count(n_reference: int, n_current: int) -> int:
    """Return the number of quantile bins two samples of these sizes can feed.

    ``k = clip(⌊min(n, m) / 50⌋, 4, 10)``: the power of the test is flat from 8 to 20 cells, its error is not.

    Examples
    --------
    >>> bin_count(28_000, 300), bin_count(28_000, 930), bin_count(100, 100)
    (6, 10, 4)
    """
    return int(np.clip(min(n_reference, n_current) // ROWS_A_BIN, MIN_BINS, MAX_BINS))


def fit_numeric(
    values: ArrayLike,
    *,
    expected_rows: int | None = None,
    n_rows: int | None = None,
    bins: int | Sequence[float] | None = None,
    scale: Scale = "number",
) -> NumericBinning:
    """Fit a numeric binning on a reference.

    Edges are the reference's ``1/k`` quantiles, cuts in both tails at 5 %, 1 % and 0.1 % where the smaller sample
    expects at least 5 rows beyond, both sides of every value that alone holds 2 % or more, and the outermost ones.
    These lie as far beyond the minimum and maximum as the 5 % quantile lies inside them, so that a tail may grow by its
    own length before a value counts as below or above; where the last value alone holds 2 %, they lie there.

    Parameters
    ----------
    values : array_like, shape (n,)
        The reference; NaN and infinities take no part in the fit.
    expected_rows
        Rows a current window is expected to have; as many as the reference where not given.
    n_rows
        Rows the reference has, where `values` is a sample of them.
    bins
        Number of quantile bins instead of `bin_count`, or the edges themselves.

    Examples
    --------
    >>> fit_numeric(range(1000), expected_rows=200).n_cells  # 4 quartiles, cuts at 5 % on both sides
    9
    >>> fit_numeric([3.0] * 10).cells
    ('below 3', '= 3', 'above 3', 'missing')
    """
    flat = np.asarray(values, np.float64).ravel()
    ordered = np.sort(flat[np.isfinite(flat)])
    return _fit_ordered(ordered, expected_rows, n_rows, bins, scale)


def _fit_ordered(
    ordered: NDArray[np.float64],
    expected_rows: int | None,
    n_rows: int | None,
    bins: int | Sequence[float] | None,
    scale: Scale,
) -> NumericBinning:
    if bins is not None and not isinstance(bins, int):
        return NumericBinning(np.asarray(bins, np.float64), scale)
    n = len(ordered)
    if n == 0:
        return NumericBinning(np.empty(0), scale)
    n_reference = n_rows or n
    smaller = min(n_reference, expected_rows or n_reference)
    k = bins or bin_count(n_reference, expected_rows or n_reference)
    tails = [tail for tail in TAILS if smaller * tail >= TAIL_ROWS and tail < 1 / k]
    shares = np.array([i / k for i in range(1, k)] + tails + [1 - tail for tail in tails])
    ranks = np.minimum((shares * n).astype(np.intp), n - 1)
    step = max(1, int(TIE_SHARE * n))
    candidates = _distinct(ordered[::step])
    widths = np.searchsorted(ordered, candidates, "right") - np.searchsorted(ordered, candidates, "left")
    # Two rows are always a "large share" of fifty; a tie means the value really recurs.
    ties = candidates[(widths >= TIE_SHARE * n) & ((widths > 1) | (n == 1))]
    with np.errstate(over="ignore"):
        first, last = _outermost(ordered, ties)
        inner = np.concatenate([ordered[ranks], ties, _after(ties, scale)])
        if first < ordered[0]:
            # A cut at the lowest value would part it from what may lie just below it.
            inner = np.where(inner == ordered[0], _after(ordered[:1], scale), inner)
        edges = _distinct(np.sort(np.concatenate([inner, [first], _after(np.array([last]), scale)])))
    seen = float(ordered[0]), float(ordered[-1])
    return NumericBinning(edges[np.isfinite(edges)], scale, seen=None if seen == (first, last) else seen)


def _outermost(ordered: NDArray[np.float64], ties: NDArray[np.float64]) -> tuple[float, float]:
    """Return the last numbers that count in the outermost bins: beyond the extremes a tail as long again."""
    low, high, tail = float(ordered[0]), float(ordered[-1]), int(TAILS[0] * len(ordered))
    first, last = 2 * low - float(ordered[tail]), 2 * high - float(ordered[-1 - tail])
    return (
        low if low in ties or not np.isfinite(first) else first,
        high if high in ties or not np.isfinite(last) else last,
    )


def _distinct(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each of sorted numbers once. `np.unique` would do, and load `numpy.ma`, which takes as long as a fit."""
    first: NDArray[np.bool_] = np.append(True, ordered[1:] != ordered[:-1])
    return ordered[first]


def _after(values: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    """Return the smallest edges above values: the next whole number where values are whole."""
    following = np.nextafter(values, np.inf)
    # Beyond 2^53 a float64 has no next whole number; the next float is one.
    return np.maximum(np.floor(values) + 1, following) if scale in {"integer", "date"} else following


def fit_categorical(
    counts: Mapping[str, int], *, levels: int = 50, salt: str = "", kind: FeatureKind = "categorical"
) -> CategoricalBinning:
    """Fit a categorical binning on a reference's rows of each label.

    The most frequent `levels` get a cell of their own, ties broken by name; a ``boolean`` always has both its levels.
    With a salt, labels are stored only as salted hashes.

    Examples
    --------
    >>> fit_categorical({"a": 5, "b": 9, "c": 1}, levels=2)
    CategoricalBinning(levels=('b', 'a'), rare=('c',), salt='', apart=())
    """
    if kind == "boolean":
        return BOOLEAN
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    top, rest = ranked[:levels], sorted(ranked[levels:])
    if salt:
        top, rest = [hash_label(label, salt) for label in top], sorted({hash_label(label, salt) for label in rest})
        rest = [label for label in rest if label not in set(top)]
    rare = tuple(rest) if len(rest) <= MAX_KNOWN_LEVELS else None
    often = list(counts.values())
    cutoff = counts[ranked[levels]] if len(ranked) > levels else 0
    known = Vocabulary(sum(often), often.count(1), often.count(2), cutoff)
    if rare is None:
        # An identifier's new labels count as other: how many to expect is not asked, and a warehouse need not count.
        known = Vocabulary(0, 0, 0, cutoff)
    matters = known.once or known.twice or known.cutoff
    return CategoricalBinning(tuple(top), rare, salt, vocabulary=known if matters else None)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What a person may set for the fit of one feature: kind, bins or edges, levels, a salt for hashed labels."""

    kind: FeatureKind | None = None
    bins: int | Sequence[float] | None = None
    levels: int = 50
    salt: str = ""


@dataclass
class Numbers:
    """A bounded, deterministic sample of a stream of numbers."""

    scale: Scale
    sample: Sample = field(default_factory=lambda: Sample(SAMPLE))

    def add(self, array: pa.Array[Any]) -> None:
        """Take a chunk of a column into account."""
        self.take(Parted.of(to_numbers(array)))

    def take(self, numbers: Parted) -> None:
        """Take numbers into account; NaN and infinities have no part in the fit."""
        self.sample.add(numbers.finite)

    def fitted(self, options: FitOptions, expected_rows: int | None) -> NumericBinning:
        """Return the binning; nothing can be added any more."""
        return _fit_ordered(self.sample.ordered, expected_rows, self.sample.n, options.bins, self.scale)


@dataclass
class Labels:
    """How often each label occurs in a stream."""

    kind: FeatureKind
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, array: pa.Array[Any]) -> None:
        """Take a chunk of a column into account."""
        labels, counts, _ = to_labels(array)
        for label, count in zip(labels, counts.tolist(), strict=True):
            self.counts[label] = self.counts.get(label, 0) + count

    def fitted(self, options: FitOptions, expected_rows: int | None) -> Binning:
        """Return the binning: of numbers where the labels are numbers written as text."""
        notation = self._notation(options)
        if notation is None:
            return fit_categorical(self.counts, levels=options.levels, salt=options.salt, kind=self.kind)
        rows = np.fromiter(self.counts.values(), np.int64, len(self.counts))
        numbers = Numbers("number")
        values: Any = parse(words(list(self.counts)), notation)
        numbers.add(values.take(integers(np.repeat(np.arange(len(rows)), rows))).sort())
        return replace(numbers.fitted(options, expected_rows), notation=notation)

    def _notation(self, options: FitOptions) -> Notation | None:
        """Return how all labels are written as numbers, and not for the sake of their names; None where they are not.

        Whole numbers are identifiers or codes; few fractions are as good as labels.
        """
        if self.kind != "categorical" or options.kind not in {None, "numeric"} or options.salt:
            return None
        first = list(islice(self.counts, _LOOK_FIRST))
        if options.kind is None and not any(letter.isdecimal() for label in first for letter in label):
            return None
        found = Numerals().after(words(first))
        if found.notations:
            found = found.after(words(list(self.counts)))
        if options.kind == "numeric" and not found.notations:
            raise BinningError("type string cannot be read as numeric: not all of it is numbers written alike")
        many = len(self.counts) > options.levels and found.decimal is not None
        return found.notation() if found.example or many or options.kind == "numeric" else None


def sketch(arrow_type: pa.DataType, options: FitOptions) -> Numbers | Labels:
    """Return an empty sketch for a column of this type; refuse one that does not compare, or not as asked."""
    kind = options.kind or infer_kind(arrow_type)
    if kind is None:
        raise BinningError(f"type {type_text(arrow_type)} cannot be compared: exclude the feature")
    if kind == "numeric" and is_text(arrow_type):
        return Labels("categorical")
    as_seconds = kind == "numeric" and infer_kind(arrow_type) == "datetime"
    if not (compatible(kind, arrow_type) or as_seconds):
        raise BinningError(f"type {type_text(arrow_type)} cannot be read as {kind}: cast it in the query or leave kind")
    return Labels(kind) if kind in {"categorical", "boolean"} else Numbers(infer_scale(arrow_type))


def check_later(sketched: Numbers | Labels, first: pa.DataType, later: pa.DataType) -> None:
    """Refuse a column of the reference whose type changed on the way to one that its sketch cannot take.

    A sketch of whole numbers learns that not all of them are.
    """
    values = infer_kind(value_type(first))
    same_clock = values != "datetime" or infer_scale(first) == infer_scale(later)
    kind = sketched.kind if isinstance(sketched, Labels) else values or "numeric"
    if not compatible(kind, later) or not (same_clock or isinstance(sketched, Labels)):
        raise BinningError(
            f"type changed within the reference: {type_text(first)}, then {type_text(later)}: write all with one type, "
            "or fit on windows of one type"
        )
    if isinstance(sketched, Numbers) and sketched.scale == "integer":
        sketched.scale = infer_scale(later)


def fit(
    batches: Iterable[pa.RecordBatch],
    features: Mapping[str, FitOptions],
    *,
    expected_rows: int | None = None,
) -> tuple[dict[str, Binning], dict[str, str]]:
    """Fit a binning for each feature in one pass over a reference, for windows of `expected_rows`.

    The features that could not be fitted come second, with why, in words: one bad feature never sinks the rest.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"x": [1, 2, 3], "y": ["a", "b", "a"], "z": [[1], [2], [3]]})
    >>> binnings, problems = fit([batch], dict.fromkeys("xyz", FitOptions()))
    >>> binnings["y"].cells, problems
    (('a', 'b', 'other', 'unseen', 'missing'), {'z': 'type list<item: int64> cannot be compared: exclude the feature'})
    """
    import pyarrow.types as t

    sketches: dict[str, Numbers | Labels] = {}
    types: dict[str, pa.DataType] = {}
    problems: dict[str, str] = {}
    nulls: set[str] = set()
    for batch in batches:
        for name, options in features.items():
            index = batch.schema.get_field_index(name)
            if index < 0 or name in problems:
                continue
            column = batch.column(index)
            if t.is_null(column.type):
                nulls.add(name)
                continue
            with contained(problems, name):
                if name not in sketches:
                    sketches[name], types[name] = sketch(column.type, options), column.type
                elif column.type != types[name]:
                    check_later(sketches[name], types[name], column.type)
                sketches[name].add(column)
    return _fitted(features, sketches, nulls, problems, expected_rows), problems


def _fitted(
    features: Mapping[str, FitOptions],
    sketches: Mapping[str, Numbers | Labels],
    nulls: set[str],
    problems: dict[str, str],
    expected_rows: int | None,
) -> dict[str, Binning]:
    fitted: dict[str, Binning] = {}
    for name, options in features.items():
        if name in sketches and name not in problems:
            with contained(problems, name):
                fitted[name] = sketches[name].fitted(options, expected_rows)
        elif name in nulls and name not in problems:
            # Nothing is known but that it was missing; whatever comes next is a value where there was none.
            fitted[name] = CategoricalBinning(())
        else:
            problems.setdefault(name, "the reference has no such column")
    return fitted
