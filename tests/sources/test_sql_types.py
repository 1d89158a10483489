"""SQL columns and values as Arrow."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from drift.sources.sql_types import Relation, declared_types, stored_types, to_arrow


def typed(rows: list[tuple[Any, ...]], declared: str) -> pa.DataType | None:
    """The type that SQLite's values of a declared column fit."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE t (x {declared})")
        for row in rows:
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", row)
        relation = Relation(sa.table("t"), "table t")
        found = stored_types(connection, relation, declared_types(connection, relation, "t", None), None)["x"]
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("values", "declared", "expected"),
    [
        ([1, 2, None], "INTEGER", pa.int64()),
        ([1, 2.5], "INTEGER", pa.float64()),
        ([1, "two"], "INTEGER", pa.string()),
        ([0, 1], "BOOLEAN", pa.bool_()),
        ([0, 2], "BOOLEAN", pa.int64()),
        (["2024-01-01"], "DATE", pa.date32()),
        (["2024-02-30"], "DATE", pa.string()),
        (["2024-01-01T00:00:00Z"], "DATETIME", pa.timestamp("us", "UTC")),
        (["2024-01-01 00:00:00"], "DATETIME", pa.timestamp("us")),
        ([None], "INTEGER", pa.int64()),
        ([None, 0, 1.5], "BOOLEAN", pa.float64()),
        ([1, 2], "REAL", pa.float64()),
        ([b"a", b"b"], "BLOB", pa.binary()),
        ([b"a", 1], "BLOB", pa.string()),
        ([b"a", "b"], "TEXT", pa.string()),
        ([1.5, 2, None], "", pa.float64()),
        ([-1, "", b""], "", pa.string()),
        ([20240101], "DATE", pa.int64()),
        (["2024-01-01", 20240101], "DATE", pa.string()),
        (["2024-01-01T00:00:00z", "2024-01-01 00:00:00+01:00", None], "DATETIME", pa.timestamp("us", "UTC")),
        (["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"], "DATETIME", pa.string()),
        (["2024-02-30 00:00:00"], "DATETIME", pa.string()),
    ],
)
def test_sqlite_columns_have_the_type_that_all_their_values_fit(
    values: list[Any], declared: str, expected: pa.DataType
) -> None:
    """Whatever was declared, no value is lost or misread."""
    assert typed([(value,) for value in values], declared) == expected


def test_a_value_that_does_not_fit_widens() -> None:
    """Integers become floats, anything else text; nothing raises."""
    assert to_arrow([1, 2.5], pa.int64()).to_pylist() == [1.0, 2.5]
    assert to_arrow([1, "x"], pa.int64()).to_pylist() == ["1", "x"]


def test_decimals_and_instants() -> None:
    """A decimal is a float, an aware time an instant."""
    assert to_arrow([Decimal("1.25"), None], pa.float64()).to_pylist() == [1.25, None]
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert to_arrow([noon], pa.timestamp("us", "UTC")).to_pylist() == [noon]
