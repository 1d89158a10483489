"""Values as rows and rows as values: profiles, reports and what they are made of; no database here."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, fields
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.detection.findings import Finding
from drift.detection.localise import Where
from drift.detection.onset import Onset
from drift.detection.pair import Moved
from drift.detection.relationships import Broken, Measured, Relationship
from drift.detection.reports import Report
from drift.detection.scores import CellShift, Explanation, Score, Verdict
from drift.errors import StoreError
from drift.profiles.coarse_cells import coarse
from drift.profiles.heavy_hitters import Atoms
from drift.profiles.histograms import Histogram, Summary
from drift.profiles.pairs import Pairs, narrowest
from drift.store.schema import WHOLE, inflated
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import RowMapping

    from drift.detection.evidence import Evidence
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile

Row = dict[str, Any]

_MEASURED = (
    "kl", "kl_reverse", "psi", "js", "kl_corrected", "ci_low", "ci_high", "p", "q", "z", "z_lasting", "noise",
)  # fmt: skip
_SCORED = ("kind", *_MEASURED, "cells", "n_reference", "n_current", "smoothing", "fingerprint", "contributions")
_DISTANCES = ("kl_fixed", "wasserstein")
_EXPLAINED = ("reference", *_DISTANCES)
_JUDGED = ("feature", "status", "severity", "reason", "warning", "critical", "role", "weight", "scale", "size")


def summary_to_dict(summary: Summary | None) -> dict[str, Any] | None:
    """Return a summary as JSON; a sum that overflowed is null, as infinity is never stored.

    Examples
    --------
    >>> summary_to_dict(Summary(1, 2.0, math.inf, 2.0, 2.0))["m2"] is None
    True
    """
    if summary is None:
        return None
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(summary).items()
    }


def summary_from_dict(fields: Mapping[str, Any] | None) -> Summary | None:
    """Read back what `summary_to_dict` wrote."""
    if fields is None:
        return None
    overflowed = {name: math.inf for name in ("mean", "m2") if fields[name] is None}
    return Summary(**{**fields, **overflowed})


def histogram_from(binning: Binning, counts: NDArray[np.int64], atoms: Mapping[str, Any] | None) -> Histogram:
    """Read back a histogram from the fields of its row."""
    return Histogram(binning, counts, None if atoms is None else Atoms.from_dict(atoms))


def histogram_rows(monitor: str, profile: Profile, window: Window) -> list[Row]:
    """Return one row a feature, of the whole and of each segment."""
    return [
        {
            "monitor": monitor,
            "segment": segment,
            "feature": feature,
            "window_start": window.start,
            "fingerprint": histogram.binning.fingerprint,
            "counts": histogram.counts,
            "summary": summary_to_dict(part.summaries.get(feature)),
            "atoms": None if histogram.atoms is None else histogram.atoms.to_dict(),
        }
        for segment, part in {WHOLE: profile, **profile.segments}.items()
        for feature, histogram in part.histograms.items()
    ]


def pairs_row(monitor: str, pairs: Pairs, window: Window) -> Row:
    """Return the row of the pairs of a window: which cells each column has, and the triangle of the counts."""
    return {
        "monitor": monitor,
        "segment": WHOLE,
        "window_start": window.start,
        "n_rows": pairs.n_rows,
        "columns": [[name, *cells.key, cells.n_cells] for name, cells in pairs.columns.items()],
        "counts": pairs.counts[_triangle(len(pairs.counts))],
    }


def pairs_from(
    columns: Sequence[tuple[str, str, int, int]],
    n_rows: int,
    counts: NDArray[np.int32],
    binnings: Mapping[str, Binning],
) -> Pairs:
    """Read back the pairs of those columns that have these binnings."""
    sizes = [size for *_, size in columns]
    known = {name: coarse(binnings[name], most) for name, _, most, _ in columns if name in binnings}
    ours = {
        name: known[name] for name, fingerprint, *_ in columns if name in known and known[name].key[0] == fingerprint
    }
    whole = np.zeros((sum(sizes), sum(sizes)), narrowest(n_rows))
    whole[_triangle(len(whole))] = counts
    whole = np.maximum(whole, whole.T)
    mine = np.repeat([name in ours for name, *_ in columns], sizes)
    return Pairs(ours, n_rows, whole if mine.all() else whole[np.ix_(mine, mine)])


def _triangle(size: int) -> NDArray[np.bool_]:
    return np.tri(size, dtype=np.bool_).T


def digest(profile: Profile) -> str:
    """Return sixteen hexadecimal digits that name exactly what was counted: another count, another name."""
    found = hashlib.sha256(repr((profile.n_rows, {**profile.schema}, {**profile.problems})).encode("utf-8", "replace"))
    for feature, histogram in profile.histograms.items():
        atoms = None if histogram.atoms is None else histogram.atoms.to_dict()
        about = feature, histogram.binning.fingerprint, profile.summaries.get(feature), atoms
        found.update(repr(about).encode("utf-8", "replace"))
        found.update(histogram.counts.tobytes())
    if profile.pairs is not None:
        found.update(repr([(name, cells.key) for name, cells in profile.pairs.columns.items()]).encode())
        found.update(np.ascontiguousarray(profile.pairs.counts, np.int32).tobytes())
    for segment, part in profile.segments.items():
        found.update(f"{segment}={digest(part)}".encode("utf-8", "replace"))
    return found.hexdigest()[:16]


def report_row(monitor: str, report: Report, window: Window) -> Row:
    """Return the row of a report, of the whole window or of one segment."""
    overall = report.rollup()
    return {
        "monitor": monitor,
        "segment": report.segment,
        "window_start": window.start,
        "window_end": window.end,
        "label": report.label,
        "reference": report.reference,
        "gate": report.gate,
        "status": overall.status,
        "rule": overall.rule,
        "n_reference": report.n_reference,
        "n_current": report.n_current,
        "n_features": overall.n_features,
        "n_judged": overall.n_judged,
        "n_drifting": overall.n_drifting,
        "total_kl": overall.total_kl,
        "findings": [finding.to_dict() for finding in report.findings],
        "n_pairs": report.n_pairs,
        "unjudged_pairs": report.unjudged_pairs,
    }


def measured_row(monitor: str, found: Measured) -> Row:
    """Return the row of what a window's pairs were measured at."""
    numbers = np.stack([found.mixed, found.statistic, found.kl, found.z, found.strays]).astype(np.float32)
    # Windows follow one another: what lies between them is nearly always the same.
    return {
        "monitor": monitor,
        "segment": WHOLE,
        "window_start": found.window_start,
        "reference": np.diff(found.reference, prepend=0).view(np.uint32),
        "columns": list(found.columns),
        "pairs": numbers.ravel().view(np.uint32),
    }


@lru_cache(maxsize=64)  # a window of a backfill has nearly all of the past that the one before had
def measured_from(window_start: datetime, columns: tuple[str, ...], reference: bytes, pairs: bytes) -> Measured:
    """Read back what `measured_row` wrote, the arrays as they are stored."""
    starts, numbers = np.cumsum(inflated(reference).view(np.int64)), inflated(pairs).view(np.float32)
    starts.flags.writeable = numbers.flags.writeable = False
    mixed, statistic, kl, z, strays = numbers.reshape(5, -1)
    return Measured(window_start, starts, columns, mixed, statistic, kl, z, strays > 0)


_OF_PAIR = ("kl", "kl_corrected", "ci_low", "ci_high", "p", "q", "z", "mixed", "before", "after")


def relationship_rows(monitor: str, report: Report, window: Window) -> list[Row]:
    """Return one row a pair that strays, of each column that no longer goes with others as it did."""
    pairs = ((broken, pair) for broken in report.relationships for pair in broken.pairs)
    return [
        {
            "monitor": monitor,
            "segment": report.segment,
            "window_start": window.start,
            "first_column": pair.columns[0],
            "second_column": pair.columns[1],
            "position": position,
            "named": broken.column,
            "severity": broken.severity,
            "lasting": broken.lasting,
            "named_z": broken.z,
            **{name: getattr(pair, name) for name in _OF_PAIR},
            "moved": [asdict(each) for each in pair.moved],
            "onset": broken.onset and broken.onset.to_dict(),
        }
        for position, (broken, pair) in enumerate(pairs)
    ]


def relationships_from(rows: Iterable[RowMapping]) -> list[Broken]:
    """Read back what `relationship_rows` wrote, in the order of `position`."""
    found = []
    for _, mine in groupby(rows, key=lambda row: row["named"]):
        first, *others = mine
        pairs = tuple(
            Relationship(
                columns=(row["first_column"], row["second_column"]),
                moved=tuple(Moved(**{**each, "cells": tuple(each["cells"])}) for each in row["moved"]),
                **{name: row[name] for name in _OF_PAIR},
            )
            for row in (first, *others)
        )
        onset = first["onset"] and Onset.from_dict(first["onset"])
        found.append(Broken(first["named"], first["severity"], first["lasting"], first["named_z"], pairs, onset))
    return found


def score_rows(monitor: str, report: Report, window: Window) -> list[Row]:
    """Return one row a verdict; a number that is infinite or NaN is an error that names its feature."""
    return [
        _score_row(monitor, report.segment, position, verdict, report.evidence.get(verdict.feature), window)
        for position, verdict in enumerate(report.verdicts)
    ]


def _score_row(
    monitor: str, segment: str, position: int, verdict: Verdict, evidence: Evidence | None, window: Window
) -> Row:
    row: Row = {
        "monitor": monitor,
        "segment": segment,
        "window_start": window.start,
        "window_end": window.end,
        "position": position,
        **{name: getattr(verdict, name) for name in _JUDGED},
        **dict.fromkeys((*_SCORED, *_EXPLAINED, "cell", "onset", "slices")),
        "null_rate_reference": None,
        "null_rate_current": None,
        "counted_as": None,
        "reference_counts": None,
        "reference_summary": None,
    }
    if verdict.score is not None:
        row |= {name: getattr(verdict.score, name) for name in _SCORED}
        row |= {name: getattr(verdict.explanation, name) for name in _EXPLAINED}
        row["cell"] = verdict.explanation.cell and asdict(verdict.explanation.cell)
        row["onset"] = verdict.explanation.onset and verdict.explanation.onset.to_dict()
        row["slices"] = verdict.explanation.where and verdict.explanation.where.to_dict()["slices"]
    if evidence is not None:
        row["null_rate_reference"] = _null_rate(evidence.reference)
        row["null_rate_current"] = _null_rate(evidence.current)
        row["fingerprint"] = evidence.current.binning.fingerprint
        row["counted_as"] = evidence.current.whole().binning.fingerprint
        row["reference_counts"] = evidence.reference.counts
        row["reference_summary"] = summary_to_dict(evidence.reference_summary)
    for name in ("warning", "critical", "weight", *_MEASURED, *_DISTANCES):
        if row[name] is not None and not math.isfinite(row[name]):
            of = f", segment {segment}" if segment else ""
            raise StoreError(
                f"monitor {monitor}, window {window}{of}, feature {verdict.feature!r}: {name} is {row[name]}, "
                "and infinity or NaN never stands for a score; nothing of this report was stored"
            )
    return row


def _null_rate(histogram: Histogram) -> float | None:
    return histogram.n_missing / histogram.n if histogram.n else None


def report_from(
    row: RowMapping,
    scores: Sequence[RowMapping],
    evidence: Mapping[str, Evidence],
    relationships: Iterable[RowMapping] = (),
) -> Report:
    """Read back a report from its row and the rows of its scores and relationships."""
    return Report(
        monitor=row["monitor"],
        window=Window(row["window_start"], row["window_end"]),
        reference=row["reference"],
        verdicts=[_verdict(score) for score in sorted(scores, key=lambda score: score["position"])],
        n_reference=row["n_reference"],
        n_current=row["n_current"],
        gate=row["gate"],
        findings=[Finding.from_dict(finding) for finding in row["findings"]],
        n_pairs=row["n_pairs"],
        unjudged_pairs=row["unjudged_pairs"],
        relationships=relationships_from(relationships),
        evidence=evidence,
        label=row["label"],
        segment=row["segment"],
    )


def _verdict(row: RowMapping) -> Verdict:
    judged = {name: row[name] for name in _JUDGED}
    if row["kl"] is None:
        return Verdict(**judged)
    score = Score(feature=row["feature"], **{name: row[name] for name in _SCORED})
    onset = row["onset"] and Onset.from_dict(row["onset"])
    where = row["slices"] and Where.of(row["slices"])
    cell = _cell(row["cell"])
    explanation = Explanation(**{name: row[name] for name in _EXPLAINED}, cell=cell, onset=onset, where=where)
    return Verdict(**judged, score=score, explanation=explanation)


def _cell(stored: Mapping[str, Any] | None) -> CellShift | None:
    """Read back a cell's shift. One that another version wrote in another shape is left out: the verdict stands."""
    if stored is None or stored.keys() != {field.name for field in fields(CellShift)}:
        return None
    return CellShift(**stored)
