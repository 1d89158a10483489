"""Significance: p-values that mean what they say, intervals that cover, and the false-discovery rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drift.statistics import significance as s
from drift.statistics.divergence import kl_corrected, kl_divergence
from tests.support.laws import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

COUNT = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 10**12))


def hostile(n_cells: int = 5) -> st.SearchStrategy[Counts]:
    """Counts of three features: zeros, single rows and 10¹² side by side."""
    return hnp.arrays(np.int64, (3, n_cells), elements=COUNT)


@pytest.mark.parametrize(
    ("n", "m", "cells", "ordered"),
    [
        (5000, 5000, 10, True),
        (50_000, 5000, 10, False),
        (2000, 500, 16, True),
        (300, 300, 8, True),
        (28_000, 300, 20, False),
        (100, 100, 20, False),
        (300, 3000, 12, True),
        (1_000_000, 200, 40, False),
    ],
)
def test_false_alarms_are_as_promised(n: int, m: int, cells: int, ordered: bool) -> None:  # noqa: FBT001
    """Nothing changed: 20,000 seeded tests call at .05 within ±20 % of nominal, at .01 and .001 within ±50 %."""
    rng = np.random.default_rng([n, m, cells])
    shares = np.append(rng.dirichlet(np.full(cells - 1, 2.0)) * 0.97, 0.03)
    p = s.p_values(rng.multinomial(n, shares, 20_000), rng.multinomial(m, shares, 20_000), ordered=ordered)
    # The bands allow three standard errors of 20,000 draws on top.
    for level, band in ((0.05, 0.2), (0.01, 0.5), (0.001, 0.5)):
        sampling = 3 * np.sqrt((1 - level) / (level * 20_000))
        assert abs((p <= level).mean() / level - 1) <= band + sampling


def test_what_each_head_sees() -> None:
    """A small shift and a small spread hidden from the omnibus test are found where cells have an order."""
    share = np.full(20, 0.05)
    step = np.linspace(-1, 1, 20)
    x = np.append(share * 20_000, 0)[None]
    for tilt in (0.07 * step, 0.12 * (step**2 - (step**2).mean())):
        y = np.append(np.round(share * (1 + tilt) * 20_000), 0)[None]
        with_order, without = (float(s.p_values(x, y, ordered=[o])[0]) for o in (True, False))
        assert with_order < 1e-3
        assert with_order < without / 5


def test_missing_has_no_place_in_the_order() -> None:
    """Nulls at random move no location: an ordered feature and its mirror image have the same p-value."""
    x, y = np.array([[900, 900, 900, 900, 400]]), np.array([[230, 220, 190, 180, 180]])
    mirrored = [np.append(side[:, :-1][:, ::-1], side[:, -1:], axis=1) for side in (x, y)]
    assert s.p_values(x, y, ordered=[True])[0] == pytest.approx(s.p_values(*mirrored, ordered=[True])[0], rel=1e-9)


def test_neighbours_play_no_part() -> None:
    """A feature's p-value does not depend on what stands beside it, nor on where it stands."""
    rng = np.random.default_rng(8)
    shares = [0.4, 0.3, 0.15, 0.1, 0.04, 0.01]
    x, y = rng.multinomial(900, shares, 60), rng.multinomial(120, shares, 60)
    first = s.p_values(x, y, ordered=False)
    assert first.tolist() == s.p_values(x, y, ordered=False).tolist()
    assert s.p_values(x[::-1], y[::-1], ordered=False)[::-1] == pytest.approx(first, rel=1e-9)
    alone = [float(s.p_values(x[i : i + 1], y[i : i + 1], ordered=False)[0]) for i in range(60)]
    assert alone == pytest.approx(first, rel=1e-9)


@given(st.permutations(range(5)), hostile(), hostile())
@examples(40)
def test_categories_have_no_names(order: list[int], x: Counts, y: Counts) -> None:
    """Whatever the categories are called, the p-value is the same."""
    columns = [*order, 5]
    wide = [np.concatenate([side, side[:, :1]], axis=1) for side in (x, y)]
    relabelled = [side[:, columns] for side in wide]
    assert s.p_values(*relabelled, ordered=False) == pytest.approx(
        s.p_values(*wide, ordered=False), rel=1e-3, abs=1e-12
    )


def test_what_stands_beside_the_counts_has_a_vote() -> None:
    """One more p-value counts as the others do; NaN not at all; alone it is what it was."""
    x, y = np.array([[500, 400, 0], [90, 0, 0]]), np.array([[255, 195, 0], [45, 0, 0]])
    bare = s.p_values(x, y, ordered=False)
    assert s.p_values(x, y, ordered=False, beside=[np.nan, np.nan]).tolist() == bare.tolist()
    both = s.p_values(x, y, ordered=False, beside=[1e-9, 0.03])
    assert both == pytest.approx([3e-9, 0.03], rel=0.01)


@examples(60)
@given(hostile(), hostile(), hnp.arrays(np.bool_, 3))
def test_p_is_always_a_probability(x: Counts, y: Counts, ordered: NDArray[np.bool_]) -> None:
    """Whatever the counts, 0 < p ≤ 1; nothing to compare is p = 1."""
    p = s.p_values(x, y, ordered=ordered)
    assert ((p > 0) & (p <= 1)).all()
    for i in range(3):
        if not x[i].sum() or not y[i].sum() or ((x[i] + y[i]) > 0).sum() == 1:
            assert p[i] == 1


@given(hostile(), hostile(), st.integers(1, 4))
@examples(30)
def test_padding_changes_no_p(x: Counts, y: Counts, extra: int) -> None:
    """Empty cells before the missing one change nothing."""
    padded = [np.concatenate([side[:, :-1], np.zeros((3, extra), np.int64), side[:, -1:]], axis=1) for side in (x, y)]
    assert s.p_values(*padded, ordered=True) == pytest.approx(s.p_values(x, y, ordered=True), rel=1e-9)


# --- intervals


@given(hostile(), hostile())
def test_intervals_are_finite_ordered_and_hold_the_estimate(x: Counts, y: Counts) -> None:
    """0 ≤ low ≤ max(0, estimate) ≤ high, all finite, whatever the counts."""
    estimate = kl_corrected(y, x)
    low, high = s.confidence_interval(estimate, x, y)
    shown = np.nan_to_num(np.maximum(estimate, 0))
    assert np.isfinite(high).all()
    assert ((low >= 0) & (low <= shown) & (shown <= high)).all()


@pytest.mark.parametrize("tilt", [0.0, 0.1, 0.3, 0.8])
@pytest.mark.parametrize(("n", "m", "cells"), [(500, 500, 10), (5000, 5000, 20), (28_000, 1000, 6), (5000, 500, 3)])
def test_intervals_cover(n: int, m: int, cells: int, tilt: float) -> None:
    """The 95 % interval covers the true divergence in .91 to 1.00 of 1,500 seeded samples."""
    rng = np.random.default_rng([n, m, cells, int(100 * tilt)])
    q = rng.dirichlet(np.full(cells, 3.0)) * 0.9 + 0.1 / cells
    p = q * np.exp(tilt * rng.standard_normal(cells))
    p /= p.sum()
    x, y = rng.multinomial(n, q, 1500), rng.multinomial(m, p, 1500)
    low, high = s.confidence_interval(kl_corrected(y, x), x, y)
    truth = float(kl_divergence(p, q))
    covered = float(((low <= truth) & (truth <= high)).mean())
    assert covered >= 0.91 - 3 * np.sqrt(0.91 * 0.09 / 1500)


def test_intervals_narrow_with_rows() -> None:
    """A hundred times the rows make an interval about a tenth as wide."""
    widths = []
    for size in (1, 100):
        x, y = np.array([[500, 500]]) * size, np.array([[450, 550]]) * size
        low, high = s.confidence_interval(kl_corrected(y, x), x, y)
        widths.append(float(high[0] - low[0]))
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.35)


@pytest.mark.parametrize("p", [0.025, 0.975])
def test_both_branches_of_the_noncentrality_meet(p: float) -> None:
    """Where the exact inverse hands over to its normal limit there is no step."""
    df = np.array([1.0, 9.0, 40.0])
    below, above = (s._noncentrality(np.full(3, x), df, p) for x in (999.999, 1000.001))
    assert above == pytest.approx(below, rel=1e-3)
