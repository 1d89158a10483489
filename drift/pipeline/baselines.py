"""Baselines: the bins that windows are counted into and the windows they stand for, changed by people only.

Each change is a version with who, when and why. What was scored before keeps what it was compared with, until somebody
asks for it to be scored again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drift.config.reference import describe_span
from drift.errors import DriftError
from drift.pipeline import evaluate, notify, run
from drift.pipeline import fit as baseline_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning
    from drift.store.base import State
    from drift.windows import Window


def fit(context: Context[State], window: Window, *, now: datetime, by: str, reason: str) -> dict[str, Binning]:
    """Fit new bins on the reference of a window, count that reference into them, and return the binnings in force."""
    windows = context.reference_windows(window)
    _validate(context, windows, now)
    binnings = baseline_fit.fit_bins(context, windows, now=now, by=by, reason=reason, new=True)
    if not binnings:
        raise DriftError(
            f"{context.name}: the reference of {context.label(window)} ({context.monitor.reference}) has too few "
            f"windows with rows to fit bins on, it needs {context.monitor.reference_min_windows}: choose a later --date"
        )
    _count(context, windows, now)
    return binnings


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a baseline stands for now.

    Those `windows` and `rows` of the span hold rows and may be used; `features` got a new version, 0 where it was
    the baseline already.
    """

    span: str
    windows: int
    rows: int
    features: int


def promote(context: Context[State], windows: Sequence[Window], *, now: datetime, by: str, reason: str) -> Promotion:
    """Make consecutive windows the baseline: what `kl_fixed` is measured from, and ``reference: {fixed: baseline}``.

    The bins stay, so everything counted stays comparable; where there are none yet they are fitted on these
    windows. Windows that were never counted are read. Promoting the same windows again changes nothing.
    """
    run.refuse_unfinished(context.monitor, windows, now)
    start, end = windows[0].start, windows[-1].end
    span = describe_span(context.monitor.window.calendar, start, end)
    before = context.baselines()
    _validate(context, windows, now)
    if not before and not baseline_fit.fit_bins(context, windows, now=now, by=by, reason=reason):
        needed = context.monitor.reference_min_windows
        raise DriftError(f"{context.name}: fewer than {needed} windows of {span} hold rows: too few to fit bins on")
    _count(context, windows, now)
    binnings = context.store.active_baseline(context.name)
    allowed = baseline_fit.usable(context, windows)
    profiles = [p for p, _ in context.store.load_profiles(context.name, allowed, binnings) if p.n_rows and p.histograms]
    if not profiles:
        raise DriftError(f"{context.name}: no window of {span} holds rows that passed the gate: nothing to promote")
    rows = sum(p.n_rows for p in profiles)
    types = {feature: row["arrow_type"] for feature, row in context.store.baselines(context.name).items()}
    context.store.save_baseline(
        context.name,
        binnings,
        types=types,
        fitted_from=start,
        fitted_to=end,
        n_rows=rows,
        now=now,
        by=by,
        reason=reason,
        new=True,
    )
    after = context.baselines()
    return Promotion(span, len(profiles), rows, sum(before.get(feature) != each for feature, each in after.items()))


@dataclass(frozen=True, slots=True)
class Rescored:
    """What came of scoring windows again: the new reports, and why the other windows keep their old ones."""

    reports: Sequence[Report]
    kept: Mapping[Window, str]


def rescore(context: Context[State], windows: Sequence[Window], *, now: datetime) -> Rescored:
    """Score stored windows against the references now in force, from stored counts alone, oldest first.

    Reads no source and notifies nobody; alerts follow, as in a backfill. A window keeps its scores where it or too
    much of its reference was counted into other bins: those counts cannot be moved, only read again (``drift
    backfill``).
    """
    reports, kept = [], {}
    for window in sorted(windows):
        why = _not_comparable(context, window)
        if why:
            kept[window] = why
            continue
        report = evaluate.evaluate_window(context, window)
        notify.notify_window(context, report, now=now, page=False)
        context.store.save_run_finished(context.name, window, report.status, now, reference=report.reference)
        reports.append(report)
    return Rescored(reports, kept)


def _not_comparable(context: Context[State], window: Window) -> str:
    """Say why a window cannot be scored again; nothing where it can."""
    if context.store.load_report(context.name, window.start) is None:
        return "it was never scored"
    if context.store.gates(context.name, [window]).get(window.start) == "rejected":
        return "its expectations rejected it"
    if not context.store.active_baseline(context.name):
        return "there are no bins"
    if run.uncounted(context, [window]):
        return "it was counted into other bins"
    references = baseline_fit.usable(context, context.reference_windows(window))
    counted = len(references) - len(run.uncounted(context, references))
    needed = context.monitor.reference_min_windows
    if counted < needed:
        return f"its reference has {counted} windows counted into these bins, it needs {needed}"
    return ""


def _validate(context: Context[State], windows: Sequence[Window], now: datetime) -> None:
    run.validate(context, baseline_fit.unvalidated(context, windows), [], now=now)


def _count(context: Context[State], windows: Sequence[Window], now: datetime) -> None:
    for window in run.uncounted(context, baseline_fit.usable(context, windows)):
        run.profile_window(context, window, now=now)
