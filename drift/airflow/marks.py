"""Marks from a DAG: a task, or a callback, that notes what happened on the time axis of monitors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


def mark(text: str, at: str | date | None = None, *, monitors: Sequence[str] = ()) -> None:
    """Mark a moment: as `drift.mark`, in the results database of the DAGs, by the task that runs, if one does.

    Examples
    --------
    >>> from airflow.providers.standard.operators.python import PythonOperator
    >>> PythonOperator(task_id="mark", python_callable=mark, op_args=["release 214"])  # doctest: +SKIP
    """
    from drift.airflow.connections import results
    from drift.airflow.runs import clock
    from drift.pipeline import actions

    by = "Airflow"
    # A callback of a DAG runs without a task.
    with suppress(RuntimeError):
        task = get_current_context()["ti"]
        by = f"{task.dag_id}.{task.task_id}"
    actions.mark(results(), text, at=at, monitors=monitors, by=by, now=clock())
