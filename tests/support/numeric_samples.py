"""Numbers, bins for them and what is stored of both: shared by the tests of descriptive statistics and distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from drift.profiles.binning import NumericBinning
from drift.profiles.histograms import Histogram, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drift.profiles.kinds import Scale

    Side = tuple[Histogram, Summary]

VALUES = st.lists(st.floats(-1000, 1000, allow_subnormal=False), min_size=1, max_size=60)


def numbers(*edges: float, scale: Scale = "number") -> NumericBinning:
    """Bins with these edges."""
    return NumericBinning(np.array(edges, np.float64), scale)


FIVE = numbers(0, 1, 2, 4, 8)


def side(values: Sequence[float] | NDArray[np.float64], binning: NumericBinning) -> Side:
    """What is stored of some values."""
    flat = np.asarray(values, np.float64)
    return Histogram(binning, binning.count(flat)), Summary.of(flat)
