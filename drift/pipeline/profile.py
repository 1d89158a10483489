"""Profiling: one window of a source, validated and counted; nothing is stored.

A window's counts depend on its rows and on the frozen bins alone, so windows may be read in any order and by any
process.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from drift.errors import SourceError, SourceUnreachable
from drift.pipeline.isolation import isolated
from drift.profiles import pair_choice, segments
from drift.profiles.histograms import Profile
from drift.sources import validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.detection.reports import Gate
    from drift.pipeline.context import SourceReader
    from drift.profiles.binning import Binning
    from drift.profiles.segments import Segmentation
    from drift.sources.snapshot import Snapshot
    from drift.sources.validation_results import Outcome
    from drift.windows import Window


def examine(source: SourceReader, snapshot: Snapshot) -> tuple[Gate, list[Outcome]]:
    """Pass one window through the Great Expectations gate: what it decides, and what each expectation observed."""
    expectations = source.monitor.expectations
    if not expectations:
        return "not_validated", []
    frame = snapshot.to_pandas(validation.columns_needed(expectations, list(snapshot.schema)))
    outcomes = validation.validate(frame, expectations)
    return validation.decide(outcomes), outcomes


def count_window(
    source: SourceReader,
    window: Window,
    binnings: Mapping[str, Binning],
    snapshot: Snapshot,
    segmentations: Sequence[Segmentation] = (),
) -> Profile:
    """Read one window once, and count it into cells: here, or inside the database that holds it.

    A column that cannot be read has that for its problem; so has every feature in segments by such a column.
    """
    schema, watched = snapshot.schema, source.columns(snapshot)
    features = [feature for feature in binnings if feature in schema]
    inside = source.warehouse([window], features, snapshot.count_rows)
    cuts = {f"segments by {segments.key_of(by.columns)}": by for by in segmentations}
    paired = pair_choice.choose(binnings, segments.labels_by_column(segmentations), source.monitor.explain_by)
    chosen = dict(islice(paired.items(), pair_choice.MOST_COLUMNS))

    def attempt(failed: Mapping[str, str]) -> Profile:
        wanted = {name: binning for name, binning in binnings.items() if name not in failed}
        by = [each for name, each in cuts.items() if name not in failed]
        read = dict.fromkeys([*wanted, *(column for each in by for column in each.columns)])
        both = {name: cells for name, cells in chosen.items() if name in read and name not in failed}
        if inside is not None:
            found = inside.profile(wanted, by, window=window, pairs=both)
        else:
            # Closed at once where counting fails, and not when somebody collects what is left of it.
            with closing(snapshot.batches([column for column in read if column in schema])) as batches:
                found = segments.count(batches, wanted, by, window=window, schema=watched, pairs=both)
        lost = {
            name: Profile(window, 0, {}, problems=dict.fromkeys(binnings, f"{failed[cut]} ({cut})"))
            for cut, each in cuts.items()
            if cut in failed
            for name in each.names
        }
        columns = {name: why for name, why in failed.items() if name in binnings}
        return replace(found, segments={**found.segments, **lost}).without(columns)

    # A file that cannot be read is damaged, whatever else of it can: it is to be written again.
    passes = (SourceUnreachable,) if source.monitor.source.connection else (SourceError,)
    found, notes = isolated(attempt, [*features, *cuts], passes=passes), snapshot.notes()
    if found.pairs is not None and (without := len(pair_choice.left_out(binnings)) + len(paired) - len(chosen)):
        all_ = len(chosen) + without
        left = f"pairs of columns are counted of {len(chosen)} of {all_}: explain_by says of which in any case"
        notes[""] = f"{notes['']}; {left}" if "" in notes else left
    return replace(found, notes=notes)
