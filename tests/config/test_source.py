"""Sources: one place to read from, no secrets in it, and variables in paths."""

from __future__ import annotations

from typing import Any

import pytest

from drift.config.source import Source
from drift.config.validation import parse_options
from drift.errors import ConfigError


def told(**keys: Any) -> str:
    """What is wrong with a source, as one text."""
    with pytest.raises(ConfigError) as caught:
        parse_options(lambda: Source(**{"time_column": "day", **keys}))
    return str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"connection": "warehouse", "table": "flights"},
        {"connection": "warehouse", "table": "flights", "schema": "raw"},
        {"connection": "data-warehouse.eu", "query": "select * from flights", "timezone": "Europe/Berlin"},
        {"files": "flights/day=*/*.parquet"},
        {"connection": "warehouse", "table": "flights", "engine": "warehouse"},
        {"files": "flights", "format": "csv"},
        {"files": "flights", "engine": "local"},
        {"files": "s3://lake/token=a/secret=b/*.parquet"},
        {"files": "abfs://container@account.example/flights"},
    ],
)
def test_valid_sources(keys: dict[str, str]) -> None:
    """A table or a query of a connection, or files."""
    source = Source.model_validate({"time_column": "day", **keys})
    assert Source(**source.model_dump()) == source


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "table: is missing; fix: give exactly one of table, query, files"),
        ({"connection": "c", "table": "t", "query": "q"}, "query: table is given already; fix: keep exactly one"),
        ({"connection": "c", "table": "t", "files": "f"}, "files: table is given already; fix: keep exactly one"),
        ({"table": "t"}, "connection: is missing; fix: add the id of the connection that has the table"),
        ({"query": "q"}, "connection: is missing; fix: add the id of the connection that has the query"),
        ({"files": "f", "connection": "c"}, "connection: is not used with files; fix: remove it"),
        ({"files": "f", "schema": "s"}, "schema: is not used with files; fix: remove it"),
        ({"connection": "c", "table": "t", "format": "csv"}, "format: is not used with table; fix: remove it"),
        ({"files": "f", "format": "orc"}, 'format: "orc" is not known; fix: allowed: csv, parquet'),
        ({"files": "f", "engine": "warehouse"}, "engine: warehouse is not used with files; fix: remove it"),
        (
            {"connection": "c", "table": "t", "engine": "spark"},
            'engine: "spark" is not known; fix: allowed: auto, local',
        ),
        ({"files": ""}, "files: is empty"),
        ({"files": "f", "timezone": "Mars"}, "timezone: 'Mars' is not a time zone; fix: use an IANA name"),
        ({"files": "f", "time_column": 5}, "time_column: should be text, not a number; fix: put it in quotes"),
    ],
)
def test_invalid_sources(keys: dict[str, Any], problem: str) -> None:
    """Each mistake has its key and its remedy."""
    assert problem in told(**keys)


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:hunter2@db/warehouse", "sqlite:///flights.db", "host=db password=hunter2", "hunter2 "],
)
def test_a_connection_is_an_id(url: str) -> None:
    """A URL is refused, with the way to name it, and never repeated."""
    said = told(connection=url, table="t")
    assert "fix: name a connection, such as warehouse, and set DRIFT_CONNECTION_WAREHOUSE" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("path", ["s3://key:hunter2@lake/x.parquet", "https://lake.example/x.csv?token=hunter2"])
def test_files_hold_no_password(path: str) -> None:
    """Nor do paths, whose passwords would end in the database and in logs."""
    said = told(files=path)
    assert "files: holds a password" in said
    assert "hunter2" not in said


def test_variables_are_filled_in_when_the_path_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor keeps what was written, so that its hash does not depend on the machine."""
    monkeypatch.setenv("DRIFT_VAR_DATA", "s3://lake")
    source = Source(files="${DRIFT_VAR_DATA}/${DRIFT_VAR_DATA}.csv", time_column="day")
    assert source.files == "s3://lake/s3://lake.csv"
    assert source.model_dump()["files"] == "${DRIFT_VAR_DATA}/${DRIFT_VAR_DATA}.csv"
    monkeypatch.delenv("DRIFT_VAR_DATA")
    with pytest.raises(
        ConfigError, match=r"source\.files: the environment variable DRIFT_VAR_DATA is not set; fix: set"
    ):
        _ = source.files


@pytest.mark.parametrize(
    "path", ["${HOME}/x.csv", "${AWS_SECRET_ACCESS_KEY}", "${}", "${DRIFT_x}", "${DRIFT_TOKEN}", "a/${DRIFT_VAR_DATA"]
)
def test_only_variables_of_drift_are_filled_in(path: str) -> None:
    """A monitor file cannot read the rest of the environment."""
    assert "is not filled in; fix: only what is no secret is: set DRIFT_VAR_" in told(files=path)
