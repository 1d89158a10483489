"""Many runs at once, each a process: run by `tests/live/faults/test_crowds.py` and `benchmarks/load.py`.

All are forks of this process, which has everything imported; they wait at a gate and start together.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING

from drift.config.monitor import parse_monitor
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.live.faults import work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def together(jobs: Sequence[Callable[[], None]]) -> tuple[list[str], list[float]]:
    """Do each job in a process of its own, all at once; return what failed, and how long each took."""
    gate, opened = os.pipe()
    children = []
    for job in jobs:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            said = ""
            try:
                os.close(opened)
                os.read(gate, 1)
                began = time.monotonic()
                job()
                said = f"{time.monotonic() - began}"
            except BaseException:  # noqa: BLE001 - told to the parent
                said = "!" + traceback.format_exc()
            finally:
                os.write(write, said.encode()[:60_000])
                os._exit(0)
        os.close(write)
        children.append((child, read))
    os.close(gate)
    os.close(opened)
    failures, seconds = [], []
    for child, read in children:
        with os.fdopen(read) as told:
            said = told.read()
        os.waitpid(child, 0)
        if not said or said.startswith("!"):
            failures.append(said or "died")
        else:
            seconds.append(float(said))
    return failures, seconds


def named(setting: work.Setting, name: str) -> Context:
    """Open the monitor under another name."""
    text = work.MONITOR.replace("name: flights", f"name: {name}")
    return Context.of(parse_monitor(text), Store.open(setting.results), lambda _name: setting.source)


def run(setting: work.Setting, name: str, number: int) -> None:
    """Run a day of a monitor."""
    context = named(setting, name)
    with context.store:
        runs.run_window(context, work.day(context, number), clock=setting.clock)


def main() -> None:
    """Do what is asked for, and say as JSON what failed."""
    asked = json.loads(sys.argv[1])
    setting = work.Setting(asked["results"], asked["source"])
    jobs = [lambda name=name, number=number: run(setting, name, number) for name, number in asked["runs"]]
    failures, seconds = together(jobs)
    print(json.dumps({"failures": failures, "seconds": sorted(seconds)}))  # noqa: T201 - that is how it answers


if __name__ == "__main__":
    main()
