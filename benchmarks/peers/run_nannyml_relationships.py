# mypy: ignore-errors
"""NannyML: one of its two multivariate calculators with its defaults, day by day; a line of JSON for each day."""

import json
import os
import sys

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd

reference, chunks = (pd.read_parquet(path) for path in sys.argv[1:3])
names, by_day = [name for name in reference if name != "day"], {"timestamp_column_name": "day", "chunk_period": "D"}
if sys.argv[3] == "reconstruction":
    calculator, told = nannyml.DataReconstructionDriftCalculator(names, **by_day), "reconstruction_error"
else:
    calculator, told = nannyml.DomainClassifierCalculator(names, **by_day), "domain_classifier_auroc"
    # Its thresholds are constants: classifiers of the reference's own days would change nothing but the cost.
    reference["day"] = reference["day"].min()
found = calculator.fit(reference).calculate(chunks).filter(period="analysis").to_df()
for _, row in found.iterrows():
    value, lower, upper = (float(row[told, each]) for each in ("value", "lower_threshold", "upper_threshold"))
    middle = (lower + upper) / 2 if told == "reconstruction_error" else 0.0
    strength = abs(value - middle) / (upper - middle)
    day = row["chunk", "start_date"].date().isoformat()
    print(json.dumps({"day": day, "called": bool(row[told, "alert"]), "strength": strength, "columns": []}))
