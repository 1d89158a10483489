"""How two columns go together, as two tables on one scale: what would be usual, and what is there today.

A table is the drawing and its own description: each cell has its share in percent, and a shade for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drift.dashboard.formatting import clipped, shown
from drift.detection.page.markup import Html, tag
from drift.text.formatting import nats, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drift.detection.pair import Moved, PairComparison

LEVELS = 9
"""Shades beside that of none; the n-th begins at ((n - 1) / LEVELS)² of the largest share: small shares differ most."""

OUTLINED = 12
"""Cells that are outlined and listed, the first by what they carry of the divergence."""

LONGEST = 22
"""Characters of a cell's name at the head of a column."""


def joint_tables(found: PairComparison, moved: Sequence[Moved]) -> Html:
    """Return both tables, the cells that moved outlined; cells that hold no rows on either side are left out."""
    today = found.current / max(found.current.sum(), 1)
    held = found.current + found.reference
    kept = np.flatnonzero(held.sum(axis=1)), np.flatnonzero(held.sum(axis=0))
    most = max(float(found.usual.max()), float(today.max())) or 1.0
    marks = {each.cells: "▲" if each.share > each.usual else "▼" for each in moved}
    sides = ("Usual", found.usual, dict.fromkeys(marks, "")), ("In this window", today, marks)
    tables = [
        tag("div", _table(title, found, shares, kept, most, those), class_="scroll", role="region", aria_label=title,
            tabindex=0)
        for title, shares, those in sides
    ]  # fmt: skip
    return Html(tag("div", *tables, class_="joint") + _legend(most, marked=bool(marks)))


def shade(share: float, most: float) -> int:
    """Return which shade a share has, 0 for none.

    Examples
    --------
    >>> shade(0.0, 0.2), shade(0.0001, 0.2), shade(0.05, 0.2), shade(0.2, 0.2)
    (0, 1, 5, 9)
    """
    return math.ceil(LEVELS * math.sqrt(share / most) - 1e-9)


def _table(
    title: str,
    found: PairComparison,
    shares: NDArray[np.float64],
    kept: tuple[NDArray[np.intp], NDArray[np.intp]],
    most: float,
    marks: dict[tuple[str, str], str],
) -> Html:
    rows, columns = kept
    a, b = found.columns
    heads = (
        tag("th", tag("span", clipped(shown(found.cells[1][c]), LONGEST), class_="upright"), scope="col",
            title=shown(found.cells[1][c]))
        for c in columns
    )  # fmt: skip
    body = (
        tag("tr", tag("th", clipped(shown(found.cells[0][r]), LONGEST), scope="row", title=shown(found.cells[0][r])),
            [_cell(found, (int(r), int(c)), float(shares[r, c]), most, marks) for c in columns])
        for r in rows
    )  # fmt: skip
    return tag(
        "table",
        tag("caption", f"{title}, % of the rows"),
        tag("thead", tag("tr", tag("td"), tag("th", shown(b), scope="colgroup", colspan=len(columns))),
            tag("tr", tag("th", shown(a), scope="col"), list(heads))),
        tag("tbody", list(body)),
    )  # fmt: skip


def _cell(
    found: PairComparison, at: tuple[int, int], share: float, most: float, marks: dict[tuple[str, str], str]
) -> Html:
    names = found.cells[0][at[0]], found.cells[1][at[1]]
    mark = marks.get(names)
    today = float(found.current[at] / max(found.current.sum(), 1))
    words = (
        f"{shown(names[0])}, {shown(names[1])}: {percent(today, 1)} in this window, "
        f"{percent(float(found.usual[at]), 1)} would be usual; {nats(float(found.contributions[at]))} nats"
    )
    kind = f"d{shade(share, most)}{'' if mark is None else ' moved'}"
    text = percent(share, 1).removesuffix(" %").replace("< ", "<") if share else ""
    return tag("td", text, tag("span", f" {mark}", aria_hidden="true") if mark else None, class_=kind, title=words)


def _legend(most: float, *, marked: bool) -> Html:
    steps = [tag("i", class_=f"swatch d{level}") for level in range(LEVELS + 1)]
    scale = tag("span", "0 % ", *steps, f" {percent(most, 1)}, on one scale; usual: had both columns changed alone")
    outlined = tag("span", tag("i", "▲", class_="swatch moved"), " moved: ▲ more, ▼ fewer rows than usual")
    return tag("p", scale, outlined if marked else None, class_="legend")
