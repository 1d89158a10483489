"""Where the CPU of `drift compare` goes, by stage: one process, one thread, under Python's profiler.

    OMP_NUM_THREADS=1 python -m benchmarks.stages REFERENCE CURRENT

Prints CPU seconds by stage as JSON, which add up to what the process has taken. A function of ours counts for its
stage, by `STAGES`, with all it calls of other libraries. The profiler slows what makes many small calls, importing
above all; it is the shares that matter.
"""

from __future__ import annotations

import cProfile
import json
import os
import sys
import time
from concurrent import futures
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent

START = "imports and start"
SORTING = "sorting"
OTHER = "between them"
STAGES: tuple[tuple[str, str, str], ...] = (
    ("decoding", "sources/", ""),
    ("pairs of columns", "profiles/kinds", "integers"),
    ("labels of texts", "profiles/kinds", "to_labels to_codes _encoded texts words"),
    ("labels of texts", "profiles/counting", "count_labels"),
    ("labels of texts", "profiles/numerals", ""),
    ("labels of texts", "profiles/parallel", "_joined"),
    ("missing values, and views of numbers", "profiles/kinds", ""),
    ("missing values, and views of numbers", "profiles/counting", "add rest"),
    ("counting into cells", "profiles/binning", ""),
    ("counting into cells", "profiles/counting", ""),
    ("mean, variance, extremes, zeros", "profiles/histograms", ""),
    ("sampling", "profiles/sampling", ""),
    ("pairs of columns", "profiles/pair", ""),
    ("pairs of columns", "profiles/coarse", ""),
    ("pairs of columns", "profiles/parallel", "stream codes"),
    ("pairs of columns", "detection/relationships", ""),
    ("pairs of columns", "statistics/dependence", ""),
    ("bins, and values that recur", "profiles/fitting", ""),
    ("bins, and values that recur", "profiles/heavy_hitters", ""),
    ("scores and verdicts", "detection/", ""),
    ("scores and verdicts", "statistics/", ""),
    ("scores and verdicts", "profiles/refinement", ""),
    ("the report", "cli/", ""),
    ("the report", "text/", ""),
    (OTHER, "", ""),
)
"""Of which stage a function is: the first that names its module, and it where any are named."""

Function = tuple[str, int, str]


class Inline(futures.Executor):
    """A pool that works where it is asked to."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> futures.Future[Any]:
        """Do it."""
        done: futures.Future[Any] = futures.Future()
        done.set_result(function(*arguments, **named))
        return done


def stage_of(function: Function) -> str | None:
    """Return the stage that a function belongs to; None for other libraries', which belong to whoever calls them.

    Examples
    --------
    >>> stage_of((str(ROOT / "drift/profiles/sampling.py"), 60, "_add"))
    'sampling'
    >>> stage_of(("~", 0, "<method 'sort' of 'numpy.ndarray' objects>")), stage_of(("re.py", 1, "compile"))
    ('sorting', None)
    """
    file, _, name = function
    if name == "<module>" or "importlib" in file:
        return START
    if file == "~" and "sort' of 'numpy" in name:
        return SORTING
    ours = file.removeprefix(f"{ROOT}/drift/")
    if ours == file:
        return None
    return next(
        stage for stage, module, names in STAGES if ours.startswith(module) and (not names or name in names.split())
    )


def by_stage(stats: dict[Function, Any]) -> dict[str, float]:
    """Add up the functions' own seconds by stage, of what `cProfile` has found."""
    known: dict[Function, dict[str, float]] = {}

    def shares(function: Function) -> dict[str, float]:
        if function not in known:
            stage = stage_of(function)
            # Meanwhile, should it lead back to itself, nothing.
            known[function] = {stage: 1.0} if stage else {}
            if not stage:
                found: dict[str, float] = {}
                for caller, cost in stats[function][4].items():
                    for name, share in shares(caller).items():
                        found[name] = found.get(name, 0) + share * cost[3]
                total = sum(found.values())
                known[function] = {name: part / total for name, part in found.items()} if total else {OTHER: 1.0}
        return known[function]

    spent: dict[str, float] = {}
    for function, (_, _, own, _, callers) in stats.items():
        parts = {caller: cost[2] for caller, cost in callers.items()} if callers and not stage_of(function) else {}
        for source, seconds in (parts or {function: own}).items():
            for stage, share in (shares(source) or {OTHER: 1.0}).items():
                spent[stage] = spent.get(stage, 0) + seconds * share
    return spent


def main() -> None:
    """Compare two files, and print seconds by stage."""
    vars(futures)["ThreadPoolExecutor"] = Inline
    started, profile = time.process_time(), cProfile.Profile()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        profile.enable()
        from drift.cli.app import main as drift

        sys.argv[1:1] = ["compare"]
        try:
            drift()
        except SystemExit as end:
            if end.code:
                raise
        profile.disable()
    profile.create_stats()
    spent = by_stage(profile.stats)
    spent[START] += started
    scale = time.process_time() / sum(spent.values())
    print(json.dumps({stage: seconds * scale for stage, seconds in spent.items()}))


if __name__ == "__main__":
    main()
