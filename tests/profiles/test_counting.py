"""Counting: whatever a window holds, every row of it ends in a cell, however it is streamed."""

from __future__ import annotations

import itertools
import math
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.binning import CHUNK, Binning, CategoricalBinning, NumericBinning
from drift.profiles.counting import Tally, count, count_numbers
from drift.profiles.fitting import FitOptions, fit
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.windows import Window
from tests.support.laws import examples

DATA = Path(__file__).parents[2] / "data"

law = examples(60)

BINNING = NumericBinning([0, 1, 2])
WINDOW = Window(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))

awkward = st.floats() | st.none()


def rows(**columns: Any) -> pa.RecordBatch:
    """Build one batch of rows."""
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def split(batch: pa.RecordBatch, cuts: list[int]) -> list[pa.RecordBatch]:
    """Cut one batch into several, some of them empty."""
    bounds = [0, *sorted(min(cut, batch.num_rows) for cut in cuts), batch.num_rows]
    return [batch.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


# --- one window, counted


@law
@given(
    st.lists(
        st.tuples(awkward, st.none() | st.sampled_from(["a", "b", "c", "new", ""]), st.none() | st.booleans()),
        max_size=60,
    ),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_any_split_into_batches_counts_the_same(values: list[tuple[Any, Any, Any]], cuts: list[int]) -> None:
    """Counts do not depend on how a window is streamed, and each histogram sums to the rows."""
    number, label, flag = (list(column) for column in zip(*values, strict=True)) if values else ([], [], [])
    batch = pa.record_batch(
        {
            "number": pa.array(number, pa.float64()),
            "label": pa.array(label, pa.string()),
            "flag": pa.array(flag, pa.bool_()),
        }
    )
    binnings: dict[str, Binning] = {
        "number": NumericBinning([-1, 0, 1e300]),
        "label": CategoricalBinning(("a",), ("b", "c")),
        "flag": CategoricalBinning(("false", "true")),
    }
    whole, parts = count([batch], binnings), count(split(batch, cuts), binnings)
    assert parts.histograms == whole.histograms
    assert parts.n_rows == whole.n_rows == len(values)
    assert {h.n for h in parts.histograms.values()} == {len(values)}
    assert not parts.problems
    assert parts.summaries["number"].n == whole.summaries["number"].n


def test_every_row_counts_and_nothing_is_dropped() -> None:
    """Null, NaN, infinities, unseen labels: each is in a cell, as the blizzard *is* its nulls."""
    batch = rows(
        delay=pa.array([3.0, None, math.nan, math.inf, -math.inf, 1e9], pa.float64()),
        carrier=["UA", None, "XX", "UA", "B6", ""],
    )
    binnings: dict[str, Binning] = {"delay": NumericBinning([0, 10]), "carrier": CategoricalBinning(("UA",), ("B6",))}
    profile = count([batch], binnings, window=WINDOW)
    assert profile.window == WINDOW
    assert profile.histograms["delay"].counts.tolist() == [1, 1, 2, 2]
    assert profile.histograms["carrier"].counts.tolist() == [2, 1, 2, 1]
    assert profile.summaries["delay"].infinite == 2
    assert "carrier" not in profile.summaries


def test_a_column_that_vanished_is_a_problem_not_a_zero() -> None:
    """A missing column is recorded in words, and the others count."""
    profile = count([rows(x=[1.0, 2.0])], {"x": NumericBinning([0]), "gone": NumericBinning([0])})
    assert dict(profile.problems) == {"gone": "column missing"}
    assert list(profile.histograms) == ["x"]


def test_a_column_that_comes_and_goes_is_a_problem() -> None:
    """Where only some of a window's files have it, the message says how many rows do."""
    for batches in ([rows(x=[1], y=[1]), rows(x=[1, 2])], [rows(x=[1, 2]), rows(x=[1], y=[1])]):
        profile = count(batches, {"x": NumericBinning([0]), "y": NumericBinning([0])})
        assert profile.problems["y"] == "column missing in part of the window: 1 of 3 rows have it"
        assert list(profile.histograms) == ["x"]


def test_a_column_that_appeared_is_in_the_schema() -> None:
    """A new column has no binning and so no count, but the profile knows it, for the finding."""
    schema = {"x": "int64", "new": "string"}
    profile = count([rows(x=[1])], {"x": NumericBinning([0])}, schema=schema)
    assert profile.schema == schema
    assert count([rows(x=[1], new=["a"])], {"x": NumericBinning([0])}).schema == schema


@pytest.mark.parametrize(
    ("binning", "column", "kind"),
    [
        (NumericBinning([0, 1]), pa.array(["a"]), "numeric"),
        (NumericBinning([0, 1]), pa.array([datetime(2013, 2, 8, tzinfo=UTC)]), "numeric"),
        (NumericBinning([0, 1], "timestamp"), pa.array([1]), "datetime"),
        (NumericBinning([0, 1]), pa.array([[1]]), "numeric"),
        (CategoricalBinning(("a",)), pa.array([["a"]]), "categorical"),
        (CategoricalBinning(("a",)), pa.array([b"a"]), "categorical"),
    ],
)
def test_a_column_of_another_type_is_a_problem(binning: Binning, column: Any, kind: str) -> None:
    """The message says what the reference had and what there is now; nothing is counted."""
    profile = count([pa.record_batch({"x": column})], {"x": binning})
    assert profile.problems["x"] == f"type changed: {kind} in the reference, {column.type} now"
    assert dict(profile.histograms) == {}


def test_a_column_that_changes_type_within_the_window_is_a_problem() -> None:
    """Half a window of numbers and half of text is no count of numbers, whichever came first."""
    parts = [rows(x=[1.0, 2.0]), rows(x=["a", "b"])]
    for batches in (parts, parts[::-1]):
        profile = count(batches, {"x": NumericBinning([0])})
        assert "type changed" in profile.problems["x"]
        assert dict(profile.histograms) == {}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2], pa.int16()),
        pa.array([1.0, 2.0], pa.float32()),
        pa.array([1, 2], pa.uint64()),
        pa.array(["1", "2"]),
    ],
)
def test_codes_count_alike_in_every_width(column: Any) -> None:
    """Categories written as 1 and 2 are the same cells whatever type pandas, CSV or SQL gave them."""
    binning = CategoricalBinning(("1", "2"))
    assert count([pa.record_batch({"x": column})], {"x": binning}).histograms["x"].counts.tolist() == [1, 1, 0, 0, 0]


def test_dates_and_timestamps_are_not_mixed_up() -> None:
    """A date column that comes as timestamps is counted on the same days, or is a problem; never all *above*."""
    days = [date(2013, 1, 1) + timedelta(days=i) for i in range(100)]
    as_dates = pa.array(days)
    as_timestamps = as_dates.cast(pa.timestamp("us"))
    for before, after in ((as_dates, as_timestamps), (as_timestamps, as_dates)):
        binnings, _ = fit([pa.record_batch({"x": before})], {"x": FitOptions()})
        profile = count([pa.record_batch({"x": after})], binnings)
        same = count([pa.record_batch({"x": before})], binnings)
        assert "x" in profile.problems or profile.histograms["x"] == same.histograms["x"]


def test_an_all_null_window_is_all_missing() -> None:
    """Typed or untyped nulls fill the missing cell: that is drift, not an error."""
    for column in (pa.nulls(4), pa.nulls(4, pa.float64()), pa.nulls(4, pa.int16())):
        profile = count([pa.record_batch({"x": column})], {"x": BINNING})
        assert profile.histograms["x"].counts.tolist() == [0, 0, 0, 0, 4]
        assert profile.summaries["x"] == Summary()


def test_an_empty_window() -> None:
    """No rows: histograms of zeros, no problem invented, unless the source is known to lack the column."""
    for batches in ([], [pa.record_batch({"x": pa.array([], pa.float64())})]):
        profile = count(batches, {"x": BINNING})
        assert (profile.n_rows, dict(profile.problems)) == (0, {})
        assert profile.histograms["x"] == Histogram.empty(BINNING)
    assert count([], {"x": BINNING}, schema={"y": "int64"}).problems == {"x": "column missing"}


def test_one_row() -> None:
    """A window of one row is counted like any other."""
    profile = count([rows(x=[0.5])], {"x": BINNING})
    assert profile.histograms["x"].counts.tolist() == [0, 1, 0, 0, 0]
    assert profile.summaries["x"].std is None


def test_names_of_every_sort() -> None:
    """Blanks, quotes, brackets, unicode and SQL in a name are only a name."""
    names = ["a b", "it's", 'x"y', "x[0]", "*", "größe", "x; DROP TABLE y", ""]
    profile = count([rows(**{name: [0.5, None] for name in names})], dict.fromkeys(names, BINNING))
    assert {name: h.counts.tolist() for name, h in profile.histograms.items()} == {
        name: [0, 1, 0, 0, 1] for name in names
    }


def test_dropping_nulls_would_lose_the_blizzard() -> None:
    """On 2013-02-08 half of the departures have no delay at all: the missing cell holds them."""
    flights = pq.read_table(DATA / "flights.parquet", columns=["flight_date", "dep_delay"])
    day = flights.filter(pa.compute.equal(flights["flight_date"], date(2013, 2, 8)))
    profile = count(day.to_batches(), {"dep_delay": NumericBinning([-5, 0, 15, 60], "integer")})
    histogram = profile.histograms["dep_delay"]
    assert (profile.n_rows, histogram.n, histogram.n_missing) == (930, 930, 472)


def test_a_profile_without_features() -> None:
    """Nothing to count is a profile that still knows its rows."""
    assert count([rows(x=[1, 2])], {}) == Profile(None, 2, {}, {}, {"x": "int64"}, {})


# --- what recurs


@law
@given(
    st.lists(st.integers(0, 12) | st.floats(0, 12) | st.none(), max_size=80), st.lists(st.integers(0, 80), max_size=5)
)
def test_what_recurs_does_not_depend_on_cuts_or_order(values: list[float | None], cuts: list[int]) -> None:
    """Up to a chunk of rows the atoms are exact, whatever the order of the rows; sums differ in their rounding."""
    binnings = {"x": NumericBinning([0, 4, 5, 13], "number")}
    batch = pa.record_batch({"x": pa.array(values, pa.float64())})
    backwards = pa.record_batch({"x": pa.array(values[::-1], pa.float64())})
    whole = count([batch], binnings)
    assert count(split(batch, cuts), binnings) == whole
    turned = count(split(backwards, cuts), binnings)
    assert turned.histograms == whole.histograms
    assert astuple(turned.summaries["x"]) == pytest.approx(astuple(whole.summaries["x"]))
    atoms = whole.histograms["x"].atoms
    assert atoms is not None
    present = [value for value in values if value is not None]
    for value, n in zip(atoms.values.tolist(), atoms.rows.tolist(), strict=True):
        assert n == present.count(value) >= 2
    assert {value for value in present if present.count(value) > atoms.bound} == {*atoms.values.tolist()}


def test_a_long_window_counts_alike_however_it_is_cut() -> None:
    """Chunks are cut where so many rows are full, not where the batches end; what recurs is told from a sample."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random(3 * CHUNK + 17) < 0.01, 0.3, np.round(rng.normal(size=3 * CHUNK + 17), 3))
    column = pa.array(values, mask=rng.random(len(values)) < 0.02)
    batch = pa.record_batch({"x": column})
    binnings = {"x": NumericBinning([-1, 0, 1])}
    whole = count([batch], binnings)
    for cuts in ([], [1, 70_000], list(range(0, len(values), 5000)), [CHUNK, 2 * CHUNK]):
        assert count(split(batch, cuts), binnings) == whole
    atoms = whole.histograms["x"].atoms
    assert atoms is not None
    held = int((column.drop_null().to_numpy() == 0.3).sum())
    rows, most = atoms.rows_of([0.3])
    assert rows[0] == pytest.approx(held, rel=0.15)
    assert held <= most[0]


def test_numbers_in_memory_count_like_a_stream() -> None:
    """`count_numbers` is `count` of one column."""
    values = np.append(np.round(np.random.default_rng(0).normal(size=1000), 1), [np.nan, np.inf])
    streamed = count([rows(x=pa.array(values))], {"x": BINNING}).histograms["x"]
    assert count_numbers(BINNING, values) == streamed
    assert streamed.counts.tolist() == BINNING.count(values).tolist()


def test_nothing_is_sought_where_no_bin_could_hide_it() -> None:
    """Values with a bin of their own are in sight anyway; below and above there may be many."""
    binning = NumericBinning([0, 1, 2, 5], "integer")
    atoms = count_numbers(binning, [0, 0, 1, 1, 3, 3, 9, 9, -4, -4]).atoms
    assert atoms is not None
    assert atoms.values.tolist() == [-4.0, 3.0, 9.0]


def test_infinity_and_signed_zero_are_counted_once() -> None:
    """Infinite values are no atoms, and -0.0 is 0.0."""
    atoms = count_numbers(NumericBinning([-1, 1]), [math.inf] * 3 + [-math.inf] * 3 + [-0.0, 0.0, -0.0]).atoms
    assert atoms is not None
    assert atoms.values.tolist() == [0.0]
    assert not np.signbit(atoms.values[0])
    assert atoms.rows.tolist() == [3]


# --- pushed, segment by segment


@law
@given(
    st.lists(
        st.tuples(st.integers(0, 2), awkward, st.none() | st.sampled_from(["a", "b", "c", "new", ""])), max_size=60
    ),
    st.lists(st.integers(0, 60), max_size=5),
    st.sampled_from(["plain", "encoded"]),
)
def test_segments_counted_in_one_pass_sum_to_the_whole(
    values: list[tuple[int, Any, Any]], cuts: list[int], texts: str
) -> None:
    """A tally for each segment gets its rows of every batch: each is its own count, and in every cell they add up."""
    segment, number, label = (list(column) for column in zip(*values, strict=True)) if values else ([], [], [])
    labels = pa.array(label, pa.string())
    batch = pa.record_batch(
        {
            "number": pa.array(number, pa.float64()),
            "label": labels.dictionary_encode() if texts == "encoded" else labels,
            "segment": pa.array(segment, pa.int64()),
        }
    )
    binnings: dict[str, Binning] = {"number": NumericBinning([-1, 0, 1e300]), "label": CategoricalBinning(("a",))}
    tallies = [Tally(binnings) for _ in range(3)]
    for part in split(batch, cuts):
        for i, tally in enumerate(tallies):
            tally.add(part.filter(pa.compute.equal(part["segment"], i)))
    profiles = [tally.profile() for tally in tallies]
    for i, profile in enumerate(profiles):
        assert profile == count([batch.filter(pa.compute.equal(batch["segment"], i))], binnings)
    whole = count([batch], binnings)
    for name in binnings:
        parts = [profile.histograms[name].counts for profile in profiles]
        assert np.sum(parts, axis=0).tolist() == whole.histograms[name].counts.tolist()


@pytest.mark.parametrize("size", [1, 7, 300, 5000])
def test_a_tally_that_holds_little_counts_the_same(size: int) -> None:
    """Whatever it may hold, and however small its batches are: the same cells, and a bound on what recurs."""
    rng = np.random.default_rng(0)
    n = 20_000 if size > 10 else 3000
    table = pa.table(
        {
            "number": pa.array(np.where(rng.random(n) < 0.1, 0.5, rng.normal(size=n)), mask=rng.random(n) < 0.1),
            "label": pa.array(rng.choice(["a", "b", "c"], n), mask=rng.random(n) < 0.1),
        }
    )
    binnings: dict[str, Binning] = {"number": BINNING, "label": CategoricalBinning(("a",), ("b",))}
    tally = Tally(binnings, held=1000)
    for batch in table.to_batches(max_chunksize=size):
        tally.add(batch)
    profile, whole = tally.profile(), count(table.to_batches(), binnings)
    for name in binnings:
        assert profile.histograms[name].counts.tolist() == whole.histograms[name].counts.tolist()
    assert astuple(profile.summaries["number"]) == pytest.approx(astuple(whole.summaries["number"]))
    atoms = profile.histograms["number"].atoms
    assert atoms is not None
    held = int((table["number"].to_numpy() == 0.5).sum())
    assert held <= atoms.rows_of([0.5])[1][0]


def test_a_tally_keeps_no_batch_alive() -> None:
    """What waits to be counted is a copy: a few rows of each batch do not hold the whole of it in memory."""
    tally = Tally({"x": BINNING, "y": CategoricalBinning(("a",))})
    held = pa.total_allocated_bytes()  # by tests before this one
    batch = pa.record_batch({"x": np.zeros(1 << 20), "y": pa.array(["a long label"] * (1 << 20))})
    before = pa.total_allocated_bytes()
    tally.add(batch.slice(5, 100))
    assert pa.total_allocated_bytes() - before < 10_000
    del batch
    assert pa.total_allocated_bytes() - held < 1 << 20
    assert tally.profile().n_rows == 100


def test_the_words_for_several_types_are_the_reason() -> None:
    """What the source knows of a column's types, a file too, is told; where it does not name that type, the type."""
    told = "int64 and string (b.parquet)"
    batches = [rows(x=[1, 2]), rows(x=["one"])]
    found = count(batches, {"x": BINNING}, schema={"x": told})
    assert found.problems == {"x": f"type changed: numeric in the reference, {told} now"}
    found = count(batches, {"x": BINNING}, schema={"x": "int64"})
    assert found.problems == {"x": "type changed: numeric in the reference, string now"}


def test_a_schema_says_what_may_be_a_feature() -> None:
    """Columns that are read for another purpose are none of the window's columns; without a schema all are."""
    assert count([rows(x=[1], hour=[7])], {"x": BINNING}, schema={"x": "int64"}).schema == {"x": "int64"}
    assert set(count([rows(x=[1], hour=[7])], {"x": BINNING}).schema) == {"x", "hour"}


def test_dictionaries_are_what_they_hold() -> None:
    """How a column is encoded is no type that could change."""
    batch = pa.record_batch({"x": pa.array(["a"]).dictionary_encode()})
    assert count([batch], {"x": BINNING}).problems == {"x": "type changed: numeric in the reference, string now"}
    assert count([batch], {}).schema == {"x": "string"}
