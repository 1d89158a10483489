"""The Great Expectations gate: whether a window is fit to be counted, and to be a reference later.

The expectations are Great Expectations' own (GX 1.24), those of `drift.config.expectation_arguments`; what comes back
is one `Outcome` an expectation. One that breaks (a missing column, a wrong type) is an
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

from drift.config.row_conditions import parse_condition
from drift.errors import MissingExtra
from drift.sources.validation_results import Outcome, columns_of, condition_columns, decide, from_exception, from_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation as GxExpectation
    from great_expectations.validator.v1_validator import Validator

    from drift.config.expectations import Expectation

__all__ = ["Outcome", "columns_needed", "decide", "validate"]

# One datasource holds one frame at a time, and `warnings.catch_warnings` is process-wide.
_LOCK = threading.Lock()


def validate(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Outcome]:
    """Validate one window by its expectations: one outcome for each, in the same order.

    The frame has any number of rows, including none, and at least the columns of `columns_needed`. It is not changed,
    and not kept after the call.
    """
    if not expectations:
        return []
    # GX holds one frame at a time: what is judged on the same rows is judged in one go.
    sittings: dict[tuple[str | None, int | None], list[int]] = {}
    for place, expectation in enumerate(expectations):
        alone = place if _has_patterns(expectation) else None
        sittings.setdefault((expectation.kwargs.get("row_condition"), alone), []).append(place)
    outcomes: dict[int, Outcome] = {}
    with _LOCK, _quiet():
        data = _batch_definition()
        try:
            for (condition, _), places in sittings.items():
                judged = _judge(data, frame, condition, [expectations[place] for place in places])
                outcomes.update(zip(places, judged, strict=True))
        finally:
            # Otherwise GX holds the frame until the next window.
            batches = data.data_asset.datasource.get_execution_engine().batch_manager
            batches.reset_batch_cache()
            batches.batch_data_cache.clear()
    return [outcomes[place] for place in range(len(expectations))]


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
        needed.update(condition_columns(expectation))
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


def _judge(
    data: BatchDefinition, frame: pd.DataFrame, condition: str | None, expectations: Sequence[Expectation]
) -> list[Outcome]:
    """Judge the rows that meet a condition by expectations that see the same of them."""
    opened: tuple[pd.DataFrame, Validator] | None = None
    outcomes = []
    for expectation in expectations:
        # One by one and not as a suite: a suite shares its exceptions among its expectations, and is no faster.
        try:
            rows, validator = opened = opened or _open(data, frame, condition, expectation)
            outcome = from_result(frame, expectation, validator.validate_expectation(_build(expectation, rows)))
        except Exception as error:  # noqa: BLE001 - whatever GX raises is this expectation's outcome
            outcome = from_exception(frame, expectation, str(error) or type(error).__name__)
        outcomes.append(outcome)
    return outcomes


def _open(
    data: BatchDefinition, frame: pd.DataFrame, condition: str | None, expectation: Expectation
) -> tuple[pd.DataFrame, Validator]:
    """Show GX the rows that meet a condition, or, where patterns are asked for, whether they were found in them."""
    from great_expectations.validator.v1_validator import Validator

    from drift.sources.row_selection import match, select

    rows = frame if condition is None else select(frame, parse_condition(condition))
    if _has_patterns(expectation):
        kwargs = expectation.kwargs
        patterns = kwargs.get("regex_list") or [kwargs["regex"]]
        rows = match(rows[kwargs["column"]], patterns, every=kwargs.get("match_on") == "all").to_frame()
    return rows, Validator(
        batch_definition=data,
        batch_parameters={"dataframe": rows},
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )


def _has_patterns(expectation: Expectation) -> bool:
    return "_match_regex" in expectation.type


def _build(expectation: Expectation, rows: pd.DataFrame) -> GxExpectation:
    """Build GX's object for what it sees of the rows."""
    from great_expectations.expectations import registry

    name = expectation.type
    given = {key: value for key, value in expectation.kwargs.items() if value is not None and key != "row_condition"}
    if _has_patterns(expectation):
        found = "_not_match_" not in name
        name = "expect_column_values_to_be_in_set"
        given = {"column": given["column"], "value_set": [found], "mostly": given.get("mostly", 1)}
    return registry.get_expectation_impl(name)(**_with_nullable(_with_dates(given, rows)))


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
