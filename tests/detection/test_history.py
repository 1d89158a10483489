"""What is usual: a null learned from a feature's own past, as a whole and cell by cell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection import history
from drift.detection.scores import Past
from drift.detection.scoring import measure
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram, Profile
from drift.statistics.divergence import kl_divergence, noise_floor, smooth
from drift.windows import Window
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.scores import CellShift

START = datetime(2024, 1, 1, tzinfo=UTC)
CARRIERS = CategoricalBinning(("UA", "B6", "EV"))
SHARES = np.array([0.5, 0.3, 0.19, 0.01, 0, 0])
DELAYS = NumericBinning(np.linspace(-3, 3, 13))


def day(number: int) -> Window:
    """The window of a day, by its number."""
    return Window(START + timedelta(days=number), START + timedelta(days=number + 1))


def draws(shares: Sequence[float] | np.ndarray, days: int, *, rows: int = 1000, seed: int = 1) -> list[Histogram]:
    """So many days of carriers with these shares."""
    rng = np.random.default_rng(seed)
    return [Histogram(CARRIERS, counts) for counts in rng.multinomial(rows, shares, days)]


def carriers(*counts: int) -> Histogram:
    """A day with these counts."""
    return Histogram(CARRIERS, np.array(counts))


def profiles(histograms: Sequence[Histogram]) -> list[Profile]:
    """A stored day for each histogram of the feature x."""
    return [Profile(day(i), one.n, {"x": one}) for i, one in enumerate(histograms)]


def cell(past: Sequence[Histogram], *recent: Histogram, persistence: tuple[int, int] = (1, 1)) -> CellShift:
    """The cell that strayed farthest; there is one."""
    found = history.unusual_cell(past, recent, persistence=persistence)
    assert found is not None
    return found


# --- as a whole


def beyond(now: float, past: Sequence[float] | np.ndarray, cells: int = 10, **more: object) -> float:
    """The z of one feature; there is a history."""
    z = history.history_z([now], [list(past)], [cells], **more)  # type: ignore[arg-type]
    assert z is not None
    return float(z[0])


def test_history_needs_seven_windows() -> None:
    """With fewer than seven earlier windows nothing is usual yet; only the last 56 count."""
    past = np.linspace(0.9, 1.1, history.MIN_HISTORY)
    assert history.history_z([2.0], [past[1:]], [10]) is None
    assert beyond(2.0, past) > 0
    assert beyond(1.0, np.concatenate([np.full(500, 99.0), np.full(history.HISTORY, 1.0)])) == 0


def test_a_still_history_does_not_explode() -> None:
    """Where the past never varied, the spread of sampling alone takes its place: z stays finite and sober."""
    assert beyond(1.1, np.ones(56)) == pytest.approx(0.1 / np.sqrt(2 / 81))
    assert beyond(0.0, np.zeros(30), 1) == 0


def test_a_bad_week_does_not_spoil_the_past() -> None:
    """Median, MAD and 80th percentile: seven wild windows of 56 leave the z of the next wild one large."""
    rng = np.random.default_rng(2)
    assert beyond(5.0, np.concatenate([rng.normal(1, 0.15, 49), np.full(7, 5.0)])) > 10


def test_weekends_are_usual() -> None:
    """Two windows of seven are of another kind: the MAD does not see them, and the next such window is no news."""
    rng = np.random.default_rng(3)
    level = np.where(np.arange(57) % 7 >= 5, 2.0, 1.0) + rng.normal(0, 0.05, 57)
    assert beyond(2.0, level[:-1], 100) < 3
    assert (2.0 - np.median(level)) / (1.4826 * np.median(np.abs(level - np.median(level)))) > 4


def test_neighbours_play_no_part() -> None:
    """Many features at once are each one alone."""
    rng = np.random.default_rng(6)
    past, now = rng.normal(1, 0.2, (5, 40)), rng.normal(1, 0.2, 5)
    for rule in ((1, 1), (3, 2)):
        together = history.history_z(now, past, np.full(5, 10), persistence=rule)
        assert together is not None
        assert together.tolist() == [beyond(now[i], past[i], persistence=rule) for i in range(5)]


@pytest.mark.parametrize("windows", [7, 10, 14, 28])
def test_few_windows_raise_no_more_false_alarms(windows: int) -> None:
    """Whatever the number of windows, a normal one is called as rarely as after 56."""
    rng = np.random.default_rng(windows)
    past, now = rng.normal(10, 1, (100_000, windows)), rng.normal(10, 1, 100_000)
    z = history.history_z(now, past, np.full(100_000, 2))
    assert z is not None
    # Of 56 windows four deviations are exceeded once in 6,100 times, and three once in 450.
    assert (z >= 4).sum() <= 1.5 * 16.3 + 3 * np.sqrt(1.5 * 16.3)
    assert (z >= 3).sum() <= 222 + 3 * np.sqrt(222)


def test_what_lasts_is_found_sooner() -> None:
    """What two of three days reach is more unusual than the same on one of them, and one spike is nothing lasting."""
    rng = np.random.default_rng(4)
    past = rng.normal(10, 1, 56)

    def lasting(*last: float) -> float:
        return beyond(last[-1], [*past, *last[:-1]], 2, persistence=(3, 2))

    assert lasting(10, 12.5, 12.5) > beyond(12.5, past, 2)
    assert lasting(10, 10, 30) < 2
    assert lasting(10, 30, 30) > 10


@pytest.mark.parametrize(("n", "m"), [(500, 500), (28_000, 1000)])
def test_the_statistic_is_comparable_between_sizes(n: int, m: int) -> None:
    """Nothing changed: mean 1 - 2/(9(k-1)) and sd √(2/(9(k-1))) whatever the sizes (Wilson & Hilferty)."""
    rng = np.random.default_rng([n, m])
    x, y = rng.multinomial(n, np.full(10, 0.1), 4000), rng.multinomial(m, np.full(10, 0.1), 4000)
    found = history.history_statistic(kl_divergence(*smooth(y, x)), n, m, 10)
    assert found.mean() == pytest.approx(1 - 2 / 81, abs=0.02)
    assert found.std() == pytest.approx(np.sqrt(2 / 81), abs=0.02)
    assert found[0] == pytest.approx(np.cbrt(kl_divergence(*smooth(y[0], x[0])) / noise_floor(y[0], x[0])))


# --- a history where there is none


@examples(40)
@given(st.lists(st.lists(st.integers(0, 300), min_size=6, max_size=6).filter(any), min_size=2, max_size=6))
def test_each_window_is_compared_with_the_rest(counts: list[list[int]]) -> None:
    """What stands in is the score that the window would have had against all the others."""
    days = profiles([carriers(*c) for c in counts])
    found = history.leave_one_out(days, ["x"])["x"]
    assert [one.window_start for one in found] == [day(i).start for i in range(len(days))]
    for i, one in enumerate(found):
        rest = sum((p.histograms["x"].counts for j, p in enumerate(days) if j != i), np.zeros(6, np.int64))
        score = measure({"x": (Histogram(CARRIERS, rest), days[i].histograms["x"])})["x"]
        assert one.kl == pytest.approx(score.kl, abs=1e-9)
        assert (one.n_reference, one.n_current, one.severity) == (score.n_reference, score.n_current, "none")


def test_scores_of_its_own_come_first() -> None:
    """A window that was scored keeps its score, the others stand in, in the order of time; with scores enough none."""
    days = profiles(draws(SHARES, 10))
    own = [Past(day(i).start, 9.0, 9.0, 1, 1, 4, "critical") for i in (7, 8, 9)]
    found = history.with_stand_ins({"x": own, "y": []}, days, windows=56)
    assert [one.window_start for one in found["x"]] == [day(i).start for i in range(10)]
    assert [one.kl for one in found["x"][7:]] == [9.0, 9.0, 9.0]
    assert list(found["y"]) == []
    assert history.with_stand_ins({"x": own}, days, windows=6) == {"x": own}


def test_one_window_alone_stands_in_for_nothing() -> None:
    """There is nothing to hold it against."""
    assert history.leave_one_out(profiles(draws(SHARES, 1)), ["x", "gone"]) == {}


# --- cell by cell


def test_a_rise_of_nulls_is_seen() -> None:
    """Five percent of nulls where there were none, in a column whose other shares wander: the cell is named."""
    found = cell(draws(SHARES, 56), carriers(475, 285, 180, 10, 0, 50))
    assert (found.cell, found.usual, found.share) == ("missing", 0, 0.05)
    assert found.z > 10


def test_a_loss_is_seen_too() -> None:
    """A category that half vanished strays as far as one that came."""
    found = cell(draws(SHARES, 56), carriers(610, 140, 235, 15, 0, 0))
    assert found.cell == "B6"
    assert found.z > 8


def test_days_like_the_past_are_no_news() -> None:
    """Of 300 days that differ by sampling alone hardly one has a cell five deviations out."""
    past = draws(SHARES, 56)
    days = draws(SHARES, 300, seed=2)
    found = [history.unusual_cell(past, [one]) for one in days]
    assert sum(one is not None and one.z >= 5 for one in found) <= 1


def test_the_directions_of_the_past_are_no_news() -> None:
    """Where location and scale wander from day to day, a day far along them strays less than a spike beside them."""
    rng = np.random.default_rng(5)

    def a_day(shift: float = 0.0, scale: float = 1.0) -> Histogram:
        values = rng.normal(rng.normal(shift, 0.4), scale * np.exp(rng.normal(0, 0.1)), 1000)
        return Histogram(DELAYS, DELAYS.count(values))

    past = [a_day() for _ in range(56)]
    wandered = cell(past, a_day(shift=0.4))
    spiked = a_day().counts.copy()
    spiked[4] += 60
    assert cell(past, Histogram(DELAYS, spiked)).z > 5 > wandered.z


def test_what_lasts_two_of_three_windows() -> None:
    """`lasting` takes as many windows as persistence asks for, and this one must stray itself."""
    past = draws(SHARES, 60)
    odd = carriers(490, 290, 185, 10, 0, 25)
    calm = past[0]
    rule = (3, 2)
    assert cell(past, calm, odd, odd, persistence=rule).lasting > cell(past, calm, odd, odd, persistence=rule).z > 5
    assert cell(past, calm, calm, odd, persistence=rule).lasting < 3
    over = history.unusual_cell(past, [odd, odd, calm], persistence=rule)
    assert over is None or max(over.z, over.lasting) < 4


def test_a_cell_needs_a_past() -> None:
    """With fewer than fourteen windows there is no answer, nor without rows."""
    past = draws(SHARES, history.OWN_HISTORY)
    odd = carriers(0, 0, 0, 0, 0, 1000)
    assert history.unusual_cell(past, [odd]) is not None
    assert history.unusual_cell(past[1:], [odd]) is None
    empty = Histogram.empty(CARRIERS)
    assert history.unusual_cell([*past[1:], empty], [odd]) is None
    assert history.unusual_cell(past, [empty]) is None


def test_a_trifle_is_no_news() -> None:
    """Of a million rows three in a thousand stray significantly, and nobody is told: less than half a percent."""
    past = draws(SHARES, 56, rows=10**6)
    found = history.unusual_cell(past, [carriers(497_000, 300_000, 190_000, 10_000, 3000, 0)])
    assert found is None


@examples(60)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=6, max_size=6), min_size=14, max_size=20),
    st.lists(st.lists(st.integers(0, 50), min_size=6, max_size=6), min_size=1, max_size=3),
    st.sampled_from([(1, 1), (3, 2), (3, 3), (5, 3)]),
)
def test_whatever_the_counts_the_cell_is_finite(
    past: list[list[int]], recent: list[list[int]], rule: tuple[int, int]
) -> None:
    """No counts make infinity or NaN, and the cell is one of the binning's."""
    found = history.unusual_cell(
        [carriers(*counts) for counts in past],
        [carriers(*counts) for counts in recent],
        persistence=rule,
    )
    if found is not None:
        assert found.cell in CARRIERS.cells
        assert np.isfinite([found.z, found.lasting]).all()
        assert 0 <= found.share <= 1
