"""What `drift compare` costs: beside merely reading the files, and as rows, columns, cells and categories grow.

    python -m benchmarks.speed [--only compare,stages,rows,columns,cells,categories,small,parsing,detector,memory]
                               [--rows 100k,1M] [--writer zstd] [--repeats 5] [--folder build/benchmarks]

Each table is a piece of its own, and takes less than five minutes on a quiet machine once its files are written
(one size at a time where it is busy: `--only rows --rows 10M`, `--only memory --rows 30M`). `memory` is left out unless
it is named: its sizes take 5 GB of disk.

Every figure is the median of whole processes, imports included, run in turns with what they are compared with: look at
the ratios, as seconds are this machine's. The floor is one thread of PyArrow that decodes every column of both tables
and does nothing with them; files are in the page cache for all. Peak is resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from benchmarks.processes import COSTS, against, in_turns, load, python, run, table
from benchmarks.workload import FOLDER, Workload, Writer, parse, short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parent.parent

FLOOR = """
import sys
from pathlib import Path
from pyarrow import parquet
for argument in sys.argv[1:]:
    path = Path(argument)
    for each in sorted(path.iterdir()) if path.is_dir() else [path]:
        file = parquet.ParquetFile(each)
        for group in range(file.num_row_groups):
            for name in file.schema_arrow.names:
                file.read_row_group(group, columns=[name], use_threads=False)
"""

LIBRARY = """
import sys, drift
drift.compare(*sys.argv[1:])
"""

BINS = """
import sys, drift
drift.compare(*sys.argv[2:], features=drift.Features(bins={"*": int(sys.argv[1])}))
"""


def compare(*paths: str | Path) -> list[str | Path]:
    """Return the command a user would type."""
    return [sys.executable, "-m", "drift", "compare", *paths]


def ready(workload: Workload, folder: Path) -> tuple[Path, Path]:
    """Return a workload's tables, written by a process of its own if they are not there yet."""
    given = {f"--{key}": value for key, value in asdict(workload).items() if value is not None} | {"--folder": folder}
    options = [str(part) for pair in given.items() for part in pair]
    run([sys.executable, "-m", "benchmarks.workload", *options])
    return workload.paths(folder)


def said(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout


FILES: dict[Writer, str] = {"pandas": "snappy as pandas writes it", "zstd": "zstd"}


def whole(options: argparse.Namespace) -> None:
    """Print Drift beside the floor on a million rows each side, 50 columns, both workloads in turns."""
    commands = {
        f"{files}: {name}": command
        for writer, files in FILES.items()
        for paths in [ready(Workload(1_000_000, writer=writer), options.folder)]
        for name, command in {
            "floor": python(FLOOR, *paths),
            "`drift compare A B`": compare(*paths),
            "`drift.compare(a, b)`": python(LIBRARY, *paths),
        }.items()
    }
    costs = in_turns(commands, options.repeats)
    table(
        f"1M + 1M rows × 50 columns, whole processes, medians of {options.repeats} ({load()})",
        ["", *COSTS],
        [
            row
            for files in FILES.values()
            for row in against(
                {name: cost for name, cost in costs.items() if name.startswith(files)}, f"{files}: floor"
            )
        ],
    )


def stages(options: argparse.Namespace) -> None:
    """Print where its CPU goes, in one thread."""
    found: dict[str, list[str]] = {}
    for writer in FILES:
        command = [
            sys.executable,
            "-m",
            "benchmarks.stages",
            *ready(Workload(1_000_000, writer=writer), options.folder),
        ]
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        runs = [json.loads(said(command, env)) for _ in range(options.repeats)]
        spent = {stage: mean(run[stage] for run in runs) for stage in runs[0]}
        total = sum(spent.values())
        for stage, seconds in {**spent, "all": total}.items():
            found.setdefault(stage, []).extend([f"{seconds:.2f}", f"{seconds / total:.0%}"])
    table(
        f"Where the CPU of `drift compare` goes, one thread, under a profiler, means of {options.repeats} ({load()})",
        ["", *(f"{unit} {writer}" for writer in FILES for unit in ("s", "share"))],
        sorted(([stage, *cells] for stage, cells in found.items()), key=lambda row: -float(row[1])),
    )


def growth(title: str, name: str, workloads: Mapping[str, Workload], options: argparse.Namespace) -> None:
    """Print Drift beside the floor on several workloads."""
    rows: list[list[object]] = []
    for label, workload in workloads.items():
        paths = ready(workload, options.folder)
        costs = in_turns({"floor": python(FLOOR, *paths), "drift": compare(*paths)}, options.repeats)
        floor = costs["floor"]
        drift = against(costs, "floor")[1]
        rows.append([label, f"{floor.wall:.2f}", f"{floor.cpu:.2f}", f"{floor.peak:.0f}", *drift[1:]])
    heading = [name, "floor wall s", "CPU s", "peak MB", "drift wall s", *COSTS[1:]]
    table(f"{title}, medians of {options.repeats} ({load()})", heading, rows)


def rows(options: argparse.Namespace) -> None:
    """Print the cost against rows."""
    growth(
        f"Rows of each table, 50 columns, {FILES[options.writer]}",
        "rows",
        {short(n): Workload(n, writer=options.writer) for n in options.rows or (100_000, 1_000_000)},
        options,
    )


def memory(options: argparse.Namespace) -> None:
    """Print peak memory against rows, which depends neither on repeats nor on what else the machine does."""
    found = []
    for n in options.rows or (1_000_000, 10_000_000, 30_000_000):
        paths = ready(Workload(n, writer=options.writer), options.folder)
        found.append((short(n), run(python(FLOOR, *paths)).peak, run(compare(*paths)).peak))
    first = found[0][2]
    table(
        f"Peak resident memory, 50 columns, {FILES[options.writer]}, one run each",
        ["rows of each table", "floor MB", "`drift compare` MB", "× the first"],
        [[size, f"{floor:.0f}", f"{peak:.0f}", f"{peak / first:.2f}"] for size, floor, peak in found],
    )


def columns(options: argparse.Namespace) -> None:
    """Print the cost against columns."""
    workloads = {"50": Workload(100_000), "500": Workload(100_000, 400, 100)}
    growth("Columns, 100k + 100k rows", "columns", workloads, options)


def cells(options: argparse.Namespace) -> None:
    """Print the cost against the number of quantile bins."""
    paths = ready(Workload(1_000_000), options.folder)
    commands = {"floor": python(FLOOR, *paths)}
    commands |= {f"{bins} bins": python(BINS, str(bins), *paths) for bins in (10, 32, 64)}
    costs = in_turns(commands, options.repeats)
    title = f"Quantile bins of every number, 1M + 1M rows × 50 columns, medians of {options.repeats} ({load()})"
    table(title, ["", *COSTS], against(costs, "floor"))


def categories(options: argparse.Namespace) -> None:
    """Print the cost against the number of categories."""
    workloads = {f"{levels:,}": Workload(1_000_000, 0, 10, levels) for levels in (10, 1000, 100_000)}
    growth("Categories of every column, 1M + 1M rows × 10 text columns", "categories", workloads, options)


def small(options: argparse.Namespace) -> None:
    """Print what a comparison of two small files takes, and how much of it is importing."""
    paths = ready(Workload(10_000, 15, 5), options.folder)
    costs = in_turns(
        {
            "`drift compare A B`": compare(*paths),
            "an interpreter that does nothing": python("pass"),
            "`import drift.cli.app`": python("import drift.cli.app"),
            "floor": python(FLOOR, *paths),
        },
        options.repeats,
    )
    title = f"10k + 10k rows × 20 columns, medians of {options.repeats} ({load()})"
    table(title, ["", *COSTS], against(costs, "`drift compare A B`"))
    imports, runs = [], []
    for _ in range(options.repeats):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "drift", "compare", *paths],
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(time.perf_counter() - started)
        found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
        imports.append({name: int(own) / 1e6 for own, name in found})
    total = median(sum(modules.values()) for modules in imports)
    packages: dict[str, list[float]] = {}
    for modules in imports:
        of_one: dict[str, float] = {}
        for name, own in modules.items():
            top = name.partition(".")[0]
            of_one[top] = of_one.get(top, 0.0) + own
        for top, own in of_one.items():
            packages.setdefault(top, []).append(own)
    largest = sorted(((median(own), top) for top, own in packages.items()), reverse=True)[:8]
    table(
        f"The same under `python -X importtime`, which slows it to {median(runs):.2f} s: seconds of importing",
        ["package", "s"],
        [["all", f"{total:.3f}"], *([top, f"{own:.3f}"] for own, top in largest)],
    )


PARSING = """
import logging, sys, time
started = time.perf_counter()
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
loaded = time.perf_counter()
logging.disable()
DagBag(dag_folder=sys.argv[1] + "/plain.py")
plain = time.perf_counter()
early = "drift.airflow" in sys.modules
bag = DagBag(dag_folder=sys.argv[1] + "/drift_monitors.py")
first = time.perf_counter()
DagBag(dag_folder=sys.argv[1] + "/drift_monitors.py")
second = time.perf_counter()
assert not bag.import_errors, bag.import_errors
print(len(bag.dags), loaded - started, plain - loaded, first - plain, second - first, int(early))
"""

PLAIN = """
from airflow.sdk import dag, task

@dag
def plain():
    @task
    def nothing(): ...
    nothing()

plain()
"""


def parsing(options: argparse.Namespace) -> None:
    """Print what parsing the DAG file takes in a process that has Airflow loaded, as its DAG processor has."""
    found: list[list[object]] = []
    text = (ROOT / "dags" / "monitors" / "flights.yaml").read_text()
    for monitors in (1, 20):
        with tempfile.TemporaryDirectory(prefix="drift-bench-") as home:
            dags = Path(home) / "dags"
            (dags / "monitors").mkdir(parents=True)
            (dags / "plain.py").write_text(PLAIN)
            (dags / "drift_monitors.py").write_text((ROOT / "dags" / "drift_monitors.py").read_text())
            for i in range(monitors):
                (dags / "monitors" / f"flights{i}.yaml").write_text(text.replace("name: flights", f"name: flights{i}"))
            airflow = {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
            env = os.environ | airflow | {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
            migrate: list[str | Path] = [sys.executable, "-m", "airflow", "db", "migrate"]
            run(migrate, env=env)
            took = [
                [float(part) for part in said(python(PARSING, dags), env=env).split()[-6:]]
                for _ in range(options.repeats)
            ]
        n, loaded, plain, first, second, early = (median(column) for column in zip(*took, strict=True))
        numbers = [f"{loaded:.2f}", *(f"{seconds:.3f}" for seconds in (plain, first, second))]
        found.append([f"{n:.0f}", *numbers, "yes" if early else "no"])
    table(
        f"Parsing `dags/drift_monitors.py` in a process that has Airflow, medians of {options.repeats} ({load()})",
        ["monitors", "Airflow's import s", "a plain DAG s", "Drift's, first s", "again s", "Drift loaded before"],
        found,
    )


def detector(options: argparse.Namespace) -> None:
    """Print what scoring costs beside `scipy.stats.entropy` in a loop, all in one process."""
    del options
    print(said([sys.executable, "-m", "benchmarks.detector"]), end="", flush=True)


TABLES: dict[str, Callable[[argparse.Namespace], None]] = {
    "compare": whole,
    "stages": stages,
    "rows": rows,
    "columns": columns,
    "cells": cells,
    "categories": categories,
    "small": small,
    "parsing": parsing,
    "detector": detector,
    "memory": memory,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    usual = ",".join(name for name in TABLES if name != "memory")
    parser.add_argument("--only", default=usual, help=f"of {', '.join(TABLES)}, separated by commas")
    parser.add_argument(
        "--rows",
        type=lambda text: [parse(part) for part in text.split(",")],
        help="sizes for the tables of rows and memory, such as 100k,1M,10M,30M (10M takes 5 GB of disk as zstd)",
    )
    parser.add_argument("--writer", choices=FILES, default="zstd", help="the workload of both")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the workloads are kept")
    options = parser.parse_args(argv)
    for name in options.only.split(","):
        TABLES[name](options)


if __name__ == "__main__":
    main()
