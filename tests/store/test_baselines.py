"""Baselines: the first fit wins, and a new version is asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from drift.store.store import Store
from tests.support.store_samples import LATER, fit, numeric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.profiles.binning import Binning


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_two_fits_at_once_agree_on_one(store: Store) -> None:
    """The first one wins, feature by feature, and both are told who."""
    seen: list[dict[str, Binning]] = []
    candidates = [{"a": numeric(0.0, float(i)), "b": numeric(float(i))} for i in range(1, 5)]
    barrier = threading.Barrier(4)

    def work(binnings: dict[str, Binning]) -> None:
        barrier.wait()
        seen.append(fit(store, binnings))

    threads = [threading.Thread(target=work, args=(one,)) for one in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(one == seen[0] for one in seen)
    assert seen[0] in candidates


def test_a_baseline_is_frozen_until_a_new_one_is_asked_for(store: Store) -> None:
    """New features join, known ones stay; a new version is asked for, and asking twice makes one."""
    first = {"a": numeric(0.0, 1.0), "b": numeric(0.0)}
    second: dict[str, Binning] = {"a": numeric(0.0, 2.0), "c": numeric(1.0)}
    assert fit(store, first) == first
    assert fit(store, second) == {**first, "c": second["c"]}
    for _ in range(2):
        assert fit(store, second, new=True, reason="asked for", by="ada", now=LATER) == {**second, "b": first["b"]}
    rows = store.baseline_rows("flights")
    assert [(row["feature"], row["version"], row["created_by"]) for row in rows] == [
        ("a", 1, "drift"),
        ("a", 2, "ada"),
        ("b", 1, "drift"),
        ("c", 1, "drift"),
    ]
    assert rows[1]["spec"] == second["a"].to_dict()
    assert fit(store, {"a": second["a"]}, new=True, n_rows=9_001) == {**second, "b": first["b"]}
    assert [row["version"] for row in store.baseline_rows("flights") if row["feature"] == "a"] == [1, 2, 3]
