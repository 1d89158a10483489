"""Stored counts: what the gate said of a window, which binnings are in force, and the profiles made under them.

Functions over an open connection; `drift.store.Store` opens the transactions.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift import records
from drift.binning import binning_from_dict
from drift.database import delete_others, insert_missing, matches, upsert
from drift.histograms import Histogram, Profile
from drift.tables import WHOLE, baseline, binning, gate, histogram, profile, validation
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.binning import Binning
    from drift.outcomes import Outcome
    from drift.records import Row
    from drift.reports import Gate


# -- the gate ----------------------------------------------------------------------------------------------------------


def save_gate(
    connection: sa.Connection, monitor: str, window: Window, decision: Gate, outcomes: Sequence[Outcome], now: datetime
) -> None:
    """Write a decision and its outcomes in place of those the window had; a stored profile takes the decision on."""
    key = {"monitor": monitor, "window_start": window.start}
    row = {**key, "window_end": window.end, "decision": decision, "checked_at": now}
    insert_missing(connection, gate, [row])
    # Two writers of one window take turns.
    connection.execute(sa.select(gate.c.decision).where(matches(gate, key)).with_for_update())
    differs = (gate.c.decision != decision) | (gate.c.window_end != window.end)
    connection.execute(sa.update(gate).where(matches(gate, key) & differs).values(**row))
    delete_others(connection, validation, key, "key", {outcome.key for outcome in outcomes})
    found = [asdict(outcome) for outcome in outcomes]
    upsert(connection, validation, [{**key, "column_name": fields.pop("column"), **fields} for fields in found])
    connection.execute(sa.update(profile).where(matches(profile, key)).values(gate=decision))


def gates(connection: sa.Connection, monitor: str, windows: Sequence[Window]) -> dict[datetime, Gate]:
    """Return the decisions by the window's start."""
    found = connection.execute(sa.select(gate).where(_among(gate, monitor, windows))).mappings()
    return {row["window_start"]: row["decision"] for row in _exactly(found, windows)}


# -- binnings ----------------------------------------------------------------------------------------------------------


def save_binnings(connection: sa.Connection, binnings: Iterable[Binning]) -> None:
    """Write binnings under their fingerprints."""
    distinct = {one.fingerprint: one for one in binnings}
    rows = [{"fingerprint": name, "kind": one.kind, "spec": one.to_dict()} for name, one in distinct.items()]
    insert_missing(connection, binning, rows)


def load_binnings(connection: sa.Connection, fingerprints: Collection[str]) -> dict[str, Binning]:
    """Return binnings by fingerprint."""
    query = sa.select(binning.c.fingerprint, binning.c.spec).where(binning.c.fingerprint.in_(fingerprints))
    return {row.fingerprint: binning_from_dict(row.spec) for row in connection.execute(query)}


def active_rows(connection: sa.Connection, monitor: str) -> dict[str, Row]:
    """Return the newest baseline of each feature."""
    query = sa.select(baseline).where(baseline.c.monitor == monitor, baseline.c.segment == WHOLE)
    # The later row, of the higher version, takes the place of the earlier one.
    ordered = connection.execute(query.order_by(baseline.c.version)).mappings()
    return {row["feature"]: dict(row) for row in ordered}


def of_a_baseline(connection: sa.Connection, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row is of a window that a baseline in force stands for."""
    spans = {
        (monitor, row["fitted_from"], row["fitted_to"])
        for monitor in connection.scalars(sa.select(baseline.c.monitor).distinct()).all()
        for row in active_rows(connection, monitor).values()
    }
    return sa.or_(
        sa.false(),
        *(
            (table.c.monitor == monitor) & (table.c.window_start >= start) & (table.c.window_start < end)
            for monitor, start, end in spans
        ),
    )


def active(connection: sa.Connection, monitor: str) -> dict[str, Binning]:
    """Return the binnings in force, by feature."""
    fingerprints = {feature: row["fingerprint"] for feature, row in active_rows(connection, monitor).items()}
    binnings = load_binnings(connection, set(fingerprints.values()))
    return {feature: binnings[fingerprints[feature]] for feature in sorted(fingerprints)}


def save_baseline(
    connection: sa.Connection,
    monitor: str,
    binnings: Mapping[str, Binning],
    types: Mapping[str, str],
    record: Mapping[str, Any],
    *,
    new: bool,
) -> None:
    """Write a first version of features that have none and, if asked, a new one of those whose fit is another."""
    save_binnings(connection, binnings.values())
    known = active_rows(connection, monitor)
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
            "segment": WHOLE,
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
    *,
    gate: Gate,
    binning_key: str,
    now: datetime,
) -> bool:
    """Write the counts of a window in place of those it had; say False where they are none and it had some."""
    key = {"monitor": monitor, "segment": WHOLE, "window_start": window.start}
    row = {
        **key,
        "window_end": window.end,
        "n_rows": counted.n_rows,
        "gate": gate,
        "binning_key": binning_key,
        "schema": dict(counted.schema),
        "problems": dict(counted.problems),
        "first_seen_at": now,
    }
    insert_missing(connection, profile, [row])
    stored = connection.execute(sa.select(profile.c.n_rows).where(matches(profile, key)).with_for_update()).scalar_one()
    if stored and not counted.n_rows:
        return False
    upsert(connection, profile, [row], keep={"first_seen_at"})
    save_binnings(connection, [one.binning for one in counted.histograms.values()])
    delete_others(connection, histogram, key, "feature", counted.histograms.keys())
    upsert(connection, histogram, records.histogram_rows(monitor, counted, window))
    return True


def profiled(
    connection: sa.Connection, monitor: str, windows: Sequence[Window], binning_key: str
) -> dict[datetime, Gate]:
    """Return the gates of the windows counted under a set of binnings, by start."""
    query = sa.select(profile.c.window_start, profile.c.window_end, profile.c.gate)
    mine = _among(profile, monitor, windows) & (profile.c.binning_key == binning_key)
    return {
        row["window_start"]: row["gate"] for row in _exactly(connection.execute(query.where(mine)).mappings(), windows)
    }


def load_profiles(
    connection: sa.Connection, monitor: str, windows: Sequence[Window], binnings: Mapping[str, Binning]
) -> list[tuple[Profile, Gate]]:
    """Return stored profiles, oldest first, with the counts under these binnings."""
    names = ("window_start", "feature", "fingerprint", "counts", "summary")
    heads = sa.select(profile).where(_among(profile, monitor, windows)).order_by(profile.c.window_start)
    bodies = sa.select(*(histogram.c[name] for name in names)).where(_among(histogram, monitor, windows))
    counted: dict[datetime, dict[str, Any]] = {}
    for row in connection.execute(bodies):
        if row.feature in binnings and row.fingerprint == binnings[row.feature].fingerprint:
            counted.setdefault(row.window_start, {})[row.feature] = row
    found = _exactly(connection.execute(heads).mappings(), windows)
    return [(_profile(row, counted.get(row["window_start"], {}), binnings), row["gate"]) for row in found]


def _profile(head: sa.RowMapping, counted: Mapping[str, Any], binnings: Mapping[str, Binning]) -> Profile:
    ordered = [feature for feature in binnings if feature in counted]
    summaries = {feature: records.summary_from_dict(counted[feature].summary) for feature in ordered}
    return Profile(
        Window(head["window_start"], head["window_end"]),
        head["n_rows"],
        {feature: Histogram(binnings[feature], counted[feature].counts) for feature in ordered},
        {feature: summary for feature, summary in summaries.items() if summary is not None},
        head["schema"],
        head["problems"],
    )


def _among(table: sa.Table, monitor: str, windows: Sequence[Window]) -> sa.ColumnElement[bool]:
    mine = (table.c.monitor == monitor) & table.c.window_start.in_([window.start for window in windows])
    return mine & (table.c.segment == WHOLE) if "segment" in table.c else mine


def _exactly(rows: Iterable[sa.RowMapping], windows: Sequence[Window]) -> Iterator[sa.RowMapping]:
    """Leave out windows of another calendar: a day starts when its first hour does."""
    wanted = {(window.start, window.end) for window in windows}
    return (row for row in rows if (row["window_start"], row["window_end"]) in wanted)
