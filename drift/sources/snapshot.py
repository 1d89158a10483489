"""A window of a source as a stream of Arrow record batches, with only the columns asked for.

Files (`drift.sources.files`), SQL (`drift.sources.sql`) and tables in memory all become a `Snapshot`. Whatever goes
wrong on the way, now or in the middle of the stream, is a `SourceError` or `MissingExtra`.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from drift.config import roots
from drift.errors import MissingExtra, SourceError
from drift.profiles.kinds import mixture, texts, type_text
from drift.sources.time_filter import missing_column, window_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd
    import pyarrow as pa

    from drift.config.source import Csv, Source
    from drift.sources.file_opening import Opened
    from drift.windows import Calendar, Window

    Columns = Callable[[], AbstractContextManager[Callable[[str], Iterator[pa.Array[Any]]]]]

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Snapshot:
    """The rows of one window of a source, not yet read.

    Parameters
    ----------
    arrow_schema
        Every column of the source in this window, binary and nested ones too: leaving out what cannot be counted is
        the caller's business.
    origin
        The source as messages name it; never holds a password.
    read
        Given column names, starts a new stream of batches; given none, their lengths still sum to the rows.
    columns
        Opens the source to stream one column after another, each in chunks; None where rows only come whole. Each
        opening is its own, for a thread of its own.
    placed
        Columns that say where the rows lie and not what they are: see `drift.sources.file_listing.placing`; and what
        was the index of a DataFrame.
    notes
        Tells what a person should know of how the rows have been read so far, by column; of all under the empty name.
    """

    arrow_schema: pa.Schema
    origin: str
    read: Callable[[list[str]], Generator[pa.RecordBatch]] = field(repr=False)
    columns: Columns | None = field(default=None, repr=False)
    placed: frozenset[str] = frozenset()
    notes: Callable[[], dict[str, str]] = field(default=dict, repr=False)

    @cached_property
    def schema(self) -> Mapping[str, str]:
        """Column → Arrow type as text; of types that have nothing in common all, and a file that differs."""
        return {column.name: mixture(column) or type_text(column.type) for column in self.arrow_schema}

    def batches(self, columns: Sequence[str] | None = None) -> Generator[pa.RecordBatch]:
        """Start a stream of the window's rows, with these columns in this order; None is all. Each call reads anew."""
        names = list(self.schema if columns is None else columns)
        for name in names:
            if name not in self.schema:
                raise missing_column(name, self.arrow_schema.names, self.origin)
        return self.read(names)

    def count_rows(self) -> int:
        """Count the window's rows without reading a column."""
        return sum(batch.num_rows for batch in self.read([]))

    def to_table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the columns into memory, as an Arrow table."""
        import pyarrow as pa

        names = self.arrow_schema.names if columns is None else list(columns)
        tables = [pa.Table.from_batches([batch]) for batch in self.batches(names)]
        empty = pa.schema([self.arrow_schema.field(name) for name in names]).empty_table()
        return _concatenate(tables or [empty])

    def head(self, n_rows: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the first rows into memory, no more than there are."""
        import pyarrow as pa

        names = self.arrow_schema.names if columns is None else list(columns)
        tables: list[pa.Table] = []
        batches = self.batches(names)
        while (lacking := n_rows - sum(table.num_rows for table in tables)) > 0:
            batch = next(batches, None)
            if batch is None:
                break
            tables.append(pa.Table.from_batches([batch.slice(0, lacking)]))
        if not tables:
            return pa.schema([self.arrow_schema.field(name) for name in names]).empty_table()
        return _concatenate(tables)

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the columns into memory, as a DataFrame: of the same types with nulls as without, however encoded."""
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise MissingExtra("pandas", extra="validation") from error

        table = self.to_table(columns)
        return pd.DataFrame({name: _series(table.column(name)) for name in table.column_names}, range(table.num_rows))


def open_snapshot(
    source: Source,
    window: Window | None,
    *,
    calendar: Calendar,
    url: str | None = None,
    known: Opened | None = None,
) -> Snapshot:
    """Open one window of a monitor's source; None is every row, also those without a time.

    The calendar says whose local dates a column of dates holds, and the zone of naive times unless the source names
    one. `url` is the database's SQLAlchemy URL (`drift.config.connections.resolve_url`), `known` what was opened for an
    earlier window of the same files (`drift.sources.files.open_files`).
    """
    chosen = window_filter(source, window, calendar) if window is not None else None
    if source.files is not None:
        from drift.sources.files import open_files

        root = roots.monitors_root()
        return Snapshot(*open_files(source.files, source.format, chosen, known, root=root, csv=source.csv))
    if url is None:
        raise SourceError(f"connection {source.connection!r} has not been resolved to a database URL")
    if source.may_count_inside:
        from drift.sources.warehouse import source as warehouse

        if warehouse.reads_inside(source.engine, url):
            windows = None if window is None else [window]
            opened = warehouse.open_source(source, windows, calendar=calendar, url=url)
            return Snapshot(opened.arrow_schema, opened.database.origin, opened.read, notes=opened.notes)
    from drift.sources.sql import open_sql

    schema, origin, read, notes = open_sql(
        url, table=source.table, schema=source.schema_, query=source.query, chosen=chosen
    )
    return Snapshot(schema, origin, read, notes=notes)


def open_table(data: Any, *, csv: Csv | None = None, like: Any = None) -> Snapshot:
    """Open a table: a DataFrame of any library, what exports an Arrow stream, or the path of files.

    A pandas DataFrame's index is not a column. Its object columns that mix types become text, categoricals stay
    dictionaries, and sparse columns are as dense. A lazy frame is collected. CSV files are written as `csv` says, and
    where that and they leave a doubt, as those of another table that it is `like`.
    """
    if isinstance(data, str | os.PathLike):
        from drift.sources.files import open_files

        other = [os.fspath(like)] if isinstance(like, str | os.PathLike) else []
        return Snapshot(*open_files(os.fspath(data), None, None, root=roots.given_root(), csv=csv, like=other))
    import pyarrow as pa

    from drift.sources.arrow_types import index_columns, plain_schema, to_plain

    table = _from_pandas(data) if hasattr(data, "iloc") and hasattr(data, "columns") else _from_arrow(data)
    _refuse_duplicates(table.column_names)
    schema = plain_schema(table.schema)

    def read(columns: list[str]) -> Generator[pa.RecordBatch]:
        for batch in table.select(columns).to_batches(max_chunksize=_BATCH_ROWS):
            yield pa.RecordBatch.from_arrays(list(map(to_plain, batch.columns)), names=columns) if columns else batch

    @contextmanager
    def columns() -> Iterator[Callable[[str], Iterator[pa.Array[Any]]]]:
        def stream(name: str) -> Iterator[pa.Array[Any]]:
            whole = table.column(name)
            chunks = (chunk for i in range(0, len(whole), _BATCH_ROWS) for chunk in whole.slice(i, _BATCH_ROWS).chunks)
            return map(to_plain, chunks)

        yield stream

    return Snapshot(schema, f"the {type(data).__name__}", read, columns, frozenset(index_columns(table.schema)))


def _from_arrow(data: Any) -> pa.Table:
    """Return the table that an object exports by Arrow's C interface, or that narwhals knows how to collect."""
    import pyarrow as pa

    try:
        if isinstance(data, dict):
            return pa.table(data)
        if hasattr(data, "__arrow_c_stream__"):
            with suppress(pa.ArrowInvalid):
                return pa.table(data)
        import narwhals

        frame = narwhals.from_native(data).lazy()
        narrow = {name: (kind, _narrow(kind)) for name, kind in frame.collect_schema().items()}
        cast = [narwhals.col(name).cast(into) for name, (kind, into) in narrow.items() if into != kind]
        collected: pa.Table = (frame.with_columns(*cast) if cast else frame).collect("pyarrow").to_native()
    except Exception as error:  # a lazy frame does whatever its library can
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        message = f"a {type(data).__name__} is not a table ({reason}): give a DataFrame, an Arrow table or a path"
        raise SourceError(message) from error
    return collected


def _narrow(kind: Any) -> Any:
    """Return a type of narwhals as Arrow knows it: whole numbers of 128 bits are the nearest float64, as decimals are.

    Examples
    --------
    >>> import narwhals as nw
    >>> _narrow(nw.Int128()), _narrow(nw.List(nw.UInt128())), _narrow(nw.Struct({"a": nw.Int128(), "b": nw.String()}))
    (Float64, List(Float64), Struct({'a': Float64, 'b': String}))
    """
    import narwhals as nw

    match kind:
        case nw.Int128() | nw.UInt128():
            return nw.Float64()
        case nw.List():
            return nw.List(_narrow(kind.inner))
        case nw.Array():
            return nw.Array(_narrow(kind.inner), kind.size)
        case nw.Struct():
            return nw.Struct([nw.Field(each.name, _narrow(each.dtype)) for each in kind.fields])
    return kind


def _refuse_duplicates(names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise SourceError(f"the table has more than one column named {twice[0]!r}: rename or drop one")


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    _refuse_duplicates(names)
    return pa.table({name: _column(frame.iloc[:, i]) for i, name in enumerate(names)})


def _column(series: Any) -> Any:
    import pyarrow as pa
    import pyarrow.types as t

    if hasattr(series, "sparse"):
        series = series.sparse.to_dense()
    try:
        array: Any = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        array = None
    if array is not None:
        kind = array.type.value_type if t.is_dictionary(array.type) else array.type
        if not (isinstance(kind, pa.BaseExtensionType) or (t.is_nested(kind) and kind != array.type)):
            return array
    pairs = zip(series, series.isna(), strict=True)
    return pa.array([None if missing else str(value) for value, missing in pairs], pa.string())


def _series(column: Any) -> pd.Series[Any]:
    """Return a column with pandas' types: numpy's, and its own for whole numbers and booleans with nulls."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if t.is_time64(column.type):
        column = column.cast(pa.time64("us"), safe=False)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        if not t.is_string(column.type):
            raise
        column = pa.chunked_array([texts(chunk, strict=False) for chunk in column.chunks], pa.string())
    nullable = _NULLABLE.get(str(column.type)) if column.null_count else None
    series: pd.Series[Any]
    try:
        series = column.to_pandas(types_mapper=lambda _: pd.api.types.pandas_dtype(nullable) if nullable else None)
    except (ValueError, OverflowError):
        # Dates of years that Python does not know.
        series = column.cast(pa.timestamp("s")).to_pandas()
    return series


_NULLABLE = {
    "bool": "boolean",
    **{f"int{bits}": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UInt{bits}" for bits in (8, 16, 32, 64)},
}


def _concatenate(tables: list[pa.Table]) -> pa.Table:
    """Join batches whose types widened on the way (a database without types); text is the widest."""
    import pyarrow as pa

    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        names = tables[0].column_names
        alike = [len({table.schema.field(name).type for table in tables}) == 1 for name in names]
        texts = [name for name, same in zip(names, alike, strict=True) if not same]
        return pa.concat_tables([_as_text(table, texts) for table in tables])


def _as_text(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    from drift.sources.arrow_types import in_microseconds

    for name in columns:
        column: Any = table.column(name)
        try:
            text = column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # Lists, structs and bytes.
            values = [value for chunk in column.chunks for value in in_microseconds(chunk).to_pylist()]
            text = pa.chunked_array([[None if value is None else str(value) for value in values]], pa.string())
        table = table.set_column(table.schema.get_field_index(name), name, text)
    return table
