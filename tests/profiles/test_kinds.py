"""Twin of `drift.profiles.kinds`."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.kinds import Scale, compatible, infer_kind, infer_scale, to_labels, to_numbers
from tests.support.laws import examples

if TYPE_CHECKING:
    from drift.config.features import FeatureKind

law = examples(100)

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
DECIMALS = [pa.decimal128(9, 2), pa.decimal256(50, 2), pa.decimal32(9, 2), pa.decimal64(12, 2)]
DURATIONS = [pa.duration(unit) for unit in ("s", "ms", "us", "ns")]
TIMESTAMPS = [pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "America/New_York")]
TIMES = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
DATES = [pa.date32(), pa.date64()]
STRINGS = [pa.string(), pa.large_string(), pa.string_view()]
NONE = [
    pa.null(),
    pa.binary(),
    pa.binary(4),
    pa.list_(pa.int8()),
    pa.struct({"a": pa.int8()}),
    pa.map_(pa.string(), pa.int8()),
    pa.month_day_nano_interval(),
]

# One value of each type, as Python, as a number and as a label.
MOMENT = datetime(2013, 2, 8, 17, 30)  # noqa: DTZ001 - Arrow adds the zone
SAMPLES: list[tuple[pa.DataType, Any, float, str]] = [
    *((t, 3, 3.0, "3") for t in INTEGERS),
    *((t, 1.5, 1.5, "1.5") for t in FLOATS),
    *((t, 3.0, 3.0, "3") for t in FLOATS),
    *((t, Decimal("1.50"), 1.5, "") for t in DECIMALS),
    *((t, date(2013, 2, 8), 15744.0, "2013-02-08") for t in DATES),
    (pa.time32("s"), time(17, 30), 63000.0, "17:30:00"),
    *((t, timedelta(minutes=2), 120.0, "") for t in DURATIONS),
    *((t, MOMENT, 1360344600.0, "") for t in TIMESTAMPS),
    (pa.bool_(), True, 1.0, "true"),
]


def ids(value: object) -> str | None:
    """Name a parameter by its Arrow type."""
    return str(value) if isinstance(value, pa.DataType) else None


@pytest.mark.parametrize(
    ("types", "kind", "scale"),
    [
        (INTEGERS, "numeric", "integer"),
        (FLOATS, "numeric", "number"),
        (DECIMALS, "numeric", "number"),
        (DURATIONS, "numeric", "number"),
        (DATES, "datetime", "date"),
        (TIMESTAMPS, "datetime", "timestamp"),
        (TIMES, "datetime", "time"),
        ([pa.bool_()], "boolean", "number"),
        (STRINGS, "categorical", "number"),
        (NONE, None, "number"),
    ],
)
def test_every_arrow_type_has_its_kind(types: list[pa.DataType], kind: FeatureKind | None, scale: Scale) -> None:
    """The table at the head of the module holds; dictionaries are categories, those of booleans still booleans."""
    for arrow_type in types:
        assert infer_kind(arrow_type) == kind, arrow_type
        assert infer_scale(arrow_type) == scale, arrow_type
    for arrow_type in set(types) - {pa.null()}:
        encoded = pa.dictionary(pa.int32(), arrow_type)
        assert infer_kind(encoded) == (kind if kind in {None, "boolean"} else "categorical"), encoded
        assert infer_scale(encoded) == scale, encoded


@pytest.mark.parametrize(("arrow_type", "value", "number", "label"), SAMPLES, ids=ids)
def test_numbers_of_every_type(arrow_type: pa.DataType, value: Any, number: float, label: str) -> None:
    """Each type reads as the number the table says, nulls beside it; slices do not see their neighbours."""
    assert label is not None
    array = pa.array([None, value, value, None, value], arrow_type)
    for part, n_null in ((array, 2), (array.slice(1, 3), 1), (array.slice(1, 2), 0), (array.slice(3, 1), 1)):
        values = to_numbers(part)
        assert values.dtype == np.float64
        assert np.isnan(values).tolist() == part.is_null().to_pylist()
        assert values[~np.isnan(values)].tolist() == [number] * (len(part) - n_null)


@pytest.mark.parametrize(("arrow_type", "value", "number", "label"), SAMPLES, ids=ids)
def test_labels_of_every_type(arrow_type: pa.DataType, value: Any, number: float, label: str) -> None:
    """Each type with a kind can be read as categories too, because a person may ask for it."""
    assert number is not None
    array = pa.array([None, value, value, None, value], arrow_type)
    for part, n in ((array, 3), (array.slice(1, 3), 2), (array.slice(3, 1), 0)):
        labels, counts, missing = to_labels(part)
        assert (len(labels), counts.sum(), missing) == (min(n, 1), n, len(part) - n)
        if label and n:
            assert labels == [label]


@pytest.mark.parametrize("arrow_type", STRINGS, ids=ids)
def test_labels_of_text(arrow_type: pa.DataType) -> None:
    """Blanks, quotes, emptiness and any script are labels like others; null alone is missing."""
    texts = ["", " ", "ÖBB", "東京", "it's", '"', "a\nb", "missing", "null", "NaN", "'; DROP TABLE x; --", "\0"]
    labels, counts, missing = to_labels(pa.array([*texts, None, *texts], arrow_type))
    assert dict(zip(labels, counts.tolist(), strict=True)) == dict.fromkeys(texts, 2)
    assert missing == 1


@pytest.mark.parametrize(
    ("arrow_type", "values"),
    [
        (pa.int64(), [3, 3]),
        (pa.float64(), [3.0, 3.0]),
        (pa.float32(), [3.0, 3.0]),
        (pa.decimal128(9, 2), [Decimal("3.00"), Decimal("3.00")]),
        (pa.decimal128(9, 0), [Decimal(3), Decimal(3)]),
        (pa.string(), ["3", "3"]),
    ],
    ids=ids,
)
def test_one_number_is_one_label_whatever_its_type(arrow_type: pa.DataType, values: list[Any]) -> None:
    """A code of 3 is the label ``3`` from Parquet, CSV and SQL alike, which turn it into floats and decimals."""
    labels, counts, missing = to_labels(pa.array([*values, None], arrow_type))
    assert (labels, counts.tolist(), missing) == (["3"], [2], 1)


@pytest.mark.parametrize("units", [("s", "ms"), ("us", "ns")])
def test_one_instant_is_one_label_whatever_its_unit(units: tuple[str, str]) -> None:
    """Nanoseconds from pandas 2 XX instants are the same labels."""
    fine, coarse = (to_labels(pa.array([MOMENT], pa.timestamp(unit)))[0] for unit in units)
    assert fine == coarse


@law
@given(st.data())
def test_a_decimal_is_read_as_the_nearest_float(data: st.DataObject) -> None:
    """Every width, precision and scale, beyond 2^53 and 10^22 too: what Python's `float` says of each, bit for bit."""
    widths: list[tuple[Any, int]] = [
        (pa.decimal32, 9),
        (pa.decimal64, 18),
        (pa.decimal128, 38),
        (pa.decimal256, 76),
    ]
    make, most = data.draw(st.sampled_from(widths))
    precision = data.draw(st.integers(1, most))
    scale = data.draw(st.integers(-5, precision))
    sizes = st.integers(1, precision).flatmap(lambda digits: st.integers(1 - 10**digits, 10**digits - 1))
    near = [n for n in (2**53, 2**53 + 1, 2**63, 2**64 + 5, 2**127) if n < 10**precision]
    unscaled = data.draw(st.lists(st.none() | sizes | st.sampled_from([*near, *(-n for n in near), 0]), max_size=20))
    with localcontext(prec=100):
        values = [None if n is None else Decimal(n).scaleb(-scale) for n in unscaled]
    start = data.draw(st.integers(0, len(values)))
    numbers = to_numbers(pa.array(values, make(precision, scale)).slice(start))
    expected = [math.nan if value is None else float(value) for value in values[start:]]
    assert np.array_equal(numbers, expected, equal_nan=True)


def test_a_nan_is_missing_and_an_infinity_is_a_value() -> None:
    """As labels, NaN counts as missing; as numbers it is what null is, too; infinities stay."""
    array = pa.array([1.0, math.nan, None, math.inf, -math.inf, -0.0])
    labels, counts, missing = to_labels(array)
    assert (labels, counts.tolist(), missing) == (["1", "inf", "-inf", "0"], [1, 1, 1, 1], 2)
    assert np.array_equal(to_numbers(array), [1.0, math.nan, math.nan, math.inf, -math.inf, 0.0], equal_nan=True)


def test_all_null_columns() -> None:
    """A column of Arrow's null type has no number and no label, and every row is missing."""
    array = pa.nulls(4)
    assert np.isnan(to_numbers(array)).tolist() == [True] * 4
    labels, counts, missing = to_labels(array)
    assert (labels, counts.tolist(), missing) == ([], [], 4)


def test_dictionaries_count_rows_not_entries() -> None:
    """Unused entries do not appear, null entries are missing, and equal entries are one label."""
    array = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None, 3, 0], pa.int8()), pa.array(["a", None, "unused", "a"])
    )
    labels, counts, missing = to_labels(array)
    assert (labels, counts.tolist(), missing) == (["a"], [3], 2)
    labels, counts, missing = to_labels(array.slice(1, 3))
    assert (labels, counts.tolist(), missing) == (["a"], [1], 2)
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array([2.5, None]))
    assert np.array_equal(to_numbers(numbers), [2.5, math.nan, math.nan, 2.5], equal_nan=True)


def test_whole_floats_of_two_signs_and_widths_are_one_label() -> None:
    """``0.0``, ``-0.0`` and 0 are one category; halves keep their fraction."""
    labels, counts, _ = to_labels(pa.array([0.0, -0.0, 0.5, 1e300]))
    assert dict(zip(labels, counts.tolist(), strict=True)) == {"0": 2, "0.5": 1, str(int(1e300)): 1}


def test_the_largest_integers_are_read() -> None:
    """Every int64 and uint64 reads as the nearest float64."""
    assert to_numbers(pa.array([2**64 - 1], pa.uint64())).tolist() == [2.0**64]
    assert to_numbers(pa.array([-(2**63)], pa.int64())).tolist() == [-(2.0**63)]


@pytest.mark.parametrize("arrow_type", [t for t in NONE if t != pa.null()], ids=ids)
def test_what_has_no_kind_raises_in_words(arrow_type: pa.DataType) -> None:
    """Nested and binary columns raise a `BinningError` that names the type, never Arrow's own error."""
    array = pa.nulls(2, arrow_type)
    with pytest.raises(BinningError, match="exclude"):
        to_labels(array)


def test_text_that_is_no_number_raises_in_words() -> None:
    """A person who calls text numeric is told which value is none and what to do; numerals are read."""
    with pytest.raises(BinningError, match="set its kind to categorical"):
        to_numbers(pa.array(["12", "twelve"]))
    assert to_numbers(pa.array(["12", "-1.5", "1e3"])).tolist() == [12.0, -1.5, 1000.0]


@pytest.mark.parametrize(
    ("kind", "arrow_type", "answer"),
    [
        ("numeric", pa.int16(), True),
        ("numeric", pa.float64(), True),  # pandas and CSV turn nullable integers into floats
        ("numeric", pa.decimal128(9, 2), True),
        ("numeric", pa.string(), False),
        ("numeric", pa.timestamp("us"), False),
        ("numeric", pa.null(), True),
        ("boolean", pa.bool_(), True),
        ("boolean", pa.string(), False),
        ("categorical", pa.string(), True),
        ("categorical", pa.dictionary(pa.int8(), pa.string()), True),
        ("categorical", pa.int64(), True),
        ("categorical", pa.list_(pa.string()), False),
        ("numeric", pa.dictionary(pa.int8(), pa.int64()), True),
        ("numeric", pa.dictionary(pa.int8(), pa.string()), False),
        ("datetime", pa.timestamp("ms", "UTC"), True),
        ("datetime", pa.int64(), False),
        ("datetime", pa.string(), False),
    ],
)
def test_compatible(kind: FeatureKind, arrow_type: pa.DataType, answer: bool) -> None:  # noqa: FBT001
    """A column may change its width, not its nature."""
    assert compatible(kind, arrow_type) is answer


labels_or_none = st.lists(st.none() | st.text(max_size=3), max_size=30)


@law
@given(labels_or_none, st.booleans())
def test_labels_count_every_row(values: list[str | None], encoded: bool) -> None:  # noqa: FBT001
    """Labels with their counts are what `Counter` says, and the rest is missing."""
    array = pa.array(values, pa.string())
    labels, counts, missing = to_labels(array.dictionary_encode() if encoded else array)
    assert Counter(dict(zip(labels, counts.tolist(), strict=True))) == Counter(v for v in values if v is not None)
    assert missing == values.count(None)
    assert len(set(labels)) == len(labels)


@law
@given(st.lists(st.none() | st.floats(), max_size=30))
def test_numbers_and_labels_agree_on_what_is_there(values: list[float | None]) -> None:
    """Read as numbers or as labels, as many rows are present."""
    array = pa.array(values, pa.float64())
    numbers = to_numbers(array)
    _, counts, missing = to_labels(array)
    assert len(numbers) == len(values)
    assert int(counts.sum()) == len(numbers) - int(np.isnan(numbers).sum())
    assert missing == len(values) - int(counts.sum())
