"""Stored counts: what the gate said of a window, which binnings are in force, and the profiles made under them.

Functions over an open connection; `drift.store.store.Store` opens the transactions.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from drift.profiles.binning import binning_from_dict
from drift.profiles.histograms import Profile
from drift.profiles.segments import names_of
from drift.store import rows as to_rows
from drift.store.engine import delete_others, insert, insert_missing, upsert
from drift.store.schema import CUTS, WHOLE, baseline, binning, gate, histogram, profile, validation
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.detection.reports import Gate
    from drift.profiles.binning import Binning
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.store.rows import Row


# -- the gate ----------------------------------------------------------------------------------------------------------


def save_gate(
    connection: sa.Connection, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
) -> None:
    """Write a decision and its outcomes in place of those the window had; a stored profile takes the decision on."""
    key = {"monitor": monitor, "window_start": window.start}
    row = {**key, "window_end": window.end, "decision": decision, "checked_at": now}
    # This locks the row whether it changes or not: two writers of one window take turns.
    connection.execute(_save_gate(connection.dialect.name), row)
    delete_others(connection, validation, key, "key", {outcome.key for outcome in outcomes})
    found = [asdict(outcome) for outcome in outcomes]
    upsert(connection, validation, [{**key, "column_name": fields.pop("column"), **fields} for fields in found])
    connection.execute(_PASS_ON, {"of_monitor": monitor, "of_window": window.start, "decided": decision})


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


def gates(connection: sa.Connection, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
    """Return the decisions by the window's start."""
    found = _rows(connection, gate, ("window_start", "window_end", "decision"), monitor, windows)
    return {row.window_start: row.decision for row in _exactly(found, windows)}


# -- binnings ----------------------------------------------------------------------------------------------------------


def save_binnings(connection: sa.Connection, binnings: Iterable[Binning]) -> None:
    """Write binnings under their fingerprints."""
    distinct = {one.fingerprint: one for one in binnings}
    known = set(connection.execute(_KNOWN_BINNINGS, {"names": list(distinct)}).scalars())
    new = [one for name, one in distinct.items() if name not in known]
    insert_missing(
        connection, binning, [{"fingerprint": one.fingerprint, "kind": one.kind, "spec": one.to_dict()} for one in new]
    )


_KNOWN_BINNINGS = sa.select(binning.c.fingerprint).where(
    binning.c.fingerprint.in_(sa.bindparam("names", expanding=True))
)


def load_binnings(connection: sa.Connection, fingerprints: Collection[str]) -> dict[str, Binning]:
    """Return binnings by fingerprint."""
    query = sa.select(binning.c.fingerprint, binning.c.spec).where(binning.c.fingerprint.in_(fingerprints))
    return {row.fingerprint: binning_from_dict(row.spec) for row in connection.execute(query)}


def active_rows(connection: sa.Connection, monitor: str, segment: str = WHOLE) -> dict[str, Row]:
    """Return the newest baseline of each feature, or of each way to cut a window."""
    # The later row, of the higher version, takes the place of the earlier one.
    ordered = connection.execute(_BASELINES, {"monitor": monitor, "segment": segment}).mappings()
    return {row["feature"]: dict(row) for row in ordered}


_BASELINES = (
    sa.select(baseline)
    .where(baseline.c.monitor == sa.bindparam("monitor"), baseline.c.segment == sa.bindparam("segment"))
    .order_by(baseline.c.version)
)


def baseline_spans(connection: sa.Connection) -> set[tuple[str, datetime, datetime]]:
    """Return what the baselines in force stand for: a monitor, and from when to when the windows start."""
    return {
        (monitor, row["fitted_from"], row["fitted_to"])
        for monitor in connection.scalars(sa.select(baseline.c.monitor).distinct()).all()
        for row in active_rows(connection, monitor).values()
    }


def active(connection: sa.Connection, monitor: str, segment: str = WHOLE) -> dict[str, Binning]:
    """Return the binnings in force, by feature; or the ways in force to cut a window into segments."""
    fingerprints = {feature: row["fingerprint"] for feature, row in active_rows(connection, monitor, segment).items()}
    binnings = load_binnings(connection, set(fingerprints.values()))
    return {feature: binnings[fingerprints[feature]] for feature in sorted(fingerprints)}


def segment_names(connection: sa.Connection, monitor: str) -> list[str]:
    """Return the name of every segment there ever was, and of the whole."""
    query = (
        sa.select(baseline.c.feature, binning.c.spec)
        .join(binning, binning.c.fingerprint == baseline.c.fingerprint)
        .where(baseline.c.monitor == monitor, baseline.c.segment == CUTS)
    )
    found = {WHOLE: None}
    for row in connection.execute(query):
        found |= dict.fromkeys(names_of(row.feature, row.spec["levels"]))
    return list(found)


def save_baseline(
    connection: sa.Connection,
    monitor: str,
    binnings: Mapping[str, Binning],
    types: Mapping[str, str],
    record: Mapping[str, Any],
    *,
    new: bool,
    segment: str = WHOLE,
) -> None:
    """Write a first version of features that have none and, if asked, a new one of those whose fit is another."""
    save_binnings(connection, binnings.values())
    known = active_rows(connection, monitor, segment)
    version = max((row["version"] for row in known.values()), default=0) + 1
    fit = ("fitted_from", "fitted_to", "n_rows")

    def wanted(feature: str, fingerprint: str) -> bool:
        if feature not in known:
            return True
        stored = known[feature]
        same = stored["fingerprint"] == fingerprint and all(stored[name] == record[name] for name in fit)
        return new and not same

    rows = [
        {
            "monitor": monitor,
            "segment": segment,
            "feature": feature,
            "version": version if feature in known else 1,
            "fingerprint": one.fingerprint,
            "arrow_type": types.get(feature, ""),
            **record,
        }
        for feature, one in binnings.items()
        if wanted(feature, one.fingerprint)
    ]
    insert_missing(connection, baseline, rows)


# -- profiles ----------------------------------------------------------------------------------------------------------


def save_profile(
    connection: sa.Connection,
    monitor: str,
    counted: Profile,
    window: Window,
    segmentations: Sequence[Segmentation] = (),
    *,
    gate: Gate,
    binning_key: str,
    now: datetime,
) -> bool:
    """Write the counts of a window in place of those it had; say False where they are none and it had some."""
    key = {"monitor": monitor, "window_start": window.start}

    def head(segment: str, part: Profile, counted_under: str) -> Row:
        return {
            **key,
            "segment": segment,
            "window_end": window.end,
            "n_rows": part.n_rows,
            "gate": gate,
            "binning_key": counted_under,
            "digest": to_rows.digest(part),
            "schema": dict(part.schema) if segment == WHOLE else {},
            "problems": dict(part.problems) if segment == WHOLE else {},
            "first_seen_at": now,
        }

    whole = head(WHOLE, counted, binning_key)
    if connection.execute(_save_profile(connection.dialect.name), whole).first() is None:
        return False
    parts = {WHOLE: counted, **counted.segments}
    cut_by = {name: by.fingerprint for by in segmentations for name in by.names}
    heads = [head(name, part, cut_by[name]) for name, part in counted.segments.items()]
    upsert(connection, profile, heads, keep={"first_seen_at"})
    delete_others(connection, profile, key, "segment", parts.keys())
    save_binnings(connection, [one.binning for one in counted.histograms.values()])
    for segment, part in parts.items():
        delete_others(connection, histogram, {**key, "segment": segment}, "feature", part.histograms.keys())
    upsert(connection, histogram, to_rows.histogram_rows(monitor, counted, window))
    return True


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


def profiled(
    connection: sa.Connection, monitor: str, windows: Sequence[Window], binning_key: str
) -> dict[datetime, Gate]:
    """Return the gates of the windows counted under a set of binnings, by start."""
    counted = heads(connection, monitor, windows)
    return {start: head.gate for start, head in counted.items() if head.binning_key == binning_key}


class Head(NamedTuple):
    """What is known of a counted window without its counts."""

    window_start: datetime
    window_end: datetime
    gate: Gate
    binning_key: str
    digest: str


def heads(connection: sa.Connection, monitor: str, windows: Sequence[Window]) -> dict[datetime, Head]:
    """Return what is known of the counted ones among some windows, by their start."""
    found = _rows(connection, profile, Head._fields, monitor, windows)
    return {row.window_start: Head._make(row) for row in _exactly(found, windows)}


def load_profiles(
    connection: sa.Connection,
    monitor: str,
    windows: Sequence[Window],
    binnings: Mapping[str, Binning],
    segmentations: Sequence[Segmentation] = (),
) -> list[tuple[Profile, Gate]]:
    """Return stored profiles, oldest first, with the counts under these binnings and of these segments."""
    cut_by = {name: by.fingerprint for by in segmentations for name in by.names}
    asked = (WHOLE, *cut_by)
    names = tuple(column.name for column in histogram.c if column.name != "monitor")
    counted: dict[tuple[datetime, str], dict[str, Any]] = {}
    for row in _rows(connection, histogram, names, monitor, windows, asked):
        if row.feature in binnings and row.fingerprint == binnings[row.feature].fingerprint:
            counted.setdefault((row.window_start, row.segment), {})[row.feature] = row
    names = ("window_start", "window_end", "segment", "n_rows", "gate", "binning_key", "schema", "problems")
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
        segments,
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
