"""Snapshots: the same rows from files, databases and tables in memory."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from drift.config.source import Source
from drift.errors import MissingExtra, SourceError, SourceMissing
from drift.profiles.kinds import infer_kind
from drift.sources.snapshot import Snapshot, open_snapshot, open_table
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Callable

FLIGHTS = Path(__file__).parents[2] / "data" / "flights.parquet"
NEW_YORK = Calendar("1d", "America/New_York")


def open_files(files: Path | str, window: Window | None, calendar: Calendar, **keys: Any) -> Snapshot:
    """Open files by a Source, as a monitor does."""
    source = Source(**{"files": str(files), "time_column": "day", **keys})
    return open_snapshot(source, window, calendar=calendar)


def open_database(url: str, window: Window | None, calendar: Calendar, **keys: Any) -> Snapshot:
    """Open a table or query by a Source, as a monitor does."""
    source = Source(**{"connection": "db", "time_column": "day", **keys})
    return open_snapshot(source, window, calendar=calendar, url=url)


def rows(snapshot: Snapshot, *columns: str) -> dict[str, list[Any]]:
    """Read columns whole."""
    return snapshot.to_table(columns or None).to_pydict()


@pytest.fixture(scope="module")
def two_days() -> pa.Table:
    """Four days of flights, of which the tests ask for the blizzard's two."""
    table = pq.read_table(FLIGHTS)
    day = pc.field("flight_date")
    return table.filter((day >= date(2013, 2, 7)) & (day <= date(2013, 2, 10)))


def load_flights(url: str, table: pa.Table) -> None:
    """Write flights as the demo does: on SQLite the time is text, on PostgreSQL a timestamptz."""
    sqlite = url.startswith("sqlite")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    numbers = [sa.Column(name, sa.SmallInteger) for name in ("dep_delay", "arr_delay", "air_time", "distance")]
    texts = [sa.Column(name, sa.Text) for name in ("carrier", "tailnum", "origin", "dest")]
    time = sa.Column("event_time", sa.Text if sqlite else sa.DateTime(timezone=True))
    flights = sa.Table("flights", sa.MetaData(), time, sa.Column("flight_date", sa.Date), *texts, *numbers)
    records = table.to_pylist()
    if sqlite:
        for record in records:
            record["event_time"] = record["event_time"].strftime("%Y-%m-%dT%H:%M:%SZ")
    with engine.begin() as connection:
        flights.create(connection)
        connection.execute(flights.insert(), records)


def sorted_rows(snapshot: Snapshot, schema: pa.Schema) -> pa.Table:
    """Read everything, cast to one schema and sort, so that tables can be compared."""
    table = pa.Table.from_batches(list(snapshot.batches(schema.names)))
    if pa.types.is_string(table.schema.field("event_time").type):
        index = table.schema.get_field_index("event_time")
        table = table.set_column(index, "event_time", table["event_time"].cast(schema.field("event_time").type))
    table = table.cast(schema)
    return table.sort_by([(name, "ascending") for name in schema.names]).combine_chunks()


@pytest.mark.parametrize("time_column", ["event_time", "flight_date"])
@pytest.mark.parametrize("day", [date(2013, 2, 8), date(2013, 2, 9)])
def test_four_sources_give_the_same_rows(
    tmp_path: Path, postgres_url: str, two_days: pa.Table, time_column: str, day: date
) -> None:
    """Parquet, CSV, SQLite and PostgreSQL: identical values and counts for a local day, by instant and by date."""
    pq.write_table(two_days, tmp_path / "flights.parquet", row_group_size=500)
    pa_csv.write_csv(two_days, tmp_path / "flights.csv")
    sqlite_url = f"sqlite:///{tmp_path / 'flights.db'}"
    for url in (sqlite_url, postgres_url):
        load_flights(url, two_days)
    window = NEW_YORK.starting(day)
    opened = [
        open_files(tmp_path / "flights.parquet", window, NEW_YORK, time_column=time_column),
        open_files(tmp_path / "flights.csv", window, NEW_YORK, time_column=time_column),
        open_database(sqlite_url, window, NEW_YORK, table="flights", time_column=time_column),
        open_database(postgres_url, window, NEW_YORK, table="flights", time_column=time_column),
        open_database(sqlite_url, window, NEW_YORK, query="SELECT * FROM flights;", time_column=time_column),
        open_database(postgres_url, window, NEW_YORK, query="SELECT * FROM flights;", time_column=time_column),
    ]
    expected = sorted_rows(open_table(two_days.filter(pc.field("flight_date") == day)), two_days.schema)
    assert expected.num_rows == {8: 930, 9: 684}[day.day]
    for snapshot in opened:
        assert snapshot.count_rows() == expected.num_rows
        assert sorted_rows(snapshot, two_days.schema).equals(expected), snapshot.origin


def test_windows_tile_the_rows(tmp_path: Path, two_days: pa.Table) -> None:
    """Every row is in exactly one of the hourly windows of its days."""
    pq.write_table(two_days, tmp_path / "flights.parquet", row_group_size=300)
    hourly = Calendar("1h", "America/New_York")
    windows = hourly.between(hourly.midnight(date(2013, 2, 7)), hourly.midnight(date(2013, 2, 11)))
    counts = [
        open_files(tmp_path / "flights.parquet", w, hourly, time_column="event_time").count_rows() for w in windows
    ]
    assert sum(counts) == two_days.num_rows
    assert len(counts) == 96


# --- tables in memory -------------------------------------------------------------------------------------------------


def test_data_frames_of_every_dtype() -> None:
    """Mixed objects become text, categoricals are what they hold, and every kind of null is one."""
    frame = pd.DataFrame(
        {
            "mixed": [1, "a", None],
            "category": pd.Categorical(["x", None, "x"]),
            "grade": pd.Categorical([1, None, 1]),
            "sparse": pd.arrays.SparseArray([0.0, float("nan"), 2.0]),
            "sparse_flag": pd.arrays.SparseArray([True, False, True]),
            "arrow": pd.Series(["a", None, "b"], ["i", "j", "k"], pd.ArrowDtype(pa.string_view())),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "decimal": [Decimal("1.5"), None, Decimal("2.25")],
            "nan": [1.0, float("nan"), 2.0],
            "flag": [True, None, False],
            "when": pd.Series(["2013-02-08", None, "2013-02-09"], dtype="datetime64[us]", index=["i", "j", "k"]),
            "period": pd.period_range("2013-01", periods=3, freq="M"),
            "cut": pd.cut([1, 2, 3], 2),
            "complex": [1j, 2j, 3j],
            "text": ["a", None, "b"],
            7: [1, 2, 3],
        },
        index=["i", "j", "k"],
    )
    snapshot = open_table(frame)
    kinds = {name: text.partition("<")[0].partition("[")[0] for name, text in snapshot.schema.items()}
    assert kinds == {
        "mixed": "string", "category": "string", "grade": "int64", "sparse": "double", "sparse_flag": "bool",
        "arrow": "string", "nullable": "int64", "decimal": "decimal128(3, 2)",
        "nan": "double", "flag": "bool", "when": "timestamp", "period": "string", "cut": "string",
        "complex": "string", "text": "string", "7": "int64",
    }  # fmt: skip
    read = rows(snapshot)
    assert read["mixed"] == ["1", "a", None]
    assert read["category"] == ["x", None, "x"]
    assert infer_kind(snapshot.arrow_schema.field("grade").type) == "categorical"
    assert read["grade"] == [1, None, 1]
    assert read["sparse"] == [0.0, None, 2.0]
    assert read["arrow"] == ["a", None, "b"]
    assert read["nullable"] == [1, None, 3]
    assert read["nan"] == [1.0, None, 2.0]
    assert read["period"][0] == "2013-01"
    assert read["complex"][0] == "1j"


def test_tables_and_what_exports_one() -> None:
    """Arrow tables and batches pass; anything else is refused by its type."""
    table = pa.table({"x": [1, 2]})
    assert rows(open_table(table)) == {"x": [1, 2]}
    assert rows(open_table(table.to_batches()[0])) == {"x": [1, 2]}
    assert open_table(table).count_rows() == 2
    assert open_table(pa.table({"x": pa.array(["a"], pa.large_string())})).schema == {"x": "string"}
    assert rows(open_table(table.to_reader())) == {"x": [1, 2]}
    assert rows(open_table(narwhals.from_native(table))) == {"x": [1, 2]}
    assert rows(open_table(narwhals.from_native(table).lazy())) == {"x": [1, 2]}
    duckdb = pytest.importorskip("duckdb")
    assert rows(open_table(duckdb.sql("SELECT 1 AS x, 'a'::ENUM('a', 'b') AS y"))) == {"x": [1], "y": ["a"]}
    for wrong in ([1, 2], None, pd.Series([1]), 7, duckdb.sql("SELECT error('no such day')")):
        with pytest.raises(SourceError, match="is not a table"):
            open_table(wrong)


def test_the_index_of_a_frame_is_told_from_its_columns(tmp_path: Path) -> None:
    """By what pandas wrote beside the columns, or by the name that it gives; in a table and in files alike."""
    frame = pd.DataFrame({"x": [1, 2, 3]}, index=[1, 5, 9])
    named = frame.set_index(pd.Index([7, 5, 9], name="id"))
    levels = frame.set_index([pd.Index([1, 2, 3], name="a"), pd.Index([1, 2, 3])])
    for i, (each, index) in enumerate(
        [
            (frame, {"__index_level_0__"}),
            (named, {"id"}),
            (levels, {"a", "__index_level_1__"}),
            (frame[:0], {"__index_level_0__"}),
        ]
    ):
        each.to_parquet(tmp_path / f"{i}.parquet")
        assert open_table(tmp_path / f"{i}.parquet").placed == index
        assert open_table(pa.Table.from_pandas(each)).placed == index
    other = pa.table({"id": [1], "x": [1]})
    pq.write_table(other, tmp_path / "other.parquet")
    pq.write_table(pq.read_table(tmp_path / "0.parquet").replace_schema_metadata(), tmp_path / "0.parquet")
    assert open_table(tmp_path / "0.parquet").placed == {"__index_level_0__"}
    assert open_table(tmp_path / "[1o]*.parquet").placed == set(), "a column of one of the files"


def test_a_frame_of_categories_and_its_file_are_one(tmp_path: Path) -> None:
    """Parquet holds the numbers of a category as numbers; that they were categories pandas writes beside them."""
    frame = pd.DataFrame({"grade": pd.Categorical([1, 2, None]), "n": [1, 2, 3]})
    frame.to_parquet(tmp_path / "a.parquet")
    for snapshot in (open_table(frame), open_table(tmp_path / "a.parquet")):
        assert [infer_kind(kind) for kind in snapshot.arrow_schema.types] == ["categorical", "numeric"]
        assert snapshot.columns
        with snapshot.columns() as stream:
            assert pa.chunked_array(list(stream("grade"))).to_pylist() == [1, 2, None]
    pq.write_table(pa.table({"grade": [3]}), tmp_path / "b.parquet")
    assert open_table(tmp_path).arrow_schema.field("grade").type == pa.int64(), "not all of them were"


def test_duplicate_columns_are_refused() -> None:
    """Two columns of one name cannot be told apart, nor 1 and "1"."""
    with pytest.raises(SourceError, match="more than one column named 'x'"):
        open_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]))
    with pytest.raises(SourceError, match="more than one column named '1'"):
        open_table(pd.DataFrame([[1, 2]], columns=[1, "1"]))


def test_an_empty_table() -> None:
    """No rows and no columns are still a table."""
    assert open_table(pd.DataFrame()).schema == {}
    assert open_table(pd.DataFrame({"x": []})).count_rows() == 0
    assert list(open_table(pd.DataFrame()).batches()) == []


def test_paths_open_as_tables(tmp_path: Path, write: Callable[..., Path]) -> None:
    """`drift.compare` takes a file, a folder or a glob, of either format, without a time column."""
    write("a.parquet", x=[1])
    write("b.parquet", x=[2])
    write("c.csv", x=[3])
    assert rows(open_table(tmp_path / "a.parquet")) == {"x": [1]}
    assert rows(open_table(str(tmp_path / "*.parquet"))) == {"x": [1, 2]}
    assert open_table(tmp_path / "c.csv").to_pandas().to_dict("list") == {"x": [3]}
    with pytest.raises(SourceMissing, match="no such file"):
        open_table(tmp_path / "nope.parquet")


def test_without_pandas(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pandas is not installed, a file is read all the same, and the gate says what it needs."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    snapshot = open_table(write("a.parquet", x=[1]))
    assert rows(snapshot) == {"x": [1]}
    with pytest.raises(MissingExtra, match=r"pip install 'driftmeter\[validation\]'"):
        snapshot.to_pandas()


def test_what_types_have_not_in_common_is_text_in_a_table(write: Callable[..., Path], tmp_path: Path) -> None:
    """The gate sees one frame: numbers, lists and bytes beside text are text there."""
    write("a.parquet", x=[1, None], y=[[1], None], z=[b"\xff", None])
    write("b.parquet", x=["one", None], y=["two", "three"], z=[[2.5], None])
    snapshot = open_table(str(write("c.parquet", x=[2.5], y=["four"], z=[[None]]).parent))
    assert snapshot.schema["x"] == "int64 and string and double (b.parquet and 1 more)"
    assert snapshot.to_table(["x", "y"]).to_pydict() == {
        "x": ["1", None, "one", None, "2.5"],
        "y": ["[1]", None, "two", "three", "four"],
    }
    assert snapshot.to_pandas(["z"])["z"].tolist()[0] == str(b"\xff")
    write("b.parquet", x=[None], y=pd.Series([[np.datetime64("2013-02-08T05:00:00.000000001")]]), z=[None])
    assert (
        open_table(str(tmp_path / "*.parquet")).to_table(["y"])["y"][2].as_py()
        == "[datetime.datetime(2013, 2, 8, 5, 0)]"
    )


@pytest.mark.parametrize("n_rows", [0, 1, 2, 3, 9])
def test_the_head_is_the_first_rows_of_all_files(write: Callable[..., Path], n_rows: int) -> None:
    """However many files they are in, and never more than there are."""
    write("a.parquet", x=[1, 2], y=["a", "b"])
    snapshot = open_table(str(write("b.parquet", x=[3], y=["c"]).parent))
    assert snapshot.head(n_rows).to_pydict() == {"x": [1, 2, 3][:n_rows], "y": ["a", "b", "c"][:n_rows]}
    assert snapshot.head(n_rows, ["y"]).column_names == ["y"]
