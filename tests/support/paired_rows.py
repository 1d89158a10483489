"""Rows of three columns with nulls in different places, and their pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.profiles.pair_tally import PairTally

if TYPE_CHECKING:
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.pairs import Pairs

CELLS: dict[str, Coarse] = {
    "origin": coarse(CategoricalBinning(("JFK", "EWR")), FINE),
    "delay": coarse(NumericBinning(np.array([0.0, 10.0, 20.0, 30.0]))),
    "late": coarse(BOOLEAN),
}


def rows(n: int, seed: int = 0) -> pa.RecordBatch:
    """Rows of three columns with nulls in different places."""
    rng = np.random.default_rng(seed)
    return pa.record_batch(
        {
            "late": pa.array(rng.random(n) < 0.5, mask=rng.random(n) < 0.1),
            "delay": pa.array(rng.normal(10, 20, n), mask=rng.random(n) < 0.2),
            "origin": pa.array(rng.choice(["JFK", "EWR", "SFO"], n), mask=rng.random(n) < 0.3),
            "ignored": pa.nulls(n),
        }
    )


def counted(batches: list[pa.RecordBatch], limit: int = 10_000) -> Pairs:
    """Count batches."""
    tally = PairTally(CELLS, limit)
    for batch in batches:
        tally.add(batch)
    return tally.pairs()
