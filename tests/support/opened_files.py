"""Files opened as a monitor opens them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from drift.config.source import Source
from drift.sources.snapshot import Snapshot, open_snapshot
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from pathlib import Path

UTC_DAYS = Calendar("1d", "UTC")
DAY = UTC_DAYS.starting(date(2013, 2, 8))


def open_files(files: Path | str, window: Window | None = DAY, calendar: Calendar = UTC_DAYS, **keys: Any) -> Snapshot:
    """Open files by a Source, as a monitor does."""
    source = Source(**{"files": str(files), "time_column": "day", **keys})
    return open_snapshot(source, window, calendar=calendar)


def rows(snapshot: Snapshot, *columns: str) -> dict[str, list[Any]]:
    """Read columns whole."""
    return snapshot.to_table(columns or None).to_pydict()


def csv_file(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    """Write a CSV file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path
