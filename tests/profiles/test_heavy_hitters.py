"""Atoms: which values and labels recur, how often, and what may have been missed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from drift.profiles import heavy_hitters
from drift.profiles.heavy_hitters import KEPT, Atoms, LabelTally
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

law = examples(60)

values = st.integers(-6, 6).map(float) | st.floats(-6, 6)
samples = st.lists(values, max_size=60)


def found(sample: list[float]) -> Atoms:
    """The atoms of a sample, all of them wanted."""
    return Atoms.of(np.sort(np.array(sample, float)), lambda asked: np.ones(len(asked), bool))


def tallied(chunks: list[list[str]]) -> Atoms:
    """The atoms of labels that come in chunks."""
    tally = LabelTally()
    for chunk in chunks:
        counted = Counter(chunk)
        tally.add(list(counted), list(counted.values()))
    return tally.atoms()


# Few labels, so that they recur; NUL, lone surrogates and what is a number among them.
words = st.sampled_from(["", "a", "A", "a\0", "\ud800", "0.5", "日本", "x" * 300]) | st.text(max_size=2)
texts = st.lists(words, max_size=40)

numbers = st.lists(samples, min_size=1, max_size=3).map(lambda parts: Atoms.total(map(found, parts)))
labels = st.lists(texts, min_size=1, max_size=3).map(lambda parts: Atoms.total(tallied([part]) for part in parts))
atoms = numbers | labels
three = st.tuples(numbers, numbers, numbers) | st.tuples(labels, labels, labels)


@law
@given(samples)
def test_every_value_lies_in_its_range(sample: list[float]) -> None:
    """A value in the list is counted exactly, any other has at most `bound` rows."""
    counted, known = Counter(sample), found(sample)
    rows, most = known.rows_of(list(counted))
    for (value, n), expected, at_most in zip(counted.items(), rows.tolist(), most.tolist(), strict=True):
        assert n == expected if value in known.values else n <= at_most
    assert (np.diff(known.values) > 0).all()
    assert known.typical <= known.bound


@law
@given(three)
def test_atoms_add_up_in_any_order(each: tuple[Atoms, Atoms, Atoms]) -> None:
    """Associative, commutative, and no rows are the zero; numbers and labels alike."""
    a, b, c = each
    assert a + b == b + a
    assert (a + b) + c == a + (b + c) == Atoms.total([c, a, b])
    assert a + Atoms.none() == a == Atoms.total([a])
    assert hash(a + b) == hash(b + a)


@law
@given(samples, samples)
def test_a_sum_holds_what_both_hold(one: list[float], other: list[float]) -> None:
    """No value has more rows than the sum of two lists allows, and their exact counts add up."""
    counted, both = Counter(one + other), found(one) + found(other)
    _, most = both.rows_of(list(counted))
    assert all(n <= at_most for n, at_most in zip(counted.values(), most.tolist(), strict=True))
    twice = set(found(one).values) & set(found(other).values)
    rows, most = both.rows_of(sorted(twice))
    assert rows.tolist() == most.tolist() == [counted[value] for value in sorted(twice)]


@law
@given(atoms, st.integers(0, 5))
def test_a_shorter_list_promises_less_and_nothing_false(known: Atoms, kept: int) -> None:
    """Whatever is left out is covered by the bound."""
    shorter = known.pruned(kept)
    assert len(shorter.values) == min(kept, len(known.values))
    assert (shorter.rows_of(known.values)[1] >= known.most).all()
    assert shorter.pruned(kept) == shorter


@law
@given(atoms)
def test_atoms_come_back_from_json_bit_for_bit(known: Atoms) -> None:
    """Also what is not exact, and every float."""
    assert Atoms.from_dict(json.loads(json.dumps(known.to_dict()))) == known


@pytest.mark.parametrize("size", [0, 1, 2, 930, 5000, 1 << 16])
@pytest.mark.parametrize("kind", ["continuous", "whole", "cents", "many", "zeros"])
def test_the_most_frequent_values_are_found_in_any_sort_of_numbers(size: int, kind: str) -> None:
    """However many there are: those in the list are exact, the list is bounded, and what it leaves out is rare."""
    rng = np.random.default_rng(size)
    samplers: dict[str, Callable[[], NDArray[np.float64]]] = {
        "continuous": lambda: rng.normal(size=size),
        "whole": lambda: np.round(rng.exponential(20, size)),
        "cents": lambda: np.round(rng.lognormal(3, 1, size), 2),
        "many": lambda: rng.integers(0, 1000, size).astype(float),
        "zeros": lambda: np.where(rng.random(size) < 0.4, 0.0, rng.normal(size=size)),
    }
    sample = samplers[kind]()
    known, counted = found(sample.tolist()), Counter(sample.tolist())
    assert len(known.values) <= KEPT
    assert known.rows.tolist() == [counted[value] for value in known.values.tolist()]
    others = [n for value, n in counted.items() if value not in known.values]
    assert max(others, default=0) <= known.bound
    # Among so many values that each holds one row in a thousand the list is all that fits; else it misses next to none.
    assert known.bound <= max(1, 0.012 * size)
    if kind in {"continuous", "zeros"} and size > 2:
        assert (known.typical, known.bound <= max(1, size / 2000)) == (0, True)


def test_a_planted_value_is_counted_to_the_row() -> None:
    """One in a hundred rows holds it, among numbers that never meet: exactly so many, and nothing else recurs."""
    sample = np.random.default_rng(0).normal(size=5000)
    sample[:50] = 0.3
    known = found(sample.tolist())
    assert (known.values.tolist(), known.rows.tolist(), known.typical, known.bound) == ([0.3], [50], 0, 1)


def test_what_is_expected_of_a_value_that_is_not_in_the_list() -> None:
    """On a lattice its places are all as likely, 5 rows each here; on a continuum there is none."""
    rng = np.random.default_rng(0)
    assert found(rng.integers(0, 1000, 5000).astype(float).tolist()).typical == 5
    assert found(rng.normal(size=5000).tolist()).typical == 0


def test_equal_counts_keep_the_smaller_value() -> None:
    """Which values are kept does not depend on chance."""
    sample = np.repeat(np.arange(2.0 * KEPT), 3)
    known = found(sample.tolist())
    assert known.values.tolist() == list(range(KEPT))
    assert known.bound == 3


def test_atoms_are_frozen_and_show_themselves() -> None:
    """Nobody changes a stored list by accident, and a message shows it to the last digit."""
    known = Atoms([0.1], [3], [3], 0, 1)
    with pytest.raises(ValueError, match="read-only"):
        known.rows[0] = 5
    assert repr(known) == "Atoms({'values': [0.1], 'rows': [3], 'typical': 0, 'bound': 1})"
    assert known != "Atoms"


@pytest.mark.parametrize("stride", [2, 4, 64, 1024])
@pytest.mark.parametrize("seen", [0, 1, 5, 30, 400, 10_000])
def test_a_scaled_bound_is_exceeded_by_chance_once_in_a_million(seen: int, stride: int) -> None:
    """A value with more rows than the bound has so few in the sample hardly ever, and the bound is not much looser."""
    bound = Atoms([], [], [], 0, seen).scaled(stride).bound
    assert binom.cdf(seen, bound + 1, 1 / stride) < 2e-6
    assert bound <= 1.3 * stride * (seen + 14 + 5 * seen**0.5)


@law
@given(st.lists(texts, max_size=4))
def test_few_labels_are_counted_to_the_row_wherever_they_are_cut(chunks: list[list[str]]) -> None:
    """Those that recur are listed, most rows first; any other has at most `bound`."""
    counted = Counter(label for chunk in chunks for label in chunk)
    known = tallied(chunks)
    assert known == tallied([[label for chunk in chunks for label in chunk]])
    recurring = {label: n for label, n in counted.items() if n > 1}
    listed = dict(zip(known.values.tolist(), known.rows.tolist(), strict=True))
    assert listed == recurring or len(listed) == KEPT
    assert (known.most == known.rows).all()
    assert max((n for label, n in counted.items() if label not in listed), default=0) == known.bound


@pytest.mark.parametrize("law", ["unique", "zipf", "even", "bursts"])
def test_of_many_labels_the_frequent_are_followed_in_bounded_memory(law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No label has more rows than the list allows, however many there are; and one that recurs is always listed."""
    monkeypatch.setattr(heavy_hitters, "MOST_LABELS", 64)
    rng = np.random.default_rng(5)
    draws: dict[str, Callable[[int], NDArray[np.int64]]] = {
        "unique": lambda i: np.arange(5000) + 5000 * i,
        "zipf": lambda _: rng.zipf(1.3, 5000) % 3000,
        "even": lambda _: rng.integers(0, 500, 5000),
        "bursts": lambda i: np.where(rng.random(5000) < 0.1, -i, rng.integers(0, 100_000, 5000)),
    }
    tally, counted = LabelTally(), Counter[str]()
    for i in range(12):
        chunk = Counter([f"l{x}" for x in draws[law](i).tolist()])
        chunk["NEW"] = 100
        tally.add(list(chunk), list(chunk.values()))
        counted += chunk
        assert len(tally._rows) <= 2 * heavy_hitters.MOST_LABELS + 1
    known = tally.atoms()
    most = known.rows_of(list(counted))[1]
    assert all(n <= at_most for n, at_most in zip(counted.values(), most.tolist(), strict=True))
    assert known.rows_of(["NEW"])[0].tolist() == [1200]
    assert (known.rows <= [counted[label] for label in known.values.tolist()]).all()
    assert known.bound <= 0.03 * 60_000


def test_a_month_of_labels_adds_up() -> None:
    """The label of every day is counted to the row; what each day left out adds up to a bound that holds."""
    days = [Counter({"often": 30, f"of day {i}": 5, **{f"rare {i} {j}": 2 for j in range(100)}}) for i in range(28)]
    month = Atoms.total(tallied([list(day.elements())]) for day in days)
    rows, most = month.rows_of(["often", "of day 3", "never"])
    assert rows.tolist() == [840, 5, 0]
    assert most.tolist() == [840, 5 + 27 * 2, 28 * 2]
