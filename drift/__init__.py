"""Drift: data-drift monitoring you can trust to wake you.

KL divergence D(current‖reference) of every feature, in nats, with its sampling error::

    import drift
    report = drift.compare(reference, current)     # DataFrames, Arrow tables or paths
    print(report)
    report["price"].status, report.explain("price")

Everything heavier is loaded when it is first asked for.
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

__version__ = "0.1.0"

__all__ = ["Detection", "DriftError", "Features", "Monitor", "Report", "__version__", "compare", "load_monitor"]

_HOMES = {
    "compare": "pipeline.compare",
    "Detection": "config.detection",
    "Features": "config.features",
    "Monitor": "config.monitor",
    "load_monitor": "config.monitor",
    "DriftError": "errors",
    "Report": "detection.reports",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"drift.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'drift' has no attribute {name!r}")
