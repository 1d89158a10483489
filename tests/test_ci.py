"""The GitHub Action and the pre-commit hook: their files are valid, and the commands in them do what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
DOCUMENT = (ROOT / "docs" / "how-to" / "ci.md").read_text()
WORKFLOW, HOOKED = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
MONITOR = "name: {name}\nsource: {{files: data/*.parquet, time_column: day}}\nwindow: {{every: {every}}}\n"


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folder with two tables, and `drift` where the action installs it."""
    program = tmp_path / "temp" / "driftmeter" / "bin" / "drift"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m drift "$@"\n')
    program.chmod(0o755)
    rng = np.random.default_rng(7)
    for name, moved in (("old", 0), ("a new one", 2)):
        table = pd.DataFrame({"fare": rng.normal(moved, 1, 500), "same": rng.normal(0, 1, 500)})
        table.assign(**{"trace x": rng.normal(moved, 1, 500)}).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a runner does where a step says `shell: bash`."""
    known = {"RUNNER_TEMP": "temp", "GITHUB_STEP_SUMMARY": "summary", "GITHUB_OUTPUT": "output"}
    env = os.environ | {name: str(folder / path) for name, path in known.items()} | environment
    env["PYTHONPATH"] = str(ROOT)
    (folder / "step.sh").write_text(script)
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def compare(folder: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the action's last step with its inputs, as a runner fills them in."""
    inputs = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | given
    env = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m[1]], v) for name, v in STEPS[-1]["env"].items()
    }
    return bash(STEPS[-1]["run"], folder, **env)


def test_the_files_are_valid(tmp_path: Path) -> None:
    """The action and the workflow of the document fit GitHub's own schemas."""
    (tmp_path / "workflow.yml").write_text(WORKFLOW)
    for schema, path in (("actions", ROOT / "action.yml"), ("workflows", tmp_path / "workflow.yml")):
        check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.github-{schema}", str(path)]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_no_input_becomes_code() -> None:
    """No script has an expression in it, which would be filled in as text of the script."""
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_the_document_uses_what_there_is() -> None:
    """Its workflow gives inputs that the action has and asks for outputs that it has; its hook exists."""
    steps = yaml.safe_load(WORKFLOW)["jobs"]["compare"]["steps"]
    (step,) = [step for step in steps if "drift@" in step.get("uses", "")]
    required = {name for name, one in ACTION["inputs"].items() if one.get("required")}
    assert required <= step["with"].keys() <= ACTION["inputs"].keys()
    assert {*re.findall(r"steps\.drift\.outputs\.([\w-]+)", WORKFLOW)} == ACTION["outputs"].keys()
    (repository,) = yaml.safe_load(HOOKED)["repos"]
    assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in HOOKS}


def test_the_action_shows_a_summary_and_fails(runner: Path) -> None:
    """The page and the output have the Markdown, each line of `args` is one option, and drift is a failed step."""
    given = {"reference": "old.parquet", "current": "a new one.parquet", "fail-on": "critical"}
    done = compare(runner, given | {"args": "--exclude=trace *\n\n--html=my report.html\n"})
    assert (done.returncode, done.stderr) == (1, "")
    summary = (runner / "summary").read_text()
    assert "1 of 2 features drifted: fare." in summary
    assert "trace x" not in summary
    assert (runner / "my report.html").is_file()
    name, _, path = (runner / "output").read_text().strip().partition("=")
    assert (name, Path(path).read_text()) == ("markdown", summary)


def test_the_action_passes_where_nothing_is_asked(runner: Path) -> None:
    """Without `fail-on` the step reports, and the job goes on."""
    assert compare(runner, {"reference": "old.parquet", "current": "old.parquet"}).returncode == 0
    assert "None of 3 features drifted." in (runner / "summary").read_text()


def test_the_action_fails_where_there_is_nothing_to_compare(runner: Path) -> None:
    """A table that is not there is an error in words, with no summary; a name that looks like code is a name."""
    done = compare(runner, {"reference": "--help", "current": "$(touch owned);`touch owned`"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert not [name for name in ("owned", "summary", "output") if (runner / name).exists()]


def test_the_hook_checks_the_monitors_that_changed(runner: Path) -> None:
    """It takes the files of a folder of monitors, and fails with a problem's file and key."""
    (hook,) = HOOKS
    paths = ["monitors/a.yaml", "jobs/monitors/eu/b.yml", "monitors/a.yaml.txt", "my_monitors/c.yaml", "action.yml"]
    assert [path for path in paths if re.search(hook["files"], path)] == paths[:2]
    (runner / "monitors").mkdir()
    for name, every in (("good", "1d"), ("bad", "often")):
        (runner / "monitors" / f"{name}.yaml").write_text(MONITOR.format(name=name, every=every))
    there = f"{runner / 'temp' / 'driftmeter' / 'bin'}:{os.environ['PATH']}"
    good, bad = (bash(f"{hook['entry']} monitors/{name}.yaml", runner, PATH=there) for name in ("good", "bad"))
    assert (good.returncode, bad.returncode) == (0, 1), good.stderr
    assert "monitors/bad.yaml" in bad.stderr
    assert "window.every" in bad.stderr
