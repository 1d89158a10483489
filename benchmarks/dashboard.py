"""What the dashboard's pages cost at the server: a thousand features over a year, alone and with fifty readers at once.

    python -m benchmarks.dashboard [--days 365] [--features 1000] [--repeats 7] [--readers 50]

A real server (uvicorn, in a process of its own) on SQLite and, where there is one, on PostgreSQL; times are those of
whole answers over loopback, compressed as browsers ask for them, medians after one answer that warms the caches. Beside
them the processor's time in the server, which a busy machine does not stretch as it does the clock's: all there is of
SQLite's pages, while PostgreSQL's own work is not in it. Then fifty readers ask for one page after the other, while the
same window is stored again and again as a run would.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.processes import load, table
from benchmarks.scale import FIRST, NOW, databases, judged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drift.detection.reports import Report
    from drift.store.store import Store
    from drift.windows import Window

COUNTED = 60
"""Of so many windows the counts are stored, too: a page holds one of them against others."""

BUDGET = 200.0
FEATURE = "feature?monitor=bench&feature=feature%200042"
PAGES = {
    "overview": "",
    "heatmap, 30 windows": "monitor?name=bench&windows=30",
    "heatmap, 90 windows": "monitor?name=bench&windows=90",
    "heatmap, 90 windows, newest drift first": "monitor?name=bench&windows=90&order=recent",
    "heatmap, 365 windows": "monitor?name=bench&windows=365",
    "feature, 90 windows": FEATURE,
    "feature, 365 windows": f"{FEATURE}&windows=365",
    "feature, against 28 other windows": f"{FEATURE}&against=trailing:28",
    "runs": "runs?monitor=bench&windows=90",
    "alerts": "alerts?state=all",
    "scores of one feature's year, JSON": "api/v1/scores?monitor=bench&feature=feature%200042&windows=365",
}
READ = ("overview", "heatmap, 30 windows", "feature, 90 windows", "feature, 365 windows")


def fill(results: Store, report: Report, windows: Sequence[Window], label: str) -> None:
    """Store a year of reports, and the counts of its last windows."""
    from drift.profiles.histograms import Profile

    config = {"name": "bench", "window": {"every": "1d", "timezone": "UTC"}}
    results.save_monitor("bench", "c0ffee", config, NOW)
    histograms = {name: each.current.whole() for name, each in report.evidence.items()}
    summaries = {name: each.current_summary for name, each in report.evidence.items() if each.current_summary}
    for number, window in enumerate(windows):
        results.save_run_started("bench", window, "c0ffee", NOW)
        results.save_gate("bench", window, "accepted", [], NOW)
        if number >= len(windows) - COUNTED:
            profile = Profile(window, report.n_current, histograms, summaries)
            results.save_profile("bench", profile, gate="accepted", binning_key="k", now=NOW)
        results.save_report("bench", replace(report, window=window, label=str(window.start.date()), gate="accepted"))
        results.save_run_finished("bench", window, report.status, NOW, reference=report.reference)
    print(f"{label}: {len(windows)} windows stored", file=sys.stderr)


def settle(results: Store) -> None:
    """Do what PostgreSQL's autovacuum does by itself within minutes of so many new rows."""
    if results.engine.dialect.name == "postgresql":
        with results.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def served(url: str) -> Iterator[tuple[int, int]]:
    """Serve a database in a process of its own; yields the port and the process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "drift", "dashboard", "--port", str(port)]
    server = subprocess.Popen(command, env=os.environ | {"DRIFT_DATABASE": url})
    try:
        for _ in range(150):
            try:
                ask(port, "healthz")
            except OSError:
                time.sleep(0.2)
            else:
                break
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def ask(port: int, page: str) -> tuple[float, int]:
    """Return how long an answer took, and its bytes on the wire."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    connection.request("GET", f"/{page}", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - started
    connection.close()
    if answer.status != 200:
        raise OSError(f"/{page}: {answer.status} {body[:200]!r}")
    return took, len(body)


def busy(pid: int) -> float:
    """Return the seconds of processor time that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def alone(port: int, pid: int, repeats: int) -> dict[str, tuple[float, float, float]]:
    """Return the median milliseconds of each page, those of the processor on average, and its kilobytes."""
    found = {}
    for name, page in PAGES.items():
        ask(port, page)
        before = busy(pid)
        answers = [ask(port, page) for _ in range(repeats)]
        spent = (busy(pid) - before) / repeats
        found[name] = 1e3 * median(took for took, _ in answers), 1e3 * spent, answers[-1][1] / 1e3
    return found


def together(port: int, store: Store, report: Report, window: Window, readers: int) -> list[object]:
    """Return how the readers fare, and how long it takes to store a window alone and beside them."""

    def stored() -> float:
        started = time.perf_counter()
        store.save_report("bench", replace(report, window=window, label="x", gate="accepted"))
        return time.perf_counter() - started

    before = median(stored() for _ in range(5))
    stop, times, failures = threading.Event(), list[float](), list[str]()

    def read() -> None:
        for name in cycle(READ):
            if stop.is_set():
                return
            try:
                times.append(ask(port, PAGES[name])[0])
            except OSError as error:
                failures.append(str(error))
            # A reader looks at what they asked for.
            stop.wait(2.0)

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for number, thread in enumerate(threads):
        thread.start()
        stop.wait(2.0 / readers if number else 0)
    beside = median(stored() for _ in range(5))
    stop.wait(10)
    stop.set()
    for thread in threads:
        thread.join()
    p95 = quantiles(times, n=20)[-1]
    row = [len(times), len(failures), f"{1e3 * median(times):.0f}", f"{1e3 * p95:.0f}"]
    return [*row, f"{1e3 * before:.0f}", f"{1e3 * beside:.0f}", f"{beside / before:.2f}"]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    from drift.store.store import Store
    from drift.windows import Calendar

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("days", 365), ("features", 1000), ("repeats", 7), ("readers", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(argv)
    calendar = Calendar("1d", "UTC")
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(options.days)]
    report = replace(judged(options.features), monitor="bench")
    pages: dict[str, list[object]] = {name: [name] for name in PAGES}
    heading, crowds = ["page"], []
    with databases() as makers:
        for database, make in makers.items():
            url = make()
            with Store.open(url, create=True) as results:
                fill(results, report, windows, database)
                settle(results)
                with served(url) as (port, pid):
                    for name, (took, spent, size) in alone(port, pid, options.repeats).items():
                        pages[name] += [f"{took:.0f}", f"{spent:.0f}", f"{took / BUDGET:.2f}", f"{size:.0f}"]
                    crowds.append([database, *together(port, results, report, windows[-1], options.readers)])
            heading += [f"{database}, ms", "CPU, ms", f"of {BUDGET:.0f} ms", "kB"]
    title = f"{options.features:,} features × {options.days} days ({load()})"
    table(f"Pages, {title}, medians of {options.repeats}", heading, list(pages.values()))
    columns = ["answers", "failed", "median ms", "95 % ms", "storing a window, ms", "beside readers", "ratio"]
    table(f"{options.readers} readers, a page every 2 s each, {title}", ["results in", *columns], crowds)


if __name__ == "__main__":
    main()
