"""Findings beside the scores: columns that stopped moving, numbers of rows that changed for good."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from drift.detection.findings import MOVED, moved_findings, schema_findings, still_findings, volume_findings
from drift.detection.scores import Explanation, Past, Verdict
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
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


@pytest.mark.parametrize(
    ("rows", "usual", "baseline", "kinds"),
    [
        (1000, 1000, [1000], []),
        (499, 1000, [1000], ["row_count"]),
        (2001, 1000, [], ["row_count"]),
        (400, 400, [1000, 1100], ["adapted"]),
        (400, 400, [], []),
    ],
)
def test_rows_are_compared_with_both(rows: int, usual: float, baseline: list[int], kinds: list[str]) -> None:
    """The reference first; what only the baseline shows has been adapted to."""
    assert [finding.kind for finding in volume_findings(rows, usual, baseline)] == kinds


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
