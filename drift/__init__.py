"""Drift: data-drift monitoring you can trust to wake you.

KL divergence D(current‖reference) of every feature, in nats, with its sampling error::

    import drift
    report = drift.compare(reference, current)     # DataFrames, Arrow tables or paths
    print(report)
    report["price"].status, report.explain("price")

    drift.backfill("monitors/orders.yaml")         # every window that the data have
    drift.run("monitors/orders.yaml")              # the last window that is over: alerts, notifications
    drift.history("monitors/orders.yaml", "price")

The house, a room for each stage. A room imports only from those above it (`make lint` proves it)::

    errors, windows   words for failure and for time
    text/             how numbers, dates, labels and log lines are written
    config/           what a person writes, checked as a whole before anything runs
    profiles/         rows become counts that add up
    statistics/       the mathematics: arrays in, arrays out
    sources/          one window of rows, wherever it lies, and whether it is fit to be counted
    detection/        two sets of counts become a verdict, with its error and its reason
    alerts/           verdicts become alerts, alerts become messages that arrive
    store/            the results database; the only room that knows a table
    pipeline/         the stages of a run, and the only place that knows their order
    dashboard/        a browser's door
    airflow/          a scheduler's door; the only room that imports Airflow
    cli/              a shell's door

Public are the names below, `drift.statistics`, `drift.airflow` and `drift.dashboard`; all else may change. Heavy
modules are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drift.config.detection import Detection
    from drift.config.features import Features
    from drift.config.monitor import Monitor, load_monitor
    from drift.detection.reports import Report
    from drift.errors import DriftError
    from drift.pipeline.compare import compare
    from drift.pipeline.interactive import backfill, history, mark, run

__version__ = "0.1.0"

__all__ = [
    "Detection",
    "DriftError",
    "Features",
    "Monitor",
    "Report",
    "__version__",
    "backfill",
    "compare",
    "history",
    "load_monitor",
    "mark",
    "run",
]

_HOMES = {
    "compare": "pipeline.compare",
    "Detection": "config.detection",
    "Features": "config.features",
    "Monitor": "config.monitor",
    "load_monitor": "config.monitor",
    "DriftError": "errors",
    "Report": "detection.reports",
    "run": "pipeline.interactive",
    "backfill": "pipeline.interactive",
    "history": "pipeline.interactive",
    "mark": "pipeline.interactive",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"drift.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'drift' has no attribute {name!r}")
