"""Comparisons: one table with another, without a monitor or a store."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from drift.config.detection import Detection, Persistence
from drift.config.features import Features, unmatched
from drift.detection.assess import Subject, assess
from drift.detection.findings import Finding
from drift.detection.relationships import compare_relationships, relationship_finding
from drift.detection.reports import Report
from drift.errors import ConfigError
from drift.pipeline.isolation import isolated
from drift.profiles import parallel
from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import coarse
from drift.profiles.columns import LOOKED, misfit, recurs
from drift.profiles.counting import count
from drift.profiles.fitting import FitOptions, fit
from drift.profiles.kinds import infer_kind, infer_scale, same_family
from drift.profiles.pair_choice import MOST_COLUMNS
from drift.profiles.pair_tally import PairTally
from drift.profiles.refinement import refined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from drift.config.source import Csv
    from drift.detection.relationships import Broken
    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse
    from drift.profiles.columns import Sort
    from drift.profiles.histograms import Profile
    from drift.profiles.pairs import Pairs
    from drift.sources.snapshot import Snapshot

UNASKED = 50
"""The pairs of more columns are compared only where asked for: they would take longer than all the rest."""


def fit_options(features: Sequence[str], config: Features, *, salt: str = "") -> dict[str, FitOptions]:
    """Return what the configuration asks for each feature's binning.

    Examples
    --------
    >>> fit_options(["dep_delay"], Features(bins={"*_delay": 20}))["dep_delay"].bins
    20
    """
    return {
        name: FitOptions(
            kind=config.kind_for(name),
            bins=config.bins_for(name),
            levels=config.levels,
            salt=salt if config.hashes(name) else "",
        )
        for name in features
    }


def compare(
    reference: pd.DataFrame | pa.Table | str | Path,
    current: pd.DataFrame | pa.Table | str | Path,
    *,
    features: Features | None = None,
    detection: Detection | None = None,
    name: str = "compare",
    csv: Csv | None = None,
    relationships: bool | None = None,
) -> Report:
    """Compare two tables, feature by feature: D(current‖reference) in nats, with its error.

    Parameters
    ----------
    reference, current
        A DataFrame of any library (a lazy one is collected), what exports an Arrow stream, or a path: a Parquet or CSV
        file, a folder of them, or a glob.
    features
        Which columns, of which kind, binned how. By default every column but those that look like keys, free text or
        times of rows in both tables (`drift.profiles.columns`), unless they are all there is: they differ from table to
        table, and are listed as left out. Whoever names one, or includes it by a pattern other than ``*``, gets it.
    detection
        Thresholds and rules; a single comparison has no earlier windows, so one window is enough.
    name
        What to call the comparison in the report.
    csv
        How CSV files are written, as far as they are not to say it themselves.
    relationships
        Whether to compare how the columns go together, too, each pair apart from what its two histograms show, on an
        even sample of at most 65,536 rows of each table (`drift.detection.relationships`). By default those of up to 50
        columns; where asked for, of up to 200.

    Raises
    ------
    SourceError
        If a table cannot be read.
    ConfigError
        If a name or pattern matches no column of either.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> report = compare(pd.DataFrame({"x": rng.normal(0, 1, 2000)}), pd.DataFrame({"x": rng.normal(0.5, 1, 2000)}))
    >>> report["x"].status, report["x"].score.ci_low < 0.125 < report["x"].score.ci_high
    ('critical', True)
    """
    from drift.sources.snapshot import open_table

    wanted = features or Features()
    rules = (detection or Detection()).model_copy(update={"persistence": Persistence(of=1, at_least=1)})
    before, after = open_table(reference, csv=csv, like=current), open_table(current, csv=csv, like=reference)
    both = list(dict.fromkeys([*before.schema, *after.schema]))
    problems = unmatched([*wanted.patterns, *(("detection.features", each) for each in rules.features)], both)
    if problems:
        raise ConfigError(problems)
    placed = (before.placed | after.placed) - wanted.named
    selected = [column for column in wanted.select(both) if column not in placed]
    shared = [column for column in selected if column in before.schema]
    options = fit_options(shared, wanted, salt=name)
    most = {None: UNASKED, True: MOST_COLUMNS, False: 0}[relationships]
    paired = 2 <= len(shared) <= most
    if before.columns and after.columns:
        # What scores the counts takes as long to import as several columns to count: it is imported meanwhile.
        Thread(target=import_module, args=("scipy.special",), name="drift-import").start()
        reference_profile, current_profile, unfit = parallel.profiles(
            parallel.Table(before.count_rows(), before.schema, before.columns),
            parallel.Table(after.count_rows(), after.schema, after.columns),
            options,
            paired=paired,
        )
    else:
        binnings, unfit = fit(before.batches(shared), options, expected_rows=after.count_rows())
        present = [column for column in binnings if column in after.schema]
        cells = {column: coarse(binnings[column]) for column in present} if paired else {}
        reference_profile = _counted(before, list(binnings), binnings, cells)
        current_profile = _counted(after, present, binnings, cells)
    reference_profile = replace(
        reference_profile, problems={**reference_profile.problems, **unfit}, notes=before.notes()
    )
    current_profile = replace(current_profile, notes=after.notes())
    unnamed = [
        column
        for column in shared
        if not wanted.picks(column) and same_family(before.schema[column], after.schema.get(column, ""))
    ]
    left_out = _left_out(unnamed, (before, reference_profile), (after, current_profile))
    if len(left_out) == len(selected):
        left_out = {}
    selected = [column for column in selected if column not in left_out]
    (found,) = isolated(
        lambda failed: assess(
            [Subject(reference_profile.without(failed), current_profile.without(failed), selected)], rules, wanted
        ),
        selected,
    )
    judged = [verdict.feature for verdict in found.verdicts if verdict.judged]
    broken, n_pairs = _relationships(reference_profile.pairs, current_profile.pairs, judged, rules)
    told = [relationship_finding(each) for each in broken]
    if len(shared) > most > 0:
        more = _ASK if len(shared) <= MOST_COLUMNS else f"name at most {MOST_COLUMNS} columns to compare these"
        told.append(Finding("other", f"how the {len(shared):,} columns go together was not compared: {more}"))
    return Report(
        name,
        None,
        f"reference {_path(reference) or 'table'}",
        found.verdicts,
        found.n_reference,
        found.n_current,
        findings=[*found.findings, *told],
        evidence=found.evidence,
        left_out=left_out,
        current=_path(current),
        n_pairs=n_pairs,
        relationships=broken,
    )


_ASK = "that takes longer than all the rest; --relationships (relationships=True in Python) does it"


def _counted(
    table: Snapshot, columns: Sequence[str], binnings: Mapping[str, Binning], cells: Mapping[str, Coarse]
) -> Profile:
    tally = PairTally(cells)

    def seen() -> Iterator[pa.RecordBatch]:
        for batch in table.batches(columns):
            tally.add(batch)
            yield batch

    profile = count(seen(), binnings, schema=table.schema)
    return replace(profile, pairs=tally.pairs(without=profile.problems)) if cells else profile


def _relationships(
    reference: Pairs | None, current: Pairs | None, judged: Sequence[str], rules: Detection
) -> tuple[tuple[Broken, ...], int]:
    """Return what changed in how the features that were judged go together, and how many pairs of them there are."""
    if reference is None or current is None:
        return (), 0
    columns = [name for name in judged if name in reference.columns and name in current.columns]
    broken = compare_relationships(reference.restricted(columns), current.restricted(columns), rules)
    return broken, len(columns) * (len(columns) - 1) // 2


def _left_out(
    columns: Sequence[str], before: tuple[Snapshot, Profile], after: tuple[Snapshot, Profile]
) -> dict[str, Sort]:
    """Return those columns that look like keys, free text or times of rows on both sides, by their first rows."""
    sorts, later = (_sorts(columns, *side) for side in (before, after))
    return {
        column: sort
        for column, sort in sorts.items()
        if sort in _LEFT_OUT and later.get(column) == sort and _alike(column, before[1], after[1])
    }


def _sorts(columns: Sequence[str], table: Snapshot, profile: Profile) -> dict[str, Sort]:
    types = {column: table.arrow_schema.field(column).type for column in columns}
    candidates = [
        column
        for column, kind in types.items()
        if infer_kind(kind) == "datetime"
        or ((infer_kind(kind) == "categorical" or infer_scale(kind) == "integer") and not _recurs(column, profile))
    ]
    first = table.head(LOOKED, candidates) if candidates else None
    found = {column: misfit(column, first[column].combine_chunks(), profile.n_rows) for column in candidates if first}
    return {column: why.sort for column, why in found.items() if why}


def _recurs(column: str, profile: Profile) -> bool:
    """Whether a label holds so many rows that the column is not a key, whatever its first rows look like."""
    histogram = profile.histograms.get(column)
    if histogram is None or not isinstance(histogram.binning, CategoricalBinning):
        return False
    rows = histogram.counts[: len(histogram.binning.levels)]
    return len(rows) > 1 and recurs(int(rows.max()), histogram.n - histogram.n_missing)


def _alike(column: str, reference: Profile, current: Profile) -> bool:
    """Whether nothing of note happened to a column that is left out: it is missing as often, and no value took over."""
    before, now = reference.histograms.get(column), current.histograms.get(column)
    if before is None or now is None or not (before.n and now.n):
        return False
    share, chance = before.n_missing / before.n, 4 / min(before.n, now.n) ** 0.5
    lacking = abs(now.n_missing / now.n - share) > max(_MISSING, chance * (share * (1 - share)) ** 0.5)
    return not lacking and not len(refined(before, now)[0].binning.apart)


_LEFT_OUT = {"identifier", "free text", "timestamp"}
_MISSING = 0.01
"""A column whose missing values differ by more than this share is compared, whatever it holds."""


def _path(table: object) -> str:
    import os

    return os.fspath(table) if isinstance(table, (str, os.PathLike)) else ""
