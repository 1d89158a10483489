"""Atoms: the values that recur in a window, numbers inside bins and labels without a cell, counted with its chunks.

Frozen bins do not see that one in a hundred rows suddenly holds one ordinary value, and all labels that they do not
know are one cell. What is kept here of each window, at most `KEPT` values with their rows, lets
`drift.profiles.refinement` give such a value a cell of its own afterwards, on both sides of a comparison, without
reading anything again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Values = Floats | NDArray[np.object_]
    Counts = NDArray[np.int64]

KEPT = 64
"""Values kept of a window: those with the most rows, of equal ones the smaller."""

_MANY_PAIRS, _MANY_VALUES = 1 << 12, 1 << 10

MOST_LABELS = 1 << 10
"""Labels of a stream that are followed from chunk to chunk; up to twice as many between two clearances."""


@dataclass(frozen=True)
class Atoms:
    """Values that recur, with the rows each has; atoms of disjoint rows add up.

    A list of the most frequent values leaves others out, so of each value two numbers are known: about how many rows it
    has, and how many at most.

    Parameters
    ----------
    values : float64 or object, shape (k,)
        Numbers, finite, or labels; increasing.
    rows, most : int64, shape (k,)
        Rows of each, and at most how many. Equal where all rows were looked at: then they are exact.
    typical, bound : int
        The same two of any value that is not in the list.

    Examples
    --------
    >>> monday, tuesday = Atoms([0.3, 7.0], [40, 3], [40, 3], 0, 1), Atoms([0.3], [50], [50], 1, 2)
    >>> both = monday + tuesday
    >>> both.values.tolist(), both.rows.tolist(), both.most.tolist(), both.typical, both.bound
    ([0.3, 7.0], [90, 4], [90, 5], 1, 3)
    """

    values: Values
    rows: Counts
    most: Counts
    typical: int
    bound: int

    def __post_init__(self) -> None:
        arrays = {"values": _array(self.values), **{name: np.array(getattr(self, name), np.int64) for name in _ROWS}}
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def none(cls) -> Atoms:
        """Return the atoms of no rows: the zero of ``+``."""
        return cls([], [], [], 0, 0)  # type: ignore[arg-type]

    @classmethod
    def of(cls, ordered: Floats, wanted: Callable[[Floats], NDArray[np.bool_]]) -> Atoms:
        """Find the values that recur in sorted numbers without NaN.

        Those that are not `wanted` are not worth keeping, and the bound is not of them.

        Examples
        --------
        >>> found = Atoms.of(np.array([1.0, 2.0, 2.0, 3.0, 3.0, 3.0]), lambda values: values < 3)
        >>> found.values.tolist(), found.rows.tolist(), found.typical, found.bound
        ([2.0], [2], 0, 1)
        """
        values, distinct, bound = _recurring(ordered)
        if not len(values):
            return cls(values, values, values, min(_expected(len(ordered), distinct), bound), bound)  # type: ignore[arg-type]
        rows = np.searchsorted(ordered, values, "right") - np.searchsorted(ordered, values, "left")
        asked = wanted(values)
        listed = np.flatnonzero(asked & (rows > bound))
        if len(listed) > KEPT:
            ranked = listed[np.argsort(-rows[listed], kind="stable")]
            listed, bound = np.sort(ranked[:KEPT]), int(rows[ranked[KEPT]])
        elsewhere = np.flatnonzero(~asked)
        rest = len(ordered) - int(rows[listed].sum()) - int(rows[elsewhere].sum())
        typical = min(_expected(rest, distinct - len(listed) - len(elsewhere)), bound)
        # Adding zero turns -0.0 into 0.0.
        return cls(values[listed] + 0.0, rows[listed], rows[listed], typical, bound)

    @classmethod
    def total(cls, parts: Iterable[Atoms]) -> Atoms:
        """Return the atoms of all rows together: as ``+``, and faster than adding one after the other."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        typical, bound = sum(part.typical for part in parts), sum(part.bound for part in parts)
        listed = [part for part in parts if len(part.values)]
        if not listed:
            return replace(cls.none(), typical=typical, bound=bound)
        values = np.concatenate([part.values for part in listed])
        order = np.argsort(values, kind="stable")
        values = values[order]
        first = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        lengths = [len(part.values) for part in listed]
        rows, most = (
            np.add.reduceat((np.concatenate(known) - np.repeat(unlisted, lengths))[order], first)
            for known, unlisted in (
                ([part.rows for part in listed], [part.typical for part in listed]),
                ([part.most for part in listed], [part.bound for part in listed]),
            )
        )
        return cls(values[first], typical + rows, bound + most, typical, bound)

    def pruned(self, kept: int = KEPT) -> Atoms:
        """Return the values with the most rows alone; the bound takes up what is left out."""
        if len(self.values) <= kept:
            return self
        ranked = np.argsort(-self.rows, kind="stable")
        stay, go = np.sort(ranked[:kept]), ranked[kept:]
        bound = max(self.bound, int(self.most[go].max()))
        return Atoms(self.values[stay], self.rows[stay], self.most[stay], self.typical, bound)

    def scaled(self, stride: int) -> Atoms:
        """Return the atoms of all rows, where these are of a sample of one in `stride` of them.

        "At most" is then what so small a sample falls short of about once in a million times: a value with R rows has
        at least a binomial's number of them in it, B(R, 1/stride).

        Examples
        --------
        >>> Atoms([0.3], [400], [400], 0, 1).scaled(10)
        Atoms({'values': [0.3], 'rows': [4000], 'most': [4996], 'typical': 0, 'bound': 176})
        """
        if stride == 1:
            return self
        seen = np.append(self.most, self.bound)
        most = np.ceil(stride * (seen + 4 + 5 * np.sqrt((seen + 6) * (1 - 1 / stride)))).astype(np.int64)
        return Atoms(self.values, self.rows * stride, most[:-1], self.typical * stride, int(most[-1]))

    def rows_of(self, values: Values | Sequence[float] | Sequence[str]) -> tuple[Counts, Counts]:
        """Return about how many rows each of some values has, and how many at most.

        Examples
        --------
        >>> Atoms([0.3], [40], [41], 0, 2).rows_of([0.3, 0.4])
        (array([40,  0]), array([41,  2]))
        """
        asked = _array(values)
        at = np.searchsorted(self.values, asked)
        known = at < len(self.values)
        known[known] = self.values[at[known]] == asked[known]
        rows, most = np.full(len(asked), self.typical, np.int64), np.full(len(asked), self.bound, np.int64)
        rows[known], most[known] = self.rows[at[known]], self.most[at[known]]
        return rows, most

    def __add__(self, other: Atoms) -> Atoms:
        return Atoms.total((self, other))

    def __repr__(self) -> str:
        return f"Atoms({self.to_dict()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atoms) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[tuple[float | str, ...], bytes, bytes, int, int]:
        return tuple(self.values.tolist()), self.rows.tobytes(), self.most.tobytes(), self.typical, self.bound

    def to_dict(self) -> dict[str, Any]:
        """The atoms as plain JSON; `most` stands there only where it is not `rows`.

        Examples
        --------
        >>> Atoms([0.3], [40], [40], 0, 1).to_dict()
        {'values': [0.3], 'rows': [40], 'typical': 0, 'bound': 1}
        """
        most = {} if (self.most == self.rows).all() else {"most": self.most.tolist()}
        lists = {"values": self.values.tolist(), "rows": self.rows.tolist(), **most}
        return lists | {"typical": self.typical, "bound": self.bound}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Atoms:
        """Read back what `to_dict` wrote."""
        rows = fields["rows"]
        return cls(fields["values"], rows, fields.get("most", rows), fields["typical"], fields["bound"])


@dataclass(slots=True)
class LabelTally:
    """A stream of labels, chunk by chunk, on its way into atoms; those with the most rows are followed.

    No label has more rows than are counted of it here and `missed` together; while the labels are few, nothing is
    missed. One that was never added has at most `unnamed`.

    Examples
    --------
    >>> tally = LabelTally()
    >>> for labels in (["SFO", "LAX"], ["SFO", "ORD"]):
    ...     tally.add(labels, [3, 1])
    >>> tally.atoms()
    Atoms({'values': ['SFO'], 'rows': [6], 'typical': 0, 'bound': 1})
    """

    missed: int = 0
    unnamed: int = 0
    _rows: dict[str, int] = field(default_factory=dict)

    def add(self, labels: Sequence[str], counts: Counts | Sequence[int], which: NDArray[np.intp] | None = None) -> None:
        """Take some labels into account, each with its rows in this chunk; all of them, or only `which` are wanted."""
        places = np.arange(len(labels)) if which is None else which
        many = np.asarray(counts, np.int64)[places]
        if len(places) > MOST_LABELS:
            cut = int(np.partition(many, -MOST_LABELS - 1)[-MOST_LABELS - 1])
            places, many = places[many > cut], many[many > cut]
            self.missed += cut
        rows = self._rows
        for place, n in zip(places.tolist(), many.tolist(), strict=True):
            rows[labels[place]] = rows.get(labels[place], 0) + n
        if len(rows) > 2 * MOST_LABELS:
            ranked = sorted(rows.items(), key=_most_first)
            self._rows = dict(ranked[:MOST_LABELS])
            self.missed += ranked[MOST_LABELS][1]

    def atoms(self, written: Callable[[str], str] = str) -> Atoms:
        """Return the labels that recur, each as it is to be written."""
        ranked = sorted((each for each in self._rows.items() if each[1] > max(self.missed, 1)), key=_most_first)
        listed = sorted((written(label), n) for label, n in ranked[:KEPT])
        others = max(sorted(self._rows.values(), reverse=True)[len(listed) :], default=0)
        rows = np.array([n for _, n in listed], np.int64)
        return Atoms(
            _array([label for label, _ in listed]), rows, rows + self.missed, 0, max(others, self.unnamed) + self.missed
        )


def _most_first(label: tuple[str, int]) -> tuple[int, str]:
    return -label[1], label[0]


_ROWS = ("rows", "most")


def _array(values: Values | Sequence[float] | Sequence[str]) -> Values:
    """Return numbers as float64, labels as objects: a fixed width would be that of the longest, and cut NULs off."""
    return np.array(values, object if len(values) and isinstance(values[0], str) else np.float64)


def _recurring(ordered: Floats) -> tuple[Floats, int, int]:
    """Return the values with more rows than some bound, and perhaps others; how many values there are; the bound.

    Of a value with 2 h rows at least two neighbours are alike when every h-th number is looked at. All are looked at
    first, which finds whatever stands there twice; where that is too much (whole numbers, prices), fewer.
    """
    h, distinct = 1, 0
    while True:
        sampled = ordered[::h]
        alike = sampled[1:] == sampled[:-1]
        pairs = int(np.count_nonzero(alike))
        distinct = distinct or len(ordered) - pairs
        bound = min(2 * h - 1, len(ordered))
        if not pairs:
            return np.empty(0), distinct, bound
        if pairs <= _MANY_PAIRS:
            again = sampled[1:][alike]
            values = again[np.append(True, again[1:] != again[:-1])]
            if len(values) <= _MANY_VALUES:
                return values, distinct, bound
        h *= 4 if h < 16 else 2


def _expected(rows: int, distinct: int) -> int:
    """Return how many rows to expect of a value that need not be there.

    If `rows` fall on places that are all as likely, λ on each in the mean, those hit at all have μ = λ / (1 - e^-λ) in
    the mean; solved for λ and rounded. Numbers of a continuum never meet: μ = 1, and none is expected.
    """
    if distinct <= 0 or rows < 1.27 * distinct:
        return 0
    mean = rate = rows / distinct
    for _ in range(25):
        rate = mean * -math.expm1(-rate)
    return round(rate)
