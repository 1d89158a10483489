"""Where: the slice that was spoiled is found, slices of the same rows are ties, and a drift of all rows is in none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.localise import Slice, Where, localise
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.profiles.pairs import Pairs
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rows = dict[str, NDArray[np.uint8]]
    Spoil = Callable[[Rows], object]

COLUMNS = {
    "origin": coarse(CategoricalBinning(("EWR", "JFK", "LGA", "TEB")), FINE),
    "carrier": coarse(CategoricalBinning(("B6", "UA", "DL")), FINE),
    "kind": coarse(CategoricalBinning(("even", "odd")), FINE),
    "tail": coarse(CategoricalBinning(("N1", "N2")), FINE - 1),
    "delay": coarse(NumericBinning(np.arange(6.0))),
}
EWR, JFK, LGA, TEB = range(4)
LATE, MISSING = (COLUMNS["delay"].n_cells - back for back in (2, 1))
UNSEEN = COLUMNS["carrier"].names.index("unseen")


def rows(seed: int, n: int = 2000) -> Rows:
    """Return the cells of a day's rows: B6 flies from JFK alone, and all of JFK is B6's; the rest goes its own ways."""
    rng = np.random.default_rng([4, seed])
    origin = rng.choice(4, n, p=[0.4, 0.3, 0.25, 0.05])
    found = {
        "origin": origin,
        "carrier": np.where(origin == JFK, 0, rng.integers(1, 3, n)),
        "kind": rng.integers(0, 2, n),
        "tail": origin % 2,
        "delay": np.minimum(rng.poisson(1.0, n), LATE),
    }
    return {name: cells.astype(np.uint8) for name, cells in found.items()}


def pairs(some: Rows) -> Pairs:
    """Count rows."""
    return Pairs.of(COLUMNS, np.array([some[name] for name in COLUMNS]))


BEFORE = [pairs(rows(day)) for day in range(14)]


def where(spoil: Spoil) -> Where | None:
    """Localise what spoils a day's rows in place."""
    now = rows(99)
    spoil(now)
    return localise(BEFORE, pairs(now), "delay")


def names(found: Where | None) -> list[str]:
    """Return the slices of an answer."""
    return [each.name for each in found.slices] if found else []


def put(some: Rows, chosen: NDArray[np.bool_], cell: int, share: float = 1.0) -> None:
    """Give a share of the chosen rows one delay."""
    some["delay"][chosen & (np.random.default_rng(5).random(len(chosen)) < share)] = cell


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_slice_that_was_spoiled_is_found(share: float) -> None:
    """Whole or half: without it little or nothing of the divergence is left."""
    found = where(lambda now: put(now, now["origin"] == EWR, LATE, share))
    assert found is not None
    assert names(found) == ["origin = EWR"]
    (ewr,) = found.slices
    assert ewr.sql == "origin = 'EWR'"
    assert ewr.left < 0.05
    assert not ewr.moved
    assert ewr.now == pytest.approx(0.4, abs=0.03)
    assert found.words().startswith("mostly in origin = EWR (")


def test_slices_of_the_same_rows_are_ties() -> None:
    """Counts of pairs cannot tell which of them is to blame."""
    found = where(lambda now: put(now, now["origin"] == JFK, LATE))
    assert found is not None
    assert names(found) == ["origin = JFK", "carrier = B6"]
    assert ": without them nothing of" in found.words()
    assert "origin = JFK, or carrier = B6 (" in found.words()


def test_missing_values_are_localised_like_any_other() -> None:
    """A sensor that is silent in one place only."""
    assert names(where(lambda now: put(now, now["origin"] == LGA, MISSING))) == ["origin = LGA"]


def test_a_drift_of_all_rows_is_alike_everywhere() -> None:
    """Whatever slice is taken away, as much is left: also where only some rows, drawn anywhere, have changed."""
    for seed in range(20):
        for share in (1.0, 0.3, 0.1):
            now = rows(100 + seed)
            put(now, now["origin"] >= 0, LATE, share)
            found = localise(BEFORE, pairs(now), "delay")
            assert found is None or found.alike
            if share == 1.0:
                assert found
                assert found.words() == "alike in every origin: EWR, JFK, LGA, TEB"
                assert all(each.alike and each.left > 0.9 for each in found.slices)


@pytest.mark.parametrize("spared", [EWR, JFK, LGA])
def test_cells_that_differ_are_not_alike(spared: int) -> None:
    """Where one cell does not drift, the cells of another column are not said to drift alike."""
    found = where(lambda now: put(now, now["origin"] != spared, LATE))
    assert found is None or not found.alike


def test_all_but_one_cell() -> None:
    """Where everything but one cell drifts, and that is not nearly everything."""
    assert names(where(lambda now: put(now, now["origin"] != EWR, LATE))) == ["all but origin = EWR"]
    assert where(lambda now: put(now, now["origin"] != LGA, LATE)) is None


def test_rows_that_vanished_are_said_to() -> None:
    """Where the slice is as before within itself, its share of the rows is the news."""
    for feature in ("carrier", "origin", "delay"):
        days = [rows(day) for day in range(15)]
        for day in days:  # delays at JFK have always been long
            put(day, day["origin"] == JFK, LATE)
        *before, now = days
        kept = (now["origin"] != JFK) | (np.arange(len(now["origin"])) % 4 == 0)
        spoiled = pairs({name: cells[kept] for name, cells in now.items()})
        found = localise([pairs(day) for day in before], spoiled, feature)
        assert found is not None
        assert all(each.moved for each in found.slices)
        assert {"origin = JFK", "carrier = B6"} - {f"{feature} = JFK", f"{feature} = B6"} <= set(names(found))
        assert found.words().startswith("fewer rows of ")
        assert "instead of 30 %" in found.words()


def test_new_rows_are_said_to_be() -> None:
    """A slice that had no rows before."""

    def spoil(now: Rows) -> None:
        now["carrier"][:200] = UNSEEN
        now["delay"][:200] = LATE

    found = where(spoil)
    assert names(found) == ["unseen carrier"]
    assert found is not None
    assert found.words().startswith("more rows of unseen carrier: 10 % instead of 0 %; without it ")
    assert found.slices[0].sql == "carrier NOT IN ('B6', 'UA', 'DL')"


def test_too_few_rows_say_nothing() -> None:
    """A slice of fewer than asked for is not named."""
    now = rows(99)
    put(now, now["origin"] == TEB, LATE)
    assert names(localise(BEFORE, pairs(now), "delay", min_rows=30)) == ["origin = TEB"]
    assert "origin = TEB" not in names(localise(BEFORE, pairs(now), "delay", min_rows=300))


def test_only_fine_columns_explain() -> None:
    """Not one of coarse cells, not the feature itself, nor one that the window or a reference window lacks."""
    now = rows(99)
    put(now, now["origin"] == JFK, LATE)
    current = pairs(now)
    kept = [name for name in COLUMNS if name != "carrier"]
    assert names(localise(BEFORE, current.restricted(kept), "delay")) == ["origin = JFK"]
    assert names(localise([*BEFORE[1:], BEFORE[0].restricted(kept)], current, "delay")) == ["origin = JFK"]
    assert localise(BEFORE, current.restricted(["tail", "delay"]), "delay") is None
    assert localise(BEFORE, current, "unknown") is None
    assert localise([], current, "delay") is None


def test_few_windows_are_enough_where_the_slice_explains_all() -> None:
    """A comparison of two tables has one window on each side."""
    now = rows(99)
    put(now, now["origin"] == EWR, LATE)
    assert names(localise(BEFORE[:1], pairs(now), "delay")) == ["origin = EWR"]


def test_hashed_labels_are_named_as_they_are_stored() -> None:
    """And have no condition."""
    secret = COLUMNS | {"origin": coarse(CategoricalBinning(("h1", "h2", "h3", "h4"), salt="s"), FINE)}
    days = [Pairs(secret, each.n_rows, each.counts) for each in BEFORE]
    now = rows(99)
    put(now, now["origin"] == EWR, LATE)
    found = localise(days, Pairs(secret, 2000, pairs(now).counts), "delay")
    assert names(found) == ["origin = h1"]
    assert found is not None
    assert found.slices[0].sql is None


@examples(20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["origin", "carrier", "delay"]), st.integers(0, 400))
def test_whatever_the_counts_are(seed: int, feature: str, n: int) -> None:
    """Nothing fails, no slice is one of the feature's own, and the order of the windows does not matter."""
    rng = np.random.default_rng(seed)
    days = [pairs(rows(int(rng.integers(1000)), int(rng.integers(0, 300)))) for _ in range(int(rng.integers(1, 10)))]
    now = rows(seed, n)
    put(now, now["origin"] == rng.integers(4), int(rng.integers(MISSING + 1)), float(rng.random()))
    least = int(rng.integers(1, 40))
    found = localise(days, pairs(now), feature, min_rows=least)
    assert names(found) == names(localise(days[::-1], pairs(now), feature, min_rows=least))
    for each in found.slices if found else ():
        assert each.column != feature
        assert each.left >= 0
        assert each.alike or each.left <= 0.51
        assert 0 <= each.before <= 1
        assert 0 < each.now <= 1 or each.moved


def test_what_is_stored_is_read_back() -> None:
    """As JSON."""
    one = Where((Slice("a", "x", "a = x", 0.1, 0.2, 0.0, moved=True, sql=None, outside=True),))
    assert Where.of(json.loads(json.dumps(one.to_dict()))["slices"]) == one
