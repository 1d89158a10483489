"""Servers of a test: each ends, with all that it has started, when the test does, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# A server outlives whoever started it. This shell waits for the end of its input, which comes with the end of the test.
KEEPER = 'cat >/dev/null; kill -TERM "-$0" 2>/dev/null'


@contextmanager
def kept(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server in a session of its own, and yield the id of both."""
    with log.open("ab") as out:
        server = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    keeper = subprocess.Popen(["sh", "-c", KEEPER, str(server.pid)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield server.pid
    finally:
        keeper.communicate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
        kill(server.pid)
        server.wait()


def kill(session: int) -> None:
    """Kill every process of a session, as if its machine were gone; Airflow gives each task a group of its own."""
    listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, check=True).stdout
    for pid in sorted(map(int, listed.split())):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
