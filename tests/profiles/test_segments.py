"""Segments: every row in exactly one, their counts add up to the whole, and what drifts in one alone is found there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError, ConfigError
from drift.pipeline import run as runs
from drift.pipeline.recall import recall
from drift.pipeline.replay import replay
from drift.profiles import counting, pair_choice, segments
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning
from drift.profiles.fitting import fit_categorical
from drift.profiles.segments import Segmentation, name_of
from drift.store.memory import Memory
from drift.store.store import Store
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.windows import Window

labels = st.text(st.sampled_from("ab\\,=() \u202e"), max_size=4)
parts = st.tuples(*[st.none() | labels] * 2)
BINNINGS: dict[str, Binning] = {
    "x": NumericBinning(np.array([-1.0, 0.0, 2.5])),
    "y": fit_categorical({"a": 9, "b": 4, ",": 1}, levels=2),
    "z": BOOLEAN,
}
COLUMNS = {
    "x": (st.none() | st.floats(), pa.float64()),
    "y": (st.none() | labels, pa.string()),
    "z": (st.none() | st.booleans(), pa.bool_()),
}


@st.composite
def batches(draw: st.DrawFn) -> list[pa.RecordBatch]:
    """A stream of hostile rows, cut anywhere; a batch may lack a column."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        n = draw(st.integers(0, 8))
        columns = {
            name: pa.array(draw(st.lists(values, min_size=n, max_size=n)), kind)
            for name, (values, kind) in COLUMNS.items()
            if n or draw(st.booleans())
        }
        found.append(pa.record_batch(columns or {"x": pa.array([], pa.float64())}))
    return found


# -- pairs


@given(batches())
def test_pairs_are_counted_in_the_same_pass(stream: list[pa.RecordBatch]) -> None:
    """Of the features that are counted, and of a column that only cuts: each margin is that of its histogram."""
    by, _ = segments.fit(stream, ("y", "z"), most=3)
    features = {name: BINNINGS[name] for name in ("x", "y")}
    columns = pair_choice.choose(features, segments.labels_by_column([by]))
    found = segments.count(stream, features, [by], pairs=columns)
    assert found.pairs is not None
    assert [found.pairs.columns[name] for name in found.pairs.columns if name in features] == [
        columns[name] for name in found.pairs.columns if name in features
    ]
    assert set(found.histograms) == set(found.pairs.columns) - {"z"}
    for name, histogram in found.histograms.items():
        margin = columns[name].merge(histogram.counts).tolist()
        assert found.pairs.margin(name).tolist() == margin
        for other in found.pairs.columns:
            assert found.pairs.table(name, other).sum(axis=1).tolist() == margin
    assert segments.count(stream, features, [by]).pairs is None


# -- names


@given(parts, parts)
def test_names_tell_combinations_apart(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> None:
    """No two combinations of values have the same name, whatever is in them."""
    assert (name_of(["p", "q"], one) == name_of(["p", "q"], other)) == (one == other)


@given(labels)
def test_no_value_is_named_like_the_rest(label: str) -> None:
    """A value that is written like a special segment is another one."""
    assert name_of(["p"], [label]) not in {f"p={segments.OTHER}", f"p={segments.MISSING}"}


@given(parts, st.lists(labels.filter(bool), min_size=2, max_size=2, unique=True))
def test_names_lead_back_to_the_labels(values: tuple[str | None, ...], columns: list[str]) -> None:
    """Of the columns that they were made of, and of no others."""
    name = name_of(columns, values)
    assert segments.labels_of(columns, name) == values
    assert segments.labels_of(columns[:1], name) is None
    assert segments.labels_of([*columns, "more"], name) is None
    assert segments.labels_of(columns[::-1], name) is None


# -- cutting


@given(batches(), st.sampled_from([("y",), ("z",), ("y", "z"), ("gone",)]), st.integers(1, 4))
def test_every_row_is_in_exactly_one_segment(stream: list[pa.RecordBatch], columns: tuple[str, ...], most: int) -> None:
    """And in the order of the rows, with every column."""
    by, _ = segments.fit(stream, columns, most=most)
    for batch in stream:
        cut = list(by.split(batch))
        assert len({name for name, _ in cut}) == len(cut)
        assert all(name in by.names and part.num_rows and part.schema == batch.schema for name, part in cut)
        assert sum(part.num_rows for _, part in cut) == batch.num_rows
        whole = Counter(map(repr, batch.to_pylist()))
        assert sum((Counter(map(repr, part.to_pylist())) for _, part in cut), Counter[str]()) == whole


@given(batches(), st.integers(1, 3))
def test_the_largest_are_watched(stream: list[pa.RecordBatch], most: int) -> None:
    """The fit finds every combination, and keeps those with the most rows; the only one there is, is the whole."""
    by, found = segments.fit(stream, ["y"], most=most)
    expected = Counter(
        name_of(["y"], [value])
        for batch in stream
        for value in (batch["y"].to_pylist() if "y" in batch.schema.names else [None] * batch.num_rows)
    )
    assert found == expected
    ranked = sorted(expected, key=lambda name: (-expected[name], name))[:most]
    assert by.watched == tuple(ranked if len(expected) > 1 else ())


def test_small_segments_are_never_watched() -> None:
    """With too few rows to be compared a segment is part of the rest."""
    stream = [pa.record_batch({"y": ["a"] * 5 + ["b"] * 2})]
    by, found = segments.fit(stream, ["y"], most=9, least=3)
    assert (by.names, found) == (("y=a", "y=(other)"), {"y=a": 5, "y=b": 2})


def test_types_do_not_matter() -> None:
    """A dictionary, a whole number and a boolean cut as their labels; a list has none, so every row is missing."""
    values = {
        "d": pa.array(["a", None, "a"]).dictionary_encode(),
        "i": pa.array([7, 8, 7], pa.int8()),
        "b": pa.array([True, None, True]),
        "l": pa.array([[1], [2], [1]]),
    }
    batch = pa.record_batch(values)
    found = {name: segments.fit([batch], [name], most=5)[1] for name in values}
    assert found["d"] == {"d=a": 2, "d=(missing)": 1}
    assert found["i"] == {"i=7": 2, "i=8": 1}
    assert found["b"] == {"b=true": 2, "b=(missing)": 1}
    assert found["l"] == {"l=(missing)": 3}


def test_a_segmentation_reads_back() -> None:
    """As it is stored; numbers are none."""
    by = Segmentation(("p", "q"), ("p=1,q=2", "p=1,q=(missing)"))
    assert Segmentation.of(["p", "q"], by.binning) == by
    with pytest.raises(BinningError, match="fit them again"):
        Segmentation.of(["p"], NumericBinning(np.array([0.0, 1.0])))


# -- counting


def cells(profile: Profile) -> dict[str, list[int]]:
    """Counts by feature."""
    return {name: histogram.counts.tolist() for name, histogram in profile.histograms.items()}


@given(batches(), st.integers(1, 3))
def test_segments_add_up_to_the_whole(stream: list[pa.RecordBatch], most: int) -> None:
    """Cell by cell, for each way to cut; and the whole is what it is without segments."""
    ways = [segments.fit(stream, columns, most=most)[0] for columns in (("y",), ("y", "z"))]
    counted = segments.count(stream, BINNINGS, ways)
    assert cells(counted) == cells(counting.count(stream, BINNINGS))
    for by in ways:
        mine = [counted.segments[name] for name in by.names]
        assert sum(part.n_rows for part in mine) == counted.n_rows
        for name, histogram in counted.histograms.items():
            parts = [part.histograms[name].counts for part in mine if name in part.histograms]
            assert np.sum(parts, axis=0).tolist() == histogram.counts.tolist()


def test_profiles_of_segments_add_up_over_windows() -> None:
    """A reference of several windows is, in each segment, the reference of its rows."""
    by = Segmentation(("y",), ("y=a",))
    days: list[dict[str, list[Any]]] = [{"y": ["a", "b"], "x": [1.0, 2.0]}, {"y": ["a", None], "x": [1.0, None]}]
    one, two = (segments.count([pa.record_batch(day)], BINNINGS, [by]) for day in days)
    both = one + two
    assert both.segments["y=a"].histograms["x"].counts.tolist() == [0, 0, 2, 0, 0]
    assert both.segments["y=(other)"].n_rows == 2


# -- end to end

# By sampling error, floor and persistence alone: a history that tells what is usual takes more days than these tests.
JUDGED = "{min_rows: 100, history: 0}"


@pytest.fixture
def opened(tmp_path: Path, results: str) -> Callable[[pd.DataFrame, str], Context]:
    """Open a monitor that cuts by carrier, on some rows."""

    def on(frame: pd.DataFrame, cut: str = "[carrier]") -> Context:
        url = f"sqlite:///{tmp_path / 'warehouse.db'}"
        write_sql(frame, url)
        return open_context(results, url, monitor_text(SQL, segments=cut, detection=JUDGED))

    return on


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A results database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'drift.db'}"
    return str(request.getfixturevalue("postgres_url"))


def windows(context: Context, first: int, last: int) -> list[Window]:
    """The windows of those days, the last included."""
    calendar = context.monitor.window.calendar
    return [calendar.starting(FIRST + timedelta(days=i)) for i in range(first, last + 1)]


def late_in(frame: pd.DataFrame, carrier: str | None, days: range) -> pd.DataFrame:
    """Delay one carrier's flights, or all of them, by four fifths of a standard deviation on some days."""
    wanted = frame["day"].isin([FIRST + timedelta(days=i) for i in days])
    if carrier:
        wanted &= frame["carrier"] == carrier
    return frame.assign(delay=frame["delay"] + 4 * wanted)


def run(context: Context, last: int, jobs: int = 1) -> list[Report]:
    """Run the days up to one."""
    return runs.backfill(context, windows(context, 0, last), clock=clock, jobs=jobs)


def test_what_drifts_in_one_segment_alone_is_told_there(opened: Callable[..., Context]) -> None:
    """A small carrier's delays: too little for the whole, and an alert of its own."""
    context = opened(late_in(rows(10, 1200), "DL", range(8, 10)))
    report = run(context, 9)[-1]
    assert set(report.segments) == {"carrier=AA", "carrier=B6", "carrier=DL"}
    assert [v.feature for v in report.segments["carrier=DL"].drifting] == ["delay"]
    assert not report.segments["carrier=AA"].drifting
    whole = report["delay"].score
    inside = report.segments["carrier=DL"]["delay"].score
    assert whole is not None
    assert inside is not None
    assert inside.kl_corrected > 10 * whole.kl_corrected
    keys = {alert.key: alert.segment for alert in context.store.alerts("flights", ["open"])}
    assert keys["drift:delay@carrier=DL"] == "carrier=DL"
    assert "carrier" not in {v.feature for v in report.segments["carrier=DL"].verdicts}


def test_what_drifts_in_the_whole_is_told_of_the_whole(opened: Callable[..., Context]) -> None:
    """One alert, not one for each segment."""
    context = opened(late_in(rows(10, 1200), None, range(8, 10)))
    report = run(context, 9)[-1]
    assert all(one.drifting for one in report.segments.values())
    alerts = context.store.alerts("flights", ["open"])
    assert [alert.key for alert in alerts if not alert.inhibited_by] == ["drift:delay"]
    assert {alert.inhibited_by for alert in alerts if alert.segment} <= {"drift:delay"}


def test_stored_and_read_back(opened: Callable[..., Context]) -> None:
    """Reports and counts come back with their segments; counted again nothing changes; a replay says the same."""
    context = opened(late_in(rows(12, 1200), "DL", range(10, 12)))
    reports = run(context, 11)
    window = windows(context, 11, 11)[0]
    stored = recall(context, window)
    assert stored.to_dict() == replace(reports[-1], label=stored.label).to_dict()
    binnings = context.store.active_baseline("flights")
    loaded = context.store.load_profiles("flights", windows(context, 0, 11), binnings, context.segmentations())
    for profile, _ in loaded:
        for name, histogram in profile.histograms.items():
            mine = [part.histograms[name].counts for part in profile.segments.values()]
            assert np.sum(mine, axis=0).tolist() == histogram.counts.tolist()
    again = runs.backfill(context, [window], clock=clock, force=True)[0]
    assert again.to_dict() == reports[-1].to_dict()
    found = replay(context.monitor, Memory(context.store), windows(context, 0, 11))
    assert [one.to_dict() for one in found.reports] == [one.to_dict() for one in reports]


def test_false_discoveries_are_controlled_over_all_of_them(opened: Callable[..., Context]) -> None:
    """A q-value in the whole grows with the segments that are tested beside it."""
    report = run(opened(rows(9, 1200)), 8)[-1]
    tests = [v.score for one in (report, *report.segments.values()) for v in one.verdicts if v.score]
    p = sorted(score.p for score in tests)
    assert min(score.q for score in tests) == pytest.approx(min(p[i] * len(p) / (i + 1) for i in range(len(p))))


def test_segments_asked_for_later_are_counted_then(
    opened: Callable[..., Context], tmp_path: Path, results: str
) -> None:
    """Stored windows are counted again, with their segments; the bins stay, and columns without bins stay without."""
    context = opened(rows(10, 1200), "[]")
    run(context, 8)
    before = context.store.baselines("flights")
    later = open_context(
        results,
        f"sqlite:///{tmp_path / 'warehouse.db'}",
        monitor_text(SQL, segments="[carrier, late]", detection=JUDGED),
    )
    report = runs.run_window(later, windows(later, 9, 9)[0], clock=clock).report
    assert set(report.segments) == {"carrier=AA", "carrier=B6", "carrier=DL", "late=false", "late=true"}
    assert all(one.n_reference for one in report.segments.values())
    assert later.store.baselines("flights") == before


def test_a_column_without_values_makes_no_segments(opened: Callable[..., Context]) -> None:
    """The run goes on without, and says so; one that was never there is a mistake of the configuration."""
    report = run(opened(rows(9).assign(carrier=None), "[carrier]"), 8)[-1]
    assert report.segments == {}
    assert report["delay"].score is not None
    with pytest.raises(ConfigError, match='segments: "gone" matches no column'):
        run(opened(rows(9), "[gone]"), 8)


@pytest.mark.slow
def test_read_by_several_processes(opened: Callable[..., Context], tmp_path: Path) -> None:
    """The same reports."""
    frame = late_in(rows(10, 1200), "B6", range(8, 10))
    alone = run(opened(frame), 9)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", create=True)
    with other:
        context = opened(frame)
        assert [r.to_dict() for r in run(replace(context, store=other), 9, jobs=2)] == [r.to_dict() for r in alone]


def test_labels_that_recur_are_followed_in_each_segment() -> None:
    """Of the whole, and of the segment that has them."""
    rows = pa.record_batch(
        {"origin": ["JFK"] * 6 + ["EWR"] * 4, "x": ["a", "b", "b", "b", "c", "c", "a", "c", "c", "a"]}
    )
    counted = segments.count([rows], {"x": CategoricalBinning(("a",))}, [Segmentation(("origin",), ("origin=JFK",))])
    found = {name: part.histograms["x"].atoms for name, part in {"": counted, **counted.segments}.items()}
    listed = {name: dict(zip(each.values, each.rows, strict=True)) for name, each in found.items() if each}
    assert listed == {"": {"b": 3, "c": 4}, "origin=JFK": {"b": 3, "c": 2}, "origin=(other)": {"c": 2}}
