"""Streaming opened files: rows of one after the other as one schema has them, or column by column."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t

from drift.profiles.kinds import mixture
from drift.sources import csv_files
from drift.sources.arrow_types import to_plain
from drift.sources.file_opening import decoder
from drift.sources.time_filter import untimed_note

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from drift.sources.csv_files import CsvFile
    from drift.sources.file_listing import PartitionValue, Place
    from drift.sources.file_opening import File
    from drift.sources.time_filter import Chosen

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Condition:
    """Which rows to keep: an expression over some columns."""

    columns: tuple[str, ...]
    expression: Any
    untimed: Callable[[pa.Array[Any]], int] | None = None
    """Counts the rows of the one column that have no readable time."""


def read(
    place: Place,
    files: Sequence[File],
    schema: pa.Schema,
    condition: Condition | None,
    columns: list[str],
    *,
    given: dict[str, tuple[File, int]] | None = None,
) -> Generator[pa.RecordBatch]:
    """Stream the columns of every file in turn, as `schema` has them.

    `given` gathers the files that had rows, and how many others of theirs have no readable time.
    """
    given = {} if given is None else given
    wanted = list(dict.fromkeys([*columns, *condition.columns] if condition else columns))
    for file in files:
        without = 0
        with place.reading(file.path):
            batches = _csv(place, file.csv, file, schema, wanted) if file.csv else _parquet_batches(place, file, wanted)
            for batch in batches:
                if condition is None:
                    given[file.path] = file, 0
                    yield _fit(batch, file, schema, columns)
                    continue
                fitted = _fit(batch, file, schema, wanted)
                without += condition.untimed(fitted.column(condition.columns[0])) if condition.untimed else 0
                table = pa.Table.from_batches([fitted]).filter(condition.expression)
                if table.num_rows or file.path in given:
                    given[file.path] = file, without
                yield from (kept.select(columns) for kept in table.to_batches() if kept.num_rows)


@contextmanager
def by_column(
    place: Place, files: Sequence[File], schema: pa.Schema
) -> Iterator[Callable[[str], Iterator[pa.Array[Any]]]]:
    """Open the files, and yield what streams one column of them, in chunks; texts come as dictionaries."""
    with ExitStack() as opened:
        readers = []
        for file in files:
            with place.reading(file.path):
                source = opened.enter_context(place.filesystem.open_input_file(file.path))
                texts = [field.name for field in file.schema if t.is_string(field.type)]
                readers.append(decoder(place, file, source, texts))

        def stream(name: str) -> Iterator[pa.Array[Any]]:
            field = schema.field(name)
            kind: Any = None if mixture(field) else field.type
            for file, reader in zip(files, readers, strict=True):
                with place.reading(file.path):
                    if name not in file.names:
                        yield _repeated(file.keys.get(name), kind, file.n_rows)
                        continue
                    for batch in reader.iter_batches(_BATCH_ROWS, file.groups, columns=[name], use_threads=False):
                        column = to_plain(batch.column(0))
                        plain = column.type.value_type if t.is_dictionary(column.type) else column.type
                        yield column if kind in {None, plain, column.type} else _cast(column, kind)

        yield stream


def _fit(batch: pa.RecordBatch, file: File, schema: pa.Schema, columns: Sequence[str]) -> pa.RecordBatch:
    """Return the columns with the types of `schema`; one that the file lacks is its path's, else null."""
    if not columns:
        return batch.select([])
    fitted: list[pa.Array[Any]] = []
    for name in columns:
        field = schema.field(name)
        kind: Any = None if mixture(field) else field.type
        if name in file.names:
            column = to_plain(batch.column(name))
            fitted.append(column if kind in {None, column.type} else _cast(column, kind))
        else:
            fitted.append(_repeated(file.keys.get(name), kind, batch.num_rows))
    return pa.RecordBatch.from_arrays(fitted, names=list(columns))


def _cast(column: pa.Array[Any], kind: Any) -> pa.Array[Any]:
    """Widen a column; where one of its values does not fit (a date beyond those of nanoseconds) it stays as it is."""
    try:
        if t.is_dictionary(kind) and not t.is_dictionary(column.type):
            return _cast(column, kind.value_type).dictionary_encode()
        # An integer beyond 2^53 is the nearest float64, as everywhere.
        wider: pa.Array[Any] = column.cast(kind, safe=not t.is_floating(kind))
    except pa.ArrowInvalid:
        return column
    return wider


def _repeated(value: PartitionValue, kind: Any, n_rows: int) -> pa.Array[Any]:
    repeated: pa.Array[Any] = pa.repeat(pa.scalar(value, kind), n_rows)
    return repeated


def _parquet_batches(place: Place, file: File, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Decode a file page by page: a scan by `pyarrow.dataset` would hold whole row groups, ten times the memory."""
    present = [name for name in columns if name in file.names]
    if not present:
        for start in range(0, file.n_rows, _BATCH_ROWS):
            yield pa.record_batch([pa.nulls(min(_BATCH_ROWS, file.n_rows - start))], names=[""])
        return
    with place.filesystem.open_input_file(file.path) as source:
        yield from decoder(place, file, source).iter_batches(_BATCH_ROWS, row_groups=file.groups, columns=present)


def _csv(
    place: Place, known: CsvFile, file: File, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Parse a file with the types that all files share, so that 007 is text where another file has words."""
    asked = set(schema.names)
    shared = pa.schema([schema.field(name) if name in asked else file.schema.field(name) for name in file.schema.names])
    return csv_files.batches(place.filesystem, known, shared, [name for name in columns if name in file.names])


def notes(given: Mapping[str, tuple[File, int]], chosen: Chosen | None) -> dict[str, str]:
    """Return what a person should know of how the files that gave rows are read; of several that differ one."""
    found = {name: words for file, _ in given.values() if file.csv for name, words in file.csv.notes.items()}
    return found | (untimed_note(chosen.columns[0], sum(n for _, n in given.values())) if chosen else {})
