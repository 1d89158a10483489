"""Pictures: quartiles and the Wasserstein-1 distance, from counts and summaries, against those of the raw values."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from drift.detection.descriptive import Picture, in_words, picture, show, show_span, unit, wasserstein
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.fitting import fit_numeric
from drift.profiles.histograms import Histogram, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drift.profiles.kinds import Scale

    Side = tuple[Histogram, Summary]

VALUES = st.lists(st.floats(-1000, 1000, allow_subnormal=False), min_size=1, max_size=60)
COUNTS = st.lists(st.integers(0, 50), min_size=7, max_size=7).filter(lambda counts: sum(counts[1:5]) > 0)
SIXTEENTHS = st.lists(st.integers(-160, 160).map(lambda i: i / 16), min_size=1, max_size=40)


def numbers(*edges: float, scale: Scale = "number") -> NumericBinning:
    """Bins with these edges."""
    return NumericBinning(np.array(edges, np.float64), scale)


FIVE = numbers(0, 1, 2, 4, 8)


def side(values: Sequence[float] | NDArray[np.float64], binning: NumericBinning) -> Side:
    """What is stored of some values."""
    flat = np.asarray(values, np.float64)
    return Histogram(binning, binning.count(flat)), Summary.of(flat)


def distance(one: Side, other: Side) -> float:
    """The distance of two sides that have one."""
    found = wasserstein(one[0], other[0], one[1], other[1])
    assert found is not None
    return found


def coarseness(values: Sequence[float] | NDArray[np.float64], binning: NumericBinning) -> float:
    """How wide the cells are, within the extremes, each weighted with its rows."""
    flat = np.asarray(values, np.float64)
    bounds = np.clip([-np.inf, *binning.edges, np.inf], flat.min(), flat.max())
    return float((np.diff(bounds) * binning.count(flat)[:-1]).sum() / len(flat))


# --- the distance is one


@given(VALUES)
def test_equal_sides_are_at_no_distance(values: list[float]) -> None:
    """Zero, not nearly zero, also for twice as many rows."""
    binning = fit_numeric(values)
    one, twice = side(values, binning), side(values * 2, binning)
    assert distance(one, one) == 0
    assert distance(one, twice) == pytest.approx(0, abs=1e-9)


@given(COUNTS, COUNTS)
def test_only_equal_sides_are_at_no_distance(one: list[int], other: list[int]) -> None:
    """Whenever the shares of the bins differ, there is some distance between them."""
    binning = numbers(0, 1, 2, 4, 8)
    before, after = (Histogram(binning, np.array([0, *counts[1:5], 0, counts[-1]])) for counts in (one, other))
    first, second = (h.counts[:-1] / h.counts[:-1].sum() for h in (before, after))
    found = wasserstein(before, after)
    assert found is not None
    assert (found > 1e-12) == (not np.allclose(first, second, atol=1e-13))


@given(VALUES, VALUES, VALUES)
def test_it_is_a_metric(x: list[float], y: list[float], z: list[float]) -> None:
    """Symmetric, never negative, and no detour is shorter, whatever the bins are."""
    binning = fit_numeric(x)
    a, b, c = (side(values, binning) for values in (x, y, z))
    assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-9)
    assert distance(a, b) >= 0
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9


@given(SIXTEENTHS, SIXTEENTHS, st.sampled_from([0.125, 3.0, 1024.0]))
def test_it_scales_with_the_unit(x: list[float], y: list[float], factor: float) -> None:
    """In minutes it is sixty times what it is in hours."""
    small = numbers(-4, -1, 0, 2, 9)
    large = numbers(*(factor * small.edges))
    scaled = distance(side(factor * np.array(x), large), side(factor * np.array(y), large))
    assert scaled == pytest.approx(factor * distance(side(x, small), side(y, small)), abs=1e-9)


@given(VALUES, VALUES)
def test_it_is_at_least_the_difference_of_the_means(x: list[float], y: list[float]) -> None:
    """No less work moves the mean; the means are known exactly, and the distance knows them."""
    binning = fit_numeric(x)
    assert distance(side(x, binning), side(y, binning)) >= abs(np.mean(x) - np.mean(y)) - 1e-6


# --- and it is that of the values


@given(VALUES, VALUES)
def test_it_errs_by_no_more_than_the_bins_are_wide(x: list[float], y: list[float]) -> None:
    """Against the distance of the raw values."""
    binning = fit_numeric(x)
    exact = stats.wasserstein_distance(x, y)
    bound = coarseness(x, binning) + coarseness(y, binning)
    assert distance(side(x, binning), side(y, binning)) == pytest.approx(exact, abs=bound + 1e-6)


@given(st.floats(-50, 50), st.integers(0, 2**32 - 1))
def test_a_shift_is_its_own_distance(shift: float, seed: int) -> None:
    """Values that all move by d are at distance d, even where they leave every bin."""
    x = np.random.default_rng(seed).normal(0, 10, 400)
    binning = fit_numeric(x)
    found = distance(side(x, binning), side(x + shift, binning))
    assert found == pytest.approx(abs(shift), abs=0.05 * coarseness(x, binning) + 0.5)


@pytest.mark.parametrize(
    ("draw", "near"),
    [
        (lambda rng, n: rng.normal(3, 1, n), 0.02),
        (lambda rng, n: rng.normal(0, 2, n), 0.05),
        (lambda rng, n: rng.exponential(1, n), 0.05),
        (lambda rng, n: rng.poisson(2, n).astype(float), 0.05),
        (lambda rng, n: np.where(rng.random(n) < 0.1, 999_999, rng.normal(0, 1, n)), 0.001),
    ],
    ids=["shifted", "spread", "skewed", "whole", "sentinel"],
)
def test_it_is_near_scipy_s_on_samples(draw: object, near: float) -> None:
    """Five thousand standard normal values against a thousand others: within some hundredths."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 5000), draw(rng, 1000)  # type: ignore[operator]
    exact = stats.wasserstein_distance(x, y)
    assert distance(side(x, fit_numeric(x)), side(y, fit_numeric(x))) == pytest.approx(exact, rel=near)


def test_one_outlier_stands_for_itself() -> None:
    """A value at a billion beyond the last bin does not stretch those that lie just above it."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 1, 1000), np.append(rng.uniform(0.9, 1.3, 1000), 1e9)
    exact = stats.wasserstein_distance(x, y)
    assert distance(side(x, fit_numeric(x)), side(y, fit_numeric(x))) == pytest.approx(exact, rel=1e-3)


def test_whole_numbers_have_whole_distances() -> None:
    """A delay of 4 that becomes 61 has moved by 57."""
    whole = numbers(0, 20, 40, 60, 80, scale="integer")
    assert distance(side([4.0] * 3, whole), side([61.0], whole)) == 57


def test_missing_values_are_left_out() -> None:
    """The distance is that of the values present."""
    with_nulls = side([0.5, 1.5, np.nan, np.nan], FIVE)
    assert distance(side([0.5, 1.5], FIVE), with_nulls) == 0


# --- what is not known is None


@pytest.mark.parametrize(
    "histogram",
    [
        Histogram(FIVE, np.array([0, 0, 0, 0, 0, 0, 9])),
        Histogram.empty(FIVE),
        Histogram(numbers(), np.array([3, 1])),
        Histogram(CategoricalBinning(("a",)), np.array([3, 0, 0, 0])),
        Histogram(BOOLEAN, np.array([1, 1, 0, 0, 0])),
    ],
    ids=["all missing", "no rows", "no edges", "categories", "boolean"],
)
def test_no_numbers_have_no_distance_and_no_quartiles(histogram: Histogram) -> None:
    """None, neither zero nor NaN."""
    assert wasserstein(histogram, histogram) is None
    seen = picture(histogram)
    assert (seen.mean, seen.std, seen.low, seen.q25, seen.median, seen.q75, seen.high, seen.zeros) == (None,) * 8


def test_infinite_values_stand_at_the_extremes() -> None:
    """They are counted, and take no number with them."""
    known, wild = side([0.5, 3.0], FIVE), side([0.5, 3.0, np.inf, -np.inf], FIVE)
    assert 0 < distance(known, wild) < 5
    only = side([np.inf] * 4, FIVE)
    assert distance(known, only) == pytest.approx(8 - 1.75, abs=1)
    json.dumps(asdict(picture(*only)), allow_nan=False)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20), VALUES)
def test_nothing_that_can_be_counted_breaks_it(wild: list[float], x: list[float]) -> None:
    """Whatever the values, a picture and a distance are finite numbers or None."""
    binning = fit_numeric(x)
    found = wasserstein(*(side(x, binning)[0], side(wild, binning)[0]), *(side(x, binning)[1], side(wild, binning)[1]))
    json.dumps([found, picture(*side(wild, binning)).to_dict(binning)], allow_nan=False)


@given(
    st.lists(st.integers(0, 9), min_size=7, max_size=7),
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.floats(-100, 100),
)
def test_a_summary_that_does_not_fit_the_counts_breaks_nothing(
    counts: list[int], mean: float, low: float, high: float
) -> None:
    """Counts and summaries are stored apart: a database that somebody changed gives odd numbers, never an error."""
    histogram = Histogram(FIVE, np.array(counts))
    summary = Summary(sum(counts[:-1]), mean, 1.0, min(low, high), max(low, high))
    json.dumps([asdict(picture(histogram, summary)), wasserstein(histogram, histogram, None, summary)], allow_nan=False)


# --- the picture


@given(VALUES)
def test_the_quartiles_are_in_order_and_near_the_true_ones(values: list[float]) -> None:
    """Between the extremes, rising, and none further off than its bin is wide."""
    assume(len(values) >= 4)
    binning = fit_numeric(values)
    seen = picture(*side(values, binning))
    quartiles = (seen.q25, seen.median, seen.q75)
    rising = [q for q in (seen.low, *quartiles, seen.high) if q is not None]
    assert rising == sorted(rising)
    widest = float(np.diff(binning.edges).max())
    for share, found in zip((0.25, 0.5, 0.75), quartiles, strict=True):
        low, high = (np.quantile(values, share, method=method) for method in ("lower", "higher"))
        assert found is not None
        assert low - widest - 1e-6 <= found <= high + widest + 1e-6


def test_the_picture_is_that_of_numpy() -> None:
    """Mean, spread, extremes, zeros and missing values are exact."""
    values = np.array([0.0, 0.0, 1.5, 3.0, 7.0, np.nan, np.nan, np.nan])
    seen = picture(*side(values, FIVE))
    present = values[:5]
    assert (seen.n, seen.missing, seen.low, seen.high, seen.zeros) == (8, 0.375, 0.0, 7.0, 0.4)
    assert (seen.mean, seen.std) == pytest.approx((present.mean(), present.std(ddof=1)))


def test_pictures_add_up() -> None:
    """The picture of two windows is that of their sum: nothing has to be read again."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(2, 2, 500), rng.normal(3, 2, 700)
    whole = picture(*side(np.append(x, y), FIVE))
    (one, first), (other, second) = side(x, FIVE), side(y, FIVE)
    assert asdict(picture(one + other, first + second)) == pytest.approx(asdict(whole))


def test_points_in_time_are_text_and_spans_have_a_unit() -> None:
    """In JSON a date is a date; its spread is a number of days."""
    dates = numbers(15000, 15710, 16000, scale="date")
    seen = picture(*side([15706.0, 15708.0], dates)).to_dict(dates)
    assert (seen["low"], seen["mean"], seen["high"]) == ("2013-01-01", "2013-01-02", "2013-01-03")
    assert seen["std"] == pytest.approx(np.sqrt(2))
    assert seen["zeros"] is None
    assert (unit(dates), unit(numbers(0, 1, scale="timestamp")), unit(FIVE)) == ("days", "seconds", None)


def test_words() -> None:
    """What a person reads: plain numbers, dates and spans, a dash where nothing is known."""
    assert [show(x, FIVE) for x in (0.1 + 0.2, 12_345.678, -3.0, 1e300)] == ["0.3", "12346", "-3", "1e+300"]
    moments = numbers(0, 1, scale="timestamp")
    spans = [show_span(x, moments) for x in (0, 1, 90, 5400, 86_400, 900_000)]
    assert spans == ["0 seconds", "1 second", "1.5 minutes", "1.5 hours", "1 day", "10.4 days"]
    assert Picture(5, missing=0.2).words(FIVE)["median"] == "-"
    assert Picture(5, missing=0.2).words(BOOLEAN) == {"rows": "5", "missing": "20 %"}
    assert in_words(Picture(1), Picture(1), None, BOOLEAN) is None
