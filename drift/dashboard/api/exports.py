"""Stored tables as files: CSV for a spreadsheet, Parquet for a program; streamed, so that a year is no memory."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from drift.dashboard.formatting import place_of
from drift.dashboard.parameters import Maybe, Moment, Opened, instant, known_monitor
from drift.store import engine
from drift.store import schema as tables
from drift.store.schema import Cells, Finite, Instant
from drift.store.store import Store
from drift.text.formatting import iso

router = APIRouter()

Table = Literal["scores", "runs", "alerts", "validations"]
Format = Literal["csv", "parquet"]

_AT_ONCE = 5000
_LEFT_OUT = {"segment", "counted_as", "timings", "events", "reference_summary"}
_TABLES: dict[Table, tuple[sa.Table, str]] = {
    "scores": (tables.score, "window_start"),
    "runs": (tables.run, "window_start"),
    "alerts": (tables.alert, "opened_window"),
    "validations": (tables.validation, "window_start"),
}
_MEDIA: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_RISKY = re.compile(r"^[\s\ufffd]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


@router.get(
    "/export/{table}",
    response_class=StreamingResponse,
    responses={200: {"content": {media: {} for media in _MEDIA.values()}, "description": "The file."}},
)
def export(
    store: Opened,
    table: Table,
    format: Format = "csv",  # noqa: A002 - the name readers type
    monitor: Maybe = None,
    since: Moment = None,
    until: Moment = None,
) -> StreamingResponse:
    """A table as CSV or Parquet: `scores`, `runs`, `alerts` or `validations`, oldest window first.

    `since` and `until` bound the start of the window (of an alert: the one that opened it); `until` itself is left out.
    In CSV a text that a spreadsheet could take for a formula begins with an apostrophe; times are in UTC.
    """
    place = place_of(known_monitor(store, monitor)["config"] if monitor else {})
    source, key = _TABLES[table]
    query = _query(source, key, monitor, instant(place, since), instant(place, until))
    body = _csv(store, query) if format == "csv" else _parquet(store, query)
    name = f"drift-{table}.{format}"
    return StreamingResponse(
        body, media_type=_MEDIA[format], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _query(
    source: sa.Table, key: str, monitor: str | None, since: datetime | None, until: datetime | None
) -> sa.Select[Any]:
    columns = [c for c in source.c if c.name not in _LEFT_OUT and not isinstance(c.type, Cells)]
    query = sa.select(*columns)
    if "segment" in source.c:
        query = query.where(source.c.segment == tables.WHOLE)
    if monitor:
        query = query.where(source.c.monitor == monitor)
    if since is not None:
        query = query.where(source.c[key] >= since)
    if until is not None:
        query = query.where(source.c[key] < until)
    return query.order_by(source.c[key], *source.primary_key.columns)


def _batches(store: Store, query: sa.Select[Any]) -> Iterator[Sequence[sa.Row[Any]]]:
    with engine.reading(store.engine) as connection:
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(query)
        yield from rows.partitions(_AT_ONCE)


def _csv(store: Store, query: sa.Select[Any]) -> Iterator[str]:
    names = [column.name for column in query.selected_columns]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for batch in _batches(store, query):
        writer.writerows([cell(value) for value in row] for row in batch)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def cell(value: object) -> object:
    r"""Return a value as a cell of a CSV file: no text of it can be taken for a formula.

    Examples
    --------
    >>> cell("=1+1"), cell(" @SUM(A1)"), cell(-1.5), cell("plain"), cell(None)
    ("'=1+1", "' @SUM(A1)", -1.5, 'plain', None)
    """
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, str):
        kept = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return f"'{kept}" if _RISKY.match(kept) else kept
    return value


def _parquet(store: Store, query: sa.Select[Any]) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column.name, _arrow(pa, column.type)) for column in query.selected_columns])
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema) as writer:
            for batch in _batches(store, query):
                columns = zip(*batch, strict=True)
                arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
        file.seek(0)
        while part := file.read(1 << 18):
            yield part


def _arrow(pa: Any, kind: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(kind, Instant):
        return pa.timestamp("us", UTC.tzname(None))
    if isinstance(kind, Finite):
        return pa.float64()
    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    return pa.int64() if isinstance(kind, sa.Integer) else pa.string()
