r"""Since when: the window in which a change began, as the most likely one and a 95 % set.

Every window is a vector, of a feature the :math:`\sqrt{\text{share}}` of its cells, each in units of what its own
ordinary windows differ by. Projected on what changed, the windows are one line, and an onset is a split of it. The gain
of a split is :math:`\frac{n_1 n_2}{n_1+n_2}(\bar x_2-\bar x_1)^2`; that of the largest gain is the most likely onset.

Another split is refuted, and not part of the set, if it were hardly ever so much worse than the best one: permutations
of the windows within each of its sides, all of them as likely if it is the true one, reach so large a gain in less than
5 % [1]_. Where a change was noticed in its first window there is nothing to permute. So a split is refuted, too, if the
windows between it and the best one lie `LIMIT` standard deviations from those that it puts them with.

A change is gradual where a ramp explains the line better than a step, by more than its two further parameters would by
chance.

References
----------
.. [1] Hore, R., and Ramdas, A. (2026). Conformal changepoint localization. arXiv:2602.06267.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from drift.text.formatting import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.histograms import Histogram
    from drift.windows import Calendar

    Floats = NDArray[np.float64]

OnsetKind = Literal["step", "gradual", "single"]

CONFIDENCE = 0.95

SEED = 2602
"""Of the permutations: the same window evaluated again is dated the same."""

PERMUTATIONS = 199

LIMIT = 4.0
"""In robust standard deviations."""

GRADUAL = 4.0
"""Twice the log-likelihood by which a ramp has to be better than a step."""

FEWEST = 7
"""Of fewer ordinary windows nothing is known of what is ordinary."""

_APART = 3
"""The last windows before a change was noticed may belong to it, and do not say what is ordinary."""

_SHORTEST_RAMP = 3


@dataclass(frozen=True, slots=True)
class Onset:
    """When a change began, by the starts of windows.

    Parameters
    ----------
    most_likely
        Where it began; of a gradual change the first window beyond what is ordinary.
    earliest, latest
        The ends of the set that holds the true window with `confidence`; of a gradual change those of its rise.
    kind
        ``step``; ``gradual`` where no window stands out; ``single`` where it came and went with one window.
    """

    most_likely: datetime
    earliest: datetime
    latest: datetime
    kind: OnsetKind = "step"
    confidence: float = CONFIDENCE

    def words(self, calendar: Calendar) -> str:
        """Say since when, by the names that a calendar gives its windows.

        Examples
        --------
        >>> from datetime import UTC
        >>> from drift.windows import Calendar
        >>> days = [datetime(2013, 3, each, tzinfo=UTC) for each in (7, 8)]
        >>> Onset(days[1], days[0], days[1]).words(Calendar("1d"))
        'since 2013-03-08, 2013-03-07 at the earliest'
        """

        def named(start: datetime) -> str:
            return calendar.label(calendar.containing(start))

        if self.kind == "single":
            return f"{named(self.most_likely)} only"
        how = "gradually since" if self.kind == "gradual" else "since"
        ends = [(self.earliest, "at the earliest"), (self.latest, "at the latest")]
        others = [f"{named(at)} {end}" for at, end in ends if at != self.most_likely and self.kind == "step"]
        return ", ".join([f"{how} {named(self.most_likely)}", *others])

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "most_likely": iso(self.most_likely),
            "earliest": iso(self.earliest),
            "latest": iso(self.latest),
            "confidence": self.confidence,
            "kind": self.kind,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Onset:
        """Read back what `to_dict` wrote."""
        best, first, last = (datetime.fromisoformat(stored[name]) for name in ("most_likely", "earliest", "latest"))
        return cls(best, first, last, stored["kind"], stored["confidence"])


def together(onsets: Sequence[Onset]) -> Onset | None:
    """Return the onset of changes that are one: what all their sets hold, if anything, and else what any does.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2026, 1, each, tzinfo=UTC) for each in range(1, 9)]
    >>> found = together([Onset(days[4], days[2], days[5]), Onset(days[4], days[3], days[4])])
    >>> found and (found.earliest.day, found.most_likely.day, found.latest.day)
    (4, 5, 5)
    """
    if not onsets:
        return None
    begins, ends = [each.earliest for each in onsets], [each.latest for each in onsets]
    shared = max(begins) <= min(ends)
    first, last = (max(begins), min(ends)) if shared else (min(begins), max(ends))
    days = sorted(each.most_likely for each in onsets)
    best = min(max(max(days, key=days.count), first), last)
    kinds = {each.kind for each in onsets}
    return Onset(best, first, last, kinds.pop() if len(kinds) == 1 else "step", onsets[0].confidence)


def onset(windows: Mapping[datetime, Histogram], changed: int, *, rng: np.random.Generator) -> Onset | None:
    """Date the change that the last windows of a feature show; None where too little is known of what is ordinary.

    Parameters
    ----------
    windows
        By their starts, oldest first, under one binning; those without rows are left out.
    changed
        How many of the last windows show the change.
    rng
        Draws the permutations.

    Examples
    --------
    >>> from datetime import date, timedelta
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.histograms import Histogram
    >>> carriers = CategoricalBinning(("UA", "B6"))
    >>> days = [date(2026, 1, 1) + timedelta(days=day) for day in range(30)]
    >>> counts = [[600 + 3 * (day % 7) - 80 * (day > 26), 400, 0, 0, 0] for day in range(30)]
    >>> windows = {day: Histogram(carriers, row) for day, row in zip(days, counts, strict=True)}
    >>> found = onset(windows, 2, rng=np.random.default_rng(1))
    >>> f"{found.kind} since {found.most_likely}, {found.earliest} at the earliest"
    'step since 2026-01-28, 2026-01-28 at the earliest'
    """
    known = {start: one for start, one in windows.items() if one.n}
    return onset_along(list(known), *_roots(list(known.values())), changed, rng=rng)


def onset_along(
    starts: Sequence[datetime], figures: Floats, least: Floats | float, changed: int, *, rng: np.random.Generator
) -> Onset | None:
    """Date the change that the last windows show in several figures at once, as `onset` does.

    Parameters
    ----------
    starts
        Of the windows, oldest first.
    figures : float64, shape (n_windows, n_figures)
    least : float64, shape (n_figures,), or one number
        What each differs by from window to window at least.
    changed
        How many of the last windows show the change.
    rng
        Draws the permutations.
    """
    ordinary = len(starts) - changed - _APART
    if ordinary < FEWEST or changed < 1:
        return None
    return _found(_line(figures, least, ordinary, slice(-changed, None)), starts, rng)


def onset_of(values: Mapping[datetime, float], *, rng: np.random.Generator) -> Onset | None:
    """Date the change that the last of some numbers shows, as `onset` does.

    Parameters
    ----------
    values
        By the starts of their windows, oldest first, each beside what is usual for its window.
    rng
        Draws the permutations.
    """
    if len(values) < FEWEST + _APART + 1:
        return None
    line = np.array(list(values.values()))
    line = line - np.median(line)
    line = line * np.sign(line[-1])
    changed = len(line) - 1 - int(np.flatnonzero(line <= line[-1] / 2).max(initial=-1))
    if len(line) - changed - _APART < FEWEST or changed < 1:
        return None
    return _found(line, list(values), rng)


def single(windows: Mapping[datetime, Histogram]) -> Onset | None:
    """Return the last window but one, where it alone strayed: the one before it and the last one are ordinary.

    Parameters
    ----------
    windows
        By their starts, oldest first, under one binning; those without rows are left out.
    """
    known = {start: one for start, one in windows.items() if one.n}
    ordinary = len(known) - 2 - _APART
    if ordinary < FEWEST:
        return None
    line = _line(*_roots(list(known.values())), ordinary, slice(-2, -1))
    line = (line - np.median(line[:ordinary])) / _spread(line[:ordinary])
    before, strayed, after = line[-3:]
    # A Saturday may lie as far out as every Saturday does.
    usual = max(LIMIT, float(line[:ordinary].max()))
    if strayed <= LIMIT or before > strayed / 2 or after > min(usual, strayed / 2):
        return None
    start = list(known)[-2]
    return Onset(start, start, start, "single")


def _found(line: Floats, starts: Sequence[datetime], rng: np.random.Generator) -> Onset:
    """Date the change along a line of windows."""
    if (rise := _rise(line)) is not None:
        return Onset(starts[rise[0]], starts[rise[0]], starts[rise[1]], "gradual")
    best, inside = localized(line, rng=rng)
    return Onset(starts[best], starts[inside[0]], starts[inside[-1]])


def localized(line: Floats, *, rng: np.random.Generator) -> tuple[int, list[int]]:
    """Return where a line of windows most likely splits, and all splits that are not refuted, in order.

    A split is the place of the first window after it, from 1 on.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> line = rng.normal(size=40) + 2 * (np.arange(40) >= 30)
    >>> localized(line, rng=rng)
    (30, [29, 30])
    """
    n = len(line)
    reached = _gain(line)
    best, most = int(reached.argmax()) + 1, float(reached.max()) * (1 - 1e-12)
    sums = np.concatenate([[0.0], np.cumsum(line)])
    unit = _spread(line[:best])
    keys = rng.random((PERMUTATIONS, n))

    def stands(split: int) -> bool:
        low, middle, high = (split, best, n) if split < best else (0, best, split)
        between = (sums[middle] - sums[low]) / (middle - low), (sums[high] - sums[middle]) / (high - middle)
        if abs(between[0] - between[1]) > LIMIT * unit * np.sqrt(1 / (middle - low) + 1 / (high - middle)):
            return False
        order = np.hstack([np.argsort(keys[:, :split], axis=1), split + np.argsort(keys[:, split:], axis=1)])
        as_large = int((_gain(line[order]).max(axis=1) >= most).sum())
        return (1 + as_large) / (PERMUTATIONS + 1) > 1 - CONFIDENCE

    return best, [split for split in range(1, n) if split == best or stands(split)]


def _roots(histograms: Sequence[Histogram]) -> tuple[Floats, float]:
    """Return the √share of each cell of each window, and the least that sampling makes of its spread."""
    counts = np.array([one.counts for one in histograms], np.float64).reshape(len(histograms), -1)
    rows = counts.sum(axis=1)
    return np.sqrt(counts / rows[:, None]), 0.5 / np.sqrt(np.median(rows)) if len(rows) else 0.0


def _line(figures: Floats, least: Floats | float, ordinary: int, changed: slice) -> Floats:
    """Project windows on what some of them changed, in units of the ordinary ones, the first so many."""
    middle = np.median(figures[:ordinary], axis=0)
    strayed = (figures - middle) / np.maximum(_spread(figures[:ordinary]), least)
    direction = strayed[changed].mean(axis=0)
    # What moved by less than half as much is noise beside what moved most.
    direction[np.abs(direction) < np.abs(direction).max() / 2] = 0.0
    return np.asarray(strayed @ direction / max(float(np.linalg.norm(direction)), np.finfo(np.float64).tiny))


def _spread(values: Floats) -> Floats:
    """Return the robust standard deviation: the larger of those by the median and by the 80th percentile."""
    away = np.abs(values - np.median(values, axis=0))
    found = np.maximum(1.4826 * np.median(away, axis=0), np.quantile(away, 0.8, axis=0) / 1.2816)
    return np.asarray(np.maximum(found, 1e-9))


def _gain(line: Floats) -> Floats:
    """Return what each split gains, along the last axis; none for one that lies lower behind it than before."""
    n = line.shape[-1]
    before = np.arange(1, n)
    head = np.cumsum(line, axis=-1)
    rise = (head[..., -1:] - head[..., :-1]) / (n - before) - head[..., :-1] / before
    return np.asarray(before * (n - before) / n * np.square(np.maximum(rise, 0.0)))


def _rise(line: Floats) -> tuple[int, int] | None:
    """Return the first and the last window of a ramp, where one explains the line clearly better than any step."""
    n = len(line)
    first, last = np.nonzero(np.subtract.outer(-np.arange(n), -np.arange(n)) >= _SHORTEST_RAMP)
    shapes = np.clip((np.arange(n) - first[:, None]) / (last - first)[:, None], 0.0, 1.0)
    ramps, steps = _left(line, shapes), _left(line, np.tri(n, k=-1)[1:, ::-1])
    best = int(ramps.argmin())
    if n * np.log(max(float(steps.min()), 1e-300) / max(float(ramps[best]), 1e-300)) < GRADUAL:
        return None
    return int(first[best]) + 1, int(last[best])


def _left(line: Floats, shapes: Floats) -> Floats:
    """Return the sum of squares that each shape, at its best height, leaves of a line."""
    away = line - line.mean()
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    return np.asarray(away @ away - np.square(shapes @ away) / np.square(shapes).sum(axis=1))
