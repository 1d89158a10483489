"""SQL: a table or a query of a database, through SQLAlchemy, streamed by a cursor on the server, or through ADBC.

The window's bounds are bound parameters, `drift.sources.queries` says what a query may be, `drift.sources.sql_types`
which types come out, and `drift.sources.sql_engine` what a session may do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from drift.errors import SourceError, SourceMissing
from drift.sources import queries
from drift.sources.adbc import adbc_batches
from drift.sources.sql_engine import engine_of, explaining, session
from drift.sources.sql_types import Relation, declared_types, readable, sampled_types, stored_types, to_arrow
from drift.sources.time_filter import (
    SAMPLED,
    PartsFilter,
    beyond,
    is_time,
    missing_column,
    readable_bounds,
    sample_of,
    times_in,
    untimed_note,
)
from drift.text.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from drift.config.source import Source
    from drift.sources.time_filter import Bound, Chosen, WindowFilter

_MAX_ROWS = 1 << 16
_MAX_CELLS = 1 << 20
_MOST_TIMES = 30_000


class _Verbatim(sa.TextClause):
    """SQL as a person wrote it: ``:name`` in it is not a parameter."""

    inherit_cache = False


@compiles(_Verbatim)
def _compile_verbatim(element: _Verbatim, compiler: Any, **_: Any) -> str:
    text: str = compiler.post_process_text(element.text)
    return text


def open_sql(
    url: str,
    *,
    table: str | None = None,
    schema: str | None = None,
    query: str | None = None,
    chosen: Chosen | None = None,
) -> tuple[pa.Schema, str, Callable[[list[str]], Generator[pa.RecordBatch]], Callable[[], dict[str, str]]]:
    """Look at a table (or view), or at one SELECT or WITH statement; settle its types, and return how to stream it.

    ``postgres://`` and ``postgresql://`` mean psycopg 3. The origin shows the URL without its password. Batches
    have at most 64 Ki rows.
    """
    engine = engine_of(url)
    relation = relation_of(engine, table, schema, query)
    with session(engine, relation.origin) as connection:
        types = declared_types(connection, relation, table, schema)
        for name in chosen.columns if chosen else ():
            if name not in types:
                raise missing_column(name, types, relation.origin)
        where, untimed = _where(connection, relation, types, chosen) if chosen else (None, [])
        if engine.dialect.name == "sqlite":
            types = stored_types(connection, relation, types, where)
        elif None in types.values():
            types = sampled_types(connection, relation, types, where)
    arrow_schema = pa.schema([(name, kind or pa.string()) for name, kind in types.items()])

    def read(columns: list[str]) -> Generator[pa.RecordBatch]:
        if not columns:
            with session(engine, relation.origin) as connection:
                n_rows = connection.execute(relation.select(sa.func.count(), where=where)).scalar_one()
            yield pa.RecordBatch.from_arrays([pa.nulls(n_rows)], names=["row"]).select([])
            return
        kinds = [arrow_schema.field(name).type for name in columns]
        rows = max(1024, min(_MAX_ROWS, _MAX_CELLS // len(columns)))
        selected = [readable(engine, name, kind) for name, kind in zip(columns, kinds, strict=True)]
        only = pa.schema(list(zip(columns, kinds, strict=True)))
        with (
            explaining(engine, relation.origin),
            adbc_batches(engine, partial(relation.select, where=where), selected, only, rows) as batches,
        ):
            if batches is not None:
                yield from batches
                return
        with session(engine, relation.origin) as connection:
            streamed = connection.execution_options(yield_per=rows)
            with streamed.execute(relation.select(*selected, where=where)) as result:
                for part in result.partitions():
                    arrays = [
                        to_arrow(values, kind) for values, kind in zip(zip(*part, strict=True), kinds, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, names=columns)

    return arrow_schema, relation.origin, read, partial(_notes, engine, relation, chosen, untimed)


def _notes(engine: sa.Engine, relation: Relation, chosen: Chosen | None, untimed: Sequence[Any]) -> dict[str, str]:
    if chosen is None or not untimed:
        return {}
    # SQLite looks one range up in an index, and reads all of it for several in one question.
    asked = untimed if engine.dialect.name == "sqlite" else [sa.or_(*untimed)]
    with session(engine, relation.origin) as connection:
        found = [connection.execute(relation.select(sa.func.count(), where=each)).scalar_one() for each in asked]
    return untimed_note(chosen.columns[0], sum(found))


def tables_of(url: str, schema: str | None) -> list[str]:
    """Return the tables and views of a schema, by default of the database's own, in the order of their names."""
    engine = engine_of(url)
    origin = f"schema {schema or 'by default'} of {engine.url.set(query={}).render_as_string(hide_password=True)}"
    with session(engine, origin) as connection:
        inspector = sa.inspect(connection)
        names = sorted({*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)})
    if not names:
        raise SourceMissing(f"{origin} has no table")
    return names


def extremes(url: str, source: Source) -> tuple[Any, Any]:
    """Return the least and the greatest time, as the database has it; parts of one as a number such as 20130208."""
    engine = engine_of(url)
    relation = relation_of(engine, source.table, source.schema_, source.query)
    time: Any = sa.column(source.time_column or "")
    known: Any = None
    with session(engine, relation.origin) as connection:
        if source.time:
            parts: list[Any] = [sa.cast(sa.column(name), sa.Integer) for name in source.time_columns[:3]]
            year, month, day = (*parts, 1, 1)[:3]
            time = year * 10_000 + month * 100 + day
        else:
            sample = _sample(connection, relation, time)
            if sample is None or not is_time(sample):
                return None, None
            known = sa.not_(sa.or_(*_untimed(time, sample)))
            if isinstance(sample, str) and "-" in sample:
                known = sa.and_(known, time.like("____-__-__%"))
        first, last = connection.execute(relation.select(sa.func.min(time), sa.func.max(time), where=known)).one()
    return first, last


def relation_of(engine: sa.Engine, table: str | None, schema: str | None, query: str | None) -> Relation:
    """Return a table, or one SELECT or WITH statement, as what can be selected from."""
    shown = masked(engine.url.set(query={}).render_as_string(hide_password=True))
    if query is None:
        name = f"{schema}.{table}" if schema else str(table)
        return Relation(sa.table(str(table), schema=schema), f"table {name} of {shown}")
    origin = f"the query on {shown}"
    statement = queries.one_select(query, engine.dialect.name, origin)
    # On a line of its own the bracket survives a comment at the query's end.
    return Relation(_Verbatim(f"({statement}\n) drift_query"), origin)


def _where(
    connection: sa.Connection, relation: Relation, types: dict[str, pa.DataType | None], chosen: Chosen
) -> tuple[Any, list[Any]]:
    """Return which rows are in the window, and which have no readable time, in parts; none where nobody can say.

    That is ``time >= :start AND time < :end``, both bound, in the form in which the column holds its times.
    """
    if isinstance(chosen, PartsFilter):
        return _where_parts(connection, relation, types, chosen), []
    column: sa.ColumnClause[Any] = sa.column(chosen.column)
    kind, where = types[chosen.column], f"{relation.origin}: {chosen.column}"
    if chosen.time_format:
        return _where_formatted(connection, relation, chosen, where)
    sample: object = None
    if connection.dialect.name != "sqlite" and kind is not None:
        if t.is_date(kind):
            sample = date(1970, 1, 1)
        elif t.is_timestamp(kind):
            sample = datetime(1970, 1, 1, tzinfo=UTC if kind.tz else None)
    if sample is None:
        sample = _sample(connection, relation, column)
        if sample is None:
            return sa.false(), [column.is_(None)]
    start, end = chosen.bounds(sample, where)
    inside = sa.and_(column >= _bound("drift_start", start), column < _bound("drift_end", end))
    if isinstance(sample, str) and "-" in sample:
        # What is written in another way sorts anywhere.
        inside = sa.and_(inside, column.like("____-__-__%"))
    return inside, _untimed(column, sample)


def _sample(connection: sa.Connection, relation: Relation, column: sa.ColumnClause[Any]) -> object:
    """Return a value of the time column that is a time; of the first ones, or where these are none of all."""
    present = relation.select(column, where=column.is_not(None))
    sample = sample_of(connection.execute(present.limit(SAMPLED)).scalars())
    if sample is None or is_time(sample):
        return sample
    return sample_of(connection.execute(present.distinct().limit(SAMPLED)).scalars())


def _untimed(column: sa.ColumnClause[Any], sample: object) -> list[Any]:
    """Return which rows have no readable time: ranges apart from each other, so that an index or a partition serves."""
    if isinstance(sample, str) and "-" not in sample:
        words = sa.or_(column >= _bound("drift_words", ":"), column.like("%-%"))
        return [sa.or_(column.is_(None), column < _bound("drift_digits", "1"), words)]
    bounds = [_bound(f"drift_known_{i}", bound) for i, bound in enumerate(readable_bounds(sample))]
    return [column.is_(None), *beyond(column, bounds)]


def _where_formatted(
    connection: sa.Connection, relation: Relation, chosen: WindowFilter, where: str
) -> tuple[Any, list[Any]]:
    """Return the same where times are text in a format of their own: each time there is, is looked at here."""
    column: sa.ColumnClause[Any] = sa.column(chosen.column)
    found = connection.execute(relation.select(column).distinct().limit(_MOST_TIMES + 1)).scalars().all()
    if len(found) > _MOST_TIMES:
        raise SourceError(
            f"{where} has more than {_MOST_TIMES:,} different times: convert it to a timestamp in a query"
        )
    texts = pa.array([None if value is None else str(value) for value in found], pa.string())
    inside, times = chosen.inside(texts, where).to_pylist(), times_in(chosen.parsed(texts)).to_pylist()
    mine = [value for value, one in zip(found, inside, strict=True) if one]
    wrong = [value for value, one in zip(found, times, strict=True) if not one and value is not None]
    return column.in_(mine), [column.is_(None), column.in_(wrong)]


def _where_parts(
    connection: sa.Connection, relation: Relation, types: dict[str, pa.DataType | None], chosen: PartsFilter
) -> Any:
    names: list[sa.ColumnClause[Any]] = [sa.column(name) for name in chosen.columns]
    texts = [(kind := types[name]) is not None and t.is_string(kind) for name in chosen.columns]
    parts = [sa.cast(each, sa.Integer) if text else each for each, text in zip(names, texts, strict=True)]
    inside, impossible = chosen.inside(parts, relation.origin), chosen.impossible(parts)
    if impossible is not None:
        found = connection.execute(relation.select(*names, where=inside & impossible).limit(1)).first()
        if found is not None:
            chosen.refuse(found, relation.origin)
    return inside


def _bound(name: str, value: Bound) -> sa.BindParameter[Any]:
    kind: sa.types.TypeEngine[Any]
    match value:
        case datetime():
            kind = sa.DateTime(timezone=value.tzinfo is not None)
        case date():
            kind = sa.Date()
        case int():
            kind = sa.BigInteger()
        case _:
            kind = sa.String()
    return sa.bindparam(name, value, kind)
