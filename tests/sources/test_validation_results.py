"""Outcomes: the words and the fate of a window."""

from __future__ import annotations

import json
import math
from typing import Literal

import pandas as pd
import pytest

from drift.config.expectations import Expectation
from drift.sources.validation_results import Outcome, decide, did_you_mean, from_exception, text_of


def outcome(severity: Literal["reject", "warn"], *, success: bool) -> Outcome:
    """An outcome of some severity."""
    return Outcome("k", "expect_column_to_exist", "x", severity, success, None, "words")


@pytest.mark.parametrize(
    ("outcomes", "fate"),
    [
        ([], "accepted"),
        ([outcome("reject", success=True)], "accepted"),
        ([outcome("warn", success=False)], "warned"),
        ([outcome("warn", success=False), outcome("reject", success=False)], "rejected"),
    ],
)
def test_the_worst_failure_decides(outcomes: list[Outcome], fate: str) -> None:
    """One failed reject rejects; failed warns only warn."""
    assert decide(outcomes) == fate


def test_an_exception_names_the_missing_column_and_the_likely_one() -> None:
    """Whatever Great Expectations raised, a missing column is said to be missing."""
    expectation = Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "carier"})
    found = from_exception(pd.DataFrame({"carrier": ["AA"]}), expectation, "KeyError: …")
    assert found.error
    assert "there is no column carier; did you mean carrier?" in found.message


def test_an_exception_keeps_no_value_of_a_row() -> None:
    """A library that quotes a value is not passed on."""
    expectation = Expectation(type="expect_column_mean_to_be_between", kwargs={"column": "name", "min_value": 0})
    found = from_exception(pd.DataFrame({"name": ["Ada"]}), expectation, "could not convert string to float: 'Ada'")
    assert "Ada" not in found.message


def test_nothing_close_is_no_hint() -> None:
    """A hint that does not help is not given."""
    assert did_you_mean("zzz", ["carrier"]) == ""


def test_odd_numbers_are_words() -> None:
    """NaN and infinity are said, not written as numbers."""
    assert json.dumps(text_of(math.nan))
    assert "inf" in text_of(math.inf)
