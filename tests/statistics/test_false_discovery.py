"""The share of false discoveries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drift.statistics.false_discovery import benjamini_hochberg
from drift.statistics.significance import p_values


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    """The adjusted p-values are scipy's."""
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_false_discovery_rate_is_kept() -> None:
    """Among 20 shifted and 180 unchanged features, at most a hundredth of the called are false, on average."""
    rng = np.random.default_rng(21)
    shares = np.append(np.full(10, 0.1), 0)
    moved = shares * (1 + np.append(0.25 * np.linspace(-1, 1, 10), 0))
    rates = []
    for _ in range(60):
        x = rng.multinomial(3000, shares, 200)
        y = np.concatenate([rng.multinomial(3000, moved, 20), rng.multinomial(3000, shares, 180)])
        called = benjamini_hochberg(p_values(x, y, ordered=True)) <= 0.01
        assert called[:20].mean() > 0.5
        rates.append(called[20:].sum() / max(called.sum(), 1))
    assert np.mean(rates) <= 0.01 + 3 * np.std(rates) / np.sqrt(60)
