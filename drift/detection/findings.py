"""Findings: what a window shows beside its scores, such as a frozen column or a number of rows that changed for good.

A trailing reference adapts to whatever lasts, and its divergence then falls back to nothing. These findings compare
with the windows of the baseline, so they stay in sight until the column moves again or a new baseline is promoted.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from drift.detection.onset import Onset
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram
from drift.profiles.kinds import same_family
from drift.text.formatting import number, percent, thousands

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from drift.detection.row_counts import RowCount
    from drift.detection.scores import Past, Severity, Verdict
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile, Summary

VOLUME_FACTOR, VOLUME_CRITICAL = 2.0, 10.0
"""A window with this many times more, or fewer, rows than usual is a finding; from the second on a critical one."""

VOLUME_Z = 5.0
"""And only where it lies this many standard deviations from what is usual."""

BY_CHANCE = 1e-6
"""A column is called frozen, or empty, where chance alone would make it so more rarely than this."""

OUTGROWN = 0.5
"""Bins no longer fit where more than this share of the values is outside of all of them."""

MOVED = 14
"""A feature has moved where this many windows in a row are critically far from the baseline: two weeks of days."""
FAILING = 3
"""A feature that fails with an error in this many windows in a row is an alert: the next one will not mend it."""


FindingKind = Literal[
    "missing_column",
    "new_column",
    "retyped_column",
    "recast_column",
    "frozen",
    "all_null",
    "adapted",
    "bins_outgrown",
    "moved",
    "fewer_rows",
    "more_rows",
    "no_rows",
    "no_reference",
    "not_judged",
    "read_as",
    "relationship",
    "other",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """News of a window beside its scores: a column that changed, an odd number of rows, too short a reference.

    Alerts are keyed by its kind. `severity` is that of the alert which it opens, ``none`` where it opens none. `onset`
    is since when, of a number of rows or a relationship; `others` are the columns that one no longer goes with.
    """

    kind: FindingKind
    message: str
    column: str | None = None
    severity: Severity = "none"
    onset: Onset | None = None
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**asdict(self), "onset": self.onset and self.onset.to_dict(), "others": list(self.others)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Finding:
        """Read back what `to_dict` wrote."""
        onset, others = stored["onset"] and Onset.from_dict(stored["onset"]), tuple(stored["others"])
        return cls(**{**stored, "onset": onset, "others": others})


def schema_findings(reference: Mapping[str, str], current: Mapping[str, str], features: Iterable[str]) -> list[Finding]:
    """Say which of the features' columns appeared, vanished or changed type.

    Examples
    --------
    >>> [str(f) for f in schema_findings({"a": "int64", "b": "string"}, {"a": "double", "c": "bool"}, "abc")]
    ['column a: double now, int64 in the reference', 'column b: missing', 'column c: new (bool)']
    """
    if not reference or not current:
        # A side that holds nothing at all has no schema to differ from.
        return []
    found = []
    for name in features:
        before, after = reference.get(name), current.get(name)
        if before is None and after is not None:
            found.append(Finding("new_column", f"column {name}: new ({after})", name, "warning"))
        elif before is not None and after is None:
            found.append(Finding("missing_column", f"column {name}: missing", name, "critical"))
        elif before is None or after is None or before == after or "null" in {before, after}:
            continue
        elif same_family(before, after):
            found.append(Finding("recast_column", f"column {name}: {after} now, {before} in the reference", name))
        else:
            message = f"column {name}: type changed from {before} to {after}"
            found.append(Finding("retyped_column", message, name, "warning"))
    return found


def reading_findings(reference: Mapping[str, str], current: Mapping[str, str]) -> list[Finding]:
    """Say how the rows were read, by the notes of both sides, where it is not what everybody would expect.

    Examples
    --------
    >>> [str(f) for f in reading_findings({"": "CSV files are separated by tabs"}, {"x": "text is read as numbers"})]
    ['column x: text is read as numbers', 'CSV files are separated by tabs, in the reference']
    """
    before = {name: f"{note}, in the reference" for name, note in reference.items() if name not in current}
    return [
        Finding("read_as", f"column {name}: {note}" if name else note, name or None)
        for name, note in {**current, **before}.items()
    ]


def constant(histogram: Histogram, summary: Summary | None) -> str | None:
    """Return the only value among those present, in words; None where there are more, or none.

    Numbers that share a cell are distinguished by their extremes; labels that share *other* or *unseen* cannot be.
    """
    binning = histogram.binning
    if isinstance(binning, NumericBinning):
        if summary is None or summary.n == 0 or summary.infinite or summary.low is None or summary.low != summary.high:
            return None
        return binning.format(summary.low)
    occupied = [cell for cell, n in enumerate(histogram.counts[: binning.missing].tolist()) if n]
    if len(occupied) != 1 or occupied[0] >= len(binning.levels):
        return None
    return repr(binning.levels[occupied[0]])


def still_findings(current: Profile, baselines: Mapping[str, Sequence[Profile]], *, min_rows: int) -> list[Finding]:
    """Say which columns hold one value, or none at all, in every row, where no window of their baseline did.

    The baseline of each feature is given as one profile a window. Fewer rows than `min_rows` say nothing.
    """
    found = []
    for feature, now in current.histograms.items():
        before = [p for p in baselines.get(feature, ()) if feature in p.histograms and p.histograms[feature].n]
        if not before or now.n < min_rows:
            continue
        finding = _still(feature, now, current.summaries.get(feature), before)
        if finding:
            found.append(finding)
    return found


def _still(feature: str, now: Histogram, summary: Summary | None, before: Sequence[Profile]) -> Finding | None:
    value = constant(now, summary)
    if now.n_missing < now.n and value is None:
        return None
    histograms = [p.histograms[feature] for p in before]
    total = Histogram.total(histograms)
    rows, missing = total.n, total.n_missing
    if now.n_missing == now.n:
        ordinary = any(h.n_missing == h.n for h in histograms) or _likely(missing / rows, now.n)
        words = f"column {feature}: no value in any row, where {percent(missing / rows, 1)} are missing in the baseline"
        return None if ordinary else Finding("all_null", words, feature)
    if any(constant(p.histograms[feature], p.summaries.get(feature)) for p in before):
        return None
    present = now.n - now.n_missing
    share = float(total.counts[int(now.counts[:-1].argmax())]) / max(rows - missing, 1)
    if _likely(share, present):
        return None
    rest = "in every row" if not now.n_missing else "in every row that has one"
    variety = _variety(total, [p.summaries.get(feature) for p in before])
    words = f"column {feature}: one value ({value}) {rest}, where the baseline had {variety}"
    return Finding("frozen", words, feature)


def _likely(share: float, rows: int) -> bool:
    """Whether this many rows may all fall into a cell of this share."""
    return bool(share**rows >= BY_CHANCE)


def _variety(total: Histogram, summaries: Sequence[Summary | None]) -> str:
    binning = total.binning
    if isinstance(binning, CategoricalBinning):
        if binning.rare is None:
            return "thousands"
        return thousands(int((total.counts[: len(binning.levels)] > 0).sum()) + len(binning.rare))
    known = [s for s in summaries if s]
    lows, highs = [s.low for s in known if s.low is not None], [s.high for s in known if s.high is not None]
    return f"{binning.format(min(lows))} … {binning.format(max(highs))}" if lows and highs else "others"


def outgrown_findings(
    current: Profile, baselines: Mapping[str, Sequence[Profile]], *, monitor: str, min_rows: int
) -> list[Finding]:
    """Say which columns have outgrown their bins: one cell holds most of what there is, and hides what moves in it.

    Parameters
    ----------
    current
    baselines
        The windows each feature's baseline is made of, one profile each.
    monitor
        Its name, for the command that fits the bins again.
    min_rows
        Fewer values say nothing.

    Returns
    -------
    list of Finding
        Of kind ``bins_outgrown``, for features of which most values lie below, above or among the unseen labels, where
        they did not in the baseline; which had no value in the baseline and have now; or whose whole baseline has fewer
        values than this one window.
    """
    again = f"drift baseline fit {monitor} gives it bins that fit"
    found = []
    for feature, now in current.histograms.items():
        before = [p.histograms[feature] for p in baselines.get(feature, ()) if feature in p.histograms]
        values = now.n - now.n_missing
        if not before or values < min_rows:
            continue
        known = sum(each.n - each.n_missing for each in before)
        out = outside(now)
        words = ""
        if not known:
            words = "had no value in the baseline, and has now"
        elif out > OUTGROWN and out > 2 * (was := max(outside(Histogram.total(before)), expected_outside(now.binning))):
            words = f"{percent(out)} of its values are outside of its bins, {percent(was)} in the baseline"
        elif len(before) > 1 and known < values:
            words = (
                f"its bins were fitted on {thousands(known)} values, fewer than the {thousands(values)} of this window"
            )
        if words:
            found.append(Finding("bins_outgrown", f"column {feature}: {words}: {again}", feature))
    return found


def outside(histogram: Histogram) -> float:
    """Return the share of the values that are in no bin, and are no label that the bins know.

    Examples
    --------
    >>> from drift.profiles.histograms import Histogram
    >>> outside(Histogram(NumericBinning([0, 1]), [1, 6, 3, 10])), outside(Histogram(NumericBinning([]), [5, 1]))
    (0.4, 1.0)
    """
    binning, values = histogram.binning, max(histogram.n - histogram.n_missing, 1)
    if isinstance(binning, CategoricalBinning):
        return float(histogram.counts[binning.unseen] / values)
    return float(1 - histogram.counts[1 : binning.missing - 1].sum() / values)


def expected_outside(binning: Binning) -> float:
    """Return the share of new labels that a column has anyway, as the fit leaves to expect (Good & Turing, 1953)."""
    known = binning.vocabulary if isinstance(binning, CategoricalBinning) else None
    return known.once / known.rows if known and known.rows else 0.0


def volume_findings(
    current: RowCount | None, once: RowCount | None = None, *, label: str = "", before: RowCount | None = None
) -> list[Finding]:
    """Say whether a window has far more or fewer rows than usual now, or than usual in the baseline.

    None where nothing is known of it; `label` is when the baseline was. `before` is of the last day that was not slack,
    where this one is: what was odd then is not over for a Sunday that is as usual. Such a finding has no severity.

    Examples
    --------
    >>> from drift.detection.row_counts import RowCount
    >>> print(*volume_findings(RowCount(400, 1000.0, 1000.0, 0.08, -7.1)))
    400 rows, 60 % fewer than usual (1,000, give or take 8.0 %)
    >>> print(*volume_findings(RowCount(1400, 50.0, 50.0, 0.14, 60.0, "weekday")))
    1,400 rows, 28 times as many as usual on this weekday (50, give or take 14 %)
    >>> print(*volume_findings(None, RowCount(400, 1050.0, 1050.0, 0.08, -7.4), label="January"))
    400 rows, 62 % fewer than usual in the baseline of January (1,050, give or take 8.0 %): the reference has adapted
    """
    if current and _odd(current):
        # Where nothing at all is usual no factor says how much this is.
        severity: Severity = "critical" if VOLUME_CRITICAL <= current.least_factor < math.inf else "warning"
        return [Finding(_direction(current), _amount(current, _where(current)), severity=severity)]
    if current and before and _odd(before):
        words = f"{thousands(current.rows)} rows are usual{_where(current)}, and before it were {_amount(before, '')}"
        return [Finding(_direction(before), words)]
    if once and _odd(once):
        baseline = f" in the baseline{label and f' of {label}'}"
        return [Finding("adapted", f"{_amount(once, baseline)}: the reference has adapted")]
    return []


def _direction(found: RowCount) -> FindingKind:
    return "more_rows" if found.z > 0 else "fewer_rows"


def _where(found: RowCount) -> str:
    return f" {'in' if 'hour' in found.alike else 'on'} this {found.alike}" if found.alike else ""


def _odd(found: RowCount) -> bool:
    return found.factor >= VOLUME_FACTOR and abs(found.z) >= VOLUME_Z


def _amount(found: RowCount, where: str) -> str:
    """Say how many rows there are, and how many are usual."""
    usual = f"usual{where} ({thousands(round(found.usual))}, give or take {percent(found.sd)})"
    if found.z < 0:
        return f"{thousands(found.rows)} rows, {percent(1 - found.rows / found.usual)} fewer than {usual}"
    times = f"{number(round(found.factor, 1))} times as many as" if found.usual else "where there are none"
    return f"{thousands(found.rows)} rows, {times} {usual if found.usual else f'usually{where}'}"


def moved_findings(verdicts: Iterable[Verdict], history: Mapping[str, Sequence[Past]]) -> list[Finding]:
    """Say which features move away from the baseline too slowly for any window to drift.

    At least as far from the baseline as their critical threshold in each of the last `MOVED` windows, this one too;
    farther than in as many windows before, and these farther again; and in no window known did they drift. A ramp stays
    within its own recent history, and a trailing reference follows it; the baseline does not. What is always far on
    some weekdays, or stepped once, has not moved slowly. It is a finding and not an alert: a season may move a feature
    just so, and whether that matters to a model is not in the data.
    """
    found = []
    for verdict in verdicts:
        past = history.get(verdict.feature, ())
        away = [window.kl_fixed for window in past] + [verdict.explanation.kl_fixed]
        known = [-1.0 if nats is None else nats for nats in away]
        last, before, first = (known[max(len(known) - (i + 1) * MOVED, 0) : len(known) - i * MOVED] for i in range(3))
        severities = [verdict.severity, *(window.severity for window in past)]
        called = verdict.drifting or set(severities) != {"none"}
        if called or len(first) < MOVED:
            continue
        critical = verdict.in_nats.critical
        if min(last) >= critical and median(last) > median(before) > median(first) >= 0:
            words = f"KL_fixed {known[-1]:.2g}, at least critical {critical:g} in each of the last {MOVED} windows"
            message = f"column {verdict.feature}: has moved slowly away from its baseline: {words}"
            found.append(Finding("moved", message, verdict.feature))
    return found


def failing_findings(verdicts: Iterable[Verdict], before: Sequence[Collection[str]]) -> list[Finding]:
    """Say which features fail with an error, and did in each of the `FAILING` − 1 windows before: `before` has theirs.

    Examples
    --------
    >>> from drift.detection.scores import Verdict
    >>> broken = Verdict("x", "error", "none", "could not be read", 0.01, 0.1)
    >>> [str(found) for found in failing_findings([broken], [["x"], ["x", "y"]])]
    ['column x: not judged in 3 windows in a row: could not be read']
    >>> failing_findings([broken], [["x"]]), failing_findings([broken], [["x"], []])
    ([], [])
    """
    if len(before) < FAILING - 1:
        return []
    return [
        Finding(
            "not_judged",
            f"column {verdict.feature}: not judged in {FAILING} windows in a row: {verdict.reason}",
            verdict.feature,
            "warning",
        )
        for verdict in verdicts
        if verdict.status == "error" and all(verdict.feature in failed for failed in before)
    ]
