"""What a column is, by all of its texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from drift.config.source import Csv
from drift.profiles.numerals import Numerals
from drift.sources.csv_columns import convert, fit

if TYPE_CHECKING:
    from drift.sources.csv_columns import Kind


def seen(*parts: list[str], decimal: str | None = ".") -> Kind:
    """Return what a column is after these parts of it."""
    kind: Kind = pa.null()
    for part in parts:
        kind = fit(kind, pa.array(part, pa.string()), decimal, Csv())
    return kind


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([["1", "2"]], pa.int64()),
        ([["1", "2"], ["2.5"]], pa.float64()),
        ([["", "NA"], ["1"]], pa.int64()),
        ([["2024-01-01"], ["2024-01-01 10:00:00"]], pa.timestamp("s")),
        ([["true"], ["false"]], pa.bool_()),
        ([["10:30"]], pa.time32("s")),
        ([["1", "2"], ["x"]], pa.string()),
        ([["2024-01-01"], ["x"]], pa.string()),
        ([["", ""]], pa.null()),
    ],
)
def test_a_column_is_what_all_its_rows_are(parts: list[list[str]], kind: Any) -> None:
    """Wider with each part, wherever its last value comes; text where nothing fits all of them."""
    assert seen(*parts) == kind


def test_numbers_written_as_text_are_numbers() -> None:
    """Where all of them can be read so, in whatever part they stand."""
    kind = seen(["$1,512.65"], ["$3.00", ""])
    assert isinstance(kind, Numerals)
    assert convert(pa.array(["$1,512.65", "", "$3.00"]), kind, ".", Csv()).to_pylist() == [1512.65, None, 3.0]
    assert seen(["$1,512.65"], ["unknown"]) == pa.string()


def test_text_keeps_its_words() -> None:
    """NA is a label of text, an empty field is null."""
    assert convert(pa.array(["NA", "", "x"]), pa.string(), ".", Csv()).to_pylist() == ["NA", None, "x"]
