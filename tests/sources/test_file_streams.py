"""Opened files as a stream: in their order, bounded, named where they break."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import SourceError, SourceMissing
from tests.support.opened_files import open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
