"""Processes that are killed with SIGKILL in the middle of a scene, and the retry; `test_kills.py` runs them.

Each is a fork of this process, which has everything imported and no thread. Where to die is found from outside the
code: by SQLAlchemy's events (before and after each statement, at each begin, commit and rollback) and by Python's
profiler (at each call of a stage or of the store, and at its return, which is after the commit).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from drift.pipeline import evaluate, notify
from drift.pipeline import run as runs
from drift.store import store
from tests.live.faults import work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.faults.work import Setting

STAGES = {module.__file__ for module in (notify, evaluate, runs, store)}


AIMED = {"save_baseline", "save_gate", "save_profile", "save_report", "save_alerts", "save_run_finished"}
"""The store's methods between which a scene is half done: each is a transaction."""


HUNG = 600
"""Seconds after which a scene hangs rather than being slow: each takes a second or two of work."""


class Points:
    """Counts the points a process passes, and kills it at one of them; `aimed` are those around whole transactions."""

    def __init__(self, last: int | None, *, aimed: bool = False) -> None:
        self.passed, self.last, self.aimed = 0, last, aimed

    def __call__(self, *_: Any, **__: Any) -> None:
        """Pass a point."""
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1

    def profile(self, frame: Any, event: str, _argument: Any) -> None:
        """Pass a point where a stage begins or ends."""
        code = frame.f_code
        if self.aimed:
            here = code.co_name in AIMED and "connection" in code.co_varnames[: code.co_argcount]
        else:
            here = code.co_filename in STAGES and code.co_name[0] not in "_<"
        if event in {"call", "return"} and here:
            self()

    def context(self) -> None:
        """Begin."""
        for name in (
            () if self.aimed else ("before_cursor_execute", "after_cursor_execute", "begin", "commit", "rollback")
        ):
            sa.event.listen(sa.Engine, name, self)
        sys.setprofile(self.profile)


def forked(
    scene: Callable[[Setting], None],
    setting: Setting,
    *,
    last: int | None = None,
    after: float = 0,
    aimed: bool = False,
    counted: bool = False,
) -> int | None:
    """Play a scene in a fork, killed at a point or after some seconds; return the points it passed, None if killed.

    Points are passed where they are counted or one of them kills: the profiler costs as much as the scene.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(HUNG)
            os.close(read)
            points = Points(last, aimed=aimed)
            if counted or last is not None:
                points.context()
            scene(setting)
            sys.setprofile(None)
            os.write(write, str(points.passed).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    if after:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"a scene failed by itself: {scene.__name__}")
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        raise SystemExit(f"a scene hangs: {scene.__name__}")
    return int(said) if said else None


class Copies:
    """Copies of one database: a file, or a PostgreSQL database made from a template."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base, self.folder = sa.make_url(base), folder
        self.sqlite = self.base.get_backend_name() == "sqlite"
        self.admin = (
            None
            if self.sqlite
            else sa.create_engine(
                self.base.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
            )
        )

    def run(self, statement: str) -> None:
        """Do something to whole databases."""
        assert self.admin is not None
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def make(self, source: str | None = None) -> str:
        """Return the URL of a copy, of the base or of another copy."""
        name = f"copy_{uuid.uuid4().hex}"
        original = sa.make_url(source) if source else self.base
        if self.sqlite:
            path = self.folder / f"{name}.db"
            for ending in ("", "-wal"):
                if Path(f"{original.database}{ending}").exists():
                    shutil.copyfile(f"{original.database}{ending}", f"{path}{ending}")
            return f"sqlite:///{path}"
        self.run(f'CREATE DATABASE {name} TEMPLATE "{original.database}"')
        return self.base.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Forget a copy."""
        name = sa.make_url(url).database
        if self.sqlite:
            for ending in ("", "-wal", "-shm"):
                Path(f"{name}{ending}").unlink(missing_ok=True)
        else:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def main() -> None:
    """Play what is asked for on stdin's terms, and say as JSON how often processes died and what was wrong after."""
    asked = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for line in played(asked, Path(folder)):
            print(json.dumps(line), flush=True)  # noqa: T201 - that is how it answers


def played(asked: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Play each scene: once undisturbed, once for each point, once for each seed."""
    if asked["gated"]:
        # The first gate imports Great Expectations: once, here, and not in every fork.
        import great_expectations as _  # noqa: F401
    source = work.write_source(folder / "source.db")
    copies = Copies(asked["base"] or f"sqlite:///{folder / 'base.db'}", folder)
    for name in asked["scenes"]:
        scene, before = work.SCENES[name]
        base = copies.make()
        start = work.Setting(base, source, gated=asked["gated"])
        for each in before:
            forked(each, start)
        calm = copies.make(base)
        began = time.monotonic()
        points = forked(scene, replace(start, results=calm), aimed=asked["aimed"], counted=True)
        took = time.monotonic() - began
        assert points is not None
        expected = work.contents(calm)
        once = {"scene": name, "points": points, "tried": 0, "killed": 0, "rows": 0, "wrong": []}
        for point in work.sliced(points, asked["most"]):
            _trial(copies, start, scene, expected, once, [point], [], aimed=asked["aimed"])
        for seed in asked["seeds"]:
            rng = random.Random(seed)  # noqa: S311 - it is a test
            delays = [rng.uniform(0.001, took * 1.1) for _ in range(rng.randint(1, 3))]
            _trial(copies, start, scene, expected, once, [], delays)
        yield once
        copies.drop(calm)
        copies.drop(base)


def _trial(
    copies: Copies,
    start: Setting,
    scene: Callable[[Setting], None],
    expected: dict[str, list[str]],
    told: dict[str, Any],
    points: list[int],
    delays: list[float],
    *,
    aimed: bool = False,
) -> None:
    """Kill a process at each of some points or moments, one after the other; then let one finish, and compare."""
    results = copies.make(start.results)
    setting = replace(start, results=results)
    told["tried"] += 1
    for point in points:
        told["killed"] += forked(scene, setting, last=point, aimed=aimed) is None
    for delay in delays:
        told["killed"] += forked(scene, setting, after=delay) is None
    forked(scene, replace(setting, now=work.RETRIED))
    found = work.contents(results)
    told["rows"] += sum(map(len, found.values()))
    wrong = work.differences(expected, found)
    if wrong:
        told["wrong"].append({"points": points, "delays": delays, "differences": wrong[:4]})
    copies.drop(results)


if __name__ == "__main__":
    main()
