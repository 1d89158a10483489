"""The windows of monitors, aggregated in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.store.reads import windows
from tests.support.dashboard_samples import HOSTILE, MONITOR, ODD, day

if TYPE_CHECKING:
    from drift.store.store import Store


def test_every_window_has_its_state(filled: Store) -> None:
    """A report's status, or that the window was rejected, or that its run failed; oldest first, by monitor."""
    found = windows.newest_windows(filled, windows=10, until=day(8).end)
    assert set(found) == {MONITOR, ODD}
    assert [state.start for state in found[MONITOR]] == [day(number).start for number in range(8)]
    assert [state.status for state in found[MONITOR]][-4:] == ["warning", "critical", "rejected", "failed"]


def test_features_come_worst_first(filled: Store) -> None:
    """What drifts stands before what does not."""
    states = windows.window_states(filled, MONITOR, windows=10)
    found, n = windows.features(filled, MONITOR, windows.Wanted(), states, limit=10)
    assert (found[0], n) == ("dep_delay", 3)
    assert set(found) == {"dep_delay", HOSTILE, "origin"}


def test_the_newest_window_is_that_of_any_monitor(filled: Store) -> None:
    """Where nothing is stored there is none."""
    assert windows.newest_window(filled) == day(7).start
