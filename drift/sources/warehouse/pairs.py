"""Pairs inside a warehouse: of the rows that are looked at only coarse cells come back, of several columns in a number.

Rows that are alike in all columns come back as one, with their number. The cells are the local engine's, by the same
tree of CASE as a feature's bins. Where the database cannot say them, as labels are hashed or too many, a column's keys
come back and are looked up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drift.profiles.binning import CategoricalBinning
from drift.sources.warehouse.cells import PUSHED_LABELS, cell_of_number
from drift.sources.warehouse.query import compiled
from drift.sources.warehouse.values import key_like, keyed_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse

_LARGEST = 2**62


def packed(columns: Mapping[str, Coarse]) -> list[list[str]]:
    """Return which columns make each number: as many as a signed integer of 64 bits has combinations for.

    A column that the database cannot say the cells of stands by itself.
    """
    found: list[list[str]] = []
    size = _LARGEST
    for name, cells in columns.items():
        size *= cells.n_cells
        if not _is_pushed(cells):
            found.append([name])
            size = _LARGEST
        elif size > _LARGEST:
            found.append([name])
            size = cells.n_cells
        else:
            found[-1].append(name)
    return found


def _is_pushed(cells: Coarse) -> bool:
    binning = cells.binning
    return not isinstance(binning, CategoricalBinning) or not (
        binning.salt or len(binning.levels) + len(binning.rare or ()) > PUSHED_LABELS
    )


def pairs_branch(backend: str, columns: Mapping[str, Coarse], kinds: Mapping[str, pa.DataType]) -> str:
    """Return SQL that counts the rows of ``drift_rows`` by the numbers that `packed` makes of their cells.

    The i-th column there is ``c<i>``: a number, or the key of a label.
    """
    import ibis

    places = {name: f"c{i}" for i, name in enumerate(columns)}
    labelled = {name: isinstance(cells.binning, CategoricalBinning) for name, cells in columns.items()}
    rows = ibis.table(
        {place: "string" if labelled[name] else "float64" for name, place in places.items()}, name="drift_rows"
    )
    selected: dict[str, Any] = {}
    for i, names in enumerate(packed(columns)):
        if not _is_pushed(columns[names[0]]):
            selected[f"w{i}"] = rows[places[names[0]]]
            continue
        word = ibis.literal(0, "int64")
        for name in reversed(names):
            cells, value = columns[name], rows[places[name]]
            cell = (
                _cell_of_key(value, cells, kinds[name])
                if labelled[name]
                else cell_of_number(value, cells.cuts, backend)
            )
            word = word * ibis.literal(cells.n_cells, "int64") + cell.cast("int64")
        selected[f"w{i}"] = word
    words = rows.select(**selected)
    return compiled(backend, words.group_by(list(selected)).aggregate(n_rows=words.count()))


def _cell_of_key(key: Any, cells: Coarse, kind: pa.DataType) -> Any:
    import ibis

    binning = cast("CategoricalBinning", cells.binning)
    known = (*binning.levels, *(binning.rare or ()), *(("0", "1") if binning.boolean else ()))
    found: dict[int, list[Any]] = {}
    for label, cell in zip(known, cells.of_cell[binning.cell_of(binning.named(known))].tolist(), strict=True):
        like = key_like(label, kind)
        if like is not None and cell != cells.other:
            found.setdefault(cell, []).append(like)
    missing = (key.isnull(), ibis.literal(cells.n_cells - 1, "int32"))
    named = [(key.isin(keys), ibis.literal(cell, "int32")) for cell, keys in found.items()]
    return ibis.cases(missing, *named, else_=ibis.literal(cells.other, "int32"))


def codes_of(
    rows: Sequence[Sequence[Any]], columns: Mapping[str, Coarse], kinds: Mapping[str, pa.DataType]
) -> NDArray[np.uint8]:
    """Return the cells that rows of `pairs_branch` stand for: uint8, shape (columns, rows that they count)."""
    *words, n_rows = zip(*rows, strict=True)
    codes = np.empty((len(columns), len(rows)), np.uint8)
    mine = iter(codes)
    for names, word in zip(packed(columns), words, strict=True):
        if not _is_pushed(columns[names[0]]):
            next(mine)[:] = columns[names[0]].codes(keyed_values(word, kinds[names[0]]))
            continue
        rest = np.array(word, np.int64)
        for name in names:
            rest, next(mine)[:] = np.divmod(rest, columns[name].n_cells)
    return np.repeat(codes, np.array(n_rows, np.int64), axis=1)
