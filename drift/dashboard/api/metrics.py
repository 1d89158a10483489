"""What Prometheus scrapes: ``/metrics``, in its text format 0.0.4, for whoever may read the dashboard.

How many series there are is bounded: of a monitor's features only those that drift and the `WORST` others with the
largest KL have series of their own; the rest are counted by status. Of its pairs of columns only those that stray have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import drift
from drift.dashboard.parameters import Opened
from drift.detection.scores import SEVERITY_RANK, STATUS_ORDER, ReportStatus
from drift.store.reads.metrics import health

if TYPE_CHECKING:
    from drift.store.reads.metrics import Health
    from drift.store.store import Store

router = APIRouter()

WORST = 10
"""Features of a monitor that have series of their own although they do not drift."""

MOST = 100
"""Features of a monitor that have series of their own at most; the others are only counted."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_RUN_STATES = (*get_args(ReportStatus), "running")
_OUTBOX_STATES = ("pending", "sent", "dead", "merged")


@router.get("/metrics", include_in_schema=False)
def metrics(store: Opened) -> Response:
    """Answer a scrape."""
    return Response(exposition(store), media_type=CONTENT_TYPE)


def exposition(store: Store) -> str:
    """Return every metric of a results database, as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(_Stored(store))
    return generate_latest(registry).decode()


class _Stored(Collector):
    """Collects what is stored, each time it is asked."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name nothing beforehand, so that registering asks the database for nothing."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = health(self.store, most=MOST, worst=WORST, now=datetime.now(UTC))
        yield _gauge("drift_build_info", "Version of Drift that answers.", ("version",), [((drift.__version__,), 1)])
        yield from _of_windows(found)
        yield from _of_features(found)
        yield from _of_pairs(found)
        alerts = ("monitor", "state", "severity")
        yield _gauge("drift_alerts", "Alerts by state and severity.", alerts, found.alerts.items())
        waiting = {(state,): found.notifications.get(state, 0) for state in _OUTBOX_STATES}
        text = "Notifications by state; dead ones were given up."
        yield _gauge("drift_outbox_notifications", text, ("state",), waiting.items())
        text = "When the oldest notification that is due was written."
        oldest = [((), found.oldest.timestamp())] if found.oldest else []
        yield _gauge("drift_outbox_oldest_pending_timestamp_seconds", text, (), oldest)


def _of_windows(found: Health) -> Iterator[GaugeMetricFamily]:
    text = "How the run of the newest window ended: 1 for its status, 0 for the others."
    states = {(m, status): run["status"] == status for m, run in found.runs.items() for status in _RUN_STATES}
    yield _gauge("drift_run_status", text, ("monitor", "status"), states.items())
    took = {
        m: (run["finished_at"] - run["started_at"]).total_seconds()
        for m, run in found.runs.items()
        if run["started_at"] and run["finished_at"]
    }
    each = {
        "drift_run_duration_seconds": ("How long the run of the newest window took.", took),
        "drift_run_last_success_timestamp_seconds": (
            "When a run of the monitor last ended without an error.",
            {m: at.timestamp() for m, at in found.successes.items()},
        ),
        "drift_window_end_timestamp_seconds": (
            "End of the newest window that was evaluated.",
            {m: report["window_end"].timestamp() for m, report in found.reports.items()},
        ),
        "drift_window_rows": (
            "Rows in the newest window.",
            {m: report["n_current"] for m, report in found.reports.items()},
        ),
        "drift_window_kl_nats": (
            "Sum of the features' KL divergence D(current||reference) in the newest window.",
            {m: report["total_kl"] for m, report in found.reports.items()},
        ),
    }
    for name, (text, values) in each.items():
        yield _gauge(name, text, ("monitor",), [((monitor,), value) for monitor, value in values.items()])


def _of_features(found: Health) -> Iterator[GaugeMetricFamily]:
    statuses = {(m, status): found.statuses.get((m, status), 0) for m in found.reports for status in STATUS_ORDER}
    text = "Features of the newest window by status."
    yield _gauge("drift_window_features", text, ("monitor", "status"), statuses.items())
    of = ("monitor", "feature")
    kl = {(row["monitor"], row["feature"]): row["kl_corrected"] for row in found.features}
    text = f"Bias-corrected KL D(current||reference) in the newest window: of features that drift, and {WORST} others."
    yield _gauge("drift_feature_kl_nats", text, of, [(key, nats) for key, nats in kl.items() if nats is not None])
    severities = {(row["monitor"], row["feature"]): SEVERITY_RANK.get(row["status"], 0) for row in found.features}
    text = "The severity of the same features in the newest window: 0 none, 1 warning, 2 critical."
    yield _gauge("drift_feature_severity", text, of, severities.items())


def _of_pairs(found: Health) -> Iterator[GaugeMetricFamily]:
    judged = {m: report["n_pairs"] * (not report["unjudged_pairs"]) for m, report in found.reports.items()}
    states = {(m, "judged"): n for m, n in judged.items()} | {(m, "strays"): found.strays.get(m, 0) for m in judged}
    text = "Pairs of columns of the newest window: judged, and those that no longer go together as they did."
    yield _gauge("drift_window_pairs", text, ("monitor", "state"), states.items())
    text = "Bias-corrected D(p||q*) of the pairing alone in the newest window, of the pairs that stray."
    of = ("monitor", "column", "first", "second")
    kl = [(tuple(pair[name] for name in _OF_PAIR), pair["kl_corrected"]) for pair in found.pairs]
    yield _gauge("drift_pair_kl_nats", text, of, kl)


_OF_PAIR = ("monitor", "named", "first_column", "second_column")


def _gauge(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values:
        # What UTF-8 cannot hold would end the whole scrape.
        family.add_metric([label.encode("utf-8", "replace").decode() for label in key], float(value))
    return family
