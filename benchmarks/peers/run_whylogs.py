# mypy: ignore-errors
"""whylogs: a profile of each table. Comparing two profiles takes no time beside making them, and is left out."""

import sys

import pandas as pd
import whylogs

views = [whylogs.log(pandas=pd.read_parquet(path)).view() for path in sys.argv[1:3]]
print(len(views[1].get_columns()))
