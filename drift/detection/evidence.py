"""Evidence: both histograms behind a verdict, and what they say in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drift.config.problems import shorten
from drift.detection.descriptive import describe, in_words
from drift.detection.wasserstein import wasserstein
from drift.profiles.binning import NumericBinning
from drift.text.formatting import figure, many, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drift.detection.descriptive import Description
    from drift.detection.scores import Verdict
    from drift.profiles.histograms import Histogram, Summary

LEAST_SHARE = 0.05
"""A cell that adds less than this share of the KL is not put in words."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on: both histograms, and both summaries of a number."""

    reference: Histogram
    current: Histogram
    reference_summary: Summary | None = None
    current_summary: Summary | None = None

    def cells(self) -> list[tuple[str, int, int, float, float]]:
        """Return ``(cell, reference rows, current rows, reference share, current share)`` for each cell."""
        return list(
            zip(
                self.reference.binning.cells,
                self.reference.counts.tolist(),
                self.current.counts.tolist(),
                self.reference.shares.tolist(),
                self.current.shares.tolist(),
                strict=True,
            )
        )

    @property
    def descriptions(self) -> tuple[Description, Description]:
        """Descriptive statistics of the reference and of the current window, in the feature's own unit."""
        return describe(self.reference, self.reference_summary), describe(self.current, self.current_summary)

    @property
    def wasserstein(self) -> float | None:
        """Wasserstein-1 distance in the feature's own unit; None where it has no numbers."""
        return wasserstein(self.reference, self.current, self.reference_summary, self.current_summary)

    def due_to(self, contributions: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
        """Return how much of the KL each sort of cell is the cause of (`caused`), in nats; the parts add up to it.

        Examples
        --------
        >>> from drift.profiles.binning import CategoricalBinning
        >>> from drift.profiles.histograms import Histogram
        >>> binning = CategoricalBinning(("a", "b"))
        >>> before, after = Histogram(binning, [50, 50, 0, 0, 0]), Histogram(binning, [25, 25, 0, 0, 50])
        >>> Evidence(before, after).due_to([0.0767, 0.0767, 0.0, 0.0, 1.0])
        {'levels': 0.0, 'other': 0.0, 'unseen': 0.0, 'missing': 1.1534}
        """
        binning = self.current.binning
        # What is set apart is due to the cell that it was part of.
        whole = np.zeros(binning.whole.n_cells)
        np.add.at(whole, binning.whole_cells, self.caused(contributions))
        parts = whole.tolist()
        if not isinstance(binning, NumericBinning):
            other, unseen, missing = parts[-3:]
            return {"levels": sum(parts[:-3]), "other": other, "unseen": unseen, "missing": missing}
        if not len(binning.edges):
            return {"bins": parts[0], "below": 0.0, "above": 0.0, "missing": parts[1]}
        below, *bins, above, missing = parts
        return {"bins": sum(bins), "below": below, "above": above, "missing": missing}

    def newcomers(self) -> list[tuple[str, int]]:
        """Return the labels of the current side without a cell that the reference does not have, each with its rows.

        Only where new labels are not the custom: where each was seen often when the bins were fitted, and the reference
        has no unseen one at all.
        """
        binning, atoms = self.current.binning, self.current.atoms
        if isinstance(binning, NumericBinning) or not atoms or not len(atoms.values):
            return []
        if (binning.vocabulary and binning.vocabulary.once) or self.reference.whole().counts[binning.whole.unseen]:
            return []
        unseen = binning.cell_of(atoms.values.tolist()) == binning.unseen
        found = zip(atoms.values[unseen].tolist(), atoms.rows[unseen].tolist(), strict=True)
        return sorted(found, key=lambda label: (-label[1], label[0]))

    def caused(self, contributions: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of the KL each cell is the cause of, in nats; the parts add up to it.

        Where missing values rise, the share of every bin falls. What bins or levels contribute by that alone (the chain
        rule of divergence) is due to the cells outside of them, in proportion to how far these moved; what is left is
        due to each bin as far as it moved among the bins.
        """
        parts, inside = np.array(contributions, np.float64), self.inside
        then, now = self.reference.shares, self.current.shares
        before, after = (float(side[inside].sum()) for side in (then, now))
        outside = np.where(inside, 0.0, np.abs(now - then))
        if before <= 0 or not outside.any():
            return parts
        own = float(parts[inside].sum())
        lost = min((after * float(np.log(after / before)) if after else 0.0) - after + before, own)
        p, q = now[inside] / (after or 1.0), then[inside] / before
        with np.errstate(divide="ignore", invalid="ignore"):
            within = np.where(p > 0, p * np.log(np.where(q > 0, p / q, np.e)), 0.0) - p + q
        parts += lost * outside / outside.sum()
        parts[inside] = (own - lost) * within / within.sum() if within.sum() > 0 and after else 0.0
        # What is left of bins that did not move at all is rounding, and smoothing.
        parts[np.argmax(outside)] += float(np.sum(contributions)) - float(parts.sum())
        return parts

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which cells are bins or levels, or set apart from one."""
        binning = self.current.binning.whole
        inside = np.ones(binning.n_cells, bool)
        if not isinstance(binning, NumericBinning):
            inside[-3:] = False
        else:
            inside[[0, -2, -1] if len(binning.edges) else [-1]] = False
        return inside[self.current.binning.whole_cells]


_OUTSIDE = {
    "missing": "missing values",
    "unseen": "labels never seen before",
    "other": "rare labels",
    "below": "values below every bin",
    "above": "values above every bin",
}
_MOVED = {"bins": "shifts between bins", "levels": "shifts between levels"}


def _due_to(parts: Mapping[str, float], kl: float) -> str | None:
    """Say how much of the KL comes from other than shifts between bins or levels; None where that is little."""
    large = {name: part for name, part in parts.items() if part > 0 and part >= LEAST_SHARE * kl}
    # One sort alone is one cell, which has a line of its own, or the bins.
    if len(large) < 2 or not large.keys() & _OUTSIDE.keys():
        return None
    ranked = sorted(large, key=lambda name: (name in _MOVED, -large[name]))
    first, *others = [f"{figure(large[name])} are {(_OUTSIDE | _MOVED)[name]}" for name in ranked]
    return f"of {figure(kl)} nats {', '.join([first, *(part.replace(' are ', ' ', 1) for part in others)])}"


def explain(verdict: Verdict, evidence: Evidence | None, *, most: int = 3) -> list[str]:
    """Say in words which cells moved, the largest contribution first, and which labels are new.

    How far the values moved, such as ``"median 4 → 61, moved by 57 on average (Wasserstein-1)"``, comes first unless
    one cell outside of the bins is more than half of it. Of the cells, ``"missing rose from 0.9 % to 51 %: 0.93 of 1.28
    nats"``, ``"'klarna' 0 % → 8.1 % (not in the reference): 0.2 of 0.3 nats"``; then how much is due to missing and
    unknown values, ``"of 1.28 nats 0.93 are missing values, 0.35 shifts
    between bins"``; then in which slice of the rows it drifts; then new labels too rare for a cell. Empty where there
    is no score.
    """
    score = verdict.score
    if score is None or evidence is None:
        return []
    binning = evidence.current.binning
    moved = in_words(*evidence.descriptions, verdict.explanation.wasserstein, binning)
    lines = []
    cells, parts = evidence.cells(), evidence.caused(score.contributions)
    for i in np.argsort(-parts, kind="stable")[:most].tolist():
        name, rows_before, _, before_share, after_share = cells[i]
        if parts[i] <= 0 or parts[i] < LEAST_SHARE * score.kl:
            break
        verb = "rose" if after_share > before_share else "fell"
        label = name if isinstance(binning, NumericBinning) or i >= len(cells) - 3 else repr(name)
        line = f"{label} {verb} from {percent(before_share)} to {percent(after_share)}"
        if label != name and not rows_before:
            line = f"{label} 0 % → {percent(after_share)} (not in the reference)"
        lines.append(f"{line}: {figure(parts[i])} of {figure(score.kl)} nats")
    if moved:
        first = int(parts.argmax())
        lines.insert(1 if lines and not evidence.inside[first] and 2 * parts[first] > score.kl else 0, moved)
    if due := _due_to(evidence.due_to(score.contributions), score.kl):
        lines.append(due)
    if verdict.explanation.where:
        lines.append(verdict.explanation.where.words())
    news = [f"{shorten(label)} ({many(rows, 'row')})" for label, rows in evidence.newcomers()]
    if news:
        more = f" and {len(news) - most} more" if len(news) > most else ""
        lines.append(f"not in the reference: {', '.join(news[:most])}{more}")
    return lines
