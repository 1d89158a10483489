"""Makes the tables, by Spark: `python tables.py MASTER FOLDER ROWS`.

`small` has three days of 20,000 rows, `large` two of a million and four that make it ROWS; the second of two moved.
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

SMALL, MEDIUM = 20_000, 1_000_000

COLUMNS = {
    "x": "randn(1) + IF(moved, 0.5, 0)",
    "y": "CASE WHEN id % 97 = 0 THEN NULL WHEN id % 101 = 0 THEN DOUBLE('NaN') ELSE exp(randn(2)) END",
    "amount": "IF(id % 50 = 0, NULL, 20 + pmod(hash(id, 3), 5000) / 100)",
    "paid": "IF(id % 31 = 0, NULL, pmod(hash(id, 4), 10) < 7)",
    "country": "element_at(array('DE', 'FR', 'ÉU', ' it', 'it', 'PL', 'CZ', '日本'), 1 + pmod(hash(id, 5), 8))",
    # It goes with the country but on the days that moved.
    "carrier": "concat('c', pmod(hash(id, IF(moved OR id % 3 = 0, 6, 5)), 8))",
}


def main(master: str, folder: str, rows: int) -> None:
    """Write both."""
    spark = (
        SparkSession.builder.master(master)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.executor.memory", "1g")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    rest = (rows - 2 * MEDIUM) // 4
    days = {
        "small": f"INT(id DIV {SMALL})",
        "large": f"3 + INT(IF(id < {2 * MEDIUM}, id DIV {MEDIUM}, 2 + (id - {2 * MEDIUM}) DIV {rest}))",
    }
    for name, day in days.items():
        n = 3 * SMALL if name == "small" else 2 * MEDIUM + 4 * rest
        numbered = spark.range(0, n, 1, 1 if name == "small" else 32).selectExpr("id", f"{day} AS number")
        moved = numbered.selectExpr("*", "number IN (2, 4, 6, 8) AS moved")
        made = [f"{how} AS {column}" for column, how in COLUMNS.items()]
        moved.selectExpr("date_add(DATE'2024-01-01', number) AS day", *made).write.parquet(f"{folder}/{name}")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
