"""Rows selected by conditions and patterns, on frames as they come from Arrow and as people make them."""

from __future__ import annotations

import datetime as dt
import decimal

import pandas as pd
import pyarrow as pa
import pytest

from drift.config.row_conditions import parse_condition
from drift.errors import ValidationError
from drift.sources.row_selection import match, select

FRAME = pd.DataFrame({
    "n": [1.0, None, 3.0, 4.0],
    "i": pd.array([1, None, 3, 4], "Int64"),
    "s": ["a", None, "c", "@x"],
    "cat": pd.Categorical(["a", None, "c", "a"]),
    "b": [True, False, None, True],
    "day": [dt.date(2013, 2, 8), None, dt.date(2013, 2, 9), dt.date(2013, 2, 10)],
    "at": pd.to_datetime(["2013-02-08", "NaT", "2013-02-09", "2013-02-10"]),
    "zoned": pd.to_datetime(["2013-02-08", "NaT", "2013-02-09", "2013-02-10"], utc=True),
    "money": [decimal.Decimal("1.5"), None, decimal.Decimal("3.0"), decimal.Decimal("4.0")],
    "arrow": pd.Series(["a", None, "c", "d"], dtype=pd.ArrowDtype(pa.string())),
    "nothing": [None] * 4,
    "x` or @f('y')": [1, 2, 3, 4],
    "list": [[1], [2], [3], [4]],
})  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("n > 1", [2, 3]),
        ("n != 3", [0, 3]),
        ("n not in [3]", [0, 3]),
        ("n is null", [1]),
        ("n is not null and n < 3 or s == 'c'", [0, 2]),
        ("(n == 1 or n == 3) and s in ['c', 'a']", [0, 2]),
        ("i >= 3", [2, 3]),
        ("i == 3.5", []),
        ("s == '@x'", [3]),
        ("s >= 'b'", [2]),
        ("cat == 'a'", [0, 3]),
        ("b == true", [0, 3]),
        ("b != true", [1]),
        ("day > '2013-02-08'", [2, 3]),
        ("at in ['2013-02-09', '2013-02-10T00:00:00']", [2, 3]),
        ("zoned == '2013-02-09T00:00:00+00:00'", [2]),
        ("money > 1.5", [2, 3]),
        ("arrow < 'c'", [0]),
        ("nothing == 1", []),
        ("nothing is null", [0, 1, 2, 3]),
        ("`x`` or @f('y')` > 2", [2, 3]),
    ],
)
def test_the_rows_that_meet_a_condition(condition: str, rows: list[int]) -> None:
    """Whatever the dtype, values are compared as what they are; a missing one meets `is null` alone."""
    assert select(FRAME, parse_condition(condition)).index.tolist() == rows
    assert select(FRAME.iloc[:0], parse_condition("s is null")).empty


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("zzz > 1", "not one column zzz"),
        ("s > 1", "s holds text, which is not compared with 1"),
        ("n == 'a'", "n holds numbers, which is not compared with 'a'"),
        ("n == true", "n holds numbers, which is not compared with True"),
        ("b == 1", "b holds true and false, which is not compared with 1"),
        ("day == 'tomorrow'", "day holds times, which cannot be compared with 'tomorrow'"),
        ("zoned > '2013-02-09'", "zoned holds times, which cannot be compared"),
        ("list == 1", "list holds list<"),
    ],
)
def test_what_cannot_be_compared_is_said(condition: str, problem: str) -> None:
    """A column of another kind is an error with both named, and never an empty selection."""
    with pytest.raises(ValidationError) as caught:
        select(FRAME, parse_condition(condition))
    assert problem in str(caught.value)


def test_patterns_take_linear_time() -> None:
    """What would keep Python's `re` busy for ever is matched at once, on text that is not ASCII too."""
    texts = pd.Series(["ä" + "a" * 5_000 + "!", None, "aa"], index=[7, 7, 9])
    assert match(texts, [r"^(\w+\s?)*$", "^(a|aa)+$"], every=False).tolist() == [False, None, True]
