"""Windows that nobody can judge: what they are called, that it is told where it lasts, and that nothing goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.config.monitor import parse_monitor
from drift.dashboard.api.metrics import exposition
from drift.pipeline import gate
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.support.flights import FIRST, OPENED, days

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from drift.detection.reports import Report

    Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def normal(size: int) -> Draw:
    """Return quiet days of so many rows."""
    return lambda rng, _: rng.normal(10, 1, size)


def now() -> datetime:
    """Return a time soon after the last day."""
    return datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def lived(tmp_path: Path) -> Callable[..., Context]:
    """Live some days of a monitor on one file a day."""

    def live(draw: Draw, count: int, **keys: str) -> Context:
        rng = np.random.default_rng(1)
        for i in range(count):
            day = FIRST + timedelta(days=i)
            folder = tmp_path / f"day={day}"
            folder.mkdir(exist_ok=True)
            pd.DataFrame({"x": draw(rng, i)}).to_parquet(folder / "part.parquet", index=False)
        files = f"{{files: '{tmp_path}/*/*.parquet', time_column: day}}"
        changes = {"name": "t", "source": files, "window": "{every: 1d}", "alerts": "{routes: [{to: ops}]}"} | keys
        store = Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True)
        OPENED.append(store)
        text = "\n".join(f"{key}: {value}" for key, value in changes.items())
        return Context.of(parse_monitor(text), store, str)

    return live


def backfill(context: Context, last: int, first: int = 0) -> list[Report]:
    """Run those days as if each were new."""
    return runs.backfill(context, days(context, first, last - 1), clock=now, page=True)


def alerts(context: Context) -> dict[str, tuple[str, str]]:
    """Return state and severity of every alert, by its key."""
    return {alert.key: (alert.state, alert.severity) for alert in context.store.alerts("t")}


def test_v4_a_hundred_and_fifty_rows_are_enough(lived: Callable[..., Context]) -> None:
    """A step of ten deviations on day 60 is critical on that day, by the default settings."""
    context = lived(lambda rng, i: rng.normal(10 if i < 30 else 0, 1, 150), 32)
    reports = backfill(context, 32)
    assert {report.status for report in reports[7:30]} == {"ok"}
    assert {report.status for report in reports[30:]} == {"critical"}
    assert alerts(context) == {"drift:x": ("open", "critical")}


def test_a_monitor_that_never_judges_says_so_once(lived: Callable[..., Context]) -> None:
    """Windows of too few rows: not judged, an alert after as long as the reference, no result at the gate."""
    context = lived(normal(29), 40, reference="{trailing: 14d}")
    reports = backfill(context, 40)
    assert {report.status for report in reports} == {"not_judged"}
    assert reports[-1].title().startswith("t 2024-02-09: not_judged;")
    (alert,) = context.store.alerts("t")
    assert (alert.key, alert.kind, alert.state, alert.severity) == ("not_judged", "not_judged", "open", "warning")
    assert alert.opened_window == days(context, 14, 14)[0].start
    reason = "x (input): 29 rows in the window, min_rows is 30"
    assert alert.reason == f"no feature was judged in any window since 2024-01-26: {reason}"
    assert context.store.outbox_counts()["pending"] == 1
    decision = gate.decide(context.store, "t", now=now())
    assert (decision.cleared, decision.final, decision.status) == (False, False, "not_judged")
    assert decision.reason.startswith("no result: no feature was judged")
    assert 'drift_run_status{monitor="t",status="not_judged"} 1.0' in exposition(context.store)
    assert 'drift_run_status{monitor="t",status="ok"} 0.0' in exposition(context.store)


def test_the_next_answer_ends_it(lived: Callable[..., Context]) -> None:
    """One window with enough rows is judged, and resolves the alert."""
    context = lived(lambda rng, i: rng.normal(10, 1, 29 if i < 20 else 40), 21, reference="{trailing: 14d}")
    assert backfill(context, 21)[-1].status == "ok"
    assert alerts(context) == {"not_judged": ("resolved", "warning")}


@pytest.mark.parametrize("reference", ["{trailing: 14d}", "{previous: 1}"])
def test_the_first_windows_alarm_nobody(lived: Callable[..., Context], reference: str) -> None:
    """Without a reference nothing is judged, and that is how every monitor begins."""
    context = lived(normal(100), 8, reference=reference)
    reports = backfill(context, 8)
    assert (reports[0].status, reports[-1].status) == ("not_judged", "ok")
    assert alerts(context) == {}


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_reference_that_cannot_be_read_is_an_alert_at_once(
    lived: Callable[..., Context], tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    """Nothing would be judged for weeks: the first run says so, and once the files are whole the next one judges."""
    context = lived(normal(100), 22, reference="{trailing: 14d}")
    whole = {path: path.read_bytes() for path in sorted(tmp_path.glob("day=*/*"))[:19]}
    for path in whole:
        harm(path)
    (report,) = backfill(context, 20, 19)
    assert report.status == "not_judged"
    (alert,) = context.store.alerts("t")
    assert (alert.key, alert.state) == ("not_judged", "open")
    assert "14 windows of the reference cannot be read, the last of them 2024-01-19" in alert.reason
    for path, rows in whole.items():
        path.write_bytes(rows)
    (report,) = backfill(context, 21, 20)
    assert (report.status, alerts(context)) == ("ok", {"not_judged": ("resolved", "warning")})


def test_a_source_without_rows_is_one_alert(lived: Callable[..., Context]) -> None:
    """Empty windows have an alert of their own: nothing else is told of them, however long it lasts."""
    context = lived(lambda rng, i: rng.normal(10, 1, 100 if i < 10 else 0), 30, reference="{trailing: 14d}")
    assert backfill(context, 30)[-1].status == "not_judged"
    assert alerts(context) == {"rows": ("open", "critical")}


def test_a_rejected_window_is_rejected_and_not_ok(lived: Callable[..., Context]) -> None:
    """In its title, its JSON, the store and the gate; the window after it says nothing of it."""
    expectations = "[{expect_table_row_count_to_be_between: {min_value: 50}}]"
    context = lived(lambda rng, i: rng.normal(10, 1, 100 if i < 9 else 40), 10, expectations=expectations)
    report = backfill(context, 10)[-1]
    assert report.title().startswith("t 2024-01-10: rejected;")
    assert report.to_dict()["status"] == report.to_dict()["overall"]["status"] == "rejected"
    assert [row["status"] for row in context.store.reports("t", 2)] == ["rejected", "ok"]
    assert "ok" not in str(report).split("\n")[0]
    assert gate.decide(context.store, "t", now=now()).status == "rejected"
