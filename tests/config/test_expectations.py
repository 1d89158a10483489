"""Expectations: two forms of writing one, and what identifies it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.expectations import Expectation, canonical
from drift.config.validation import parse_options
from drift.errors import ConfigError

NULLS = "expect_column_values_to_not_be_null"
SET = "expect_column_values_to_be_in_set"


def told(data: Any) -> str:
    """What is wrong with an expectation, as one text."""
    with pytest.raises(ConfigError) as caught:
        parse_options(lambda: Expectation.model_validate(data))
    return str(caught.value)


def test_the_short_form_and_the_long_one_are_one() -> None:
    """A name with its arguments is the same as type and kwargs."""
    short = Expectation.model_validate({NULLS: {"column": "carrier"}, "severity": "warn"})
    assert short == Expectation(type=NULLS, kwargs={"column": "carrier"}, severity="warn")
    assert short == Expectation.model_validate(short.model_dump())


def test_the_defaults() -> None:
    """A failure rejects the window."""
    asked = {"column": "carrier"}
    assert Expectation.model_validate({NULLS: asked}) == Expectation(type=NULLS, kwargs=asked, severity="reject")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "Expectation: names no expectation, only nothing; fix: write expect_column_values_to_not_be_null"),
        ({"severity": "warn"}, 'names no expectation, only "severity"'),
        ({NULLS: {}, "expect_b": {}}, "expect_b: is a second expectation in one item"),
        ({"expect_Column": {}}, "expect_Column: is not a snake_case name"),
        ({"expectColumn": {}}, "expectColumn: is not a snake_case name"),
        (
            {"type": "ExpectColumnToExist"},
            'type: "ExpectColumnToExist" is not a valid name; fix: write Great Expectations',
        ),
        ({NULLS: ["carrier"]}, f"{NULLS}: should be a mapping of arguments, not a list"),
        ({NULLS: {"severity": "warn"}}, f"{NULLS}.severity: is not an argument here; fix: put it beside"),
        ({NULLS: {}, "kwargs": {}}, f"kwargs: {NULLS} has its arguments already"),
        ({NULLS: {"column": "x"}, "severty": "warn"}, "severty: is not a known key; fix: did you mean severity?"),
        (
            {NULLS: {"column": "x"}, "severity": "critical"},
            'severity: "critical" is not known; fix: allowed: reject, warn',
        ),
        (
            {SET: {"column": "x", "value_set": [date(2013, 1, 1)]}},
            f"{SET}.value_set[0]: should be text, a number, true",
        ),
        ({NULLS: None}, f"{NULLS}.column: is missing; fix: add column"),
        ({"type": NULLS}, "kwargs.column: is missing; fix: add column"),
        ({"type": NULLS, "kwargs": {"colum": "x"}}, "kwargs.colum: is not a known key; fix: did you mean column?"),
        ({"expect_column_to_exists": {"column": "x"}}, "monitor can have; fix: did you mean expect_column_to_exist?"),
        ({SET: {"column": "x", "value_set": ["\ud800"]}}, "kwargs: holds what JSON cannot"),
        ("expect_x", "Expectation: should be a mapping of keys, not text"),
        ({"kwargs": {}}, "names no expectation"),
    ],
)
def test_what_is_refused(data: Any, problem: str) -> None:
    """Each mistake says what an item looks like."""
    assert problem in told(data)


VALUES = st.lists(st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=5), min_size=1, max_size=3)
KWARGS = st.fixed_dictionaries(
    {"column": st.text(min_size=1, max_size=5), "value_set": VALUES}, optional={"mostly": st.floats(0, 1)}
)


@given(KWARGS, st.randoms(use_true_random=False))
def test_the_key_is_that_of_name_and_arguments(kwargs: dict[str, Any], random: Any) -> None:
    """It does not depend on the order of the arguments, nor on the severity."""
    items = list(kwargs.items())
    random.shuffle(items)
    first = Expectation(type=SET, kwargs=kwargs)
    assert first.key == Expectation(type=SET, kwargs=dict(items), severity="warn").key
    assert first.key != Expectation(type="expect_column_values_to_not_be_in_set", kwargs=kwargs).key


@given(KWARGS, KWARGS)
def test_different_arguments_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two expectations on two columns are two."""
    keys = {Expectation(type=SET, kwargs=kwargs).key for kwargs in (one, other)}
    assert len(keys) == (1 if canonical(one) == canonical(other) else 2)
