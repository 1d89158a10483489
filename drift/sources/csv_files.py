"""CSV files: opened by their dialect (`csv_dialect`), read through for their columns (`csv_columns`), and streamed."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drift.errors import SourceError
from drift.profiles.numerals import Numerals
from drift.sources.csv_columns import Kind, convert, fit
from drift.sources.csv_dialect import EIGHT_BIT, SAMPLE, Dialect, sniff
from drift.sources.file_listing import COMPRESSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow.fs as pafs

    from drift.config.source import Csv

BLOCK, COLUMN_BLOCK = 1 << 22, 1 << 12
"""Bytes that are parsed at once, in all and, of many columns, for each; no row may be longer than a block."""

MOST_INFLATED, MOST_TIMES = 1 << 30, 200
"""A compressed file may be this long, uncompressed; a longer one at most so many times its own size."""

NAMELESS = re.compile(r"Unnamed: \d+(_level_\d+|(\.\d+)+)?")
"""What a column without a name is called: pandas' index, or what a delimiter at the end of every line makes."""

_BATCH_ROWS = 1 << 16

_COMMA = re.compile(r"[+-]?\d*,\d+")


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
    dialect = dialect_of(filesystem, path, options)
    if dialect.decimal is None:
        dialect = replace(dialect, decimal=elsewhere())
    while True:
        kinds: list[Kind] = [pa.null()] * len(dialect.names)
        last = ""
        try:
            for batch in _texts(filesystem, path, dialect, dialect.names):
                kinds = [
                    fit(kind, texts, dialect.decimal, options) for kind, texts in zip(kinds, batch.columns, strict=True)
                ]
                last = str(batch.columns[-1][-1])
        except (pa.ArrowInvalid, UnicodeError) as error:
            if options.encoding or dialect.encoding not in EIGHT_BIT[:-1] or not _undecoded(error):
                raise _explained(error, path) from error
            dialect = replace(dialect, encoding=EIGHT_BIT[EIGHT_BIT.index(dialect.encoding) + 1])
        else:
            if "\n" in last and not _ends_with(filesystem, path, dialect.quote):
                raise _unclosed(path)
            return CsvFile(path, dialect, options, tuple(kinds))


def dialect_of(filesystem: pafs.FileSystem, path: str, options: Csv) -> Dialect:
    """Find out how a file is written."""
    with _stream(filesystem, path) as stream:
        return sniff(path, stream.read(SAMPLE), options)


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
                convert(texts, kinds[name], file.dialect.decimal, file.options)
                for name, texts in zip(columns, batch.columns, strict=False)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns)) if columns else batch
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise _explained(error, file.path) from error


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
                block_size=max(BLOCK, COLUMN_BLOCK * len(dialect.names)),
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
        f"{path} has a quote that is never closed, or a row of many MiB: write it again, or set "
        "quote to the sign that fields are quoted by"
    )


def _ends_with(filesystem: pafs.FileSystem, path: str, quote: str) -> bool:
    """Whether a file whose last field has lines ends with that field's quote; to Arrow the file's end is one too."""
    tail = b""
    with _stream(filesystem, path) as stream:
        while chunk := stream.read(BLOCK):
            tail = (tail + chunk)[-64:]
    return tail.replace(b"\0", b"").rstrip().endswith(quote.encode())
