# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""One schema for files that differ."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from drift.errors import SourceError
from tests.support.opened_files import DAY, UTC_DAYS, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_schema_is_that_of_the_window(tmp_path: Path, write: Callable[..., Path]) -> None:
    """A column that vanished or was retyped elsewhere does not hide in a window where it did not."""
    write("a.parquet", day=[datetime(2013, 2, 7, 5)], gone=[1], x=pa.array([1], pa.int16()))
    write("b.parquet", day=[datetime(2013, 2, 8, 5)], new=["a"], x=[1.5])
    assert open_files(tmp_path).schema == {"day": "timestamp[us]", "new": "string", "x": "double"}
    assert set(open_files(tmp_path, None).schema) == {"day", "gone", "new", "x"}


@pytest.mark.parametrize(
    ("first", "second", "arrow_type", "values"),
    [
        (pa.array([1], pa.int16()), [1.5], "double", [1.0, 1.5]),
        (pa.nulls(1), [1], "int64", [None, 1]),
        ([1], pa.nulls(1), "int64", [1, None]),
        (pa.nulls(1), ["a"], "string", [None, "a"]),
        (pa.array(["a"]).dictionary_encode(), ["b"], "string", ["a", "b"]),
        (pa.array([1.5], pa.float32()), [2], "double", [1.5, 2.0]),
        (pa.array([Decimal("1.5")]), [2.5], "double", [1.5, 2.5]),
    ],
)
def test_files_of_one_folder_may_differ(
    tmp_path: Path, write: Callable[..., Path], first: Any, second: Any, arrow_type: str, values: list[Any]
) -> None:
    """Types are widened, and an absent column is null."""
    write("a.parquet", day=[date(2013, 2, 8)], x=first, only_a=[1])
    write("b.parquet", day=[date(2013, 2, 8)], x=second)
    snapshot = open_files(tmp_path)
    assert snapshot.schema["x"] == arrow_type
    assert rows(snapshot, "x", "only_a") == {"x": values, "only_a": [1, None]}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ([1], ["one"], "int64 and string (b.parquet)"),
        (["one"], [1], "string and int64 (b.parquet)"),
        ([1], [True], "int64 and bool (b.parquet)"),
        ([1.5], [[1.5]], "double and list<element: double> (b.parquet)"),
        (pa.array(["a"]).dictionary_encode(), [1], "string and int64 (b.parquet)"),
        ([datetime(2013, 2, 8)], ["soon"], "timestamp[us] and string (b.parquet)"),
        ([datetime(2013, 2, 8)], [date(2013, 2, 8)], "timestamp[us] and date32[day] (b.parquet)"),
    ],
)
@pytest.mark.parametrize("by", ["rows", "columns"])
def test_types_with_nothing_in_common_stay_what_they_are(
    tmp_path: Path, write: Callable[..., Path], first: Any, second: Any, told: str, by: str
) -> None:
    """The schema names both and a file that differs; each file's values come in its own type, absent ones as null."""
    write("a.parquet", day=[date(2013, 2, 8)], x=first)
    write("b.parquet", day=[date(2013, 2, 8)], x=second)
    write("c.parquet", day=[date(2013, 2, 8)])
    snapshot = open_files(tmp_path, None if by == "columns" else DAY)
    assert snapshot.schema["x"] == told
    assert snapshot.count_rows() == 3
    if by == "rows":
        found = [batch.column(0) for batch in snapshot.batches(["x"])]
    else:
        assert snapshot.columns is not None
        with snapshot.columns() as stream:
            found = list(stream("x"))
    assert [column.to_pylist() for column in found] == [pa.array(v).to_pylist() for v in (first, second)] + [[None]]
    assert found[2].type == pa.null()


def test_a_file_outside_the_window_does_not_matter(tmp_path: Path, write: Callable[..., Path]) -> None:
    """Where times are a column every file is looked at, but only those with rows of the window decide its types."""
    write("a.parquet", day=[datetime(2013, 2, 7, 5)], x=[1])
    write("b.parquet", day=[datetime(2013, 2, 8, 5)], x=["one"])
    assert open_files(tmp_path).schema["x"] == "string"
    assert rows(open_files(tmp_path, UTC_DAYS.starting(date(2013, 2, 7)))) == {
        "day": [datetime(2013, 2, 7, 5)], "x": [1],
    }  # fmt: skip


def test_a_value_that_the_wider_type_cannot_hold_stays_as_it_is(tmp_path: Path, write: Callable[..., Path]) -> None:
    """Integers become the nearest float64; a date beyond those of nanoseconds keeps its unit."""
    write("a.parquet", x=[2**53 + 1], y=pa.array([datetime(9999, 12, 31)], pa.timestamp("ms")))
    write("b.parquet", x=[0.5], y=pa.array([datetime(2013, 2, 8)], pa.timestamp("ns")))
    snapshot = open_files(tmp_path, None)
    assert rows(snapshot, "x") == {"x": [2.0**53, 0.5]}
    assert [str(batch.column(0).type) for batch in snapshot.batches(["y"])] == ["timestamp[ms]", "timestamp[ns]"]


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (pa.array(["2013-02-08"]), r"b\.parquet: time column 'day' is string, but timestamp\[us\] in .*a\.parquet"),
        (pa.array([1360281600]), r"b\.parquet: time column 'day' is int64, but timestamp\[us\] in .*a\.parquet"),
        (None, r"b\.parquet, unlike others of .*, has no column 'day'"),
    ],
)
def test_a_time_column_that_changed_is_an_error(
    tmp_path: Path, write: Callable[..., Path], times: Any, says: str
) -> None:
    """Nobody can tell which window such rows are in: file and column are named, and no row is lost unheard."""
    write("a.parquet", day=[datetime(2013, 2, 8)], x=[1])
    write("b.parquet", x=[2], **({} if times is None else {"day": times}))
    with pytest.raises(SourceError, match=says):
        open_files(tmp_path)
    assert open_files(tmp_path, None).count_rows() == 2


def test_an_empty_file_needs_no_time(tmp_path: Path, write: Callable[..., Path]) -> None:
    """A file without rows cannot lose any; times of another unit, or none at all, compare."""
    write("a.parquet", day=pa.array([datetime(2013, 2, 8)], pa.timestamp("ms")), x=[1])
    write("b.parquet", day=pa.array([datetime(2013, 2, 8)], pa.timestamp("ns")), x=[2])
    write("c.parquet", day=pa.nulls(1), x=[3])
    write("d.parquet", x=pa.array([], pa.int64()))
    assert rows(open_files(tmp_path), "x") == {"x": [1, 2]}


def test_nested_and_binary_columns_are_listed(write: Callable[..., Path]) -> None:
    """They are in the schema, so that a caller can say that it skips them."""
    path = write("a.parquet", day=[date(2013, 2, 8)], l=[[1]], s=[{"a": 1}], b=[b"\x00"])
    schema = open_files(path).schema
    assert {name: text.partition("<")[0] for name, text in schema.items()} == {
        "day": "date32[day]", "l": "list", "s": "struct", "b": "binary",
    }  # fmt: skip
