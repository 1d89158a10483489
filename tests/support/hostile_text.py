"""Names and labels that would move a cursor, forge a line, turn the direction of writing, or hide."""

from __future__ import annotations

from drift.text.visible import visible

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07red",
    "a\r\nerror: forged",
    "b\nerror: forged",
    "c\u2028error: forged\x85\x0b\x0c",
    "\u202egnp.exe\u2066\u200f",
    "zero\u200bwidth\ufeff\u2060\u00ad",
    "tags\U000e0041\U000e0042\U000e007f",
    "selected\ufe0f\ufe01\U000e0100",
    "c1\x9b31m\x90\x7f",
    "blank\u3164\u115f\u034f\u2800",
    "NUL\x00 and \x08\x08\x08",
    "[bold red]markup[/] <b>&amp; %s {0} $x `id`",
)


def harmless(text: str) -> str:
    """Return a text as long as the shown form of another, with nothing in it to be escaped.

    Python's and JSON's forms of it are as long, too.
    """
    return visible(text).replace("\\", "/")


def unseen(text: str) -> list[str]:
    """Return the characters of an output that no reader sees, line ends of it apart."""
    return [c for c in text if c != "\n" and visible(c) != c]
