"""Standard output that is full or whose reader has gone, and inputs that are not files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [["schema"], ["--help"], ["alerts", "list", "--help"], ["check", "--json", "m.yaml"]]
DRIFT = [sys.executable, "-m", "drift"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_no_fault(command: list[str], tmp_path: Path) -> None:
    """A command ends as it would have, without a word."""
    (tmp_path / "m.yaml").write_text("name: m\nsource: {files: a.parquet, time_column: t}\nwindow: {every: 1d}\n")
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as closed:
        done = subprocess.run([*DRIFT, *command], stdout=closed, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_said(command: list[str], tmp_path: Path) -> None:
    """One line on standard error, and exit code 2."""
    (tmp_path / "m.yaml").write_text("name: m\nsource: {files: a.parquet, time_column: t}\nwindow: {every: 1d}\n")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*DRIFT, *command], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == ["error: [Errno 28] No space left on device"]


def test_a_pipe_and_an_empty_folder_are_no_monitors(tmp_path: Path) -> None:
    """`drift check` waits for nobody, and has not checked what is not there."""
    os.mkfifo(tmp_path / "m.yaml")
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [*DRIFT, "check", "m.yaml", "empty"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "is a pipe, not a file" in done.stderr
    assert "empty: holds no monitor file" in done.stderr


def test_an_error_is_json_where_logs_are(tmp_path: Path) -> None:
    """Whoever reads the log by machine reads the error, too."""
    env = {**os.environ, "DRIFT_LOG": "json"}
    command = [*DRIFT, "run", "none.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 2
    assert [json.loads(line)["level"] for line in done.stderr.splitlines()] == ["error"]
