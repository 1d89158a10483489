"""Arrow types: what libraries write in many ways, in the one that every path reads.

==================================================  ==============================================
written                                             read as
==================================================  ==============================================
strings and bytes, large and as views               ``string``, ``binary``
large lists                                         ``list``
UUIDs; JSON and other extensions                    ``string``; what they are stored as
``halffloat``, 8-bit booleans, narrow decimals      ``float``, ``bool``, ``decimal128``
timestamps of any zone, known or not                those of UTC: the same instants
dictionaries, nested types                          the same, of values that are read so
runs of values                                      the values
==================================================  ==============================================

Polars, DuckDB, Spark and pandas differ in these, and from release to release; Arrow filters and takes not all of them.
"""

from __future__ import annotations

import binascii
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.types as t

if TYPE_CHECKING:
    from collections.abc import Callable

_types: Any = pa
"""What makes types: its stubs know only those with plain parts."""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that values of an Arrow type are read as.

    Examples
    --------
    >>> plain_type(pa.dictionary(pa.uint8(), pa.string_view())), plain_type(pa.timestamp("ms", "Mars/Olympus"))
    (DictionaryType(dictionary<values=string, indices=uint8, ordered=0>), TimestampType(timestamp[ms, tz=UTC]))
    """
    any_kind: Any = kind
    if isinstance(kind, pa.BaseExtensionType):
        return _EXTENSIONS.get(kind.extension_name) or plain_type(kind.storage_type)
    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        values = plain_type(any_kind.value_type)
        encoded = t.is_dictionary(kind) and not t.is_null(values)
        return _types.dictionary(any_kind.index_type, values) if encoded else values
    if t.is_nested(kind):
        return cast("pa.DataType", _nested(any_kind, plain_type))
    if t.is_timestamp(kind):
        return pa.timestamp(kind.unit, kind.tz and "UTC")
    narrow = t.is_decimal32(kind) or t.is_decimal64(kind)
    return _types.decimal128(any_kind.precision, any_kind.scale) if narrow else _PLAIN.get(kind, kind)


_EXTENSIONS: dict[str, pa.DataType] = {"arrow.uuid": pa.string(), "arrow.bool8": pa.bool_()}
_PLAIN: dict[pa.DataType, pa.DataType] = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
    pa.float16(): pa.float32(),
}


def _nested(kind: Any, part: Callable[[Any], Any]) -> Any:
    def inside(field: Any) -> Any:
        return field.with_type(part(field.type))

    if t.is_struct(kind):
        return _types.struct([inside(field) for field in kind])
    if t.is_map(kind):
        return _types.map_(inside(kind.key_field), inside(kind.item_field))
    if t.is_fixed_size_list(kind):
        return _types.list_(inside(kind.value_field), kind.list_size)
    if t.is_list(kind) or t.is_large_list(kind):
        return _types.list_(inside(kind.value_field))
    return kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema as its columns are read, without metadata; what pandas had as categories is a dictionary.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"grade": pd.Categorical([1, 2])})
    >>> written = pa.schema([("grade", pa.int64())], pa.Schema.from_pandas(frame).metadata)
    >>> plain_schema(written).field("grade").type
    DictionaryType(dictionary<values=int64, indices=int32, ordered=0>)
    """
    written = [column for column in _pandas(schema, "columns") if isinstance(column, dict)]
    categories = {column.get("field_name") for column in written if column.get("pandas_type") == "categorical"}
    fields = [(field.name, plain_type(field.type)) for field in schema]
    return pa.schema(
        [
            (name, _types.dictionary(pa.int32(), kind) if name in categories and not t.is_dictionary(kind) else kind)
            for name, kind in fields
        ]
    )


def to_plain(array: pa.Array[Any]) -> pa.Array[Any]:
    """Return values in the type that they are read as; texts of more than 2 GiB, which do not fit it, as they are.

    Examples
    --------
    >>> to_plain(pa.array(["a", None], pa.string_view())).type
    DataType(string)
    """
    kind, values = plain_type(array.type), array
    if isinstance(array, pa.ExtensionArray) and array.type.extension_name == "arrow.uuid":
        values = _uuid_texts(array)
    elif isinstance(array, pa.ExtensionArray) and array.type.extension_name not in _EXTENSIONS:
        values = to_plain(array.storage)
    elif isinstance(array, pa.RunEndEncodedArray):
        values = to_plain(_decoded(array))
    elif t.is_null(kind):
        values = pa.nulls(len(array))
    elif isinstance(array, pa.DictionaryArray) and array.type != kind:
        values = pa.DictionaryArray.from_arrays(array.indices, to_plain(array.dictionary))
    if values.type == kind:
        return values
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        return values


def in_microseconds(array: pa.Array[Any]) -> pa.Array[Any]:
    """Return times to the microsecond, of which Arrow makes Python's values without pandas; others as they are.

    Examples
    --------
    >>> import numpy as np
    >>> in_microseconds(pa.array([[np.datetime64("2013-02-08T05:00:00.000000001")]])).to_pylist()
    [[datetime.datetime(2013, 2, 8, 5, 0)]]
    """
    values: Any = array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array
    kind = _microseconds(values.type)
    times: pa.Array[Any] = values if values.type == kind else values.cast(kind, safe=False)
    return times


def _microseconds(kind: Any) -> Any:
    if t.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if t.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if t.is_time64(kind):
        return pa.time64("us")
    return _nested(kind, _microseconds)


def _decoded(array: pa.RunEndEncodedArray[Any, Any]) -> pa.Array[Any]:
    import pyarrow.compute

    compute: Any = pyarrow.compute
    return cast("pa.Array[Any]", compute.run_end_decode(array))


def _uuid_texts(array: pa.ExtensionArray[Any]) -> pa.Array[Any]:
    storage: Any = array.storage
    start, end = (16 * row for row in (storage.offset, storage.offset + len(storage)))
    digits = np.frombuffer(binascii.hexlify(memoryview(storage.buffers()[1])[start:end]), "S1").reshape(-1, 32)
    texts = np.insert(digits, [8, 12, 16, 20], b"-", axis=1).view("S36").ravel()
    return pa.array(texts, pa.binary(), mask=np.asarray(storage.is_null())).cast(pa.string())


def index_columns(schema: pa.Schema) -> set[str]:
    """Name the columns that were the index of a DataFrame: by what pandas wrote beside them, or by their name.

    Examples
    --------
    >>> import pandas as pd
    >>> sorted(index_columns(pa.Schema.from_pandas(pd.DataFrame({"x": [1], "id": [7]}).set_index("id"))))
    ['id']
    """
    written = _pandas(schema, "index_columns")
    return {name for name in schema.names if name in written or _INDEX_LEVEL.fullmatch(name)}


_INDEX_LEVEL = re.compile(r"__index_level_\d+__")


def _pandas(schema: pa.Schema, key: str) -> list[Any]:
    """Return what pandas wrote beside a schema; nothing where it cannot be read."""
    with suppress(ValueError, AttributeError):
        found = (schema.pandas_metadata or {}).get(key)
        return found if isinstance(found, list) else []
    return []
