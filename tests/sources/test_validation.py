"""The Great Expectations gate, on real frames and the real library."""

from __future__ import annotations

import datetime as dt
import decimal
import gc
import json
import logging
import socket
import subprocess
import sys
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.expectations import Expectation
from drift.errors import MissingExtra
from drift.sources import validation, validation_results
from drift.sources.snapshot import open_table
from drift.sources.validation import Outcome, columns_needed, decide, validate
from tests.support.arrow_samples import not_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

N = 1_000
COLUMNS = ["event_time", "flight_date", "carrier", "tailnum", "origin", "dep_delay", "arr_delay", "distance", "late"]


def ask(name: str, severity: Literal["reject", "warn"] = "reject", **kwargs: Any) -> Expectation:
    """Write one expectation as a monitor file would."""
    return Expectation(type=name, kwargs=kwargs, severity=severity)


def one(frame: pd.DataFrame, name: str, **kwargs: Any) -> Outcome:
    """Hold a frame against one expectation."""
    (outcome,) = validate(frame, [ask(name, **kwargs)])
    return outcome


@pytest.fixture(scope="module")
def window() -> pd.DataFrame:
    """A window as the snapshots hand it over: Arrow, then pandas."""
    rows = np.arange(N)
    noon = dt.datetime(2013, 2, 8, 12, tzinfo=dt.UTC)
    table = pa.table({
        "event_time": pa.array([noon + dt.timedelta(seconds=int(i)) for i in rows], pa.timestamp("ms", "UTC")),
        "flight_date": pa.array([dt.date(2013, 2, 8 + i % 2) for i in rows], pa.date32()),
        "carrier": pa.array([("UA", "DL", "AA", None)[i % 4] if i < 40 else "UA" for i in rows]),
        "tailnum": pa.array([f"N{i}" for i in rows]),
        "origin": pa.array([("EWR", "JFK", "LGA")[i % 3] for i in rows]),
        "dep_delay": pa.array([None if i % 10 == 0 else i % 60 for i in rows], pa.int16()),
        "arr_delay": pa.array([None if i % 10 == 0 else i % 60 - 5 for i in rows], pa.int16()),
        "distance": pa.array(rows % 900 + 100, pa.int16()),
        "late": pa.array(rows % 2 == 0),
    })  # fmt: skip
    frame = open_table(table).to_pandas()
    assert list(frame.columns) == COLUMNS
    return frame


NOON = "2013-02-08T12:00:00+00:00"

MET: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 300}),
    ("expect_table_row_count_to_equal", {"value": N}),
    ("expect_table_column_count_to_equal", {"value": 9}),
    ("expect_table_columns_to_match_set", {"column_set": COLUMNS[::-1]}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": COLUMNS}),
    ("expect_column_to_exist", {"column": "carrier"}),
    ("expect_column_values_to_not_be_null", {"column": "origin"}),
    ("expect_column_values_to_not_be_null", {"column": "carrier", "mostly": 0.9}),
    ("expect_column_values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]}),
    ("expect_column_values_to_be_in_set",
     {"column": "flight_date", "value_set": ["2013-02-08", "2013-02-09"]}),
    ("expect_column_values_to_be_in_set", {"column": "dep_delay", "value_set": list(range(60))}),
    ("expect_column_values_to_be_in_set", {"column": "late", "value_set": [True, False]}),
    ("expect_column_values_to_not_be_in_set", {"column": "origin", "value_set": ["XXX"]}),
    ("expect_column_values_to_be_between", {"column": "dep_delay", "min_value": 0, "max_value": 59}),
    ("expect_column_values_to_be_between", {"column": "event_time", "min_value": NOON}),
    ("expect_column_values_to_be_between", {"column": "flight_date", "min_value": "2013-02-08"}),
    ("expect_column_values_to_match_regex", {"column": "tailnum", "regex": "^N"}),
    ("expect_column_values_to_not_match_regex", {"column": "tailnum", "regex": "^X"}),
    ("expect_column_value_lengths_to_equal", {"column": "carrier", "value": 2}),
    ("expect_column_values_to_be_unique", {"column": "tailnum"}),
    ("expect_column_values_to_be_increasing", {"column": "event_time"}),
    ("expect_column_values_to_be_of_type", {"column": "carrier", "type_": "str"}),
    ("expect_column_values_to_be_of_type", {"column": "dep_delay", "type_": "int16"}),
    ("expect_column_values_to_be_in_type_list", {"column": "dep_delay", "type_list": ["int16", "int32"]}),
    ("expect_column_values_to_be_in_type_list", {"column": "distance", "type_list": ["int16", "float64"]}),
    ("expect_column_mean_to_be_between", {"column": "dep_delay", "min_value": 20, "max_value": 40}),
    ("expect_column_max_to_be_between", {"column": "event_time", "min_value": NOON}),
    ("expect_column_max_to_be_between", {"column": "flight_date", "min_value": "2013-02-09"}),
    ("expect_column_quantile_values_to_be_between",
     {"column": "dep_delay", "quantile_ranges": {"quantiles": [0.1, 0.9], "value_ranges": [[0, 10], [50, None]]}}),
    ("expect_column_unique_value_count_to_be_between", {"column": "origin", "max_value": 3}),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"column": "dep_delay", "min_value": 0.9}),
    ("expect_column_distinct_values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK", "LGA", "XXX"]}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "carrier", "value_set": ["UA"]}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "dep_delay", "column_B": "arr_delay"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["tailnum", "origin"]}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["dep_delay", "arr_delay"], "sum_total": 3, "mostly": 0}),
    ("expect_column_values_to_not_be_null", {"column": "dep_delay", "row_condition": "dep_delay > 0"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), MET)
def test_common_expectations_are_met(window: pd.DataFrame, name: str, kwargs: dict[str, Any]) -> None:
    """The common expectations hold on a frame that came through Arrow, whatever the dtype."""
    outcome = one(window, name, **kwargs)
    assert outcome.success, outcome.message
    assert not outcome.error
    assert outcome.expectation == name
    assert outcome.column == kwargs.get("column")


def arrow(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return values with a null among them."""
    return pa.array([values[0], None, *values[1:]], kind)


DAYS = [dt.date(2013, 2, 8), dt.date(2013, 2, 9)]
TYPES: list[tuple[pa.Array[Any], str, list[Any]]] = [
    *((arrow([1, 2], getattr(pa, name)()), name, [1, 2]) for name in ("int8", "int16", "int32", "int64")),
    *((arrow([1, 2], getattr(pa, name)()), name, [1, 2]) for name in ("uint8", "uint16", "uint32", "uint64")),
    (pa.array([1, 2]), "int64", [1, 2]),
    (arrow([1, 2], pa.int64()).dictionary_encode(), "int64", [1, 2]),
    (arrow([2**62 + 1, 1], pa.int64()), "int64", [2**62 + 1, 1]),
    (arrow([True, False], pa.bool_()), "bool", [True, False]),
    (pa.array([True, False]), "bool", [True, False]),
    (arrow([1.5, 2.5], pa.float64()), "float64", [1.5, 2.5]),
    (arrow([1.5, 2.5], pa.float16()), "float32", [1.5, 2.5]),
    *((arrow(["a", "b"], pa.string()).cast(kind), "str", ["a", "b"])
      for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))),
    (arrow([decimal.Decimal("1.5"), decimal.Decimal(2)], pa.decimal128(9, 2)), "Decimal", [1.5, 2]),
    (arrow(DAYS, pa.date32()), "date", [str(day) for day in DAYS]),
    (arrow(DAYS, pa.date32()).dictionary_encode(), "date", [str(day) for day in DAYS]),
]  # fmt: skip


@pytest.mark.parametrize(("column", "name", "values"), TYPES, ids=[f"{case[1]} {case[0].type}" for case in TYPES])
def test_types_do_not_depend_on_nulls_or_encoding(column: pa.Array[Any], name: str, values: list[Any]) -> None:
    """Whole numbers stay such beside nulls, dictionaries are their values, and each is found in a set of its kind."""
    frame = open_table(pa.table({"x": column})).to_pandas()
    asked = [
        ask("expect_column_values_to_be_of_type", column="x", type_=name),
        ask("expect_column_values_to_be_in_set", column="x", value_set=values),
        ask("expect_column_distinct_values_to_equal_set", column="x", value_set=values),
        ask("expect_column_values_to_not_be_null", column="x", mostly=0.6),
    ]
    if name not in {"str", "Decimal", "date"}:
        asked.append(ask("expect_column_values_to_be_in_type_list", column="x", type_list=["zzz", name]))
    assert [outcome.message for outcome in validate(frame, asked) if not outcome.success] == []
    (other,) = validate(frame, [ask("expect_column_values_to_not_be_in_set", column="x", value_set=values[:1])])
    assert not other.success


def test_what_pandas_has_no_objects_for_is_judged_all_the_same() -> None:
    """Dates beyond year 9999, nanoseconds, and text that is not UTF-8 keep no other column from being validated."""
    table = pa.table({
        "far": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()),
        "time": pa.array([1, 2], pa.time64("ns")),
        "latin": not_utf8().slice(0, 2),
        "n": [1, 2],
    })  # fmt: skip
    frame = open_table(table).to_pandas()
    named = ask("expect_column_values_to_match_regex", column="latin", regex="^Caf")
    outcomes = validate(
        frame, [*(ask("expect_column_values_to_not_be_null", column=c, mostly=0.5) for c in frame), named]
    )
    assert [outcome.message for outcome in outcomes if not outcome.success] == []


NOT_MET: list[tuple[str, dict[str, Any], str]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 3_000},
     "expect_table_row_count_to_be_between: 1,000 rows; asked ≥ 3,000"),
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 9},
     "expect_table_row_count_to_be_between: 1,000 rows; asked ≥ 1 and ≤ 9"),
    ("expect_column_values_to_not_be_null", {"column": "carrier", "mostly": 0.999},
     "expect_column_values_to_not_be_null(carrier): 10 of 1,000 rows (1 %) are null; asked mostly ≥ 0.999"),
    ("expect_column_values_to_be_null", {"column": "carrier"},
     "expect_column_values_to_be_null(carrier): 990 of 1,000 rows (99 %) are not null"),
    ("expect_column_values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK"]},
     ("expect_column_values_to_be_in_set(origin): 333 of 1,000 rows (33.3 %) are outside the set; "
     "asked one of EWR, JFK")),
    ("expect_column_values_to_be_between", {"column": "dep_delay", "max_value": 58, "strict_max": True},
     ("expect_column_values_to_be_between(dep_delay): 32 of 900 values (3.6 %) are outside, 100 missing left aside; "
     "asked < 58")),
    ("expect_column_values_to_match_regex", {"column": "tailnum", "regex": "^N1", "mostly": 0.5},
     "expect_column_values_to_match_regex(tailnum): 889 of 1,000 rows (88.9 %) do not match; asked ^N1, mostly ≥ 0.5"),
    ("expect_column_values_to_be_unique", {"column": "origin"},
     "expect_column_values_to_be_unique(origin): 1,000 of 1,000 rows (100 %) occur more than once"),
    ("expect_column_mean_to_be_between", {"column": "distance", "max_value": 3.5},
     "expect_column_mean_to_be_between(distance): mean is 509.5; asked ≤ 3.5"),
    ("expect_column_max_to_be_between", {"column": "flight_date", "max_value": "2013-02-08"},
     "expect_column_max_to_be_between(flight_date): max is 2013-02-09; asked ≤ 2013-02-08"),
    ("expect_column_to_exist", {"column": "nope"}, "expect_column_to_exist(nope): the column is not there"),
    ("expect_column_values_to_be_of_type", {"column": "dep_delay", "type_": "float64"},
     "expect_column_values_to_be_of_type(dep_delay): type is int16; asked float64"),
    ("expect_table_columns_to_match_set", {"column_set": ["carrier", "nope"], "exact_match": True},
     ("expect_table_columns_to_match_set: columns missing nope; unexpected arr_delay, dep_delay, distance, event_time, "
     "flight_date, late, origin, tailnum; asked carrier, nope, exact_match True")),
    ("expect_column_quantile_values_to_be_between",
     {"column": "distance", "quantile_ranges": {"quantiles": [0.1, 0.5], "value_ranges": [[None, 5], [3, 9]]}},
     "expect_column_quantile_values_to_be_between(distance): q0.1 = 150, q0.5 = 500; asked q0.1 ≤ 5, q0.5 ≥ 3 and ≤ 9"),
    ("expect_column_distinct_values_to_be_in_set", {"column": "origin", "value_set": ["EWR"]},
     "expect_column_distinct_values_to_be_in_set(origin): 2 distinct values outside the set; asked one of EWR"),
    ("expect_column_pair_values_to_be_equal", {"column_A": "dep_delay", "column_B": "arr_delay"},
     ("expect_column_pair_values_to_be_equal(dep_delay, arr_delay): 900 of 900 values (100 %) differ, "
     "100 missing left aside")),
    ("expect_compound_columns_to_be_unique", {"column_list": ["origin", "late"]},
     "expect_compound_columns_to_be_unique(origin, late): 1,000 of 1,000 rows (100 %) occur more than once"),
    ("expect_column_values_to_not_be_null", {"column": "dep_delay", "row_condition": 'origin == "EWR"'},
     'expect_column_values_to_not_be_null(dep_delay) where origin == "EWR": 34 of 334 rows (10.2 %) are null'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "message"), NOT_MET)
def test_a_failure_is_a_sentence(window: pd.DataFrame, name: str, kwargs: dict[str, Any], message: str) -> None:
    """What fails says what was seen and what was asked, in words."""
    outcome = one(window, name, **kwargs)
    assert not outcome.success
    assert not outcome.error
    assert outcome.message == message


@pytest.mark.parametrize(
    ("column", "inside", "outside"),
    [("flight_date", "2013-02-08", "2013-02-07"), ("event_time", NOON, "2013-02-08T12:00:00.5+00:00")],
)
def test_a_set_of_dates_is_written_as_text(window: pd.DataFrame, column: str, inside: str, outside: str) -> None:
    """A monitor file writes dates and times as text; in a set they are compared as what the column holds."""
    found = one(window, "expect_column_values_to_not_be_in_set", column=column, value_set=[inside])
    assert not found.success, found.message
    assert found.message.endswith(f"are in the set; asked none of {inside}")
    assert one(window, "expect_column_values_to_not_be_in_set", column=column, value_set=[outside]).success
    assert not one(window, "expect_column_values_to_be_in_set", column=column, value_set=["tomorrow"]).success


def test_expectations_of_different_rows_are_judged_together(window: pd.DataFrame) -> None:
    """Each is judged on the rows of its own condition; one condition that cannot be met by the data leaves the rest."""
    conditions = ['origin == "EWR"', None, "dep_delay > 30", "origin > 3", 'origin == "EWR"', "zzz is null"]
    asked = [
        ask("expect_table_row_count_to_be_between", max_value=i, row_condition=condition)
        for i, condition in enumerate(conditions)
    ]
    outcomes = validate(window, asked)
    assert [outcome.key for outcome in outcomes] == [expectation.key for expectation in asked]
    rows = [json.loads(outcome.observed)["observed_value"] if outcome.observed else None for outcome in outcomes]
    assert rows == [334, N, int((window["dep_delay"] > 30).sum()), None, 334, None]
    assert [outcome.error for outcome in outcomes] == [row is None for row in rows]
    assert "origin holds text, which is not compared with 3" in outcomes[3].message
    assert "there is no column zzz" in outcomes[5].message


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("expect_column_values_to_not_be_null", {"column": "carier"}, "there is no column carier; did you mean carrier?"),
    ("expect_compound_columns_to_be_unique", {"column_list": ["origin", "zzz"]}, "there is no column zzz"),
    ("expect_column_mean_to_be_between", {"column": "carrier", "min_value": 0}, "'mean' with string dtype"),
    ("expect_column_mean_to_be_between", {"column": "flight_date", "min_value": 0}, "Could not convert … to numeric"),
    ("expect_column_values_to_be_between", {"column": "event_time", "min_value": "2013-01-01"}, "a bound must"),
    ("expect_column_max_to_be_between", {"column": "event_time", "min_value": "2013-01-01"}, "a bound must be"),
    ("expect_column_values_to_not_be_null", {"column": "carrier", "row_condition": "zzz > 3"}, "no column zzz"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "words"), BROKEN)
def test_what_cannot_be_evaluated_is_an_outcome(
    window: pd.DataFrame, name: str, kwargs: dict[str, Any], words: str
) -> None:
    """A missing column or a wrong type fails with `error`, keeps its severity and leaves the others alone."""
    fine = ask("expect_table_row_count_to_equal", value=N)
    before, broken, after = validate(window, [fine, ask(name, "warn", **kwargs), fine])
    assert before.success
    assert after.success
    assert (broken.success, broken.error, broken.severity, broken.observed) == (False, True, "warn", None)
    assert words in broken.message
    assert "Traceback" not in broken.message
    assert decide([before, broken, after]) == "warned"


def test_outcomes_keep_the_order_and_the_keys(window: pd.DataFrame) -> None:
    """Outcomes stand in the order asked, repeated expectations included, each under its expectation's key."""
    asked = [ask(name, **kwargs) for name, kwargs in MET[::-1]] + [ask(*MET[0][:1], **MET[0][1])]
    validation_results = validate(window, asked)
    assert [outcome.key for outcome in validation_results] == [expectation.key for expectation in asked]
    assert [outcome.expectation for outcome in validation_results] == [expectation.type for expectation in asked]


def test_an_empty_window_can_be_judged(window: pd.DataFrame) -> None:
    """No rows: the row count sees 0, column expectations give GX's own answer, nothing raises."""
    empty = window.iloc[:0].astype({"dep_delay": "int16", "arr_delay": "int16"})
    validation_results = validate(empty, [ask(name, **kwargs) for name, kwargs in MET])
    assert [outcome.message for outcome in validation_results if outcome.error] == []
    count, *_ = validation_results
    assert count.message == "expect_table_row_count_to_be_between: 0 rows; asked ≥ 300"
    assert json.loads(str(count.observed)) == {"observed_value": 0}
    nulls = one(empty, "expect_column_values_to_not_be_null", column="carrier")
    assert (nulls.success, nulls.message) == (True, "expect_column_values_to_not_be_null(carrier): no rows")
    assert (
        "mean cannot be computed"
        in one(empty, "expect_column_mean_to_be_between", column="distance", min_value=0).message
    )


def test_an_empty_column_can_be_judged() -> None:
    """A column of nothing but nulls: rates say so, aggregates cannot be computed, sets are vacuously met."""
    frame = pa.table({"x": pa.nulls(5, pa.float64()), "s": pa.nulls(5, pa.string()), "n": pa.nulls(5)}).to_pandas()
    for column in frame.columns:
        assert (
            "5 of 5 rows (100 %) are null" in one(frame, "expect_column_values_to_not_be_null", column=column).message
        )
        inside = one(frame, "expect_column_values_to_be_in_set", column=column, value_set=["a"])
        assert inside.success
        assert "no values (5 of 5 rows are missing)" in inside.message
    assert "mean cannot be computed" in one(frame, "expect_column_mean_to_be_between", column="x", min_value=0).message


def strict(text: str | None) -> Any:
    """Read JSON as a strict reader does: without NaN and Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert text is not None
    return json.loads(text, parse_constant=refuse)


def test_observed_is_strict_json() -> None:
    """NaN, infinities and NaT are strings in what was observed; times are ISO 8601."""
    frame = pd.DataFrame({
        "inf": [np.inf, -np.inf],
        "nan": [np.nan, np.nan],
        "time": pd.to_datetime(["2013-01-01", "2013-01-02"], utc=True),
        "money": [decimal.Decimal("1.50"), decimal.Decimal("2.50")],
    })  # fmt: skip
    most = one(frame, "expect_column_max_to_be_between", column="inf", min_value=0)
    assert strict(most.observed) == {"observed_value": "inf"}
    assert most.message.endswith("max is inf; asked ≥ 0")
    quantiles = {"quantiles": [0.5], "value_ranges": [[0, 1]]}
    nan = one(frame, "expect_column_quantile_values_to_be_between", column="nan", quantile_ranges=quantiles)
    assert strict(nan.observed)["observed_value"]["values"] == ["NaN"]
    time = one(frame, "expect_column_max_to_be_between", column="time", min_value=NOON)
    assert strict(time.observed) == {"observed_value": "2013-01-02T00:00:00+00:00"}
    never = one(frame.iloc[:0], "expect_column_max_to_be_between", column="time", min_value=NOON)
    assert strict(never.observed) == {"observed_value": "NaT"}
    money = one(frame, "expect_column_max_to_be_between", column="money", min_value=3)
    assert strict(money.observed) == {"observed_value": "2.50"}
    mean = one(frame, "expect_column_mean_to_be_between", column="inf", min_value=0)
    assert (mean.error, mean.observed) == (False, None)
    assert "mean cannot be computed" in mean.message


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.decimals()
    | st.just(pd.NaT) | st.just(pd.NA) | st.floats().map(np.float64) | st.integers(0, 9).map(np.int16)
)  # fmt: skip


@given(
    st.recursive(
        ANYTHING,
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=60,
    )
)  # fmt: skip
def test_any_observed_value_is_json_of_bounded_size(value: Any) -> None:
    """Whatever GX observes becomes strict JSON of at most 2,000 characters."""
    text = validation_results._observed({"observed_value": value, "element_count": 10**9})
    assert text is not None
    assert len(text) <= 2_000
    assert strict(text)["element_count"] == 10**9


def test_a_long_observation_is_cut_and_still_json() -> None:
    """A table of a thousand columns leaves valid JSON, cut to 2,000 characters."""
    frame = pd.DataFrame({f'column "{i}" \\': [1] for i in range(1_000)})
    outcome = one(frame, "expect_table_columns_to_match_set", column_set=["x"])
    assert len(str(outcome.observed)) <= 2_000
    assert strict(outcome.observed)["observed_value"].endswith("…")
    assert len(outcome.message) < 500


def test_rows_do_not_leak() -> None:
    """Neither unexpected values nor values quoted by exceptions are kept."""
    frame = pd.DataFrame({"name": pd.Series(["Jane Doe", 1, "Jane Doe", "John"], dtype=object), "x": [1, 2, 3, 4]})
    asked = [
        ask("expect_column_values_to_be_in_set", column="name", value_set=["nobody"]),
        ask("expect_column_values_to_be_unique", column="name"),
        ask("expect_column_values_to_match_regex", column="name", regex="^Z"),
        ask("expect_column_distinct_values_to_be_in_set", column="name", value_set=["nobody"]),
        ask("expect_column_distinct_values_to_equal_set", column="name", value_set=["nobody"]),
        ask("expect_column_mean_to_be_between", column="name", min_value=0),
        ask("expect_column_stdev_to_be_between", column="name", min_value=0),
        ask("expect_column_sum_to_be_between", column="name", min_value=0),
        ask("expect_column_median_to_be_between", column="name", min_value=0),
        ask("expect_column_values_to_be_between", column="name", min_value=0),
        ask("expect_column_pair_values_to_be_equal", column_A="name", column_B="x"),
    ]
    validation_results = validate(frame, asked)
    assert not any(outcome.success for outcome in validation_results)
    assert "Jane" not in repr(validation_results)
    assert "John" not in repr(validation_results)


def said(severity: Literal["reject", "warn"], *, success: bool, error: bool = False) -> Outcome:
    """Make an outcome of which only the fate matters."""
    return Outcome("key", "expect_column_to_exist", "x", severity, success, None, "message", error)


@pytest.mark.parametrize(
    ("outcomes", "fate"),
    [
        ([], "accepted"),
        ([said("reject", success=True), said("warn", success=True)], "accepted"),
        ([said("reject", success=True), said("warn", success=False)], "warned"),
        ([said("warn", success=False, error=True)], "warned"),
        ([said("reject", success=False), said("warn", success=False)], "rejected"),
        ([said("warn", success=True), said("reject", success=False, error=True)], "rejected"),
    ],
)
def test_decide(outcomes: Sequence[Outcome], fate: str) -> None:
    """A failed or broken reject rejects; a failed or broken warn warns; otherwise the window is accepted."""
    assert decide(outcomes) == fate


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        ([], []),
        ([ask("expect_table_row_count_to_be_between", min_value=1)], ["event_time"]),
        ([ask("expect_column_sum_to_be_between", column="distance", min_value=0),
          ask("expect_column_to_exist", column="carrier")], ["carrier", "distance"]),
        ([ask("expect_column_values_to_not_be_null", column="nope")], ["event_time"]),
        ([ask("expect_column_pair_values_to_be_equal", column_A="late", column_B="origin")], ["origin", "late"]),
        ([ask("expect_compound_columns_to_be_unique", column_list=["late", "carrier"])], ["carrier", "late"]),
        ([ask("expect_table_row_count_to_equal", value=1, row_condition="`dep_delay` > 3")], ["dep_delay"]),
        ([ask("expect_column_to_exist", column="late", column_index=3)], None),
        ([ask("expect_table_columns_to_match_set", column_set=["late"])], None),
        ([ask("expect_table_columns_to_match_ordered_list", column_list=["late"])], None),
        ([ask("expect_table_column_count_to_equal", value=3)], None),
    ],
)  # fmt: skip
def test_columns_needed(asked: list[Expectation], needed: list[str] | None) -> None:
    """The gate reads the columns it names, one when it only counts rows, and all when it judges the table's shape."""
    assert columns_needed(asked, COLUMNS) == needed


def test_the_columns_needed_are_enough(window: pd.DataFrame) -> None:
    """Reading only `columns_needed` changes no outcome."""
    for name, kwargs in MET + [(name, kwargs) for name, kwargs, _ in NOT_MET + BROKEN]:
        asked = [ask(name, **kwargs)]
        needed = columns_needed(asked, COLUMNS)
        narrow = validate(window if needed is None else window[needed], asked)
        (outcome,) = validate(window, asked)
        assert (narrow[0].success, narrow[0].observed) == (outcome.success, outcome.observed)


def test_the_frame_is_neither_changed_nor_kept(window: pd.DataFrame) -> None:
    """A window's rows are as they were, and their memory is free once they are judged."""
    frame = window[window["distance"] > 500]
    before = frame.copy()
    validate(frame, [ask(name, **kwargs) for name, kwargs in MET])
    pd.testing.assert_frame_equal(frame, before)
    alive = weakref.ref(frame)
    del frame
    gc.collect()
    assert alive() is None


def test_threads_do_not_see_each_others_rows() -> None:
    """Windows validated at the same time are each judged on their own rows."""
    asked = [ask("expect_table_row_count_to_be_between", min_value=0)]
    with ThreadPoolExecutor(4) as pool:
        frames = [pd.DataFrame({"x": range(rows)}) for rows in range(20)]
        validation_results = list(pool.map(lambda frame: validate(frame, asked)[0], frames))
    assert [strict(outcome.observed)["observed_value"] for outcome in validation_results] == list(range(20))


def test_odd_frames_can_be_judged() -> None:
    """Nested cells, categories, a foreign index, quoted and dotted column names do not upset the gate."""
    frame = pd.DataFrame(
        {
            "list": [[1], [2], None],
            "cat": pd.Categorical(["a", "b", None]),
            "a.b [c]": [1, 2, 3],
            "it's": ["x", "y", "z"],
        },
        index=[7, 7, 9],
    )
    for column in frame.columns:
        outcome = one(frame, "expect_column_values_to_not_be_null", column=column, mostly=0.5)
        assert outcome.success, outcome.message
        assert f"({column})" in outcome.message


@pytest.mark.filterwarnings("error")
def test_the_gate_is_silent(
    window: pd.DataFrame, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """No progress bar, no log line, no warning, and the process's own warnings and filters stay as they were."""
    filters = list(warnings.filters)
    showwarning = warnings.showwarning
    asked = [ask(name, **kwargs) for name, kwargs in MET]
    validate(window, asked)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert warnings.filters == filters
    assert warnings.showwarning is showwarning
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", UserWarning, stacklevel=1)


def test_the_gate_uses_no_network(window: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context is made and a window judged with every socket refused: there are no analytics."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the gate opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    validation._batch_definition.cache_clear()
    assert one(window, "expect_column_to_exist", column="late").success


def test_without_great_expectations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where GX is not installed the error says what to install; an empty list needs no GX."""
    validation._batch_definition.cache_clear()
    with monkeypatch.context() as absent:
        absent.setitem(sys.modules, "great_expectations", None)
        assert validate(pd.DataFrame(), []) == []
        with pytest.raises(MissingExtra, match=r"pip install 'driftmeter\[validation\]'"):
            validate(pd.DataFrame(), [ask("expect_column_to_exist", column="x")])
    assert validate(pd.DataFrame({"x": [1]}), [ask("expect_column_to_exist", column="x")])[0].success


def test_the_module_imports_no_heavy_library() -> None:
    """Importing the gate loads neither GX nor pandas."""
    heavy = "{'great_expectations', 'pandas', 'pyarrow'}"
    code = f"import sys, drift.sources.validation; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
