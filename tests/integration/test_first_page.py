"""From data that nobody has described to an alert at a webhook, in at most five commands and without a document."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import sqlalchemy as sa

from tests.support.shop import write_orders
from tests.support.webhook import webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="webhook")
def a_webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook on loopback: its Apprise URL, and what it got."""
    with webhook() as found:
        yield found


@pytest.mark.parametrize("place", ["files", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def test_the_first_page_comes_from_what_each_command_says_next(
    place: str,
    tmp_path: Path,
    webhook: tuple[str, list[dict[str, Any]]],
    request: pytest.FixtureRequest,
) -> None:
    """Init, its export, backfill, run and dashboard: each is the line that was printed before; the drift is paged."""
    url, got = webhook
    orders = write_orders(tmp_path / "data" / "orders", days=16, drifted=2)
    data = ["data/orders"]
    if place == "postgresql":
        server = request.getfixturevalue("postgres_url")
        engine = sa.create_engine(server)
        orders.to_sql("orders", engine, index=False)
        engine.dispose()
        data = [server, "--schema", "public"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFT_")}
    env |= {"DRIFT_ROUTE_OPS": url, "COLUMNS": "160"}

    def drift(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "drift", *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = drift("init", *data)
    monitor = tmp_path / "monitors" / "orders.yaml"
    # What Great Expectations makes of them is tested elsewhere; its import takes longer than all the rest.
    head, _, rest = monitor.read_text().partition("# What holds today")
    monitor.write_text(head + rest[rest.index("alerts:") :])
    typed = [line.strip() for line in said.partition("next:\n")[2].splitlines()]
    assert typed[-1] == "drift dashboard"
    for line in typed[:-1]:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            assert ":postgres@" not in value
            env[name] = data[0]  # the password is for the person to fill in
        else:
            said = drift(*line.split()[1:])
    assert not got  # a backfill notifies nobody
    assert "next: drift run orders " in said
    assert drift("run", "orders").endswith("notifications: 1 sent, 0 to be tried again, 0 given up\n")
    assert len(typed) + 2 <= 5
    text = json.dumps(got)
    assert "payment" in text
    assert "klarna" in text
    assert "order_id" not in text
    assert answers([sys.executable, "-m", "drift", "dashboard", "--port"], tmp_path, env)


def answers(command: list[str], folder: Path, env: dict[str, str]) -> bool:
    """Whether the dashboard, started so, shows the monitor as critical."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], cwd=folder, env=env, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                    text = page.read().decode()
                    return "orders" in text and "critical" in text
            except URLError:
                time.sleep(0.1)
        return False
    finally:
        process.terminate()
        process.wait()
