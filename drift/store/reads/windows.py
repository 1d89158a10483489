"""The windows of monitors, and the scores of their features, aggregated in the database, so that pages stay small."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from drift.detection.scores import STATUS_ORDER
from drift.profiles.binning import CategoricalBinning
from drift.profiles.segments import names_of
from drift.store import engine, schema
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.store.store import Store

    Row = dict[str, Any]

Order = Literal["worst", "recent", "name"]
Having = Literal["any", "drifting", "critical", "unscored"]

_HAVING: dict[str, tuple[str, ...]] = {
    "drifting": ("warning", "critical"),
    "critical": ("critical",),
    "unscored": ("insufficient_data", "not_comparable", "error"),
}

_REPORT = (
    *("label", "reference", "gate", "status", "n_reference", "n_current"),
    *("n_features", "n_judged", "n_drifting", "total_kl", "findings"),
)
_STAMP = ("status", "n_judged", "n_drifting", "total_kl")
"""What in a report's head differs where the report was written anew."""
_RUN = ("status", "config_hash", "started_at", "finished_at", "error", "url")
_CELL = (
    *("feature", "window_start", "status", "severity", "reason", "warning", "critical", "scale"),
    *("kl", "size", "kl_corrected", "ci_low", "ci_high", "n_reference", "n_current"),
)


@dataclass(frozen=True, slots=True)
class WindowState:
    """One window of a monitor: the rows of its run and of the head of its report, empty where there is none.

    The status is the report's, or ``failed`` (the run ended with an error), ``running``, ``absent``.
    """

    monitor: str
    start: datetime
    end: datetime
    status: str
    report: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Share of the judged features that drift; None where nothing was judged."""
        judged = self.report.get("n_judged")
        return self.report["n_drifting"] / judged if judged else None


def status_of(report: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return the one word for a window.

    Examples
    --------
    >>> status_of({"status": "rejected"}, {"status": "rejected", "error": None})
    'rejected'
    >>> status_of({}, {"status": "error", "error": "the warehouse does not answer"})
    'failed'
    """
    if run.get("status") == "running":
        return "running"
    if run.get("error"):
        return "failed"
    return str(report.get("status") or run.get("status") or "absent")


def window_states(
    store: Store,
    monitor: str,
    *,
    windows: int,
    until: datetime | None = None,
    at: datetime | None = None,
    segment: str = WHOLE,
) -> list[WindowState]:
    """Return the newest windows of a monitor, oldest first: those that start before `until`, or the one that does `at`.

    The reports are those of whole windows, or of one segment.
    """
    return _states(store, monitor, windows, until, at, segment).get(monitor, [])


def newest_windows(store: Store, *, windows: int, until: datetime) -> dict[str, list[WindowState]]:
    """Return the newest windows of each monitor that start before `until`, oldest first."""
    return _states(store, None, windows, until, None, WHOLE)


def _states(
    store: Store, monitor: str | None, windows: int, until: datetime | None, at: datetime | None, segment: str
) -> dict[str, list[WindowState]]:
    asked = monitor, windows, until, at, segment
    with engine.reading(store.engine) as connection:
        reports = _newest(connection, schema.report, _REPORT, *asked)
        runs = _newest(connection, schema.run, _RUN, *asked)
    found: dict[str, list[WindowState]] = {}
    for name, start in sorted({*reports, *runs}):
        report, run = reports.get((name, start), {}), runs.get((name, start), {})
        end = (report or run)["window_end"]
        found.setdefault(name, []).append(WindowState(name, start, end, status_of(report, run), report, run))
    return {name: states[-windows:] for name, states in found.items()}


def _newest(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    monitor: str | None,
    count: int,
    until: datetime | None,
    at: datetime | None,
    segment: str,
) -> dict[tuple[str, datetime], Row]:
    mine = table.c.segment == segment if "segment" in table.c else sa.true()
    rank = sa.func.row_number().over(partition_by=table.c.monitor, order_by=table.c.window_start.desc())
    query = sa.select(table.c.monitor, table.c.window_start, rank.label("rank")).where(mine)
    if monitor is not None:
        query = query.where(table.c.monitor == monitor)
    if until is not None:
        query = query.where(table.c.window_start < until)
    if at is not None:
        query = query.where(table.c.window_start == at)
    ranked = query.subquery()
    same = (table.c.monitor == ranked.c.monitor) & (table.c.window_start == ranked.c.window_start)
    columns = [table.c[name] for name in ("monitor", "window_start", "window_end", *names)]
    chosen = sa.select(*columns).join(ranked, same).where(ranked.c.rank <= count, mine)
    rows = [dict(row) for row in connection.execute(chosen).mappings()]
    return {(row["monitor"], row["window_start"]): row for row in rows}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which features of a monitor a reader wants to see, and in what order.

    ``worst`` orders by status, then by the divergence over its threshold; ``recent`` by the last window that drifted.
    `match` is part of a name, whatever its case; `having` keeps what is so in at least one of the windows.
    """

    order: Order = "worst"
    match: str = ""
    having: Having = "any"
    segment: str = WHOLE


def segments(store: Store, monitor: str) -> list[str]:
    """Return the segments that a monitor cuts its windows into, of every kind, the largest first and the rest last."""
    cuts = store.segmentations(monitor).items()
    return [
        name
        for key, cut in cuts
        if isinstance(cut, CategoricalBinning) and cut.levels
        for name in names_of(key, cut.levels)
    ]


def features(
    store: Store, monitor: str, wanted: Wanted, states: Sequence[WindowState], *, limit: int, offset: int = 0
) -> tuple[list[str], int]:
    """Return one page of a monitor's features, in the order asked for in some windows, and how many there are.

    The order is remembered as long as nothing in these windows has changed: how each run ended, and each report's head.
    """
    if not states:
        return [], 0
    heads = tuple((m.start, m.status, m.run.get("finished_at"), *map(m.report.get, _STAMP)) for m in states)
    names = _ordered(store, monitor, wanted, heads)
    return list(names[offset : offset + limit]), len(names)


@lru_cache(maxsize=64)
def _ordered(store: Store, monitor: str, wanted: Wanted, heads: tuple[tuple[Any, ...], ...]) -> tuple[str, ...]:
    """Ask for all features in order; what is looked at stands in one index, which the rows themselves do not slow."""
    score = schema.score
    worst = sa.func.min(sa.case(STATUS_ORDER, value=score.c.status, else_=len(STATUS_ORDER)))
    ratio = sa.func.coalesce(sa.func.max(score.c.size / score.c.critical), -1.0)
    drifted = sa.func.max(sa.case((score.c.status.in_(_HAVING["drifting"]), score.c.window_start)))
    chosen = (
        (score.c.monitor == monitor)
        & (score.c.segment == wanted.segment)
        & (score.c.window_start >= heads[0][0])
        & (score.c.window_start <= heads[-1][0])
    )
    if wanted.match:
        chosen &= score.c.feature.icontains(wanted.match, autoescape=True)
    orders: dict[Order, list[Any]] = {
        "worst": [worst, ratio.desc()],
        "recent": [drifted.is_(None), drifted.desc(), worst, ratio.desc()],
        "name": [],
    }
    query = sa.select(score.c.feature).where(chosen).group_by(score.c.feature)
    if wanted.having != "any":
        query = query.having(sa.func.max(sa.case((score.c.status.in_(_HAVING[wanted.having]), 1), else_=0)) == 1)
    with engine.reading(store.engine) as connection:
        return tuple(connection.execute(query.order_by(*orders[wanted.order], score.c.feature)).scalars())


def heatmap(
    store: Store, monitor: str, names: Sequence[str], *, since: datetime, until: datetime, segment: str = WHOLE
) -> dict[tuple[str, datetime], sa.Row[Any]]:
    """Return what the heatmap shows of some features, by feature and start of the window."""
    score = schema.score
    query = sa.select(*(score.c[name] for name in _CELL)).where(
        score.c.monitor == monitor,
        score.c.segment == segment,
        score.c.feature.in_(names),
        score.c.window_start >= since,
        score.c.window_start <= until,
    )
    with engine.reading(store.engine) as connection:
        return {(row.feature, row.window_start): row for row in connection.execute(query).all()}


def expectations(store: Store, monitor: str, *, since: datetime) -> list[Row]:
    """Return how each expectation fared in the windows from `since` on, failing ones first.

    Each is its newest failure's row, or else its newest row, with ``windows``, ``failures``, ``last_failure``.
    """
    table = schema.validation
    chosen = (table.c.monitor == monitor) & (table.c.window_start >= since)
    failed = sa.case((table.c.success, 0), else_=1)
    query = (
        sa.select(
            table.c.key,
            sa.func.count().label("windows"),
            sa.func.sum(failed).label("failures"),
            sa.func.max(sa.case((sa.not_(table.c.success), table.c.window_start))).label("last_failure"),
            sa.func.max(table.c.window_start).label("newest"),
        )
        .where(chosen)
        .group_by(table.c.key)
    )
    with engine.reading(store.engine) as connection:
        counts = connection.execute(query).mappings().all()
        wanted = [(row["key"], row["last_failure"] or row["newest"]) for row in counts]
        shown = {
            (row["key"], row["window_start"]): dict(row)
            for row in connection.execute(
                sa.select(table).where(
                    table.c.monitor == monitor, table.c.window_start.in_({start for _, start in wanted})
                )
            ).mappings()
        }
    rows = [shown[key] | dict(row) for key, row in zip(wanted, counts, strict=True)]
    return sorted(rows, key=lambda row: (-row["failures"], row["key"]))


def newest_window(store: Store) -> datetime | None:
    """Return the start of the newest window ever run; asks the database for as little as can be."""
    with engine.reading(store.engine) as connection:
        found = connection.execute(sa.select(sa.func.max(schema.run.c.window_start))).scalar()
    return found.astimezone(UTC) if found else None
