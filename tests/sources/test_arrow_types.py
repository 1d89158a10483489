"""Arrow types: each that a library writes is read on every path, or is refused alone and by its name."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

from drift.errors import BinningError, SourceError
from drift.profiles import segments
from drift.profiles.kinds import is_comparable, to_codes, to_labels
from drift.sources.arrow_types import in_microseconds, index_columns, plain_schema, plain_type, to_plain
from drift.sources.snapshot import open_table
from tests.support.arrow_samples import IDS, INSTANTS, MOMENTS, WITH_LABELS, WITHOUT_LABELS, column, not_utf8
from tests.support.opened_files import open_files, rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drift.sources.snapshot import Snapshot

compute: Any = pyarrow.compute
PATHS = ["memory", "memory, by column", "file", "file, by column", "window"]


def opened(tmp_path: Path, array: pa.Array[Any], path: str) -> Snapshot:
    """Open a table of a column beside another, in memory or written: of its rows all are in the window."""
    table = pa.table({"x": array, "n": range(len(array)), "day": [date(2013, 2, 8)] * len(array)})
    if path.startswith("memory"):
        return open_table(table)
    pq.write_table(table, tmp_path / "a.parquet")
    return open_files(tmp_path / "a.parquet") if path == "window" else open_table(tmp_path / "a.parquet")


def chunks(snapshot: Snapshot, path: str) -> Iterator[pa.Array[Any]]:
    """Stream the column as the path does."""
    if "by column" not in path:
        return (batch.column(0) for batch in snapshot.batches(["x"]))
    assert snapshot.columns
    with snapshot.columns() as stream:
        return iter(list(stream("x")))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("written", WITH_LABELS)
def test_a_column_of_every_type_is_read(tmp_path: Path, written: str, path: str) -> None:
    """Labels and rows are those that were written, from memory, from a file, and where a window's rows are chosen."""
    array, labels = WITH_LABELS[written]
    if "view" in written and "dictionary" in written and not path.startswith("memory"):
        array = array.cast(pa.dictionary(pa.int32(), pa.string()))  # Arrow itself cannot write it
    snapshot = opened(tmp_path, array, path)
    assert is_comparable(snapshot.schema["x"])
    (chunk,) = chunks(snapshot, path)
    found, counts, missing = to_labels(chunk)
    assert dict(zip(found, counts.tolist(), strict=True)) == {labels[0]: 2, labels[1]: 1}
    assert missing == 1


@pytest.mark.parametrize("written", WITH_LABELS)
def test_rows_are_cut_by_a_column_of_every_type(written: str) -> None:
    """Segments are named by the labels."""
    array, labels = WITH_LABELS[written]
    by, _ = segments.fit(open_table(pa.table({"x": array})).batches(), ["x"], most=9)
    assert set(by.watched) == {segments.name_of(["x"], [label]) for label in [*labels, None]}
    (batch,) = open_table(pa.table({"x": array, "n": range(4)})).batches()
    assert {name: part["n"].to_pylist() for name, part in by.split(batch)} == {
        segments.name_of(["x"], [labels[0]]): [0, 3],
        segments.name_of(["x"], [labels[1]]): [2],
        segments.name_of(["x"], [None]): [1],
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("written", WITHOUT_LABELS)
def test_what_has_no_labels_is_refused_alone(tmp_path: Path, written: str, path: str) -> None:
    """The column's type is named; the rows of its neighbours are read, and cut and chosen beside it."""
    array, name = WITHOUT_LABELS[written]
    snapshot = opened(tmp_path, array, path)
    assert snapshot.schema["x"].startswith(name)
    assert not is_comparable(snapshot.schema["x"])
    assert rows(snapshot, "x", "n")["n"] == [0, 1, 2, 3]
    for chunk in chunks(snapshot, path):
        with pytest.raises(BinningError, match=name.replace("[", r"\[")):
            to_labels(chunk)
    by, _ = segments.fit(snapshot.batches(["n"]), ["n"], most=9)
    assert sum(part.num_rows for batch in snapshot.batches(["x", "n"]) for _, part in by.split(batch)) == 4


@pytest.mark.parametrize(
    "kind",
    [
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
        *(pa.timestamp("us", zone) for zone in ("UTC", "+00:00", "Europe/Berlin", "Mars/Olympus")),
        pa.date32(),
        pa.date64(),
    ],
    ids=str,
)
def test_a_time_of_every_type_tells_the_window(tmp_path: Path, kind: pa.DataType) -> None:
    """The rows of a window are the same whatever its times are written as."""
    late, noon, early = datetime(2013, 2, 7, 23, 59), datetime(2013, 2, 8, 12), datetime(2013, 2, 8)  # noqa: DTZ001
    times = pa.array([late, noon, early, None], pa.timestamp("us"))
    text = times.cast(pa.string())
    written = text.dictionary_encode() if pa.types.is_dictionary(kind) else text if "string" in str(kind) else times
    pq.write_table(pa.table({"day": written.cast(kind, safe=False), "n": range(4)}), tmp_path / "a.parquet")
    assert rows(open_files(tmp_path / "a.parquet"), "n") == {"n": [1, 2]}


def test_text_that_is_not_utf_8_is_refused_alone(tmp_path: Path) -> None:
    """It has no labels, as a column or as a dictionary; segments, which have to be named, show the bytes."""
    for path in PATHS:
        for chunk in chunks(opened(tmp_path, not_utf8(), path), path):
            with pytest.raises(BinningError, match="text that is not UTF-8"):
                to_labels(chunk)
    assert to_codes(not_utf8())[0] == ["Caf\\xe9", "tea", None]
    pq.write_table(pa.table({"day": not_utf8()}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="'utf-8' codec can't decode"):
        open_files(tmp_path / "a.parquet")


@pytest.mark.parametrize("version", ["1.0", "2.6"])
def test_int96_holds_the_same_dates_as_microseconds(tmp_path: Path, version: Any) -> None:
    """Nanoseconds would turn 9999 into 1816; the values of today keep their microseconds."""
    days = [
        np.datetime64(text, "us") for text in ("0001-01-01", "1677-01-01", "2024-01-01T12:30:00.123456", "9999-12-31")
    ]
    table = pa.table({"x": pa.array(days, pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True, version=version)
    snapshot = open_table(tmp_path / "a.parquet")
    assert snapshot.schema == {"x": "timestamp[us]"}
    assert snapshot.to_table().equals(table)


def test_files_that_encode_one_column_in_many_ways_are_one_column(tmp_path: Path) -> None:
    """Views beside text, and one zone beside another, have a type in common."""
    text, utc = column(["a", "b"], pa.string()), column(MOMENTS, pa.timestamp("us", "UTC"))
    for i, (x, y) in enumerate([
        (text, utc),
        (text.cast(pa.string_view()), utc.cast(pa.timestamp("us", "Europe/Berlin"))),
        (text.cast(pa.large_string()), utc.cast(pa.timestamp("ms", "+01:00"))),
        (text.dictionary_encode(), utc),
    ]):  # fmt: skip
        pq.write_table(pa.table({"x": x, "y": y}), tmp_path / f"{i}.parquet")
    snapshot = open_table(tmp_path)
    assert snapshot.schema == {"x": "string", "y": "timestamp[us, tz=UTC]"}
    assert [to_labels(each.combine_chunks())[0] for each in snapshot.to_table().columns] == [["a", "b"], INSTANTS]


def test_runs_of_values_are_their_values() -> None:
    """Run-end encoding is a way to write, sliced or not."""
    runs = compute.run_end_encode(pa.array(["a", "a", None, "b"]))
    assert to_plain(runs).to_pylist() == ["a", "a", None, "b"]
    assert to_plain(runs.slice(1, 2)).to_pylist() == ["a", None]


def test_uuids_are_text_wherever_they_are_cut() -> None:
    """A slice has the ids of its rows."""
    ids = column([each.bytes for each in IDS], pa.uuid())
    assert to_plain(ids.slice(1, 2)).to_pylist() == [None, str(IDS[1])]
    assert to_plain(ids.slice(0, 0)).to_pylist() == []


def test_a_plain_type_is_its_own() -> None:
    """What a column is read as is read as it is."""
    for array, _ in (*WITH_LABELS.values(), *WITHOUT_LABELS.values()):
        plain = plain_type(array.type)
        assert plain_type(plain) == plain
        assert to_plain(array).type == plain
    empty = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), pa.nulls(0))
    assert to_plain(empty).equals(pa.nulls(2))


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"index_columns": 7, "columns": [1, {}]}', b"\xff"])
def test_what_pandas_did_not_write_is_left_alone(metadata: bytes) -> None:
    """Metadata that cannot be read tells nothing of the columns; the name that pandas gives an index does."""
    schema = pa.schema([("x", pa.int64()), ("__index_level_0__", pa.int64())], {b"pandas": metadata})
    assert index_columns(schema) == {"__index_level_0__"}
    assert plain_schema(schema).types == [pa.int64()] * 2


def test_nanoseconds_become_values_of_python() -> None:
    """Wherever they stand in a type: Arrow alone makes none of them where pandas is not installed."""
    starts: Any = pa.array([0, 1, 2], pa.int32())
    moments = pa.array([1, 1_000_000_999], pa.timestamp("ns", "UTC"))
    lengths = pa.array([1, 2_001], pa.duration("ns"))
    struct: Any = pa.StructArray.from_arrays([moments, lengths], ["at", "took"])
    at = [datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]
    took = [timedelta(0), timedelta(microseconds=2)]
    both = [{"at": moment, "took": length} for moment, length in zip(at, took, strict=True)]
    samples: list[tuple[Any, list[Any]]] = [
        (moments, at),
        (moments.dictionary_encode(), at),
        (pa.array([1, 2_001], pa.time64("ns")), [time(0), time(0, 0, 0, 2)]),
        (pa.ListArray.from_arrays(starts, struct), [[each] for each in both]),
        (pa.FixedSizeListArray.from_arrays(lengths, 1), [[length] for length in took]),
        (pa.MapArray.from_arrays(starts, pa.array(["a", "b"]), moments), [[("a", at[0])], [("b", at[1])]]),
        (pa.array(["a", None]), ["a", None]),
    ]
    for array, values in samples:
        assert in_microseconds(array).to_pylist() == values
