"""Pairs of histograms, plain and hostile, and earlier windows to judge them by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from drift.detection.scores import Past
from drift.profiles.binning import CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.histograms import Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.scores import Severity
    from drift.profiles.binning import Binning

LETTERS = CategoricalBinning(tuple("abcdefgh"))
NUMBERS = NumericBinning(np.arange(8.0))
START = datetime(2013, 1, 1, tzinfo=UTC)

BINNINGS: list[Binning] = [
    LETTERS,
    NUMBERS,
    NumericBinning(np.empty(0)),
    NumericBinning(np.array([0.0, 1.0])),
    CategoricalBinning(()),
    CategoricalBinning(tuple("abc"), rare=("d", "e", "f"), vocabulary=Vocabulary(1000, 2, 1, 3)),
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
