"""Fitting: a total, frozen binning for whatever a reference holds."""

from __future__ import annotations

import itertools
import json
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.profiles.binning import Binning, CategoricalBinning, NumericBinning, Vocabulary, binning_from_dict
from drift.profiles.counting import count
from drift.profiles.fitting import (
    MAX_KNOWN_LEVELS,
    SAMPLE,
    TIE_SHARE,
    FitOptions,
    bin_count,
    fit,
    fit_categorical,
    fit_numeric,
)
from drift.statistics.divergence import kl_corrected, kl_divergence, smooth
from tests.support.laws import examples

if TYPE_CHECKING:
    from drift.config.features import FeatureKind

DATA = Path(__file__).parents[2] / "data"


law = examples(60)


anything = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, math.inf, -math.inf])


anything |= st.integers(-(2**63), 2**64).map(float)


finite = st.floats(allow_nan=False, allow_infinity=False)


edges = st.lists(finite, max_size=12, unique=True).map(sorted)


def rows(**columns: Any) -> pa.RecordBatch:
    """Build one batch of rows."""
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def fit_one(values: Any, **options: Any) -> Binning:
    """Fit one column of one batch."""
    binnings, problems = fit([rows(x=values)], {"x": FitOptions(**options)})
    assert not problems
    return binnings["x"]


COLUMNS: dict[str, Any] = {
    "integer": pa.array([0, 1, 1, 0, None]),
    "float": pa.array([0.5, 1.5, None, math.nan, math.inf]),
    "decimal": pa.array([Decimal("1.50"), Decimal("2.50"), None]),
    "boolean": pa.array([True, False, None]),
    "date": pa.array([date(2013, 2, 8), date(2013, 2, 9), None]),
    "timestamp": pa.array([datetime(2013, 2, 8), None]),  # noqa: DTZ001
    "duration": pa.array([timedelta(1), None]),
    "text": pa.array(["a", "b", None]),
    "numerals": pa.array(["1", "2", None]),
    "true and false": pa.array(["false", "true", None]),
    "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
    "null": pa.nulls(3),
    "nested": pa.array([[1], None]),
}


@law
@given(st.lists(anything, max_size=80), st.lists(anything, max_size=80))
@example([1.7976931348623157e308], [])
def test_a_fitted_binning_is_total(reference: list[float], current: list[float]) -> None:
    """Whatever the reference held, whatever comes next is counted, to the last row."""
    binning = fit_numeric(reference)
    for values in (reference, current):
        assert binning.count(values).sum() == len(values)
    assert (binning.edges[1:] > binning.edges[:-1]).all()


@law
@given(st.lists(finite, min_size=1, max_size=300), st.randoms(use_true_random=False))
@example([0.0, -0.0, 1.0, 2.0], None)
def test_the_order_of_rows_does_not_matter(values: list[float], random: Any) -> None:
    """The same rows in another order give the same cells, to the bit."""
    other = list(reversed(values))
    if random:
        random.shuffle(other)
    assert fit_numeric(values).fingerprint == fit_numeric(other).fingerprint


@law
@given(st.lists(st.none() | finite, max_size=200), st.lists(st.integers(0, 200), max_size=5))
@example([0.0, -0.0, 1.0], [1])
def test_batches_do_not_matter(values: list[float | None], cuts: list[int]) -> None:
    """However a reference is split into batches, the fit is the same."""
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    batches = [pa.record_batch({"x": pa.array(values[a:b], pa.float64())}) for a, b in itertools.pairwise(bounds)]
    whole = pa.record_batch({"x": pa.array(values, pa.float64())})
    options = {"x": FitOptions()}
    assert fit(batches, options) == fit([whole], options) == fit(reversed(batches), options)


@pytest.mark.parametrize("n", [SAMPLE - 1, SAMPLE])
def test_every_value_takes_part_up_to_the_sample(n: int) -> None:
    """Up to `SAMPLE` rows the edges are exact, whatever the order."""
    values = np.random.default_rng(2).normal(size=n)
    whole, parts = fit_one(values), fit([rows(x=part) for part in np.array_split(values, 7)], {"x": FitOptions()})
    assert whole == parts[0]["x"] == fit_numeric(np.sort(values))


def test_beyond_the_sample_edges_are_near() -> None:
    """A reference larger than the sample has its edges within 0.3 % of the rank they stand for."""
    values = np.random.default_rng(3).lognormal(size=3 * SAMPLE + 17)
    binning = fit([rows(x=part) for part in np.array_split(values, 11)], {"x": FitOptions()})[0]["x"]
    ranks = np.searchsorted(np.sort(values), fit_numeric(values).edges) / len(values)
    assert isinstance(binning, NumericBinning)
    found = np.searchsorted(np.sort(values), binning.edges) / len(values)
    assert len(found) == len(ranks)
    assert np.abs(found - ranks).max() < 0.003


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_large_reference_with_a_rhythm_is_sampled_fairly(period: int) -> None:
    """Rows that come in turns (one sensor after the other) are all in the sample, beyond 65,536 rows too."""
    values = np.resize(np.arange(period, dtype=float), 4 * SAMPLE)
    binning = fit_one(values)
    counts = dict(zip(binning.cells, binning.count_arrow(pa.array(values)).tolist(), strict=True))
    assert [counts.get(f"= {value}", 0) for value in range(period)] == [len(values) // period] * period


@law
@given(st.lists(st.sampled_from([-1.5, 0.0, 0.25, 3.0, 1e9]) | st.floats(-10, 10), min_size=100, max_size=400))
def test_a_tie_has_a_cell_of_its_own(values: list[float]) -> None:
    """Every value that holds 2 % of the reference is alone in its cell."""
    binning = fit_numeric(values)
    distinct, widths = np.unique(values, return_counts=True)
    for value, width in zip(distinct, widths, strict=True):
        if width >= TIE_SHARE * len(values):
            others = distinct[distinct != value]
            cell = int(np.argmax(binning.count([value])))
            assert binning.count(others)[cell] == 0
            assert f"= {binning.format(value + 0.0)}" == binning.cells[cell]


@pytest.mark.parametrize("value", [3.0, 0.0, -7.5, 1e-300, 1e300, 2.0**60])
def test_a_constant_reference(value: float) -> None:
    """One value ever: below it, the value, above it, missing."""
    binning = fit_numeric([value] * 100)
    assert binning.n_cells == 4
    assert (
        binning.count([value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf), math.nan]).tolist()
        == [1] * 4
    )


@pytest.mark.parametrize("value", [0, -5, 2**31, 2**53, 2**60, 1_360_281_600_000_000_000])
def test_a_constant_integer_reference(value: int) -> None:
    """The same for integers, those beyond 2^53 too (nanoseconds since 1970 are such)."""
    binning = fit_one([value] * 100)
    above = int(math.nextafter(value, math.inf)) if value >= 2**53 else value + 1
    counts = [binning.count_arrow(pa.array([v])).tolist() for v in (value, above)]
    assert counts == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_the_largest_value_of_the_reference_is_not_above() -> None:
    """*above* begins past the maximum, so a reference has no row below or above."""
    for values in ([1, 2, 3, 900], [0.5, 0.75, 9.25], np.random.default_rng(4).normal(size=5000)):
        counts = fit_one(values).count_arrow(pa.array(values))
        assert (counts[0], counts[-2]) == (0, 0)


@law
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=80), st.floats(0.001, 1000))
def test_the_outermost_bins_reach_a_tail_as_long_again(whole: list[int], unit: float) -> None:
    """Beyond the extremes by as much as the 5 % quantile lies inside them, and not beyond a value that holds 2 %."""
    values = np.sort(np.array(whole) * unit)
    binning, n, last = fit_numeric(values, bins=4), len(values), len(values) // 20
    for sign, edge in ((1, binning.edges[0]), (-1, binning.edges[-1])):
        ends = np.sort(sign * values)
        extreme, inside = ends[0], ends[last]
        tied = (ends == extreme).sum() >= max(0.02 * n, 2) or n == 1
        assert sign * edge == pytest.approx(extreme if tied else 2 * extreme - inside, abs=1e-9 * 1000 * unit)
        # Nothing lies between the extreme and the edge but a bin that holds the extreme.
        assert tied or binning.cell_of([sign * extreme]) == binning.cell_of([sign * (2 * extreme - inside)])
    assert binning.seen is None or binning.seen == (values[0], values[-1])


@pytest.mark.parametrize("values", [[-1.7e308, -1.6e308, 0, 1.6e308, 1.7e308], [-(2.0**62), 0, 2.0**62]])
def test_a_tail_that_leaves_float64_ends_at_the_extreme(values: list[float]) -> None:
    """The edges stay finite, and nothing of the reference is beyond them, however long the tail."""
    many = np.repeat(values, [1] + [40] * (len(values) - 2) + [1])
    binning = fit_numeric(many)
    assert np.isfinite(binning.edges).all()
    assert binning.count(many)[[0, -2]].tolist() == [0, 0]


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf, math.nan]])
def test_a_reference_without_a_number(values: list[float]) -> None:
    """Nothing finite to learn from: one cell takes every value, and the missing stay apart."""
    binning = fit_numeric(values)
    assert binning.cells == ("any value", "missing")
    assert binning.count([1, -math.inf, math.nan]).tolist() == [2, 1]


def test_infinities_take_no_part_in_the_fit_and_are_counted() -> None:
    """A reference with infinities has the edges it has without them; they fall below and above."""
    values = list(range(100))
    assert fit_numeric([*values, math.inf, -math.inf]) == fit_numeric(values)
    counts = fit_numeric(values).count([math.inf, -math.inf, math.inf])
    assert (counts[0], counts[-2]) == (1, 2)


@pytest.mark.parametrize(
    ("n_reference", "n_current", "bins"),
    [(28_000, 300, 6), (28_000, 930, 10), (100, 100, 4), (10**9, 10**9, 10), (0, 0, 4)],
)
def test_bin_count(n_reference: int, n_current: int, bins: int) -> None:
    """Four to ten quantile bins, at least fifty rows a bin in the smaller sample where that can be."""
    assert bin_count(n_reference, n_current) == bins


def test_tails_are_cut_where_the_smaller_sample_feeds_them() -> None:
    """5 %, 1 % and 0.1 % on both sides, each where at least five current rows are expected beyond."""
    values = np.random.default_rng(5).normal(size=50_000)
    sizes = {
        rows_expected: fit_numeric(values, expected_rows=rows_expected).n_cells
        for rows_expected in (99, 100, 1000, 5000)
    }
    inner = 3 + 2  # below, above, missing; the minimum and maximum are edges
    assert sizes[99] == 4 + inner - 2
    assert sizes[100] == sizes[99] + 2
    assert sizes[1000] == 10 + 3 + 2 + 2
    assert sizes[5000] == sizes[1000] + 2


def test_quantile_bins_hold_equal_shares() -> None:
    """Without ties, the k quantile bins hold 1/k of the reference each."""
    values = np.random.default_rng(6).normal(size=10_000)
    counts = fit_numeric(values, bins=5, expected_rows=50).count(values)
    assert counts.tolist() == [0, *[2000] * 5, 0, 0]


def test_edges_may_be_given() -> None:
    """A person's edges are taken as they are."""
    assert fit_one([1, 2, 3], bins=[0.0, 2.0, 9.0]).to_dict()["edges"] == [0.0, 2.0, 9.0]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0] * 90 + [5] * 10, ("below 0", "= 0", "1 … 4", "= 5", "6 and above", "missing")),
        ([date(2013, 2, 8)] * 9, ("below 2013-02-08", "= 2013-02-08", "2013-02-09 and above", "missing")),
    ],
)
def test_cells_are_named_in_the_feature_s_own_terms(values: list[Any], names: tuple[str, ...]) -> None:
    """Integers as ranges of integers, dates as dates, a lone value as itself."""
    assert fit_one(values).cells == names


def test_the_cell_after_a_tie_at_zero_reads_well() -> None:
    """What follows *no rain* is *more than none*, not a bin from 4.94066e-324."""
    binning = fit_numeric([0.0] * 93 + [0.1 * i for i in range(1, 8)])
    assert not any("e-3" in name for name in binning.cells)


@law
@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=20),
    st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=20),
    st.integers(0, 8),
    st.integers(0, 9),
    st.sampled_from(["", "salt"]),
)
def test_every_label_has_exactly_one_cell(
    reference: dict[str, int], current: dict[str, int], levels: int, n_missing: int, salt: str
) -> None:
    """Top levels each, the other known labels in *other*, never seen ones in *unseen*, nulls in *missing*."""
    binning = fit_categorical(reference, levels=levels, salt=salt)
    counts = binning.count_labels(list(current), list(current.values()), n_missing)
    assert counts.sum() == sum(current.values()) + n_missing
    top = sorted(reference, key=lambda label: (-reference[label], label))[:levels]
    wanted = [current.get(label, 0) for label in top]
    wanted += [sum(n for label, n in current.items() if label in reference and label not in top)]
    wanted += [sum(n for label, n in current.items() if label not in reference), n_missing]
    assert counts.tolist() == wanted
    assert len(binning.cells) == binning.n_cells == len(wanted)


def test_a_hundred_thousand_categories() -> None:
    """An identifier is counted to the last row, keeps its top levels only, and its new labels are not news."""
    labels = [f"N{i:06d}" for i in range(100_000)]
    binning = fit_one(labels + labels[:50])
    assert isinstance(binning, CategoricalBinning)
    assert binning.rare is None
    assert set(binning.levels) == set(labels[:50])
    assert len(json.dumps(binning.to_dict())) < 2_000
    counts = binning.count_arrow(pa.array([*labels, "brand new", None]))
    assert counts.tolist() == [1] * 50 + [100_000 - 50 + 1, 0, 1]


@pytest.mark.parametrize(("n_rare", "cell"), [(MAX_KNOWN_LEVELS, "unseen"), (MAX_KNOWN_LEVELS + 1, "other")])
def test_how_many_rare_labels_are_remembered(n_rare: int, cell: str) -> None:
    """Up to `MAX_KNOWN_LEVELS` rare labels a new one is told from them; beyond, it is not."""
    binning = fit_categorical({f"{i:06d}": 1 for i in range(n_rare + 5)}, levels=5)
    assert binning.cells[int(np.argmax(binning.count_labels(["new"], [1])))] == cell


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 5), max_size=30), st.integers(0, 12))
def test_a_fit_says_how_well_it_knows_its_labels(counts: dict[str, int], levels: int) -> None:
    """Rows, labels seen once and twice, rows of the most frequent label without a cell; nothing where all are known."""
    often = sorted(counts.values(), reverse=True)
    known = Vocabulary(sum(often), often.count(1), often.count(2), often[levels] if len(often) > levels else 0)
    found = fit_categorical(counts, levels=levels).vocabulary
    assert found == (known if known.once or known.twice or known.cutoff else None)


def test_an_identifier_says_only_what_a_warehouse_could_count() -> None:
    """Beyond the labels that are remembered only the cutoff is kept, so that a part of the counts fits the same."""
    counts = {f"{i:06d}": 1 + (i < 9) for i in range(MAX_KNOWN_LEVELS + 20)}
    part = dict(list(counts.items())[: MAX_KNOWN_LEVELS + 6])
    assert fit_categorical(counts, levels=5).vocabulary == Vocabulary(0, 0, 0, 2)
    assert fit_categorical(part, levels=5) == fit_categorical(counts, levels=5)


def test_equal_counts_rank_by_name() -> None:
    """Which of equally frequent labels gets a cell depends on neither rows nor dictionaries' order."""
    assert fit_categorical({"b": 1, "c": 1, "a": 1}, levels=2) == fit_categorical({"a": 1, "c": 1, "b": 1}, levels=2)


def test_labels_named_like_the_special_cells() -> None:
    """A label ``missing`` is a label: counted apart from nulls, and named apart."""
    special = ["other", "unseen", "missing"]
    binning = fit_one([*special * 2, "x", None])
    assert len(set(binning.cells)) == binning.n_cells
    counts = dict(zip(binning.cells, binning.count_arrow(pa.array([*special, None, None, "y"])).tolist(), strict=True))
    assert counts == {"'other'": 1, "'unseen'": 1, "'missing'": 1, "x": 0, "other": 0, "unseen": 1, "missing": 2}


def test_hashed_labels_leak_nothing() -> None:
    """With a salt, neither the stored binning nor its cells nor its printed form holds any label."""
    people = [f"person-{i}@example.org" for i in range(80)]
    binning = fit_one(people * 2, salt="s3cret", levels=20)
    for text in (json.dumps(binning.to_dict()), " ".join(binning.cells), repr(binning)):
        assert "person" not in text
        assert "example.org" not in text
    plain = fit_one(people * 2, levels=20)
    today = pa.array([*people[:30], "new@example.org", None])
    assert sorted(binning.count_arrow(today).tolist()) == sorted(plain.count_arrow(today).tolist())
    assert binning.count_arrow(today)[-3:].tolist() == plain.count_arrow(today)[-3:].tolist()


def test_booleans_have_both_levels() -> None:
    """A flag that was always false has a cell for true all the same."""
    binning = fit_one([False] * 9 + [None])
    assert binning.kind == "boolean"
    assert binning.cells == ("false", "true", "other", "unseen", "missing")
    assert binning.count_arrow(pa.array([True, False, None])).tolist() == [1, 1, 0, 0, 1]


def test_text_that_reads_true_and_false_is_text() -> None:
    """A string column whose labels are ``false`` and ``true`` is categorical, and counts as such."""
    batch = rows(x=["false", "true", "false"])
    binnings, _ = fit([batch], {"x": FitOptions()})
    assert binnings["x"].kind == "categorical"
    assert dict(count([batch], binnings).problems) == {}


def test_zeros_and_ones_called_boolean_are_false_and_true() -> None:
    """SQLite has no booleans: with the kind set by hand, its 0 and 1 count as PostgreSQL's false and true."""
    binning = fit_one([0, 0, 1, None], kind="boolean")
    assert binning.cells[:2] == ("false", "true")
    assert binning.count_arrow(pa.array([0, 0, 1, None])).tolist() == [2, 1, 0, 0, 1]


def test_one_bad_feature_never_sinks_the_rest() -> None:
    """A nested type, an absent column and text called numeric are problems in words; the others are fitted."""
    batch = rows(good=[1, 2, 3], nested=[[1], [2], []], text=["a", "b", "c"], **{"name with [brackets]": [1, 2, 3]})
    options = {name: FitOptions() for name in ("good", "nested", "absent", "name with [brackets]")}
    fitted, problems = fit([batch], {**options, "text": FitOptions(kind="numeric")})
    assert set(fitted) == {"good", "name with [brackets]"}
    assert set(problems) == {"nested", "absent", "text"}
    assert problems["absent"] == "the reference has no such column"
    assert all(problems.values())


def test_edges_that_do_not_increase_never_sink_the_rest() -> None:
    """A person's bad edges are that feature's problem."""
    fitted, problems = fit([rows(x=[1, 2], y=[1, 2])], {"x": FitOptions(bins=[3.0, 1.0]), "y": FitOptions()})
    assert set(fitted) == {"y"}
    assert "strictly increasing" in problems["x"]


def test_an_all_null_reference() -> None:
    """Typed or not, a column that was always missing has a cell for missing and one for whatever comes."""
    nothing, typed = pa.nulls(5), pa.array([None] * 5, pa.float64())
    for column in (nothing, typed):
        batch = pa.record_batch({"x": column})
        binning = fit([batch], {"x": FitOptions()})[0]["x"]
        assert binning.count_arrow(column)[-1] == 5
        counts = count([rows(x=[1.5, 2.5])], {"x": binning}).histograms["x"].counts
        assert (counts.sum(), counts[-1]) == (2, 0)


def test_an_empty_reference() -> None:
    """No batch at all: every feature is a problem; a batch without rows: binnings that count."""
    assert fit([], {"x": FitOptions()}) == ({}, {"x": "the reference has no such column"})
    binnings, problems = fit([pa.record_batch({"x": pa.array([], pa.int64())})], {"x": FitOptions()})
    assert not problems
    assert binnings["x"].count_arrow(pa.array([1, None])).sum() == 2


def test_the_first_batches_may_be_all_null() -> None:
    """A column that is untyped null in one file and numbers in the next is fitted on the numbers, in either order."""
    parts = [pa.record_batch({"x": pa.nulls(3)}), rows(x=[1, 2, 3])]
    for options in (FitOptions(), FitOptions(kind="numeric")):
        forward, backward = (fit(batches, {"x": options}) for batches in (parts, parts[::-1]))
        assert forward == backward
        assert forward[0]["x"] == fit_one([1, 2, 3])


@pytest.mark.parametrize("kind", [None, "numeric", "categorical", "boolean", "datetime"])
@pytest.mark.parametrize("name", COLUMNS)
def test_what_can_be_fitted_can_be_counted(name: str, kind: FeatureKind | None) -> None:
    """Under any kind a person may set, the reference's own rows count without a problem, or the fit says why not."""
    batch = pa.record_batch({"x": COLUMNS[name]})
    binnings, problems = fit([batch], {"x": FitOptions(kind=kind)})
    assert set(binnings) ^ set(problems) == {"x"}
    if binnings:
        profile = count([batch], binnings)
        assert dict(profile.problems) == {}
        assert profile.histograms["x"].n == len(COLUMNS[name])


def test_one_outlier_does_not_mask_a_shift() -> None:
    """One wind of 1048.36 mph among 6,000 hides August from equal-width bins, and does not from ours."""
    weather = pq.read_table(DATA / "weather.parquet", columns=["obs_date", "wind_speed"])
    month = pc.month(weather["obs_date"]).to_numpy()
    wind = weather["wind_speed"].to_numpy().astype(np.float64)
    reference, august = wind[month <= 3], wind[month == 8]
    cleaned = reference[~(reference > 1000)]
    assert len(reference) - len(cleaned) == 1

    def ours(fitted_on: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        binning = fit_numeric(fitted_on, expected_rows=len(august))
        return float(kl_corrected(binning.count(august), binning.count(reference)))

    def equal_width(fitted_on: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        at = np.linspace(np.nanmin(fitted_on), np.nanmax(fitted_on), 21)
        now, then = (np.histogram(np.clip(x[~np.isnan(x)], at[0], at[-1]), at)[0] for x in (august, reference))
        p, q = smooth(now, then, "jeffreys")
        return float(kl_divergence(p, q))

    assert equal_width(reference) < 0.005
    assert equal_width(cleaned) > 0.15
    assert ours(reference) > 0.18
    assert ours(reference) == pytest.approx(ours(cleaned), rel=0.01)


@pytest.mark.parametrize(
    ("first", "second", "kind", "why"),
    [
        ([1], ["1"], None, "int64, then string"),
        ([True], ["true"], None, "bool, then string"),
        ([datetime.fromisoformat("2024-01-01")], [date(2024, 1, 1)], None, "timestamp[us], then date32[day]"),
        ([datetime.fromisoformat("2024-01-01")], [7], "numeric", "timestamp[us], then int64"),
        ([1], [[1]], None, "int64, then list<item: int64>"),
        ([1], [1.5], None, None),
        ([1], [True], None, None),
        (["1"], [1], None, None),
        ([1], ["1"], "categorical", None),
        ([datetime.fromisoformat("2024-01-01")], pa.array([0], pa.timestamp("ns", "UTC")), None, None),
        ([1], pa.nulls(1), None, None),
    ],
)
def test_a_type_that_changes_within_the_reference(
    first: Any, second: Any, kind: FeatureKind | None, why: str | None
) -> None:
    """What the sketch can take is taken, and the rest is a problem of that feature in words."""
    batches = [pa.record_batch({"x": pa.array(values), "y": pa.array([1])}) for values in (first, second)]
    binnings, problems = fit(batches, {"x": FitOptions(kind=kind), "y": FitOptions()})
    assert "y" in binnings
    if why is None:
        assert (set(binnings), problems) == ({"x", "y"}, {})
    else:
        assert problems["x"].startswith(f"type changed within the reference: {why}: ")


def test_whole_numbers_that_turn_into_fractions_have_their_edges() -> None:
    """An integer column that becomes a float on the way is binned like floats."""
    whole, part = np.arange(100), np.full(100, 7.5)
    batches = [pa.record_batch({"x": pa.array(values)}) for values in (whole, part)]
    binning = fit(batches, {"x": FitOptions()})[0]["x"]
    assert isinstance(binning, NumericBinning)
    assert binning == fit([pa.record_batch({"x": np.concatenate([whole, part])})], {"x": FitOptions()})[0]["x"]


@pytest.mark.parametrize("written", ["${:,.2f}", "{:.2f} %", "{:,.2f}", "{:.2f}"])
@given(st.lists(st.integers(-(10**8), 10**8), min_size=60, max_size=200, unique=True), st.integers(1, 50))
def test_numbers_written_as_text_are_counted_as_the_numbers(written: str, cents: list[int], size: int) -> None:
    """The same edges and counts as the numbers themselves, whatever the batches, with nulls beside them."""
    numbers = pa.array([*(c / 100 for c in cents), None])
    texts = pa.array([*(written.format(c / 100) for c in cents), None])
    found = []
    for column in (numbers, texts):
        batches = pa.table({"x": column}).to_batches(max_chunksize=size)
        binnings, problems = fit(batches, {"x": FitOptions()})
        assert not problems
        found.append(count(batches, binnings).histograms["x"])
    assert found[0].counts.tolist() == found[1].counts.tolist()
    assert isinstance(found[1].binning, NumericBinning)
    assert found[1].binning.notation is not None
    assert binning_from_dict(json.loads(json.dumps(found[1].binning.to_dict()))) == found[1].binning


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        ([str(i) for i in range(100, 300)], FitOptions()),
        (["1.5", "2.5"] * 50, FitOptions()),
        (["$5", "€6"] * 50, FitOptions()),
        ([*(f"${i}" for i in range(100)), "n/k"], FitOptions()),
        ([f"${i}" for i in range(100)], FitOptions(kind="categorical")),
        ([f"${i}" for i in range(100)], FitOptions(salt="s")),
    ],
)
def test_text_that_stays_text(texts: list[str], options: FitOptions) -> None:
    """Codes, few fractions, two units, a word among numbers, and where a person wants labels or hashes."""
    binnings, _ = fit([pa.record_batch({"x": texts})], {"x": options})
    assert isinstance(binnings["x"], CategoricalBinning)


def test_whole_numbers_as_text_are_numbers_where_asked() -> None:
    """A kind that a person sets is taken, and refused where the text is another."""
    batch = pa.record_batch({"x": [str(i) for i in range(100)], "y": ["1", "n/k"] * 50})
    binnings, problems = fit([batch], dict.fromkeys("xy", FitOptions(kind="numeric")))
    assert isinstance(binnings["x"], NumericBinning)
    assert "not all of it is numbers" in problems["y"]
