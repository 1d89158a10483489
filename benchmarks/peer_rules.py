"""The rules of Drift's peers, written anew from their published formulas, on values with their counts.

Evidently 0.7, NannyML 0.13 and what is usual elsewhere. Missing values are dropped, as they drop them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, kolmogorov

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one feature that are present, each once, with its rows; a category's value is a code."""

    values: Floats
    rows: Floats

    @property
    def n(self) -> float:
        """Rows."""
        return float(self.rows.sum())

    def on(self, values: Floats) -> Floats:
        """Return the rows of each of some values that hold all of its own."""
        found = np.zeros(len(values))
        found[np.searchsorted(values, self.values)] = self.rows
        return found


def pooled(samples: Sequence[Sample]) -> Sample:
    """Add samples up."""
    values, at = np.unique(np.concatenate([s.values for s in samples]), return_inverse=True)
    return Sample(values, np.bincount(at, np.concatenate([s.rows for s in samples])).astype(np.float64))


def shared(before: Floats, after: Floats, values: Floats, *, numeric: bool) -> tuple[Floats, Floats]:
    """Return both sides' shares in Evidently's bins: Sturges' over both samples, or one for each category."""
    if numeric:
        bins = int(np.ceil(np.log2(before.sum() + after.sum()) + 1))
        edges = np.linspace(values[0], values[-1], bins + 1)
        before, after = (np.histogram(values, edges, weights=side)[0] for side in (before, after))
    return before / before.sum(), after / after.sum()


def filled(shares: Floats) -> Floats:
    """Fill empty bins as Evidently does: with 1e-4, or a millionth of the least share where this is less."""
    least = shares[shares > 0].min()
    return np.where(shares > 0, shares, least / 1e6 if least <= 1e-4 else 1e-4)


def kl(p: Floats, q: Floats) -> float:
    """Return D(p‖q) in nats, as `scipy.stats.entropy` does: both normalised."""
    p, q = p / p.sum(), q / q.sum()
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())


def js_distance(p: Floats, q: Floats) -> float:
    """Return the Jensen-Shannon distance, base e, as `scipy.spatial.distance.jensenshannon` does."""
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(np.sqrt(max((kl(p, middle) + kl(q, middle)) / 2, 0)))


def psi(before: Floats, after: Floats, *, numeric: bool) -> float:
    """Return PSI over the deciles of the reference, or the categories of both; empty ones hold 1e-4."""
    if numeric:
        below = np.cumsum(before)
        # The value at which each decile ends; a value wide enough to hold several ends them all.
        ends = np.unique(np.searchsorted(below, np.arange(1, 10) / 10 * below[-1]))
        starts = [0, *(ends + 1)]
        before, after = (np.add.reduceat(np.append(side, 0.0), starts) for side in (before, after))
    p, q = (np.maximum(side / side.sum(), 1e-4) for side in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def wasserstein(before: Floats, after: Floats, values: Floats) -> float:
    """Return the Wasserstein-1 distance in standard deviations of the reference, as Evidently norms it."""
    share = before / before.sum()
    sd = np.sqrt((share * (values - share @ values) ** 2).sum())
    gap = np.abs(np.cumsum(share) - np.cumsum(after / after.sum()))[:-1]
    return float((gap * np.diff(values)).sum() / max(sd, 1e-3))


def ks_p(before: Floats, after: Floats) -> float:
    """Return the asymptotic p-value of the two-sample Kolmogorov-Smirnov test."""
    n, m = before.sum(), after.sum()
    gap = np.abs(np.cumsum(before) / n - np.cumsum(after) / m).max()
    return float(kolmogorov(np.sqrt(n * m / (n + m)) * gap))


def chi_square_p(before: Floats, after: Floats) -> float:
    """Return Evidently's chi-square p-value: the reference's shares, unfilled, as if they were exact.

    A category that the reference has not makes it 0.
    """
    if (after[before == 0] > 0).any():
        return 0.0
    expected = before[before > 0] / before.sum() * after.sum()
    return float(chdtrc(max(len(expected) - 1, 1), ((after[before > 0] - expected) ** 2 / expected).sum()))


def js_of_chunks(reference: Sample, chunks: Sequence[Sample], *, numeric: bool) -> list[float]:
    """Return NannyML's Jensen-Shannon distance (base 2) of each chunk from the reference.

    Doane's bins of the reference, or its categories; what a chunk holds beyond them is one cell more.
    """
    values, rows = reference.values, reference.rows
    if numeric:
        n, mean = reference.n, rows @ values / reference.n
        sd = np.sqrt(rows @ (values - mean) ** 2 / n)
        skew = abs(rows @ ((values - mean) / sd) ** 3 / n) / np.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
        edges = np.linspace(values[0], values[-1], int(np.ceil(1 + np.log2(n) + np.log2(1 + skew))) + 1)
        cells_of = [np.histogram(c.values, edges, weights=c.rows)[0] for c in (reference, *chunks)]
    else:
        kept = [np.isin(c.values, values) for c in chunks]
        inside = [Sample(c.values[k], c.rows[k]) for c, k in zip(chunks, kept, strict=True)]
        cells_of = [rows, *(c.on(values) for c in inside)]
    first, *others = (
        np.append(inner, side.n - inner.sum()) for inner, side in zip(cells_of, (reference, *chunks), strict=True)
    )
    return [js_distance(first, other) / np.sqrt(np.log(2)) for other in others]


RULES = (
    "Evidently KL ≥ .1",
    "Evidently automatic",
    "PSI ≥ .1",
    "PSI ≥ .2",
    "JS distance ≥ .1",
    "KS / χ² p < .05",
    "NannyML mean + 3σ",
)


def told_by(chunks: Sequence[Sample], today: Sample, *, numeric: bool) -> frozenset[str]:
    """Return the rules that call a day, compared with the days before it.

    Parameters
    ----------
    chunks
        The reference, a day each.
    today
    numeric
        Whether the feature is a number.
    """
    reference = pooled(chunks)
    values = np.union1d(reference.values, today.values)
    before, after = reference.on(values), today.on(values)
    p, q = shared(before, after, values, numeric=numeric)
    distance, stability = js_distance(p, q), psi(before, after, numeric=numeric)
    *known, now = js_of_chunks(reference, [*chunks, today], numeric=numeric)
    told = {
        "Evidently KL ≥ .1": kl(filled(p), filled(q)) >= 0.1,
        # With more than 1,000 reference rows; the days here have 18,000 to 28,000.
        "Evidently automatic": (wasserstein(before, after, values) if numeric else distance) >= 0.1,
        "PSI ≥ .1": stability >= 0.1,
        "PSI ≥ .2": stability >= 0.2,
        "JS distance ≥ .1": distance >= 0.1,
        "KS / χ² p < .05": (ks_p if numeric else chi_square_p)(before, after) < 0.05,
        "NannyML mean + 3σ": now > np.mean(known) + 3 * np.std(known),
    }
    return frozenset(rule for rule, called in told.items() if called)
