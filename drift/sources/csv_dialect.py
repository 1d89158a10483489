"""How a CSV file is written, found out from its first rows: delimiter, quotes, encoding, names, decimal sign."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from drift.errors import SourceError
from drift.profiles.kinds import words
from drift.sources.csv_columns import all_numerals, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.config.source import Csv

SAMPLE = 1 << 20
"""Bytes of a file that say how it is written."""

_SAMPLE_ROWS = 1_000
_DELIMITERS = ",;\t|"
_BINARY = (b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\x28\xb5\x2f\xfd", b"BZh", b"\xd0\xcf\x11\xe0")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
EIGHT_BIT = ("utf-8", "cp1252", "latin-1")
"""In this order: what is not UTF-8 is Windows-1252, or Latin-1 where it has bytes that this has not."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written: `skip` rows come before its data. `decimal` is None where its numbers leave a doubt."""

    delimiter: str
    quote: str
    encoding: str
    names: tuple[str, ...]
    skip: int
    decimal: str | None = None
    preamble: bool = False
    """Whether a line such as Excel's ``sep=;`` comes first."""

    def __str__(self) -> str:
        """Say what is unusual of it: nothing where it has commas, points, double quotes and UTF-8."""
        unusual = {
            f"separated by {_WORDS.get(self.delimiter, repr(self.delimiter))}": self.delimiter != ",",
            f"with {self.quote} around fields": self.quote != '"',
            "with decimal commas": self.decimal == ",",
            f"in {_ENCODINGS.get(self.encoding, self.encoding)}": self.encoding != "utf-8",
            "without a header": not self.skip,
        }
        return ", ".join(words for words, true in unusual.items() if true)


_WORDS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
_ENCODINGS = {"cp1252": "Windows-1252", "latin-1": "Latin-1", "utf-16": "UTF-16", "utf-32": "UTF-32"}


def sniff(path: str, head: bytes, options: Csv) -> Dialect:
    """Find out how a file is written, as far as nobody said, from its first `SAMPLE` bytes."""
    if head.startswith(_BINARY):
        raise SourceError(
            f"{path} is not text: it begins as a compressed file, a workbook or Parquet does: give it the ending of "
            "what it is, or export it as CSV"
        )
    cut = len(head) == SAMPLE
    encoding, text = _decoded(head, options.encoding, cut=cut)
    told = re.match(r'"?sep=(.)"?\r?\n', text)
    if told:
        text = text[told.end() :]
    quote = options.quote or _quote(text, cut=cut)
    found = {sign: _rows(text, sign, quote, cut=cut) for sign in _DELIMITERS}
    delimiter = options.delimiter or (told and told[1]) or max(_DELIMITERS, key=lambda sign: _agreement(found[sign]))
    rows = found.get(delimiter) or _rows(text, delimiter, quote, cut=cut)
    first = next((i for i, row in enumerate(rows) if row), None)
    if first is None:
        raise SourceError(f"{path} is empty: write it again with a header, or move it away")
    header, data = rows[first], [row for row in rows[first + 1 :] if row]
    _check_delimiter(path, header, delimiter, found)
    if options.header is None and (value := _headless(header, data)):
        raise SourceError(
            f"{path} has no header: its first line holds values, such as {value[:40]!r}: write the names there, or set "
            "header to false (the columns are then column_1, column_2, …), or to true where these are the names"
        )
    has_header = options.header is not False
    names = header if has_header else [f"column_{i}" for i in range(1, len(header) + 1)]
    # A column without a name, pandas' index or what a delimiter at the end of lines makes, is called as pandas does.
    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(names)]
    check_names(path, names)
    told_decimal = options.decimal or _OTHER.get(options.thousands or "")
    decimal = told_decimal or _decimal(data if has_header else [header, *data], len(names), options)
    return Dialect(delimiter, quote, encoding, tuple(names), first + 1 if has_header else 0, decimal, bool(told))


_OTHER = {".": ",", ",": "."}


def check_names(path: str, names: Sequence[str]) -> None:
    """Refuse a file in which two columns have one name."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise SourceError(f"{path} has more than one column named {twice!r}: rename or drop one")


def _decoded(head: bytes, said: str | None, *, cut: bool) -> tuple[str, str]:
    """Return the encoding, and the text; a character that the end of the sample cuts is left out."""
    bom = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
    half = len(head) // 2 or 1
    wide = next((name for i, name in enumerate(("utf-16-be", "utf-16-le")) if head[i::2].count(0) > 0.4 * half), None)
    for encoding in [said] if said else [bom or wide or "utf-8", *EIGHT_BIT[1:]]:
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace" if said else "strict")
        try:
            text = decoder.decode(head, final=not cut)
        except UnicodeError:
            continue
        # Arrow skips the mark of UTF-8 itself.
        name = codecs.lookup(encoding).name
        return "utf-8" if name == "utf-8-sig" else EIGHT_BIT[2] if name == "iso8859-1" else name, text.lstrip("\ufeff")
    raise AssertionError("Latin-1 decodes everything")


def _quote(text: str, *, cut: bool) -> str:
    """Return the sign that fields are quoted by: the single one where the rows agree better with it."""
    if "'" not in text:
        return '"'
    single, double = (max(_agreement(_rows(text, sign, quote, cut=cut)) for sign in _DELIMITERS) for quote in "'\"")
    if single != double or '"' in text:
        return "'" if single > double else '"'
    opened, closed = (len(re.findall(shape, text, re.MULTILINE)) for shape in (r"(?:^|[,;\t|])'", r"'(?=$|[,;\t|])"))
    return "'" if opened and opened == closed else '"'


def _rows(text: str, delimiter: str, quote: str, *, cut: bool) -> list[list[str]]:
    """Return the first rows as they are with this delimiter; the last one may be cut, and is left out."""
    found = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote):
            found.append(row)
            if len(found) == _SAMPLE_ROWS:
                return found
    except csv.Error:
        return found
    return found[:-1] if cut and found[1:] else found


def _agreement(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of rows that have as many fields as the first, and their number; one field agrees with all."""
    filled = [len(row) for row in rows if row]
    if not filled or filled[0] < 2:
        return 0.0, 0
    return sum(n == filled[0] for n in filled) / len(filled), filled[0]


def _check_delimiter(path: str, header: Sequence[str], delimiter: str, found: dict[str, list[list[str]]]) -> None:
    for sign, rows in found.items():
        likely = next((row for row in rows if row), [])
        if len(header) == 1 and len(likely) > 1 and sign != delimiter:
            raise SourceError(
                f"{path} has one column, {header[0][:60]!r}, where its delimiter is {delimiter!r}: it looks like "
                f"{sign!r}: set delimiter to that"
            )


_VALUE = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{4}.*|(?i:true|false)"
)


def _headless(header: Sequence[str], data: Sequence[Sequence[str]]) -> str | None:
    """Return a value of the first line that shows that it is data; None where nothing does.

    That is a number, date or boolean, where every column of such has one in the first line too; whole numbers that
    follow one another, or years, may be names. Of columns of words each has its own first word once more.
    """
    columns = [[row[i] for row in data if i < len(row) and row[i]] for i in range(len(header))]
    typed = [i for i, column in enumerate(columns) if column and all(map(_VALUE.fullmatch, column))]
    if not typed:
        again = len(data) > 1 and all(name and name in column for name, column in zip(header, columns, strict=True))
        return header[0] if again and list(header) not in data else None
    values = [header[i] for i in typed]
    if not all(map(_VALUE.fullmatch, values)):
        return None
    whole = [int(value) for value in values if value.isdecimal()]
    follow = len(whole) == len(values) and all(b - a == 1 for a, b in pairwise(whole))
    if follow and (whole[1:] or whole[0] < 2 or 1900 <= whole[0] < 2100):
        return None
    return values[0]


def _decimal(rows: Sequence[Sequence[str]], n_columns: int, options: Csv) -> str | None:
    """Return which sign parts the decimals, as the first column says that leaves no doubt."""
    for i in range(n_columns):
        texts = [row[i] for row in rows if i < len(row)]
        if any("," in text or "." in text for text in texts):
            found = all_numerals(options).after(typed(words(texts), options))
            if found.decimal is not None:
                return found.decimal
    return None
