"""Whole processes side by side: wall, CPU and peak memory of each, in turns, and their medians as Markdown.

Nothing heavy is imported here or by whoever measures: until it runs its own program a child counts its parent's memory
as its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds of wall and of CPU (user and system, all threads), and peak resident MB."""

    wall: float
    cpu: float
    peak: float


class Failed(Exception):
    """A measured process that did not end well."""


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, output: Path | None = None) -> Cost:
    """Run a program to its end and return what it took.

    Parameters
    ----------
    command
    env
        Added to the environment.
    output
        Where its standard output goes; nowhere by default.

    Raises
    ------
    Failed
        With the end of what it wrote on standard error, if it does not end with 0.
    """
    # Without compiled files at hand a start costs twice.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with Path(output or os.devnull).open("wb") as sink, TemporaryFile() as complaints:
        started = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdout=sink,
            stderr=complaints,
            stdin=subprocess.DEVNULL,
            env=inherited | dict(env or {}),
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        # It has been waited for; nobody else has to.
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        told = complaints.read()
    if process.returncode:
        lines = told.decode(errors="replace").strip().splitlines() or ["no word of why"]
        raise Failed(f"ended with {process.returncode}: {lines[-1].strip()}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6)


def python(code: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command that runs a few lines in a new interpreter of this environment."""
    return [sys.executable, "-c", code, *arguments]


def in_turns(
    commands: Mapping[str, Sequence[str | Path]],
    repeats: int,
    *,
    warm: bool = True,
    env: Mapping[str, str] | None = None,
) -> dict[str, Cost]:
    """Run several programs in turns and return the medians of each.

    Parameters
    ----------
    commands
    repeats
    warm
        Run each once before, uncounted, so that all find the files in the page cache.
    env
        Added to the environment.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for i in range(repeats + warm):
        for name, command in commands.items():
            cost = run(command, env=env)
            if i >= warm:
                costs[name].append(cost)
    return {name: middle(found) for name, found in costs.items()}


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure.

    Examples
    --------
    >>> middle([Cost(1, 5, 9), Cost(2, 4, 7), Cost(3, 6, 8)])
    Cost(wall=2, cpu=5, peak=8)
    """
    return Cost(
        median(cost.wall for cost in costs), median(cost.cpu for cost in costs), median(cost.peak for cost in costs)
    )


def against(costs: Mapping[str, Cost], base: str) -> list[list[object]]:
    """Return a row for each program, with its ratios to `base`."""
    one = costs[base]
    return [
        [
            name,
            f"{cost.wall:.2f}",
            f"{cost.cpu:.2f}",
            f"{cost.peak:.0f}",
            f"{cost.wall / one.wall:.2f}",
            f"{cost.cpu / one.cpu:.2f}",
            f"{cost.peak / one.peak:.2f}",
        ]
        for name, cost in costs.items()
    ]


COSTS = ("wall s", "CPU s", "peak MB", "× wall", "× CPU", "× peak")


def table(title: str, heading: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown, the first column left and the others right.

    Examples
    --------
    >>> table("Sizes", ["", "rows"], [["small", 10]])
    <BLANKLINE>
    Sizes
    <BLANKLINE>
    |       | rows |
    |:------|-----:|
    | small |   10 |
    """
    cells = [[str(cell) for cell in row] for row in [heading, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *rest = zip(row, widths, strict=True)
        return " | ".join([f"| {first[0].ljust(first[1])}", *(cell.rjust(width) for cell, width in rest)]) + " |"

    rule = "|".join([f"|:{'-' * (widths[0] + 1)}", *(f"{'-' * (width + 1)}:" for width in widths[1:])]) + "|"
    print(f"\n{title}\n", line(cells[0]), rule, *map(line, cells[1:]), sep="\n", flush=True)


def load() -> str:
    """Say how busy the machine is, for the reader of a table.

    Examples
    --------
    >>> load()  # doctest: +ELLIPSIS
    'load ...'
    """
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
