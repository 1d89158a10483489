"""Markup as values: what is written by us is `Html`, all other text is escaped, masked and made visible."""

from __future__ import annotations

from html import escape

from drift.text.secrets import masked
from drift.text.visible import visible

LONGEST = 60
"""Characters of a name that are shown; a pointer finds the rest."""

_VOID = {"rect", "path", "line", "circle", "input", "meta", "br"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    r"""Return text of any origin as markup that shows it, and nothing else.

    Examples
    --------
    >>> text("<b>&" + chr(0x202E)), text(Html("<b>"))
    ('&lt;b&gt;&amp;\\u202e', '<b>')
    """
    return value if isinstance(value, Html) else Html(escape(visible(masked(str(value)))))


def join(parts: object) -> Html:
    """Return parts one after the other; None is left out."""
    found = parts if isinstance(parts, list | tuple) else [parts]
    return Html(
        "".join(join(part) if isinstance(part, list | tuple) else text(part) for part in found if part is not None)
    )


def tag(element: str, /, *children: object, **attributes: object) -> Html:
    """Return an element; attributes that are None are left out, underscores become hyphens.

    Examples
    --------
    >>> tag("td", "a < b", tag("rect", x=1.25, width=3.0), class_="num", data_v=None)
    '<td class="num">a &lt; b<rect x="1.2" width="3"/></td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID and not children:
        return Html(f"<{element}{given}/>")
    return Html(f"<{element}{given}>{join(children)}</{element}>")


def name(value: object) -> Html:
    """Return a name that someone else chose, its direction kept to itself; that of nothing is said."""
    shown = visible(masked(str(value))) or "(empty)"
    if len(shown) <= LONGEST:
        return tag("bdi", shown, class_="name")
    return tag("bdi", f"{shown[: LONGEST - 1]}…", class_="name", title=shown)


def points(template: str, *values: float) -> str:
    """Return the commands of a path, its numbers short.

    Examples
    --------
    >>> points("M{} {}V{}", 1.0, 2.349, 5)
    'M1 2.3V5'
    """
    return template.format(*map(_short, values))


def _value(value: object) -> str:
    return _short(value) if isinstance(value, float) else text(value)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
