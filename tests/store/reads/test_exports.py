"""Stored tables, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.store.reads import exports
from tests.support.dashboard_samples import MONITOR, day

if TYPE_CHECKING:
    from drift.store.reads.exports import Table
    from drift.store.store import Store


@pytest.mark.parametrize("table", ["scores", "runs", "alerts", "validations"])
def test_rows_are_between_two_windows(filled: Store, table: Table) -> None:
    """Oldest first; `until` itself is left out."""
    every = exports.query(table, MONITOR, None, None)
    some = exports.query(table, MONITOR, day(2).start, day(6).start)
    names = [column.name for column in every.selected_columns]
    at = names.index("opened_window" if table == "alerts" else "window_start")
    rows = [row for batch in exports.batches(filled, every) for row in batch]
    chosen = [row for batch in exports.batches(filled, some) for row in batch]
    assert rows
    assert [row[at] for row in rows] == sorted(row[at] for row in rows)
    assert chosen == [row for row in rows if day(2).start <= row[at] < day(6).start]
