# mypy: ignore-errors
"""Evidently: ValueDrift with its KL divergence, for every column."""

import sys

import pandas as pd
from evidently import Dataset, Report
from evidently.metrics import ValueDrift

reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])
report = Report([ValueDrift(column=name, method="kl_div") for name in reference.columns])
done = report.run(Dataset.from_pandas(current), Dataset.from_pandas(reference))
scores = {str(one["config"]["column"]): float(one["value"]) for one in done.dict()["metrics"]}
print(len(scores), scores)
