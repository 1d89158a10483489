"""One pair of columns: their table today beside the one of the reference, and which cells moved."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.profiles.coarse_cells import COARSE, coarse
from drift.statistics import divergence
from drift.statistics.dependence import dependence, mutual_information
from drift.text.formatting import figure, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.pairs import Pairs

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

SHOWN = 3
"""Cells of a pair that are named."""

LEAST_PART = 0.01
"""A cell has moved that carries at least this share of the divergence."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Two cells that go together in another share of the rows than the reference and today's margins give.

    Parameters
    ----------
    cells
    share, usual, before
        Of the rows today; had both columns changed alone; of the reference.
    contribution
        What they add to the divergence of the pairing, in nats.
    """

    cells: tuple[str, str]
    share: float
    usual: float
    before: float
    contribution: float


def moved(
    names: tuple[Sequence[str], Sequence[str]], current: Counts, usual: Floats, reference: Counts
) -> tuple[Moved, ...]:
    """Return the cells that moved, the one that carries most of the divergence first."""
    share, before = current / max(current.sum(), 1), reference / max(reference.sum(), 1)
    parts = divergence.contributions(share.ravel(), usual.ravel() / usual.sum()).reshape(share.shape)
    enough = int((parts >= LEAST_PART * parts.sum()).sum()) if parts.any() else 0
    cells = [np.unravel_index(at, parts.shape) for at in np.argsort(-parts, axis=None, kind="stable")[:enough]]
    return tuple(
        Moved(
            (names[0][r], names[1][c]), float(share[r, c]), float(usual[r, c]), float(before[r, c]), float(parts[r, c])
        )
        for r, c in cells
    )


def what_moved(columns: tuple[str, str], cells: Sequence[Moved], most: int = SHOWN) -> list[str]:
    """Say which cells of two columns go together in more or fewer rows."""
    a, b = columns
    return [
        f"{a} {one.cells[0]} goes with {b} {one.cells[1]} in {percent(one.share, 1)} of the rows, "
        f"{percent(one.usual, 1)} would be usual"
        for one in cells[:most]
    ]


@dataclass(frozen=True, slots=True)
class PairMeasured:
    """What a pair was measured at in a window, when it was judged.

    Parameters
    ----------
    window_start
    kl_corrected
        Bias-corrected divergence of the pairing from its reference, in nats.
    mixed
        Share of rows paired at random; None where the window has too few rows to say.
    z
        How far beyond its own history, in robust standard deviations; None where too little was known to judge.
    strays
        Whether it was among the pairs that a finding names.
    """

    window_start: datetime
    kl_corrected: float
    mixed: float | None
    z: float | None
    strays: bool


@dataclass(frozen=True, slots=True, eq=False)
class PairComparison:
    r"""How two columns go together in a window, beside its reference. Divergences in nats.

    With p the shares of `current`, q those of the reference and :math:`q^*` the `usual` ones,
    :math:`D(p\|q) = D(p\|q^*) + D(q^*\|q)`: `kl_total` is `kl` and `kl_margins`.

    Parameters
    ----------
    columns
    cells
        Names of the cells of both.
    reference, current : int64, shape (len(cells[0]), len(cells[1]))
        Rows of the samples.
    usual : float64, the same shape
        Today's shares, had both columns changed alone: the reference raked to today's margins.
    contributions : float64, the same shape
        What each cell adds to `kl`.
    kl, kl_corrected, ci_low, ci_high, p, mixed
        Of the pairing alone, as in `drift.statistics.dependence.Dependence`; `mixed` is None where too few rows say so.
    kl_total, kl_margins
        Of the whole table, and of both columns by themselves.
    before, after
        Mutual information in the reference, and today.
    """

    columns: tuple[str, str]
    cells: tuple[tuple[str, ...], tuple[str, ...]]
    reference: Counts = field(repr=False)
    current: Counts = field(repr=False)
    usual: Floats = field(repr=False)
    contributions: Floats = field(repr=False)
    kl: float
    kl_corrected: float
    ci_low: float
    ci_high: float
    p: float
    mixed: float | None
    kl_total: float
    kl_margins: float
    before: float
    after: float

    def moved(self) -> tuple[Moved, ...]:
        """Return the cells that carry at least 1 % of the divergence each, most first."""
        return moved(self.cells, self.current, self.usual, self.reference)

    def sum_in_words(self) -> str:
        """Say of the divergence what is of the pairing and what of the histograms."""
        return (
            f"D(p‖q) = D(p‖q*) + D(q*‖q): {figure(self.kl_total)} = {figure(self.kl)} of the pairing + "
            f"{figure(self.kl_margins)} of both histograms, in nats"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON: its figures, its tables and the cells that moved."""
        arrays = ("reference", "current", "usual", "contributions")
        return {
            **{name: getattr(self, name) for name in self.__slots__ if name not in arrays},
            **{name: getattr(self, name).tolist() for name in arrays},
            "moved": [asdict(one) for one in self.moved()],
        }


def compare_pair(reference: Pairs, current: Pairs, columns: tuple[str, str]) -> PairComparison:
    """Compare how two columns go together with a reference that has them in the same cells.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.pairs import Pairs
    >>> cells = {name: coarse(CategoricalBinning(("a", "b"))) for name in ("x", "y")}
    >>> rows = np.arange(1000) % 2
    >>> before, after = (Pairs.of(cells, np.array([rows, y], np.uint8)) for y in (rows, rows[::-1]))
    >>> found = compare_pair(before, after, ("y", "x"))
    >>> what_moved(found.columns, found.moved(), most=1)
    ['y a goes with x b in 50.0 % of the rows, 0.1 % would be usual']
    >>> bool(np.isclose(found.kl_total, found.kl + found.kl_margins))
    True
    """
    sides = joint_tables(reference, columns), joint_tables(current, columns)
    found = dependence(*sides)
    cells = [_coarsest(current.columns[name]).names for name in columns]
    mine = tuple(slice(len(names)) for names in cells)
    before, now = (side[0][mine] for side in sides)
    usual, smoothed = found.raked[0][mine], found.smoothed[0][mine]
    share, (low, high) = now / now.sum(), found.interval(0)
    parts, total = (divergence.contributions(share.ravel(), other.ravel() / other.sum()) for other in (usual, smoothed))
    return PairComparison(
        columns=columns,
        cells=(cells[0], cells[1]),
        reference=before,
        current=now,
        usual=usual,
        contributions=parts.reshape(now.shape),
        kl=float(found.kl[0]),
        kl_corrected=float(found.kl_corrected[0]),
        ci_low=low,
        ci_high=high,
        p=float(found.p[0]),
        mixed=float(found.mixed[0]) if np.isfinite(found.mixed_sd[0]) else None,
        kl_total=float(total.sum()),
        kl_margins=max(float(total.sum() - found.kl[0]), 0.0),
        before=float(mutual_information(before)),
        after=float(mutual_information(now)),
    )


def joint_tables(pairs: Pairs, columns: Sequence[str]) -> Counts:
    """Return the tables of all pairs of some columns, in coarse cells, padded to one shape."""
    pairs = pairs.restricted(columns)
    firsts, total = [], 0
    for cells in pairs.columns.values():
        into = _coarsest(cells)
        # Cells nest: each coarse cell is some neighbours of the fine ones.
        of_cell = np.zeros(cells.n_cells, np.intp)
        of_cell[cells.of_cell] = into.of_cell
        firsts.append(total + np.unique(of_cell, return_index=True)[1])
        total += cells.n_cells
    starts = np.concatenate(firsts)
    merged = np.add.reduceat(np.add.reduceat(pairs.counts.astype(np.int64), starts, axis=0), starts, axis=1)
    padded = np.pad(merged, ((0, 1), (0, 1)))
    place = np.full((len(columns), COARSE), len(starts))
    ends = np.cumsum([len(each) for each in firsts])
    for mine, first, end in zip(place, np.concatenate([[0], ends]), ends, strict=False):
        mine[: end - first] = np.arange(first, end)
    a, b = np.triu_indices(len(columns), 1)
    return np.asarray(padded[place[a][:, :, None], place[b][:, None, :]])


def _coarsest(cells: Coarse) -> Coarse:
    return coarse(cells.binning, COARSE)
