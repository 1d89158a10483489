"""Counting inside a warehouse: the rows stay where they are, and only counts come back.

Where data outgrow one machine the database counts them itself, under the same binnings and with the same numbers in
every cell: nulls, NaN, infinities and odd labels too. All numeric features of a window are counted by one statement (a
balanced tree of CASE for each, grouped by cell), all categorical ones by another (known labels, and the rest together).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from drift.binning import CategoricalBinning, NumericBinning
from drift.counting import count
from drift.errors import SourceError
from drift.histograms import Histogram, Profile
from drift.sql_types import to_arrow
from drift.time_bounds import WindowFilter, missing_column
from drift.warehouse_cells import count_keys, fine_edges, gathered, known_keys, labels_branch, numeric_branch
from drift.warehouse_sql import backend_of, is_installed, open_database, sqlalchemy_knows
from drift.warehouse_values import is_below, key, number
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drift.binning import Binning
    from drift.histograms import Summary
    from drift.sources import Source
    from drift.warehouse_sql import Column, Database, Run
    from drift.windows import Calendar

ROWS = 5_000_000
"""``engine: auto`` counts windows with more rows than this inside the warehouse."""

COLUMNS_AT_ONCE = 200
"""Features counted by one statement; more are counted by several."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Windows of a table or query inside a database that counts by itself.

    Parameters
    ----------
    database
    condition
        Which rows are in the windows, of `source`; None is all.
    source
        The table or query, as an Ibis table.
    """

    database: Database
    condition: Any = field(repr=False)
    source: Any = field(repr=False)

    @property
    def arrow_schema(self) -> pa.Schema:
        """Every column, with the type that Drift's SQL sources give it."""
        return pa.schema([(name, column.arrow) for name, column in self.columns.items()])

    @property
    def columns(self) -> Mapping[str, Column]:
        """Every column with what is known of it."""
        return self.database.columns

    @property
    def refused(self) -> dict[str, str]:
        """Why some columns cannot be counted inside."""
        return {name: column.refused for name, column in self.columns.items() if column.refused}

    def rows(self, selected: Mapping[str, Any]) -> Any:
        """Return expressions over the rows of the windows, as an Ibis table."""
        chosen = self.source if self.condition is None else self.source.filter(self.condition)
        return chosen.select(**selected)

    def number(self, name: str) -> Any:
        """Return a column as float64."""
        return number(self.source[name], self.columns[name], self.database.backend)

    def key(self, name: str) -> Any:
        """Return a column as text to group by."""
        return key(self.source[name], self.columns[name], self.database.backend)

    def count_rows(self, run: Run | None = None) -> int:
        """Count the rows."""
        if run is None:
            with self.database.session() as opened:
                return self.count_rows(opened)
        import ibis

        everything = ibis.table({"one": "int32"}, name="drift_rows")
        counted = self.database.compile(everything.aggregate(rows=everything.count()))
        sql = self.database.statement(self.rows({"one": ibis.literal(1, "int32")}), [counted])
        return int(next(_flat(run(sql)))[0])

    def read(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Stream rows as `drift.snapshots` does, for what cannot be done inside."""
        if not columns:
            yield pa.RecordBatch.from_arrays([pa.nulls(self.count_rows())], names=["row"]).select([])
            return
        kinds = [self.columns[name].arrow for name in columns]
        selected = {f"c{i}": self._readable(name) for i, name in enumerate(columns)}
        import ibis

        wanted = self.rows(selected)
        branch = self.database.compile(ibis.table(wanted.schema(), name="drift_rows"))
        with self.database.session() as run:
            for part in run(self.database.statement(wanted, [branch])):
                arrays = [to_arrow(values, kind) for values, kind in zip(zip(*part, strict=True), kinds, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=columns)

    def _readable(self, name: str) -> Any:
        kind, column = self.columns[name], self.source[name]
        if t.is_floating(kind.arrow):
            return self.number(name)
        return column.cast("string") if t.is_string(kind.arrow) else column

    def profile(self, binnings: Mapping[str, Binning], *, window: Window | None = None) -> Profile:
        """Count the rows into cells, inside the database.

        Parameters
        ----------
        binnings
            The frozen binning of every feature to count.
        window
            The window they stand for.

        Returns
        -------
        Profile
            What `drift.counting.count` would return: the same counts in every cell, the same problems and types.
            Means and sums of squares agree to about ten digits. No atoms are looked for.

        Raises
        ------
        SourceError
            If the database refuses, or rows changed while they were counted.
        """
        schema = {name: str(column.arrow) for name, column in self.columns.items()}
        present = self.arrow_schema.empty_table().select([name for name in binnings if name in self.columns])
        with self.database.session() as run:
            n_rows = self.count_rows(run)
            # Types are judged where they always are.
            batches = [pa.RecordBatch.from_arrays([c.combine_chunks() for c in present.columns], present.column_names)]
            blank = count(batches if n_rows else [], binnings, window=window, schema=schema)
            problems = {**blank.problems, **{name: why for name, why in self.refused.items() if name in binnings}}
            histograms: dict[str, Histogram] = {}
            summaries: dict[str, Summary] = {}
            good = {name: binnings[name] for name in blank.histograms if name not in problems}
            if not n_rows:
                return replace(blank, problems=blank.problems)
            numeric = {name: b for name, b in good.items() if isinstance(b, NumericBinning)}
            for name, histogram, summary in self._numeric(run, numeric):
                histograms[name], summaries[name] = histogram, summary
            categorical = {name: b for name, b in good.items() if isinstance(b, CategoricalBinning)}
            histograms |= self._categorical(run, categorical)
        for name, histogram in histograms.items():
            if histogram.n != n_rows:
                raise SourceError(
                    f"{self.database.origin}: rows changed while they were counted ({histogram.n:,} of {name}, "
                    f"{n_rows:,} before): run again, or read a table that is not being written"
                )
        return replace(
            blank,
            n_rows=n_rows,
            histograms={name: histograms[name] for name in good},
            summaries={name: summaries[name] for name in numeric},
            problems=problems,
        )

    def _numeric(self, run: Run, binnings: Mapping[str, NumericBinning]) -> Iterator[tuple[str, Histogram, Summary]]:
        names = list(binnings)
        for some in groups(names, COLUMNS_AT_ONCE):
            branches, places = [], []
            for i, name in enumerate(some):
                edges, place = fine_edges(binnings[name])
                branches.append(numeric_branch(self.database.backend, i, edges))
                places.append((edges, place))
            found: list[list[Sequence[Any]]] = [[] for _ in some]
            wanted = self.rows({f"x{i}": self.number(name) for i, name in enumerate(some)})
            for row in _flat(run(self.database.statement(wanted, branches))):
                found[int(row[0])].append(row[1:])
            for name, rows, laid in zip(some, found, places, strict=True):
                yield name, *gathered(binnings[name], rows, *laid)

    def _categorical(self, run: Run, binnings: Mapping[str, CategoricalBinning]) -> dict[str, Histogram]:
        counts = {name: np.zeros(binning.n_cells, np.int64) for name, binning in binnings.items()}
        names = list(binnings)
        for some in groups(names, COLUMNS_AT_ONCE):
            branches = [
                labels_branch(self.database.backend, i, known_keys(binnings[name], self.columns[name].arrow))
                for i, name in enumerate(some)
            ]
            wanted = self.rows({f"k{i}": self.key(name) for i, name in enumerate(some)})
            for part in run(self.database.statement(wanted, branches)):
                found: dict[str, list[tuple[str | None, int]]] = {}
                for i, each, n_rows in part:
                    found.setdefault(some[int(i)], []).append((each, int(n_rows)))
                for name, rows in found.items():
                    counts[name] += count_keys(binnings[name], rows, self.columns[name].arrow)
        return {name: Histogram(binnings[name], counts[name]) for name in names}


def counts_inside(engine: str, url: str, n_rows: Callable[[], int]) -> bool:
    """Say whether a monitor's windows are counted inside its database.

    Parameters
    ----------
    engine
        ``local``, ``warehouse``, or ``auto``: inside where the database can, Ibis is installed, and there are more than
        `ROWS` rows, or no other way to them.
    url
        The database's URL.
    n_rows
        Counts the rows; only asked where the answer depends on it.
    """
    if engine != "auto":
        return engine == "warehouse"
    return backend_of(url) is not None and is_installed() and (reads_inside(engine, url) or n_rows() > ROWS)


def reads_inside(engine: str, url: str) -> bool:
    """Say whether Ibis has to read rows too, where rows are asked for: SQLAlchemy knows no such database here."""
    backend = backend_of(url)
    if engine == "local" or backend in {None, "postgres"}:
        return False
    return engine == "warehouse" or (is_installed() and not sqlalchemy_knows(url))


def open_source(source: Source, windows: Sequence[Window] | None, *, calendar: Calendar, url: str) -> Warehouse:
    """Open windows of a monitor's source inside its database.

    Parameters
    ----------
    source
        A table or a query.
    windows
        Rows of any of them; None is every row.
    calendar
        Whose local dates a column of dates holds, and the zone of naive times unless the source names one.
    url
        The database's URL, see `open_warehouse`.

    Raises
    ------
    DriftError
        As `open_warehouse`.
    """
    chosen = None
    if windows is not None:
        spans = _merged(windows)
        chosen = [WindowFilter(source.time_column, span, calendar, source.timezone) for span in spans]
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
    chosen: Sequence[WindowFilter] | None = None,
) -> Warehouse:
    """Look at a table or query in a warehouse, and choose rows of it.

    Parameters
    ----------
    url
        SQLAlchemy URL: ``postgresql://…``, ``duckdb:///path`` (``duckdb:///:memory:`` for a query over files), or the
        URL that Ibis knows for another backend.
    table, schema, query
        What to read: a table (or view), or one SELECT or WITH statement.
    chosen
        The windows; None is every row.

    Raises
    ------
    SourceMissing
        If the table or its time column is not there.
    SourceUnreachable
        If the database does not answer.
    SourceError
        If it cannot count by itself, or refuses the query.
    MissingExtra
        If Ibis is not installed.
    """
    database = open_database(url, table=table, schema=schema, query=query)
    source = database.source()
    if chosen is None:
        return Warehouse(database, None, source)
    for column in {each.column for each in chosen}:
        if column not in database.columns:
            raise missing_column(column, database.columns, database.origin)
    samples = {column: _sample(database, source, column) for column in {each.column for each in chosen}}
    conditions = [_condition(database, source, each, samples[each.column]) for each in chosen]
    return Warehouse(database, reduce(or_, conditions), source)


def _sample(database: Database, source: Any, name: str) -> Any:
    """Return one value of the time column that shows how it writes times; None where it has none."""
    arrow = database.columns[name].arrow
    if t.is_date(arrow):
        return date(1970, 1, 1)
    if t.is_timestamp(arrow):
        return datetime(1970, 1, 1, tzinfo=UTC if arrow.tz else None)
    import ibis

    some = source.filter(source[name].notnull()).select(value=source[name]).limit(1)
    branch = database.compile(ibis.table(some.schema(), name="drift_rows"))
    with database.session() as run:
        return next((row[0] for row in _flat(run(database.statement(some, [branch])))), None)


def _condition(database: Database, source: Any, chosen: WindowFilter, sample: Any) -> Any:
    import ibis

    if sample is None:
        return ibis.literal(False)  # noqa: FBT003 - a literal, not a flag
    column = source[chosen.column]
    start, end = (
        bound.astimezone(UTC) if isinstance(bound, datetime) and bound.tzinfo else bound
        for bound in chosen.bounds(sample, f"{database.origin}: {chosen.column}")
    )
    inside = (column >= ibis.literal(start)) & (column < ibis.literal(end))
    # A NaN is in no window; see `is_nan` for why DuckDB has to be told.
    return (
        inside & is_below(column.cast("float64"), math.inf, database.backend) if column.type().is_floating() else inside
    )


def groups(names: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return names by so many.

    Examples
    --------
    >>> groups("abcde", 2)
    ['ab', 'cd', 'e']
    """
    return [names[i : i + size] for i in range(0, len(names), size)]


def _flat(parts: Iterator[Sequence[Sequence[Any]]]) -> Iterator[Sequence[Any]]:
    return (row for part in parts for row in part)
