"""Which columns' pairs are counted, and in which cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import FINE, coarse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.profiles.binning import Binning
    from drift.profiles.coarse_cells import Coarse

FEW, MOST_EXPLAINING = 24, 12
"""Labels of a column that may explain others without being asked to, at most, and such columns."""

MOST_COLUMNS = 200
"""Columns whose pairs are counted, at most: their number grows with the square."""


def choose(
    binnings: Mapping[str, Binning],
    cut_by: Mapping[str, Binning] | None = None,
    explain_by: Sequence[str] | None = None,
) -> dict[str, Coarse]:
    """Return the columns whose pairs are counted, with their cells: those that may explain others first.

    Parameters
    ----------
    binnings
        Of the features. An identifier or free text is left out unless it is to explain others.
    cut_by
        Of columns that segments are cut by, which need not be features.
    explain_by
        The columns that may explain what others do, and get up to `FINE` cells; all that no binning knows are left out.
        None is the columns of `cut_by` and the features of at most `FEW` labels, `MOST_EXPLAINING` at most; an empty
        list turns pairs off.

    Examples
    --------
    >>> from drift.profiles.binning import NumericBinning
    >>> known = {"x": NumericBinning([0, 1]), "origin": CategoricalBinning(("JFK",))}
    >>> {name: cells.most for name, cells in choose(known).items()}
    {'origin': 24, 'x': 10}
    >>> choose(known, explain_by=[])
    {}
    """
    if explain_by is not None and not explain_by:
        return {}
    known = {**(cut_by or {}), **binnings}
    if explain_by is None:
        explain_by = [name for name in known if name in (cut_by or {}) or _few(known[name])][:MOST_EXPLAINING]
    found = {name: coarse(known[name], FINE) for name in explain_by if name in known}
    found |= {name: coarse(one) for name, one in known.items() if name not in found and not _identifies(one)}
    return found


def _few(binning: Binning) -> bool:
    return (
        isinstance(binning, CategoricalBinning)
        and len(binning.levels) + len(binning.rare or ()) <= FEW
        and (binning.rare is not None)
    )


def _identifies(binning: Binning) -> bool:
    """Say whether most rows have a label that no other row has."""
    if not isinstance(binning, CategoricalBinning):
        return False
    known = binning.vocabulary
    return binning.rare is None or (known is not None and 2 * known.once > known.rows)
