"""A schedule, and thirty days of backfill with a worker killed in the middle, as Celery's workers run them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.support.kept import kill
from tests.support.live_airflow import ago, assert_as_the_command_line, until

if TYPE_CHECKING:
    from tests.live.celery.conftest import Crew


def test_a_schedule_runs(crew: Crew) -> None:
    """Switched on, the newest interval is run for the day that it covers."""
    airflow = crew.airflow
    airflow.switch_on("live")
    (run,) = until(lambda: airflow.runs("live"), "the scheduler makes a run")
    assert run["run_type"] == "scheduled"
    assert airflow.ended(run) == "success", airflow.tasks(run)
    assert f"live {ago(1)}: critical" in airflow.log(run, "evaluate")


def test_thirty_days_survive_a_killed_worker(crew: Crew) -> None:
    """Both workers run tasks; one is killed in an evaluation, which is tried again; the rows are the command line's."""
    airflow = crew.airflow
    airflow.switch_on("flights")
    until(lambda: all(r["state"] == "success" for r in airflow.runs("flights")), "what the schedule asked for is done")
    began = time.monotonic()
    airflow.backfill()
    until(lambda: len(airflow.filled()) >= 10, "ten days are done", 1200)
    for log in crew.workers:
        assert "Executing workload" in log.read_text()
    path = until(lambda: killed(crew), "a worker is in an evaluation")
    gone = time.monotonic()
    until(lambda: airflow.api(path)["try_number"] > 1, "the evaluation is tried again")
    again = time.monotonic() - gone
    until(lambda: len(airflow.filled()) == 30, "30 runs", 1200)
    sys.stdout.write(f"\n30 runs in {time.monotonic() - began:.0f} s; tried again after {again:.0f} s\n")
    assert airflow.api(path)["state"] == "success"
    assert_as_the_command_line(airflow)


def killed(crew: Crew) -> str:
    """Kill the worker that is in the middle of an evaluation, and return that task's path; empty where none is."""
    for run in crew.airflow.api("/dags/flights/dagRuns?state=running&run_type=backfill")["dag_runs"]:
        path = f"/dags/flights/dagRuns/{run['dag_run_id']}/taskInstances/evaluate"
        found: dict[str, Any] = crew.airflow.api(path)
        if found["state"] == "running" and found["pid"]:
            session = os.getsid(found["pid"])
            assert session in crew.workers.values()
            kill(session)
            assert crew.airflow.api(path)["state"] == "running"
            return path
    return ""
