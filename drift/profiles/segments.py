"""Segments: the rows of a window, cut by the values of a column or the combinations of several.

Which segments are watched by themselves is frozen with the bins, on the same reference: those with the most rows. All
others, new ones too, are one, ``(other)``; so every row is in exactly one segment, and the counts of the segments add
up to those of the whole, cell by cell. Here rows are cut as they stream by; `drift.sources.warehouse.segments` says the
same in SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from drift.errors import BinningError
from drift.profiles.binning import CategoricalBinning
from drift.profiles.counting import Tally
from drift.profiles.kinds import integers, to_codes
from drift.profiles.pair_tally import PairTally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.histograms import Profile
    from drift.windows import Window

OTHER, MISSING = "(other)", "(missing)"

HELD_ROWS = 1 << 13
"""Rows of a column that each segment holds before it counts them."""


@dataclass(frozen=True)
class Segmentation:
    """A way to cut rows into segments.

    Parameters
    ----------
    columns
        Whose values, or combinations of values, are segments.
    watched
        Names of the segments that are watched by themselves, the one with the most rows of the reference first.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"origin": ["JFK", None, "EWR", "JFK"], "x": [1, 2, 3, 4]})
    >>> by = Segmentation(("origin",), ("origin=JFK", "origin=(missing)"))
    >>> {name: part["x"].to_pylist() for name, part in by.split(rows)}
    {'origin=JFK': [1, 4], 'origin=(missing)': [2], 'origin=(other)': [3]}
    """

    columns: tuple[str, ...]
    watched: tuple[str, ...]
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.watched)})

    @classmethod
    def of(cls, columns: Sequence[str], binning: Binning) -> Segmentation:
        """Read back what `binning` wrote."""
        if not isinstance(binning, CategoricalBinning):
            raise BinningError(f"segments by {key_of(columns)} are stored as a {binning.kind} binning: fit them again")
        return cls(tuple(columns), binning.levels)

    @cached_property
    def binning(self) -> CategoricalBinning:
        """The segments as a binning of labels, which is how they are stored."""
        return CategoricalBinning(self.watched, rare=None)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name exactly these segments."""
        return self.binning.fingerprint

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every segment, the rest last."""
        return names_of(key_of(self.columns), self.watched)

    def split(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Cut rows into segments, each in the order of the rows; segments without rows are left out."""
        names, codes = _codes(batch, self.columns)
        rest = len(self.watched)
        places = np.array([self._places.get(name, rest) for name in names], np.intp)[codes]
        counts = np.bincount(places, minlength=rest + 1)
        if counts.max() == batch.num_rows:
            if batch.num_rows:
                yield self.names[int(counts.argmax())], batch
            return
        ordered = batch.take(integers(np.argsort(places, kind="stable")))
        start = 0
        for name, rows in zip(self.names, counts.tolist(), strict=True):
            if rows:
                yield name, ordered.slice(start, rows)
            start += rows


def labels_by_column(segmentations: Iterable[Segmentation]) -> dict[str, CategoricalBinning]:
    """Return of each column that segments are cut by the labels in the names of those watched, as a binning.

    Examples
    --------
    >>> labels_by_column([Segmentation(("a", "b"), ("a=x,b=(missing)", "a=y,b=z", "a=x,b=z"))])["a"].levels
    ('x', 'y')
    """
    found: dict[str, dict[str, None]] = {column: {} for by in segmentations for column in by.columns}
    for by in segmentations:
        for name in by.watched:
            for column, label in zip(by.columns, labels_of(by.columns, name) or (), strict=False):
                if label is not None:
                    found[column][label] = None
    return {column: CategoricalBinning(tuple(labels), rare=None) for column, labels in found.items()}


def key_of(columns: Sequence[str]) -> str:
    r"""Return what a way to cut is stored under.

    Examples
    --------
    >>> key_of(["country", "device"]), key_of(["a,b"])
    ('country,device', 'a\\,b')
    """
    return ",".join(map(_escaped, columns))


def names_of(key: str, watched: Iterable[str]) -> tuple[str, ...]:
    """Return the name of every segment of a way to cut, the rest last.

    Examples
    --------
    >>> names_of("origin", ["origin=JFK"])
    ('origin=JFK', 'origin=(other)')
    """
    return (*watched, f"{key}={OTHER}")


def name_of(columns: Sequence[str], labels: Sequence[str | None]) -> str:
    r"""Return the name of a segment: no two combinations of values have the same.

    Examples
    --------
    >>> name_of(["country", "device"], ["DE", None])
    'country=DE,device=(missing)'
    >>> name_of(["x"], ["(missing)"]), name_of(["x"], ["a=b"])
    ('x=\\(missing)', 'x=a\\=b')
    """
    return ",".join(
        f"{_escaped(column)}={MISSING if label is None else _escaped(label)}"
        for column, label in zip(columns, labels, strict=True)
    )


def labels_of(columns: Sequence[str], name: str) -> tuple[str | None, ...] | None:
    r"""Return the labels that a name was made of by `name_of`, or None where it was made of other columns.

    Examples
    --------
    >>> labels_of(["country", "device"], r"country=a\=b,device=(missing)"), labels_of(["x"], "country=DE")
    (('a=b', None), None)
    """
    parts = _PARTS.findall(name)
    heads = [f"{_escaped(column)}=" for column in columns]
    if len(parts) != len(heads) or not all(map(str.startswith, parts, heads)):
        return None
    labels = [part[len(head) :] for part, head in zip(parts, heads, strict=True)]
    return tuple(None if label == MISSING else _ESCAPE.sub(r"\1", label) for label in labels)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PARTS = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)


def _escaped(text: str) -> str:
    for special in "\\,=":
        text = text.replace(special, f"\\{special}")
    return f"\\{text}" if text.startswith("(") else text


def _codes(batch: pa.RecordBatch, columns: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the names of the combinations that occur, and of each row which of them it has.

    Of a column that is not there, or whose values have no text form, every row is missing.
    """
    none: list[str | None] = [None]
    codes = np.zeros(batch.num_rows, np.intp)
    found: list[list[str | None]] = [[]]
    for column in columns:
        index = batch.schema.get_field_index(column)
        try:
            labels, mine = to_codes(batch.column(index)) if index >= 0 else (none, codes * 0)
        except BinningError:
            labels, mine = none, codes * 0
        both, codes = np.unique(codes * len(labels) + mine, return_inverse=True)
        found = [[*found[code // len(labels)], labels[code % len(labels)]] for code in both.tolist()]
    return [name_of(columns, labels) for labels in found], codes


def fit(
    batches: Iterable[pa.RecordBatch], columns: Sequence[str], *, most: int, least: float = 0
) -> tuple[Segmentation, dict[str, int]]:
    """Find the segments of a reference that are watched by themselves, and the rows of every one, however small.

    They are the `most` with the most rows, ties broken by name. One with fewer than `least` rows is never watched by
    itself; nor is the only one there is, which is the whole.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"origin": ["JFK", "LGA", "EWR", "JFK"]})
    >>> fit([rows], ["origin"], most=2)[0].names
    ('origin=JFK', 'origin=EWR', 'origin=(other)')
    """
    found: dict[str, int] = {}
    for batch in batches:
        names, codes = _codes(batch, columns)
        for name, rows in zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True):
            found[name] = found.get(name, 0) + rows
    return largest(found, columns, most=most, least=least), found


def largest(rows: Mapping[str, int], columns: Sequence[str], *, most: int, least: float = 0) -> Segmentation:
    """Return the segments that are watched by themselves, of all there are with their rows; the rest as for `fit`.

    Examples
    --------
    >>> largest({"x=a": 2, "x=c": 5, "x=b": 2}, ["x"], most=2).watched
    ('x=c', 'x=a')
    """
    large = [name for name in rows if rows[name] >= least and len(rows) > 1]
    ranked = sorted(large, key=lambda name: (-rows[name], name))
    return Segmentation(tuple(columns), tuple(ranked[:most]))


def count(
    batches: Iterable[pa.RecordBatch],
    binnings: Mapping[str, Binning],
    segmentations: Sequence[Segmentation],
    *,
    window: Window | None = None,
    schema: Mapping[str, str] | None = None,
    pairs: Mapping[str, Coarse] | None = None,
) -> Profile:
    """Count a stream of rows into cells, as a whole and by segment, in one pass.

    As `drift.profiles.counting.count`, with one more profile for each segment: those of one segmentation add up to it.
    With `pairs`, those of these columns are counted too, but for features that cannot be.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from drift.profiles.binning import NumericBinning
    >>> rows = pa.record_batch({"origin": ["JFK", None, "EWR", "JFK"], "x": [0.5, 2.0, None, 0.5]})
    >>> counted = count([rows], {"x": NumericBinning([0, 1])}, [Segmentation(("origin",), ("origin=JFK",))])
    >>> {name: part.histograms["x"].counts.tolist() for name, part in counted.segments.items()}
    {'origin=JFK': [0, 2, 0, 0], 'origin=(other)': [0, 0, 1, 1]}
    """
    whole = Tally(binnings, window=window, schema=schema)
    parts = {
        name: Tally(binnings, window=window, schema=schema, held=HELD_ROWS) for by in segmentations for name in by.names
    }
    paired = PairTally(pairs) if pairs else None
    for batch in batches:
        whole.add(batch)
        if paired:
            paired.add(batch)
        for by in segmentations:
            for name, part in by.split(batch):
                parts[name].add(part)
    found = whole.profile()
    return replace(
        found,
        segments={name: part.profile() for name, part in parts.items()},
        pairs=paired.pairs(found.problems) if paired else None,
    )
