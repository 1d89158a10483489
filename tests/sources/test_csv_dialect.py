"""How a file is written, by its first bytes alone."""

from __future__ import annotations

import pytest

from drift.config.source import Csv
from drift.errors import SourceError
from drift.sources.csv_dialect import sniff


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("a,b\n1,x\n2,y\n", ""),
        ("a;b\n1;x\n2;y\n", "separated by semicolons"),
        ("a\tb\n1\tx\n2\ty\n", "separated by tabs"),
        ("a;b\n1,5;x\n2,5;y\n", "separated by semicolons, with decimal commas"),
        ("a,b\n'1,5',x\n'2,5',y\n", "with ' around fields, with decimal commas"),
    ],
)
def test_what_is_unusual_is_said(head: str, said: str) -> None:
    """Commas, double quotes, points and UTF-8 need no words."""
    assert str(sniff("a.csv", head.encode(), Csv())) == said


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252"), ("latin-1", "cp1252")],
)
def test_the_encoding_is_that_of_its_bytes(encoding: str, found: str) -> None:
    """The mark at the beginning, zeros between the bytes, or the first encoding that has all of them."""
    dialect = sniff("a.csv", "stra\u00dfe,n\nM\u00fcnchen,1\nK\u00f6ln,2\n".encode(encoding), Csv())
    assert (dialect.encoding, dialect.names) == (found, ("stra\u00dfe", "n"))


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "is not text"),
        (b"1.5,2.5\n3.1,4.2\n8.3,9.4\n", "no header"),
        (b"a,a\n1,2\n", "'a'"),
    ],
)
def test_what_is_no_table_is_refused(head: bytes, why: str) -> None:
    """With the file's name and the reason."""
    with pytest.raises(SourceError, match=f"a.csv.*{why}"):
        sniff("a.csv", head, Csv())


def test_what_is_given_is_not_sought() -> None:
    """A delimiter that a person wrote stands, whatever the rows look like."""
    dialect = sniff("a.csv", b"a;b,c\n1;2,3\n", Csv(delimiter=","))
    assert dialect.names == ("a;b", "c")
