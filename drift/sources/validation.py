"""The Great Expectations gate: whether a window is fit to be counted, and to be a reference later.

Any expectation that Great Expectations (GX) 1.24 can run on a DataFrame is taken by its own name and with its own
arguments; what comes back is one `Outcome` an expectation. One that breaks (a missing column, a wrong type) is an
outcome too, with ``error`` set, and never keeps the others from being heard.

Only aggregates leave this module. GX is asked for no unexpected values, and the text of its exceptions is stripped of
quoted values. What an expectation itself reports (a maximum, the most common value) is kept: that is its answer.

GX answers about the pandas frame of `Snapshot.to_pandas`, not the source: integers are ``int16`` or what they are, with
nulls as without, text is ``str`` (pandas 3) however encoded; dates, times and decimals are ``object``, of ``date``,
``time`` and ``Decimal``.

GX takes seconds to import: it is imported by the first call that has an expectation to look at, and its one context
serves the whole process.
"""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from drift.errors import MissingExtra, ValidationError
from drift.sources.validation_results import (
    Outcome,
    columns_of,
    decide,
    did_you_mean,
    from_exception,
    from_result,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation as GxExpectation

    from drift.config.expectations import Expectation

__all__ = ["Outcome", "check_expectations", "columns_needed", "decide", "validate"]

# One datasource holds one frame at a time, and `warnings.catch_warnings` is process-wide.
_LOCK = threading.Lock()

# GX registers them for pandas too, but only its SQL engine can answer.
_SQL_ONLY = frozenset({
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_like_pattern_list",
    "expect_query_results_to_match_comparison",
    "expect_table_row_count_to_equal_other_table",
    "unexpected_rows_expectation",
})  # fmt: skip

# Fields of GX's model that are not the expectation's arguments, and what to do instead.
_NOT_ARGUMENTS = {
    "severity": "it stands beside the expectation (reject or warn), not among its arguments",
    "result_format": "only aggregates are kept; remove it",
    "catch_exceptions": "an exception is always an outcome; remove it",
    "windows": "Drift's own windows are meant; remove it",
    "batch_id": "set by Great Expectations; remove it",
    "id": "set by Great Expectations; remove it",
    "rendered_content": "set by Great Expectations; remove it",
}


def validate(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Outcome]:
    """Validate one window by its expectations: one outcome for each, in the same order.

    The frame has any number of rows, including none, and at least the columns of `columns_needed`. It is not changed,
    and not kept after the call.

    Raises
    ------
    ValidationError
        If an expectation cannot be built: an unknown name or wrong arguments. Nothing has been run then.
    """
    if not expectations:
        return []
    with _LOCK, _quiet():
        data = _batch_definition()
        built: list[GxExpectation] = []
        problems: list[str] = []
        for expectation in expectations:
            one, found = _build(expectation, frame)
            problems += found
            if one is not None:
                built.append(one)
        if problems:
            raise ValidationError("; ".join(problems))

        from great_expectations.validator.v1_validator import Validator

        validator = Validator(
            batch_definition=data,
            batch_parameters={"dataframe": frame},
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        )
        outcomes = []
        try:
            for expectation, one in zip(expectations, built, strict=True):
                # One by one and not as a suite: a suite shares its exceptions among its expectations, and is no faster.
                try:
                    outcome = from_result(frame, expectation, validator.validate_expectation(one))
                except Exception as error:  # noqa: BLE001 - whatever GX raises is this expectation's outcome
                    outcome = from_exception(frame, expectation, str(error) or type(error).__name__)
                outcomes.append(outcome)
        finally:
            # Otherwise GX holds the frame until the next window.
            batches = data.data_asset.datasource.get_execution_engine().batch_manager
            batches.reset_batch_cache()
            batches.batch_data_cache.clear()
        return outcomes


def check_expectations(expectations: Sequence[Expectation]) -> list[str]:
    """Say what keeps expectations from being built, without any data.

    One line a problem: an unknown name with its close matches, a wrong or missing argument, an expectation that needs
    SQL.
    """
    if not expectations:
        return []
    with _LOCK, _quiet():
        _batch_definition()
        return [problem for expectation in expectations for problem in _build(expectation)[1]]


def columns_needed(expectations: Sequence[Expectation], all_columns: Sequence[str]) -> list[str] | None:
    """Name those of a source's columns that the gate has to read, in their order; None is every column.

    Every column is needed for expectations about the table's own columns, and for those whose columns cannot be told
    from their arguments. Where the number of rows is all that is asked, the first one is enough.
    """
    needed: set[str] = set()
    for expectation in expectations:
        kwargs = expectation.kwargs
        named = columns_of(expectation)
        counts_rows = expectation.type.startswith("expect_table_row_count_")
        if kwargs.get("column_index") is not None or not (named or counts_rows):
            return None
        needed.update(named)
        if (condition := kwargs.get("row_condition")) is not None:
            # A condition is a small language: every column whose name occurs in it may be meant.
            text = str(condition)
            needed.update(column for column in all_columns if column in text)
    present = [column for column in all_columns if column in needed]
    return present or list(all_columns[:1] if expectations else [])


# ---- Great Expectations ----------------------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what GX and its libraries warn about; nothing else is silenced."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(great_expectations|numpy|pandas|pydantic)(\.|$)")
        yield


@cache
def _batch_definition() -> BatchDefinition:
    """One ephemeral context a process, and in it the one place where a frame is put."""
    captured = warnings.showwarning
    with warnings.catch_warnings():
        # The import itself trips over deprecations of the standard library (sre_constants).
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import great_expectations as gx
        except ModuleNotFoundError as error:
            raise MissingExtra("great_expectations", extra="validation") from error
        finally:
            if warnings.showwarning is not captured:
                # GX sends every warning of the process to the log; that is not its to decide.
                logging.captureWarnings(capture=False)
    from great_expectations.data_context.types.base import ProgressBarsConfig

    log = logging.getLogger("great_expectations")
    if log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.enable_analytics(enable=False)
    asset = context.data_sources.add_pandas("drift").add_dataframe_asset("window")
    return asset.add_batch_definition_whole_dataframe("all")


def _build(expectation: Expectation, frame: pd.DataFrame | None = None) -> tuple[GxExpectation | None, list[str]]:
    """Build GX's object, for a frame if there is one, or say why it cannot be built."""
    from great_expectations.compatibility.pydantic import ValidationError as GxValidationError
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations import registry

    name, kwargs = expectation.type, dict(expectation.kwargs)
    if name in _SQL_ONLY:
        return None, [f"{name}: it runs only on SQL, and the gate sees a DataFrame; use another expectation"]
    try:
        kind = registry.get_expectation_impl(name)
    except ExpectationNotFoundError:
        known = set(registry.list_registered_expectation_implementations()) - _SQL_ONLY
        return None, [f"{name}: Great Expectations has no such expectation{did_you_mean(name, known)}"]
    problems = [f"{name}: argument {key}: {why}" for key, why in _NOT_ARGUMENTS.items() if key in kwargs]
    if _has_parameter(kwargs):
        problems.append(f"{name}: $PARAMETER has no value here; write the value itself")
    if problems:
        return None, problems
    if frame is not None:
        kwargs = _with_nullable(_with_dates(kwargs, frame))
    try:
        return kind(**kwargs), []
    except GxValidationError as error:
        arguments = set(kind.__fields__) - set(_NOT_ARGUMENTS) - set(kwargs)
        return None, [f"{name}: {why}" for why in _wrong_arguments(error.errors(), arguments)]
    except Exception as error:  # noqa: BLE001 - GX validates in several ways; none may end in a traceback
        return None, [f"{name}: {short(str(error) or type(error).__name__)}"]


def _wrong_arguments(errors: Sequence[Mapping[str, Any]], arguments: Collection[str]) -> list[str]:
    """Say once for each argument what pydantic says once for each type it might have had."""
    said: dict[str, str] = {}
    for error in errors:
        where = str(error["loc"][0])
        if error["type"] == "value_error.extra":
            said[where] = f"argument {where}: unknown{did_you_mean(where, arguments)}"
        else:
            said.setdefault(where, error["msg"] if where == "__root__" else f"argument {where}: {error['msg']}")
    if len(said) > 1:
        # The check of the whole is only an echo of the arguments that failed.
        said.pop("__root__", None)
    return list(said.values())


def _with_dates(kwargs: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Make times of the texts in a set where the column holds dates or times.

    A monitor file has no dates, only text; GX reads it as a date in a bound, but never in a set, where no row would be
    equal to it: ``not_be_in_set`` would always be met.
    """
    column, values = kwargs.get("column"), kwargs.get("value_set")
    if not isinstance(column, str) or column not in frame.columns or not isinstance(values, list):
        return kwargs
    held = next(iter(frame[column].dropna().head(1)), None)
    if not isinstance(held, date):
        return kwargs
    kind = datetime if isinstance(held, datetime) else date
    try:
        times = [kind.fromisoformat(value) if isinstance(value, str) else value for value in values]
    except ValueError:
        return kwargs
    return kwargs | {"value_set": times}


def _with_nullable(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Ask for ``Int16Dtype`` too where ``int16`` is in a list of types: it is what pandas has with nulls."""
    asked = kwargs.get("type_list")
    if not isinstance(asked, list):
        return kwargs
    return kwargs | {"type_list": [*asked, *(_NULLABLE[name] for name in asked if name in _NULLABLE)]}


_NULLABLE = {
    **{f"int{bits}": f"Int{bits}Dtype" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UInt{bits}Dtype" for bits in (8, 16, 32, 64)},
    "int": "Int64Dtype",
    "bool": "BooleanDtype",
}


def _has_parameter(value: object) -> bool:
    if isinstance(value, dict):
        return "$PARAMETER" in value or any(map(_has_parameter, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_parameter, value))
