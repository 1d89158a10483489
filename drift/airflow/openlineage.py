"""Lineage: what a source is called in OpenLineage, so that a catalogue joins Drift's findings to the data's own node.

The names follow OpenLineage's naming of datasets: a namespace (scheme and authority), and a name within it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from drift.config.source import Source

_PORTS = {"postgres": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521, "redshift": 5439, "trino": 8080}
_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql", "s3a": "s3", "s3n": "s3", "gcs": "gs"}
_SCHEMAS = {"postgres": "public", "redshift": "public", "mssql": "dbo"}
_WILD = "*?["


def dataset(source: Source, url: str | None = None, *, folder: str = "") -> dict[str, str]:
    """Return the namespace and name of a source's data.

    Parameters
    ----------
    source
    url
        The database's URL, where it is known; only its host, port and database are used. Without it the namespace is
        ``drift://`` and the connection's id.
    folder
        What relative paths of files are relative to.

    Returns
    -------
    dict
        ``namespace`` and ``name``. A query's name is that of its connection's database: which tables it reads only the
        database knows.

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
    table = ".".join(part for part in (source.schema_, source.table) if part)
    if url is None:
        return {"namespace": f"drift://{source.connection}", "name": table or "query"}
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    scheme = _SCHEMES.get(kind, kind)
    database = parts.path.removeprefix("/")
    if scheme in {"sqlite", "duckdb"}:
        # The standard names none for them: they are files.
        return {"namespace": "file", "name": ".".join(part for part in (_absolute(database, folder), table) if part)}
    if scheme == "bigquery":
        return {"namespace": "bigquery", "name": ".".join(p for p in (parts.netloc, database, table) if p)}
    if scheme == "snowflake":
        return {
            "namespace": f"snowflake://{_host(url)}",
            "name": ".".join(p for p in (*database.split("/"), table) if p),
        }
    if table and not source.schema_ and scheme in _SCHEMAS:
        table = f"{_SCHEMAS[scheme]}.{table}"
    port = parts.port or _PORTS.get(scheme)
    authority = f"{_host(url)}:{port}" if port else _host(url)
    return {
        "namespace": f"{scheme}://{authority}",
        "name": ".".join(p for p in (database.replace("/", "."), table) if p),
    }


def _host(url: str) -> str:
    return urlsplit(url).hostname or "localhost"


def _files(files: str, folder: str) -> dict[str, str]:
    scheme, separator, rest = files.partition("://")
    if not separator:
        return {"namespace": "file", "name": _absolute(_fixed(files), folder)}
    authority, _, path = rest.partition("/")
    authority = authority.rpartition("@")[2]
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
