"""Text of any origin as it can be seen: nothing in it moves a cursor, breaks a line, turns the direction, or hides.

Names, labels and messages come from data that anyone may have written. They are stored as they are, and go through
`visible` where they are shown: terminal, log, notification, page.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_DOUBTFUL = re.compile("[^ -~]")
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Nothing is drawn for these, though they are letters, marks or symbols (Default_Ignorable_Code_Point, and a blank).
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
_VIRAMA = 9


def visible(text: object) -> str:
    r"""Return text as one line of which every character is seen: what hides or would be obeyed becomes an escape.

    Control and format characters, line ends, direction marks, tags, blanks without width, halves of characters and
    code points that stand for nothing are escaped as in Python. Joiners and variation selectors stay where a script or
    an emoji needs them.

    Examples
    --------
    >>> visible("a\x1b[31m\r\nok\u202e\u200b\x9b"), visible("Zürich ✈️"), visible("x\ufe0f")
    ('a\\x1b[31m\\r\\nok\\u202e\\u200b\\x9b', 'Zürich ✈️', 'x\\ufe0f')
    """
    return _shown(str(text), lambda c: c.encode("unicode_escape").decode())


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    r"""Return JSON of which every character can be seen; a program reads the same from it.

    Examples
    --------
    >>> print(json_text({"é\u202e": "\x9b\U000e0041"}))
    {"é\u202e": "\u009b\udb40\udc41"}
    """
    # What breaks a line within a string is escaped by then; other line ends are the indentation's.
    lines = json.dumps(value, indent=indent, ensure_ascii=False, default=default).split("\n")
    return "\n".join(_shown(line, _unit) for line in lines)


def _unit(c: str) -> str:
    return f"\\u{ord(c):04x}" if c <= "\uffff" else json.dumps(c)[1:-1]


def _shown(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable() and not _BLANK.search(text):
        return text
    return _DOUBTFUL.sub(lambda found: found[0] if _is_seen(found) else escape(found[0]), text)


def _is_seen(found: re.Match[str]) -> bool:
    c, at = found[0], found.start()
    if unicodedata.category(c) not in _UNSEEN and not _BLANK.match(c):
        return True
    return _belongs(c, found.string[at - 1 : at] or " ", found.string[at + 1 : at + 2] or " ")


def _belongs(c: str, before: str, after: str) -> bool:
    """Whether a joiner or a selector does between its neighbours what it is for (UAX 31, UTS 51)."""
    kind = unicodedata.category(before)
    if c == "\u200d" and unicodedata.category(after) == "So":
        return kind in {"So", "Sk"} or before == "\ufe0f"
    if c in "\u200c\u200d":
        arabic = unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
        return arabic or unicodedata.combining(before) == _VIRAMA
    if c in "\ufe0e\ufe0f":
        return kind in {"So", "Sm"} or after == "\u20e3"
    return c >= "\U000e0100" and c <= "\U000e01ef" and kind == "Lo"
