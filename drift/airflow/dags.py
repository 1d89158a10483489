"""A monitor as a DAG, a folder of monitors as DAGs."""

from __future__ import annotations

import inspect
import os
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable, Param, task
from airflow.sdk.exceptions import AirflowFailException

from drift.airflow import tasks
from drift.airflow.failures import DriftNotifier
from drift.airflow.waiting import WaitForData
from drift.config.monitor import load_monitor, monitor_files
from drift.errors import ConfigError
from drift.text import logs
from drift.text.formatting import thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drift.config.monitor import Monitor
    from drift.pipeline.freshness import Wait

log = logs.logger(__name__)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def monitor_dag(
    monitor: Monitor | str | Path,
    *,
    wait: Wait | None = None,
    on_alert: Sequence[Callable[[Any], Any]] = (),
    **arguments: Any,
) -> DAG:
    """Return the DAG of one monitor: (wait →) plan → validate → baseline → profile (mapped) → evaluate → notify.

    Parameters
    ----------
    monitor
        A monitor, or the path of its file.
    wait
        Wait for the data of the window first; by default an empty window is a finding.
    on_alert
        Airflow notifiers or other callbacks, for teams that already route by those: called with the run's context when
        people are to be notified, whatever the monitor's routes. The context has ``drift`` besides, with
        ``title``, ``body`` and ``payload`` (docs/reference/alerts.md), so that
        ``SlackNotifier(text="{{ drift.title }}")`` says it. They are called once and not
        again: routes are what never loses a message.
    **arguments
        Whatever `airflow.sdk.DAG` takes (``dag_id``, ``schedule``, ``start_date``, ``catchup``, ``tags``, ``params``,
        ``max_active_runs``, …), and whatever its tasks take (``retries``, ``retry_delay``, ``owner``, ``pool``,
        ``queue``, ``executor``, ``execution_timeout``, …). Each replaces our default, but ``default_args``, ``params``
        and ``tags``, which are added to ours, and ``on_failure_callback``, which is called besides ours.

    Returns
    -------
    DAG
        It emits `monitor_asset`, with the outcome in its extra, so that other DAGs can follow it.

    Raises
    ------
    ConfigError
        If the file cannot be used.
    TypeError
        If neither a DAG nor a task takes an argument of that name.
    """
    spec = load_monitor(monitor) if isinstance(monitor, str | Path) else monitor
    asset = tasks.monitor_asset(spec.name)
    with DAG(**_arguments(spec, arguments, on_alert)) as dag:  # noqa: AIR002 - the schedule is among the arguments

        @task(doc_md="The windows the run is for, and which of them and their references were never validated.")
        def plan() -> dict[str, list[str]]:
            return tasks.plan(spec)

        @task(doc_md="Great Expectations accepts a window, warns of it, or rejects it.")
        def validate(planned: dict[str, list[str]]) -> list[str]:
            return tasks.validate(spec, planned)

        @task(doc_md="Fit the bins, once; list the windows that have to be counted.")
        def baseline(keys: list[str]) -> list[str]:
            return tasks.baseline(spec, keys)

        @task(map_index_template="{{ window_label }}", doc_md="Read one window once, and count it into cells.")
        def profile(key: str) -> str:
            return tasks.profile(spec, key)

        @task(trigger_rule="none_failed_min_one_success", doc_md="Score the window; the log ends with the table.")
        def evaluate(planned: dict[str, list[str]]) -> dict[str, str]:
            return tasks.evaluate(spec, planned)

        @task(outlets=[asset], doc_md="Advance the alerts, notify people, emit the asset with the outcome.")
        def notify(statuses: dict[str, str]) -> None:
            tasks.notify(spec, list(statuses), asset, on_alert)

        # A task's call returns a reference to its result, which its annotation does not know.
        planned: Any = plan()
        gated: Any = validate(planned)
        missing: Any = baseline(gated)
        judged: Any = evaluate(planned)
        profile.expand(key=missing) >> judged
        notify(judged)
        if wait is not None:
            WaitForData(task_id="wait", monitor=spec, wait=wait) >> planned
    return dag


def _arguments(spec: Monitor, given: Mapping[str, Any], on_alert: Sequence[Callable[[Any], Any]]) -> dict[str, Any]:
    """Return what the DAG is made with: our defaults under what was given."""
    of_dag, of_tasks = _names()
    unknown = sorted(given.keys() - of_dag - of_tasks)
    if unknown:
        raise TypeError(f"monitor_dag() got {unknown[0]!r}, which neither a DAG nor a task takes")
    default_args = {
        "retries": 2,
        "owner": "drift",
        **given.get("default_args", {}),
        **{name: value for name, value in given.items() if name not in of_dag},
    }
    theirs = given.get("on_failure_callback") or []
    merged = {
        "default_args": default_args,
        "params": _params() | dict(given.get("params") or {}),
        "tags": sorted({"drift", *(given.get("tags") or ())}),
        "on_failure_callback": [
            DriftNotifier(spec, on_alert=on_alert),
            *(theirs if isinstance(theirs, list | tuple) else [theirs]),
        ],
    }
    ours = {
        "dag_id": spec.name,
        "schedule": CronDataIntervalTimetable(spec.cron, timezone=spec.window.timezone),
        "start_date": spec.window.calendar.midnight(spec.start) if spec.start else EPOCH,
        "catchup": False,
        "max_active_runs": 1,
        "description": spec.description or f"Data drift of {spec.name}",
        "doc_md": describe(spec),
    }
    return ours | {name: value for name, value in given.items() if name in of_dag} | merged


@cache
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the arguments of a DAG, and those of a task that may stand in its ``default_args``."""
    of_dag = frozenset(inspect.signature(DAG).parameters)
    of_task = frozenset(inspect.signature(BaseOperator.__init__).parameters) - {"self", "kwargs", "task_id", "dag"}
    return of_dag, of_task - of_dag


def _params() -> dict[str, Any]:
    return {
        "window": Param(
            None,
            type=["null", "string"],
            description="A local date (2013-02-08) or time: the window that holds it is run.",
        ),
        "force": Param(default=False, type="boolean", description="Read the window again, even if it is stored."),
    }


def describe(monitor: Monitor) -> str:
    """Return what a monitor is in a few lines of Markdown, for the page of its DAG."""
    source, effect = monitor.source, monitor.detection.effect
    where = source.files_ or f"{source.table or 'a query'} by connection `{source.connection}`"
    watched = ", ".join(monitor.features.include)
    excluded = f", but not {', '.join(monitor.features.exclude)}" if monitor.features.exclude else ""
    routes = ", ".join(dict.fromkeys(route.to for route in monitor.alerts.routes)) or "nobody"
    page = monitor.alerts.dashboard or os.environ.get("DRIFT_DASHBOARD_URL", "")
    unit = ", D(current‖reference) in nats" if effect.scale == "kl" else ""
    days = f"{monitor.start or '…'} to {monitor.end or '…'}" if monitor.start or monitor.end else ""
    lines = [
        f"- source: {where}, time in `{', '.join(source.time_columns)}`",
        f"- window: {monitor.window.every} ({monitor.window.timezone}), on `{monitor.cron}`",
        f"- days: {days}" if days else "",
        f"- reference: {monitor.reference}",
        f"- features: {watched}{excluded}",
        f"- thresholds, warning / critical: {thresholds(effect.warning, effect.critical, effect.scale)}{unit}",
        f"- expectations: {len(monitor.expectations)}" if monitor.expectations else "",
        f"- notified: {routes}",
        f"- configuration: `{monitor.config_hash}`",
        f"- [dashboard]({page.rstrip('/')}/monitor?name={monitor.name})" if page else "",
    ]
    return f"### {monitor.name}\n\n{monitor.description}\n\n" + "\n".join(line for line in lines if line) + "\n"


def load_monitors(
    folder: str | Path,
    *,
    wait: Wait | None = None,
    on_alert: Sequence[Callable[[Any], Any]] = (),
    only: Mapping[str, Mapping[str, Any]] | None = None,
    **arguments: Any,
) -> dict[str, DAG]:
    """Return one DAG for every monitor file in a folder, by DAG id: pass it to ``globals().update``.

    A file with problems never hides the others: in its place stands a DAG tagged ``broken configuration`` that says
    what is wrong, where a person looks for it.

    Parameters
    ----------
    folder
    wait, on_alert, **arguments
        As for `monitor_dag`, for all of them.
    only
        Arguments of some monitors only, by the monitor's name, before those of all:
        ``only={"flights": {"schedule": [Asset("flights")], "wait": Wait("6h")}}``.

    Raises
    ------
    ConfigError
        If the folder cannot be read, or `only` names a monitor that is not there.
    """
    dags: dict[str, DAG] = {}
    particular = dict(only or {})
    for path in monitor_files(folder):
        try:
            spec = load_monitor(path)
            chosen: dict[str, Any] = {"wait": wait, "on_alert": on_alert, **arguments, **particular.pop(spec.name, {})}
            dag = monitor_dag(spec, **chosen)
        except ConfigError as error:
            log.warning("%s", error)
            dag = _broken_dag(path, error)
        dags[dag.dag_id] = dag
    if particular and not any("broken configuration" in dag.tags for dag in dags.values()):
        raise ConfigError([f"only: {folder} has no monitor {name!r}" for name in particular])
    return dags


def _broken_dag(path: Path, error: ConfigError) -> DAG:
    problems = "\n".join(f"- {problem}" for problem in error.problems)
    with DAG(
        dag_id=re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem),
        schedule=None,
        tags=["drift", "broken configuration"],
        description=f"{path.name} cannot be used",
        doc_md=f"### {path.name} cannot be used\n\n{problems}\n\nCheck it with `drift check {path.name}`.",
    ) as dag:

        @task
        def configuration() -> None:
            raise AirflowFailException(str(error))

        configuration()
    return dag
