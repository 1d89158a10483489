"""Create the databases and who may do what in them: `airflow`, `drift`, and `warehouse` with the demo's flights.

Run by the `migrate` service as the server's owner; what is there already stays as it is. Passwords follow those of the
environment, and what Airflow's database holds becomes Airflow's own: before there were logins, all was the owner's.

| login | may |
|---|---|
| `airflow` | own the database `airflow`, and open no other |
| `drift_tasks` | read the warehouse, and write what runs find (`drift_writer` of `sql/roles.sql`) |
| `drift_web` | read what they found, and answer alerts (`drift_dashboard`) |
"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from drift.store import migrations

LOGINS = {"airflow": "AIRFLOW_DB_PASSWORD", "drift_tasks": "TASKS_DB_PASSWORD", "drift_web": "DASHBOARD_DB_PASSWORD"}
FLIGHTS = Path("/opt/drift/src/data/flights.parquet")
TABLE = """
CREATE TABLE flights (
    event_time timestamptz NOT NULL, flight_date date NOT NULL, carrier text, tailnum text, origin text, dest text,
    dep_delay smallint, arr_delay smallint, air_time smallint, distance smallint
)
"""

NOT_ITS_OWN = """
SELECT format('ALTER TABLE %s OWNER TO airflow', oid::regclass), relkind = 'S' AS later
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relowner <> 'airflow'::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT format('ALTER TYPE %s OWNER TO airflow', oid::regtype), false
FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typowner <> 'airflow'::regrole AND typtype = 'e'
ORDER BY later -- a sequence follows its table, and by itself may not
"""


def connect(database: str) -> psycopg.Connection:
    """Open a database of the server that PGHOST, PGUSER and PGPASSWORD name."""
    return psycopg.connect(dbname=database, autocommit=True)


def logins(server: psycopg.Connection) -> None:
    """Create the logins, each with its password."""
    there = {name for (name,) in server.execute("SELECT rolname FROM pg_roles")}
    for name, variable in LOGINS.items():
        statement = "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}"
        verb = sql.SQL("ALTER" if name in there else "CREATE")
        password = sql.Literal(os.environ[variable])
        server.execute(sql.SQL(statement).format(verb, sql.Identifier(name), password))


def databases(server: psycopg.Connection) -> None:
    """Create the databases; nobody opens one because everybody may."""
    there = {name for (name,) in server.execute("SELECT datname FROM pg_database")}
    for name in ("airflow", "drift", "warehouse"):
        if name not in there:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    server.execute("ALTER DATABASE airflow OWNER TO airflow")
    server.execute("GRANT CONNECT ON DATABASE warehouse TO drift_tasks")


def own(airflow: psycopg.Connection) -> None:
    """Give Airflow what is in its database, or it could not migrate it."""
    for statement, _ in airflow.execute(NOT_ITS_OWN).fetchall():
        airflow.execute(statement)


def flights(warehouse: psycopg.Connection) -> None:
    """Fill the warehouse, for its reader."""
    warehouse.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO drift_tasks")
    warehouse.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO drift_tasks")
    if warehouse.execute("SELECT to_regclass('flights')").fetchone() != (None,):
        return
    warehouse.execute(TABLE)
    with warehouse.cursor().copy("COPY flights FROM STDIN") as copy:
        for batch in pq.ParquetFile(FLIGHTS).iter_batches():
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)
    warehouse.execute("CREATE INDEX ON flights (flight_date)")
    print("warehouse.flights: a year of departures to try Drift on")


def main() -> None:
    """Create what is missing."""
    with connect("postgres") as server:
        logins(server)
        databases(server)
    with connect("airflow") as airflow, airflow.transaction():
        own(airflow)
    with connect("warehouse") as warehouse, warehouse.transaction():
        flights(warehouse)
    migrations.upgrade(os.environ["DRIFT_DATABASE"])
    with connect("drift") as drift, drift.transaction():
        drift.execute((migrations.sql_folder() / "roles.sql").read_text())
        drift.execute("GRANT drift_writer TO drift_tasks")
        drift.execute("GRANT drift_dashboard TO drift_web")


if __name__ == "__main__":
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    main()
