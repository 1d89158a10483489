"""What a run of Airflow is for: its windows, when it was due, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from drift.errors import WindowError
from drift.text import logs
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.config.monitor import Monitor
    from drift.pipeline.context import Context

log = logs.logger(__name__)


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
    >>> months = Calendar("1mo")
    >>> february = months.spanned("2024-02")[0]
    >>> [months.label(w) for w in run_windows(months, february.start, february.end)]
    ['2024-02']
    """
    whole = list(calendar.between(start, end)) if start is not None and start < end else []
    return whole or [calendar.last_complete(end)]


def asked_windows(calendar: Calendar, text: str) -> list[Window]:
    """Return the windows that a person, or the extra of an asset event, means: a local date or time, or START/END.

    A month, quarter or year means all windows in it.

    Examples
    --------
    >>> [w.key for w in asked_windows(Calendar("1d"), "2013-02-08")]
    ['2013-02-08T00:00:00Z/2013-02-09T00:00:00Z']
    >>> len(asked_windows(Calendar("1h"), "2013-02-08T00:00:00Z/2013-02-09T00:00:00Z"))
    24
    """
    if "/" in text:
        span = Window.from_key(text)
        return run_windows(calendar, span.start, span.end)
    first, last = calendar.spanned(text)
    return list(calendar.between(first.start, last.end))


def windows_of(calendar: Calendar, context: Mapping[str, Any]) -> list[Window]:
    """Return the windows a run is for.

    The parameter ``window`` goes first; then what the asset events that triggered the run name in their extra
    (``window``, or ``windows`` for several), then the data interval, and last when the run was due.
    """
    asked = (context.get("params") or {}).get("window")
    if asked:
        try:
            return asked_windows(calendar, asked)
        except WindowError as error:
            raise AirflowFailException(f"the parameter window: {error}") from error
    named = _named_by_events(calendar, context)
    if named:
        return named
    return run_windows(calendar, context.get("data_interval_start"), context.get("data_interval_end") or due(context))


def _named_by_events(calendar: Calendar, context: Mapping[str, Any]) -> list[Window]:
    found: set[Window] = set()
    for events in (context.get("triggering_asset_events") or {}).values():
        for event in events:
            extra = event.extra if isinstance(event.extra, Mapping) else {}
            said = extra.get("windows") or [extra.get("window")]
            for text in said if isinstance(said, list) else [said]:
                if not isinstance(text, str):
                    continue
                try:
                    found.update(asked_windows(calendar, text))
                except WindowError as error:
                    log.warning("the event of asset %s names no window: %s", event.asset.name, error)
    return sorted(found)


def watched_windows(monitor: Monitor, context: Mapping[str, Any]) -> list[Window]:
    """Return the windows a run of a monitor is for; one by hand is run whatever days the monitor watches.

    It is skipped if all of them lie outside the monitor's days, and fails where one is not over: by this machine's
    clock, or by the scheduler's, which may be ahead.
    """
    from drift.pipeline.run import refuse_unfinished

    calendar = monitor.window.calendar
    windows = windows_of(calendar, context)
    try:
        refuse_unfinished(monitor, windows, max(clock(), due(context)))
    except WindowError as error:
        raise AirflowFailException(str(error)) from error
    if (context.get("params") or {}).get("window"):
        return windows
    watched = [window for window in windows if monitor.watches(window)]
    if not watched:
        raise AirflowSkipException(
            f"{', '.join(map(calendar.label, windows))} is outside {monitor.start or '…'} to {monitor.end or '…'}, "
            f"the days that {monitor.name} watches; to run a day by hand, trigger it with the parameter window"
        )
    return watched


def due(context: Mapping[str, Any]) -> datetime:
    """Return when the run could begin: the end of its interval, or when it was triggered."""
    when: datetime = context["dag_run"].run_after
    return when


def forced(context: Mapping[str, Any]) -> bool:
    """Whether the windows are to be read again although they are stored."""
    return bool((context.get("params") or {}).get("force"))


def pages(context: Mapping[str, Any]) -> bool:
    """Whether people are notified: a backfill notifies nobody."""
    kind = getattr(context["dag_run"], "run_type", "")
    # The scheduler's own kind of run prints as its value, the one that tasks get as its name.
    return "backfill" not in str(getattr(kind, "value", kind))


def upstream(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the assets whose updates triggered a run, each with the DAG and the run that updated it, if one did."""
    events = [event for some in (context.get("triggering_asset_events") or {}).values() for event in some]
    found = {(event.asset.name, event.source_dag_id or "", event.source_run_id or "") for event in events}
    return [{"asset": asset, "dag": dag, "run": run} for asset, dag, run in sorted(found)]


def log_url(context: Mapping[str, Any]) -> str:
    """Return the address of the task's log; empty where Airflow does not say it, or not where its pages are."""
    if not conf.get("api", "base_url", fallback=""):
        # Airflow would guess localhost:8080, where perhaps nothing answers.
        return ""
    instance = context.get("task_instance") or context.get("ti")
    try:
        return str(getattr(instance, "log_url", "") or "")
    except (AttributeError, TypeError):
        # In a callback Airflow knows a task only in part.
        return ""


def from_keys(keys: Sequence[str]) -> list[Window]:
    """Read windows back from XCom."""
    return [Window.from_key(key) for key in keys]


def open_context(monitor: Monitor) -> Context:
    """Return a monitor at work, with Airflow's connections."""
    from drift.airflow.connections import connection_url, results
    from drift.pipeline.context import Context

    return Context.of(monitor, results(), connection_url)


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
