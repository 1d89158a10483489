"""Case V11: a mistyped day. What lies in the future silences nothing, is refused, and can be deleted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.config.monitor import parse_monitor
from drift.errors import DriftError, WindowError
from drift.pipeline import actions, gate, notify
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.pipeline.replay import windows_run
from drift.store.reads.metrics import health
from drift.store.reads.windows import newest_windows
from drift.store.store import Store
from tests.support.store_samples import dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drift.windows import Window

FIRST = date(2024, 1, 1)
STEP = 20
"""The day from which on the column is another."""


def at(day: int, hours: int = 1) -> datetime:
    """So many hours after the end of a day, counted from 0."""
    return datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=day + 1, hours=hours)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """Twenty quiet days, then others; the quiet ones are stored."""
    rng = np.random.default_rng(1)
    for i in range(30):
        values = rng.choice(["a", "b"], 1000, p=[0.5, 0.5] if i < STEP else [0.95, 0.05])
        frame = pd.DataFrame({"day": [FIRST + timedelta(days=i)] * 1000, "v": values})
        frame.to_parquet(tmp_path / f"{i:02}.parquet")
    text = (
        f"name: t\nsource: {{files: '{tmp_path}/*.parquet', time_column: day}}\nwindow: {{every: 1d}}\n"
        "reference: {fixed: [2024-01-01, 2024-01-15]}\ndetection: {persistence: {at_least: 1, of: 1}}\n"
        "alerts: {routes: [{to: ops}], repeat: never}"
    )
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        opened = Context.of(parse_monitor(text), store, str)
        runs.backfill(opened, [window(opened, i) for i in range(STEP)], clock=lambda: at(STEP - 1))
        yield opened


def window(context: Context, day: int) -> Window:
    """The window of a day, counted from 0."""
    return context.monitor.window.calendar.starting(FIRST + timedelta(days=day))


def run(context: Context, day: int, clock: datetime | None = None) -> list[str]:
    """Run a day an hour after its end, or at another time; return what people are notified of."""
    done = runs.run_window(context, window(context, day), clock=lambda: clock or at(day))
    return [notice.event.transition for notice in done.transitions.notices]


def with_future(context: Context) -> None:
    """Run a day of 2030, as could be done before it was refused: its clock is ahead."""
    with pytest.raises(WindowError, match="2030-01-01 is not over until 2030-01-02"):
        run(context, 2192, at(STEP - 1))
    write(context, 2192, "a")
    run(context, 2192, at(2192))
    assert context.store.alerts("t", ["open"])


def test_a_window_that_is_not_over_is_refused_and_leaves_no_trace(context: Context) -> None:
    """Not by a run, a backfill or a baseline: nothing is stored, and the message says what could be run."""
    before = dump(context.store)
    noon = at(STEP - 1, 12)
    for attempt in (
        lambda: run(context, STEP, noon),
        lambda: runs.backfill(context, [window(context, i) for i in (STEP - 1, STEP)], clock=lambda: noon),
    ):
        with pytest.raises(
            WindowError, match=r"2024-01-21 is not over until .*: the last complete window is 2024-01-20"
        ):
            attempt()
    assert dump(context.store) == before


def test_rows_so_far_can_be_looked_at(context: Context) -> None:
    """A partial window is judged as a run would judge it, beside its own history, and nothing is written."""
    before = dump(context.store)
    report = runs.look(context, window(context, STEP), now=at(STEP - 1, 12))
    assert (report["v"].status, report.label) == ("critical", "2024-01-21 (not over)")
    assert report["v"].score is not None
    assert report["v"].score.z is not None
    assert dump(context.store) == before
    with pytest.raises(WindowError, match="has not begun"):
        runs.look(context, window(context, STEP + 1), now=at(STEP - 1, 12))
    assert run(context, STEP) == ["opened"]
    judged = context.store.load_report("t", window(context, STEP).start)
    assert judged is not None
    assert (judged["v"].reason, judged.status) == (report["v"].reason, report.status)


def test_a_future_window_silences_nothing(context: Context) -> None:
    """True days notify as if it were not there, and the gate, references and history do not know it."""
    with_future(context)
    assert run(context, STEP) == ["opened"]
    opened = [a.opened_window for a in context.store.alerts("t", ["open"]) if a.feature == "v"]
    assert opened == [window(context, 2192).start, window(context, STEP).start]
    decided = gate.decide(context.store, "t", now=at(STEP))
    assert (decided.label, decided.cleared) == ("2024-01-21", False)
    ahead = gate.decide(context.store, "t", window=window(context, 2192), now=at(STEP))
    assert ahead.reason == "no result: the window is not over until 2030-01-02 00:00 UTC"


def test_a_future_window_is_not_the_newest_of_anything(context: Context) -> None:
    """Not on the dashboard, in the metrics, of a replay, or of what retention keeps."""
    last, now = window(context, STEP - 1), at(STEP - 1)
    with_future(context)
    states = newest_windows(context.store, windows=1, until=now)["t"]
    assert [state.start for state in states] == [last.start]
    found = health(context.store, most=9, worst=9, now=now)
    assert (found.runs["t"]["window_start"], found.reports["t"]["window_start"]) == (last.start, last.start)
    assert [run["window_start"] for run in context.store.latest_runs(over_at=now)] == [last.start]
    assert windows_run(context.store, context.monitor, last=1, now=now) == ([last], 0)
    assert notify.remind(context, now=now).notices == ()


def test_an_alert_that_a_future_window_reached_goes_on(context: Context) -> None:
    """The same thing drifts today and in 2030: the alert follows today's windows, and ends with them."""
    assert run(context, STEP) == ["opened"]
    write(context, 2192, "a")
    run(context, 2192, at(2192))
    (alert,) = [a for a in context.store.alerts("t") if a.feature == "v"]
    assert alert.last_window == window(context, 2192).start
    for day in (STEP + 1, STEP + 2):
        write(context, day, "ab")
    assert run(context, STEP + 1) == []
    assert run(context, STEP + 2) == ["resolved"]


def write(context: Context, day: int, labels: str) -> None:
    """Write a day anew, of even labels."""
    folder = str(context.monitor.source.files).removesuffix("*.parquet")
    frame = pd.DataFrame({"day": [FIRST + timedelta(days=day)] * 1000, "v": list(labels) * (1000 // len(labels))})
    frame.to_parquet(f"{folder}{day:02}.parquet")


@pytest.mark.parametrize(("days_later", "told"), [(0, ["opened"]), (9, [])])
def test_late_is_measured_by_the_clock(context: Context, days_later: int, told: list[str]) -> None:
    """A window that comes after a newer one is news while it is recent, and old news later."""
    write(context, STEP + 1, "ab")
    run(context, STEP + 1)
    assert run(context, STEP, at(STEP + 1 + days_later)) == told


def test_a_monitor_whose_data_lag_is_not_silent(context: Context) -> None:
    """Where no newer window is known, even one of long ago is news."""
    assert run(context, STEP, at(STEP + 400)) == ["opened"]


def test_a_deleted_window_leaves_no_trace(context: Context) -> None:
    """What is stored is as if it had never been run: counts, scores, report, alerts, pending notifications."""
    before = dump(context.store, "monitor_version")
    with_future(context)
    future = window(context, 2192)
    rows = actions.delete_window(context, future, by="ada", now=at(STEP), dry_run=True)
    assert {table for table, n in rows.items() if n} >= {"run", "report", "alert", "alert_event", "notification"}
    assert context.store.unfinished(at(STEP)) == [("t", future)]
    assert actions.delete_window(context, future, by="ada", now=at(STEP)) == rows
    assert dump(context.store, "monitor_version") == before
    with pytest.raises(DriftError, match="no window 2030-01-01"):
        actions.delete_window(context, future, by="ada", now=at(STEP))


def test_an_alert_goes_on_without_the_window_that_opened_it(context: Context) -> None:
    """What people know and did goes over: nobody is notified again, and the timeline says what became of it."""
    for day in (STEP, STEP + 1, STEP + 2):
        run(context, day)
    (opened,) = [a for a in context.store.alerts("t") if a.feature == "v"]
    actions.act(context.store, opened, "acknowledge", by="ada", now=at(STEP + 2))
    actions.delete_window(context, window(context, STEP), by="bob", now=at(STEP + 2))
    (alert,) = [a for a in context.store.alerts("t") if a.feature == "v"]
    assert (alert.opened_window, alert.windows) == (window(context, STEP + 1).start, 2)
    assert (alert.state, alert.notified, alert.acknowledged_by) == ("acknowledged", opened.notified, "ada")
    (event,) = context.store.alert_events(alert.id)
    assert event.actor == "bob"
    assert f"it was alert {opened.id}" in event.reason
    assert run(context, STEP + 3) == []


def test_deleting_a_later_window_reopens_what_it_closed(context: Context) -> None:
    """An alert that a mistaken window resolved stands open again."""
    run(context, STEP)
    for day in (STEP + 1, STEP + 2):
        write(context, day, "ab")
        run(context, day)
    (closed,) = [a for a in context.store.alerts("t") if a.feature == "v"]
    assert closed.state == "resolved"
    actions.delete_window(context, window(context, STEP + 2), by="ada", now=at(STEP + 2))
    (alert,) = [a for a in context.store.alerts("t") if a.feature == "v"]
    assert (alert.state, alert.quiet) == ("open", 1)
