"""Planted faults: what some settings would have found, had it been there.

A fault is put into the stored counts of one feature for a few windows, on a span in which that feature was quiet; the
windows are then scored as ever. Nothing of the source is needed, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.verdicts import judge_again
from drift.pipeline import evaluate
from drift.pipeline.replay import offline
from drift.profiles.binning import CategoricalBinning
from drift.profiles.histograms import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.config.detection import Detection
    from drift.detection.reports import Gate
    from drift.detection.scores import Past, Verdict
    from drift.pipeline.replay import Replay
    from drift.profiles.histograms import Profile
    from drift.store.memory import Memory
    from drift.windows import Window

    Counts = NDArray[np.int64]

WINDOWS = 3
"""A planted fault lasts this many windows: those that persistence takes by default."""

Spoil = Callable[["Histogram", np.random.Generator], "Counts | None"]


def nulls(before: Histogram, rng: np.random.Generator) -> Counts | None:
    """Take the value of 5 % of the rows, drawn at random.

    Examples
    --------
    >>> from drift.profiles.binning import NumericBinning
    >>> nulls(Histogram(NumericBinning([0, 1]), [0, 1000, 0, 0]), np.random.default_rng(0)).tolist()
    [0, 950, 0, 50]
    """
    return _move(before, 0.05, before.binning.missing, rng)


def unseen(before: Histogram, rng: np.random.Generator) -> Counts | None:
    """Give 1 % of the rows a category that the reference never held."""
    binning = before.binning
    if not isinstance(binning, CategoricalBinning) or binning.rare is None:
        return None
    return _move(before, 0.01, binning.unseen, rng)


def shift(before: Histogram, rng: np.random.Generator) -> Counts | None:
    """Move half of the rows of every bin to the next higher one."""
    if not before.binning.ordered:
        return None
    counts = before.counts.copy()
    moved = rng.binomial(counts[: before.binning.missing - 1], 0.5)
    counts[: len(moved)] -= moved
    counts[1 : len(moved) + 1] += moved
    return counts if moved.any() else None


def halved(before: Histogram, rng: np.random.Generator) -> Counts | None:
    """Lose half of the rows of a category that holds at least a tenth of them."""
    binning = before.binning
    if not isinstance(binning, CategoricalBinning):
        return None
    common = np.flatnonzero(before.shares[: len(binning.levels)] >= 0.1)
    if len(common) == 0 or before.shares[common].max() > 0.95:
        return None
    counts = before.counts.copy()
    chosen = int(rng.choice(common))
    counts[chosen] -= counts[chosen] // 2
    return counts


def _move(before: Histogram, share: float, to: int, rng: np.random.Generator) -> Counts | None:
    """Move a share of the rows from where they are to one cell."""
    counts = before.counts.copy()
    counts[to] = 0
    rows = round(share * before.n)
    if not 0 < rows <= counts.sum():
        return None
    counts -= rng.multivariate_hypergeometric(counts, rows, method="marginals")
    counts[to] = before.counts[to] + rows
    return counts


FAULTS: Mapping[str, Spoil] = {
    "5 % nulls": nulls,
    "1 % of a new category": unseen,
    "half of the rows one bin up": shift,
    "half of a category gone": halved,
}
"""What is planted, by the name it is reported under; each returns None for a feature it cannot happen to."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault in one feature, and how the windows that had it score.

    Parameters
    ----------
    first
        Index of its first window among the reports of the replay.
    counts
        Of the feature, with the fault in them, a window each.
    verdicts, past
        What came of it, each with its score, and what is remembered of that.
    stretch
        Of the persistence under which it was scored.
    """

    fault: str
    feature: str
    first: int
    counts: Sequence[Histogram]
    verdicts: Sequence[Verdict]
    past: Sequence[Past]
    stretch: tuple[int, int]


def plant(replay: Replay, memory: Memory, *, rng: np.random.Generator, times: int = 40) -> list[Planted]:
    """Plant every fault that many times, each in a feature and at a time drawn at random, and score what follows.

    The replay is under the settings in force, the memory as it left it. A feature is left alone where it drifted by
    itself; where there are too few places for a fault it is planted less often.
    """
    found: list[Planted] = []
    quiet = _quiet(replay)
    for fault, spoil in FAULTS.items():
        planted = 0
        for place in rng.permutation(len(quiet)).tolist():
            if planted == times:
                break
            first, feature = quiet[place]
            one = _plant(replay, memory, fault, spoil, first, feature, rng)
            if one is not None:
                found.append(one)
                planted += 1
    return found


def _quiet(replay: Replay) -> list[tuple[int, str]]:
    """Return where a fault can be planted: first window and feature, nothing odd there by itself."""
    quiet = {
        (i, verdict.feature): None
        for i, report in enumerate(replay.reports)
        for verdict in report.verdicts
        if verdict.status == "ok" and verdict.severity == "none"
    }
    return [
        (i, feature)
        for i, feature in quiet
        if i >= replay.lead and all((i + k, feature) in quiet for k in range(-1 if i else 0, WINDOWS))
    ]


def _plant(
    replay: Replay, memory: Memory, fault: str, spoil: Spoil, first: int, feature: str, rng: np.random.Generator
) -> Planted | None:
    counts: list[Histogram] = []
    for report in replay.reports[first : first + WINDOWS]:
        stored = memory.counts.get(report.window) if report.window else None
        before = stored[0].histograms.get(feature) if stored else None
        after = spoil(before, rng) if before else None
        if before is None or after is None:
            return None
        counts.append(Histogram(before.binning, after))
    return _score(replay, memory, fault, feature, first, counts)


def plant_again(planted: Iterable[Planted], replay: Replay, memory: Memory) -> list[Planted]:
    """Put the same faults into the same places of another replay of these windows; score them under its settings."""
    again = (_score(replay, memory, one.fault, one.feature, one.first, one.counts) for one in planted)
    return [one for one in again if one is not None]


def _score(
    replay: Replay, memory: Memory, fault: str, feature: str, first: int, counts: Sequence[Histogram]
) -> Planted | None:
    windows = [report.window for report in replay.reports[first : first + WINDOWS] if report.window is not None]
    changed: dict[Window, tuple[Profile, Gate] | None] = {}
    for window, histogram in zip(windows, counts, strict=True):
        stored = memory.counts.get(window)
        if stored is None:
            return None
        changed[window] = (_with(stored[0], feature, histogram), stored[1])
    branch = memory.branch(first, changed)
    on = offline(replay.monitor, branch)
    reports = [evaluate.evaluate_window(on, window) for window in windows]
    verdicts = [verdict for report in reports if (verdict := report[feature]).score is not None]
    if len(verdicts) < WINDOWS:
        return None
    past = [each[feature] for each in branch.past[first:]]
    return Planted(fault, feature, first, counts, verdicts, past, replay.monitor.detection.persistence.stretch)


def _with(profile: Profile, feature: str, histogram: Histogram) -> Profile:
    return replace(profile, histograms={**profile.histograms, feature: histogram})


# -- finding ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recall:
    """How many planted faults of one kind were found: in their first window, and in one of the windows they lasted."""

    planted: int
    at_once: int
    in_time: int


def remembered(past: Sequence[Mapping[str, Past]], feature: str, detection: Detection) -> list[Past]:
    """Return what is remembered of a feature in as many of the newest windows as count, newest last."""
    return [seen[feature] for seen in past[max(len(past) - detection.remembered, 0) :] if feature in seen]


def recall(planted: Iterable[Planted], past: Sequence[Mapping[str, Past]], detection: Detection) -> dict[str, Recall]:
    """Count the planted faults that some settings find; `past` is from `rejudge`, under the same settings."""
    found = {fault: [0, 0, 0] for fault in FAULTS}
    for one in planted:
        found_in = [verdict.drifting for verdict in _verdicts(one, past[: one.first], detection)]
        counts = found[one.fault]
        counts[0] += 1
        counts[1] += found_in[0]
        counts[2] += any(found_in)
    return {fault: Recall(*counts) for fault, counts in found.items() if counts[0]}


def _verdicts(one: Planted, past: Sequence[Mapping[str, Past]], detection: Detection) -> Iterator[Verdict]:
    known = remembered(past, one.feature, detection)
    for scored, window in zip(one.verdicts, one.past, strict=True):
        (verdict,) = judge_again([scored], detection, {one.feature: known}, scored_under=one.stretch)
        known = [*known, window._replace(severity=verdict.severity)]
        yield verdict
