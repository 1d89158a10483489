"""Parquet and CSV: folders, globs, partitions, windows, types that differ, and what may be wrong with files."""

from __future__ import annotations

import os
import resource
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import SourceError, SourceMissing, SourceUnreachable
from drift.sources import file_listing
from drift.sources import files as file_source
from drift.sources.file_listing import list_files
from drift.sources.time_filter import WindowFilter
from drift.windows import Calendar, Window
from tests.support.opened_files import csv_file, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drift.sources.file_opening import Opened


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


def test_a_window_without_files_has_columns_but_no_rows(tmp_path: Path, write: Callable[..., Path]) -> None:
    """An empty window is no error: the gate or min_rows decide."""
    write("day=2013-02-07/a.parquet", x=[1])
    snapshot = open_files(tmp_path)
    assert snapshot.schema == {"x": "int64", "day": "date32[day]"}
    assert snapshot.count_rows() == 0
    assert list(snapshot.batches()) == []
    assert snapshot.to_pandas().columns.tolist() == ["x", "day"]


def test_partitions_that_say_where_rows_lie_are_told(tmp_path: Path, write: Callable[..., Path]) -> None:
    """They are columns like others, so that a gate or a segment may use them; whoever watches may leave them out."""
    write("country=DE/day=2013-02-08/shop=a/a.parquet", x=[1])
    snapshot = open_files(tmp_path / "country=DE")
    assert (set(snapshot.placed), set(snapshot.schema)) == ({"country", "day"}, {"x", "country", "day", "shop"})
    assert open_files(tmp_path).placed == {"day"}


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


def test_files_are_held_open_as_far_as_the_process_may(write: Callable[..., Path]) -> None:
    """Sixty files are read column by column, where a process may open 256 files as many as sixteen."""
    folder, *_ = {write(f"day/{i}.parquet", x=[i]).parent for i in range(60)}

    def by_column() -> bool:
        return file_source.open_files(str(folder), None, None)[3] is not None

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert by_column()
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert not by_column()
        for path in sorted(folder.iterdir())[16:]:
            path.unlink()
        assert by_column()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
