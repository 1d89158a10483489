# mypy: ignore-errors
"""Great Expectations: its KL expectation for every column, on partitions of the reference that NumPy makes."""

import logging
import sys

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])


def partition(column: pd.Series) -> dict[str, list[float]]:
    """Return the reference's shares as the expectation wants them: twenty quantile bins, or the categories."""
    if column.dtype.kind == "f":
        present = column.dropna()
        edges = np.unique(np.quantile(present, np.arange(1, 20) / 20))
        weights = np.histogram(present, edges)[0] / len(present)
        below, above = float((present < edges[0]).mean()), float((present > edges[-1]).mean())
        return {"bins": edges.tolist(), "weights": weights.tolist(), "tail_weights": [below, above]}
    shares = column.value_counts(normalize=True)
    return {"values": shares.index.tolist(), "weights": shares.tolist()}


logging.getLogger("great_expectations").setLevel(logging.WARNING)
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = ProgressBarsConfig(globally=False)
batch = (
    context.data_sources.add_pandas("tables")
    .add_dataframe_asset("current")
    .add_batch_definition_whole_dataframe("whole")
    .get_batch(batch_parameters={"dataframe": current})
)
suite = gx.ExpectationSuite(
    name="kl",
    expectations=[
        gx.expectations.ExpectColumnKLDivergenceToBeLessThan(
            column=name, partition_object=partition(reference[name]), threshold=0.1
        )
        for name in reference.columns
    ],
)
found = batch.validate(suite)
scores = {r.expectation_config.kwargs["column"]: r.result.get("observed_value") for r in found.results}
print(len(scores), scores, [r.exception_info for r in found.results if r.exception_info.get("raised_exception")][:1])
