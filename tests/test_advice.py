"""Advice: every command that a message, a page or a document names is one that the command line takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from drift.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("drift/**/*.py"), *ROOT.glob("drift/**/*.html")]
COMMANDS: Any = typer.main.get_command(app)
NAMED = re.compile(r"\bdrift ([a-z]+)((?: +[^\s`;,.:()<\"']+)*)")
CODE = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


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
