"""Sources inside a warehouse: which windows are counted there, and the rows that are theirs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import pyarrow.types as t

from drift.sources.time_filter import (
    SAMPLED,
    PartsFilter,
    WindowFilter,
    beyond,
    is_time,
    missing_column,
    readable_bounds,
    sample_of,
    window_filter,
)
from drift.sources.warehouse.engine import Warehouse, flat
from drift.sources.warehouse.query import backend_of, is_installed, open_database, sqlalchemy_knows
from drift.sources.warehouse.values import is_finite
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drift.config.source import Source
    from drift.sources.time_filter import Bound, Chosen
    from drift.sources.warehouse.query import Database
    from drift.windows import Calendar

ROWS = 5_000_000
"""``engine: auto`` counts windows with more rows than this inside the warehouse."""


def counts_inside(engine: str, url: str, n_rows: Callable[[], int]) -> bool:
    """Say whether a monitor's windows are counted inside its database.

    Engine ``auto`` does so where the database can, Ibis is installed, and there are more than `ROWS` rows, or no other
    way to them. Rows are only counted, by `n_rows`, where the answer depends on it.
    """
    if engine != "auto":
        return engine == "warehouse"
    return backend_of(url) is not None and is_installed() and (reads_inside(engine, url) or n_rows() > ROWS)


def reads_inside(engine: str, url: str) -> bool:
    """Say whether Ibis has to read rows too, where rows are asked for: SQLAlchemy knows no such database here."""
    backend = backend_of(url)
    if engine == "local" or backend in {None, "postgres"}:
        return False
    return engine == "warehouse" or (is_installed() and (backend == "duckdb" or not sqlalchemy_knows(url)))


def open_source(source: Source, windows: Sequence[Window] | None, *, calendar: Calendar, url: str) -> Warehouse:
    """Open windows of a monitor's table or query inside its database; None is every row.

    The calendar says whose local dates a column of dates holds, and the zone of naive times the source names none for.
    """
    chosen = None
    if windows is not None:
        spans = _merged(windows)
        chosen = [window_filter(source, span, calendar) for span in spans]
    return open_warehouse(url, table=source.table, schema=source.schema_, query=source.query, chosen=chosen)


def _merged(windows: Sequence[Window]) -> list[Window]:
    """Return the spans that windows cover, so that a year of days is one condition."""
    spans: list[Window] = []
    for window in sorted(windows):
        if spans and window.start <= spans[-1].end:
            spans[-1] = Window(spans[-1].start, max(spans[-1].end, window.end))
        else:
            spans.append(window)
    return spans


def open_warehouse(
    url: str,
    *,
    table: str | None = None,
    schema: str | None = None,
    query: str | None = None,
    chosen: Sequence[Chosen] | None = None,
) -> Warehouse:
    """Look at a table (or view) or a query in a warehouse, and choose the rows of some windows; None is every row.

    The SQLAlchemy URL is ``postgresql://…``, ``duckdb:///path`` (``duckdb:///:memory:`` for a query over files), or
    what Ibis knows for another backend.
    """
    database = open_database(url, table=table, schema=schema, query=query)
    source = database.source()
    if chosen is None:
        return Warehouse(database, None, source)
    for column in {column for each in chosen for column in each.columns}:
        if column not in database.columns:
            raise missing_column(column, database.columns, database.origin)
    whole = {each.column for each in chosen if isinstance(each, WindowFilter)}
    samples = {column: _sample(database, source, column) for column in whole}
    conditions = [
        _condition(database, source, each, samples[each.column])
        if isinstance(each, WindowFilter)
        else _parts_condition(database, source, each)
        for each in chosen
    ]
    untimed = {column: _untimed(database, source[column], sample) for column, sample in samples.items()}
    return Warehouse(database, reduce(or_, conditions), source, untimed)


def _sample(database: Database, source: Any, name: str) -> Any:
    """Return one value of the time column that shows how it writes times; None where it has none."""
    arrow = database.columns[name].arrow
    if t.is_date(arrow):
        return date(1970, 1, 1)
    if t.is_timestamp(arrow):
        return datetime(1970, 1, 1, tzinfo=UTC if arrow.tz else None)
    present = source.filter(source[name].notnull()).select(value=source[name])

    def among(values: Any) -> object:
        with database.session() as run:
            return sample_of(row[0] for row in flat(run(database.statement(values.limit(SAMPLED)))))

    # Of the first ones, or where these are placeholders of all.
    sample = among(present)
    return sample if sample is None or is_time(sample) else among(present.distinct())


def _parts_condition(database: Database, source: Any, chosen: PartsFilter) -> Any:
    parts = [
        column.cast("int64") if column.type().is_string() else column
        for column in map(source.__getitem__, chosen.columns)
    ]
    inside, impossible = chosen.inside(parts, database.origin), chosen.impossible(parts)
    if impossible is not None:
        some = source.filter(inside & impossible).select(list(chosen.columns)).limit(1)
        with database.session() as run:
            for row in flat(run(database.statement(some))):
                chosen.refuse(row, database.origin)
    return inside


def _condition(database: Database, source: Any, chosen: WindowFilter, sample: Any) -> Any:
    import ibis

    if sample is None:
        return ibis.literal(False)  # noqa: FBT003 - a literal, not a flag
    column = source[chosen.column]
    start, end = map(_literal, chosen.bounds(sample, f"{database.origin}: {chosen.column}"))
    inside = (column >= start) & (column < end)
    if isinstance(sample, str) and "-" in sample:
        # What is written in another way sorts anywhere.
        return inside & column.like("____-__-__%")
    return inside & _is_number(database, column) if column.type().is_floating() else inside


def _is_number(database: Database, column: Any) -> Any:
    """Leave NaN out: it is in no window; see `is_nan` for why DuckDB has to be told."""
    return is_finite(column.cast("float64"), database.backend)


def _literal(bound: Bound) -> Any:
    import ibis

    return ibis.literal(bound.astimezone(UTC) if isinstance(bound, datetime) and bound.tzinfo else bound)


def _untimed(database: Database, column: Any, sample: object) -> Any:
    """Return which rows have no readable time, as the local engine does."""
    if sample is None:
        return column.isnull()
    if isinstance(sample, str) and "-" not in sample:
        return column.isnull() | (column < "1") | (column >= ":") | column.like("%-%")
    wrong = reduce(or_, beyond(column, list(map(_literal, readable_bounds(sample)))), column.isnull())
    return wrong | ~_is_number(database, column) if column.type().is_floating() else wrong
