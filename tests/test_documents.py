"""The documents: they name what there is, and what is written by the program itself lacks no description."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from functools import cache
from pathlib import Path
from runpy import run_path
from typing import get_args

import pytest

from docs import generated
from drift.alerts.alerts import State, Transition
from drift.config.alerts import AlertKind
from drift.config.monitor import json_schema, parse_monitor
from drift.detection.findings import FindingKind
from drift.detection.reports import Gate
from drift.detection.scores import Gap, ReportStatus, Severity, Status

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted([DOCS.parent / "README.md", *DOCS.glob("*/*.md")])
SHORTEST = 'name: m\nsource: {files: "f/*.parquet", time_column: day}\nwindow: {every: 1d}\n'


@cache
def commands() -> dict[str, str]:
    """Each command, and what the reference says of it."""
    parts = re.split(r"^#+ `drift (.+)`$", generated.command_line(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_argument_and_option_is_described() -> None:
    """In a sentence or more, in the help and so in the reference."""
    assert {"compare", "init", "run", "alerts silence", "db upgrade", "baseline fit"} <= commands().keys()
    for name, text in commands().items():
        assert re.match(r"\s*[A-Z]", text), name
        named = re.findall(r"^\* `(.+?)`(.*)$", text, re.MULTILINE)
        assert named, name
        assert [option for option, said in named if not re.match(r": [A-Z].{7}", said)] == [], name


def test_every_key_of_a_monitor_is_in_the_reference() -> None:
    """With what it takes and what it means."""
    schema = json_schema()
    written = generated.monitor_keys(schema)
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| .* \| (.*) \|$", written, re.MULTILINE)
    known = [key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})]
    assert sorted(key for key, _, _ in rows) == sorted(known)
    assert [row for row in rows if not row[1] or not row[2]] == []
    assert {f"#{name.lower()}" for name in schema["$defs"]} == set(re.findall(r"\((#\w+)\)", written))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Status of a feature", (*get_args(Status), *get_args(Severity))),
        ("Status of a window", get_args(ReportStatus)),
        ("Validation", get_args(Gate)),
        ("Findings", get_args(FindingKind)),
        ("Kinds of alerts", get_args(AlertKind)),
        ("States of an alert", get_args(State)),
        ("Events of an alert", get_args(Transition)),
        ("What keeps a comparison from an answer", tuple(Gap)),
    ],
)
def test_every_word_is_described(title: str, words: tuple[str, ...]) -> None:
    """Of statuses, findings, kinds and events, no more and no fewer."""
    section = (DOCS / "reference" / "words.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    first = "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    assert set(re.findall(r"`([\w-]+)`", first)) <= set(words)
    assert [word for word in words if f"`{word}`" not in section] == []


def test_every_metric_is_described() -> None:
    """The reference has the names that the code has."""
    served = (DOCS.parent / "drift" / "dashboard" / "api" / "metrics.py").read_text()
    described = re.findall(r"^\| `(\w+)` \|", (DOCS / "reference" / "metrics.md").read_text(), re.MULTILINE)
    assert set(described) == set(re.findall(r'"(drift_\w+)"', served))


def test_every_public_name_is_in_the_reference() -> None:
    """Those of `drift` by name, those of its packages by the package; each has a docstring."""
    page = (DOCS / "reference" / "api.md").read_text()
    for package in ("drift", "drift.statistics", "drift.dashboard"):
        module = importlib.import_module(package)
        public = [name for name in module.__all__ if not name.startswith("__")]
        assert [name for name in public if not getattr(module, name).__doc__] == []
        listed = set(re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", page, re.MULTILINE))
        assert f".. automodule:: {package}\n" in page or listed >= set(public), package
    assert ".. automodule:: drift.airflow\n" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_that_a_page_shows_exist(page: Path) -> None:
    """With their options."""
    text = re.sub(r"\\\n\s*", "", page.read_text())
    fenced = re.findall(r"^```(.*)\n((?s:.*?))^```", text, re.MULTILINE)
    shell = "".join(block for language, block in fenced if language in {"", "sh", "console"})
    for line in re.findall(r"^(?:\$ )?(drift [a-z].*)", shell, re.MULTILINE):
        words = shlex.split(line.partition("&&")[0], comments=True)[1:]
        name = " ".join(words[:2]) if " ".join(words[:2]) in commands() else words[0]
        assert name in commands(), line
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        known = re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", commands()[name])
        assert options <= {*known, "--help", "-h"}, line


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_the_parts_of_monitors_that_a_page_shows_load(page: Path) -> None:
    """A reader can paste them."""
    for part in re.findall(r"^```yaml fragment\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        keys = set(re.findall(r"^\w+:", part, re.MULTILINE))
        parse_monitor("".join(line for line in SHORTEST.splitlines(True) if line.split()[0] not in keys) + part)


def test_the_notebook_runs_and_finds_what_it_says(tmp_path: Path) -> None:
    """Each cell, one after the other; it is kept without its results, which the site shows."""
    cells = json.loads((DOCS / "tutorial" / "compare.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)
    code = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    for number, cell in enumerate(code):  # A last line that is an expression is what a cell shows.
        if isinstance(cell.body[-1], ast.Expr):
            cell.body[-1] = ast.Assign([ast.Name(f"shown_{number}")], cell.body[-1].value, lineno=0)
    script = tmp_path / "compare.py"
    script.write_text("\n".join(ast.unparse(cell) for cell in code))
    shown = run_path(str(script))
    report = shown["shown_1"]
    assert {verdict.feature: verdict.status for verdict in report.verdicts} == {
        "country": "ok",
        "payment": "critical",
        "price": "ok",
        "coupon": "warning",
    }
    assert [*report.left_out] == ["order_id"]
    assert all("<svg" in shown[name]._repr_html_() for name in ("shown_1", "shown_2"))
    assert "klarna" in str(shown["shown_3"])
    assert shown["shown_4"][0] == "critical"
