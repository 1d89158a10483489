"""The store: every stage twice changes nothing, and everything comes back as it went in, whoever else writes."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drift.alerts.alerts import Transitions
from drift.detection.findings import Finding
from drift.errors import StoreError
from drift.profiles.binning import CategoricalBinning
from drift.profiles.histograms import Profile
from drift.sources.validation_results import Outcome
from drift.store import schema
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.profiles.binning import Binning

from tests.support.store_samples import (
    BINNINGS,
    DAY,
    HOSTILE,
    KEY,
    LATER,
    NOW,
    counted,
    dump,
    judged,
    nth,
    save_everything,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_every_stage_twice_changes_nothing(store: Store) -> None:
    """Row for row, later and in any order; only the times of the run differ."""
    save_everything(store, NOW)
    before = dump(store)
    save_everything(store, NOW)
    assert dump(store) == before
    save_everything(store, LATER)
    assert dump(store, "run") == {name: rows for name, rows in before.items() if name != "run"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_order_of_windows_does_not_matter(store: Store, order: tuple[int, ...]) -> None:
    """A backfill that goes backwards ends in the same rows."""
    for i in order:
        save_everything(store, NOW, nth(i), seed=i)
    reports = store.load_reports("flights", since=DAY.start)
    assert [report.window for report in reports] == [nth(0), nth(1), nth(2)]
    assert [len(rows) for rows in dump(store).values()] == [0, 0, 5, 5, 3, 15, 0, 0, 1, 0, 3, 3, 0, 3, 3, 18, 0, 9]


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_concurrent_writers_of_one_window_agree(store: Store, database_url: str, *, processes: bool) -> None:
    """Nobody waits in a circle, nothing is there twice, and all read the same afterwards."""
    failures: list[str] = []
    if processes:
        code = (
            "import sys, tests.support.store_samples as t; from drift.store.store import Store\n"
            "with Store.open(sys.argv[1]) as store:\n    for _ in range(3): t.save_everything(store, t.NOW)"
        )
        others = [
            subprocess.Popen([sys.executable, "-c", code, database_url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        failures += [errors for other in others for errors in [other.communicate()[1]] if other.returncode]
    else:

        def work() -> None:
            try:
                for _ in range(3):
                    save_everything(store, NOW)
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                failures.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    before = dump(store)
    save_everything(store, NOW)
    assert dump(store) == before
    assert store.load_report("flights", DAY.start) is not None


def test_hostile_names_come_back(store: Store) -> None:
    """As monitor, feature, category, column, expectation, and in every text."""
    for name in HOSTILE:
        binnings: dict[str, Binning] = {name: CategoricalBinning((name, "z"), ("rare" + name,))}
        profile = replace(counted(binnings), problems={f"p{name}": name})
        store.save_monitor(name, KEY, {name: name}, NOW)
        store.save_gate(name, DAY, "rejected", [Outcome(name, name, name, "reject", False, name, name)], NOW)
        store.save_baseline(
            name,
            binnings,
            types={name: name},
            fitted_from=DAY.start,
            fitted_to=DAY.end,
            n_rows=1,
            now=NOW,
            by=name,
            reason=name,
        )
        store.save_profile(name, profile, gate="accepted", binning_key=KEY, now=NOW)
        report = judged(binnings, name=name, findings=[Finding("other", name, name)], label=name, reference=name)
        store.save_report(name, report)
        store.save_run_finished(name, DAY, "error", NOW, error=name)
        assert name in [row["monitor"] for row in store.monitors()]
        assert store.active_baseline(name) == binnings
        assert store.load_profiles(name, [DAY], binnings) == [(profile, "accepted")]
        read = store.load_report(name, DAY.start)
        assert read is not None
        assert read.to_json() == report.to_json()
        assert store.validations(name, DAY)[0]["column_name"] == name
        assert [row["feature"] for row in store.scores(name, feature=name)] == [name]
        assert name in [row["error"] for row in store.latest_runs(over_at=nth(9).end)]
        assert list(store.history(name, [name], before=nth(1).start)) == [name]


def test_what_has_no_window_is_refused(store: Store) -> None:
    """A comparison of two tables is no part of a history."""
    with pytest.raises(StoreError, match="no window"):
        store.save_report("flights", replace(judged(BINNINGS), window=None))
    with pytest.raises(StoreError, match="no window"):
        store.save_profile("flights", Profile(None, 0, {}), gate="accepted", binning_key=KEY, now=NOW)


def test_a_naive_time_is_refused(store: Store) -> None:
    """Nobody knows when it was."""
    with pytest.raises(StoreError, match="no time zone"):
        store.save_monitor("flights", KEY, {}, datetime(2013, 2, 9))  # noqa: DTZ001


def test_pruning_takes_old_windows_and_nothing_else(store: Store) -> None:
    """Baselines, configurations and the windows since stay; what went is counted."""
    for i in range(3):
        save_everything(store, NOW, nth(i), seed=i)
    gone = store.prune(nth(2).start)
    assert gone == {
        "histogram": 10,
        "pair_counts": 2,
        "profile": 2,
        "validation": 6,
        "gate": 2,
        "score": 12,
        "measured": 0,
        "relationship": 0,
        "report": 2,
        "run": 2,
        "alert_event": 0,
        "alert": 0,
        "notification": 0,
        "mark": 0,
    }
    assert [report.window for report in store.load_reports("flights", since=nth(-9).start)] == [nth(2)]
    assert store.active_baseline("flights") == BINNINGS
    assert sum(store.prune(nth(2).start).values()) == 0


def test_a_deleted_window_is_gone_in_one_transaction(store: Store) -> None:
    """With every row that hangs on it, and none of another window's; a dry run takes it all back."""
    save_everything(store, NOW)
    before = dump(store)
    save_everything(store, NOW, nth(9), seed=8)
    both = dump(store)
    rows = store.delete_window("flights", nth(9), Transitions(), dry_run=True)
    assert dump(store) == both
    assert store.delete_window("flights", nth(9), Transitions()) == rows
    assert {name for name, n in rows.items() if n} >= {"histogram", "profile", "validation", "gate", "score", "run"}
    assert dump(store) == before
    assert not any(store.delete_window("flights", nth(9), Transitions()).values())


def test_the_views_show_what_the_tables_hold(store: Store) -> None:
    """One row a score, a window, a monitor and a failure."""
    save_everything(store, NOW)
    save_everything(store, NOW, nth(1))

    def rows(name: str) -> list[dict[str, Any]]:
        with store.engine.connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()]

    assert len(rows("drift_scores")) == 12
    assert {(row["direction"], row["unit"]) for row in rows("drift_scores")} == {("current||reference", "nats")}
    assert len(rows("drift_latest_scores")) == 6
    assert [row["share_drifting"] for row in rows("drift_windows")] == [0.2, 0.2]
    (health,) = rows("drift_monitor_health")
    assert (health["windows"], health["last_status"], health["live_alerts"]) == (2, "critical", 0)
    assert sorted(row["could_not_run"] for row in rows("drift_validation_failures")) == [0, 0, 1, 1]
    assert rows("drift_open_alerts") == rows("drift_outbox") == []


def test_only_aggregates_are_stored() -> None:
    """No column could hold a row of the data: a look at their names and types."""
    kinds = {type(column.type).__name__ for table in schema.metadata.tables.values() for column in table.columns}
    numbers = {"Finite", "Cells", "Deflated", "Integer", "BigInteger", "Boolean"}
    allowed = {"Text", "Words", "Facts", "JSON", "Instant", *numbers}
    assert kinds <= allowed
