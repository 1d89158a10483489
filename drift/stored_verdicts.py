"""Stored verdicts: reports as they were written, and the scores of the past.

Functions over an open connection; `drift.store.Store` opens the transactions.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift import records
from drift.database import delete_others, upsert
from drift.evidence import Evidence
from drift.histograms import Histogram
from drift.scores import Past
from drift.stored_counts import load_binnings
from drift.tables import WHOLE, histogram, report, score

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from drift.binning import Binning
    from drift.records import Row
    from drift.reports import Report
    from drift.windows import Window

_ARRAYS = {"contributions", "reference_counts", "reference_summary"}


def save(connection: sa.Connection, monitor: str, found: Report, window: Window) -> None:
    """Write a report and all its verdicts in place of those the window had."""
    rows = records.score_rows(monitor, found, window)
    key = {"monitor": monitor, "segment": WHOLE, "window_start": window.start}
    upsert(connection, report, [records.report_row(monitor, found, window)])
    delete_others(connection, score, key, "feature", {verdict.feature for verdict in found.verdicts})
    upsert(connection, score, rows)


def load(connection: sa.Connection, monitor: str, since: datetime, until: datetime | None) -> list[Report]:
    """Return the reports of windows that start from `since` to `until`, both included, oldest first."""

    def chosen(table: sa.Table) -> sa.ColumnElement[bool]:
        mine = (table.c.monitor == monitor) & (table.c.segment == WHOLE) & (table.c.window_start >= since)
        return mine if until is None else mine & (table.c.window_start <= until)

    keys = ("monitor", "segment", "feature", "window_start", "fingerprint")
    both = score.outerjoin(histogram, sa.and_(*(score.c[name] == histogram.c[name] for name in keys)))
    query = sa.select(score, histogram.c.counts, histogram.c.summary).select_from(both).where(chosen(score))
    heads = connection.execute(sa.select(report).where(chosen(report)).order_by(report.c.window_start)).mappings().all()
    scores: dict[datetime, list[sa.RowMapping]] = {}
    fingerprints: set[str] = set()
    for row in connection.execute(query).mappings():
        scores.setdefault(row["window_start"], []).append(row)
        if row["counts"] is not None:
            fingerprints.add(row["fingerprint"])
    binnings = load_binnings(connection, fingerprints)
    bodies = [scores.get(head["window_start"], []) for head in heads]
    return [
        records.report_from(head, body, _evidence(body, binnings)) for head, body in zip(heads, bodies, strict=True)
    ]


def _evidence(rows: Iterable[sa.RowMapping], binnings: Mapping[str, Binning]) -> dict[str, Evidence]:
    """Put the stored counts beside the verdicts, where they still are the counts that were judged."""
    found = {}
    for row in rows:
        if row["counts"] is None or row["reference_counts"] is None:
            continue
        one = binnings[row["fingerprint"]]
        current = Histogram(one, row["counts"])
        if row["n_current"] in {None, current.n}:
            found[row["feature"]] = Evidence(
                Histogram(one, row["reference_counts"]),
                current,
                records.summary_from_dict(row["reference_summary"]),
                records.summary_from_dict(row["summary"]),
            )
    return found


def scores(
    connection: sa.Connection,
    monitor: str,
    *,
    feature: str | None,
    since: datetime | None,
    until: datetime | None,
    windows: int | None,
    limit: int | None,
) -> list[Row]:
    """Return scores without their arrays, oldest window first."""
    chosen = (score.c.monitor == monitor) & (score.c.segment == WHOLE)
    if feature is not None:
        chosen &= score.c.feature == feature
    if since is not None:
        chosen &= score.c.window_start >= since
    if until is not None:
        chosen &= score.c.window_start < until
    if windows is not None:
        chosen &= score.c.window_start >= _oldest_of(sa.select(score.c.window_start).where(chosen).distinct(), windows)
    query = (
        sa.select(*(column for column in score.c if column.name not in _ARRAYS))
        .where(chosen)
        .order_by(score.c.window_start.desc(), score.c.position.desc())
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()][::-1]


def history(
    connection: sa.Connection, monitor: str, features: Collection[str], before: datetime, limit: int
) -> dict[str, list[Past]]:
    """Return what is remembered of each feature in the newest `limit` windows before one, newest last."""
    past = [field.name for field in fields(Past)]
    earlier = (report.c.monitor == monitor) & (report.c.segment == WHOLE) & (report.c.window_start < before)
    # A bound on the windows and a scan of an index, rather than a rank of every score there ever was.
    oldest = _oldest_of(sa.select(report.c.window_start).where(earlier), limit)
    mine = (score.c.monitor == monitor) & (score.c.segment == WHOLE) & score.c.kl.is_not(None)
    query = (
        sa.select(score.c.feature, *(score.c[name] for name in past))
        .where(mine, score.c.window_start >= oldest, score.c.window_start < before)
        .order_by(score.c.window_start)
    )
    found: dict[str, list[Past]] = {feature: [] for feature in features}
    for feature, *values in connection.execute(query):
        if feature in found:
            found[feature].append(Past(*values))
    return found


def _oldest_of(starts: sa.Select[Any], count: int) -> sa.ScalarSelect[Any]:
    newest = starts.order_by(sa.desc("window_start")).limit(count).subquery()
    return sa.select(sa.func.min(newest.c.window_start)).scalar_subquery()
