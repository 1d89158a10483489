"""Histograms: the counts of one window under a binning; they add up.

A window is read once (`drift.profiles.counting`) and becomes a `Profile`: one `Histogram` and, for numbers, one
`Summary` a feature. Everything later (any reference, any comparison, replay, backfill) is arithmetic on these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from drift.errors import BinningError, BinningMismatch
from drift.profiles.binning import NumericBinning
from drift.profiles.heavy_hitters import Atoms
from drift.profiles.pairs import Pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.windows import Window

_T = TypeVar("_T")


@dataclass(frozen=True)
class Histogram:
    """Counts of rows in the cells of a binning.

    Parameters
    ----------
    counts : int64, shape (n_cells,)
        Not negative.
    atoms
        The values that recur in bins with other values, or the labels that recur among *other* and *unseen*; None where
        nobody looked for them. None with anything else makes None.

    Examples
    --------
    >>> binning = NumericBinning([0, 1, 2])
    >>> a = Histogram(binning, binning.count([0.5, 1.5]))
    >>> (a + a).counts.tolist(), (a + a).n
    ([0, 2, 2, 0, 0], 4)
    """

    binning: Binning
    counts: NDArray[np.int64]
    atoms: Atoms | None = None

    def __post_init__(self) -> None:
        given = np.asarray(self.counts)
        with np.errstate(invalid="ignore"):
            counts = given.astype(np.int64)
        changed = given.dtype != np.int64 and (counts != given).any()
        if counts.shape != (self.binning.n_cells,) or counts.min() < 0 or changed:
            raise BinningError(
                f"a histogram of {self.binning.n_cells} cells needs as many counts ≥ 0, got {given.tolist()}"
            )
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    @classmethod
    def empty(cls, binning: Binning) -> Histogram:
        """Return the histogram of no rows: the zero of ``+``."""
        return cls(binning, np.zeros(binning.n_cells, np.int64), Atoms.none())

    @classmethod
    def total(cls, parts: Sequence[Histogram]) -> Histogram:
        """Return the histogram of all rows together: as ``+``, and faster than adding one after the other.

        Histograms of different binnings are a `BinningMismatch`.
        """
        first, *others = parts
        if not others:
            return first
        for other in others:
            if first.binning.fingerprint != other.binning.fingerprint:
                raise BinningMismatch(
                    f"histograms of binnings {first.binning.fingerprint} and {other.binning.fingerprint} do not add "
                    "up: profile both windows under one binning"
                )
        known = [part.atoms for part in parts if part.atoms is not None]
        atoms = Atoms.total(known) if len(known) == len(parts) else None
        return cls(first.binning, np.sum([part.counts for part in parts], axis=0), atoms)

    @cached_property
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
        return Histogram.total((self, other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Histogram)
            and self.binning.fingerprint == other.binning.fingerprint
            and bool((self.counts == other.counts).all())
            and self.atoms == other.atoms
        )

    def __hash__(self) -> int:
        return hash((self.binning.fingerprint, self.counts.tobytes()))

    def whole(self) -> Histogram:
        """Return the same rows with no value set apart.

        Examples
        --------
        >>> Histogram(NumericBinning([0, 10, 20], apart=[3]), [1, 5, 4, 5, 2, 0]).whole().counts.tolist()
        [1, 9, 5, 2, 0]
        """
        if not len(self.binning.apart):
            return self
        counts = np.zeros(self.binning.whole.n_cells, np.int64)
        np.add.at(counts, self.binning.whole_cells, self.counts)
        return Histogram(self.binning.whole, counts, self.atoms)

    def quantile(self, share: float) -> float | None:
        """Return the approximate quantile of the values present, by linear interpolation within its bin.

        None for categories, for no values, and where the quantile lies below or above every edge.
        """
        binning = self.binning
        if not isinstance(binning, NumericBinning) or len(binning.edges) == 0:
            return None
        inside = self.whole().counts[:-1]
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
        flat = np.asarray(values, np.float64).ravel()
        finite = np.isfinite(flat)
        infinite = 0
        if not finite.all():
            infinite = int(np.count_nonzero(np.isinf(flat)))
            flat = flat[finite]
        return replace(cls.of_finite(flat), infinite=infinite)

    @classmethod
    def of_finite(cls, values: NDArray[np.float64]) -> Summary:
        """Summarise numbers none of which is NaN or infinite."""
        n = len(values)
        if not n:
            return cls()
        # Float64 overflows on values near its limit; infinity is then the honest sum, and it is not stored as one.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            if not math.isfinite(mean):
                # Three shares of the largest float, rounded up, still overflow: no mean lies outside its values.
                mean = float(np.clip((values / n).sum(), values.min(), values.max()))
            squares = values - mean
            m2 = float(np.square(squares, out=squares).sum())
        zeros = int(np.count_nonzero(values == 0))
        return cls(n, mean, m2, float(values.min()), float(values.max()), zeros)

    @property
    def std(self) -> float | None:
        """Sample standard deviation; None below two values."""
        return math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 and math.isfinite(self.m2) else None

    @classmethod
    def total(cls, parts: Sequence[Summary]) -> Summary:
        """Return the summary of all numbers together: as ``+``, and faster than adding one after the other."""
        full = [part for part in parts if part.n]
        infinite = sum(part.infinite for part in parts)
        if not full:
            return cls(infinite=infinite)
        n, mean, m2 = full[0].n, full[0].mean, full[0].m2
        for part in full[1:]:
            before, n = n, n + part.n
            step = part.mean - mean
            # Near the limit of float64 the step, or a product with it, is infinite where the mean is not.
            moved = mean + step * (part.n / n)
            if not math.isfinite(moved):
                between = mean * (before / n) + part.mean * (part.n / n)
                moved = min(max(between, min(mean, part.mean)), max(mean, part.mean))
            mean = moved
            m2 += part.m2 + step * step * (before * (part.n / n))
        lows, highs = (
            [x for x in ends if x is not None] for ends in zip(*((p.low, p.high) for p in full), strict=True)
        )
        return cls(n, mean, m2, min(lows), max(highs), sum(part.zeros for part in full), infinite)

    def __add__(self, other: Summary) -> Summary:
        return Summary.total((self, other))


@dataclass(frozen=True)
class Profile:
    """One window of rows, counted: all that is ever stored of it.

    Profiles add up, but for a feature that was counted under different binnings (`BinningMismatch`).

    Parameters
    ----------
    window
        None for a table that has no time.
    histograms : dict
        One for each feature that could be counted; each sums to `n_rows`.
    summaries : dict
        One for each numeric feature.
    schema : dict
        Arrow type of every column seen, as text.
    problems : dict
        Why each of the other features could not be counted, in words.
    notes : dict
        What a person should know of how the rows were read, by column, and of all under the empty name.
    segments : dict
        The same of each segment, by its name; see `drift.profiles.segments`.
    pairs
        Of the whole window; None where none were counted, or they were not asked for. A total has them where all have.
    """

    window: Window | None
    n_rows: int
    histograms: Mapping[str, Histogram]
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    schema: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, Profile] = field(default_factory=dict)
    pairs: Pairs | None = None

    def __hash__(self) -> int:
        return hash((self.window, self.n_rows))

    @classmethod
    def total(cls, parts: Sequence[Profile]) -> Profile:
        """Return the profile of all rows together: as ``+``, and faster than adding one after the other."""
        pairs = [part.pairs for part in parts if part.pairs is not None]
        return cls(
            None,
            sum(part.n_rows for part in parts),
            {name: Histogram.total(each) for name, each in _gathered(part.histograms for part in parts).items()},
            {name: Summary.total(each) for name, each in _gathered(part.summaries for part in parts).items()},
            {name: kind for part in parts for name, kind in part.schema.items()},
            {name: problem for part in parts for name, problem in part.problems.items()},
            {name: note for part in parts for name, note in part.notes.items()},
            {name: cls.total(each) for name, each in _gathered(part.segments for part in parts).items()},
            Pairs.total(pairs) if pairs and len(pairs) == len(parts) else None,
        )

    def __add__(self, other: Profile) -> Profile:
        return Profile.total((self, other))

    def without(self, features: Mapping[str, str]) -> Profile:
        """Return the profile without the counts of some features, each with the reason."""
        if not features:
            return self
        return replace(
            self,
            histograms={name: each for name, each in self.histograms.items() if name not in features},
            summaries={name: each for name, each in self.summaries.items() if name not in features},
            problems={**self.problems, **features},
            segments={name: part.without(features) for name, part in self.segments.items()},
            pairs=self.pairs and self.pairs.restricted([name for name in self.pairs.columns if name not in features]),
        )


def _gathered(parts: Iterable[Mapping[str, _T]]) -> dict[str, list[_T]]:
    found: dict[str, list[_T]] = {}
    for part in parts:
        for name, each in part.items():
            found.setdefault(name, []).append(each)
    return found
