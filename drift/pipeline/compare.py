"""Comparisons: one table with another, without a monitor or a store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drift.config.detection import Detection, Persistence
from drift.config.features import Features, unmatched
from drift.detection.assess import Subject, assess
from drift.detection.reports import Report
from drift.errors import ConfigError
from drift.profiles import parallel
from drift.profiles.counting import count
from drift.profiles.fitting import FitOptions, fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from drift.config.source import Csv


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
) -> Report:
    """Compare two tables, feature by feature: D(current‖reference) in nats, with its error.

    Parameters
    ----------
    reference, current
        A DataFrame of any library (a lazy one is collected), what exports an Arrow stream, or a path: a Parquet or CSV
        file, a folder of them, or a glob.
    features
        Which columns, of which kind, binned how; every column by default.
    detection
        Thresholds and rules; a single comparison has no earlier windows, so one window is enough.
    name
        What to call the comparison in the report.
    csv
        How CSV files are written, as far as they are not to say it themselves.

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
    rules = detection or Detection(persistence=Persistence(of=1, at_least=1))
    before, after = open_table(reference, csv=csv, like=current), open_table(current, csv=csv, like=reference)
    both = list(dict.fromkeys([*before.schema, *after.schema]))
    problems = unmatched([*wanted.patterns, *(("detection.features", each) for each in rules.features)], both)
    if problems:
        raise ConfigError(problems)
    placed = (before.placed | after.placed) - wanted.named
    selected = [column for column in wanted.select(both) if column not in placed]
    shared = [column for column in selected if column in before.schema]
    options = fit_options(shared, wanted, salt=name)
    if before.columns and after.columns:
        reference_profile, current_profile, unfit = parallel.profiles(
            parallel.Table(before.count_rows(), before.schema, before.columns),
            parallel.Table(after.count_rows(), after.schema, after.columns),
            options,
        )
    else:
        binnings, unfit = fit(before.batches(shared), options, expected_rows=after.count_rows())
        reference_profile = count(before.batches(list(binnings)), binnings, schema=before.schema)
        present = [column for column in binnings if column in after.schema]
        current_profile = count(after.batches(present), binnings, schema=after.schema)
    reference_profile = replace(
        reference_profile, problems={**reference_profile.problems, **unfit}, notes=before.notes()
    )
    current_profile = replace(current_profile, notes=after.notes())
    (found,) = assess([Subject(reference_profile, current_profile, selected)], rules, wanted)
    return Report(
        name,
        None,
        _describe(reference),
        found.verdicts,
        found.n_reference,
        found.n_current,
        findings=found.findings,
        evidence=found.evidence,
    )


def _describe(reference: object) -> str:
    import os

    return f"reference {os.fspath(reference)}" if isinstance(reference, (str, os.PathLike)) else "reference table"
