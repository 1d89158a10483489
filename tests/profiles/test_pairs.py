"""Twin of `drift.profiles.pairs`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.profiles.pair_tally import PairTally
from drift.profiles.pairs import Pairs
from tests.support.laws import examples
from tests.support.paired_rows import CELLS, counted, rows

law = examples(60)


def test_a_table_counts_the_rows_with_both_cells() -> None:
    """Cell by cell as one would by hand, nulls aligned with their rows; the other way round transposed."""
    batch = rows(500)
    pairs = counted([batch])
    codes = {name: cells.codes(batch.column(name)) for name, cells in CELLS.items()}
    for a, b in itertools.product(CELLS, CELLS):
        table = pairs.table(a, b)
        by_hand = [
            [int(np.sum((codes[a] == i) & (codes[b] == j))) for j in range(CELLS[b].n_cells)]
            for i in range(CELLS[a].n_cells)
        ]
        assert table.tolist() == by_hand == pairs.table(b, a).T.tolist()
    assert pairs.n_rows == 500


@law
@given(st.integers(0, 300), st.integers(0, 300))
def test_pairs_add_up_to_those_of_all_rows(first: int, second: int) -> None:
    """Merged they are the count of the concatenation, and the order does not matter."""
    a, b = rows(first, 1), rows(second, 2)
    assert counted([a]) + counted([b]) == counted([a, b]) == counted([b]) + counted([a])


@law
@given(st.integers(0, 300))
def test_every_table_has_the_margins_of_the_histograms(n: int) -> None:
    """Where all rows are looked at, each table sums to the counts of the columns, merged."""
    batch = rows(n)
    pairs = counted([batch])
    for a, b in itertools.product(CELLS, CELLS):
        expected = CELLS[a].merge(CELLS[a].binning.count_arrow(batch.column(a))).tolist()
        assert pairs.table(a, b).sum(axis=1).tolist() == expected == pairs.margin(a).tolist()


def test_only_columns_with_the_same_cells_add_up() -> None:
    """A column that one part lacks, or has under other bins, is left out of the total."""
    batch = rows(100)
    ours = counted([batch])
    tally = PairTally({**CELLS, "delay": coarse(NumericBinning(np.array([0.0, 10.0, 20.0, 31.0])))})
    tally.add(batch)
    assert list((ours + tally.pairs()).columns) == ["origin", "late"]
    both = ours + ours.restricted(["late", "delay"])
    assert list(both.columns) == ["delay", "late"]
    assert both.table("late", "delay").tolist() == (2 * ours.table("late", "delay")).tolist()
    assert ours.restricted(["late", "delay"]).table("delay", "late").tolist() == ours.table("delay", "late").tolist()


def test_fine_cells_merge_to_coarse_ones() -> None:
    """What was counted in many cells is, under fewer, what would have been counted in these; so is a total of both."""
    binning = CategoricalBinning(tuple("abcdefghijkl"), ("m",))
    columns = {"x": coarse(binning, FINE), "y": coarse(NumericBinning(np.arange(20.0)), FINE), "z": coarse(BOOLEAN)}
    few = {"y": coarse(columns["y"].binning), "x": coarse(binning)}
    rng = np.random.default_rng(3)
    codes = np.stack([rng.integers(0, cells.n_cells, 500, np.uint8) for cells in columns.values()])
    fine = Pairs.of(columns, codes)
    into = {name: np.zeros(columns[name].n_cells, np.uint8) for name in few}
    for name, cells in few.items():
        into[name][columns[name].of_cell] = cells.of_cell
    merged = Pairs.of(few, np.stack([into["y"][codes[1]], into["x"][codes[0]]]))
    assert fine.under(few) == merged
    assert (fine + merged).columns == (merged + fine).columns == few
    assert (fine + merged).table("y", "x").tolist() == (2 * merged.table("y", "x")).tolist()


def test_counts_are_held_in_as_few_bytes_as_their_rows_need_and_add_up_in_more() -> None:
    """Of 200 rows in one, and the sum of two such windows does not overflow."""
    columns = {"x": coarse(BOOLEAN, FINE)}
    ours = Pairs.of(columns, np.zeros((1, 200), np.uint8))
    assert (ours.counts.itemsize, (ours + ours).margin("x").max()) == (1, 400)
    assert ours.under({"x": coarse(BOOLEAN)}).margin("x").max() == 200
    assert Pairs.of(columns, np.zeros((1, 65_536), np.uint8)).margin("x").max() == 65_536


def test_counts_that_do_not_fit_the_columns_are_refused() -> None:
    """The matrix has a row and a column for every cell."""
    with pytest.raises(BinningError, match="pairs of 4 cells"):
        Pairs({"late": CELLS["late"]}, 1, np.zeros((3, 3), np.int64))
