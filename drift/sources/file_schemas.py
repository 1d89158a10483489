"""One schema for many files: types that differ between them are widened, or said to be mixed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t

from drift.errors import SourceError
from drift.profiles.kinds import mixed, type_text
from drift.sources.time_filter import missing_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.sources.file_listing import Format, PartitionValue, Place
    from drift.sources.file_opening import File


def unify(files: Sequence[File], shape: Format) -> pa.Schema:
    """Return one schema that holds the values of all files."""
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


def time_schema(
    place: Place, files: Sequence[File], shape: Format, name: str, keys: dict[str, list[PartitionValue]]
) -> pa.Schema:
    """Return the time column, which every file with rows must have, of types that compare."""
    having = [file for file in files if name in file.names]
    if not having:
        raise missing_column(name, [*unify(files, shape).names, *keys], place.files)
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
