"""Assessment: profiles become verdicts, each finished with its score, its explanation and its evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drift.config.detection import Detection, Persistence
from drift.detection.assess import Subject, assess
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram, Profile
from drift.windows import Window
from tests.support.pair_samples import CALM, LETTERS, START, history

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drift.detection.scores import Verdict

ONE = Detection(persistence=Persistence(of=1, at_least=1))
EVEN, TILTED = [125] * 8 + [0] * 3, [200, 50] + [125] * 6 + [0] * 3


def letters(counts: list[int], scale: int = 1, **changes: object) -> Profile:
    """A window of one column of letters."""
    histogram = Histogram(LETTERS, scale * np.array(counts))
    return replace(Profile(None, histogram.n, {"x": histogram}, {}, {"x": "string"}), **changes)  # type: ignore[arg-type]


def test_a_verdict_comes_with_its_explanation_and_its_evidence() -> None:
    """Which reference, how far from the baseline, which cell: nothing is added later."""
    past = [letters(EVEN, window=Window(START + timedelta(days=i), START + timedelta(days=i + 1))) for i in range(20)]
    now = letters(TILTED)
    subject = Subject(letters(EVEN, 28), now, ["x"], {"x": history(*CALM)}, past, {"x": "same weekday"}, {"x": 0.4})
    (found,) = assess([subject], ONE)
    (verdict,) = found.verdicts
    assert verdict.drifting
    assert (verdict.explanation.reference, verdict.explanation.kl_fixed) == ("same weekday", 0.4)
    assert verdict.explanation.wasserstein is None
    assert verdict.explanation.cell is not None
    assert verdict.explanation.cell.cell in {"a", "b"}
    assert verdict.score is not None
    assert verdict.score.cells == 8
    assert found.evidence["x"].current == now.histograms["x"]
    assert (found.n_reference, found.n_current, found.findings) == (28_000, 1000, [])


@pytest.mark.parametrize(
    ("reference", "current", "where"),
    [(letters(EVEN), letters(EVEN, 0), "window"), (letters(EVEN, 0), letters(EVEN), "reference")],
)
def test_an_empty_side_is_said_to_be_empty(reference: Profile, current: Profile, where: str) -> None:
    """Never a silent zero, and no fault of the column."""
    (found,) = assess([Subject(reference, current, ["x", "gone"])], ONE)
    assert {(v.status, v.reason, v.score) for v in found.verdicts} == {
        ("insufficient_data", f"no rows in the {where}", None)
    }


def test_what_cannot_be_compared_says_why() -> None:
    """The reference's trouble comes first, a column's own words before ours."""
    reference = letters(EVEN, problems={"both": "type list cannot be compared"})
    subject = Subject(reference, letters(EVEN, problems={"both": "other"}), ["x", "both", "gone"])
    verdicts = assess([subject], ONE)[0].verdicts
    assert [(v.status, v.reason) for v in verdicts[1:]] == [
        ("not_comparable", "type list cannot be compared"),
        ("not_comparable", "the reference has no such column"),
    ]
    lost = replace(letters(EVEN), histograms={}, schema={})
    (found,) = assess([Subject(letters(EVEN), lost, ["x"])], ONE)
    assert (found.verdicts[0].status, found.verdicts[0].reason) == ("not_comparable", "column missing")


def test_false_discoveries_are_controlled_over_all_subjects() -> None:
    """Of several subjects those too small to be judged take no part; alone, or beside others, p is the same."""
    whole = Subject(letters(EVEN, 28), letters(TILTED), ["x"])
    quiet = Subject(letters(EVEN, 28), letters(EVEN), ["x"])
    small = Subject(letters(EVEN, 28), letters([2] * 8 + [0] * 3), ["x"])
    alone, many, few = (
        assess(subjects, ONE)[0].verdicts[0].score for subjects in ([whole], [whole, quiet, quiet], [whole, small])
    )
    assert alone
    assert many
    assert few
    assert alone.p == many.p == few.p
    assert many.q == pytest.approx(3 * alone.q)
    assert few.q == alone.q


@pytest.mark.parametrize("binning", [BOOLEAN, CategoricalBinning(()), NumericBinning(np.array([]))])
def test_without_a_value_nothing_is_judged(binning: Binning) -> None:
    """Null on both sides is not `ok`; values of which the fit knew none are compared with nothing; nulls are."""
    missing, value = np.zeros((2, binning.n_cells), np.int64)
    missing[-1] = value[-2] = 1000

    def judged(before: NDArray[np.int64], after: NDArray[np.int64]) -> Verdict:
        reference, current = (Profile(None, 1000, {"x": Histogram(binning, counts)}) for counts in (before, after))
        (found,) = assess([Subject(reference, current, ["x"])], ONE)[0].verdicts
        return found

    nothing = judged(missing, missing)
    assert (nothing.status, nothing.score) == ("insufficient_data", None)
    assert nothing.reason == "no reference: it holds no value of the column, nor does the window"
    assert judged(missing, value).status == judged(value, missing).status == "critical"
    assert judged(value, value).status == ("ok" if binning is BOOLEAN else "insufficient_data")
