"""Phrases: how keys and values of a monitor are named in a message."""

from __future__ import annotations

import json
import re

KeyPath = tuple[str | int, ...]
"""The keys, and places in lists, that lead to a value."""

_SIMPLE = re.compile(r"[\w*-]{1,80}")


def show_path(path: KeyPath) -> str:
    """Write a key path as a person would.

    Examples
    --------
    >>> show_path(("expectations", 1, "severity")), show_path(("features", "kinds", "a.b")), show_path(())
    ('expectations[1].severity', 'features.kinds."a.b"', '(file)')
    """
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{part if _SIMPLE.fullmatch(part) else shorten(part)}"
        for part in path
    ]
    return "".join(parts).removeprefix(".") or "(file)"


def shorten(value: object, width: int = 60) -> str:
    """Return `value` in YAML's (JSON's) notation on one line, cut to `width` characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def noun(value: object) -> str:
    """Name the kind of a value, for a message."""
    names: dict[type, str] = {
        type(None): "empty",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), f"a {type(value).__name__}")
