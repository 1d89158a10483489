"""Opening windows inside DuckDB and PostgreSQL, and which engine counts them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from drift.errors import MissingExtra, SourceMissing
from drift.profiles.binning import NumericBinning
from drift.sources.time_filter import WindowFilter
from drift.sources.warehouse import source
from drift.sources.warehouse.source import counts_inside, open_warehouse, reads_inside
from drift.windows import Calendar, Window
from tests.support.times import TIMES

if TYPE_CHECKING:
    from tests.support.warehouses import Ducks, Postgres

NEW_YORK = Calendar("1d", "America/New_York")
DAY = NEW_YORK.starting(date(2013, 2, 8))


# --- windows ----------------------------------------------------------------------------------------------------------

FRACTIONS = [
    ("numeric(20,1)", 1360299600.5, 1360386000.5),
    ("double precision", 1360299600.5, 1360386000.5),
]


@pytest.mark.parametrize(("declared", "inside", "outside"), [*TIMES, *FRACTIONS])
def test_windows_of_every_kind_of_time(
    database: Ducks | Postgres, declared: str, inside: object, outside: object
) -> None:
    """The bounds speak the column's language, of tables and of queries; rows without a time are in no window."""
    database.run(f"CREATE TABLE w (x int, day {declared})")
    database.run(f"INSERT INTO w VALUES (0, NULL), (1, {inside!r}), (2, {outside!r})")
    chosen = [WindowFilter("day", DAY, NEW_YORK)]
    binnings = {"x": NumericBinning([0, 1, 2, 3])}
    for place in ({"table": "w"}, {"query": "-- all\nSELECT * FROM w -- of them;"}):
        found = open_warehouse(database.url, chosen=chosen, **place).profile(binnings)
        assert found.histograms["x"].counts.tolist() == [0, 0, 1, 0, 0, 0]


def test_a_time_column_without_any_time_has_no_rows(database: Ducks | Postgres) -> None:
    """All null: no window has a row; and one that is not there is named."""
    database.run("CREATE TABLE w (day text, x int)")
    database.run("INSERT INTO w VALUES (NULL, 1)")
    assert open_warehouse(database.url, table="w", chosen=[WindowFilter("day", DAY, NEW_YORK)]).count_rows() == 0
    with pytest.raises(SourceMissing, match="has no column 'dey': did you mean 'day'"):
        open_warehouse(database.url, table="w", chosen=[WindowFilter("dey", DAY, NEW_YORK)])


WORDS = ["''", "'unknown'", "'0000-00-00'", "'1970-01-01'", "'9999-12-31'", "'08.02.2013'", "NULL"]


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        ("text", "'2013-02-08 12:00:00'", [*WORDS, "'0'", "'-1'"]),
        ("text", "'1360342800'", ["''", "'unknown'", "'2013-02-08'", "NULL"]),
        ("date", "'2013-02-08'", ["'1900-01-01'", "'1970-01-01'", "'2200-01-01'", "NULL"]),
        ("timestamp", "'2013-02-08 12:00:00'", ["'1900-01-01'", "'1970-01-01'", "'9999-12-31 23:59:59'", "NULL"]),
        ("bigint", "20130208", ["0", "-1", "19000101", "NULL"]),
        ("bigint", "1360342800", ["0", "-1", "20130208", "NULL"]),
        ("double precision", "1360342800.5", ["0", "-1", "'NaN'", "NULL"]),
    ],
)
def test_rows_without_a_readable_time_are_counted(
    database: Ducks | Postgres, declared: str, good: str, bad: list[str]
) -> None:
    """They are in no window, cost none of the others, and are told, as by the local engine."""
    database.run(f"CREATE TABLE w (x int, day {declared})")
    database.run(f"INSERT INTO w VALUES {', '.join(f'(1, {each})' for each in [good, good, *bad])}")
    found = open_warehouse(database.url, table="w", chosen=[WindowFilter("day", DAY, NEW_YORK)])
    assert found.count_rows() == 2
    assert found.notes() == {"day": f"{len(bad)} rows without a readable time are in no window"}


def test_windows_that_touch_are_one_condition() -> None:
    """A year of days is asked for by two bounds, a hole by four."""
    days = [NEW_YORK.starting(date(2013, 2, day)) for day in (3, 1, 2, 7)]
    assert source._merged(days) == [Window(days[1].start, days[0].end), days[3]]


@pytest.mark.parametrize("name", ['quo"te', "it's 50% a:b", "x'; DROP TABLE t; --", "naïve 列", "%(x)s"])
def test_names_are_quoted(database: Ducks | Postgres, name: str) -> None:
    """A table and its columns may be called anything."""
    quoted = '"' + name.replace('"', '""') + '"'
    database.run(f"CREATE TABLE {quoted} (day date, {quoted} int)")
    database.run(f"INSERT INTO {quoted} VALUES ('2013-02-08', 1), ('2013-02-07', 2)")
    chosen = [WindowFilter("day", DAY, NEW_YORK)]
    found = open_warehouse(database.url, table=name, chosen=chosen)
    assert found.profile({name: NumericBinning([1, 2])}).histograms[name].counts.tolist() == [0, 1, 0, 0]
    assert [batch.to_pydict() for batch in found.read([name])] == [{name: [1]}]


@pytest.mark.parametrize("declared", ["timestamptz", "timestamp"])
def test_times_are_read_as_times(database: Ducks | Postgres, declared: str) -> None:
    """With a zone or without, to the microsecond, and nulls among them."""
    database.run(f"CREATE TABLE w (moment {declared})")
    database.run("INSERT INTO w VALUES (NULL), ('1969-12-31 23:59:59.000001'), ('2013-02-08 05:00:00')")
    (batch,) = open_warehouse(database.url, table="w").read(["moment"])
    zone = UTC if declared == "timestamptz" else None
    moments = [datetime(1969, 12, 31, 23, 59, 59, 1, zone), datetime(2013, 2, 8, 5, tzinfo=zone)]
    assert sorted(each for each in batch.column(0).to_pylist() if each) == moments
    assert batch.column(0).null_count == 1


def test_a_schema_is_its_own_key(database: Ducks | Postgres) -> None:
    """A table in another schema is found."""
    database.run("CREATE SCHEMA s")
    database.run("CREATE TABLE s.t (x int)")
    assert open_warehouse(database.url, table="t", schema="s").count_rows() == 0


# --- which engine -----------------------------------------------------------------------------------------------------


def test_auto_counts_inside_only_what_is_large() -> None:
    """Here up to five million rows; inside a database that can, beyond; what nothing else reads, always inside."""
    large, small = (lambda: 5_000_001), (lambda: 5_000_000)
    assert counts_inside("auto", "postgresql://h/d", large)
    assert not counts_inside("auto", "postgresql://h/d", small)
    assert not counts_inside("auto", "sqlite:///x.db", large)
    assert not counts_inside("local", "postgresql://h/d", large)
    assert counts_inside("warehouse", "postgresql://h/d", small)
    assert counts_inside("auto", "duckdb:///x.duckdb", small)
    assert [reads_inside(engine, "duckdb:///x") for engine in ("auto", "local", "warehouse")] == [True, False, True]
    assert not reads_inside("warehouse", "postgresql://h/d")


def test_without_ibis_auto_is_local_and_warehouse_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is made to install what was not asked for."""
    monkeypatch.setattr("drift.sources.warehouse.query.find_spec", lambda _name: None)
    assert not counts_inside("auto", "postgresql://h/d", lambda: 10**9)
    with pytest.raises(MissingExtra, match=r"ibis is not installed: pip install 'driftmeter\[warehouse\]'"):
        open_warehouse("postgresql://h/d", table="t")
