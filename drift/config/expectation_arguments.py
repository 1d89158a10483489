"""The expectations that a monitor can have, and their arguments: what is not in this list is refused.

A monitor is data, so an argument is a name, a number, a text, a truth value or a list of them; nothing of it is ever
evaluated, opened or fetched. Of Great Expectations' own expectations these are left out:

- SQL text, or another table: ``unexpected_rows_expectation``, ``expect_query_results_to_match_comparison``,
  ``expect_table_row_count_to_equal_other_table``, and the patterns of ``LIKE``, which need SQL,
- ``expect_column_values_to_match_json_schema``: a schema may refer to files and addresses, which would be read,
- ``expect_column_kl_divergence_to_be_less_than``: that is what Drift measures, with its error.
"""

from __future__ import annotations

import re
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, create_model, model_validator

from drift.config.problems import explain, noun, shorten
from drift.config.row_conditions import parse_condition
from drift.config.validation import Model, Refusal, Text, refuse, refuse_value

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PATTERN = 1_000
MAX_PATTERN_COST = 10_000

_LARGEST = 2**63
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_TYPE = r"^[A-Za-z_][A-Za-z0-9_.]{0,59}(\[[A-Za-z0-9_ ,/+-]{1,40}\])?$"
_DIRECTIVES = frozenset("aAbBdfGHIjmMpSuUVwWyYzZ%")
_COUNTS = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}", re.ASCII)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse_value(f"should be a number, not {noun(value)}", "write a number without quotes")
    if not abs(value) < _LARGEST:
        refuse_value(f"{shorten(value)} is not a number below 2^63", "write a smaller number")
    return value


def _value(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if not isinstance(value, int | float):
        refuse_value(f"should be text, a number, true or false, not {noun(value)}", "write one value; quotes make text")
    return _number(value)


def _bound(value: Any) -> Any:
    if isinstance(value, str):
        try:
            fits = _TIME.fullmatch(value) and datetime.fromisoformat(value)
        except ValueError:
            fits = None
        if not fits:
            fix = "write 300, 2013-02-08 or 2013-02-08T12:00:00+00:00"
            refuse_value(f"{shorten(value)} is neither a number nor a time", fix)
        return value
    return _number(value)


def _strftime(value: str) -> str:
    used = re.findall(r"%(.?)", value, re.DOTALL)
    if unknown := sorted(set(used) - _DIRECTIVES):
        refuse_value(f"{shorten('%' + unknown[0])} is not a directive", "use those that Python's strptime reads")
    if len(set(used) - {"%"}) < len(used) - used.count("%"):
        refuse_value(f"{shorten(value)} holds a directive twice", "use each once")
    return value


def _regex(value: str) -> str:
    """Refuse what RE2, whose time is linear, cannot run, and what takes it long in spite of that."""
    counted = sum(int(high or low) for low, high in _COUNTS.findall(value))
    if len(value) * (1 + counted) > MAX_PATTERN_COST:
        fix = f"its length times all its counted repetitions may be {MAX_PATTERN_COST:,}: use + or *, or a shorter one"
        refuse_value(f"{shorten(value)} is too large a pattern", fix)
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern=value)
    except pa.ArrowInvalid as error:
        what = str(error).removeprefix("Invalid regular expression: ")
        refuse_value(f"{shorten(value)}: {what}", "write RE2's syntax, without look-ahead or back-references")
    return value


def _condition(value: Any) -> Any:
    if not isinstance(value, str):
        refuse_value(f"should be text, not {noun(value)}", "write it as 'dep_delay > 10 and carrier == \"AA\"'")
    parse_condition(value)
    return value


_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0, lt=_LARGEST)]
_Number = Annotated[Any, AfterValidator(_number)]
_Bound = Annotated[Any, AfterValidator(_bound)]
_Value = Annotated[Any, AfterValidator(_value)]
_Values = Annotated[list[_Value], Field(min_length=1)]
_Pairs = Annotated[list[Annotated[list[_Value], Field(min_length=2, max_length=2)]], Field(min_length=1)]
_Type = Annotated[str, Field(pattern=_TYPE)]
_Types = Annotated[list[_Type], Field(min_length=1)]
_Format = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_strftime)]
_Regex = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_regex)]
_Condition = Annotated[Any, AfterValidator(_condition)]
_Columns = Annotated[list[Text], Field(min_length=1)]


class QuantileRanges(Model):
    """Quantiles, and between which values each should be."""

    quantiles: list[_Share] = Field(min_length=1)
    value_ranges: list[Annotated[list[_Number | None], Field(min_length=2, max_length=2)]]

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.quantiles) != len(self.value_ranges):
            fix = "write one [lowest, highest] for each quantile"
            refuse((("value_ranges",), f"are {len(self.value_ranges)} for {len(self.quantiles)} quantiles", fix))
        return self


_Fields = dict[str, Any]


def _required(**kinds: Any) -> _Fields:
    return {name: (kind, ...) for name, kind in kinds.items()}


def _optional(**kinds: Any) -> _Fields:
    return {name: (kind | None, None) for name, kind in kinds.items()}


def _between(kind: Any) -> _Fields:
    return _optional(min_value=kind, max_value=kind, strict_min=bool, strict_max=bool)


_MOSTLY = _optional(mostly=_Share)
_WHERE = _optional(row_condition=_Condition)
_COLUMN = _required(column=Text) | _WHERE
_ROWS = _COLUMN | _MOSTLY
_PAIR = {
    **_required(column_A=Text, column_B=Text),
    **_optional(ignore_row_if=Literal["both_values_are_missing", "either_value_is_missing", "neither"]),
    **_MOSTLY,
    **_WHERE,
}
_SEVERAL = {
    **_required(column_list=_Columns),
    **_optional(ignore_row_if=Literal["all_values_are_missing", "any_value_is_missing", "never"]),
    **_MOSTLY,
    **_WHERE,
}
_SET = _required(value_set=_Values)
_REGEX = _required(regex=_Regex)
_REGEXES = _required(regex_list=Annotated[list[_Regex], Field(min_length=1, max_length=20)])
_ORDER = _optional(strictly=bool)

EXPECTATIONS: dict[str, _Fields] = {
    "expect_column_distinct_values_to_be_in_set": _COLUMN | _SET,
    "expect_column_distinct_values_to_contain_set": _COLUMN | _SET,
    "expect_column_distinct_values_to_equal_set": _COLUMN | _SET,
    "expect_column_max_to_be_between": _COLUMN | _between(_Bound),
    "expect_column_mean_to_be_between": _COLUMN | _between(_Bound),
    "expect_column_median_to_be_between": _COLUMN | _between(_Bound),
    "expect_column_min_to_be_between": _COLUMN | _between(_Bound),
    "expect_column_most_common_value_to_be_in_set": _COLUMN | _SET | _optional(ties_okay=bool),
    "expect_column_pair_values_a_to_be_greater_than_b": _PAIR | _optional(or_equal=bool),
    "expect_column_pair_values_to_be_equal": _PAIR,
    "expect_column_pair_values_to_be_in_set": _PAIR | _required(value_pairs_set=_Pairs),
    "expect_column_proportion_of_non_null_values_to_be_between": _COLUMN | _between(_Share),
    "expect_column_proportion_of_unique_values_to_be_between": _COLUMN | _between(_Share),
    "expect_column_quantile_values_to_be_between": {
        **_COLUMN,
        **_required(quantile_ranges=QuantileRanges),
        **_optional(allow_relative_error=Literal[False, "lower", "higher", "midpoint", "nearest", "linear"]),
    },
    "expect_column_stdev_to_be_between": _COLUMN | _between(_Number),
    "expect_column_sum_to_be_between": _COLUMN | _between(_Number),
    "expect_column_to_exist": _required(column=Text) | _optional(column_index=_Count),
    "expect_column_type_to_be": _required(column=Text, type_=_Type),
    "expect_column_unique_value_count_to_be_between": _COLUMN | _between(_Count),
    "expect_column_value_lengths_to_be_between": _ROWS | _between(_Count),
    "expect_column_value_lengths_to_equal": _ROWS | _required(value=_Count),
    "expect_column_value_z_scores_to_be_less_than": _ROWS | _required(threshold=_Number, double_sided=bool),
    "expect_column_values_to_be_between": _ROWS | _between(_Bound),
    "expect_column_values_to_be_dateutil_parseable": _ROWS,
    "expect_column_values_to_be_decreasing": _ROWS | _ORDER,
    "expect_column_values_to_be_in_set": _ROWS | _SET,
    "expect_column_values_to_be_in_type_list": _ROWS | _required(type_list=_Types),
    "expect_column_values_to_be_increasing": _ROWS | _ORDER,
    "expect_column_values_to_be_json_parseable": _ROWS,
    "expect_column_values_to_be_null": _ROWS,
    "expect_column_values_to_be_of_type": _ROWS | _required(type_=_Type),
    "expect_column_values_to_be_unique": _ROWS,
    "expect_column_values_to_match_regex": _ROWS | _REGEX,
    "expect_column_values_to_match_regex_list": _ROWS | _REGEXES | _optional(match_on=Literal["any", "all"]),
    "expect_column_values_to_match_strftime_format": _ROWS | _required(strftime_format=_Format),
    "expect_column_values_to_not_be_in_set": _ROWS | _SET,
    "expect_column_values_to_not_be_null": _ROWS,
    "expect_column_values_to_not_be_outliers": {
        **_ROWS,
        **_optional(method=Literal["iqr", "std"], multiplier=Annotated[float, Field(gt=0, lt=_LARGEST)]),
    },
    "expect_column_values_to_not_match_regex": _ROWS | _REGEX,
    "expect_column_values_to_not_match_regex_list": _ROWS | _REGEXES,
    "expect_compound_columns_to_be_unique": _SEVERAL,
    "expect_multicolumn_sum_to_equal": _SEVERAL | _required(sum_total=_Number),
    "expect_multicolumn_values_to_be_equal": _SEVERAL,
    "expect_select_column_values_to_be_unique_within_record": _SEVERAL,
    "expect_table_column_count_to_be_between": _optional(min_value=_Count, max_value=_Count),
    "expect_table_column_count_to_equal": _required(value=_Count),
    "expect_table_columns_to_match_ordered_list": _required(column_list=_Columns),
    "expect_table_columns_to_match_set": _required(column_set=_Columns) | _optional(exact_match=bool),
    "expect_table_row_count_to_be_between": _between(_Count) | _WHERE,
    "expect_table_row_count_to_equal": _required(value=_Count) | _WHERE,
}
"""Every expectation that a monitor can have, by Great Expectations' name: its arguments and their types."""


class _Arguments(Model):
    @model_validator(mode="before")
    @classmethod
    def _explain_keys(cls, data: Any) -> Any:
        refuse(*(((key,), "is not an argument here", fix) for key, fix in _ELSEWHERE.items() if key in data))
        return data

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if "min_value" in type(self).model_fields:
            given = self.model_dump(include={"min_value", "max_value"}, exclude_none=True)
            if not given:
                refuse((("min_value",), "is missing, as is max_value", "write one of them, or both"))
            low, high = given.get("min_value"), given.get("max_value")
            if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
                refuse((("max_value",), f"{high:g} is less than min_value", "write the larger one as max_value"))
        return self


_ELSEWHERE = {
    "severity": "put it beside the expectation, one level up",
    "condition_parser": "remove it; row_condition has one form, such as dep_delay > 10",
}


@cache
def _model(name: str) -> type[_Arguments]:
    return create_model(name, __base__=_Arguments, **EXPECTATIONS[name])


def wrong_with(name: str, kwargs: Mapping[str, Any]) -> list[Refusal]:
    """Say what is wrong with the arguments of one of the `EXPECTATIONS`.

    Examples
    --------
    >>> wrong_with("expect_column_values_to_not_be_null", {"column": "carrier", "mostly": 0.9})
    []
    >>> wrong_with("expect_column_values_to_not_be_null", {"column": "carrier", "mostly": "${x}"})
    [(('mostly',), 'should be a number, not text', 'write a number without quotes')]
    """
    try:
        _model(name).model_validate(kwargs)
    except ValidationError as error:
        return [(each["loc"], *explain(each)) for each in error.errors(include_url=False)]
    return []


def unknown(name: str) -> tuple[str, str]:
    """Say that a monitor cannot have an expectation, and which was probably meant."""
    close = get_close_matches(name, EXPECTATIONS, n=1, cutoff=0.7)
    fix = f"did you mean {close[0]}?" if close else "docs/reference/monitors.md lists them"
    return "is not an expectation that a monitor can have", fix
