"""The DAG, run by Airflow itself on an embedded metadata database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.support.flights import monitor_text, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.airflow]

SOURCE = "{connection: warehouse, table: flights, time_column: day}"

RUN = """
import json, sys
from datetime import datetime
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb
initdb()
bag = DagBag(dag_folder=sys.argv[1])
found = {"errors": {str(k): str(v) for k, v in bag.import_errors.items()}, "dags": sorted(bag.dags), "runs": []}
if bag.import_errors: print(bag.import_errors, file=sys.stderr)
for request in json.loads(sys.argv[2]):
    dag = bag.dags[request["dag"]]
    when = request.get("logical_date")
    conf = {k: v for k, v in request.get("conf", {}).items()}
    done = dag.test(logical_date=datetime.fromisoformat(when) if when else None, run_conf=conf or None)
    tasks = {}
    xcoms = {}
    for ti in done.get_task_instances():
        tasks.setdefault(ti.task_id, []).append(str(ti.state))
        xcoms.setdefault(ti.task_id, []).append(repr(ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)))
    found["runs"].append({"state": str(done.state), "tasks": tasks, "xcoms": xcoms})
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
with create_session() as session:
    found["events"] = [event.extra for event in session.query(AssetEvent).order_by(AssetEvent.id)]
print("RESULT" + json.dumps(found))
"""

DAGS = """
from datetime import timedelta
from pathlib import Path
from airflow.sdk import DAG, task
from drift.airflow import Wait, drift_gate, load_monitors, mark

def tell(context):
    with (Path(__file__).parent / 'told.txt').open('a') as file:
        file.write(context['drift']['title'] + '\\n')

wait = Wait(timedelta(seconds=1), every=timedelta(seconds=.5))
globals().update(load_monitors(Path(__file__).parent / 'monitors', on_alert=[tell], only={'waiting': {'wait': wait}}))

def gated(dag_id, **options):
    with DAG(dag_id, schedule=None) as dag:
        @task
        def train():
            mark('model 7 trained', '2024-01-11', monitors=['flights'])
        drift_gate('flights', **options) >> train()
    return dag

retrain = gated('retrain')
publish = gated('publish', otherwise='skip')
of_the_day = gated('of_the_day', window='interval')
"""


def run_airflow(folder: Path, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Run DAGs in a process of their own, as Airflow keeps much of its state in the process."""
    env = os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__API__BASE_URL": "https://airflow.example",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW_CONN_WAREHOUSE": f"sqlite:///{folder / 'warehouse.db'}",
        "DRIFT_DATABASE": f"sqlite:///{folder / 'drift.db'}",
        "DRIFT_ROUTE_OPS": "json://127.0.0.1:9/",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "dags"), json.dumps(requests)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT"))
    return result


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with one good and one broken monitor, run for a quiet day, a moved day, again, and by parameter."""
    from drift.store import migrations

    folder = tmp_path_factory.mktemp("airflow")
    frame = rows(14)
    frame.loc[frame["day"] == date(2024, 1, 14), "delay"] += 8
    write_sql(frame, f"sqlite:///{folder / 'warehouse.db'}")
    migrations.upgrade(f"sqlite:///{folder / 'drift.db'}")
    (folder / "dags" / "monitors").mkdir(parents=True)
    (folder / "dags" / "drift_monitors.py").write_text(DAGS)
    expectations = "[{expect_table_row_count_to_be_between: {min_value: 300}, severity: reject}]"
    (folder / "dags" / "monitors" / "flights.yaml").write_text(
        monitor_text(SOURCE, expectations=expectations, end="2024-12-31")
    )
    (folder / "dags" / "monitors" / "failing.yaml").write_text(
        monitor_text(
            SOURCE.replace("table: flights", "table: gone"), name="failing", alerts="{routes: [{to: unknown}]}"
        )
    )
    (folder / "dags" / "monitors" / "waiting.yaml").write_text(
        monitor_text(SOURCE, name="waiting", reference="{previous: 1}", detection="{min_rows: 100, seasonal: false}")
    )
    (folder / "dags" / "monitors" / "broken.yaml").write_text("name: broken\ncolour: red\n")
    # A manual logical date is where the interval ends: midnight in New York after the 13th, then after the 14th.
    requests: list[dict[str, Any]] = [
        {"dag": "flights", "logical_date": "2024-01-14T05:00:00+00:00"},
        {"dag": "flights", "logical_date": "2024-01-15T05:00:00+00:00"},
        {"dag": "flights", "logical_date": "2024-01-15T05:00:00+00:00"},
        {"dag": "flights", "logical_date": "2025-01-15T05:00:00+00:00"},
        {"dag": "flights", "conf": {"window": "2024-01-12"}},
        {"dag": "failing", "logical_date": "2024-01-14T05:00:00+00:00"},
        {"dag": "failing", "logical_date": "2024-01-14T05:00:00+00:00"},
        {"dag": "retrain"},
        {"dag": "publish"},
        {"dag": "of_the_day", "logical_date": "2024-01-14T05:00:00+00:00"},
        {"dag": "of_the_day", "logical_date": "2024-02-14T05:00:00+00:00"},
        {"dag": "waiting", "conf": {"window": "2024-01-12"}},
        {"dag": "waiting", "conf": {"window": "2024-02-20"}},
    ]
    return folder, run_airflow(folder, requests)


def store(folder: Path) -> Any:
    """Open the results."""
    from drift.store.store import Store

    return Store.open(f"sqlite:///{folder / 'drift.db'}")


def test_every_run_succeeds(ran: tuple[Path, dict[str, Any]]) -> None:
    """Quiet, drifting, repeated, and by parameter: no task fails."""
    assert [run["state"] for run in ran[1]["runs"][:5]] == ["success"] * 5, ran[1]
    assert ran[1]["errors"] == {}


def test_the_stages_are_tasks(ran: tuple[Path, dict[str, Any]]) -> None:
    """Plan → validate → baseline → profile → evaluate → notify; profile is mapped over the missing windows."""
    first, second = ran[1]["runs"][:2]
    assert set(first["tasks"]) == {"plan", "validate", "baseline", "profile", "evaluate", "notify"}
    assert first["tasks"]["profile"] == ["success"] * 8
    assert second["tasks"]["profile"] == ["success"]


def test_a_repeated_run_reads_nothing_again(ran: tuple[Path, dict[str, Any]]) -> None:
    """Every window is stored, so no profile task is left."""
    assert ran[1]["runs"][2]["tasks"]["profile"] == ["skipped"]


def test_the_moved_day_is_critical_and_alerted(ran: tuple[Path, dict[str, Any]]) -> None:
    """The scores are in the results database, and so is the notification that the dead receiver still owes."""
    folder, _ = ran
    with store(folder) as results:
        (row,) = results.scores("flights", feature="delay", windows=1)
        assert row["status"] == "critical"
        assert [a.key for a in results.alerts("flights")] == ["drift:delay"]
        (owed,) = [row for row in results.notifications(["pending"]) if row["monitor"] == "flights"]
        assert owed["last_error"].startswith("json: no connection")
        assert "/dags/flights/runs/" in owed["body"]
        assert {run["status"] for run in results.runs("flights")} == {"ok", "critical"}


def test_windows_follow_the_monitors_calendar(ran: tuple[Path, dict[str, Any]]) -> None:
    """The run that ends at New York's midnight is for the local day before; the parameter names its own day."""
    folder, _ = ran
    with store(folder) as results:
        starts = sorted(run["window_start"] for run in results.runs("flights"))
    assert starts == [datetime(2024, 1, day, 5, tzinfo=UTC) for day in (12, 13, 14)]


def test_xcom_carries_no_data(ran: tuple[Path, dict[str, Any]]) -> None:
    """Window keys and statuses only: nothing longer than a few names."""
    for run in ran[1]["runs"]:
        for values in run["xcoms"].values():
            assert all(len(value) < 1000 for value in values)


def test_a_broken_file_is_a_dag_that_says_so(ran: tuple[Path, dict[str, Any]]) -> None:
    """It hides no other monitor."""
    assert {"broken", "failing", "flights"} <= set(ran[1]["dags"])


def test_what_lies_outside_the_monitored_days_is_skipped(ran: tuple[Path, dict[str, Any]]) -> None:
    """Every task of such a run is skipped; none fails."""
    run = ran[1]["runs"][3]
    assert run["state"] == "success"
    assert {state for states in run["tasks"].values() for state in states} == {"skipped"}


def test_a_failed_run_is_one_alert(ran: tuple[Path, dict[str, Any]]) -> None:
    """Whichever stage fails: one alert with the error and the log, and delivery was tried; again, it is the same."""
    folder, result = ran
    assert [run["state"] for run in result["runs"][5:7]] == ["failed", "failed"]
    with store(folder) as results:
        (alert,) = results.alerts("failing")
        assert (alert.key, alert.severity, alert.state) == ("run", "critical", "open")
        assert "gone" in alert.reason
        (owed,) = [row for row in results.notifications(["pending"]) if row["monitor"] == "failing"]
        assert "DRIFT_ROUTE_UNKNOWN" in owed["last_error"]
        assert "/dags/failing/runs/" in owed["body"]


def test_callbacks_are_told_what_people_are(ran: tuple[Path, dict[str, Any]]) -> None:
    """Airflow's own notifiers get the words of a message, once for each."""
    told = (ran[0] / "dags" / "told.txt").read_text().splitlines()
    assert [line.partition(", moved by ")[0] for line in told] == [
        "flights 2024-01-14: CRITICAL delay: median 9.812 → 17.94",
        "failing 2024-01-13: CRITICAL the run",
        "waiting 2024-02-20: CRITICAL the run",
    ]


def test_a_gate_stops_what_follows(ran: tuple[Path, dict[str, Any]]) -> None:
    """The newest window is critical: the DAG fails, or skips the rest; a quiet day goes on, a day never run stops."""
    runs = [(run["state"], run["tasks"]["train"]) for run in ran[1]["runs"][7:11]]
    assert runs == [
        ("failed", ["upstream_failed"]),
        ("success", ["skipped"]),
        ("success", ["success"]),
        ("failed", ["upstream_failed"]),
    ]
    (decision,) = ran[1]["runs"][9]["xcoms"]["drift_gate_flights"]
    assert "'label': '2024-01-13'" in decision
    assert "'cleared': True" in decision


def test_a_task_marks_what_it_did(ran: tuple[Path, dict[str, Any]]) -> None:
    """By its name, at a local time of the monitor; the same mark of the next run is the same."""
    with store(ran[0]) as opened:
        (mark,) = opened.marks()
    assert (mark.text, mark.monitor, mark.created_by.partition(".")[2]) == ("model 7 trained", "flights", "train")


def test_a_callback_marks_without_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a DAG upstream that failed does; in the results database of the DAGs."""
    from drift.airflow import mark
    from drift.airflow.connections import results
    from drift.store import migrations

    monkeypatch.setenv("DRIFT_DATABASE", f"sqlite:///{tmp_path / 'drift.db'}")
    migrations.upgrade(f"sqlite:///{tmp_path / 'drift.db'}")
    results.cache_clear()
    mark("ingest failed", "2024-01-11T05:00Z")
    with store(tmp_path) as opened:
        (made,) = opened.marks()
    assert (made.text, made.monitor, made.created_by) == ("ingest failed", None, "Airflow")
    results().close()
    results.cache_clear()


def test_late_data_end_in_a_status(ran: tuple[Path, dict[str, Any]]) -> None:
    """What is there is not waited for; what never comes is deferred, given up and told, and nothing after it runs."""
    folder, result = ran
    came, never = result["runs"][11:]
    assert (came["state"], came["tasks"]["wait"]) == ("success", ["success"])
    assert (never["state"], never["tasks"]["wait"]) == ("failed", ["failed"])
    assert {state for name, states in never["tasks"].items() if name != "wait" for state in states} == {
        "upstream_failed"
    }
    with store(folder) as results:
        run = results.runs("waiting")[0]
        (alert,) = results.alerts("waiting", ["open"])
    assert run["status"] == "no_data"
    assert run["error"].startswith("no data by ")
    assert run["error"].endswith(": 2024-02-20: no rows")
    assert (alert.key, run["error"] in alert.reason) == ("run", True)


def test_each_run_emits_its_outcome(ran: tuple[Path, dict[str, Any]]) -> None:
    """The asset's event says which window it was, what it came to, which features drift, and what is open."""
    events = [event for event in ran[1]["events"] if event["monitor"] == "flights"]
    assert [event["label"] for event in events] == ["2024-01-13", "2024-01-14", "2024-01-14", "2024-01-12"]
    quiet, moved = events[:2]
    assert (quiet["status"], quiet["drifting"], quiet["alerts"]) == ("ok", [], {"warning": 0, "critical": 0})
    assert (moved["status"], moved["severity"], moved["drifting"]) == ("critical", "critical", ["delay"])
    assert (moved["alerts"], moved["notified"], moved["rows"]) == ({"warning": 0, "critical": 1}, 1, 400)
    assert moved["windows"] == [moved["window"]] == ["2024-01-14T05:00:00Z/2024-01-15T05:00:00Z"]
    assert moved["dataset"]["namespace"] == "file"
    assert moved["dataset"]["name"].endswith(".db.flights")


def test_our_failure_callback_stands_beside_theirs() -> None:
    """Whoever brings a callback keeps it, and our alert."""
    from airflow.sdk import BaseNotifier

    from drift.airflow import DriftNotifier, monitor_dag
    from drift.config.monitor import parse_monitor

    dag = monitor_dag(parse_monitor(monitor_text(SOURCE)), on_failure_callback=print)
    ours, theirs = cast("list[Any]", dag.on_failure_callback)
    assert isinstance(ours, DriftNotifier)
    assert isinstance(ours, BaseNotifier)
    assert theirs is print


def test_windows_of_an_interval() -> None:
    """Scheduled, empty (manual), asset-triggered and long intervals; the day the clocks change is one window."""
    from drift.airflow import run_windows
    from drift.windows import Calendar

    calendar = Calendar("1d", "America/New_York")

    def labels(start: datetime | None, end: datetime) -> list[str]:
        return [calendar.label(w) for w in run_windows(calendar, start, end)]

    def midnight(month: int, day: int) -> datetime:
        return calendar.midnight(date(2013, month, day))

    assert labels(midnight(3, 10), midnight(3, 11)) == ["2013-03-10"]
    assert labels(midnight(11, 3), midnight(11, 4)) == ["2013-11-03"]
    assert labels(midnight(3, 11), midnight(3, 11)) == ["2013-03-10"]
    assert labels(None, datetime(2013, 3, 11, 17, tzinfo=UTC)) == ["2013-03-10"]
    assert labels(midnight(3, 4), midnight(3, 6)) == ["2013-03-04", "2013-03-05"]


def test_the_schedule_has_an_interval_in_local_time() -> None:
    """Cron in the monitor's zone; the interval of a spring day is 23 hours long."""
    from drift.airflow import monitor_dag
    from drift.config.monitor import parse_monitor

    dag = monitor_dag(parse_monitor(monitor_text(SOURCE, schedule="'@daily'")), tags=["mine"], catchup=True)
    assert dag.catchup is True
    assert "mine" in dag.tags
    assert "America/New_York" in repr(dag.timetable)
    assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"


def test_arguments_go_where_they_belong() -> None:
    """A DAG's to the DAG, a task's to every task; ours stay beside them; nobody's is a mistake."""
    from airflow.sdk import Asset, Param

    from drift.airflow import monitor_dag
    from drift.config.monitor import parse_monitor

    spec = parse_monitor(monitor_text(SOURCE, start="2024-01-01"))
    dag = monitor_dag(
        spec,
        schedule=[Asset("loaded")],
        tags=["mine"],
        max_active_runs=2,
        retries=5,
        owner="platform",
        pool="warehouse",
        default_args={"queue": "big", "retries": 4},
        params={"reason": Param("", type="string")},
    )
    assert dag.tags == {"drift", "mine"}
    assert dag.max_active_runs == 2
    assert dag.start_date == datetime(2024, 1, 1, 5, tzinfo=UTC)
    assert set(dag.params) == {"window", "force", "reason"}
    assert type(dag.timetable).__name__ == "AssetTriggeredTimetable"
    for each in dag.tasks:
        assert (each.retries, each.owner, each.queue) == (5, "platform", "big")
        assert each.pool == "warehouse"
    with pytest.raises(TypeError, match="'retires', which neither a DAG nor a task takes"):
        monitor_dag(spec, retires=3)


def test_the_dag_describes_its_monitor() -> None:
    """Source, schedule, thresholds and their unit, who is notified, and the way to the dashboard."""
    from drift.airflow import monitor_dag
    from drift.config.monitor import parse_monitor

    text = monitor_text(SOURCE, alerts="{routes: [{to: ops}], dashboard: 'https://drift.example.com/'}")
    doc = monitor_dag(parse_monitor(text)).doc_md or ""
    for line in (
        "flights by connection `warehouse`",
        "1d (America/New_York), on `@daily`",
        "critical: 0.01 / 0.1, D(current‖reference) in nats\n",
        "notified: ops",
        "[dashboard](https://drift.example.com/monitor?name=flights)",
    ):
        assert line in doc
    psi = monitor_text(SOURCE, detection="{effect: {measure: psi, warning: 0.1, critical: 0.25}}")
    assert "critical: 0.1 / 0.25 (psi)\n" in (monitor_dag(parse_monitor(psi)).doc_md or "")


def test_waiting_comes_first() -> None:
    """With a wait, nothing is planned before the data are there."""
    from drift.airflow import Wait, monitor_dag
    from drift.config.monitor import parse_monitor

    dag = monitor_dag(parse_monitor(monitor_text(SOURCE)), wait=Wait("6h"))
    assert dag.get_task("plan").upstream_task_ids == {"wait"}


def test_an_event_names_its_windows() -> None:
    """A triggering asset's extra decides; what names no window is passed over, and the parameter goes first."""
    from drift.airflow.runs import windows_of
    from drift.windows import Calendar

    calendar = Calendar("1d", "America/New_York")

    def labels(*extras: Any, **params: str) -> list[str]:
        events = [SimpleNamespace(extra=extra, asset=SimpleNamespace(name="loaded")) for extra in extras]
        run = SimpleNamespace(run_after=datetime(2013, 3, 1, 12, tzinfo=UTC))
        context = {"triggering_asset_events": {"loaded": events}, "dag_run": run, "params": params}
        return [calendar.label(window) for window in windows_of(calendar, context)]

    key = "2013-02-05T05:00:00Z/2013-02-06T05:00:00Z"
    assert labels({"window": "2013-02-08"}, {"windows": [key]}) == ["2013-02-05", "2013-02-08"]
    assert labels({"window": "this morning"}, {"rows": 7}, None) == ["2013-02-28"]
    assert labels({"window": "2013-02-08"}, window="2013-01-01") == ["2013-01-01"]


def test_what_updated_an_asset_is_known_once() -> None:
    """Though it comes by an alias, too; an update through the API has no DAG."""
    from drift.airflow.runs import upstream

    def event(**source: str | None) -> SimpleNamespace:
        return SimpleNamespace(asset=SimpleNamespace(name="sales"), **source)

    one, other = event(source_dag_id="ingest", source_run_id="r1"), event(source_dag_id=None, source_run_id=None)
    found = upstream({"triggering_asset_events": {"sales": [one, other], "alias": [one]}})
    assert found == [{"asset": "sales", "dag": "", "run": ""}, {"asset": "sales", "dag": "ingest", "run": "r1"}]
    assert upstream({}) == []


def test_a_trigger_comes_back_from_its_text() -> None:
    """What the triggerer stores makes the same trigger, and holds no secret."""
    from drift.airflow import Wait
    from drift.airflow.waiting import DataTrigger
    from drift.config.monitor import parse_monitor

    monitor = parse_monitor(monitor_text(SOURCE)).canonical
    trigger = DataTrigger(monitor, ["2013-02-05T05:00:00Z/2013-02-06T05:00:00Z"], Wait().to_dict(), "2013-02-06T09:00Z")
    path, said = trigger.serialize()
    assert path == "drift.airflow.waiting.DataTrigger"
    assert DataTrigger(**json.loads(json.dumps(said))).serialize() == (path, said)


def test_one_monitor_may_differ_from_the_others(tmp_path: Path) -> None:
    """Arguments of one monitor go before those of all; a name that is not there is a mistake."""
    from drift.airflow import load_monitors
    from drift.errors import ConfigError

    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(monitor_text(SOURCE, name=name))
    dags = load_monitors(tmp_path, retries=1, only={"b": {"retries": 3, "dag_id": "drift_b"}})
    assert {dag_id: dag.tasks[0].retries for dag_id, dag in dags.items()} == {"a": 1, "drift_b": 3}
    with pytest.raises(ConfigError, match="has no monitor 'c'"):
        load_monitors(tmp_path, only={"c": {}})


def test_a_backfill_tells_nobody() -> None:
    """A backfill is known as such in a task as well as in a callback; every other run tells people."""
    from types import SimpleNamespace

    from airflow.sdk.api.datamodels._generated import DagRunType as InTasks
    from airflow.utils.types import DagRunType as InTheScheduler

    from drift.airflow.runs import pages

    for kinds in (InTasks, InTheScheduler):
        silent = [kind.value for kind in kinds if not pages({"dag_run": SimpleNamespace(run_type=kind)})]
        assert silent == ["backfill"]


def test_a_window_that_is_not_over_fails_the_run() -> None:
    """By this machine's clock or the scheduler's, whichever is ahead; before anything is stored."""
    from types import SimpleNamespace

    from airflow.sdk.exceptions import AirflowFailException

    from drift.airflow.runs import watched_windows
    from drift.config.monitor import parse_monitor

    monitor = parse_monitor(monitor_text(SOURCE))

    def windows(day: str, due: datetime) -> list[Any]:
        return watched_windows(monitor, {"params": {"window": day}, "dag_run": SimpleNamespace(run_after=due)})

    with pytest.raises(AirflowFailException, match="2100-01-01 is not over until"):
        windows("2100-01-01", datetime(2013, 1, 1, tzinfo=UTC))
    assert len(windows("2100-01-01", datetime(2100, 1, 2, 12, tzinfo=UTC))) == 1


def test_a_log_is_linked_where_airflow_says_where_its_pages_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `[api] base_url` Airflow guesses localhost:8080; such a link is left out."""
    from drift.airflow.runs import log_url

    context = {"ti": SimpleNamespace(log_url="https://airflow.example/log")}
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    assert log_url(context) == ""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example")
    assert log_url(context) == "https://airflow.example/log"
