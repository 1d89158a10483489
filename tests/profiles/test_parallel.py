"""Two tables a column at a time: the same as fitting and counting streams of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drift
from drift.profiles import parallel
from drift.profiles.counting import count
from drift.profiles.fitting import FitOptions, fit
from drift.profiles.pair_tally import PairTally
from drift.profiles.parallel import Table, profiles
from drift.sources.snapshot import open_table
from tests.support.laws import examples

if TYPE_CHECKING:
    from pathlib import Path

    from drift.profiles.histograms import Profile

TYPES: list[tuple[st.SearchStrategy[Any], Any]] = [
    (st.floats() | st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]), pa.float64()),
    (st.floats(width=16), pa.float16()),
    (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    (st.integers(0, 2**64 - 1), pa.uint64()),
    (st.booleans(), pa.bool_()),
    (st.text(max_size=3) | st.sampled_from(["NaN", "other", "missing", ""]), pa.string()),
    (st.sampled_from("abc"), pa.dictionary(pa.int8(), pa.string())),
    (st.decimals(-999, 999, places=2), pa.decimal128(9, 2)),
    (st.dates(), pa.date32()),
]


@st.composite
def hostile(draw: st.DrawFn) -> Any:
    """A column of any type, nulls among its values."""
    values, kind = draw(st.sampled_from(TYPES))
    return pa.array(draw(st.lists(st.none() | values, min_size=1, max_size=40)), kind)


def table_of(data: pa.Table) -> Table:
    """A table in memory."""
    opened = open_table(data)
    assert opened.columns
    return Table(len(data), opened.schema, opened.columns)


def by_rows(
    before: pa.Table, after: pa.Table, options: dict[str, FitOptions]
) -> tuple[Profile, Profile, dict[str, str]]:
    """The same by way of streams of rows."""
    old, new = open_table(before), open_table(after)
    binnings, unfit = fit(old.batches(list(options)), options, expected_rows=len(after))
    present = [name for name in binnings if name in after.column_names]
    reference = count(old.batches(list(binnings)), binnings, schema=old.schema)
    return reference, count(new.batches(present), binnings, schema=new.schema), unfit


@examples(150)
@given(hostile(), hostile())
def test_columns_and_rows_count_alike(before: Any, after: Any) -> None:
    """Whatever the values and types of the two sides: every cell, problem and summary is the same."""
    old, new = pa.table({"x": before}), pa.table({"x": after})
    options = {"x": FitOptions()}
    assert profiles(table_of(old), table_of(new), options) == by_rows(old, new, options)


@pytest.mark.parametrize("held", [0, 1 << 21])
@pytest.mark.parametrize("threads", [1, 4])
def test_files_of_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, threads: int) -> None:
    """Columns held or read twice, by one thread or by four, from a file or from memory: one report."""
    rng = np.random.default_rng(0)
    n = 20_000
    data = pa.table(
        {
            "float": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "nan": pa.array(np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))),
            "whole": pa.array(rng.poisson(5, n)),
            "text": pa.array(rng.choice(["ä", "b", "", "d"], n), mask=rng.random(n) < 0.1),
            "identifier": [f"{i:05}" for i in range(n)],
            "nested": pa.array([[i] for i in range(n)]),
            "null": pa.nulls(n),
        }
    )
    monkeypatch.setattr(parallel, "HELD_ROWS", held)
    monkeypatch.setattr(parallel, "MOST_THREADS", threads)
    monkeypatch.setattr(parallel, "SMALL", 1)
    monkeypatch.setattr(parallel, "TEXT_ROWS", 3000)
    pq.write_table(data, tmp_path / "data.parquet", row_group_size=1700)
    report = drift.compare(tmp_path / "data.parquet", tmp_path / "data.parquet")
    memory = drift.compare(data, data)
    assert report["nested"].status == "not_comparable"
    assert {v.feature: (v.status, v.score and v.score.fingerprint) for v in report.verdicts} == {
        v.feature: (v.status, v.score and v.score.fingerprint) for v in memory.verdicts
    }
    for name, evidence in report.evidence.items():
        assert evidence.current == memory.evidence[name].current
        assert evidence.reference.n == n


@pytest.mark.parametrize("held", [0, 1 << 21])
def test_pairs_are_those_of_a_stream_of_rows(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """Nulls, texts and numbers, more rows than are looked at, read once or twice: the same sample, the same counts."""
    rng, n, limit = np.random.default_rng(3), 5000, 700
    texts = pa.array(rng.choice(["a", "b", "c"], n), mask=rng.random(n) < 0.1)
    columns = {"float": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1), "text": texts, "null": pa.nulls(n)}
    before = pa.concat_tables([pa.table(columns).slice(i, 900) for i in range(0, n, 900)])
    after = pa.table({**columns, "float": pa.array(rng.normal(1, 1, n)), "nested": pa.array([[1]] * n)})
    monkeypatch.setattr(parallel, "HELD_ROWS", held)
    monkeypatch.setattr(parallel, "LIMIT", limit)
    options = dict.fromkeys(["float", "text", "null", "nested"], FitOptions())
    for side, found in zip(
        (before, after), profiles(table_of(before), table_of(after), options, paired=True)[:2], strict=True
    ):
        assert found.pairs is not None
        assert list(found.pairs.columns) == ["float", "text", "null"]
        tally = PairTally(found.pairs.columns, limit)
        for batch in side.select(list(found.pairs.columns)).to_batches():
            tally.add(batch)
        assert found.pairs == tally.pairs()
        assert limit / 2 < found.pairs.n_rows <= limit


def test_an_error_of_one_thread_is_the_caller_s(tmp_path: Path) -> None:
    """A file that breaks in the middle is named."""
    path = tmp_path / "broken.parquet"
    pq.write_table(pa.table({"x": pa.array(np.random.default_rng(0).normal(size=100_000))}), path, compression="zstd")
    whole = bytearray(path.read_bytes())
    whole[4:200] = b"\xff" * 196
    path.write_bytes(whole)
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"x": [1.0, 2.0]}), good)
    with pytest.raises(drift.DriftError, match=r"broken\.parquet"):
        drift.compare(path, good)


def test_types_that_change_on_the_way_are_the_same_problem(tmp_path: Path) -> None:
    """Files of a folder whose types have nothing in common: as by rows, and in the order of the files."""
    n = 50
    columns: list[dict[str, Any]] = [
        {"number": [1] * n, "label": ["a"] * n, "late": [1] * n, "flag": [True] * n, "same": [1.5] * n},
        {"number": ["x"] * n, "label": [2] * n, "flag": [7] * n, "same": [2] * n},
        {"number": [[1]] * n, "label": pa.array(["b"] * n).dictionary_encode(), "late": ["l"] * n, "same": [3] * n},
    ]
    for name, files in {"mixed": [0, 1, 2], "plain": [0]}.items():
        (tmp_path / name).mkdir()
        for i in files:
            pq.write_table(pa.table(columns[i]), tmp_path / name / f"{i}.parquet")
    for before, after in (("mixed", "plain"), ("plain", "mixed"), ("mixed", "mixed")):
        old, new = open_table(tmp_path / before), open_table(tmp_path / after)
        assert old.columns is not None
        assert new.columns is not None
        options = dict.fromkeys(columns[0], FitOptions())
        binnings, unfit = fit(old.batches(list(options)), options, expected_rows=new.count_rows())
        expected = [count(each.batches(list(binnings)), binnings, schema=each.schema) for each in (old, new)]
        *found, problems = profiles(
            Table(old.count_rows(), old.schema, old.columns), Table(new.count_rows(), new.schema, new.columns), options
        )
        assert problems == unfit
        for one, other in zip(found, expected, strict=True):
            assert one.problems == other.problems
            assert one.histograms == other.histograms
