"""Contingency: merging, the exact laws of a table, and permutations that agree with enumeration."""

from __future__ import annotations

import itertools
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drift import contingency as c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

COUNT = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 10**12))


def hostile(n_cells: int = 5) -> st.SearchStrategy[Counts]:
    """Counts of three features: zeros, single rows and 10¹² side by side."""
    return hnp.arrays(np.int64, (3, n_cells), elements=COUNT)


def splits(pooled: list[int], m: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every way to draw m of the pooled rows, with its probability."""
    total = comb(sum(pooled), m)
    for y in itertools.product(*(range(min(t, m) + 1) for t in pooled)):
        if sum(y) == m:
            yield y, prod(comb(t, c) for t, c in zip(pooled, y, strict=True)) / total


# --- merging


@given(hostile(), hostile(), hnp.arrays(np.bool_, 3))
def test_merging_keeps_every_row(x: Counts, y: Counts, ordered: NDArray[np.bool_]) -> None:
    """Merging moves rows between cells and loses none, on either side."""
    merged_x, merged_y = c.merge_cells(x, y, ordered=ordered)
    assert merged_x.sum(axis=1).tolist() == x.sum(axis=1).tolist()
    assert merged_y.sum(axis=1).tolist() == y.sum(axis=1).tolist()


@given(hostile(), hostile(), hnp.arrays(np.bool_, 3))
def test_merging_leaves_no_small_cell(x: Counts, y: Counts, ordered: NDArray[np.bool_]) -> None:
    """Afterwards every occupied cell has five rows in both samples together, unless there is but one cell."""
    merged_x, merged_y = c.merge_cells(x, y, ordered=ordered)
    for pooled in merged_x + merged_y:
        occupied = pooled[pooled > 0]
        assert len(occupied) <= 1 or (occupied >= c.MIN_POOLED).all()


@given(hostile(), hostile(), st.data())
def test_only_pooled_counts_decide(x: Counts, y: Counts, data: st.DataObject) -> None:
    """Whatever the split between the samples, the same cells merge: that keeps a permutation test exact."""
    assume((x.sum(axis=1) + y.sum(axis=1) < c.SAMPLER_LIMIT).all())
    pooled = x + y
    other = np.stack([[data.draw(st.integers(0, int(t))) for t in row] for row in pooled])
    for ordered in (True, False):
        first = np.add(*c.merge_cells(x, y, ordered=ordered))
        second = np.add(*c.merge_cells(other, pooled - other, ordered=ordered))
        assert first.tolist() == second.tolist()


def test_ordered_cells_merge_with_neighbours_and_categories_together() -> None:
    """An order is kept; categories have none; four missing rows join the fullest cell, five stay."""
    x, y = [[9, 2, 2, 9, 1, 0]], [[9, 0, 2, 9, 0, 4]]
    assert np.add(*c.merge_cells(x, y, ordered=[True])).tolist() == [[18, 6, 23, 0, 0, 0]]
    assert np.add(*c.merge_cells(x, y, ordered=[False])).tolist() == [[18, 11, 0, 18, 0, 0]]
    x[0][-1] = 1
    assert np.add(*c.merge_cells(x, y, ordered=[True])).tolist() == [[18, 6, 19, 0, 0, 5]]


def test_beyond_the_sampler_cells_merge_until_dense() -> None:
    """Above 10⁹ rows nothing can be permuted, so no merged cell expects fewer than twenty rows on either side."""
    x, y = np.array([[10**9, 40_000_000, 10, 0]]), np.array([[1000, 40, 1, 0]])
    merged_x, merged_y = c.merge_cells(x, y, ordered=[False])
    pooled = merged_x + merged_y
    expected = pooled[pooled > 0] * merged_y.sum() / pooled.sum()
    assert (expected >= c.DENSE).all()


# --- the laws behind the p-value


def test_moments_are_those_of_all_permutations() -> None:
    """Dawson's mean and variance of Pearson's χ² equal those over every split of a small table."""
    pooled, m = [4, 6, 3, 5], 7
    n = sum(pooled) - m
    chi2, weight = [], []
    for y, probability in splits(pooled, m):
        expected = np.array(pooled) * m / sum(pooled)
        difference = (np.array(y) - expected) ** 2
        chi2.append(float((difference / expected + difference / (np.array(pooled) - expected)).sum()))
        weight.append(probability)
    mean, variance = c._chi2_moments(
        np.array(pooled, np.float64), np.array(float(n)), np.array(float(m)), np.array(4.0)
    )
    exact = float(np.dot(weight, chi2))
    assert float(mean) == pytest.approx(exact, rel=1e-12)
    assert float(variance) == pytest.approx(float(np.dot(weight, np.square(chi2))) - exact**2, rel=1e-9)


@pytest.mark.parametrize("ordered", [True, False])
def test_permutation_is_exact(ordered: bool) -> None:  # noqa: FBT001
    """The sequential permutation p is the share, by weight, of all splits that look at least as extreme."""
    x, y = np.array([6.0, 4, 2, 7, 0]), np.array([0.0, 2, 4, 3, 5])
    pooled = [int(t) for t in x + y]
    test = c.Permutations(x, y, ordered=ordered, rng=np.random.default_rng(1))
    ways = list(splits(pooled, int(y.sum())))
    statistic = test.statistic(np.array([way for way, _ in ways]))
    exact = float(np.dot(statistic <= test.observed, [probability for _, probability in ways]))
    drawn = sum(
        int((test.statistic(test.rng.multivariate_hypergeometric(pooled, int(y.sum()), 2000)) <= test.observed).sum())
        for _ in range(20)
    )
    assert drawn / 40_000 == pytest.approx(exact, abs=4 * np.sqrt(exact / 40_000))
    p = 0.0
    while not test.settled:
        p = test.more(1000)
    # Ten hits: a relative standard error of about a third.
    assert exact / 3 < p < exact * 3


@pytest.mark.parametrize("ordered", [True, False])
def test_both_forms_of_the_statistic_agree(ordered: bool) -> None:  # noqa: FBT001
    """What is permuted is the very statistic that the approximate law gave a p-value."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        x, y = (
            rng.multinomial(200, np.full(6, 1 / 6)).astype(float),
            rng.multinomial(50, np.full(6, 1 / 6)).astype(float),
        )
        direct = c.approximate_p(x[None], y[None], ordered=np.array([ordered]), dense=np.array([False]))[0]
        assert c.Permutations(x, y, ordered=ordered, rng=rng).observed == pytest.approx(direct, rel=1e-7)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("m", [3, 9, 20])
def test_the_tail_bound_holds(m: int, ordered: bool) -> None:  # noqa: FBT001
    """Over all splits of a small table, the chance of a bound at or below any level is at most that level."""
    pooled = [4, 6, 3, 5, 9]
    ways = list(splits(pooled, m))
    y = np.array([way for way, _ in ways], np.float64)
    probability = np.array([p for _, p in ways])
    bound = c.tail_bound(np.array(pooled) - y, y, ordered=np.full(len(y), ordered))
    order = np.argsort(bound)
    assert bound.min() < 0.05
    assert (np.cumsum(probability[order]) <= bound[order] + 1e-12).all()


@pytest.mark.parametrize("m", [3, 9, 20])
def test_each_part_of_the_tail_bound_holds(m: int) -> None:
    """So does each part alone: all cells, every single cell, location and scale."""
    pooled = np.array([4.0, 6, 3, 5, 9])
    ways = list(splits([int(t) for t in pooled], m))
    y, probability = np.array([way for way, _ in ways], np.float64), np.array([p for _, p in ways])
    size = np.full((len(y), 1), float(m))
    cells = 2 * np.exp(c._hypergeometric_tail(y, np.broadcast_to(pooled, y.shape), size, np.full_like(size, 27)))
    for bound in (*cells.T, *np.exp(c._serfling(pooled - y, y))):
        order = np.argsort(bound)
        assert (np.cumsum(probability[order]) <= bound[order] + 1e-12).all()
