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
        """Return how much of the KL each sort of cell contributes, in nats; the parts add up to it.

        Examples
        --------
        >>> from drift.profiles.binning import CategoricalBinning
        >>> from drift.profiles.histograms import Histogram
        >>> side = Histogram(CategoricalBinning(("a", "b")), [1, 1, 0, 0, 0])
        >>> Evidence(side, side).due_to([0.25, 0.5, 0.0, 0.0, 1.0])
        {'levels': 0.75, 'other': 0.0, 'unseen': 0.0, 'missing': 1.0}
        """
        binning = self.current.binning
        # What is set apart is due to the cell that it was part of.
        whole = np.zeros(binning.whole.n_cells)
        np.add.at(whole, binning.whole_cells, contributions)
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
    if not large.keys() & _OUTSIDE.keys():
        return None
    ranked = sorted(large, key=lambda name: (name in _MOVED, -large[name]))
    first, *others = [f"{large[name]:.2g} are {(_OUTSIDE | _MOVED)[name]}" for name in ranked]
    return f"of {figure(kl)} nats {', '.join([first, *(part.replace(' are ', ' ', 1) for part in others)])}"


def explain(verdict: Verdict, evidence: Evidence | None, *, most: int = 3) -> list[str]:
    """Say in words which cells moved, the largest contribution first, and which labels are new.

    First how far the values moved, such as ``"median 4 → 61, Wasserstein-1 57"``; then how much comes from missing
    and unknown values, ``"of 1.28 nats 0.93 are missing values"``; then the cells, ``"missing rose from 0.9 % to
    51 %: 0.93 of 1.28 nats"``, ``"'klarna' 0 % → 8.1 % (not in the reference): 0.2 of 0.3 nats"``; then new labels
    too rare for a cell. Empty where there is no score.
    """
    score = verdict.score
    if score is None or evidence is None:
        return []
    binning = evidence.current.binning
    moved = in_words(*evidence.descriptions, verdict.explanation.wasserstein, binning)
    lines = [line for line in (moved, _due_to(evidence.due_to(score.contributions), score.kl)) if line]
    cells = evidence.cells()
    ranked = sorted(range(len(cells)), key=lambda i: -float(score.contributions[i]))
    for i in ranked[:most]:
        name, rows_before, _, before_share, after_share = cells[i]
        part = float(score.contributions[i])
        if part <= 0 or part < LEAST_SHARE * score.kl:
            break
        verb = "rose" if after_share > before_share else "fell"
        label = name if isinstance(binning, NumericBinning) or i >= len(cells) - 3 else repr(name)
        moved = f"{label} {verb} from {percent(before_share)} to {percent(after_share)}"
        if label != name and not rows_before:
            moved = f"{label} 0 % → {percent(after_share)} (not in the reference)"
        lines.append(f"{moved}: {part:.2g} of {figure(score.kl)} nats")
    news = [f"{shorten(label)} ({many(rows, 'row')})" for label, rows in evidence.newcomers()]
    if news:
        more = f" and {len(news) - most} more" if len(news) > most else ""
        lines.append(f"not in the reference: {', '.join(news[:most])}{more}")
    return lines
