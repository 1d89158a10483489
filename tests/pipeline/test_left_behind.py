"""Runs left behind: their processes died, and the next run of the monitor, or the doctor, finds them."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

from drift.pipeline import doctor
from drift.pipeline import run as runs
from drift.pipeline.left_behind import left_behind, this_process
from tests.support.flights import clock, days, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_whose_process_died_is_ended_by_the_next_one(tmp_path: Path) -> None:
    """As a run that failed, with its alert; a run whose process lives, or cannot be asked, is left alone."""
    write_sql(rows(11), f"sqlite:///{tmp_path / 'warehouse.db'}")
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", f"sqlite:///{tmp_path / 'warehouse.db'}")
    runs.backfill(context, days(context, 0, 9), clock=clock)
    dead, alive, elsewhere, old = days(context, 6, 9)
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    host, number, born = this_process().split(" ")
    for window, process, at in (
        (dead, f"{host} {gone.pid} {born}", clock()),
        (alive, f"{host} {number} {born}", clock()),
        (elsewhere, f"elsewhere {gone.pid} {born}", clock()),
        (old, "", clock() - timedelta(days=2)),
    ):
        context.store.save_run_started("flights", window, "hash", at, process=process)
    checks = list(doctor._left_behind(context.monitor, context.store, clock()))
    assert all(context.label(window) in check.message for window, check in zip((dead, old), checks, strict=True))
    runs.run_window(context, *days(context, 10, 10), clock=clock)
    found = {row["window_start"]: row for row in context.store.runs("flights")}
    assert [found[w.start]["status"] for w in (dead, alive, elsewhere, old)] == ["error", "running", "running", "error"]
    assert "its process died" in found[dead.start]["error"]
    assert [a.state for a in context.store.alerts("flights") if a.key == "run"] == ["resolved"]
    runs.backfill(context, days(context, 6, 9), clock=clock)
    assert {row["status"] for row in context.store.runs("flights")} <= {"ok", "not_judged"}
    assert {row["process"] for row in context.store.runs("flights")} == {None}


def test_a_process_that_took_the_number_of_one_that_died_does_not_stand_for_it() -> None:
    """In a container every process is number 1; when it began tells them apart."""
    host, number, _ = this_process().split(" ")
    assert "its process died" in left_behind({"process": f"{host} {number} 17", "started_at": clock()}, clock())
