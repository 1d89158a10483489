"""Columns that are no use as features: keys, free text, times of rows, what never varies; judged by a look at them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from drift.profiles.kinds import infer_kind, infer_scale, type_text
from drift.text.formatting import thousands

if TYPE_CHECKING:
    import pyarrow as pa

Sort = Literal["identifier", "free text", "timestamp", "constant", "empty", "nested"]

LOOKED = 10_000
"""Rows of a column that are enough to judge it by."""

FEW = 20
"""Of fewer values nothing can be said."""

_UNIQUE, _NEARLY, _MANY = 0.99, 0.9, 1000
"""Shares of the values that differ: of numbers that run on, of texts; and how many make a key of what is named one."""

_HEAVY_SHARE, _HEAVY_ROWS = 0.004, 5
"""A value with more rows than either recurs: what holds it is not, or not only, a key."""

_GAPS = 4
"""Keys that run on fill at least one in so many of the numbers between the first and the last."""

_SPACES = 3
"""Free text has at least this many spaces in the mean."""

_KEY = re.compile(
    r"(^|_)(id|ids|uid|uuid|guid|key|pk|no|nr|num|number|code|hash|token|mail|email|e_mail|phone|url|uri|ip|session"
    r"|sku|isbn|iban|reference|ref)$"
)
TIME_NAME = re.compile(r"(^|_)(at|ts|time|timestamp|date|datetime|day|epoch|created|updated|modified)$")
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$"
_EPOCHS = ((10**9, 5 * 10**9), (10**12, 5 * 10**12), (10**15, 5 * 10**15), (10**18, 5 * 10**18))
"""Seconds, ms, µs and ns since 1970, from 2001 on."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a column had better not be a feature.

    Examples
    --------
    >>> print(Misfit("identifier", "10,000 of 10,000 values differ"))
    identifier: 10,000 of 10,000 values differ
    """

    sort: Sort
    because: str

    def __str__(self) -> str:
        return f"{self.sort}: {self.because}"


def misfit(name: str, values: pa.Array[Any], n_rows: int | None = None) -> Misfit | None:
    """Say why a column had better not be a feature; None where it may be one.

    A key differs from row to row, and then it is text, or whole numbers that run on, or its name says that it is one;
    a float never is. Where one value holds more than 0.4 % of the rows the column is not a key: something recurs, which
    is worth watching.

    Parameters
    ----------
    values
        Some of its rows, the first `LOOKED` of which are looked at.
    n_rows
        Rows of the whole column, where `values` are a part of it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> print(misfit("order", pa.array(range(5000, 7000))))
    identifier: whole numbers that run on, 5,000 … 6,999
    >>> print(misfit("note", pa.array([f"please ring at number {i}" for i in range(100)])))
    free text: 100 of 100 values differ, of 5 words on average
    >>> misfit("price", pa.array([i * 1.01 for i in range(2000)])) is None
    True
    """
    present: Any = values.slice(0, LOOKED).drop_null()
    if found := _by_type(values.type):
        return found
    if not len(present):
        return Misfit("empty", "no row has a value") if len(values) else None
    return _by_values(_snake(name), present, n_rows or len(values))


def recurs(most: int, n_rows: int) -> bool:
    """Say whether the value with the most rows holds so many of all that the column is not a key.

    Examples
    --------
    >>> recurs(5, 100), recurs(6, 100), recurs(6, 2000)
    (False, True, False)
    """
    return most > max(_HEAVY_ROWS, _HEAVY_SHARE * n_rows)


def _by_type(arrow_type: pa.DataType) -> Misfit | None:
    import pyarrow.types as t

    kind = infer_kind(arrow_type)
    if kind == "datetime" and infer_scale(arrow_type) != "time":
        return Misfit("timestamp", f"its type is {type_text(arrow_type)}")
    if kind is None and not t.is_null(arrow_type):
        return Misfit("nested", f"{type_text(arrow_type)} has no kind that compares")
    return None


def _by_values(name: str, present: Any, n_rows: int) -> Misfit | None:
    """Judge a column, its name in snake case, by values that are not null."""
    import pyarrow.types as t

    if t.is_dictionary(present.type):
        present = present.dictionary_decode()
    encoded, n = present.dictionary_encode(), len(present)
    rows, distinct = np.bincount(np.from_dlpack(encoded.indices)), encoded.dictionary
    if n < FEW or (len(distinct) > 1 and recurs(int(rows.max()), n)):
        return None
    if len(distinct) == 1:
        return Misfit("constant", "all values are equal")
    if t.is_integer(distinct.type):
        return _number(name, distinct, n, n_rows)
    return _text(name, distinct, n) if infer_kind(distinct.type) == "categorical" else None


def _number(name: str, distinct: pa.Array[Any], n: int, n_rows: int) -> Misfit | None:
    """Judge whole numbers by those that differ, of `n`."""
    import pyarrow.compute as pc

    bounds: Any = pc.min_max(distinct).as_py()
    low, high = bounds["min"], bounds["max"]
    if TIME_NAME.search(name) and any(first <= low and high < last for first, last in _EPOCHS):
        return Misfit("timestamp", "whole numbers that count from 1970")
    if len(distinct) >= _UNIQUE * n and high - low < _GAPS * n_rows:
        return Misfit("identifier", f"whole numbers that run on, {thousands(low)} … {thousands(high)}")
    return Misfit("identifier", _differ(len(distinct), n)) if _names_key(name, len(distinct), n) else None


def _text(name: str, distinct: pa.Array[Any], n: int) -> Misfit | None:
    """Judge texts by those that differ, of `n`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts: Any = distinct.cast(pa.large_string())
    if pc.all(pc.match_substring_regex(texts, _ISO)).as_py():
        return Misfit("timestamp", "dates as text")
    spaces = pc.mean(pc.count_substring(texts, " ")).as_py()
    if spaces >= _SPACES and len(texts) >= n / 2:
        return Misfit("free text", f"{_differ(len(texts), n)}, of {round(spaces) + 1} words on average")
    if len(texts) >= _NEARLY * n or _names_key(name, len(texts), n):
        return Misfit("identifier", _differ(len(texts), n))
    return None


def _names_key(name: str, distinct: int, n: int) -> bool:
    return bool(_KEY.search(name)) and (distinct > _MANY or distinct >= n / 2)


def _differ(distinct: int, n: int) -> str:
    return f"{thousands(distinct)} of {thousands(n)} values differ"


def _snake(name: str) -> str:
    """Return a name in lower case, its words parted by underscores: ``orderId`` is ``order_id``."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower()
