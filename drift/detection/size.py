"""Size: how large a difference is, beside what a person said is large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drift.detection.descriptive import show_span
from drift.text.formatting import figure

if TYPE_CHECKING:
    from drift.config.detection import Effect, Level
    from drift.profiles.binning import Binning


@dataclass(frozen=True, slots=True)
class Size:
    """How large a difference is, beside the thresholds that it is compared with.

    Examples
    --------
    >>> from drift.config.detection import Effect
    >>> from drift.profiles.binning import NumericBinning
    >>> size = Size(10.04, Effect(measure="mean", unit="%", warning=5, critical=20), NumericBinning([0.0, 1.0]))
    >>> str(size), size.level, size.limit("warning")
    ('mean moved by 10 %', 'warning', 'warning 5 %')
    """

    value: float
    effect: Effect
    binning: Binning | None = None

    @property
    def level(self) -> Level:
        """The severity by the thresholds alone."""
        return self.effect.level(self.value)

    def limit(self, level: Level) -> str:
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
