"""A server for each database, and a browser: only where `make test-browser` asks for them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "browser"
PYTHON = ROOT / ".venv" / "bin" / "python"
CHROMIUM = os.environ.get("DRIFT_BROWSER", "")
TOKEN = "browser tests only"

# Without a browser these are not even imported: Playwright is not among Drift's own dependencies, nor Drift among
# those of the environment that has it.
collect_ignore_glob = ["data.py", "airflow_server.py"] if CHROMIUM else ["test_*.py"]


@pytest.fixture(scope="session")
def databases() -> Path:
    """The folder of the databases."""
    folder = BUILD / "data"
    subprocess.run([str(PYTHON), "-m", "tests.live.browser.data", str(folder)], cwd=ROOT, check=True)
    return folder


@contextmanager
def served(database: Path, *options: str) -> Iterator[str]:
    """Serve a database; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(PYTHON), "-m", "drift", "dashboard", "--port", str(port), "--database", f"sqlite:///{database}"]
    server = subprocess.Popen([*command, "--monitors", str(database.parent), *options], cwd=ROOT)
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                    break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def _server(name: str, *options: str) -> Any:
    @pytest.fixture(scope="session", name=name)
    def serve(databases: Path) -> Iterator[str]:
        with served(databases / f"{name}.db", *options) as address:
            yield address

    return serve


year, blizzard, answered, hostile, empty = map(_server, ("year", "blizzard", "answered", "hostile", "empty"))


@pytest.fixture(scope="session")
def guarded(databases: Path) -> Iterator[str]:
    """The year, behind a token."""
    with served(databases / "year.db", "--token", TOKEN) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page of its own; what goes wrong in it fails the test."""
    with opened(chromium) as fresh:
        yield fresh


@contextmanager
def opened(chromium: Any, *, faults: bool = True, **options: Any) -> Iterator[Any]:
    """Open a page; afterwards it must have had no error and asked no other host for anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850}, **options)
    fresh = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    fresh.on("pageerror", lambda error: wrong.append(str(error)))

    def dismissed(dialog: Any) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    fresh.on("dialog", dismissed)
    fresh.on("request", lambda request: asked.append(request.url))
    yield fresh
    context.close()
    if faults:
        assert wrong == []
        assert [each for each in asked if not each.startswith(("data:", "blob:", "http://127.0.0.1:"))] == []
