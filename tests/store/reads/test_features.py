"""One feature in one window, read by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.store.reads import features
from tests.support.dashboard_samples import AFTER, MONITOR, day

if TYPE_CHECKING:
    from drift.store.store import Store


def test_a_feature_is_read_without_its_report(filled: Store) -> None:
    """The verdict and the evidence are those of the whole report."""
    found = features.detail(filled, MONITOR, "dep_delay", day(5).start)
    whole = filled.load_report(MONITOR, day(5).start)
    assert found is not None
    assert whole is not None
    assert found.verdict.reason == whole["dep_delay"].reason
    assert found.evidence == whole.evidence["dep_delay"]
    assert features.detail(filled, MONITOR, "none", day(5).start) is None


def test_counts_leave_rejected_windows_out(filled: Store) -> None:
    """Of the windows asked for those that are stored and were not rejected, the window itself among them."""
    found = features.detail(filled, MONITOR, "dep_delay", day(5).start)
    assert found is not None
    counts = features.counts(filled, MONITOR, found, [day(0), day(6), day(30)])
    assert list(counts) == [day(0).start, day(5).start]
    assert counts[day(5).start][0].counts.tolist() == AFTER.tolist()
