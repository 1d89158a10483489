"""CSV: what a file is written like is found out from its own first rows, and its types from all of them.

Empty fields are null; NA, NULL and nan are too in columns of numbers, dates or booleans. A column whose values fit no
type together is text.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from drift.errors import SourceError
from drift.profiles.numerals import Notation, Numerals, parse
from drift.sources.file_listing import COMPRESSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow.fs as pafs

    from drift.config.source import Csv

BLOCK = 1 << 22
"""Bytes that are parsed at once; no row may be longer."""

MOST_INFLATED, MOST_TIMES = 1 << 30, 200
"""A compressed file may be this long, uncompressed; a longer one at most so many times its own size."""

NAMELESS = re.compile(r"Unnamed: \d+(_level_\d+|(\.\d+)+)?")
"""What a column without a name is called: pandas' index, or what a delimiter at the end of every line makes."""

_SAMPLE = 1 << 20
_SAMPLE_ROWS = 1_000
_BATCH_ROWS = 1 << 16
_DELIMITERS = ",;\t|"
_BINARY = (b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\x28\xb5\x2f\xfd", b"BZh", b"\xd0\xcf\x11\xe0")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_EIGHT_BIT = ("utf-8", "cp1252", "latin-1")
"""In this order: what is not UTF-8 is Windows-1252, or Latin-1 where it has bytes that this has not."""

_NULLS = [
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "1.#IND",
    "-1.#IND", "1.#QNAN", "-1.#QNAN",
]  # fmt: skip
_TRUE = ["1", "true", "TRUE", "True"]
_FALSE = ["0", "false", "FALSE", "False"]
_TYPES: tuple[pa.DataType, ...] = (
    pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("s"), pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"), pa.float64(),
)  # fmt: skip
_WIDER: dict[pa.DataType, pa.DataType] = {
    pa.int64(): pa.float64(), pa.date32(): pa.timestamp("s"), pa.timestamp("s"): pa.timestamp("ns"),
}  # fmt: skip

Kind = pa.DataType | Numerals
"""What a column is by the rows seen: of an Arrow type, or text that can be read as numbers."""


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


_COMMA = re.compile(r"[+-]?\d*,\d+")
_WORDS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
_ENCODINGS = {"cp1252": "Windows-1252", "latin-1": "Latin-1", "utf-16": "UTF-16", "utf-32": "UTF-32"}


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file that has been read through: its dialect, and what each of its columns is."""

    path: str
    dialect: Dialect
    options: Csv
    kinds: tuple[Kind, ...]

    @property
    def schema(self) -> pa.Schema:
        """Its columns; those of numbers that are written as text are numbers."""
        types = [pa.float64() if isinstance(kind, Numerals) else kind for kind in self.kinds]
        return pa.schema(list(zip(self.dialect.names, types, strict=True)))

    @property
    def notes(self) -> dict[str, str]:
        """What a person should know of how it is read: by column, and of the whole file under the empty name."""
        found = {"": f"CSV is read as {words}"} if (words := str(self.dialect)) else {}
        for name, kind in zip(self.dialect.names, self.kinds, strict=True):
            if not isinstance(kind, Numerals) or (self.dialect.decimal == "," and _COMMA.fullmatch(kind.example)):
                continue
            if notation := kind.notation(self.dialect.decimal):
                found[name] = f"text such as {kind.example!r} is read as numbers written like {notation}"
        return found


def open_csv(
    filesystem: pafs.FileSystem, path: str, options: Csv, elsewhere: Callable[[], str | None] = lambda: None
) -> CsvFile:
    """Find out how a file is written, and read it through for the types of its columns.

    Where its own numbers leave open which sign parts the decimals, it is the one `elsewhere`: of others of its source.
    """
    dialect = sniff(filesystem, path, options)
    if dialect.decimal is None:
        dialect = replace(dialect, decimal=elsewhere())
    while True:
        kinds: list[Kind] = [pa.null()] * len(dialect.names)
        last = ""
        try:
            for batch in _texts(filesystem, path, dialect, dialect.names):
                kinds = [_fit(kind, texts, dialect, options) for kind, texts in zip(kinds, batch.columns, strict=True)]
                last = str(batch.columns[-1][-1])
        except (pa.ArrowInvalid, UnicodeError) as error:
            if options.encoding or dialect.encoding not in _EIGHT_BIT[:-1] or not _undecoded(error):
                raise _explained(error, path) from error
            dialect = replace(dialect, encoding=_EIGHT_BIT[_EIGHT_BIT.index(dialect.encoding) + 1])
        else:
            if "\n" in last and not _ends_with(filesystem, path, dialect.quote):
                raise _unclosed(path)
            return CsvFile(path, dialect, options, tuple(kinds))


def batches(
    filesystem: pafs.FileSystem, file: CsvFile, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read some columns of a file, whose columns have the types of `schema`: wider ones than its own, or text."""
    shared = [schema.field(name).type for name in file.dialect.names]
    kinds: dict[str, Kind] = {
        name: own if isinstance(own, Numerals) and kind == pa.float64() else kind
        for name, own, kind in zip(file.dialect.names, file.kinds, shared, strict=True)
    }
    try:
        # Of no column the lengths are asked.
        for batch in _texts(filesystem, file.path, file.dialect, columns or file.dialect.names[:1]):
            arrays = [
                _converted(texts, kinds[name], file.dialect, file.options)
                for name, texts in zip(columns, batch.columns, strict=False)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns)) if columns else batch
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise _explained(error, file.path) from error


# -- how a file is written --------------------------------------------------------------------------------------------


def sniff(filesystem: pafs.FileSystem, path: str, options: Csv) -> Dialect:
    """Find out how a file is written, from its first rows, as far as nobody said."""
    with _stream(filesystem, path) as stream:
        head = stream.read(_SAMPLE)
    if head.startswith(_BINARY):
        raise SourceError(
            f"{path} is not text: it begins as a compressed file, a workbook or Parquet does: give it the ending of "
            "what it is, or export it as CSV"
        )
    cut = len(head) == _SAMPLE
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
    for encoding in [said] if said else [bom or wide or "utf-8", *_EIGHT_BIT[1:]]:
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace" if said else "strict")
        try:
            text = decoder.decode(head, final=not cut)
        except UnicodeError:
            continue
        # Arrow skips the mark of UTF-8 itself.
        name = codecs.lookup(encoding).name
        return "utf-8" if name == "utf-8-sig" else _EIGHT_BIT[2] if name == "iso8859-1" else name, text.lstrip("\ufeff")
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
            found = _all_numerals(options).after(_typed(pa.array(texts, pa.string()), options))
            if found.decimal is not None:
                return found.decimal
    return None


# -- what its columns are ---------------------------------------------------------------------------------------------


def _all_numerals(options: Csv) -> Numerals:
    """Return all that numbers may be written like, as far as nobody said."""
    decimal, thousands = options.decimal, options.thousands
    known = [n for n in Numerals().notations if decimal in {None, n.decimal} and thousands in {None, n.thousands}]
    return Numerals(tuple(known))


def _fit(kind: Kind, texts: pa.Array[Any], dialect: Dialect, options: Csv) -> Kind:
    """Return what a column is with these rows, by what it was with those before."""
    if kind == pa.string():
        return kind
    present = _typed(texts, options)
    if present.null_count == len(present):
        return kind
    if isinstance(kind, Numerals):
        return _or_text(kind.after(present))
    for wider in _TYPES if t.is_null(kind) else (kind, *_chain(kind)):
        # Where the comma parts the decimals, a point does not.
        if not (wider == pa.float64() and dialect.decimal == ",") and _fits(present, wider):
            return wider
    if not (t.is_null(kind) or t.is_integer(kind) or t.is_floating(kind)):
        return pa.string()
    known = _all_numerals(options)
    if not t.is_null(kind):
        points = (n for n in known.notations if t.is_integer(kind) or n.decimal == ".")
        known = replace(known, notations=tuple(points), unit="")
    return _or_text(known.after(present))


def _or_text(numerals: Numerals) -> Kind:
    return numerals if numerals.notations else pa.string()


def _chain(kind: pa.DataType) -> Iterator[pa.DataType]:
    while kind in _WIDER:
        kind = _WIDER[kind]
        yield kind


def _typed(texts: pa.Array[Any], options: Csv) -> Any:
    """Return texts without those that stand for null where they are not words."""
    known: Any = pc.is_in(texts, value_set=pa.array([*_NULLS, *options.null_values]))
    return pc.if_else(known, pa.scalar(None, pa.string()), texts)


def _fits(present: Any, kind: pa.DataType) -> bool:
    try:
        return bool(_cast(present, kind).null_count == present.null_count)
    except pa.ArrowInvalid:
        return False


def _cast(present: Any, kind: pa.DataType) -> Any:
    if t.is_boolean(kind):
        true, false = (pc.is_in(present, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
        return pc.if_else(pc.or_(true, false), true, None)
    if t.is_time(kind):
        # Arrow casts no text to times of day.
        if not pc.all(pc.match_substring_regex(present, r"^\d\d:\d\d(:\d\d)?$"), min_count=0).as_py():
            raise pa.ArrowInvalid("not a time of day")
        present = pc.binary_join_element_wise("1970-01-01", present, "T").cast(pa.timestamp("s"))
    if t.is_null(kind):
        return pa.nulls(len(present))
    if t.is_integer(kind) or t.is_floating(kind):
        present = pc.utf8_trim_whitespace(present)
    return present.cast(kind)


def _converted(texts: pa.Array[Any], kind: Kind, dialect: Dialect, options: Csv) -> Any:
    if kind == pa.string():
        blank = pc.is_in(texts, value_set=pa.array(["", *options.null_values]))
        return pc.if_else(blank, pa.scalar(None, pa.string()), texts)
    present = _typed(texts, options)
    if isinstance(kind, Numerals):
        return parse(present, kind.notation(dialect.decimal) or Notation())
    return _cast(present, kind)


# -- its text ---------------------------------------------------------------------------------------------------------


def _texts(
    filesystem: pafs.FileSystem, path: str, dialect: Dialect, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Stream columns of a file as they are written."""
    from pyarrow import csv as arrow_csv

    with _stream(filesystem, path) as stream:
        reader = arrow_csv.open_csv(
            stream,
            arrow_csv.ReadOptions(
                # One thread counts the rows, so that an error names its own.
                use_threads=False,
                block_size=BLOCK,
                encoding="utf8" if dialect.encoding == "utf-8" else dialect.encoding,
                column_names=list(dialect.names),
                skip_rows=int(dialect.preamble),
                skip_rows_after_names=dialect.skip,
            ),
            arrow_csv.ParseOptions(delimiter=dialect.delimiter, quote_char=dialect.quote, newlines_in_values=True),
            arrow_csv.ConvertOptions(include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string())),
        )
        for batch in reader:
            yield from (batch.slice(i, _BATCH_ROWS) for i in range(0, batch.num_rows, _BATCH_ROWS))


def _stream(filesystem: pafs.FileSystem, path: str) -> Any:
    """Open a file; one that is compressed is bounded in what it may become."""
    stream = filesystem.open_input_stream(path)
    if not path.lower().endswith(COMPRESSED):
        return stream
    size = filesystem.get_file_info(path).size or 0
    return pa.PythonFile(_Inflating(stream, path, max(MOST_INFLATED, MOST_TIMES * size)), mode="r")


@dataclass(slots=True)
class _Inflating(io.RawIOBase):
    """A stream that is decompressed, up to so many bytes."""

    stream: Any
    path: str
    left: int

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found: bytes = self.stream.read(size)
        self.left -= len(found)
        if self.left < 0:
            raise SourceError(
                f"{self.path} is longer than {MOST_INFLATED >> 30} GiB once decompressed, and more than {MOST_TIMES} "
                "times as long as before: if that is no mistake, write it as Parquet, or in parts"
            )
        return found

    def close(self) -> None:
        self.stream.close()


def _undecoded(error: Exception) -> bool:
    return isinstance(error, UnicodeError) or "UTF8" in str(error)


def _explained(error: Exception, path: str) -> Exception:
    """Say what a reader's error means, where its own words do not."""
    if _undecoded(error):
        return SourceError(f"{path} is not in the encoding that was given: set the encoding it is written in, or none")
    if "Expected 1 columns" in str(error):
        return SourceError(
            f"{path} has one name in its first line, and rows of more fields: write the names of all there and nothing "
            "before, or set delimiter to the sign between fields"
        )
    return _unclosed(path) if "straddling" in str(error) else error


def _unclosed(path: str) -> SourceError:
    return SourceError(
        f"{path} has a quote that is never closed, or a row longer than {BLOCK >> 20} MiB: write it again, or set "
        "quote to the sign that fields are quoted by"
    )


def _ends_with(filesystem: pafs.FileSystem, path: str, quote: str) -> bool:
    """Whether a file whose last field has lines ends with that field's quote; to Arrow the file's end is one too."""
    tail = b""
    with _stream(filesystem, path) as stream:
        while chunk := stream.read(BLOCK):
            tail = (tail + chunk)[-64:]
    return tail.replace(b"\0", b"").rstrip().endswith(quote.encode())
