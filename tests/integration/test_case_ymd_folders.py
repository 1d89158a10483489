"""Times in parts: folders ``year=/month=/day=``, and columns of them in files and databases (case ymd_folders)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from drift.config.monitor import parse_monitor
from drift.errors import ConfigError, DriftError, SourceError
from drift.pipeline import run as runs
from drift.pipeline.context import Context, SourceReader
from drift.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from drift.config.monitor import Monitor

ROWS = 50
DAYS = pd.date_range("2023-12-20", "2024-03-05")
TIME = "time: {year: year, month: month, day: day}"


def frame() -> pd.DataFrame:
    """Fifty rows a day over the turn of a year and a leap day, with its parts as columns."""
    days = pd.DatetimeIndex(np.repeat(DAYS, ROWS))
    amount = np.random.default_rng(0).gamma(2, 30, len(days))
    return pd.DataFrame({"year": days.year, "month": days.month, "day": days.day, "amount": amount})


def write_folders(root: Path, rows: pd.DataFrame, names: list[str], width: int = 0) -> None:
    """Write a file for each folder, the parts as wide as asked for."""
    for values, part in rows.groupby(names):
        folder = root.joinpath(*(f"{n}={v:0{width if n != 'year' else 4}}" for n, v in zip(names, values, strict=True)))
        folder.mkdir(parents=True, exist_ok=True)
        part.drop(columns=names).to_parquet(folder / "part-0.parquet", index=False)


def monitor(source: str, every: str = "1d") -> Monitor:
    """Return a monitor of such a source."""
    return parse_monitor(f"name: ymd\nsource: {source}\nwindow: {{every: {every}}}\ndetection: {{min_rows: 20}}\n")


def source(kind: str, tmp_path: Path, rows: pd.DataFrame) -> tuple[str, str]:
    """Write the rows, and return a monitor's source and the URL of its connection."""
    if kind in {"folders", "padded", "mixed"}:
        names = ["year", "month"] if kind == "mixed" else ["year", "month", "day"]
        write_folders(tmp_path / "lake", rows, names, width=2 if kind == "padded" else 0)
        return f"{{files: '{tmp_path}/lake/**/*.parquet', {TIME}}}", ""
    if kind == "columns":
        rows.to_parquet(tmp_path / "rows.parquet", row_group_size=500)
        return f"{{files: '{tmp_path}/rows.parquet', {TIME}}}", ""
    if kind == "csv":
        rows.to_csv(tmp_path / "rows.csv", index=False)
        return f"{{files: '{tmp_path}/rows.csv', {TIME}}}", ""
    if kind in {"duckdb", "texts in duckdb"}:
        rows = rows.astype({"month": str, "day": str}) if kind != "duckdb" else rows
        rows.to_parquet(tmp_path / "rows.parquet")
        query = f"SELECT * FROM ''{tmp_path}/rows.parquet''"
        return f"{{connection: c, query: '{query}', {TIME}, engine: warehouse}}", "duckdb:///:memory:"
    url = f"sqlite:///{tmp_path}/warehouse.db"
    engine = sa.create_engine(url)
    (rows.astype({"month": str, "day": str}) if kind == "texts" else rows).to_sql("rows", engine, index=False)
    engine.dispose()
    return f"{{connection: c, table: rows, {TIME}}}", url


KINDS = ["folders", "padded", "mixed", "columns", "csv", "sql", "texts", "duckdb", "texts in duckdb"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_in_the_window_of_its_parts(tmp_path: Path, kind: str) -> None:
    """Days, weeks and months hold the rows of their days, across a year's end and a leap day."""
    text, url = source(kind, tmp_path, frame())
    for every, n_days in (("1d", 1), ("7d", 7), ("1mo", None)):
        reader = SourceReader(monitor(text, every), lambda _: url)
        calendar = reader.monitor.window.calendar
        first, last = (datetime.combine(d, datetime.min.time(), UTC) for d in (date(2024, 1, 1), date(2024, 3, 4)))
        for window in list(calendar.between(first, last))[:: 9 if every == "1d" else 1]:
            days = n_days or (window.end - window.start) // timedelta(days=1)
            assert reader.snapshot(window).count_rows() == days * ROWS, (every, window)
        leap = reader.snapshot(calendar.starting(date(2024, 2, 29)))
        held = leap.to_pandas(["year", "month", "day"]).astype(int)
        assert (2024, 2, 29) in set(held.itertuples(index=False, name=None))
        assert reader.features(reader.columns(leap)) == ["amount"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("parts", "told"), [((2024, 13, 5), (2024, 12, 31)), ((2024, 2, 31), (2024, 2, 29))])
def test_dates_that_are_none_are_named(
    tmp_path: Path, kind: str, parts: tuple[int, int, int], told: tuple[int, int, int]
) -> None:
    """By the window they would be in, and by no other: the others are run as ever."""
    wrong = dict(zip(("year", "month", "day"), parts, strict=True)) | {"amount": 1.0}
    text, url = source(kind, tmp_path, pd.concat([frame(), pd.DataFrame([wrong])]))
    reader = SourceReader(monitor(text), lambda _: url)
    calendar = reader.monitor.window.calendar
    said = r"month '?13'?\b.*is not a time" if parts[1] == 13 else r"month '?2'?, day '?31'?, which is not a time"
    with pytest.raises(SourceError, match=said):
        reader.snapshot(calendar.starting(date(*told))).count_rows()
    assert reader.snapshot(calendar.starting(date(2024, 2, 28))).count_rows() == ROWS


@pytest.mark.parametrize("engine", ["local", "warehouse"])
def test_parts_in_postgresql(postgres_url: str, engine: str) -> None:
    """Whole numbers and texts alike; a date that there is not is named, by its window alone."""
    wrong = pd.DataFrame([{"year": 2024, "month": 2, "day": 31, "amount": 1.0}])
    database = sa.create_engine(postgres_url)
    pd.concat([frame(), wrong]).astype({"month": str}).to_sql("rows", database, index=False)
    database.dispose()
    spec = monitor(f"{{connection: c, table: rows, {TIME}, engine: {engine}}}")
    reader = SourceReader(spec, lambda _: postgres_url)

    def count(day: date) -> int:
        window = spec.window.calendar.starting(day)
        counted = reader.warehouse([window], ["amount"], lambda: 0)
        return counted.count_rows() if counted else reader.snapshot(window).count_rows()

    assert [count(date(2024, 2, day)) for day in (1, 28)] == [ROWS, ROWS]
    with pytest.raises(SourceError, match=r"month '?2'?, day 31, which is not a time"):
        count(date(2024, 2, 29))


def test_the_case_runs(tmp_path: Path) -> None:
    """Twenty folders of a day each are a monitor like any other: judged, with the amount alone as a feature."""
    text, _ = source("folders", tmp_path, frame())
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        context = Context.of(monitor(text), store, str)
        window = context.monitor.window.calendar.starting(date(2024, 2, 1))
        report = runs.run_window(context, window, clock=lambda: datetime(2024, 2, 2, tzinfo=UTC)).report
    assert (report.status, report.n_current, [v.feature for v in report.verdicts]) == ("ok", ROWS, ["amount"])


def test_what_looks_like_a_part_names_the_way(tmp_path: Path) -> None:
    """A day of the month as the time column is no time; the message shows what would do."""
    text, _ = source("folders", tmp_path, frame())
    reader = SourceReader(monitor(text.replace(TIME, "time_column: day")), str)
    with pytest.raises(DriftError, match=r"time: \{year: year, month: month, day: day\}"):
        reader.snapshot(reader.monitor.window.calendar.starting(date(2024, 2, 1)))


@pytest.mark.parametrize(
    ("time", "every", "said"),
    [
        ("time: {year: y, day: d}", "1d", "source.time.day: is given without the month; fix: add the column"),
        ("time: {month: m}", "1mo", "source.time.year: is missing"),
        ("time: {year: y, month: y}", "1mo", "source.time: names a column twice"),
        ("time_column: t, time: {year: y}", "1y", "source.time: time_column is given already; fix: keep exactly one"),
        ("format: parquet", "1d", "source.time_column: is missing; fix: add time_column: day"),
        ("time: {year: y, month: m}", "1d", "window.every: 1d is finer than source.time tells; fix: write longer"),
        ("time: {year: y}", "1mo", "window.every: 1mo is finer than source.time tells"),
        ("time: {year: y, month: m, day: d}", "1h", "add the hour to source.time"),
        ("time: {year: y, month: m, day: d, hour: h}", "15m", "window.every: 15m is finer than the hours"),
    ],
)
def test_parts_that_make_no_sense_are_refused(time: str, every: str, said: str) -> None:
    """Each with what would do."""
    with pytest.raises(ConfigError) as caught:
        monitor(f"{{files: a.parquet, {time}}}", every)
    assert said in str(caught.value)


def test_integer_years(tmp_path: Path) -> None:
    """A year is all that is known: windows are years."""
    pd.DataFrame({"y": [2021] * 3 + [2022] * 5, "v": range(8)}).to_csv(tmp_path / "a.csv", index=False)
    reader = SourceReader(monitor(f"{{files: {tmp_path}/a.csv, time: {{year: y}}}}", "1y"), str)
    windows = reader.monitor.window.calendar.between(datetime(2020, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC))
    assert [reader.snapshot(window).count_rows() for window in windows] == [0, 3, 5]


def test_hours_of_a_zone(tmp_path: Path) -> None:
    """Hours are local times: of the window's zone, or of the source's own."""
    hours = pd.date_range("2024-03-09", "2024-03-12", freq="h", tz="UTC", inclusive="left")
    parts = {"y": hours.year, "m": hours.month, "d": hours.day, "h": hours.hour, "v": range(len(hours))}
    pd.DataFrame(parts).to_parquet(tmp_path / "a.parquet")
    text = f"{{files: {tmp_path}/a.parquet, time: {{year: y, month: m, day: d, hour: h}}, timezone: UTC}}"
    spec = parse_monitor(f"name: h\nsource: {text}\nwindow: {{every: 1d, timezone: America/New_York}}")
    reader: Any = SourceReader(spec, str)
    counts = [reader.snapshot(spec.window.calendar.starting(date(2024, 3, day))).count_rows() for day in (9, 10)]
    assert counts == [24, 23]
