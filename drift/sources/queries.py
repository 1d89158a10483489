"""A monitor's query: one SELECT that reads tables, and nothing else, for so long and no longer.

The parser is the first wall; the second is the session, which each database guards by its own means: see
`drift.sources.sql_engine` (SQLite, PostgreSQL) and `drift.sources.warehouse.query` (DuckDB).
"""

from __future__ import annotations

import logging
import re
from typing import Any

from drift.config import roots
from drift.errors import SourceError
from drift.sources import time_limit

_DIALECTS = {"postgresql": "postgres", "mariadb": "mysql", "mssql": "tsql", "pyspark": "spark"}
# In the text and not in the tree: whatever the parser takes for a string or a comment, the database may not.
_UNSAFE = re.compile(
    # PostgreSQL: files, large objects, other servers, sessions, settings, sequences, and SQL in a text.
    r"(?<![\w$])(pg_(?!(?:typeof|column_size|size_pretty|size_bytes|input_is_valid)\b)\w+|lo_\w+"
    r"|lo(?:read|write)|dblink\w*|http\w*"
    r"|\w+_to_xml\w*|xpath_table|crosstab\w*|connectby|ts_stat|ts_rewrite|set_config|setval|nextval"
    # SQLite and DuckDB.
    r"|load_extension|readfile|writefile|fsdir|edit|fts3_tokenizer|read_text|read_blob"
    # MySQL, SQL Server, Oracle, Snowflake, Spark.
    r"|load_file|sys_exec|sys_eval|sleep|benchmark|get_lock|xp_\w+|sp_\w+|openrowset|opendatasource|openquery"
    r"|utl_\w+|dbms_\w+|system\$\w+|java_method|reflect|try_reflect)"
    r"[\"`\]]?\s*(?:\(|/\*|--)",
    re.IGNORECASE,
)
# Escapes in names; comments in comments, which not all databases nest; comments that MySQL runs.
_HIDING = re.compile(r"U&\"|/\*(?:(?!\*/).)*/\*|/\*M?!", re.IGNORECASE | re.DOTALL)


def postgres_limit() -> str:
    """Return PostgreSQL's statement that limits those after it, unless the connection's own limit is shorter."""
    limit = round(1000 * time_limit.seconds())
    own = "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'"
    return f"SELECT set_config('statement_timeout', '{limit}', false) WHERE ({own}) NOT BETWEEN 1 AND {limit}"


def dialect_of(database: str) -> str:
    """Return sqlglot's name of a dialect that SQLAlchemy or Ibis may call otherwise."""
    return _DIALECTS.get(database, database)


def one_select(query: str, dialect: str, origin: str) -> str:
    """Return a query without the semicolon at its end.

    Parameters
    ----------
    query
        What a person wrote.
    dialect
        SQLAlchemy's or Ibis's name of the database.
    origin
        The query as messages name it.

    Raises
    ------
    SourceError
        If it is not one SELECT (or WITH … SELECT), writes or locks anything, or calls a function that reaches files,
        other servers, settings or the session. What the parser cannot read is refused too.

    Examples
    --------
    >>> one_select("select a from t; ", "sqlite", "the query")
    'select a from t'
    >>> one_select("select pg_read_file('/etc/passwd')", "postgresql", "the query")
    Traceback (most recent call last):
    drift.errors.SourceError: the query calls pg_read_file, which does more than read tables: leave it out
    """
    from sqlglot import exp

    statement = query.strip().rstrip("; \t\r\n")
    if unsafe := _UNSAFE.search(statement):
        raise SourceError(f"{origin} calls {unsafe[1].lower()}, which does more than read tables: leave it out")
    if _HIDING.search(statement):
        raise SourceError(f'{origin} has U&"…" or a comment that databases read differently: leave it out')
    cure = "write one SELECT (or WITH … SELECT) statement"
    parsed = _parsed(
        statement, dialect, f"{origin} cannot be read as SQL of {dialect}: {cure}; a view can hold the rest"
    )
    if len(parsed) != 1:
        raise SourceError(f"{origin} holds {len(parsed)} statements: {cure}")
    if not isinstance(parsed[0], exp.Query):
        raise SourceError(f"{origin} is not a SELECT: {cure}")
    if any(isinstance(node, exp.DML | exp.DDL | exp.Into | exp.Lock | exp.Command) for node in parsed[0].walk()):
        raise SourceError(f"{origin} writes or locks rows: {cure} that only reads")
    if dialect == "pyspark":
        # Spark takes a table's name for a path: parquet.`/lake/flights`.
        for path in (table.name for table in parsed[0].find_all(exp.Table) if re.search(r"[/\\:]", table.name)):
            root = roots.monitors_root()
            if "://" in path or roots.inside(path.removeprefix("file:"), root) is None:
                raise SourceError(f"{origin}: {roots.refusal(path, root)}")
    return statement


def _parsed(statement: str, dialect: str, failed: str) -> list[Any]:
    import sqlglot
    from sqlglot.errors import SqlglotError

    # It would write the query that it cannot parse into the log.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    known = dialect_of(dialect)
    try:
        parsed = sqlglot.parse(statement, read=known if known in sqlglot.Dialects.__members__.values() else None)
    except (SqlglotError, RecursionError):
        raise SourceError(failed) from None
    return [each for each in parsed if each is not None]
