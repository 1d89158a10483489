"""Stored tables as files: CSV for a spreadsheet, Parquet for a program; streamed, so that a year takes no memory."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from drift.dashboard.formatting import local_time_of
from drift.dashboard.parameters import Maybe, Opened, WindowStart, instant, known_monitor
from drift.store.reads import exports
from drift.store.reads.exports import Table
from drift.store.store import Store
from drift.text.formatting import iso
from drift.text.secrets import masked

router = APIRouter()

Format = Literal["csv", "parquet"]

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
    since: WindowStart = None,
    until: WindowStart = None,
) -> StreamingResponse:
    """A table as CSV or Parquet, oldest window first.

    Tables are `scores`, `runs`, `alerts`, `validations`, `relationships` (pairs that stray) and `marks`.
    `since` and `until` bound the start of the window (of an alert: the one that opened it; of a mark: its time);
    `until` itself is left out.
    In CSV a text that a spreadsheet could take for a formula begins with an apostrophe; times are in UTC.
    """
    local = local_time_of(known_monitor(store, monitor)["config"] if monitor else {})
    query = exports.query(table, monitor, instant(local, since), instant(local, until))
    body = _csv(store, query) if format == "csv" else _parquet(store, query)
    name = f"drift-{table}.{format}"
    return StreamingResponse(
        body, media_type=_MEDIA[format], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _csv(store: Store, query: exports.Query) -> Iterator[str]:
    names = [column.name for column in query.selected_columns]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for batch in exports.batches(store, query):
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
        kept = masked(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
        return f"'{kept}" if _RISKY.match(kept) else kept
    return value


def _parquet(store: Store, query: exports.Query) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column.name, exports.arrow_type(column.type)) for column in query.selected_columns])
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema) as writer:
            for batch in exports.batches(store, query):
                columns = zip(*batch, strict=True)
                arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
        file.seek(0)
        while part := file.read(1 << 18):
            yield part
