"""Parquet and CSV: a window of one file or of many, as one stream.

Folders named ``key=value`` (Hive partitions) are columns, and files outside the window are not opened where the time
column is one of them. Elsewhere the window is a filter that skips row groups by their statistics.
"""

from __future__ import annotations

import resource
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drift.config.source import Csv
from drift.errors import SourceUnreachable
from drift.sources import file_opening, file_rows, file_schemas, file_streams, time_limit
from drift.sources.file_listing import is_remote, list_files, locate, partition_type, placing
from drift.sources.time_filter import PartsFilter, WindowFilter
from drift.text.secrets import learn_url, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from drift.sources.file_listing import Format
    from drift.sources.file_opening import File, Opened
    from drift.sources.time_filter import Chosen

    Read = Callable[[list[str]], Generator[pa.RecordBatch]]
    Columns = Callable[[], AbstractContextManager[Callable[[str], Iterator[pa.Array[Any]]]]]


def _most_open() -> int:
    """Return how many files of a table each thread may hold open, so that four threads leave half of the process's."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 64 if soft == resource.RLIM_INFINITY else min(64, soft // 16)


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
    opening = partial(_open, files, file_format, chosen, {} if known is None else known, root, csv or Csv(), like)
    if not is_remote(files):
        return opening()
    learn_url(files)
    with _answering(files):
        schema, origin, read, columns, placed, notes = time_limit.in_time(opening)
    limited = columns and partial(_columns_in_time, origin, columns)
    return schema, origin, partial(_read_in_time, origin, read), limited, placed, notes


def _read_in_time(origin: str, read: Read, columns: list[str]) -> Generator[pa.RecordBatch]:
    with _answering(origin):
        yield from time_limit.each_in_time(read(columns))


@contextmanager
def _columns_in_time(origin: str, columns: Columns) -> Iterator[Callable[[str], Iterator[pa.Array[Any]]]]:
    with _answering(origin), ExitStack() as opened:
        stream = time_limit.in_time(opened.enter_context, columns(), using=opened)
        yield lambda name: time_limit.each_in_time(stream(name), using=opened)


@contextmanager
def _answering(files: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise SourceUnreachable(f"{masked(files.partition('?')[0])} cannot be read: {error}") from None


def _open(
    files: str,
    file_format: Format | None,
    chosen: Chosen | None,
    known: Opened,
    root: Path | None,
    written: Csv,
    like: Sequence[str],
) -> tuple[pa.Schema, str, Read, Columns | None, frozenset[str], Callable[[], dict[str, str]]]:
    place, path = locate(files, root)
    listing = known.get("listing")
    rows = (
        file_rows.places(listing, chosen, place.files)
        if listing and listing.asked == (place.files, file_format)
        else None
    )
    if listing is None or rows is None or not listing.holds(rows if len(rows) < len(listing.infos) else None):
        listing = known["listing"] = list_files(place, path, file_format)
        rows = file_rows.places(listing, chosen, place.files)
    shape, infos, keys = listing.shape, listing.infos, listing.keys
    by_partition = chosen is not None and all(name in keys for name in chosen.columns)
    # A window without any file has the columns of the newest one.
    places = rows or [len(infos) - 1]
    now = place.filesystem.get_file_info([place.inside(infos[i].path) for i in places])
    wanted = [(info, {name: keys[name][i] for name in keys}) for i, info in zip(places, now, strict=True)]
    elsewhere = cache(partial(file_opening.decimal_elsewhere, place, listing, written, like, known))
    opener = partial(file_opening.open_csv, written, elsewhere) if shape == "csv" else file_opening.open_parquet
    opened = file_opening.open_each(place, opener, shape, wanted, known.setdefault("files", {}))
    holding = opened if rows else []
    condition: file_streams.Condition | None = None
    if isinstance(chosen, PartsFilter) and not by_partition:
        condition, holding = file_rows.parts_condition(place, opened, shape, chosen, keys)
        holding = holding if rows else []
    elif isinstance(chosen, WindowFilter) and not by_partition:
        times = file_schemas.time_schema(place, opened, shape, chosen.column, keys)
        condition = file_rows.window_condition(place, opened, times, chosen)
        holding = file_rows.holding(place, opened, times, condition)
    schema = file_schemas.unify(holding or opened, shape)
    new = [(name, partition_type(values)) for name, values in keys.items() if name not in schema.names]
    schema = pa.schema([*schema, *pa.schema(new)])
    given: dict[str, tuple[File, int]] = {}
    read = partial(file_streams.read, place, holding, schema, condition, given=given)
    by_column = shape == "parquet" and condition is None and len(holding) <= _most_open()
    columns = partial(file_streams.by_column, place, holding, schema) if by_column else None
    index = {name for name in schema.names if all(name in f.index for f in opened if name in f.names)} - keys.keys()
    return schema, place.files, read, columns, placing(keys, path) | index, partial(file_streams.notes, given, chosen)
