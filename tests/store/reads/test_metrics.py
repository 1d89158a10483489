"""What a scrape asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.store.reads.metrics import health
from tests.support.dashboard_samples import HOSTILE, MONITOR, ODD, day

if TYPE_CHECKING:
    from drift.store.store import Store


def test_the_newest_window_of_each_monitor(filled: Store) -> None:
    """Reports and runs are of the newest window; a run that failed is no success."""
    found = health(filled, most=100, worst=10, now=day(8).end)
    assert set(found.reports) == set(found.runs) == {MONITOR, ODD}
    assert found.runs[MONITOR]["window_start"] == day(7).start
    assert found.notifications == {}
    assert sum(found.alerts.values()) == len(filled.alerts())


def test_series_are_bounded(filled: Store) -> None:
    """No more features than asked for are named."""
    few = health(filled, most=100, worst=1, now=day(8).end)
    assert [row["monitor"] for row in few.features].count(ODD) == 1
    assert HOSTILE not in {row["feature"] for row in health(filled, most=0, worst=0, now=day(8).end).features}
