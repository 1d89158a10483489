"""Refinement: a value that comes out of nowhere is seen, and what is ordinary is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.evidence import Evidence, explain
from drift.detection.scores import Verdict
from drift.detection.scoring import measure
from drift.errors import BinningMismatch
from drift.profiles.binning import CategoricalBinning, NumericBinning, binning_from_dict
from drift.profiles.counting import count_labels, count_numbers
from drift.profiles.fitting import fit_categorical, fit_numeric
from drift.profiles.heavy_hitters import Atoms
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.refinement import MOST, newest_label, refined, refined_pairs, under
from drift.statistics.divergence import kl_divergence
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

law = examples(60)
BINNING = NumericBinning([0, 4, 8, 12])

# Few values, each often, so that chance is not what keeps them from being set apart.
weights = st.lists(st.integers(0, 400), min_size=12, max_size=12)


def counted(rows: list[int], binning: NumericBinning = BINNING) -> Histogram:
    """Count so many rows of each of the numbers 0.5, 1.5, 2.5 and so on."""
    return count_numbers(binning, np.repeat(np.arange(len(rows)) + 0.5, rows))


def pair(
    share: float, n: int, m: int, *, value: float = 0.3, whole: bool = False, seed: int = 0
) -> tuple[Histogram, Histogram]:
    """Normal numbers, of which a share becomes one value in the current window."""
    rng = np.random.default_rng(seed)
    before, after = np.round(10 * rng.normal(size=n)) if whole else rng.normal(size=n), rng.normal(size=m)
    after = np.where(rng.random(m) < share, value, np.round(10 * after) if whole else after)
    binning = fit_numeric(before, expected_rows=m, scale="integer" if whole else "number")
    return count_numbers(binning, before), count_numbers(binning, after)


@law
@given(weights, weights)
def test_no_row_is_lost_and_no_divergence(before: list[int], after: list[int]) -> None:
    """Each side keeps its rows, in its bins; KL of the shares is never lower than with the bins alone."""
    reference, current = counted(before), counted(after)
    x, y = refined(reference, current)
    assert (x.n, y.n) == (reference.n, current.n)
    assert x.binning == y.binning
    for side, original in ((x, reference), (y, current)):
        assert side.whole().counts.tolist() == original.counts.tolist()
        assert side.whole().binning == BINNING
        assert side.atoms is None
    if reference.n and current.n:
        coarse = float(kl_divergence(current.shares, reference.shares))
        assert float(kl_divergence(y.shares, x.shares)) >= coarse - 1e-12


@law
@given(weights, weights)
def test_what_is_new_one_way_is_gone_the_other(before: list[int], after: list[int]) -> None:
    """Both directions set the same values apart, at most so many, and one that is there is counted to the row."""
    x, y = refined(counted(before), counted(after))
    back = refined(counted(after), counted(before))
    assert (y, x) == back
    binning = x.binning
    assert isinstance(binning, NumericBinning)
    assert len(binning.apart) <= MOST
    for j, value in enumerate(binning.apart):
        cell = int(binning.cell_of(binning.apart)[j]) + 1 + j
        i = int(value)
        # A single row is none that recurs.
        assert [side.counts[cell] for side in (x, y)] == [n if n > 1 else 0 for n in (before[i], after[i])]
        assert binning.cells[cell] == f"= {value:g}"


@law
@given(weights)
def test_equal_counts_are_left_alone(rows: list[int]) -> None:
    """Whatever recurs recurs on both sides."""
    x, y = refined(counted(rows), counted(rows))
    assert x == y == Histogram(BINNING, counted(rows).counts)


@law
@given(weights, weights)
def test_what_was_refined_once_can_be_had_again(before: list[int], after: list[int]) -> None:
    """From the stored counts and the stored binning, for a report that is read back."""
    reference, current = counted(before), counted(after)
    x, y = refined(reference, current)
    again = binning_from_dict(x.binning.to_dict())
    assert again == x.binning
    assert (under(again, reference), under(again, current)) == (x, y)


def test_one_ordinary_value_in_a_hundred_rows_is_seen() -> None:
    """KL is .0005 in frozen bins; with a cell of its own it is what it is, and significant."""
    reference, current = pair(0.01, 5000, 5000)
    before = measure({"x": (reference, current)})["x"]
    after = measure({"x": refined(reference, current)})["x"]
    assert before.kl_corrected < 0.003
    assert after.kl_corrected > 0.02
    assert after.p < 1e-6


def test_it_is_said_in_words() -> None:
    """The value, where it was and where it is, and what it adds."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=50_000), rng.normal(size=5000)
    after[:50] = 0.3
    binning = fit_numeric(before, expected_rows=5000)
    x, y = refined(count_numbers(binning, before), count_numbers(binning, after))
    score = measure({"x": (x, y)})["x"]
    verdict = Verdict("x", "warning", "warning", "news", 0.01, 0.1, score)
    *_, line = explain(verdict, Evidence(x, y))
    assert line == f"= 0.3 rose from 0 % to 1.0 %: {score.contributions.max():.3g} of {score.kl:.3g} nats"
    assert score.contributions.sum() == pytest.approx(score.kl)


def test_a_value_that_vanished_is_seen() -> None:
    """One that held 1.5 % of the reference, too little for a bin, and is gone."""
    current, reference = pair(0.015, 5000, 5000)
    x, _ = refined(reference, current)
    assert isinstance(x.binning, NumericBinning)
    assert x.binning.apart.tolist() == [0.3]


@pytest.mark.parametrize(("share", "n", "m"), [(0.004, 50_000, 50_000), (0.01, 500, 500), (0.001, 5000, 5000)], ids=str)
def test_what_is_rare_is_left_alone(share: float, n: int, m: int) -> None:
    """Less than half a percent, or than ten rows, is no news of its own."""
    x, _ = refined(*pair(share, n, m))
    assert x.binning.n_cells == pair(share, n, m)[0].binning.n_cells


def test_a_bin_that_is_as_new_as_the_value_is_left_whole() -> None:
    """-999 lies below every bin, where nothing was: the cell below shows it already."""
    reference, current = pair(0.02, 5000, 5000, value=-999.0)
    x, y = refined(reference, current)
    assert (x.counts.tolist(), y.counts.tolist()) == (reference.counts.tolist(), current.counts.tolist())


def test_rounding_is_seen() -> None:
    """The same numbers with one decimal less fill the same bins, but no longer between the lattice's points."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=5000), np.round(rng.normal(size=5000), 1)
    binning = fit_numeric(before)
    x, y = refined(count_numbers(binning, before), count_numbers(binning, after))
    assert isinstance(x.binning, NumericBinning)
    assert len(x.binning.apart) == MOST
    assert measure({"x": (x, y)})["x"].kl_corrected > 0.5


def test_a_whole_number_keeps_its_name() -> None:
    """On whole numbers the rest of the bin is named without it."""
    binning, counts = NumericBinning([0, 10, 20], "integer"), [0, 900, 900, 0, 0]
    reference = Histogram(binning, counts, Atoms.none())
    current = Histogram(binning, counts, Atoms([7], [90], [90], 0, 1))
    x, y = refined(reference, current)
    assert x.binning.cells[1:3] == ("0 … 9 without 7", "= 7")
    assert (x.counts.tolist(), y.counts.tolist()) == ([0, 900, 0, 900, 0, 0], [0, 810, 90, 900, 0, 0])


def test_where_nobody_looked_nothing_is_set_apart() -> None:
    """Numbers from a warehouse have no atoms, nor has a reference that such a window is part of, nor have old rows."""
    reference, current = pair(0.02, 5000, 5000)
    bare = Histogram(reference.binning, reference.counts)
    for one, other in ((bare, current), (reference, Histogram(current.binning, current.counts))):
        assert refined(one, other)[0].binning == reference.binning
    assert (reference + bare).atoms is None
    carriers = Histogram(CategoricalBinning(("UA",)), [5, 0, 0, 0])
    assert refined(carriers, carriers) == (carriers, carriers)


def test_a_long_reference_of_short_windows_leaves_room_only_for_few() -> None:
    """Each window may hide one row of the value; a month of them is still nearly nothing of what it has now."""
    rng = np.random.default_rng(0)
    days = [rng.normal(size=930) for _ in range(28)]
    binning = fit_numeric(np.concatenate(days), expected_rows=930)
    reference = Histogram.total([count_numbers(binning, day) for day in days])
    assert reference.atoms is not None
    assert reference.atoms.bound == 28
    current = rng.normal(size=930)
    current[:18] = 0.3
    x, y = refined(reference, count_numbers(binning, current))
    assert isinstance(x.binning, NumericBinning)
    assert x.binning.apart.tolist() == [0.3]
    (cell,) = (i for i, name in enumerate(x.binning.cells) if name == "= 0.3")
    assert (x.counts[cell], y.counts[cell]) == (0, 18)


def test_a_window_under_other_bins_is_refused() -> None:
    """A refinement of other bins says nothing of these counts; histograms that do not compare are left to `measure`."""
    other = counted([5] * 12, NumericBinning([0, 5, 12]))
    with pytest.raises(BinningMismatch, match="not a refinement"):
        under(NumericBinning([0, 4, 8, 12], apart=[0.5]), other)
    assert refined(counted([5] * 12), other)[1] is other


def test_only_the_features_asked_for_are_refined() -> None:
    """And only those that both profiles have."""
    one = Profile(None, 60, {"a": counted([5] * 12), "b": counted([5] * 12)})
    other = Profile(None, 60, {"b": counted([5] * 12), "c": counted([5] * 12)})
    assert list(refined_pairs(one, other)) == ["b"]
    assert list(refined_pairs(one, one, {"a"})) == ["a"]


def _rounded(digits: int) -> Callable[[np.random.Generator, int], NDArray[np.float64]]:
    return lambda rng, n: np.round(rng.normal(size=n), digits)


@pytest.mark.parametrize(
    "sampler",
    [
        lambda rng, n: rng.normal(size=n),
        _rounded(1),
        _rounded(2),
        lambda rng, n: np.round(rng.exponential(10, n)),
        lambda rng, n: np.round(rng.exponential(100, n)),
        lambda rng, n: np.round(np.exp(rng.normal(3, 1, n))) - 0.01,
        lambda rng, n: rng.integers(0, 150, n).astype(float),
        lambda rng, n: np.where(rng.random(n) < 0.4, 0.0, rng.exponential(10, n)),
    ],
    ids=["continuous", "tenths", "hundredths", "small counts", "counts", "prices", "uniform", "zeros"],
)
@pytest.mark.parametrize(("n", "m"), [(500, 500), (5000, 930)], ids=str)
def test_nothing_is_set_apart_when_nothing_changed(
    sampler: Callable[[np.random.Generator, int], NDArray[np.float64]], n: int, m: int
) -> None:
    """The cells are chosen after the data were seen, which is harmless only if chance never brings it about."""
    rng = np.random.default_rng(7)
    for _ in range(40):
        before = sampler(rng, n)
        binning = fit_numeric(before, expected_rows=m)
        x, _ = refined(count_numbers(binning, before), count_numbers(binning, sampler(rng, m)))
        assert x.binning == binning


# -- labels -----------------------------------------------------------------------------------------------------------

KNOWN = CategoricalBinning(("a", "b"), rare=("c", "d", "e"))
names = [*"abcdefgh", "", "A", "other", "x" * 300]
label_rows = st.dictionaries(st.sampled_from(names), st.integers(1, 400))


def sides(
    before: dict[str, int], after: dict[str, int], binning: CategoricalBinning | None = None
) -> tuple[Histogram, Histogram]:
    """Count both sides; by default under what is fitted on the first."""
    one = binning or fit_categorical(before)
    reference, current = (count_labels(one, list(rows), list(rows.values())) for rows in (before, after))
    return reference, current


@law
@given(label_rows, label_rows, st.sampled_from([KNOWN, CategoricalBinning(("a",), None), CategoricalBinning(())]))
def test_labels_lose_no_row_and_no_divergence(
    before: dict[str, int], after: dict[str, int], binning: CategoricalBinning
) -> None:
    """Both directions set the same labels apart, each counted to the row; KL is never lower than before."""
    reference, current = sides(before, after, binning)
    x, y = refined(reference, current)
    assert refined(current, reference) == (y, x)
    assert [side.whole().counts.tolist() for side in (x, y)] == [one.counts.tolist() for one in (reference, current)]
    one = x.binning
    assert isinstance(one, CategoricalBinning)
    assert one.whole == binning
    assert len(one.apart) <= MOST
    for cell, label in enumerate(one.apart, len(one.levels)):
        whole = next(name for name in names if binning.written(name) == label)
        # A single row is none that recurs.
        expected = [n if n > 1 else 0 for n in (before.get(whole, 0), after.get(whole, 0))]
        assert [side.counts[cell] for side in (x, y)] == expected
    again = binning_from_dict(one.to_dict())
    assert (under(again, reference), under(again, current)) == (x, y)
    if reference.n and current.n:
        coarse = float(kl_divergence(current.shares, reference.shares))
        assert float(kl_divergence(y.shares, x.shares)) >= coarse - 1e-12


USUAL = {"a": 6000, "b": 3000, **{f"r{i}": 5 for i in range(200)}}


@pytest.mark.parametrize("change", ["new", "gone", "grown", "renamed", "case", "empty", "long", "hashed", "identifier"])
def test_a_label_without_a_cell_is_seen(change: str) -> None:
    """New, gone, risen from nearly nothing, renamed, of other case, empty, very long, hashed, among identifiers."""
    salt = "salt" if change == "hashed" else ""
    if change == "identifier":
        usual = {f"id {i}": 1 for i in range(20_000)}
        after = {**{f"new {i}": 1 for i in range(900)}, "x": 100}
        expected = ["x"]
    else:
        usual = {**USUAL, "c": 60}
        changed = {
            "new": {"x": 100}, "gone": {"c": -60}, "grown": {"r7": 2000}, "renamed": {"c": -60, "x": 60},
            "case": {"c": -60, "C": 60}, "empty": {"": 100}, "long": {"x" * 5000: 100}, "hashed": {"x": 100},
        }[change]  # fmt: skip
        after = {label: n for label in {**usual, **changed} if (n := usual.get(label, 0) + changed.get(label, 0))}
        expected = sorted(changed)
    binning = fit_categorical(usual, levels=2, salt=salt)
    x, y = refined(*sides(usual, after, binning))
    assert isinstance(x.binning, CategoricalBinning)
    assert sorted(x.binning.apart) == [binning.written(label) for label in binning.named(expected)]
    assert salt == "" or "x" not in str(y.to_dict() if hasattr(y, "to_dict") else y.atoms)
    score = measure({"x": (x, y)})["x"]
    assert (score.p < 1e-5, score.kl_corrected > 0.003) == (True, True)


def test_a_boolean_that_is_neither_is_named() -> None:
    """``2`` and ``unknown`` are unseen, and set apart."""
    binning = fit_categorical({"true": 500, "false": 500}, kind="boolean")
    x, y = refined(*sides({"true": 500, "false": 500}, {"0": 500, "1": 400, "2": 60, "unknown": 40}, binning))
    assert x.binning.cells == ("false", "true", "2", "unknown", "other", "unseen", "missing")
    assert (x.binning.kind, y.counts.tolist()) == ("boolean", [500, 400, 60, 40, 0, 0, 0])


def test_of_two_unseen_labels_one_becomes_the_other() -> None:
    """Both are unseen to the fit, and KL was 0; it is as large as that of a new level."""
    binning = fit_categorical({"a": 28_000})
    x, y = refined(*sides({"b": 28_000}, {"c": 1000}, binning))
    assert x.binning.cells == ("a", "b", "c", "other", "unseen", "missing")
    assert measure({"x": (x, y)})["x"].kl_corrected > 5


@pytest.mark.parametrize("law", ["zipf", "even", "identifier", "few"])
@pytest.mark.parametrize(("n", "m"), [(500, 500), (28_000, 1000), (5000, 20_000)], ids=str)
def test_no_label_is_set_apart_when_nothing_changed(law: str, n: int, m: int) -> None:
    """Of thousands of labels, of few, of those that are new every time."""
    rng = np.random.default_rng([3, n])
    labels = {"zipf": 5000, "even": 100, "identifier": 10**9, "few": 60}[law]
    weights = 1 / np.arange(1.0, labels + 1) if law in {"zipf", "few"} else None

    def drawn(size: int) -> dict[str, int]:
        codes = (
            rng.integers(0, labels, size) if weights is None else rng.choice(labels, size, p=weights / weights.sum())
        )
        values, counts = np.unique(codes, return_counts=True)
        return dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))

    for _ in range(20):
        reference, current = sides(drawn(n), drawn(m))
        assert refined(reference, current)[0].binning == reference.binning


def test_a_trailing_reference_of_many_windows_still_tells_new_from_known() -> None:
    """Each of 28 windows leaves labels out of its list; together they leave little room for one that has come since."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1.0, 3001)

    def day(**more: int) -> dict[str, int]:
        values, counts = np.unique(rng.choice(3000, 5000, p=shares / shares.sum()), return_counts=True)
        return dict(zip(map(str, values.tolist()), counts.tolist(), strict=True)) | more

    days = [day(known=90) for _ in range(28)]
    binning = fit_categorical({label: n for each in days[:2] for label, n in each.items() if label != "known"})
    reference = Histogram.total([count_labels(binning, list(each), list(each.values())) for each in days])
    now = day(known=90, NEW=90)
    x, y = refined(reference, count_labels(binning, list(now), list(now.values())))
    assert isinstance(x.binning, CategoricalBinning)
    assert x.binning.apart == ("NEW",)
    old = Histogram(binning, reference.counts)
    assert refined(old, y.whole())[0].binning == binning


@law
@given(label_rows, label_rows)
def test_the_newest_label_is_a_matter_of_chance(before: dict[str, int], after: dict[str, int]) -> None:
    """The same both ways, NaN where nothing is special, and in proportion to its rows."""
    reference, current = sides(before, after, KNOWN)
    p = newest_label(*refined(reference, current))
    assert np.isnan(p) or 0 <= p < 0.1
    assert np.array_equal(p, newest_label(reference, current), equal_nan=True)
    assert np.isnan(newest_label(reference, reference))
    if current.n and reference.n:
        more = {**after, "g": after.get("g", 0) + 400}
        rows = {**before, "g": 0} if before.get("g") else before
        reference, current = sides({label: n for label, n in rows.items() if n}, more, KNOWN)
        assert np.isnan(newest_label(reference, current)) == (current.n > 40 * reference.n) or current.n > reference.n
