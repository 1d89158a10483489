"""What the columns of a CSV file are by all their rows: of an Arrow type, numbers that are written as text, or text.

Empty fields are null; NA, NULL and nan are too in columns of numbers, dates or booleans. A column whose values fit no
type together is text.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from drift.profiles.kinds import words
from drift.profiles.numerals import Notation, Numerals, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drift.config.source import Csv

_NULLS = [
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "1.#IND",
    "-1.#IND", "1.#QNAN", "-1.#QNAN",
]  # fmt: skip
_TRUE = ["1", "true", "TRUE", "True"]
_FALSE = ["0", "false", "FALSE", "False"]
_TYPES: tuple[pa.DataType, ...] = (
    pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("s"), pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"), pa.float64(),
)  # fmt: skip
_WIDER: dict[pa.DataType, pa.DataType] = {
    pa.int64(): pa.float64(), pa.date32(): pa.timestamp("s"), pa.timestamp("s"): pa.timestamp("ns"),
}  # fmt: skip

# `pyarrow.scalar` would import all of pandas.
_NO_TEXT, _NO_TRUTH = (pa.nulls(1, kind)[0] for kind in (pa.string(), pa.bool_()))

_FIRST = 16

Kind = pa.DataType | Numerals
"""What a column is by the rows seen: of an Arrow type, or text that can be read as numbers."""


def all_numerals(options: Csv) -> Numerals:
    """Return all that numbers may be written like, as far as nobody said."""
    decimal, thousands = options.decimal, options.thousands
    known = [n for n in Numerals().notations if decimal in {None, n.decimal} and thousands in {None, n.thousands}]
    return Numerals(tuple(known))


def fit(kind: Kind, texts: pa.Array[Any], decimal: str | None, options: Csv) -> Kind:
    """Return what a column is with these rows, by what it was with those before."""
    if kind == pa.string():
        return kind
    present = typed(texts, options)
    if present.null_count == len(present):
        return kind
    if isinstance(kind, Numerals):
        return _or_text(kind.after(present))
    for wider in _TYPES if t.is_null(kind) else (kind, *_chain(kind)):
        # Where the comma parts the decimals, a point does not.
        if not (wider == pa.float64() and decimal == ",") and _fits(present, wider):
            return wider
    if not (t.is_null(kind) or t.is_integer(kind) or t.is_floating(kind)):
        return pa.string()
    known = all_numerals(options)
    if not t.is_null(kind):
        points = (n for n in known.notations if t.is_integer(kind) or n.decimal == ".")
        known = replace(known, notations=tuple(points), unit="")
    return _or_text(known.after(present))


def _or_text(numerals: Numerals) -> Kind:
    return numerals if numerals.notations else pa.string()


def _chain(kind: pa.DataType) -> Iterator[pa.DataType]:
    while kind in _WIDER:
        kind = _WIDER[kind]
        yield kind


def typed(texts: pa.Array[Any], options: Csv) -> Any:
    """Return texts without those that stand for null where they are not words."""
    return _without(texts, (*_NULLS, *options.null_values))


@cache
def _set(*texts: str) -> pa.Array[Any]:
    return words(texts)


def _without(texts: pa.Array[Any], nulls: Sequence[str]) -> Any:
    known: Any = pc.is_in(texts, value_set=_set(*nulls))
    return pc.if_else(known, _NO_TEXT, texts)


def _fits(present: Any, kind: pa.DataType) -> bool:
    try:
        # Arrow writes an error for each value that does not fit, and most that do not are found among the first.
        return all(_cast(part, kind).null_count == part.null_count for part in (present[:_FIRST], present))
    except pa.ArrowInvalid:
        return False


def _cast(present: Any, kind: pa.DataType) -> Any:
    if t.is_boolean(kind):
        true, false = (pc.is_in(present, value_set=_set(*texts)) for texts in (_TRUE, _FALSE))
        return pc.if_else(pc.or_(true, false), true, _NO_TRUTH)
    if t.is_time(kind):
        # Arrow casts no text to times of day.
        if not pc.all(pc.match_substring_regex(present, r"^\d\d:\d\d(:\d\d)?$"), min_count=0).as_py():
            raise pa.ArrowInvalid("not a time of day")
        present = pc.binary_join_element_wise("1970-01-01", present, "T").cast(pa.timestamp("s"))
    if t.is_null(kind):
        return pa.nulls(len(present))
    if t.is_integer(kind) or t.is_floating(kind):
        present = pc.utf8_trim_whitespace(present)
    return present.cast(kind)


def convert(texts: pa.Array[Any], kind: Kind, decimal: str | None, options: Csv) -> Any:
    """Return texts as what their column is."""
    if kind == pa.string():
        return _without(texts, ("", *options.null_values))
    present = typed(texts, options)
    if isinstance(kind, Numerals):
        return parse(present, kind.notation(decimal) or Notation())
    return _cast(present, kind)
