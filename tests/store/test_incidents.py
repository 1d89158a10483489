"""Incidents in the results database: by any id, with what else happened then, there and beside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.alerts.lifecycle import advance
from drift.alerts.marks import new_mark
from drift.store.store import Store
from tests.support.alert_samples import NOW, day, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = {
    "flights": {"connection": "warehouse", "table": "flights"},
    "weather": {"connection": "warehouse", "table": "weather"},
    "shop": {"files": "data/shop/*.parquet"},
    "returns": {"files": "data/returns/day=*/x.csv"},
    "bank": {"files": "s3://bank/*.parquet"},
}


@pytest.fixture(name="store")
def a_store(tmp_path: Path) -> Iterator[Store]:
    """Five monitors, each with an alert of two features on the eighth, and one of a third on the twelfth."""
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        for name, source in SOURCES.items():
            store.save_monitor(name, "c0ffee", {"name": name, "source": source, "window": {"every": "1d"}}, NOW)
            said = [say(8, "critical", "drift:a"), say(8, "warning", "drift:b"), say(12, "warning", "drift:c")]
            done = advance([], said, monitor=name, now=NOW)
            store.save_alerts(done.alerts, done.events)
        yield store


def test_any_of_its_alerts_leads_to_an_incident(store: Store) -> None:
    """It is the same one, and those that begin on another day are another."""
    members = [a for a in store.alerts("flights") if a.opened_window == day(8).start]
    found = {store.incident(alert.id) for alert in members}
    assert len(found) == 1
    assert [a.key for a in next(iter(found)).alerts] == ["drift:a", "drift:b"]  # type: ignore[union-attr]
    assert store.incident("nothing") is None


def test_what_is_about_to_be_written_counts(store: Store) -> None:
    """A message says what its own transaction makes so."""
    known = store.alerts("flights")
    done = advance(known, [say(9, "critical", "drift:b")], monitor="flights", now=NOW + timedelta(days=1))
    (incident,) = store.incidents({a.incident for a in done.alerts}, done.alerts)
    assert {a.key: a.severity for a in incident.alerts} == {"drift:a": "critical", "drift:b": "critical"}


def test_what_shares_a_source_is_named(store: Store) -> None:
    """The same connection, or the folder that holds the folders of their files; only what began in that time."""
    found = {a.monitor: store.incident(a.id) for a in store.alerts() if a.key == "drift:a"}
    beside = {name: store.around(incident).elsewhere for name, incident in found.items() if incident}
    assert beside == {
        "flights": ("weather: since 2013-02-08: 2 features",),
        "weather": ("flights: since 2013-02-08: 2 features",),
        "shop": ("returns: since 2013-02-08: 2 features",),
        "returns": ("shop: since 2013-02-08: 2 features",),
        "bank": (),
    }


def test_what_was_updated_by_the_same_asset_is_named(store: Store) -> None:
    """As Airflow had it of the runs of that time; another asset, or another time, joins nobody."""
    for name, asset, number in (
        ("bank", "orders", 8),
        ("shop", "orders", 8),
        ("flights", "orders", 4),
        ("returns", "x", 8),
    ):
        update = {"asset": asset, "dag": "load", "run": "1"}
        store.save_run_started(name, day(number), "c0ffee", NOW, upstream=[update])
    found = {a.monitor: store.incident(a.id) for a in store.alerts() if a.key == "drift:a"}
    beside = {name: store.around(incident).elsewhere for name, incident in found.items() if incident}
    assert beside["bank"] == ("shop: since 2013-02-08: 2 features",)
    assert beside["shop"] == ("bank: since 2013-02-08: 2 features", "returns: since 2013-02-08: 2 features")
    assert beside["flights"] == ("weather: since 2013-02-08: 2 features",)


def test_what_else_happened_then(store: Store) -> None:
    """A mark of that day or of the one before, not one of another."""
    noted = {"release 213": 6, "release 214": 7, "campaign": 8, "release 215": 9}
    store.save_marks([new_mark(text, at=day(at).start, by="ada", now=NOW) for text, at in noted.items()])
    incident = store.incident(next(a.id for a in store.alerts("flights") if a.key == "drift:a"))
    assert incident
    assert [(e.kind, e.text) for e in store.around(incident).events] == [("mark", "release 214"), ("mark", "campaign")]
