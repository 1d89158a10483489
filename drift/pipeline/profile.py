"""Profiling: one window of a source, validated and counted; nothing is stored.

A window's counts depend on its rows and on the frozen bins alone, so windows may be read in any order and by any
process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drift.profiles import segments
from drift.profiles.counting import count
from drift.sources import validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.detection.reports import Gate
    from drift.pipeline.context import SourceReader
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
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
    """Read one window once, and count it into cells: here, or inside the database that holds it."""
    schema, watched = snapshot.schema, source.columns(snapshot)
    features = [feature for feature in binnings if feature in schema]
    inside = source.warehouse([window], features, snapshot.count_rows)
    if inside is not None:
        return inside.profile(binnings, segmentations, window=window)
    if segmentations:
        cut_by = [column for by in segmentations for column in by.columns if column in schema]
        batches = snapshot.batches(list(dict.fromkeys([*features, *cut_by])))
        counted = segments.count(batches, binnings, segmentations, window=window, schema=watched)
    else:
        counted = count(snapshot.batches(features), binnings, window=window, schema=watched)
    return replace(counted, notes=snapshot.notes())
