"""Binnings: fitted once on a reference, frozen, and total.

A binning has a cell for every value there can be, so a row is never dropped and the counts of a window always
sum to its rows. Numbers fall into *below*, k bins ``[e_i, e_{i+1})``, *above*, *missing*; categories into *each
level, other (known from the reference but rare), unseen (never seen there), missing*. A value that alone holds a large
share of the reference (a departure delay of exactly 0, no rain) gets a bin of its own; one that is found out only later
(`drift.profiles.refinement`) gets a cell of its own inside a bin.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drift.errors import BinningError
from drift.profiles.kinds import Scale, is_text, to_labels, to_numbers
from drift.profiles.numerals import Notation, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from drift.config.features import FeatureKind


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
    apart : float64, shape (a,)
        Values with a cell of their own behind that of the rest of their bin; strictly increasing.
    seen : tuple of float, optional
        Lowest and highest value of the fit, where the outermost bins reach beyond them.
    notation
        How the numbers are written, where the column is text.
    paired
        Whether pairs with other columns are counted: of very many columns some have none (see
        `drift.profiles.pair_choice`).

    Examples
    --------
    >>> binning = NumericBinning([0, 10, 20])
    >>> binning.cells
    ('below 0', '[0, 10)', '[10, 20)', '20 and above', 'missing')
    >>> binning.count([-5, 0, 9.9, 20, float("inf"), float("nan")]).tolist()
    [1, 2, 0, 2, 1]
    >>> NumericBinning([0, 10, 20], apart=[3]).cells
    ('below 0', '[0, 10) without 3', '= 3', '[10, 20)', '20 and above', 'missing')
    """

    edges: NDArray[np.float64]
    scale: Scale = "number"
    apart: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    seen: tuple[float, float] | None = None
    notation: Notation | None = None
    paired: bool = field(default=True, repr=False)
    ordered: ClassVar[bool] = True
    """Numbers have an order: location and scale mean something."""

    def __post_init__(self) -> None:
        edges, apart = (_increasing(name, getattr(self, name)) for name in ("edges", "apart"))
        if len(apart) and not len(edges):
            raise BinningError(f"where one cell takes every value none is set apart, got {apart.tolist()}")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "apart", apart)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumericBinning) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def kind(self) -> FeatureKind:
        """The kind of feature these cells are for."""
        return "numeric" if self.scale in {"number", "integer"} else "datetime"

    @property
    def blank(self) -> bool:
        """Whether no value was known when these cells were fitted: they part nothing but the missing ones."""
        return not len(self.edges)

    @property
    def n_cells(self) -> int:
        """Number of cells: ``k + 3``, and one for each value set apart."""
        return len(self.edges) + 2 + len(self.apart)

    @property
    def missing(self) -> int:
        """Index of the missing cell: the last."""
        return self.n_cells - 1

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """The name of every cell, in order."""
        if not len(self.edges):
            return ("any value", "missing")
        named = [*map(self.name_of, [None, *self.edges], [*self.edges, None]), "missing"]
        inside: dict[int, list[str]] = {}
        for cell, value in zip(self.cell_of(self.apart).tolist(), self.apart, strict=True):
            inside.setdefault(cell, []).append(self.format(value))
        # From the last bin on, so that the places of those before it stay.
        for cell in sorted(inside, reverse=True):
            values = inside[cell]
            but = ", ".join(values) if len(values) <= _MOST_NAMED else f"{len(values)} values"
            named[cell : cell + 1] = [f"{named[cell]} without {but}", *(f"= {value}" for value in values)]
        return tuple(named)

    def name_of(self, low: float | None, high: float | None) -> str:
        """Name the numbers from an edge on and below another; None is no end.

        Examples
        --------
        >>> binning = NumericBinning([0, 10, 20], "integer")
        >>> binning.name_of(0, 20), binning.name_of(None, 10), binning.name_of(10, None)
        ('0 … 19', 'below 10', '10 and above')
        """
        if low is None or high is None:
            return self._open_name(low, high)
        if self.scale in {"integer", "date"}:
            first, last = np.ceil(low), np.ceil(high) - 1
            return f"= {self.format(first)}" if last <= first else f"{self.format(first)} … {self.format(last)}"
        if high == np.nextafter(low, np.inf):
            return f"= {self.format(low)}"
        (first, after), (last, until) = self._end(low), self._end(high)
        return f"{'(' if after else '['}{first}, {last}{']' if until else ')'}"

    def _open_name(self, low: float | None, high: float | None) -> str:
        if high is not None:
            text, until = self._end(high)
            return f"{text} and below" if until else f"below {text}"
        if low is not None:
            text, after = self._end(low)
            return f"above {text}" if after else f"{text} and above"
        return "any value"

    def _end(self, edge: float) -> tuple[str, bool]:
        """Show an edge; where it is next to a value that is a bin of its own that value, which lies below it."""
        if self.scale in {"integer", "date"}:
            return self.format(np.ceil(edge)), False
        with np.errstate(over="ignore"):
            below = np.nextafter(edge, -np.inf)
        return (self.format(below), True) if below in self.edges else (self.format(edge), False)

    @cached_property
    def whole(self) -> NumericBinning:
        """The same bins with no value set apart."""
        return replace(self, apart=np.empty(0)) if len(self.apart) else self

    @cached_property
    def whole_cells(self) -> NDArray[np.intp]:
        """Of each cell, the cell of `whole` that it is part of."""
        return np.sort(np.append(np.arange(len(self.edges) + 2), self.cell_of(self.apart)))

    def cell_of(self, values: ArrayLike) -> NDArray[np.intp]:
        """Return the cell of `whole` that each number falls into."""
        return np.searchsorted(self.edges, values, "right")

    def shared(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which numbers fall into a cell that other numbers fall into too."""
        return np.asarray(self._many[self.cell_of(values)])

    def at_the_end(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Say which numbers lie in an outermost bin that reaches beyond the fit's last value, there or beyond it."""
        numbers = np.asarray(values, np.float64)
        low, high = self.seen or (-np.inf, np.inf)
        bins = (self.cell_of(numbers) > 0) & (self.cell_of(numbers) < len(self.edges))
        return np.asarray(bins & ((numbers <= low) | (numbers >= high)))

    @cached_property
    def _many(self) -> NDArray[np.bool_]:
        """Whether each cell has room for more than one number, and bins beside it."""
        if not len(self.edges):
            return np.zeros(1, np.bool_)
        low, high = self.edges[:-1], self.edges[1:]
        if self.scale in {"integer", "date"}:
            many = np.ceil(high) - 1 > np.ceil(low)
        else:
            many = high > np.nextafter(low, np.inf)
        return np.concatenate([[True], many, [True]])

    def format(self, value: float) -> str:
        """Show one number on this binning's scale."""
        if not np.isfinite(value):
            return str(value)
        try:
            return _FORMATS[self.scale](float(value))
        except (OverflowError, ValueError):
            return f"{value:.6g}"

    def count(self, values: ArrayLike) -> NDArray[np.int64]:
        """Count n values into cells, NaN as missing: int64, shape (n_cells,); they sum to n."""
        flat = np.asarray(values, np.float64).ravel()
        counts = np.zeros(self.n_cells, np.int64)
        for start in range(0, len(flat), CHUNK):
            chunk = flat[start : start + CHUNK]
            missing = np.isnan(chunk)
            counts += self.count_present(chunk[~missing] if missing.any() else chunk)
            counts[-1] += np.count_nonzero(missing)
        return counts

    def count_present(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count numbers in any order, none of them NaN, into cells.

        Holding every edge against all of a chunk that fits the cache takes a fifth of a nanosecond an edge and number,
        on any processor. Sorting costs as much as 20 to 200 edges, depending on which instructions NumPy may use and
        how fast the processor is at them: it is left for many edges, and for so few numbers that each call counts.
        """
        at_least = np.zeros(len(self.edges) + 2, np.int64)
        rows = np.zeros(len(self.apart), np.int64)
        for start in range(0, len(values), CHUNK):
            chunk = values[start : start + CHUNK]
            if len(chunk) < FEW_NUMBERS or len(self.edges) + len(self.apart) > MANY_EDGES:
                chunk = np.sort(chunk)
                at_least[1:-1] += len(chunk) - np.searchsorted(chunk, self.edges, "left")
                first, last = (np.searchsorted(chunk, self.apart, side) for side in ("left", "right"))
                rows += last - first
            else:
                found = np.empty(len(chunk), np.bool_)
                for i, edge in enumerate(self.edges):
                    at_least[i + 1] += np.count_nonzero(np.greater_equal(chunk, edge, out=found))
                for i, value in enumerate(self.apart):
                    rows[i] += np.count_nonzero(np.equal(chunk, value, out=found))
        at_least[0] = len(values)
        whole = np.append(at_least[:-1] - at_least[1:], 0)
        return self.set_apart(whole, rows) if len(self.apart) else whole

    def set_apart(self, counts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Move `rows` of each value set apart from the cells of `whole` to its own, no more than its bin holds.

        Examples
        --------
        >>> NumericBinning([0, 10, 20], apart=[3]).set_apart([1, 9, 5, 2, 0], [4]).tolist()
        [1, 5, 4, 5, 2, 0]
        """
        cells = self.cell_of(self.apart)
        # Behind the rest of its bin, so that the cells stay in order, as far as they have one.
        return _set_apart(counts, rows, cells, cells + 1)

    def parsed(self, array: pa.Array[Any]) -> pa.Array[Any]:
        """Return an Arrow array whose text, where this column is text, has become numbers."""
        return parse(array, self.notation) if self.notation and is_text(array.type) else array

    def count_arrow(self, array: pa.Array[Any]) -> NDArray[np.int64]:
        """Count an Arrow array into cells; nulls and NaN are missing."""
        return self.count(to_numbers(self.parsed(array)))

    def to_dict(self) -> dict[str, Any]:
        """The binning as plain JSON; edges are written so that they read back bit for bit."""
        apart = {"apart": self.apart.tolist()} if len(self.apart) else {}
        seen = {"seen": list(self.seen)} if self.seen else {}
        written = {"notation": [self.notation.decimal, self.notation.thousands]} if self.notation else {}
        spec = {"kind": "numeric", "scale": self.scale, "edges": self.edges.tolist()}
        return {**spec, **apart, **seen, **written, **_unpaired(self)}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name exactly these cells."""
        return _fingerprint(self.to_dict())


CHUNK = 1 << 16
"""Numbers looked at at once: they fit the cache."""

MANY_EDGES, FEW_NUMBERS = 64, 2048
"""With more edges, or fewer numbers, a chunk is sorted."""

_MOST_NAMED = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMATS: dict[Scale, Callable[[float], str]] = {
    "number": "{:.6g}".format,
    "integer": "{:.0f}".format,
    "date": lambda days: f"{_EPOCH + timedelta(days=days):%Y-%m-%d}",
    "timestamp": lambda seconds: f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}",
    "time": lambda seconds: str(timedelta(seconds=seconds)),
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How well the rows of a fit know the labels there are.

    Parameters
    ----------
    rows
        Rows with a label; 0, like the next two, for an identifier.
    once, twice
        Labels that one row held, and that two held. As each row seen once is unseen to all others, a further row has a
        new label with a chance of about ``once / rows`` (Good & Turing, 1953).
    cutoff
        Rows of the most frequent label that got no cell of its own; 0 where every label got one.
    """

    rows: int
    once: int
    twice: int
    cutoff: int


@dataclass(frozen=True)
class CategoricalBinning:
    """Cells for categories: each level, each label set apart, other, unseen, missing.

    Parameters
    ----------
    levels
        The levels with a cell of their own, most frequent in the reference first.
    rare
        The other labels the reference held. None where there were more than `MAX_KNOWN_LEVELS`: the feature is an
        identifier, new labels are not news, and they count as *other*.
    salt
        Where given, labels are stored only as salted hashes, as they can be personal data.
    vocabulary
        What the fit knows of the labels it did not see. None where it saw every label often enough to know them all,
        and where nothing was fitted.
    apart
        Labels with a cell of their own that would otherwise count as *other* or *unseen*.
    paired
        As of `NumericBinning`.

    Examples
    --------
    >>> binning = CategoricalBinning(("JFK", "EWR"), rare=("LGA",))
    >>> binning.cells
    ('JFK', 'EWR', 'other', 'unseen', 'missing')
    >>> binning.count_labels(["JFK", "LGA", "SFO"], [3, 2, 1], n_missing=4).tolist()
    [3, 0, 2, 1, 4]
    >>> CategoricalBinning(("JFK", "EWR"), apart=("SFO",)).cells
    ('JFK', 'EWR', 'SFO', 'other', 'unseen', 'missing')
    """

    levels: tuple[str, ...]
    rare: tuple[str, ...] | None = ()
    salt: str = ""
    boolean: bool = field(default=False, repr=False)
    vocabulary: Vocabulary | None = field(default=None, repr=False)
    apart: tuple[str, ...] = ()
    paired: bool = field(default=True, repr=False)
    ordered: ClassVar[bool] = False
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = (*self.levels, *self.apart)
        known = (*self.levels, *(self.rare or ()))
        if len(set(known)) != len(known) or len(set(named)) != len(named):
            raise BinningError("a level stands twice in this binning")
        index = dict.fromkeys(self.rare or (), self.other)
        index |= {label: cell for cell, label in enumerate(named)}
        object.__setattr__(self, "_index", index)

    @property
    def kind(self) -> FeatureKind:
        """The kind of feature these cells are for."""
        return "boolean" if self.boolean else "categorical"

    @property
    def blank(self) -> bool:
        """Whether no label was known when these cells were fitted."""
        return not self.levels and self.rare == ()

    @property
    def n_cells(self) -> int:
        """Number of cells: the levels, the labels set apart, other, unseen, missing."""
        return self.other + 3

    @property
    def other(self) -> int:
        """Index of the cell of the labels that the reference held, but rarely."""
        return len(self.levels) + len(self.apart)

    @property
    def unseen(self) -> int:
        """Index of the cell of the labels that the reference did not hold."""
        return self.other + 1

    @property
    def unknown(self) -> int:
        """Index of the cell of any label that the binning does not name."""
        return self.other if self.rare is None else self.unseen

    @property
    def missing(self) -> int:
        """Index of the missing cell: the last."""
        return self.n_cells - 1

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """The name of every cell, in order; a level that is named like a special cell is quoted."""
        named: list[str] = []
        taken = {"other", "unseen", "missing"}
        for level in (*self.levels, *self.apart):
            name = level
            while name in taken:
                name = f"'{name}'"
            taken.add(name)
            named.append(name)
        return (*named, "other", "unseen", "missing")

    @cached_property
    def whole(self) -> CategoricalBinning:
        """The same levels with no label set apart."""
        return replace(self, apart=()) if self.apart else self

    @cached_property
    def whole_cells(self) -> NDArray[np.intp]:
        """Of each cell, the cell of `whole` that it is part of."""
        return np.concatenate([np.arange(len(self.levels)), self.whole.cell_of(self.apart), self.whole.special])

    @property
    def special(self) -> NDArray[np.intp]:
        """The cells that are no label's own: other, unseen, missing."""
        return np.arange(self.other, self.n_cells)

    def named(self, labels: Sequence[str]) -> Sequence[str]:
        """Return labels as they are stored: hashed where the binning says so."""
        if self.salt:
            return [hash_label(label, self.salt) for label in labels]
        return [_BITS.get(label, label) for label in labels] if self.boolean else labels

    def written(self, label: str) -> str:
        """Return a label, as `named` returns it, short enough to be kept with every window it recurs in.

        Of a longer one that the binning does not know its beginning is kept, and a digest that no other label has.
        """
        if len(label) <= LONGEST or label in self._index:
            return label
        digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        return f"{label[:LONGEST]}… #{digest}"

    def cell_of(self, named: Sequence[str]) -> NDArray[np.intp]:
        """Return the cell of each label, as `named` returns them."""
        get, unknown = self._index.get, self.unknown
        return np.fromiter((get(label, unknown) for label in named), np.intp, len(named))

    def count_labels(self, labels: Sequence[str], counts: ArrayLike, n_missing: int = 0) -> NDArray[np.int64]:
        """Count labels, each with its number of rows, into cells."""
        cells = np.zeros(self.n_cells, np.int64)
        np.add.at(cells, self.cell_of(self.named(labels)), np.asarray(counts, np.int64))
        cells[-1] += n_missing
        return cells

    def set_apart(self, counts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Move rows of the labels that are set apart from the cells of `whole` to their own, and none that they lack.

        Examples
        --------
        >>> CategoricalBinning(("JFK",), apart=("SFO",)).set_apart([5, 0, 4, 0], [3]).tolist()
        [5, 3, 0, 1, 0]
        """
        return _set_apart(counts, rows, self.whole.cell_of(self.apart), len(self.levels))

    def count_arrow(self, array: pa.Array[Any]) -> NDArray[np.int64]:
        """Count an Arrow array into cells; nulls (and NaN) are missing."""
        return self.count_labels(*to_labels(array))

    def to_dict(self) -> dict[str, Any]:
        """The binning as plain JSON."""
        rare = None if self.rare is None else list(self.rare)
        boolean = {"boolean": True} if self.boolean else {}
        vocabulary = {"vocabulary": asdict(self.vocabulary)} if self.vocabulary else {}
        apart = {"apart": list(self.apart)} if self.apart else {}
        levels = list(self.levels)
        spec = {"kind": "categorical", "levels": levels, "rare": rare, "salt": self.salt}
        return {**spec, **boolean, **vocabulary, **apart, **_unpaired(self)}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name exactly these cells."""
        return _fingerprint(self.to_dict())


Binning = NumericBinning | CategoricalBinning

LONGEST = 200
"""Letters of a label that is not known to its binning, as it is kept with a window."""

BOOLEAN = CategoricalBinning(("false", "true"), boolean=True)
"""Both its levels, whether the reference held both or not."""

_BITS = {"0": "false", "1": "true"}


def _increasing(name: str, values: ArrayLike) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0, which is equal and would be written differently.
    array = np.array(values, dtype=np.float64) + 0.0
    if array.ndim != 1 or not np.isfinite(array).all() or (array[1:] <= array[:-1]).any():
        named = {"edges": "bin edges", "apart": "values to set apart"}[name]
        raise BinningError(f"{named} must be finite and strictly increasing, got {array.tolist()}")
    array.flags.writeable = False
    return array


def _set_apart(
    counts: NDArray[np.int64], rows: NDArray[np.int64], cells: NDArray[np.intp], places: NDArray[np.intp] | int
) -> NDArray[np.int64]:
    """Move rows from some cells to new ones, which are inserted before `places`; of a cell no more than it holds."""
    rest = np.array(counts, np.int64)
    own = []
    for cell, n in zip(cells.tolist(), rows, strict=True):
        own.append(min(int(n), int(rest[cell])))
        rest[cell] -= own[-1]
    return np.insert(rest, np.broadcast_to(places, cells.shape), own)


def _unpaired(binning: Binning) -> dict[str, Any]:
    return {} if binning.paired else {"paired": False}


def _fingerprint(spec: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]


def hash_label(label: str, salt: str) -> str:
    """Return a label's salted hash, twelve hexadecimal digits behind a ``#``."""
    text = label.encode("utf-8", "surrogatepass")
    return f"#{hashlib.blake2b(text, key=salt.encode()[:64], digest_size=6).hexdigest()}"


def binning_from_dict(spec: Mapping[str, Any]) -> Binning:
    """Read back what `to_dict` wrote; a `BinningError` if it is not one of ours."""
    paired = bool(spec.get("paired", True))
    match spec:
        case {"kind": "numeric", "scale": scale, "edges": edges}:
            try:
                low_high = spec.get("seen")
                seen = (float(low_high[0]), float(low_high[1])) if low_high else None
                signs = spec.get("notation")
                notation = Notation(*signs) if signs else None
                return NumericBinning(edges, scale, spec.get("apart", ()), seen, notation, paired)
            except (TypeError, ValueError, IndexError) as error:
                raise BinningError(f"edges are not numbers: {error}") from error
        case {"kind": "categorical", "levels": levels, "rare": rare, "salt": salt}:
            known = spec.get("vocabulary")
            try:
                vocabulary = Vocabulary(**known) if known else None
            except TypeError as error:
                raise BinningError(f"vocabulary is none of ours: {error}") from error
            return CategoricalBinning(
                tuple(levels),
                None if rare is None else tuple(rare),
                salt,
                bool(spec.get("boolean")),
                vocabulary,
                tuple(spec.get("apart", ())),
                paired,
            )
        case _:
            raise BinningError(f"unknown binning {spec.get('kind')!r}: written by a newer version of Drift?")
