"""Composed references: what may excuse a feature, what is left out, and what never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.detection import Detection
from drift.detection.reference import compose, from_baseline, least_drifted, merge
from drift.detection.scoring import corrected
from drift.profiles.binning import CategoricalBinning
from drift.profiles.counting import count_numbers
from drift.profiles.fitting import fit_numeric
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.refinement import refined_pairs
from drift.windows import Calendar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS = CategoricalBinning(("a", "b", "c"))
CALENDAR = Calendar("1d")
START = datetime(2024, 1, 1, tzinfo=UTC)
QUIET, SUNDAY = [500, 300, 200, 0, 0, 0], [200, 300, 500, 0, 0, 0]
DETECTION = Detection()

counts = st.lists(st.integers(0, 1000), min_size=6, max_size=6).filter(any)


def day(number: int, cells: Sequence[int], **others: Sequence[int]) -> Profile:
    """One day of counts."""
    features = {"x": cells, **others}
    histograms = {name: Histogram(LEVELS, np.array(each)) for name, each in features.items()}
    return Profile(CALENDAR.containing(START + timedelta(days=number)), sum(cells), histograms)


def distance(reference: Profile, current: Profile, feature: str = "x") -> float:
    """The bias-corrected divergence, as it is compared with the thresholds."""
    return corrected({feature: (reference.histograms[feature], current.histograms[feature])})[feature]


@given(st.lists(counts, min_size=2, max_size=4), counts)
def test_another_reference_never_makes_it_worse(references: list[list[int]], now: list[int]) -> None:
    """The divergence is the smallest of them, or the main one's where that is below the floor."""
    named = {f"reference {i}": day(i, cells) for i, cells in enumerate(references)}
    current = day(9, now)
    composed, names = least_drifted(named, current, floor=lambda _feature: 0.01)
    distances = {name: distance(profile, current) for name, profile in named.items()}
    main = distances["reference 0"]
    assert distance(composed, current) == distances[names["x"]] == (min(distances.values()) if main >= 0.01 else main)


def test_a_sunday_is_excused_by_other_sundays() -> None:
    """And news that is in no reference is not."""
    trailing = [day(i, SUNDAY if i % 7 == 6 else QUIET) for i in range(28)]
    windows = {"trailing": trailing, "same weekday": [day(i, SUNDAY) for i in (6, 13, 20, 27)]}
    _, names = compose(windows, day(34, SUNDAY), DETECTION)
    assert names == {"x": "same weekday"}
    news = day(34, [0, 0, 100, 0, 900, 0])
    reference, _ = compose(windows, news, DETECTION)
    assert distance(reference, news) > 1


def test_features_are_chosen_one_by_one() -> None:
    """One feature may follow the week while another does not; the rows stay those of the main reference."""
    windows = {
        "trailing": [day(i, QUIET, y=QUIET) for i in range(28)],
        "same weekday": [day(i, SUNDAY, y=SUNDAY) for i in (6, 13, 20, 27)],
    }
    reference, names = compose(windows, day(34, SUNDAY, y=QUIET), DETECTION)
    assert names == {"x": "same weekday", "y": "trailing"}
    assert (reference.histograms["x"].n, reference.histograms["y"].n, reference.n_rows) == (4000, 28000, 28000)


@pytest.mark.parametrize(
    ("sundays", "rows"), [(3, 1000), (4, 7)], ids=["too few windows of the weekday", "too few rows in them"]
)
def test_a_companion_that_knows_too_little_says_nothing(sundays: int, rows: int) -> None:
    """It would bring its own noise back every week."""
    small = [round(n * rows / 1000) for n in SUNDAY]
    windows = {
        "trailing": [day(i, QUIET) for i in range(28)],
        "same weekday": [day(7 * i, small) for i in range(sundays)],
    }
    reference, names = compose(windows, day(34, SUNDAY), DETECTION)
    assert (reference.n_rows, names) == (28000, {})


def test_too_few_windows_are_no_reference() -> None:
    """Whatever the companion has."""
    windows = {"trailing": [day(0, QUIET)], "same weekday": [day(i, QUIET) for i in range(8)]}
    assert compose(windows, day(34, QUIET), DETECTION, least=2)[0].n_rows == 0


def test_what_is_left_out_is_one_feature_of_one_window() -> None:
    """The feature beside it keeps the window."""
    days = [day(i, QUIET, y=QUIET) for i in range(7)]
    reference = merge(days, left_out={("x", START)}, least=3)
    assert (reference.histograms["x"].n, reference.histograms["y"].n) == (6000, 7000)


def test_what_is_over_is_excused_by_what_was_before() -> None:
    """Days that drifted stay in the reference, so that it follows; a day like those before them is no drift."""
    days = {
        "trailing": [*(day(i, QUIET, y=QUIET) for i in range(20)), *(day(i, SUNDAY, y=QUIET) for i in range(20, 28))]
    }
    drifted = {("x", profile.window.start) for profile in days["trailing"][20:] if profile.window}
    for now, name, far in ((QUIET, "trailing without what drifted", False), (SUNDAY, "trailing", True)):
        composed, names = compose(days, day(28, now, y=QUIET), DETECTION, drifted=drifted, least=7)
        assert names == {"x": name}
        assert (distance(composed, day(28, now)) > 0.01) == far
        assert composed.histograms["y"].n == 28_000
    _, names = compose(days, day(28, QUIET, y=QUIET), DETECTION, drifted=drifted, least=21)
    assert names == {"x": "trailing"}


def test_a_reference_never_runs_dry() -> None:
    """What was critical in nearly every window is the new normal: leaving it out would leave nothing."""
    days = [day(i, QUIET) for i in range(7)]
    critical = {("x", START + timedelta(days=i)) for i in range(5)}
    assert merge(days, left_out=critical, least=3).histograms["x"].n == 7000
    assert merge(days, left_out=critical, least=2).histograms["x"].n == 2000


def test_the_distance_from_the_baseline_is_never_negative() -> None:
    """It stands beside a threshold, and zero is as near as it gets."""
    assert from_baseline([day(0, QUIET)], day(1, QUIET)) == {"x": 0.0}
    assert from_baseline([day(0, QUIET)], day(1, SUNDAY))["x"] == pytest.approx(distance(day(0, QUIET), day(1, SUNDAY)))


def test_a_segment_is_compared_with_its_own_baseline() -> None:
    """One that the baseline did not know has no distance from it."""
    jfk, ewr = day(0, QUIET), day(1, SUNDAY)
    days = [replace(day(i, QUIET), segments={"origin = JFK": day(i, QUIET)}) for i in range(3)]
    assert from_baseline(days, jfk, "origin = JFK") == {"x": 0.0}
    assert from_baseline(days, ewr, "origin = EWR") == {}


def test_a_companion_is_compared_with_what_came_out_of_nowhere_too() -> None:
    """One value in thirty rows, in a bin like others: no reference excuses it unrefined, and the baseline sees it."""
    rng = np.random.default_rng(0)
    binning = fit_numeric(rng.normal(size=20_000), expected_rows=1000)

    def numbers(i: int, values: NDArray[np.float64]) -> Profile:
        window = CALENDAR.containing(START + timedelta(days=i))
        return Profile(window, len(values), {"x": count_numbers(binning, values)})

    days = [numbers(i, rng.normal(size=1000)) for i in range(28)]
    today = rng.normal(size=1000)
    today[:33] = 0.3
    current = numbers(28, today)
    windows = {"trailing": days, "same weekday": days[::7]}
    reference, _ = compose(windows, current, DETECTION)
    assert corrected(refined_pairs(reference, current))["x"] > 0.1
    assert from_baseline(days, current)["x"] > 0.1
    before = merge(days).histograms["x"], current.histograms["x"]
    assert corrected({"x": before})["x"] < 0.01
