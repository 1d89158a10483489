"""Detection: verdicts that say why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.detection import Detection, EffectOverride, Persistence
from drift.detection.scores import CellShift, Explanation, Past, Score
from drift.detection.scoring import measure
from drift.detection.verdicts import FAR_FLOOR, FAR_Z, FAST_KL, FAST_MARGIN, VAST, judge, judge_again
from tests.support.laws import examples
from tests.support.pair_samples import CALM, LETTERS, history, pair, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.scores import Severity, Status, Verdict
    from drift.profiles.histograms import Histogram

Z = Detection().z
FAST_Z = Z + FAST_MARGIN
LASTING = Detection(persistence=Persistence(of=1, at_least=1))


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
        z_lasting=None,
        noise=0.005,
        cells=10,
        n_reference=28_000,
        n_current=1000,
        smoothing="pooled",
        fingerprint="0" * 16,
        contributions=np.array([0.31]),
    )
    return replace(score, **changes)  # type: ignore[arg-type]


def verdict(
    score: Score | None, detection: Detection = LASTING, past: Sequence[Past] = (), cell: CellShift | None = None
) -> Verdict:
    """The verdict on the feature x."""
    scores = {"x": score} if score else {}
    return judge(["x"], scores, detection, history={"x": past}, explanations={"x": Explanation(cell=cell)})[0]


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
            {"kl_corrected": 0.005, "z": FAR_Z - 1},
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
    found = verdict(a_score(z=None), past=history(*CALM[:4]))
    assert found.status == "critical"
    assert "history too short: judged by sampling error and effect floor alone" in found.reason
    assert "no history: judged by" in verdict(a_score(z=None)).reason


def test_too_few_rows() -> None:
    """Below min_rows nothing is judged, and the figures say what was there."""
    found = verdict(a_score(n_current=20, p=0.08, q=0.2, kl_corrected=0.12))
    assert (found.status, found.severity) == ("insufficient_data", "none")
    assert found.reason == (
        "20 rows in the window, min_rows is 30: corrected KL 0.12, large but not significant (p 0.08)"
    )
    assert found.score is not None
    small = verdict(a_score(n_reference=29, kl_corrected=0.001))
    assert small.reason == "29 rows in the reference, min_rows is 30"


def test_what_cannot_be_compared_has_no_score() -> None:
    """A column that is gone or retyped has the status and the words that came with it; without any it is an error."""
    retyped = "type changed: numeric in the reference, string now"
    (found,) = judge(["x"], {"x": a_score()}, LASTING, unscored={"x": ("not_comparable", retyped)})
    assert (found.status, found.severity, found.reason) == ("not_comparable", "none", retyped)
    assert found.score is None
    assert verdict(None).status == "error"


def test_lasting_holds_for_its_persistence_alone() -> None:
    """Judged again under another persistence, neither the feature nor its cell lasts by what was measured before."""
    lasted, seen = a_score(z=0.5, z_lasting=9.0), replace(NULLS, z=0.0, lasting=9.0)
    before = verdict(lasted, Detection(), history(*CALM), seen)
    assert before.status == "warning"
    (same,) = judge_again([before], Detection(), {"x": history(*CALM)}, scored_under=(3, 2))
    assert same == before
    other = Detection(persistence=Persistence(of=4, at_least=2))
    (again,) = judge_again([before], other, {"x": history(*CALM)}, scored_under=(3, 2))
    assert (again.status, again.severity, again.score, again.explanation) == ("ok", "none", lasted, before.explanation)


def test_a_features_own_thresholds() -> None:
    """Thresholds set for a pattern are the ones in force, and stand in the verdict."""
    detection = LASTING.model_copy(update={"features": {"x*": EffectOverride(warning=0.35, critical=0.5)}})
    found = verdict(a_score(z=FAR_Z - 1), detection, history(*CALM))
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


NULLS = CellShift("missing", 0.009, 0.059, 0.07, 9.0, 0.0)
"""Nulls that rose beyond their own history, in this window alone."""


@pytest.mark.parametrize(
    ("cell", "severity", "status"),
    [
        (NULLS, "warning", "ok"),
        (replace(NULLS, lasting=5.0), "warning", "warning"),
        (replace(NULLS, z=0.0, lasting=5.0), "warning", "warning"),
        (replace(NULLS, kl=0.2), "critical", "ok"),
        (replace(NULLS, kl=0.2, lasting=5.0), "critical", "warning"),
        (replace(NULLS, z=4.9), "none", "ok"),
        (replace(NULLS, kl=0.009, lasting=9.0), "none", "ok"),
        (None, "none", "ok"),
    ],
)
def test_one_cell_can_be_unusual(cell: CellShift | None, severity: str, status: str) -> None:
    """Where the feature as a whole is usual, a cell that is not is as severe as what it moved, and has to last."""
    found = verdict(a_score(z=0.5), Detection(), history(*CALM), cell)
    assert (found.severity, found.status) == (severity, status)
    assert ("missing 0.9 % → 5.9 % (" in found.reason) == (severity != "none")
    insignificant = verdict(a_score(z=0.5, q=0.5), Detection(), history(*CALM), cell)
    assert (insignificant.severity, insignificant.status) == ("none", "ok")


@pytest.mark.parametrize(
    ("changes", "cell", "status"),
    [
        ({"z": FAR_Z}, None, "warning"),
        ({"z": FAR_Z - 0.1}, None, "ok"),
        ({"z": FAR_Z, "q": 0.02}, None, "ok"),
        ({"z": FAR_Z, "kl_corrected": 0.0039}, None, "ok"),
        ({"z": 0.5}, CellShift("a", 0.005, 0.0, 0.005, FAR_Z, 0.0), "warning"),
        ({"z": 0.5, "q": 1.0}, CellShift("a", 0.005, 0.0, 0.005, FAR_Z, 0.0), "warning"),
        ({"z": 0.5}, CellShift("a", 0.005, 0.0, 0.005, FAR_Z - 0.1, 0.0), "ok"),
        ({"z": 0.5}, CellShift("a", 0.003, 0.0, 0.003, 30.0, 0.0), "ok"),
        ({"z": None}, None, "ok"),
    ],
)
def test_what_was_never_like_this_is_told_at_once(
    changes: dict[str, object], cell: CellShift | None, status: str
) -> None:
    """Ten deviations beyond all that the feature or one of its cells did: a warning, from .4 of the threshold on."""
    found = verdict(a_score(**{"kl_corrected": 0.0041, **changes}), Detection(), history(*CALM), cell)
    assert found.status == status
    assert ("far beyond its own history" in found.reason) == (status != "ok")
    floor = LASTING.model_copy(update={"features": {"x": EffectOverride(warning=0.0051 / FAR_FLOOR)}})
    assert verdict(a_score(**{"kl_corrected": 0.0041, **changes}), floor, history(*CALM), cell).status == "ok"


def test_a_cell_is_told_when_the_reference_has_followed_it() -> None:
    """A trailing reference takes in what is compared with it; the cell's own past does not in a day."""
    absorbed = a_score(kl_corrected=0.006, z=0.5)
    found = verdict(absorbed, Detection(), history(*CALM), replace(NULLS, lasting=8.0))
    assert found.status == "warning"
    moved = "missing 0.9 % → 5.9 % (0.07 nats by itself), 9 robust"
    assert found.reason.startswith(f"corrected KL 0.006, q < 1e-6; {moved}")


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        ([0.05, 0.05], 0.05, "warning"),
        ([0.001, 0.2], 0.2, "critical"),
        ([0.001, 0.05], 0.3, "warning"),
        ([0.001, 0.001], 0.3, "ok"),
        ([0.2, 0.2], 0.005, "ok"),
    ],
)
def test_what_lasts_is_as_large_as_it_lasted(before: list[float], now: float, status: str) -> None:
    """Unusual together with the windows before: told at once, as severe as all of those windows were."""
    past = [one._replace(kl_corrected=kl) for one, kl in zip(history("none", "none"), before, strict=True)]
    found = verdict(a_score(kl_corrected=now, z=2.0, z_lasting=4.5), Detection(), [*history(*CALM), *past])
    assert found.status == status
    assert ("over the last 3 windows; lasting" in found.reason) == (status != "ok")


def test_the_most_severe_rule_is_told() -> None:
    """Two warnings before do not keep a day that cannot wait from being critical."""
    found = verdict(a_score(), Detection(), history(*CALM, "warning", "warning"))
    assert found.status == "critical"


def test_history_makes_the_usual_usual() -> None:
    """A feature whose every window differs this much is significant and large, and still ok."""
    rng = np.random.default_rng(4)
    shares = np.append(np.full(8, 0.125), [0, 0, 0])
    tilted = shares * (1 + 0.5 * np.append(np.linspace(-1, 1, 8), [0, 0, 0]))
    two = pair(LETTERS, rng.multinomial(20_000, shares).tolist(), rng.multinomial(1000, tilted).tolist())
    fresh = measure({"x": two})["x"]
    restless = history(*CALM, *CALM, kl=fresh.kl, rows=714, cells=8, jitter=0.3)
    quiet = history(*CALM, *CALM, kl=0.004, rows=714, cells=8, jitter=0.3)
    for past, status in (((), "warning"), (restless, "ok"), (quiet, "warning")):
        scores = measure({"x": two}, history={"x": past})
        found = judge(["x"], scores, LASTING, history={"x": past})[0]
        assert found.status == status


@examples(60)
@given(
    st.dictionaries(st.sampled_from("abc"), pairs(), min_size=1),
    st.lists(st.sampled_from(["none", "warning", "critical"]), max_size=20),
)
def test_every_verdict_has_a_reason(features: dict[str, tuple[Histogram, Histogram]], past: list[Severity]) -> None:
    """Whatever the counts, every feature asked for has one verdict, in order, with a reason in words."""
    earlier = {name: history(*past) for name in features}
    scores = measure(features, history=earlier)
    gone: dict[str, tuple[Status, str]] = {"gone": ("not_comparable", "column missing")}
    verdicts = judge([*features, "gone"], scores, Detection(), history=earlier, unscored=gone)
    assert [v.feature for v in verdicts] == [*features, "gone"]
    assert all(v.reason and "nan" not in v.reason and "inf" not in v.reason for v in verdicts)
    assert all(not v.drifting or v.severity != "none" for v in verdicts)
