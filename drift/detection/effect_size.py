"""Effect size: how large a difference is, in the measure that a person chose for a feature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drift.detection.descriptive import show_span
from drift.profiles.binning import NumericBinning
from drift.text.formatting import figure

if TYPE_CHECKING:
    from drift.config.detection import Effect
    from drift.detection.evidence import Evidence
    from drift.detection.scores import Score, Severity
    from drift.profiles.binning import Binning

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


@dataclass(frozen=True, slots=True)
class Size:
    """How large a difference is, beside the thresholds that it is compared with.

    Examples
    --------
    >>> from drift.config.detection import Effect
    >>> size = Size(10.04, Effect(measure="mean", unit="%", warning=5, critical=20), NumericBinning([0.0, 1.0]))
    >>> str(size), size.level, size.limit("warning")
    ('mean moved by 10 %', 'warning', 'warning 5 %')
    """

    value: float
    effect: Effect
    binning: Binning | None = None

    @property
    def level(self) -> Severity:
        """The severity by the thresholds alone."""
        return self.effect.level(self.value)

    def limit(self, level: Severity) -> str:
        """Name a threshold, with its unit."""
        limit = self.effect.critical if level == "critical" else self.effect.warning
        return f"{level} {f'{limit:g}' if self.effect.measure == 'kl' else self._figure(limit)}"

    def __str__(self) -> str:
        """Say how large it is."""
        return f"{_NAMES[self.effect.measure]} {self._figure(self.value)}"

    def _figure(self, value: float) -> str:
        match self.effect.measure, self.effect.unit:
            case "kl" | "psi" | "js_distance", _:
                return figure(value)
            case "missing", _:
                return f"{value:.3g} points"
            case _, "":
                return show_span(value, self.binning) if self.binning else f"{value:.4g}"
            case _, unit:
                return f"{value:.3g} {unit}"


_NAMES = {
    "kl": "corrected KL",
    "psi": "PSI",
    "js_distance": "JS distance",
    "wasserstein": "Wasserstein-1",
    "mean": "mean moved by",
    "median": "median moved by",
    "missing": "missing values moved by",
}


def sized(effect: Effect, score: Score, evidence: Evidence) -> Size | None:
    """Measure a difference, by its divergence where nothing is left to measure; None for a measure it cannot have."""
    binning = evidence.current.binning
    if effect.measure in OF_NUMBERS and not isinstance(binning, NumericBinning):
        return None
    value = effect_size(effect, score, evidence)
    if value is None:
        effect, value = type(effect)(), max(score.kl_corrected, 0.0)
    return Size(value, effect, binning)
