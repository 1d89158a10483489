"""Stored tables, row by row and streamed, so that a year takes no memory."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from drift.store import engine, schema
from drift.store.schema import Cells, Finite, Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.store.store import Store

Table = Literal["scores", "runs", "alerts", "validations", "marks", "relationships"]
Query = sa.Select[Any]

_AT_ONCE = 5000
_LEFT_OUT = {"segment", "counted_as", "events", "reference_summary"}
_TABLES: dict[Table, tuple[sa.Table, str]] = {
    "scores": (schema.score, "window_start"),
    "runs": (schema.run, "window_start"),
    "alerts": (schema.alert, "opened_window"),
    "validations": (schema.validation, "window_start"),
    "marks": (schema.mark, "at"),
    "relationships": (schema.relationship, "window_start"),
}


def query(table: Table, monitor: str | None, since: datetime | None, until: datetime | None) -> Query:
    """Return the rows of a table between two starts of windows, oldest first; `until` itself is left out."""
    source, key = _TABLES[table]
    columns = [c for c in source.c if c.name not in _LEFT_OUT and not isinstance(c.type, Cells)]
    asked = sa.select(*columns)
    if "segment" in source.c:
        asked = asked.where(source.c.segment == schema.WHOLE)
    if monitor:
        of_all = source.c.monitor.is_(None) if source.c.monitor.nullable else sa.false()
        asked = asked.where((source.c.monitor == monitor) | of_all)
    if since is not None:
        asked = asked.where(source.c[key] >= since)
    if until is not None:
        asked = asked.where(source.c[key] < until)
    return asked.order_by(source.c[key], *source.primary_key.columns)


def batches(store: Store, asked: Query) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the rows in batches, what is stored as JSON as its text."""
    nested = {i for i, column in enumerate(asked.selected_columns) if isinstance(column.type, sa.JSON)}
    with engine.reading(store.engine) as connection:
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(asked)
        for batch in rows.partitions(_AT_ONCE):
            yield [tuple(_text(value) if i in nested else value for i, value in enumerate(row)) for row in batch]


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType:
    """Return the Arrow type of a column."""
    import pyarrow as pa

    if isinstance(kind, Instant):
        return pa.timestamp("us", UTC.tzname(None))
    if isinstance(kind, Finite):
        return pa.float64()
    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    return pa.int64() if isinstance(kind, sa.Integer) else pa.string()
