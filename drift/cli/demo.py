"""The demo: a year of real flights, Airflow, a blizzard, an alert.

Everything is embedded and on loopback: SQLite for the warehouse and the results, Airflow's own SQLite, a receiver in
this process that gets the alert as any webhook would. Running it again is quick and ends in the same state.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.options import connection, now, open_store, route
from drift.errors import DriftError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console

    from drift.config.monitor import Monitor
    from drift.detection.reports import Report

MONITOR = "flights"
FIRST, LAST, BLIZZARD = date(2013, 1, 1), date(2013, 2, 7), date(2013, 2, 8)
ROUTE = "ops"
PACKAGE = Path(__file__).resolve().parents[1]
AIRFLOW = (sys.executable, "-m", "airflow")


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the demo.")] = Path("demo"),
    airflow: Annotated[bool, typer.Option("--airflow", help="Start Airflow with the demo's monitors instead.")] = False,
    port: Annotated[int, typer.Option(help="Port of Airflow, with --airflow.")] = 8080,
) -> None:
    """Run the whole job on a year of real flights: find the blizzard, open the alert, send the notification."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if airflow:
        if not installed("apache-airflow"):
            raise DriftError("Airflow is not installed: pip install 'driftmeter[all]', or run drift demo without it")
        raise typer.Exit(run_airflow(folder, port))
    run_demo(folder)


def resource(name: str) -> Path:
    """Return a folder of the repository, or of the wheel that carries it: ``data``, ``dags``."""
    for folder in (PACKAGE / name, PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise DriftError(f"the demo's {name}/ folder is not beside the package: run it from a checkout")


def run_demo(folder: Path) -> None:
    """Run the demo in `folder` and print what it found."""
    from rich.console import Console

    from drift.alerts import delivery
    from drift.cli.tables import progress
    from drift.pipeline import run as runs
    from drift.pipeline.context import Context
    from drift.pipeline.recall import recall
    from drift.store import migrations

    out = Console(width=None if sys.stdout.isatty() else 160)
    with _step(out, "unpack the flights of 2013 into a warehouse (SQLite) and a Parquet folder"):
        unpack(folder)
    with _step(out, "migrate the results database"):
        migrations.upgrade(database(folder))
    with receiver(folder / "inbox") as webhook:
        # Without Apprise the alert goes into a file.
        url = webhook if installed("apprise") else f"file:{folder / 'inbox' / 'alerts.json'}"
        os.environ |= environment(folder, url)
        context = Context.of(_monitor(out), open_store(database(folder)), connection)
        calendar = context.monitor.window.calendar
        windows = list(calendar.between(calendar.starting(FIRST).start, calendar.starting(LAST).end))
        with progress(len(windows), f"backfill {FIRST} … {LAST}") as advance:
            runs.backfill(context, windows, clock=now, progress=lambda window, _: advance(context.label(window)))
        blizzard = calendar.starting(BLIZZARD)
        airflow = installed("apache-airflow")
        if airflow:
            log = _shown(folder / "airflow.log")
            with _step(out, f"run the Airflow DAG for {BLIZZARD} (Airflow {airflow}; log: {log})"):
                # A manual run's logical date is where its interval ends: New York's midnight after the first day.
                _run_dag(folder, blizzard.end)
        else:
            with _step(out, f"run {BLIZZARD} as `drift run` does: Airflow is not installed"):
                runs.run_window(context, blizzard, clock=now)
                delivery.deliver(context.store, now(), route)
        _show(out, recall(context, blizzard), folder)


def database(folder: Path) -> str:
    """Return the URL of the demo's results database."""
    return f"sqlite:///{folder.resolve() / 'drift.db'}"


def environment(folder: Path, route: str) -> dict[str, str]:
    """Return the environment in which the demo's monitors run, in this process and in Airflow."""
    home = folder.resolve() / "airflow"
    return {
        "DRIFT_DATABASE": database(folder),
        "DRIFT_CONNECTION_WAREHOUSE": f"sqlite:///{folder.resolve() / 'warehouse.db'}",
        "DRIFT_MONITORS": str(resource("dags") / "monitors"),
        f"DRIFT_ROUTE_{ROUTE.upper()}": route,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(resource("dags")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # SQLite gives its writers turns; a parser a minute is enough for a folder that seldom changes.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
    }


def standalone_environment(folder: Path, route: str, port: int) -> dict[str, str]:
    """Return the whole environment of `airflow standalone`, on loopback."""
    return {
        **os.environ,
        **environment(folder, route),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        # Airflow starts its parts by name, as `airflow`.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


def unpack(folder: Path) -> None:
    """Make the warehouse and the Parquet folder that a user would have, from the vendored file; once."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    source = resource("data") / "flights.parquet"
    warehouse, lake = folder / "warehouse.db", folder / "flights"
    if warehouse.exists() and lake.exists():
        return
    table = pq.read_table(source)
    building = folder / "warehouse.db.part"
    building.unlink(missing_ok=True)
    _fill(building, table)
    part = folder / "flights.part"
    shutil.rmtree(part, ignore_errors=True)
    dated = table.append_column("date", table["flight_date"].cast(pa.string()))
    layout = ds.partitioning(pa.schema([("date", pa.string())]), flavor="hive")
    ds.write_dataset(dated, part, format="parquet", partitioning=layout, max_partitions=400, max_open_files=400)
    # Renamed when whole, so that an interrupted demo does not leave half a year behind.
    building.replace(warehouse)
    shutil.rmtree(lake, ignore_errors=True)
    part.rename(lake)


def _fill(path: Path, table: Any) -> None:
    import sqlalchemy as sa

    kinds = {"event_time": sa.Text, "flight_date": sa.Date}
    columns = [
        sa.Column(
            field.name,
            kinds.get(field.name, sa.Text if str(field.type) in {"string", "large_string"} else sa.SmallInteger),
            nullable=field.name not in {"event_time", "flight_date"},
        )
        for field in table.schema
    ]
    flights = sa.Table("flights", sa.MetaData(), *columns, sa.Index("flights_by_date", "flight_date"))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        flights.create(connection)
        for batch in table.to_batches(max_chunksize=50_000):
            rows = batch.to_pylist()
            for row in rows:
                row["event_time"] = f"{row['event_time']:%Y-%m-%dT%H:%M:%SZ}"
            connection.execute(flights.insert(), rows)
    engine.dispose()


def _monitor(out: Console) -> Monitor:
    """Return the demo's monitor, without what the packages that are installed cannot do."""
    from drift.config.monitor import load_monitor

    monitor = load_monitor(resource("dags") / "monitors" / f"{MONITOR}.yaml")
    if installed("great-expectations"):
        return monitor
    out.print("without its expectations: Great Expectations is not installed", markup=False, highlight=False)
    return monitor.model_copy(update={"expectations": []})


def installed(distribution: str) -> str:
    """Return the version of a distribution that is installed; empty where it is not."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _run_dag(folder: Path, end: datetime) -> None:
    log = folder / "airflow.log"
    with log.open("w") as stream:
        for command in (["db", "migrate"], ["dags", "test", MONITOR, end.isoformat()]):
            done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
                [*AIRFLOW, *command],
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode:
                last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
                raise DriftError(f"airflow {' '.join(command)} failed: {last} (all of it: {log})")


def _show(out: Console, report: Report, folder: Path) -> None:
    from drift.cli.tables import print_line, report_table

    out.print()
    report_table(report)
    letters = sorted((folder / "inbox").glob("*.json"))
    if not letters:
        raise DriftError(f"no alert arrived in {folder / 'inbox'}: see drift alerts, and {folder / 'airflow.log'}")
    letter = json.loads(letters[-1].read_text().splitlines()[-1])
    out.print(f"\n[bold]The alert, as it arrived[/] ({_shown(letters[-1])}):\n", highlight=False)
    for line in (str(letter.get("title", "")), *str(letter.get("message") or letter.get("body", "")).split("\n")):
        print_line(f"  {line}")
    drift = _shown(Path(sys.executable).with_name("drift"))
    setting = f"export DRIFT_DATABASE={database(folder)} DRIFT_MONITORS={_shown(resource('dags') / 'monitors')}"
    out.print("\n[bold]What next[/]", highlight=False)
    for line in (
        f"  {setting} DRIFT_CONNECTION_WAREHOUSE=sqlite:///{folder / 'warehouse.db'}",
        f"  {drift} explain flights dep_delay --date 2013-02-08     which cells moved",
        f"  {drift} history flights                                 every feature, the last 30 days",
        f"  {drift} alerts                                          what is open",
        f"  {drift} backfill flights --from 2013-02-09 --to 2013-12-31   the rest of the year",
        f"  {drift} dashboard                                       the same in a browser",
        f"  {drift} demo --airflow                                  Airflow's own pages, with this monitor",
    ):
        print_line(line)


def _shown(path: Path) -> str:
    """Show a path as a person in the working directory would write it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@contextmanager
def _step(out: Console, what: str) -> Iterator[None]:
    started = time.monotonic()
    with out.status(what):
        yield
    out.print(f"[green]done[/] {what} [dim]{time.monotonic() - started:.1f} s[/]", highlight=False)


@contextmanager
def receiver(inbox: Path) -> Iterator[str]:
    """Receive webhooks on loopback into `inbox`, a file each, named by idempotency key; yields the Apprise URL."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    inbox.mkdir(parents=True, exist_ok=True)

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Idempotency-Key", f"{time.time_ns()}")
            safe = "".join(c for c in key if c.isalnum() or c in "-_")[:80]
            (inbox / f"{safe}.json").write_bytes(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run_airflow(folder: Path, port: int) -> int:
    """Run Airflow standalone with the demo's monitors until interrupted, leave no process; return an exit code."""
    from rich.console import Console

    from drift.store import migrations

    out = Console(stderr=True)
    unpack(folder)
    migrations.upgrade(database(folder))
    with receiver(folder / "inbox") as url:
        env = standalone_environment(folder, url, port)
        for line in (
            f"Airflow starts on http://127.0.0.1:{port} (a minute or so); Ctrl-C stops it.",
            "Nothing runs on its own: switch the DAG flights on. Its data are from 2013, so press Trigger, and",
            "either give the parameter window a day, such as 2013-02-08,",
            "or choose Backfill, and days such as 2013-02-01 to 2013-02-14.",
        ):
            out.print(line, highlight=False, soft_wrap=True)
        # In a session of its own: stopping only the parent would orphan the scheduler and the api-server.
        process = subprocess.Popen([*AIRFLOW, "standalone"], env=env, start_new_session=True)  # noqa: S603
        stopping = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopping.set())
        while process.poll() is None and not stopping.wait(0.5):
            pass
        return _stop(process, asked=stopping.is_set())


def _stop(process: subprocess.Popen[bytes], *, asked: bool) -> int:
    """Stop a process and everything it started: ask, wait, insist."""

    def signal_group(sign: int) -> bool:
        """Signal the whole group; 0 only asks whether anybody is left."""
        process.poll()
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return False
        return True

    for sign, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        deadline = time.monotonic() + patience
        alive = signal_group(sign)
        while alive and time.monotonic() < deadline:
            time.sleep(0.2)
            alive = signal_group(0)
        if not alive:
            break
    return 0 if asked else int(process.wait())
