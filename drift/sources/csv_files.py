"""CSV: empty fields are null; NA, NULL and nan are too in columns of numbers, dates or booleans.

Types are inferred from the whole file; a column whose values fit no type together is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.fs as pafs

_BATCH_ROWS = 1 << 16
BLOCK = 1 << 24
"""Bytes of a CSV file that its types are inferred from; a longer one is read through."""

_CONVERSION = re.compile(r"CSV column #(\d+)")


def open_fragment(filesystem: pafs.FileSystem, path: str) -> Any:
    """Open a file: what Arrow knows of it, with the types that its first block promises."""
    import pyarrow.csv
    import pyarrow.dataset as ds

    shape = ds.CsvFileFormat(read_options=pyarrow.csv.ReadOptions(block_size=BLOCK))
    return shape.make_fragment(path, filesystem)


def settled(fragment: Any, schema: pa.Schema) -> pa.Schema:
    """Read a long file through, widening each column that turns out not to fit what its first block promised."""
    while True:
        try:
            for _ in _scan(fragment, schema, schema.names):
                pass
        except pa.ArrowInvalid as error:
            column = _CONVERSION.search(str(error))
            index = int(column[1]) if column else len(schema)
            if index >= len(schema) or t.is_string(schema.types[index]):
                raise
            wider = pa.float64() if t.is_integer(schema.types[index]) else pa.string()
            schema = schema.set(index, pa.field(schema.names[index], wider))
        else:
            return schema


def batches(fragment: Any, schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Parse some columns of a file, whose columns have the types of `schema`; empty texts are null."""
    return map(_empty_to_null, _scan(fragment, schema, columns))


def _empty_to_null(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as pc

    blank: Any = pa.scalar("")
    for i, field in enumerate(batch.schema):
        if t.is_string(field.type):
            column = batch.column(i)
            batch = batch.set_column(i, field, pc.if_else(pc.equal(column, blank), None, column))
    return batch


def _scan(fragment: Any, schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.dataset as ds

    dataset = ds.FileSystemDataset([fragment], schema, fragment.format, fragment.filesystem)
    # By expression, not by name: a list of names would read a dot as a path into a struct.
    wanted: Any = {name: ds.field(name) for name in columns}
    scanner = dataset.scanner(columns=wanted, batch_size=_BATCH_ROWS, batch_readahead=4, fragment_readahead=1)
    return (batch for batch in scanner.to_batches() if batch.num_rows)
