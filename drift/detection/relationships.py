"""Relationships: whether columns still go together as they did, though each by itself is as it was.

Every pair of columns is compared with the reference apart from its margins (`drift.statistics.dependence`) in two ways:
by the share of rows that are paired at random, and by the divergence as a whole. Real days differ in both by more than
sampling explains, so each is measured in robust standard deviations beyond the pair's own history, which are not taken
to be less than sampling gives.

A pair that strays says of two columns that they no longer go together, not which of them is at fault. If one column
broke, the pairs it is in stray, and hardly one it is not in. So the column whose pairs carry most of the evidence is
named first, with its pairs, and what is left is searched again: one broken column is one finding. A column that drifts
by itself has an alert of its own, and its pairs are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from itertools import combinations, takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.detection.findings import Finding
from drift.detection.history import MIN_HISTORY, uncertainty
from drift.detection.onset import SEED, Onset, onset_along
from drift.detection.pair import SHOWN, Moved, PairMeasured, joint_tables, moved, what_moved
from drift.profiles.coarse_cells import COARSE, coarse
from drift.statistics import divergence
from drift.statistics.dependence import Dependence, dependence, mutual_information
from drift.statistics.false_discovery import benjamini_hochberg
from drift.statistics.two_sample_tests import combine
from drift.text.formatting import figure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from drift.config.detection import Detection
    from drift.detection.scores import Severity
    from drift.profiles.pairs import Pairs

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Singles = NDArray[np.float32]

UNUSUAL = 6.0
"""Robust standard deviations beyond its own history at which a column strays, by all its pairs together."""

ALONE = 9.0
"""… and by one of its pairs alone: there are many more of these, and each has a past of its own."""

FAR = 12.0
"""One window is enough, without waiting for the next, from here on."""

FARTHEST = 1e6
"""A pair whose past never differed is not further beyond it than this."""

LEAST_MIXED = 0.02
"""Fewer rows paired at random than this share are not worth a notification."""

NARROW = 0.5
"""A past that differs less than sampling, as a timetable does, is believed down to this share of it."""

HINT = 3.0
"""From here on a pair counts when it is asked which of two columns is at fault."""

BLOCK = 1 << 11
"""Pairs of two tables that are compared at once."""

_UPPER, _UPPER_NORMAL = 0.8, 0.8416212335729143


@dataclass(frozen=True, slots=True)
class Measured:
    """What the pairs of one window were measured at: the own history of those of later windows.

    Parameters
    ----------
    window_start
    reference : int64, shape (n_windows,)
        The windows it was compared with, by their start in seconds since 1970.
    columns
        Their pairs are in the order of `itertools.combinations`.
    mixed : float32, shape (n_pairs,)
        Share of rows paired at random; NaN where the window has too few rows to say.
    statistic : float32, shape (n_pairs,)
        Cube root of G over its mean under sampling alone; NaN as before.
    kl : float32, shape (n_pairs,)
        Bias-corrected divergence of the pairing, in nats.
    z : float32, shape (n_pairs,)
        How far beyond its own history; NaN where too little of that, or of the window, was known.
    strays : bool, shape (n_pairs,)
        Which pairs were unusual: no part of what is usual.
    """

    window_start: datetime
    reference: NDArray[np.int64] = field(repr=False)
    columns: tuple[str, ...]
    mixed: Singles = field(repr=False)
    statistic: Singles = field(repr=False)
    kl: Singles = field(repr=False)
    z: Singles = field(repr=False)
    strays: Bools = field(repr=False)

    def index(self, a: str, b: str) -> int:
        """Return the place of a pair of its columns, in either order."""
        first, second = sorted((self.columns.index(a), self.columns.index(b)))
        return first * (2 * len(self.columns) - first - 1) // 2 + second - first - 1

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """Its pairs, in order."""
        return list(combinations(self.columns, 2))

    def worst_first(self) -> list[int]:
        """Return the places of its pairs: those that stray first, then by how unusual they are."""
        return [int(i) for i in np.lexsort((-self.kl, -np.nan_to_num(self.z, nan=-np.inf), ~self.strays))]

    def of(self, a: str, b: str) -> PairMeasured:
        """Return what a pair of its columns was measured at."""
        return self.at(self.index(a, b))

    def at(self, i: int) -> PairMeasured:
        """Return what the pair at a place was measured at."""
        z, mixed = (None if np.isnan(each) else float(each) for each in (self.z[i], self.mixed[i]))
        return PairMeasured(self.window_start, float(self.kl[i]), mixed, z, bool(self.strays[i]))


@dataclass(frozen=True, slots=True)
class Relationship:
    """A pair of columns that does not go together as it did. Divergences in nats.

    Parameters
    ----------
    columns
    kl, kl_corrected, ci_low, ci_high, p
        Of the pairing alone, as in `drift.statistics.dependence.Dependence`.
    q
        The smallest false-discovery rate at which the pair would be called, over all pairs.
    z
        How far beyond its own history, in robust standard deviations; of two tables, beyond sampling.
    mixed
        Share of rows paired at random.
    before, after
        Mutual information in the reference, and today.
    moved
        The cells that carry most of the divergence, most first.
    """

    columns: tuple[str, str]
    kl: float
    kl_corrected: float
    ci_low: float
    ci_high: float
    p: float
    q: float
    z: float
    mixed: float
    before: float
    after: float
    moved: tuple[Moved, ...]

    def __str__(self) -> str:
        """Say what moved."""
        a, b = self.columns
        tie = f"mutual information {figure(self.before)} → {figure(self.after)}"
        return "; ".join([f"{a} × {b}: {figure(self.kl)} nats apart from both histograms, {tie}", *self.what_moved()])

    def what_moved(self, most: int = SHOWN) -> list[str]:
        """Say which cells go together in more or fewer rows."""
        return what_moved(self.columns, self.moved, most)


@dataclass(frozen=True, slots=True)
class Broken:
    """A column that no longer goes with others as it did, with the pairs that say so, the most unusual first.

    `onset` is since when, of one that lasts.
    """

    column: str
    severity: Severity
    lasting: bool
    z: float
    pairs: tuple[Relationship, ...]
    onset: Onset | None = None

    def __str__(self) -> str:
        r"""Say which columns it no longer goes with, and what moved in the clearest pair.

        Examples
        --------
        >>> pair = Relationship(("carrier", "origin"), 0.2, 0.2, 0.1, 0.3, 0, 0, 12.0, 0.1, 0.3, 0.2, ())
        >>> print(str(Broken("origin", "warning", True, 12.0, (pair,))).replace(" (", "\n("))
        origin no longer goes with carrier as it did
        (carrier × origin: 0.2 nats apart from both histograms, mutual information 0.3 → 0.2)
        """
        return f"{self.column} no longer goes with {', '.join(self.others)} as it did ({self.pairs[0]})"

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that it no longer goes with."""
        return tuple(pair.columns[pair.columns[0] == self.column] for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, in words and pair by pair."""
        return {
            "column": self.column,
            "severity": self.severity,
            "words": str(self),
            "pairs": [asdict(pair) for pair in self.pairs],
        }


def relationship_finding(broken: Broken) -> Finding:
    """Return the finding of a column; it opens an alert where it lasts."""
    pending = "" if broken.lasting else "; not yet for long enough"
    severity = broken.severity if broken.lasting else "none"
    return Finding("relationship", f"{broken}{pending}", broken.column, severity, broken.onset, broken.others)


@dataclass(frozen=True, slots=True)
class Relationships:
    """What is made of all pairs of a window; `why_not` says why none was judged, and is empty where they were."""

    measured: Measured | None
    broken: tuple[Broken, ...] = ()
    why_not: str = ""


def judge_relationships(
    reference: Pairs,
    current: Pairs,
    past: Sequence[Measured],
    detection: Detection,
    *,
    start: datetime,
    windows: Sequence[datetime] = (),
    drifting: Collection[str] = (),
) -> Relationships:
    """Compare how a window's columns go together with its reference, and with their own history.

    Parameters
    ----------
    reference, current
        Columns that only one has, or in other cells, are left out.
    past
        Earlier windows, oldest first.
    start
        Of this window.
    windows
        Of the reference, by their start.
    drifting
        Columns that drift by themselves.
    """
    columns = tuple(name for name, cells in current.columns.items() if reference.columns.get(name) == cells)
    if len(columns) < 2:
        return Relationships(None, (), "no two columns have counts in the same cells on both sides")
    if min(reference.n_rows, current.n_rows) < detection.min_rows:
        return Relationships(None, (), f"fewer than {detection.min_rows} rows")
    before = [_aligned(one, columns) for one in past[max(len(past) - detection.remembered, 0) :]]
    tables = joint_tables(reference, columns), joint_tables(current, columns)
    found = _in_blocks(*tables)
    # What nothing can be said of is not as usual: a window says nothing of a pair where its cells hold too few rows.
    mixed = np.where(np.isfinite(found.mixed_sd), found.mixed, np.nan)
    statistic = np.where(found.free > 0, np.cbrt(found.statistic / found.expected), np.nan)
    figures = mixed, statistic, found.kl_corrected

    def measured(z: Floats, strays: Sequence[int]) -> Measured:
        mixed, g, kl, far = (each.astype(np.float32) for each in (*figures, np.clip(z, -FARTHEST, FARTHEST)))
        strayed = np.isin(np.arange(len(z)), strays)
        starts = np.array([round(each.timestamp()) for each in windows], np.int64)
        return Measured(start, starts, columns, mixed, g, kl, far, strayed)

    if len(before) < (enough := MIN_HISTORY + detection.persistence.of - 1):
        few = f"only {len(before)} windows before this one were compared, and their own history takes {enough}"
        return Relationships(measured(np.full(len(statistic), np.nan), ()), (), few)
    now = _Window.of(columns, tables, found, (mixed, statistic), before)
    at_fault = now.at_fault(detection, drifting)
    judged = measured(np.where(now.known, now.z.max(axis=0), np.nan), [i for _, _, pairs in at_fault for i in pairs])
    recent = before[max(len(before) - detection.persistence.of + 1, 0) :]
    broken = []
    for at, z, pairs in at_fault:
        strayed = sum(bool(one.strays[now.of_column[:, at]].any()) for one in recent)
        lasting = strayed + 1 >= detection.persistence.at_least or z >= FAR
        of_each = tuple(now.relationship(i, current) for i in pairs)
        level = detection.effect.in_nats.level(max(pair.kl_corrected for pair in of_each))
        severity: Severity = "critical" if level == "critical" else "warning"
        since = _since([*before, judged], pairs, found) if lasting else None
        broken.append(Broken(columns[at], severity, lasting, z, of_each, since))
    return Relationships(judged, tuple(broken))


def compare_relationships(reference: Pairs, current: Pairs, detection: Detection) -> tuple[Broken, ...]:
    """Compare how the columns of two tables go together, the clearest first.

    Two tables have no history. A pair counts that differs by more than sampling, at the rate of false discoveries over
    all pairs, and by at least the divergence of a warning. What is ordinary is not known: none is more than a warning.

    Examples
    --------
    >>> from drift.config.detection import Detection
    >>> from drift.profiles.binning import CategoricalBinning
    >>> from drift.profiles.pairs import Pairs
    >>> columns = {name: coarse(CategoricalBinning(("a", "b"))) for name in ("x", "y")}
    >>> rows = np.arange(1000) % 2
    >>> before, after = (Pairs.of(columns, np.array([rows, y], np.uint8)) for y in (rows, rows[::-1]))
    >>> (broken,) = compare_relationships(before, after, Detection())
    >>> broken.column, broken.pairs[0].what_moved(most=1)
    ('x', ['x a goes with y b in 50.0 % of the rows, 0.1 % would be usual'])
    """
    columns = tuple(name for name, cells in current.columns.items() if reference.columns.get(name) == cells)
    if len(columns) < 2 or min(reference.n_rows, current.n_rows) < max(detection.min_rows, 1):
        return ()
    tables = joint_tables(reference, columns), joint_tables(current, columns)
    shares = [(each / each.sum(axis=(1, 2), keepdims=True)).reshape(len(each), -1) for each in tables]
    # The divergence of a pairing is part of that of the pair, and never more.
    large = divergence.kl_divergence(shares[1], shares[0]) >= detection.effect.in_nats.warning
    if not large.any():
        return ()
    now = _Window.without_past(columns, tables, large)
    found = [(columns[at], tuple(now.relationship(i, current) for i in pairs)) for at, pairs in now.changed(detection)]
    return tuple(
        Broken(name, "warning", lasting=True, z=max(pair.z for pair in pairs), pairs=pairs) for name, pairs in found
    )


def _in_blocks(reference: NDArray[np.int64], current: NDArray[np.int64]) -> Dependence:
    """Compare very many pairs in bounded memory."""
    starts = range(0, max(len(current), 1), BLOCK)
    blocks = [dependence(reference[i : i + BLOCK], current[i : i + BLOCK]) for i in starts]
    return Dependence(*(np.concatenate([getattr(each, one.name) for each in blocks]) for one in fields(Dependence)))


@dataclass(frozen=True, slots=True)
class _Window:
    """All pairs of a window beside their reference and their past."""

    pairs: Sequence[tuple[str, str]]
    of_column: Bools
    tables: tuple[NDArray[np.int64], NDArray[np.int64]]
    found: Dependence
    past: Floats
    more: Floats
    scale: Floats
    z: Floats
    known: Bools
    q: Floats

    @classmethod
    def of(
        cls,
        columns: tuple[str, ...],
        tables: tuple[NDArray[np.int64], NDArray[np.int64]],
        found: Dependence,
        figures: tuple[Floats, Floats],
        before: Sequence[Measured],
    ) -> _Window:
        """Compare each pair with its own past."""
        strays = np.stack([one.strays for one in before])
        # What was unusual is not part of what is usual, unless it is most of it.
        apart = strays & (2 * strays.sum(axis=0) <= len(before))
        mixed, whole = (
            np.where(apart, np.nan, np.stack(each)).astype(np.float64)
            for each in zip(*((one.mixed, one.statistic) for one in before), strict=True)
        )
        median, scale = _usual(mixed, NARROW * found.mixed_sd)
        of_whole = _usual(whole, np.sqrt(2 / (9 * np.maximum(found.free, 1))))
        z = np.stack([(figures[0] - median) / scale, (figures[1] - of_whole[0]) / of_whole[1]])
        known = np.asarray(np.isfinite(z).any(axis=0))
        pairs = list(combinations(columns, 2))
        of_column = _of_column(len(columns))
        q = benjamini_hochberg(combine(np.stack([found.p, found.p_mixed])))
        more = np.nan_to_num(found.mixed - median)
        return cls(pairs, of_column, tables, found, mixed, more, scale, np.nan_to_num(z), known, q)

    @classmethod
    def without_past(
        cls, columns: tuple[str, ...], tables: tuple[NDArray[np.int64], NDArray[np.int64]], large: Bools
    ) -> _Window:
        """Compare each pair that may differ by enough with what sampling alone would give."""
        tables = tables[0][large], tables[1][large]
        pairs = [pair for pair, each in zip(combinations(columns, 2), large, strict=True) if each]
        of_column = _of_column(len(columns))[large]
        found = _in_blocks(*tables)
        p = np.append(combine(np.stack([found.p, found.p_mixed])), np.ones(len(large) - len(pairs)))
        sampling = np.sqrt(2 / (9 * np.maximum(found.free, 1)))
        z = np.stack([found.mixed / found.mixed_sd, (np.cbrt(found.statistic / found.expected) - 1) / sampling])
        past, q = np.empty((0, len(pairs))), benjamini_hochberg(p)[: len(pairs)]
        known = np.ones(len(pairs), np.bool_)
        return cls(pairs, of_column, tables, found, past, found.mixed, found.mixed_sd, z, known, q)

    def changed(self, detection: Detection) -> list[tuple[int, list[int]]]:
        """Return the columns that explain which pairs differ by more than sampling and enough, by their divergence."""
        effect = self.found.kl_corrected
        left = (self.q <= detection.fdr) & (effect >= detection.effect.in_nats.warning)
        found: list[tuple[int, list[int]]] = []
        while left.any():
            at = int(np.argmax(np.where(left, effect, 0.0) @ self.of_column))
            mine = np.flatnonzero(left & self.of_column[:, at])
            found.append((at, mine[np.argsort(-effect[mine], kind="stable")].tolist()))
            left = left & ~self.of_column[:, at]
        return found

    def at_fault(self, detection: Detection, drifting: Collection[str]) -> list[tuple[int, float, list[int]]]:
        """Return the columns that explain what strays, each with how far and in which pairs, the clearest first."""
        strays = set(drifting)
        left = np.array([strays.isdisjoint(pair) for pair in self.pairs])
        significant, highest = self.q <= detection.fdr, self.z.max(axis=0)
        large = np.stack([self.more >= LEAST_MIXED, self.found.kl_corrected >= detection.effect.in_nats.warning])
        alone = np.where(large & significant & (self.z >= ALONE), self.z, 0.0).max(axis=0)
        found: list[tuple[int, float, list[int]]] = []
        while True:
            of_column = self.of_column & left[:, None]
            together = np.where((of_column & significant[:, None]).any(axis=0), self.mixed(left), 0.0)
            z = np.maximum(together, (of_column * alone[:, None]).max(axis=0))
            evidence = np.where(highest >= HINT, np.minimum(highest, FAR), 0.0) @ of_column
            if not (z >= UNUSUAL).any():
                return found
            at = int(np.argmax(np.where(z >= UNUSUAL, evidence, -1.0)))
            mine = np.flatnonzero(of_column[:, at])
            mine = mine[np.argsort(-highest[mine], kind="stable")]
            found.append((at, float(z[at]), mine[: max(1, int((highest[mine] >= HINT).sum()))].tolist()))
            left = left & ~self.of_column[:, at]

    def mixed(self, left: Bools) -> Floats:
        """Return how far each column's rows paired at random are beyond its own history, over the pairs left.

        The same rows stray in each of its pairs, so that their mean, weighted by how well each can tell, tells better.
        """
        weight = (
            np.where(left & np.isfinite(self.scale) & (self.scale > 0), 1 / self.scale**2, 0.0)[:, None]
            * self.of_column
        )
        total = weight.sum(axis=0)
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        middle = np.nan_to_num(_quantile(self.past, 0.5))
        past = np.where(np.isfinite(self.past), self.past, middle) @ weight
        median, scale = _usual(past, np.sqrt(np.divide(1, total, out=np.zeros_like(total), where=total > 0)))
        more = self.found.mixed @ weight - median
        z = np.divide(more, scale, out=np.zeros_like(more), where=total > 0)
        return np.where(more >= LEAST_MIXED, z, 0.0)

    def relationship(self, i: int, current: Pairs) -> Relationship:
        """Return what is said of one pair."""
        a, b = self.pairs[i]
        before, after = self.tables[0][i], self.tables[1][i]
        f, (low, high) = self.found, self.found.interval(i)
        of_a, of_b = (coarse(current.columns[name].binning, COARSE).names for name in (a, b))
        return Relationship(
            columns=(a, b),
            kl=float(f.kl[i]),
            kl_corrected=float(f.kl_corrected[i]),
            ci_low=low,
            ci_high=high,
            p=float(f.p[i]),
            q=float(self.q[i]),
            z=float(self.z[:, i].max()),
            mixed=float(f.mixed[i]),
            before=float(mutual_information(before)),
            after=float(mutual_information(after)),
            moved=moved((of_a, of_b), after, f.raked[i], before)[:SHOWN],
        )


def _of_column(columns: int) -> Bools:
    """Return which pairs, in the order of `itertools.combinations`, each of some columns is part of."""
    of_column = np.zeros((columns * (columns - 1) // 2, columns), np.bool_)
    for each in np.triu_indices(columns, 1):
        of_column[np.arange(len(of_column)), each] = True
    return of_column


def _aligned(one: Measured, columns: tuple[str, ...]) -> Measured:
    """Return what was measured of these columns' pairs; NaN of those that were not."""
    if one.columns == columns:
        return one
    at = {pair: i for i, pair in enumerate(combinations(one.columns, 2))}
    index = np.array([at.get(pair, at.get(pair[::-1], -1)) for pair in combinations(columns, 2)])
    known = index >= 0
    mixed, statistic, kl, z = (
        np.where(known, each[index], np.float32(np.nan)) for each in (one.mixed, one.statistic, one.kl, one.z)
    )
    return Measured(one.window_start, one.reference, columns, mixed, statistic, kl, z, known & one.strays[index])


def _since(windows: Sequence[Measured], pairs: list[int], found: Dependence) -> Onset | None:
    """Return since when some pairs stray, by what they were measured at in all windows up to this one."""
    figures = np.array([[*one.mixed[pairs], *one.statistic[pairs]] for one in windows], np.float64)
    figures = np.nan_to_num(np.where(np.isnan(figures), _quantile(figures, 0.5), figures))
    least = np.hstack([NARROW * found.mixed_sd[pairs], np.sqrt(2 / (9 * np.maximum(found.free[pairs], 1)))])
    changed = len(list(takewhile(lambda one: one.strays[pairs].any(), reversed(windows))))
    starts = [one.window_start for one in windows]
    return onset_along(starts, figures, least, changed, rng=np.random.default_rng(SEED))


def _usual(past: Floats, least: Floats) -> tuple[Floats, Floats]:
    """Return the median of each pair's past, and its robust standard deviation, raised where little of it is known.

    It is NaN where that is too little.
    """
    median, upper = _quantile(past, 0.5), _quantile(past, _UPPER)
    spread = np.maximum(1.4826 * _quantile(np.abs(past - median), 0.5), (upper - median) / _UPPER_NORMAL)
    raised = np.array([uncertainty(n) if n >= MIN_HISTORY else np.nan for n in range(len(past) + 1)])
    return median, np.maximum(spread, least) * raised[np.isfinite(past).sum(axis=0)]


def _quantile(values: Floats, share: float) -> Floats:
    """Return a quantile down each column of what is not NaN; NaN where all is."""
    ordered = np.sort(values, axis=0)
    at = share * np.maximum(np.isfinite(values).sum(axis=0) - 1, 0)
    low, column = at.astype(np.intp), np.arange(values.shape[1])
    high = np.minimum(low + 1, len(values) - 1)
    first, second = ordered[low, column], ordered[high, column]
    return np.asarray(np.where(at > low, first + (at - low) * (second - first), first))
