"""Profiles: what validation decided on a window, and the counts of the window and of its segments."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from drift.errors import StoreError
from drift.profiles.histograms import Profile
from drift.profiles.segments import labels_by_column
from drift.store import rows as to_rows
from drift.store.baselines import load_binnings, save_binnings
from drift.store.engine import Part, delete_others, insert, insert_new, reads, rows_of, upsert, writes
from drift.store.schema import WHOLE, gate, histogram, pair_counts, profile, validation
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.detection.reports import Gate
    from drift.profiles.binning import Binning
    from drift.profiles.pairs import Pairs
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.store.rows import Row


class Head(NamedTuple):
    """What is known of a counted window without its counts."""

    window_start: datetime
    window_end: datetime
    gate: Gate
    binning_key: str
    digest: str


class Profiles(Part):
    """The part of the store that knows windows: their validation and their counts."""

    __slots__ = ()

    @writes
    def save_gate(
        self,
        connection: sa.Connection,
        monitor: str,
        window: Window,
        decision: Gate,
        outcomes: Sequence[Outcome],
        now: datetime,
    ) -> None:
        """Write what validation decided on a window, and what each expectation observed, in place of what it had.

        A stored profile takes the decision on.
        """
        key = {"monitor": monitor, "window_start": window.start}
        row = {**key, "window_end": window.end, "decision": decision, "checked_at": now}
        if not insert_new(connection, gate, row):
            # This locks the row whether it changes or not: two writers of one window take turns.
            connection.execute(_save_gate(connection.dialect.name), row)
            delete_others(connection, validation, key, "key", {outcome.key for outcome in outcomes})
        found = [asdict(outcome) for outcome in outcomes]
        upsert(connection, validation, [{**key, "column_name": fields.pop("column"), **fields} for fields in found])
        connection.execute(_PASS_ON, {"of_monitor": monitor, "of_window": window.start, "decided": decision})

    @reads
    def gates(self, connection: sa.Connection, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
        """Return what validation decided, by the window's start; windows it never saw are left out."""
        found = _rows(connection, gate, ("window_start", "window_end", "decision"), monitor, windows)
        return {row.window_start: row.decision for row in _exactly(found, windows)}

    @reads
    def validations(self, connection: sa.Connection, monitor: str, window: Window) -> list[Row]:
        """Return what each expectation observed in a window, failures first."""
        mine = (validation.c.monitor == monitor) & (validation.c.window_start == window.start)
        return rows_of(connection, sa.select(validation).where(mine).order_by(validation.c.success, validation.c.key))

    @writes
    def save_profile(
        self,
        connection: sa.Connection,
        monitor: str,
        counted: Profile,
        segmentations: Sequence[Segmentation] = (),
        *,
        gate: Gate,
        binning_key: str,
        now: datetime,
    ) -> bool:
        """Write the counts of a window and of its segments, in place of those it had; return whether it was done.

        It is not where the profile holds no rows and the stored one does: a source that has been emptied since
        does not take away what was counted.
        """
        window = counted.window
        if window is None:
            raise StoreError(f"a profile of {monitor} has no window, and only windows are stored")
        key = {"monitor": monitor, "window_start": window.start}

        def head(segment: str, part: Profile, counted_under: str) -> Row:
            # Of a segment only those problems that the whole window does not have.
            known = {} if segment == WHOLE else counted.problems
            return {
                **key,
                "segment": segment,
                "window_end": window.end,
                "n_rows": part.n_rows,
                "gate": gate,
                "binning_key": counted_under,
                "digest": to_rows.digest(part),
                "schema": dict(part.schema) if segment == WHOLE else {},
                "problems": {feature: why for feature, why in part.problems.items() if known.get(feature) != why},
                "notes": dict(part.notes) if segment == WHOLE else {},
                "first_seen_at": now,
            }

        whole = head(WHOLE, counted, binning_key)
        new = insert_new(connection, profile, whole)
        if not new and connection.execute(_save_profile(connection.dialect.name), whole).first() is None:
            return False
        parts = {WHOLE: counted, **counted.segments}
        cut_by = {name: by.fingerprint for by in segmentations for name in by.names}
        heads = [head(name, part, cut_by[name]) for name, part in counted.segments.items()]
        upsert(connection, profile, heads, keep={"first_seen_at"})
        save_binnings(connection, [one.binning for one in counted.histograms.values()])
        paired = [to_rows.pairs_row(monitor, counted.pairs, window)] if counted.pairs is not None else []
        if not new:
            delete_others(connection, profile, key, "segment", parts.keys())
            for segment, part in parts.items():
                delete_others(connection, histogram, {**key, "segment": segment}, "feature", part.histograms.keys())
            delete_others(connection, pair_counts, key, "segment", {row["segment"] for row in paired})
        upsert(connection, histogram, to_rows.histogram_rows(monitor, counted, window))
        upsert(connection, pair_counts, paired)
        return True

    @reads
    def heads(self, connection: sa.Connection, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
        """Return what is known of the counted ones among some windows without their counts, by their start."""
        found = _rows(connection, profile, Head._fields, monitor, windows)
        return {row.window_start: Head._make(row) for row in _exactly(found, windows)}

    @reads
    def load_profiles(
        self,
        connection: sa.Connection,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> list[tuple[Profile, Gate]]:
        """Return the stored profiles among some windows, oldest first, with the counts under these binnings.

        With segmentations, each holds the profiles of its segments.
        """
        cut_by = {name: by.fingerprint for by in segmentations for name in by.names}
        asked = (WHOLE, *cut_by)
        names = tuple(column.name for column in histogram.c if column.name != "monitor")
        counted: dict[tuple[datetime, str], dict[str, Any]] = {}
        for row in _rows(connection, histogram, names, monitor, windows, asked):
            if row.feature in binnings and row.fingerprint == binnings[row.feature].fingerprint:
                counted.setdefault((row.window_start, row.segment), {})[row.feature] = row
        names = (
            "window_start",
            "window_end",
            "segment",
            "n_rows",
            "gate",
            "binning_key",
            "schema",
            "problems",
            "notes",
        )
        wholes: dict[datetime, sa.Row[Any]] = {}
        parts: dict[datetime, dict[str, Profile]] = {}
        for row in _exactly(_rows(connection, profile, names, monitor, windows, asked), windows):
            if row.segment == WHOLE:
                wholes[row.window_start] = row
            elif row.binning_key == cut_by[row.segment]:
                part = _profile(row, counted.get((row.window_start, row.segment), {}), binnings, {})
                parts.setdefault(row.window_start, {})[row.segment] = part
        return [
            (_profile(row, counted.get((start, WHOLE), {}), binnings, parts.get(start, {})), row.gate)
            for start, row in sorted(wholes.items())
        ]

    @reads
    def load_pairs(
        self,
        connection: sa.Connection,
        monitor: str,
        windows: Sequence[Window],
        binnings: Mapping[str, Binning],
        segmentations: Sequence[Segmentation] = (),
    ) -> dict[Window, Pairs]:
        """Return the stored pairs among some windows, of the columns counted under these binnings.

        With segmentations, also of those columns that segments are cut by and that are not features.
        """
        heads = _rows(connection, profile, ("window_start", "window_end"), monitor, windows)
        ends = {row.window_start: row.window_end for row in _exactly(heads, windows)}
        known = {**labels_by_column(segmentations), **binnings}
        names = ("window_start", "columns", "n_rows", "counts")
        return {
            Window(row.window_start, ends[row.window_start]): to_rows.pairs_from(
                row.columns, row.n_rows, row.counts, known
            )
            for row in _rows(connection, pair_counts, names, monitor, windows)
            if row.window_start in ends
        }

    @reads
    def pairs_as(
        self, connection: sa.Connection, monitor: str, start: datetime, others: Sequence[datetime], names: Sequence[str]
    ) -> dict[datetime, Pairs]:
        """Return the stored pairs of some columns in a window and others, by their start.

        Those that have all the columns in the same bins as the window; none, where it has no pairs of them.
        """
        asked = {"monitor": monitor, "starts": [start, *others], "segments": [WHOLE]}
        rows = connection.execute(_among(pair_counts, ("window_start", "columns", "n_rows", "counts")), asked).all()
        mine: Sequence[Any] = next((row.columns for row in rows if row.window_start == start), ())
        bins = {name: fingerprint for name, fingerprint, *_ in mine if name in names}
        stored = load_binnings(connection, bins.values())
        known = {name: stored[fingerprint] for name, fingerprint in bins.items()}
        found = {row.window_start: to_rows.pairs_from(row.columns, row.n_rows, row.counts, known) for row in rows}
        return {at: pairs for at, pairs in found.items() if pairs.columns.keys() >= {*names}}


@cache
def _save_gate(dialect: str) -> sa.Insert:
    """Return the statement that leaves a decision as it is, time and all, where it is the same."""
    statement = insert(dialect, gate)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(gate.primary_key),
        set_={name: new[name] for name in ("window_end", "decision", "checked_at")},
        where=(gate.c.decision != new.decision) | (gate.c.window_end != new.window_end),
    )


_PASS_ON = (
    sa.update(profile)
    .where(
        profile.c.monitor == sa.bindparam("of_monitor"),
        profile.c.window_start == sa.bindparam("of_window"),
        profile.c.gate != sa.bindparam("decided"),
    )
    .values(gate=sa.bindparam("decided"))
)


@cache
def _save_profile(dialect: str) -> sa.Insert:
    """Return the statement that writes the head of a profile; it returns nothing where rows would give way to none."""
    statement = insert(dialect, profile)
    fixed = {*profile.primary_key.columns.keys(), "first_seen_at"}
    return statement.on_conflict_do_update(
        index_elements=list(profile.primary_key),
        set_={column.name: statement.excluded[column.name] for column in profile.c if column.name not in fixed},
        where=(statement.excluded.n_rows > 0) | (profile.c.n_rows == 0),
    ).returning(profile.c.n_rows)


def _profile(
    head: sa.Row[Any], counted: Mapping[str, Any], binnings: Mapping[str, Binning], segments: Mapping[str, Profile]
) -> Profile:
    ordered = [feature for feature in binnings if feature in counted]
    summaries = {feature: to_rows.summary_from_dict(counted[feature].summary) for feature in ordered}
    return Profile(
        Window(head.window_start, head.window_end),
        head.n_rows,
        {
            feature: to_rows.histogram_from(binnings[feature], counted[feature].counts, counted[feature].atoms)
            for feature in ordered
        },
        {feature: summary for feature, summary in summaries.items() if summary is not None},
        head.schema,
        head.problems,
        head.notes,
        {name: replace(part, problems={**head.problems, **part.problems}) for name, part in segments.items()},
    )


def _rows(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    monitor: str,
    windows: Sequence[Window],
    segments: Sequence[str] = (WHOLE,),
) -> Sequence[sa.Row[Any]]:
    """Return some columns of the rows of some windows, and of some segments."""
    asked: dict[str, Any] = {"monitor": monitor, "starts": [window.start for window in windows]}
    asked |= {"segments": list(segments)} if "segment" in table.c else {}
    return connection.execute(_among(table, names), asked).all()


@cache
def _among(table: sa.Table, names: tuple[str, ...]) -> sa.Select[Any]:
    chosen = table.c.window_start.in_(sa.bindparam("starts", expanding=True))
    query = sa.select(*(table.c[name] for name in names)).where(table.c.monitor == sa.bindparam("monitor"), chosen)
    if "segment" not in table.c:
        return query
    return query.where(table.c.segment.in_(sa.bindparam("segments", expanding=True)))


def _exactly(rows: Iterable[sa.Row[Any]], windows: Sequence[Window]) -> Iterator[sa.Row[Any]]:
    """Leave out windows of another calendar: a day starts when its first hour does."""
    wanted = {(window.start, window.end) for window in windows}
    return (row for row in rows if (row.window_start, row.window_end) in wanted)
