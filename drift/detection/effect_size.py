"""Effect size: how large a difference is, in the measure that a person chose for a feature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drift.detection.size import Size
from drift.profiles.binning import NumericBinning

if TYPE_CHECKING:
    from drift.config.detection import Effect
    from drift.detection.evidence import Evidence
    from drift.detection.scores import Score

OF_NUMBERS = frozenset({"wasserstein", "mean", "median"})
"""Measures that only numbers, dates and times have."""


def effect_size(effect: Effect, score: Score, evidence: Evidence) -> float | None:
    r"""Return how large a difference is by the measure and in the unit of `effect`, ≥ 0.

    ``kl`` is the bias-corrected divergence in nats, ``psi`` and ``js_distance`` are those of the score (smoothed
    shares). ``wasserstein`` is the Wasserstein-1 distance, ``mean`` and ``median`` are :math:`|m_1 - m_0|` of the
    current window and the reference: in the feature's own unit, in standard deviations of the reference, or in
    percent of :math:`|m_0|`. ``missing`` is the difference of the shares of missing values in percentage points.

    None where a side has nothing to measure: no value, no spread, or a reference of 0 for a percentage.

    Examples
    --------
    >>> from drift.config.detection import Effect
    >>> from drift.detection.evidence import Evidence
    >>> from drift.detection.scoring import measure
    >>> from drift.profiles.histograms import Histogram, Summary
    >>> bins = NumericBinning([0.0, 50.0, 100.0])
    >>> before, after = [40.0, 60.0] * 300, [44.0, 66.0] * 300
    >>> pair = Histogram(bins, bins.count(before)), Histogram(bins, bins.count(after))
    >>> evidence = Evidence(*pair, Summary.of(before), Summary.of(after))
    >>> score = measure({"price": pair})["price"]
    >>> for unit in ("", "%"):
    ...     effect_size(Effect(measure="mean", unit=unit, warning=5, critical=20), score, evidence)
    5.0
    10.0
    """
    match effect.measure:
        case "kl":
            return max(score.kl_corrected, 0.0)
        case "psi":
            return score.psi
        case "js_distance":
            return score.js_distance
        case "missing":
            before, after = evidence.reference, evidence.current
            return 100 * abs(after.n_missing / after.n - before.n_missing / before.n)
    was, now = evidence.descriptions
    if effect.measure == "wasserstein":
        moved, zero = evidence.wasserstein, None
    else:
        zero, then = (was.mean, now.mean) if effect.measure == "mean" else (was.median, now.median)
        moved = None if zero is None or then is None else abs(then - zero)
    if moved is None or not math.isfinite(moved):
        return None
    per = {"": 1.0, "sd": was.std, "%": None if zero is None else abs(zero) / 100}[effect.unit]
    return 0.0 if moved == 0 else moved / per if per else None


def sized(effect: Effect, score: Score, evidence: Evidence) -> Size | None:
    """Measure a difference, by its divergence where nothing is left to measure; None for a measure it cannot have."""
    binning = evidence.current.binning
    if effect.measure in OF_NUMBERS and not isinstance(binning, NumericBinning):
        return None
    value = effect_size(effect, score, evidence)
    if value is None:
        effect, value = type(effect)(), max(score.kl_corrected, 0.0)
    return Size(value, effect, binning)
