"""Selection: what fitting the cells on one of the samples does to the test, undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.fitting import fit_categorical
from drift.statistics.selection_bias import CHANCE, as_tested, expected_unseen
from tests.support.laws import examples
from tests.support.pair_samples import pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Histogram

    Floats = NDArray[np.float64]


def freed(binning: Binning, x: list[float], y: list[float]) -> tuple[list[float], list[float], float]:
    """Counts to test with and the p-value of unseen labels, of one feature."""
    before, after, unseen = as_tested(np.array([x], np.float64), np.array([y], np.float64), [binning])
    return before[0].tolist(), after[0].tolist(), float(unseen[0])


@examples(80)
@given(pairs())
def test_no_row_is_lost(two: tuple[Histogram, Histogram]) -> None:
    """Rows move between cells on both sides and none comes or goes; what is missing stays missing."""
    if not (two[0].n and two[1].n):
        return
    x, y = ([float(c) for c in side.counts] for side in two)
    before, after, unseen = freed(two[0].binning, x, y)
    assert (sum(before), sum(after)) == (sum(x), sum(y))
    assert (before[-1], after[-1]) == (x[-1], y[-1])
    assert np.isnan(unseen) or 0 <= unseen <= 1


def test_a_tie_that_may_be_luck_counts_with_its_neighbours() -> None:
    """A whole number that holds just 2 % of a small reference is no cell of its own; one that holds 30 % is."""
    binning = NumericBinning(np.array([0, 1, 5, 6, 9], float), "integer")
    x: list[float] = [1, 150, 100, 10, 238, 1, 0]
    before, after, _ = freed(binning, x, [0, 140, 110, 9, 241, 0, 0])
    assert before == [1, 150, 348, 0, 0, 1, 0]
    assert after == [0, 140, 360, 0, 0, 0, 0]


def test_a_level_stands_alone_where_it_would_be_a_level_anyway() -> None:
    """From the pooled count on at which the reference's part exceeds the most frequent rare label all but surely."""
    binning = CategoricalBinning(tuple("abc"), rare=("d",), vocabulary=Vocabulary(1000, 0, 3, 20))
    least = next(t for t in range(20, 200) if stats.binom.cdf(20, t, 0.5) <= CHANCE)
    for t, alone in ((least, True), (least - 1, False)):
        x = [900.0, t - 10, 30, 0, 0, 0]
        y = [900.0, 10, 30, 0, 0, 0]
        # Both sides of one size, so that half of a label's rows are the reference's.
        x[3] = 1000 - sum(x)
        y[3] = 1000 - sum(y)
        before, _, _ = freed(binning, x, y)
        assert (before[1] > 0) == alone
        assert before[2] > 0


def test_labels_that_cannot_be_told_from_rare_ones_are_one_cell() -> None:
    """300 even labels, 500 rows: nothing is known of any single one."""
    rng = np.random.default_rng(1)
    rows = [rng.multinomial(500, np.full(300, 1 / 300)) for _ in range(2)]
    names = [str(label) for label in range(300)]
    binning = fit_categorical({name: count for name, count in zip(names, rows[0].tolist(), strict=True) if count})
    x, y = (binning.count_labels(names, side).astype(float).tolist() for side in rows)
    before, after, unseen = freed(binning, x, y)
    assert [c for c in before if c] == [500]
    assert [c for c in after if c] == [500]
    assert unseen > 0.01


def test_a_boolean_is_left_alone() -> None:
    """Both its levels are there whatever the reference held."""
    assert freed(BOOLEAN, [3, 1, 0, 0, 0], [1, 2, 0, 0, 0])[:2] == ([3, 1, 0, 0, 0], [1, 2, 0, 0, 0])


# --- unseen labels


def test_a_reference_of_other_windows_holds_its_own_unseen_labels() -> None:
    """Of what the fit leaves to expect and what the reference holds, the larger; without a fit what it holds."""
    fitted = CategoricalBinning(("a",), rare=("b", "c"), vocabulary=Vocabulary(1000, 20, 5, 4))
    bare = CategoricalBinning(("a",), rare=("b", "c"))
    x = np.array([[960.0, 40, 0, 0], [900, 40, 60, 0], [450, 50, 0, 500]])
    assert expected_unseen(x, [fitted] * 3).tolist() == [20, 60, 10]
    assert expected_unseen(x, [bare] * 3).tolist() == [0, 60, 0]


def test_as_many_unseen_labels_as_expected_are_no_evidence() -> None:
    """The less the current window's unseen labels fit what the fit leaves to expect, the smaller p."""
    binning = CategoricalBinning(("a",), rare=tuple("bcdefgh"), vocabulary=Vocabulary(10_000, 200, 60, 9))
    p = [freed(binning, [9000, 1000, 0, 0], [950 - y, 50, y, 0])[2] for y in range(20, 120, 5)]
    assert p[0] > 0.9
    assert (np.diff(p) < 0).all()
    assert p[-1] < 1e-6


@pytest.mark.parametrize("twice", [0, 20, 200])
def test_labels_that_come_more_than_once_weigh_less(twice: int) -> None:
    """The more labels were seen twice, the more rows an unseen label is expected to bring."""
    found = []
    for labels in (twice, twice + 200):
        binning = CategoricalBinning(("a",), rare=("b",), vocabulary=Vocabulary(2000, 50, labels, 9))
        found.append(freed(binning, [1900, 100, 0, 0], [1800, 100, 100, 0])[2])
    assert found[0] < found[1]


def test_an_identifier_has_no_unseen_labels() -> None:
    """With too many labels to remember a new one is no news: there is nothing to test."""
    binning = CategoricalBinning(("a",), rare=None, vocabulary=Vocabulary(0, 0, 0, 3))
    assert np.isnan(freed(binning, [50, 950, 0, 0], [60, 940, 0, 0])[2])


def test_missing_rows_have_no_label() -> None:
    """Half the rows null: as many unseen labels are expected as of the rows that are there."""
    binning = CategoricalBinning(("a",), rare=tuple("bcd"), vocabulary=Vocabulary(1000, 40, 0, 5))
    whole = freed(binning, [900, 100, 0, 0], [860, 100, 40, 0])[2]
    assert freed(binning, [900, 100, 0, 1000], [860, 100, 40, 1000])[2] == pytest.approx(whole)
