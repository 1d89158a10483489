"""The state of a monitor: the store, the cache of a run and the memory of a replay answer alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.store.cache import Cache
from drift.store.memory import Memory
from drift.store.store import Store
from tests.support.store_samples import BINNINGS, DAY, NOW, nth, save_everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.store.base import StateReader


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with two days of everything."""
    with Store.open(database_url, create=True) as opened:
        for i in range(2):
            save_everything(opened, NOW, nth(i), seed=i)
        yield opened


@pytest.mark.parametrize("kind", [Cache, Memory])
def test_what_is_stored_is_read_through(store: Store, kind: type[Cache | Memory]) -> None:
    """Asked once or again, each answers what the store answers."""
    state: StateReader = kind(store)
    windows = [nth(i) for i in range(-1, 3)]
    for _ in range(2):
        assert state.baselines("flights") == store.baselines("flights")
        assert state.active_baseline("flights") == store.active_baseline("flights") == BINNINGS
        assert state.segmentations("flights") == store.segmentations("flights")
        assert state.gates("flights", windows) == store.gates("flights", windows)
        assert state.validations("flights", DAY) == store.validations("flights", DAY) != []
        assert state.heads("flights", windows) == store.heads("flights", windows)
        binnings = state.active_baseline("flights")
        assert state.load_pairs("flights", windows, binnings) == store.load_pairs("flights", windows, binnings) != {}
        assert state.load_profiles("flights", windows, binnings) == store.load_profiles("flights", windows, binnings)


def test_a_cache_asks_for_all_else(store: Store) -> None:
    """Reports, scores, alerts and runs are read from the store."""
    cache = Cache(store)
    before = nth(2).start
    assert cache.reports("flights") == store.reports("flights")
    found, stored = cache.load_report("flights", DAY.start), store.load_report("flights", DAY.start)
    assert repr(found) == repr(stored) != "None"
    assert list(cache.report_statuses("flights", since=DAY.start)) == [DAY.start, nth(1).start]
    assert cache.history("flights", BINNINGS, before=before) == store.history("flights", BINNINGS, before=before)
    assert cache.run_results("flights", DAY.start) == store.run_results("flights", DAY.start)
    assert cache.alerts() == store.alerts()
    assert cache.alerts_in_play("flights") == store.alerts_in_play("flights")
    assert cache.silences() == store.silences()
