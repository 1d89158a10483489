"""From a report to notifications, on a real store: one transaction, links, maintenance, failed runs, reminders."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from drift.errors import SourceError
from drift.pipeline import notify
from drift.pipeline import run as runs
from drift.pipeline.recall import recall
from tests.pipeline.test_run import shifted
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from drift.alerts.alerts import Alert
    from drift.pipeline.context import Context
    from drift.windows import Window

LAST = 13
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """A warehouse of 14 days, the last one shifted."""
    return shifted_warehouse(tmp_path)


def shifted_warehouse(tmp_path: Path) -> str:
    """Fill a warehouse with 14 days, the last one shifted."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(shifted(rows(LAST + 1)), url)
    return url


@pytest.fixture
def context(tmp_path: Path, warehouse: str) -> Context:
    """The monitor on it, all days but the last one run."""
    return backfilled(tmp_path, warehouse)


def backfilled(tmp_path: Path, warehouse: str) -> Context:
    """A monitor on a warehouse, all days but the last one run."""
    opened = open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)
    runs.backfill(opened, [nth(opened, i) for i in range(LAST)], clock=clock)
    return opened


def nth(context: Context, day: int) -> Window:
    """The window of a day, counted from 0."""
    return context.monitor.window.calendar.starting(FIRST + timedelta(days=day))


def outbox(context: Context) -> list[dict[str, Any]]:
    """The payloads in the outbox, oldest first."""
    with context.store.engine.connect() as connection:
        query = sa.text("SELECT payload FROM notification ORDER BY created_at, id")
        return [json.loads(text) for text in connection.execute(query).scalars()]


def run(context: Context, day: int = LAST, **options: Any) -> None:
    """Run a day."""
    runs.run_window(context, nth(context, day), clock=clock, **options)


def only(context: Context) -> Alert:
    """The one alert there is."""
    (alert,) = context.store.alerts("flights")
    return alert


def with_alerts(context: Context, **changes: Any) -> Context:
    """The same monitor with other settings of its alerts."""
    settings = context.monitor.alerts.model_copy(update=changes)
    monitor = context.monitor.model_copy(update={"alerts": settings})
    return replace(context, source=replace(context.source, monitor=monitor))


def test_a_message_leads_to_the_dashboard_and_the_run(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says where the dashboard is, unless the monitor does; the run says where its log is."""
    monkeypatch.setenv("DRIFT_DASHBOARD_URL", "https://drift.example/")
    run(context, url="https://airflow.example/run")
    (message,) = outbox(context)
    assert message["link"].startswith("https://drift.example/monitor?name=flights&until=2024-01-14T05")
    assert message["alerts"][0]["link"] == f"https://drift.example/alert?id={only(context).id}"
    assert message["run_url"] == "https://airflow.example/run"


def test_the_monitor_knows_its_dashboard_better(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """`alerts.dashboard` goes before the environment."""
    monkeypatch.setenv("DRIFT_DASHBOARD_URL", "https://drift.example/")
    run(with_alerts(context, dashboard="https://other.example"))
    assert outbox(context)[0]["link"].startswith("https://other.example/monitor?")


def test_a_backfill_notifies_nobody_and_says_so(context: Context) -> None:
    """The alert is open, with the reason; the next run of the same window notifies people of it."""
    run(context, page=False)
    assert (only(context).state, outbox(context)) == ("open", [])
    assert only(context).suppressed_by == "backfill: it notifies nobody"
    run(context)
    assert [a["transition"] for a in outbox(context)[0]["alerts"]] == ["notified"]
    assert (only(context).notified, only(context).suppressed_by) == ("critical", "")


def test_maintenance_of_the_monitor(tmp_path: Path, warehouse: str) -> None:
    """What the file says keeps everybody quiet at that time, by the monitor's own clock."""
    keys = '{routes: [{to: ops}], maintenance: [{weekly: "sat 07:00-09:00", reason: reload}]}'
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, monitor_text(SQL, alerts=keys))
    runs.backfill(context, [nth(context, i) for i in range(LAST)], clock=clock)
    run(context)
    assert only(context).suppressed_by == "maintenance: until 2024-06-01 09:00 EDT: reload"
    assert outbox(context) == []
    notify.remind(context, now=clock() + timedelta(minutes=61))
    assert len(outbox(context)) == 1


def fail(context: Context, day: int = LAST, **options: Any) -> None:
    """Run a day whose source does not answer."""

    def refuse(_name: str) -> str:
        raise SourceError("warehouse: no route to host")

    with pytest.raises(SourceError):
        run(context.of(context.monitor, context.store, refuse), day, force=True, **options)


def test_a_failed_run_is_an_alert_and_the_next_one_ends_it(context: Context) -> None:
    """It opens once however often the run fails, and is taken back by the same window's success."""
    fail(context, url="https://airflow.example/run")
    fail(context)
    (failed,) = context.store.alerts("flights")
    assert (failed.key, failed.kind, failed.severity) == ("run", "run", "critical")
    assert failed.reason == "run failed: warehouse: no route to host"
    (message,) = outbox(context)
    assert (message["alerts"][0]["kind"], message["run_url"]) == ("run", "https://airflow.example/run")
    run(context)
    states = {alert.key: alert.state for alert in context.store.alerts("flights")}
    assert states == {"run": "resolved", "drift:delay": "open"}
    later = {a["key"]: a["transition"] for a in outbox(context)[-1]["alerts"] + outbox(context)[0]["alerts"]}
    assert later.keys() == {"run", "drift:delay"}


def test_a_failed_run_takes_nothing_back(context: Context) -> None:
    """A window that was evaluated before still says what it said, though it cannot be read again."""
    run(context)
    before = context.store.alerts("flights")
    fail(context)
    after = {alert.key: alert for alert in context.store.alerts("flights")}
    assert after.pop("run").live
    assert list(after.values()) == before


def test_a_late_success_stands_where_it_belongs(context: Context) -> None:
    """A run that failed in the middle is over since the next window that succeeded, whatever came first."""
    fail(context, LAST - 2, page=False)
    run(context, LAST - 1)
    (failed,) = (a for a in context.store.alerts("flights") if a.key == "run")
    assert (failed.state, failed.resolved_window) == ("resolved", nth(context, LAST - 1).start)


def test_a_reminder_without_a_report(context: Context) -> None:
    """What is critical is repeated by the clock, with the newest report there is."""
    run(context)
    later: datetime = clock() + 7 * DAY
    assert [p.event.transition for p in notify.remind(context, now=later).notices] == ["repeated"]
    assert notify.remind(context, now=later).notices == ()
    assert recall(context, nth(context, LAST)).label in outbox(context)[-1]["window"]["label"]
