"""What a monitor's conditions and patterns are run by: Arrow, and not what evaluates text.

Great Expectations would write a condition out as text again and have pandas evaluate it, names of columns included; so
the rows are selected here, and Great Expectations sees only these. Patterns it would leave to pandas, which leaves many
to Python's `re`, whose time has no bound; RE2's is linear.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drift.config.row_conditions import Comparison
from drift.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from drift.config.row_conditions import Condition, Value

_COMPARE = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def select(frame: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """Return the rows that meet a condition, in their order.

    A missing value meets ``is null`` and nothing else, as in SQL: neither ``x != 3`` nor ``x not in [3]``.

    Raises
    ------
    ValidationError
        If a column is not there, or holds what cannot be compared with the value.

    Examples
    --------
    >>> import pandas as pd
    >>> from drift.config.row_conditions import parse_condition
    >>> frame = pd.DataFrame({"origin": ["EWR", None, "JFK"], "delay": [5, 9, 30]})
    >>> select(frame, parse_condition('origin != "JFK" or delay > 8')).index.tolist()
    [0, 1, 2]
    >>> select(frame, parse_condition('origin != "JFK"')).index.tolist()
    [0]
    """
    columns = {name: _array(frame, name) for name in condition.columns}
    return frame[np.asarray(pc.coalesce(_mask(columns, condition), pa.scalar(value=False)))]


def _array(frame: pd.DataFrame, name: str) -> pa.Array[Any]:
    if list(frame.columns).count(name) != 1:
        raise ValidationError(f"row_condition: there is not one column {name}: name a column that is there once")
    try:
        array = pa.array(frame[name], from_pandas=True)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValidationError(f"row_condition: {name} cannot be compared: {error}") from error


def _mask(columns: dict[str, pa.Array[Any]], condition: Condition) -> pa.Array[Any]:
    if not isinstance(condition, Comparison):
        join = pc.and_kleene if condition.word == "and" else pc.or_kleene
        return reduce(join, (_mask(columns, part) for part in condition.parts))
    column, operator = columns[condition.column], condition.operator
    if operator in ("is null", "is not null"):
        return pc.is_null(column) if operator == "is null" else pc.is_valid(column)
    if operator in _COMPARE:
        return _compared(column, operator, condition.column, condition.values[0])
    found = reduce(pc.or_kleene, (_compared(column, "==", condition.column, value) for value in condition.values))
    return pc.invert(found) if operator == "not in" else found


def _compared(column: pa.Array[Any], operator: str, name: str, value: Value) -> pa.Array[Any]:
    """Compare with a value of the column's own kind; text stands for dates and times too."""
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.bool_())
    held = _kind(kind)
    families = {bool: ("true and false",), str: ("text", "times")}
    if held not in families.get(type(value), ("numbers",)):
        raise ValidationError(f"row_condition: {name} holds {held}, which is not compared with {value!r}")
    try:
        return _COMPARE[operator](column, pa.scalar(value).cast(kind) if isinstance(value, str) else pa.scalar(value))
    except pa.ArrowException as error:
        said = f"row_condition: {name} holds {held}, which cannot be compared with {value!r}: {error}"
        raise ValidationError(said) from error


def _kind(kind: pa.DataType) -> str:
    """Name what a column holds; a kind that no value is compared with has its own name."""
    families = {
        "true and false": (pa.types.is_boolean,),
        "numbers": (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
        "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        "times": (pa.types.is_temporal,),
    }
    return next((family for family, kinds in families.items() if any(is_one(kind) for is_one in kinds)), str(kind))


def match(column: pd.Series, patterns: Sequence[str], *, every: bool) -> pd.Series:
    """Whether one of the patterns, or every one, is found in each value; None where the value is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> match(pd.Series(["N14", None, "X1"]), ["^N", "4$"], every=True).tolist()
    [True, None, False]
    """
    given = column[column.notna()].astype(str)
    texts = pa.array(given.tolist(), pa.large_string())
    found = [np.asarray(pc.match_substring_regex(texts, pattern=pattern)) for pattern in patterns]
    matches = column.astype(object).where(column.notna(), None)
    matches[column.notna()] = np.all(found, axis=0) if every else np.any(found, axis=0)
    return matches
