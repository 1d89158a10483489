"""Text of any origin in Markdown, as GitHub writes it (https://github.github.com/gfm/)."""

from __future__ import annotations

import re

from drift.text.visible import visible

_SPECIAL = re.compile(
    r"[\\`*\[|~$]|<(?! )|&(?=#|\w+;)"  # code, emphasis, a link, a cell, mathematics, HTML
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not within a word
    r"|:(?=//)|(?<=www)\.",  # an address that would become a link
    re.IGNORECASE,
)
# A person or a team, an issue: naming one notifies somebody, or leaves a trace there.
_REFERENCE = re.compile(r"(?<![a-z0-9_])@(?=[a-z0-9])|#(?=\d)|\bgh-(?=\d)", re.IGNORECASE | re.ASCII)


def markdown(text: object, *, limit: int = 300) -> str:
    r"""Return text of any origin as harmless Markdown within a line: what is read is the text, and nothing more.

    What cannot be seen is written as an escape (`drift.text.visible`), nothing is markup, a link or the mention of a
    person, and what is longer than `limit` characters is cut.

    Examples
    --------
    >>> print(markdown("dep_delay: <b>*late*</b> | $5"))
    dep_delay: \<b>\*late\*\</b> \| \$5
    >>> "@ada" in markdown("ask @ada"), markdown("ada@example.com")
    (False, 'ada@example.com')
    """
    line = " ".join(visible(text).split())
    line = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return _REFERENCE.sub("\\g<0>\N{ZERO WIDTH SPACE}", _SPECIAL.sub(r"\\\g<0>", line))
