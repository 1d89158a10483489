# mypy: ignore-errors
"""Evidently: its preset for drift, or its matrices of correlations, day by day; a line of JSON for each day.

The matrices carry no verdict. A pair counts as `TestCorrelationChanges` of `evidently.legacy.tests` counts it, from a
difference of .25 on: Pearson's of numbers, Cramér's of categories. There is none of a number and a category.
"""

import json
import sys

import pandas as pd
from evidently import Dataset, Report
from evidently.metrics import DatasetCorrelations
from evidently.presets import DataDriftPreset

FAR = 0.25


def drifted(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[bool, float, list[str]]:
    """Return whether the table is called, the share of columns that drift, and these."""
    done = Report([DataDriftPreset()]).run(Dataset.from_pandas(current), Dataset.from_pandas(reference))
    count, *columns = done.dict()["metrics"]
    share = float(count["value"]["share"])
    found = [one["config"]["column"] for one in columns if one["value"] >= one["config"]["threshold"]]
    return share >= count["config"]["drift_share"], share, found


def correlations(rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the correlation of each pair."""
    done = Report([DatasetCorrelations()]).run(Dataset.from_pandas(rows)).dict()["metrics"]
    matrices = {one["config"]["kind"]: one["value"] for one in done}
    return {
        (a, b): float(value)
        for kind in ("pearson", "cramer_v")
        for a, row in matrices[kind].items()
        for b, value in row.items()
        if a < b
    }


def correlated(before: dict[tuple[str, str], float], current: pd.DataFrame) -> tuple[bool, float, list[str]]:
    """Return whether a pair is far from what it was, by how much, and which of them is farthest."""
    apart = {pair: abs(value - before[pair]) for pair, value in correlations(current).items()}
    farthest = max(apart, key=apart.get)
    return apart[farthest] > FAR, apart[farthest], list(farthest)


reference, chunks = (pd.read_parquet(path) for path in sys.argv[1:3])
compare, before = drifted, reference.drop(columns="day")
if sys.argv[3] == "correlations":
    compare, before = correlated, correlations(before)
for day, rows in chunks.groupby("day"):
    called, strength, columns = compare(before, rows.drop(columns="day"))
    print(json.dumps({"day": str(day.date()), "called": called, "strength": strength, "columns": columns}))
