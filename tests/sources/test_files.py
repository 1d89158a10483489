# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Parquet and CSV: folders, globs, partitions, windows, types that differ, and what may be wrong with files."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import SourceError, SourceMissing, SourceUnreachable
from drift.sources import file_listing
from drift.sources import files as file_source
from drift.sources.file_listing import list_files
from drift.sources.time_filter import WindowFilter
from drift.windows import Calendar, Window
from tests.support.opened_files import DAY, UTC_DAYS, csv_file, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drift.sources.file_opening import Opened

NEW_YORK = Calendar("1d", "America/New_York")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "**",
        "day=*",
        "day=*/*",
        "day=*/*.parquet",
        "**/*.parquet",
        "day=2013-02-0[78]/a.parquet",
        "**/?.parquet",
    ],
)
def test_folders_and_globs_find_the_same_files(tmp_path: Path, write: Callable[..., Path], pattern: str) -> None:
    """A folder, one level, any depth: Hive partitions become columns in each."""
    for day in (7, 8):
        write(f"root/day=2013-02-0{day}/a.parquet", x=[day, day])
    write("root/_tmp/day=2013-02-08/a.parquet", x=[99])
    (tmp_path / "root/day=2013-02-08/_SUCCESS").touch()
    (tmp_path / "root/day=2013-02-08/.a.parquet.crc").write_bytes(b"x")
    snapshot = open_files(tmp_path / "root" / pattern)
    assert snapshot.schema == {"x": "int64", "day": "date32[day]"}
    assert rows(snapshot, "x", "day") == {"x": [8, 8], "day": [date(2013, 2, 8)] * 2}
    assert open_files(tmp_path / "root" / pattern, None).count_rows() == 4


@pytest.mark.parametrize(
    ("names", "arrow_type"),
    [
        (["2013-02-07", "2013-02-08", "__HIVE_DEFAULT_PARTITION__"], "date32[day]"),
        (["20130207", "20130208", "__HIVE_DEFAULT_PARTITION__"], "int64"),
        (["2013-02-07T00", "2013-02-08T00"], None),
        (["2013-02-07%2010:00", "2013-02-08%2010:00"], "string"),
    ],
)
def test_partitions_are_pruned_by_their_path(
    tmp_path: Path, write: Callable[..., Path], names: list[str], arrow_type: str | None
) -> None:
    """Dates as text or numbers select files that need not even be readable elsewhere; other text is refused."""
    for i, name in enumerate(names):
        write(f"day={name}/a.parquet", x=[i])
    (tmp_path / f"day={names[0]}/a.parquet").write_bytes(b"not read at all")
    if arrow_type is None:
        with pytest.raises(SourceError, match="partition day holds text that is not an ISO 8601"):
            open_files(tmp_path)
        return
    snapshot = open_files(tmp_path)
    assert snapshot.schema["day"] == arrow_type
    assert rows(snapshot, "x") == {"x": [1]}


def test_a_window_without_files_has_columns_but_no_rows(tmp_path: Path, write: Callable[..., Path]) -> None:
    """An empty window is no error: the gate or min_rows decide."""
    write("day=2013-02-07/a.parquet", x=[1])
    snapshot = open_files(tmp_path)
    assert snapshot.schema == {"x": "int64", "day": "date32[day]"}
    assert snapshot.count_rows() == 0
    assert list(snapshot.batches()) == []
    assert snapshot.to_pandas().columns.tolist() == ["x", "day"]


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


def test_text_that_is_no_time_among_times_is_an_error(tmp_path: Path) -> None:
    """A CSV whose times are times elsewhere and words here is named; ISO text with and without a time of day agree."""
    csv_file(tmp_path, "day,x\n2013-02-08,1\n", "a.csv")
    csv_file(tmp_path, "day,x\n2013-02-08 05:00,2\n2013-02-09 05:00,3\n", "b.csv")
    assert rows(open_files(tmp_path), "x") == {"x": [1, 2]}
    csv_file(tmp_path, "day,x\nsoon,4\n", "c.csv")
    with pytest.raises(SourceError, match=r"c\.csv: day holds text that is not an ISO 8601 time, such as 'soon'"):
        open_files(tmp_path)


def test_partitions_that_say_where_rows_lie_are_told(tmp_path: Path, write: Callable[..., Path]) -> None:
    """They are columns like others, so that a gate or a segment may use them; whoever watches may leave them out."""
    write("country=DE/day=2013-02-08/shop=a/a.parquet", x=[1])
    snapshot = open_files(tmp_path / "country=DE")
    assert (set(snapshot.placed), set(snapshot.schema)) == ({"country", "day"}, {"x", "country", "day", "shop"})
    assert open_files(tmp_path).placed == {"day"}


@pytest.mark.parametrize(
    ("times", "inside"),
    [
        (pa.array([date(2013, 2, 8), date(2013, 2, 7), None]), 1),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 9), None], pa.timestamp("s")), 1),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 8, 23, 59, 59, 999999)], pa.timestamp("ns")), 2),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 7, 23)], pa.timestamp("ms", "Asia/Tokyo")), 1),
        (pa.array(["2013-02-08T00:00:00Z", "2013-02-08T00:00:00.5Z", "2013-02-09T00:00:00Z", None]), 2),
        (pa.array(["2013-02-08", "2013-02-07"]).dictionary_encode(), 1),
        (pa.array(["2013-02-08", "2013-02-07"], pa.large_string()), 1),
        (pa.array([1360281600, 1360281599, None]), 1),
        (pa.array([1360281600.0, 1360281599.5]), 1),
        (pa.array([20130208, 20130209], pa.int32()), 1),
        (pa.array([None, None], pa.string()), 0),
        (pa.array([None, None], pa.int64()), 0),
        (pa.nulls(2), 0),
    ],
)
def test_parquet_times_of_every_kind(tmp_path: Path, write: Callable[..., Path], times: Any, inside: int) -> None:
    """Half-open, by whatever the column holds; a row without a time is in no window, but in the whole table."""
    write("a.parquet", day=times, x=list(range(len(times))))
    assert open_files(tmp_path).count_rows() == inside
    assert sum(len(b) for b in open_files(tmp_path).batches(["x"])) == inside
    assert open_files(tmp_path, None).count_rows() == len(times)


def test_naive_times_are_in_the_sources_zone(write: Callable[..., Path]) -> None:
    """The calendar's zone unless the source names another."""
    path = write("a.parquet", day=[datetime(2013, 2, 8, 3)])
    window = NEW_YORK.starting(date(2013, 2, 8))
    assert open_files(path, window, NEW_YORK).count_rows() == 1
    assert open_files(path, window, NEW_YORK, timezone="UTC").count_rows() == 0


def test_hourly_windows_need_times(write: Callable[..., Path]) -> None:
    """A date column or partition under hourly windows is an error that says so."""
    hourly = Calendar("1h")
    window = hourly.starting(datetime(2013, 2, 8, 7))
    path = write("day=2013-02-08/a.parquet", x=[1], when=[date(2013, 2, 8)])
    for column in ("when", "day"):
        with pytest.raises(SourceError, match=f"{column} holds dates"):
            open_files(path, window, hourly, time_column=column)


def test_names_of_columns_may_be_anything(write: Callable[..., Path]) -> None:
    """Dots, blanks, brackets, quotes and other alphabets are no syntax."""
    names = ["a.b", "a b", "[x]", "x*", 'q"', "列", "select", ""]
    path = write("a.parquet", **{name: [i] for i, name in enumerate(names)}, day=[date(2013, 2, 8)])
    assert rows(open_files(path), *names[::-1]) == {name: [i] for i, name in [*enumerate(names)][::-1]}


def test_only_the_columns_asked_for_in_their_order(write: Callable[..., Path]) -> None:
    """Batches hold what was asked for; none at all still counts."""
    path = write("a.parquet", day=[date(2013, 2, 8)] * 3, b=[1, 2, 3], a=["x", "y", "z"])
    snapshot = open_files(path)
    assert next(snapshot.batches(["a", "b"])).schema.names == ["a", "b"]
    assert sum(batch.num_rows for batch in snapshot.batches([])) == snapshot.count_rows() == 3
    with pytest.raises(SourceMissing, match="no column 'c'"):
        snapshot.batches(["c"])


def test_batches_are_bounded(write: Callable[..., Path]) -> None:
    """A large row group comes in pieces."""
    n = 300_000
    path = write("a.parquet", day=[date(2013, 2, 8)] * n, x=np.arange(n))
    lengths = [len(batch) for batch in open_files(path).batches(["x"])]
    assert sum(lengths) == n
    assert max(lengths) <= 1 << 16


def test_a_wide_row_group_is_not_held_whole(write: Callable[..., Path]) -> None:
    """Parquet is decoded page by page: a stream's memory is far below that of its one row group."""
    n = 1_000_000
    path = write("a.parquet", **{f"x{i}": np.random.default_rng(i).normal(size=n) for i in range(10)})
    stream = open_files(path, None, time_column="x0").batches()
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in stream]
    assert len(held) == 16
    assert max(held) < n * 10 * 8 * 0.7


def test_nested_and_binary_columns_are_listed(write: Callable[..., Path]) -> None:
    """They are in the schema, so that a caller can say that it skips them."""
    path = write("a.parquet", day=[date(2013, 2, 8)], l=[[1]], s=[{"a": 1}], b=[b"\x00"])
    schema = open_files(path).schema
    assert {name: text.partition("<")[0] for name, text in schema.items()} == {
        "day": "date32[day]", "l": "list", "s": "struct", "b": "binary",
    }  # fmt: skip


# --- what may be wrong with files -------------------------------------------------------------------------------------


def test_missing_files_say_so(tmp_path: Path, write: Callable[..., Path]) -> None:
    """No such path, no match, an empty folder, the wrong kind of file, no such time column."""
    (tmp_path / "empty").mkdir()
    write("some/a.parquet", dey=[date(2013, 2, 8)])
    csv_file(tmp_path, "x\n", "note.txt")
    csv_file(tmp_path / "some", "x\n", "a.csv")
    for files, says in [
        ("nope", "no such file or folder"),
        ("nope/*.parquet", "no such file or folder"),
        ("some/*.pq", "no file there"),
        ("empty", "no file there"),
        ("some/a.parquet", "no column 'day': did you mean 'dey'"),
    ]:
        with pytest.raises(SourceMissing, match=says):
            open_files(tmp_path / files)
    with pytest.raises(SourceError, match=r"rename it, or say in a monitor by source\.format"):
        open_files(tmp_path / "note.txt")
    with pytest.raises(SourceError, match="both Parquet and CSV"):
        open_files(tmp_path / "some")
    with pytest.raises(SourceMissing, match="no column 'day'"):
        open_files(tmp_path / "some", format="parquet")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.parquet", b"", r"b\.parquet cannot be read as parquet.* 0 bytes: write it again, or move it away"),
        ("b.parquet", b"PAR1 nonsense PAR1", r"b\.parquet cannot be read as parquet.*: write it again"),
        ("b.csv", b"", r"b\.csv is empty: write it again with a header"),
        (
            "b.csv",
            b"day,x\n2013-02-08,1\n2013-02-08\n",
            r"b\.csv cannot be read as csv: CSV parse error: Row #3: Expected 2 columns, got 1: write it again",
        ),
        ("b.csv", b"day,x,x\n2013-02-08,1,1\n", r"b\.csv has more than one column named 'x'"),
    ],
)
def test_broken_files_are_named(
    tmp_path: Path, write: Callable[..., Path], name: str, content: bytes, says: str
) -> None:
    """One bad file among good ones is named, with what is wrong."""
    write(f"a{Path(name).suffix}", day=[date(2013, 2, 8)], x=[1])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says):
        open_files(tmp_path)


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_that_breaks_in_the_middle_is_named(tmp_path: Path, write: Callable[..., Path], alone: bool) -> None:  # noqa: FBT001
    """Pages damaged behind a good footer show only while reading: still an error that names the file."""
    for i in range(1 if alone else 3):
        write(f"{i}.parquet", day=[date(2013, 2, 8)] * 5000, x=np.random.default_rng(i).normal(size=5000))
    bad = tmp_path / "0.parquet"
    content = bytearray(bad.read_bytes())
    metadata = pq.read_metadata(bad).row_group(0).column(1)
    start = metadata.dictionary_page_offset or metadata.data_page_offset
    content[start : start + metadata.total_compressed_size] = b"\xff" * metadata.total_compressed_size
    bad.write_bytes(content)
    snapshot = open_files(tmp_path)
    with pytest.raises(SourceError, match=r"0\.parquet cannot be read"):
        list(snapshot.batches(["x"]))


@pytest.mark.parametrize("by", ["rows", "columns"])
def test_a_file_that_went_while_it_was_read_is_named(write: Callable[..., Path], by: str) -> None:
    """What was there when the folder was listed, and is not any more."""
    path = write("lake/a.parquet", x=[1])
    snapshot = open_files(path.parent, None)
    assert snapshot.columns is not None
    path.unlink()
    read = partial(snapshot.to_table, ["x"]) if by == "rows" else snapshot.columns().__enter__
    with pytest.raises(SourceMissing, match=r"a\.parquet was removed after .*lake had been listed: run it again"):
        read()


def test_duplicate_columns_are_refused(tmp_path: Path) -> None:
    """Two columns of one name cannot be told apart."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet has more than one column named 'x'"):
        open_files(tmp_path)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be a user without rights, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_forbidden_files_say_so(write: Callable[..., Path], request: pytest.FixtureRequest) -> None:
    """A file that may not be read is no missing file."""
    path = write("a.parquet", day=[date(2013, 2, 8)])
    open_files(path)
    path.chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(SourceError, match="permission denied"):
        open_files(path)


# --- object stores ----------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[Any]:
    """Yield fsspec's filesystem in memory, with two days in it."""
    import fsspec  # type: ignore[import-untyped]

    memory = fsspec.filesystem("memory")
    for day in (7, 8):
        with memory.open(f"/bucket/day=2013-02-0{day}/a.parquet", "wb") as file:
            pq.write_table(pa.table({"x": [day]}), file)
    yield memory
    memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize("tail", ["", "/", "/*/*.parquet", "/**", "/day=2013-02-08", "/day=2013-02-08/a.parquet"])
@pytest.mark.usefixtures("bucket")
def test_object_stores_read_like_folders(tail: str) -> None:
    """Through fsspec: folders, globs and partitions as on a disk."""
    snapshot = open_files(f"memory://bucket{tail}")
    assert rows(snapshot, "x", "day") == {"x": [8], "day": [date(2013, 2, 8)]}


@pytest.mark.usefixtures("bucket")
def test_object_stores_and_their_troubles(tmp_path: Path, write: Callable[..., Path]) -> None:
    """file:// works; what is missing or unknown says so; what does not answer is worth a retry; keys stay secret."""
    write("my files/a.parquet", day=[date(2013, 2, 8)])
    assert open_files(f"file://{tmp_path}/my files/*.parquet").count_rows() == 1
    with pytest.raises(SourceMissing, match=r"memory://nowhere: no such file"):
        open_files("memory://nowhere")
    with pytest.raises(SourceError, match="nosuch://bucket/x: nosuch:// is not a store"):
        open_files("nosuch://bucket/x")
    with pytest.raises(SourceUnreachable, match="s3://bucket/x cannot be found") as caught:
        file_source.open_files(
            "s3://key:hunter2@bucket/x?endpoint_override=127.0.0.1:9&scheme=http&region=x", None, None
        )
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SourceError, match="s3://bucket/x cannot be opened") as wrong:
        file_source.open_files("s3://key:hunter2@bucket/x?nosuch=1", None, None)
    assert "hunter2" not in str(wrong.value)


def test_a_store_that_breaks_while_reading_is_worth_a_retry(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a filesystem's library raises becomes SourceUnreachable."""
    snapshot = open_files("memory://bucket")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("503 slow down")

    monkeypatch.setattr(type(bucket), "_open", fail)
    with pytest.raises(SourceUnreachable, match="503 slow down"):
        list(snapshot.batches(["x"]))


def test_a_file_is_opened_once_for_many_windows_and_anew_when_it_changed(write: Callable[..., Path]) -> None:
    """What is known of a file holds until its size or its time says otherwise."""
    path = write("a.parquet", x=[1, 2, 3])
    known: Opened = {}
    first, *_ = file_source.open_files(str(path), None, None, known)
    (file,) = known["files"].values()
    file_source.open_files(str(path), None, None, known)
    assert [each.schema for each in known["files"].values()] == [file.schema]
    assert next(iter(known["files"].values())).metadata is file.metadata
    write("a.parquet", x=[1, 2, 3], y=["a", "b", "c"])
    schema, _, read, *_ = file_source.open_files(str(path), None, None, known)
    assert (first.names, schema.names) == (["x"], ["x", "y"])
    assert [batch.num_rows for batch in read(["y"])] == [3]
    assert len(known["files"]) == 1


def test_folders_are_listed_anew_only_when_they_changed(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that came or went changes its folder; one that was written over is known by its size and time."""
    path = write("day=2024-01-01/a.parquet", x=[1])
    write("day=2024-01-02/a.parquet", x=[2])
    folder = path.parent.parent
    for each in (folder, *folder.iterdir()):
        os.utime(each, (1e9, 1e9))
    known: Opened = {}
    asked = 0

    def listing(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return list_files(*arguments)

    monkeypatch.setattr(file_source, "list_files", listing)

    def rows() -> int:
        _, _, read, *_ = file_source.open_files(str(folder), None, None, known)
        return sum(batch.num_rows for batch in read([]))

    assert (rows(), rows(), asked) == (2, 2, 1)
    before = path.parent.stat().st_mtime_ns
    write("day=2024-01-01/a.parquet", x=[1, 1, 1])
    os.utime(path.parent, ns=(before, before))
    assert (rows(), asked) == (4, 1)
    write("day=2024-01-02/b.parquet", x=[2])
    assert (rows(), asked) == (5, 2)
    # That folder has changed just now: whether it will once more its time would not tell.
    assert (rows(), asked) == (5, 3)


def test_of_many_folders_only_those_of_the_window_are_looked_at(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those where more may come: no file of the window is missed, wherever it appears."""
    first, *_ = [write(f"day=2024-01-0{day}/a.parquet", x=[day]) for day in (1, 2, 3)]
    folder = first.parent.parent
    (folder / "day=2024-01-04").mkdir()
    known: Opened = {}
    looked_at: list[str] = []

    def changed(name: str) -> int:
        looked_at.append(Path(name).name)
        return os.stat(name).st_mtime_ns  # noqa: PTH116 - as it is there

    def rows(day: int) -> int:
        start = datetime(2024, 1, day, tzinfo=UTC)
        window = WindowFilter("day", Window(start, start + timedelta(days=1)), Calendar("1d"))
        looked_at.clear()
        _, _, read, *_ = file_source.open_files(str(folder), None, window, known)
        return sum(batch.num_rows for batch in read([]))

    def settle() -> None:
        for each in (folder, *folder.iterdir()):
            os.utime(each, (1e9, 1e9))

    settle()
    rows(1)
    monkeypatch.setattr(file_listing, "_changed", changed)
    assert (rows(2), sorted(looked_at)) == (1, ["day=2024-01-02", "day=2024-01-04", folder.name])
    write("day=2024-01-03/b.parquet", x=[3, 3])
    assert rows(2) == 1
    assert "day=2024-01-03" not in looked_at
    assert rows(3) == 3
    for day in (4, 5):
        settle()
        rows(1)
        write(f"day=2024-01-0{day}/a.parquet", x=[day] * day)
        assert rows(day) == day
    settle()
    rows(1)
    (folder / "day=2024-01-03" / "b.parquet").unlink()
    assert (rows(1), rows(3)) == (1, 1)


PLACEHOLDERS: list[Any] = ["", "unknown", "0000-00-00", "1970-01-01", "9999-12-31", "0", "-1", "2013/02/08"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("good", "keys"),
    [
        ("2013-02-08", {}),
        ("2013-02-08T10:00:00Z", {}),
        ("1360281600", {}),
        ("08/02/2013", {"time_format": "%d/%m/%Y"}),
        ("08.02.2013 10:00", {"time_format": "%d.%m.%Y %H:%M"}),
    ],
)
@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_costs_its_row(
    write: Callable[..., Path], suffix: str, good: str, keys: dict[str, Any], placeholder: str
) -> None:
    """Wherever it stands, also first, it is in no window, and counted; the others are."""
    rows_ = [placeholder, placeholder, good, good, good]
    snapshot = open_files(write(f"a{suffix}", day=rows_, x=list(range(5))), **keys)
    assert snapshot.count_rows() == 3
    assert snapshot.notes()["day"] == "2 rows without a readable time are in no window"


def test_times_written_in_two_ways_are_said(write: Callable[..., Path]) -> None:
    """The first way is read; texts of another would sort into any window, and are in none."""
    snapshot = open_files(write("a.parquet", day=["20130208", "2013-02-08", "2013-02-09"]))
    assert snapshot.count_rows() == 1
    assert snapshot.notes()["day"].startswith("2 rows")


@pytest.mark.parametrize(
    "times",
    [
        [0, -1, 1360281600],
        [0, 20130208],
        [datetime(1970, 1, 1), datetime(9999, 12, 31), datetime(2013, 2, 8, 3), None],
        [date(1970, 1, 1), date(9999, 12, 31), date(1, 1, 1), date(2013, 2, 8)],
        [0.0, float("nan"), 1360281600.0],
    ],
)
def test_typed_placeholders_cost_their_rows(write: Callable[..., Path], times: list[Any]) -> None:
    """Zeros, minus ones, and the first and last days of calendars are counted, and in no window."""
    snapshot = open_files(write("a.parquet", day=times, x=list(range(len(times)))))
    assert snapshot.count_rows() == 1
    assert snapshot.notes()["day"].startswith(f"{len(times) - 1} row")


def test_a_folder_without_a_readable_time_hides_no_other(write: Callable[..., Path], tmp_path: Path) -> None:
    """One folder day=unknown among days costs its own rows."""
    write("day=unknown/a.parquet", x=[1])
    write("day=2013-02-08/a.parquet", x=[2, 3])
    assert open_files(tmp_path).count_rows() == 2
