"""Failed runs: what a retry may mend is retried; everything else is recorded with the run, and people are notified."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from drift.airflow.connections import route_url
from drift.airflow.runs import clock, log_url, open_context, pages, watched_windows
from drift.config.monitor import load_monitor
from drift.errors import DriftError, SourceUnreachable, StoreError
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from drift.alerts.alerts import Transitions
    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.windows import Window

log = logs.logger(__name__)


@contextmanager
def recording(run_context: Context, windows: Sequence[Window]) -> Iterator[None]:
    """Record a failure with the run; what a retry cannot mend fails at once."""
    try:
        yield
    except DriftError as error:
        for window in windows:
            try:
                run_context.store.save_run_finished(run_context.name, window, "error", clock(), error=str(error))
            except StoreError:
                log.exception("the failure could not be recorded")
        # In the log the words are enough; where it happened in Drift's code says nothing to its reader.
        retried = isinstance(error, SourceUnreachable | StoreError)
        raise (AirflowException if retried else AirflowFailException)(str(error)) from None


class DriftNotifier(BaseNotifier):
    """Says that a run failed: a failure callback that opens the monitor's `run` alert and sends what is pending.

    Every DAG of `monitor_dag` has one; a DAG of your own that feeds a monitor, or runs it in another way, may have one
    too. The next run that succeeds ends the alert. It knows the window as the run does: from the parameter ``window``,
    the events that triggered it, or its data interval.

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
        spec = load_monitor(self.monitor) if isinstance(self.monitor, str | os.PathLike) else self.monitor
        _failed(spec, context, self.on_alert)


def _failed(spec: Monitor, context: Mapping[str, Any], on_alert: Sequence[Callable[[Any], Any]]) -> None:
    from drift.alerts import delivery
    from drift.detection.reports import Report
    from drift.pipeline import notify as notifications

    if "dag_run" not in context:
        log.warning("%s: a run failed, and Airflow does not say for which window", spec.name)
        return
    try:
        windows = watched_windows(spec, context)
    except (AirflowFailException, AirflowSkipException) as none:
        log.warning("%s: a run failed that has no window: %s", spec.name, none)
        return
    run_context, url = open_context(spec), log_url(context)
    for window in windows:
        error = dict(run_context.store.run_results(run_context.name, window.start)).get(window)
        if not error:
            # Killed, or failed by something other than Drift.
            failed = (
                context.get("exception") or f"task {getattr(context.get('ti'), 'task_id', '?')} failed: see its log"
            )
            error = failed if isinstance(failed, str) else f"{type(failed).__name__} in a task: see its log"
            run_context.store.save_run_finished(run_context.name, window, "error", clock(), error=error)
        found = notifications.run_failed(run_context, window, error, now=clock(), page=pages(context), run_url=url)
        report = Report(run_context.name, window, "none: the run failed", [], 0, 0, label=run_context.label(window))
        call_back(on_alert, context, run_context, report, found, url)
    if pages(context):
        notifications.remind(run_context, now=clock())
    log.info("%s", delivery.deliver(run_context.store, clock(), route_url))


def call_back(
    on_alert: Sequence[Callable[[Any], Any]],
    context: Mapping[str, Any],
    run_context: Context,
    report: Report,
    found: Transitions,
    url: str,
) -> None:
    """Call the callbacks when people are notified; one that fails hinders nothing else."""
    from drift.alerts import messages
    from drift.config.alerts import Route

    if not on_alert or not found.notices:
        return
    settings = run_context.monitor.alerts.model_copy(update={"routes": [Route(to="airflow")]})
    links = messages.Links(settings.dashboard or os.environ.get("DRIFT_DASHBOARD_URL", ""), url)
    calendar = run_context.monitor.window.calendar
    for message in messages.notifications(report, found, settings, now=clock(), calendar=calendar, links=links):
        said = {"title": message.title, "body": message.body, "payload": dict(message.payload)}
        for callback in on_alert:
            try:
                callback({**context, "drift": said})
            except Exception:
                log.exception("%s: a callback failed", run_context.name)
