"""What a query may do: nothing but read tables, on real databases, where the parser is wrong as well."""

from __future__ import annotations

import re
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from drift.errors import DriftError, SourceError, SourceUnreachable
from drift.sources import queries, sql_engine
from drift.sources.sql import open_sql
from drift.sources.warehouse.source import open_warehouse

SECRET = "k3pt-outside"

REFUSED = [
    "", ";", "-- nothing", "EXPLAIN SELECT 1", "VALUES (1)", "SHOW TABLES", "CALL f()", "DO $$BEGIN END$$",
    "SELECT 1; SELECT 2", "SELECT 1) q; DROP TABLE t; --", "DELETE FROM t", "TRUNCATE t", "VACUUM", "SET x = 1",
    "CREATE TABLE u AS SELECT 1", "INSERT INTO t SELECT 1", "UPDATE t SET x = 1", "MERGE INTO t USING t ON 1=1",
    "WITH d AS (DELETE FROM t RETURNING x) SELECT * FROM d", "SELECT * INTO u FROM t", "SELECT * FROM t FOR UPDATE",
    "ATTACH 'u.db' AS u", "DETACH u", "PRAGMA writable_schema = 1", "COPY t TO '/u'", "INSTALL httpfs",
    "LOAD httpfs", "COPY (SELECT 1) TO PROGRAM 'id'", "BEGIN", "GRANT ALL ON t TO PUBLIC", "LISTEN x",
    "SELECT pg_read_file('F')", 'SELECT "pg_read_file"(\'F\')', "SELECT pg_catalog.pg_read_file ('F')",
    "SELECT PG_READ_BINARY_FILE\n('F')", "SELECT pg_read_file/**/('F')", "SELECT pg_read_file--\n('F')",
    "SELECT * FROM pg_ls_dir('.')", "SELECT * FROM ROWS FROM (pg_ls_dir('.'))", "SELECT lo_import('F')",
    "SELECT lo_export(1, '/u')", "SELECT dblink('host=x', 'SELECT 1')", "SELECT set_config('a.b', 'c', false)",
    "SELECT query_to_xml('SELECT pg_read_file(''F'')', true, true, '')", "SELECT nextval('s')", "SELECT pg_sleep(9)",
    "SELECT pg_terminate_backend(1)", 'SELECT U&"pg\\005fread_file"(\'F\')', "SELECT load_extension('F')",
    "SELECT * FROM read_text('F')", "SELECT * FROM read_blob('F')", "SELECT load_file('F')", "SELECT sleep(9)",
    "SELECT 1 /*! INTO OUTFILE '/u' */", "SELECT 1 /* /* */ , pg_read_file('F') */", "SELECT xp_cmdshell('id')",
    "SELECT reflect('java.lang.Runtime', 'getRuntime')", "SELECT " + "(" * 5000 + "1" + ")" * 5000,
]  # fmt: skip

GETTING_AT_FILES = [
    # What a parser may take for a string or a comment, and the database for a call; or the other way round.
    "SELECT 'a\\', pg_read_file('F'), '\\'", "SELECT E'\\'', pg_read_file('F'), E'\\''",
    "SELECT $é$ ' $é$, pg_read_file('F')", "SELECT $a$ ' $a$, pg_read_file('F'), $a$ ' $a$",
    "SELECT \"a\"\"\", pg_read_file('F')", "SELECT f.pg_read_file FROM (SELECT 'F') f",
    "SELECT f.pg_read_file FROM unnest(ARRAY['F']) f", "SELECT ('F'::text).pg_read_file",
    "SELECT (x).pg_read_file FROM (SELECT 'F'::text x) q", "SELECT * FROM 'F'", 'SELECT * FROM "F"', "FROM 'F'",
    "SELECT * FROM read_csv('F')", "SELECT * FROM read_csv_auto(['F'])", "SELECT * FROM read_json('F')",
    "SELECT * FROM read_parquet('F')", "SELECT * FROM read_csv(concat('/', substr('F', 2)))",
    "SELECT * FROM glob('D/*')", "SELECT * FROM query('SELECT content FROM read_' || 'text(''F'')')",
    "SELECT * FROM query_table('F')", "SELECT * FROM sniff_csv('F')", "SELECT * FROM parquet_metadata('F')",
    "SELECT * FROM sqlite_scan('F', 't')", "SELECT * FROM 'link/secret.csv'", "SELECT * FROM '../D/secret.csv'",
    "SELECT * FROM 'file://F'", "SELECT * FROM 'http://127.0.0.1:9/x.csv'",
    "SELECT * FROM pragma_table_info('t') WHERE name = readfile('F')", "SELECT readfile('F')",
    "SELECT fts3_tokenizer('simple')",
]  # fmt: skip


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a file outside the only folder that may be read, which has a link to it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "lake").mkdir()
    path = tmp_path / "out" / "secret.csv"
    path.write_text(f"x\n{SECRET}\n", encoding="utf-8")
    (tmp_path / "lake" / "link").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "lake")
    monkeypatch.delenv("DRIFT_FILES_ROOT")
    return str(path)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "duckdb", "mysql", "mssql", "pyspark", "nosuch"])
@pytest.mark.parametrize("query", REFUSED)
def test_what_is_not_a_select_that_only_reads_is_refused(query: str, dialect: str) -> None:
    """In every dialect, before any database hears of it."""
    with pytest.raises(SourceError, match=r"^the query "):
        queries.one_select(query, dialect, "the query")


@pytest.mark.parametrize("query", [
    "SELECT a, 'pg_read_file' AS b FROM t", "SELECT sleep, nextval FROM t WHERE sleep IN (1, 2)",
    "SELECT pg_typeof(a) FROM t",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r -- end",
    "SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY b) FROM t JOIN u USING (id) WHERE b LIKE '%;%' ;",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 3", "SELECT /* why */ x::date FROM s.t",
])  # fmt: skip
def test_what_reads_is_accepted(query: str) -> None:
    """Words that a dangerous function has, too, are names like others."""
    assert queries.one_select(query, "postgresql", "the query") == query.rstrip(" ;")


@pytest.mark.parametrize("query", GETTING_AT_FILES)
def test_no_query_reaches_a_file_outside(query: str, secret: str, postgres_server: str) -> None:
    """Not in DuckDB, nor PostgreSQL by a superuser, nor SQLite, whatever the parser made of it."""
    query = re.sub(r"\bD/", f"{Path(secret).parent}/", re.sub(r"\bF(?=['\"])", secret, query))
    for url in (postgres_server, "duckdb:///:memory:", "sqlite://"):
        try:
            if url.startswith("duckdb"):
                opened = open_warehouse(url, query=query)
                found = str([batch.to_pydict() for batch in opened.read(list(opened.columns))])
            else:
                schema, _, read, _ = open_sql(url, query=query)
                found = str([batch.to_pydict() for batch in read(schema.names)])
        except DriftError as error:
            found = str(error)
        assert SECRET not in found, url


def test_duckdb_reads_the_files_below_the_root(secret: str, tmp_path: Path) -> None:
    """As they are named, by a glob too; what is asked of it cannot be changed, and nothing is fetched."""
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "lake" / "a.parquet")
    for files in ("a.parquet", f"{tmp_path}/lake/*.parquet"):
        assert open_warehouse("duckdb:///:memory:", query=f"SELECT * FROM '{files}'").count_rows() == 2
    with pytest.raises(SourceError, match="disabled by configuration"):
        open_warehouse("duckdb:///:memory:?enable_external_access=true", query=f"SELECT * FROM '{secret}'")
    with pytest.raises(SourceError, match="duckdb:// is read by engine: warehouse"):
        sql_engine.engine_of("duckdb:///:memory:")


def test_spark_reads_paths_below_the_root_only(secret: str) -> None:
    """A path in place of a table's name is a file like any other."""
    assert queries.one_select("SELECT * FROM parquet.`lake/a`", "pyspark", "the query")
    for path in (
        secret,
        "../out/secret.csv",
        "link/secret.csv",
        f"file:{secret}",
        f"file://{secret}",
        "s3a://bucket/x",
    ):
        with pytest.raises(SourceError, match="leads out of"):
            queries.one_select(f"SELECT * FROM csv.`{path}`", "pyspark", "the query")


def test_duckdb_files_are_opened_to_read(tmp_path: Path) -> None:
    """A statement that got through could not write either."""
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    opened = open_warehouse(f"duckdb:///{tmp_path}/w.duckdb", table="t")
    for statement in (
        "DROP TABLE t",
        "INSTALL httpfs",
        "SET threads = 1",
        f"COPY t TO '{tmp_path}/u.csv'",
        "ATTACH 'u'",
    ):
        with pytest.raises(SourceError, match="not one SELECT"), opened.database.session() as run:
            list(run(statement))
    assert opened.count_rows() == 1
    assert not (tmp_path / "u.csv").exists()


def test_sqlite_authorises_nothing_but_reading(tmp_path: Path) -> None:
    """Should a statement get through: no writing, no other file, no setting, no extension."""
    url = f"sqlite:///{tmp_path}/a.db"
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x int)")
    for statement in (
        "DROP TABLE t", "CREATE TEMP TABLE u (x)", f"ATTACH '{tmp_path}/u.db' AS u", "PRAGMA query_only = OFF",
        f"VACUUM INTO '{tmp_path}/u.db'", "SELECT load_extension('u')", "INSERT INTO t VALUES (1)",
    ):  # fmt: skip
        with (
            pytest.raises(SourceError, match="read"),
            sql_engine.session(sql_engine.engine_of(url), "here") as connection,
        ):
            connection.exec_driver_sql(statement)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db"]


ENDLESS = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) AS x FROM r"


def test_a_query_without_end_is_ended(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By SQLite, PostgreSQL (with ADBC too) and DuckDB alike, after the time that the environment says."""
    monkeypatch.setenv("DRIFT_SOURCE_SECONDS", "0.5")
    begun = time.monotonic()
    for url in ("sqlite://", postgres_url):
        with pytest.raises(SourceUnreachable, match=r"took too long .* DRIFT_SOURCE_SECONDS"):
            for _ in open_sql(url, query=ENDLESS)[2](["x"]):
                pass
    with pytest.raises(SourceUnreachable, match=r"took too long .* DRIFT_SOURCE_SECONDS"):
        open_warehouse("duckdb:///:memory:", query=ENDLESS).count_rows()
    assert time.monotonic() - begun < 20
