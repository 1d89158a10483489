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
from drift.profiles.counting import count_labels
from drift.profiles.histograms import Histogram, Profile
from drift.statistics.divergence import kl_divergence, noise_floor, smooth
from drift.windows import Window
from tests.support.laws import examples
from tests.support.pair_samples import CALM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.scores import CellShift, Severity

START = datetime(2024, 1, 1, tzinfo=UTC)
CARRIERS = CategoricalBinning(("UA", "B6", "EV"))
SHARES = np.array([0.5, 0.3, 0.19, 0.01, 0, 0])
WHOLE = (1000 * SHARES).round().astype(np.int64)
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


def beyond(now: float, past: Sequence[float] | np.ndarray, cells: int = 10) -> float:
    """The z of one feature."""
    return float(history.history_z([[now]], [list(past)], [cells])[0])


def test_history_needs_five_windows_and_those_of_persistence() -> None:
    """With fewer nothing is usual yet, whatever is known."""
    two = {"x": (Histogram(CARRIERS, 28 * WHOLE), Histogram(CARRIERS, WHOLE))}
    known = [Past(day(i).start, 0.001, 0.0, 28_000, 1000, 4, "none") for i in range(history.MIN_HISTORY + 2)]
    for past, some in ((known, True), (known[1:], False)):
        score = measure(two, history={"x": past}, persistence=(3, 2))["x"]
        assert (score.z is not None, score.z_lasting is not None) == (some, some)


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
    recent = np.column_stack([past[:, -2:], now])
    together = history.history_z(recent, past, np.full(5, 10), at_least=2)
    alone = [history.history_z(recent[[i]], past[[i]], [10], at_least=2)[0] for i in range(5)]
    assert together.tolist() == alone


@pytest.mark.parametrize("windows", [7, 10, 14, 28])
def test_few_windows_raise_no_more_false_alarms(windows: int) -> None:
    """Whatever the number of windows, a normal one is called as rarely as after 56."""
    rng = np.random.default_rng(windows)
    past, now = rng.normal(10, 1, (100_000, windows)), rng.normal(10, 1, 100_000)
    z = history.history_z(now[:, None], past, np.full(100_000, 2))
    # Of 56 windows four deviations are exceeded once in 6,100 times, and three once in 450.
    assert (z >= 4).sum() <= 1.5 * 16.3 + 3 * np.sqrt(1.5 * 16.3)
    assert (z >= 3).sum() <= 222 + 3 * np.sqrt(222)


def test_what_lasts_is_found_sooner() -> None:
    """What two of three days reach is more unusual than the same on one of them, and one spike is nothing lasting."""
    rng = np.random.default_rng(4)
    past = rng.normal(10, 1, 56)

    def lasting(*last: float) -> float:
        return float(history.history_z([last], [past], [2], at_least=2)[0])

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


# --- by sampling


def normal(kind: int, windows: int, seed: int, *, unrest: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The statistics of windows that differ by sampling, and that much more: so many features of `kind` cells."""
    rng = np.random.default_rng(seed)
    g = unrest * rng.chisquare(kind - 1, (100_000, windows + 1))
    statistic = np.cbrt(g / (kind - 1))
    return statistic[:, -1], statistic[:, :-1]


@pytest.mark.parametrize("windows", [5, 12, 56])
@pytest.mark.parametrize("kind", [2, 10])
def test_sampling_alone_is_called_as_rarely_as_a_normal(kind: int, windows: int) -> None:
    """However short the past: the uncertainty of the factor is in the law, and a factor below 1 is not believed."""
    now, past = normal(kind, windows, windows)
    z, weight = history.sampling_z(now, np.full(len(now), kind), past, np.full(past.shape, kind))
    assert (z >= 3).sum() <= 135 + 3 * np.sqrt(135)
    assert weight.mean() > 0.9


def test_a_restless_past_is_not_judged_by_sampling() -> None:
    """Days that differ four times as much as sampling explains: a week of ten cells gives the theory up."""
    now, past = normal(10, 7, 1, unrest=4.0)
    _, weight = history.sampling_z(now, np.full(len(now), 10), past, np.full(past.shape, 10))
    assert weight.mean() < 0.01


def test_a_short_quiet_past_is_enough() -> None:
    """A clear step after a week of quiet days is unusual at once; its own history alone could not say so."""
    step = Histogram(CARRIERS, np.array([400, 400, 190, 10, 0, 0]))
    days = [Past(day(i).start, 0.0018, 0.0, 7000, 1000, 4, "none") for i in range(7)]
    pair = {"x": (Histogram(CARRIERS, 7 * WHOLE), step)}
    z = measure(pair, history={"x": days}, persistence=(3, 2))["x"].z
    assert z is not None
    assert z > 4


# --- a history where there is none


@examples(40)
@given(st.lists(st.lists(st.integers(0, 300), min_size=6, max_size=6).filter(any), min_size=2, max_size=6))
def test_each_window_is_compared_with_the_rest(counts: list[list[int]]) -> None:
    """What stands in is the score that the window would have had against all the others."""
    days = profiles([carriers(*c) for c in counts])
    found = history.leave_one_out(days, "x")
    assert [one.window_start for one in found] == [day(i).start for i in range(len(days))]
    for i, one in enumerate(found):
        rest = sum((p.histograms["x"].counts for j, p in enumerate(days) if j != i), np.zeros(6, np.int64))
        score = measure({"x": (Histogram(CARRIERS, rest), days[i].histograms["x"])})["x"]
        assert one.kl == pytest.approx(score.kl, abs=1e-9)
        assert (one.n_reference, one.n_current, one.severity) == (score.n_reference, score.n_current, "none")


def past_of(
    scored: Sequence[Past],
    days: Sequence[Profile] = (),
    *,
    windows: int = 56,
    recent: int = 0,
    most: int | None = 30,
    baseline: Sequence[Profile] = (),
) -> list[Past]:
    """The past of the feature x."""
    return history.own_past(scored, "x", days, windows=windows, recent=recent, most=most, baseline=baseline)


def scores(severities: Sequence[Severity], first: int = 0) -> list[Past]:
    """Scores of days in a row, each of a divergence that says which day it is."""
    return [Past(day(first + i).start, first + i, 0.0, 1, 1, 4, severity) for i, severity in enumerate(severities)]


def numbers(past: Sequence[Past]) -> list[int]:
    """The days of a past."""
    return [(one.window_start - START).days for one in past]


def test_scores_of_its_own_come_first() -> None:
    """A window that was scored keeps its score, the others stand in, in the order of time; with scores enough none."""
    days = profiles(draws(SHARES, 10))
    own = scores(["none"] * 3, 7)
    found = past_of(own, days)
    assert numbers(found) == list(range(10))
    assert found[7:] == own
    assert past_of([], profiles(draws(SHARES, 1))) == []
    assert past_of(own, days, windows=6) == own
    assert history.leave_one_out(days, "gone") == []


EVENT: list[Severity] = CALM.copy()
EVENT += ["critical"] * 10


def test_an_event_is_no_measure_of_itself() -> None:
    """What drifts up to now is left out, also of what stands in, but for the windows that persistence looks at."""
    assert numbers(past_of(scores(EVENT), recent=2)) == [*range(20), 28, 29]
    dead = [carriers(1000, 0, 0, 0, 0, 0)] * 10
    days = profiles([*draws(SHARES, 20), *dead])
    found = past_of(scores(EVENT[13:], 13), days, recent=2)
    assert numbers(found) == [*range(20), 28, 29]
    assert max(one.kl for one in found[:13]) < 0.02


def test_a_week_of_an_event_stays_out_when_it_is_over() -> None:
    """A dead sensor that lives again has the past of the living; a single odd day belongs to what a feature does."""
    over = scores([*EVENT, "none", "none", "warning", "none"])
    assert numbers(past_of(over)) == [*range(20), 30, 31, 32, 33]


def test_what_lasts_long_enough_is_usual_where_the_reference_follows() -> None:
    """More windows than `most`: they count; beside a fixed reference they never do."""
    assert numbers(past_of(scores(EVENT), most=9)) == list(range(30))
    ever = scores(["none", "warning"] * 20)
    assert numbers(past_of(ever)) == list(range(39))
    assert numbers(past_of(ever, most=None)) == list(range(0, 40, 2))


def test_a_fixed_reference_stands_for_what_is_usual() -> None:
    """Its own windows come first, each compared with the others, even those that were loud or are yet to come."""
    days = profiles(draws(SHARES, 30))
    scored = scores(["none", "none", "warning", "critical", "none", "none"])
    few = past_of(scored, recent=1, most=None, baseline=days[3:8])
    assert numbers(few) == [3, 4, 6, 7, 0, 1, 5]
    assert few[:2] == history.leave_one_out(days[3:8], "x")[:2]
    # Of enough of its own none of the others is part, quiet or not.
    assert numbers(past_of(scored, recent=1, most=None, baseline=days[10:])) == [*range(10, 30), 5]


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


def with_labels(**rows: int) -> Histogram:
    """A window of ``UA`` and other labels, that have no cell."""
    return count_labels(CategoricalBinning(("UA",)), list(rows), list(rows.values()))


def test_a_new_label_is_news_where_new_labels_are_not_the_custom() -> None:
    """The largest that no window of the past held; in a column with a new label a day it is as usual."""
    calm = [with_labels(UA=950, AS=50)] * 56
    now = with_labels(UA=850, AS=50, HA=90, DL=10)
    found = history.unusual_label(calm, [calm[0], now, now], persistence=(3, 2))
    assert found is not None
    assert (found.cell, found.usual, found.share) == ("HA", 0.0, 0.09)
    assert found.z > 10
    assert found.lasting > found.z
    restless = [with_labels(UA=910, **{f"day {i}": 90}) for i in range(56)]
    usual = history.unusual_label(restless, [restless[0], now, now], persistence=(3, 2))
    assert usual is not None
    assert max(usual.z, usual.lasting) < 1


def test_what_is_known_small_or_without_a_past_is_no_new_label() -> None:
    """Nor are numbers; and what is over is not news."""
    calm = [with_labels(UA=950, AS=50)] * 56
    new = with_labels(UA=950, HA=50)
    assert history.unusual_label(calm, calm[:1]) is None
    assert history.unusual_label(calm, [with_labels(UA=9960, HA=40)]) is None
    assert history.unusual_label(calm[:13], [new]) is None
    assert history.unusual_label(calm, [new, new, calm[0]], persistence=(3, 2)) is None
    once = history.unusual_label(calm, [calm[0], calm[0], new], persistence=(3, 2))
    assert once is not None
    assert once.lasting == 0
    numbers = Histogram(NumericBinning(np.array([0, 1])), np.array([0, 9, 0, 0]))
    assert history.unusual_label([numbers] * 56, [numbers]) is None
