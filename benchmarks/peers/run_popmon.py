# mypy: ignore-errors
"""popmon: its stability metrics of the current table against the reference, without the HTML report."""

import logging
import sys
import warnings

import pandas as pd
from histogrammar.dfinterface.make_histograms import make_histograms
from popmon import Settings
from popmon.pipeline.metrics import df_stability_metrics

warnings.simplefilter("ignore")
logging.disable()


def read(path: str, day: str) -> pd.DataFrame:
    """Return a table with the time axis that popmon needs: it is one moment."""
    return pd.read_parquet(path).assign(time=pd.Timestamp(day))


# Given the tables themselves, version 1.4.12 takes the reference for histograms and stops.
reference = make_histograms(read(sys.argv[1], "2024-01-01"), time_axis="time")
settings = Settings(time_axis="time", reference_type="external")
found = df_stability_metrics(read(sys.argv[2], "2024-01-08"), settings, reference=reference)
scores = {name: float(frame["ref_psi"].iloc[-1]) for name, frame in found["comparisons"].items()}
print(len(scores), scores)
