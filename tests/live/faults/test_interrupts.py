"""Whoever started a PostgreSQL server for tests is interrupted or killed: the server and its folder go too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STARTS = """
import signal
from tests.support.postgres import started

with started() as server:
    print(server.get_pid(), server.pgdata, flush=True)
    signal.pause()
"""


def runs(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_server_does_not_outlive_its_tests(sent: signal.Signals) -> None:
    """Ctrl-C lets the tests take their server down; from the other two, nothing of theirs runs any more."""
    command = [sys.executable, "-c", STARTS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tests:
        assert tests.stdout
        pid, folder = tests.stdout.readline().split()
        tests.send_signal(sent)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (Path(folder).exists() or runs(int(pid))):
        time.sleep(0.1)
    assert not Path(folder).exists()
    assert not runs(int(pid))
