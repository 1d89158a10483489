"""Marks as rows, and what happened read back from what a run writes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.alerts.marks import new_mark
from drift.detection.findings import Finding
from drift.store.cache import Cache
from drift.store.store import Store
from tests.support.store_samples import BINNINGS, LATER, NOW, fit, judged, nth, numeric, outcomes, save_everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.alerts.circumstances import Event


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store on each database."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_a_mark_is_written_once(store: Store) -> None:
    """Of a monitor or of all; it goes when it is deleted, or forgotten."""
    late = nth(3).start
    mine, every, other = (
        new_mark("release 214", at=nth(0).start, by="ann", now=NOW, monitor="flights"),
        new_mark("holiday", at=late, by="ann", now=NOW),
        new_mark("release 9", at=late, by="ann", now=NOW, monitor="trains"),
    )
    store.save_marks([mine, every, other])
    store.save_marks([new_mark("release 214", at=mine.at, by="bob", now=LATER, monitor="flights")])
    assert sorted(store.marks(), key=lambda one: one.text) == [every, mine, other]
    assert store.marks("flights") == [mine, every]
    assert store.marks("flights", since=late) == store.marks("flights", since=late, until=nth(9).start) == [every]
    assert store.marks(until=late) == [mine]
    assert (store.delete_mark(other.id), store.delete_mark(other.id)) == (True, False)
    assert store.prune(late, dry_run=True)["mark"] == store.prune(late)["mark"] == 1
    assert store.marks() == [every]


def test_what_happened_is_read_from_what_runs_wrote(store: Store) -> None:
    """Failures, gates, findings, configurations, baselines and marks, of one monitor, in the order of time."""
    for n in range(2):
        save_everything(store, NOW + timedelta(hours=n), nth(n), seed=n)
    fit(store, BINNINGS | {"dep_delay": numeric(0.0, 9.0)}, now=NOW + timedelta(hours=2), new=True, reason="new bins")
    at = NOW + timedelta(hours=3)
    store.save_monitor("flights", "beef", {"name": "flights", "every": "1d", "segments": ["origin"]}, at)
    updates = [[{"asset": "sales", "dag": "ingest", "run": run}] for run in ("scheduled__1", "manual__2")]
    store.save_run_started("flights", nth(1), "0123456789abcdef", NOW + timedelta(hours=1), upstream=updates[0])
    store.save_run_started("flights", nth(2), "beef", at, url="http://log/2", upstream=updates[1])
    store.save_gate("flights", nth(2), "rejected", [*outcomes()[:2]], at)
    lost = Finding("fewer_rows", "9 rows, 99 % fewer than usual", severity="critical")
    store.save_report("flights", judged(BINNINGS, nth(2), findings=[*judged(BINNINGS).findings, lost]))
    store.save_run_finished("flights", nth(2), "error", at, error="the disk is full")
    mark = new_mark("release 214", at=nth(2).start, by="ann", now=NOW)
    store.save_marks([mark, new_mark("else", at=mark.at, by="ann", now=NOW, monitor="trains")])

    def happened(since: int) -> list[Event]:
        return store.circumstances("flights", nth(since).start, nth(3).start)

    fitted = "baseline version 2 of 1 feature: 2013-01-11T05:00 … 2013-02-08T05:00, by drift: new bins"
    assert [(event.kind, event.text, event.link) for event in happened(2)] == [
        ("mark", "release 214", None),
        ("upstream", "sales was updated by ingest, run manual__2", None),
        ("failed", "the disk is full", "http://log/2"),
        ("rejected", "rejected by its expectations: 9 nulls", "http://log/2"),
        ("rows", lost.message, None),
        ("baseline", fitted, None),
        ("config", "the monitor's configuration changed: segments", None),
    ]
    assert {event.at for event in happened(2)} == {nth(2).start}
    assert (
        happened(0) == happened(1) == happened(2) == Cache(store).circumstances("flights", nth(2).start, nth(3).start)
    )
    assert happened(3) == store.circumstances("trains", nth(0).start, nth(9).start) == []
