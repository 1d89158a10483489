"""Create the databases `drift` and `warehouse` beside Airflow's, and fill the latter with the demo's flights.

Run by the `migrate` service; what is there already stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from psycopg import sql

FLIGHTS = Path("/opt/drift/src/data/flights.parquet")
TABLE = """
CREATE TABLE flights (
    event_time timestamptz NOT NULL, flight_date date NOT NULL, carrier text, tailnum text, origin text, dest text,
    dep_delay smallint, arr_delay smallint, air_time smallint, distance smallint
)
"""


def connect(database: str) -> psycopg.Connection:
    """Open a database of the server that PGHOST, PGUSER and PGPASSWORD name."""
    return psycopg.connect(dbname=database, autocommit=True)


def main() -> None:
    """Create what is missing."""
    with connect("postgres") as server:
        there = {name for (name,) in server.execute("SELECT datname FROM pg_database")}
        for name in {"airflow", "drift", "warehouse"} - there:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with connect("warehouse") as warehouse, warehouse.transaction():
        if warehouse.execute("SELECT to_regclass('flights')").fetchone() != (None,):
            return
        warehouse.execute(TABLE)
        with warehouse.cursor().copy("COPY flights FROM STDIN") as copy:
            for batch in pq.ParquetFile(FLIGHTS).iter_batches():
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row(row)
        warehouse.execute("CREATE INDEX ON flights (flight_date)")
    print("warehouse.flights: a year of departures to try Drift on")


if __name__ == "__main__":
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    main()
