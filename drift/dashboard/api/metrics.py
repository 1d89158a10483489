"""What Prometheus scrapes: ``/metrics``, in its text format 0.0.4, for whoever may read the dashboard.

How many series there are is bounded: of a monitor's features only those that drift and the `WORST` others with the
largest KL have series of their own; the rest are counted by status.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi import APIRouter, Response

import drift
from drift.dashboard.parameters import Opened
from drift.detection.scores import STATUS_ORDER
from drift.store import engine, schema
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from drift.store.store import Store

router = APIRouter()

WORST = 10
"""Features of a monitor that have series of their own although they do not drift."""

MOST = 100
"""Features of a monitor that have series of their own at most; the others are only counted."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]

_SEVERITIES = {"none": 0, "warning": 1, "critical": 2}
_RUN_STATES = (*STATUS_ORDER, "rejected", "running")


@router.get("/metrics", include_in_schema=False)
def metrics(store: Opened) -> Response:
    """Answer a scrape."""
    return Response(exposition(store), media_type=CONTENT_TYPE)


def exposition(store: Store) -> str:
    """Return every metric of a results database, as Prometheus reads it."""
    lines: list[str] = []
    for name, kind, text, samples in _families(store):
        lines += [f"# HELP {name} {_escape(text)}", f"# TYPE {name} {kind}"]
        lines += [_line(name, labels, value) for labels, value in samples]
    return "\n".join(lines) + "\n"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{key}="{_escape(text, quoted=True)}"' for key, text in labels.items())
    number = f"{value:.17g}" if math.isfinite(value) else "NaN"
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escape(text: str, *, quoted: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    # What UTF-8 cannot hold would end the whole scrape.
    return (escaped.replace('"', r"\"") if quoted else escaped).encode("utf-8", "replace").decode()


def _families(store: Store) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    with engine.reading(store.engine) as connection:
        reports = _newest(connection, schema.report)
        runs = _newest(connection, schema.run)
        counts = _counts(connection, reports)
        features = _features(connection)
        successes = _successes(connection)
        alerts = _alerts(connection)
        outbox, oldest = _outbox(connection)
    yield "drift_build_info", "gauge", "Version of Drift that answers.", [({"version": drift.__version__}, 1)]
    yield (
        "drift_run_status",
        "gauge",
        "How the run of the newest window ended: 1 for its status, 0 for the others.",
        [
            ({"monitor": monitor, "status": status}, float(run["status"] == status))
            for monitor, run in runs.items()
            for status in _RUN_STATES
        ],
    )
    finished = {m: run for m, run in runs.items() if run["started_at"] and run["finished_at"]}
    yield (
        "drift_run_duration_seconds",
        "gauge",
        "How long the run of the newest window took.",
        _each({m: (run["finished_at"] - run["started_at"]).total_seconds() for m, run in finished.items()}),
    )
    yield (
        "drift_run_last_success_timestamp_seconds",
        "gauge",
        "When a run of the monitor last ended without an error.",
        _each({m: at.timestamp() for m, at in successes.items()}),
    )
    yield (
        "drift_window_end_timestamp_seconds",
        "gauge",
        "End of the newest window that was evaluated.",
        _each({m: report["window_end"].timestamp() for m, report in reports.items()}),
    )
    yield (
        "drift_window_rows",
        "gauge",
        "Rows in the newest window.",
        _each({m: report["n_current"] for m, report in reports.items()}),
    )
    yield (
        "drift_window_kl_nats",
        "gauge",
        "Sum of the features' KL divergence D(current||reference) in the newest window.",
        _each({m: report["total_kl"] for m, report in reports.items()}),
    )
    yield "drift_window_features", "gauge", "Features of the newest window by status.", counts
    yield (
        "drift_feature_kl_nats",
        "gauge",
        f"Bias-corrected KL D(current||reference) in the newest window: of features that drift, and {WORST} others.",
        [(_of(row), row["kl_corrected"]) for row in features if row["kl_corrected"] is not None],
    )
    yield (
        "drift_feature_severity",
        "gauge",
        "What the newest window says of the same features: 0 none, 1 warning, 2 critical.",
        [(_of(row), _SEVERITIES.get(row["status"], 0)) for row in features],
    )
    yield "drift_alerts", "gauge", "Alerts by state and severity.", alerts
    yield "drift_outbox_notifications", "gauge", "Notifications by state; dead ones were given up.", outbox
    yield (
        "drift_outbox_oldest_pending_timestamp_seconds",
        "gauge",
        "When the oldest notification that is due was written.",
        [({}, oldest.timestamp())] if oldest else [],
    )


def _each(values: Mapping[str, float]) -> list[Sample]:
    return [({"monitor": monitor}, float(value)) for monitor, value in values.items()]


def _of(row: sa.RowMapping) -> dict[str, str]:
    return {"monitor": row["monitor"], "feature": row["feature"]}


def _newest(connection: sa.Connection, table: sa.Table) -> dict[str, sa.RowMapping]:
    """Return the row of the newest window of each monitor."""
    mine = table.c.segment == WHOLE if "segment" in table.c else sa.true()
    newest = sa.select(table.c.monitor, sa.func.max(table.c.window_start).label("at")).where(mine)
    one = newest.group_by(table.c.monitor).subquery()
    both = (table.c.monitor == one.c.monitor) & (table.c.window_start == one.c["at"])
    query = sa.select(table).join(one, both).where(mine).order_by(table.c.monitor)
    return {row["monitor"]: row for row in connection.execute(query).mappings()}


def _of_newest() -> sa.Subquery:
    """Return the scores of the newest window of each monitor, as a query to select from."""
    score, report = schema.score, schema.report
    newest = sa.select(report.c.monitor, sa.func.max(report.c.window_start).label("at"))
    one = newest.where(report.c.segment == WHOLE).group_by(report.c.monitor).subquery()
    both = (score.c.monitor == one.c.monitor) & (score.c.window_start == one.c["at"]) & (score.c.segment == WHOLE)
    columns = (score.c.monitor, score.c.feature, score.c.status, score.c.kl_corrected)
    return sa.select(*columns).join(one, both).subquery()


def _counts(connection: sa.Connection, monitors: Iterable[str]) -> list[Sample]:
    score = _of_newest()
    query = sa.select(score.c.monitor, score.c.status, sa.func.count()).group_by(score.c.monitor, score.c.status)
    found = {(monitor, status): count for monitor, status, count in connection.execute(query)}
    return [
        ({"monitor": monitor, "status": status}, float(found.get((monitor, status), 0)))
        for monitor in monitors
        for status in STATUS_ORDER
    ]


def _features(connection: sa.Connection) -> list[sa.RowMapping]:
    score = _of_newest()
    drifts = sa.case((score.c.status == "critical", 0), (score.c.status == "warning", 1), else_=2)
    order = (drifts, sa.func.coalesce(score.c.kl_corrected, -1).desc(), score.c.feature)
    rank = sa.func.row_number().over(partition_by=score.c.monitor, order_by=order)
    other = sa.func.row_number().over(partition_by=(score.c.monitor, drifts), order_by=order)
    each = sa.select(score, rank.label("rank"), other.label("other"), drifts.label("drifts")).subquery()
    worst = (each.c["rank"] <= MOST) & ((each.c.drifts < 2) | (each.c.other <= WORST))
    query = sa.select(each).where(worst).order_by(each.c.monitor, each.c["rank"])
    return list(connection.execute(query).mappings())


def _successes(connection: sa.Connection) -> dict[str, datetime]:
    run = schema.run
    query = sa.select(run.c.monitor, sa.func.max(run.c.finished_at)).group_by(run.c.monitor).order_by(run.c.monitor)
    ended = run.c.error.is_(None) & run.c.finished_at.is_not(None)
    return {row[0]: row[1] for row in connection.execute(query.where(ended))}


def _alerts(connection: sa.Connection) -> list[Sample]:
    alert = schema.alert
    names = ("monitor", "state", "severity")
    columns = [alert.c[name] for name in names]
    query = sa.select(*columns, sa.func.count().label("n")).group_by(*columns).order_by(*columns)
    return [({name: row[name] for name in names}, float(row["n"])) for row in connection.execute(query).mappings()]


def _outbox(connection: sa.Connection) -> tuple[list[Sample], datetime | None]:
    owed = schema.notification
    query = sa.select(owed.c.state, sa.func.count()).group_by(owed.c.state)
    found = {state: float(count) for state, count in connection.execute(query)}
    pending = (owed.c.state == "pending") & owed.c.not_before.is_(None)
    oldest = connection.execute(sa.select(sa.func.min(owed.c.created_at)).where(pending)).scalar()
    return [({"state": state}, found.get(state, 0)) for state in ("pending", "sent", "dead", "merged")], oldest
