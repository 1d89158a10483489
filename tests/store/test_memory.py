"""The memory of a replay: it answers as the store would have, and writes nothing there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drift.errors import StoreError
from drift.store.memory import Memory
from drift.store.store import Store
from tests.support.store_samples import BINNINGS, DAY, KEY, NOW, counted, dump, fit, judged, nth, paired

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with bins in force."""
    with Store.open(database_url, create=True) as opened:
        fit(opened, BINNINGS)
        yield opened


@pytest.fixture
def memory(store: Store) -> Memory:
    """A memory on it."""
    return Memory(store)


def test_reports_are_looked_back_at_as_in_the_store(store: Store, memory: Memory) -> None:
    """History, reports and their starts are those that the store gives back."""
    for i in range(4):
        for state in (store, memory):
            state.save_report("flights", judged(BINNINGS, nth(i), seed=i))
    for before, limit in ((nth(4), 56), (nth(3), 2), (nth(0), 56)):
        mine, theirs = (each.history("flights", BINNINGS, before=before.start, limit=limit) for each in (memory, store))
        assert mine == theirs
    since, until = nth(1).start, nth(2).start
    assert list(memory.report_statuses("flights", since=since, until=until)) == [since, until]
    found, stored = (each.load_reports("flights", since=since, until=until) for each in (memory, store))
    assert [repr(each.verdicts) for each in found] == [repr(each.verdicts) for each in stored]
    assert [row["window_start"] for row in memory.reports("flights", 2)] == [nth(3).start, nth(2).start]
    assert memory.load_report("flights", nth(9).start) is None


def test_pairs_of_other_counts_are_not_the_stored_ones(store: Store, memory: Memory) -> None:
    """Where counts were given, by a run that is not stored or by a fault, pairs come with them or there are none."""
    stored, written = paired(counted(BINNINGS)), paired(counted(BINNINGS, nth(1)), seed=9)
    store.save_profile("flights", stored, gate="accepted", binning_key=KEY, now=NOW)
    memory.save_profile("flights", written, gate="accepted", binning_key=KEY, now=NOW)
    windows, binnings = [DAY, nth(1), nth(2)], memory.active_baseline("flights")
    assert memory.load_pairs("flights", windows, binnings) == {DAY: stored.pairs, nth(1): written.pairs}
    branch = memory.branch(0, {DAY: (counted(BINNINGS, seed=3), "accepted")})
    assert branch.load_pairs("flights", windows, binnings) == {nth(1): written.pairs}
    assert memory.afresh().load_pairs("flights", windows, binnings).keys() == {DAY, nth(1)}


def test_what_is_written_stays_here(store: Store, memory: Memory) -> None:
    """The database is as it was; the memory knows what was written."""
    before = dump(store)
    profile = counted(BINNINGS)
    memory.save_monitor("flights", KEY, {}, NOW)
    memory.save_run_started("flights", DAY, KEY, NOW)
    memory.save_gate("flights", DAY, "accepted", [], NOW)
    assert memory.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
    memory.save_report("flights", judged(BINNINGS))
    memory.save_run_finished("flights", DAY, "ok", NOW)
    assert memory.gates("flights", [DAY]) == {DAY.start: "accepted"}
    assert memory.load_profiles("flights", [DAY], memory.active_baseline("flights")) == [(profile, "accepted")]
    assert dump(store) == before


def test_a_branch_leaves_the_trunk_alone(memory: Memory) -> None:
    """It ends after the reports asked for; what it finds, and its counts, are its own."""
    for i in range(2):
        memory.save_report("flights", judged(BINNINGS, nth(i), seed=i))
    branch = memory.branch(1, {nth(1): (counted(BINNINGS, nth(1)), "accepted")})
    branch.save_report("flights", judged(BINNINGS, nth(1), seed=7))
    assert (len(memory.judged), len(branch.judged), len(memory.afresh().judged)) == (2, 2, 0)
    assert memory.past[0] == branch.past[0]
    assert nth(1) in branch.counts
    assert nth(1) not in memory.counts


def test_a_replay_goes_through_windows_in_order_and_fits_no_bins(memory: Memory) -> None:
    """What came late, has no window or would need new bins is refused."""
    memory.save_report("flights", judged(BINNINGS, nth(1)))
    with pytest.raises(StoreError, match="came late"):
        memory.save_report("flights", judged(BINNINGS, nth(0)))
    with pytest.raises(StoreError, match="no window"):
        memory.save_report("flights", replace(judged(BINNINGS), window=None))
    with pytest.raises(StoreError, match="fits no bins"):
        memory.save_baseline("flights", BINNINGS)
