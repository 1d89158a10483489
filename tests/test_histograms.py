"""Twin of `drift.histograms`."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.binning import Binning, CategoricalBinning, NumericBinning
from drift.errors import BinningError, BinningMismatch
from drift.fitting import FitOptions, fit, fit_numeric
from drift.histograms import Histogram, Profile, Summary, count
from drift.windows import Window

DATA = Path(__file__).parent.parent / "data"

law = settings(deadline=None, max_examples=60)

BINNING = NumericBinning([0, 1, 2])
WINDOW = Window(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))

histograms = st.lists(st.integers(0, 10**12), min_size=5, max_size=5).map(lambda counts: Histogram(BINNING, counts))
numbers = st.floats(-1e100, 1e100)
awkward = st.floats() | st.none()


def rows(**columns: Any) -> pa.RecordBatch:
    """Build one batch of rows."""
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def split(batch: pa.RecordBatch, cuts: list[int]) -> list[pa.RecordBatch]:
    """Cut one batch into several, some of them empty."""
    bounds = [0, *sorted(min(cut, batch.num_rows) for cut in cuts), batch.num_rows]
    return [batch.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


# --- histograms add up


@law
@given(histograms, histograms, histograms)
def test_merging_is_associative_and_commutative(a: Histogram, b: Histogram, c: Histogram) -> None:
    """Windows merge in any order and grouping; the empty histogram changes nothing."""
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Histogram.empty(BINNING) == a
    assert (a + b).n == a.n + b.n
    assert (a + b).n_missing == a.n_missing + b.n_missing
    assert hash(a + b) == hash(b + a)


@pytest.mark.parametrize(
    "other", [NumericBinning([0, 1, 3]), NumericBinning([0, 1, 2], "integer"), CategoricalBinning(("a", "b"))]
)
def test_histograms_of_different_binnings_do_not_merge(other: Binning) -> None:
    """Even with as many cells: the message names both fingerprints and says what to do."""
    with pytest.raises(BinningMismatch, match=rf"{BINNING.fingerprint} and {other.fingerprint}.*under one binning"):
        _ = Histogram.empty(BINNING) + Histogram.empty(other)
    assert Histogram.empty(BINNING) != Histogram.empty(other)


@pytest.mark.parametrize("counts", [[1, 2, 3], [1] * 6, [0, 0, -1, 0, 0], [[1] * 5]])
def test_counts_that_do_not_fit_are_refused(counts: list[int]) -> None:
    """One count a cell, none negative."""
    with pytest.raises(BinningError, match="5 cells needs as many counts ≥ 0"):
        Histogram(BINNING, counts)


@pytest.mark.parametrize("counts", [[0.5, 0.5, 0, 0, 0], [0.9] * 5, [math.nan] * 5])
def test_shares_are_no_counts(counts: list[float]) -> None:
    """Fractions are refused, not cut down to silent zeros."""
    with pytest.raises(BinningError):
        Histogram(BINNING, counts)


def test_a_histogram_is_frozen() -> None:
    """Neither the caller's array nor the histogram's own can be changed afterwards."""
    mine = np.ones(5, np.int64)
    histogram = Histogram(BINNING, mine)
    mine[:] = 7
    assert histogram.n == 5
    with pytest.raises(ValueError, match="read-only"):
        histogram.counts[0] = 9


def test_shares() -> None:
    """They sum to one, missing included, and are zero where there are no rows."""
    assert Histogram(BINNING, [0, 1, 2, 0, 1]).shares.tolist() == [0, 0.25, 0.5, 0, 0.25]
    assert Histogram.empty(BINNING).shares.tolist() == [0] * 5


# --- quantiles


@law
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.data())
def test_a_quantile_is_in_the_bin_of_the_true_one(values: list[float], data: st.DataObject) -> None:
    """Interpolation errs by no more than the width of the bin that holds the true quantile."""
    rank = data.draw(st.integers(0, len(values) - 1))
    binning = fit_numeric(values)
    found = Histogram(binning, binning.count(values)).quantile((rank + 0.5) / len(values))
    cell = int(np.argmax(binning.count([sorted(values)[rank]])))
    assert found is not None
    assert binning.edges[cell - 1] - 1e-9 <= found <= binning.edges[cell] + 1e-9


def test_quantiles_are_near_numpy_s_on_real_delays() -> None:
    """On a year of departure delays, quartiles and median come within two minutes."""
    delays = pq.read_table(DATA / "flights.parquet", columns=["dep_delay"])["dep_delay"].combine_chunks()
    binning = fit([pa.record_batch({"x": delays})], {"x": FitOptions()})[0]["x"]
    histogram = Histogram(binning, binning.count_arrow(delays))
    present = delays.drop_null().to_numpy()
    for share in (0.25, 0.5, 0.75):
        assert histogram.quantile(share) == pytest.approx(np.quantile(present, share), abs=2)


@pytest.mark.parametrize(
    ("histogram", "why"),
    [
        (Histogram.empty(BINNING), "no rows"),
        (Histogram(BINNING, [0, 0, 0, 0, 9]), "all missing"),
        (Histogram(BINNING, [9, 1, 0, 0, 0]), "below every edge"),
        (Histogram(BINNING, [0, 1, 0, 9, 0]), "above every edge"),
        (Histogram(NumericBinning([]), [3, 1]), "no edges"),
        (Histogram(CategoricalBinning(("a",)), [3, 0, 0, 0]), "categories"),
    ],
)
def test_a_quantile_that_is_not_known_is_none(histogram: Histogram, why: str) -> None:
    """Never a guess, never NaN."""
    assert histogram.quantile(0.5) is None, why


def test_a_quantile_on_a_tie_is_the_tied_value() -> None:
    """Where half the rows are one value, the median is that value, not one near it."""
    for values in ([0] * 60 + list(range(1, 41)), [2.5] * 60 + [9.0 + i for i in range(40)]):
        binning = fit([rows(x=values)], {"x": FitOptions()})[0]["x"]
        assert Histogram(binning, binning.count_arrow(pa.array(values))).quantile(0.4) == pytest.approx(values[0])


# --- summaries add up


@law
@given(st.lists(numbers, max_size=80), st.lists(st.integers(0, 80), max_size=4))
def test_summaries_of_parts_are_the_summary_of_the_whole(values: list[float], cuts: list[int]) -> None:
    """However the rows are split, the merged summary is what NumPy says of the whole."""
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    merged = reduce(add, (Summary.of(values[a:b]) for a, b in itertools.pairwise(bounds)), Summary())
    assert merged.n == len(values)
    assert merged.zeros == values.count(0)
    scale = max(map(abs, values), default=0.0) or 1.0
    if values:
        assert merged.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-12 * scale)
        assert (merged.low, merged.high) == (min(values), max(values))
    if len(values) > 1:
        assert merged.std == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-7 * scale)


@law
@given(st.lists(st.integers(-(10**6), 10**6), max_size=20), st.lists(st.integers(-(10**6), 10**6), max_size=20))
def test_summaries_merge_in_either_order(left: list[int], right: list[int]) -> None:
    """`a + b` and `b + a` agree, and the empty summary changes nothing."""
    a, b = Summary.of([float(v) for v in left]), Summary.of([float(v) for v in right])
    one, other = a + b, b + a
    assert (one.n, one.low, one.high, one.zeros) == (other.n, other.low, other.high, other.zeros)
    assert one.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-9)
    assert one.m2 == pytest.approx(other.m2, rel=1e-12)
    assert a + Summary() == Summary() + a == a


def test_summaries_keep_their_precision_far_from_zero() -> None:
    """The spread of timestamps is not lost in their size, as it is by summing squares."""
    values = 1.36e9 + np.random.default_rng(7).normal(size=10_000)
    merged = reduce(add, (Summary.of(part) for part in np.array_split(values, 17)))
    assert merged.std == pytest.approx(np.std(values, ddof=1), rel=1e-6)


def test_nan_and_infinity_are_told_apart_in_a_summary() -> None:
    """NaN is missing and left out; infinities are counted and spoil neither mean nor extremes."""
    summary = Summary.of([1.0, math.nan, 3.0, math.inf, -math.inf, 0.0, -0.0])
    assert (summary.n, summary.mean, summary.low, summary.high) == (4, 1.0, 0.0, 3.0)
    assert (summary.zeros, summary.infinite) == (2, 2)
    assert Summary.of([math.inf]) == Summary(infinite=1)
    assert Summary.of([]).std is None
    assert Summary.of([5.0]).std is None


def test_the_mean_of_finite_numbers_is_finite() -> None:
    """Near the end of float64 a sum overflows; the mean, which lies between the extremes, does not have to."""
    a, b = Summary.of([1.7e308, 1.7e308]), Summary.of([-1.7e308, -1.7e308])
    assert a.mean == pytest.approx(1.7e308)
    assert (a + b).mean == pytest.approx(0, abs=1e300)


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


@law
@given(st.lists(st.integers(-5, 5), max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_profiles_of_parts_add_up_to_the_profile_of_the_whole(values: list[int], cuts: list[int]) -> None:
    """A trailing reference is the sum of its windows: counts, rows and extremes are those of one long scan."""
    binnings = {"x": NumericBinning([-1, 0, 3], "integer")}
    batch = pa.record_batch({"x": pa.array(values, pa.int64())})
    whole = count([batch], binnings)
    merged = reduce(add, (count([part], binnings) for part in split(batch, cuts)))
    assert merged.histograms == whole.histograms
    assert merged.n_rows == whole.n_rows
    assert (merged.summaries["x"].low, merged.summaries["x"].high) == (
        whole.summaries["x"].low,
        whole.summaries["x"].high,
    )
    assert merged.schema == whole.schema


def test_profiles_of_different_binnings_do_not_add() -> None:
    """The mismatch is raised by the profile, too."""
    batch = rows(x=[1, 2])
    with pytest.raises(BinningMismatch):
        _ = count([batch], {"x": NumericBinning([0])}) + count([batch], {"x": NumericBinning([1])})


def test_a_profile_that_lacks_a_feature_in_part_says_so() -> None:
    """One window had no such column: the sum has the problem, and the histogram's own `n` is the rows it knows."""
    binnings = {"x": NumericBinning([0, 1]), "y": NumericBinning([0, 1])}
    merged = count([rows(x=[0.5] * 3, y=[0.5] * 3)], binnings) + count([rows(x=[0.5] * 2)], binnings)
    assert (merged.n_rows, merged.histograms["x"].n, merged.histograms["y"].n) == (5, 5, 3)
    assert dict(merged.problems) == {"y": "column missing"}


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
