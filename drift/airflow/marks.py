"""Marks from a DAG: a task that notes what it did on the time axis of monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


def mark(text: str, at: str | date | None = None, *, monitors: Sequence[str] = ()) -> None:
    """Mark a moment from within a task: as `drift.mark`, in the results database of the DAGs, by the task.

    Examples
    --------
    >>> from airflow.providers.standard.operators.python import PythonOperator
    >>> PythonOperator(task_id="mark", python_callable=mark, op_args=["release 214"])  # doctest: +SKIP
    """
    from drift.airflow.connections import results
    from drift.airflow.runs import clock
    from drift.pipeline import actions

    task = get_current_context()["ti"]
    actions.mark(results(), text, at=at, monitors=monitors, by=f"{task.dag_id}.{task.task_id}", now=clock())
