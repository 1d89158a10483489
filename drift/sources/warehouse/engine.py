"""Counting inside a warehouse: the rows stay where they are, and only counts come back.

Where data outgrow one machine the database counts them itself, under the same binnings and with the same numbers in
every cell: nulls, NaN, infinities and odd labels too. All numeric features of a window are counted by one statement (a
balanced tree of CASE for each, grouped by cell), all categorical ones by another (known labels, and the rest together).
Where a window is cut into segments both are grouped by segment too, and the whole is the sum of these. Pairs of columns
are one more statement.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from drift.errors import SourceError
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.counting import Labels, count
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.kinds import infer_kind, is_text
from drift.profiles.pair_tally import LIMIT
from drift.profiles.pairs import Pairs
from drift.sources.sql_types import to_arrow
from drift.sources.time_filter import untimed_note
from drift.sources.warehouse.cells import (
    add_keys,
    fine_edges,
    gathered,
    known_keys,
    labels_branch,
    numeric_branch,
)
from drift.sources.warehouse.pairs import codes_of, pairs_branch
from drift.sources.warehouse.segments import MISSING, places, rows_branch
from drift.sources.warehouse.values import call, is_nan, key, number, whole

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.histograms import Summary
    from drift.profiles.segments import Segmentation
    from drift.sources.warehouse.query import Column, Database, Run
    from drift.windows import Window

COLUMNS_AT_ONCE = 200
"""Features counted by one statement; more are counted by several."""

HISTOGRAMS_AT_ONCE = 20_000
"""At most this many, of all segments together, come of one statement."""

NUMBERS_AS_TEXT = "numbers written as text are not read in a database: convert them, or engine: local"

_WHOLE = -1
_HOW_MANY = "SELECT COUNT(*) AS n_rows FROM drift_rows"

# A row is picked by a multiple of its number modulo a prime: evenly spread, and in step with nothing that alternates.
_PRIME, _STEP = 2**31 - 1, 1_327_217_885


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Windows of a table or query inside a database that counts by itself.

    `condition` says which rows of `source`, an Ibis table, are in the windows; None is all. `untimed` says by time
    column which rows have no readable time, and are in no window.
    """

    database: Database
    condition: Any = field(repr=False)
    source: Any = field(repr=False)
    untimed: Mapping[str, Any] = field(default_factory=dict, repr=False)

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
        return self._chosen().select(**selected)

    def _chosen(self) -> Any:
        return self.source if self.condition is None else self.source.filter(self.condition)

    def sampled(self, limit: int, n_rows: int) -> Warehouse:
        """Return about `limit` of the `n_rows` rows, always the same while the database scans them in one order."""
        if n_rows <= limit:
            return self
        import ibis

        spark = self.database.backend in {"pyspark", "databricks"}
        number = call("monotonically_increasing_id", "int64") if spark else ibis.row_number()
        row = next(name for name in map("drift_row{}".format, itertools.count()) if name not in self.columns)
        numbered = self._chosen().mutate(**{row: number})
        picked = (numbered[row] % _PRIME) * _STEP % _PRIME < limit * _PRIME // n_rows
        return replace(self, source=numbered.filter(picked), condition=None)

    def number(self, name: str) -> Any:
        """Return a column as float64 to count, where NaN is null."""
        value = self._number(name)
        if not t.is_floating(self.columns[name].arrow):
            return value
        return is_nan(value, self.database.backend).ifelse(None, value)

    def _number(self, name: str) -> Any:
        return number(self.source[name], self.columns[name], self.database.backend)

    def key(self, name: str) -> Any:
        """Return a column as text to group by."""
        return key(self.source[name], self.columns[name], self.database.backend)

    def cut_kinds(self, columns: Iterable[str]) -> dict[str, pa.DataType | None]:
        """Return the types of columns to cut by; None where every row is missing: nothing there, or nothing to name."""
        found: dict[str, pa.DataType | None] = {}
        for name in columns:
            column = self.columns.get(name)
            if column is not None and column.refused:
                raise SourceError(f"{self.database.origin}: no segments by {name}: {column.refused}")
            found[name] = column.arrow if column is not None and infer_kind(column.arrow) else None
        return found

    def cut_keys(self, kinds: Mapping[str, pa.DataType | None]) -> dict[str, Any]:
        """Return columns to cut by as text to group by, which is nowhere null."""
        import ibis

        return {
            name: ibis.literal(MISSING) if kind is None else self.key(name).fill_null(MISSING)
            for name, kind in kinds.items()
        }

    def count_rows(self, run: Run | None = None) -> int:
        """Count the rows."""
        if run is None:
            with self.database.session() as opened:
                return self.count_rows(opened)
        import ibis

        sql = self.database.statement(self.rows({"one": ibis.literal(1, "int32")}), [_HOW_MANY])
        return int(next(flat(run(sql)))[0])

    def notes(self) -> dict[str, str]:
        """Say how many rows have no readable time."""
        counted = {name: replace(self, condition=without).count_rows() for name, without in self.untimed.items()}
        return {name: words for each, rows in counted.items() for name, words in untimed_note(each, rows).items()}

    def read(self, columns: list[str]) -> Generator[pa.RecordBatch]:
        """Stream rows as `drift.sources.snapshot` does, for what cannot be done inside."""
        if not columns:
            yield pa.RecordBatch.from_arrays([pa.nulls(self.count_rows())], names=["row"]).select([])
            return
        kinds = [self.columns[name].arrow for name in columns]
        selected = {f"c{i}": self._readable(name) for i, name in enumerate(columns)}
        with self.database.session() as run:
            for part in run(self.database.statement(self.rows(selected))):
                arrays = [to_arrow(values, kind) for values, kind in zip(zip(*part, strict=True), kinds, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=columns)

    def _readable(self, name: str) -> Any:
        kind, column = self.columns[name], self.source[name]
        if t.is_floating(kind.arrow):
            return self._number(name)
        if self.database.backend == "duckdb" and t.is_timestamp(kind.arrow):
            # Its driver would make times with a zone by pytz, which need not be there.
            return whole(column, kind, self.database.backend)
        return column.cast("string") if t.is_string(kind.arrow) else column

    def profile(
        self,
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
        *,
        window: Window | None = None,
        pairs: Mapping[str, Coarse] | None = None,
    ) -> Profile:
        """Count the rows into cells, inside the database, as a whole and by segment, and the pairs of some columns.

        What `drift.profiles.counting.count`, or `drift.profiles.segments.count`, would return: the same counts in every
        cell, the same problems and types. Means and sums of squares agree to about ten digits. Labels that recur are
        counted; numbers are not looked at for it. Pairs are equal up to `drift.profiles.pair_tally.LIMIT` rows; of more
        the sample is another one, about as large.

        Raises
        ------
        SourceError
            If the database refuses, or rows changed while they were counted.
        """
        names = [name for by in segmentations for name in by.names]
        empty = count([], binnings, window=window, schema=self._schema)
        cut = self._cut(segmentations)
        counted = None
        with self.database.session() as run:
            rows = self._rows_by_segment(run, cut) if cut else {0: self.count_rows(run)}
            # Every row is in one segment of the first way to cut.
            everything = range(len(segmentations[0].names)) if segmentations else range(1)
            n_rows = sum(rows.get(place, 0) for place in everything)
            if not n_rows:
                nothing = self._pairs(run, pairs, empty, 0) if pairs else None
                return replace(empty, segments=dict.fromkeys(names, empty), pairs=nothing)
            parts = {_WHOLE: everything} | {place: range(place, place + 1) for place in rows if cut}
            rows[_WHOLE] = n_rows
            blank = self._blank(binnings, window)
            good = {name: binnings[name] for name in blank.histograms if name not in blank.problems}
            histograms: dict[int, dict[str, Histogram]] = {part: {} for part in parts}
            summaries: dict[int, dict[str, Summary]] = {part: {} for part in parts}
            for name, part, histogram, summary in self._counted(run, good, cut, parts):
                if histogram.n != rows[part]:
                    where = "" if part == _WHOLE else f" in {names[part]}"
                    raise self._changed(f"{histogram.n:,} of {name}{where}, {rows[part]:,} before")
                histograms[part][name] = histogram
                if summary is not None:
                    summaries[part][name] = summary
            if pairs:
                counted = self._pairs(run, pairs, blank, n_rows)
        found = {
            part: replace(
                blank,
                n_rows=rows[part],
                histograms={name: histograms[part][name] for name in good},
                summaries=summaries[part],
            )
            for part in parts
        }
        by_name = {name: found.get(place, empty) for place, name in enumerate(names)}
        return replace(found[_WHOLE], segments=by_name, pairs=counted)

    def _pairs(self, run: Run, columns: Mapping[str, Coarse], blank: Profile, n_rows: int) -> Pairs:
        """Count the pairs of the columns that have cells, of all rows or of a sample."""
        kinds = {name: self.columns[name].arrow for name in columns if name in self.columns}
        # A column to cut by need not be a feature, which is judged by `blank`.
        kinds = {name: kind for name, kind in kinds.items() if t.is_null(kind) or infer_kind(kind)}
        columns = {name: cells for name, cells in columns.items() if name in kinds and name not in blank.problems}
        codes = [np.empty((len(columns), 0), np.uint8)]
        if columns and n_rows:
            some = self.sampled(LIMIT, n_rows)
            values = (
                some.number(name) if isinstance(cells.binning, NumericBinning) else some.key(name)
                for name, cells in columns.items()
            )
            wanted = some.rows({f"c{i}": value for i, value in enumerate(values)})
            branch = pairs_branch(columns, kinds)
            codes.extend(codes_of(rows, columns, kinds) for rows in run(self.database.statement(wanted, [branch])))
        found = Pairs.of(columns, np.concatenate(codes, axis=1))
        if columns and n_rows <= LIMIT and found.n_rows != n_rows:
            raise self._changed(f"{found.n_rows:,} in pairs, {n_rows:,} before")
        return found

    def _changed(self, what: str) -> SourceError:
        return SourceError(
            f"{self.database.origin}: rows changed while they were counted ({what}): run again, or read a table that "
            "is not being written"
        )

    def _blank(self, binnings: Mapping[str, Binning], window: Window | None) -> Profile:
        """Return the profile of no rows, with the problems of types, which are judged where they always are."""
        present = self.arrow_schema.empty_table().select([name for name in binnings if name in self.columns])
        batch = pa.RecordBatch.from_arrays([c.combine_chunks() for c in present.columns], present.column_names)
        blank = count([batch], binnings, window=window, schema=self._schema)
        refused = dict(self.refused)
        for name, kind in zip(present.column_names, present.schema.types, strict=True):
            binning = binnings[name]
            if isinstance(binning, NumericBinning) and binning.notation and is_text(kind):
                refused[name] = NUMBERS_AS_TEXT
        return replace(blank, problems={**blank.problems, **refused})

    @property
    def _schema(self) -> dict[str, str]:
        return {name: str(column.arrow) for name, column in self.columns.items()}

    def _cut(self, segmentations: Sequence[Segmentation]) -> dict[str, Any]:
        kinds = self.cut_kinds({name for by in segmentations for name in by.columns})
        return {f"g{i}": place for i, place in enumerate(places(segmentations, self.cut_keys(kinds), kinds))}

    def _rows_by_segment(self, run: Run, cut: Mapping[str, Any]) -> dict[int, int]:
        branches = list(map(rows_branch, cut))
        found = flat(run(self.database.statement(self.rows(cut), branches)))
        return {int(place): int(n_rows) for place, n_rows in found}

    def _counted(
        self, run: Run, binnings: Mapping[str, Binning], cut: Mapping[str, Any], parts: Mapping[int, range]
    ) -> Iterator[tuple[str, int, Histogram, Summary | None]]:
        """Count features in each part of the rows, which is made of some of the segments that `cut` numbers."""
        size = max(1, min(COLUMNS_AT_ONCE // max(1, len(cut)), HISTOGRAMS_AT_ONCE // len(parts)))
        for some in groups([name for name, b in binnings.items() if isinstance(b, NumericBinning)], size):
            yield from self._numeric(run, {name: cast("NumericBinning", binnings[name]) for name in some}, cut, parts)
        for some in groups([name for name, b in binnings.items() if isinstance(b, CategoricalBinning)], size):
            known = {name: cast("CategoricalBinning", binnings[name]) for name in some}
            for name, part, histogram in self._categorical(run, known, cut, parts):
                yield name, part, histogram, None

    def _numeric(
        self, run: Run, binnings: Mapping[str, NumericBinning], cut: Mapping[str, Any], parts: Mapping[int, range]
    ) -> Iterator[tuple[str, int, Histogram, Summary]]:
        laid = [fine_edges(binning) for binning in binnings.values()]
        branches = [numeric_branch(i, edges, by) for i, (edges, _) in enumerate(laid) for by in cut or (None,)]
        wanted = self.rows({f"x{i}": self.number(name) for i, name in enumerate(binnings)} | dict(cut))
        found: dict[tuple[int, int], list[Sequence[Any]]] = {}
        for row in flat(run(self.database.statement(wanted, branches))):
            found.setdefault((int(row[0]), int(row[1])), []).append(row[2:])
        for i, (name, binning) in enumerate(binnings.items()):
            for part, segments in parts.items():
                rows = [row for segment in segments for row in found.get((i, segment), ())]
                yield name, part, *gathered(binning, rows, *laid[i])

    def _categorical(
        self, run: Run, binnings: Mapping[str, CategoricalBinning], cut: Mapping[str, Any], parts: Mapping[int, range]
    ) -> Iterator[tuple[str, int, Histogram]]:
        names = list(binnings)
        known = [known_keys(binning, self.columns[name].arrow) for name, binning in binnings.items()]
        branches = [labels_branch(i, keys, by) for i, keys in enumerate(known) for by in cut or (None,)]
        wanted = self.rows({f"k{i}": self.key(name) for i, name in enumerate(names)} | dict(cut))
        tallies: dict[tuple[int, int], Labels] = {}
        for batch in run(self.database.statement(wanted, branches)):
            found: dict[tuple[int, int], list[tuple[str | None, int, int]]] = {}
            for i, segment, each, n_rows, largest in batch:
                found.setdefault((int(i), int(segment)), []).append((each, int(n_rows), int(largest)))
            for (i, segment), rows in found.items():
                tally = tallies.setdefault((i, segment), Labels(binnings[names[i]]))
                add_keys(tally, rows, self.columns[names[i]].arrow)
        counted = {at: tally.histogram() for at, tally in tallies.items()}
        for i, (name, binning) in enumerate(binnings.items()):
            for part, segments in parts.items():
                mine = [counted[i, each] for each in segments if (i, each) in counted]
                yield name, part, Histogram.total([Histogram.empty(binning), *mine])


def groups(names: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return names by so many."""
    return [names[i : i + size] for i in range(0, len(names), size)]


def flat(parts: Iterator[Sequence[Sequence[Any]]]) -> Iterator[Sequence[Any]]:
    """Return the rows of all parts."""
    return (row for part in parts for row in part)
