"""Twin of `drift.profiles.pair_choice`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning, Vocabulary
from drift.profiles.coarse_cells import COARSE, FINE
from drift.profiles.pair_choice import choose

if TYPE_CHECKING:
    from drift.profiles.binning import Binning


def test_what_may_explain_comes_first_and_identifiers_not_at_all() -> None:
    """Columns that segments are cut by, then features of few labels; a person may name others, or none."""
    some, many = tuple(f"l{i}" for i in range(24)), tuple(f"l{i}" for i in range(25))
    known: dict[str, Binning] = {
        "number": NumericBinning(np.arange(9.0)),
        "some": CategoricalBinning(some),
        "many": CategoricalBinning(many),
        "rather": CategoricalBinning(some[:20], some[20:]),
        "id": CategoricalBinning(many, None),
        "text": CategoricalBinning(many, ("x",), vocabulary=Vocabulary(100, 60, 3, 1)),
        "flag": BOOLEAN,
    }
    cut: dict[str, Binning] = {"flag": CategoricalBinning(("a",), None), "zone": CategoricalBinning(("a",), None)}
    found = choose(known, cut)
    assert [(name, cells.most == FINE) for name, cells in found.items()] == [
        ("flag", True),
        ("zone", True),
        ("some", True),
        ("rather", True),
        ("number", False),
        ("many", False),
    ]
    assert found["flag"].binning == BOOLEAN
    assert list(choose(known, cut, ["id", "number", "gone"]))[:3] == ["id", "number", "flag"]
    assert choose(known, cut, []) == {}
    flags = {f"f{i}": BOOLEAN for i in range(20)}
    assert [cells.most for cells in choose(flags).values()] == [FINE] * 12 + [COARSE] * 8
