"""Significance: p-values that mean what they say, intervals that cover, and the false-discovery rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from drift import significance as s
from drift.divergence import kl_corrected, kl_divergence, noise_floor, smooth

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
    ],
)
def test_false_alarms_are_as_promised(n: int, m: int, cells: int, ordered: bool) -> None:  # noqa: FBT001
    """Nothing changed: 4,000 seeded tests call at .05 within ±20 % of nominal, at .01 within ±50 %."""
    rng = np.random.default_rng([n, m, cells])
    shares = np.append(rng.dirichlet(np.full(cells - 1, 2.0)) * 0.97, 0.03)
    x, y = rng.multinomial(n, shares, 4000), rng.multinomial(m, shares, 4000)
    p = np.concatenate([s.p_values(x[i : i + 200], y[i : i + 200], ordered=ordered) for i in range(0, 4000, 200)])
    # The bands allow three standard errors of 4,000 draws on top.
    for level, band in ((0.05, 0.2), (0.01, 0.5)):
        sampling = 3 * np.sqrt((1 - level) / (level * 4000))
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


def test_seeds_make_it_repeatable_and_neighbours_play_no_part() -> None:
    """The same seeds give the same p-values, and a feature's draws do not depend on what stands beside it."""
    rng = np.random.default_rng(8)
    shares = [0.4, 0.3, 0.15, 0.1, 0.04, 0.01]
    x, y = rng.multinomial(900, shares, 60), rng.multinomial(120, shares, 60)
    seeds = [[7, i] for i in range(60)]
    first = s.p_values(x, y, ordered=False, seeds=seeds)
    assert first.tolist() == s.p_values(x, y, ordered=False, seeds=seeds).tolist()
    assert (first != s.p_values(x, y, ordered=False, seeds=[[8, i] for i in range(60)])).any()
    again = s.p_values(x[::-1], y[::-1], ordered=False, seeds=seeds[::-1])[::-1]
    assert first.tolist() == again.tolist()


@settings(max_examples=60)
@given(hostile(), hostile(), hnp.arrays(np.bool_, 3))
def test_p_is_always_a_probability(x: Counts, y: Counts, ordered: NDArray[np.bool_]) -> None:
    """Whatever the counts, 0 < p ≤ 1; nothing to compare is p = 1."""
    p = s.p_values(x, y, ordered=ordered)
    assert ((p > 0) & (p <= 1)).all()
    for i in range(3):
        if not x[i].sum() or not y[i].sum() or ((x[i] + y[i]) > 0).sum() == 1:
            assert p[i] == 1


@given(hostile(), hostile(), st.integers(1, 4))
@settings(max_examples=30)
def test_padding_changes_no_p(x: Counts, y: Counts, extra: int) -> None:
    """Empty cells before the missing one change nothing."""
    padded = [np.concatenate([side[:, :-1], np.zeros((3, extra), np.int64), side[:, -1:]], axis=1) for side in (x, y)]
    assert s.p_values(*padded, ordered=True) == pytest.approx(s.p_values(x, y, ordered=True), rel=1e-9)


# --- false discoveries


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    """The adjusted p-values are scipy's."""
    assert s.benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_false_discovery_rate_is_kept() -> None:
    """Among 20 shifted and 180 unchanged features, at most a hundredth of the called are false, on average."""
    rng = np.random.default_rng(21)
    shares = np.append(np.full(10, 0.1), 0)
    moved = shares * (1 + np.append(0.25 * np.linspace(-1, 1, 10), 0))
    rates = []
    for _ in range(60):
        x = rng.multinomial(3000, shares, 200)
        y = np.concatenate([rng.multinomial(3000, moved, 20), rng.multinomial(3000, shares, 180)])
        called = s.benjamini_hochberg(s.p_values(x, y, ordered=True)) <= 0.01
        assert called[:20].mean() > 0.5
        rates.append(called[20:].sum() / max(called.sum(), 1))
    assert np.mean(rates) <= 0.01 + 3 * np.std(rates) / np.sqrt(60)


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


# --- history


def test_history_needs_fourteen_windows() -> None:
    """With fewer than fourteen earlier windows nothing is usual yet; only the last 56 count."""
    past = np.linspace(0.9, 1.1, s.MIN_HISTORY)
    assert s.history_z(2.0, past[1:], 10) is None
    assert s.history_z(2.0, past, 10) is not None
    flooded = np.concatenate([np.full(500, 99.0), np.full(s.HISTORY, 1.0)])
    assert s.history_z(1.0, flooded, 10) == 0


def test_a_still_history_does_not_explode() -> None:
    """Where the past never varied, the spread of sampling alone takes its place: z stays finite and sober."""
    z = s.history_z(1.1, np.ones(30), 10)
    assert z == pytest.approx(0.1 / np.sqrt(2 / 81))
    assert s.history_z(0.0, np.zeros(30), 1) == 0


def test_a_bad_week_does_not_spoil_the_past() -> None:
    """Median and MAD: seven wild windows of 56 leave the z of the next wild one large."""
    rng = np.random.default_rng(2)
    calm = rng.normal(1, 0.15, 49)
    z = s.history_z(5.0, np.concatenate([calm, np.full(7, 5.0)]), 10)
    assert z is not None
    assert z > 10


@pytest.mark.parametrize(("n", "m"), [(500, 500), (28_000, 1000)])
def test_the_statistic_is_comparable_between_sizes(n: int, m: int) -> None:
    """Nothing changed: mean 1 - 2/(9(k-1)) and sd √(2/(9(k-1))) whatever the sizes (Wilson & Hilferty)."""
    rng = np.random.default_rng([n, m])
    x, y = rng.multinomial(n, np.full(10, 0.1), 4000), rng.multinomial(m, np.full(10, 0.1), 4000)
    found = s.history_statistic(kl_divergence(*smooth(y, x)), n, m, 10)
    assert found.mean() == pytest.approx(1 - 2 / 81, abs=0.02)
    assert found.std() == pytest.approx(np.sqrt(2 / 81), abs=0.02)
    assert found[0] == pytest.approx(np.cbrt(kl_divergence(*smooth(y[0], x[0])) / noise_floor(y[0], x[0])))
