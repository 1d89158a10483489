"""Twin of `drift.profiles.pairs`."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.numerals import Notation
from drift.profiles.pairs import COARSE, FINE, Pairs, PairTally, choose, coarse
from drift.profiles.sampling import kept
from tests.support.laws import examples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from drift.profiles.binning import Binning
    from drift.profiles.kinds import Scale
    from drift.profiles.pairs import Coarse

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


# --- counting pairs

CELLS: dict[str, Coarse] = {
    "origin": coarse(CategoricalBinning(("JFK", "EWR")), FINE),
    "delay": coarse(numbers([0, 10, 20, 30])),
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


def split(batch: pa.RecordBatch, cuts: list[int]) -> list[pa.RecordBatch]:
    """Cut a batch into several, some of them empty."""
    bounds = [0, *sorted(min(cut, batch.num_rows) for cut in cuts), batch.num_rows]
    return [batch.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


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
@given(st.integers(0, 9000), st.integers(1, 3000), st.lists(st.integers(0, 9000), max_size=6))
def test_pairs_do_not_depend_on_how_a_stream_is_cut(n: int, limit: int, cuts: list[int]) -> None:
    """The same rows are sampled, those that `kept` names, and of all columns the same."""
    batch = rows(n)
    whole, cut = counted([batch], limit), counted(split(batch, cuts), limit)
    assert whole == cut
    stride = next(1 << k for k in range(20) if len(kept(0, n, 1 << k)) <= limit)
    assert whole == counted([batch.take(pa.array(kept(0, n, stride), pa.int64()))])


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
    tally = PairTally({**CELLS, "delay": coarse(numbers([0, 10, 20, 31]))})
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


def test_what_may_explain_comes_first_and_identifiers_not_at_all() -> None:
    """Columns that segments are cut by, then features of few labels; a person may name others, or none."""
    some, many = tuple(f"l{i}" for i in range(24)), tuple(f"l{i}" for i in range(25))
    known: dict[str, Binning] = {
        "number": numbers(range(9)),
        "some": CategoricalBinning(some),
        "many": CategoricalBinning(many),
        "rather": CategoricalBinning(some[:20], some[20:]),
        "id": CategoricalBinning(many, None),
        "text": CategoricalBinning(many, ("x",), vocabulary=Vocabulary(100, 60, 3, 1)),
        "flag": BOOLEAN,
    }
    cut: dict[str, Binning] = {"flag": CategoricalBinning(("a",), None), "zone": CategoricalBinning(("a",), None)}
    found = choose(known, cut)
    assert [(name, cells.most == FINE) for name, cells in found.items()] == [
        ("flag", True),
        ("zone", True),
        ("some", True),
        ("rather", True),
        ("number", False),
        ("many", False),
    ]
    assert found["flag"].binning == BOOLEAN
    assert list(choose(known, cut, ["id", "number", "gone"]))[:3] == ["id", "number", "flag"]
    assert choose(known, cut, []) == {}
    flags = {f"f{i}": BOOLEAN for i in range(20)}
    assert [cells.most for cells in choose(flags).values()] == [FINE] * 12 + [COARSE] * 8


def test_texts_of_several_dictionaries_are_sampled_as_one() -> None:
    """Batches with dictionaries of their own, more than the limit, however much memory they take."""
    parts = [pa.array(labels * 40).dictionary_encode() for labels in (["EWR", "JFK"], ["SFO", "EWR"], [None, "JFK"])]
    encoded = [pa.record_batch({"origin": part}) for part in parts]
    plain = [pa.record_batch({"origin": part.dictionary_decode()}) for part in parts]
    assert counted(encoded, 100).margin("origin").tolist() == counted(plain, 100).margin("origin").tolist()


def test_a_column_that_cannot_be_read_is_left_out() -> None:
    """Lists, a column that turns into text or goes: the other pairs stand."""
    batch = rows(50)
    expected = counted([batch, batch]).restricted(["origin", "late"])
    for other in (pa.array([[1]] * 50), pa.array(["x"] * 50)):
        changed = batch.set_column(batch.schema.get_field_index("delay"), "delay", other)
        assert counted([batch, changed]) == counted([changed, batch]) == expected
    assert counted([batch, batch.drop_columns(["delay"])]) == expected
    assert counted([batch, batch.rename_columns(["late", "delays", "origin", "ignored"])]) == expected


def test_columns_may_change_their_place_and_encoding_between_batches() -> None:
    """Names say what a column is; a dictionary is what its values are."""
    batch = rows(50)
    turned = batch.select(batch.schema.names[::-1])
    encoded = turned.set_column(1, "origin", turned.column("origin").dictionary_encode())
    assert counted([batch, turned, encoded]) == counted([batch] * 3)


def test_no_rows_are_pairs_of_nothing() -> None:
    """Counts of 0, and a sum with others is the others."""
    assert counted([]).n_rows == counted([rows(0)]).n_rows == 0
    assert counted([]) + counted([rows(9)]) == counted([rows(9)])
    assert PairTally({}).pairs().counts.shape == (0, 0)


def test_counts_that_do_not_fit_the_columns_are_refused() -> None:
    """The matrix has a row and a column for every cell."""
    with pytest.raises(BinningError, match="pairs of 4 cells"):
        Pairs({"late": CELLS["late"]}, 1, np.zeros((3, 3), np.int64))
