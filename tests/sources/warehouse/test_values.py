# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Values as keys to group by, and labels made of them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.kinds import to_labels
from drift.sources.warehouse.query import Column, compiled
from drift.sources.warehouse.values import is_finite, key, key_like, key_of, labels, number


@given(st.lists(st.text(), unique=True))
def test_any_text_has_a_key_of_plain_letters(texts: list[str]) -> None:
    """Which leads back to it, lone surrogates, zeros and all."""
    keys = [key_of(text, pa.string()) for text in texts]
    assert all(each is not None and set(each) <= set("0123456789abcdef") for each in keys)
    assert labels([str(each) for each in keys], [1] * len(keys), pa.string()) == (texts, [1] * len(texts))


@given(st.lists(st.floats(allow_nan=False)), st.booleans())
def test_numbers_have_the_labels_that_arrow_gives_them(values: list[float], shout: bool) -> None:  # noqa: FBT001
    """However a database writes them; both zeros are one."""
    keys = [str(value).upper() if shout else repr(value) for value in values]
    found = labels(keys, [1] * len(keys), pa.float64())
    expected = to_labels(pa.array(values, pa.float64()))
    assert dict(zip(*found, strict=True)) == dict(zip(expected[0], expected[1].tolist(), strict=True))


@pytest.mark.parametrize(
    ("keys", "arrow", "values"),
    [
        (["0", "1"], pa.bool_(), [False, True]),
        (["-1", "15744"], pa.date32(), [date(1969, 12, 31), date(2013, 2, 8)]),
        (["-500000"], pa.timestamp("us"), [datetime(1969, 12, 31, 23, 59, 59, 500_000)]),
        (["36000000000"], pa.time64("us"), [time(10)]),
        (["-1"], pa.duration("us"), [timedelta(microseconds=-1)]),
        (["-9223372036854775808"], pa.int64(), [-(2**63)]),
        (["18446744073709551615"], pa.uint64(), [2**64 - 1]),
    ],
)
def test_labels_are_those_of_the_local_engine(keys: list[str], arrow: pa.DataType, values: list[Any]) -> None:
    """Times come as whole numbers, and are written as Drift writes them."""
    expected, counts, _ = to_labels(pa.array(values, arrow))
    assert labels(keys, [1] * len(keys), arrow) == (expected, counts.tolist())


MOMENTS = st.datetimes(datetime(1600, 1, 1), datetime(2200, 1, 1))


@pytest.mark.parametrize(
    ("arrow", "values"),
    [
        (pa.string(), st.text()),
        (pa.bool_(), st.booleans()),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.date32(), st.dates()),
        (pa.timestamp("us"), MOMENTS),
        (pa.timestamp("us", "UTC"), MOMENTS),
        (pa.timestamp("ns"), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))),
        (pa.time64("us"), st.times()),
        (pa.duration("us"), st.timedeltas(timedelta(-(10**7)), timedelta(10**7))),
    ],
    ids=str,
)
@given(data=st.data())
def test_labels_lead_back_to_their_keys(
    arrow: pa.DataType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Of any type: the key that the database makes of the value with this label, and no other."""
    array = pa.array([data.draw(values)], arrow)
    (label,), _, _ = to_labels(array)
    if pa.types.is_string(arrow):
        expected = key_of(label, arrow)
    else:
        width: Any = pa.int32() if pa.types.is_date(arrow) else array.type if arrow == pa.uint64() else pa.int64()
        expected = str(array.cast(width)[0])
    assert key_like(label, arrow) == expected


@given(st.floats(allow_nan=False))
def test_labels_of_numbers_are_written_by_the_database(value: float) -> None:
    """From the number itself, so that its key is the one of the rows."""
    (label,), _, _ = to_labels(pa.array([value]))
    assert repr(key_like(label, pa.float64())) == (repr(value) if value else "0.0")


@pytest.mark.parametrize(
    ("label", "arrow"),
    [
        ("1.0", pa.float64()), ("nan", pa.float64()), ("x", pa.float64()), ("1_0", pa.float64()), ("", pa.float64()),
        ("1.0", pa.int64()), ("١", pa.int64()), ("True", pa.bool_()), ("1", pa.bool_()),
        ("2013-2-8", pa.date32()), ("2013-02-30", pa.date32()), ("2013-02-08 00:00:00", pa.date32()),
        ("2013-02-08", pa.timestamp("us")), ("2013-02-08 00:00:00.5000", pa.timestamp("us")),
        ("2013-02-08 00:00:00", pa.timestamp("us", "UTC")), ("2013-02-08 00:00:00Z", pa.timestamp("us")),
        ("25:00:00", pa.time64("us")), ("10:00", pa.time64("us")), ("-0", pa.duration("us")),
        ("9" * 40, pa.duration("us")),
    ],
)  # fmt: skip
def test_what_no_value_is_called_has_no_key(label: str, arrow: pa.DataType) -> None:
    """A label of another type, or written in another way, is of no row."""
    assert key_like(label, arrow) is None


@pytest.mark.parametrize("backend", ["postgres", "duckdb", "bigquery", "snowflake", "trino", "databricks"])
def test_every_dialect_can_be_written(backend: str) -> None:
    """Every kind of column, as a number and as a key; what it means was run on DuckDB, PostgreSQL and Spark alone."""
    import ibis

    kinds: dict[str, tuple[Any, Any]] = {
        "f": ("float64", pa.float64()),
        "i": ("int32", pa.int64()),
        "d": ("decimal(38, 9)", pa.float64()),
        "b": ("boolean", pa.bool_()),
        "s": ("string", pa.string()),
        "day": ("date", pa.date32()),
        "ts": ("timestamp", pa.timestamp("us")),
        "tz": ("timestamp('UTC')", pa.timestamp("us", "UTC")),
        "n": ("null", pa.null()),
    }
    table = ibis.table({name: stored for name, (stored, _) in kinds.items()}, name="t")
    for name, (stored, arrow) in kinds.items():
        column = Column(arrow, stored)
        assert "FROM" in compiled(backend, table.select(key=key(table[name], column, backend)))
        if name != "s":
            value = number(table[name], column, backend)
            assert "FROM" in compiled(backend, table.select(value=value, below=is_finite(value, backend)))


def test_hexadecimal_text_is_written_in_each_dialect() -> None:
    """In small letters everywhere."""
    import ibis

    table = ibis.table({"s": "string"}, name="t")
    text = Column(pa.string(), "string")
    written = {
        backend: compiled(backend, table.select(k=key(table.s, text, backend)))
        for backend in ("postgres", "duckdb", "bigquery", "snowflake", "trino", "databricks")
    }
    assert "ENCODE(CONVERT_TO(\"t0\".\"s\", 'UTF8'), 'hex')" in written["postgres"]
    assert 'LOWER(HEX("t0"."s"))' in written["duckdb"]
    assert "TO_HEX(CAST(`t0`.`s` AS BYTES))" in written["bigquery"]
    assert 'HEX_ENCODE("t0"."s", 0)' in written["snowflake"]
    assert 'LOWER(TO_HEX(TO_UTF8("t0"."s")))' in written["trino"]
    assert "LOWER(HEX(`t0`.`s`))" in written["databricks"]
