"""Evidence: what moved, in words and in the feature's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.evidence import Evidence, explain
from drift.detection.scores import Explanation, Verdict
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.counting import count_labels
from drift.profiles.histograms import Histogram, Summary
from tests.detection.test_reports import histogram, score, verdict

if TYPE_CHECKING:
    from drift.profiles.kinds import Scale


@pytest.fixture
def missing() -> Evidence:
    """Half of the rows of one category went missing."""
    binning = CategoricalBinning(("a",))
    return Evidence(histogram(binning, [990, 0, 0, 10]), histogram(binning, [49, 0, 0, 51]))


def numbers(*edges: float, scale: Scale = "number") -> NumericBinning:
    """Bins with these edges."""
    return NumericBinning(np.array(edges, np.float64), scale)


def of(values: list[float], binning: Binning) -> tuple[Histogram, Summary]:
    """Both records of some values."""
    assert isinstance(binning, NumericBinning)
    return Histogram(binning, binning.count(values)), Summary.of(values)


def seen(before: list[float], after: list[float], binning: Binning) -> Evidence:
    """The evidence of two sides with their summaries."""
    (reference, old), (current, new) = of(before, binning), of(after, binning)
    return Evidence(reference, current, old, new)


def judged(evidence: Evidence, contributions: list[float]) -> Verdict:
    """A critical verdict on it."""
    found = score("x", contributions, evidence.current.binning.kind)
    moved = Explanation(wasserstein=evidence.wasserstein)
    return Verdict("x", "critical", "critical", "because", 0.01, 0.1, found, explanation=moved)


def test_explain_names_the_cell_and_its_share(missing: Evidence) -> None:
    """The cells, the largest contribution first; a level that fell only as missing values rose is none of them."""
    lines = explain(verdict("x", "critical", [0.1, 0.0, 0.0, 1.0]), missing)
    assert lines == ["missing rose from 1.0 % to 51 %: 1.1 of 1.1 nats"]


def test_explain_without_score_says_nothing(missing: Evidence) -> None:
    """No score, no explanation."""
    assert explain(verdict("x", "not_comparable"), missing) == []


def test_explain_gives_the_median_of_numbers() -> None:
    """A number's median before and after stands first."""
    binning = numbers(0, 10, 20, 30)
    evidence = Evidence(histogram(binning, [0, 80, 20, 0, 0, 0]), histogram(binning, [0, 10, 10, 80, 0, 0]))
    lines = explain(verdict("x", "critical", [0.0, 0.2, 0.0, 0.8, 0.0, 0.0]), evidence)
    assert lines[0] == "median 6.25 → 23.75"


def test_explain_says_how_far_the_values_moved() -> None:
    """Median and Wasserstein-1 distance in the feature's own unit, at what a person would call them."""
    evidence = seen([4.0] * 10, [61.0] * 10, numbers(0, 20, 40, 60, 80, scale="integer"))
    lines = explain(judged(evidence, [0, 0.5, 0, 0, 0.5, 0, 0]), evidence)
    assert lines[0] == "median 4 → 61, moved by 57 on average (Wasserstein-1)"


def test_values_that_stay_are_said_to_stay() -> None:
    """Where only nulls came, the line after them says that the values present did not move."""
    evidence = seen([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, *[np.nan] * 3], numbers(0, 2, 3, 4, scale="integer"))
    lines = explain(judged(evidence, [0, 0, 0, 0, 0, 1.0]), evidence)
    assert lines[1] == "median 2, moved by 0 on average (Wasserstein-1)"
    assert [lines[0], *lines[2:]] == ["missing rose from 0 % to 50 %: 1 of 1 nats"]


def test_dates_are_shown_as_dates() -> None:
    """The median of a date is a date, and how far it moved is a time."""
    evidence = seen([15706.0] * 5, [15713.0] * 5, numbers(15000, 15710, 16000, scale="date"))
    lines = explain(judged(evidence, [0, 0.5, 0.5, 0, 0]), evidence)
    assert lines[0] == "median 2013-01-01 → 2013-01-08, moved by 7 days on average (Wasserstein-1)"


def test_every_special_cell_is_named() -> None:
    """Values below and above every bin, rare, unseen and missing ones each have their words; bins that moved too."""
    side = histogram(numbers(0, 1, 2), [1, 1, 1, 1, 1])
    lines = explain(verdict("x", "critical", [0.2, 0.1, 0.1, 0.4, 0.2]), Evidence(side, side), most=0)
    assert lines[-1] == (
        "of 1 nats 0.4 are values above every bin, 0.2 values below every bin, 0.2 missing values, "
        "0.2 shifts between bins"
    )
    carriers = CategoricalBinning(("AA", "B6"))
    side = histogram(carriers, [1, 1, 1, 1, 1])
    lines = explain(verdict("x", "critical", [0.0, 0.01, 0.3, 0.6, 0.09]), Evidence(side, side), most=0)
    assert lines == ["of 1 nats 0.6 are labels never seen before, 0.3 rare labels, 0.09 missing values"]


def test_shifts_between_bins_alone_need_no_such_line() -> None:
    """Where nothing is due to missing or unknown values, nothing is said of them."""
    side = histogram(numbers(0, 1, 2), [0, 1, 1, 0, 0])
    assert explain(verdict("x", "critical", [0.0, 0.5, 0.5, 0.0, 0.001]), Evidence(side, side), most=0) == ["median 1"]


@pytest.mark.parametrize("binning", [numbers(0, 1, 2), numbers(), CategoricalBinning(("a", "b")), BOOLEAN])
@given(data=st.data())
def test_what_is_due_to_each_adds_up(binning: Binning, data: st.DataObject) -> None:
    """Every cell is in exactly one sort, so the sorts sum to the KL."""
    parts = data.draw(st.lists(st.floats(0, 10), min_size=binning.n_cells, max_size=binning.n_cells))
    side = Histogram.empty(binning)
    parts_of = Evidence(side, side).due_to(parts)
    assert sum(parts_of.values()) == pytest.approx(sum(parts))
    assert parts_of["missing"] == parts[-1]


def test_a_category_has_no_distance() -> None:
    """Labels are no numbers: rows and missing values are all there is to see of them."""
    side = histogram(CategoricalBinning(("a", "b")), [3, 1, 0, 0, 1])
    evidence = Evidence(side, side)
    assert evidence.wasserstein is None
    assert (evidence.descriptions[0].n, evidence.descriptions[0].missing, evidence.descriptions[0].median) == (
        5,
        0.2,
        None,
    )


def test_a_label_set_apart_is_owed_to_the_cell_it_came_from() -> None:
    """A new one to the labels never seen before, a rare one that rose to the rare ones."""
    binning = CategoricalBinning(("a",), rare=("r",), apart=("NEW", "r"))
    x, y = histogram(binning, [99, 0, 1, 0, 0, 0]), histogram(binning, [60, 20, 20, 0, 0, 0])
    evidence = Evidence(x, y)
    parts = [0.1, 0.5, 0.3, 0.0, 0.0, 0.0]
    due = {"levels": 0.0, "other": 0.3436, "unseen": 0.5564, "missing": 0.0}
    assert evidence.due_to(parts) == pytest.approx(due, abs=1e-4)
    lines = explain(judged(evidence, parts), evidence)
    assert lines == [
        "'NEW' 0 % → 20 % (not in the reference): 0.556 of 0.9 nats",
        "'r' rose from 1.0 % to 20 %: 0.344 of 0.9 nats",
        "of 0.9 nats 0.556 are labels never seen before, 0.344 rare labels",
    ]


def test_new_labels_too_rare_for_a_cell_are_named() -> None:
    """The most frequent of them; not where the reference has unseen labels itself, or new ones are the custom."""
    rows = {"a": 900, "v": 2, "w": 3, "x": 4, "y": 5}
    for vocabulary, unseen, words in (
        (None, 0, 'not in the reference: "y" (5 rows), "x" (4 rows), "w" (3 rows) and 1 more'),
        (None, 1, None),
        (Vocabulary(1000, 3, 0, 0), 0, None),
    ):
        binning = CategoricalBinning(("a",), vocabulary=vocabulary)
        evidence = Evidence(
            histogram(binning, [900, 0, unseen, 0]), count_labels(binning, list(rows), list(rows.values()))
        )
        lines = explain(judged(evidence, [0.1, 0.0, 0.2, 0.0]), evidence)
        assert lines[-1] == words or words is None
        assert not (words is None and any("not in the reference" in line for line in lines))
