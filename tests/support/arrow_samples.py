"""A short column of every Arrow type that Polars, DuckDB, Spark or pandas write, with its labels."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

IDS = [UUID(int=1), UUID(int=2)]
TEXTS = ["web", "shop"]
MOMENTS = [datetime(2024, 1, 1, 6, 30), datetime(2024, 1, 2)]  # noqa: DTZ001 - Arrow adds the zone
LOCAL = ["2024-01-01 06:30:00", "2024-01-02 00:00:00"]
INSTANTS = [f"{moment}Z" for moment in LOCAL]


def column(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return the first value, a null, the second, the first."""
    return pa.array([values[0], None, values[1], values[0]], kind)


def not_utf8(kind: Any = None) -> pa.Array[Any]:
    """Return text in Latin-1 that says it is UTF-8."""
    bytes_ = column([b"Caf\xe9", b"tea"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(bytes_), bytes_.buffers())
    return text.cast(kind, safe=False) if kind else text


_text = column(TEXTS, pa.string())
_decimals = [Decimal("1.50"), Decimal("2.25")]

WITH_LABELS: dict[str, tuple[pa.Array[Any], list[str]]] = {
    "string": (_text, TEXTS),
    "large_string": (_text.cast(pa.large_string()), TEXTS),
    "string_view": (_text.cast(pa.string_view()), TEXTS),
    "dictionary of string": (_text.dictionary_encode(), TEXTS),
    "dictionary of large_string": (_text.cast(pa.large_string()).dictionary_encode(), TEXTS),
    "dictionary of string_view": (_text.cast(pa.string_view()).dictionary_encode(), TEXTS),
    "dictionary of int64": (column([7, 8], pa.int64()).dictionary_encode(), ["7", "8"]),
    "dictionary of bool": (column([True, False], pa.bool_()).dictionary_encode(), ["true", "false"]),
    "dictionary of date32": (column(MOMENTS, pa.date32()).dictionary_encode(), ["2024-01-01", "2024-01-02"]),
    "uuid": (column([each.bytes for each in IDS], pa.uuid()), list(map(str, IDS))),
    "json": (column(['{"a": 1}', "[]"], pa.json_()), ['{"a": 1}', "[]"]),
    "bool8": (column([1, 0], pa.bool8()), ["true", "false"]),
    "bool": (column([True, False], pa.bool_()), ["true", "false"]),
    "uint64": (column([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), "0"]),
    "halffloat": (column([1.5, 2.0], pa.float16()), ["1.5", "2"]),
    "decimal32": (column(_decimals, pa.decimal32(5, 2)), ["1.5", "2.25"]),
    "decimal64": (column(_decimals, pa.decimal64(12, 2)), ["1.5", "2.25"]),
    "decimal128": (column(_decimals, pa.decimal128(30, 2)), ["1.5", "2.25"]),
    "decimal256": (column(_decimals, pa.decimal256(60, 2)), ["1.5", "2.25"]),
    "date32": (column(MOMENTS, pa.date32()), ["2024-01-01", "2024-01-02"]),
    "date64": (column(MOMENTS, pa.date64()), ["2024-01-01", "2024-01-02"]),
    "dates of other years": (column([2932897, -719163], pa.int32()).cast(pa.date32()), ["10000-01-01", "0000-12-31"]),
    "time32[s]": (column([time(6, 30), time(0)], pa.time32("s")), ["06:30:00", "00:00:00"]),
    "time32[ms]": (column([time(6, 30), time(0)], pa.time32("ms")), ["06:30:00", "00:00:00"]),
    "time64[us]": (column([time(6, 30), time(0)], pa.time64("us")), ["06:30:00", "00:00:00"]),
    "time64[ns]": (column([123456789, 0], pa.time64("ns")), ["00:00:00.123456789", "00:00:00"]),
    **{f"duration[{unit}]": (column([3, 4], pa.duration(unit)), ["3", "4"]) for unit in ("s", "ms", "us", "ns")},
    **{f"timestamp[{unit}]": (column(MOMENTS, pa.timestamp(unit)), LOCAL) for unit in ("s", "ms", "us", "ns")},
    "timestamp[s, zone]": (column(MOMENTS, pa.timestamp("s", "Europe/Berlin")), INSTANTS),
    "timestamp[ms, offset]": (column(MOMENTS, pa.timestamp("ms", "+05:30")), INSTANTS),
    "timestamp[us, UTC]": (column(MOMENTS, pa.timestamp("us", "UTC")), INSTANTS),
    "timestamp[ns, unknown zone]": (column(MOMENTS, pa.timestamp("ns", "Mars/Olympus")), INSTANTS),
}  # fmt: skip
"""Types whose values are labels: the column, and its labels in their order."""

WITHOUT_LABELS: dict[str, tuple[pa.Array[Any], str]] = {
    "binary": (column([b"a", b"\xff"], pa.binary()), "binary"),
    "large_binary": (column([b"a", b"\xff"], pa.large_binary()), "binary"),
    "binary_view": (column([b"a", b"\xff"], pa.binary_view()), "binary"),
    "fixed_size_binary": (column([b"ab", b"cd"], pa.binary(2)), "fixed_size_binary[2]"),
    "dictionary of binary": (column([b"a", b"\xff"], pa.binary()).dictionary_encode(), "binary"),
    "list": (column([[1], []], pa.list_(pa.int64())), "list<"),
    "large_list": (column([[1], []], pa.large_list(pa.int64())), "list<"),
    "list_view": (column([[1], []], pa.list_view(pa.int64())), "list_view<"),
    "list of views": (column([["a"], []], pa.list_(pa.string())).cast(pa.list_(pa.string_view())), "list<"),
    "fixed_size_list": (column([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)), "fixed_size_list<"),
    "struct of views": (column([{"a": "x"}, {"a": "y"}], pa.struct([("a", pa.string_view())])), "struct<"),
    "map of views": (column([[("a", 1)], []], pa.map_(pa.string_view(), pa.int64())), "map<"),
}
"""Types whose values are none: the column, and how its type is named."""
