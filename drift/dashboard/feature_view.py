"""What the page of a feature and the API show alike: its course, and one window of it compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import HTTPException

from drift.dashboard import formatting, other_references
from drift.dashboard.formatting import LocalTime
from drift.dashboard.other_references import OtherReference
from drift.detection.evidence import Evidence, explain
from drift.detection.page.document import opened
from drift.detection.page.markup import Html
from drift.detection.scores import Explanation, Score, Verdict
from drift.detection.scoring import measure
from drift.errors import WindowError
from drift.profiles.histograms import Histogram, Summary
from drift.profiles.refinement import refined
from drift.store.reads import features as reads
from drift.store.reads import windows as window_reads
from drift.store.reads.features import Detail, Side
from drift.store.store import Store

MOST_CELLS = 400
"""Cells that a page lists one by one."""


def course(
    store: Store, monitor: str, feature: str, windows: int, at: datetime | None, local: LocalTime, segment: str = ""
) -> tuple[list[dict[str, Any]], list[window_reads.WindowState]]:
    """Return the scores of a feature and their windows: the newest ones, or those around an older one; 404 for none."""
    now = datetime.now(UTC)
    until = now if at is None or at < now else at + timedelta(microseconds=1)
    rows = store.scores(monitor, feature=feature, segment=segment, windows=windows, until=until)
    if at is not None and rows and at < rows[0]["window_start"]:
        # The window that is asked for stands two thirds along.
        until = at + (windows // 3 + 1) * local.calendar.span.nominal
        rows = store.scores(monitor, feature=feature, segment=segment, windows=windows, until=until) or rows
    if not rows:
        raise HTTPException(404, "this monitor has no scores for this feature")
    states = window_reads.window_states(store, monitor, windows=windows, until=until, segment=segment)
    return rows, [state for state in states if state.start >= rows[0]["window_start"]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same window, compared with other windows than its report was.

    `windows` counts those of the reference that are stored, were not rejected, and are counted into the same bins.
    The verdict is the report's but for its score. It and the evidence are None where there is nothing to compare, and
    `words` say why; else which cells moved.
    """

    reference: OtherReference
    windows: int
    verdict: Verdict | None
    evidence: Evidence | None
    words: Sequence[str]

    @property
    def score(self) -> Score | None:
        """The divergence from that reference."""
        return self.verdict.score if self.verdict else None


def compare(
    store: Store, monitor: str, feature: str, found: Detail, local: LocalTime, text: str | None
) -> Comparison | None:
    """Compare the window with what a reader asked for; None where they asked for nothing.

    What cannot be understood, or a baseline that there is none of, is a 422.
    """
    if not text or found.report.window is None:
        return None
    baseline = reads.baseline(store, monitor, feature) if text == "baseline" else None
    try:
        wanted = other_references.parse(text, local.calendar, found.report.window, baseline)
    except WindowError as error:
        raise HTTPException(422, f"against: {error}") from error
    if wanted is None:
        known = "this feature has no baseline" if text == "baseline" else f"write {other_references.SYNTAX}"
        raise HTTPException(422, f"against: {known}; at most {other_references.MOST} windows")
    return _compared(found, wanted, reads.counts(store, monitor, found, wanted.windows))


def _compared(found: Detail, reference: OtherReference, counts: Mapping[datetime, Side]) -> Comparison:
    """Compare from stored counts alone: no source is read."""

    def nothing(why: str, windows: int = 0) -> Comparison:
        return Comparison(reference, windows, None, None, [why])

    window, feature = found.report.window, found.verdict.feature
    if found.fingerprint is None or window is None:
        return nothing("the counts of this window are not stored")
    others = [side for start, side in counts.items() if start != window.start and side[0].n]
    if not others or window.start not in counts:
        return nothing("none of these windows is stored and counted into the same bins")
    current, after = counts[window.start]
    pair = refined(Histogram.total([histogram for histogram, _ in others]), current)
    smoothing = found.verdict.score.smoothing if found.verdict.score else "pooled"
    score = measure({feature: pair}, smoothing=smoothing).get(feature)
    if score is None:
        return nothing("one of the two sides holds no rows", len(others))
    known = [summary for _, summary in others if summary is not None]
    evidence = Evidence(*pair, Summary.total(known) if len(known) == len(others) else None, after)
    moved = Explanation(wasserstein=evidence.wasserstein)
    verdict = replace(found.verdict, score=score, explanation=moved)
    return Comparison(reference, len(others), verdict, evidence, explain(verdict, evidence, most=5))


def run_url(store: Store, monitor: str, at: Any) -> str:
    """Return where the log of a window's run is; empty where that is not known."""
    states = window_reads.window_states(store, monitor, windows=1, at=at)
    return formatting.web_address(states[0].run.get("url")) if states else ""


def view(found: Detail, compared: Comparison | None) -> Html | None:
    """Return what the lower half of the page shows: the stored evidence, or that against another reference."""
    verdict, evidence = (compared.verdict, compared.evidence) if compared else (found.verdict, found.evidence)
    return None if verdict is None or evidence is None else opened(verdict, evidence, most=MOST_CELLS)
