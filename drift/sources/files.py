"""Parquet and CSV: a window of one file or of many, as one stream.

Folders named ``key=value`` (Hive partitions) are columns, and files outside the window are not opened where the time
column is one of them. Elsewhere the window is a filter that skips row groups by their statistics.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from dataclasses import field as default
from datetime import UTC, date, datetime
from functools import cache, cached_property, partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypedDict

import pyarrow as pa
import pyarrow.types as t
from pyarrow import parquet

from drift.config.source import Csv
from drift.errors import SourceError
from drift.profiles.kinds import mixed, mixture, type_text
from drift.sources import csv_files
from drift.sources.arrow_types import index_columns, plain_schema, to_plain
from drift.sources.csv_dialect import check_names
from drift.sources.file_listing import list_files, locate, partition_type, placing
from drift.sources.time_filter import (
    SAMPLED,
    PartsFilter,
    WindowFilter,
    missing_column,
    sample_of,
    shape_of,
    untimed,
    untimed_note,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow.fs as pafs

    from drift.sources.csv_files import CsvFile
    from drift.sources.file_listing import Format, Listing, PartitionValue, Place
    from drift.sources.time_filter import Bound, Chosen

    Read = Callable[[list[str]], Generator[pa.RecordBatch]]
    Columns = Callable[[], AbstractContextManager[Callable[[str], Iterator[pa.Array[Any]]]]]

_BATCH_ROWS = 1 << 16
_MOST_OPEN = 16
_LOOKED_AT = 8
_BUFFER_BYTES = 1 << 20
_INT96_UNIT = "us"
"""Nanoseconds, Arrow's choice, end in the year 2262, and go round from there."""


def open_files(
    files: str,
    file_format: Format | None,
    chosen: Chosen | None,
    known: Opened | None = None,
    *,
    root: Path | None = None,
    csv: Csv | None = None,
    like: Sequence[str] = (),
) -> tuple[pa.Schema, str, Read, Columns | None, frozenset[str], Callable[[], dict[str, str]]]:
    """Find the files, agree on one schema for those that the window needs, and return how to stream them.

    `files` is a path or URI: a file, a folder, or a glob (``**`` for any depth); its extension says the format unless
    `file_format` does. Of the files in `known`, opened before, only what has changed in size or time since is opened
    anew; it is brought up to date, so that window after window can be read. Local files that lead out of `root` are
    refused. `csv` says how CSV is written, as far as the files are not to say it themselves. One whose numbers leave
    open which sign parts the decimals is read as the first of these files that leaves no doubt, or of other paths that
    they are `like`.

    Returns
    -------
    schema
        Columns of the files that may hold rows of the window, partition columns last; types that differ between
        files are widened (integer and float become double, null takes the other's type). Where they have nothing in
        common the field is `drift.profiles.kinds.mixed`, and each file's batches have its own; columns of CSV become
        text.
    origin
        `files`, without credentials.
    read
        Streams batches of at most 64 Ki rows.
    columns
        Opens the files to stream one column after another; None where rows have to be chosen, or files are many.
    placed
        Columns that say where the rows lie: see `drift.sources.file_listing.placing`; and the index of a DataFrame.
    notes
        What a person should know of how the rows have been read so far, by column, and of all under the empty name.
    """
    place, path = locate(files, root)
    known = {} if known is None else known
    listing = known.get("listing")
    rows = _chosen(listing, chosen, place.files) if listing and listing.asked == (place.files, file_format) else None
    if listing is None or rows is None or not listing.holds(rows if len(rows) < len(listing.infos) else None):
        listing = known["listing"] = list_files(place, path, file_format)
        rows = _chosen(listing, chosen, place.files)
    shape, infos, keys = listing.shape, listing.infos, listing.keys
    by_partition = chosen is not None and all(name in keys for name in chosen.columns)
    # A window without any file has the columns of the newest one.
    places = rows or [len(infos) - 1]
    now = place.filesystem.get_file_info([place.inside(infos[i].path) for i in places])
    wanted = [(info, {name: keys[name][i] for name in keys}) for i, info in zip(places, now, strict=True)]
    written = csv or Csv()
    elsewhere = cache(partial(_decimal_elsewhere, place, listing, written, like, known))
    opener = partial(_open_csv, written, elsewhere) if shape == "csv" else _open_parquet
    opened = _open(place, opener, shape, wanted, known.setdefault("files", {}))
    holding = opened if rows else []
    condition: _Condition | None = None
    if isinstance(chosen, PartsFilter) and not by_partition:
        condition, holding = _parts_condition(place, opened, shape, chosen, keys)
        holding = holding if rows else []
    elif isinstance(chosen, WindowFilter) and not by_partition:
        times = _times(place, opened, shape, chosen.column, keys)
        condition = _window_condition(place, opened, times, chosen)
        holding = _holding(place, opened, times, condition)
    schema = _unify(holding or opened, shape)
    new = [(name, partition_type(values)) for name, values in keys.items() if name not in schema.names]
    schema = pa.schema([*schema, *pa.schema(new)])
    given: dict[str, tuple[_File, int]] = {}
    read = partial(_read, place, holding, schema, condition, given=given)
    by_column = shape == "parquet" and condition is None and len(holding) <= _MOST_OPEN
    columns = partial(_columns, place, holding, schema) if by_column else None
    index = {name for name in schema.names if all(name in f.index for f in opened if name in f.names)} - keys.keys()
    return schema, place.files, read, columns, placing(keys, path) | index, partial(_notes, given, chosen)


def _chosen(listing: Listing, chosen: Chosen | None, files: str) -> list[int]:
    """Return the places of the files that may hold rows of a window, as far as their folders tell."""
    if isinstance(chosen, PartsFilter):
        return _prune_parts(listing, chosen, files)
    if chosen is None or chosen.column not in listing.keys:
        return list(range(len(listing.infos)))
    return _prune(listing.keys, chosen, files)


@dataclass(frozen=True, slots=True)
class _Condition:
    """Which rows to keep: an expression over some columns."""

    columns: tuple[str, ...]
    expression: Any
    untimed: Callable[[pa.Array[Any]], int] | None = None
    """Counts the rows of the one column that have no readable time."""


def _read(
    place: Place,
    files: Sequence[_File],
    schema: pa.Schema,
    condition: _Condition | None,
    columns: list[str],
    *,
    given: dict[str, tuple[_File, int]] | None = None,
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
def _columns(
    place: Place, files: Sequence[_File], schema: pa.Schema
) -> Iterator[Callable[[str], Iterator[pa.Array[Any]]]]:
    """Open the files, and yield what streams one column of them, in chunks; texts come as dictionaries."""
    with ExitStack() as opened:
        readers = []
        for file in files:
            with place.reading(file.path):
                source = opened.enter_context(place.filesystem.open_input_file(file.path))
                texts = [field.name for field in file.schema if t.is_string(field.type)]
                readers.append(_parquet(place, file, source, texts))

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


def _fit(batch: pa.RecordBatch, file: _File, schema: pa.Schema, columns: Sequence[str]) -> pa.RecordBatch:
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


def _parquet_batches(place: Place, file: _File, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Decode a file page by page: a scan by `pyarrow.dataset` would hold whole row groups, ten times the memory."""
    present = [name for name in columns if name in file.names]
    if not present:
        for start in range(0, file.n_rows, _BATCH_ROWS):
            yield pa.record_batch([pa.nulls(min(_BATCH_ROWS, file.n_rows - start))], names=[""])
        return
    with place.filesystem.open_input_file(file.path) as source:
        yield from _parquet(place, file, source).iter_batches(_BATCH_ROWS, row_groups=file.groups, columns=present)


def _parquet(place: Place, file: _File, source: Any, texts: Sequence[str] = ()) -> parquet.ParquetFile:
    # From a disk in small reads; from a store in few large ones.
    return parquet.ParquetFile(
        source,
        metadata=file.metadata,
        read_dictionary=list(texts),
        buffer_size=0 if place.remote else _BUFFER_BYTES,
        pre_buffer=place.remote,
        coerce_int96_timestamp_unit=_INT96_UNIT,
    )


def _csv(
    place: Place, known: CsvFile, file: _File, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Parse a file with the types that all files share, so that 007 is text where another file has words."""
    asked = set(schema.names)
    shared = pa.schema([schema.field(name) if name in asked else file.schema.field(name) for name in file.schema.names])
    return csv_files.batches(place.filesystem, known, shared, [name for name in columns if name in file.names])


def _notes(given: Mapping[str, tuple[_File, int]], chosen: Chosen | None) -> dict[str, str]:
    """Return what a person should know of how the files that gave rows are read; of several that differ one."""
    notes = {name: words for file, _ in given.values() if file.csv for name, words in file.csv.notes.items()}
    return notes | (untimed_note(chosen.columns[0], sum(n for _, n in given.values())) if chosen else {})


@dataclass(frozen=True)
class _File:
    """A file, its own schema, and what its path says about its rows.

    Of Parquet its metadata and the row groups to read; of CSV how it is written. `index` was a DataFrame's.
    """

    path: str
    schema: pa.Schema
    keys: dict[str, PartitionValue]
    metadata: parquet.FileMetaData | None = None
    groups: list[int] = default(default_factory=list)
    csv: CsvFile | None = None
    index: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of its own columns, which Arrow lists anew whenever it is asked."""
        return frozenset(self.schema.names)

    @property
    def n_rows(self) -> int:
        """Rows of the row groups to read."""
        return sum(self.metadata.row_group(i).num_rows for i in self.groups) if self.metadata else 0


class Opened(TypedDict, total=False):
    """What was found and opened for a window: for the next one only what has changed is looked up again.

    Files by their path, size, time of change and format.
    """

    listing: Listing
    files: dict[tuple[Any, ...], _File]
    decimals: dict[tuple[str, ...], str | None]


_Opener = Callable[["Place", str], "_File"]


def _open(
    place: Place,
    opener: _Opener,
    shape: Format,
    infos: Sequence[tuple[pafs.FileInfo, dict[str, PartitionValue]]],
    known: dict[tuple[Any, ...], _File],
) -> list[_File]:
    """Read the schema of every file, several at a time."""
    names = [(info.path, info.size, info.mtime_ns, shape) for info, _ in infos]
    new = [info for name, (info, _) in zip(names, infos, strict=True) if name not in known]
    fresh = iter(_open_new(place, opener, shape, new))
    opened = [
        replace(known[name] if name in known else next(fresh), keys=keys)
        for name, (_, keys) in zip(names, infos, strict=True)
    ]
    known.clear()
    known.update({name: file for name, file in zip(names, opened, strict=True) if name[2] is not None})
    return opened


def _open_new(place: Place, opener: _Opener, shape: Format, infos: Sequence[pafs.FileInfo]) -> list[_File]:
    def one(info: pafs.FileInfo) -> _File:
        with place.reading(info.path, f"be read as {shape}"):
            file = opener(place, info.path)
            check_names(info.path, file.schema.names)
            return file

    if len(infos) < 2:
        return list(map(one, infos))
    with ThreadPoolExecutor(8, thread_name_prefix="drift-schemas") as pool:
        return list(pool.map(one, infos))


def _open_parquet(place: Place, path: str) -> _File:
    with place.filesystem.open_input_file(path) as source:
        reader = parquet.ParquetFile(source, coerce_int96_timestamp_unit=_INT96_UNIT)
        schema, groups = reader.schema_arrow, list(range(reader.num_row_groups))
        return _File(path, plain_schema(schema), {}, reader.metadata, groups, index=frozenset(index_columns(schema)))


def _open_csv(written: Csv, elsewhere: Callable[[], str | None], place: Place, path: str) -> _File:
    found = csv_files.open_csv(place.filesystem, path, written, elsewhere)
    index = frozenset(filter(csv_files.NAMELESS.fullmatch, found.schema.names))
    return _File(path, found.schema, {}, csv=found, index=index)


def _decimal_elsewhere(place: Place, listing: Listing, written: Csv, like: Sequence[str], known: Opened) -> str | None:
    """Return the sign of decimals of the first files that leave no doubt: of the source, then of those it is `like`."""
    decimals = known.setdefault("decimals", {})
    listings = [(place, listing)]
    for files in like:
        other, path = locate(files, place.root)
        listings.append((other, list_files(other, path, None)))
    for where, some in listings:
        paths = tuple(info.path for info in some.infos[:_LOOKED_AT])
        if some.shape == "csv" and paths not in decimals:
            signs = (csv_files.dialect_of(where.filesystem, where.inside(path), written).decimal for path in paths)
            decimals[paths] = next(filter(None, signs), None)
        if sign := decimals.get(paths):
            return sign
    return None


def _unify(files: Sequence[_File], shape: Format) -> pa.Schema:
    try:
        return pa.unify_schemas([file.schema for file in files], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        pass
    having: dict[str, dict[pa.DataType, list[str]]] = {}
    for file in files:
        for field in file.schema:
            having.setdefault(field.name, {}).setdefault(field.type, []).append(file.path)
    return pa.schema([_merged(name, types, shape) for name, types in having.items()])


def _merged(name: str, types: dict[pa.DataType, list[str]], shape: Format) -> pa.Field[Any]:
    """Return one field for a column that has these types in these files."""
    wider: pa.DataType | None = None
    for kind in types:
        wider = kind if wider is None else _wider(wider, kind)
        if wider is None:
            return pa.field(name, pa.string()) if shape == "csv" else mixed(name, _told(types))
    return pa.field(name, wider or pa.null())


def _told(types: dict[pa.DataType, list[str]]) -> str:
    """Say which types there are, that of the most files first, and a file that has another: int64 and string (b.pq)."""
    paths = [path for each in types.values() for path in each]
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120 - paths in stores too
    often = sorted(types, key=lambda kind: -len(types[kind]))
    others = [path for kind in often[1:] for path in types[kind]]
    more = f" and {len(others) - 1:,} more" if others[1:] else ""
    words = list(dict.fromkeys(map(type_text, often)))
    return f"{' and '.join(words)} ({os.path.relpath(others[0], folder)}{more})"


def _times(
    place: Place, files: Sequence[_File], shape: Format, name: str, keys: dict[str, list[PartitionValue]]
) -> pa.Schema:
    """Return the time column, which every file with rows must have, of types that compare."""
    having = [file for file in files if name in file.names]
    if not having:
        raise missing_column(name, [*_unify(files, shape).names, *keys], place.files)
    for file in files:
        if name not in file.names and (file.n_rows or not file.metadata):
            raise missing_column(name, file.schema.names, f"{file.path}, unlike others of {place.files},")
    known: pa.DataType = pa.null()
    first = ""
    for file in having:
        kind = file.schema.field(name).type
        wider = known if kind == known else _wider(known, kind) or (pa.string() if shape == "csv" else None)
        if wider is None:
            raise SourceError(
                f"{file.path}: time column {name!r} is {type_text(kind)}, but {type_text(known)} in {first}: "
                "write both with one type, or narrow the files"
            )
        if known != wider:
            known, first = wider, file.path
    return pa.schema([(name, known)])


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both, or None."""
    plain = [kind.value_type if t.is_dictionary(kind) else kind for kind in (a, b)]
    for pair in ([a, b], plain):
        schemas = [pa.schema([("x", kind)]) for kind in pair]
        try:
            unified: pa.DataType = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            continue
        return unified
    return None


def _prune(keys: dict[str, list[PartitionValue]], chosen: WindowFilter, files: str) -> list[int]:
    """Return which files lie in the window, by the time in their path."""
    values: list[Any] = list(keys[chosen.column])
    sample = sample_of(values)
    if sample is None:
        return []
    if chosen.time_format and isinstance(sample, str):
        texts = pa.array([None if value is None else str(value) for value in values], pa.string())
        return [i for i, inside in enumerate(chosen.inside(texts, files).to_pylist()) if inside]
    start: Any
    end: Any
    start, end = chosen.bounds(sample, f"{files}: partition {chosen.column}")
    return [i for i, value in enumerate(values) if value is not None and start <= value < end]


def _prune_parts(listing: Listing, chosen: PartsFilter, files: str) -> list[int]:
    """Return which files may lie in the window, by the parts of the time in their path, from the year on."""
    names = list(takewhile(listing.keys.__contains__, chosen.columns))
    start, end = (bound[: len(names)] for bound in chosen.bounds(files))
    found = []
    for i, info in enumerate(listing.infos):
        values = [listing.keys[name][i] for name in names]
        if None in values:
            continue
        try:
            parts = tuple(int(str(value)) for value in values)
        except ValueError:
            chosen.refuse(values, info.path)
        if start <= parts < end or (names != list(chosen.columns) and parts == end):
            if bool(chosen.impossible(parts)):
                chosen.refuse(parts, info.path)
            found.append(i)
    return found


def _parts_condition(
    place: Place, files: Sequence[_File], shape: Format, chosen: PartsFilter, keys: dict[str, list[PartitionValue]]
) -> tuple[_Condition, list[_File]]:
    """Return which rows are in the window where columns hold parts of its time, and the files that may have such."""
    import pyarrow.compute as pc

    schema = _unify(files, shape)
    for name in chosen.columns:
        if name not in schema.names and name not in keys:
            raise missing_column(name, [*schema.names, *keys], place.files)
    schema = pa.schema([*schema, *((n, partition_type(v)) for n, v in keys.items() if n not in schema.names)])
    fields = [schema.field(name) for name in chosen.columns]
    parts: list[Any] = [pc.field(f.name) if t.is_integer(f.type) else pc.field(f.name).cast(pa.int64()) for f in fields]
    inside, impossible = chosen.inside(parts, place.files), chosen.impossible(parts)
    condition = _Condition(chosen.columns, inside)
    if keys.keys().isdisjoint(chosen.columns):
        files = _holding(place, files, pa.schema(fields), condition)
    if impossible is not None:
        wrong = replace(condition, expression=inside & impossible)
        for batch in _read(place, files, schema, wrong, list(chosen.columns)):
            chosen.refuse([column[0].as_py() for column in batch.columns], place.files)
    return condition, list(files)


def _window_condition(place: Place, files: Sequence[_File], schema: pa.Schema, chosen: WindowFilter) -> _Condition:
    import pyarrow.compute as pc

    kind: Any = schema.field(chosen.column).type
    value_type = kind.value_type if t.is_dictionary(kind) else kind
    column: Any = pc.field(chosen.column)
    where = f"{place.files}: {chosen.column}"
    is_text = t.is_string(value_type) or t.is_large_string(value_type) or t.is_string_view(value_type)
    if chosen.time_format:
        return _formatted_condition(column, chosen, where, kind if not is_text else None)
    sample: object
    if t.is_date(value_type):
        sample = date(1970, 1, 1)
    elif t.is_timestamp(value_type):
        sample = datetime(1970, 1, 1, tzinfo=UTC if value_type.tz else None)
    else:

        def first(among: Sequence[_File]) -> object:
            rows = _read(place, among, schema, _Condition(chosen.columns, column.is_valid()), [chosen.column])
            with place.reading(place.files):
                return sample_of(value for batch in rows for value in batch.column(0).unique().to_pylist()[:SAMPLED])

        sample = first(files)
        if sample is None:
            return _Condition(chosen.columns, pc.scalar(value=False))  # no row has a time, so none is in the window
        for file in _odd_texts(files, chosen.column) if is_text else ():
            own = first([file])
            if own is not None:
                chosen.bounds(own, f"{file.path}: {chosen.column}")
    start, end = (_literal(bound, value_type) for bound in chosen.bounds(sample, where))
    inside = (column >= start) & (column < end)
    if not (is_text and isinstance(sample, str)):
        return _Condition(chosen.columns, inside, untimed)
    # What is written in another way sorts anywhere.
    shape = shape_of(sample)
    alike = pc.match_substring_regex(column.cast(pa.string()), shape)
    return _Condition(chosen.columns, inside & alike, partial(untimed, shape=shape))


def _formatted_condition(column: Any, chosen: WindowFilter, where: str, other: pa.DataType | None) -> _Condition:
    """Return which rows are in the window where the times are text in a format of their own."""
    if other is not None:
        raise SourceError(f"{where} is of type {type_text(other)}, and time_format is of text: remove time_format")

    def without(texts: pa.Array[Any]) -> int:
        plain: Any = texts.cast(pa.string())
        return untimed(chosen.parsed(plain))

    return _Condition(chosen.columns, chosen.inside(column.cast(pa.string()), where), without)


def _odd_texts(files: Sequence[_File], name: str) -> list[_File]:
    """Return the files in which a time is text, where in others it is none."""
    kinds = {file.path: file.schema.field(name).type for file in files if name in file.names}
    if all(map(t.is_string, kinds.values())):
        return []
    return [file for file in files if file.path in kinds and t.is_string(kinds[file.path])]


def _holding(place: Place, files: Sequence[_File], schema: pa.Schema, condition: _Condition) -> list[_File]:
    """Return the files that may hold rows of the window, and of each only the row groups that may, by statistics."""
    import pyarrow.dataset as ds

    found = []
    with place.reading(place.files):
        for file in files:
            if not file.metadata:
                found.append(file)
                continue
            whole: Any = ds.ParquetFileFormat().make_fragment(file.path, place.filesystem)
            groups = [group.id for group in whole.subset(filter=condition.expression, schema=schema).row_groups]
            if groups:
                found.append(replace(file, groups=groups))
    return found


def _literal(bound: Bound, kind: pa.DataType) -> pa.Scalar[Any]:
    """Return the bound in the column's own type, so that statistics compare; in its natural one where that is finer."""
    natural = pa.scalar(bound)
    try:
        return natural.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return natural
