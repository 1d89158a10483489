"""Detection: scores that are always finite, and verdicts that say why."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from drift.binning import CategoricalBinning, NumericBinning
from drift.config import Detection, EffectOverride, Persistence
from drift.detection import FAST_KL, FAST_MARGIN, VAST, judge
from drift.errors import BinningMismatch, DistributionError
from drift.fitting import fit_categorical, fit_numeric
from drift.histograms import Histogram
from drift.measurement import measure
from drift.scores import Past, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.binning import Binning
    from drift.scores import Severity, Verdict

LETTERS = CategoricalBinning(tuple("abcdefgh"))
NUMBERS = NumericBinning(np.arange(8.0))
START = datetime(2013, 1, 1, tzinfo=UTC)
Z = Detection().z
FAST_Z = Z + FAST_MARGIN
LASTING = Detection(persistence=Persistence(of=1, at_least=1))

BINNINGS: list[Binning] = [
    LETTERS,
    NUMBERS,
    NumericBinning(np.empty(0)),
    NumericBinning(np.array([0.0, 1.0])),
    CategoricalBinning(()),
]
CALM: list[Severity] = ["none"] * 20

COUNT = st.one_of(st.integers(0, 3), st.integers(0, 500), st.integers(0, 10**12))


def pair(binning: Binning, x: Sequence[int], y: Sequence[int]) -> tuple[Histogram, Histogram]:
    """Reference and current histogram under one binning."""
    return Histogram(binning, np.array(x)), Histogram(binning, np.array(y))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Histogram, Histogram]:
    """Hostile counts under any binning: zeros, one row, one cell, 10¹² rows."""
    binning = draw(st.sampled_from(BINNINGS))
    counts = st.lists(COUNT, min_size=binning.n_cells, max_size=binning.n_cells)
    return pair(binning, draw(counts), draw(counts))


def history(
    *severities: Severity, kl: float = 0.001, rows: int = 1000, cells: int = 10, jitter: float = 0.1
) -> list[Past]:
    """Earlier windows with these severities, newest last; their divergences vary a little around `kl`."""
    return [
        Past(START + timedelta(days=i), kl * (1 + jitter * (-1) ** i), kl, 28 * rows, rows, cells, severity)
        for i, severity in enumerate(severities)
    ]


def a_score(**changes: object) -> Score:
    """A score that is significant, critical and unusual, but for `changes`."""
    score = Score(
        feature="x",
        kind="numeric",
        kl=0.31,
        kl_reverse=0.3,
        psi=0.61,
        js=0.07,
        kl_corrected=0.3,
        ci_low=0.25,
        ci_high=0.35,
        p=1e-12,
        q=1e-9,
        z=20.0,
        noise=0.005,
        n_reference=28_000,
        n_current=1000,
        smoothing="pooled",
        fingerprint="0" * 16,
        contributions=np.array([0.31]),
    )
    return replace(score, **changes)  # type: ignore[arg-type]


def verdict(score: Score | None, detection: Detection = LASTING, past: Sequence[Past] = (), **more: object) -> Verdict:
    """The verdict on the feature x."""
    rows = {"n_reference": 28_000, "n_current": 1000} | more
    return judge(["x"], {"x": score} if score else {}, detection, history={"x": past}, **rows)[0]  # type: ignore[arg-type]


# --- measuring


@settings(max_examples=150)
@given(st.dictionaries(st.text(max_size=5), pairs(), max_size=4), st.sampled_from(["pooled", "jeffreys", "epsilon"]))
def test_every_number_of_every_score_is_finite(
    features: dict[str, tuple[Histogram, Histogram]], smoothing: str
) -> None:
    """Whatever the counts, no score holds NaN or infinity, and each number keeps to its range."""
    scores = measure(features, seed=1, smoothing=smoothing)  # type: ignore[arg-type]
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
    for score in measure({"a": first, "b": second}, seed=1).values():
        assert float(score.contributions.sum()) == score.kl
        assert (score.contributions >= 0).all()
        assert score.psi == score.kl + score.kl_reverse


@given(st.lists(st.integers(0, 1000), min_size=11, max_size=11).filter(any), st.integers(1, 9), st.integers(1, 9))
def test_equal_shares_score_zero(counts: list[int], a: int, b: int) -> None:
    """Equal shares score exactly zero at any two sizes, and are not significant."""
    score = measure({"x": pair(LETTERS, [a * c for c in counts], [b * c for c in counts])}, seed=1)["x"]
    assert (score.kl, score.kl_reverse, score.js, score.ci_low) == (0, 0, 0, 0)
    assert score.p > 0.5


def test_the_direction_is_current_against_reference() -> None:
    """A category that appears surprises the old model more than one that vanishes: kl is D(current‖reference)."""
    before, after = [9990, 10, *[0] * 9], [5000, 5000, *[0] * 9]
    score = measure({"x": pair(LETTERS, before, after)}, seed=1)["x"]
    exact = 0.5 * math.log(0.5 / 0.999) + 0.5 * math.log(0.5 / 0.001)
    assert score.kl == pytest.approx(exact, rel=0.02)
    assert score.kl_corrected == pytest.approx(exact, rel=0.02)
    assert score.kl_reverse < score.kl / 2
    assert score.ci_low < exact < score.ci_high


def test_nulls_and_unseen_labels_are_news() -> None:
    """Half the rows null, or one in two hundred unseen: both are scored, neither is infinite."""
    nulls = measure({"x": pair(NUMBERS, [100] * 9 + [0], [50] * 9 + [450])}, seed=1)["x"]
    assert nulls.contributions.argmax() == NUMBERS.missing
    unseen = measure({"x": pair(LETTERS, [2500] * 8 + [0, 0, 0], [622] * 8 + [0, 24, 0])}, seed=1)["x"]
    assert unseen.q < 1e-6
    assert unseen.kl_corrected > 0.01


def test_a_long_tail_is_no_news() -> None:
    """Nothing changed in 2,000 categories: the labels that a reference happened to miss are no drift."""
    rng = np.random.default_rng(14)
    shares = 1 / np.arange(1, 2001)
    shares /= shares.sum()
    p, divergences = [], []
    for i in range(60):
        x, y = rng.multinomial(20_000, shares), rng.multinomial(5000, shares)
        binning = fit_categorical({str(label): int(count) for label, count in enumerate(x) if count})
        labels = [str(label) for label in range(2000)]
        two = [Histogram(binning, binning.count_labels(labels, side)) for side in (x, y)]
        assert two[1].counts[-2] > 20
        score = measure({"x": (two[0], two[1])}, seed=i)["x"]
        p.append(score.p)
        divergences.append(score.kl_corrected)
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert abs(np.mean(divergences)) < 0.002


def test_an_identifier_is_no_news() -> None:
    """Nothing changed in 300 equally frequent labels: its fifty luckiest fall back unpunished."""
    rng = np.random.default_rng(15)
    labels = [str(label) for label in range(300)]
    p = []
    for i in range(40):
        x, y = rng.multinomial(28_000, np.full(300, 1 / 300)), rng.multinomial(1000, np.full(300, 1 / 300))
        binning = fit_categorical(dict(zip(labels, x.tolist(), strict=True)))
        two = [Histogram(binning, binning.count_labels(labels, side)) for side in (x, y)]
        p.append(measure({"x": (two[0], two[1])}, seed=i)["x"].p)
    assert np.mean(np.array(p) <= 0.05) <= 0.15


def test_more_unseen_labels_than_a_long_tail_explains_are_news() -> None:
    """Beyond the rows whose labels the reference held once, unseen labels count in full."""
    binning = CategoricalBinning(("a", "b"), rare=("c", "d", "e"))
    two = pair(binning, [6000, 3990, 10, 0, 0], [590, 360, 0, 50, 0])
    score = measure({"x": two}, seed=1)["x"]
    assert score.q < 1e-6
    assert score.contributions.argmax() == 3
    assert score.kl_corrected > 0.1


def test_a_repeated_run_says_the_same_and_a_new_feature_changes_nobody() -> None:
    """Scores repeat exactly for a seed; an added feature moves no other feature's p-value."""
    rng = np.random.default_rng(3)
    shares = [0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.015, 0.005, 0, 0, 0]
    features = {
        f"f{i}": pair(LETTERS, rng.multinomial(600, shares).tolist(), rng.multinomial(90, shares).tolist())
        for i in range(40)
    }
    first = measure(features, seed=9)
    assert {n: s.p for n, s in first.items()} == {n: s.p for n, s in measure(features, seed=9).items()}
    # Both sides of ten hits: the draws are the feature's own.
    settled = {name: score.p for name, score in first.items() if score.p > 0.02}
    fewer = measure({name: features[name] for name in list(features)[::-1][5:]}, seed=9)
    assert {n: fewer[n].p for n in settled if n in fewer} == {n: p for n, p in settled.items() if n in fewer}
    assert {s.p for s in first.values()} != {s.p for s in measure(features, seed=10).values()}


def test_bins_must_match_and_smoothing_must_be_finite() -> None:
    """Histograms of different binnings do not compare, and a score is never infinite by choice."""
    x, y = Histogram.empty(LETTERS), Histogram.empty(CategoricalBinning(("b",)))
    full = [Histogram(h.binning, np.ones(h.binning.n_cells, np.int64)) for h in (x, y)]
    with pytest.raises(BinningMismatch, match=r"carrier: binnings .* do not compare"):
        measure({"carrier": (full[0], full[1])}, seed=1)
    with pytest.raises(DistributionError, match="smoothing 'none'"):
        measure({}, seed=1, smoothing="none")
    assert measure({"carrier": (x, x)}, seed=1) == {}


@pytest.mark.parametrize(("n", "m"), [(300, 300), (1000, 1000), (8000, 400)])
def test_false_alarms_end_to_end(n: int, m: int) -> None:
    """From raw values, bins fitted on the reference: .05 is called within ±20 %, .01 within ±50 %, of 3,000."""
    rng = np.random.default_rng([n, m])
    p = []
    for _ in range(30):
        features = {}
        for i in range(100):
            before, after = rng.normal(size=n), rng.normal(size=m)
            before[rng.random(n) < 0.03], after[rng.random(m) < 0.03] = np.nan, np.nan
            binning = fit_numeric(before, expected_rows=m)
            features[str(i)] = (Histogram(binning, binning.count(before)), Histogram(binning, binning.count(after)))
        p += [score.p for score in measure(features, seed=int(rng.integers(1 << 30))).values()]
    for level, band in ((0.05, 0.2), (0.01, 0.5)):
        sampling = 3 * np.sqrt((1 - level) / (level * 3000))
        assert abs((np.array(p) <= level).mean() / level - 1) <= band + sampling


def test_power_on_the_first_day() -> None:
    """5,000 rows against 5,000: a shift of .25 σ is significant and large enough among 200 features, every time."""
    rng = np.random.default_rng(6)
    for i in range(40):
        before = rng.normal(size=5000)
        binning = fit_numeric(before, expected_rows=5000)
        edges = np.concatenate([[-np.inf], binning.edges, [np.inf]])
        after = rng.multinomial(5000, np.diff(ndtr(edges - 0.25)))
        two = pair(binning, binning.count(before).tolist(), [*after.tolist(), 0])
        score = measure({"x": two}, seed=i, fdr=0.01 / 200)["x"]
        assert score.p * 200 < 0.01
        assert verdict(score).status in {"warning", "critical"}


# --- judging


def test_critical_in_words() -> None:
    """Significant, unusual and large: critical, and the reason gives the figures."""
    found = verdict(a_score(), past=history(*CALM))
    assert (found.status, found.severity) == ("critical", "critical")
    assert found.reason == "corrected KL 0.3 ≥ critical 0.1, q < 1e-6, 20 robust sd beyond its own history"
    assert (found.warning, found.critical) == (0.01, 0.1)


def test_warning_in_words() -> None:
    """Between the two thresholds it is a warning."""
    found = verdict(a_score(kl_corrected=0.02, q=0.004), past=history(*CALM))
    assert (found.status, found.severity) == ("warning", "warning")
    assert found.reason.startswith("corrected KL 0.02 ≥ warning 0.01, q 0.004")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kl_corrected": 0.002, "q": 0.4}, "corrected KL 0.002 < warning 0.01, not significant (q 0.4)"),
        ({"kl_corrected": -0.002, "q": 0.4}, "corrected KL 0 < warning 0.01, not significant (q 0.4)"),
        ({"q": 0.08}, "corrected KL 0.3 ≥ critical 0.1 but not significant: q 0.08 with 1,000 rows"),
        (
            {"kl_corrected": 0.005},
            "significant (q < 1e-6) but below the effect floor: corrected KL 0.005 < warning 0.01",
        ),
        ({"z": 1.2}, "within its own history (z 1.2 < 4): corrected KL 0.3 is usual here"),
        ({"z": Z - 1e-9, "q": 1e-5}, "within its own history (z 4.0 < 4): corrected KL 0.3 is usual here"),
    ],
)
def test_ok_in_words(changes: dict[str, object], reason: str) -> None:
    """Not significant, not large or not unusual: ok, and the reason says which."""
    found = verdict(a_score(**changes), past=history(*CALM))
    assert (found.status, found.severity, found.reason) == ("ok", "none", reason)


def test_short_history_is_said() -> None:
    """With too little history the other rules decide alone, and the reason says so."""
    found = verdict(a_score(z=None), past=history(*CALM[:9]))
    assert found.status == "critical"
    assert "history too short (9 of 14 windows): judged by sampling error and effect floor alone" in found.reason
    assert "no history: judged by" in verdict(a_score(z=None)).reason


def test_too_few_rows() -> None:
    """Below min_rows nothing is judged, and the figures say what was there."""
    found = verdict(a_score(n_current=40, p=0.08, q=0.2, kl_corrected=0.12), n_current=40)
    assert (found.status, found.severity) == ("insufficient_data", "none")
    assert found.reason == (
        "40 rows in the window, min_rows is 200: corrected KL 0.12, large but not significant (p 0.08)"
    )
    assert found.score is not None
    small = verdict(a_score(n_reference=150, kl_corrected=0.001), n_reference=150)
    assert small.reason == "150 rows in the reference, min_rows is 200"


@pytest.mark.parametrize(("rows", "where"), [({"n_current": 0}, "window"), ({"n_reference": 0}, "reference")])
def test_no_rows(rows: dict[str, int], where: str) -> None:
    """An empty side is said to be empty: never a silent zero."""
    found = verdict(None, LASTING, (), **rows)
    assert (found.status, found.reason, found.score) == ("insufficient_data", f"no rows in the {where}", None)


def test_problems_are_not_comparable() -> None:
    """A column that is gone or retyped is not comparable, in the words that came with it."""
    found = verdict(None, problems={"x": "type changed: numeric in the reference, string now"})
    assert (found.status, found.severity) == ("not_comparable", "none")
    assert found.reason == "type changed: numeric in the reference, string now"
    assert verdict(None).status == "error"


def test_a_features_own_thresholds() -> None:
    """Thresholds set for a pattern are the ones in force, and stand in the verdict."""
    detection = LASTING.model_copy(update={"features": {"x*": EffectOverride(warning=0.35, critical=0.5)}})
    found = verdict(a_score(), detection, history(*CALM))
    assert (found.status, found.warning, found.critical) == ("ok", 0.35, 0.5)


@pytest.mark.parametrize(
    ("before", "now", "status", "words"),
    [
        (["none", "none"], 0.03, "ok", "1 of the 2 windows it takes: "),
        (["none", "warning"], 0.03, "warning", "; 2 of the last 3 windows"),
        (["warning", "none"], 0.03, "warning", "; 2 of the last 3 windows"),
        (["warning", "none", "none"], 0.03, "ok", "1 of the 2 windows it takes: "),
        (["critical", "critical"], 0.03, "warning", "; 3 of the last 3 windows"),
        (["none", "critical"], 0.3, "critical", "; 2 of the last 3 windows"),
        (["warning", "warning"], 0.3, "warning", "; 3 of the last 3 windows at least warning"),
        (["critical", "critical"], 0.001, "ok", "below the effect floor"),
    ],
)
def test_persistence(before: list[Severity], now: float, status: str, words: str) -> None:
    """A status takes two of three windows at its level, this one among them."""
    past = history(*CALM, *before)
    # Unusual, but not so far that it could not wait.
    found = verdict(a_score(kl_corrected=now, z=FAST_Z - 0.5), Detection(), past)
    assert found.status == status
    assert words in found.reason


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"z": FAST_Z, "kl_corrected": 0.12}, "critical"),
        ({"z": FAST_Z, "kl_corrected": FAST_KL}, "warning"),
        ({"z": FAST_Z, "kl_corrected": FAST_KL - 0.01}, "ok"),
        ({"z": FAST_Z - 0.1, "kl_corrected": 0.12}, "ok"),
        ({"z": Z, "kl_corrected": 0.6, "ci_low": VAST * 0.1}, "critical"),
        ({"z": Z, "kl_corrected": 0.6, "ci_low": VAST * 0.1 - 0.01}, "ok"),
        ({"z": Z - 0.1, "kl_corrected": 0.6, "ci_low": VAST * 0.1}, "ok"),
        ({"z": None, "ci_low": 0.1}, "critical"),
        ({"z": None, "ci_low": 0.09}, "ok"),
    ],
)
def test_the_fast_lane(changes: dict[str, object], status: str) -> None:
    """Far beyond its history, or without one critical over its whole interval: told at once."""
    found = verdict(a_score(**changes), Detection(), history(*CALM[: 20 if changes["z"] else 2]))
    assert found.status == status
    assert ("too large to wait for 2 windows" in found.reason) == (status != "ok")


def test_history_makes_the_usual_usual() -> None:
    """A feature whose every window differs this much is significant and large, and still ok."""
    rng = np.random.default_rng(4)
    shares = np.append(np.full(8, 0.125), [0, 0, 0])
    tilted = shares * (1 + 0.5 * np.append(np.linspace(-1, 1, 8), [0, 0, 0]))
    two = pair(LETTERS, rng.multinomial(20_000, shares).tolist(), rng.multinomial(1000, tilted).tolist())
    fresh = measure({"x": two}, seed=1)["x"]
    restless = history(*CALM, *CALM, kl=fresh.kl, rows=714, cells=8, jitter=0.3)
    quiet = history(*CALM, *CALM, kl=0.004, rows=714, cells=8, jitter=0.3)
    for past, status in (((), "warning"), (restless, "ok"), (quiet, "warning")):
        scores = measure({"x": two}, seed=1, history={"x": past})
        found = judge(["x"], scores, LASTING, history={"x": past}, n_reference=20_000, n_current=1000)[0]
        assert found.status == status
    assert measure({"x": two}, seed=1, history={"x": restless}, windows=0)["x"].z is None


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from("abc"), pairs(), min_size=1),
    st.lists(st.sampled_from(["none", "warning", "critical"]), max_size=20),
)
def test_every_verdict_has_a_reason(features: dict[str, tuple[Histogram, Histogram]], past: list[Severity]) -> None:
    """Whatever the counts, every feature asked for has one verdict, in order, with a reason in words."""
    earlier = {name: history(*past) for name in features}
    scores = measure(features, seed=1, history=earlier)
    rows = {"n_reference": 1000, "n_current": 1000}
    verdicts = judge(
        [*features, "gone"], scores, Detection(), history=earlier, problems={"gone": "column missing"}, **rows
    )
    assert [v.feature for v in verdicts] == [*features, "gone"]
    assert all(v.reason and "nan" not in v.reason and "inf" not in v.reason for v in verdicts)
    assert all(not v.drifting or v.severity != "none" for v in verdicts)
