"""Finding files, and what their paths say of them."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from drift.errors import SourceError, SourceMissing
from drift.sources.file_listing import expand, locate, partition_type, partitions, placing


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two days, a hidden file and a marker."""
    for day in ("2024-01-01", "2024-01-02"):
        folder = tmp_path / f"date={day}"
        folder.mkdir()
        (folder / "part-0.parquet").write_bytes(b"")
    (tmp_path / "date=2024-01-01" / ".hidden.parquet").write_bytes(b"")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "/date=*/*.parquet", "/**/*.parquet", "/date=2024-01-0[12]/part-0.parquet"])
def test_folders_and_globs_find_the_same_files(lake: Path, pattern: str) -> None:
    """What starts with a dot or an underscore is no data."""
    place, path = locate(f"{lake}{pattern}")
    assert [info.base_name for info in expand(place, path)] == ["part-0.parquet"] * 2


@pytest.mark.parametrize("pattern", ["*", "**", "*/*.parquet", "./*/*.parquet", "**/part-*.parquet"])
def test_a_glob_may_begin_in_the_working_directory(lake: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """With a wildcard in its very first part, too."""
    monkeypatch.chdir(lake)
    assert [info.base_name for info in expand(*locate(pattern))] == ["part-0.parquet"] * 2


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says which."""
    place, path = locate(str(tmp_path / "nope"))
    with pytest.raises(SourceMissing, match="nope"):
        expand(place, path)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link"])
@pytest.mark.parametrize("pattern", ["rows.csv", "", "*.csv", "**"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str, pattern: str) -> None:
    """Whoever reads a pipe that nobody writes waits for ever, and one that somebody writes holds its rows once."""
    place = tmp_path / "rows.csv"
    if kind == "socket":
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(str(place))
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        target = Path("/dev/zero") if kind == "device" else tmp_path / ".pipe"
        if kind == "link":
            os.mkfifo(target)
        place.symlink_to(target)
    (tmp_path / "good.csv").write_text("x\n1\n")
    with pytest.raises(SourceError, match=r"rows\.csv is a pipe, a socket or a device.*: write its rows to a file"):
        expand(*locate(f"{tmp_path}/{pattern}"))


def test_folders_outside_the_root_are_not_listed(lake: Path) -> None:
    """Neither by their own path, nor by dots, nor by a link that lies inside."""
    (lake / "link").symlink_to(lake.parent)
    root = (lake / "date=2024-01-01").resolve()
    assert len(expand(*locate(f"{root}/*.parquet", root))) == 1
    for outside in (f"{root}/..", f"{root}/../date=*", str(lake), "/", "/*", f"{root}/../link/**", f"file://{lake}"):
        with pytest.raises(SourceError, match="leads out of"):
            expand(*locate(outside, root))


def test_a_path_is_opened_as_it_was_resolved(lake: Path) -> None:
    """A link inside the root is followed once, and what it led to is what is opened."""
    (lake / "link.parquet").symlink_to(lake / "date=2024-01-01" / "part-0.parquet")
    place, _ = locate(str(lake), lake.resolve())
    assert place.inside(f"{lake}/link.parquet") == str((lake / "date=2024-01-01" / "part-0.parquet").resolve())
    (lake / "link.parquet").unlink()
    (lake / "link.parquet").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="leads out of"):
        place.inside(f"{lake}/link.parquet")


@pytest.mark.parametrize(
    "files", ["local:///etc/passwd", "dir://x::file:///etc", "simplecache::file:///etc/passwd", "zip://a"]
)
def test_only_stores_are_reached_by_a_scheme(tmp_path: Path, files: str) -> None:
    """No scheme is a way back to this machine's files."""
    with pytest.raises(SourceError):
        expand(*locate(files, tmp_path))


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("_delta_log/00000000000000000000.json", "Delta"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("metadata/v1.metadata.json", "Iceberg"),
    ],
)
@pytest.mark.parametrize("asked", ["t", "t/", "*", "t/**", "t/data", "t/*/*/*", "t/data/day=*/*", "t/data/day=1"])
def test_the_files_of_a_table_with_a_log_are_refused(tmp_path: Path, log: str, kind: str, asked: str) -> None:
    """Files that were deleted or written anew still lie there, and what to write instead is said; one file is read."""
    for path in (log, "data/day=1/a.parquet"):
        (tmp_path / "t" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / path).touch()
    with pytest.raises(SourceError, match=f"/t is {kind}'s.*instead of files"):
        expand(*locate(str(tmp_path / asked)))
    assert len(expand(*locate(str(tmp_path / "t/data/day=1/a.parquet")))) == 1


def test_what_writers_leave_beside_their_files_is_no_file(tmp_path: Path) -> None:
    """Markers, checksums, checkpoints, and a folder of metadata that is not a table's."""
    names = ["_SUCCESS", "_committed_1", "_started_1", ".part-0.crc", "part-0.crc", "_spark_metadata/0", "_temporary/0"]
    names += [".ipynb_checkpoints/a.parquet", "_checkpoint/0.parquet", "metadata/readme.json", "data/part-0"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    place, path = locate(str(tmp_path))
    assert [info.base_name for info in expand(place, path)] == ["part-0", "readme.json"]


def test_partitions_are_typed_by_all_their_values() -> None:
    """Dates are dates, numbers numbers, and one odd value makes all of them text."""
    assert partitions(["a/date=2024-01-01/x", "a/date=2024-01-02/x"]) == {"date": [date(2024, 1, 1), date(2024, 1, 2)]}
    assert partitions(["a/n=1/x", "a/n=02/x"])["n"] in ([1, 2], ["1", "02"])
    assert partitions(["a/k=1/x", "a/k=b/x"]) == {"k": ["1", "b"]}


def test_partition_types() -> None:
    """As Arrow types."""
    assert partition_type([date(2024, 1, 1)]) == pa.date32()
    assert partition_type(["b"]) == pa.string()


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        ("lake/day=2024-01-01/country=DE/x", "lake", {"day"}),
        ("lake/load=2024-01-01/country=DE/x", "lake/**/*.parquet", {"load"}),
        ("lake/year=2024/month=01/day=05/hour=7/x", "lake", {"year", "month", "day", "hour"}),
        ("lake/run=2024-01-01T05/x", "lake", {"run"}),
        ("lake/cut=20240101/model_year=1980/x", "lake", {"cut"}),
        ("lake/country=DE/shop=7/x", "lake/country=DE", {"country"}),
        ("lake/country=DE/shop=7/x", "lake/country=DE/shop=*/x", {"country"}),
        ("lake/country=DE/shop=7/x", "lake/country=*", set()),
        ("lake/day=__HIVE_DEFAULT_PARTITION__/k=__HIVE_DEFAULT_PARTITION__/x", "lake", {"day"}),
        ("lake/x", "lake", set()),
    ],
)
def test_partitions_that_say_where_rows_lie(path: str, asked: str, expected: set[str]) -> None:
    """Times by value or name, and what the person wrote into the path; whatever else there is, is data."""
    assert placing(partitions([path]), asked) == expected
