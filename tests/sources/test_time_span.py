"""From when to when a source has rows, in every form of time, in files and in a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from drift.config.source import Source
from drift.sources.time_span import time_span
from drift.windows import Calendar
from tests.support.flights import write_sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALENDAR = Calendar("1d", "America/New_York")
FIRST, LAST = datetime(2024, 1, 31, 5, tzinfo=UTC), datetime(2024, 3, 1, 5, tzinfo=UTC)
FIVE = timedelta(hours=5)

TIMES: dict[str, list[Any]] = {
    "dates": [date(2024, 3, 1), None, date(2024, 1, 31), date(2024, 2, 5)],
    "local times": [date_time.replace(tzinfo=None) for date_time in (LAST - FIVE, FIRST - FIVE)],
    "instants": [FIRST, LAST, None],
    "nanoseconds": [np.datetime64("2024-03-01T00:00:00.000000001"), np.datetime64("2024-01-31T00:00:00.000000999")],
    "text": ["2024-03-01", "2024-01-31", None],
    "instants as text": ["2024-03-01T05:00:00Z", "2024-01-31T05:00:00Z"],
    "compact": [20240301, 20240131],
    "milliseconds": [int(LAST.timestamp() * 1000), int(FIRST.timestamp() * 1000)],
}


@pytest.mark.parametrize("form", TIMES)
def test_the_span_of_files(form: str, write: Callable[..., Path]) -> None:
    """The least and the greatest time of all rows, whatever the form."""
    files = str(write("a.parquet", t=TIMES[form], x=list(range(len(TIMES[form])))))
    assert time_span(Source(files=files, time_column="t"), CALENDAR) == (FIRST, LAST)


@pytest.mark.parametrize("form", ["text", "instants as text", "compact", "milliseconds"])
def test_the_span_of_a_table(form: str, tmp_path: Path) -> None:
    """The database is asked for its minimum and maximum."""
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(pd.DataFrame({"t": TIMES[form]}), url)
    assert time_span(Source(connection="w", table="flights", time_column="t"), CALENDAR, url) == (FIRST, LAST)


def test_the_span_of_times_in_parts(write: Callable[..., Path], tmp_path: Path) -> None:
    """Of folders and columns; what is finer than a day plays no part."""
    for month, days in {"01": [31], "03": [1]}.items():
        write(f"year=2024/month={month}/a.parquet", day=days, hour=[7])
    parts = {"year": "year", "month": "month", "day": "day", "hour": "hour"}
    found = time_span(Source.model_validate({"files": f"{tmp_path}/**/*.parquet", "time": parts}), CALENDAR)
    assert found == (FIRST, LAST)
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(pd.DataFrame({"y": [2024, 2024], "m": [3, 1], "d": [1, 31]}), url)
    table = {"connection": "w", "table": "flights", "time": {"year": "y", "month": "m", "day": "d"}}
    assert time_span(Source.model_validate(table), CALENDAR, url) == (FIRST, LAST)


@pytest.mark.parametrize("place", ["files", "table"])
def test_what_nobody_can_read_has_no_part_in_it(place: str, write: Callable[..., Path], tmp_path: Path) -> None:
    """Words and placeholders are in no window; where there is nothing else there is no span."""
    for times, span in (
        (["2024-03-01", "unknown", "0000-00-00", "2024-01-31", "", "9999-12-31"], (FIRST, LAST)),
        ([0, 20240301, -1, 20240131, None], (FIRST, LAST)),
        ([None, None], None),
        (["01/03/2024", "31/01/2024", "soon"], (FIRST, LAST)),
    ):
        form = "%d/%m/%Y" if times[-1] == "soon" else None
        if place == "files":
            files = str(write("a.parquet", t=times))
            found = time_span(Source(files=files, time_column="t", time_format=form), CALENDAR)
        else:
            url = f"sqlite:///{tmp_path / 'w.db'}"
            write_sql(pd.DataFrame({"t": pd.Series(times, dtype=object)}), url)
            source = Source(connection="w", table="flights", time_column="t", time_format=form)
            found = time_span(source, CALENDAR, url)
        assert found == span, times
