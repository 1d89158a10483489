"""CSV: nulls, types that agree between files and within a long one, compression."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from drift.sources import csv_files
from tests.support.opened_files import csv_file, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_csv_types_and_nulls(tmp_path: Path) -> None:
    """Empty fields are null; so are NA and nan in numbers, while NA stays a label in text (it is Namibia)."""
    path = csv_file(
        tmp_path,
        "\ufeffday,when,n,f,flag,label,empty\n"
        "2013-02-08,2013-02-08T10:00:00Z,1,1.5,true,NA,\n"
        '2013-02-08,2013-02-08T10:00:00.5Z,NA,nan,false,"",\n'
        '2013-02-08,,,,,"a,b",\n',
    )
    snapshot = open_files(path)
    assert snapshot.schema == {
        "day": "date32[day]", "when": "timestamp[ns, tz=UTC]", "n": "int64", "f": "double", "flag": "bool",
        "label": "string", "empty": "null",
    }  # fmt: skip
    assert rows(snapshot, "n", "f", "flag", "label", "empty") == {
        "n": [1, None, None], "f": [1.5, None, None], "flag": [True, False, None], "label": ["NA", None, "a,b"],
        "empty": [None] * 3,
    }  # fmt: skip
    assert snapshot.count_rows() == 3
    assert open_files(path, time_column="when").count_rows() == 2


def test_csv_files_agree_on_types(tmp_path: Path) -> None:
    """Null in one file and numbers in another are numbers; numbers here and words there are words, as written."""
    csv_file(tmp_path, "day,x,y,z\n2013-02-08,,1,1\n", "a.csv")
    csv_file(tmp_path, "day,x,y,z\n2013-02-08,7,1.5,n/k\n", "b.csv")
    csv_file(tmp_path, "day,x,y,z\n", "c.csv")
    snapshot = open_files(tmp_path)
    assert snapshot.schema == {"day": "date32[day]", "x": "int64", "y": "double", "z": "string"}
    assert rows(snapshot, "x", "y", "z") == {"x": [None, 7], "y": [1.0, 1.5], "z": ["1", "n/k"]}


def test_a_late_surprise_widens_a_long_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first block of a long file promised is checked against the rest, and the column widened."""
    monkeypatch.setattr(csv_files, "BLOCK", 4096)
    lines = [f"2013-02-08,{i},{i},true,2013-01-01" for i in range(3000)]
    late = ["2013-02-08,1.5,n/k,maybe,soon"]
    path = csv_file(tmp_path, "\n".join(["day,x,y,flag,due", *lines, *late]) + "\n")
    snapshot = open_files(path)
    assert snapshot.schema == {
        "day": "date32[day]", "x": "double", "y": "string", "flag": "string", "due": "string",
    }  # fmt: skip
    assert {name: values[-1] for name, values in rows(snapshot).items()} == {
        "day": date(2013, 2, 8), "x": 1.5, "y": "n/k", "flag": "maybe", "due": "soon",
    }  # fmt: skip
    assert snapshot.count_rows() == 3001


def test_compressed_csv(tmp_path: Path, write: Callable[..., Path]) -> None:
    """A .csv.gz is a CSV."""
    import gzip

    path = write("a.csv", day=[date(2013, 2, 8)], x=[1])
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert rows(open_files(tmp_path / "b.csv.gz"), "x") == {"x": [1]}
