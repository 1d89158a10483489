"""Twin of `drift.profiles.histograms`."""

from __future__ import annotations

import itertools
import math
import sys
from datetime import UTC, datetime
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError, BinningMismatch
from drift.profiles.binning import Binning, CategoricalBinning, NumericBinning
from drift.profiles.counting import count
from drift.profiles.fitting import FitOptions, fit, fit_numeric
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.windows import Window
from tests.support.laws import examples

DATA = Path(__file__).parents[2] / "data"

law = examples(60)

BINNING = NumericBinning([0, 1, 2])
WINDOW = Window(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))

histograms = st.lists(st.integers(0, 10**12), min_size=5, max_size=5).map(lambda counts: Histogram(BINNING, counts))
numbers = st.floats(-1e100, 1e100)
finite = st.floats(allow_nan=False, allow_infinity=False)
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
    # A step of half the range times the rows of the other is too large, the step itself is not.
    assert (Summary.of([0.0]) + Summary.of([1.6e308] * 3)).mean == pytest.approx(1.2e308)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 49])
def test_the_mean_of_the_largest_floats_is_among_them(n: int, sign: float) -> None:
    """Their shares, rounded up, overflow when they are added: the mean is their value all the same."""
    largest = sign * sys.float_info.max
    assert Summary.of([largest] * n).mean == largest
    assert Summary.total([Summary.of([largest] * n), Summary.of([largest] * 2)]).mean == largest


@law
@given(st.lists(finite, min_size=1, max_size=20), st.lists(finite, min_size=1, max_size=20))
def test_a_merged_mean_lies_between_the_extremes(left: list[float], right: list[float]) -> None:
    """For any finite numbers at all, up to rounding; the sum of squares may be too large, but is never NaN."""
    merged = Summary.of(left) + Summary.of(right)
    low, high = min(left + right), max(left + right)
    slack = 1e-12 * max(abs(low), abs(high))
    # Halves, as the bounds with their slack may lie beyond float64.
    assert low / 2 - slack <= merged.mean / 2 <= high / 2 + slack
    assert not math.isnan(merged.m2)


# --- profiles add up


@law
@given(st.lists(st.integers(-5, 5), max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_profiles_of_parts_add_up_to_the_profile_of_the_whole(values: list[int], cuts: list[int]) -> None:
    """A trailing reference is the sum of its windows: counts, rows and extremes are those of one long scan.

    Of the values that recur it knows no more than a range, in which the truth lies.
    """
    binnings = {"x": NumericBinning([-1, 0, 3], "integer")}
    batch = pa.record_batch({"x": pa.array(values, pa.int64())})
    whole = count([batch], binnings)
    merged = reduce(add, (count([part], binnings) for part in split(batch, cuts)))
    summed, scanned = merged.histograms["x"], whole.histograms["x"]
    assert (summed.counts == scanned.counts).all()
    assert summed.atoms is not None
    asked = np.arange(3.0)
    true = np.array([values.count(value) for value in range(3)])
    assert (true <= summed.atoms.rows_of(asked)[1]).all()
    assert Profile.total([count([part], binnings) for part in split(batch, cuts)]) == merged
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
