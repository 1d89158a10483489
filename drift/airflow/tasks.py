"""What the tasks of a monitor's DAG do: the stages of `drift.pipeline.run`, with a run of Airflow around them."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context

from drift.airflow import openlineage
from drift.airflow.connections import route_url
from drift.airflow.failures import call_back, recording
from drift.airflow.runs import clock, forced, from_keys, log_url, open_context, pages, upstream, watched_windows
from drift.text import logs
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.pipeline.context import Context

log = logs.logger(__name__)

NOISY = ("great_expectations", "alembic", "sqlalchemy", "apprise", "ibis", "pyarrow", "fsspec")
"""Libraries whose informational messages are kept out of the log of a task; their warnings stay."""

MOST_NAMED = 50
"""How many drifting features an asset's extra names, the worst first."""


def monitor_asset(monitor: str) -> Asset:
    """Return the asset that a monitor's DAG emits: schedule a DAG on it, and it follows the monitor.

    Its events carry the outcome in their extra (`outcome`).
    """
    return Asset(name=f"drift/{monitor}", uri=f"drift://monitor/{monitor}")


def outcome(report: Report, run_context: Context, status: str, *, notified: int = 0) -> dict[str, Any]:
    """Return what an asset event says about a window, as plain JSON; people were notified of `notified` alerts."""
    live = run_context.store.alerts(report.monitor, ["open", "acknowledged"])
    return {
        "monitor": report.monitor,
        "dataset": openlineage.dataset(run_context.monitor.source, run_context.source.url, folder=str(Path.cwd())),
        "window": report.window.key if report.window else None,
        "label": report.label,
        "status": status,
        "severity": "critical" if report.gate == "rejected" else report.severity,
        "drifting": [verdict.feature for verdict in report.drifting[:MOST_NAMED]],
        "share_drifting": round(report.share_drifting, 4),
        "segments": [f"{v.feature} in {name}" for name, one in report.segments.items() for v in one.drifting][
            :MOST_NAMED
        ],
        "rows": report.n_current,
        "gate": report.gate,
        "alerts": {severity: sum(a.severity == severity for a in live) for severity in ("warning", "critical")},
        "notified": notified,
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the chatter of libraries out of the log."""
    before = {name: logging.getLogger(name).level for name in NOISY}
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@quiet()
def plan(spec: Monitor) -> dict[str, list[str]]:
    """Find the windows of the run, and what of them and their references was never gated."""
    from drift.pipeline import run

    context = get_current_context()
    run_context, now = open_context(spec), clock()
    windows = watched_windows(spec, context)
    url, updates = log_url(context), upstream(context)
    todo: dict[str, None] = {}
    with recording(run_context, windows):
        for window in windows:
            run_context.store.save_run_started(
                run_context.name, window, spec.config_hash, now, url=url, upstream=updates
            )
            run.check_columns(run_context, [window])
            planned = run.plan(run_context, window, now=now, force=forced(context))
            todo |= dict.fromkeys(w.key for w in planned.to_validate)
            log.info(
                "%s %s: %d of %d windows were never gated",
                *(spec.name, run_context.label(window), len(planned.to_validate), len(run_context.needed(window))),
            )
    return {"windows": [w.key for w in windows], "validate": list(todo)}


@quiet()
def validate(spec: Monitor, planned: Mapping[str, Sequence[str]]) -> list[str]:
    """Validate windows."""
    from drift.pipeline import run

    run_context, windows = open_context(spec), from_keys(planned["windows"])
    with recording(run_context, windows):
        decided = run.validate(run_context, from_keys(planned["validate"]), windows, now=clock())
    for window, gate in decided.items():
        log.info("%s %s: %s", spec.name, run_context.label(window), gate.replace("_", " "))
    return list(planned["windows"])


@quiet()
def baseline(spec: Monitor, keys: Sequence[str]) -> list[str]:
    """Fit the bins where there are none, and list what has to be counted."""
    from drift.pipeline import fit, run

    run_context, windows = open_context(spec), from_keys(keys)
    missing: dict[str, None] = {}
    with recording(run_context, windows):
        for window in windows:
            binnings = fit.ensure_baseline(run_context, window, now=clock(), by="airflow")
            uncounted = run.to_profile(run_context, window, force=forced(get_current_context()))
            missing |= dict.fromkeys(w.key for w in uncounted)
            log.info(
                "%s %s: %d features have bins; %d windows to count",
                *(spec.name, run_context.label(window), len(binnings), len(uncounted)),
            )
    return list(missing)


@quiet()
def profile(spec: Monitor, key: str) -> str:
    """Count one window."""
    from drift.pipeline import fit, run

    context = get_current_context()
    run_context, window, current = open_context(spec), Window.from_key(key), watched_windows(spec, context)
    label = run_context.label(window)
    context["window_label"] = label  # type: ignore[typeddict-unknown-key]
    with recording(run_context, current), fit.sparing(run_context, window, current, now=clock()):
        counted = run.profile_window(run_context, window, now=clock())
        log.info("%s %s: %s rows, %d features", spec.name, label, f"{counted.n_rows:,}", len(counted.histograms))
    return key


@quiet()
def evaluate(spec: Monitor, planned: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Score the windows; the log ends with the table."""
    from drift.pipeline import evaluate as evaluation

    run_context, windows = open_context(spec), from_keys(planned["windows"])
    statuses: dict[str, str] = {}
    with recording(run_context, windows):
        for window in windows:
            report = evaluation.evaluate_window(run_context, window)
            statuses[window.key] = report.status
            log_report(report)
    return statuses


@quiet()
def notify(spec: Monitor, keys: Sequence[str], asset: Asset, on_alert: Sequence[Callable[[Any], Any]]) -> None:
    """Advance the alerts, end the run, emit the asset, and send what is pending."""
    from drift.alerts import delivery
    from drift.pipeline import notify as notifications
    from drift.pipeline.recall import recall

    context = get_current_context()
    run_context, windows = open_context(spec), from_keys(keys)
    page, url = pages(context), log_url(context)
    found = []
    with recording(run_context, windows):
        for window in windows:
            report = recall(run_context, window)
            status = report.status
            changes = notifications.notify_window(run_context, report, now=clock(), page=page, run_url=url)
            run_context.store.save_run_finished(run_context.name, window, status, clock(), reference=report.reference)
            found.append(outcome(report, run_context, status, notified=len(changes.notices)))
            call_back(on_alert, context, run_context, report, changes, url)
            log_report(report)
        if page:
            notifications.remind(run_context, now=clock())
        sent = delivery.deliver(run_context.store, clock(), route_url)
    if found:
        # One event a run: it says what the newest window came to, and names the others.
        newest = max(found, key=lambda one: one["window"])
        context["outlet_events"][asset].extra = newest | {"windows": [one["window"] for one in found]}
        alerts = newest["alerts"]
        log.info("open alerts: %d critical, %d warning; %s", alerts["critical"], alerts["warning"], sent)


def log_report(report: Report) -> None:
    """Log a report line by line, as Airflow shows each line by itself."""
    for line in str(report).splitlines():
        log.info("%s", line)
