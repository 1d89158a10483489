"""From when to when a source has rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drift.config.source import PARTS
from drift.sources.arrow_types import in_microseconds
from drift.sources.snapshot import open_snapshot
from drift.sources.time_filter import instant, times_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.config.source import Source
    from drift.windows import Calendar


def time_span(source: Source, calendar: Calendar, url: str | None = None) -> tuple[datetime, datetime] | None:
    """Return the first and the last instant at which a source has a row; None where no row has a readable time.

    Of a database its own minimum and maximum are asked; of files, and of what Ibis reads, the time columns are read,
    and nothing else.
    """
    from drift.sources.warehouse.source import reads_inside

    found: Sequence[Any]
    if url is not None and not source.time_format and not reads_inside(source.engine, url):
        from drift.sources.sql import extremes

        found = extremes(url, source)
    else:
        snapshot = open_snapshot(source, None, calendar=calendar, url=url)
        found = list(_extremes(snapshot.batches(source.time_columns), source))
    present = [value for value in found if value is not None]
    if not present:
        return None
    where = ", ".join(source.time_columns)
    times = [instant(value, calendar, source.timezone, where) for value in (min(present), max(present))]
    return times[0], times[1]


def _extremes(batches: Iterator[pa.RecordBatch], source: Source) -> Iterator[Any]:
    """Yield the least and the greatest time of each batch; parts of one as a number such as 20130208."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    for batch in batches:
        columns: list[Any] = batch.columns
        if source.time:
            # Where finer parts are not given, the first of January will do.
            parts = [each.cast(pa.int64()) for each in columns[: len(PARTS) - 1]]
            parts += [pa.scalar(1, pa.int64())] * (len(PARTS) - 1 - len(parts))
            values = pc.add(pc.add(pc.multiply(parts[0], 10_000), pc.multiply(parts[1], 100)), parts[2])
        else:
            values = in_microseconds(columns[0])
            values = values.cast(pa.string()) if t.is_string_view(values.type) else values
            if source.time_format:
                values = pc.strptime(values, format=source.time_format, unit="s", error_is_null=True)
            values = values.filter(times_in(values))
        bounds: Any = pc.min_max(values).as_py()
        yield from bounds.values()
