"""The demo, whole: the README's first command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, after the installation."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DRIFT_", "AIRFLOW"))}
    return subprocess.run(
        [sys.executable, "-m", "drift", "demo", "--folder", str(folder)],
        env=env | {"COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demo that has run once, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_demo_finds_the_blizzard(first: tuple[Path, str]) -> None:
    """It ends with the table, the alert as received and what to type next."""
    folder, said = first
    for expected in ("flights 2013-02-08: critical", "dep_delay", "missing rose from", "What next"):
        assert expected in said
    (letter,) = (folder / "inbox").glob("*.json")
    message = json.loads(letter.read_text())["message"]
    assert "dep_delay" in message
    # One incident, with the flights that never left and the airports at which they did not.
    assert (
        "1 incident since 2013-02-08: 3 features, all because of missing values, alike in every origin: EWR, JFK, LGA"
        in " ".join(message.split())
    )


@pytest.mark.slow
def test_a_second_demo_ends_alike(first: tuple[Path, str]) -> None:
    """Running it again says the same, and sends nothing."""
    folder, said = first
    letters = sorted((folder / "inbox").glob("*.json"))
    second = demo(folder)
    assert second.returncode == 0, second.stdout + second.stderr

    def table(text: str) -> str:
        return text[text.index("flights 2013-02-08: critical") : text.index("What next")]

    assert table(second.stdout) == table(said)
    assert sorted((folder / "inbox").glob("*.json")) == letters


def test_without_airflow_the_demo_says_so_and_ends_alike(
    first: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever installed the core alone sees the blizzard too: what is missing is named, the alert goes into a file."""
    from drift.cli import demo as module

    monkeypatch.setattr(module, "installed", lambda _: "")
    # What is unpacked already is not again, and fewer days beforehand are enough.
    (tmp_path / "demo").mkdir()
    for name in ("warehouse.db", "flights"):
        (tmp_path / "demo" / name).symlink_to(first[0] / name)
    monkeypatch.setattr(module, "FIRST", date(2013, 1, 25))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    module.demo(tmp_path / "demo")
    out = capsys.readouterr().out
    for expected in ("Airflow is not installed", "Great Expectations is not installed", "2013-02-08: critical"):
        assert expected in out
    (letter,) = (tmp_path / "demo" / "inbox").glob("*.json")
    assert "dep_delay" in letter.read_text()


def test_airflow_finds_its_own_command(tmp_path: Path) -> None:
    """Standalone starts its parts as `airflow`: the environment's folder stands first on the path."""
    from drift.cli.demo import standalone_environment

    path = standalone_environment(tmp_path, "json://127.0.0.1:9/", 8080)["PATH"]
    assert (Path(path.split(os.pathsep)[0]) / "airflow").exists()
