"""The laws of what columns say of each other apart from their margins, and of its p-value."""

from __future__ import annotations

from itertools import product
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drift.errors import DistributionError
from drift.statistics.dependence import dependence, mutual_information, pairing_divergence, rake
from drift.statistics.divergence import kl_divergence
from tests.support.laws import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@st.composite
def joints(draw: st.DrawFn, count: int = 2) -> list[Floats]:
    """Return so many joint distributions over the same 2 to 5 rows and columns, without empty cells."""
    shape = draw(st.tuples(st.just(1), st.integers(2, 5), st.integers(2, 5)))
    weights = [draw(hnp.arrays(np.float64, shape, elements=st.integers(1, 200))) for _ in range(count)]
    return [each / each.sum() for each in weights]


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return reference and current counts over the same rows and columns; empty cells are common."""
    shape = draw(st.tuples(st.just(1), st.integers(2, 5), st.integers(2, 5)))
    cells = st.one_of(st.just(0), st.integers(0, 3000))
    return draw(hnp.arrays(np.int64, shape, elements=cells)), draw(hnp.arrays(np.int64, shape, elements=cells))


def kl(p: Floats, q: Floats) -> float:
    """Return D(P‖Q) of two joint distributions."""
    return float(kl_divergence(p.ravel(), q.ravel() / q.sum()))


def margins(p: Floats) -> tuple[Floats, Floats]:
    """Return both margins of a table."""
    return p.sum(axis=2), p.sum(axis=1)


# --- raking, and the laws of D(P‖Q*)


@given(joints())
@examples(40)
def test_what_is_raked_has_the_margins_asked_for_and_its_own_odds_ratios(both: list[Floats]) -> None:
    """Raking changes margins alone."""
    p, q = both
    near = rake(q, *margins(p))
    for got, wanted in zip(margins(near), margins(p), strict=True):
        assert got == pytest.approx(wanted, abs=1e-12)
    odds = np.log(near / q)[0]
    assert odds - odds[:1] - odds[:, :1] + odds[0, 0] == pytest.approx(np.zeros(odds.shape), abs=1e-8)


@given(joints())
@examples(60)
def test_the_divergence_of_a_pair_is_that_of_its_pairing_plus_that_of_its_margins(both: list[Floats]) -> None:
    """Pythagoras: D(P‖Q) = D(P‖Q*) + D(Q*‖Q) exactly, both parts ≥ 0 (Csiszár 1975)."""
    p, q = both
    of_margins = kl(rake(q, *margins(p)), q)
    of_pairing = float(pairing_divergence(p, q)[0])
    assert min(of_pairing, of_margins) >= 0
    assert of_pairing + of_margins == pytest.approx(kl(p, q), abs=1e-10)


@given(joints(3))
@examples(40)
def test_only_the_pairing_counts(three: list[Floats]) -> None:
    """Raking the reference to any margins first changes nothing; a table is at no distance from itself raked."""
    p, q, other = three
    assert pairing_divergence(p, rake(q, *margins(other))) == pytest.approx(pairing_divergence(p, q), abs=1e-10)
    assert pairing_divergence(rake(q, *margins(other)), q) == pytest.approx([0], abs=1e-12)


@given(joints())
@examples(40)
def test_it_is_zero_only_where_all_odds_ratios_agree(both: list[Floats]) -> None:
    """One pair of odds ratios that differs is a divergence."""
    p, q = both
    log_odds = np.log(p / q)[0]
    apart = np.abs(log_odds - log_odds[:1] - log_odds[:, :1] + log_odds[0, 0]).max()
    assert (pairing_divergence(p, q)[0] > 1e-9) == (apart > 1e-3) or apart < 0.05


@given(joints())
@examples(40)
def test_merging_cells_shows_no_more_of_the_pairing(both: list[Floats]) -> None:
    """Two rows counted as one: what is left of P and Q* is at most as far apart."""
    p, q = both
    near = rake(q, *margins(p))
    merged = [np.concatenate([each[:, :1] + each[:, 1:2], each[:, 2:]], axis=1) for each in (p, near)]
    assert kl(*merged) <= kl(p, near) + 1e-12


def test_independence_is_what_has_no_information() -> None:
    """The divergence from an independent reference is mutual information."""
    x = np.random.default_rng(1).integers(1, 100, (1, 4, 6))
    p = x / x.sum()
    apart = p.sum(axis=2)[:, :, None] * p.sum(axis=1)[:, None, :]
    free = 3 * 5 / (2 * x.sum())
    assert pairing_divergence(p, np.full_like(p, 1 / 24))[0] == pytest.approx(kl(p, apart), abs=1e-12)
    assert mutual_information(x)[0] == pytest.approx(max(kl(p, apart) - free, 0), abs=1e-12)


def test_what_is_not_a_distribution_is_refused() -> None:
    """Counts are no probabilities."""
    with pytest.raises(DistributionError, match="Q is not a probability distribution: it sums to 4"):
        pairing_divergence(np.full((1, 2, 2), 0.25), np.ones((1, 2, 2)))


# --- of two samples


@given(tables())
@examples(60)
def test_any_two_tables_have_an_answer(both: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """Whatever is empty: finite, in order, and the raked table has today's margins."""
    x, y = both
    found = dependence(x, y)
    low, high = found.interval(0)
    for each in (found.kl, found.kl_corrected, low, high, found.statistic, found.free, found.p):
        assert np.isfinite(each).all()
    assert 0 <= low <= max(found.kl_corrected[0], 0.0) + 1e-12 <= high + 1e-9
    assert found.kl[0] >= 0 < found.p[0] <= 1
    if y.sum():
        for got, wanted in zip(margins(found.raked), margins(y / y.sum()), strict=True):
            assert got == pytest.approx(wanted, abs=1e-6)


@given(tables())
@examples(40)
def test_neither_the_order_nor_padding_nor_other_pairs_matter(
    both: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Transposed, in another order, with empty rows and columns, beside others: the same answer."""
    x, y = both
    found = dependence(x, y)
    padded = [np.pad(each, ((0, 0), (1, 2), (0, 3))) for each in (x, y)]
    beside = [np.concatenate([np.full_like(each, 50), each]) for each in (x, y)]
    for other, at in (
        (dependence(x.transpose(0, 2, 1), y.transpose(0, 2, 1)), 0),
        (dependence(x[:, ::-1], y[:, ::-1]), 0),
        (dependence(*padded), 0),
        (dependence(*beside), 1),
    ):
        assert other.statistic[at] == pytest.approx(found.statistic[0], rel=1e-4, abs=1e-4)
        assert other.kl[at] == pytest.approx(found.kl[0], rel=1e-3, abs=1e-5)
        assert np.log(other.p[at]) == pytest.approx(np.log(found.p[0]), rel=1e-3, abs=1e-3)


@given(joints(2), st.integers(1, 50))
@examples(40)
def test_margins_alone_are_no_news(both: list[Floats], times: int) -> None:
    """Today's table is the reference's with other margins: no divergence, whatever the sizes."""
    p, q = both
    x = np.round(1e6 * times * q)
    found = dependence(x, 1e6 * rake(x, *margins(p)))
    assert found.kl[0] < 1e-9
    assert found.p[0] > 0.99


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[30, 9, 21], [8, 25, 17]], [[10, 3, 5], [2, 12, 6]]),
        ([[90, 30, 3], [31, 80, 60]], [[13, 4, 2], [4, 11, 9]]),
    ],
)
def test_the_law_of_g_is_that_of_all_permutations(x: list[list[int]], y: list[list[int]]) -> None:
    """Mean and tail of G agree with those of every table of the same margins, enumerated."""
    t, rows, columns = np.add(x, y), np.sum(y, axis=1), np.sum(y, axis=0)
    tops = [
        np.array([a, b, rows[0] - a - b])
        for a, b in product(range(t[0, 0] + 1), range(t[0, 1] + 1))
        if a + b <= rows[0]
    ]
    every = [np.stack([top, columns - top]) for top in tops]
    now = np.array([each for each in every if (each >= 0).all() and (each <= t).all()])
    weights = np.array(
        [float(prod(comb(int(n), int(k)) for n, k in zip(t.flat, each.flat, strict=True))) for each in now]
    )
    weights /= weights.sum()
    found = dependence(t - now, now)
    g = found.statistic
    assert found.expected[0] == pytest.approx(weights @ g, rel=0.08)
    # Of what is as far, half: few tables are possible, and the gamma law has no steps.
    exact = np.array([weights @ ((g > one + 1e-6) + 0.5 * (np.abs(g - one) <= 1e-6)) for one in g])
    looked_at = (exact > 0.001) & (exact < 0.5)
    assert 0.4 <= (found.p / exact)[looked_at].min() <= 1 <= (found.p / exact)[looked_at].max() <= 2.5


def test_a_sparse_table_has_no_chi_square_law() -> None:
    """10 in a million do not happen to 2,000 tables of 64 cells and 300 rows in which nothing changed."""
    rng = np.random.default_rng(5)
    q = np.outer(1 / np.arange(1, 9), 1 / np.arange(1, 9)).ravel() / (1 / np.arange(1, 9)).sum() ** 2
    x, y = (rng.multinomial(n, q, 2000).reshape(-1, 8, 8) for n in (9000, 300))
    found = dependence(x, y)
    assert 0.8 <= np.mean(found.p <= 0.05) / 0.05 <= 1.2
    assert found.p.min() > 1e-5
    assert found.kl_corrected.mean() == pytest.approx(0, abs=0.002)
    assert 0.6 <= np.mean(found.p_mixed <= 0.01) / 0.01 <= 1.4
    assert found.p_mixed.min() > 1e-5


def test_the_interval_covers() -> None:
    """19 of 20 intervals hold the divergence of the populations."""
    rng = np.random.default_rng(6)
    q = rng.dirichlet(np.full(16, 3.0)).reshape(1, 4, 4)
    p = q * np.exp(rng.normal(0, 0.3, q.shape))
    p /= p.sum()
    x, y = rng.multinomial(28_000, q.ravel(), 500), rng.multinomial(1000, p.ravel(), 500)
    found = dependence(x.reshape(-1, 4, 4), y.reshape(-1, 4, 4))
    true = pairing_divergence(p, q)[0]
    low, high = np.transpose([found.interval(i) for i in range(500)])
    assert 0.92 <= np.mean((low <= true) & (true <= high)) <= 0.99
    assert found.kl_corrected.mean() == pytest.approx(true, abs=0.002)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5])
def test_rows_paired_at_random_are_counted(share: float) -> None:
    """Values permuted among a share of the rows change no margin; the share is found, with its error."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(100):
        a, b = rng.integers(0, 6, (2, 9000))
        b = np.where(rng.random(9000) < 0.8, a, b)
        today = b[8000:].copy()
        today[: round(1000 * share)] = rng.permutation(today[: round(1000 * share)])
        x, y = (np.bincount(6 * one + two, minlength=36) for one, two in ((a[:8000], b[:8000]), (a[8000:], today)))
        found.append(dependence(x.reshape(1, 6, 6), y.reshape(1, 6, 6)))
    mixed = np.array([each.mixed[0] for each in found])
    assert mixed.mean() == pytest.approx(share, abs=0.005 + 0.02 * share)
    if share == 0:
        assert np.mean([each.mixed_sd[0] for each in found]) == pytest.approx(mixed.std(), rel=0.25)


def test_what_cannot_be_tested_is_not_called() -> None:
    """One cell, no rows, or rows that the reference has none like: p is 1, and no divergence is made up."""
    x = np.array([[[500, 0], [0, 0]], [[0, 0], [0, 0]], [[500, 300], [0, 0]], [[500, 0], [0, 300]]])
    y = np.array([[[90, 0], [0, 0]], [[50, 50], [50, 50]], [[50, 30], [40, 2]], [[50, 0], [0, 90]]])
    found = dependence(x, y)
    assert found.p.tolist() == pytest.approx([1, 1, 1, 1], abs=1e-3)
    assert found.kl.tolist() == pytest.approx([0, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (1, 1)])
def test_a_table_of_one_row_or_column_says_nothing(shape: tuple[int, int]) -> None:
    """Of how two columns go together: no degree of freedom, no share of mixed rows, whatever is left by rounding."""
    rng = np.random.default_rng(7)
    found = dependence(rng.integers(20, 900, (50, *shape)), rng.integers(20, 900, (50, *shape)))
    assert not found.free.any()
    assert np.isinf(found.mixed_sd).all()
    assert not found.mixed.any()
    assert (found.p == 1).all()
