"""Drift in Airflow: one DAG a monitor, a gate for other DAGs, and nothing of Airflow anywhere else.

    from drift.airflow import load_monitors  # one DAG for each file
    globals().update(load_monitors("/opt/airflow/dags/monitors"))

(Airflow only looks into files that hold both words, "airflow" and "dag": keep the comment.)

XCom carries window keys and statuses, never data. The window comes from the run's data interval and the monitor's own
calendar, so scheduled runs, manual runs, backfills and clears all compute exactly the same.
docs/how-to/airflow.md is the guide.
"""

from __future__ import annotations

from drift.airflow.connections import DATABASE, connection_url, route_url
from drift.airflow.dags import load_monitors, monitor_dag
from drift.airflow.failures import DriftNotifier
from drift.airflow.gate import drift_gate
from drift.airflow.marks import mark
from drift.airflow.plugin import DriftPlugin
from drift.airflow.runs import run_windows
from drift.airflow.tasks import monitor_asset
from drift.pipeline.freshness import Wait

__all__ = [
    "DATABASE",
    "DriftNotifier",
    "DriftPlugin",
    "Wait",
    "connection_url",
    "drift_gate",
    "load_monitors",
    "mark",
    "monitor_asset",
    "monitor_dag",
    "route_url",
    "run_windows",
]
