"""One feature in one window: its verdict with its evidence, and the same counts held against any other windows.

A whole report of a thousand features takes longer to read than one page may; this reads the rows of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.detection.evidence import Evidence, explain
from drift.detection.scores import Explanation, Verdict
from drift.detection.scoring import measure
from drift.profiles.histograms import Histogram
from drift.profiles.refinement import refined, under
from drift.store import engine, schema
from drift.store import rows as to_rows
from drift.store.baselines import load_binnings
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from drift.dashboard.references import Against
    from drift.detection.reports import Report
    from drift.detection.scores import Score
    from drift.profiles.histograms import Summary
    from drift.store.store import Store


@dataclass(frozen=True, slots=True)
class Detail:
    """What one window says of one feature.

    Parameters
    ----------
    report
        The window's report, of this feature alone.
    verdict
    evidence
        None where the counts are no longer stored.
    fingerprint
        Of the binning that the window is counted under; None where it is not.
    """

    report: Report
    verdict: Verdict
    evidence: Evidence | None
    fingerprint: str | None

    @property
    def words(self) -> list[str]:
        """Which cells moved."""
        return explain(self.verdict, self.evidence, most=5)


def detail(store: Store, monitor: str, feature: str, at: datetime, segment: str = WHOLE) -> Detail | None:
    """Return what is stored of a feature in the window that starts then, or in a segment; None where nothing is."""
    score, report = schema.score, schema.report
    of_window = (report.c.monitor == monitor) & (report.c.segment == segment) & (report.c.window_start == at)
    same = [score.c[name] == schema.histogram.c[name] for name in ("monitor", "segment", "feature", "window_start")]
    both = score.outerjoin(schema.histogram, sa.and_(*same, score.c.counted_as == schema.histogram.c.fingerprint))
    counted = (schema.histogram.c.counts, schema.histogram.c.summary, schema.histogram.c.atoms)
    of_feature = (
        sa.select(score, *counted)
        .select_from(both)
        .where(
            score.c.monitor == monitor,
            score.c.segment == segment,
            score.c.feature == feature,
            score.c.window_start == at,
        )
    )
    with engine.reading(store.engine) as connection:
        head = connection.execute(sa.select(report).where(of_window)).mappings().first()
        row = connection.execute(of_feature).mappings().first()
        if head is None or row is None:
            return None
        evidence = _evidence(connection, row)
    found = to_rows.report_from(head, [row], {} if evidence is None else {feature: evidence})
    return Detail(found, found.verdicts[0], evidence, row["counted_as"] if row["counts"] is not None else None)


def _evidence(connection: sa.Connection, row: sa.RowMapping) -> Evidence | None:
    """Put the stored counts beside the verdict, where they still are the counts that were judged."""
    if row["counts"] is None or row["reference_counts"] is None:
        return None
    binnings = load_binnings(connection, {row["fingerprint"], row["counted_as"]})
    one = binnings[row["fingerprint"]]
    current = under(one, to_rows.histogram_from(binnings[row["counted_as"]], row["counts"], row["atoms"]))
    if row["n_current"] not in {None, current.n}:
        return None
    summaries = (to_rows.summary_from_dict(row[name]) for name in ("reference_summary", "summary"))
    return Evidence(Histogram(one, row["reference_counts"]), current, *summaries)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same window, held against other windows than its report was.

    Parameters
    ----------
    against
    windows
        How many of its windows are stored, passed the gate and are counted into the same bins.
    score
        None where there is nothing to compare: `evidence` is None then, too.
    evidence
    words
        Which cells moved; or why there is nothing to compare.
    """

    against: Against
    windows: int
    score: Score | None
    evidence: Evidence | None
    words: Sequence[str]


def compare(store: Store, monitor: str, feature: str, found: Detail, against: Against) -> Comparison:
    """Hold a window of a feature against any other windows, from stored counts: no source is read.

    What is rejected by its expectations is no reference here either.
    """
    window = found.report.window
    if found.fingerprint is None or window is None:
        return Comparison(against, 0, None, None, ["the counts of this window are not stored"])
    table, profile = schema.histogram, schema.profile
    same = [table.c[name] == profile.c[name] for name in ("monitor", "segment", "window_start")]
    wanted = {w.start: w.end for w in [*against.windows, window]}
    query = (
        sa.select(profile.c.window_start, profile.c.window_end, profile.c.gate)
        .add_columns(table.c.counts, table.c.summary, table.c.atoms)
        .select_from(table.join(profile, sa.and_(*same)))
        .where(
            table.c.monitor == monitor,
            table.c.segment == found.report.segment,
            table.c.feature == feature,
            table.c.fingerprint == found.fingerprint,
            table.c.window_start.in_(wanted),
        )
        .order_by(profile.c.window_start)
    )
    with engine.reading(store.engine) as connection:
        rows = [row for row in connection.execute(query) if wanted[row.window_start] == row.window_end]
        binning = load_binnings(connection, {found.fingerprint})[found.fingerprint]
    sides: dict[bool, list[tuple[Histogram, Summary | None]]] = {True: [], False: []}
    for row in rows:
        mine = row.window_start == window.start
        if mine or row.gate != "rejected":
            counted = to_rows.histogram_from(binning, row.counts, row.atoms)
            sides[mine].append((counted, to_rows.summary_from_dict(row.summary)))
    others = [(histogram, summary) for histogram, summary in sides[False] if histogram.n]
    if not others or not sides[True]:
        return Comparison(against, 0, None, None, ["none of these windows is stored and counted into the same bins"])
    current, after = sides[True][0]
    pair = refined(Histogram.total([histogram for histogram, _ in others]), current)
    smoothing = found.verdict.score.smoothing if found.verdict.score else "pooled"
    score = measure({feature: pair}, smoothing=smoothing).get(feature)
    if score is None:
        return Comparison(against, len(others), None, None, ["one of the two sides holds no rows"])
    evidence = Evidence(*pair, _added([summary for _, summary in others]), after)
    moved = Explanation(wasserstein=evidence.wasserstein)
    verdict = Verdict(feature, "ok", "none", "compared on the fly", 0.0, 0.0, score, explanation=moved)
    return Comparison(against, len(others), score, evidence, explain(verdict, evidence, most=5))


def _added(summaries: Sequence[Summary | None]) -> Summary | None:
    total: Summary | None = None
    for summary in summaries:
        if summary is None:
            return None
        total = summary if total is None else total + summary
    return total


def baseline(store: Store, monitor: str, feature: str) -> dict[str, Any] | None:
    """Return the feature's baseline in force; None where it has none."""
    table = schema.baseline
    mine = (table.c.monitor == monitor) & (table.c.segment == WHOLE) & (table.c.feature == feature)
    with engine.reading(store.engine) as connection:
        query = sa.select(table).where(mine).order_by(table.c.version.desc()).limit(1)
        row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)
