"""Effect sizes: what a person set in a unit of their own decides, and nothing that is left unmeasured is quiet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import drift
from drift.config.detection import Detection, Effect, EffectOverride, Persistence
from drift.config.validation import parse_options
from drift.detection.effect_size import effect_size
from drift.detection.evidence import Evidence
from drift.detection.scoring import measure
from drift.errors import ConfigError
from drift.profiles.binning import NumericBinning
from drift.profiles.histograms import Histogram, Summary

if TYPE_CHECKING:
    from drift.detection.scores import Verdict

ONE = Persistence(of=1, at_least=1)


def judged(reference: pd.DataFrame, current: pd.DataFrame, **effect: object) -> Verdict:
    """Compare two tables of one column, its difference measured as asked."""
    override = EffectOverride.model_validate(effect)
    detection = Detection(features={"*": override}, persistence=ONE)
    (verdict,) = drift.compare(reference, current, detection=detection).verdicts
    return verdict


def prices(by: float, n: int = 20_000, seed: int = 3) -> pd.DataFrame:
    """Prices around 100 that are dearer by a share."""
    return pd.DataFrame({"price": np.random.default_rng(seed).gamma(4, 25, n) * (1 + by)})


def test_a_price_that_rises_by_a_tenth_is_news_to_its_owner() -> None:
    """Its KL is below every convention; by the mean it is a warning that says how much, and within it nothing is."""
    assert judged(prices(0), prices(0.1, seed=4)).status == "warning"
    ten = {"measure": "mean", "unit": "%", "warning": 8, "critical": 20}
    dearer = judged(prices(0), prices(0.1, seed=4), **ten)
    assert dearer.status == "warning"
    assert dearer.reason.startswith("mean moved by ")
    assert "% ≥ warning 8 %" in dearer.reason
    assert (dearer.scale, round(dearer.size or 0)) == ("mean %", 10)
    assert judged(prices(0), prices(0.05, seed=4), **ten).status == "ok"
    assert judged(prices(0), prices(0.3, seed=4), **ten).status == "critical"


@pytest.mark.parametrize(
    ("effect", "size"),
    [
        ({"measure": "mean"}, 10.0),
        ({"measure": "mean", "unit": "%"}, 10.0),
        ({"measure": "mean", "unit": "sd"}, 10.0 / 50),
        ({"measure": "median"}, 9.2),
        ({"measure": "wasserstein"}, 10.0),
        ({"measure": "wasserstein", "unit": "sd"}, 10.0 / 50),
        ({"measure": "missing"}, 0.0),
    ],
)
def test_every_measure_has_its_unit(effect: dict[str, str], size: float) -> None:
    """Of prices with mean 100 and standard deviation 50 that rise by a tenth."""
    verdict = judged(prices(0, 200_000), prices(0.1, 200_000, seed=4), warning=1000, critical=1000, **effect)
    assert verdict.size == pytest.approx(size, rel=0.06, abs=1e-12)


def test_psi_and_js_are_those_of_the_score() -> None:
    """The measures that many have thresholds in are the ones that are shown."""
    for name, of in (("psi", "psi"), ("js_distance", "js_distance")):
        verdict = judged(prices(0), prices(0.5, seed=4), measure=name, warning=0.05, critical=0.1)
        assert verdict.score is not None
        assert verdict.size == getattr(verdict.score, of)
        assert verdict.status == "critical"


def test_missing_values_are_percentage_points() -> None:
    """Ten in a hundred that vanish are ten points, whatever the values did."""
    current = prices(0.0, seed=4).assign(price=lambda t: t.price.where(t.index % 10 > 0))
    verdict = judged(prices(0), current, measure="missing", warning=5, critical=20)
    assert verdict.status == "warning"
    assert verdict.size == pytest.approx(10)
    assert "missing values moved by 10 points ≥ warning 5 points" in verdict.reason


def test_what_is_not_significant_is_no_drift_however_large() -> None:
    """Sampling error decides as ever."""
    few = pd.DataFrame({"price": prices(0, 220).price})
    verdict = judged(few, prices(0, 220, seed=9), measure="mean", unit="%", warning=0.01, critical=0.02)
    assert verdict.status == "ok"
    assert "not significant" in verdict.reason


def test_a_column_that_lost_every_value_is_judged_by_its_divergence() -> None:
    """There is no mean to compare, and silence would be the worst answer."""
    gone = pd.DataFrame({"price": np.full(5000, np.nan)})
    verdict = judged(prices(0), gone, measure="mean", unit="%", warning=10, critical=20)
    assert (verdict.status, verdict.scale) == ("critical", "kl")


def test_no_percentage_of_zero() -> None:
    """A reference whose mean is 0 has none: the divergence is judged."""
    before = pd.DataFrame({"price": np.tile([-1.0, 1.0], 2000)})
    verdict = judged(before, before + 1, measure="mean", unit="%", warning=10, critical=20)
    assert (verdict.status, verdict.scale) == ("critical", "kl")


def test_a_category_has_no_mean() -> None:
    """It is not compared, and the reason says what to choose."""
    table = pd.DataFrame({"carrier": ["UA", "B6"] * 1000})
    verdict = judged(table, table, measure="mean", warning=1, critical=2)
    assert verdict.status == "not_comparable"
    assert "choose kl, psi, js_distance or missing" in verdict.reason


def test_sizes_that_overflow_are_not_stored() -> None:
    """The largest floats have no mean that moved by a number."""
    bins = NumericBinning(np.array([-1e308, 0.0, 1e308]))
    pair = [Histogram(bins, np.array(counts)) for counts in ([0, 0, 900, 0, 0], [0, 900, 0, 0, 0])]
    evidence = Evidence(pair[0], pair[1], Summary.of([1.7e308] * 9), Summary.of([-1.7e308] * 9))
    size = effect_size(Effect(measure="mean", warning=1, critical=2), measure({"x": (pair[0], pair[1])})["x"], evidence)
    assert size is None or math.isfinite(size)


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ({"measure": "psi"}, "psi has no thresholds by default; fix: give warning and critical"),
        ({"measure": "kl", "unit": "%"}, r"unit: kl is not measured in '%'; fix: choose ''"),
        ({"measure": "missing", "unit": "sd", "warning": 1, "critical": 2}, "missing is not measured in 'sd'"),
        ({"measure": "wasserstein", "unit": "%", "warning": 1, "critical": 2}, "choose '' or 'sd'"),
    ],
)
def test_impossible_effects_are_refused(effect: dict[str, object], words: str) -> None:
    """Everywhere, with what to write instead."""
    with pytest.raises(ConfigError, match=words):
        parse_options(lambda: Effect.model_validate(effect))
    with pytest.raises(ConfigError, match=words):
        parse_options(lambda: Detection(features={"x*": EffectOverride.model_validate(effect)}))


def test_thresholds_of_another_measure_are_not_inherited() -> None:
    """Half of them in nats and half in percent would mean nothing; the same measure takes over what is left out."""
    detection = Detection(
        effect=Effect(measure="psi", warning=0.1, critical=0.25),
        features={"a": EffectOverride(critical=0.5), "b": EffectOverride(measure="kl", warning=0.02)},
    )
    assert detection.effect_for("a") == Effect(measure="psi", warning=0.1, critical=0.5)
    assert detection.effect_for("b") == Effect(warning=0.02, critical=0.1)
