"""The command line, each time in a process of its own: one forked where everything has been imported already.

Importing takes longer (1.4 s) than what most commands do, and the tests run more than a hundred of them.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Drift = Callable[..., subprocess.CompletedProcess[str]]

LIBRARIES = [
    *("alembic.command", "great_expectations.expectations.core", "pyarrow.dataset", "scipy.special", "scipy.stats"),
    *("sqlalchemy.dialects.sqlite", "sqlglot.generators.sqlite", "sqlglot.parsers.sqlite"),
]


def runner(folder: Path, **environment: str) -> Drift:
    """Return what runs `drift` in a folder.

    With DRIFT_TEST_AUDIT, a file's name, in the environment its process writes there what it opens and starts.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFT_")}
    env |= {
        "DRIFT_DATABASE": f"sqlite:///{folder / 'drift.db'}",
        "DRIFT_MONITORS": str(folder / "monitors"),
        "DRIFT_CONNECTION_WAREHOUSE": f"sqlite:///{folder / 'warehouse.db'}",
        "COLUMNS": "160",
        **environment,
    }

    def run(*arguments: str, log: str = "") -> subprocess.CompletedProcess[str]:
        server = _server()
        assert server.stdin
        assert server.stdout
        with tempfile.TemporaryDirectory() as streams:
            server.stdin.write(json.dumps([arguments, env | {"DRIFT_LOG": log}, str(folder), streams]) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            wrote = [(Path(streams) / name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(["drift", *arguments], code, *wrote)

    return run


@cache
def _server() -> subprocess.Popen[str]:
    # By its path, and with no package: so the command calls itself `drift` in its help.
    command = [sys.executable, "-P", __file__]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Fork for each line of stdin; the child runs the command and ends as any process does."""
    ended: list[int] = []
    # Registered first, so called last: what is left is to free all that was imported, longer than most commands take.
    atexit.register(lambda: [os._exit(code) for code in ended])
    import drift
    from drift.cli.app import main

    package = Path(drift.__file__).parent
    modules = (".".join(path.relative_to(package.parent).with_suffix("").parts) for path in package.rglob("*.py"))
    for module in (*LIBRARIES, *modules):
        if not module.startswith(("drift.__main__", "drift.airflow")):
            import_module(module)
    gc.freeze()  # A child neither looks through what was imported, nor copies it.
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            break
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()
    else:
        return
    arguments, env, folder, streams = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(streams) / name, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["drift", *arguments]
    if "DRIFT_TEST_AUDIT" in env:
        _audit(os.open(env["DRIFT_TEST_AUDIT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    try:
        main()
    except SystemExit as end:
        ended.append(int(end.code or 0))
    else:
        ended.append(0)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _audit(log: int) -> None:
    """Write to a file what this process opens, starts and connects to."""

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_AUDITED):
            os.write(log, f"{event} {arguments[:2]!r}\n".encode(errors="replace"))

    sys.addaudithook(heard)


_AUDITED = (
    *("open", "os.exec", "os.fork", "os.posix_spawn", "os.system"),
    *("socket.connect", "sqlite3.connect", "subprocess.Popen"),
)


if __name__ == "__main__":
    _serve()
