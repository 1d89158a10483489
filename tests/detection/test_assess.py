"""Assessment: profiles become verdicts, each finished with its score, its explanation and its evidence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.detection import Detection, Persistence
from drift.config.features import Features
from drift.detection.assess import Subject, assess
from drift.detection.evidence import explain
from drift.detection.reports import Report
from drift.profiles.binning import BOOLEAN, Binning, CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram, Profile
from drift.windows import Window
from tests.support.laws import examples
from tests.support.pair_samples import CALM, LETTERS, START, history, pair, pairs

if TYPE_CHECKING:
    from drift.detection.scores import Severity

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


def test_a_label_whose_column_is_missing_has_not_arrived() -> None:
    """No news of the schema either, nor when it comes."""
    roles = Features(roles={"x": "label"})
    lost = replace(letters(EVEN), histograms={}, schema={"y": "string"})
    for reference, current in ((letters(EVEN), lost), (lost, letters(EVEN))):
        (found,) = assess([Subject(reference, current, ["x"])], ONE, roles)
        assert found.findings == []
    (found,) = assess([Subject(letters(EVEN), lost, ["x"])], ONE, roles)
    (verdict,) = found.verdicts
    assert (verdict.status, verdict.reason) == (
        "insufficient_data",
        "labels have not arrived (the column is missing)",
    )


TINY = NumericBinning(np.array([-1.0, 0.0, 5e-324, 2.0, 3.0]))
LEVELS: list[Severity] = ["none", "warning", "critical"]


@st.composite
def two_sides(draw: st.DrawFn) -> tuple[Histogram, Histogram]:
    """Hostile pairs, and numbers between edges that nobody can write down."""
    counts = st.lists(st.integers(0, 500), min_size=TINY.n_cells, max_size=TINY.n_cells)
    return draw(pairs()) if draw(st.booleans()) else pair(TINY, draw(counts), draw(counts))


@examples(200)
@given(two_sides(), st.lists(st.sampled_from(LEVELS), max_size=20), st.booleans())
def test_what_is_said_is_so(two: tuple[Histogram, Histogram], past: list[Severity], alone: bool) -> None:  # noqa: FBT001
    """Badge and reason agree, the interval holds the number beside it, and every number can be read."""
    before, now = two
    sides = [Profile(None, side.n, {"x": side}, {}, {"x": "double"}) for side in two]
    remembered = [replace(sides[0], histograms={"x": before})] * len(past)
    detection = ONE if alone else Detection()
    (found,) = assess([Subject(sides[0], sides[1], ["x"], {"x": history(*past)}, remembered)], detection)
    report = Report("m", None, "r", found.verdicts, before.n, now.n, evidence=found.evidence)
    verdict, said = found.verdicts[0], [str(report), *report.explain("x")]
    assert not [text for text in said if re.search(r"e-3\d\d|-0(\.0+)?(?![\d.])|large but significant", text)]
    if verdict.score is None:
        return
    assert verdict.score.ci_low <= max(verdict.score.kl_corrected, 0) <= verdict.score.ci_high
    if verdict.status in {"warning", "critical"}:
        named = re.findall(r"≥ (warning|critical)", verdict.reason)
        assert not named or verdict.status in named[-1:] or re.search(f"; (a )?{verdict.status}, as ", verdict.reason)
    caused = found.evidence["x"].caused(verdict.score.contributions)
    assert caused.sum() == pytest.approx(verdict.score.kl, abs=1e-9)


def test_shares_that_only_missing_values_moved_are_no_shifts() -> None:
    """Half of the rows lose their value, whichever they are: the missing values are all that there is to say."""
    binning = NumericBinning(np.arange(5.0))
    sides = [
        Histogram(binning, np.array(counts))
        for counts in ([0, 300, 200, 400, 100, 0, 0], [0, 150, 100, 200, 50, 0, 500])
    ]
    profiles = [Profile(None, side.n, {"x": side}, {}, {"x": "double"}) for side in sides]
    (found,) = assess([Subject(profiles[0], profiles[1], ["x"])], ONE)
    lines = explain(found.verdicts[0], found.evidence["x"])
    assert not [line for line in lines if "shifts" in line or "fell" in line]
    assert [line for line in lines if line.startswith("missing rose from 0 % to 50 %")]
