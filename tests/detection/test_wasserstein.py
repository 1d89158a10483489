"""The Wasserstein-1 distance, from counts and summaries, compared with that of the raw values."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drift.detection.descriptive import Description, describe
from drift.detection.wasserstein import wasserstein
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.fitting import fit_numeric
from drift.profiles.histograms import Histogram, Summary
from tests.support.numeric_samples import FIVE, VALUES, numbers, side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.support.numeric_samples import Side

COUNTS = st.lists(st.integers(0, 50), min_size=7, max_size=7).filter(lambda counts: sum(counts[1:5]) > 0)
SIXTEENTHS = st.lists(st.integers(-160, 160).map(lambda i: i / 16), min_size=1, max_size=40)


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
        (lambda rng, n: rng.normal(0, 2, n), 0.06),
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
    seen = describe(histogram)
    assert (seen.mean, seen.std, seen.low, seen.q25, seen.median, seen.q75, seen.high, seen.zeros) == (None,) * 8


def test_infinite_values_stand_at_the_extremes() -> None:
    """They are counted, and take no number with them."""
    known, wild = side([0.5, 3.0], FIVE), side([0.5, 3.0, np.inf, -np.inf], FIVE)
    assert 0 < distance(known, wild) < 5
    only = side([np.inf] * 4, FIVE)
    assert distance(known, only) == pytest.approx(8 - 1.75, abs=1)
    json.dumps(asdict(describe(*only)), allow_nan=False)


def assert_finite_or_none(seen: Description) -> None:
    """Assert that every number of a description is finite, and every share one; what is not known is None."""
    found = asdict(seen)
    assert all(value is None or np.isfinite(value) for value in found.values())
    assert all(found[name] is None or 0 <= found[name] <= 1 for name in ("missing", "zeros"))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20), VALUES)
def test_nothing_that_can_be_counted_breaks_it(wild: list[float], x: list[float]) -> None:
    """Whatever the values, a description and a distance are finite numbers or None."""
    binning = fit_numeric(x)
    found = wasserstein(*(side(x, binning)[0], side(wild, binning)[0]), *(side(x, binning)[1], side(wild, binning)[1]))
    assert found is None or 0 <= found < np.inf
    assert_finite_or_none(describe(*side(wild, binning)))


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
    assert_finite_or_none(describe(histogram, summary))
    distance = wasserstein(histogram, histogram, None, summary)
    assert (distance is None) == (not sum(counts[:-1]))
    assert distance is None or 0 <= distance < np.inf
