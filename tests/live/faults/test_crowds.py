"""Many runs at once: of one window, of one monitor, of many monitors. Nothing twice, nothing lost, nobody stuck."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drift.store.store import Store
from tests.live.faults import crowd, work

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
EACH = [pytest.param(4, id="4"), pytest.param(50, id="50", marks=pytest.mark.faults)]


def at_once(setting: work.Setting, runs: Sequence[tuple[str, int]]) -> None:
    """Do runs of monitors' days, all at once; none may fail."""
    asked = {"results": setting.results, "source": setting.source, "runs": runs}
    command = [sys.executable, "-m", "tests.live.faults.crowd", json.dumps(asked)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["failures"] == []


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> tuple[work.Setting, work.Setting]:
    """A database for the crowd, and one where everything is done in turn."""
    source = work.write_source(tmp_path / "source.db")
    both = work.Setting(database_url, source), work.Setting(f"sqlite:///{tmp_path / 'calm.db'}", source)
    for setting in both:
        work.upgrade(setting)
    return both


@pytest.mark.parametrize("count", EACH)
def test_runs_of_one_window_at_once_write_it_once(settings: tuple[work.Setting, work.Setting], count: int) -> None:
    """Scheduled twice, cleared while running, started by hand: the first run of all, and the day of an incident."""
    crowded, calm = settings
    for number in (7, work.INCIDENT) if count > 4 else (work.INCIDENT,):
        at_once(crowded, [("flights", number)] * count)
        crowd.run(calm, "flights", number)
        assert work.differences(work.contents(calm.results), work.contents(crowded.results)) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", EACH)
def test_runs_of_many_monitors_at_once_do_not_meet(settings: tuple[work.Setting, work.Setting], count: int) -> None:
    """Each fits its own bins, of which all are the same: one row for all."""
    crowded, calm = settings
    runs = [(f"m{i}", work.INCIDENT) for i in range(count)]
    at_once(crowded, runs)
    for name, number in runs:
        crowd.run(calm, name, number)
    assert work.differences(work.contents(calm.results), work.contents(crowded.results)) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [*EACH, 12])
def test_runs_of_many_windows_of_one_monitor_at_once_are_all_there(
    settings: tuple[work.Setting, work.Setting], count: int
) -> None:
    """What is usual depends on the windows judged before; done once more in order, the same alerts stand."""
    crowded, calm = settings
    days = range(8, min(work.DAYS, 8 + max(count, 6)))
    for setting in settings:
        crowd.run(setting, "flights", 7)
    at_once(crowded, [("flights", number) for number in [*days] * (1 + count // len(days))][:count])
    with Store.open(crowded.results) as store:
        seen = store.reports("flights")
        assert len(seen) == 1 + min(count, len(days))
        assert {row["status"] for row in store.runs("flights")} <= {"ok", "warning", "critical"}
    for setting in settings:
        for number in days:
            crowd.run(setting, "flights", number)
    found, expected = work.contents(crowded.results), work.contents(calm.results)
    compared = ("profile", "histogram", "baseline", "gate", "report", "score")
    assert work.differences({n: expected[n] for n in compared}, {n: found[n] for n in compared}) == []
    assert standing(calm) == standing(crowded)


def standing(setting: work.Setting) -> list[tuple[object, ...]]:
    """Return the alerts that stand, without the course of things: when they were found, and who was notified."""
    with Store.open(setting.results) as store:
        return sorted(
            (a.key, a.id, a.state, a.severity, a.worst, a.reason, a.last_window, a.windows, a.quiet, a.inhibited_by)
            for a in store.alerts("flights")
            if not a.withdrawn
        )
