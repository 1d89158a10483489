"""Opening files: broken, forbidden, ambiguous; once for many windows."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import SourceError
from drift.sources import files as file_source
from tests.support.opened_files import open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drift.sources.file_opening import Opened


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
