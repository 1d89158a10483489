"""Whether a window has more or fewer rows than usual: days are the null, chance the least."""

from __future__ import annotations

from datetime import UTC, date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.findings import volume_findings
from drift.detection.row_counts import RowCount, row_count
from drift.windows import Calendar

CALENDAR = Calendar("1d")
MONDAY = CALENDAR.starting(date(2024, 3, 4))


def measured(rows: int, past: list[int], *, trailing: int = 28, every: str = "1d") -> RowCount | None:
    """What so many rows are after such windows, the newest last, the trailing ones being the reference."""
    calendar = Calendar(every)
    window = calendar.containing(MONDAY.start)
    before = calendar.before(window, len(past))
    return row_count(rows, window, dict(zip(before, past, strict=True)), before[-trailing:], UTC)


def odd(rows: int, past: list[int], trailing: int = 28) -> list[str]:
    """The kinds of its findings."""
    return [finding.kind for finding in volume_findings(measured(rows, past, trailing=trailing))]


def test_chance_is_never_odd() -> None:
    """Six rows where fifteen are usual, three times as many as three: chance does that."""
    rng = np.random.default_rng(2)
    assert odd(6, rng.poisson(15, 56).tolist()) == []
    assert odd(9, rng.poisson(3, 56).tolist()) == []
    assert odd(60, rng.poisson(150, 56).tolist()) == ["fewer_rows"]


def test_days_are_the_null() -> None:
    """Half of 10,000 rows is odd where days resemble each other, and usual where they differ by as much."""
    rng = np.random.default_rng(3)
    steady, restless = (rng.lognormal(np.log(10_000), sd, 56).astype(int).tolist() for sd in (0.05, 0.6))
    assert odd(4500, steady) == ["fewer_rows"]
    assert odd(4500, restless) == []


def test_a_week_has_its_pattern() -> None:
    """A Monday as empty as a Sunday is odd, a Sunday is not; the same of what has no rows on Sundays at all."""
    week = [1000, 1010, 990, 1000, 1005, 150, 140]
    found = measured(150, week * 8)
    assert found is not None
    assert (found.alike, odd(150, week * 8), odd(1000, week * 8)) == ("weekday", ["fewer_rows"], [])
    assert odd(150, (week * 8)[:-1]) == []
    nothing = measured(0, ([*week[:-1], 0] * 8)[:-1])
    assert nothing is not None
    assert (nothing.usual, nothing.alike, nothing.factor) == (0.0, "weekday", 1.0)


def test_a_day_has_its_hours() -> None:
    """Windows of an hour are compared with those of the same hour."""
    hours = [100 if 6 <= hour < 22 else 5000 for hour in range(24)] * 14
    found = measured(100, hours, trailing=24 * 14, every="1h")
    assert found is not None
    assert (found.alike, found.usual, found.z < -5) == ("hour", 5000.0, True)


def test_a_short_reference_says_what_is_usual_and_all_days_how_they_differ() -> None:
    """The level is that of the last four days, however many are remembered."""
    assert odd(70, [30] * 40, trailing=4) == ["more_rows"]
    assert odd(20, [30] * 40 + [70] * 2, trailing=4) == ["fewer_rows"]
    assert odd(1400, [30] * 40 + [70, 70, 20], trailing=4) == ["more_rows"]
    assert odd(70, [30] * 40 + [70] * 4, trailing=4) == []


def test_a_second_weekend_is_not_odd() -> None:
    """One is too few to know weeks by, and enough to be given the benefit of the doubt."""
    assert odd(15, [400] * 5 + [15] * 2 + [400] * 5) == []
    assert odd(15, [400] * 9 + [15] * 2 + [400] * 9) == ["fewer_rows"]


def test_a_reference_that_has_just_moved_makes_nothing_critical() -> None:
    """Twenty rows are a thirty-fifth of the last four days, and half of all others."""
    found = volume_findings(measured(20, [40] * 40 + [20, 1400] * 2, trailing=4))
    assert [(each.kind, each.severity) for each in found] == [("fewer_rows", "warning")]


@pytest.mark.parametrize("windows", [0, 1, 2])
def test_few_windows_say_nothing(windows: int) -> None:
    """Nothing is known of how days differ."""
    assert measured(5, [1000] * windows) is None


COUNTS = st.lists(st.integers(0, 10**9), min_size=3, max_size=60)


@given(COUNTS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_rows_are_never_fewer(past: list[int], one: int, other: int) -> None:
    """The distance grows with the rows, is 0 where they are usual, and everything is finite."""
    less, more = (measured(rows, past) for rows in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert less.z <= more.z
    assert np.isfinite([less.z, more.z, less.sd, less.usual]).all()
    usual = measured(round(less.usual), past)
    assert usual is not None
    assert abs(usual.z) < 1
    assert all(finding.message for finding in volume_findings(more))
