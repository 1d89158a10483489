"""Segments inside a warehouse: SQL that says in which one a row is, and which there are.

A combination of values is one text: its keys (`drift.sources.warehouse.values.key`), a mark where there is none, with
commas between them. No key holds a comma or is the mark, so no two combinations are one, whatever the collation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from drift.profiles.segments import labels_of, largest, name_of
from drift.sources.warehouse.values import constant, key_like, labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from drift.profiles.segments import Segmentation

    Kinds = Mapping[str, pa.DataType | None]
    """Type of each column to cut by; None where it is not there, or its values have no text form."""

MISSING = "("
"""Stands for the key of a value that is missing."""

_ROWS = "SELECT {by} AS segment, COUNT(*) AS n_rows FROM drift_rows GROUP BY {by}"

_LARGEST = """
SELECT {i} AS cut, n_rows, {named}
FROM (
  SELECT *, RANK() OVER (ORDER BY n_rows DESC) AS above, ROW_NUMBER() OVER (ORDER BY n_rows DESC) AS place
  FROM (SELECT {keys}, COUNT(*) AS n_rows FROM drift_rows GROUP BY {keys}) AS grouped
) AS ranked
WHERE above <= {most} AND n_rows >= {least} OR place <= 2
"""


def places(segmentations: Sequence[Segmentation], keys: Mapping[str, Any], kinds: Kinds) -> list[Any]:
    """Return for each way to cut in which segment a row is, in Ibis: all segments are numbered through.

    The `keys` are, for each column to cut by, the key of a row's value, or `MISSING`.
    """
    import ibis

    found, first = [], 0
    for by in segmentations:
        cases = []
        for place, name in enumerate(by.watched, first):
            labels = labels_of(by.columns, name)
            parts = [_like(label, kinds[column]) for label, column in zip(labels or (), by.columns, strict=False)]
            # No row is in a segment whose label no value of the column has.
            if labels and all(part is not None for part in parts):
                cases.append((_joined(parts), place))
        first += len(by.names)
        rest = ibis.literal(first - 1, "int32")
        row = _joined([keys[name] for name in by.columns])
        # The text of a row is made once, and compared with the others.
        found.append(row.cases(*cases, else_=rest).cast("int32") if cases else rest)
    return found


def _like(label: str | None, kind: pa.DataType | None) -> Any:
    import ibis

    if label is None:
        return ibis.literal(MISSING)
    key = None if kind is None else key_like(label, kind)
    if key is None:
        return None
    return constant(key).cast("string") if isinstance(key, float) else ibis.literal(key)


def _joined(parts: Sequence[Any]) -> Any:
    joined, *others = parts
    for part in others:
        joined = joined + "," + part
    return joined


def rows_branch(by: str) -> str:
    """Return SQL that counts the rows of ``drift_rows`` in each segment, which column `by` numbers."""
    return _ROWS.format(by=by)


def largest_branch(i: int, keys: Sequence[str], *, width: int, most: int, least: float) -> str:
    """Return SQL that finds the combinations in ``drift_rows`` that may be watched, with their rows.

    Way to cut `i` has its keys in these columns; a row of the result has `width` keys, `MISSING` beyond these. `most`
    and `least` are those of `drift.profiles.segments.fit`. Of combinations with equally many rows all come back, as
    their names decide; and two of the largest in any case: the only one there is, is the whole.
    """
    padded = [*keys, *[f"'{MISSING}'"] * (width - len(keys))]
    named = ", ".join(f"{key} AS key{j}" for j, key in enumerate(padded))
    return _LARGEST.format(i=i, keys=", ".join(keys), named=named, most=most, least=math.ceil(least))


def fitted(
    rows: Iterable[tuple[int, Sequence[str]]], columns: Sequence[str], kinds: Kinds, *, most: int, least: float
) -> tuple[Segmentation, dict[str, int]]:
    """Return what `drift.profiles.segments.fit` would, of the rows of one `largest_branch`, with their keys.

    Of the segments found only those that came back are named, so at least two if there are.
    """
    found: dict[str, int] = {}
    for n_rows, keys in rows:
        read = [_label(key, kinds[column]) for key, column in zip(keys, columns, strict=True)]
        found[name_of(columns, read)] = n_rows
    return largest(found, columns, most=most, least=least), found


def _label(key: str, kind: pa.DataType | None) -> str | None:
    return None if key == MISSING or kind is None else labels([key], [1], kind)[0][0]
