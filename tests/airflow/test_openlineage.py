"""Lineage: names as OpenLineage's naming of datasets writes them."""

from __future__ import annotations

import pytest

from drift.airflow.openlineage import dataset
from drift.config.source import Source


@pytest.mark.parametrize(
    ("url", "schema", "namespace", "name"),
    [
        ("postgresql://u:p@h/dwh", None, "postgres://h:5432", "dwh.public.flights"),
        ("postgresql+psycopg://u@h:6432/dwh?sslmode=require", "raw", "postgres://h:6432", "dwh.raw.flights"),
        ("mysql+pymysql://u:p@h/dwh", None, "mysql://h:3306", "dwh.flights"),
        ("trino://u@h/hive/web", None, "trino://h:8080", "hive.web.flights"),
        ("snowflake://u:p@acme-eu1/DB/S", None, "snowflake://acme-eu1", "DB.S.flights"),
        ("bigquery://project/data", None, "bigquery", "project.data.flights"),
        ("sqlite:////srv/w.db", None, "file", "/srv/w.db.flights"),
        ("redshift+psycopg2://u:p@h/dev", None, "redshift://h:5439", "dev.public.flights"),
        (
            "redshift+psycopg2://u:p@web.abc123.eu-west-1.redshift.amazonaws.com:5439/dev",
            "raw",
            "redshift://web.eu-west-1:5439",
            "dev.raw.flights",
        ),
        ("trino://u@h/hive/web", "raw", "trino://h:8080", "hive.raw.flights"),
        ("snowflake://u:p@acme-eu1/DB/S", "RAW", "snowflake://acme-eu1", "DB.RAW.flights"),
        ("bigquery://project/data", "raw", "bigquery", "project.raw.flights"),
    ],
)
def test_a_table_is_named_as_its_database_names_it(url: str, schema: str | None, namespace: str, name: str) -> None:
    """A namespace of scheme and authority, and the table's full name; never who reads it."""
    source = Source(connection="warehouse", table="flights", schema=schema, time_column="day")
    assert dataset(source, url) == {"namespace": namespace, "name": name}


@pytest.mark.parametrize(
    ("files", "namespace", "name"),
    [
        ("s3a://lake/flights/date=*/*.parquet", "s3://lake", "flights"),
        ("gcs://key@lake/flights/a.csv?retries=3", "gs://lake", "flights/a.csv"),
        ("abfss://raw@acme.dfs.core.windows.net/flights/*.csv", "abfss://raw@acme.dfs.core.windows.net", "flights"),
        ("file:///srv/flights/*.csv", "file", "/srv/flights"),
        ("/srv/flights", "file", "/srv/flights"),
        ("data/[ab]/*.csv", "file", "/home/data"),
    ],
)
def test_files_are_named_by_what_holds_them(files: str, namespace: str, name: str) -> None:
    """Partitions and files of one data set are one data set."""
    assert dataset(Source(files=files, time_column="day"), folder="/home") == {"namespace": namespace, "name": name}


def test_a_query_is_named_by_its_database() -> None:
    """Which tables it reads only the database knows."""
    source = Source(connection="warehouse", query="SELECT 1 AS day", time_column="day")
    assert dataset(source, "postgresql://h/dwh") == {"namespace": "postgres://h:5432", "name": "dwh"}
    assert dataset(source) == {"namespace": "drift://warehouse", "name": "query"}
