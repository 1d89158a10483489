r"""Where: the slice of the rows that carries a feature's drift, found by taking it away.

A slice is the rows of one cell of another column (``origin = JFK``), or all but these. Its rows are taken out of both
sides, and what is left of the feature's bias-corrected divergence, in the cells that moved most, is compared with what
that is on ordinary windows, each against the others. Of the slices that leave no more than is ordinary the smallest is
where the drift is. Slices of other columns that explain it as well and hold nearly the same rows are shown beside it:
counts of pairs cannot tell which of them is to blame.

Where no slice explains, what is left does not fall: perhaps all rows drift alike. If the feature drifts in each cell
of a column of few cells, as at every airport in a blizzard, that is said. Else nothing is, nor of a slice so large that
the few rows outside it could not show the drift.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.detection.predicates import predicate
from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import FINE
from drift.profiles.pairs import Pairs, in_common
from drift.statistics.divergence import kl_corrected
from drift.statistics.significance import confidence_interval
from drift.text.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse

    Floats = NDArray[np.float64]

ORDINARY = 0.9
"""Of ordinary windows so many leave no more than what counts as ordinary."""

FEWEST = 7
"""Of fewer windows nothing is known of what is ordinary."""

LITTLE, MUCH = 0.3, 0.5
"""Leaving the first share of the divergence is as good as ordinary, leaving the second is not."""

LARGEST = 2 / 3
"""A slice of more of the rows says hardly where."""

MOST_ALIKE = 6
"""A column of more cells is not named where all its rows drift alike."""

NEARLY_ALL = 0.95
"""The cells that drift alike hold so many of the rows at least."""

SAME = 0.9
"""Slices with so many rows in common, of all that are in any of the two, hold the same rows."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one cell of a column, or all but these.

    Parameters
    ----------
    column
    cell
        The cell, by its name.
    name
        The rows in words: ``origin = JFK``.
    before, now
        Its share of the rows, of the reference and of the window.
    left
        How much of the feature's divergence is left without it, as a share of the whole, ≥ 0.
    moved
        Whether it explains the drift by its share of the rows alone: within it the feature is as before.
    sql
        The condition that holds for its rows; None where that cannot be said in SQL.
    outside
        Whether it is all rows but those of the cell.
    alike
        Whether the feature drifts in it as it does in every other cell of the column: it does not explain the drift.
    """

    column: str
    cell: str
    name: str
    before: float
    now: float
    left: float
    moved: bool
    sql: str | None
    outside: bool = False
    alike: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """Where a feature drifts: a slice of the rows, and those that hold nearly the same ones; or all cells of a column.

    Examples
    --------
    >>> jfk = Slice("origin", "JFK", "origin = JFK", 0.35, 0.35, 0.04, False, "origin = 'JFK'")
    >>> Where((jfk,)).words()
    'mostly in origin = JFK (35 % of the rows): without it 4.0 % of the divergence is left'
    """

    slices: tuple[Slice, ...]

    @property
    def alike(self) -> str:
        """Say that the feature drifts alike in every cell of a column; empty where a slice explains it.

        Examples
        --------
        >>> half = [Slice("origin", name, f"origin = {name}", 0.5, 0.5, 0.98, False, None, alike=True) for name in "AB"]
        >>> Where(tuple(half)).alike
        'alike in every origin: A, B'
        """
        if not self.slices[0].alike:
            return ""
        return f"alike in every {self.slices[0].column}: {', '.join(each.cell for each in self.slices)}"

    def words(self) -> str:
        """Say where, in one sentence."""
        first = self.slices[0]
        if first.alike:
            return self.alike
        named = ", or ".join(each.name for each in self.slices)
        if first.moved:
            how = "fewer" if first.now < first.before else "more"
            found = f"{how} rows of {named}: {percent(first.now)} instead of {percent(first.before)}"
        else:
            found = f"mostly in {named} ({percent(first.now)} of the rows)"
        alike = ", nearly the same rows" if len(self.slices) > 1 else ""
        rest = f"{percent(first.left)} of the divergence" if first.left >= NOTHING else "nothing of the divergence"
        return f"{found}{alike}{';' if first.moved else ':'} without {'them' if alike else 'it'} {rest} is left"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, in words and slice by slice."""
        return {"words": self.words(), "slices": [asdict(each) for each in self.slices]}

    @classmethod
    def of(cls, slices: Iterable[Mapping[str, Any]]) -> Where:
        """Read back the slices that `to_dict` wrote."""
        return cls(tuple(Slice(**each) for each in slices))


NOTHING = 0.005
"""A smaller share of the divergence is nothing."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Slices that may explain a feature: float64, an entry a slice.

    `rest` is the reference's counts of the feature outside each slice, of shape (slices, windows, cells), `rest_now`
    the window's, (slices, cells); `before` and `now` are the slices' shares of the rows.
    """

    names: list[tuple[str, int, bool]]
    rest: Floats
    rest_now: Floats
    before: Floats
    now: Floats


def localise(windows: Sequence[Pairs], current: Pairs, feature: str, *, min_rows: int = 30) -> Where | None:
    """Find the slice of the rows in which a feature drifts; None where nothing can be said.

    Parameters
    ----------
    windows
        Pairs of the ordinary windows that the current one is compared with.
    current
        Pairs of the window in which the feature drifts.
    feature
        Explained by the other columns with fine cells (`drift.profiles.coarse_cells.FINE`).
    min_rows
        A slice, or what is left without it, of fewer rows says nothing.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning, NumericBinning
    >>> from drift.profiles.coarse_cells import coarse
    >>> columns = {
    ...     "origin": coarse(CategoricalBinning(("EWR", "JFK", "LGA")), FINE),
    ...     "delay": coarse(NumericBinning([0, 10, 20])),
    ... }
    >>> origin, delay = np.arange(900) % 3, np.arange(900) % 2
    >>> before = Pairs.of(columns, np.array([origin, delay], np.uint8))
    >>> now = Pairs.of(columns, np.array([origin, np.where(origin == 1, 1, delay)], np.uint8))
    >>> found = localise([before], now, "delay")
    >>> found and (found.words(), found.slices[0].sql)
    ('mostly in origin = JFK (33 % of the rows): without it nothing of the divergence is left', "origin = 'JFK'")
    """
    shared = in_common([*windows, current]) if windows else {}
    explaining = [name for name, cells in shared.items() if cells.most >= FINE and name != feature]
    if feature not in shared or not explaining:
        return None
    alike, current = [each.under(shared) for each in windows], current.under(shared)
    past = np.stack([each.margin(feature) for each in alike]).astype(np.float64)
    now = current.margin(feature).astype(np.float64)
    if not (past.sum() and now.sum()):
        return None
    into = _strayed(past, now)
    past, now = past @ into, now @ into
    tables = {
        column: (
            into.T @ np.stack([each.table(feature, column) for each in alike]),
            into.T @ current.table(feature, column),
        )
        for column in explaining
    }
    found = _candidates(tables, min_rows)
    if not found.names:
        return None
    whole = float(kl_corrected(now, past.sum(axis=0)))
    if not whole > 0:
        return None
    limit = np.clip(_ordinary(found.rest), LITTLE * whole, MUCH * whole)
    reference = found.rest.sum(axis=1)
    left = kl_corrected(found.rest_now, reference)
    # The rest could have shown the drift, and does not.
    _, high = confidence_interval(left, reference, found.rest_now)
    size = np.maximum(found.before, found.now)
    explains = np.flatnonzero((left <= limit) & (high < limit + MUCH * whole) & (size <= LARGEST))
    if not len(explains):
        at = {name: i for i, name in enumerate(found.names)}
        chosen = [at[name] for name in _alike(tables, whole, min_rows) if name in at]
        slices = (_slice(found, i, shared, max(float(left[i]), 0.0) / whole, alike=True) for i in chosen)
        return Where(tuple(slices)) if chosen else None
    ranked = explains[np.argsort(size[explains], kind="stable")].tolist()
    chosen = [ranked[0], *_ties(found, ranked, (Pairs.total(alike), current))]
    first = chosen[0]
    moved = _moved(found, first, past.sum(axis=0), now, float(limit[first]))
    return Where(tuple(_slice(found, i, shared, max(float(left[i]), 0.0) / whole, moved=moved) for i in chosen))


def _strayed(past: Floats, now: Floats) -> Floats:
    """Return which cells are those that moved most, beside their own past, and all others in one: 0 or 1, two axes."""
    rows = past.sum(axis=1)
    roots = np.sqrt(past[rows > 0] / rows[rows > 0, np.newaxis])
    middle = np.median(roots, axis=0)
    unit = np.maximum(1.4826 * np.median(np.abs(roots - middle), axis=0), 0.5 / np.sqrt(now.sum()))
    away = np.abs(np.sqrt(now / now.sum()) - middle) / unit
    apart = np.flatnonzero(away >= away.max() / 2)
    rest = np.ones(len(now))
    rest[apart] = 0.0
    return np.column_stack([np.eye(len(now))[:, apart], rest])


def _candidates(tables: Mapping[str, tuple[Floats, Floats]], min_rows: int) -> _Candidates:
    """Return each cell of the explaining columns, and all but it, that has enough rows, as has the rest."""
    names: list[tuple[str, int, bool]] = []
    past: list[Floats] = []
    now: list[Floats] = []
    n_before, n_now = (side.sum() for side in next(iter(tables.values())))
    for column, (before, after) in tables.items():
        filled = np.flatnonzero(before.sum(axis=(0, 1)) + after.sum(axis=0))
        # Of two cells each is all but the other.
        for cell, outside in product(filled.tolist(), (False, True) if len(filled) > 2 else (False,)):
            inside = np.arange(before.shape[-1]) == cell
            kept = inside if outside else ~inside
            names.append((column, cell, outside))
            past.append(before[..., kept].sum(axis=-1))
            now.append(after[..., kept].sum(axis=-1))
    rest, rest_now = np.array(past), np.array(now)
    kept_before, kept_now = rest.sum(axis=(1, 2)), rest_now.sum(axis=1)
    share_before, share_now = 1 - kept_before / n_before, 1 - kept_now / n_now
    enough = np.minimum(kept_before, kept_now) >= min_rows
    enough &= np.maximum(share_before, share_now) * n_now >= min_rows
    at = np.flatnonzero(enough)
    return _Candidates([names[i] for i in at], rest[at], rest_now[at], share_before[at], share_now[at])


def _alike(tables: Mapping[str, tuple[Floats, Floats]], whole: float, min_rows: int) -> list[tuple[str, int, bool]]:
    """Return the cells of a column in each of which the feature drifts; none where in some cell of any it does not."""
    sides = {column: (past.sum(axis=0).T, now.T) for column, (past, now) in tables.items()}
    enough = {
        column: np.flatnonzero(np.minimum(before.sum(axis=1), now.sum(axis=1)) >= min_rows)
        for column, (before, now) in sides.items()
    }
    found: list[tuple[str, int, bool]] = []
    # Of very many cells one would seem not to drift, by chance.
    level = 1 - 0.05 / max(sum(map(len, enough.values())), 1)
    for column, cells in enough.items():
        before, now = (side[cells] for side in sides[column])
        own = kl_corrected(now, before)
        _, high = confidence_interval(own, before, now, level=level)
        if (high < MUCH * whole).any():
            return []
        most = min(some.sum() / side.sum() for some, side in zip((before, now), sides[column], strict=True))
        if not found and 1 < len(cells) <= MOST_ALIKE and most >= NEARLY_ALL and (own >= MUCH * whole).all():
            found = [(column, cell, False) for cell in cells.tolist()]
    return found


def _ordinary(windows: Floats) -> Floats:
    """Return what the divergence of a window from all others ordinarily is; -inf where too few say so."""
    if windows.shape[-2] < FEWEST:
        return np.full(windows.shape[:-2], -np.inf)
    others = windows.sum(axis=-2, keepdims=True) - windows
    return np.asarray(np.quantile(np.nan_to_num(kl_corrected(windows, others)), ORDINARY, axis=-1))


def _ties(found: _Candidates, ranked: Sequence[int], sides: Sequence[Pairs]) -> list[int]:
    """Return of each other column the slice, if one explains as well, that holds the same rows as the first."""
    first, *others = ranked
    column = found.names[first][0]
    alike: dict[str, tuple[float, int]] = {}
    for i in others:
        other = found.names[i][0]
        common = 0.0 if other == column else _common(found.names[first], found.names[i], sides)
        if common >= max(SAME, alike.get(other, (0.0,))[0]):
            alike[other] = common, i
    return [i for _, i in sorted(alike.values(), reverse=True)]


def _common(a: tuple[str, int, bool], b: tuple[str, int, bool], sides: Sequence[Pairs]) -> float:
    """Return how many rows two slices share, of those in any of the two; both sides count as much."""
    table = sum(side.table(a[0], b[0]) / max(side.n_rows, 1) for side in sides)
    in_a, in_b = (np.arange(size) == cell for size, (_, cell, _) in zip(np.shape(table), (a, b), strict=True))
    in_a, in_b = in_a ^ a[2], in_b ^ b[2]
    either = np.sum(table) - ~in_a @ table @ ~in_b
    return float(in_a @ table @ in_b / either) if either > 0 else 0.0


def _moved(found: _Candidates, i: int, past: Floats, now: Floats, limit: float) -> bool:
    """Say whether the feature is as before once the slice has today's share of the rows."""
    before, after, rest = found.before[i], found.now[i], found.rest[i].sum(axis=0)
    if not before:
        return True
    mixed = rest * (1 - after) / (1 - before) + (past - rest) * after / before
    return bool(kl_corrected(now, mixed) <= limit)


def _slice(
    found: _Candidates, i: int, columns: Mapping[str, Coarse], left: float, *, moved: bool = False, alike: bool = False
) -> Slice:
    column, cell, outside = found.names[i]
    cells = columns[column]
    return Slice(
        column,
        cells.names[cell],
        ("all but " if outside else "") + _named(column, cells, cell),
        float(found.before[i]),
        float(found.now[i]),
        left,
        moved,
        predicate(column, cells, cell, outside=outside),
        outside,
        alike,
    )


def _named(column: str, cells: Coarse, cell: int) -> str:
    """Name the rows of a cell."""
    name = cells.names[cell]
    if cell == cells.n_cells - 1:
        return f"{name} {column}"
    if not isinstance(cells.binning, CategoricalBinning):
        return f"{column} {name}"
    special = cell >= cells.of_cell[cells.binning.special].min()
    return f"{name} {column}" if special else f"{column} = {name}"
