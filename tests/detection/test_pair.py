"""One pair of columns compared: its sum, its cells and their order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.pair import compare_pair, what_moved
from drift.detection.relationships import Measured
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import COARSE, FINE, coarse
from drift.profiles.pairs import Pairs

LABELS = CategoricalBinning(("AA", "UA", "DL"))
COLUMNS = {"carrier": coarse(LABELS, FINE), "delay": coarse(NumericBinning(np.arange(31.0)), FINE)}


def pairs(seed: int, rows: int, tie: float, missing: float = 0.0) -> Pairs:
    """Return rows of a carrier that goes with the delay in some share of them, and has none in another."""
    rng = np.random.default_rng(seed)
    carrier = rng.integers(0, 3, rows)
    delay = np.where(rng.random(rows) < tie, 3 + 6 * carrier, rng.integers(1, 22, rows))
    carrier = np.where(rng.random(rows) < missing, COLUMNS["carrier"].n_cells - 1, carrier)
    return Pairs.of(COLUMNS, np.stack([carrier, delay]).astype(np.uint8))


@given(
    seed=st.integers(0, 99),
    rows=st.sampled_from((40, 400, 4000)),
    tie=st.floats(0, 1),
    missing=st.sampled_from((0.0, 0.02, 0.3)),
)
def test_both_parts_add_up_and_no_cell_takes_away(seed: int, rows: int, tie: float, missing: float) -> None:
    """D(p‖q) = D(p‖q*) + D(q*‖q), both ≥ 0, and D(p‖q*) is the sum of its cells, whichever column comes first."""
    reference, current = pairs(seed, 1000, 0.5), pairs(seed + 1000, rows, tie, missing)
    found = compare_pair(reference, current, ("carrier", "delay"))
    assert found.kl_total == pytest.approx(found.kl + found.kl_margins, abs=1e-8)
    assert min(found.kl, found.kl_margins) >= 0
    assert (found.contributions >= 0).all()
    assert found.contributions.sum() == pytest.approx(found.kl, abs=1e-8)
    assert found.usual.sum() == pytest.approx(1)
    assert found.usual.sum(axis=0) == pytest.approx(found.current.sum(axis=0) / rows, abs=1e-9)
    turned = compare_pair(reference, current, ("delay", "carrier"))
    assert turned.cells == found.cells[::-1]
    assert turned.current.tolist() == found.current.T.tolist()
    assert turned.kl_corrected == pytest.approx(found.kl_corrected, abs=1e-8)


def test_the_tables_are_of_coarse_cells_named_as_they_are() -> None:
    """Finer cells are merged, every row stays, and what moved most is named first with both shares."""
    reference, current = pairs(1, 3000, 0.6), pairs(2, 2000, 0.0)
    found = compare_pair(reference, current, ("carrier", "delay"))
    assert found.current.shape == tuple(map(len, found.cells))
    assert max(map(len, found.cells)) <= COARSE
    assert (found.reference.sum(), found.current.sum()) == (3000, 2000)
    moved = found.moved()
    parts = [one.contribution for one in moved]
    assert parts == sorted(parts, reverse=True)
    assert len(moved) > 3
    assert parts[-1] >= 0.01 * found.kl
    (first,) = what_moved(found.columns, moved, most=1)
    assert first.startswith(f"carrier {moved[0].cells[0]} goes with delay {moved[0].cells[1]} in ")
    row, column = (names.index(name) for names, name in zip(found.cells, moved[0].cells, strict=True))
    assert moved[0].share == found.current[row, column] / 2000
    assert moved[0].before == found.reference[row, column] / 3000


def test_a_pair_that_goes_together_as_it_did_moved_nowhere() -> None:
    """Compared with itself nothing is left of the divergence, and JSON takes it."""
    one = pairs(3, 500, 0.5)
    found = compare_pair(one, one, ("carrier", "delay"))
    assert (found.kl, found.kl_total) == pytest.approx((0, 0), abs=1e-9)
    assert found.before == found.after
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["current"] == told["reference"] == found.current.tolist()
    assert told["cells"] == [list(names) for names in found.cells]


def test_rows_that_cannot_tell_give_no_share_paired_at_random() -> None:
    """Where all rows have one cell of a column, nothing shows how the two go together: no share, not none."""
    reference, rows = pairs(4, 1000, 0.5), np.zeros((2, 50), np.uint8)
    rows[1] = np.arange(50) % 20 + 1
    assert compare_pair(reference, pairs(5, 1000, 0.5), ("carrier", "delay")).mixed is not None
    assert compare_pair(reference, Pairs.of(COLUMNS, rows), ("carrier", "delay")).mixed is None

    nan = np.full(1, np.nan, np.float32)
    start = datetime(2013, 2, 8, tzinfo=UTC)
    measured = Measured(
        start,
        np.zeros(0, np.int64),
        ("carrier", "delay"),
        nan,
        nan,
        np.zeros(1, np.float32),
        nan,
        np.zeros(1, np.bool_),
    )
    assert (measured.at(0).mixed, measured.at(0).z) == (None, None)
