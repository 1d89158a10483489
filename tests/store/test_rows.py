"""Values as rows: what is refused, and what is worked out."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drift.detection.onset import Onset
from drift.detection.pair import Moved
from drift.detection.relationships import Broken, Relationship
from drift.detection.reports import Report
from drift.detection.scores import CellShift
from drift.errors import StoreError
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.store import rows, schema
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.support.store_samples import BINNINGS, DAY, KEY, NOW, judged, numeric, scored


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_a_sum_that_overflowed_is_stored_as_unknown(store: Store) -> None:
    """Infinity is never stored; the summary still comes back, without a standard deviation."""
    window = DAY
    binning = numeric(0.0)
    profile = Profile(
        window, 2, {"x": Histogram(binning, np.array([0, 2, 0]))}, {"x": Summary(2, 1e308, math.inf, 0.0, 1.7e308)}
    )
    store.save_profile("m", profile, gate="accepted", binning_key=KEY, now=NOW)
    ((read, _),) = store.load_profiles("m", [window], {"x": binning})
    assert read.summaries["x"].std is None
    assert read == profile


@pytest.mark.parametrize("field", ["kl", "kl_corrected", "ci_high", "p", "z", "noise", "kl_fixed", "wasserstein"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_infinity_and_nan_are_refused_by_name(field: str, value: float) -> None:
    """The message says which feature of which window."""
    bad = scored("carrier", judged(BINNINGS).evidence["carrier"], **{field: value})
    with pytest.raises(StoreError, match=rf"flights.*{DAY.key}.*'carrier': {field} is {value}"):
        rows.score_rows("flights", judged(BINNINGS, verdicts=[bad]), DAY)


def test_occupied_cells_are_stored() -> None:
    """As the score has them: the history of a feature goes by them."""
    verdict = scored("carrier", judged(BINNINGS).evidence["carrier"], cells=17)
    (row,) = rows.score_rows("m", Report("m", DAY, "", [verdict], 9_000, 900), DAY)
    assert row["cells"] == 17


def test_an_infinite_weight_is_refused() -> None:
    """It would make every weighted share NaN."""
    bad = replace(scored("carrier", judged(BINNINGS).evidence["carrier"]), weight=math.inf)
    with pytest.raises(StoreError, match="'carrier': weight is inf"):
        rows.score_rows("flights", judged(BINNINGS, verdicts=[bad]), DAY)


def test_the_rule_is_stored_beside_the_status() -> None:
    """Whoever reads the table sees why the window is what it is."""
    row = rows.report_row("flights", judged(BINNINGS), DAY)
    assert row["status"] == "critical"
    assert row["rule"].startswith("critical: dep_delay (prediction, weight 0.4) is critical; 1 of 5 features drifted")


def test_a_cell_of_another_version_is_left_out(store: Store) -> None:
    """A row that an older version wrote is read without the cell, and not refused; one of this version comes back."""
    shift = CellShift("missing", 0.01, 0.5, 1.2, 17.0, 9.0)
    evidence = judged(BINNINGS).evidence["carrier"]
    for written, read in ((asdict(shift), shift), ({"cell": "missing", "usual": 0.01, "share": 0.5}, None)):
        verdict = scored("carrier", evidence, cell=shift)
        store.save_report("flights", judged(BINNINGS, verdicts=[verdict]))
        with store.engine.begin() as connection:
            connection.execute(schema.score.update().values(cell=written))
        found = store.load_report("flights", DAY.start)
        assert found is not None
        assert found.verdicts[0].score is not None
        assert found.verdicts[0].explanation.cell == read


def test_relationships_are_read_back_as_they_were_written(store: Store) -> None:
    """Columns, their pairs, the cells that moved and since when, in their order; another run takes their place."""
    moved = (Moved(("AA", "true"), 0.2, 0.1, 0.15, 0.04),)

    def pair(*columns: str, kl: float) -> Relationship:
        return Relationship((columns[0], columns[1]), kl, kl, 0.1, 0.3, 1e-9, 1e-8, 12.0, 0.4, 0.5, 0.1, moved)

    since = Onset(DAY.start, DAY.start, DAY.start)
    broken = [
        Broken(
            "late",
            "critical",
            lasting=True,
            z=14.0,
            pairs=(pair("carrier", "late", kl=0.2), pair("a", "late", kl=0.1)),
            onset=since,
        ),
        Broken("x", "warning", lasting=False, z=7.0, pairs=(pair("x", "y", kl=0.05),)),
    ]
    report = Report("m", DAY, "trailing", [], 10, 10, relationships=broken, n_pairs=6, unjudged_pairs="few windows")
    for expected in (broken, broken[1:], []):
        store.save_report("m", replace(report, relationships=expected))
        found = store.load_report("m", DAY.start)
        assert found is not None
        assert list(found.relationships) == expected
        assert (found.n_pairs, found.unjudged_pairs) == (6, "few windows")
