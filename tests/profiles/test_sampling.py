"""Sampling: bounded, even, and the same however a stream is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.sampling import Sample


def sampled(size: int, limit: int, cuts: list[int]) -> Sample:
    """A sample of the numbers from 0 to `size`, added in pieces."""
    sample = Sample(limit)
    for piece in np.split(np.arange(float(size)), sorted(cut for cut in cuts if cut < size)):
        sample.add(piece)
    return sample


@given(st.integers(0, 40_000), st.integers(1, 3000), st.lists(st.integers(0, 40_000), max_size=8))
def test_a_sample_does_not_depend_on_how_its_stream_is_cut(size: int, limit: int, cuts: list[int]) -> None:
    """In one piece or in many, the same numbers stay."""
    whole, cut = sampled(size, limit, []), sampled(size, limit, cuts)
    assert (cut.n, cut.stride) == (whole.n, whole.stride) == (size, whole.stride)
    assert cut.values.tolist() == whole.values.tolist()


@given(st.integers(0, 40_000), st.integers(1, 3000))
def test_one_number_of_each_block_stays(size: int, limit: int) -> None:
    """All up to the limit, then one of every so many neighbours, in their order, and never more than the limit."""
    sample = sampled(size, limit, [])
    assert len(sample.values) <= limit
    assert (sample.values // sample.stride).tolist() == list(range(len(sample.values)))
    assert len(sample.values) in {size // sample.stride, -(-size // sample.stride)}
    assert sample.stride == 1 or size > limit


def test_numbers_that_come_in_turns_are_all_seen() -> None:
    """Two, three, four or seven sensors that report in turns have nearly equal parts of the sample."""
    places = sampled(1 << 20, 1 << 15, []).values.astype(int)
    for sensors in (2, 3, 4, 7):
        shares = np.bincount(places % sensors) / len(places)
        assert abs(shares * sensors - 1).max() < 0.05


def test_quantiles_of_a_sample_are_those_of_all() -> None:
    """The rank error of a sample of 2^16 stays below .5 %."""
    values = np.random.default_rng(0).standard_t(2, 1_000_000)
    sample = Sample(1 << 16)
    sample.add(values)
    shares = np.array([0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999])
    edges = sample.ordered[(shares * len(sample.ordered)).astype(int)]
    ranks = np.searchsorted(np.sort(values), edges) / len(values)
    assert abs(ranks - shares).max() < 0.005


def test_a_sample_holds_no_buffer_of_others() -> None:
    """What stays is copied: the array it came from may be written over."""
    values, sample = np.arange(5.0), Sample(10)
    sample.add(values)
    values[:] = -1
    assert sample.ordered.tolist() == [0, 1, 2, 3, 4]
