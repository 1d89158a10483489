"""Which columns' pairs are counted, and in which cells.

Of very many columns those are chosen that go with another one most, by mutual information in an even sample of the rows
that their bins are fitted on. It is chosen once, with the bins, and is part of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.profiles.kinds import contained, integers
from drift.profiles.sampling import kept, stride_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse

FEW, MOST_EXPLAINING = 24, 12
"""Labels of a column that may explain others without being asked to, at most, and such columns."""

MOST_COLUMNS = 200
"""Columns whose pairs are counted, at most: their number grows with the square."""

LOOKED_AT, QUARTERS = 1 << 11, 7
"""Rows by which they are chosen, at most, and cells of a column: quarters, beside those of what was not seen."""

_BLOCK = 1 << 8


def choose(
    binnings: Mapping[str, Binning],
    cut_by: Mapping[str, Binning] | None = None,
    explain_by: Sequence[str] | None = None,
) -> dict[str, Coarse]:
    """Return the columns whose pairs are counted, with their cells: those that may explain others first.

    Parameters
    ----------
    binnings
        Of the features. An identifier or free text is left out unless it is to explain others, as is what is not
        `paired`.
    cut_by
        Of columns that segments are cut by, which need not be features.
    explain_by
        The columns that may explain what others do, and get up to `FINE` cells; all that no binning knows are left out.
        None is the columns of `cut_by` and the features of at most `FEW` labels, `MOST_EXPLAINING` at most; an empty
        list turns pairs off.

    Examples
    --------
    >>> from drift.profiles.binning import NumericBinning
    >>> known = {"x": NumericBinning([0, 1]), "origin": CategoricalBinning(("JFK",))}
    >>> {name: cells.most for name, cells in choose(known).items()}
    {'origin': 24, 'x': 10}
    >>> choose(known, explain_by=[])
    {}
    """
    if explain_by is not None and not explain_by:
        return {}
    known = {**(cut_by or {}), **binnings}
    if explain_by is None:
        explain_by = [name for name in known if name in (cut_by or {}) or _few(known[name])][:MOST_EXPLAINING]
    found = {name: coarse(known[name], FINE) for name in explain_by if name in known}
    found |= {
        name: coarse(one) for name, one in known.items() if name not in found and one.paired and not _identifies(one)
    }
    return found


def left_out(binnings: Mapping[str, Binning]) -> list[str]:
    """Return the features that have no pairs, as too many others go together more than they do with any.

    Examples
    --------
    >>> left_out({"x": CategoricalBinning(("a",)), "y": CategoricalBinning(("a",), paired=False)})
    ['y']
    """
    return [name for name, binning in binnings.items() if not binning.paired]


def sampled(batches: Iterable[pa.RecordBatch], n_rows: int, sample: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pass on batches of so many rows, and keep an even sample of at most `LOOKED_AT` of them."""
    stride, seen = stride_of(n_rows, LOOKED_AT), 0
    for batch in batches:
        rows = kept(seen, seen + batch.num_rows, stride) - seen
        seen += batch.num_rows
        sample.append(batch.take(integers(rows)))
        yield batch


def loosest_first(columns: Mapping[str, Coarse], names: Iterable[str], sample: Sequence[pa.RecordBatch]) -> list[str]:
    """Return some of the columns, the one first that goes with another the least; of equal ones the later.

    Parameters
    ----------
    columns
        All whose pairs would be counted were they fewer.
    names
    sample
        Rows of them; without any, or of a column that they lack, nothing goes with another.

    Examples
    --------
    >>> import pyarrow as pa
    >>> columns = {name: coarse(CategoricalBinning(("0", "1"))) for name in ("x", "y", "z")}
    >>> rows = pa.record_batch({"x": [0, 0, 1, 1] * 9, "y": [0, 1, 0, 1] * 9, "z": [1, 1, 0, 0] * 9})
    >>> loosest_first(columns, ["z", "y"], [rows])
    ['y', 'z']
    """
    tied = dict(zip(columns, _closest(*_codes(columns, sample)).tolist(), strict=True))
    place = {name: i for i, name in enumerate(names)}
    return sorted(place, key=lambda name: (tied[name], -place[name]))


def _codes(columns: Mapping[str, Coarse], sample: Sequence[pa.RecordBatch]) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the cell of each row, numbered anew as far as a column has any; one cell of a column that is not read."""
    import pyarrow as pa

    codes = np.zeros((len(columns), sum(batch.num_rows for batch in sample)), np.uint8)
    for mine, (name, known) in zip(codes, columns.items(), strict=True):
        cells = coarse(known.binning, QUARTERS)
        types = [batch.schema.field(name).type for batch in sample if name in batch.schema.names]
        with contained({}, name):
            parts = [
                batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, types[0])
                for batch in sample
            ]
            mine[:] = np.unique(cells.codes(pa.concat_arrays(parts)), return_inverse=True)[1]
    return codes, (codes.max(axis=1, initial=0).astype(int) + 1).tolist()


def _closest(codes: NDArray[np.uint8], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Return the largest mutual information of each column with another one: nats, without its bias (Miller 1955)."""
    n = codes.shape[1]
    closest = np.zeros(len(sizes))
    if not n:
        return closest
    plogp = np.arange(n + 1, dtype=np.float32)
    plogp[1:] *= np.log(plogp[1:] / np.float32(n))
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(sizes), _BLOCK)]
    hot = [_indicators(codes[block], sizes[block]) for block in blocks]
    free = np.array(sizes, np.float64) - 1
    own = [np.add.reduceat(plogp[ones.sum(axis=0).astype(np.intp)], starts, dtype=np.float64) for ones, starts in hot]
    for i, (ones, starts) in enumerate(hot):
        for j in range(i, len(hot)):
            others, to = hot[j]
            joint = plogp[(ones.T @ others).astype(np.int16)]
            both = np.add.reduceat(np.add.reduceat(joint, starts, axis=0), to, axis=1)
            tied = (both - own[i][:, np.newaxis] - own[j]) / n
            tied -= np.outer(free[blocks[i]], free[blocks[j]]) / (2 * n)
            if i == j:
                np.fill_diagonal(tied, 0.0)
            closest[blocks[i]] = np.maximum(closest[blocks[i]], tied.max(axis=1))
            closest[blocks[j]] = np.maximum(closest[blocks[j]], tied.max(axis=0))
    return closest


def _indicators(codes: NDArray[np.uint8], sizes: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return of each row and cell of some columns whether it has it, and the first cell of each."""
    starts = np.cumsum([0, *sizes])
    ones = np.zeros((codes.shape[1], starts[-1]), np.float32)
    ones[np.arange(codes.shape[1]), codes + starts[:-1, np.newaxis]] = 1
    return ones, starts[:-1]


def _few(binning: Binning) -> bool:
    return (
        isinstance(binning, CategoricalBinning)
        and binning.paired
        and len(binning.levels) + len(binning.rare or ()) <= FEW
        and (binning.rare is not None)
    )


def _identifies(binning: Binning) -> bool:
    """Say whether most rows have a label that no other row has."""
    if not isinstance(binning, CategoricalBinning):
        return False
    known = binning.vocabulary
    return binning.rare is None or (known is not None and 2 * known.once > known.rows)
