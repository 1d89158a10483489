"""Binnings: fitted once on a reference, frozen, and total.

A binning has a cell for every value there can be, so a row is never dropped and the counts of a window always
sum to its rows. Numbers fall into *below*, k bins ``[e_i, e_{i+1})``, *above*, *missing*; categories into *each
level, other (known from the reference but rare), unseen (never seen there), missing*. A value that alone holds a large
share of the reference (a departure delay of exactly 0, no rain) gets a bin of its own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.errors import BinningError
from drift.kinds import Kind, Scale, to_labels, to_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class NumericBinning:
    """Cells for numbers: below, ``k`` bins ``[e_i, e_{i+1})``, above, missing.

    Parameters
    ----------
    edges : float64, shape (k + 1,)
        Finite, strictly increasing. Empty where the reference held no number at all: then one cell takes every value.
    scale
        How the numbers are to be shown: ``number``, ``integer``, ``date`` (days since 1970), ``timestamp`` and
        ``time`` (seconds).

    Raises
    ------
    BinningError
        If the edges are not finite and strictly increasing.

    Examples
    --------
    >>> binning = NumericBinning([0, 10, 20])
    >>> binning.cells
    ('below 0', '[0, 10)', '[10, 20)', '20 and above', 'missing')
    >>> binning.count([-5, 0, 9.9, 20, float("inf"), float("nan")]).tolist()
    [1, 2, 0, 2, 1]
    """

    edges: NDArray[np.float64]
    scale: Scale = "number"

    def __post_init__(self) -> None:
        # Adding zero turns -0.0 into 0.0, which is equal and would be written differently.
        edges = np.array(self.edges, dtype=np.float64) + 0.0
        if edges.ndim != 1 or not np.isfinite(edges).all() or (edges[1:] <= edges[:-1]).any():
            raise BinningError(f"bin edges must be finite and strictly increasing, got {edges.tolist()}")
        edges.flags.writeable = False
        object.__setattr__(self, "edges", edges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumericBinning) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def kind(self) -> Kind:
        """The kind of feature these cells are for."""
        return "numeric" if self.scale in {"number", "integer"} else "datetime"

    @property
    def ordered(self) -> bool:
        """Numbers have an order: location and scale mean something."""
        return True

    @property
    def n_cells(self) -> int:
        """Number of cells: ``k + 3``."""
        return len(self.edges) + 2

    @property
    def missing(self) -> int:
        """Index of the missing cell: the last."""
        return self.n_cells - 1

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """The name of every cell, in order."""
        if not len(self.edges):
            return ("any value", "missing")
        low, high = self.format(self.edges[0]), self.format(self.edges[-1])
        return (f"below {low}", *map(self._bin_name, self.edges, self.edges[1:]), f"{high} and above", "missing")

    def _bin_name(self, low: float, high: float) -> str:
        if self.scale in {"integer", "date"}:
            last = np.ceil(high) - 1
            first = np.ceil(low)
            return f"= {self.format(first)}" if last <= first else f"{self.format(first)} … {self.format(last)}"
        if high == np.nextafter(low, np.inf):
            return f"= {self.format(low)}"
        with np.errstate(over="ignore"):
            below = np.nextafter(low, -np.inf)
        if below in self.edges:
            return f"({self.format(below)}, {self.format(high)})"
        return f"[{self.format(low)}, {self.format(high)})"

    def format(self, value: float) -> str:
        """Show one number on this binning's scale."""
        if not np.isfinite(value):
            return str(value)
        try:
            return _FORMATS[self.scale](float(value))
        except (OverflowError, ValueError):
            return f"{value:.6g}"

    def count(self, values: ArrayLike) -> NDArray[np.int64]:
        """Count values into cells; NaN is missing.

        Parameters
        ----------
        values : array_like, shape (n,)

        Returns
        -------
        counts : int64, shape (n_cells,)
            They sum to n.
        """
        counts = np.zeros(self.n_cells, np.int64)
        flat = np.asarray(values, np.float64).ravel()
        for start in range(0, len(flat), _CHUNK):
            # Sorting a chunk that fits the cache and looking the few edges up in it beats looking every value up.
            chunk = np.sort(flat[start : start + _CHUNK])
            present = int(np.searchsorted(chunk, np.inf, "right"))
            cuts = np.searchsorted(chunk[:present], self.edges, "left")
            counts[:-1] += np.diff(cuts, prepend=0, append=present)
            counts[-1] += len(chunk) - present
        return counts

    def count_arrow(self, array: pa.Array[Any]) -> NDArray[np.int64]:
        """Count an Arrow array into cells; nulls and NaN are missing."""
        values, n_null = to_numbers(array)
        counts = self.count(values)
        counts[-1] += n_null
        return counts

    def to_dict(self) -> dict[str, Any]:
        """The binning as plain JSON; edges are written so that they read back bit for bit."""
        return {"kind": "numeric", "scale": self.scale, "edges": self.edges.tolist()}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name exactly these cells."""
        return _fingerprint(self.to_dict())


_CHUNK = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMATS: dict[Scale, Callable[[float], str]] = {
    "number": "{:.6g}".format,
    "integer": "{:.0f}".format,
    "date": lambda days: f"{_EPOCH + timedelta(days=days):%Y-%m-%d}",
    "timestamp": lambda seconds: f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}",
    "time": lambda seconds: str(timedelta(seconds=seconds)),
}


@dataclass(frozen=True)
class CategoricalBinning:
    """Cells for categories: each level, other, unseen, missing.

    Parameters
    ----------
    levels
        The levels with a cell of their own, most frequent in the reference first.
    rare
        The other labels the reference held. None where there were more than `MAX_KNOWN_LEVELS`: the feature is an
        identifier, new labels are no news, and they count as *other*.
    salt
        Where given, labels are stored only as salted hashes, as they can be personal data.

    Raises
    ------
    BinningError
        If a level stands twice.

    Examples
    --------
    >>> binning = CategoricalBinning(("JFK", "EWR"), rare=("LGA",))
    >>> binning.cells
    ('JFK', 'EWR', 'other', 'unseen', 'missing')
    >>> binning.count_labels(["JFK", "LGA", "SFO"], [3, 2, 1], n_missing=4).tolist()
    [3, 0, 2, 1, 4]
    """

    levels: tuple[str, ...]
    rare: tuple[str, ...] | None = ()
    salt: str = ""
    boolean: bool = field(default=False, repr=False)
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = (*self.levels, *(self.rare or ()))
        if len(set(known)) != len(known):
            raise BinningError("a level stands twice in this binning")
        index = {label: cell for cell, label in enumerate(self.levels)}
        index |= dict.fromkeys(self.rare or (), len(self.levels))
        object.__setattr__(self, "_index", index)

    @property
    def kind(self) -> Kind:
        """The kind of feature these cells are for."""
        return "boolean" if self.boolean else "categorical"

    @property
    def ordered(self) -> bool:
        """Categories have no order."""
        return False

    @property
    def n_cells(self) -> int:
        """Number of cells: the levels, other, unseen, missing."""
        return len(self.levels) + 3

    @property
    def missing(self) -> int:
        """Index of the missing cell: the last."""
        return self.n_cells - 1

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """The name of every cell, in order; a level that is named like a special cell is quoted."""
        named: list[str] = []
        taken = {"other", "unseen", "missing"}
        for level in self.levels:
            name = level
            while name in taken:
                name = f"'{name}'"
            taken.add(name)
            named.append(name)
        return (*named, "other", "unseen", "missing")

    def count_labels(self, labels: Sequence[str], counts: ArrayLike, n_missing: int = 0) -> NDArray[np.int64]:
        """Count labels, each with its number of rows, into cells."""
        cells = np.zeros(self.n_cells, np.int64)
        unknown = len(self.levels) + (self.rare is not None)
        named = map(self._hash, labels) if self.salt else labels
        if self.boolean:
            named = [_BITS.get(label, label) for label in named]
        get = self._index.get
        index = np.fromiter((get(label, unknown) for label in named), np.intp, len(labels))
        np.add.at(cells, index, np.asarray(counts, np.int64))
        cells[-1] += n_missing
        return cells

    def _hash(self, label: str) -> str:
        return hash_label(label, self.salt)

    def count_arrow(self, array: pa.Array[Any]) -> NDArray[np.int64]:
        """Count an Arrow array into cells; nulls (and NaN) are missing."""
        return self.count_labels(*to_labels(array))

    def to_dict(self) -> dict[str, Any]:
        """The binning as plain JSON."""
        return {
            "kind": "categorical",
            "levels": list(self.levels),
            "rare": None if self.rare is None else list(self.rare),
            "salt": self.salt,
        } | ({"boolean": True} if self.boolean else {})

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name exactly these cells."""
        return _fingerprint(self.to_dict())


Binning = NumericBinning | CategoricalBinning

BOOLEAN = CategoricalBinning(("false", "true"), boolean=True)
"""Both its levels, whether the reference held both or not."""

_BITS = {"0": "false", "1": "true"}


def _fingerprint(spec: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]


def hash_label(label: str, salt: str) -> str:
    """Return a label's salted hash, twelve hexadecimal digits behind a ``#``."""
    return (
        "#" + hashlib.blake2b(label.encode("utf-8", "surrogatepass"), key=salt.encode()[:64], digest_size=6).hexdigest()
    )


def binning_from_dict(spec: Mapping[str, Any]) -> Binning:
    """Read back what `to_dict` wrote.

    Raises
    ------
    BinningError
        If the specification is not one of ours.
    """
    match spec:
        case {"kind": "numeric", "scale": scale, "edges": edges}:
            try:
                return NumericBinning(edges, scale)
            except (TypeError, ValueError) as error:
                raise BinningError(f"edges are no numbers: {error}") from error
        case {"kind": "categorical", "levels": levels, "rare": rare, "salt": salt}:
            return CategoricalBinning(
                tuple(levels), None if rare is None else tuple(rare), salt, bool(spec.get("boolean"))
            )
        case _:
            raise BinningError(f"unknown binning {spec.get('kind')!r}: written by a newer version of Drift?")
