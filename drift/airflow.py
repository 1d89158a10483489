"""Drift in Airflow: one DAG a monitor, and nothing of Airflow anywhere else.

    from drift.airflow import load_monitors  # one DAG for each file
    globals().update(load_monitors("/opt/airflow/dags/monitors"))

(Airflow only looks into files that hold both words, "airflow" and "dag": keep the comment.)

XCom carries window keys and statuses, never data. The window comes from the run's data interval and the monitor's own
calendar, so scheduled runs, manual runs, backfills and clears all compute exactly the same.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import (
    DAG,
    Asset,
    BaseHook,
    BaseNotifier,
    CronDataIntervalTimetable,
    Param,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

from drift.config import load_monitor, monitor_files
from drift.dashboard import deferred
from drift.errors import ConfigError, DriftError, SourceUnreachable, StoreError
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drift.alerts import Transitions
    from drift.config import Monitor
    from drift.reports import Report
    from drift.watch import Watch

log = logging.getLogger("drift")

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
DATABASE = "drift_db"
"""The Airflow connection that names the results database, where `DRIFT_DATABASE` is not set."""


def connection_url(conn_id: str) -> str:
    """Return the SQLAlchemy URL of an Airflow connection, or what the environment says outside Airflow.

    Raises
    ------
    SourceMissing
        If neither Airflow nor the environment knows the connection.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        from drift.connections import resolve_url

        return resolve_url(conn_id, os.environ)
    hook: Any = connection.get_hook()  # type: ignore[no-untyped-call]
    engine = hook.get_sqlalchemy_engine()
    try:
        return str(engine.url.render_as_string(hide_password=False))
    finally:
        engine.dispose()


def route_url(name: str) -> str:
    """Return the Apprise URL behind a route: the environment's, or an Airflow connection's.

    Raises
    ------
    NotifyError
        If neither knows the route.
    """
    from drift.notify import resolve_route

    return resolve_route(name, os.environ, _connection_route)


def _connection_route(name: str) -> str | None:
    try:
        connection = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    # As in Airflow's own Apprise provider: the extra's config.path. Or the whole URL as the connection's password.
    config = connection.extra_dejson.get("config")
    if isinstance(config, dict) and config.get("path"):
        return str(config["path"])
    return connection.password or None


@cache
def _store() -> Any:
    from drift.store import Store

    url = os.environ.get("DRIFT_DATABASE")
    return Store.open(url or connection_url(DATABASE))


def run_windows(calendar: Calendar, start: datetime | None, end: datetime) -> list[Window]:
    """Return the windows a run is for: those within its data interval, or the last one complete at its end.

    Parameters
    ----------
    calendar
    start, end
        The data interval; a manual run's is empty, an asset's has no start.

    Examples
    --------
    >>> calendar = Calendar("1d", "America/New_York")
    >>> midnight = datetime(2013, 2, 9, 5, tzinfo=UTC)
    >>> [w.key for w in run_windows(calendar, None, midnight)]
    ['2013-02-08T05:00:00Z/2013-02-09T05:00:00Z']
    """
    whole = list(calendar.between(start, end)) if start is not None and start < end else []
    return whole or [calendar.last_complete(end)]


def _context_windows(monitor: Monitor, context: Mapping[str, Any]) -> list[Window]:
    calendar = monitor.window.calendar
    asked = (context.get("params") or {}).get("window")
    if asked:
        return [calendar.starting(datetime.fromisoformat(asked))]
    end = context.get("data_interval_end") or context["dag_run"].run_after
    windows = run_windows(calendar, context.get("data_interval_start"), end)
    watched = [window for window in windows if monitor.watches(window)]
    if not watched:
        raise AirflowSkipException(
            f"{', '.join(map(calendar.label, windows))} is outside {monitor.start or '…'} to {monitor.end or '…'}, "
            f"the days that {monitor.name} watches; to run a day by hand, trigger it with the parameter window"
        )
    return watched


def _watch(monitor: Monitor) -> Watch:
    from drift.watch import Watch

    return Watch(monitor, _store(), connection_url)


def _clock() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _recording(watch: Watch, windows: Sequence[Window]) -> Iterator[None]:
    """Record a failure with the run; what a retry cannot mend fails at once."""
    try:
        yield
    except DriftError as error:
        for window in windows:
            try:
                watch.store.save_run_finished(watch.name, window, "error", _clock(), error=str(error))
            except StoreError:
                log.exception("the failure could not be recorded")
        if isinstance(error, SourceUnreachable | StoreError):
            raise
        raise AirflowFailException(str(error)) from error


class DriftNotifier(BaseNotifier):
    """Says that a run failed: a failure callback that opens the monitor's `run` alert and sends what is owed.

    Every DAG of `monitor_dag` has one; a DAG of your own that feeds a monitor, or runs it in another way, may have one
    too. The next run that succeeds ends the alert. It knows the window from the run's data interval, or from the
    parameter ``window``.

    Parameters
    ----------
    monitor
        A monitor, or the path of its file.
    on_alert
        As for `monitor_dag`.
    """

    def __init__(self, monitor: Monitor | str | Path, *, on_alert: Sequence[Callable[[Any], Any]] = ()) -> None:
        super().__init__()
        self.monitor = monitor
        self.on_alert = tuple(on_alert)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render nothing: there are no templates here, and the DAG of `dag.test` could render none."""

    def notify(self, context: Any) -> None:
        """Open the alert of the windows of a run; the same run's second call changes nothing."""
        spec = self.monitor if not isinstance(self.monitor, str | Path) else load_monitor(self.monitor)
        _failed(spec, context, self.on_alert)


def monitor_dag(
    monitor: Monitor | str | Path, *, on_alert: Sequence[Callable[[Any], Any]] = (), **dag_arguments: Any
) -> DAG:
    """Return the DAG of one monitor: plan → validate → baseline → profile (mapped) → evaluate → notify.

    Parameters
    ----------
    monitor
        A monitor, or the path of its file.
    on_alert
        Airflow notifiers or other callbacks, for teams that already route by those: called with the run's context when
        people are to be told of something, whatever the monitor's routes. The context has ``drift`` besides, with
        ``title``, ``body`` and ``payload`` (docs/alerts.md), so that ``SlackNotifier(text="{{ drift.title }}")`` says
        it. They are called once and not again: routes are what never loses a message.
    **dag_arguments
        Whatever `airflow.sdk.DAG` takes: ``dag_id``, ``schedule``, ``start_date``, ``catchup``, ``tags``,
        ``default_args`` (retries, pool, owner), … Each replaces our default, but for ``on_failure_callback``, which
        is called besides ours.

    Returns
    -------
    DAG
        It emits the asset ``drift/<monitor>`` with the outcome in its extra, so that other DAGs can follow it.

    Raises
    ------
    ConfigError
        If the file cannot be used.
    """
    spec = monitor if not isinstance(monitor, str | Path) else load_monitor(monitor)
    asset = Asset(name=f"drift/{spec.name}", uri=f"drift://monitor/{spec.name}")
    arguments = _arguments(spec) | dag_arguments
    theirs = arguments.get("on_failure_callback") or []
    arguments["on_failure_callback"] = [
        DriftNotifier(spec, on_alert=on_alert),
        *(theirs if isinstance(theirs, list | tuple) else [theirs]),
    ]
    with DAG(**arguments) as dag:  # noqa: AIR002 - the schedule is among the arguments

        @task
        def plan() -> dict[str, list[str]]:
            return _plan(spec)

        @task
        def validate(planned: dict[str, list[str]]) -> list[str]:
            return _validate(spec, planned)

        @task
        def baseline(keys: list[str]) -> list[str]:
            return _baseline(spec, keys)

        @task(map_index_template="{{ window_label }}")
        def profile(key: str) -> str:
            return _profile(spec, key)

        @task(trigger_rule="none_failed_min_one_success")
        def evaluate(planned: dict[str, list[str]]) -> dict[str, str]:
            return _evaluate(spec, planned)

        @task(outlets=[asset])
        def notify(statuses: dict[str, str]) -> None:
            _notify(spec, list(statuses), asset, on_alert)

        # A task's call returns a reference to its result, which its annotation does not know.
        planned: Any = plan()
        gated: Any = validate(planned)
        missing: Any = baseline(gated)
        judged: Any = evaluate(planned)
        profile.expand(key=missing) >> judged
        notify(judged)
    return dag


def _arguments(spec: Monitor) -> dict[str, Any]:
    return {
        "dag_id": spec.name,
        "schedule": CronDataIntervalTimetable(spec.cron, timezone=spec.window.timezone),
        "start_date": EPOCH,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["drift"],
        "description": spec.description or f"Data drift of {spec.name}",
        "doc_md": _doc(spec),
        "default_args": {"retries": 2, "owner": "drift"},
        "params": {
            "window": Param(
                None, type=["null", "string"], description="A local date or time; the window that holds it is run."
            ),
            "force": Param(default=False, type="boolean", description="Read the window again although it is stored."),
        },
    }


# -- what the tasks do ------------------------------------------------------------------------------------------------


def _forced(context: Mapping[str, Any]) -> bool:
    return bool((context.get("params") or {}).get("force"))


def _plan(spec: Monitor) -> dict[str, list[str]]:
    from drift import monitoring

    context = get_current_context()
    watch, now = _watch(spec), _clock()
    windows = _context_windows(spec, context)
    url = _log_url(context)
    todo: dict[str, None] = {}
    with _recording(watch, windows):
        for window in windows:
            watch.store.save_run_started(watch.name, window, spec.config_hash, now, url=url)
            planned = monitoring.plan(watch, window, now=now, force=_forced(context))
            todo |= dict.fromkeys(w.key for w in planned.to_validate)
    return {"windows": [w.key for w in windows], "validate": list(todo)}


def _validate(spec: Monitor, planned: Mapping[str, Sequence[str]]) -> list[str]:
    from drift import monitoring

    watch, windows = _watch(spec), _windows(planned["windows"])
    with _recording(watch, windows):
        monitoring.validate(watch, _windows(planned["validate"]), windows, now=_clock())
    return list(planned["windows"])


def _baseline(spec: Monitor, keys: Sequence[str]) -> list[str]:
    from drift import monitoring

    watch, windows = _watch(spec), _windows(keys)
    missing: dict[str, None] = {}
    with _recording(watch, windows):
        for window in windows:
            monitoring.ensure_baseline(watch, window, now=_clock(), by="airflow")
            uncounted = monitoring.to_profile(watch, window, force=_forced(get_current_context()))
            missing |= dict.fromkeys(w.key for w in uncounted)
    return list(missing)


def _profile(spec: Monitor, key: str) -> str:
    from drift import monitoring

    watch, window = _watch(spec), Window.from_key(key)
    label = watch.label(window)
    get_current_context()["window_label"] = label  # type: ignore[typeddict-unknown-key]
    with _recording(watch, [window]):
        counted = monitoring.profile_window(watch, window, now=_clock())
    log.info("%s %s: %s rows, %d features", spec.name, label, counted.n_rows, len(counted.histograms))
    return key


def _evaluate(spec: Monitor, planned: Mapping[str, Sequence[str]]) -> dict[str, str]:
    from drift import evaluation, monitoring

    watch, windows = _watch(spec), _windows(planned["windows"])
    statuses = {}
    with _recording(watch, windows):
        for window in windows:
            report = evaluation.evaluate_window(watch, window, now=_clock())
            statuses[window.key] = monitoring.run_status(report)
            log.info("\n%s", report)
    return statuses


def _notify(spec: Monitor, keys: Sequence[str], asset: Asset, on_alert: Sequence[Callable[[Any], Any]]) -> None:
    from drift import alerting, evaluation, monitoring

    context = get_current_context()
    watch, windows = _watch(spec), _windows(keys)
    page, url = _pages(context), _log_url(context)
    with _recording(watch, windows):
        for window in windows:
            report = evaluation.recall(watch, window)
            status = monitoring.run_status(report)
            told = alerting.notify_window(watch, report, now=_clock(), page=page, run_url=url)
            watch.store.save_run_finished(watch.name, window, status, _clock(), reference=report.reference)
            context["outlet_events"][asset].extra = {
                "monitor": spec.name,
                "window": window.key,
                "status": status,
                "drifting": ", ".join(v.feature for v in report.drifting[:50]),
            }
            _call(on_alert, context, watch, report, told, url)
        if page:
            alerting.remind(watch, now=_clock())
        sent = alerting.deliver(watch.store, route_url, now=_clock())
    log.info("%s", sent)


def _failed(spec: Monitor, context: Mapping[str, Any], on_alert: Sequence[Callable[[Any], Any]]) -> None:
    from drift import alerting
    from drift.reports import Report

    if "dag_run" not in context:
        log.warning("%s: a run failed, and Airflow does not say for which window", spec.name)
        return
    watch, url = _watch(spec), _log_url(context)
    for window in _context_windows(spec, context):
        known = [error for each, error in watch.store.run_results(watch.name, window.start) if each == window]
        error = known[0] if known else None
        if not error:
            # Killed, or failed by something that is no error of Drift's own.
            failed = (
                context.get("exception") or f"task {getattr(context.get('ti'), 'task_id', '?')} failed: see its log"
            )
            error = failed if isinstance(failed, str) else f"{type(failed).__name__} in a task: see its log"
            watch.store.save_run_finished(watch.name, window, "error", _clock(), error=error)
        told = alerting.run_failed(watch, window, error, now=_clock(), page=_pages(context), run_url=url)
        report = Report(watch.name, window, "none: the run failed", [], 0, 0, label=watch.label(window))
        _call(on_alert, context, watch, report, told, url)
    if _pages(context):
        alerting.remind(watch, now=_clock())
    log.info("%s", alerting.deliver(watch.store, route_url, now=_clock()))


def _call(
    on_alert: Sequence[Callable[[Any], Any]],
    context: Mapping[str, Any],
    watch: Watch,
    report: Report,
    told: Transitions,
    url: str,
) -> None:
    """Call what is to be called when people are told of something; one that fails hinders nothing else."""
    from drift import digest
    from drift.alert_settings import Route

    if not on_alert or not told.pages:
        return
    settings = watch.monitor.alerts.model_copy(update={"routes": [Route(to="airflow")]})
    links = digest.Links(settings.dashboard or os.environ.get("DRIFT_DASHBOARD_URL", ""), url)
    zone = watch.monitor.window.calendar.zone
    for message in digest.notifications(report, told, settings, now=_clock(), zone=zone, links=links):
        said = {"title": message.title, "body": message.body, "payload": dict(message.payload)}
        for callback in on_alert:
            try:
                callback({**context, "drift": said})
            except Exception:
                log.exception("%s: a callback failed", watch.name)


def _pages(context: Mapping[str, Any]) -> bool:
    """Whether people are told: a backfill tells nobody."""
    return "backfill" not in str(getattr(context["dag_run"], "run_type", ""))


def _log_url(context: Mapping[str, Any]) -> str:
    instance = context.get("task_instance") or context.get("ti")
    try:
        return str(getattr(instance, "log_url", "") or "")
    except (AttributeError, TypeError):
        # In a callback Airflow knows a task only in part.
        return ""


def _windows(keys: Sequence[str]) -> list[Window]:
    return [Window.from_key(key) for key in keys]


def _doc(monitor: Monitor) -> str:
    watched, effect = ", ".join(monitor.features.include), monitor.detection.effect
    return (
        f"### {monitor.name}\n\n{monitor.description}\n\n"
        f"- window: {monitor.window.every} ({monitor.window.timezone})\n- reference: {monitor.reference}\n"
        f"- features: {watched}\n- thresholds: D(current‖reference) ≥ {effect.warning:g} nats warning, "
        f"≥ {effect.critical:g} critical\n- configuration `{monitor.config_hash}`\n"
    )


def load_monitors(
    folder: str | Path, *, on_alert: Sequence[Callable[[Any], Any]] = (), **dag_arguments: Any
) -> dict[str, DAG]:
    """Return one DAG for every monitor file in a folder, by DAG id: pass it to ``globals().update``.

    A file with problems never hides the others: in its place stands a DAG tagged ``broken configuration`` that says
    what is wrong, where a person looks for it.

    Raises
    ------
    ConfigError
        If the folder cannot be read.
    """
    dags: dict[str, DAG] = {}
    for path in monitor_files(folder):
        try:
            dag = monitor_dag(path, on_alert=on_alert, **dag_arguments)
        except ConfigError as error:
            log.warning("%s", error)
            dag = _broken_dag(path, error)
        dags[dag.dag_id] = dag
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


# -- the dashboard inside Airflow -------------------------------------------------------------------------------------


def _dashboard() -> Any:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import get_user

    from drift.dashboard import create_app

    def only_reads(user: Any) -> bool:
        # Whoever may change DAGs may answer what they raise.
        return not get_auth_manager().is_authorized_dag(method="PUT", user=user)

    folder = os.environ.get("DRIFT_MONITORS")
    return create_app(_store, monitors=Path(folder) if folder else None, auth=get_user, read_only=only_reads)


class DriftPlugin(AirflowPlugin):
    """The dashboard inside Airflow, behind its login: an entry in the navigation, a tab on each monitor's DAG."""

    name = "drift"
    fastapi_apps: ClassVar[list[Any]] = [  # type: ignore[misc]  # as Airflow's own documentation does
        {"name": "Drift", "url_prefix": "/drift", "app": deferred(_dashboard)}
    ]
    external_views: ClassVar[list[Any]] = [  # type: ignore[misc]
        {"name": "Drift", "href": "/drift/", "destination": "nav", "category": "browse", "url_route": "drift"},
        {"name": "Drift", "href": "/drift/monitor?name={DAG_ID}", "destination": "dag", "url_route": "drift-monitor"},
    ]
