"""Reports as they were written, and the scores of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.detection.evidence import Evidence
from drift.detection.scores import Past
from drift.errors import StoreError
from drift.profiles.histograms import Histogram
from drift.profiles.refinement import under
from drift.store import rows as to_rows
from drift.store.baselines import load_binnings, save_binnings, segment_names
from drift.store.engine import Part, delete_others, insert_new, matches, reads, rows_of, upsert, writes
from drift.store.schema import EVER, NEVER, WHOLE, histogram, measured, relationship, report, score

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from drift.detection.pair import PairMeasured
    from drift.detection.relationships import Measured
    from drift.detection.reports import Report
    from drift.detection.scores import ReportStatus
    from drift.profiles.binning import Binning
    from drift.store.rows import Row

_ARRAYS = {"contributions", "reference_counts", "reference_summary"}


class Reports(Part):
    """The part of the store that knows reports, scores and what a feature scored before."""

    __slots__ = ()

    @writes
    def save_report(self, connection: sa.Connection, monitor: str, found: Report) -> None:
        """Write every verdict of a window and of its segments, in place of those it had.

        Where a number is infinite or NaN nothing is written.
        """
        window = found.window
        if window is None:
            raise StoreError(f"a report of {monitor} has no window, and only windows are stored")
        parts = [found, *found.segments.values()]
        rows = [row for part in parts for row in to_rows.score_rows(monitor, part, window)]
        key = {"monitor": monitor, "window_start": window.start}
        heads = [to_rows.report_row(monitor, part, window) for part in parts]
        if insert_new(connection, report, heads[0]):
            upsert(connection, report, heads[1:])
        else:
            upsert(connection, report, heads)
            delete_others(connection, report, key, "segment", {part.segment for part in parts})
            for part in parts:
                features = {verdict.feature for verdict in part.verdicts}
                delete_others(connection, score, {**key, "segment": part.segment}, "feature", features)
            connection.execute(sa.delete(relationship).where(matches(relationship, key)))
            if not found.measured:
                connection.execute(sa.delete(measured).where(matches(measured, key)))
        upsert(connection, score, rows)
        upsert(connection, relationship, to_rows.relationship_rows(monitor, found, window))
        if found.measured:
            upsert(connection, measured, [to_rows.measured_row(monitor, found.measured)])
        pairs = [each.current for part in parts for each in part.evidence.values()]
        finer = [current.binning for current in pairs if current.binning != current.whole().binning]
        if finer:
            save_binnings(connection, finer)

    def load_report(self, monitor: str, window_start: datetime, *, evidence: bool = True) -> Report | None:
        """Return the report of the window that starts then, as it was written; None where there is none.

        Who asks for no words of what moved does without the evidence, which takes longer than all the rest.
        """
        found = self.load_reports(monitor, since=window_start, until=window_start, evidence=evidence)
        return next(iter(found), None)

    @reads
    def load_reports(
        self,
        connection: sa.Connection,
        monitor: str,
        *,
        since: datetime,
        until: datetime | None = None,
        evidence: bool = True,
    ) -> list[Report]:
        """Return the reports of the windows that start from `since` to `until`, both included, oldest first.

        Evidence comes with the verdicts whose histograms are still stored, or with none.
        """
        names = segment_names(connection, monitor)
        asked = {"monitor": monitor, "since": since, "until": until, "segments": names}
        queries = _reports(until is not None, evidence)
        heads, bodies, strays = (connection.execute(query, asked).mappings().all() for query in queries)
        scores: dict[tuple[datetime, str], list[sa.RowMapping]] = {}
        fingerprints: set[str] = set()
        for row in bodies:
            scores.setdefault((row["window_start"], row["segment"]), []).append(row)
            if evidence and row["counts"] is not None:
                fingerprints |= {row["fingerprint"], row["counted_as"]}
        binnings = load_binnings(connection, fingerprints)
        wholes: list[Report] = []
        segments: dict[datetime, dict[str, Report]] = {}
        for head in heads:
            start, segment = head["window_start"], head["segment"]
            body = scores.get((start, segment), [])
            broken = [row for row in strays if (row["window_start"], row["segment"]) == (start, segment)]
            one = to_rows.report_from(head, body, _evidence(body, binnings) if evidence else {}, broken)
            if segment == WHOLE:
                wholes.append(one)
            else:
                segments.setdefault(start, {})[segment] = one
        order = {name: place for place, name in enumerate(names)}
        return [
            replace(one, segments=dict(sorted(segments[one.window.start].items(), key=lambda item: order[item[0]])))
            if one.window and one.window.start in segments
            else one
            for one in wholes
        ]

    @reads
    def report_statuses(
        self, connection: sa.Connection, monitor: str, *, since: datetime, until: datetime | None = None
    ) -> dict[datetime, ReportStatus]:
        """Return the status of each report that `load_reports` would return, by the start of its window."""
        asked = {"monitor": monitor, "segment": WHOLE, "since": since, "until": until or NEVER}
        return {row.window_start: row.status for row in connection.execute(_STATUSES, asked)}

    @reads
    def reports(
        self, connection: sa.Connection, monitor: str, limit: int | None = 100, *, over_at: datetime | None = None
    ) -> list[Row]:
        """Return the heads of the newest reports of a monitor, without their scores, newest first.

        With `over_at` only those of windows that are over then.
        """
        mine = (report.c.monitor == monitor) & (report.c.segment == WHOLE)
        if over_at is not None:
            mine &= report.c.window_end <= over_at
        return rows_of(connection, sa.select(report).where(mine).order_by(report.c.window_start.desc()).limit(limit))

    @reads
    def scores(
        self,
        connection: sa.Connection,
        monitor: str,
        *,
        feature: str | None = None,
        segment: str = WHOLE,
        since: datetime | None = None,
        until: datetime | None = None,
        windows: int | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """Return stored scores, oldest window first, without the arrays.

        Of one feature, of the windows that start in ``[since, until)``, or of as many of the newest windows or
        rows (`limit`).
        """
        chosen = (score.c.monitor == monitor) & (score.c.segment == segment)
        if feature is not None:
            chosen &= score.c.feature == feature
        if since is not None:
            chosen &= score.c.window_start >= since
        if until is not None:
            chosen &= score.c.window_start < until
        if windows is not None:
            starts = sa.select(score.c.window_start).where(chosen).distinct()
            chosen &= score.c.window_start >= _oldest_of(starts, windows)
        query = (
            sa.select(*(column for column in score.c if column.name not in _ARRAYS))
            .where(chosen)
            .order_by(score.c.window_start.desc(), score.c.position.desc())
            .limit(limit)
        )
        return rows_of(connection, query)[::-1]

    @reads
    def history(
        self,
        connection: sa.Connection,
        monitor: str,
        features: Collection[str],
        *,
        before: datetime,
        limit: int = 56,
        segment: str = WHOLE,
    ) -> dict[str, list[Past]]:
        """Return what each feature scored in the windows before the one that starts at `before`, newest last.

        Of the newest `limit` windows; those in which a feature has no score are left out.
        """
        found: dict[str, list[Past]] = {feature: [] for feature in features}
        asked = {"monitor": monitor, "segment": segment, "before": before, "newest": limit}
        for feature, *values in connection.execute(_HISTORY, asked).all():
            if feature in found:
                found[feature].append(Past._make(values))
        return found

    @reads
    def measured(self, connection: sa.Connection, monitor: str, *, before: datetime, limit: int = 56) -> list[Measured]:
        """Return what the pairs were measured at in the newest windows before one, newest last."""
        return _measured(connection, monitor, None, before, limit)

    @reads
    def measured_in(self, connection: sa.Connection, monitor: str, window_start: datetime) -> Measured | None:
        """Return what the pairs of the window that starts then were measured at; None where they were not."""
        newest = _measured(connection, monitor, window_start, window_start + timedelta.resolution, 1)
        return next(iter(newest), None)

    @reads
    def pair_history(
        self,
        connection: sa.Connection,
        monitor: str,
        a: str,
        b: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 56,
    ) -> list[PairMeasured]:
        """Return what a pair was measured at in the newest windows that start in ``[since, until)``, newest last."""
        found = _measured(connection, monitor, since, until, limit)
        return [one.of(a, b) for one in found if {a, b} <= {*one.columns}]


def _measured(
    connection: sa.Connection, monitor: str, since: datetime | None, until: datetime | None, limit: int
) -> list[Measured]:
    """Return what the pairs were measured at in the newest windows that start in ``[since, until)``, newest last."""
    asked = {"monitor": monitor, "segment": WHOLE, "since": since or EVER, "until": until or NEVER, "newest": limit}
    rows = connection.execute(_MEASURED, asked).all()
    return [to_rows.measured_from(start, tuple(columns), *arrays) for start, columns, *arrays in reversed(rows)]


@cache
def _reports(until: bool, evidence: bool) -> tuple[sa.Select[Any], ...]:  # noqa: FBT001 - arguments of the cache
    """Return what asks for the heads of reports, their scores, with the counts behind, and their relationships."""

    def chosen(table: sa.Table) -> sa.ColumnElement[bool]:
        among = table.c.segment.in_(sa.bindparam("segments", expanding=True))
        mine = (table.c.monitor == sa.bindparam("monitor")) & among & (table.c.window_start >= sa.bindparam("since"))
        return mine & (table.c.window_start <= sa.bindparam("until")) if until else mine

    keys = ("monitor", "segment", "feature", "window_start")
    same = [score.c[name] == histogram.c[name] for name in keys]
    both = score.outerjoin(histogram, sa.and_(*same, score.c.counted_as == histogram.c.fingerprint))
    scores = sa.select(*(column for column in score.c if column.name not in {"reference_counts", "reference_summary"}))
    if evidence:
        scores = sa.select(score, histogram.c.counts, histogram.c.summary, histogram.c.atoms).select_from(both)
    return (
        sa.select(report).where(chosen(report)).order_by(report.c.window_start),
        scores.where(chosen(score)),
        sa.select(relationship).where(chosen(relationship)).order_by(relationship.c.position),
    )


def _of(table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.monitor == sa.bindparam("monitor")) & (table.c.segment == sa.bindparam("segment"))


_MEASURED = (
    sa.select(
        measured.c.window_start,
        measured.c.columns,
        *(sa.type_coerce(measured.c[name], sa.LargeBinary) for name in ("reference", "pairs")),
    )
    .where(_of(measured), measured.c.window_start >= sa.bindparam("since"))
    .where(measured.c.window_start < sa.bindparam("until"))
    .order_by(measured.c.window_start.desc())
    .limit(sa.bindparam("newest"))
)

_STATUSES = (
    sa.select(report.c.window_start, report.c.status)
    .where(_of(report), report.c.window_start.between(sa.bindparam("since"), sa.bindparam("until")))
    .order_by(report.c.window_start)
)


def _evidence(rows: Iterable[sa.RowMapping], binnings: Mapping[str, Binning]) -> dict[str, Evidence]:
    """Put the stored counts beside the verdicts, where they still are the counts that were judged."""
    found = {}
    for row in rows:
        if row["counts"] is None or row["reference_counts"] is None:
            continue
        one = binnings[row["fingerprint"]]
        current = under(one, to_rows.histogram_from(binnings[row["counted_as"]], row["counts"], row["atoms"]))
        if row["n_current"] in {None, current.n}:
            found[row["feature"]] = Evidence(
                Histogram(one, row["reference_counts"]),
                current,
                to_rows.summary_from_dict(row["reference_summary"]),
                to_rows.summary_from_dict(row["summary"]),
            )
    return found


def _oldest_of(starts: sa.Select[Any], count: int | sa.BindParameter[int]) -> sa.ScalarSelect[Any]:
    newest = starts.order_by(sa.desc("window_start")).limit(count).subquery()
    return sa.select(sa.func.min(newest.c.window_start)).scalar_subquery()


_EARLIER = sa.select(report.c.window_start).where(_of(report), report.c.window_start < sa.bindparam("before"))
# A bound on the windows and a scan of an index, rather than a rank of every score there ever was.
_HISTORY = (
    sa.select(score.c.feature, *(score.c[name] for name in Past._fields))
    .where(_of(score), score.c.kl.is_not(None), score.c.window_start < sa.bindparam("before"))
    .where(score.c.window_start >= _oldest_of(_EARLIER, sa.bindparam("newest")))
    .order_by(score.c.window_start)
)
