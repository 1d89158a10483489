"""Row conditions: a small grammar, and nothing beyond it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from drift.config.row_conditions import Comparison, Junction, parse_condition

A, B, C = (Comparison(name, "==", (1,)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a == 1", A),
        ("((a==1))", A),
        ("a == 1 or b == 1 AND c == 1", Junction("or", (A, Junction("and", (B, C))))),
        ("(a == 1 or b == 1) and c == 1", Junction("and", (Junction("or", (A, B)), C))),
        ("x >= -1.5e3", Comparison("x", ">=", (-1500.0,))),
        ('x not in ["it""s", \'q\']', Comparison("x", "not in", ('it"s', "q"))),
        ("`a``b c` is not null", Comparison("a`b c", "is not null")),
        ("a.b IS NULL", Comparison("a.b", "is null")),
        ("late != true", Comparison("late", "!=", (True,))),
        ('day < "2013-02-08"', Comparison("day", "<", ("2013-02-08",))),
        ('größe == "\\n@{x}"', Comparison("größe", "==", ("\\n@{x}",))),
    ],
)
def test_what_a_condition_means(text: str, meaning: Comparison | Junction) -> None:
    """`and` binds tighter than `or`; names and texts are taken as they are."""
    assert parse_condition(text) == meaning


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at its end: a comparison begins with a column"),
        ("@os.system('x')", "a comparison begins with a column"),
        ("__import__('os').system('x')", "an operator should follow"),
        ("a > @b", "a value is a number, text in quotes"),
        ("a > b + 1", "a value is a number, text in quotes"),
        ("a == AA", "a value is a number, text in quotes"),
        ("a > `b`", "a value is a number, text in quotes"),
        ("a > ٣", "a value is a number, text in quotes"),
        ('col("x") > 5', "an operator should follow"),
        ("a.isnull()", "an operator should follow"),
        ("a = 1", "an operator should follow"),
        ("5 < a", "a comparison begins with a column"),
        ("0 < a < 5", "a comparison begins with a column"),
        ("a > 1 && b > 1", "this does not belong to a condition"),
        ("a > 1; b", "this does not belong to a condition"),
        ("(a > 1", "a closing ) is missing"),
        ("a in 5", "a list should follow in"),
        ("a in []", "a value is a number"),
        ("a in [1", "a closing ] is missing"),
        ("a in [1, 'x']", "mixes text, numbers or true and false"),
        ("a == null", "null is not compared"),
        ("a is 5", "is goes with null or not null only"),
        ("a > true", "true and false have no order"),
        ("a > 1e999", "the number is too large"),
        ("(" * 21 + "a > 1" + ")" * 21, "nested more than 20 deep"),
        ("a in [" + "1," * 1_000 + "1]", "more than 1,000 values"),
        ("a" * 10_001, "longer than 10,000 characters"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    """Whatever is not a column compared with values is refused, with what to write instead."""
    with pytest.raises(PydanticCustomError, match="; fix: ") as caught:
        parse_condition(text)
    assert problem in str(caught.value)


@given(st.text(max_size=60) | st.text("ab`'\"()[],=<>! 19.eandornotis", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no third way."""
    with contextlib.suppress(PydanticCustomError):
        assert parse_condition(text).columns


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_any_name_and_any_text_can_be_quoted(column: str, text: str) -> None:
    """A backtick in a name, or a quote in a text, is doubled."""
    name, value = column.replace("`", "``"), text.replace('"', '""')
    assert parse_condition(f'`{name}` == "{value}"') == Comparison(column, "==", (text,))
