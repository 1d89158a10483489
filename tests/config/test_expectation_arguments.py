"""The allow-list of expectations and their arguments, beside the installed Great Expectations."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from drift.config.expectation_arguments import EXPECTATIONS, wrong_with

X = {"column": "x"}
LEFT_OUT = {
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_like_pattern_list",
    "expect_query_results_to_match_comparison",
    "expect_table_row_count_to_equal_other_table",
    "unexpected_rows_expectation",
}
# Fields of every expectation that are not its arguments, or that a monitor has no use for.
NO_ARGUMENTS = {
    *("batch_id", "catch_exceptions", "condition_parser", "description", "id", "library_metadata", "meta", "notes"),
    *("rendered_content", "result_format", "severity", "windows"),
}


def test_the_list_is_that_of_the_installed_great_expectations() -> None:
    """Each expectation that comes with GX is in the list with its arguments, or left out on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations.expectations.core  # noqa: F401
        from great_expectations.expectations import registry
    theirs = {
        name: registry.get_expectation_impl(name) for name in registry.list_registered_expectation_implementations()
    }
    core = {name for name, kind in theirs.items() if kind.__module__.startswith("great_expectations.")}
    assert core == EXPECTATIONS.keys() | LEFT_OUT
    for name, fields in EXPECTATIONS.items():
        gx = theirs[name].__fields__
        assert fields.keys() == gx.keys() - NO_ARGUMENTS, name
        assert {key for key, field in gx.items() if field.required} <= {
            k for k, (_, d) in fields.items() if d is ...
        }, name


@pytest.mark.parametrize(
    ("name", "kwargs", "problem"),
    [
        ("values_to_not_be_null", X | {"mostly": 3}, "mostly: 3 should be at most 1"),
        ("values_to_not_be_null", X | {"mostly": {"$PARAMETER": "m"}}, "mostly: should be a number, not a mapping"),
        ("values_to_not_be_null", X | {"condition_parser": "pandas"}, "condition_parser: is not an argument here"),
        ("values_to_not_be_null", X | {"meta": {}}, "meta: is not a known key"),
        ("values_to_not_be_null", X | {"row_condition": {"type": "nullity"}}, "row_condition: should be text"),
        ("values_to_not_be_null", X | {"row_condition": "@f()"}, "row_condition: at"),
        ("values_to_not_be_null", {"column": print}, "column: should be text"),
        ("mean_to_be_between", X, "min_value: is missing, as is max_value"),
        ("mean_to_be_between", X | {"min_value": 5, "max_value": 3}, "max_value: 3 is less than min_value"),
        ("mean_to_be_between", X | {"min_value": "5"}, 'min_value: "5" is neither a number nor a time'),
        ("mean_to_be_between", X | {"min_value": "2013-02-30"}, "is neither a number nor a time"),
        ("mean_to_be_between", X | {"min_value": float("nan")}, "min_value: NaN is not a number below"),
        ("mean_to_be_between", X | {"min_value": 10**400}, "is not a number below"),
        ("values_to_be_in_set", X | {"value_set": []}, "value_set: is empty"),
        ("values_to_be_in_set", X | {"value_set": [[1]]}, "value_set.0: should be text, a number"),
        ("values_to_be_in_set", X | {"value_set": {"$PARAMETER": "s"}}, "value_set: should be a list, not a mapping"),
        ("values_to_be_of_type", X | {"type_": "eval('1')"}, "type_: "),
        ("values_to_match_regex", X | {"regex": "(?=(a+)+$)b"}, "write RE2's syntax"),
        ("values_to_match_regex", X | {"regex": r"(a)\1"}, "write RE2's syntax"),
        ("values_to_match_regex", X | {"regex": "("}, "regex: "),
        ("values_to_match_regex", X | {"regex": "(a?b?c?){900}"}, "is too large a pattern"),
        ("values_to_match_regex", X | {"regex": "a" * 1_001}, "regex: is too long"),
        ("values_to_match_strftime_format", X | {"strftime_format": "%Q"}, "is not a directive"),
        ("values_to_match_strftime_format", X | {"strftime_format": "%Y%Y"}, "holds a directive twice"),
        ("values_to_match_strftime_format", X | {"strftime_format": "%"}, "is not a directive"),
        (
            "quantile_values_to_be_between",
            X | {"quantile_ranges": {"quantiles": [0.5], "value_ranges": []}},
            "quantile_ranges.value_ranges: are 0 for 1 quantiles",
        ),
    ],
)
def test_what_is_refused(name: str, kwargs: dict[str, Any], problem: str) -> None:
    """An argument of another type, or that would be run, is refused where it stands."""
    ((path, what, fix),) = wrong_with(f"expect_column_{name}", kwargs)
    assert problem in f"{'.'.join(map(str, path))}: {what}; fix: {fix}"
