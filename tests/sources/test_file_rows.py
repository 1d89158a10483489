# ruff: noqa: DTZ001 - naive times are one of the things that a source may hold
"""Which files and rows a window has: by folders, by times of every kind, and what has no readable time."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from drift.errors import SourceError
from drift.windows import Calendar
from tests.support.opened_files import csv_file, open_files, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


NEW_YORK = Calendar("1d", "America/New_York")


@pytest.mark.parametrize(
    ("names", "arrow_type"),
    [
        (["2013-02-07", "2013-02-08", "__HIVE_DEFAULT_PARTITION__"], "date32[day]"),
        (["20130207", "20130208", "__HIVE_DEFAULT_PARTITION__"], "int64"),
        (["2013-02-07T00", "2013-02-08T00"], None),
        (["2013-02-07%2010:00", "2013-02-08%2010:00"], "string"),
    ],
)
def test_partitions_are_pruned_by_their_path(
    tmp_path: Path, write: Callable[..., Path], names: list[str], arrow_type: str | None
) -> None:
    """Dates as text or numbers select files that need not even be readable elsewhere; other text is refused."""
    for i, name in enumerate(names):
        write(f"day={name}/a.parquet", x=[i])
    (tmp_path / f"day={names[0]}/a.parquet").write_bytes(b"not read at all")
    if arrow_type is None:
        with pytest.raises(SourceError, match="partition day holds text that is not an ISO 8601"):
            open_files(tmp_path)
        return
    snapshot = open_files(tmp_path)
    assert snapshot.schema["day"] == arrow_type
    assert rows(snapshot, "x") == {"x": [1]}


def test_text_that_is_no_time_among_times_is_an_error(tmp_path: Path) -> None:
    """A CSV whose times are times elsewhere and words here is named; ISO text with and without a time of day agree."""
    csv_file(tmp_path, "day,x\n2013-02-08,1\n", "a.csv")
    csv_file(tmp_path, "day,x\n2013-02-08 05:00,2\n2013-02-09 05:00,3\n", "b.csv")
    assert rows(open_files(tmp_path), "x") == {"x": [1, 2]}
    csv_file(tmp_path, "day,x\nsoon,4\n", "c.csv")
    with pytest.raises(SourceError, match=r"c\.csv: day holds text that is not an ISO 8601 time, such as 'soon'"):
        open_files(tmp_path)


@pytest.mark.parametrize(
    ("times", "inside"),
    [
        (pa.array([date(2013, 2, 8), date(2013, 2, 7), None]), 1),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 9), None], pa.timestamp("s")), 1),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 8, 23, 59, 59, 999999)], pa.timestamp("ns")), 2),
        (pa.array([datetime(2013, 2, 8), datetime(2013, 2, 7, 23)], pa.timestamp("ms", "Asia/Tokyo")), 1),
        (pa.array(["2013-02-08T00:00:00Z", "2013-02-08T00:00:00.5Z", "2013-02-09T00:00:00Z", None]), 2),
        (pa.array(["2013-02-08", "2013-02-07"]).dictionary_encode(), 1),
        (pa.array(["2013-02-08", "2013-02-07"], pa.large_string()), 1),
        (pa.array([1360281600, 1360281599, None]), 1),
        (pa.array([1360281600.0, 1360281599.5]), 1),
        (pa.array([20130208, 20130209], pa.int32()), 1),
        (pa.array([None, None], pa.string()), 0),
        (pa.array([None, None], pa.int64()), 0),
        (pa.nulls(2), 0),
    ],
)
def test_parquet_times_of_every_kind(tmp_path: Path, write: Callable[..., Path], times: Any, inside: int) -> None:
    """Half-open, by whatever the column holds; a row without a time is in no window, but in the whole table."""
    write("a.parquet", day=times, x=list(range(len(times))))
    assert open_files(tmp_path).count_rows() == inside
    assert sum(len(b) for b in open_files(tmp_path).batches(["x"])) == inside
    assert open_files(tmp_path, None).count_rows() == len(times)


def test_naive_times_are_in_the_sources_zone(write: Callable[..., Path]) -> None:
    """The calendar's zone unless the source names another."""
    path = write("a.parquet", day=[datetime(2013, 2, 8, 3)])
    window = NEW_YORK.starting(date(2013, 2, 8))
    assert open_files(path, window, NEW_YORK).count_rows() == 1
    assert open_files(path, window, NEW_YORK, timezone="UTC").count_rows() == 0


def test_hourly_windows_need_times(write: Callable[..., Path]) -> None:
    """A date column or partition under hourly windows is an error that says so."""
    hourly = Calendar("1h")
    window = hourly.starting(datetime(2013, 2, 8, 7))
    path = write("day=2013-02-08/a.parquet", x=[1], when=[date(2013, 2, 8)])
    for column in ("when", "day"):
        with pytest.raises(SourceError, match=f"{column} holds dates"):
            open_files(path, window, hourly, time_column=column)


PLACEHOLDERS: list[Any] = ["", "unknown", "0000-00-00", "1970-01-01", "9999-12-31", "0", "-1", "2013/02/08"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("good", "keys"),
    [
        ("2013-02-08", {}),
        ("2013-02-08T10:00:00Z", {}),
        ("1360281600", {}),
        ("08/02/2013", {"time_format": "%d/%m/%Y"}),
        ("08.02.2013 10:00", {"time_format": "%d.%m.%Y %H:%M"}),
    ],
)
@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_costs_its_row(
    write: Callable[..., Path], suffix: str, good: str, keys: dict[str, Any], placeholder: str
) -> None:
    """Wherever it stands, also first, it is in no window, and counted; the others are."""
    rows_ = [placeholder, placeholder, good, good, good]
    snapshot = open_files(write(f"a{suffix}", day=rows_, x=list(range(5))), **keys)
    assert snapshot.count_rows() == 3
    assert snapshot.notes()["day"] == "2 rows without a readable time are in no window"


def test_times_written_in_two_ways_are_said(write: Callable[..., Path]) -> None:
    """The first way is read; texts of another would sort into any window, and are in none."""
    snapshot = open_files(write("a.parquet", day=["20130208", "2013-02-08", "2013-02-09"]))
    assert snapshot.count_rows() == 1
    assert snapshot.notes()["day"].startswith("2 rows")


@pytest.mark.parametrize(
    "times",
    [
        [0, -1, 1360281600],
        [0, 20130208],
        [datetime(1970, 1, 1), datetime(9999, 12, 31), datetime(2013, 2, 8, 3), None],
        [date(1970, 1, 1), date(9999, 12, 31), date(1, 1, 1), date(2013, 2, 8)],
        [0.0, float("nan"), 1360281600.0],
    ],
)
def test_typed_placeholders_cost_their_rows(write: Callable[..., Path], times: list[Any]) -> None:
    """Zeros, minus ones, and the first and last days of calendars are counted, and in no window."""
    snapshot = open_files(write("a.parquet", day=times, x=list(range(len(times)))))
    assert snapshot.count_rows() == 1
    assert snapshot.notes()["day"].startswith(f"{len(times) - 1} row")


def test_a_folder_without_a_readable_time_hides_no_other(write: Callable[..., Path], tmp_path: Path) -> None:
    """One folder day=unknown among days costs its own rows."""
    write("day=unknown/a.parquet", x=[1])
    write("day=2013-02-08/a.parquet", x=[2, 3])
    assert open_files(tmp_path).count_rows() == 2
