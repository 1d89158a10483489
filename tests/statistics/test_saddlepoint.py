"""Saddlepoint: tails of a sum of counts whose total is given, beside every way to draw them."""

from __future__ import annotations

import itertools
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from drift.statistics import saddlepoint as s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def splits(pooled: list[int], m: int) -> tuple[Floats, Floats]:
    """Every way to draw m of the pooled rows, and its probability."""
    ways = [y for y in itertools.product(*(range(min(t, m) + 1) for t in pooled)) if sum(y) == m]
    total = comb(sum(pooled), m)
    chance = [prod(comb(t, c) for t, c in zip(pooled, y, strict=True)) / total for y in ways]
    return np.array(ways, np.float64), np.array(chance)


def test_an_excess_is_half_a_deviance() -> None:
    """Both are a ln(a/e) - a + e, and ours keeps its digits where two huge counts nearly agree."""
    counts, expected = np.array([0.0, 1, 5, 300]), np.array([4.0, 1, 9, 2])
    assert s.excess(counts, expected) == pytest.approx(special.kl_div(counts, expected), rel=1e-12)
    huge = 1e13
    assert float(s.excess(np.array([huge + 1e7]), np.array([huge]))[0]) == pytest.approx(5, rel=1e-4)


@given(st.floats(0, 1e12), st.floats(1e-3, 1e12))
def test_an_excess_is_never_negative(count: float, expected: float) -> None:
    """Whatever is counted and expected."""
    assert s.excess(np.array([count]), np.array([expected]))[0] >= 0


@pytest.mark.parametrize(("pooled", "m"), [([5, 6, 7, 9], 11), ([5, 5, 8, 30], 12), ([6, 7, 8, 5, 9], 17)])
def test_the_deviance_tail_is_that_of_all_splits(pooled: list[int], m: int) -> None:
    """Between the exact chance of more and that of no less, with a half to spare, down to one in ten thousand."""
    y, chance = splits(pooled, m)
    t = np.array(pooled, np.float64)
    share = m / t.sum()
    g = 2 * (s.excess(y, t * share) + s.excess(t - y, t - t * share)).sum(axis=1)
    order = np.argsort(-g, kind="stable")
    g, reached = g[order], np.cumsum(chance[order])
    for level in (0.2, 0.1, 0.03, 0.01, 1e-3, 1e-4):
        limit = g[np.searchsorted(reached, level)]
        more, no_less = (chance[order][g > limit * (1 + step)].sum() for step in (1e-9, -1e-9))
        found = s.deviance_tail(t[None], np.array([float(m)]), np.array([limit]), sparse_below=100)[0]
        assert more / 1.5 <= found <= no_less * 1.5


def test_the_deviance_tail_of_full_cells_is_chi_squared() -> None:
    """Where all but one cell expect many rows, it is the χ² law that G is known to follow, far out too."""
    t = np.array([[50.0, 30_000, 20_000, 30_000, 25_000]])
    for g in (3.0, 10.0, 20.0, 40.0, 60.0):
        found = s.deviance_tail(t, np.array([10_000.0]), np.array([g]), sparse_below=5)[0]
        assert found == pytest.approx(stats.chi2.sf(g, 4), rel=0.2)


@pytest.mark.parametrize(("pooled", "m"), [([9, 9, 9, 9, 9], 12), ([3, 12, 6, 15, 9, 4], 20)])
def test_the_linear_tail_is_a_mid_p_of_all_splits(pooled: list[int], m: int) -> None:
    """The chance of more and half of that of the same, to a fifth, from .3 to one in a million."""
    y, chance = splits(pooled, m)
    t = np.array(pooled, np.float64)
    score = np.arange(len(t)) - (t * np.arange(len(t))).sum() / t.sum()
    sums = y @ score
    variance = float(chance @ sums**2)
    for limit in np.unique(sums.round(9)):
        exact = chance[sums > limit + 1e-6].sum() + chance[np.abs(sums - limit) < 1e-6].sum() / 2
        if 1e-6 < exact < 0.3:
            one = np.ones(1)
            found = s.linear_tail(score[None], t[None], m * one, limit * one, limit / variance * one)[0]
            assert found == pytest.approx(exact, rel=0.2)


def test_no_saddlepoint_is_said() -> None:
    """Beyond what a sum can be there is none: NaN, not a number made up."""
    one = np.ones(1)
    score, t = np.array([[-1.0, 1.0]]), np.array([[10.0, 10.0]])
    assert np.isnan(s.linear_tail(score, t, 10 * one, 12 * one, one)[0])


def test_rows_play_no_part_for_each_other() -> None:
    """A row's tail is the same alone and among a thousand others of any size."""
    rng = np.random.default_rng(5)
    t = rng.integers(5, 60, (200, 6)).astype(float)
    m = np.floor(t.sum(axis=1) * rng.uniform(0.1, 0.5, 200))
    g = rng.uniform(3, 30, 200)
    together = s.deviance_tail(t, m, g, sparse_below=10)
    for i in (0, 50, 199):
        alone = s.deviance_tail(t[i : i + 1], m[i : i + 1], g[i : i + 1], sparse_below=10)[0]
        assert alone == pytest.approx(together[i], rel=1e-3)
