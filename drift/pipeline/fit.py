"""Freezing: the bins that windows are counted under from then on, fitted on a reference, and its segments."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from drift.errors import DriftError, SourceError, SourceUnreachable
from drift.pipeline import compare
from drift.pipeline.isolation import isolated
from drift.profiles import pair_choice, segments
from drift.profiles.coarse_cells import FINE
from drift.profiles.fitting import fit
from drift.profiles.kinds import family
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning
    from drift.sources.snapshot import Snapshot
    from drift.store.base import State
    from drift.windows import Window

log = logs.logger(__name__)

Filled = tuple["Window", "Snapshot", int]
"""A window, its rows not yet read, and how many there are."""


@contextmanager
def sparing(
    context: Context[State], window: Window, current: Collection[Window] = (), *, now: datetime
) -> Iterator[None]:
    """Go on without a reference window that cannot be read, and record that. Outages are for a retry.

    Without the `current` windows, those that the run is for, there is nothing to go on with.
    """
    try:
        yield
    except Exception as error:
        passes = isinstance(error, SourceUnreachable) or not isinstance(error, SourceError)
        if window in current or (passes and isinstance(error, DriftError)):
            raise
        log.debug("%s %s", context.name, context.label(window), exc_info=True)
        context.store.save_gate(context.name, window, "unreadable", [], now)
        log.warning("%s %s: is not a reference, for it cannot be read: %s", context.name, context.label(window), error)


def unvalidated(context: Context[State], windows: Sequence[Window]) -> list[Window]:
    """Return those windows that were never validated, or could not be read."""
    gates = context.store.gates(context.name, windows)
    return [w for w in windows if gates.get(w.start, "unreadable") == "unreadable"]


def usable(context: Context[State], windows: Sequence[Window], current: Window | None = None) -> list[Window]:
    """Return those windows that may be counted: read and gated, and not rejected where that excludes them.

    The `current` window, which is to be judged, never may if it was rejected.
    """
    gates = context.store.gates(context.name, windows)
    rejected = "rejected" not in context.monitor.reference.exclude
    read = [(w, gate) for w in windows if (gate := gates.get(w.start, "unreadable")) != "unreadable"]
    return [w for w, gate in read if gate != "rejected" or (rejected and w != current)]


@logs.stage("baseline")
def ensure_baseline(context: Context[State], window: Window, *, now: datetime, by: str = "drift") -> dict[str, Binning]:
    """Return the frozen binnings; where there are none yet, fit them on the main reference of `window`.

    Fitting waits until enough reference windows hold rows (`reference.min_windows`); until then the result is
    empty. A feature without a value gets its bins as soon as so many hold values of it.
    """
    active = context.store.active_baseline(context.name)
    if not active:
        return fit_bins(context, context.reference_windows(window), now=now, by=by, reason="first reference")
    if len(context.segmentations()) < len(context.monitor.segments):
        filled = _filled(context, context.reference_windows(window))
        if filled:
            reason = "segments that the monitor did not ask for before"
            cuts = _fit_segments(context, filled)
            context.store.save_baseline(
                context.name, {}, cuts, **_span(filled), types={}, now=now, by=by, reason=reason
            )
    if came := _came(context, window, active):
        windows = context.reference_windows(window)
        return fit_bins(context, windows, now=now, by=by, reason="its first values came", new=True, only=came)
    return active


def _came(context: Context[State], window: Window, active: Mapping[str, Binning]) -> list[str]:
    """Return the features that had no value when their bins were fitted, and have some in enough reference windows."""
    blank = {feature: binning for feature, binning in active.items() if binning.blank}
    if not blank:
        return []
    windows = usable(context, context.reference_windows(window))
    counted = context.store.load_profiles(context.name, windows, blank)
    having = Counter(
        f for profile, _ in counted for f, known in profile.histograms.items() if known.n > known.n_missing
    )
    return [feature for feature in blank if having[feature] >= context.monitor.reference_min_windows]


def fit_bins(
    context: Context[State],
    windows: Sequence[Window],
    *,
    now: datetime,
    by: str,
    reason: str,
    new: bool = False,
    only: Collection[str] | None = None,
) -> dict[str, Binning]:
    """Fit binnings on those of some windows that may be used and hold rows, and return the binnings in force then.

    With fewer such windows than `reference.min_windows` nothing is fitted. `new` makes a new version although there
    is one. With `only` some features everything else stays as it is.
    """
    filled = _filled(context, windows)
    if not filled:
        return {}
    columns: dict[str, str] = {}
    for _, snapshot, _ in filled:
        columns |= context.source.columns(snapshot)
    features = [feature for feature in context.source.features(columns) if only is None or feature in only]
    total = sum(rows for _, _, rows in filled)
    options = compare.fit_options(features, context.monitor.features, salt=context.name)
    inside = context.source.warehouse([w for w, _, _ in filled], features, lambda: total)
    sample: list[pa.RecordBatch] = []
    if inside is not None:
        from drift.sources.warehouse import fit as warehouse_fit

        def attempt(failed: Mapping[str, str]) -> tuple[dict[str, Binning], dict[str, str]]:
            wanted = {feature: each for feature, each in options.items() if feature not in failed}
            found, unfit = warehouse_fit.fit(inside, wanted, expected_rows=total // len(filled))
            return found, {**unfit, **failed}

        binnings, problems = isolated(attempt, features)
    else:
        rows = _alike(context, filled, features, now)
        if len(features) > pair_choice.MOST_COLUMNS:
            rows = pair_choice.sampled(rows, total, sample)
        binnings, problems = fit(rows, options, expected_rows=total // len(filled))
    for feature, problem in problems.items():
        log.warning("%s: feature %s is not watched: %s", context.name, feature, problem)
    cuts = _fit_segments(context, filled) if only is None else {}
    known = context.store.active_baseline(context.name) if only is not None else {}
    binnings = _with_pairs(context, binnings, known, sample)
    return context.store.save_baseline(
        context.name, binnings, cuts, **_span(filled), types=columns, now=now, by=by, reason=reason, new=new
    )


def _with_pairs(
    context: Context[State],
    binnings: Mapping[str, Binning],
    known: Mapping[str, Binning],
    sample: Sequence[pa.RecordBatch],
) -> dict[str, Binning]:
    """Choose, of very many features, whose pairs are counted, beside those of features that have bins already.

    Without a sample of the rows, as inside a warehouse, the first by name are chosen.
    """
    paired = pair_choice.choose(dict(sorted({**known, **binnings}.items())), explain_by=context.monitor.explain_by)
    cut_by = {column for columns in context.monitor.segment_columns for column in columns}
    free = [name for name, cells in paired.items() if cells.most < FINE and name in binnings and name not in cut_by]
    room = pair_choice.MOST_COLUMNS - (len(paired.keys() | cut_by) - len(free))
    gone = set(pair_choice.loosest_first(paired, free, sample)[: max(len(free) - room, 0)]) if len(free) > room else ()
    return {name: replace(one, paired=False) if name in gone else one for name, one in binnings.items()}


def _alike(
    context: Context[State], filled: Sequence[Filled], features: Sequence[str], now: datetime
) -> Iterator[pa.RecordBatch]:
    """Read of each window the features that are of the kind which they have in most rows of the reference.

    So a day of another type takes no part in the fit, wherever it lies.
    """
    families = [{field.name: family(field) for field in snapshot.arrow_schema} for _, snapshot, _ in filled]
    usual: dict[str, str] = {}
    for feature in features:
        rows: Counter[str] = Counter()
        for found, (_, _, n_rows) in zip(families, filled, strict=True):
            if found.get(feature, "null") != "null":
                rows[found[feature]] += n_rows
        usual[feature] = next((kind for kind, _ in rows.most_common(1)), "null")
    labels = {f for f in features if context.monitor.features.kind_for(f) == "categorical"}
    for (window, snapshot, _), found in zip(filled, families, strict=True):
        # Of a file that is damaged somewhere the rows before are as good as any.
        with sparing(context, window, now=now):
            yield from snapshot.batches(
                [f for f in features if f in found and (f in labels or found[f] in {usual[f], "null"})]
            )


class _Span(TypedDict):
    fitted_from: datetime
    fitted_to: datetime
    n_rows: int


def _span(filled: Sequence[Filled]) -> _Span:
    """Return what is recorded of the windows that something was fitted on."""
    n_rows = sum(rows for _, _, rows in filled)
    return {"fitted_from": filled[0][0].start, "fitted_to": filled[-1][0].end, "n_rows": n_rows}


def _filled(context: Context[State], windows: Sequence[Window]) -> list[Filled]:
    """Open those of some windows that may be used and hold rows; none where they are too few for a reference."""
    opened = [(w, context.source.snapshot(w)) for w in usable(context, windows)]
    filled = [(w, snapshot, rows) for w, snapshot in opened if (rows := snapshot.count_rows())]
    return filled if len(filled) >= context.monitor.reference_min_windows else []


def _fit_segments(context: Context[State], filled: Sequence[Filled]) -> dict[str, Binning]:
    """Find the segments to watch; those too small for a window to be compared are none."""
    cuts, most = context.monitor.segment_columns, context.monitor.max_segments
    if not cuts:
        return {}
    least = context.monitor.detection.min_rows * len(filled)
    inside = context.source.warehouse(
        [window for window, _, _ in filled], (), lambda: sum(rows for _, _, rows in filled)
    )
    if inside is not None:
        from drift.sources.warehouse import fit as warehouse_fit

        found = warehouse_fit.fit_segments(inside, cuts, most=most, least=least)
    else:
        found = [segments.fit(_rows(filled, columns), columns, most=most, least=least) for columns in cuts]
    for fitted, rows in found:
        if not fitted.watched:
            largest = (
                f"the largest has {max(rows.values()):,} rows, {least:,} are min_rows in each of {len(filled)} windows"
            )
            why = largest if len(rows) > 1 else f"every row is in {', '.join(rows)}"
            log.warning("%s: no segments by %s: %s", context.name, ", ".join(fitted.columns), why)
    return {segments.key_of(fitted.columns): fitted.binning for fitted, _ in found}


def _rows(filled: Sequence[Filled], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for _, snapshot, _ in filled:
        yield from snapshot.batches([c for c in columns if c in snapshot.schema])
