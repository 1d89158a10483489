"""Planted faults: real ones, in stored counts, found or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.pipeline.fault_injection import FAULTS, WINDOWS, halved, nulls, plant, recall, shift, unseen
from drift.pipeline.replay import lead_of, replay, windows_run
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram
from drift.store.memory import Memory
from tests.pipeline.test_replay import context, no_source, stored
from tests.support.flights import clock

if TYPE_CHECKING:
    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning

__all__ = ["context", "no_source", "stored"]

CARRIERS = CategoricalBinning(("UA", "B6"), rare=("YV",))
DELAYS = NumericBinning(np.array([0.0, 1.0, 2.0]))


def histogram(binning: Binning, cells: list[int]) -> Histogram:
    """Return these counts."""
    return Histogram(binning, np.array(cells))


counts = st.lists(st.integers(0, 5000), min_size=5, max_size=5)
binnings = st.sampled_from([CARRIERS, DELAYS, BOOLEAN])


@given(binnings, counts, st.sampled_from(sorted(FAULTS)), st.integers(0, 9))
def test_a_fault_keeps_rows_and_repeats(binning: Binning, cells: list[int], fault: str, seed: int) -> None:
    """No count is negative, no row is lost but by a category that goes, and the same seed makes the same fault."""
    before = histogram(binning, cells[: binning.n_cells])
    after = FAULTS[fault](before, np.random.default_rng(seed))
    if after is None:
        return
    assert (after >= 0).all()
    assert after.shape == before.counts.shape
    assert after.tolist() != before.counts.tolist()
    assert after.sum() == before.n or (fault == "half of a category gone" and after.sum() < before.n)
    again = FAULTS[fault](before, np.random.default_rng(seed))
    assert again is not None
    assert again.tolist() == after.tolist()


def test_each_fault_is_what_it_is_called() -> None:
    """5 % to missing, 1 % to unseen, half one bin up, half of a category gone."""
    rng = np.random.default_rng(0)
    carriers = histogram(CARRIERS, [600, 380, 10, 0, 10])
    delays = histogram(DELAYS, [0, 1000, 1000, 0, 0])
    moved, new = nulls(carriers, rng), unseen(carriers, rng)
    up, gone = shift(delays, rng), halved(carriers, rng)
    assert moved is not None
    assert new is not None
    assert up is not None
    assert gone is not None
    assert moved[-1] == 60
    assert (new[3], new[-1]) == (10, pytest.approx(10, abs=1))
    assert up[1] == pytest.approx(500, abs=60)
    assert up[3] == pytest.approx(500, abs=60)
    assert max(carriers.counts - gone) in {300, 190}


def test_a_fault_that_cannot_happen_does_not() -> None:
    """Numbers have no categories, categories no order, an identifier no new labels, and no rows lose nothing."""
    rng = np.random.default_rng(0)
    identifier = histogram(CategoricalBinning(("a",), rare=None), [9, 9, 0, 0])
    assert unseen(histogram(DELAYS, [0, 9, 9, 9, 0]), rng) is None
    assert halved(histogram(DELAYS, [0, 9, 9, 9, 0]), rng) is None
    assert shift(histogram(CARRIERS, [9, 9, 0, 0, 0]), rng) is None
    assert unseen(identifier, rng) is None
    assert all(fault(Histogram.empty(CARRIERS), rng) is None for fault in FAULTS.values())


def test_faults_are_planted_where_it_was_quiet(context: Context) -> None:
    """Of each kind as many as asked for, each lasting some windows, none where the feature drifted by itself."""
    windows, lead = windows_run(context.store, context.monitor, last=30, lead=lead_of(context.monitor), now=clock())
    memory = Memory(context.store)
    before = replay(context.monitor, memory, windows, lead=lead)
    known = len(memory.judged)
    planted = plant(before, memory, rng=np.random.default_rng(1), times=5)
    assert len(planted) == 5 * len(FAULTS)
    assert len(memory.judged) == known
    for one in planted:
        assert one.first >= lead
        assert len(one.verdicts) == len(one.past) == WINDOWS
        assert {before.reports[one.first + k][one.feature].severity for k in range(WINDOWS)} == {"none"}
    again = plant(before, memory, rng=np.random.default_rng(1), times=5)
    said = [[(p.fault, p.feature, p.first, p.verdicts[0].score and p.verdicts[0].score.kl) for p in each]
            for each in (planted, again)]  # fmt: skip
    assert said[0] == said[1]
    found = recall(planted, memory.past, context.monitor.detection)
    assert all(r.planted == 5 and 0 <= r.at_once <= r.in_time <= 5 for r in found.values())
    # 20 rows of 400 without a value, where there never was one: beyond doubt.
    assert found["5 % nulls"].in_time == 5
