"""The benchmark of planted faults: its faults do what they say, its peers' rules what their formulas say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import stats
from scipy.spatial import distance

from benchmarks import peer_rules
from benchmarks.faults import ELSEWHERE, NINE, Fault
from benchmarks.peer_rules import Sample, told_by
from benchmarks.planted_faults import LASTING, Peers, Year, is_odd, load, places, plant
from drift.alerts.incidents import known

FAULTS = (*NINE, *ELSEWHERE)
BY_NAME = {(fault.name, fault.feature): fault for fault in FAULTS}


@pytest.fixture(scope="module")
def year() -> Year:
    """The demo's year, scored as it was."""
    return load()


@pytest.fixture
def day() -> pa.Table:
    """A day of a thousand flights, fifty of them cancelled."""
    rng = np.random.default_rng(0)
    delays = rng.normal(10, 20, 1000).round()
    delays[:50] = np.nan
    whole = {name: pa.array(delays, pa.int16(), from_pandas=True) for name in ("dep_delay", "arr_delay", "air_time")}
    return pa.table(
        {
            **whole,
            "carrier": pa.array(rng.choice(["UA", "B6", "DL"], 1000).tolist()),
            "origin": pa.array(rng.choice(["EWR", "JFK", "LGA"], 1000).tolist()),
            "distance": pa.array(rng.integers(90, 4984, 1000), pa.int16()),
        }
    )


def spoiled(day: pa.Table, name: str, feature: str) -> pa.Table:
    """Return the day with a fault."""
    return BY_NAME[name, feature].spoil(day, np.random.default_rng(1))


def values(day: pa.Table, column: str) -> list[Any]:
    """Return a column."""
    return day[column].to_pylist()


def test_the_blizzard_is_one_incident_and_one_page(year: Year) -> None:
    """Three features, all because of the flights that did not leave, from its first day to the end of its second."""
    calendar = year.context.monitor.window.calendar
    (page,) = [call for call in year.replayed.calls if "2013-02-08" <= call.label <= "2013-02-10"]
    assert (page.label, page.severity, page.since) == ("2013-02-08", "critical", "since 2013-02-08")
    ours = [
        each for each in known(year.memory.alerts()) if calendar.label(calendar.containing(each.opened)) == page.label
    ]
    assert [each.id for each in ours] == [page.incident]
    assert ours[0].words(calendar) == "since 2013-02-08: 3 features, all because of missing values"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name} {fault.feature}")
def test_a_fault_is_in_its_feature_alone_and_repeats(fault: Fault, day: pa.Table) -> None:
    """Types stay, other columns stay unless rows are lost, and the same seed spoils the same rows."""
    after = fault.spoil(day, np.random.default_rng(1))
    assert after.schema == day.schema
    assert after != day
    assert after == fault.spoil(day, np.random.default_rng(1))
    if "lost" not in fault.name:
        assert after.drop_columns([fault.feature]) == day.drop_columns([fault.feature])


def test_the_nine_are_nine() -> None:
    """Each once; none of the others is one of them."""
    assert len({fault.name for fault in NINE}) == 9
    assert len(BY_NAME) == len(FAULTS)


def test_single_values_are_spoiled_as_often_as_said(day: pa.Table) -> None:
    """2 % of 950 values become −999, 5 % null, 5 % zero; what was null stays null."""
    missing = values(spoiled(day, "5 % nulls", "dep_delay"), "dep_delay")
    low = values(spoiled(day, "2 % of values −999", "dep_delay"), "dep_delay")
    zero = values(spoiled(day, "5 % zeroed", "distance"), "distance")
    carriers = values(spoiled(day, "1 % of a new carrier", "carrier"), "carrier")
    assert missing.count(None) == 50 + 48  # 47.5 rounds to even
    assert (low.count(-999), low.count(None)) == (19, 50)
    assert zero.count(0) == 50
    assert carriers.count("XX") == 10


def test_delays_grow_by_five_minutes(day: pa.Table) -> None:
    """Every one of them; a cancelled flight has none."""
    before, after = day["dep_delay"], spoiled(day, "+5 minutes", "dep_delay")["dep_delay"]
    assert set(pc.subtract(after, before).drop_null().to_pylist()) == {5}
    assert after.null_count == 50


def test_a_mile_is_one_point_six_kilometres(day: pa.Table) -> None:
    """All of the distances, or a tenth of them, in whole kilometres."""
    miles, km = values(day, "distance"), values(spoiled(day, "unit change: all in km", "distance"), "distance")
    some = values(spoiled(day, "10 % in km", "distance"), "distance")
    assert km == [round(each * 1.609344) for each in miles]
    assert sum(a != b for a, b in zip(miles, some, strict=True)) == 100


def test_a_carrier_takes_another_name(day: pa.Table) -> None:
    """All of its rows, and no others."""
    after = values(spoiled(day, "renamed carrier (B6)", "carrier"), "carrier")
    assert after == ["JBU" if name == "B6" else name for name in values(day, "carrier")]


def test_half_of_an_airport_is_lost(day: pa.Table) -> None:
    """Half of JFK's rows go, whole rows, and every other row stays."""
    after = spoiled(day, "half of JFK's rows lost", "origin")
    assert day.num_rows - after.num_rows == round(values(day, "origin").count("JFK") / 2)
    others = pc.not_equal(day["origin"], pa.scalar("JFK"))
    assert after.filter(pc.not_equal(after["origin"], pa.scalar("JFK"))) == day.filter(others)


def test_odd_is_what_the_day_was(day: pa.Table) -> None:
    """A tenth cancelled, or three quarters of an hour late on average."""
    assert not is_odd(day)
    assert is_odd(spoiled(spoiled(day, "5 % nulls", "dep_delay"), "5 % nulls", "dep_delay").slice(0, 900))
    late = day.set_column(0, "dep_delay", pc.add(day["dep_delay"], pa.scalar(40, pa.int16())))
    assert is_odd(late)


# -- the year ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_year_is_scored_as_a_run_would(year: Year) -> None:
    """Every day has its report; the blizzard is told; odd days are few, and it is one of them."""
    assert len(year.replayed.reports) == len(year.windows) == 365
    blizzard = next(i for i, window in enumerate(year.windows) if year.context.label(window) == "2013-02-08")
    assert year.replayed.reports[blizzard]["dep_delay"].drifting
    assert year.windows[blizzard] in year.odd
    assert len(year.odd) < 30


@pytest.mark.slow
def test_places_are_ordinary_and_spread(year: Year) -> None:
    """One in each stretch of the year, no odd day among the two before and the three of the fault; seeded."""
    drawn = places(year, 25, np.random.default_rng(1))
    assert drawn == places(year, 25, np.random.default_rng(1)) == sorted(set(drawn))
    assert len(drawn) == 25
    assert not any(year.windows[i + k] in year.odd for i in drawn for k in range(-2, LASTING))
    stretch = year.windows[drawn[-1]].start - year.windows[drawn[0]].start
    assert stretch > timedelta(days=250)


@pytest.mark.slow
def test_a_plain_fault_is_found_and_leaves_the_year_alone(year: Year) -> None:
    """Distances in kilometres are told on the first day by everyone; what was replayed stays as it was."""
    peers = Peers(year)
    first = places(year, 5, np.random.default_rng(1))[2]
    reports, counts = list(year.memory.judged), dict(year.memory.counts)
    one = plant(year, peers, BY_NAME["unit change: all in km", "distance"], first, np.random.default_rng(1))
    assert one.told[0] >= {"Drift", "Evidently KL ≥ .1", "PSI ≥ .2"}
    assert not one.unplanted[0]
    assert year.memory.judged == reports
    assert year.memory.counts == counts


# -- the peers' rules -------------------------------------------------------------------------------------------------


def sample(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Sample:
    """Return values with their counts."""
    unique, rows = np.unique(values, return_counts=True)
    return Sample(unique, rows.astype(float))


def test_formulas_agree_with_scipy() -> None:
    """On counts as on the values themselves."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 10, 5000).round(), rng.normal(2, 12, 800).round()
    values = np.union1d(x, y)
    before, after = sample(x).on(values), sample(y).on(values)
    p, q = before / before.sum(), after / after.sum()
    assert peer_rules.ks_p(before, after) == pytest.approx(stats.ks_2samp(x, y, method="asymp").pvalue, rel=0.2)
    assert peer_rules.wasserstein(before, after, values) == pytest.approx(
        stats.wasserstein_distance(x, y) / x.std(), rel=1e-9
    )
    assert peer_rules.js_distance(p, q) == pytest.approx(distance.jensenshannon(p, q))
    assert peer_rules.kl(p, peer_rules.filled(q)) == pytest.approx(stats.entropy(p, peer_rules.filled(q)))
    edges = np.histogram_bin_edges(np.concatenate([x, y]), bins="sturges")
    binned, _ = peer_rules.shared(before, after, values, numeric=True)
    assert binned == pytest.approx(np.histogram(x, edges)[0] / len(x))


def test_psi_cuts_at_deciles() -> None:
    """Ten bins of a tenth of the reference each; a value that holds several deciles is one bin."""
    before = np.full(100, 10.0)
    after = np.where(np.arange(100) < 10, 20.0, 80 / 9)
    after *= 1000 / after.sum()
    p, q = 0.1, after[:10].sum() / 1000
    rest = (after[10:].sum() / 1000 - 0.9) * np.log(after[10:20].sum() / 1000 / 0.1)
    assert peer_rules.psi(before, after, numeric=True) == pytest.approx((q - p) * np.log(q / p) + rest)
    assert peer_rules.psi(np.array([500.0, 1, 1]), np.array([500.0, 1, 1]), numeric=True) == 0


def test_nannyml_bins_are_doanes() -> None:
    """And what lies beyond them is one cell more."""
    rng = np.random.default_rng(4)
    x, y = rng.exponential(10, 4000).round(), rng.exponential(12, 500).round() + 5
    edges = np.histogram_bin_edges(x, bins="doane")
    p, q = (np.histogram(side, edges)[0] / len(side) for side in (x, y))
    expected = distance.jensenshannon(np.append(p, 1 - p.sum()), np.append(q, 1 - q.sum()), base=2)
    assert peer_rules.js_of_chunks(sample(x), [sample(y)], numeric=True)[0] == pytest.approx(expected)


def test_rules_call_what_is_large_and_nothing_where_nothing_changed() -> None:
    """A sigma calls every rule; a day like the others calls none."""
    rng = np.random.default_rng(5)
    days = [sample(rng.normal(0, 10, 900).round()) for _ in range(28)]
    assert told_by(days, sample(rng.normal(10, 10, 900).round()), numeric=True) == set(peer_rules.RULES)
    assert told_by(days, sample(rng.normal(0, 10, 900).round()), numeric=True) == set()
    codes = [sample(rng.choice(4, 900, p=[0.4, 0.3, 0.2, 0.1]).astype(float)) for _ in range(29)]
    assert told_by(codes[1:], codes[0], numeric=False) == set()
    other = sample(rng.choice(5, 900, p=[0.1, 0.1, 0.2, 0.3, 0.3]).astype(float))
    assert told_by(codes, other, numeric=False) == set(peer_rules.RULES)
