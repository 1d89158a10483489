"""What the reference says of the command line and of a monitor's keys, written by the program itself, as Markdown.

`conf.py` puts it into the pages, so nobody writes it twice; `tests/test_documents.py` checks that nothing lacks a
description.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import typer.cli
import typer.main
from typer.core import MARKUP_MODE_KEY

from drift.cli import app as cli

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]


def command_line() -> str:
    """Return every command with its arguments and options, as typer documents them."""
    command = typer.main.get_command(cli.command_line())
    context = typer.Context(command, obj={MARKUP_MODE_KEY: "rich"})
    text = f"{typer.cli.get_docs_for_click(obj=command, ctx=context, name='drift').strip()}\n"
    text = text.partition("**Usage**:\n\n")[2]
    text = html.unescape(re.sub(r"</?span[^>]*>", "`", text))
    text = re.sub(r"<list\[(.+?)\]>(?=`)", r"<\1> …", text)
    text = text.replace("<str>", "<text>").replace("<Path>", "<path>")
    return re.sub(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+\n", "", text)  # cut off, and each has a section of its own


def monitor_keys(schema: Schema) -> str:
    """Return a table of keys for each part of a monitor file, from the JSON Schema of these files."""
    parts = {"Monitor": schema, **schema["$defs"]}
    for part in parts.values():
        for field in part.get("properties", {}).values():
            if "$ref" in field:
                field.setdefault("description", parts[field["$ref"].rpartition("/")[2]]["description"])
    return "\n\n".join(_part(name, part) for name, part in parts.items())


def _part(name: str, part: Schema) -> str:
    lines = [f"## {name}", "", _cell(part["description"]), ""]
    if "properties" in part:
        lines += ["| key | takes | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{key}` | {_cell(', '.join(_takes(field)))} | {_default(key, field, part)} | {_meaning(field)} |"
            for key, field in part["properties"].items()
        ]
    else:  # An expectation is one of many, each with arguments of its own.
        lines += ["| expectation | arguments |", "|---|---|"]
        known = part["anyOf"][0]["properties"].items()
        lines += [f"| `{key}` | {_cell(field['description'])} |" for key, field in known if key != "severity"]
    return "\n".join(lines)


def _meaning(field: Schema) -> str:
    """Return a key's description, and examples where it has some."""
    examples = ", ".join(f"`{_written(each)}`" for each in field.get("examples", []))
    return _cell(f"{field['description']} Such as {examples}." if examples else field["description"])


def _default(key: str, field: Schema, part: Schema) -> str:
    if key in part.get("required", []):
        return "required"
    return "" if field.get("default") is None else f"`{_cell(_written(field['default']))}`"


def _takes(field: Schema) -> Iterator[str]:
    """Yield in words what a key takes."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        yield f"[{name}](#{name.lower()})"
    elif "anyOf" in field:
        for each in field["anyOf"]:
            yield from _takes(each)
    elif "enum" in field or "const" in field:
        yield from (f"`{_written(each)}`" for each in field.get("enum", [field.get("const")]))
    elif field.get("type") == "array":
        yield f"list of {' or '.join(_takes(field.get('items', {}))) or 'anything'}"
    elif field.get("type") == "object":
        inner = field.get("additionalProperties", {})
        yield f"by name, {' or '.join(_takes(inner if isinstance(inner, dict) else {})) or 'anything'}"
    elif field.get("type") != "null":
        yield f"{_TYPES[field.get('type')]}{_bounds(field)}"


_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    None: "anything",
}


def _bounds(field: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {field[bound]:g}" for bound, sign in signs.items() if bound in field]
    return " " + " and ".join(found) if found else ""


def _written(value: Any) -> str:
    """Return a value as YAML writes it in a line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) + "}"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value) or '""'


def _cell(text: str) -> str:
    """Return text that stays in its cell of a table."""
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")
