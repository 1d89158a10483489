"""Twin of `drift.profiles.coarse_cells`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import COARSE, FINE, coarse
from drift.profiles.numerals import Notation
from tests.support.laws import examples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from drift.profiles.binning import Binning
    from drift.profiles.kinds import Scale

law = examples(60)


def numbers(edges: ArrayLike, scale: Scale = "number", apart: ArrayLike = (), **more: Any) -> NumericBinning:
    """Build bins of numbers."""
    return NumericBinning(np.asarray(edges, np.float64), scale, np.asarray(apart, np.float64), **more)


@st.composite
def numeric_binnings(draw: st.DrawFn) -> NumericBinning:
    """Bins of any number, some of one value, some set apart; and none."""
    steps = draw(st.lists(st.sampled_from([1, 2, 10]), max_size=40))
    edges = np.cumsum([draw(st.integers(-60, 10)), *steps]).astype(float) if steps else np.empty(0)
    scales: list[Scale] = ["number", "integer", "date"]
    scale = draw(st.sampled_from(scales))
    some = len(edges) > 1 and scale == "number"
    single = draw(st.sets(st.integers(0, max(len(edges) - 2, 0)), max_size=6)) if some else set()
    edges = np.unique(np.concatenate([edges, [np.nextafter(edges[i], np.inf) for i in single]]))
    apart = draw(st.sets(st.integers(-100, 400), max_size=3)) if len(edges) else set()
    return numbers(edges, scale, sorted(apart))


@st.composite
def label_binnings(draw: st.DrawFn) -> CategoricalBinning:
    """Labels of any number; rare ones, none, or too many to know."""
    n = draw(st.integers(0, 40))
    rare = draw(st.sampled_from([None, (), ("r1", "r2")]))
    return CategoricalBinning(tuple(f"l{i}" for i in range(n)), rare, apart=draw(st.sampled_from([(), ("x",)])))


binnings = st.one_of(numeric_binnings(), label_binnings(), st.just(BOOLEAN))


# --- coarse cells


@law
@given(binnings, st.integers(3, FINE))
def test_coarse_cells_part_all_cells_in_order_and_missing_is_alone(binning: Binning, most: int) -> None:
    """No more than asked for, each named and with a cell of its binning, in the binning's order."""
    cells = coarse(binning, most)
    assert 1 < cells.n_cells <= most
    assert len(cells.of_cell) == binning.whole.n_cells
    assert sorted(set(cells.of_cell.tolist())) == list(range(cells.n_cells))
    assert np.flatnonzero(cells.of_cell == cells.n_cells - 1).tolist() == [binning.whole.missing]
    assert len(set(cells.names)) == cells.n_cells
    if isinstance(binning, NumericBinning):
        assert (np.diff(cells.of_cell) >= 0).all()


@law
@given(binnings)
def test_coarse_cells_are_merged_from_fine_ones(binning: Binning) -> None:
    """Each fine cell lies in one coarse cell, so that a fine table can be merged to a coarse one."""
    fine, few = coarse(binning, FINE), coarse(binning, COARSE)
    assert len(set(zip(fine.of_cell.tolist(), few.of_cell.tolist(), strict=True))) == fine.n_cells


@law
@given(binnings, st.sampled_from([COARSE, FINE]))
def test_coarse_cells_depend_on_the_whole_binning_alone(binning: Binning, most: int) -> None:
    """A value that is set apart for a comparison changes nothing; the number of cells does."""
    assert coarse(binning, most) == coarse(binning.whole, most)
    assert hash(coarse(binning, most)) == hash(coarse(binning.whole, most))
    assert coarse(binning, most) != coarse(binning, 5)


def test_neighbouring_bins_are_merged_evenly() -> None:
    """Ten quantile bins become seven cells of one or two bins, below and above them apart."""
    cells = coarse(numbers(np.arange(11.0)))
    inner = ("[0, 1)", "[1, 3)", "[3, 4)", "[4, 6)", "[6, 7)", "[7, 9)", "[9, 10)")
    assert cells.names == ("below 0", *inner, "10 and above", "missing")
    assert coarse(numbers(np.arange(11.0)), 3).names == ("below 5", "5 and above", "missing")


def test_a_value_with_a_bin_of_its_own_stays_apart() -> None:
    """No rain is a cell, and so is what lies below it, which never was; the other bins share what is left."""
    edges = np.array([0, np.nextafter(0, 1), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    cells = coarse(numbers(edges), 8)
    inner = ("(0, 0.2)", "[0.2, 0.4)", "[0.4, 0.6)", "[0.6, 0.8)")
    assert cells.names == ("below 0", "= 0", *inner, "0.8 and above", "missing")
    assert cells.bounds(1) == (0, np.nextafter(0, 1))


def test_of_many_single_values_zero_stays_apart() -> None:
    """Where there is no room for each, the other bins are merged evenly."""
    cells = coarse(numbers(np.arange(-4.0, 8), "integer"), 8)
    inner = ("-4 … -3", "-2 … -1", "= 0", "1 … 3", "4 … 6")
    assert cells.names == ("below -4", *inner, "7 and above", "missing")


@pytest.mark.parametrize(
    ("rare", "names"),
    [
        ((), ("a", "b", "c", "d", "e", "other", "unseen", "missing")),
        (("r",), ("a", "b", "c", "d", "e", "other", "unseen", "missing")),
        (None, ("a", "b", "c", "d", "e", "f", "other", "missing")),
    ],
)
def test_the_first_levels_stay_and_unseen_is_news(rare: tuple[str, ...] | None, names: tuple[str, ...]) -> None:
    """Later levels go with other; unseen is a cell but of an identifier, which always has new labels."""
    assert coarse(CategoricalBinning(tuple("abcdefg"), rare), 8).names == names


def test_labels_that_all_have_a_cell_need_no_other() -> None:
    """Six levels, unseen and missing are eight cells; a boolean has four."""
    assert coarse(CategoricalBinning(tuple("abcdef"))).names == (*"abcdef", "unseen", "missing")
    assert coarse(BOOLEAN).names == ("false", "true", "unseen", "missing")
    assert coarse(CategoricalBinning(("other", "b"))).names == ("'other'", "b", "unseen", "missing")


def test_cells_say_which_values_are_theirs() -> None:
    """Numbers by their bounds, labels by their names, and which cell takes a label that nobody knows."""
    few = coarse(CategoricalBinning(tuple("abcde"), ("r",)), 5)
    assert [few.labels(cell) for cell in range(5)] == [("a",), ("b",), ("c", "d", "e", "r"), (), ()]
    assert few.other == 3
    assert few.bounds(0) == (None, None)
    assert coarse(CategoricalBinning(("a",), None)).other == 1
    whole = coarse(numbers([]))
    assert whole.labels(0) == ()
    assert whole.other is None
    assert whole.names == ("any value", "missing")


@pytest.mark.parametrize("most", [2, 256])
def test_too_few_or_too_many_cells_are_refused(most: int) -> None:
    """A message says how many there may be."""
    with pytest.raises(BinningError, match=f"{most} coarse cells.*take 3 to 255"):
        coarse(BOOLEAN, most)


# --- codes of rows

MOMENT = datetime(2013, 2, 8, tzinfo=UTC)

COLUMNS: list[tuple[Binning, pa.Array[Any]]] = [
    (numbers(np.arange(12.0)), pa.array([-5, 3.5, None, float("nan"), float("inf"), -float("inf"), 11.0])),
    (numbers(np.arange(12.0)), pa.array([None, None], pa.float64())),
    (numbers(np.arange(12.0)), pa.nulls(3)),
    (numbers([]), pa.array([1, None, 2])),
    (numbers(np.arange(12.0), "integer"), pa.array([1, None, 2, 99]).dictionary_encode()),
    (numbers(np.arange(12.0), notation=Notation(",", ".")), pa.array(["1,5", None, " ", "1.200"])),
    (numbers(np.arange(12.0)), pa.array([Decimal("1.10"), None, Decimal("7.00")])),
    (numbers([15_000, 16_000, 17_000], "date"), pa.array([date(2013, 2, 8), None, date(1970, 1, 1)])),
    (numbers([1.3e9, 1.4e9, 1.5e9], "timestamp"), pa.array([MOMENT, None])),
    (numbers(np.arange(3.0)), pa.array([True, None, False])),
    (BOOLEAN, pa.array([True, None, False])),
    (BOOLEAN, pa.array([0, 1, None, 2])),
    (CategoricalBinning(("3", "4")), pa.array([3.0, None, 4.0, float("nan"), 5.5])),
    (CategoricalBinning(("a", "b"), ("c",)), pa.array(["a", None, "b", "c", "d"])),
    (CategoricalBinning(("a", "b"), None), pa.array(["a", None, "b", "c", "d"]).dictionary_encode()),
    (CategoricalBinning(()), pa.array([None, "x"])),
]


@pytest.mark.parametrize(("binning", "column"), COLUMNS)
@pytest.mark.parametrize("most", [COARSE, FINE])
def test_codes_of_rows_are_the_merged_counts(binning: Binning, column: pa.Array[Any], most: int) -> None:
    """Row by row, a part of the column too: whatever its type, the cells are those the histogram counts."""
    cells = coarse(binning, most)
    codes = cells.codes(column)
    assert len(codes) == len(column)
    assert np.bincount(codes, minlength=cells.n_cells).tolist() == cells.merge(binning.count_arrow(column)).tolist()
    assert [cells.codes(column[i : i + 1])[0] for i in range(len(column))] == codes.tolist()
    assert cells.codes(column[1:]).tolist() == codes[1:].tolist()


def test_hashed_labels_are_coded_as_their_hashes() -> None:
    """A salted binning knows no label by its name."""
    plain = CategoricalBinning(("JFK", "EWR"), salt="pepper")
    hashed = CategoricalBinning(tuple(plain.named(["JFK", "EWR"])), salt="pepper")
    assert coarse(hashed).codes(pa.array(["EWR", "JFK", "SFO"])).tolist() == [1, 0, 2]
