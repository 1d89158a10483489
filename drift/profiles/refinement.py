"""Refinement: a cell of its own for a value that came out of nowhere, or went, inside a cell that others share.

Frozen bins hide it: a value that suddenly holds 1 % of the rows adds a tenth to its decile, KL .0005 where a cell of
its own says .05; of all labels that are rare or unknown one may become another, KL 0. Which values recur was counted
with the windows (`drift.profiles.heavy_hitters`), so both sides of a comparison can be given that cell before they are
scored, and everything behind works on the refined pair: divergence, test, contributions, words.

Looking at the data before choosing the cells would spoil the test if it happened by chance. It hardly ever does: a
value is set apart only where chance would bring it about once in a million times, even if the other side held as many
rows of it as its list of values leaves room for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from drift.errors import BinningMismatch
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

LEAST_SHARE = 0.005
LEAST_ROWS = 10
"""A value is news from this share of the rows on, and from this many rows."""

NEARLY_ABSENT = 0.2
"""… where the other side holds no more than this part of its share,"""

BY_CHANCE = 1e-6
"""… which chance would do more rarely than this."""

WORTH_A_LOOK = 0.1
"""From this chance on a label is nothing special."""

MOST = 8
"""Values set apart at once: those with the largest shares."""


@lru_cache(maxsize=1 << 10)  # a pair is asked for when a reference is chosen, and when it is scored
def refined(reference: Histogram, current: Histogram) -> tuple[Histogram, Histogram]:
    """Set values apart that are new, or gone, in a bin that shows little of it, or among *other* and *unseen*.

    Both sides keep their rows and share one binning again. The atoms are spent, but for labels, which can be named, and
    tested, though they have no cell. Histograms that do not compare are left as they are.

    Examples
    --------
    >>> from drift.profiles.counting import count_numbers
    >>> tenths = NumericBinning(np.arange(11) / 10)
    >>> usual = (np.arange(5000) + 0.5) / 5000
    >>> before, after = refined(count_numbers(tenths, usual), count_numbers(tenths, [*usual[50:], *[0.3] * 50]))
    >>> after.binning.cells[4:6], before.counts[4:6].tolist(), after.counts[4:6].tolist()
    (('[0.3, 0.4) without 0.3', '= 0.3'), [500, 0], [500, 50])
    """
    binning = reference.binning
    if binning.fingerprint != current.binning.fingerprint:
        return reference, current
    news = _news(reference, current, binning)
    finer: Binning = binning
    if news and isinstance(binning, NumericBinning):
        finer = replace(binning, apart=np.sort(np.array(news, np.float64)))
    elif news and isinstance(binning, CategoricalBinning):
        finer = replace(binning, apart=tuple(map(str, news)))
    return under(finer, reference), under(finer, current)


def refined_pairs(
    reference: Profile, current: Profile, features: Collection[str] | None = None
) -> dict[str, tuple[Histogram, Histogram]]:
    """Return both histograms, refined, of each feature that both profiles have; of some features only where given."""
    wanted = current.histograms if features is None else [f for f in current.histograms if f in features]
    shared = [feature for feature in wanted if feature in reference.histograms]
    return {feature: refined(reference.histograms[feature], current.histograms[feature]) for feature in shared}


def under(binning: Binning, histogram: Histogram) -> Histogram:
    """Return a histogram as it was refined once: under a binning that sets values of its own bins apart.

    A binning with other bins is a `BinningMismatch`.
    """
    atoms = None if isinstance(binning, NumericBinning) else histogram.atoms
    if binning.fingerprint == histogram.binning.fingerprint:
        return Histogram(binning, histogram.counts, atoms)
    if binning.whole.fingerprint != histogram.binning.fingerprint:
        raise BinningMismatch(
            f"binning {binning.fingerprint} is not a refinement of {histogram.binning.fingerprint}: "
            "profile the window under it"
        )
    apart = binning.apart
    rows = histogram.atoms.rows_of(apart)[0] if histogram.atoms else np.zeros(len(apart), np.int64)
    return Histogram(binning, binning.set_apart(histogram.counts, rows), atoms)


def _news(reference: Histogram, current: Histogram, binning: Binning) -> list[float | str]:
    """Return the values that are new or gone and hidden, those with the largest shares first."""
    found: dict[float | str, float] = {}
    for here, there in ((reference, current), (current, reference)):
        for value, share in _only_here(here, there, binning):
            found[value] = max(share, found.get(value, 0.0))
    return sorted(found, key=lambda value: (-found[value], value))[:MOST]


def _only_here(here: Histogram, there: Histogram, binning: Binning) -> list[tuple[float | str, float]]:
    """Return values and their shares that one side has and the other hardly, in bins that both have."""
    if here.atoms is None or there.atoms is None or not here.n or not there.n:
        return []
    many = here.atoms.rows >= max(LEAST_ROWS, LEAST_SHARE * here.n)
    values, rows = here.atoms.values[many], here.atoms.rows[many]
    if not len(values):
        return []
    bins = there.counts[binning.cell_of(values.tolist())]
    shares, most = rows / here.n, np.minimum(there.atoms.rows_of(values)[1], bins)
    hidden = most <= NEARLY_ABSENT * shares * there.n
    if isinstance(binning, NumericBinning):
        # Where the whole bin is as new as the value, the bins show it already; a label they would not name. Nor is it
        # news that the last value is another one by a little.
        hidden &= (bins > NEARLY_ABSENT * shares * there.n) & ~binning.at_the_end(values)
    if not hidden.any():
        return []
    chosen = hidden & (_chance(rows, most, here.n, there.n) <= BY_CHANCE)
    return list(zip(values[chosen].tolist(), shares[chosen].tolist(), strict=True))


def _chance(rows: Counts, most: Counts, n: int, m: int) -> Floats:
    """Return how likely at least so many of all rows with a value are from here, if at most so many are from there.

    Each is drawn from here with the chance n / (n + m): by the binomial law, and by the hypergeometric one, which is
    the exact one, more rarely still.
    """
    from scipy.special import betainc

    return np.asarray(betainc(rows, most + 1.0, n / (n + m)))


def newest_label(reference: Histogram, current: Histogram) -> float:
    """Return how likely chance is to bring about what happened to a label without a level, of all such labels.

    The least likely of them counts, as often as there can be labels with so many rows, and as often as a level may be
    expected to have been without. So a new label is news in
    proportion to its rows, long before it is set apart. NaN where nothing is special, for numbers, and where nobody
    looked.

    Examples
    --------
    >>> from drift.profiles.counting import count_labels
    >>> binning = CategoricalBinning(("a",), rare=("b", "c"))
    >>> before = count_labels(binning, ["a", "b", "c"], [900, 60, 40])
    >>> after = count_labels(binning, ["a", "b", "c", "NEW"], [90, 6, 2, 4])
    >>> round(newest_label(before, after), 3)
    0.004
    """
    known = reference.atoms, current.atoms
    if isinstance(reference.binning, NumericBinning) or None in known or not reference.n or not current.n:
        return math.nan
    whole = reference.whole(), current.whole()
    pooled = whole[0].counts + whole[1].counts
    levels, hidden = pooled[:-3], int(pooled[-3:-1].sum())
    least = 1.0
    for here, there in (whole, whole[::-1]):
        if here.atoms and there.atoms and len(here.atoms.values):
            labels, rows = here.atoms.values.tolist(), here.atoms.rows
            most = np.minimum(there.atoms.rows_of(labels)[1], there.counts[there.binning.cell_of(labels)])
            of_all = np.maximum(hidden / (rows + most), 1.0) * _chance(rows, most, here.n, there.n)
            i = int(of_all.argmin())
            # A level might have been as rare there, and then it would not be one.
            alike = levels[levels >= rows[i] + most[i]]
            by_luck = _chance(alike - most[i], np.full(len(alike), most[i]), here.n, there.n).sum()
            least = min(least, float(2 * (of_all[i] + by_luck)))
    return least if least < WORTH_A_LOOK else math.nan
