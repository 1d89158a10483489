"""A session: what a run has read or written is not asked again, and is never out of date where it matters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from drift.store import cache
from drift.store.cache import Cache
from drift.store.store import Store
from tests.support.store_samples import BINNINGS, DAY, KEY, LATER, NOW, counted, fit, judged, nth, numeric, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.windows import Window


@dataclass
class Counting:
    """A store that counts what it is asked."""

    store: Store
    asked: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self.store, name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with bins in force."""
    with Store.open(database_url, create=True) as opened:
        fit(opened, BINNINGS)
        yield opened


@pytest.fixture
def counting(store: Store) -> Counting:
    """The same, counting."""
    return Counting(store)


@pytest.fixture
def session(counting: Counting) -> Cache:
    """A session on it."""
    return Cache(counting)


def write(session: Cache | Store, *days: int, seed: int = 0) -> None:
    """Gate and count some days."""
    for i in days:
        session.save_gate("flights", nth(i), "accepted", [], NOW)
        profile = counted(BINNINGS, nth(i), seed=i + seed)
        session.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)


def test_bins_in_force_are_read_once_a_run(session: Cache, counting: Counting) -> None:
    """However often they are asked for; another run asks again, and reads them only where they have changed."""
    for _ in range(3):
        assert session.active_baseline("flights") == BINNINGS
    assert (counting.asked["baselines"], counting.asked["active_baseline"]) == (1, 1)
    session.begin()
    session.active_baseline("flights")
    assert (counting.asked["baselines"], counting.asked["active_baseline"]) == (2, 1)
    new = BINNINGS | {"late": numeric(1.0)}
    fit(counting.store, new)
    assert session.active_baseline("flights") == BINNINGS
    session.begin()
    assert session.active_baseline("flights") == new


def test_what_a_session_fits_is_in_force_at_once(session: Cache) -> None:
    """The next stage sees it."""
    assert session.active_baseline("flights") == BINNINGS
    fit(session, {"late": numeric(1.0)})  # type: ignore[arg-type]
    assert "late" in session.active_baseline("flights")


def test_a_session_tells_what_the_store_tells(session: Cache, store: Store) -> None:
    """Of windows it wrote, of windows it read, and of windows there are none of."""
    binnings = session.active_baseline("flights")
    write(store, 0, 1)
    write(session, 2, 3)
    session.save_gate("flights", nth(4), "rejected", [], NOW)
    session.save_gate("flights", nth(0), "warned", [], LATER)
    windows = [nth(i) for i in range(-1, 6)]
    for _ in range(2):
        assert session.gates("flights", windows) == store.gates("flights", windows)
        assert session.heads("flights", windows) == store.heads("flights", windows)
        assert session.load_profiles("flights", windows, binnings) == store.load_profiles("flights", windows, BINNINGS)
        session.begin()
        session.active_baseline("flights")


def test_counts_are_read_once_from_run_to_run(session: Cache, counting: Counting) -> None:
    """A trailing reference moves by a window, and one window is read."""
    write(counting.store, *range(6))
    for last in range(3, 6):
        session.begin()
        binnings = session.active_baseline("flights")
        windows = [nth(i) for i in range(last - 3, last + 1)]
        assert [profile.window for profile, _ in session.load_profiles("flights", windows, binnings)] == windows
    assert counting.asked["load_profiles"] == 3
    write(session, 6)
    session.begin()
    session.load_profiles("flights", [nth(i) for i in range(3, 7)], session.active_baseline("flights"))
    assert counting.asked["load_profiles"] == 3


def test_windows_a_run_will_look_back_at_are_asked_for_at_once(session: Cache, counting: Counting) -> None:
    """One question tells which of them are counted, what the gate said of each, and of those the last run asked for."""
    write(session, 0, 1, 2)
    session.begin([nth(0), nth(1)])
    assert session.gates("flights", [nth(2)]) == {nth(2).start: "accepted"}
    assert len(session.load_profiles("flights", [nth(0), nth(1), nth(2)], session.active_baseline("flights"))) == 3
    assert session.heads("flights", [nth(1)]).keys() == {nth(1).start}
    assert counting.asked["heads"] == 1
    session.begin()
    session.gates("flights", [nth(2)])
    session.heads("flights", [nth(1)])
    assert counting.asked["heads"] == 2
    session.begin()
    session.heads("flights", [nth(1)])
    session.heads("flights", [nth(0)])
    assert counting.asked["heads"] == 4


def test_counts_that_somebody_else_replaced_are_read_again(session: Cache, store: Store) -> None:
    """The store remains the truth: its digest says that what is remembered is old."""
    binnings = session.active_baseline("flights")
    write(session, 0, 1)
    before = session.load_profiles("flights", [nth(0), nth(1)], binnings)
    write(store, 1, seed=99)
    session.begin()
    after = session.load_profiles("flights", [nth(0), nth(1)], session.active_baseline("flights"))
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert after == store.load_profiles("flights", [nth(0), nth(1)], BINNINGS)


def test_the_memory_is_bounded(session: Cache, counting: Counting) -> None:
    """By what a run needs, however many runs there are."""
    write(counting.store, *range(20))
    for last in range(2, 20):
        session.begin()
        binnings = session.active_baseline("flights")
        session.load_profiles("flights", [nth(i) for i in range(last - 2, last + 1)], binnings)
        assert len(session.profiles) <= 6


def test_pairs_are_read_once_from_run_to_run(
    session: Cache, counting: Counting, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process replaced is read again, a window without any is none, and their memory is bounded."""
    written = {i: paired(counted(BINNINGS, nth(i), seed=i), seed=i) for i in range(8)}
    for profile in written.values():
        store.save_profile("flights", profile, gate="accepted", binning_key=KEY, now=NOW)
    store.save_profile("flights", counted(BINNINGS, nth(2)), gate="accepted", binning_key=KEY, now=NOW)

    def read(*days: int) -> list[Window]:
        session.begin()
        windows, binnings = [nth(i) for i in days], session.active_baseline("flights")
        found = session.load_pairs("flights", windows, binnings)
        assert found == store.load_pairs("flights", windows, BINNINGS)
        return list(found)

    assert read(0, 1, 2) == [nth(0), nth(1)]
    assert read(1, 2, 3) == [nth(1), nth(3)]
    assert read(2, 3) == [nth(3)]
    assert counting.asked["load_pairs"] == 2
    session.save_profile("flights", written[4], gate="accepted", binning_key=KEY, now=NOW)
    assert read(3, 4) == [nth(3), nth(4)]
    assert counting.asked["load_pairs"] == 2
    store.save_profile("flights", paired(written[4], seed=99), gate="accepted", binning_key=KEY, now=NOW)
    assert read(3, 4) == [nth(3), nth(4)]
    assert counting.asked["load_pairs"] == 3
    pairs = written[7].pairs
    assert pairs is not None
    monkeypatch.setattr(cache, "PAIRS_BYTES", 2 * pairs.counts.nbytes)
    assert read(4, 5, 6, 7) == [nth(i) for i in range(4, 8)]
    assert list(session.pairs) == [nth(6), nth(7)]
    assert session.load_pairs("flights", [nth(7)], {}) == store.load_pairs("flights", [nth(7)], {})


def test_other_bins_are_not_remembered(session: Cache, store: Store) -> None:
    """Counts under bins that are not in force come from the store."""
    session.active_baseline("flights")
    write(session, 0)
    only = {"carrier": BINNINGS["carrier"]}
    assert session.load_profiles("flights", [nth(0)], only) == store.load_profiles("flights", [nth(0)], only)


def test_rows_that_were_counted_do_not_give_way_to_none(session: Cache, store: Store) -> None:
    """What the store keeps is what the session tells."""
    binnings = session.active_baseline("flights")
    write(session, 0)
    emptied = counted(BINNINGS, nth(0), rows=0)
    assert not session.save_profile("flights", emptied, gate="accepted", binning_key=KEY, now=LATER)
    assert session.load_profiles("flights", [nth(0)], binnings) == store.load_profiles("flights", [nth(0)], BINNINGS)


def test_the_run_s_own_report_is_not_read_back(session: Cache, counting: Counting) -> None:
    """Later ones that are stored are."""
    report = judged(BINNINGS)
    session.save_report("flights", report)
    assert session.load_reports("flights", since=DAY.start) == [report]
    assert counting.asked["load_reports"] == 0
    counting.store.save_report("flights", judged(BINNINGS, window=nth(1)))
    found = session.load_reports("flights", since=DAY.start)
    assert [each.window for each in found] == [DAY, nth(1)]
    assert session.load_reports("flights", since=DAY.start, until=DAY.start) == [report]


def test_a_configuration_is_recorded_once(session: Cache, counting: Counting) -> None:
    """And another one too."""
    for key in ("one", "one", "two"):
        session.save_monitor("flights", key, {}, NOW)
    assert counting.asked["save_monitor"] == 2


def test_nothing_to_say_of_alerts_is_nothing_to_write(session: Cache, counting: Counting) -> None:
    """A quiet window costs no transaction."""
    session.save_alerts([], [])
    assert counting.asked["save_alerts"] == 0
    assert session.alerts("flights") == []
