"""Pairs inside a warehouse: of the rows that are looked at only coarse cells come back, of several columns in a number.

Rows that are alike in all columns come back as one, with their number. The cells are the local engine's, by the same
tree of CASE as a feature's bins. Where the database cannot say them, as labels are hashed or too many, a column's keys
come back and are looked up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drift.profiles.binning import CategoricalBinning
from drift.sources.warehouse.cells import PUSHED_LABELS, cell_of_number, double
from drift.sources.warehouse.values import key_like, keyed_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse

_LARGEST = 2**62

_COUNTED = "SELECT {words}, COUNT(*) AS n_rows FROM (SELECT {selected} FROM drift_rows) AS placed GROUP BY {words}"


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


def pairs_branch(columns: Mapping[str, Coarse], kinds: Mapping[str, pa.DataType]) -> str:
    """Return SQL that counts the rows of ``drift_rows`` by the numbers that `packed` makes of their cells.

    The i-th column there is ``c<i>``: a number, or the key of a label.
    """
    places = {name: f"c{i}" for i, name in enumerate(columns)}
    words = []
    for names in packed(columns):
        if not _is_pushed(columns[names[0]]):
            words.append(places[names[0]])
            continue
        parts, factor = [], 1
        for name in names:
            parts.append(f"CAST({_cell(places[name], columns[name], kinds[name])} AS BIGINT) * {factor}")
            factor *= columns[name].n_cells
        words.append(" + ".join(parts))
    named = [f"w{i}" for i in range(len(words))]
    selected = ", ".join(f"{word} AS {name}" for word, name in zip(words, named, strict=True))
    return _COUNTED.format(words=", ".join(named), selected=selected)


def _cell(value: str, cells: Coarse, kind: pa.DataType) -> str:
    binning = cells.binning
    if not isinstance(binning, CategoricalBinning):
        return cell_of_number(value, cells.cuts)
    known = (*binning.levels, *(binning.rare or ()), *(("0", "1") if binning.boolean else ()))
    found: dict[int, list[str]] = {}
    for label, cell in zip(known, cells.of_cell[binning.cell_of(binning.named(known))].tolist(), strict=True):
        like = key_like(label, kind)
        if like is not None and cell != cells.other:
            key = f"CAST({double(like)} AS TEXT)" if isinstance(like, float) else f"'{like}'"
            found.setdefault(cell, []).append(key)
    named = " ".join(f"WHEN {value} IN ({', '.join(keys)}) THEN {cell}" for cell, keys in found.items())
    return f"CASE WHEN {value} IS NULL THEN {cells.n_cells - 1} {named} ELSE {cells.other} END"


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
