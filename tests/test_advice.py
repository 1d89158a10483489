"""Advice: the commands, options and keys that a message, a page or a document names are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from drift.cli.app import command_line
from drift.config.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("drift/**/*.py"), *ROOT.glob("drift/**/*.html")]
COMMANDS: Any = typer.main.get_command(command_line())
NAMED = re.compile(r"\bdrift ([a-z]+)((?: +(?!drift\b)[^\s`;,.:()<\"']+)*)")
CODE = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


SCHEMA: dict[str, Any] = Monitor.model_json_schema()
KEY = re.compile(rf"(?<![\w./-])(?:{'|'.join(SCHEMA['properties'])})(?:\.[a-z_]+)+(?!\w)")
OPTION = re.compile(r"(?<![\w(-])--[a-z][a-z-]+")
OURS = [*ROOT.glob("drift/**/*.py")]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Find what looks like a command: its first word, and what follows it."""
    for found in NAMED.finditer(text):
        if found[1] in COMMANDS.commands:
            yield found[1], found[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(path: Path) -> None:
    """Its group, its name and its options are those of the real command line."""
    text = path.read_text("utf-8")
    quoted = re.findall(r"(?:`|<code>)drift ([a-z]+)", text)
    for block in CODE.findall(text):
        quoted += re.findall(r"^(?:\$ )?drift ([a-z]+)", block, re.MULTILINE)
    assert set(quoted) <= COMMANDS.commands.keys()
    for name, rest in commands(text):
        command = COMMANDS.commands[name]
        words = rest.split()
        inner = getattr(command, "commands", None)
        if inner and words and re.fullmatch(r"[a-z]+", words[0]):
            if words[0] not in inner and f"`drift {name} {words[0]}" not in text:
                continue  # prose goes on after the name of the group
            assert words[0] in inner, f"drift {name} {words[0]}"
            command = inner[words[0]]
        options = {option for each in command.params for option in each.opts} | {"--help", "-h"}
        asked = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert asked <= options, f"drift {name}{rest}"


def said(path: Path) -> Iterator[str]:
    """Return every text that a module may say: its constants, but for its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in documents:
            yield each.value


def below(node: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that a place of the configuration has, with what each holds."""
    node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    inside = [*node.get("anyOf", ()), *node.get("allOf", ()), *([node["items"]] if "items" in node else ())]
    return {**node.get("properties", {}), **{key: each for one in inside for key, each in below(one).items()}}


def options(command: Any) -> set[str]:
    """Return the options of a command, and of those in it."""
    own = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    return own.union(*map(options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("path", sorted(OURS), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_and_option_that_is_named_exists(path: Path) -> None:
    """A key as `source.format`, with the one that it is below; an option alone, of whichever command."""
    known = options(COMMANDS) | {"--help"}
    for text in said(path):
        for found in KEY.findall(text):
            place = SCHEMA
            for key in [] if found.endswith((".json", ".html", ".reports")) else found.split("."):
                assert key in below(place), text
                place = below(place)[key]
        if "airflow " not in text:
            assert {*OPTION.findall(text)} <= known, text
