"""The benchmark of other tools on broken relationships: its faults leave every histogram, its shares are shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import peer_relationships as peers
from benchmarks.peer_relationships import FAULTS, FEATURES, PLANTED, Stretch, Told
from benchmarks.relationships import Days

if TYPE_CHECKING:
    from pathlib import Path


def told(*called: bool, columns: tuple[str, ...] = ()) -> tuple[Told, ...]:
    """Return days with a strength of 0, 1, 2 and so on."""
    return tuple(Told(one, float(i), columns) for i, one in enumerate(called))


@pytest.fixture
def flights() -> pa.Table:
    """A few flights, one of them without delays."""
    rng = np.random.default_rng(0)
    texts = {name: rng.choice(list("abc"), 60).tolist() for name in FEATURES[:3]}
    return pa.table(texts | {name: [None, *rng.integers(0, 30, 59).tolist()] for name in FEATURES[3:]})


def test_a_case_differs_in_pairs_alone(flights: pa.Table) -> None:
    """Each fault moves values of its columns to other rows of the same day; ordinary days come last."""
    numbers = {
        name: np.unique([*map(str, flights[name].to_pylist())], return_inverse=True)[1].astype(float)
        for name in FEATURES
    }
    days = Days({}, [], [numbers] * 3, [], [], [], [])
    *spoiled, last = peers.cases(days, [flights] * 3, 0, [2], seed=1)
    assert last == flights
    assert len(spoiled) == PLANTED * len(FAULTS)
    for at, table in enumerate(spoiled):
        mine = set(FAULTS[at // PLANTED].columns)
        assert {name for name in FEATURES if table[name] != flights[name]} == mine
        for name in mine:
            assert sorted(map(str, table[name].to_pylist())) == sorted(map(str, flights[name].to_pylist()))
    again = peers.cases(days, [flights] * 3, 0, [2], seed=1)
    assert again == [*spoiled, last]


def test_columns_moved_together_stay_together(flights: pa.Table) -> None:
    """Only what they go with changes."""
    order = np.random.default_rng(1).permutation(flights.num_rows)
    moved = peers.reordered(flights, ["dest", "distance"], order)
    pairs, before = (t.select(["dest", "distance"]).to_pylist() for t in (moved, flights))
    assert pairs == [before[i] for i in order]
    assert moved.drop_columns(["dest", "distance"]) == flights.drop_columns(["dest", "distance"])


def test_each_case_is_a_day(flights: pa.Table, tmp_path: Path) -> None:
    """Numbered on from one date, with all of its rows."""
    written = pq.read_table(peers.dated([flights, flights.slice(0, 5)], tmp_path / "days.parquet"))
    assert [str(day)[:10] for day in written["day"].to_pylist()] == ["2100-01-01"] * 60 + ["2100-01-02"] * 5
    assert written.drop_columns(["day"]) == pa.concat_tables([flights, flights.slice(0, 5)])


def test_what_was_told_is_parted_by_fault() -> None:
    """In the order of the cases: each fault's days, then the ordinary ones."""
    days = [Told(False, float(i), ()) for i in range(PLANTED * len(FAULTS) + 3)]
    stretch = Stretch.of(days)
    assert [one for each in stretch.planted for one in each] + list(stretch.ordinary) == days
    assert {len(each) for each in stretch.planted} == {PLANTED}
    above = stretch.above(days[-2].strength)
    assert [one.called for one in above.ordinary] == [False, False, True]
    assert not any(one.called for each in above.planted for one in each)


def test_what_is_called_stays_called() -> None:
    """By its second day, too, if it was on the first."""
    assert peers.found([told(True, False), told(False, True), told(False, False), told(True, True)]) == [0.5, 0.75]


def test_the_first_call_names_a_column_or_does_not() -> None:
    """Of those that name any; a tool that names none has no share."""
    other = told(False, False)
    right = told(False, True, columns=FAULTS[0].columns)
    wrong = told(True, True, columns=("tailnum",))
    silent = told(True, True)
    rest = (other,) * (len(FAULTS) - 1)
    stretches = [Stretch((each, *rest), ()) for each in (right, wrong, other, silent)]
    assert peers.named(stretches) == 0.5
    assert peers.named(stretches[2:]) == "–"


def test_the_same_ordinary_days_for_everyone() -> None:
    """Above the threshold are as many as asked, or fewer where they tie."""
    strengths = [0.3, 0.9, 0.5, 0.9, 0.1]
    assert [sum(x > peers.threshold(strengths, most) for x in strengths) for most in (0, 1, 2, 3)] == [0, 0, 2, 3]
