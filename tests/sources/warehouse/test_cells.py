"""SQL that puts values into cells, and the cells of what comes back."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.counting import Labels
from drift.profiles.heavy_hitters import Atoms
from drift.profiles.histograms import Summary
from drift.sources.warehouse.cells import (
    PUSHED_LABELS,
    add_keys,
    fine_edges,
    gathered,
    known_keys,
    labels_branch,
    numeric_branch,
)
from drift.sources.warehouse.query import written


@given(
    edges=st.lists(st.floats(-100, 100), min_size=2, max_size=20, unique=True).map(sorted),
    share=st.floats(0, 1),
    values=st.lists(st.floats(allow_nan=False), max_size=20),
)
def test_fine_edges_lead_to_the_cells_of_the_binning(edges: list[float], share: float, values: list[float]) -> None:
    """A value between two of them falls into the one cell named, values that are set apart too."""
    edges = sorted({edge + 0.0 for edge in edges})
    inside = [e for e in edges[:-1] if abs(e) / 100 < share]
    binning = NumericBinning(edges, "number", inside)
    fine, place = fine_edges(binning)
    cells = np.zeros(binning.n_cells, np.int64)
    for value in values:
        cells[place[int(np.searchsorted(fine, value, "right"))]] += 1
    assert cells.tolist() == binning.count(values).tolist()


def test_a_feature_is_one_tree_and_is_written_once() -> None:
    """Nested CASE, halving; a window later the same SQL comes from memory."""
    sql = written(numeric_branch(3, (1.0, 2.0, 2.0000000000000004)), "postgres")
    assert sql.count("GROUP BY") == 1
    assert "< CAST('2.0000000000000004' AS DOUBLE PRECISION)" in sql
    assert sql.index("'2.0'") < sql.index("'1.0'")
    assert written(numeric_branch(3, (1.0, 2.0, 2.0000000000000004)), "postgres") is sql


def test_any_number_of_bins_can_be_written() -> None:
    """However deep the parser of SQL goes for each CASE."""
    sql = written(numeric_branch(0, [float(edge) for edge in range(10_000)]), "postgres")
    assert sql.count("CASE") == 10_002


def test_cells_are_gathered_into_counts_and_a_summary() -> None:
    """Parts of the same rows as one: the mean and the squares about it."""
    binning = NumericBinning([1.0, 2.0])
    edges, place = fine_edges(binning)
    at = [-math.inf, *edges].index
    # cell, rows, least, greatest, mean, variance
    rows = [
        (at(2.0), 2, 3.0, 5.0, 4.0, 1.0),
        (at(0.0), 1, 0.0, 0.0, 0.0, 0.0),
        (at(-math.inf), 2, -math.inf, -math.inf, None, None),
        (len(place), 4, None, None, None, None),
    ]
    histogram, summary = gathered(binning, rows, edges, place)
    assert histogram.counts.tolist() == [3, 0, 2, 4]
    expected = Summary.of([0.0, 3.0, 5.0])
    assert (summary.n, summary.low, summary.high, summary.zeros, summary.infinite) == (3, 0.0, 5.0, 1, 2)
    assert math.isclose(summary.mean, expected.mean, rel_tol=1e-11)
    assert math.isclose(summary.m2, expected.m2, rel_tol=1e-11)
    assert gathered(binning, rows[-1:], edges, place)[1] == Summary()


@pytest.mark.parametrize(
    ("binning", "arrow", "known"),
    [
        (CategoricalBinning(("é",), ("b",)), pa.string(), ["c3a9", "62"]),
        (CategoricalBinning(("é",), None), pa.string(), ["c3a9"]),
        (CategoricalBinning(("3", "x", "-1")), pa.int64(), ["3", "-1"]),
        (BOOLEAN, pa.int64(), ["0", "1"]),
        (BOOLEAN, pa.bool_(), None),
        (CategoricalBinning(("3",)), pa.float64(), None),
        (CategoricalBinning(("2013-02-08",)), pa.date32(), None),
        (CategoricalBinning(("#0123456789ab",), salt="salt"), pa.string(), None),
        (CategoricalBinning(tuple(map(str, range(PUSHED_LABELS + 1)))), pa.string(), None),
    ],
)
def test_known_labels_are_pushed_down_where_they_are_few(
    binning: CategoricalBinning, arrow: pa.DataType, known: list[str] | None
) -> None:
    """Hashed labels, numbers with a fraction, times and long lists come back instead."""
    assert known_keys(binning, arrow) == known
    sql = labels_branch(0, known)
    assert ("'?'" in sql) == (known is not None)


def test_labels_that_nobody_knows_are_counted_together() -> None:
    """As unseen, even where the mark for them is a label itself; or as other, where no label is news."""
    for binning, expected in (
        (CategoricalBinning(("?", "??"), ()), [2, 0, 0, 5, 1]),
        (CategoricalBinning(("?",), None), [2, 5, 0, 1]),
    ):
        tally = Labels(binning)
        add_keys(tally, [("3f", 2, 2), ("?", 5, 3), (None, 1, 1)], pa.string())
        found = tally.histogram()
        assert found.counts.tolist() == expected
        assert found.atoms == Atoms([], [], [], 0, 3)
