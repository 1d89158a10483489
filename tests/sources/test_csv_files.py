"""CSV: nulls, types that agree between files and within a long one, compression."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow.fs as pafs
import pytest

from drift.config.source import Csv
from drift.errors import SourceError
from drift.sources import csv_files
from drift.sources.snapshot import open_table
from tests.support.opened_files import csv_file, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOCAL = pafs.LocalFileSystem()


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
    path = write("a.csv", day=[date(2013, 2, 8)], x=[1])
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert rows(open_files(tmp_path / "b.csv.gz"), "x") == {"x": [1]}


def written(table: dict[str, list[str]], delimiter: str = ",", quote: str = '"') -> str:
    """Write a table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quotechar=quote)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


@pytest.mark.parametrize(
    ("delimiter", "quote", "encoding", "block"),
    [
        *product(",;\t|", ('"', "'"), ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"), (512, 1 << 22)),
        (";", '"', "latin-1", 512), (",", '"', "utf-16-be", 512), (",", '"', "utf-32", 512),
    ],
)  # fmt: skip
def test_a_file_says_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delimiter: str, quote: str, encoding: str, block: int
) -> None:
    """Delimiter, quotes, encoding and decimals are found out, and types from all rows, whatever is read at once."""
    monkeypatch.setattr(csv_files, "BLOCK", block)
    comma = delimiter in ";\t"
    numbers = [f"{i}.{i % 90 + 10}" for i in range(300)]
    table = {
        "town": ["Köln, Nord; A|B\t1", "Bonn\nam Rhein", "Ulm\r\n"] * 100,
        "x": [text.replace(".", ",") if comma else text for text in numbers],
        "late": [""] * 200 + ["7"] * 50 + ["n/k"] * 50,
        "whole": ["7"] * 299 + ["8.5".replace(".", "," if comma else ".")],
    }
    path = tmp_path / "a.csv"
    path.write_bytes(written(table, delimiter, quote).encode(encoding))
    snapshot = open_table(path)
    assert snapshot.schema == {"town": "string", "x": "double", "late": "string", "whole": "double"}
    assert rows(snapshot) == {
        "town": table["town"], "x": [float(text) for text in numbers], "late": [v or None for v in table["late"]],
        "whole": [7.0] * 299 + [8.5],
    }  # fmt: skip
    assert snapshot.count_rows() == 300
    said = snapshot.notes().get("", "")
    assert ("Windows-1252" in said) == (encoding in {"cp1252", "latin-1"})
    assert ("decimal commas" in said, "around fields" in said) == (comma, quote == "'")
    assert bool(said) == (delimiter != "," or quote == "'" or not encoding.startswith("utf-8"))


def test_a_long_file_shows_its_types_late(tmp_path: Path) -> None:
    """Over sixteen MiB, with quoted line breaks: empty, then whole, then fractions, then words, and one late umlaut."""
    path, pad = tmp_path / "a.csv", "p" * 60
    with path.open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "x", "y", "z"])
        writer.writerows((f"{pad}\n{pad}", "", i, 7) for i in range(100_000))
        writer.writerows((pad, 4.5, 0.5, "ü") for i in range(50_000))
    assert path.stat().st_size > 1 << 24
    snapshot = open_table(path)
    assert snapshot.schema == {"note": "string", "x": "double", "y": "double", "z": "string"}
    assert snapshot.count_rows() == 150_000
    assert snapshot.notes() == {"": "CSV is read as in Windows-1252"}
    assert rows(snapshot, "z")["z"][-1] == "ü"


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["$1,512.65", "$3.00"], [1512.65, 3.0]),
        (["12.5 %", "3 %", ""], [12.5, 3.0, None]),
        (["1.234,56", "3", "NA"], [1234.56, 3.0, None]),
        (["(1,200)", "15"], [-1200.0, 15.0]),
        (["1\u202f234,5 €", "2 €"], [1234.5, 2.0]),
        (["1.512.000", "23.000"], [1_512_000.0, 23_000.0]),
        (["1'234.5", "-2"], [1234.5, -2.0]),
        (["5", "1,512"], [5.0, 1512.0]),
    ],
)
def test_numbers_written_as_text(tmp_path: Path, texts: list[str], numbers: list[float | None]) -> None:
    """A column whose every value is a number written like the others holds numbers, and the reader says so."""
    path = csv_file(tmp_path, written({"name": ["a"] * len(texts), "x": texts}))
    snapshot = open_table(path)
    assert rows(snapshot, "x") == {"x": numbers}
    assert "x" in snapshot.notes()


@pytest.mark.parametrize("texts", [["$5", "€5"], ["5", "$5"], ["1,512", "n/k"], ["1.2.3", "1.2"], ["3-4", "5"]])
def test_what_is_not_a_number_throughout_is_text(tmp_path: Path, texts: list[str]) -> None:
    """Two units, versions, ranges and words are labels as they are written."""
    snapshot = open_table(csv_file(tmp_path, written({"name": ["a"] * len(texts), "x": texts})))
    assert rows(snapshot, "x") == {"x": texts}


def test_files_that_leave_a_doubt_are_read_as_the_others(tmp_path: Path) -> None:
    """By itself 1.512 is a fraction; where another file of the source, or the other table, has 939,72, it is not."""
    csv_file(tmp_path, "day;x\n2013-02-07;939,72\n", "a.csv")
    doubt = csv_file(tmp_path, "day;x\n2013-02-08;1.512\n", "b.csv")
    assert rows(open_files(tmp_path), "x") == {"x": [1512.0]}
    assert rows(open_table(doubt), "x") == {"x": [1.512]}
    assert rows(open_table(doubt, like=tmp_path / "a.csv"), "x") == {"x": [1512.0]}
    assert rows(open_table(doubt, csv=Csv(decimal=",")), "x") == {"x": [1512.0]}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a;b\n1,5;x\n", {"delimiter": ";", "decimal": ","}, {"a": [1.5], "b": ["x"]}),
        ("a:b\n1:x\n", {"delimiter": ":"}, {"a": [1], "b": ["x"]}),
        ("a\tb\n1\tx\n", {"delimiter": "tab"}, {"a": [1], "b": ["x"]}),
        ("'a','b'\n'say \"x\"','1,5'\n'\"','2'\n", {}, {"a": ['say "x"', '"'], "b": [1.5, 2.0]}),
        ("a,b\n\"it's, so\",'tis\n", {}, {"a": ["it's, so"], "b": ["'tis"]}),
        ("x\n1,5\n2,5\n", {"delimiter": ";"}, {"x": [1.5, 2.5]}),
        ("a,b\n1,*x,y*\n", {"quote": "*"}, {"a": [1], "b": ["x,y"]}),
        ("a,b\n-,-\n1,x\n", {"null_values": ["-"]}, {"a": [None, 1], "b": [None, "x"]}),
        ("1,x\n2,y\n", {"header": False}, {"column_1": [1, 2], "column_2": ["x", "y"]}),
        ("1.5,x\n2,y\n", {"header": True}, {"1.5": [2], "x": ["y"]}),
        ("a,b\n1.234,x\n", {"thousands": "."}, {"a": [1234.0], "b": ["x"]}),
        ("sep=;\na;b\n1;x\n", {}, {"a": [1], "b": ["x"]}),
        ("\n\na,b\n1,x\n\n", {}, {"a": [1], "b": ["x"]}),
        ("country,2013,2014\nDE,1.5,2\n", {}, {"country": ["DE"], "2013": [1.5], "2014": [2]}),
        ("0,1,2\n5,6,7\n", {}, {"0": [5], "1": [6], "2": [7]}),
        ("only\n1.5\n", {}, {"only": [1.5]}),
        ('"last, first"\n"a, b"\n', {}, {"last, first": ["a, b"]}),
    ],
)  # fmt: skip
def test_what_is_said_and_what_is_found_out(
    tmp_path: Path, text: str, options: dict[str, Any], expected: dict[str, list[Any]]
) -> None:
    """What a person says holds; headers of years or of pandas' numbers are headers."""
    assert rows(open_table(csv_file(tmp_path, text), csv=Csv(**options))) == expected


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"1.5,x\n2.5,y\n", {}, "has no header: its first line holds values, such as '1.5'"),
        (b"2013-02-08,x\n2013-02-09,y\n", {}, "has no header"),
        (b"JFK,AA\nEWR,UA\nJFK,UA\nEWR,AA\n", {}, "has no header: .*'JFK'"),
        (b"a;b\n1;2\n", {"delimiter": ","}, "has one column, 'a;b', .* looks like ';'"),
        ("täglich,x\nü,1\n".encode("cp1252"), {"encoding": "utf-8"}, "is not in the encoding"),
        (b"\x1f\x8b\x08\x00", {}, "is not text"),
        (b"PAR1", {}, "is not text"),
        (b"\n\n", {}, "is empty"),
        (b"a,a\n1,2\n", {}, "more than one column named 'a'"),
        (b'a,b\n1,"x\n1,2\n1,2\n', {}, "a quote that is never closed"),
        (b'a,b\n1,"x\n' + b"1,2\n" * 5_000_000, {}, "a quote that is never closed"),
        (b"Report of March\n\nid,x\n1,2\n", {}, "has one name in its first line, and rows of more fields"),
        (b"a,b\n1,2\n1,2,3\n", {}, "Row #3: Expected 2 columns, got 3"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, options: dict[str, Any], says: str) -> None:
    """Files that are no CSV, or another one than was said, are refused with what to do."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says):
        open_table(path, csv=Csv(**options))


def test_columns_without_a_name_are_no_features(tmp_path: Path) -> None:
    """The index of pandas, as it is read back and written again too, and what an end of line with a delimiter makes."""
    path = csv_file(tmp_path, ",x,Unnamed: 0.1,\n0,1.5,0,\n7,2.5,1,\n")
    snapshot = open_table(path)
    assert list(snapshot.schema) == ["Unnamed: 0", "x", "Unnamed: 0.1", "Unnamed: 3"]
    assert snapshot.placed == {"Unnamed: 0", "Unnamed: 0.1", "Unnamed: 3"}


def test_what_is_compressed_too_well_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that becomes far longer than it was is not read on; one that is long, and was, is."""
    monkeypatch.setattr(csv_files, "MOST_INFLATED", 1 << 20)
    bomb, fair = tmp_path / "bomb.csv.gz", tmp_path / "fair.csv.gz"
    bomb.write_bytes(gzip.compress(b"x,y\n" + b"0,1\n" * 5_000_000))
    fair.write_bytes(gzip.compress(b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(200_000))))
    with pytest.raises(SourceError, match=r"bomb\.csv\.gz is longer than .* once decompressed"):
        open_table(bomb)
    assert open_table(fair).count_rows() == 200_000


def test_a_wide_file_comes_in_no_more_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block grows with the columns, for each column of each block costs some calls."""
    monkeypatch.setattr(csv_files, "BLOCK", 64)
    monkeypatch.setattr(csv_files, "COLUMN_BLOCK", 64)
    blocks = []
    for columns in (10, 80):
        lines = [",".join(f"c{i:03}" for i in range(columns)), *[",".join(["1234"] * columns)] * 200]
        (tmp_path / "a.csv").write_text("\n".join(lines))
        file = csv_files.open_csv(pafs.LocalFileSystem(), str(tmp_path / "a.csv"), Csv())
        blocks.append(len(list(csv_files.batches(pafs.LocalFileSystem(), file, file.schema, file.schema.names))))
    assert blocks[1] <= blocks[0] + 1
