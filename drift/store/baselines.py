"""Baselines: the binnings that windows are counted into, by version, with who froze them, when, on what and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.profiles.binning import binning_from_dict
from drift.profiles.segments import names_of
from drift.store.engine import Part, insert_missing, reads, rows_of, writes
from drift.store.schema import CUTS, WHOLE, baseline, binning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from drift.profiles.binning import Binning
    from drift.store.rows import Row


class Baselines(Part):
    """The part of the store that knows binnings, and which of them are in force."""

    __slots__ = ()

    @reads
    def active_baseline(self, connection: sa.Connection, monitor: str) -> dict[str, Binning]:
        """Return the binnings in force: of each feature the highest version."""
        return _active(connection, monitor)

    @reads
    def baselines(self, connection: sa.Connection, monitor: str) -> dict[str, Row]:
        """Return of each feature the version in force: its fingerprint, what it was fitted on, by whom and why."""
        return _active_rows(connection, monitor)

    @reads
    def segmentations(self, connection: sa.Connection, monitor: str) -> dict[str, Binning]:
        """Return the ways in force to cut a window into segments, by what they are stored under."""
        return _active(connection, monitor, CUTS)

    @reads
    def baseline_rows(self, connection: sa.Connection, monitor: str) -> list[Row]:
        """Return every version of every feature's binning, with who fitted it, when, on what and why."""
        query = (
            sa.select(baseline, binning.c.kind, binning.c.spec)
            .join(binning)
            .where(baseline.c.monitor == monitor, baseline.c.segment == WHOLE)
            .order_by(baseline.c.feature, baseline.c.version)
        )
        return rows_of(connection, query)

    @writes
    def save_baseline(  # noqa: PLR0913 - what an audit asks for, each by name
        self,
        connection: sa.Connection,
        monitor: str,
        binnings: Mapping[str, Binning],
        segmentations: Mapping[str, Binning] | None = None,
        *,
        types: Mapping[str, str],
        fitted_from: datetime,
        fitted_to: datetime,
        n_rows: int,
        now: datetime,
        by: str,
        reason: str,
        new: bool = False,
    ) -> dict[str, Binning]:
        """Freeze binnings, and return those in force afterwards.

        The first one wins: of two runs that fit at the same time both end with the same binnings.

        Parameters
        ----------
        segmentations
            Ways to cut a window into segments, as binnings of the segments' names; see `drift.profiles.segments`.
        types
            Arrow type of each column, as text.
        fitted_from, fitted_to, n_rows
            What they were fitted on.
        new
            Make a new version of those features whose binning, or what it was fitted on, differs from the one in force.
            Otherwise only features without a binning get one.
        """
        record = {
            "fitted_from": fitted_from,
            "fitted_to": fitted_to,
            "n_rows": n_rows,
            "created_at": now,
            "created_by": by,
            "reason": reason,
        }
        _freeze(connection, monitor, WHOLE, binnings, types, record, new=new)
        if segmentations:
            _freeze(connection, monitor, CUTS, segmentations, {}, record, new=new)
        return _active(connection, monitor)


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


def baseline_spans(connection: sa.Connection) -> set[tuple[str, datetime, datetime]]:
    """Return what the baselines in force stand for: a monitor, and from when to when the windows start."""
    return {
        (monitor, row["fitted_from"], row["fitted_to"])
        for monitor in connection.scalars(sa.select(baseline.c.monitor).distinct()).all()
        for row in _active_rows(connection, monitor).values()
    }


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


def _active_rows(connection: sa.Connection, monitor: str, segment: str = WHOLE) -> dict[str, Row]:
    """Return the newest baseline of each feature, or of each way to cut a window."""
    # The later row, of the higher version, takes the place of the earlier one.
    ordered = connection.execute(_BASELINES, {"monitor": monitor, "segment": segment}).mappings()
    return {row["feature"]: dict(row) for row in ordered}


_BASELINES = (
    sa.select(baseline)
    .where(baseline.c.monitor == sa.bindparam("monitor"), baseline.c.segment == sa.bindparam("segment"))
    .order_by(baseline.c.version)
)


def _active(connection: sa.Connection, monitor: str, segment: str = WHOLE) -> dict[str, Binning]:
    fingerprints = {feature: row["fingerprint"] for feature, row in _active_rows(connection, monitor, segment).items()}
    binnings = load_binnings(connection, set(fingerprints.values()))
    return {feature: binnings[fingerprints[feature]] for feature in sorted(fingerprints)}


def _freeze(
    connection: sa.Connection,
    monitor: str,
    segment: str,
    binnings: Mapping[str, Binning],
    types: Mapping[str, str],
    record: Mapping[str, Any],
    *,
    new: bool,
) -> None:
    """Write a first version of features that have none and, if asked, a new one of those whose fit is another."""
    save_binnings(connection, binnings.values())
    known = _active_rows(connection, monitor, segment)
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
