"""Binnings: every value has exactly one cell, whose name a person can read."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.binning import (
    Binning,
    CategoricalBinning,
    NumericBinning,
    Vocabulary,
    binning_from_dict,
    hash_label,
)
from tests.support.laws import examples

law = examples(60)


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
@given(edges, st.sampled_from(["number", "integer", "date", "timestamp", "time"]), st.sampled_from([None, 3]))
def test_numeric_binnings_round_trip(at: list[float], scale: Any, part: int | None) -> None:
    """Through JSON and back: the same cells to the bit, the same fingerprint."""
    binning = NumericBinning(np.array(at), scale, seen=(at[0] / part, at[-1] / part) if part and at else None)
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


@law
@given(st.lists(st.integers(0, 10**12), min_size=4, max_size=4))
def test_what_a_fit_knows_of_other_labels_round_trips(facts: list[int]) -> None:
    """Through JSON and back: the same facts, the same fingerprint."""
    binning = CategoricalBinning(("a",), ("b",), vocabulary=Vocabulary(*facts))
    again = binning_from_dict(json.loads(json.dumps(binning.to_dict())))
    assert isinstance(again, CategoricalBinning)
    assert again.vocabulary == Vocabulary(*facts)
    assert (again, again.fingerprint) == (binning, binning.fingerprint)


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
        CategoricalBinning(("a", "b"), vocabulary=Vocabulary(9, 1, 0, 0)),
    ]
    assert len({binning.fingerprint for binning in binnings}) == len(binnings)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"kind": "kll"},
        {"kind": "numeric"},
        {"kind": "numeric", "scale": "number", "edges": ["a"]},
        {"kind": "categorical", "levels": [], "rare": [], "salt": "", "vocabulary": {"hapax": 3}},
    ],
)
def test_specifications_that_are_none_are_refused(spec: dict[str, Any]) -> None:
    """What a newer version wrote, or a hand has spoilt, raises a `BinningError`."""
    with pytest.raises(BinningError):
        binning_from_dict(spec)


# --- values set apart inside a bin


@law
@given(
    st.lists(st.integers(0, 11), unique=True, max_size=5),
    st.lists(st.integers(-2, 14) | st.floats(-2, 14) | st.just(math.nan), max_size=60),
)
def test_a_value_set_apart_has_a_cell_of_its_own(apart: list[int], values: list[float]) -> None:
    """Its rows are counted there and nowhere else, the others where they were, and each cell has a name."""
    plain, finer = NumericBinning([0, 4, 5, 12]), NumericBinning([0, 4, 5, 12], apart=sorted(apart))
    counts = finer.count(values)
    assert counts.sum() == len(values)
    assert len(counts) == finer.n_cells == len(finer.cells) == len(finer.whole_cells)
    assert len(set(finer.cells)) == finer.n_cells
    for j, value in enumerate(sorted(apart)):
        cell = int(finer.cell_of(finer.apart)[j]) + 1 + j
        assert counts[cell] == values.count(value)
        assert finer.cells[cell] == f"= {value}"
    assert np.bincount(finer.whole_cells, counts).tolist() == plain.count(values).tolist()
    assert finer.whole == plain
    assert binning_from_dict(json.loads(json.dumps(finer.to_dict()))) == finer
    assert (finer == plain) == (not apart)


@pytest.mark.parametrize("bad", [[3, 3], [5, 3], [math.nan], [math.inf]])
def test_only_finite_values_in_order_can_be_set_apart(bad: list[float]) -> None:
    """And none where one cell takes every value."""
    for edges in ([0, 4, 12], []):
        with pytest.raises(BinningError, match="apart"):
            NumericBinning(edges, apart=bad)
    with pytest.raises(BinningError, match="apart"):
        NumericBinning([], apart=[3])


def test_values_below_and_above_can_be_set_apart() -> None:
    """What the bins do not reach is one cell, in which one value may become another."""
    binning = NumericBinning([0, 10], "integer", apart=[-999, 3, 99])
    assert binning.cells == (
        "below 0 without -999",
        "= -999",
        "0 … 9 without 3",
        "= 3",
        "10 and above without 99",
        "= 99",
        "missing",
    )
    assert binning.count([-999, -1, 3, 4, 99, 98, math.inf, math.nan]).tolist() == [1, 1, 1, 1, 2, 1, 1]


def test_many_values_set_apart_are_counted_in_the_name_of_the_rest() -> None:
    """The name of a cell stays short."""
    assert NumericBinning([0, 10], apart=[1, 2, 3]).cells[1] == "[0, 10) without 1, 2, 3"
    assert NumericBinning([0, 10], "integer", [1, 2, 3, 5]).cells[1] == "0 … 9 without 4 values"


def test_which_cells_are_shared() -> None:
    """A bin of one number has no room for another; below and above there is room. Where nothing is known none is."""
    asked = np.array([-1.0, 0, 1, 1.5, 2, 5, 6, math.inf, -math.inf])
    assert NumericBinning([0, 1, 2, 6], "integer").shared(asked).tolist() == [1, 0, 0, 0, 1, 1, 1, 1, 1]
    numbers = NumericBinning([0, math.nextafter(0, 1), 2])
    assert numbers.shared(asked).tolist() == [1, 0, 1, 1, 1, 1, 1, 1, 1]
    assert NumericBinning([1]).shared(asked).all()
    assert not NumericBinning([]).shared(asked).any()


def test_which_numbers_are_at_the_end() -> None:
    """The last value of the fit and those beyond, as far as the outermost bins reach; nowhere if edges were given."""
    asked = np.array([-6.0, -5, 0, 1, 94, 98, 99, math.inf, -math.inf])
    assert NumericBinning([-5, 1, 90, 99], seen=(0, 94)).at_the_end(asked).tolist() == [0, 1, 1, 0, 1, 1, 0, 0, 0]
    assert not NumericBinning([-5, 1, 90, 99]).at_the_end(asked).any()


LABELS = CategoricalBinning(("a", "b"), rare=("c", "d"))


@given(st.lists(st.sampled_from("abcdefg"), max_size=60), st.sets(st.sampled_from("cdefg")))
def test_labels_set_apart_leave_the_whole_as_it_was(rows: list[str], apart: set[str]) -> None:
    """Counted at once, or moved out of other and unseen afterwards: the same cells, and together the same rows."""
    finer = replace(LABELS, apart=tuple(sorted(apart)))
    counts = finer.count_labels(rows, [1] * len(rows), 3)
    moved = finer.set_apart(LABELS.count_labels(rows, [1] * len(rows), 3), [rows.count(x) for x in finer.apart])
    assert counts.tolist() == moved.tolist()
    whole = np.zeros(LABELS.n_cells, np.int64)
    np.add.at(whole, finer.whole_cells, counts)
    assert whole.tolist() == LABELS.count_labels(rows, [1] * len(rows), 3).tolist()
    assert finer.whole == LABELS
    assert binning_from_dict(json.loads(json.dumps(finer.to_dict()))) == finer
    assert len(finer.cells) == finer.n_cells == len(set(finer.cells))


def test_a_level_cannot_be_set_apart() -> None:
    """It has its cell."""
    with pytest.raises(BinningError, match="twice"):
        CategoricalBinning(("a",), apart=("a",))


def test_a_long_label_is_kept_short_and_is_no_other() -> None:
    """Unless the binning holds it anyway."""
    one, other = "x" * 5000 + "1", "x" * 5000 + "2"
    short = LABELS.written(one)
    assert len(short) < 220
    assert short != LABELS.written(other)
    assert CategoricalBinning(("a",), rare=(one,)).written(one) == one
    assert LABELS.written("x" * 200) == "x" * 200
