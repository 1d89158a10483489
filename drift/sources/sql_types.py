"""Types of SQL columns as Arrow types, and their values as Arrow arrays.

PostgreSQL says its types; elsewhere a table's are reflected. Integers become int64; floats and decimals float64; dates
date32; timestamps timestamp[us] (UTC where they have a zone); blobs binary; whatever else there is, its text.
SQLite types each value by itself, so its columns are looked through (in the database) before they are read: whole
numbers and reals together are float64, anything mixed with text is text, and a declared DATE, DATETIME or BOOLEAN is
one only where every value fits. A query on another database takes its types from its first rows; a later batch that
does not fit is wider (int64, float64, string).
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t
import sqlalchemy as sa
from sqlalchemy import exc

from drift.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSTANT = pa.timestamp("us", "UTC")
_LOCAL_TIME = pa.timestamp("us")

# PostgreSQL's built-in types have fixed object ids (src/include/catalog/pg_type.dat); a domain answers with its base.
_POSTGRES_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    700: pa.float64(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: _LOCAL_TIME,
    1184: _INSTANT,
    1186: pa.duration("us"),
    1700: pa.float64(),
}

# In this order: an Enum is a String to SQLAlchemy, and a Float is a Numeric in some versions.
_REFLECTED_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], pa.DataType], ...] = (
    (sa.Boolean, pa.bool_()),
    (sa.Integer, pa.int64()),
    (sa.Float, pa.float64()),
    (sa.Numeric, pa.float64()),
    (sa.DateTime, _LOCAL_TIME),
    (sa.Date, pa.date32()),
    (sa.Time, pa.time64("us")),
    (sa.Interval, pa.duration("us")),
    (sa.LargeBinary, pa.binary()),
    (sa.String, pa.string()),
)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a query, as something to select from, and as messages name it."""

    clause: Any
    origin: str

    def select(self, *columns: Any, where: Any = None) -> sa.Select[Any]:
        """Return ``SELECT columns FROM this WHERE …``."""
        statement = sa.select(*columns).select_from(self.clause)
        return statement if where is None else statement.where(where)


def declared_types(
    connection: sa.Connection, relation: Relation, table: str | None, schema: str | None
) -> dict[str, pa.DataType | None]:
    """Return column → type as the database declares it, None where it does not."""
    types: dict[str, pa.DataType | None] = {}
    if table is not None:
        with warnings.catch_warnings():
            # SQLAlchemy warns of types it does not know (vector, geometry); they are read as text.
            warnings.simplefilter("ignore", exc.SAWarning)
            columns = sa.inspect(connection).get_columns(table, schema=schema)
        types = {column["name"]: _reflected(column["type"]) for column in columns}
        if connection.dialect.name != "postgresql":
            return types
    result = connection.execute(relation.select(sa.text("*")).limit(0))
    names = list(result.keys())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{relation.origin} has more than one column named {twice!r}: give each a name with AS")
    if connection.dialect.name == "postgresql":
        description: Any = result.cursor.description
        return {entry[0]: _POSTGRES_TYPES.get(entry[1], pa.string()) for entry in description}
    return dict.fromkeys(names)


def _reflected(declared: Any) -> pa.DataType | None:
    if isinstance(declared, sa.DateTime) and declared.timezone:
        return _INSTANT
    return next((kind for known, kind in _REFLECTED_TYPES if isinstance(declared, known)), None)


def stored_types(
    connection: sa.Connection, relation: Relation, declared: dict[str, pa.DataType | None], where: Any
) -> dict[str, pa.DataType | None]:
    """Return the types that every value of a SQLite column fits, found by SQLite itself in one pass."""
    types: dict[str, pa.DataType | None] = {}
    names = list(declared)
    # SQLite returns at most 2,000 columns.
    for some in (names[i : i + 200] for i in range(0, len(names), 200)):
        asked = {name: _questions(sa.column(name), declared[name]) for name in some}
        answers = [answer for column in asked.values() for answer in column.values()]
        found = iter(connection.execute(relation.select(*answers, where=where)).one())
        for name, column in asked.items():
            types[name] = _stored_type(declared[name], {word: next(found) for word in column})
    return types


def _questions(column: sa.ColumnClause[Any], declared: pa.DataType | None) -> dict[str, Any]:
    """Return what to ask of a SQLite column, as aggregates; each word costs a pass over the values, so few are asked.

    SQLite sorts numbers before text and text before blobs: the types of the extremes tell whether there are several.
    """
    asked: dict[str, Any] = {"low": sa.func.typeof(sa.func.min(column)), "high": sa.func.typeof(sa.func.max(column))}
    if declared not in {pa.float64(), pa.string()}:
        asked["real"] = sa.func.max(sa.func.typeof(column) == "real")
    if declared == pa.bool_():
        asked["misfit"] = sa.func.max(column.not_in([0, 1]))
    elif declared == pa.date32():
        asked["misfit"] = sa.func.max(sa.and_(column.is_not(None), _calendar_day(column).is_distinct_from(column)))
    elif declared is not None and t.is_timestamp(declared):
        day = sa.func.substr(column, 1, 10)
        real = sa.and_(sa.func.julianday(column).is_not(None), _calendar_day(day).is_not_distinct_from(day))
        asked["misfit"] = sa.func.max(sa.and_(column.is_not(None), sa.not_(real)))
        offset = sa.func.substr(column, -6).op("GLOB")("[+-][0-9][0-9]:[0-9][0-9]")
        asked["zoned"] = sa.func.total(sa.or_(sa.func.substr(column, -1).in_(["Z", "z"]), offset))
        asked["present"] = sa.func.count(column)
    return asked


def _calendar_day(text: Any) -> Any:
    """Return the date that SQLite makes of text, in SQL: adding nothing turns 30 February into 2 March."""
    return sa.func.date(text, "+0 days")


def _stored_type(declared: pa.DataType | None, seen: dict[str, Any]) -> pa.DataType:
    """Return the type for a SQLite column that answered the `_questions` like this."""
    low, high = (_SQLITE_CLASSES.get(seen[word]) for word in ("low", "high"))
    if low != high:
        return pa.string()
    if low == "number":
        if declared == pa.bool_() and not seen["misfit"] and not seen["real"]:
            return pa.bool_()
        return pa.float64() if declared == pa.float64() or seen.get("real") else pa.int64()
    if low == "text":
        return _text_type(declared, seen)
    return pa.binary() if low == "blob" else declared or pa.null()


def _text_type(declared: pa.DataType | None, seen: dict[str, Any]) -> pa.DataType:
    temporal = declared is not None and (t.is_date(declared) or t.is_timestamp(declared))
    if declared is None or not temporal or seen["misfit"] or seen.get("zoned", 0) not in {0, seen.get("present", 0)}:
        return pa.string()
    return _INSTANT if seen.get("zoned") else declared


_SQLITE_CLASSES = {"integer": "number", "real": "number", "text": "text", "blob": "blob"}


def sampled_types(
    connection: sa.Connection, relation: Relation, declared: dict[str, pa.DataType | None], where: Any
) -> dict[str, pa.DataType | None]:
    """Fill in the types that are not declared from the window's first rows."""
    unknown = [name for name, kind in declared.items() if kind is None]
    columns: list[Any] = [sa.column(name) for name in unknown]
    rows = connection.execute(relation.select(*columns, where=where).limit(10_000)).all()
    sampled = {name: _natural_type([row[i] for row in rows]) for i, name in enumerate(unknown)}
    return {name: kind or sampled[name] for name, kind in declared.items()}


def _natural_type(values: Sequence[Any]) -> pa.DataType:
    try:
        kind = pa.array(values).type
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.string()
    if t.is_decimal(kind):
        return pa.float64()
    return pa.string() if t.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) else kind


def readable(engine: sa.Engine, name: str, kind: pa.DataType) -> Any:
    """Return the column as an expression whose every value Python can hold."""
    column: sa.ColumnClause[Any] = sa.column(name)
    if engine.dialect.name != "postgresql" or not (t.is_date(kind) or t.is_timestamp(kind)):
        return column
    # Python's calendar ends where PostgreSQL's does not: `infinity` and years BC become its last and first days.
    return sa.case(
        (column > sa.literal_column("'9999-12-30'"), sa.literal_column("'9999-12-30'")),
        (column < sa.literal_column("'0001-01-02'"), sa.literal_column("'0001-01-02'")),
        else_=column,
    )


def to_arrow(values: Sequence[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return the values as an array of `kind`, or of a wider type where one of them does not fit."""
    if t.is_null(kind):
        kind = _natural_type(values)
    for wider in (kind, *([pa.float64()] if t.is_integer(kind) else [])):
        try:
            return _exactly(values, wider)
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            continue
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _exactly(values: Sequence[Any], kind: pa.DataType) -> pa.Array[Any]:
    if t.is_floating(kind):
        return pa.array([None if value is None else float(value) for value in values], kind)
    if t.is_boolean(kind):
        if any(value not in (None, 0, 1) for value in values):
            raise ValueError("not a boolean")
        return pa.array([None if value is None else bool(value) for value in values], kind)
    natural: pa.Array[Any] = pa.array(values)
    if t.is_string(kind) and not (t.is_string(natural.type) or t.is_null(natural.type)):
        raise TypeError("not text")
    if natural.type == kind:
        return natural
    fitted: pa.Array[Any] = pa.array(values, kind) if t.is_temporal(natural.type) else natural.cast(kind)
    return fitted


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, sort_keys=True)
    return str(value)
