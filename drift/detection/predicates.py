"""Predicates: the rows of a coarse cell, as a condition in standard SQL that any dialect reads."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from drift.profiles.binning import CategoricalBinning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.profiles.binning import NumericBinning
    from drift.profiles.coarse_cells import Coarse

MOST_LABELS = 100
"""A condition that names more labels is not one to copy."""


def predicate(column: str, cells: Coarse, cell: int, *, outside: bool = False) -> str | None:
    r"""Return the condition that holds for the rows of a cell, or for those outside it.

    None where there is none: labels stored as hashes, numbers written as text, instants and times of day, whose
    literals differ from database to database, and cells of more than `MOST_LABELS` labels.

    Examples
    --------
    >>> from drift.profiles.binning import CategoricalBinning, NumericBinning
    >>> from drift.profiles.coarse_cells import coarse
    >>> airports = coarse(CategoricalBinning(("JFK", "EWR"), rare=("O'Hare",)))
    >>> predicate("origin", airports, 0)
    "origin = 'JFK'"
    >>> predicate("from", airports, 2, outside=True)
    'NOT ("from" IS NOT NULL AND "from" = \'O\'\'Hare\')'
    >>> predicate("delay", coarse(NumericBinning([0, 10, 20])), 2)
    'delay >= 10 AND delay < 20'
    """
    name = _identifier(column)
    if cell == cells.n_cells - 1:
        return f"{name} IS {'NOT ' if outside else ''}NULL"
    binning = cells.binning
    found = _labelled(name, cells, cell) if isinstance(binning, CategoricalBinning) else _between(name, cells, cell)
    # NOT of a comparison with NULL is NULL: the rows without a value are outside, too.
    return f"NOT ({name} IS NOT NULL AND {found})" if found and outside else found


def _labelled(name: str, cells: Coarse, cell: int) -> str | None:
    binning = cells.binning
    if not isinstance(binning, CategoricalBinning) or binning.salt:
        return None
    if binning.boolean:
        return f"{name} = {binning.levels[cell].upper()}" if cell < len(binning.levels) else None
    inside = cells.labels(cell)
    if cell == cells.other:
        # All labels but those of the other cells.
        known = [label for each in range(cells.n_cells - 1) if each != cell for label in cells.labels(each)]
        return _among(name, known, "<>", "NOT IN") or f"{name} IS NOT NULL" if len(known) <= MOST_LABELS else None
    return _among(name, inside, "=", "IN") if len(inside) <= MOST_LABELS else None


def _among(name: str, labels: Sequence[str], one: str, many: str) -> str | None:
    texts = ["'" + label.replace("'", "''") + "'" for label in labels]
    if len(texts) > 1:
        return f"{name} {many} ({', '.join(texts)})"
    return f"{name} {one} {texts[0]}" if texts else None


def _between(name: str, cells: Coarse, cell: int) -> str | None:
    binning: NumericBinning = cells.binning  # type: ignore[assignment]
    if binning.notation or binning.scale not in {"number", "integer", "date"}:
        return None
    ends = zip((">=", "<"), cells.bounds(cell), strict=True)
    parts = [f"{name} {sign} {_literal(binning, end)}" for sign, end in ends if end is not None]
    return " AND ".join(parts) or f"{name} IS NOT NULL"


def _literal(binning: NumericBinning, value: float) -> str:
    if binning.scale == "date":
        return f"'{binning.format(math.ceil(value))}'"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 2**53 else repr(value)


def _identifier(name: str) -> str:
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "all analyse analyze and any array as asc asof asymmetric at authorization between binary both by case cast "
        "check collate collation column concurrently constraint create cross cube current current_date current_role "
        "current_time current_timestamp current_user day deferrable delete desc describe distinct do drop else end "
        "escape except exclude exists false fetch filter for foreign freeze from full glob grant group grouping "
        "having hour if ilike in index initially inner insert intersect interval into is isnull join key lambda "
        "lateral leading left like limit localtime localtimestamp map match minute month natural new no not notnull "
        "null of off offset old on only or order outer over overlaps partition pivot placing primary qualify range "
        "references regexp returning right rollup row rows second select session_user set show similar some summarize "
        "symmetric table then time timestamp to trailing true union unique unpivot update user using values variadic "
        "verbose view when where window with within year",
    )
)
"""Words that PostgreSQL, SQLite, DuckDB or the standard keep to themselves, at least in some places."""
