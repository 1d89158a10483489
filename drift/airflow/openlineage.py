"""Lineage: what a source is called in OpenLineage, so that a catalogue joins Drift's findings to the data's own node.

The names follow OpenLineage's naming of datasets: a namespace (scheme and authority), and a name within it.
openlineage-python only joins parts that it is given whole: all that is here, which parts a URL or a path has, would
stay.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from drift.config.source import Source

_PORTS = {"postgres": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521, "redshift": 5439, "trino": 8080}
_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql", "s3a": "s3", "s3n": "s3", "gcs": "gs"}
_SCHEMAS = {"postgres": "public", "redshift": "public", "mssql": "dbo"}
_WILD = "*?["
_CONTAINERS = {"abfs", "abfss", "wasb", "wasbs"}
"""Of these what stands before the @ is a container and not a login, and each has its own files."""

_REDSHIFT = re.compile(r"([^.]+)\.[^.]+\.([^.]+)\.redshift\.amazonaws\.com(\.cn)?")


def dataset(source: Source, url: str | None = None, *, folder: str = "") -> dict[str, str]:
    """Return the namespace and name of a source's data.

    Of the database's URL, where it is known, only host, port and database are used; without it the namespace is
    ``drift://`` and the connection's id. A query's name is that of its connection's database: which tables it reads
    only the database knows. Relative paths of files are relative to `folder`.

    Examples
    --------
    >>> from drift.config.source import Source
    >>> flights = Source(connection="warehouse", table="flights", time_column="day")
    >>> dataset(flights, "postgresql+psycopg://drift:secret@db.example.com/dwh")
    {'namespace': 'postgres://db.example.com:5432', 'name': 'dwh.public.flights'}
    >>> dataset(flights)
    {'namespace': 'drift://warehouse', 'name': 'flights'}
    >>> dataset(Source(files="s3://lake/flights/day=*/*.parquet", time_column="day"))
    {'namespace': 's3://lake', 'name': 'flights'}
    >>> dataset(Source(files="data/flights.csv", time_column="day"), folder="/srv")
    {'namespace': 'file', 'name': '/srv/data/flights.csv'}
    """
    if source.files_ is not None:
        return _files(source.files or "", folder)
    table = ".".join(filter(None, (source.schema_, source.table)))
    if url is None:
        return {"namespace": f"drift://{source.connection}", "name": table or "query"}
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    scheme = _SCHEMES.get(kind, kind)
    database = parts.path.removeprefix("/")
    if scheme in {"sqlite", "duckdb"}:
        # The standard names none for them: they are files.
        return _named("file", _absolute(database, folder), table)
    if scheme == "bigquery":
        return _named("bigquery", parts.netloc, "" if source.schema_ else database, table)
    # The schema in a URL (catalog/schema) is that of tables without one of their own.
    catalog, _, default = database.partition("/")
    database = ".".join(filter(None, (catalog, "" if source.schema_ else default)))
    host = _REDSHIFT.sub(r"\1.\2", parts.hostname or "localhost")
    if scheme == "snowflake":
        return _named(f"snowflake://{host}", database, table)
    if table and not source.schema_ and scheme in _SCHEMAS:
        table = f"{_SCHEMAS[scheme]}.{table}"
    port = parts.port or _PORTS.get(scheme)
    return _named(f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}", database, table)


def _named(namespace: str, *parts: str) -> dict[str, str]:
    return {"namespace": namespace, "name": ".".join(filter(None, parts))}


def _files(files: str, folder: str) -> dict[str, str]:
    scheme, separator, rest = files.partition("://")
    if not separator:
        return {"namespace": "file", "name": _absolute(_fixed(files), folder)}
    authority, _, path = rest.partition("/")
    authority = authority if scheme in _CONTAINERS else authority.rpartition("@")[2]
    scheme = _SCHEMES.get(scheme, scheme)
    if scheme == "file":
        return {"namespace": "file", "name": f"/{_fixed(path)}"}
    return {"namespace": f"{scheme}://{authority}", "name": _fixed(path.partition("?")[0]) or "/"}


def _fixed(path: str) -> str:
    """Return the part of a path before its first wildcard: the data set, whatever its partitions and files."""
    parts = path.split("/")
    wild = [i for i, part in enumerate(parts) if any(sign in part for sign in _WILD)]
    return "/".join(parts[: wild[0]] if wild else parts)


def _absolute(path: str, folder: str) -> str:
    return str(PurePosixPath(folder) / path) if folder else path
