"""Findings beside the scores: columns that stopped moving, numbers of rows that changed for good."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from drift.detection.findings import (
    MOVED,
    moved_findings,
    outgrown_findings,
    schema_findings,
    still_findings,
    volume_findings,
)
from drift.detection.row_counts import RowCount
from drift.detection.scores import Explanation, Past, Verdict
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.histograms import Histogram, Profile, Summary

EDGES = NumericBinning(np.array([0.0, 10.0, 20.0, 30.0]))
CARRIERS = CategoricalBinning(("AA", "B6"), rare=("DL",))


def numbers(values: list[float], missing: int = 0) -> Profile:
    """A window of one numeric column."""
    counts = EDGES.count(values)
    counts[-1] += missing
    return Profile(None, len(values) + missing, {"x": Histogram(EDGES, counts)}, {"x": Summary.of(values)})


def labels(counts: list[int]) -> Profile:
    """A window of one column of carriers: AA, B6, other, unseen, missing."""
    return Profile(None, sum(counts), {"x": Histogram(CARRIERS, np.array(counts))})


SPREAD = numbers(list(np.linspace(1, 29, 300)), missing=6)


def told(now: Profile, *before: Profile, min_rows: int = 100) -> list[str]:
    """What is found, in words."""
    return [str(finding) for finding in still_findings(now, {"x": before}, min_rows=min_rows)]


def test_a_frozen_number_is_told_with_its_value_and_its_past() -> None:
    """Numbers in one cell are told apart by their extremes: two values in one bin are not frozen."""
    assert told(numbers([5.5] * 300), SPREAD) == [
        "column x: one value (5.5) in every row, where the baseline had 1 … 29"
    ]
    assert told(numbers([5.5, 5.6] * 150), SPREAD) == []


def test_a_frozen_label_is_told_with_how_many_there_were() -> None:
    """Nulls beside it do not hide it; labels that share a cell are not known to be one."""
    usual = labels([200, 90, 10, 0, 0])
    assert told(labels([0, 280, 0, 0, 20]), usual) == [
        "column x: one value ('B6') in every row that has one, where the baseline had 3"
    ]
    assert told(labels([0, 0, 0, 300, 0]), usual) == []


def test_an_empty_column_is_told() -> None:
    """With the share that was missing before."""
    (finding,) = still_findings(numbers([], missing=300), {"x": [SPREAD]}, min_rows=100)
    assert (finding.kind, finding.column) == ("all_null", "x")
    assert str(finding) == "column x: no value in any row, where 2.0 % are missing in the baseline"


def test_what_was_always_so_is_no_news() -> None:
    """A column that some window of the baseline had constant, or empty, may be so again: no rain is no fault."""
    dry = numbers([0.0] * 300)
    assert told(dry, dry, SPREAD) == []
    assert told(numbers([], missing=300), SPREAD, numbers([], missing=300)) == []


def test_a_rare_flag_may_be_absent_by_chance() -> None:
    """One in a hundred is missed by 200 rows now and then, by 20,000 never."""
    usual = Profile(None, 10_000, {"x": Histogram(BOOLEAN, np.array([9900, 100, 0, 0, 0]))})
    few = Profile(None, 200, {"x": Histogram(BOOLEAN, np.array([200, 0, 0, 0, 0]))})
    many = Profile(None, 20_000, {"x": Histogram(BOOLEAN, np.array([20_000, 0, 0, 0, 0]))})
    assert told(few, usual) == []
    assert len(told(many, usual)) == 1


def test_too_few_rows_and_no_past_say_nothing() -> None:
    """As with every other finding."""
    assert told(numbers([5.5] * 300), SPREAD, min_rows=301) == []
    assert told(numbers([5.5] * 300)) == []


def counted(rows: int, usual: float, z: float) -> RowCount:
    """A row count, and what is usual."""
    return RowCount(rows, usual, usual, 0.05, z)


@pytest.mark.parametrize(
    ("current", "once", "found"),
    [
        (counted(1000, 1000, 0.0), counted(1000, 1000, 0.0), []),
        (counted(499, 1000, -9.0), None, [("fewer_rows", "warning")]),
        (counted(2001, 1000, 9.0), counted(2001, 1000, 9.0), [("more_rows", "warning")]),
        (counted(100, 1000, -40.0), None, [("fewer_rows", "critical")]),
        (counted(20_000, 1000, 40.0), None, [("more_rows", "critical")]),
        (counted(700, 0, 40.0), None, [("more_rows", "warning")]),
        (counted(6, 15, -2.8), None, []),
        (counted(600, 1000, -9.0), None, []),
        (counted(400, 400, 0.0), counted(400, 1050, -9.0), [("adapted", "none")]),
        (None, None, []),
    ],
)
def test_an_odd_number_of_rows(current: RowCount | None, once: RowCount | None, found: list[tuple[str, str]]) -> None:
    """Twice as many or half, far beyond how days differ; what only the baseline shows has been adapted to."""
    assert [(each.kind, each.severity) for each in volume_findings(current, once)] == found


def verdict_of(kl_fixed: float | None, status: str = "ok") -> Verdict:
    """The verdict on a feature so far from its baseline."""
    return Verdict("x", status, "none", "why", 0.01, 0.1, explanation=Explanation(kl_fixed=kl_fixed))  # type: ignore[arg-type]


RAMP = [*np.linspace(0, 0.4, 3 * MOVED - 1)]
WEEKS = [0.05, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3] * 6


@pytest.mark.parametrize(
    ("past", "now", "found"),
    [
        (RAMP, verdict_of(0.41), True),
        ([None, None, *RAMP], verdict_of(0.41), True),
        (RAMP[1:], verdict_of(0.41), False),
        ([*RAMP[:-1], 0.05], verdict_of(0.41), False),
        ([*RAMP[:-1], None], verdict_of(0.41), False),
        ([None, *RAMP[1:]], verdict_of(0.41), True),
        (RAMP, verdict_of(0.05), False),
        (RAMP, verdict_of(None), False),
        (RAMP, verdict_of(0.41, "warning"), False),
        ([0.3] * len(RAMP), verdict_of(0.3), False),
        (WEEKS[1:], verdict_of(0.3), False),
        (RAMP[::-1], verdict_of(0.2), False),
    ],
)
def test_a_slow_move_is_found_while_it_lasts(past: list[float | None], now: Verdict, *, found: bool) -> None:
    """Critically far from the baseline for a fortnight, farther than in the two before, and no alert says so."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    quiet = [Past(start, 0.0, 0.0, 9000, 300, 9, "none", nats) for nats in past]
    assert [finding.kind for finding in moved_findings([now], {"x": quiet})] == ["moved"] * found
    called = [*quiet[:-20], quiet[-20]._replace(severity="warning"), *quiet[-19:]]
    assert moved_findings([now], {"x": called}) == []


def test_schema_findings_ignore_all_null_columns() -> None:
    """A column that is all null in one window has not changed its type."""
    assert schema_findings({"a": "int64"}, {"a": "null"}, ["a"]) == []


def outgrown(now: Profile, *before: Profile, min_rows: int = 200) -> list[str]:
    """What is found of bins that no longer fit, in words."""
    return [str(f) for f in outgrown_findings(now, {"x": before}, monitor="flights", min_rows=min_rows)]


def labels_of(*counts: int, vocabulary: Vocabulary | None = None) -> Profile:
    """A window of two levels, other, unseen and missing ones."""
    binning = CategoricalBinning(("a", "b"), vocabulary=vocabulary)
    return Profile(None, sum(counts), {"x": Histogram(binning, np.array(counts))})


def test_bins_that_most_values_are_outside_of_are_found() -> None:
    """Unseen labels, or numbers below and above; with the command that mends it."""
    usual = labels_of(800, 190, 0, 10, 0)
    (words,) = outgrown(labels_of(100, 0, 0, 500, 400), usual, usual)
    assert words == (
        "column x: 83 % of its values are outside of its bins, 1.0 % in the baseline: "
        "drift baseline fit flights gives it bins that fit"
    )
    (words,) = outgrown(numbers([-5.0] * 200 + [105.0] * 100), SPREAD, SPREAD)
    assert words.startswith("column x: 100 % of its values are outside")


def test_bins_that_fit_are_no_finding() -> None:
    """Half of the values, a column whose labels are mostly new anyway, one that was so already, too few values."""
    usual = labels_of(800, 200, 0, 0, 0)
    assert outgrown(labels_of(500, 0, 0, 500, 0), usual) == []
    ids = Vocabulary(rows=1000, once=900, twice=50, cutoff=1)
    fitted = labels_of(1000, 0, 0, 0, 0, vocabulary=ids)
    assert outgrown(labels_of(100, 0, 0, 900, 0, vocabulary=ids), fitted) == []
    assert outgrown(labels_of(0, 0, 0, 900, 0), labels_of(400, 0, 0, 600, 0)) == []
    assert outgrown(labels_of(0, 0, 0, 900, 0), usual, min_rows=901) == []
    assert outgrown(labels_of(0, 0, 0, 900, 0)) == []


def test_a_column_that_had_no_value_has_one_now() -> None:
    """Whatever its kind; while it has none there is nothing to fit."""
    nothing = labels_of(0, 0, 0, 0, 1000)
    (words,) = outgrown(labels_of(0, 0, 0, 600, 400), nothing)
    assert words.startswith("column x: had no value in the baseline, and has now")
    assert outgrown(nothing, nothing) == []


def test_a_baseline_smaller_than_one_window_is_found() -> None:
    """24 rows of the first days are no baseline for thousands a day; a baseline of one window is what was asked for."""
    few = labels_of(6, 6, 0, 0, 0)
    (words,) = outgrown(labels_of(5000, 4000, 0, 0, 0), few, few)
    assert words.startswith("column x: its bins were fitted on 24 values, fewer than the 9,000 of this window")
    assert outgrown(labels_of(5000, 4000, 0, 0, 0), few) == []
