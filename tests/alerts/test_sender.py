"""The process that sends: what it answers, and that it ends by itself."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

from tests.support.notification_samples import SECRET, Row


def ask(url: str, timeout: float) -> str:
    """Write a message as the sender takes it."""
    due = Row()
    message = {"url": url, "timeout": timeout, "payload": dict(due.payload), "id": due.id}
    return json.dumps(message | {"title": due.title, "body": due.body}) + "\n"


def test_its_own_alarm_ends_it() -> None:
    """Nobody has to kill it: when a message's time is over it is gone, though its parent has stopped to listen."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = ask(f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=0.2&cto=0.2", 30)
        with subprocess.Popen(
            [sys.executable, "-m", "drift.alerts.sender"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            began = time.monotonic()
            said, _ = process.communicate(line)
    assert json.loads(said.splitlines()[0]) == {"late": "json: no answer within 0.4 s"}
    assert process.returncode in {0, -signal.SIGALRM}
    assert time.monotonic() - began < 20


def test_it_answers_each_message_without_the_url() -> None:
    """One that cannot be sent is said so, in a line of its own, and the next is taken."""
    lines = ask(f"slack://{SECRET}", 1) + ask(f"no url {SECRET}", 1)
    command = [sys.executable, "-m", "drift.alerts.sender"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    assert ["Apprise cannot read" in line for line in done.stdout.splitlines()] == [True, True]
    assert SECRET not in done.stdout + done.stderr
