"""Sizes name their unit."""

from __future__ import annotations

import numpy as np

from drift.config.detection import Effect
from drift.detection.size import Size
from drift.profiles.binning import NumericBinning


def test_a_size_names_its_unit() -> None:
    """Spans of time in days and hours, numbers as they are."""
    dates = NumericBinning(np.array([0.0, 10.0]), "date")
    effect = Effect(measure="wasserstein", warning=1, critical=7)
    assert str(Size(2.0, effect, dates)) == "Wasserstein-1 2 days"
    assert Size(2.0, effect, dates).limit("critical") == "critical 7 days"
    assert str(Size(0.3, Effect(measure="wasserstein", unit="sd", warning=0.1, critical=1))) == "Wasserstein-1 0.3 sd"
