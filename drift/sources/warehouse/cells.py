"""SQL that puts numbers and labels into cells, and the cells of what comes back.

A number finds its cell by a balanced tree of CASE: as few comparisons a row as can be, and the same on every database
(FILTER for each edge, or one wide aggregate, are slower by a hundred times somewhere). A label finds it here: the
database counts labels, and where few are known puts the others together.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.types as t

from drift.profiles.heavy_hitters import KEPT
from drift.profiles.histograms import Histogram, Summary
from drift.sources.warehouse.values import key_of, labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.binning import CategoricalBinning, NumericBinning
    from drift.profiles.counting import Labels

PUSHED_LABELS = 1000
"""With no more known labels than this the database puts all others together; with more, each label comes back."""

_ELSE = "?"

# The squares of smaller numbers can be summed, by whatever formula a database has; larger ones are scaled down, by a
# power of two.
_LARGE = 1e140
_UP = 2.0**600
_MAX = sys.float_info.max

_NUMBERS = """
SELECT {i} AS feature, segment, cell, COUNT(*) AS n_rows, MIN(value) AS low, MAX(value) AS high,
  AVG(small) AS mean, VAR_POP(small) AS variance
FROM (
  SELECT {segment} AS segment, {cell} AS cell, {x} AS value,
    CASE WHEN ABS({x}) < {large} THEN {x} WHEN ABS({x}) <= {most} THEN {x} * {down} END AS small
  FROM drift_rows
) AS placed
GROUP BY segment, cell
"""

_KEYS = """
SELECT segment, key, COUNT(*) AS n_rows
FROM (SELECT {segment} AS segment, {k} AS key FROM drift_rows) AS keyed
GROUP BY segment, key
"""

_ALL_LABELS = "SELECT {i} AS feature, segment, key, n_rows, n_rows AS largest FROM ({keys}) AS grouped"

_LABELS = """
SELECT {i} AS feature, segment, key, SUM(n_rows) AS n_rows, MAX(n_rows) AS largest
FROM (
  SELECT segment, CASE WHEN news AND place > {kept} THEN '{rest}' ELSE key END AS key, n_rows
  FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY segment, news ORDER BY n_rows DESC, key) AS place
    FROM (SELECT *, {news} AS news FROM ({keys}) AS grouped) AS told
  ) AS ranked
) AS named
GROUP BY segment, key
"""


# --- numbers ----------------------------------------------------------------------------------------------------------


def fine_edges(binning: NumericBinning) -> tuple[tuple[float, ...], NDArray[np.intp]]:
    """Return edges between which every value has one cell, and that cell for each place between them.

    Zero has a place of its own, infinities have, and large numbers: so what a summary asks for is counted by the way.

    Examples
    --------
    >>> from drift.profiles.binning import NumericBinning
    >>> edges, place = fine_edges(NumericBinning([0, 10, 20]))
    >>> edges[2:6], place.tolist()
    ((0.0, 5e-324, 10.0, 20.0), [0, 0, 0, 1, 1, 2, 3, 3, 3])
    """
    alone = [*binning.apart, 0.0]
    edges = np.unique([*binning.edges, *alone, *np.nextafter(alone, np.inf), -_MAX, -_LARGE, _LARGE, np.inf])
    first_values = np.concatenate([[-np.inf], edges])
    place = np.array([int(binning.count([value]).argmax()) for value in first_values], np.intp)
    return tuple(edges.tolist()), place


def numeric_branch(i: int, edges: Sequence[float], by: str | None = None) -> str:
    """Return SQL that counts and summarises column ``x<i>`` of ``drift_rows`` in each place between edges.

    With `by`, a column that numbers segments, in each of them; without, all rows are in segment 0.
    """
    x = f"x{i}"
    return _NUMBERS.format(
        i=i,
        segment=by or 0,
        x=x,
        cell=cell_of_number(x, edges),
        large=double(_LARGE),
        most=double(_MAX),
        down=double(1 / _UP),
    )


def cell_of_number(x: str, edges: Sequence[float]) -> str:
    """Return in which place between edges a float64 lies, in SQL; the one after the last is *missing*."""
    return f"CASE WHEN {x} IS NULL THEN {len(edges) + 1} ELSE {_tree(x, edges)} END"


def double(value: float) -> str:
    """Return a float64 in SQL, which no parser reads as a decimal and rounds."""
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def _tree(x: str, edges: Sequence[float], first: int = 0) -> str:
    """Return in which place a value lies, by halving: as few comparisons for a row as can be."""
    if not edges:
        return str(first)
    half = len(edges) // 2
    below, above = _tree(x, edges[:half], first), _tree(x, edges[half + 1 :], first + half + 1)
    return f"CASE WHEN {x} < {double(edges[half])} THEN {below} ELSE {above} END"


def gathered(
    binning: NumericBinning, rows: Sequence[Sequence[Any]], edges: Sequence[float], place: NDArray[np.intp]
) -> tuple[Histogram, Summary]:
    """Return what the rows of one `numeric_branch` come to; `edges` and `place` are those of `fine_edges`."""
    counts = np.zeros(binning.n_cells, np.int64)
    infinite = zeros = 0
    filled = []
    for cell, n_rows, *about in sorted(rows, key=lambda row: row[0]):
        n = int(n_rows)
        if cell == len(place):
            counts[binning.missing] += n
            continue
        counts[place[int(cell)]] += n
        first = edges[int(cell) - 1] if cell else -math.inf
        if math.isinf(first):
            infinite += n
            continue
        zeros += n if first == 0.0 else 0
        filled.append([n, first < -_LARGE or first >= _LARGE, *map(float, about)])
    if not filled:
        return Histogram(binning, counts), Summary(infinite=infinite)
    n, large, low, high, mean, variance = np.array(filled, np.float64).T
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.clip(np.where(large, mean * _UP, mean), low, high)
        # In parts of the whole, so that no sum overflows.
        middle = (means * (n / n.sum())).sum()
        # Squares that float64 cannot hold sum to infinity; see `drift.profiles.histograms.Summary`.
        within = np.where(large, np.inf, np.maximum(variance, 0.0) * n)
        m2 = np.sum(within + np.square(means - middle) * n)
    # Databases add up in parallel, in another order each time: what differs then is left out.
    middle, m2 = (float(f"{each:.12g}") for each in (middle, m2))
    middle = min(max(middle, low.min()), high.max())
    summary = Summary(int(n.sum()), float(middle), m2, float(low.min()), float(high.max()), zeros, infinite)
    return Histogram(binning, counts), summary


# --- labels -----------------------------------------------------------------------------------------------------------


def known_keys(binning: CategoricalBinning, arrow: pa.DataType) -> list[str] | None:
    """Return the keys of all labels that have a cell, or None where every label has to come back."""
    known = (*binning.levels, *(binning.rare or ()))
    if binning.salt or len(known) > PUSHED_LABELS or not (t.is_string(arrow) or t.is_integer(arrow)):
        return None
    if binning.boolean:
        return ["0", "1"] if t.is_integer(arrow) else None
    # No whole number is called "JFK": no row has such a label.
    return [each for each in (key_of(label, arrow) for label in known) if each is not None]


def labels_branch(i: int, known: Sequence[str] | None, by: str | None = None) -> str:
    """Return SQL that counts the labels of column ``k<i>`` of ``drift_rows``, most of the unknown ones together.

    The most frequent of these come by themselves; of the others ``largest`` is the rows of the most frequent one.

    With `by`, a column that numbers segments, in each of them; without, all rows are in segment 0.
    """
    keys = _KEYS.format(k=f"k{i}", segment=by or 0)
    if known is None:
        return _ALL_LABELS.format(i=i, keys=keys)
    listed = ", ".join(map("'{}'".format, known))
    news = f"key IS NOT NULL AND key NOT IN ({listed})" if known else "key IS NOT NULL"
    return _LABELS.format(i=i, keys=keys, news=news, kept=KEPT, rest=_ELSE)


def add_keys(tally: Labels, found: Sequence[tuple[str | None, int, int]], arrow: pa.DataType) -> None:
    """Take keys into account as `labels_branch` has them returned, each with its rows; None is missing."""
    missing = sum(rows for key, rows, _ in found if key is None)
    known = {key: rows for key, rows, _ in found if key is not None and key != _ELSE}
    named, counts = labels(list(known), list(known.values()), arrow)
    tally.add(named, counts, missing)
    for key, rows, largest in found:
        if key == _ELSE:
            tally.add_unnamed(rows, largest)
