"""What kind of thing a column holds, and its values as numbers or labels.

A feature is one of four kinds. The Arrow type decides, a person may overrule it:

========================================  =============  =========================================
Arrow type                                kind           how it is read
========================================  =============  =========================================
integers, floats, decimals, durations     numeric        float64 (durations in seconds)
dates, timestamps, times of day           datetime       float64: days (dates), seconds (the rest)
booleans                                  boolean        labels ``false`` and ``true``
strings                                   categorical    labels
dictionaries (pandas' ``category``)       categorical    labels; of booleans, as booleans
nulls only                                as declared    every row is missing
lists, structs, maps, binary, intervals   none           the feature is `not_comparable`
========================================  =============  =========================================

A null is missing, and so is a NaN; an infinity is a value. An integral float is the same label as the
integer (``3.0`` is ``3``), because pandas and CSV turn nullable integers into floats.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from drift.errors import BinningError, DriftError, column_problem
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drift.config.features import FeatureKind

log = logs.logger(__name__)

Scale = Literal["number", "integer", "date", "timestamp", "time"]


def infer_kind(arrow_type: pa.DataType) -> FeatureKind | None:
    """Return the kind an Arrow type stands for, or None where it has none (nested and binary types, all nulls)."""
    import pyarrow.types as t

    if t.is_dictionary(arrow_type):
        found = infer_kind(arrow_type.value_type)
        return found if found in {None, "boolean"} else "categorical"
    if t.is_boolean(arrow_type):
        return "boolean"
    if t.is_integer(arrow_type) or t.is_floating(arrow_type) or t.is_decimal(arrow_type) or t.is_duration(arrow_type):
        return "numeric"
    if t.is_date(arrow_type) or t.is_timestamp(arrow_type) or t.is_time(arrow_type):
        return "datetime"
    if t.is_string(arrow_type) or t.is_large_string(arrow_type) or t.is_string_view(arrow_type):
        return "categorical"
    return None


def value_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values, and any other type as it is."""
    import pyarrow.types as t

    return arrow_type.value_type if t.is_dictionary(arrow_type) else arrow_type


def is_text(arrow_type: pa.DataType) -> bool:
    """Say whether values of this type, or of its dictionary, are text."""
    return infer_kind(arrow_type) == "categorical" and type_text(arrow_type) == "string"


def infer_scale(arrow_type: pa.DataType) -> Scale:
    """Return how numbers of this Arrow type are to be shown."""
    import pyarrow.types as t

    arrow_type = value_type(arrow_type)
    if t.is_integer(arrow_type):
        return "integer"
    if t.is_date(arrow_type):
        return "date"
    if t.is_timestamp(arrow_type):
        return "timestamp"
    return "time" if t.is_time(arrow_type) else "number"


def type_text(arrow_type: pa.DataType) -> str:
    """Return an Arrow type as text; strings of any width are ``string``, and a dictionary is what its values are.

    Examples
    --------
    >>> import pyarrow as pa
    >>> type_text(pa.large_string()), type_text(pa.dictionary(pa.int8(), pa.string())), type_text(pa.float64())
    ('string', 'string', 'double')
    """
    import pyarrow.types as t

    arrow_type = value_type(arrow_type)
    if t.is_large_string(arrow_type) or t.is_string_view(arrow_type):
        return "string"
    return str(arrow_type)


def mixed(name: str, types: str) -> pa.Field[Any]:
    """Return the field of a column whose rows have types with nothing in common, which `types` names in words.

    Batches of it come as they are.
    """
    import pyarrow as pa

    return pa.field(name, pa.string(), metadata={_MIXED: types})


def mixture(column: pa.Field[Any]) -> str:
    """Say which types a `mixed` column has; empty for any other.

    Examples
    --------
    >>> import pyarrow as pa
    >>> mixture(mixed("x", "int64 and string (b.parquet)")), mixture(pa.field("x", pa.string()))
    ('int64 and string (b.parquet)', '')
    """
    return (column.metadata or {}).get(_MIXED, b"").decode()


_MIXED = b"drift.types"


def family(column: pa.Field[Any]) -> str:
    """Return what columns must have in common to be one feature: their kind, and of times their clock.

    Examples
    --------
    >>> import pyarrow as pa
    >>> family(pa.field("x", pa.int8())), family(pa.field("x", pa.date32())), family(mixed("x", "int8 and string (b)"))
    ('numeric', 'date', 'int8 and string (b)')
    """
    kind = infer_kind(column.type)
    if mixture(column) or kind is None:
        return mixture(column) or type_text(column.type)
    return infer_scale(column.type) if kind == "datetime" else kind


def same_family(before: str, after: str) -> bool:
    """Say whether values of two Arrow types, as text, compare as they are: two sorts of number, or two units of time.

    Examples
    --------
    >>> same_family("int64", "double"), same_family("timestamp[us, tz=UTC]", "timestamp[ns, tz=UTC]")
    (True, True)
    >>> same_family("int64", "string"), same_family("timestamp[us]", "timestamp[us, tz=UTC]")
    (False, False)
    """
    one, other = (_UNIT.sub("", _NUMBER.sub("number", text)) for text in (before, after))
    return one == other


_NUMBER = re.compile(r"^(u?int\d+|halffloat|float|double|decimal\d+\([^)]*\))$")
_UNIT = re.compile(r"(?<=^timestamp\[)\w+|(?<=^time)\d+\[\w+\]")


def is_comparable(type_text: str) -> bool:
    """Say whether a column of this Arrow type, as text, has a kind at all: nested and binary ones have none.

    Examples
    --------
    >>> is_comparable("int64"), is_comparable("list<item: int64>"), is_comparable("binary")
    (True, False, False)
    """
    return not re.match(r"(large_|fixed_size_)?(list|binary)|struct|map|.*(union|interval)", type_text)


def compatible(kind: FeatureKind, arrow_type: pa.DataType) -> bool:
    """Say whether a column of this type can be counted as `kind`.

    A numeric column that becomes text is another column; one that becomes all null is the same column, missing. How
    values are encoded does not matter.
    """
    import pyarrow.types as t

    arrow_type = value_type(arrow_type)
    if t.is_null(arrow_type):
        return True
    found = infer_kind(arrow_type)
    if kind == "categorical":
        return found is not None
    if kind == "boolean":
        # SQLite has no booleans: its 0 and 1 count as false and true.
        return found == "boolean" or t.is_integer(arrow_type)
    return found == kind or (kind == "numeric" and found == "boolean")


def to_numbers(array: pa.Array[Any]) -> NDArray[np.float64]:
    """Return the values as float64, shape (n_rows,); a null is NaN.

    They are read-only where the buffer is Arrow's own; what cannot be read as numbers is a `BinningError`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> to_numbers(pa.array([1, None, 3])).tolist()
    [1.0, nan, 3.0]
    """
    import pyarrow as pa
    import pyarrow.types as t

    if array.null_count == len(array):
        return np.full(len(array), np.nan)
    if t.is_dictionary(array.type):
        array = cast("pa.DictionaryArray[Any, Any]", array).dictionary_decode()
    kind: Any = array.type
    if t.is_decimal(kind):
        numbers = np.full(len(array), np.nan)
        numbers[present(array)] = _decimals(array.drop_null())
        return numbers
    try:
        plain = _plain(array)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BinningError(f"values of type {kind} are not numbers ({error}): set its kind to categorical") from error
    numbers = _slots(plain).astype(np.float64, copy=False)
    if _has_ticks(kind):
        numbers = numbers / _TICKS[kind.unit]
    # What lies in the place of a null is anything.
    return np.where(present(array), numbers, np.nan) if array.null_count else numbers


_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def _has_ticks(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_timestamp(kind) or t.is_duration(kind) or t.is_time(kind)


def _plain(array: pa.Array[Any]) -> pa.Array[Any]:
    """Return integers or floats: of dates the days since 1970, of other times their ticks."""
    import pyarrow as pa
    import pyarrow.types as t

    kind = array.type
    if t.is_integer(kind) or t.is_floating(kind):
        return array
    if t.is_date(kind):
        return array.cast(pa.date32()).cast(pa.int32())
    if _has_ticks(kind):
        return array.cast(pa.int32() if t.is_time32(kind) else pa.int64())
    return array.cast(pa.uint8() if t.is_boolean(kind) else pa.float64())


@dataclass(frozen=True, slots=True)
class Parted:
    """Numbers, parted into those that are finite, those that are infinite, and how many are missing.

    Examples
    --------
    >>> Parted.of(np.array([1.0, np.nan, np.inf]))
    Parted(finite=array([1.]), infinite=array([inf]), n_missing=1)
    """

    finite: NDArray[np.float64]
    infinite: NDArray[np.float64]
    n_missing: int

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Parted:
        """Part numbers, NaN among them; where all are finite they are not copied."""
        finite = np.isfinite(values)
        if finite.all():
            return cls(values, np.empty(0), 0)
        others = values[~finite]
        infinite = others[~np.isnan(others)]
        return cls(values[finite], infinite, len(others) - len(infinite))


def _view(array: pa.Array[Any]) -> NDArray[Any]:
    """Return the numbers that are not null; where none is, as they lie."""
    if array.null_count == len(array):
        return np.empty(0)
    return _slots(array)[present(array)] if array.null_count else _slots(array)


def _slots(array: pa.Array[Any]) -> NDArray[Any]:
    """Return the numbers as they lie, nulls' places too. `Array.to_numpy` would import all of pandas."""
    if not array.null_count:
        return np.from_dlpack(array)
    kind: Any = array.type
    numbers: NDArray[Any] = np.frombuffer(cast("Any", array.buffers()[1]), kind.to_pandas_dtype())
    return numbers[array.offset : array.offset + len(array)]


def present(array: pa.Array[Any]) -> NDArray[np.bool_]:
    """Say which values are not null. `Array.is_valid` would import all that computes.

    Examples
    --------
    >>> import pyarrow as pa
    >>> present(pa.array([1, None, 3])[1:]).tolist()
    [False, True]
    """
    if array.null_count in {0, len(array)}:
        return np.full(len(array), not array.null_count)
    start, end = array.offset, array.offset + len(array)
    bits: NDArray[np.uint8] = np.frombuffer(cast("Any", array.buffers()[0]), np.uint8)
    return np.unpackbits(bits, count=end, bitorder="little")[start:].view(np.bool_)


def _decimals(array: pa.Array[Any]) -> NDArray[np.float64]:
    """Return decimals without nulls as the nearest float64; Arrow's cast is often the second nearest.

    Where both are exact in float64, an integer below 2^53 and a power of ten up to 10^22, one division rounds once. All
    others go by way of their text.
    """
    import pyarrow as pa

    kind: Any = array.type
    word = np.int32 if kind.byte_width == 4 else np.int64
    words = max(1, kind.byte_width // 8)
    start, end = array.offset * words, (array.offset + len(array)) * words
    buffer: Any = array.buffers()[1] or b""
    unscaled: NDArray[Any] = np.frombuffer(buffer, word, end)[start:].reshape(-1, words)
    low = unscaled[:, 0].astype(np.int64, copy=False)
    short = (low <= _EXACT) & (low >= -_EXACT)
    if words > 1:
        short &= (unscaled[:, 1:] == (low >> 63)[:, np.newaxis]).all(axis=1)
    if abs(kind.scale) > _EXACT_POWER:
        short[:] = False
    power = float(10 ** min(abs(kind.scale), _EXACT_POWER))
    numbers = low.astype(np.float64)
    if kind.scale >= 0:
        numbers /= power
    else:
        numbers *= power
    if not short.all():
        numbers[~short] = np.from_dlpack(array.filter(pa.array(~short)).cast(pa.string()).cast(pa.float64()))
    return numbers


_EXACT, _EXACT_POWER = 1 << 53, 22


def integers(values: NDArray[np.int64]) -> pa.Array[Any]:
    """Return whole numbers as Arrow's; `pyarrow.array` would import all of pandas.

    Examples
    --------
    >>> integers(np.array([2, 0])).to_pylist()
    [2, 0]
    """
    import pyarrow as pa

    array: pa.Array[Any] = pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values.data)])
    return array


def floats(values: Sequence[float | None]) -> pa.Array[Any]:
    """Return numbers, or null for None, as Arrow's; `pyarrow.array` would import all of pandas.

    Examples
    --------
    >>> floats([0.5, None, -1]).to_pylist()
    [0.5, None, -1.0]
    """
    import pyarrow as pa

    numbers = np.array([0.0 if value is None else value for value in values], np.float64)
    known = np.packbits(np.array([value is not None for value in values], np.bool_), bitorder="little")
    buffers: Any = [pa.py_buffer(known.data), pa.py_buffer(numbers.data)]
    array: pa.Array[Any] = pa.Array.from_buffers(pa.float64(), len(numbers), buffers)
    return array


def words(texts: Sequence[str]) -> pa.Array[Any]:
    """Return texts as Arrow's; `pyarrow.array` would import all of pandas.

    Examples
    --------
    >>> words(["a", "", "ß"]).to_pylist()
    ['a', '', 'ß']
    """
    import pyarrow as pa

    data = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, data)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends.data), pa.py_buffer(b"".join(data))]
    array: pa.Array[Any] = pa.Array.from_buffers(pa.string(), len(data), buffers)
    return array


def to_labels(array: pa.Array[Any]) -> tuple[list[str], NDArray[np.int64], int]:
    """Return the distinct labels, how often each occurs, and how many rows are missing.

    Values without a text form (lists, structs, binary), and text that is not UTF-8, are a `BinningError`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> labels, counts, missing = to_labels(pa.array(["JFK", None, "EWR", "JFK"]))
    >>> labels, counts.tolist(), missing
    (['JFK', 'EWR'], [2, 1], 1)
    """
    labels, indices = _encoded(array)
    codes = _view(indices).astype(np.intp, copy=False)
    counts = np.bincount(codes, minlength=len(labels)).astype(np.int64)
    missing = len(array) - len(codes)
    merged: dict[str, int] = {}
    for label, count in zip(labels, counts.tolist(), strict=True):
        if label is None:
            missing += count
        elif count:
            merged[label] = merged.get(label, 0) + count
    return list(merged), np.fromiter(merged.values(), np.int64, len(merged)), missing


def to_codes(array: pa.Array[Any]) -> tuple[list[str | None], NDArray[np.intp]]:
    """Return labels, None for missing, and which of them each row has; a label may stand there twice.

    Examples
    --------
    >>> import pyarrow as pa
    >>> labels, codes = to_codes(pa.array(["JFK", None, "EWR", "JFK"]))
    >>> [labels[code] for code in codes]
    ['JFK', None, 'EWR', 'JFK']
    """
    labels, indices = _encoded(array, strict=False)
    codes = np.full(len(array), len(labels), np.intp)
    codes[present(indices)] = _view(indices)
    return [*labels, None], codes


def _encoded(array: pa.Array[Any], *, strict: bool = True) -> tuple[list[str | None], pa.Array[Any]]:
    """Return the labels that occur, None for a value that is missing, and their indices, null where there is none."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_null(array.type):
        return [], pa.nulls(len(array), pa.int32())
    if infer_kind(array.type) is None:
        raise BinningError(f"values of type {type_text(array.type)} have no labels: exclude the feature")
    if t.is_decimal32(array.type) or t.is_decimal64(array.type):
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    encoded = cast("pa.DictionaryArray[Any, Any]", array if t.is_dictionary(array.type) else array.dictionary_encode())
    values = encoded.dictionary
    labels: list[str | None]
    if t.is_floating(values.type):
        labels = [_float_label(value) for value in values.to_pylist()]
    elif t.is_decimal(values.type) or t.is_timestamp(values.type) or t.is_time(values.type):
        # 3.00 is 3, and 17:30:00.000 is 17:30:00: the label does not depend on the type's scale or unit.
        written = values.cast(pa.string()).to_pylist()
        labels = [None if text is None else _FRACTION.sub("", text) for text in written]
    elif t.is_boolean(values.type) or not (t.is_string(values.type) or t.is_large_string(values.type)):
        labels = values.cast(pa.string()).to_pylist()
    else:
        labels = texts(values, strict=strict)
    return labels, encoded.indices


def texts(values: pa.Array[Any], *, strict: bool) -> list[str | None]:
    """Return texts; where they are not UTF-8, that is a `BinningError`, or such bytes are written in hexadecimal."""
    import pyarrow as pa

    try:
        return values.to_pylist()
    except UnicodeDecodeError as error:
        if strict:
            raise BinningError("text that is not UTF-8: write it as UTF-8, or exclude the feature") from error
        encoded: list[bytes | None] = values.cast(pa.binary()).to_pylist()
        return [None if text is None else text.decode(errors="backslashreplace") for text in encoded]


_FRACTION = re.compile(r"(?:\.0+|(?<=\.\d)0+|(?<=\.\d\d)0+|(?<=\.\d{3})0+|(?<=\.\d{6})0+)(?=$|[+\-Z])")


def _float_label(value: float | None) -> str | None:
    if value is None or value != value:  # noqa: PLR0124 - NaN is the only value unequal to itself
        return None
    return str(int(value)) if value.is_integer() else repr(value)


@contextmanager
def contained(problems: dict[str, str], column: str) -> Iterator[None]:
    """Write down why a column cannot be used, and go on with the others: one bad column never sinks a run."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DriftError) and not isinstance(error, BinningError):
            raise
        log.debug("column %s", column, exc_info=True)
        problems.setdefault(column, column_problem(error))
