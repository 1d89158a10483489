"""Senders that are killed at random; `tests/integration/test_delivery.py` runs them in a process without threads.

Each is a fork of this process, which has everything imported, and lives long enough for what it sends by to start.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from drift.alerts.channels import send_to
from drift.alerts.delivery import deliver
from drift.alerts.messages import trial
from drift.errors import NotifyError
from drift.store.store import Store

BASE = datetime(2026, 11, 22, 8, tzinfo=UTC)
FASTER = 600
"""A second of the test is ten minutes of the senders': leases, pauses and breakers run out while it lasts."""


def now(began: float) -> datetime:
    """Return the time of the senders."""
    return BASE + timedelta(seconds=FASTER * (time.monotonic() - began))


def send(database: str, urls: dict[str, str], began: float, ready: int) -> None:
    """Deliver until somebody kills this process."""
    with Store.open(database) as store:
        os.write(ready, b".")
        while True:
            deliver(store, now(began), urls.__getitem__, timeout=2)
            time.sleep(0.02)


def main() -> None:
    """Write messages, start senders and kill them; then let one finish. Says what happened as JSON."""
    asked = json.loads(sys.argv[1])
    database, urls, routes = asked["database"], asked["urls"], asked["routes"]
    rng, began, wrote, revived = random.Random(asked["seed"]), time.monotonic(), 0, 0  # noqa: S311 - it is a test
    ids: dict[str, list[str]] = {route: [] for route in urls}
    with suppress(NotifyError):
        send_to(urls["gone"], trial("first", "gone", by="test", now=BASE), timeout=5)
    start = time.monotonic() - began
    for _ in range(asked["kills"]):
        with Store.open(database) as store:
            owed = [trial(f"m{wrote}-{route}", route, by="test", now=now(began)) for route in urls]
            wrote += 1
            store.save_alerts([], [], owed)
        for message in owed:
            ids[message.route].append(message.id)
        waits, ready = os.pipe()
        child = os.fork()
        if not child:
            try:
                send(database, urls, began, ready)
            finally:
                os._exit(1)
        os.close(ready)
        os.read(waits, 1)
        os.close(waits)
        time.sleep(start * rng.uniform(1.0, 4.0))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, "a sender ended by itself"
    sys.stdout.write("KILLED\n")
    sys.stdout.flush()
    sys.stdin.readline()
    until = time.monotonic() + asked["patience"]
    with Store.open(database) as store:
        while time.monotonic() < until:
            deliver(store, now(began), urls.__getitem__, timeout=2)
            left = [row for row in store.notifications(["pending", "dead"]) if row["route"] in routes]
            if not left:
                break
            # As a person does who reads `drift alerts undelivered`.
            revived += sum(store.retry_notifications(now(began), row["id"]) for row in left if row["state"] == "dead")
            time.sleep(0.1)
        counts = store.outbox_counts()
    sys.stdout.write(json.dumps({"ids": ids, "counts": counts, "revived": revived}))


if __name__ == "__main__":
    main()
