"""Columns of every type that Spark has, counted in the cluster."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.profiles import segments
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning
from drift.profiles.coarse_cells import coarse
from drift.sources.warehouse import fit
from drift.sources.warehouse.source import open_warehouse
from tests.support.warehouses import assert_equal, assert_segments_equal, locally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.spark.conftest import Cluster


@pytest.fixture(autouse=True)
def _session() -> Iterator[None]:
    """Stop the session that Drift leaves to whoever else has it."""
    yield
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


# Of the driver's connections to its JVM, which pyspark closes with the process.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_spark_counts_what_the_local_engine_counts(cluster: Cluster) -> None:
    """Every cell, of a Parquet file with nulls, NaN, infinities and odd labels."""
    rng = np.random.default_rng(3)
    n = 500
    floats = rng.choice([0.1, 0.1 + 0.2, -0.0, math.nan, math.inf, -math.inf, 3.0, 5e-324, 1e300], n)
    moments = [
        datetime(1965, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(x)) for x in rng.integers(0, 4 * 10**15, n)
    ]
    table = pa.table(
        {
            "f": pa.array(floats, mask=rng.random(n) < 0.1),
            "i": pa.array(rng.integers(-(2**63), 2**63 - 1, n), mask=rng.random(n) < 0.1),
            "s": rng.choice(["", " ", "a", "A", "a ", "é", "日本", "'", "\\", "x\ny"], n).tolist(),
            "b": rng.choice([True, False, None], n).tolist(),
            "d": [Decimal(int(x)) / 100 for x in rng.integers(-(10**9), 10**9, n)],
            "day": pa.array([moment.date() for moment in moments]),
            "tz": pa.array(moments, pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, cluster.folder / "t.parquet")
    # Decimals of a SQL source are float64.
    table = table.set_column(table.column_names.index("d"), "d", [[float(x) for x in table["d"].to_pylist()]])
    query = f"SELECT * FROM parquet.`{cluster.folder / 't.parquet'}`"
    opened = open_warehouse(cluster.url, query=query)
    binnings: dict[str, Binning] = {
        "f": NumericBinning([0, 0.1, 0.1 + 0.2, 3]),
        "i": NumericBinning([-(2.0**62), 0, 2.0**62]),
        "s": CategoricalBinning(("a", "é"), ("A", "\\")),
        "b": BOOLEAN,
        "d": NumericBinning([-(10.0**8), 0, 10.0**8]),
        "day": NumericBinning([-100, 0, 100], "date"),
        "tz": NumericBinning([-1e6, 0, 1e8], "timestamp"),
    }
    assert_equal(opened.profile(binnings), locally(table, binnings))
    labels = dict.fromkeys(["f", "i", "day", "tz", "s"], CategoricalBinning(("0.1", "a", "inf"), None, "salt"))
    assert_equal(opened.profile(labels), locally(table, labels))
    cuts = [("s",), ("f", "b"), ("day", "s"), ("tz", "gone"), ("i",)]
    fitted = [segments.fit(table.to_batches(), columns, most=7, least=1) for columns in cuts]
    found = fit.fit_segments(opened, cuts, most=7, least=1)
    assert [by for by, _ in found] == [by for by, _ in fitted]
    by = [by for by, _ in fitted]
    schema = {field.name: str(field.type) for field in table.schema}
    assert_segments_equal(opened.profile(binnings, by), segments.count(table.to_batches(), binnings, by, schema=schema))
    cells = {name: coarse(binning) for name, binning in binnings.items()}
    paired = segments.count(table.to_batches(), binnings, (), schema=schema, pairs=cells)
    assert opened.profile(binnings, pairs=cells).pairs == paired.pairs
