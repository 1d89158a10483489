"""Axes: ticks are round, in order, within the axis, and told apart by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.page.axes import ticks
from drift.profiles.binning import NumericBinning

if TYPE_CHECKING:
    from drift.profiles.kinds import Scale

DAY = 86_400.0


@given(st.floats(-1e300, 1e300), st.floats(1e-12, 1e3), st.integers(2, 8))
def test_ticks_of_numbers(middle: float, relative: float, most: int) -> None:
    """Of any magnitude; there are at least some, and not many more than were asked for."""
    reach = max(abs(middle) * relative, 1e-300)
    low, high = middle - reach / 2, middle + reach / 2
    found = ticks(low, high, most)
    values = [value for value, _ in found]
    assert values == sorted(values)
    assert 1 <= len(found) <= most + 1
    assert all(low - reach * 1e-6 <= value <= high + reach * 1e-6 for value in values)
    assert len({label for _, label in found}) == len(found)


@pytest.mark.parametrize(
    ("scale", "low", "high", "labels"),
    [
        ("date", 15_706.0, 15_710.0, ["2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04", "2013-01-05"]),
        ("date", 15_706.0, 17_500.0, ["2013", "2014", "2015", "2016", "2017"]),
        ("timestamp", 0.0, 2 * DAY, ["1970-01-01", "12:00", "1970-01-02", "12:00", "1970-01-03"]),
        ("time", 0.0, DAY, ["00:00", "06:00", "12:00", "18:00", "00:00"]),
        ("time", 60.0, 120.0, ["00:01:00", "00:01:15", "00:01:30", "00:01:45", "00:02:00"]),
        ("date", -900_000.0, -899_000.0, []),
    ],
)
def test_ticks_of_times(scale: Scale, low: float, high: float, labels: list[str]) -> None:
    """At whole days, months and years, or hours of a day; beyond every calendar there are none."""
    assert [label for _, label in ticks(low, high, 5, NumericBinning(np.array([low, high]), scale))] == labels
