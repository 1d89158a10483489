"""Choosing rows of files: which files, row groups and rows a window has, by folders, statistics and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t

from drift.errors import SourceError
from drift.profiles.kinds import type_text
from drift.sources.file_listing import partition_type
from drift.sources.file_schemas import unify
from drift.sources.file_streams import Condition, read
from drift.sources.time_filter import SAMPLED, PartsFilter, WindowFilter, missing_column, sample_of, shape_of, untimed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.sources.file_listing import Format, Listing, PartitionValue, Place
    from drift.sources.file_opening import File
    from drift.sources.time_filter import Bound, Chosen


def places(listing: Listing, chosen: Chosen | None, files: str) -> list[int]:
    """Return the places of the files that may hold rows of a window, as far as their folders tell."""
    if isinstance(chosen, PartsFilter):
        return _prune_parts(listing, chosen, files)
    if chosen is None or chosen.column not in listing.keys:
        return list(range(len(listing.infos)))
    return _prune(listing.keys, chosen, files)


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


def parts_condition(
    place: Place, files: Sequence[File], shape: Format, chosen: PartsFilter, keys: dict[str, list[PartitionValue]]
) -> tuple[Condition, list[File]]:
    """Return which rows are in the window where columns hold parts of its time, and the files that may have such."""
    import pyarrow.compute as pc

    schema = unify(files, shape)
    for name in chosen.columns:
        if name not in schema.names and name not in keys:
            raise missing_column(name, [*schema.names, *keys], place.files)
    schema = pa.schema([*schema, *((n, partition_type(v)) for n, v in keys.items() if n not in schema.names)])
    fields = [schema.field(name) for name in chosen.columns]
    parts: list[Any] = [pc.field(f.name) if t.is_integer(f.type) else pc.field(f.name).cast(pa.int64()) for f in fields]
    inside, impossible = chosen.inside(parts, place.files), chosen.impossible(parts)
    condition = Condition(chosen.columns, inside)
    if keys.keys().isdisjoint(chosen.columns):
        files = holding(place, files, pa.schema(fields), condition)
    if impossible is not None:
        wrong = replace(condition, expression=inside & impossible)
        for batch in read(place, files, schema, wrong, list(chosen.columns)):
            chosen.refuse([column[0].as_py() for column in batch.columns], place.files)
    return condition, list(files)


def window_condition(place: Place, files: Sequence[File], schema: pa.Schema, chosen: WindowFilter) -> Condition:
    """Return which rows are in the window by one time column, which `schema` has alone."""
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

        def first(among: Sequence[File]) -> object:
            rows = read(place, among, schema, Condition(chosen.columns, column.is_valid()), [chosen.column])
            with place.reading(place.files):
                return sample_of(value for batch in rows for value in batch.column(0).unique().to_pylist()[:SAMPLED])

        sample = first(files)
        if sample is None:
            return Condition(chosen.columns, pc.scalar(value=False))  # no row has a time, so none is in the window
        for file in _odd_texts(files, chosen.column) if is_text else ():
            own = first([file])
            if own is not None:
                chosen.bounds(own, f"{file.path}: {chosen.column}")
    start, end = (_literal(bound, value_type) for bound in chosen.bounds(sample, where))
    inside = (column >= start) & (column < end)
    if not (is_text and isinstance(sample, str)):
        return Condition(chosen.columns, inside, untimed)
    # What is written in another way sorts anywhere.
    shape = shape_of(sample)
    alike = pc.match_substring_regex(column.cast(pa.string()), shape)
    return Condition(chosen.columns, inside & alike, partial(untimed, shape=shape))


def _formatted_condition(column: Any, chosen: WindowFilter, where: str, other: pa.DataType | None) -> Condition:
    """Return which rows are in the window where the times are text in a format of their own."""
    if other is not None:
        raise SourceError(f"{where} is of type {type_text(other)}, and time_format is of text: remove time_format")

    def without(texts: pa.Array[Any]) -> int:
        plain: Any = texts.cast(pa.string())
        return untimed(chosen.parsed(plain))

    return Condition(chosen.columns, chosen.inside(column.cast(pa.string()), where), without)


def _odd_texts(files: Sequence[File], name: str) -> list[File]:
    """Return the files in which a time is text, where in others it is none."""
    kinds = {file.path: file.schema.field(name).type for file in files if name in file.names}
    if all(map(t.is_string, kinds.values())):
        return []
    return [file for file in files if file.path in kinds and t.is_string(kinds[file.path])]


def holding(place: Place, files: Sequence[File], schema: pa.Schema, condition: Condition) -> list[File]:
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
