"""Recall: what was made of a window, looked at later from what is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.detection.pair import compare_pair, what_moved
from drift.detection.relationships import HINT
from drift.errors import NotCompared, StoreError
from drift.profiles.pair_choice import MOST_COLUMNS
from drift.profiles.pairs import Pairs
from drift.text.formatting import at_random, figure, iso, many, nats, number, probability, thousands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.findings import Finding
    from drift.detection.pair import PairComparison, PairMeasured
    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.store.base import State
    from drift.store.store import Store
    from drift.windows import Calendar, Window


def recall(context: Context[State], window: Window) -> Report:
    """Return the stored report of a window, with its evidence."""
    report = context.store.load_report(context.name, window.start)
    if report is None:
        name, label = context.name, context.label(window)
        raise StoreError(f"{name} has no report of {label}: drift run {name} --date {label}")
    return replace(report, label=context.label(window))


@dataclass(frozen=True, slots=True)
class RecalledPair:
    """Two columns of a window compared, with what was made of them when the window was judged.

    Parameters
    ----------
    label
        The window, as its readers name it.
    compared
    measured
        When it was judged.
    windows, windows_then
        Of the reference: those whose counts are still stored in the same bins, and all that there were.
    finding
        Of the report, if one names the pair.
    not_judged
        Why nothing was made of it; empty where it was judged.
    """

    label: str
    compared: PairComparison
    measured: PairMeasured
    windows: int
    windows_then: int
    finding: Finding | None
    not_judged: str

    def state(self, calendar: Calendar) -> str:
        """Say what was made of it: as usual, or since when it is not."""
        if self.not_judged:
            return f"not judged: {self.not_judged}"
        z, found = self.measured.z or 0.0, self.finding
        beyond = f"{number(round(z, 1))} robust sd beyond its own history"
        if not self.measured.strays:
            return f"as usual: {beyond}" if z < HINT else f"unusual, though not by enough: {beyond}"
        onset, pending = found and found.onset, found and found.severity == "none"
        since = f" {onset.words(calendar)}" if onset else ", not yet for long enough" if pending else ""
        return f"no longer as it was{since}: {beyond}"

    def words(self) -> list[str]:
        """Say how far the two go together differently, what of it is theirs, and, if it strays, which cells moved."""
        one = self.compared
        low, high, rows = nats(one.ci_low), nats(one.ci_high), many(int(one.current.sum()), "row")
        gone = "" if self.windows == self.windows_then else f" ({self.windows} of {self.windows_then} windows are left)"
        return [
            one.sum_in_words(),
            f"pairing, corrected: {nats(one.kl_corrected)} nats (95 % {low} … {high}), p {probability(one.p)}",
            f"{at_random(one.mixed)} of the rows as if paired at random",
            f"mutual information: {figure(one.before)} → {figure(one.after)} nats",
            f"{rows} compared with {thousands(int(one.reference.sum()))}{gone}",
            *(what_moved(one.columns, one.moved()) if self.measured.strays else ()),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "columns": list(self.compared.columns),
            "label": self.label,
            "not_judged": self.not_judged,
            "z": self.measured.z,
            "strays": self.measured.strays,
            "finding": self.finding and self.finding.to_dict(),
            "windows": self.windows,
            "windows_then": self.windows_then,
            "words": self.words(),
            **self.compared.to_dict(),
        }


def recall_pair(store: Store, monitor: str, start: datetime, columns: tuple[str, str]) -> RecalledPair:
    """Compare two columns of a window once more with what they were compared with, from stored counts.

    Raises
    ------
    NotCompared
        If the window, or these columns, were not compared, or their counts are gone.
    """
    if columns[0] == columns[1]:
        raise NotCompared(f"a pair is two columns, and {columns[0]!r} is one: name another that it goes with")
    report, found = store.load_report(monitor, start), store.measured_in(monitor, start)
    if report is None:
        at = iso(start)
        raise NotCompared(f"{monitor} has no report of the window that starts at {at}: drift run {monitor} --date {at}")
    label = report.label
    if found is None:
        raise NotCompared(f"{monitor} compared no pairs of columns in {label}: {report.unjudged_pairs}")
    for name in columns:
        if name not in found.columns:
            raise NotCompared(_not_paired(name, found.columns, report))
    others = [datetime.fromtimestamp(each, UTC) for each in found.reference.tolist()]
    pairs = store.pairs_as(monitor, start, others, columns)
    current = pairs.pop(start, None)
    if current is None or not pairs:
        whose = "its reference" if current else "the window"
        again = f"drift run {monitor} --date {label} compares them again, if the rows are still there"
        raise NotCompared(f"{monitor}: the pairs of {whose} that {label} was compared by are no longer stored: {again}")
    named = (one for one in report.findings if one.kind == "relationship" and {*columns} <= {one.column, *one.others})
    measured = found.of(*columns)
    drifting = [verdict.feature for verdict in report.verdicts if verdict.feature in columns and verdict.strays]
    why = "" if measured.z is not None else "too little is known of it, or of its past"
    why = report.unjudged_pairs if why and np.isnan(found.z).all() else why
    return RecalledPair(
        label,
        compare_pair(Pairs.total([*pairs.values()]), current, columns),
        measured,
        len(pairs),
        len(others),
        next(named, None),
        f"{' and '.join(drifting)} drifts by itself" if drifting else why,
    )


def _not_paired(name: str, known: Sequence[str], report: Report) -> str:
    if any(verdict.feature == name for verdict in report.verdicts):
        why = f"labels that hardly recur, what could not be counted, and columns beyond {MOST_COLUMNS} have none"
        return f"{report.monitor} has no pairs of {name!r} in {report.label}: {why}"
    return f"{report.monitor} has no column {name!r} in {report.label}; it has pairs of: {', '.join(known)}"
