"""One feature in one window: its verdict with its evidence, and the same counts compared with any other windows.

A whole report of a thousand features takes longer to read than one page may; this reads the rows of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.detection.evidence import Evidence
from drift.profiles.histograms import Histogram, Summary
from drift.profiles.refinement import under
from drift.store import engine, schema
from drift.store import rows as to_rows
from drift.store.baselines import load_binnings
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from drift.detection.reports import Report
    from drift.detection.scores import Verdict
    from drift.store.store import Store
    from drift.windows import Window


@dataclass(frozen=True, slots=True)
class Detail:
    """What one window says about one feature: its report is of this feature alone.

    Where counts are no longer stored, there is no evidence, and no fingerprint of the binning they were counted under.
    """

    report: Report
    verdict: Verdict
    evidence: Evidence | None
    fingerprint: str | None


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


Side = tuple[Histogram, Summary | None]
"""One window's counts of a feature, and the summary of its numbers."""


def counts(store: Store, monitor: str, found: Detail, windows: Sequence[Window]) -> dict[datetime, Side]:
    """Return the stored counts of a feature in some windows, by their start, in the bins of the window that was found.

    Windows that their expectations rejected are left out, unless it is that window itself.
    """
    window, feature = found.report.window, found.verdict.feature
    if found.fingerprint is None or window is None:
        return {}
    table, profile = schema.histogram, schema.profile
    same = [table.c[name] == profile.c[name] for name in ("monitor", "segment", "window_start")]
    wanted = {w.start: w.end for w in [*windows, window]}
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
    return {
        row.window_start: (
            to_rows.histogram_from(binning, row.counts, row.atoms),
            to_rows.summary_from_dict(row.summary),
        )
        for row in rows
        if row.gate != "rejected" or row.window_start == window.start
    }


def baseline(store: Store, monitor: str, feature: str) -> dict[str, Any] | None:
    """Return the feature's baseline in force; None where it has none."""
    table = schema.baseline
    mine = (table.c.monitor == monitor) & (table.c.segment == WHOLE) & (table.c.feature == feature)
    with engine.reading(store.engine) as connection:
        query = sa.select(table).where(mine).order_by(table.c.version.desc()).limit(1)
        row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)
