"""From a report to what people are told, on a real store: one transaction, links, silences, failed runs, reminders."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from drift.errors import DriftError, SourceError
from drift.pipeline import evaluate, notify
from drift.pipeline import run as runs
from tests.pipeline.test_run import shifted
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_watch, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    from drift.alerts.alerts import Alert
    from drift.pipeline.context import Watch
    from drift.windows import Window

LAST = 13
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """A warehouse of 14 days, the last one shifted."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(shifted(rows(LAST + 1)), url)
    return url


@pytest.fixture
def watch(tmp_path: Path, warehouse: str) -> Watch:
    """The monitor on it, all days but the last one run."""
    opened = open_watch(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)
    runs.backfill(opened, [nth(opened, i) for i in range(LAST)], clock=clock)
    return opened


def nth(watch: Watch, day: int) -> Window:
    """The window of a day, counted from 0."""
    return watch.monitor.window.calendar.starting(FIRST + timedelta(days=day))


def told(watch: Watch) -> list[dict[str, Any]]:
    """The payloads in the outbox, oldest first."""
    with watch.store.engine.connect() as connection:
        query = sa.text("SELECT payload FROM notification ORDER BY created_at, id")
        return [json.loads(text) for text in connection.execute(query).scalars()]


def run(watch: Watch, day: int = LAST, **options: Any) -> None:
    """Run a day."""
    runs.run_window(watch, nth(watch, day), clock=clock, **options)


def only(watch: Watch) -> Alert:
    """The one alert there is."""
    (alert,) = watch.store.alerts("flights")
    return alert


def with_alerts(watch: Watch, **changes: Any) -> Watch:
    """The same monitor with other settings of its alerts."""
    settings = watch.monitor.alerts.model_copy(update=changes)
    return replace(watch, monitor=watch.monitor.model_copy(update={"alerts": settings}))


def test_a_message_leads_to_the_dashboard_and_the_run(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says where the dashboard is, unless the monitor does; the run says where its log is."""
    monkeypatch.setenv("DRIFT_DASHBOARD_URL", "https://drift.example/")
    run(watch, url="https://airflow.example/run")
    (message,) = told(watch)
    assert message["link"].startswith("https://drift.example/monitor?name=flights&until=2024-01-14T05")
    assert message["alerts"][0]["link"] == f"https://drift.example/alert?id={only(watch).id}"
    assert message["run_url"] == "https://airflow.example/run"


def test_the_monitor_knows_its_dashboard_better(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """`alerts.dashboard` goes before the environment."""
    monkeypatch.setenv("DRIFT_DASHBOARD_URL", "https://drift.example/")
    run(with_alerts(watch, dashboard="https://other.example"))
    assert told(watch)[0]["link"].startswith("https://other.example/monitor?")


def test_a_backfill_says_that_nobody_was_told(watch: Watch) -> None:
    """The alert is open, with the reason; the next run of the same window tells it."""
    run(watch, page=False)
    assert (only(watch).state, only(watch).untold, told(watch)) == ("open", "backfill: nobody is told of one", [])
    run(watch)
    assert [a["transition"] for a in told(watch)[0]["alerts"]] == ["told"]
    assert (only(watch).told, only(watch).untold) == ("critical", "")


def test_muted_then_told(watch: Watch) -> None:
    """A silence keeps everybody quiet; ended by hand, the clock tells what is still open, once."""
    silence = notify.mute(watch.store, "flights", "del*", reason="known", until=clock() + DAY, by="ada", now=clock())
    assert notify.muted(watch.store, "flights", now=clock()) == [silence]
    run(watch)
    assert told(watch) == []
    assert only(watch).untold.startswith("muted: del* by ada until 2024-06-02 12:00 UTC: known")
    assert notify.remind(watch, now=clock() + HOUR).pages == ()
    ended = notify.unmute(watch.store, silence.id, by="bob", now=clock() + HOUR)
    assert notify.muted(watch.store, now=clock() + HOUR) == []
    assert notify.muted(watch.store, now=clock() + HOUR, everything=True) == [ended]
    for _ in range(2):
        notify.remind(watch, now=clock() + 2 * HOUR)
    (message,) = told(watch)
    assert message["alerts"][0]["reason"].startswith("not told before (muted: del* by ada")
    assert message["features"]["delay"]["kl"] > 0.1


def test_a_silence_that_is_not_there(watch: Watch) -> None:
    """Whoever ends it is told so."""
    with pytest.raises(DriftError, match="no silence 'x'"):
        notify.unmute(watch.store, "x", by="ada", now=clock())


def test_answers_are_written_with_who_and_why(watch: Watch) -> None:
    """Acknowledged, snoozed, resolved: each a line of the diary."""
    run(watch)
    alert = notify.answer(watch.store, only(watch), "acknowledge", by="ada", now=clock(), comment="on it")
    alert = notify.answer(watch.store, alert, "snooze", by="bob", now=clock(), until=clock() + DAY)
    notify.answer(watch.store, alert, "resolve", by="eve", now=clock())
    diary = [(e.transition, e.actor, e.reason) for e in watch.store.alert_events(alert.id)][1:]
    assert diary == [
        ("acknowledged", "ada", "on it"),
        ("snoozed", "bob", "until 2024-06-02 12:00 UTC: snoozed by bob"),
        ("resolved", "eve", "resolved by eve"),
    ]


def test_maintenance_of_the_monitor(tmp_path: Path, warehouse: str) -> None:
    """What the file says keeps everybody quiet at that time, by the monitor's own clock."""
    keys = '{routes: [{to: ops}], maintenance: [{weekly: "sat 07:00-09:00", reason: reload}]}'
    watch = open_watch(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, monitor_text(SQL, alerts=keys))
    runs.backfill(watch, [nth(watch, i) for i in range(LAST)], clock=clock)
    run(watch)
    assert only(watch).untold == "maintenance: until 2024-06-01 09:00 EDT: reload"
    assert told(watch) == []
    notify.remind(watch, now=clock() + timedelta(minutes=61))
    assert len(told(watch)) == 1


def fail(watch: Watch, day: int = LAST, **options: Any) -> None:
    """Run a day whose source does not answer."""

    def refuse(_name: str) -> str:
        raise SourceError("warehouse: no route to host")

    with pytest.raises(SourceError):
        run(replace(watch, connect=refuse), day, force=True, **options)


def test_a_failed_run_is_an_alert_and_the_next_one_ends_it(watch: Watch) -> None:
    """It opens once however often the run fails, and is taken back by the same window's success."""
    fail(watch, url="https://airflow.example/run")
    fail(watch)
    (failed,) = watch.store.alerts("flights")
    assert (failed.key, failed.kind, failed.severity) == ("run", "run", "critical")
    assert failed.reason == "run failed: warehouse: no route to host"
    (message,) = told(watch)
    assert (message["alerts"][0]["kind"], message["run_url"]) == ("run", "https://airflow.example/run")
    run(watch)
    states = {alert.key: alert.state for alert in watch.store.alerts("flights")}
    assert states == {"run": "resolved", "drift:delay": "open"}
    later = {a["key"]: a["transition"] for a in told(watch)[-1]["alerts"] + told(watch)[0]["alerts"]}
    assert later.keys() == {"run", "drift:delay"}


def test_a_failed_run_takes_nothing_back(watch: Watch) -> None:
    """A window that was evaluated before still says what it said, though it cannot be read again."""
    run(watch)
    before = watch.store.alerts("flights")
    fail(watch)
    after = {alert.key: alert for alert in watch.store.alerts("flights")}
    assert after.pop("run").live
    assert list(after.values()) == before


def test_a_late_success_stands_where_it_belongs(watch: Watch) -> None:
    """A run that failed in the middle is over since the next window that succeeded, whatever came first."""
    fail(watch, LAST - 2, page=False)
    run(watch, LAST - 1)
    (failed,) = (a for a in watch.store.alerts("flights") if a.key == "run")
    assert (failed.state, failed.resolved_window) == ("resolved", nth(watch, LAST - 1).start)


def test_what_is_pending_is_shown(watch: Watch) -> None:
    """A feature that drifts, and has not lasted: no alert yet, and no secret either."""
    reason = "1 of the 2 windows it takes: corrected KL 0.02 ≥ warning 0.01"
    report = evaluate.recall(watch, nth(watch, LAST - 1))
    verdicts = [replace(v, severity="warning", reason=reason) if v.feature == "late" else v for v in report.verdicts]
    watch.store.save_report("flights", replace(report, verdicts=verdicts), clock())
    (seen,) = notify.pending(watch)
    assert (seen.key, seen.severity, seen.reason) == ("drift:late", "warning", reason)
    assert watch.store.alerts("flights") == []


def test_nothing_is_pending_before_the_first_window(tmp_path: Path, warehouse: str) -> None:
    """Where nothing was evaluated nothing is said."""
    assert notify.pending(open_watch(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)) == []


def test_a_route_can_be_tried_out(watch: Watch, tmp_path: Path) -> None:
    """A message arrives, and neither the alerts nor the outbox know of it."""
    inbox = tmp_path / "inbox.jsonl"
    notify.try_route(watch.monitor, "ops", lambda _: inbox.as_uri(), by="ada", now=clock())
    (line,) = inbox.read_text().splitlines()
    assert json.loads(line)["title"] == "flights: TEST of route ops"
    assert told(watch) == []
    with pytest.raises(DriftError, match="flights has no route 'pager'; it has: ops"):
        notify.try_route(watch.monitor, "pager", lambda _: inbox.as_uri(), by="ada", now=clock())


def test_a_reminder_without_a_report(watch: Watch) -> None:
    """What is critical is repeated by the clock, with the newest report there is."""
    run(watch)
    later: datetime = clock() + DAY
    assert [p.event.transition for p in notify.remind(watch, now=later).pages] == ["repeated"]
    assert notify.remind(watch, now=later).pages == ()
    assert evaluate.recall(watch, nth(watch, LAST)).label in told(watch)[-1]["window"]["label"]
