"""The tally of pairs: a stream of rows on its way into `drift.profiles.pairs.Pairs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.profiles.kinds import contained, integers
from drift.profiles.pairs import Pairs
from drift.profiles.sampling import kept

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.profiles.coarse_cells import Coarse

LIMIT = 1 << 16
"""Rows of a window that are looked at, at most."""


class PairTally:
    """A stream of rows on its way into pairs, pushed batch by batch.

    Everything up to `limit` rows is counted, then one of every 2, 4, 8, … neighbours (`drift.profiles.sampling`), the
    same rows of every column however the stream is cut. A column that a batch lacks, or that cannot be read as its
    cells say, is left out.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from drift.profiles.binning import CategoricalBinning, NumericBinning
    >>> from drift.profiles.coarse_cells import coarse
    >>> rows = pa.record_batch({"origin": ["JFK", None, "EWR", "JFK"], "x": [0.5, 2.0, None, 0.5]})
    >>> cells = {"origin": coarse(CategoricalBinning(("JFK",))), "x": coarse(NumericBinning([]))}
    >>> tally = PairTally(cells)
    >>> tally.add(rows)
    >>> tally.pairs().table("origin", "x").tolist()
    [[2, 0], [0, 1], [1, 0]]
    """

    __slots__ = ("_bytes", "_coded", "_codes", "_columns", "_held", "_limit", "_n", "_problems", "_rows", "_stride")

    def __init__(self, columns: Mapping[str, Coarse], limit: int = LIMIT) -> None:
        self._columns, self._limit = dict(columns), limit
        # Rows seen, those that stayed, and those of them whose cells are known.
        self._n = self._rows = self._coded = self._bytes = 0
        self._stride = 1
        self._codes: list[NDArray[np.uint8]] = []
        # As most rows that stay at first go later, they are held, and looked at as late as can be.
        self._held: list[pa.RecordBatch] = []
        self._problems: dict[str, str] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows into account."""
        batch = batch.select([name for name in self._columns if name in batch.schema.names])
        for start in range(0, batch.num_rows, LIMIT):
            part = batch.slice(start, LIMIT)
            first, self._n = self._n, self._n + part.num_rows
            if self._stride > 1:
                part = part.take(integers(kept(first, self._n, self._stride) - first))
            if self._held and not self._held[0].schema.equals(part.schema):
                self._look()
            self._held.append(part)
            self._rows += part.num_rows
            while self._rows > self._limit:
                self._thin()
            self._bytes += part.nbytes
            if self._bytes > _HELD_BYTES:
                self._look()

    def _thin(self) -> None:
        """Let one of every two neighbours stay."""
        stay = kept(0, self._rows, 2)
        starts = np.cumsum([self._coded, *(batch.num_rows for batch in self._held)])
        coded, *_ = ends = np.searchsorted(stay, starts).tolist()
        self._codes = [codes[:, stay[:coded]] for codes in self._joined()]
        places = (integers(stay[i:j] - start) for i, j, start in zip(ends, ends[1:], starts, strict=False))
        self._held = [batch.take(mine) for batch, mine in zip(self._held, places, strict=True)]
        self._bytes = sum(batch.nbytes for batch in self._held)
        self._stride, self._rows, self._coded = 2 * self._stride, len(stay), coded

    def _look(self) -> None:
        """Find the cells of the rows that are held."""
        import pyarrow as pa

        held, n_rows = self._held, self._rows - self._coded
        self._held, self._bytes, self._coded = [], 0, self._rows
        if not n_rows:
            return
        codes = np.zeros((len(self._columns), n_rows), np.uint8)
        for mine, (name, cells) in zip(codes, self._columns.items(), strict=True):
            if name in self._problems:
                continue
            with contained(self._problems, name):
                mine[:] = cells.codes(pa.concat_arrays([batch.column(name) for batch in held]))
        self._codes.append(codes)

    def _joined(self) -> list[NDArray[np.uint8]]:
        return [np.concatenate(self._codes, axis=1)] if len(self._codes) > 1 else self._codes

    def pairs(self, without: Collection[str] = ()) -> Pairs:
        """Return what was counted, but for some columns; nothing can be added any more."""
        self._look()
        stays = [name not in self._problems and name not in without for name in self._columns]
        columns = {name: cells for (name, cells), stay in zip(self._columns.items(), stays, strict=True) if stay}
        codes = self._joined() or [np.empty((len(stays), 0), np.uint8)]
        return Pairs.of(columns, codes[0][stays])


_HELD_BYTES = 1 << 25
