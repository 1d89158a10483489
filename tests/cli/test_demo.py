"""The demo, whole: the README's first command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.airflow]


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


def test_the_demo_finds_the_blizzard_twice_alike(tmp_path: Path) -> None:
    """It ends with the table, the alert as received and what to type next; a second run ends in the same state."""
    first = demo(tmp_path / "demo")
    assert first.returncode == 0, first.stdout + first.stderr
    for expected in ("flights 2013-02-08: critical", "dep_delay", "missing rose from", "What next"):
        assert expected in first.stdout
    letters = sorted((tmp_path / "demo" / "inbox").glob("*.json"))
    contents = [json.loads(letter.read_text()) for letter in letters]
    assert len(contents) == 1
    assert "dep_delay" in contents[0]["message"]
    second = demo(tmp_path / "demo")
    assert second.returncode == 0, second.stdout + second.stderr

    def table(text: str) -> str:
        return text[text.index("flights 2013-02-08: critical") : text.index("What next")]

    assert table(second.stdout) == table(first.stdout)
    assert sorted((tmp_path / "demo" / "inbox").glob("*.json")) == letters


def test_without_airflow_the_demo_says_so_and_ends_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever installed the core alone sees the blizzard too: what is missing is named, the alert goes into a file."""
    from drift.cli import demo as module

    monkeypatch.setattr(module, "installed", lambda _: "")
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
