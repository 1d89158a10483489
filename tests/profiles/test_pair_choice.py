"""Twin of `drift.profiles.pair_choice`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from drift.profiles import pair_choice
from drift.profiles.binning import BOOLEAN, CategoricalBinning, NumericBinning, Vocabulary, binning_from_dict
from drift.profiles.coarse_cells import COARSE, FINE, coarse
from drift.profiles.pair_choice import LOOKED_AT, QUARTERS, choose, left_out, loosest_first, sampled
from drift.profiles.pair_tally import PairTally
from drift.profiles.sampling import kept
from drift.statistics.dependence import mutual_information

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


def test_unpaired_columns_have_pairs_only_where_a_person_names_them() -> None:
    """The choice is part of the binning, and read back with it."""
    known: dict[str, Binning] = {
        "flag": replace(BOOLEAN, paired=False),
        "number": NumericBinning(np.arange(9.0), paired=False),
        "other": NumericBinning(np.arange(9.0)),
    }
    assert list(choose(known)) == ["other"]
    assert list(choose(known, explain_by=["number"])) == ["number", "other"]
    assert left_out(known) == ["flag", "number"]
    for binning in known.values():
        read = binning_from_dict(binning.to_dict())
        assert (read, read.paired) == (binning, binning.paired)
    assert known["number"] != known["other"]


def test_columns_are_ranked_by_their_largest_mutual_information() -> None:
    """As by hand, pair by pair, with the bias taken off; in blocks of any size."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(9, 1500))
    x[3:6] += [[1.5], [1.0], [0.5]] * x[:3]
    batch = pa.record_batch({f"c{i}": row for i, row in enumerate(x)})
    columns = {
        name: coarse(NumericBinning(np.quantile(batch.column(name), np.linspace(0, 1, 9))))
        for name in batch.schema.names
    }
    tally = PairTally({name: coarse(cells.binning, QUARTERS) for name, cells in columns.items()})
    tally.add(batch)
    pairs = tally.pairs()

    by_hand = [max(float(mutual_information(pairs.table(a, b))) for b in columns if b != a) for a in columns]
    with pytest.MonkeyPatch.context() as patch:
        for size in (2, 4, 256):
            patch.setattr(pair_choice, "_BLOCK", size)
            closest = pair_choice._closest(*pair_choice._codes(columns, [batch.slice(0, 700), batch.slice(700)]))
            assert closest == pytest.approx(by_hand, abs=1e-5)
    assert set(loosest_first(columns, columns, [batch])[3:]) == {f"c{i}" for i in range(6)}


def test_a_column_that_cannot_be_read_goes_with_none() -> None:
    """Lists, one that a batch lacks altogether, one that turns into text; a batch may lack a column."""
    x, y, z, t = [1.0, 3.0] * 9, [3.0, 1.0] * 9, [[1]] * 18, [1.0] * 18
    rows = pa.record_batch([pa.array(x), pa.array(y), pa.array(z), pa.array(t)], names=["x", "y", "z", "t"])
    columns = {name: coarse(NumericBinning(np.arange(5.0))) for name in ("z", "gone", "t", "x", "y")}
    later = rows.drop_columns(["y"]).set_column(3 - 1, "t", pa.array(["a"] * 18))
    assert loosest_first(columns, columns, [rows, rows, later])[:3] == ["t", "gone", "z"]
    assert loosest_first(columns, ["x", "y"], []) == ["y", "x"]


def test_a_sample_is_even_and_bounded_and_rows_pass() -> None:
    """However the rows are cut."""
    rows = pa.record_batch({"x": pa.array(range(9000))})
    sample: list[pa.RecordBatch] = []
    passed = list(sampled([rows.slice(0, 10), rows.slice(10, 5000), rows.slice(5010)], 9000, sample))
    assert sum(batch.num_rows for batch in passed) == 9000
    found = np.concatenate([batch.column("x").to_numpy() for batch in sample])
    assert found.tolist() == kept(0, 9000, 8).tolist()
    assert len(found) <= LOOKED_AT
