"""Thresholds, and what is refused of them."""

from __future__ import annotations

import pytest

from drift.config.detection import Detection, Effect, EffectOverride, Persistence
from drift.config.validation import parse_options
from drift.errors import ConfigError


def test_the_thresholds_of_a_feature() -> None:
    """Its exact name, else the most specific pattern, else those of all; what is left out is as for all."""
    overrides = {
        "*": EffectOverride(warning=0.05),
        "*_delay": EffectOverride(critical=0.2),
        "dep_delay": EffectOverride(warning=0.3, critical=0.4),
    }
    detection = Detection(features=overrides)
    assert detection.effect_for("dep_delay") == Effect(warning=0.3, critical=0.4)
    assert detection.effect_for("arr_delay") == Effect(warning=0.01, critical=0.2)
    assert detection.effect_for("origin") == Effect(warning=0.05, critical=0.1)
    assert Detection().effect_for("origin") == Effect()


def test_thresholds_are_in_order() -> None:
    """A critical one below the warning is refused, also where one of them is that of all."""
    with pytest.raises(ConfigError, match=r"critical 0.01 lies below warning 0.1; fix: raise critical, or lower"):
        parse_options(lambda: Effect(warning=0.1, critical=0.01))
    with pytest.raises(ConfigError, match=r"x\*.*critical 0.1 lies below warning 0.5; fix: give both"):
        parse_options(lambda: Detection(features={"x*": EffectOverride(warning=0.5)}))


def test_what_must_last_can() -> None:
    """More windows than are looked at can never have drifted; of one, the window itself is the stretch."""
    with pytest.raises(ConfigError, match="at_least 3 of 2 windows can never be; fix: lower at_least, or raise of"):
        parse_options(lambda: Persistence(of=2, at_least=3))
    assert (Persistence().stretch, Persistence(of=5, at_least=1).stretch) == ((3, 2), (1, 1))
    assert Detection(history=10).remembered == 12
