"""The laws of divergence (STATISTICS: Kullback & Leibler, Pinsker, Lin, …), and the worked example done right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr
from scipy.stats import entropy as scipy_entropy

from drift.errors import DistributionError
from drift.statistics import divergence as d

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LN2 = float(np.log(2))
DIE = np.full(6, 1 / 6)
NOT_A_DISTRIBUTION = np.array([1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 8])
LOADED = np.array([1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8])


@st.composite
def distributions(draw: st.DrawFn, count: int = 2, *, zeros: bool = True, cells: int | None = None) -> list[Floats]:
    """Return `count` distributions over the same 2 to 12 cells; cells of weight 0 are common where `zeros`."""
    k = cells or draw(st.integers(2, 12))
    weight = st.integers(0 if zeros else 1, 1000)
    found = []
    for _ in range(count):
        weights = draw(hnp.arrays(np.float64, k, elements=weight))
        assume(weights.sum() > 0)
        found.append(weights / weights.sum())
    return found


@st.composite
def tables(draw: st.DrawFn, largest: int = 10**6) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return reference and current counts over the same cells, neither empty."""
    k = draw(st.integers(1, 12))
    counts = hnp.arrays(np.int64, k, elements=st.integers(0, largest))
    x, y = draw(counts), draw(counts)
    assume(x.sum() > 0 < y.sum())
    return x, y


def kl(p: Floats, q: Floats) -> float:
    """Return D(P‖Q) as a float."""
    return float(d.kl_divergence(p, q))


# --- the laws of D(P‖Q)


@given(distributions())
def test_gibbs(pair: list[Floats]) -> None:
    """D(P‖Q) ≥ 0 (Gibbs), and a cell with q = 0 < p makes it infinite."""
    p, q = pair
    assert kl(p, q) >= 0
    assert np.isinf(kl(p, q)) == bool(((q == 0) & (p > 0)).any())


@given(distributions(zeros=False))
def test_zero_only_where_equal(pair: list[Floats]) -> None:
    """D(P‖Q) = 0 if and only if P = Q."""
    p, q = pair
    assert kl(p, p) == 0
    if np.abs(p - q).sum() > 1e-6:
        assert kl(p, q) > 0


def test_no_symmetry_and_no_triangle() -> None:
    """D is not symmetric, and a detour can be shorter than the way."""
    p, q, r = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([0.7, 0.3])
    assert kl(p, q) != pytest.approx(kl(q, p), rel=0.1)
    assert kl(p, q) > kl(p, r) + kl(r, q)


@given(distributions())
def test_pinsker_and_bretagnolle_huber(pair: list[Floats]) -> None:
    """Total variation is at most √(D/2) (Pinsker) and at most √(1 - e^-D) (Bretagnolle & Huber)."""
    p, q = pair
    variation, divergence = np.abs(p - q).sum() / 2, kl(p, q)
    assert variation <= np.sqrt(divergence / 2) + 1e-9
    assert variation <= np.sqrt(-np.expm1(-divergence)) + 1e-7


@given(distributions(zeros=False))
def test_between_bhattacharyya_and_chi_square(pair: list[Floats]) -> None:
    """-2 ln Σ√(pq) ≤ D ≤ ln(1 + χ²)."""
    p, q = pair
    assert kl(p, q) <= np.log1p(((p - q) ** 2 / q).sum()) + 1e-9
    assert kl(p, q) >= -2 * np.log(min(np.sqrt(p * q).sum(), 1.0)) - 1e-9


@given(distributions(), st.data())
def test_merging_cells_never_raises(pair: list[Floats], data: st.DataObject) -> None:
    """Data processing: merging cells never raises a divergence."""
    p, q = pair
    groups = data.draw(hnp.arrays(np.intp, len(p), elements=st.integers(0, 3)))
    merged = [np.bincount(groups, weights=side, minlength=4) for side in (p, q)]
    for measure in (d.kl_divergence, d.jeffreys_divergence, d.js_divergence):
        assert measure(*merged) <= measure(p, q) + 1e-9


@given(distributions(zeros=False), st.data())
def test_a_channel_never_raises(pair: list[Floats], data: st.DataObject) -> None:
    """Data processing: no noisy channel raises D."""
    p, q = pair
    channel = np.stack([data.draw(distributions(count=1, cells=3, zeros=False))[0] for _ in p])
    assert kl(p @ channel, q @ channel) <= kl(p, q) + 1e-9


@given(distributions(zeros=False), st.data())
def test_chain_rule_and_grouping(pair: list[Floats], data: st.DataObject) -> None:
    """D of a joint law is D of the margin plus the mean D of the conditionals; grouping is the same law."""
    p, q = pair
    rows_p = np.stack([data.draw(distributions(count=1, cells=4, zeros=False))[0] for _ in p])
    rows_q = np.stack([data.draw(distributions(count=1, cells=4, zeros=False))[0] for _ in q])
    joint = kl((p[:, None] * rows_p).ravel(), (q[:, None] * rows_q).ravel())
    assert joint == pytest.approx(kl(p, q) + float(p @ d.kl_divergence(rows_p, rows_q)), abs=1e-9)


@given(distributions(zeros=False), distributions(zeros=False))
def test_additive_over_independent_components(first: list[Floats], second: list[Floats]) -> None:
    """D adds up over independent components: Kullback & Leibler's own "independence property"."""
    joint = [np.outer(a, b).ravel() for a, b in zip(first, second, strict=True)]
    assert kl(joint[0], joint[1]) == pytest.approx(kl(*first) + kl(*second), abs=1e-9)


@given(st.lists(st.integers(0, 100), min_size=12, max_size=12))
def test_mutual_information(counts: list[int]) -> None:
    """D of a joint law from the product of its margins is H(X) + H(Y) - H(X, Y)."""
    assume(sum(counts) > 0)
    joint = np.array(counts, np.float64).reshape(3, 4) / sum(counts)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    information = kl(joint.ravel(), np.outer(rows, columns).ravel())
    assert information == pytest.approx(
        float(d.entropy(rows) + d.entropy(columns) - d.entropy(joint.ravel())), abs=1e-9
    )


@given(distributions(count=4), st.floats(0, 1))
def test_jointly_convex(four: list[Floats], weight: float) -> None:
    """D of mixtures is at most the mixture of the D."""
    p, q, r, s = four
    mixed = kl(weight * p + (1 - weight) * r, weight * q + (1 - weight) * s)
    parts = [w * v for w, v in ((weight, kl(p, q)), (1 - weight, kl(r, s))) if w > 0]
    assert mixed <= sum(parts) + 1e-9


@given(distributions(zeros=False), st.randoms(use_true_random=False))
def test_invariant_to_relabelling(pair: list[Floats], random: object) -> None:
    """The order of the cells plays no part."""
    p, q = pair
    order = list(range(len(p)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert kl(p[order], q[order]) == pytest.approx(kl(p, q), abs=1e-12)


@given(distributions(count=1))
def test_against_the_uniform(one: list[Floats]) -> None:
    """D(P‖uniform) = ln k - H(P), and cross-entropy is H(P) + D(P‖Q)."""
    p = one[0]
    uniform = np.full(len(p), 1 / len(p))
    assert kl(p, uniform) == pytest.approx(np.log(len(p)) - float(d.entropy(p)), abs=1e-9)
    assert float(d.cross_entropy(p, uniform)) == pytest.approx(float(d.entropy(p)) + kl(p, uniform), abs=1e-9)


@given(distributions())
def test_bounds_of_jensen_shannon(pair: list[Floats]) -> None:
    """0 ≤ JSD ≤ min(ln 2, PSI/4), it is symmetric, and its root obeys the triangle inequality's special case."""
    p, q = pair
    js, psi = float(d.js_divergence(p, q)), float(d.psi(p, q))
    assert 0 <= js <= min(LN2, psi / 4) + 1e-9
    assert js == pytest.approx(float(d.js_divergence(q, p)), abs=1e-12)
    assert float(d.js_distance(p, q)) == pytest.approx(np.sqrt(js))


@given(distributions(count=3))
def test_jensen_shannon_distance_is_a_metric(three: list[Floats]) -> None:
    """√JSD obeys the triangle inequality (Endres & Schindelin), which D does not."""
    p, q, r = three
    assert float(d.js_distance(p, r)) <= float(d.js_distance(p, q) + d.js_distance(q, r)) + 1e-7


@given(distributions(zeros=False))
def test_psi_is_jeffreys(pair: list[Floats]) -> None:
    """PSI = Σ(p - q) ln(p/q) = D(P‖Q) + D(Q‖P), in either order."""
    p, q = pair
    expected = float(((p - q) * np.log(p / q)).sum())
    assert float(d.psi(p, q)) == pytest.approx(expected, abs=1e-9)
    assert float(d.psi(p, q)) == pytest.approx(kl(p, q) + kl(q, p), abs=1e-9)
    assert float(d.psi(p, q)) == pytest.approx(float(d.psi(q, p)), abs=1e-12)


@given(distributions(), st.integers(1, 5))
def test_empty_cells_change_nothing(pair: list[Floats], extra: int) -> None:
    """Cells that are empty on both sides add nothing to any divergence."""
    p, q = pair
    longer = [np.concatenate([side, np.zeros(extra)]) for side in (p, q)]
    for measure in (d.kl_divergence, d.psi, d.js_divergence):
        assert float(measure(*longer)) == pytest.approx(float(measure(p, q)), abs=1e-12)


@given(distributions(zeros=False))
def test_contributions_sum_exactly(pair: list[Floats]) -> None:
    """Each contribution is ≥ 0 and equals `scipy.special.kl_div`; together they are D(P‖Q)."""
    from scipy.special import kl_div

    p, q = pair
    parts = d.contributions(p, q)
    assert (parts >= 0).all()
    assert float(parts.sum()) == pytest.approx(kl(p, q), abs=1e-12)
    assert parts == pytest.approx(kl_div(p, q), abs=1e-12)


def test_a_vanished_category_is_the_news() -> None:
    """A category of 5 % that vanished holds nearly all of the divergence, though its bare term is 0."""
    parts = d.contributions([0.5, 0.5, 0.0], [0.475, 0.475, 0.05])
    assert parts[2] / parts.sum() > 0.97


@given(distributions(zeros=False))
def test_agrees_with_scipy(pair: list[Floats]) -> None:
    """`scipy.stats.entropy(p, q)` is D(P‖Q) for distributions."""
    p, q = pair
    assert kl(p, q) == pytest.approx(float(scipy_entropy(p, q)), abs=1e-12)


@given(st.lists(distributions(cells=5), min_size=1, max_size=6))
def test_vectorised_over_features(pairs: list[list[Floats]]) -> None:
    """One call over many features is the same as one call each."""
    p, q = (np.stack(side) for side in zip(*pairs, strict=True))
    assert d.kl_divergence(p, q).tolist() == pytest.approx([kl(a, b) for a, b in pairs], abs=1e-12)
    assert d.contributions(p, q).shape == p.shape


# --- closed forms and the worked example


def test_the_tutorials_example() -> None:
    """The example's Q is not a distribution (ΣQ = 7/4): its 1 is wrong, scipy normalises silently, we refuse."""
    with pytest.raises(
        DistributionError, match=r"Q is not a probability distribution: it sums to 1\.75, not 1; divide it"
    ):
        d.kl_divergence(DIE, NOT_A_DISTRIBUTION)
    normalised = NOT_A_DISTRIBUTION / NOT_A_DISTRIBUTION.sum()
    assert kl(DIE, normalised) == pytest.approx(0.154150679827, abs=1e-12)
    assert kl(DIE, normalised) == pytest.approx(np.log(7 / 6), abs=1e-15)
    assert kl(DIE, normalised) / LN2 == pytest.approx(0.222392421336, abs=1e-12)
    assert kl(normalised, DIE) == pytest.approx(0.142912397556, abs=1e-12)
    assert kl(normalised, DIE) / LN2 == pytest.approx(0.206179007235, abs=1e-12)
    assert kl(DIE, LOADED) == pytest.approx(0.056633012265, abs=1e-12)
    # What the sum gives without normalising is negative: the proof that Q is not a distribution.
    assert float((DIE * np.log(DIE / NOT_A_DISTRIBUTION)).sum()) == pytest.approx(-0.405465108108, abs=1e-12)


@given(st.floats(-2, 2), st.floats(0.3, 3), st.floats(-2, 2), st.floats(0.3, 3))
def test_gaussian_closed_form(mean: float, std: float, reference_mean: float, reference_std: float) -> None:
    """The closed form for normal laws is what fine cells converge to, from below."""
    exact = d.gaussian_kl(mean, std, reference_mean, reference_std)
    low = min(mean - 9 * std, reference_mean - 9 * reference_std)
    high = max(mean + 9 * std, reference_mean + 9 * reference_std)
    edges = np.concatenate([[-np.inf], np.linspace(low, high, 4001), [np.inf]])
    p, q = (np.diff(ndtr((edges - m) / s)) for m, s in ((mean, std), (reference_mean, reference_std)))
    covered = (p > 0) & (q > 1e-290)
    assume(p[covered].sum() > 1 - 1e-9)
    found = float((p[covered] * np.log(p[covered] / q[covered])).sum())
    assert found <= exact + 1e-6
    assert found == pytest.approx(exact, rel=0.01, abs=1e-5)


@pytest.mark.parametrize(("shift", "kept"), [(0.1, 0.958), (0.25, 0.955), (0.5, 0.943), (1.0, 0.894)])
def test_what_ten_cells_keep(shift: float, kept: float) -> None:
    """Ten cells of equal mass keep most of the divergence of a shifted normal law."""
    from scipy.special import ndtri

    edges = np.concatenate([[-np.inf], ndtri(np.arange(1, 10) / 10), [np.inf]])
    found = kl(np.diff(ndtr(edges - shift)), np.full(10, 0.1))
    assert found / d.gaussian_kl(shift, 1, 0, 1) == pytest.approx(kept, abs=5e-4)


@pytest.mark.parametrize("std", [0.0, -1.0])
def test_gaussian_needs_a_spread(std: float) -> None:
    """A standard deviation that is not positive is refused by name."""
    with pytest.raises(DistributionError, match=f"a standard deviation must be positive, got {std}"):
        d.gaussian_kl(0, std, 0, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "it has no cells"),
        ([0.5, np.nan], "it holds NaN or infinity"),
        ([np.inf, 0.5], "it holds NaN or infinity"),
        ([1.5, -0.5], "it holds -0.5, below 0"),
        ([0.3, 0.3], "it sums to 0.6, not 1"),
        ([[0.5, 0.5], [2.0, 2.0]], "it sums to 4, not 1"),
        ([30, 70], "it sums to 100, not 1; divide it by its sum if these are weights or counts"),
    ],
)
def test_what_is_no_distribution(values: list[float], message: str) -> None:
    """What is not a distribution is refused, with what is wrong about it; it is never normalised in silence."""
    with pytest.raises(DistributionError, match=f"P is not a probability distribution: {message}"):
        d.kl_divergence(values, [0.5, 0.5])
    with pytest.raises(ValueError, match="Q is not a probability distribution"):
        d.kl_divergence([0.5, 0.5], values)


def test_cells_must_match() -> None:
    """Distributions over different cells do not compare."""
    with pytest.raises(DistributionError, match="P has 2 cells and Q has 3"):
        d.kl_divergence([0.5, 0.5], [0.2, 0.3, 0.5])


# --- counts


@given(hnp.arrays(np.int64, st.integers(1, 10), elements=st.integers(0, 1000)), st.integers(1, 50), st.integers(1, 50))
def test_equal_proportions_score_zero(counts: NDArray[np.int64], a: int, b: int) -> None:
    """Pooled smoothing: equal proportions score exactly zero whatever the sample sizes."""
    assume(counts.sum() > 0)
    p, q = d.smooth(a * counts, b * counts)
    assert kl(p, q) == 0
    assert (d.contributions(p, q) == 0).all()


@given(tables(), st.sampled_from(["pooled", "jeffreys", "laplace", "epsilon"]))
def test_smoothing_makes_distributions_with_finite_divergence(
    table: tuple[NDArray[np.int64], NDArray[np.int64]], method: d.Smoothing
) -> None:
    """Every smoothing but ``none`` makes two distributions whose divergences are all finite."""
    x, y = table
    p, q = d.smooth(y, x, method)
    for found in (d.kl_divergence(p, q), d.kl_divergence(q, p), d.psi(p, q), d.js_divergence(p, q)):
        assert np.isfinite(found)
    assert (p[(x + y) == 0] == 0).all()


@given(tables(), st.integers(1, 4))
def test_padding_counts_changes_nothing(table: tuple[NDArray[np.int64], NDArray[np.int64]], extra: int) -> None:
    """Empty cells change neither smoothing, nor the corrected estimate, nor the noise floor."""
    x, y = table
    longer = [np.concatenate([side, np.zeros(extra, np.int64)]) for side in (x, y)]
    assert kl(*d.smooth(longer[1], longer[0])) == pytest.approx(kl(*d.smooth(y, x)), abs=1e-12)
    assert float(d.kl_corrected(longer[1], longer[0])) == pytest.approx(float(d.kl_corrected(y, x)), abs=1e-12)
    assert float(d.noise_floor(longer[1], longer[0])) == float(d.noise_floor(y, x))


@pytest.mark.parametrize("n", [1_000, 9_999, 10_000, 100_000])
def test_no_cliff_in_sample_size(n: int) -> None:
    """The same shares one row apart score nearly the same: no cliff at 10,000, where a peer has one."""
    shares_now, shares_then = np.array([0.5, 0.45, 0.05, 0.0]), np.array([0.5, 0.45, 0.04, 0.01])
    scores = [kl(*d.smooth(shares_now * size, shares_then * size)) for size in (n, n + 1)]
    assert scores[1] == pytest.approx(scores[0], rel=2e-3)


def test_no_smoothing_leaves_infinity() -> None:
    """``none`` leaves the counts as they are: a novel cell is infinitely surprising."""
    p, q = d.smooth([1, 1], [2, 0], "none")
    assert kl(p, q) == np.inf


def test_an_unknown_smoothing_is_refused() -> None:
    """A misspelt smoothing names the ones there are."""
    with pytest.raises(DistributionError, match="unknown smoothing 'polled': pooled, jeffreys"):
        d.smooth([1], [1], "polled")  # type: ignore[arg-type]


@given(tables(largest=300))
def test_corrected_estimate_is_its_definition(table: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """The closed form equals Zhang & Grabchak's series, term by term."""
    x, y = table
    n, m = int(x.sum()), int(y.sum())
    assume(n + m < 2000)
    total = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        # Σ_v (1/v)[Π(1 - x/(n-s+1)) - Π(1 - (y-1)/(m-s))]: both inner products are hypergeometric survival chances.
        left = right = 0.0
        product = 1.0
        for v in range(1, n + 1):
            product *= max(0.0, 1 - a / (n - v + 1))
            left += product / v
        product = 1.0
        for v in range(1, m):
            product *= max(0.0, 1 - (b - 1) / (m - v)) if b else 1.0
            right += product / v
        total += b / m * (left - right)
    assert float(d.kl_corrected(y, x)) == pytest.approx(total, abs=1e-9)


def test_corrected_estimate_is_nearly_unbiased() -> None:
    """Nothing changed: the corrected estimate averages 0 within .001, the plug-in the noise floor."""
    rng = np.random.default_rng(5)
    shares = np.full(20, 0.05)
    x, y = rng.multinomial(1000, shares, 4000), rng.multinomial(1000, shares, 4000)
    assert abs(float(d.kl_corrected(y, x).mean())) < 0.001
    plug_in = d.kl_divergence(*d.smooth(y, x)).mean()
    assert float(plug_in) == pytest.approx(float(d.noise_floor(y, x).mean()), rel=0.05)


def test_empty_sides() -> None:
    """Where a side has no rows there is no estimate: NaN, not zero."""
    assert np.isnan(d.kl_corrected([0, 0], [1, 1]))
    assert np.isnan(d.kl_corrected([1, 1], [0, 0]))


@given(tables())
def test_g_is_jensen_shannon(table: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """The two-sample likelihood-ratio statistic G is 2(n + m) JSD at weights n/(n+m) and m/(n+m), exactly."""
    x, y = table
    n, m = int(x.sum()), int(y.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        g = 2 * sum(
            float(np.where(side > 0, side * np.log(side / ((x + y) * size / (n + m))), 0).sum())
            for side, size in ((x, n), (y, m))
        )
    found = 2 * (n + m) * float(d.js_divergence(y / m, x / n, weight=m / (n + m)))
    assert found == pytest.approx(g, rel=1e-6, abs=1e-4)
