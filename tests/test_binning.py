"""Binnings: every value has exactly one cell, whose name a person can read."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drift.binning import Binning, CategoricalBinning, NumericBinning, binning_from_dict, hash_label
from drift.errors import BinningError

law = settings(deadline=None, max_examples=60)


anything = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, math.inf, -math.inf])


anything |= st.integers(-(2**63), 2**64).map(float)


finite = st.floats(allow_nan=False, allow_infinity=False)


edges = st.lists(finite, max_size=12, unique=True).map(sorted)


def rows(**columns: Any) -> pa.RecordBatch:
    """Build one batch of rows."""
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


@law
@given(edges, st.lists(anything, max_size=60))
@example([-1.7976931348623157e308, 1.7976931348623157e308], [])
def test_every_number_has_exactly_one_cell(at: list[float], values: list[float]) -> None:
    """Counts sum to the rows for any edges and any floats, and each value is where its inequality says."""
    binning = NumericBinning(np.array(at))
    counts = binning.count(values)
    assert counts.sum() == len(values)
    assert len(counts) == binning.n_cells == len(binning.cells)
    wanted = np.zeros(binning.n_cells, int)
    for value in values:
        wanted[binning.missing if math.isnan(value) else sum(edge <= value for edge in at)] += 1
    assert counts.tolist() == wanted.tolist()


def test_more_values_than_a_chunk() -> None:
    """Counting in chunks gives what one histogram of NumPy gives."""
    values = np.random.default_rng(1).normal(size=200_001)
    binning = NumericBinning(np.linspace(-2, 2, 21))
    inside, _ = np.histogram(values, binning.edges)
    counts = binning.count(values)
    assert counts[1:-2].tolist() == inside.tolist()
    assert (counts[0], counts[-2], counts[-1]) == ((values < -2).sum(), (values >= 2).sum(), 0)


def test_cells_are_half_open() -> None:
    """A value on an edge belongs to the bin that begins there; the last edge begins the cell above."""
    assert NumericBinning([0, 1, 2]).count([0, 1, 2]).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("bad", [[1, 1], [2, 1], [0, math.nan], [0, math.inf], [[0, 1]]])
def test_edges_that_are_none_are_refused(bad: list[float]) -> None:
    """Edges are finite and strictly increasing, or there is no binning."""
    with pytest.raises(BinningError, match="finite and strictly increasing"):
        NumericBinning(bad)


def test_edges_are_frozen() -> None:
    """Neither the caller's array nor the binning's own can be changed afterwards."""
    mine = np.array([0.0, 1.0])
    binning = NumericBinning(mine)
    mine[0] = 5
    assert binning.edges.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        binning.edges[0] = 5


def test_zero_has_one_sign() -> None:
    """``-0.0`` equals ``0.0``, so it is the same edge, with the same fingerprint and the same name."""
    assert NumericBinning([-0.0, 1.0]).fingerprint == NumericBinning([0.0, 1.0]).fingerprint
    assert NumericBinning([-0.0, 1.0]).cells == NumericBinning([0.0, 1.0]).cells


def test_extreme_dates_have_names() -> None:
    """Edges beyond the calendar are shown as numbers; naming never raises."""
    assert len(NumericBinning([-1e300, 1e300], "timestamp").cells) == 4
    assert len(NumericBinning([-1e9, 1e9], "date").cells) == 4


def test_cell_names_are_unique() -> None:
    """Even a label that already wears the quotes has a name of its own."""
    binning = CategoricalBinning(("missing", "'missing'"))
    assert len(set(binning.cells)) == binning.n_cells


def test_the_same_level_twice_is_refused() -> None:
    """A level stands once, among the top or among the rare."""
    with pytest.raises(BinningError, match="twice"):
        CategoricalBinning(("a", "b"), rare=("a",))


def test_hashes_depend_on_the_salt_and_on_nothing_else() -> None:
    """One label, one salt, one hash, on every machine and day; another salt, another hash."""
    assert hash_label("JFK", "a") == hash_label("JFK", "a") != hash_label("JFK", "b")
    assert hash_label("JFK", "a") == "#d6fa5c6e261a"
    assert hash_label("\ud800", "a").startswith("#")


@law
@given(edges, st.sampled_from(["number", "integer", "date", "timestamp", "time"]))
def test_numeric_binnings_round_trip(at: list[float], scale: Any) -> None:
    """Through JSON and back: the same cells to the bit, the same fingerprint."""
    binning = NumericBinning(np.array(at), scale)
    again = binning_from_dict(json.loads(json.dumps(binning.to_dict(), allow_nan=False)))
    assert again == binning
    assert again.fingerprint == binning.fingerprint
    assert again.cells == binning.cells


@law
@given(st.lists(st.text(max_size=4), unique=True, max_size=12), st.integers(0, 12), st.booleans(), st.text(max_size=4))
def test_categorical_binnings_round_trip(labels: list[str], top: int, known: bool, salt: str) -> None:  # noqa: FBT001
    """Through JSON and back: the same cells, the same fingerprint."""
    binning = CategoricalBinning(tuple(labels[:top]), tuple(labels[top:]) if known else None, salt)
    again = binning_from_dict(json.loads(json.dumps(binning.to_dict())))
    assert again == binning
    assert again.fingerprint == binning.fingerprint


def test_fingerprints_are_stable() -> None:
    """They are stored beside every histogram, so they may never change from one release or machine to the next."""
    assert NumericBinning([0, 0.1, 20]).fingerprint == "943a711a358f5827"
    assert CategoricalBinning(("JFK", "Zürich"), ("LGA",)).fingerprint == "64108ca3149efdcf"


def test_different_cells_have_different_fingerprints() -> None:
    """Edges, scale, order of levels, what is known and the salt all count."""
    binnings: list[Binning] = [
        NumericBinning([0, 1]),
        NumericBinning([0, math.nextafter(1, 2)]),
        NumericBinning([0, 1], "integer"),
        CategoricalBinning(("a", "b")),
        CategoricalBinning(("b", "a")),
        CategoricalBinning(("a",), ("b",)),
        CategoricalBinning(("a",), None),
        CategoricalBinning(("a", "b"), salt="s"),
    ]
    assert len({binning.fingerprint for binning in binnings}) == len(binnings)


@pytest.mark.parametrize(
    "spec", [{}, {"kind": "kll"}, {"kind": "numeric"}, {"kind": "numeric", "scale": "number", "edges": ["a"]}]
)
def test_specifications_that_are_none_are_refused(spec: dict[str, Any]) -> None:
    """What a newer version wrote, or a hand has spoilt, raises a `BinningError`."""
    with pytest.raises(BinningError):
        binning_from_dict(spec)
