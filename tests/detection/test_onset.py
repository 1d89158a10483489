"""Since when: the true window is covered, a strong change is dated exactly, a slow one has no date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.onset import Onset, localized, onset, onset_of, single, together
from drift.profiles.binning import CategoricalBinning
from drift.profiles.histograms import Histogram
from drift.windows import Calendar
from tests.support.laws import examples

CARRIERS = CategoricalBinning(("UA", "B6", "DL"))
DAYS = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(80)]


def windows(shares: list[list[float]], rows: int = 2000, *, seed: int = 1) -> dict[datetime, Histogram]:
    """Count as many rows a day, each drawn by the shares of three carriers."""
    rng = np.random.default_rng(seed)
    counts = [np.array([*rng.multinomial(rows, each), 0, 0, 0]) for each in shares]
    return {day: Histogram(CARRIERS, each) for day, each in zip(DAYS, counts, strict=False)}


def moved(by: float) -> list[float]:
    """Return shares of which so much went from the first carrier to the second."""
    return [0.5 - by, 0.3 + by, 0.2]


def dated(shares: list[list[float]], changed: int, **drawn: int) -> Onset | None:
    """Date a change that the last windows show."""
    return onset(windows(shares, **drawn), changed, rng=np.random.default_rng(5))


@pytest.mark.parametrize("after", [1, 2, 5, 20])
def test_a_large_change_is_dated_exactly(after: int) -> None:
    """From the first window that shows it on, with nothing else in the set."""
    found = dated([moved(0)] * 40 + [moved(0.15)] * after, after)
    assert found == Onset(DAYS[40], DAYS[40], DAYS[40])


def test_a_change_noticed_late_is_dated_where_it_began() -> None:
    """Six windows before the ones that were called."""
    found = dated([moved(0)] * 40 + [moved(0.06)] * 8, 2)
    assert found is not None
    assert found.most_likely == DAYS[40]


def test_a_slow_rise_is_gradual() -> None:
    """It has no window, but a first one and a span."""
    found = dated([moved(0)] * 40 + [moved(0.01 * day) for day in range(1, 16)], 8)
    assert found is not None
    assert found.kind == "gradual"
    assert abs((found.earliest - DAYS[40]).days) <= 3
    assert found.words(Calendar("1d")).startswith("gradually since 2026-02-")


def test_too_little_known_is_not_dated() -> None:
    """Of fewer than seven ordinary windows, and where none shows a change, nothing is said."""
    shares = [moved(0)] * 9 + [moved(0.2)]
    assert dated(shares, 1) is None
    assert dated([moved(0), *shares], 1) is not None
    assert dated([moved(0)] * 40, 0) is None


def test_windows_without_rows_are_left_out() -> None:
    """They neither show a change nor count as ordinary."""
    known = windows([moved(0)] * 30 + [moved(0.2)] * 2)
    known[DAYS[12]] = Histogram.empty(CARRIERS)
    found = onset(known, 2, rng=np.random.default_rng(5))
    assert found is not None
    assert found.most_likely == DAYS[30]


def test_the_set_covers_the_true_window() -> None:
    """In 95 of 100 lines of independent windows, of any strength; stronger changes have smaller sets."""
    rng = np.random.default_rng(11)
    widths = []
    for strength in (1.0, 1.5, 2.5):
        sets = []
        for _ in range(100):
            true = int(rng.integers(15, 40))
            line = rng.normal(size=true + 10) + strength * (np.arange(true + 10) >= true)
            _, inside = localized(line, rng=rng)
            sets.append((true in inside, len(inside)))
        assert sum(covered for covered, _ in sets) >= 90
        widths.append(float(np.mean([width for _, width in sets])))
    assert all(wider > narrower for wider, narrower in pairwise(widths))


def test_what_came_and_went_was_in_a_single_window() -> None:
    """The last but one strayed alone: not where the change stays, was there before, or is none; nor of a short past."""
    calm, off = [moved(0)] * 40, moved(0.15)
    assert single(windows([*calm, off, moved(0)])) == Onset(DAYS[40], DAYS[40], DAYS[40], "single")
    for others in ([off, off], [off, off, moved(0)], [moved(0), off], [moved(0), moved(0)], [off, moved(0.1)]):
        assert single(windows([*calm, *others])) is None
    assert single(windows([*calm[:8], off, moved(0)])) is None
    assert Onset(DAYS[40], DAYS[40], DAYS[40], "single").words(Calendar("1d")) == "2026-02-10 only"


def test_a_window_that_is_as_its_weekday_is_ordinary() -> None:
    """Though most days are not like it: a shift on a Friday is over on a Saturday."""
    week = [moved(0.1 * (n % 7 == 6)) for n in range(48)]
    found = single(windows([*week, moved(0.3), moved(0.1)]))
    assert found is not None
    assert found.most_likely == DAYS[48]


def line(*numbers: float) -> dict[datetime, float]:
    """Give each day a number."""
    return dict(zip(DAYS, numbers, strict=False))


@pytest.mark.parametrize("by", [-0.7, 0.7])
def test_numbers_are_dated_as_histograms_are(by: float) -> None:
    """Up or down, as a step or gradually, however little they differ; too few of them are not."""
    noise = np.random.default_rng(3).normal(0, 0.05, 60)
    step = noise[:45] + by * (np.arange(45) >= 40)
    assert onset_of(line(*step), rng=np.random.default_rng(5)) == Onset(DAYS[40], DAYS[40], DAYS[40])
    ramp = noise + by * np.clip((np.arange(60) - 39) / 15, 0, 1)
    found = onset_of(line(*ramp), rng=np.random.default_rng(5))
    assert found is not None
    assert found.kind == "gradual"
    constant = onset_of(line(*[0.0] * 20, by, by), rng=np.random.default_rng(5))
    assert constant == Onset(DAYS[20], DAYS[20], DAYS[20])
    assert onset_of(line(*[0.0] * 9, by), rng=np.random.default_rng(5)) is None
    assert onset_of({}, rng=np.random.default_rng(5)) is None
    assert onset_of(line(*[0.0] * 20), rng=np.random.default_rng(5)) is None


@examples(30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(0, 2**32 - 1))
def test_the_set_holds_the_most_likely(line: list[float], seed: int) -> None:
    """Whatever the line is, in order and within it; the same generator gives the same set."""
    best, inside = localized(np.array(line), rng=np.random.default_rng(seed))
    assert best in inside
    assert inside == sorted(set(inside))
    assert 1 <= inside[0] <= inside[-1] < len(line)
    assert (best, inside) == localized(np.array(line), rng=np.random.default_rng(seed))


def test_what_is_stored_is_read_back() -> None:
    """As JSON, in UTC."""
    one = Onset(DAYS[3], DAYS[1], DAYS[4], "gradual")
    assert Onset.from_dict(one.to_dict()) == one


def test_several_are_one_where_their_sets_overlap() -> None:
    """What all hold; where they share nothing, what any holds."""
    one, other = Onset(DAYS[4], DAYS[2], DAYS[5]), Onset(DAYS[5], DAYS[4], DAYS[6])
    apart = Onset(DAYS[20], DAYS[20], DAYS[20])
    assert together([one, other]) == Onset(DAYS[4], DAYS[4], DAYS[5])
    assert together([one, apart]) == Onset(DAYS[4], DAYS[2], DAYS[20])
    assert together([]) is None
    alone = Onset(DAYS[4], DAYS[4], DAYS[4], "single")
    assert together([alone, alone]) == alone
    assert together([alone, one]) == Onset(DAYS[4], DAYS[4], DAYS[4])
