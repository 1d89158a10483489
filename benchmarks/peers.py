"""What the tools that a user might pick instead take for the same two files.

    python -m benchmarks.peers [--only evidently,nannyml,whylogs,popmon,great_expectations] [--rows 1M] [--repeats 5]
                               [--memory 12] [--folder build/benchmarks]

Each runs in an environment of its own, made from `peers/NAME.txt` when it is first needed, by the script
`peers/run_NAME.py`: its KL divergence for every column or, where it has none, what comes nearest, at the fastest
setting that still answers the question. Whole processes, imports and reading included, in turns with `drift compare`
and with the floor. A peer that cannot be installed, fails, or outgrows its memory is listed with its last words.

Versions are pinned. To raise those of one peer, in `peers/`:

    uv pip compile --no-emit-index-url --no-annotate --no-header --python-version 3.11 --upgrade NAME.in -o NAME.txt
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import Cost, Failed, load, middle, python, run, table
from benchmarks.speed import FLOOR, compare, ready
from benchmarks.workload import FOLDER, Workload, parse, short

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).with_name("peers")

PEERS = {
    "evidently": "Evidently, `ValueDrift` with KL",
    "nannyml": "NannyML, Jensen-Shannon",
    "whylogs": "whylogs, both profiles",
    "popmon": "popmon, stability metrics",
    "great_expectations": "Great Expectations, KL expectation",
}


def environment(peer: str, folder: Path) -> Path:
    """Return the interpreter of a peer's environment, installed if it is not there or its versions have changed.

    Raises
    ------
    Failed
        If it cannot be installed.
    """
    place, wanted = folder / "environments" / peer, HERE / f"{peer}.txt"
    interpreter, done = place / "bin" / "python", place / "installed.txt"
    if done.exists() and done.read_text() == wanted.read_text():
        return interpreter
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    print(f"installing {peer} into {place}", file=sys.stderr)
    if uv:
        commands = [[uv, "venv", "--clear", "--python", sys.executable, str(place)]]
        commands += [[uv, "pip", "install", "--python", str(interpreter), "--requirement", str(wanted)]]
    else:
        commands = [[sys.executable, "-m", "venv", "--clear", str(place)]]
        commands += [[str(interpreter), "-m", "pip", "install", "--quiet", "--requirement", str(wanted)]]
    for command in commands:
        done_one = subprocess.run(command, capture_output=True, text=True, check=False)
        if done_one.returncode:
            raise Failed(f"cannot be installed: {(done_one.stderr.strip().splitlines() or ['no word of why'])[-1]}")
    done.write_text(wanted.read_text())
    return interpreter


def limited(command: Sequence[str | Path], gigabytes: float) -> list[str | Path]:
    """Return a command that may take so much address space and no more."""
    return ["sh", "-c", 'ulimit -v "$0" && exec "$@"', str(int(gigabytes * 1e6)), *command]


def main(argv: Sequence[str] | None = None) -> None:
    """Print every peer beside Drift."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(PEERS), help="peers, separated by commas")
    parser.add_argument("--rows", type=parse, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=float, default=12, help="GB of address space that a peer may take")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where workloads and environments are kept")
    options = parser.parse_args(argv)
    paths = ready(Workload(options.rows), options.folder)
    commands = {"floor: PyArrow decodes every column": python(FLOOR, *paths), "`drift compare A B`": compare(*paths)}
    failed: dict[str, str] = {}
    for peer in options.only.split(","):
        try:
            interpreter = environment(peer, options.folder)
        except Failed as error:
            failed[PEERS[peer]] = str(error)
            continue
        commands[PEERS[peer]] = limited([interpreter, HERE / f"run_{peer}.py", *paths], options.memory)
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for i in range(options.repeats + 1):
        for name in [name for name in commands if name not in failed]:
            try:
                cost = run(commands[name])
            except Failed as error:
                failed[name] = str(error)
                continue
            if i:
                costs[name].append(cost)
                print(f"{name}: {cost.wall:.1f} s, {cost.peak:.0f} MB", file=sys.stderr)
    medians = {name: middle(found) for name, found in costs.items() if found}
    ours = medians["`drift compare A B`"]
    rows: list[list[object]] = []
    for name, cost in medians.items():
        ratios = [cost.wall / ours.wall, cost.cpu / ours.cpu, cost.peak / ours.peak]
        rows.append(
            [name, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak:.0f}", *(f"{ratio:.1f}" for ratio in ratios)]
        )
    table(
        f"{short(options.rows)} + {short(options.rows)} rows × 50 columns, medians of {options.repeats} ({load()})",
        ["", "wall s", "CPU s", "peak MB", "× Drift's wall", "× CPU", "× peak"],
        rows,
    )
    for name, why in failed.items():
        print(f"\n{name}: {why}")


if __name__ == "__main__":
    main()
