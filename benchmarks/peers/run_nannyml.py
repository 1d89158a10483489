# mypy: ignore-errors
"""NannyML: its univariate drift calculator with the Jensen-Shannon distance (it has no KL), each table one chunk."""

import os
import sys

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd

reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])
calculator = nannyml.UnivariateDriftCalculator(
    column_names=list(reference.columns),
    continuous_methods=["jensen_shannon"],
    categorical_methods=["jensen_shannon"],
    chunk_number=1,
)
found = calculator.fit(reference).calculate(current).filter(period="analysis").to_df()
scores = {name: float(found[name, "jensen_shannon", "value"].iloc[-1]) for name in reference.columns}
print(len(scores), scores)
