"""SQL that puts numbers and labels into cells, and the cells of what comes back.

A number finds its cell by a balanced tree of CASE: as few comparisons a row as can be, and the same on every database
(FILTER for each edge, or one wide aggregate, are slower by a hundred times somewhere). A label finds it here: the
database counts labels, and where few are known puts the others together.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.types as t

from drift.profiles.heavy_hitters import KEPT
from drift.profiles.histograms import Histogram, Summary
from drift.sources.warehouse.query import compiled
from drift.sources.warehouse.values import constant, is_below, is_nan, key_of, labels

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


@lru_cache(maxsize=4096)
def numeric_branch(backend: str, i: int, edges: tuple[float, ...], by: str | None = None) -> str:
    """Return SQL that counts and summarises column ``x<i>`` of ``drift_rows`` in each place between edges.

    With `by`, a column that numbers segments, in each of them; without, all rows are in segment 0.
    """
    import ibis

    rows = ibis.table({f"x{i}": "float64", **_numbered(by)}, name="drift_rows")
    x = rows[f"x{i}"]
    is_small, down = is_below(x, _LARGE, backend), x * constant(1 / _UP)
    placed = rows.select(
        cell=cell_of_number(x, edges, backend),
        value=x,
        small=ibis.cases((is_small, x), (is_below(x, math.inf, backend), down), else_=ibis.null("float64")),
        **_segment(rows, by),
    )
    grouped = placed.group_by([*_segment(rows, by), "cell"]).aggregate(
        n_rows=placed.count(),
        low=placed.value.min(),
        high=placed.value.max(),
        mean=placed.small.mean(),
        variance=placed.small.var(how="pop"),
    )
    columns = ["cell", "n_rows", "low", "high", "mean", "variance"]
    return compiled(backend, _labelled(grouped, i, by).select("feature", "segment", *columns))


def cell_of_number(x: Any, edges: Sequence[float], backend: str) -> Any:
    """Return in which place between edges a float64 lies, in Ibis; the one after the last is *missing*."""
    import ibis

    missing = ibis.literal(len(edges) + 1, "int32")
    return ibis.cases((x.isnull() | is_nan(x, backend), missing), else_=_tree(x, edges))


def _numbered(by: str | None) -> dict[str, str]:
    return {by: "int32"} if by else {}


def _segment(rows: Any, by: str | None) -> dict[str, Any]:
    return {"segment": rows[by]} if by else {}


def _labelled(grouped: Any, i: int, by: str | None) -> Any:
    """Say of which feature the counts are, and where they are of no segment that they are of segment 0."""
    import ibis

    all_rows = {} if by else {"segment": ibis.literal(0, "int32")}
    return grouped.mutate(feature=ibis.literal(i, "int32"), **all_rows)


def _tree(x: Any, edges: Sequence[float], first: int = 0) -> Any:
    """Return in which place a value lies, by halving: as few comparisons for a row as can be."""
    import ibis

    if not edges:
        return ibis.literal(first, "int32")
    half = len(edges) // 2
    below, above = _tree(x, edges[:half], first), _tree(x, edges[half + 1 :], first + half + 1)
    return ibis.cases((x < constant(edges[half]), below), else_=above)


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


def labels_branch(backend: str, i: int, known: Sequence[str] | None, by: str | None = None) -> str:
    """Return SQL that counts the labels of column ``k<i>`` of ``drift_rows``, most of the unknown ones together.

    The most frequent of these come by themselves; of the others ``largest`` is the rows of the most frequent one.

    With `by`, a column that numbers segments, in each of them; without, all rows are in segment 0.
    """
    import ibis

    rows = ibis.table({f"k{i}": "string", **_numbered(by)}, name="drift_rows")
    keyed = rows.select(key=rows[f"k{i}"], **_segment(rows, by))
    cut = list(_segment(rows, by))
    grouped = keyed.group_by([*cut, "key"]).aggregate(n_rows=keyed.count())
    if known is None:
        grouped = grouped.mutate(largest=grouped.n_rows)
    else:
        news = grouped.mutate(news=grouped.key.notnull() & ~grouped.key.isin(known))
        most_first = [news.n_rows.desc(), news.key.asc()]
        ranked = news.mutate(place=ibis.row_number().over(group_by=[*cut, "news"], order_by=most_first))
        together = ranked.news & (ranked.place >= KEPT)
        named = ranked.mutate(key=ibis.cases((together, ibis.literal(_ELSE)), else_=ranked.key))
        grouped = named.group_by([*cut, "key"]).aggregate(n_rows=named.n_rows.sum(), largest=named.n_rows.max())
    return compiled(backend, _labelled(grouped, i, by).select("feature", "segment", "key", "n_rows", "largest"))


def add_keys(tally: Labels, found: Sequence[tuple[str | None, int, int]], arrow: pa.DataType) -> None:
    """Take keys into account as `labels_branch` has them returned, each with its rows; None is missing."""
    missing = sum(rows for key, rows, _ in found if key is None)
    known = {key: rows for key, rows, _ in found if key is not None and key != _ELSE}
    named, counts = labels(list(known), list(known.values()), arrow)
    tally.add(named, counts, missing)
    for key, rows, largest in found:
        if key == _ELSE:
            tally.add_unnamed(rows, largest)
