"""The dashboard inside a running Airflow: behind its login, in its navigation, on a DAG's own tab."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.browser.conftest import BUILD, PYTHON, ROOT, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

PATIENCE = 240


def status(address: str) -> int:
    """Return how an address answers a stranger; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return 0


@pytest.fixture(scope="module")
def airflow(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Airflow's pages on the demo's days to the blizzard; yields the address and a password."""
    folder = tmp_path_factory.mktemp("airflow")
    shutil.copy(databases / "blizzard.db", folder / "results.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home, address = folder / "home", f"http://127.0.0.1:{port}/"
    command = [str(PYTHON), "-m", "tests.live.browser.airflow_server", str(home), str(folder / "results.db"), str(port)]
    with (BUILD / "airflow.log").open("w") as log:
        # A session of its own: the server forks workers, which end with it.
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + PATIENCE
            while status(f"{address}api/v2/monitor/health") != 200:
                assert server.poll() is None, (BUILD / "airflow.log").read_text()[-3000:]
                assert time.monotonic() < until, "Airflow does not answer"
                time.sleep(1)
            yield address, json.loads((home / "passwords.json").read_text())["ada"]
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(10)


def test_strangers_see_nothing(airflow: tuple[str, str]) -> None:
    """Without Airflow's login no page and no resource of the dashboard answers."""
    address, _ = airflow
    for path in ("drift/", "drift/monitor?name=flights", "drift/api/v1/monitors", "drift/alerts"):
        assert status(address + path) == 401


def test_from_airflows_login_to_the_evidence(chromium: Any, airflow: tuple[str, str]) -> None:
    """Sign in, open Drift from the menu, go from a monitor to a window of a feature; then the tab of the DAG."""
    address, password = airflow
    # Airflow's own scripts are not ours to judge.
    with opened(chromium, faults=False) as page:
        page.set_default_timeout(60_000)
        page.goto(address)
        page.locator("input[name=username]").fill("ada")
        page.locator("input[name=password]").fill(password)
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/auth/" not in url)
        page.get_by_role("button", name="Browse").click()
        page.get_by_role("menuitem", name="Drift").click()
        ours = page.frame_locator("iframe")
        ours.get_by_role("link", name="flights", exact=True).click()
        ours.locator("select[name=having]").select_option("drifting")
        ours.get_by_role("button", name="Show").click()
        ours.locator("td.s-critical a").first.click()
        ours.locator("svg.histogram").wait_for()
        assert ours.locator("ul.words li").count() >= 2
        assert ours.locator("table.cells tbody tr").count() > 5
        assert "/plugin/drift" in page.url

        page.goto(f"{address}dags/flights")
        page.get_by_role("link", name="Drift", exact=True).click()
        ours = page.frame_locator("iframe")
        ours.locator("#heatmap td a").first.wait_for()
        assert ours.get_by_role("heading", name="flights").is_visible()
        page.screenshot(path=str(ROOT / "docs" / "images" / "airflow.png"))
        ours.get_by_role("link", name="Alerts").first.click()
        ours.locator("h1").filter(has_text="Alerts").wait_for()


def test_an_admin_answers_alerts_there(chromium: Any, airflow: tuple[str, str]) -> None:
    """Who answers is whom Airflow knows: their name stands beside what they silenced, and nobody asks for it."""
    address, password = airflow
    with opened(chromium, faults=False) as page:
        page.set_default_timeout(60_000)
        page.goto(address)
        page.locator("input[name=username]").fill("ada")
        page.locator("input[name=password]").fill(password)
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/auth/" not in url)
        page.goto(f"{address}drift/alerts?state=all")
        page.locator("tbody th a").first.click()
        assert page.get_by_label("Your name").count() == 0
        page.get_by_label("Silence").check()
        page.get_by_label("Comment").fill("a test")
        page.get_by_role("button", name="Answer").click()
        page.get_by_role("button", name="End the silence").wait_for()
        assert "ada" in page.get_by_role("region", name="Silences").inner_text()
