"""Runs: which configuration is in force, and how the runs of a monitor ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.store.store import Store
from tests.support.store_samples import DAY, KEY, LATER, NOW, nth

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_the_configuration_in_force_is_the_one_last_used(store: Store) -> None:
    """Also where somebody goes back to an earlier one."""
    for i, key in enumerate(["one", "two", "one"]):
        store.save_monitor("flights", key, {"v": key}, NOW + timedelta(hours=i))
        (monitor,) = store.monitors()
        assert (monitor["config_hash"], monitor["config"]) == (key, {"v": key})
    assert [row["first_seen_at"] for row in store.monitors()] == [NOW]


def test_the_configuration_in_force_is_the_one_last_written_whatever_the_clock_said(store: Store) -> None:
    """The clock was a year ahead when the first one was written, and right afterwards."""
    for key, days in (("one", 365), ("two", 0), ("three", -1)):
        store.save_monitor("flights", key, {"v": key}, NOW + timedelta(days=days))
        store.save_monitor("delays", key, {"v": key}, NOW - timedelta(days=days))
        assert [monitor["config_hash"] for monitor in store.monitors()] == [key, key]


def test_runs_remember_their_beginning_and_their_end(store: Store) -> None:
    """A second start forgets the first end; an end without a start is an end."""
    store.save_run_started("flights", DAY, KEY, NOW, url="http://log")
    assert store.latest_runs(over_at=nth(9).end)[0]["status"] == "running"
    store.save_run_finished("flights", DAY, "error", LATER, error="it broke\0")
    (run,) = store.runs("flights")
    assert (run["status"], run["started_at"], run["finished_at"], run["config_hash"]) == ("error", NOW, LATER, KEY)
    assert run["error"] == "it broke\N{REPLACEMENT CHARACTER}"
    store.save_run_started("flights", DAY, KEY, LATER)
    (run,) = store.runs("flights")
    assert (run["status"], run["finished_at"], run["error"]) == ("running", None, None)
    store.save_run_finished("flights", nth(1), "ok", LATER)
    assert [row["window_start"] for row in store.latest_runs(over_at=nth(9).end)] == [nth(1).start]
    assert [row["status"] for row in store.runs("flights")] == ["ok", "running"]
