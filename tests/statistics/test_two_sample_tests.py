"""Contingency: merging, and looks at a table whose p-values agree with all permutations of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from drift.statistics import two_sample_tests as c
from tests.support.laws import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

COUNT = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 10**12))


def hostile(n_cells: int = 5) -> st.SearchStrategy[Counts]:
    """Counts of three features: zeros, single rows and 10¹² side by side."""
    return hnp.arrays(np.int64, (3, n_cells), elements=COUNT)


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


def test_what_needs_no_merging_is_left_alone() -> None:
    """Where every occupied cell has five rows, the counts come back as they were."""
    x, y = np.array([[9, 0, 5, 0]]), np.array([[0, 0, 7, 5]])
    for ordered in (True, False):
        merged = c.merge_cells(x, y, ordered=[ordered])
        assert [side.tolist() for side in merged] == [x.tolist(), y.tolist()]


# --- the looks


def statistics(pooled: Counts, y: Counts) -> tuple[Floats, Floats]:
    """G of all cells and the largest G of a cell against the others, of each split y of the pooled rows."""
    m = int(y[0].sum())
    n = int(pooled.sum()) - m
    rows, drawn = pooled.astype(float), y.astype(float)
    x = rows - drawn

    def term(a: Floats, e: Floats) -> Floats:
        return np.asarray(2 * special.kl_div(a, e), np.float64)

    share = rows / (n + m)
    cells = term(x, n * share) + term(drawn, m * share)
    rest = term(n - x, n * (1 - share)) + term(m - drawn, m * (1 - share))
    return cells.sum(axis=1), (cells + rest).max(axis=1)


@pytest.mark.parametrize(
    ("pooled", "m"),
    [
        ([400, 300, 9, 7, 5, 6, 8, 12], 120),
        ([25, 16, 9, 12, 15, 8, 7], 40),
        ([2000, 60, 55, 45, 30, 12], 90),
        ([5, 6, 7, 5, 9, 11, 8, 6, 5, 7], 34),
    ],
)
def test_looks_agree_with_permutations(pooled: list[int], m: int) -> None:
    """At what one permutation in 2, 10, 100 and 1,000 reaches, each look says about so, without drawing any."""
    t = np.array(pooled)
    rng = np.random.default_rng([m, len(pooled)])
    drawn = rng.multivariate_hypergeometric(t, m, 40_000)
    found = c.heads((t - drawn).astype(float), drawn.astype(float), ordered=np.zeros(len(drawn), bool))
    for p, statistic in zip(found[:2], statistics(t, drawn), strict=True):
        for share in (0.5, 0.1, 0.01, 0.001):
            limit = np.sort(statistic)[-int(share * len(drawn))]
            at = np.flatnonzero(np.isclose(statistic, limit, rtol=1e-9))[0]
            # Steps: where the exact chances of more and of no less differ, p lies between, with a tenth to spare.
            more, no_less = ((statistic > limit * (1 + s)).mean() for s in (1e-9, -1e-9))
            error = 3 * np.sqrt(no_less / len(drawn))
            assert more * 0.85 - error <= p[at] <= no_less * 1.15 + error


@pytest.mark.parametrize("m", [20, 60, 150])
def test_ranks_agree_with_permutations(m: int) -> None:
    """So do location and scale, to their far tails, on cells of very different size."""
    t = np.array([60, 25, 40, 90, 35, 30, 20])
    rng = np.random.default_rng(m)
    drawn = rng.multivariate_hypergeometric(t, m, 40_000)
    found = c.ranks((t - drawn).astype(float), drawn.astype(float))
    rank = (np.cumsum(t) - t / 2) / t.sum()
    for p, score in zip(found, (rank, (rank - 0.5) ** 2), strict=True):
        centred = drawn @ (score - (t * score).sum() / t.sum())
        for share in (0.2, 0.02, 0.002):
            called = np.count_nonzero(p <= share)
            assert called / (share * len(drawn)) == pytest.approx(1, abs=0.1 + 3 / np.sqrt(share * len(drawn)))
        # The further out on a side, the smaller the p-value.
        for side in (1, -1):
            far = side * centred > 0
            order = np.argsort(side * centred[far])
            assert (np.diff(p[far][order]) <= 0.1 * p[far][order][:-1]).all()


@given(hostile(), hostile(), hnp.arrays(np.bool_, 3))
@examples(60)
def test_looks_have_no_side(x: Counts, y: Counts, ordered: NDArray[np.bool_]) -> None:
    """Which sample is the reference changes no look, and each is a probability or was not taken."""
    merged = c.merge_cells(x, y, ordered=ordered)
    some = (merged[0].sum(axis=1) > 0) & (merged[1].sum(axis=1) > 0) & ((merged[0] + merged[1] > 0).sum(axis=1) > 1)
    first, second = merged[0][some], merged[1][some]
    here = c.heads(first, second, ordered=ordered[some])
    there = c.heads(second, first, ordered=ordered[some])
    assert np.array_equal(np.isnan(here), np.isnan(there))
    taken = here[~np.isnan(here)]
    assert ((taken >= 0) & (taken <= 1)).all()
    assert here[:2] == pytest.approx(there[:2], rel=1e-3, abs=1e-9)


@given(hnp.arrays(np.int64, (4, 6), elements=st.integers(0, 40)), st.integers(1, 6))
def test_equal_proportions_are_no_evidence(x: Counts, times: int) -> None:
    """The same proportions at any two sizes: every look that was taken says p = 1."""
    merged = c.merge_cells(x, times * x, ordered=False)
    some = (merged[0] > 0).sum(axis=1) > 1
    found = c.heads(merged[0][some], merged[1][some], ordered=np.ones(int(some.sum()), bool))
    assert (found[~np.isnan(found)] > 0.999).all()


def test_a_look_never_falls_off_a_cliff() -> None:
    """Row by row into a small cell, through every change of law, the p-value falls and never jumps."""
    more = np.arange(0, 60)
    x = np.tile([4000.0, 3000, 60, 0], (len(more), 1))
    y = np.stack([np.full(60, 400.0), np.full(60, 300.0), 6.0 + more, np.zeros(60)], axis=1)
    p = c.combine(c.heads(x, y, ordered=np.zeros(len(more), bool)))
    assert (np.diff(p) < 0.02).all()
    steps = np.diff(np.log(p[4:]))
    assert (steps < 0).all()
    # One step is larger, where the chance of an empty cell ceases to count as equally far out.
    assert (np.abs(np.diff(steps)) < 1).all()


# --- one cell


def test_one_cell_is_fishers_test() -> None:
    """Rows that come one by one: the p-value is Fisher's with half of what is equally likely, exactly."""
    x, y, n, m = 3, 6, 400, 90
    law = stats.hypergeom(n + m, x + y, m)
    g = [float(statistics(np.array([9, n + m - 9]), np.array([[k, m - k]]))[1][0]) for k in range(10)]
    exact = sum(law.pmf(k) * (1.0 if g[k] > g[y] + 1e-9 else 0.5 if k == y else 0.0) for k in range(10))
    one = np.ones(1)
    assert c.cell_against_rest(x * one, y * one, n * one, m * one, 0 * one)[0] == pytest.approx(exact, rel=1e-9)


def test_clumps_weaken_the_evidence_of_one_cell() -> None:
    """The more the rows come in clumps, the less so many of them say."""
    one = np.ones(6)
    excess = np.array([0.0, 2, 5, 10, 30, 100])
    p = c.cell_against_rest(20 * one, 40 * one, 1000 * one, 1000 * one, excess)
    assert (np.diff(p) > 0).all()
    assert p[0] < 0.01
    assert p[-1] > 0.1


# --- the combination


@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(1e-250, 0.98)))
def test_the_combination_lies_between(p: Floats) -> None:
    """The combined p-value lies between its parts, as far as they see anything.

    A single tiny one makes it at most three times that, of three.
    """
    combined = c.combine(p)
    assert (combined >= np.minimum(p.min(axis=0), c.SEES_NOTHING) * (1 - 1e-9)).all()
    assert (combined <= p.max(axis=0) * (1 + 1e-9)).all()
    tiny = np.append(p, np.full((1, 5), 1e-260), axis=0)
    assert (c.combine(tiny) <= 4.1e-260).all()


@given(hnp.arrays(np.float64, (2, 4), elements=st.floats(1e-200, 0.98)))
def test_a_look_that_was_not_taken_has_no_vote(p: Floats) -> None:
    """A NaN changes nothing, and one part alone is what it was."""
    assert c.combine(np.append(p, np.full((1, 4), np.nan), axis=0)).tolist() == c.combine(p).tolist()
    alone = np.append(p[:1], np.full((2, 4), np.nan), axis=0)
    assert c.combine(alone) == pytest.approx(np.minimum(p[0], c.SEES_NOTHING), rel=1e-9)
