"""Outcomes: what an expectation said about a window, in words for a person and in JSON for the store.

Only aggregates are kept: no value of a row, and no exception's text with a quoted value in it.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drift.config.row_conditions import parse_condition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from great_expectations.core import ExpectationValidationResult

    from drift.config.expectations import Expectation

_MAX_OBSERVED = 2_000
_MAX_WORDS = 160
_KEPT = ("observed_value", "element_count", "unexpected_count", "unexpected_percent", "missing_count")
_TYPE_NAMES = {"bool", "bytes", "date", "datetime", "datetime.date", "float", "int", "NoneType", "str", "Timestamp"}
_COLUMN_KEYS = ("column", "column_A", "column_B", "column_list")

# What is wrong with an unexpected value, where "unexpected" can be said better.
_UNEXPECTED = {
    "expect_column_pair_values_a_to_be_greater_than_b": "are not in that order",
    "expect_column_pair_values_to_be_equal": "differ",
    "expect_column_value_lengths_to_be_between": "have another length",
    "expect_column_value_lengths_to_equal": "have another length",
    "expect_column_values_to_be_between": "are outside",
    "expect_column_values_to_be_in_set": "are outside the set",
    "expect_column_values_to_be_null": "are not null",
    "expect_column_values_to_be_unique": "occur more than once",
    "expect_column_values_to_match_regex": "do not match",
    "expect_column_values_to_not_be_in_set": "are in the set",
    "expect_column_values_to_not_be_null": "are null",
    "expect_column_values_to_not_match_regex": "match",
    "expect_compound_columns_to_be_unique": "occur more than once",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one expectation said about one window.

    Parameters
    ----------
    key
        The expectation's stable id, from its configuration.
    column
        The column it is about; None for a pair, a list of columns or the whole table.
    success
        Whether the expectation was met. False when it could not be evaluated.
    observed
        JSON text of the aggregates GX reports, at most 2,000 characters; NaN, infinities and NaT are strings.
    message
        One sentence for a person: what was seen and what was asked, or why it could not be evaluated.
    """

    key: str
    expectation: str
    column: str | None
    severity: Literal["reject", "warn"]
    success: bool
    observed: str | None
    message: str
    error: bool = False


def decide(outcomes: Sequence[Outcome]) -> Literal["accepted", "warned", "rejected"]:
    """Turn the outcomes into the fate of the window; an expectation that could not be evaluated counts as failed."""
    failed = {outcome.severity for outcome in outcomes if not outcome.success}
    return "rejected" if "reject" in failed else "warned" if failed else "accepted"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return a hint at what a misspelt name was probably meant to be; empty where nothing is close."""
    close = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def from_result(frame: pd.DataFrame, expectation: Expectation, result: ExpectationValidationResult) -> Outcome:
    """Return the outcome of an expectation that Great Expectations could evaluate (or says why it could not)."""
    if (reason := _exception(result.exception_info)) is not None:
        return from_exception(frame, expectation, reason)
    found: dict[str, Any] = dict(result.result or {})
    success, asked = bool(result.success), _asked(expectation)
    said = _seen(expectation, found, success=success) + (f"; asked {asked}" if asked else "")
    return _said(expectation, said, success=success, observed=_observed(found))


def from_exception(frame: pd.DataFrame, expectation: Expectation, reason: str) -> Outcome:
    """Return the outcome of an expectation that raised."""
    here = [str(column) for column in frame.columns]
    gone = [name for name in (*columns_of(expectation), *condition_columns(expectation)) if name not in here]
    if gone:
        return _said(expectation, f"there is no column {', '.join(gone)}{did_you_mean(gone[0], here)}", error=True)
    said = f"it could not be evaluated: {_without_values(reason, frame, expectation)}"
    if "datetime" in reason and "ompar" in reason:
        said += " (a bound must be a time like the column's: 2013-01-01T00:00:00+00:00, or without the zone)"
    return _said(expectation, said, error=True)


def _said(
    expectation: Expectation, said: str, *, success: bool = False, observed: str | None = None, error: bool = False
) -> Outcome:
    return Outcome(
        key=expectation.key,
        expectation=expectation.type,
        column=expectation.kwargs.get("column"),
        severity=expectation.severity,
        success=success,
        observed=observed,
        message=f"{_subject(expectation)}: {said}",
        error=error,
    )


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """GX files an exception flat, or under each metric that raised."""
    for entry in [info or {}, *(info or {}).values()]:
        if isinstance(entry, dict) and entry.get("exception_message"):
            return str(entry["exception_message"])
    return "no reason given" if info and info.get("raised_exception") else None


def _without_values(reason: str, frame: pd.DataFrame, expectation: Expectation) -> str:
    """Strip an exception's text of what may be values of rows: pandas likes to quote them."""
    known = {str(column) for column in frame.columns} | {str(dtype) for dtype in frame.dtypes} | _TYPE_NAMES
    known.update(expectation.type.split("_"), re.findall(r"\w+", str(expectation.kwargs)))
    line = re.sub(r"(?i)(convert) .* (to) ", r"\1 … \2 ", reason.strip().partition("\n")[0])
    pieces = re.split(r"(?<!\w)('[^']*'|\"[^\"]*\")(?!\w)", line)
    return short("".join(piece if at % 2 == 0 or piece[1:-1] in known else "'…'" for at, piece in enumerate(pieces)))


def _observed(found: Mapping[str, Any]) -> str | None:
    kept = {name: _plain(found[name]) for name in _KEPT if found.get(name) is not None}
    if not kept:
        return None
    text = json.dumps(kept, ensure_ascii=False)
    if len(text) > _MAX_OBSERVED:
        # Quotes and backslashes are doubled by JSON: half the room is always enough.
        value = json.dumps(kept["observed_value"], ensure_ascii=False)
        text = json.dumps(kept | {"observed_value": value[: _MAX_OBSERVED // 2 - 200] + "…"}, ensure_ascii=False)
    return text


def _plain(value: Any) -> Any:  # noqa: PLR0911 - whatever GX or pandas hold, as JSON can say it
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value)).replace("nan", "NaN")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "tolist") and not isinstance(plain := value.tolist(), type(value)):
        return _plain(plain)
    return str(value)


# ---- Words -----------------------------------------------------------------------------------------------------------
# Not by Great Expectations' renderers: 22 ms each, not .02, and all they say is "50% unexpected", of quantiles nothing.


def columns_of(expectation: Expectation) -> list[str]:
    """Name the columns whose values are judged; a list of columns that a table should have is none of them."""
    named: list[str] = []
    for key in () if expectation.type.startswith("expect_table_") else _COLUMN_KEYS:
        value = expectation.kwargs.get(key)
        if value is not None:
            named += [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
    return named


def condition_columns(expectation: Expectation) -> tuple[str, ...]:
    """Name the columns that say on which rows it is judged."""
    condition = expectation.kwargs.get("row_condition")
    return () if condition is None else parse_condition(condition).columns


def _subject(expectation: Expectation) -> str:
    columns = columns_of(expectation)
    condition = expectation.kwargs.get("row_condition")
    return (
        expectation.type
        + (f"({short(', '.join(columns))})" if columns else "")
        + (f" where {short(condition)}" if condition is not None else "")
    )


def _seen(expectation: Expectation, found: Mapping[str, Any], *, success: bool) -> str:
    name = expectation.type
    if "element_count" in found:
        return _seen_rows(name, found)
    if name == "expect_column_to_exist" or name.startswith("expect_table_"):
        return _seen_table(expectation, found, success=success)
    value = found.get("observed_value")
    if name == "expect_column_quantile_values_to_be_between" and isinstance(value, dict):
        return ", ".join(f"q{q:g} = {_number(v)}" for q, v in zip(value["quantiles"], value["values"], strict=True))
    if value is None and name.startswith("expect_column_distinct_values_"):
        parts = [
            f"{_number(found[count])} distinct values {place} the set"
            for count, place in (("unexpected_count", "outside"), ("missing_count", "missing from the data of"))
            if found.get(count)
        ]
        return ", ".join(parts) or "the distinct values agree"
    return _computed(name, value)


def _computed(name: str, value: object) -> str:
    noun = re.sub(r"^expect_(column|table)_|_to_(be|match|equal|contain)_.*$|_to_be$", "", name).replace("_", " ")
    noun = "type" if "_type" in name else noun
    return f"{noun} cannot be computed" if value is None else f"{noun} is {short(text_of(value)) or 'nothing'}"


def _seen_table(expectation: Expectation, found: Mapping[str, Any], *, success: bool) -> str:
    """Say which columns or how many rows the table has."""
    name, value = expectation.type, found.get("observed_value")
    if name == "expect_column_to_exist":
        at = expectation.kwargs.get("column_index")
        return f"the column is {'there' if success else 'not there'}{'' if at is None else f' at position {at}'}"
    if name.startswith("expect_table_row_count_"):
        return f"{_number(value)} rows"
    if name.startswith("expect_table_column_count_"):
        return f"{_number(value)} columns"
    if name.startswith("expect_table_columns_"):
        details = found.get("details")
        differences = details.get("mismatched", {}) if isinstance(details, dict) else {}
        listed = [f"{word} {text_of(columns)}" for word, columns in sorted(differences.items()) if columns]
        return "columns " + short("; ".join(listed) if listed and not success else text_of(value))
    return _computed(name, value)


def _seen_rows(name: str, found: Mapping[str, Any]) -> str:
    about_nulls = name.endswith("_be_null")
    rows, missing = found["element_count"], 0 if about_nulls else found.get("missing_count") or 0
    counted, unexpected = rows - missing, found.get("unexpected_count") or 0
    if not rows:
        return "no rows"
    if not counted:
        return f"no values ({_number(missing)} of {_number(rows)} rows are missing)"
    noun = "rows" if about_nulls or missing == 0 else "values"
    share = f"{_number(unexpected)} of {_number(counted)} {noun} ({_percent(100 * unexpected / counted)} %)"
    aside = f", {_number(missing)} missing left aside" if missing else ""
    return f"{share} {_UNEXPECTED.get(name, 'are unexpected')}{aside}"


def _percent(share: float) -> str:
    """Two or three digits; a share that would round to nothing or to everything says so."""
    if 0 < share < 0.01:
        return "< 0.01"
    if 99.9 < share < 100:
        return "> 99.9"
    return f"{share:.2g}" if share < 10 else f"{share:.3g}"


def _asked(expectation: Expectation) -> str:
    kwargs = {key: value for key, value in expectation.kwargs.items() if value is not None}
    if columns_of(expectation):
        kwargs = {key: value for key, value in kwargs.items() if key not in _COLUMN_KEYS}
    kwargs.pop("row_condition", None)
    low, high = kwargs.pop("min_value", None), kwargs.pop("max_value", None)
    above = ">" if kwargs.pop("strict_min", False) else "≥"
    below = "<" if kwargs.pop("strict_max", False) else "≤"
    parts = [f"{sign} {_number(bound)}" for sign, bound in ((above, low), (below, high)) if bound is not None]
    asked = [" and ".join(parts)] if parts else []
    mostly = kwargs.pop("mostly", None)
    ranges = kwargs.pop("quantile_ranges", None)
    if ranges:
        for q, (bottom, top) in zip(ranges["quantiles"], ranges["value_ranges"], strict=False):
            ends = [f"≥ {_number(bottom)}"] * (bottom is not None) + [f"≤ {_number(top)}"] * (top is not None)
            asked.append(f"q{q:g} " + (" and ".join(ends) or "anything"))
    for key, value in kwargs.items():
        word = (
            ""
            if key in ("column_list", "column_set", "regex", "type_", "type_list", "value", "value_set")
            else f"{key} "
        )
        if key in ("type_list", "value_set"):
            word = "none of " if "_not_" in expectation.type else "one of " if "_in_" in expectation.type else ""
        asked.append(short(word + text_of(value)))
    if mostly is not None:
        asked.append(f"mostly ≥ {_number(mostly)}")
    return ", ".join(asked)


def _number(value: object) -> str:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return "nothing" if plain is None else str(plain)
    return f"{plain:,}" if isinstance(plain, int) else f"{plain:,.6g}"


def text_of(value: object) -> str:
    """Say a value in words."""
    plain = _plain(value)
    if isinstance(plain, list):
        return ", ".join(text_of(item) for item in plain)
    return str(json.dumps(plain, ensure_ascii=False)) if isinstance(plain, dict) else _number(plain)


def short(text: str) -> str:
    """Cut a text to what fits a line."""
    return text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 1] + "…"
