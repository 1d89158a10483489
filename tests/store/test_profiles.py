"""Gates and profiles: what was counted comes back, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drift.profiles.heavy_hitters import Atoms
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.pair_choice import choose
from drift.profiles.pairs import Pairs
from drift.profiles.segments import Segmentation, labels_by_column
from drift.store.store import Store
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.support.store_samples import BINNINGS, DAY, KEY, LATER, NOW, counted, dump, nth, numeric, outcomes, paired


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_profiles_come_back_bit_for_bit(store: Store) -> None:
    """Counts, summaries, schema (in its order) and problems."""
    written = [counted(BINNINGS, nth(i), seed=i) for i in range(3)]
    huge = Histogram(numeric(0.0), np.array([2**62, 2**62 - 1, 0]))
    written.append(Profile(nth(3), 2**63 - 1, {"huge": huge}))
    binnings = BINNINGS | {"huge": huge.binning}
    for profile in written:
        store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
    windows = [nth(i) for i in range(-1, 6)]
    read = store.load_profiles("flights", windows[::-1], binnings)
    assert [gate for _, gate in read] == ["accepted"] * 4
    assert [profile for profile, _ in read] == written
    assert list(read[0][0].schema) == ["zeta", *BINNINGS]
    assert store.load_profiles("flights", [nth(1)], {"carrier": BINNINGS["carrier"]})[0][0].histograms.keys() == {
        "carrier"
    }
    assert store.load_profiles("flights", [], binnings) == []
    assert store.load_profiles("others", windows, binnings) == []


def test_what_recurs_comes_back_bit_for_bit(store: Store) -> None:
    """Exact lists, ranges, an empty list, and that nobody looked."""
    binning, counts = numeric(0.0, 1.0, 2.0), np.array([1, 40, 50, 0, 9])
    known = [
        Atoms(np.array([1e-300, 0.1 + 0.2]), np.array([30, 2]), np.array([30, 2]), 0, 1),
        Atoms(np.array([0.5]), np.array([30]), np.array([37]), 3, 10),
        Atoms.none(),
        None,
    ]
    histograms = {str(i): Histogram(binning, counts, atoms) for i, atoms in enumerate(known)}
    store.save_profile("flights", Profile(DAY, 100, histograms), gate="accepted", binning_key=KEY, now=NOW)
    ((read, _),) = store.load_profiles("flights", [DAY], dict.fromkeys(histograms, binning))
    assert [histogram.atoms for histogram in read.histograms.values()] == known


def test_pairs_come_back_cell_for_cell(store: Store) -> None:
    """With their columns in order; of another window none; written again, whatever they were, they are the new ones."""
    first, other = paired(counted(BINNINGS)), paired(counted(BINNINGS), seed=8)
    assert first.pairs is not None
    assert list(first.pairs.columns) == ["carrier", "dark", "dep_delay", "nothing"]
    for profile in (other, first):
        store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
    assert store.load_pairs("flights", [nth(-1), DAY, nth(1)], BINNINGS) == {DAY: first.pairs}
    before = dump(store)
    store.save_profile("flights", first, gate="accepted", binning_key=KEY, now=LATER)
    assert dump(store) == before
    ((read, _),) = store.load_profiles("flights", [DAY], BINNINGS)
    assert read.pairs is None
    store.save_profile("flights", replace(first, pairs=None), gate="accepted", binning_key=KEY, now=NOW)
    assert store.load_pairs("flights", [DAY], BINNINGS) == {}


def test_pairs_are_read_of_the_columns_whose_cells_are_known(store: Store) -> None:
    """Under other bins a column is left out; a column that only cuts segments is known by these."""
    by = Segmentation(("origin",), ("origin=JFK", "origin=EWR"))
    columns = choose(BINNINGS, labels_by_column([by]))
    codes = np.stack([np.arange(99, dtype=np.uint8) % cells.n_cells for cells in columns.values()])
    pairs = Pairs.of(columns, codes)
    profile = replace(counted(BINNINGS), pairs=pairs)
    store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
    assert store.load_pairs("flights", [DAY], BINNINGS, [by]) == {DAY: pairs}
    others = {**BINNINGS, "dark": numeric(0.0, 1.0)}
    del others["nothing"]
    known = ["carrier", "dep_delay"]
    assert store.load_pairs("flights", [DAY], others) == {DAY: pairs.restricted(known)}


def test_another_count_of_pairs_is_another_digest(store: Store) -> None:
    """Columns shifted against each other change no histogram: whoever knows the counts has to read them anew."""
    found = set()
    for profile in (counted(BINNINGS), paired(counted(BINNINGS)), paired(counted(BINNINGS), seed=8)):
        store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
        found.add(store.heads("flights", [DAY])[DAY.start].digest)
    assert len(found) == 3


def test_pairs_go_with_their_window(store: Store) -> None:
    """Pruned, or taken out with its run."""
    for i in range(3):
        store.save_profile("flights", paired(counted(BINNINGS, nth(i))), gate="accepted", binning_key=KEY, now=NOW)
    days = [nth(i) for i in range(3)]
    assert store.prune(nth(1).start)["pair_counts"] == 1
    assert list(store.load_pairs("flights", days, BINNINGS)) == days[1:]
    assert store.prune(nth(2).start, keep=[("flights", nth(1).start, nth(2).start)])["pair_counts"] == 0
    assert len(dump(store)["pair_counts"]) == 2


def test_profiles_of_another_calendar_are_not_taken_for_ours(store: Store) -> None:
    """A day starts when its first hour does."""
    store.save_profile("flights", counted(BINNINGS), gate="accepted", binning_key=KEY, now=NOW)
    store.save_gate("flights", DAY, "accepted", [], NOW)
    hour = Window(DAY.start, DAY.start + timedelta(hours=1))
    assert store.load_profiles("flights", [hour], BINNINGS) == []
    assert store.heads("flights", [hour]) == {}
    assert store.gates("flights", [hour]) == {}
    head = store.heads("flights", [DAY])[DAY.start]
    assert (head.window_start, head.window_end, head.gate, head.binning_key) == (DAY.start, DAY.end, "accepted", KEY)


def test_an_emptied_source_does_not_take_counts_away(store: Store) -> None:
    """No rows never replace rows; rows replace no rows; rows replace other rows."""

    def save(profile: Profile) -> bool:
        return store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)

    def stored() -> Profile:
        return store.load_profiles("flights", [DAY], BINNINGS)[0][0]

    empty = Profile(DAY, 0, {name: Histogram.empty(one) for name, one in BINNINGS.items()})
    assert save(empty)
    assert save(counted(BINNINGS))
    before = dump(store)
    assert not save(empty)
    assert dump(store) == before
    more = counted({"carrier": BINNINGS["carrier"]}, rows=1_000)
    assert save(more)
    assert stored() == more


def test_the_gate_follows_what_it_said_last(store: Store) -> None:
    """Changed expectations leave no outcome behind, and the stored profile takes the decision on."""
    store.save_gate("flights", DAY, "warned", outcomes(), NOW)
    store.save_profile("flights", counted(BINNINGS), gate="warned", binning_key=KEY, now=NOW)
    assert [row["key"] for row in store.validations("flights", DAY)] == ["b2", "c3", "a1"]
    store.save_gate("flights", DAY, "rejected", outcomes()[:1], LATER)
    assert [row["key"] for row in store.validations("flights", DAY)] == ["a1"]
    assert store.gates("flights", [DAY, nth(1)]) == {DAY.start: "rejected"}
    assert store.load_profiles("flights", [DAY], BINNINGS)[0][1] == "rejected"
