"""Statuses: each has its words, and none is told by its colour alone."""

from __future__ import annotations

from typing import get_args

from drift.detection.reports import Gate
from drift.detection.scores import ReportStatus, Status
from drift.text.statuses import STATUSES, status_of


def test_every_status_has_a_glyph_and_words() -> None:
    """Of verdicts, reports and validations; words are never those of another one."""
    assert {*get_args(Status), *get_args(ReportStatus), *get_args(Gate)} <= STATUSES.keys()
    assert all(glyph and words for glyph, words in STATUSES.values())
    assert len({words for _, words in STATUSES.values()}) == len(STATUSES)


def test_a_drift_that_has_not_lasted_is_pending() -> None:
    """Only where the verdict is still ok."""
    assert [status_of(*each) for each in (("ok", "none"), ("ok", "warning"), ("warning", "critical"))] == [
        "ok",
        "pending",
        "warning",
    ]
