"""A schedule, thirty days of backfill, an asset, a gate and late data, as a scheduler runs them."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.support.flights import write_sql
from tests.support.live_airflow import ago, assert_as_the_command_line, days, until

if TYPE_CHECKING:
    from tests.support.live_airflow import Live


def scored(live: Live, monitor: str) -> dict[str, str]:
    """The status of each scored window, by its day."""
    engine = sa.create_engine(live.results, poolclass=sa.NullPool)
    query = sa.text("SELECT window_start, status FROM score WHERE monitor = :monitor ORDER BY window_start")
    with engine.connect() as connection:
        return {f"{start:%Y-%m-%d}": status for start, status in connection.execute(query, {"monitor": monitor})}


def run_rows(live: Live, monitor: str) -> list[tuple[str, str | None]]:
    """How the runs of a monitor ended."""
    engine = sa.create_engine(live.results, poolclass=sa.NullPool)
    query = sa.text("SELECT status, error FROM run WHERE monitor = :monitor ORDER BY window_start")
    with engine.connect() as connection:
        return [(status, error) for status, error in connection.execute(query, {"monitor": monitor})]


def test_every_dag_is_read(live: Live) -> None:
    """No file fails to import, and each monitor is a DAG with its tags and its description."""
    assert live.api("/importErrors")["total_entries"] == 0
    until(lambda: live.api("/dags?limit=50")["total_entries"] >= 8, "all DAGs are there")
    dag = live.api("/dags/follower/details")
    assert {tag["name"] for tag in dag["tags"]} == {"drift", "follows"}
    assert "D(current‖reference)" in dag["doc_md"]


def test_a_schedule_runs(live: Live) -> None:
    """Switched on, the newest interval is run for the day that it covers; the log ends with the table."""
    live.switch_on("live")
    (run,) = until(lambda: live.runs("live"), "the scheduler makes a run")
    assert run["run_type"] == "scheduled"
    assert live.ended(run) == "success", live.tasks(run)
    assert list(scored(live, "live")) == [f"{ago(1)}"]
    said = live.log(run, "evaluate")
    first, *_, last = said[said.index(f"live {ago(1)}: critical; D(current‖reference) in nats") :].splitlines()[:4]
    assert "compared with 1,200 (trailing 3d: 3 of 3 windows)" in first
    assert "corrected (95 %)" in said
    assert last == "critical: delay (input) is critical"
    assert "great_expectations" not in said


def test_late_data_are_waited_for(live: Live) -> None:
    """The run is deferred until the rows come, and then goes on."""
    live.switch_on("late")
    run = live.trigger("late", window=f"{ago(1)}")
    until(lambda: live.tasks(run).get("wait") == ["deferred"], "the task is deferred")
    write_sql(days(1, 2, 3, 4, 5, 6), live.warehouse, "late")
    assert live.ended(run) == "success", live.tasks(run)
    assert f"{ago(1)}" in scored(live, "late")


def test_data_that_never_come_are_a_status(live: Live) -> None:
    """After the time is up the run fails, with what did not come by when, and an alert is open."""
    live.switch_on("never")
    run = live.trigger("never", window=f"{ago(1)}")
    assert live.ended(run) == "failed"
    assert live.tasks(run)["plan"] == ["upstream_failed"]
    ((status, error),) = run_rows(live, "never")
    assert status == "no_data"
    assert error is not None
    assert error.startswith("no data by ")
    engine = sa.create_engine(live.results, poolclass=sa.NullPool)

    def told() -> Any:
        with engine.connect() as connection:
            return connection.execute(sa.text("SELECT key, reason FROM alert WHERE monitor = 'never'")).all()

    ((key, reason),) = until(told, "the alert is open", 60)
    assert key == "run"
    assert error in reason


def test_an_asset_starts_a_monitor_and_a_gate_stops_what_follows(live: Live) -> None:
    """What is loaded is run, for the window that its event names; drift stops one DAG and skips the rest of another."""
    live.switch_on("load", "follower", "retrain", "publish")
    runs: dict[str, dict[str, Any]] = {}

    def later(dag: str, many: int) -> list[dict[str, Any]]:
        return live.runs(dag)[many:]

    for number, expected in ((3, ("success", "success", "success")), (2, ("failed", "success", "skipped"))):
        before = {dag: len(live.runs(dag)) for dag in ("follower", "retrain", "publish")}
        assert live.ended(live.trigger("load", window=f"{ago(number)}")) == "success"
        for dag, many in before.items():
            runs[dag] = until(partial(later, dag, many), f"{dag} is started")[0]
            live.ended(runs[dag])
        assert runs["follower"]["run_type"] == "asset_triggered"
        states = (live.ended(runs["retrain"]), live.ended(runs["publish"]), live.tasks(runs["publish"])["train"][0])
        assert states == expected
    assert scored(live, "follower")[f"{ago(2)}"] == "critical"
    assert f"follower {ago(2)}: stop: delay critical" in live.log(runs["retrain"], "drift_gate_follower")


def test_thirty_days_are_filled_in(live: Live) -> None:
    """`airflow backfill create` ends in the rows that an undisturbed command line writes, and notifies nobody."""
    live.switch_on("flights")
    until(lambda: all(run["state"] == "success" for run in live.runs("flights")), "what the schedule asked for is done")
    began = time.monotonic()
    live.backfill()
    until(lambda: len(live.filled()) == 30, "30 runs", 3600)
    took = time.monotonic() - began
    sys.stdout.write(f"\n30 runs in {took:.0f} s ({took / 30:.1f} s each)\n")
    assert_as_the_command_line(live)
