"""Values of a warehouse's columns as Drift has them: float64 numbers, and keys to group labels by.

What the local engine does to a value in Arrow (`drift.profiles.kinds`, `drift.sources.sql_types`) is done here in SQL,
to the last bit: the cells of both are the same. A key is text that any database groups exactly, whatever its collation,
its blanks and its control characters: hexadecimal UTF-8 for text, whole numbers for times; the label is made of it
afterwards, by `drift.profiles.kinds`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.types as t

from drift.profiles.kinds import to_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drift.sources.warehouse.query import Column

_DAY, _HOUR, _MINUTE, _SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000

# Decimals from here on are infinite as float64, and up to there zero; PostgreSQL would refuse to cast them.
_INFINITE = str(2**1024 - 2**970)
_NOTHING = "2.4703282292062328e-324"

_ARITY: Mapping[int, Any] = {0: lambda: (), 1: lambda a: a, 2: lambda a, b: (a, b)}


def number(column: Any, kind: Column, backend: str) -> Any:
    """Return an Ibis column as float64: NaN and infinities stay, null is null; times count seconds, dates days."""
    import ibis

    arrow = kind.arrow
    if t.is_null(arrow):
        return ibis.null("float64")
    if t.is_boolean(arrow):
        return column.cast("int32").cast("float64")
    if t.is_temporal(arrow):
        count = whole(column, kind, backend).cast("float64")
        return count if t.is_date(arrow) else count / constant({"us": 1e6, "ns": 1e9}[cast("Any", arrow).unit])
    if kind.special == "unbounded":
        return _from_unbounded(column)
    # psycopg reads a real's text, 1.1, where a cast would give the float32 next to it, 1.100000023841858; and some
    # databases divide wide decimals by their power of ten, and round twice.
    by_text = (backend == "postgres" and kind.stored == "float32") or kind.special == "wide"
    return (column.cast("string") if by_text else column).cast("float64")


def key(column: Any, kind: Column, backend: str) -> Any:
    """Return a column as text to group by; NaN is null. `labels` reads it back."""
    import ibis

    arrow = kind.arrow
    if t.is_null(arrow):
        return ibis.null("string")
    if t.is_floating(arrow):
        value = number(column, kind, backend)
        # -0.0 and 0.0 are one label.
        text = ibis.cases((value == constant(0.0), constant(0.0)), else_=value).cast("string")
        return ibis.ifelse(is_nan(value, backend), ibis.null("string"), text)
    if t.is_temporal(arrow):
        return whole(column, kind, backend).cast("string")
    if t.is_boolean(arrow) or t.is_integer(arrow):
        return (column.cast("int32") if t.is_boolean(arrow) else column).cast("string")
    return _hexadecimal(column, kind, backend)


def key_of(label: str, arrow: pa.DataType) -> str | None:
    """Return the one key of a label, or None where the label alone does not give it.

    Examples
    --------
    >>> key_of("é", pa.string()), key_of("-7", pa.int64()), key_of("3", pa.float64())
    ('c3a9', '-7', None)
    """
    if t.is_string(arrow):
        return label.encode("utf-8", "surrogatepass").hex()
    return label if t.is_integer(arrow) and label.removeprefix("-").isdecimal() and label.isascii() else None


def key_like(label: str, arrow: pa.DataType) -> str | float | None:
    """Return the key of a label, or the number whose key only the database can write; None where no value is called so.

    Examples
    --------
    >>> key_like("3", pa.float64()), key_like("JFK", pa.int64()), key_like("1970-01-03", pa.date32())
    (3.0, None, '2')
    """
    if t.is_string(arrow) or t.is_integer(arrow):
        return key_of(label, arrow)
    try:
        read = _read(label, arrow)
        again = labels([read], [1], arrow)[0]
    except (ValueError, OverflowError):
        return None
    if again != [label]:
        return None
    # How a number is written is the database's own affair.
    return float(read) if t.is_floating(arrow) else read


def _read(label: str, arrow: pa.DataType) -> str:
    """Return the number that a label says: of days, of ticks, of itself."""
    if t.is_floating(arrow):
        return repr(float(label))
    if t.is_duration(arrow) or t.is_boolean(arrow):
        return str(["false", "true"].index(label) if t.is_boolean(arrow) else int(label))
    clock = t.is_time(arrow)
    moment = pa.timestamp(cast("Any", arrow).unit) if clock else arrow
    moments = pa.array([f"1970-01-01 {label}" if clock else label]).cast(moment)
    return str(moments.cast(pa.int32() if t.is_date(arrow) else pa.int64())[0])


def labels(keys: Sequence[str], counts: Sequence[int], arrow: pa.DataType) -> tuple[list[str], list[int]]:
    """Return the labels of keys, and the rows of each.

    Examples
    --------
    >>> labels(["c3a9", ""], [1, 2], pa.string())
    (['é', ''], [1, 2])
    >>> labels(["-0", "0.0", "1e+16"], [1, 2, 3], pa.float64())
    (['0', '10000000000000000'], [3, 3])
    """
    if t.is_string(arrow):
        return [bytes.fromhex(each).decode("utf-8", "surrogatepass") for each in keys], list(counts)
    merged: dict[Any, int] = {}
    for each, count in zip(keys, counts, strict=True):
        value = float(each) + 0.0 if t.is_floating(arrow) else int(each)
        merged[value] = merged.get(value, 0) + count
    # Distinct values have distinct labels, in the same order.
    named, _, _ = to_labels(_array(merged, arrow))
    return named, list(merged.values())


def keyed_values(keys: Iterable[str | None], arrow: pa.DataType) -> pa.Array[Any]:
    """Return the values of keys, which have their labels; a key that is None is null.

    Examples
    --------
    >>> keyed_values(["c3a9", None], pa.string()).to_pylist(), keyed_values(["1", None], pa.bool_()).to_pylist()
    (['é', None], [True, None])
    """
    if t.is_null(arrow):
        return pa.array(list(keys), arrow)
    if t.is_string(arrow):
        return pa.array([None if each is None else bytes.fromhex(each) for each in keys], arrow)
    read = float if t.is_floating(arrow) else int
    return _array([None if each is None else read(each) for each in keys], arrow)


def _array(values: Iterable[Any], arrow: pa.DataType) -> pa.Array[Any]:
    if t.is_boolean(arrow):
        return pa.array([None if value is None else bool(value) for value in values], arrow)
    if t.is_temporal(arrow):
        whole = pa.int32() if t.is_date(arrow) else pa.int64()
        return pa.array(list(values), whole).cast(arrow)
    return pa.array(list(values), arrow)


def constant(value: float) -> Any:
    """Return a float64 that no parser reads as a decimal and rounds."""
    import ibis

    return ibis.literal(repr(float(value))).cast("float64")


def is_nan(value: Any, backend: str) -> Any:
    """Say whether a float64 is NaN."""
    if backend == "duckdb":
        # DuckDB answers isnan(x) from a Parquet file's least and greatest value, which leave NaN out.
        return call("isfinite", "boolean", value).ifelse(None, value).cast("string").notin(["inf", "-inf"])
    return value.isnan()


def is_finite(value: Any, backend: str) -> Any:
    """Say whether a float64 is neither NaN nor infinite."""
    if backend == "duckdb":
        return call("isfinite", "boolean", value)
    # NaN is above every number, or compares with none. (Ibis's isinf is always false on Spark.)
    return value.abs() < constant(math.inf)


def call(name: str, result: str, *arguments: Any) -> Any:
    """Call a function of the database's own."""
    import ibis

    types = tuple(argument.type() for argument in arguments)
    return ibis.udf.scalar.builtin(_ARITY[len(types)], name=name, signature=(types, result))(*arguments)


def whole(column: Any, kind: Column, backend: str) -> Any:
    """Return a date's days since 1970, a time's microseconds (nanoseconds where Arrow has them), an interval's."""
    arrow = kind.arrow
    if t.is_duration(arrow):
        return _interval(column)
    if backend == "postgres" and not t.is_time(arrow):
        column = _in_calendar(column)
    if t.is_date(arrow):
        return column.epoch_seconds() // 86_400
    if backend == "duckdb":
        return call("epoch_ns" if cast("Any", arrow).unit == "ns" else "epoch_us", "int64", column)
    if backend in {"pyspark", "databricks"}:
        return call("unix_micros", "int64", column)
    if t.is_time(arrow):
        seconds = column.hour() * 3600 + column.minute() * 60 + column.second()
    else:
        seconds = column.truncate("s").epoch_seconds()
    if backend == "trino":
        # It has seconds as a float, whatever Ibis thinks.
        seconds = seconds.cast("decimal(38, 0)").cast("int64")
    whole = seconds * _SECOND + column.microsecond()
    # PostgreSQL extracts decimals, whatever Ibis thinks.
    return call("int8", "int64", whole) if backend == "postgres" else whole


def _in_calendar(column: Any) -> Any:
    """Return a PostgreSQL date or timestamp within Python's calendar, as `drift.sources.sql_types.readable` does."""
    import ibis

    first, last = (ibis.literal(day).cast("string").cast(column.type()) for day in ("0001-01-02", "9999-12-30"))
    return ibis.cases((column > last, last), (column < first, first), else_=column)


def _interval(column: Any) -> Any:
    """Return a PostgreSQL interval's microseconds, by psycopg's calendar: a month has 30 days, a year 365."""
    days = _part("year", column) * 365 + _part("month", column) * 30 + _part("day", column)
    clock = _part("hour", column) * _HOUR + _part("minute", column) * _MINUTE + _part("microseconds", column)
    return days * _DAY + clock


def _part(name: str, column: Any) -> Any:
    import ibis

    return call("date_part", "float64", ibis.literal(name), column).cast("int64")


def _from_unbounded(column: Any) -> Any:
    import ibis

    def decimal(text: str) -> Any:
        return ibis.literal(text).cast("decimal")

    infinite, nothing = decimal(_INFINITE), decimal(_NOTHING)
    return ibis.cases(
        (column == decimal("NaN"), constant(float("nan"))),
        (column >= infinite, constant(float("inf"))),
        (column <= -infinite, constant(float("-inf"))),
        (column.abs() <= nothing, constant(0.0)),
        else_=column.cast("float64"),
    )


def _hexadecimal(column: Any, kind: Column, backend: str) -> Any:
    import ibis

    if backend == "postgres":
        # A cast to text would cut the blanks of a char(n) off.
        text = call("format", "string", ibis.literal("%s"), column) if kind.special else column.cast("string")
        text = column.isnull().ifelse(None, text) if kind.special else text
        return call("encode", "string", call("convert_to", "binary", text, ibis.literal("UTF8")), ibis.literal("hex"))
    text = column.cast("string")
    match backend:
        case "bigquery":
            text = call("to_hex", "string", text.cast("binary"))
        case "trino":
            text = call("to_hex", "string", call("to_utf8", "binary", text))
        case "snowflake":
            return call("hex_encode", "string", text, ibis.literal(0))
        case _:
            text = call("hex", "string", text)
    return text.lower()
