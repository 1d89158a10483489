r"""Row counts: whether a window has more or fewer rows than usual, measured by how days themselves differ.

Rows do not come independently of each other, so no Poisson law says how many are usual: days do. What past windows
differ by beyond chance is a relative standard deviation :math:`\sigma`, and a count with the mean :math:`\mu` has the
variance :math:`\mu+\sigma^2\mu^2`. Anscombe's transformation [1]_ makes that the same for every mean, nearly 1:
:math:`f(x)=\frac{2}{\sigma}\operatorname{arsinh}(\sigma\sqrt{x+3/8})`.

References
----------
.. [1] Anscombe, F. J. (1948). The transformation of Poisson, binomial and negative-binomial data. *Biometrika* 35(3/4),
   246-254.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from drift.detection.history import uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
    from datetime import datetime, tzinfo

    from drift.windows import Window

LEAST = 3
"""Fewer windows say nothing of what is usual, in all or of one weekday."""

RESEMBLES = 2.0
"""Fewer times more, or fewer, rows than in a window of the same weekday or hour are like it."""

BETTER = 0.8
"""Weekdays, or hours, are told apart where what is left of the days' differences is at most this share of it."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows a window has beside what is usual.

    `usual` is the median of the windows it is compared with, `known` that of all windows known, however old; `sd` is
    the relative standard deviation of one such window, chance included; `z` is how many standard deviations the window
    lies above, or below, and `alike` what those windows have in common with it: ``weekday``, ``hour``, ``weekday and
    hour``, or nothing. `slack` is whether windows like it have less than half of the rows of others, as a Sunday may:
    that it is as usual then says little of the other days.
    """

    rows: int
    usual: float
    known: float
    sd: float
    z: float
    alike: str = ""
    slack: bool = False

    @property
    def factor(self) -> float:
        """How many times more rows than usual, or fewer, ≥ 1; infinite where one of both is none."""
        return _factor(self.rows, self.usual)

    @property
    def least_factor(self) -> float:
        """The same beside all that is known, if that is less: a reference that has just moved overstates it."""
        return min(self.factor, _factor(self.rows, self.known))


def _factor(rows: float, usual: float) -> float:
    less, more = sorted((rows, usual))
    return more / less if less else float("inf") if more else 1.0


def row_count(
    rows: int, window: Window, past: Mapping[Window, int], reference: Collection[Window], zone: tzinfo
) -> RowCount | None:
    """Compare the rows of a window with those of its reference, by how much all windows of the past differ.

    Windows of one weekday, hour or both are compared with each other where that explains how windows differ. None where
    there are fewer than `LEAST` windows.

    Examples
    --------
    >>> from datetime import UTC, date
    >>> from drift.windows import Calendar
    >>> calendar = Calendar("1d")
    >>> day = calendar.starting(date(2024, 2, 5))
    >>> weekdays = {each: 100 if each.start.weekday() > 4 else 1000 for each in calendar.before(day, 28)}
    >>> found = row_count(100, day, weekdays, list(weekdays), UTC)
    >>> found.usual, found.alike, round(found.z)
    (1000.0, 'weekday', -43)
    """
    best: RowCount | None = None
    local = {each: each.start.astimezone(zone) for each in sorted(past)}
    for alike, slot in _ALIKE.items():
        slots: dict[Hashable, list[Window]] = {}
        for each, start in local.items():
            slots.setdefault(slot(start), []).append(each)
        if best and (len(slots) == 1 or window.end - window.start > timedelta(days=2)):
            continue
        mine = slots.get(slot(window.start.astimezone(zone)), [])
        # The most recent windows like this one, where the reference itself holds too few.
        compared = [each for each in mine if each in reference]
        compared = compared if len(compared) >= LEAST else mine[-LEAST:]
        counts = [past[each] for each in compared]
        if len(compared) >= LEAST:
            found = _measured(rows, counts, [past[w] for w in mine], [[past[w] for w in s] for s in slots.values()])
            if best is None or found.sd <= BETTER * best.sd:
                best = replace(found, alike=alike)
        elif best and counts:
            # Too few to say how they differ: but what resembles them is not odd.
            found = _measured(rows, counts, counts, [list(past.values())])
            best = replace(found, alike=alike) if found.factor < RESEMBLES else best
    return best and replace(best, slack=best.usual * RESEMBLES < median(past.values()))


def beside_usual(counted: Mapping[Window, int], alike: str, zone: tzinfo) -> dict[datetime, float]:
    """Return how many times more rows than usual each window has, as a logarithm, by the starts of the windows.

    Usual is the median of the windows that are `alike`, as `RowCount` has it.

    Examples
    --------
    >>> from datetime import UTC, date
    >>> from drift.windows import Calendar
    >>> calendar = Calendar("1d")
    >>> days = calendar.before(calendar.starting(date(2024, 2, 5)), 14)
    >>> counted = {each: 100 if each.start.weekday() > 4 else 1000 for each in days}
    >>> set(beside_usual(counted, "weekday", UTC).values())
    {0.0}
    """
    slots: dict[Hashable, list[Window]] = {}
    for each in sorted(counted):
        slots.setdefault(_ALIKE[alike](each.start.astimezone(zone)), []).append(each)
    middles = [(some, median([counted[one] for one in some])) for some in slots.values()]
    usual = {each: middle for some, middle in middles for each in some}
    return {each.start: math.log((counted[each] + 0.5) / (usual[each] + 0.5)) for each in sorted(counted)}


_ALIKE: dict[str, Callable[[datetime], Hashable]] = {
    "": lambda _: None,
    "weekday": lambda local: local.weekday(),
    "hour": lambda local: (local.hour, local.minute),
    "weekday and hour": lambda local: (local.weekday(), local.hour, local.minute),
}
"""What windows may have in common: what is the same of the local start of each."""


def _measured(rows: int, compared: Sequence[int], known: Sequence[int], slots: Sequence[Sequence[int]]) -> RowCount:
    """Return what a window is beside those compared, given how the windows of each slot differ from its others."""
    distances: list[float] = []
    chance, free = 0.0, 0
    for some in slots:
        if len(some) < LEAST:
            continue
        for count, other in zip(some, _medians_of_others(some), strict=True):
            distances.append(abs(math.log((count + 0.5) / (other + 0.5))))
            chance += 1 / (other + 0.5)
        free += len(some) - 1
    distances.sort()
    place = 0.8 * (len(distances) - 1)
    low = distances[int(place)]
    upper = low + (place - int(place)) * (distances[math.ceil(place)] - low)
    # The median does not see a tail, nor what happens on less than half of the days.
    spread = max(1.4826 * median(distances), upper / 1.2816)
    excess = max(spread**2 - chance / len(distances), 0.0) * uncertainty(free + 1) ** 2
    # The median of the few windows compared is uncertain too.
    sigma = math.sqrt(excess * (1 + math.pi / 2 / len(compared)))
    usual = float(median(compared))
    z = _stable(rows, sigma) - _stable(usual, sigma)
    return RowCount(rows, usual, float(median(known)), math.sqrt(1 / max(usual, 1.0) + sigma**2), z)


def _medians_of_others(counts: Sequence[int]) -> list[float]:
    """Return for each of at least two counts the median of the others."""
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    ranked, n, found = [counts[i] for i in order], len(counts), [0.0] * len(counts)
    low, high = (n - 2) // 2, (n - 1) // 2
    for place, i in enumerate(order):
        found[i] = (ranked[low + (place <= low)] + ranked[high + (place <= high)]) / 2
    return found


def _stable(count: float, sigma: float) -> float:
    root = math.sqrt(count + 0.375)
    return 2 * root if sigma * root < 1e-6 else 2 / sigma * math.asinh(sigma * root)
