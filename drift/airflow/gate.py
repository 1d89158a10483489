"""A gate that other DAGs put before what must not go on while a monitor is alarmed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from drift.airflow.connections import results
from drift.airflow.runs import clock, windows_of
from drift.config.monitor import Monitor, load_monitor
from drift.pipeline import gate as gates
from drift.text import logs
from drift.windows import Span

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from drift.pipeline.gate import AtLeast, Choice, Clearance
    from drift.windows import Window

log = logs.logger(__name__)


def drift_gate(
    monitor: Monitor | str | Path,
    *,
    severity: AtLeast = "critical",
    otherwise: Literal["fail", "skip"] = "fail",
    window: Literal["newest", "interval"] = "newest",
    no_result: Choice = "block",
    rejected: Choice = "block",
    max_age: str | timedelta | None = None,
    **task_arguments: Any,
) -> Any:
    """Return a task that lets a DAG go on only while a monitor is below a severity.

    ``drift_gate("flights") >> train()``; `drift.pipeline.gate.decide` is the decision, ``drift gate`` the same on the
    command line.

    Parameters
    ----------
    monitor
        The name of a monitor, the path of its file, or the monitor itself.
    severity
        ``warning`` or ``critical``: from which one on the DAG is stopped.
    otherwise
        ``fail`` the DAG, or ``skip`` what comes after the gate.
    window
        ``newest``, the last one that the monitor was run for, or ``interval``: those of this DAG's own run (its
        parameter ``window``, the asset events that triggered it, its data interval), all of which have to pass.
    no_result
        ``block`` or ``pass`` where a window has no result yet; blocked, it is retried as often as the task has
        `retries`, as the result may be on its way.
    rejected
        ``block`` or ``pass`` where the expectations rejected the window.
    max_age
        A newest window that ended longer ago than this, such as ``2d``, is not a result.
    **task_arguments
        Whatever a task takes; `task_id` is ``drift_gate_<monitor>`` by default.

    Returns
    -------
    XComArg
        Its value is a list of decisions as plain JSON, one a window.
    """
    path = isinstance(monitor, os.PathLike) or (isinstance(monitor, str) and monitor.endswith((".yaml", ".yml")))
    spec = load_monitor(monitor) if path and not isinstance(monitor, Monitor) else monitor
    name = spec.name if isinstance(spec, Monitor) else str(spec)
    age = Span.parse(max_age).nominal if isinstance(max_age, str) else max_age
    task_id = f"drift_gate_{name}"

    @task(**{"task_id": task_id, "doc_md": f"Goes on while `{name}` is below {severity}."} | task_arguments)
    def gate() -> list[dict[str, Any]]:
        store = results()
        windows: list[Window | None] = [None]
        if window == "interval":
            windows = list(windows_of(gates.stored_calendar(store, name), get_current_context()))
        decisions = [
            gates.decide(
                store,
                name,
                severity=severity,
                window=each,
                no_result=no_result,
                rejected=rejected,
                max_age=age,
                now=clock(),
            )
            for each in windows
        ]
        for decision in decisions:
            log.info("%s", decision)
        stopped = [decision for decision in decisions if not decision.cleared]
        if stopped:
            raise _stop(stopped, otherwise)
        return [decision.to_dict() for decision in decisions]

    return gate()


def _stop(stopped: list[Clearance], otherwise: str) -> AirflowException:
    words = "; ".join(map(str, stopped))
    if otherwise == "skip":
        return AirflowSkipException(words)
    # What has no result yet may have one at the next try; what drifts still drifts then.
    return AirflowFailException(words) if any(decision.final for decision in stopped) else AirflowException(words)
