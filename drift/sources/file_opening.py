"""Opening files: of each its schema, how it is written and what its path says, kept from window to window."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from dataclasses import field as default
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

import pyarrow as pa
from pyarrow import parquet

from drift.sources import csv_files
from drift.sources.arrow_types import index_columns, plain_schema
from drift.sources.csv_dialect import check_names
from drift.sources.file_listing import list_files, locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.fs as pafs

    from drift.config.source import Csv
    from drift.sources.csv_files import CsvFile
    from drift.sources.file_listing import Format, Listing, PartitionValue, Place

_LOOKED_AT = 8
_BUFFER_BYTES = 1 << 20
_INT96_UNIT = "us"
"""Nanoseconds, Arrow's choice, end in the year 2262, and go round from there."""


@dataclass(frozen=True)
class File:
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
    files: dict[tuple[Any, ...], File]
    decimals: dict[tuple[str, ...], str | None]


Opener = Callable[["Place", str], "File"]


def open_each(
    place: Place,
    opener: Opener,
    shape: Format,
    infos: Sequence[tuple[pafs.FileInfo, dict[str, PartitionValue]]],
    known: dict[tuple[Any, ...], File],
) -> list[File]:
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


def _open_new(place: Place, opener: Opener, shape: Format, infos: Sequence[pafs.FileInfo]) -> list[File]:
    def one(info: pafs.FileInfo) -> File:
        with place.reading(info.path, f"be read as {shape}"):
            file = opener(place, info.path)
            check_names(info.path, file.schema.names)
            return file

    if len(infos) < 2:
        return list(map(one, infos))
    with ThreadPoolExecutor(8, thread_name_prefix="drift-schemas") as pool:
        return list(pool.map(one, infos))


def open_parquet(place: Place, path: str) -> File:
    """Return a Parquet file, with the metadata of its footer."""
    with place.filesystem.open_input_file(path) as source:
        reader = parquet.ParquetFile(source, coerce_int96_timestamp_unit=_INT96_UNIT)
        schema, groups = reader.schema_arrow, list(range(reader.num_row_groups))
        return File(path, plain_schema(schema), {}, reader.metadata, groups, index=frozenset(index_columns(schema)))


def open_csv(written: Csv, elsewhere: Callable[[], str | None], place: Place, path: str) -> File:
    """Return a CSV file, with how it is written; `elsewhere` gives the sign of decimals where it leaves that open."""
    found = csv_files.open_csv(place.filesystem, path, written, elsewhere)
    index = frozenset(filter(csv_files.NAMELESS.fullmatch, found.schema.names))
    return File(path, found.schema, {}, csv=found, index=index)


def decimal_elsewhere(place: Place, listing: Listing, written: Csv, like: Sequence[str], known: Opened) -> str | None:
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


def decoder(place: Place, file: File, source: Any, texts: Sequence[str] = ()) -> parquet.ParquetFile:
    """Return what decodes an opened Parquet file; `texts` come as dictionaries."""
    # From a disk in small reads; from a store in few large ones.
    return parquet.ParquetFile(
        source,
        metadata=file.metadata,
        read_dictionary=list(texts),
        buffer_size=0 if place.remote else _BUFFER_BYTES,
        pre_buffer=place.remote,
        coerce_int96_timestamp_unit=_INT96_UNIT,
    )
