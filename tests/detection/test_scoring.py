"""Measurement: scores that are always finite, p-values that keep their promise end to end, and what is found."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from drift.detection.scoring import corrected, measure
from drift.errors import BinningMismatch, DistributionError
from drift.profiles.binning import CategoricalBinning, Vocabulary
from drift.profiles.counting import count_labels, count_numbers
from drift.profiles.fitting import fit_categorical, fit_numeric
from drift.profiles.histograms import Histogram
from drift.profiles.refinement import refined
from tests.support.laws import examples
from tests.support.pair_samples import LETTERS, NUMBERS, pair, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pair = tuple[Histogram, Histogram]


def zipf(labels: int) -> Floats:
    """The shares of so many labels, the i-th proportional to 1/i."""
    shares = 1 / np.arange(1.0, labels + 1)
    return np.asarray(shares / shares.sum())


def labelled(rng: np.random.Generator, shares: Floats, n: int, m: int, *, fitted: bool = True) -> Pair:
    """Counts of a reference's and a window's labels; levels fitted on the reference, or on other rows like it."""
    names = [str(label) for label in range(len(shares))]
    x, y = rng.multinomial(n, shares), rng.multinomial(m, shares)
    seen = x if fitted else rng.multinomial(n, shares)
    binning = fit_categorical({name: count for name, count in zip(names, seen.tolist(), strict=True) if count})
    reference, current = (count_labels(binning, names, side) for side in (x, y))
    return refined(reference, current)


def numbered(before: Floats, after: Floats) -> Pair:
    """Counts of a reference's and a window's numbers, bins fitted on the reference."""
    binning = fit_numeric(before, expected_rows=len(after))
    return refined(count_numbers(binning, before), count_numbers(binning, after))


def called(draw: Callable[[np.random.Generator], Pair], seed: list[int], tests: int) -> Floats:
    """How often nothing is called something, over .05 and .01, in so many seeded tests."""
    rng = np.random.default_rng(seed)
    p = [
        score.p
        for first in range(0, tests, 500)
        for score in measure({str(i): draw(rng) for i in range(min(500, tests - first))}).values()
    ]
    return np.array([np.mean(np.array(p) <= level) / level for level in (0.05, 0.01)], np.float64)


def most(tests: int) -> Floats:
    """The promise, 1.2 at .05 and 1.5 at .01, with three standard errors of so many tests on top."""
    return np.asarray(np.array([1.2, 1.5]) + 3 * np.sqrt(1 / (tests * np.array([0.05, 0.01]))))


@examples(150)
@given(st.dictionaries(st.text(max_size=5), pairs(), max_size=4), st.sampled_from(["pooled", "jeffreys", "epsilon"]))
def test_every_number_of_every_score_is_finite(
    features: dict[str, tuple[Histogram, Histogram]], smoothing: str
) -> None:
    """Whatever the counts, no score holds NaN or infinity, and each number keeps to its range."""
    scores = measure(features, smoothing=smoothing)  # type: ignore[arg-type]
    assert list(scores) == [name for name, (x, y) in features.items() if x.n and y.n]
    for name, score in scores.items():
        numbers = [getattr(score, f.name) for f in fields(score)]
        assert all(math.isfinite(v) for v in numbers if isinstance(v, float))
        assert np.isfinite(score.contributions).all()
        assert min(score.kl, score.kl_reverse, score.psi, score.js, score.noise) >= 0
        assert 0 < score.p <= score.q <= 1
        assert 0 <= score.ci_low <= max(score.kl_corrected, 0) <= score.ci_high
        assert score.js <= math.log(2) + 1e-12
        assert len(score.contributions) == features[name][0].binning.n_cells


@given(pairs(), pairs())
def test_contributions_sum_exactly(first: tuple[Histogram, Histogram], second: tuple[Histogram, Histogram]) -> None:
    """The cells' contributions add up to the score to the last bit, however wide the feature beside it."""
    for score in measure({"a": first, "b": second}).values():
        assert float(score.contributions.sum()) == score.kl
        assert (score.contributions >= 0).all()
        assert score.psi == score.kl + score.kl_reverse


@given(st.lists(st.integers(0, 1000), min_size=11, max_size=11).filter(any), st.integers(1, 9), st.integers(1, 9))
def test_equal_shares_score_zero(counts: list[int], a: int, b: int) -> None:
    """Equal shares score exactly zero at any two sizes, and are not significant."""
    score = measure({"x": pair(LETTERS, [a * c for c in counts], [b * c for c in counts])})["x"]
    assert (score.kl, score.kl_reverse, score.js, score.ci_low) == (0, 0, 0, 0)
    assert score.p > 0.5


def test_the_direction_is_current_against_reference() -> None:
    """A category that appears surprises the old model more than one that vanishes: kl is D(current‖reference)."""
    before, after = [9990, 10, *[0] * 9], [5000, 5000, *[0] * 9]
    score = measure({"x": pair(LETTERS, before, after)})["x"]
    exact = 0.5 * math.log(0.5 / 0.999) + 0.5 * math.log(0.5 / 0.001)
    assert score.kl == pytest.approx(exact, rel=0.02)
    assert score.kl_corrected == pytest.approx(exact, rel=0.02)
    assert score.kl_reverse < score.kl / 2
    assert score.ci_low < exact < score.ci_high


def test_nulls_and_unseen_labels_are_news() -> None:
    """Half the rows null, or one in two hundred unseen: both are scored, neither is infinite."""
    nulls = measure({"x": pair(NUMBERS, [100] * 9 + [0], [50] * 9 + [450])})["x"]
    assert nulls.contributions.argmax() == NUMBERS.missing
    unseen = measure({"x": pair(LETTERS, [2500] * 8 + [0, 0, 0], [622] * 8 + [0, 24, 0])})["x"]
    assert unseen.q < 1e-6
    assert unseen.kl_corrected > 0.01


LAWS: dict[str, Floats] = {
    "2,000 Zipf": zipf(2000),
    "100 even": np.full(100, 1 / 100),
    "300 even": np.full(300, 1 / 300),
    "2,000 even": np.full(2000, 1 / 2000),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "m"), [(500, 500), (5000, 500), (300, 2000)])
def test_many_labels_are_no_news(n: int, m: int, law: str) -> None:
    """Nothing changed in a long tail, in an identifier's lucky levels, in labels that a reference happened to miss."""
    assert (called(lambda rng: labelled(rng, LAWS[law], n, m), [n, m, len(LAWS[law])], 500) <= most(500)).all()


@pytest.mark.parametrize("law", LAWS)
def test_a_reference_of_other_windows_than_the_fits_knows_no_more(law: str) -> None:
    """Levels fitted on other rows than the reference's: the same rates."""
    draw = lambda rng: labelled(rng, LAWS[law], 2000, 500, fitted=False)  # noqa: E731
    assert (called(draw, [16, len(LAWS[law])], 500) <= most(500)).all()


def test_a_long_tail_has_no_divergence() -> None:
    """Nothing changed in 2,000 categories: the labels that a reference happened to miss add nothing to the estimate."""
    rng = np.random.default_rng(14)
    draws = {str(i): labelled(rng, zipf(2000), 20_000, 5000) for i in range(60)}
    assert min(after.counts[-2] for _, after in draws.values()) > 20
    assert abs(np.mean([score.kl_corrected for score in measure(draws).values()])) < 0.002


@pytest.mark.parametrize(
    ("change", "rows"),
    [("a label doubles", 2000), ("a new label of 4 %", 2000), ("the tail is new", 2000), ("one label takes all", 200)],
)
def test_what_changes_among_many_labels_is_news(change: str, rows: int) -> None:
    """What is not blamed on chance is still found: in the head, in the tail, and beyond it."""
    rng = np.random.default_rng(17)
    shares = np.append(zipf(2000), np.zeros(2000))
    moved = shares.copy()
    match change:
        case "a label doubles":
            moved[2] *= 2
        case "a new label of 4 %":
            moved[-1] = 0.04
        case "the tail is new":
            moved[100:2000], moved[2100:] = 0, shares[100:2000]
        case _:
            moved[5] = 1
    names = [str(label) for label in range(4000)]
    for _ in range(5):
        x, y = rng.multinomial(20_000, shares), rng.multinomial(rows, moved / moved.sum())
        binning = fit_categorical({name: count for name, count in zip(names, x.tolist(), strict=True) if count})
        two = [Histogram(binning, binning.count_labels(names, side)) for side in (x, y)]
        assert measure({"x": (two[0], two[1])})["x"].p < 1e-6


def test_more_unseen_labels_than_a_long_tail_explains_are_news() -> None:
    """Beyond the rows whose labels the reference held once, unseen labels count in full."""
    binning = CategoricalBinning(("a", "b"), rare=("c", "d", "e"), vocabulary=Vocabulary(10_000, 3, 0, 7))
    two = pair(binning, [6000, 3990, 10, 0, 0], [590, 360, 0, 50, 0])
    score = measure({"x": two})["x"]
    assert score.q < 1e-6
    assert score.contributions.argmax() == 3
    assert score.kl_corrected > 0.1


def test_a_repeated_run_says_the_same_and_neighbours_play_no_part() -> None:
    """Scores repeat to the last digit; what else is measured moves a feature's q alone, never its p."""
    rng = np.random.default_rng(3)
    shares = [0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.015, 0.005, 0, 0, 0]
    features = {
        f"f{i}": pair(LETTERS, rng.multinomial(600, shares).tolist(), rng.multinomial(90, shares).tolist())
        for i in range(40)
    }
    first = {name: score.p for name, score in measure(features).items()}
    assert first == {name: score.p for name, score in measure(features).items()}
    fewer = measure({name: features[name] for name in list(features)[::-1][5:]})
    assert {name: score.p for name, score in fewer.items()} == pytest.approx({name: first[name] for name in fewer})


def test_bins_must_match_and_smoothing_must_be_finite() -> None:
    """Histograms of different binnings do not compare, and a score is never infinite by choice."""
    x, y = Histogram.empty(LETTERS), Histogram.empty(CategoricalBinning(("b",)))
    full = [Histogram(h.binning, np.ones(h.binning.n_cells, np.int64)) for h in (x, y)]
    with pytest.raises(BinningMismatch, match=r"carrier: binnings .* do not compare"):
        measure({"carrier": (full[0], full[1])})
    with pytest.raises(DistributionError, match="smoothing 'none'"):
        measure({}, smoothing="none")
    assert measure({"carrier": (x, x)}) == {}


@pytest.mark.parametrize(("n", "m"), [(300, 300), (1000, 1000), (8000, 400)])
def test_false_alarms_end_to_end(n: int, m: int) -> None:
    """From raw values with 3 % nulls, bins fitted on the reference: .05 is kept within ±20 %, .01 within ±50 %."""

    def draw(rng: np.random.Generator) -> Pair:
        before, after = rng.normal(size=n), rng.normal(size=m)
        before[rng.random(n) < 0.03], after[rng.random(m) < 0.03] = np.nan, np.nan
        return numbered(before, after)

    rates = called(draw, [n, m], 3000)
    assert (rates <= most(3000)).all()
    assert (rates >= 2 - most(3000)).all()


@pytest.mark.parametrize(("n", "m"), [(200, 200), (500, 500), (5000, 500)])
def test_values_that_recur_raise_no_alarm(n: int, m: int) -> None:
    """Whole numbers, 40 % zeros: which of them hold 2 % of a reference is chance in part, and costs nothing."""

    def draw(rng: np.random.Generator) -> Pair:
        two = (np.where(rng.random(size) < 0.4, 0, np.round(rng.exponential(10, size))) for size in (n, m))
        return numbered(*two)

    rates = called(draw, [n, m], 2000)
    assert (rates <= most(2000)).all()
    assert (rates >= 2 - most(2000)).all()


def test_power_on_the_first_day() -> None:
    """5,000 rows against 5,000: a shift of .25 σ is significant and large enough among 200 features, every time."""
    rng = np.random.default_rng(6)
    for _ in range(40):
        before = rng.normal(size=5000)
        binning = fit_numeric(before, expected_rows=5000)
        edges = np.concatenate([[-np.inf], binning.edges, [np.inf]])
        after = rng.multinomial(5000, np.diff(ndtr(edges - 0.25)))
        score = measure({"x": pair(binning, binning.count(before).tolist(), [*after.tolist(), 0])})["x"]
        assert score.p * 200 < 0.01
        assert score.kl_corrected > 0.01


@given(st.dictionaries(st.text(max_size=5), pairs(), max_size=4))
def test_the_estimate_alone_is_the_scores(features: dict[str, Pair]) -> None:
    """`corrected` gives what `measure` gives, and nothing for a side without rows."""
    scores = measure(features)
    assert corrected(features) == {name: score.kl_corrected for name, score in scores.items()}


def p_of_new(usual: dict[str, int], part: float, rows: int) -> float:
    """The p-value of a window that is a part of the reference, and so many rows of a label that it does not have."""
    binning = fit_categorical(usual)
    after = {label: round(n * part) for label, n in usual.items()} | ({"NEW": rows} if rows else {})
    reference, current = (count_labels(binning, list(side), list(side.values())) for side in (usual, after))
    return measure({"x": refined(reference, current)})["x"].p


@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    "usual",
    [{"a": 25_000, "b": 25_000}, {"a": 900, "b": 100}, {"a": 500}, {f"l{i}": 1000 - 10 * i for i in range(40)}],
    ids=["two", "uneven", "one", "forty"],
)
def test_p_falls_with_every_row_of_a_new_label(usual: dict[str, int], part: float) -> None:
    """One row after the other, with no step where cells merge or a label is set apart."""
    p = np.array([p_of_new(usual, part, rows) for rows in range(201)])
    # Further out the law is approximate, and no false-discovery rate asks.
    told = p[:-1] > 1e-12
    assert (p[1:][told] <= p[:-1][told] * (1 + 1e-9)).all()
    n = sum(usual.values())
    chance = 1 + 1 / part
    assert (p[:-1] / p[1:])[told & (p[:-1] < 0.1)].max() <= 6 * chance, n


@pytest.mark.parametrize("part", [0.1, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("labels", [3, 60, 300])
def test_p_of_a_new_label_has_no_cliff(labels: int, part: float) -> None:
    """Where some new labels are to be expected too, and in windows larger than the reference: it hardly ever rises."""
    usual = {f"l{i}": max(1, 500 // (i + 1)) for i in range(labels)}
    p = np.array([p_of_new(usual, part, rows) for rows in range(1, 201)])
    least = np.minimum.accumulate(p)
    news = p < 1e-3
    first = int(np.argmax(news & (np.arange(1, 201) > 10)))
    assert (p[first:] <= 4 * np.maximum(least[first:], 1e-12)).all()
