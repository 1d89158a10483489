"""Problems: what is wrong with a monitor and what to do, in words, with keys and values as a person writes them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from textwrap import shorten as shorten_words
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
"""The keys, and places in lists, that lead to a value."""

_SIMPLE = re.compile(r"[\w*-]{1,80}")
_EXAMPLES = {
    "name": "name: flights",
    "source": "source: {files: data/*.parquet, time_column: day}",
    "window": "window: {every: 1d}",
    "time_column": "time_column: day",
    "every": "every: 1d",
    "type": "expect_column_values_to_not_be_null: {column: carrier}",
    "of": "{of: 3, at_least: 2}",
    "at_least": "{of: 3, at_least: 2}",
    "to": "to: ops-chat",
}
_PATTERNS = {
    "^[A-Za-z0-9]": "use letters, digits, _ . and - only, a letter or digit first, at most 100",
    "^[A-Za-z_]": "write the name of a type, such as int64, str or datetime64[ns]",
    "^expect_": "write Great Expectations' own snake_case name, such as expect_column_values_to_not_be_null",
}
_TYPES = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write digits without quotes"),
    "int_from_float": ("a whole number", "leave the fraction out"),
    "float_type": ("a number", "write a number without quotes"),
    "list_type": ("a list", "write [a, b], or one item a line after a dash"),
    "dict_type": ("a mapping of keys", "write {key: value}, or one indented key a line"),
    "model_type": ("a mapping of keys", "write {key: value}, or one indented key a line; leave the key out if unset"),
    "finite_number": ("a finite number", "write a number"),
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a file, and what to do; sorting problems puts them in the order of the file.

    Line and column count from 1; the path is empty for the file itself.

    Examples
    --------
    >>> Problem(9, 3, ("features", "kinds", 0), "should be a mapping", "write {origin: categorical}").at("flights.yaml")
    'flights.yaml:9: features.kinds[0]: should be a mapping; fix: write {origin: categorical}'
    """

    line: int
    column: int
    path: KeyPath = field(compare=False)
    what: str
    fix: str

    def at(self, origin: str) -> str:
        """Return the problem as one line: ``origin:LINE: key.path: what is wrong; fix: what to do``."""
        # What a file holds may hold line breaks and have any length; a problem has one line.
        what, fix = shorten_words(self.what, 400, placeholder=" …"), " ".join(self.fix.split())
        return f"{origin}:{self.line}: {show_path(self.path)}: {what}; fix: {fix}"


def explain(error: ErrorDetails) -> tuple[str, str]:
    """Put one of pydantic's findings as what is wrong and what to do."""
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "drift":
            said = context["what"], context["fix"]
        case "missing":
            key = str(error["loc"][-1])
            said = "is missing", f"add {_EXAMPLES.get(key, key)}"
        case kind if kind in _TYPES:
            wanted, fix = _TYPES[kind]
            said = f"should be {wanted}, not {noun(value)}", fix
        case kind if kind in _BOUNDS:
            words, bound = _BOUNDS[kind]
            limit = f"{words} {context[bound]:g}"
            said = f"{value} should be {limit}", f"write a number that is {limit}"
        case "literal_error":
            allowed = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            said = f"{shorten(value)} is not known", suggest(str(value), allowed)
        case "string_too_short" | "too_short":
            said = "is too short" if value else "is empty", "write it, or leave the key out for its default"
        case "string_too_long" | "too_long":
            said = "is too long", f"keep it to {context['max_length']}"
        case "string_pattern_mismatch":
            pattern = context["pattern"]
            fix = next((fix for start, fix in _PATTERNS.items() if pattern.startswith(start)), f"match {pattern}")
            said = f"{shorten(value)} is not a valid name", fix
        case _:
            said = error["msg"], "see docs/reference/monitors.md"
    return said


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Say what a misspelt word was probably meant to be, and what is allowed."""
    known = sorted(allowed)
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"{f'did you mean {close[0]}? ' if close else ''}allowed: {', '.join(known)}"


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
