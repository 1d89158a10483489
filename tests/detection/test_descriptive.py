"""Descriptions: quartiles from counts and summaries, compared with those of the raw values, and the rest exactly."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import assume, given

from drift.detection.descriptive import Description, describe, in_words, show, show_span, unit
from drift.profiles.binning import BOOLEAN
from drift.profiles.fitting import fit_numeric
from tests.support.numeric_samples import FIVE, VALUES, numbers, side


@given(VALUES)
def test_the_quartiles_are_in_order_and_near_the_true_ones(values: list[float]) -> None:
    """Between the extremes, rising, and none further off than its bin is wide."""
    assume(len(values) >= 4)
    binning = fit_numeric(values)
    seen = describe(*side(values, binning))
    quartiles = (seen.q25, seen.median, seen.q75)
    rising = [q for q in (seen.low, *quartiles, seen.high) if q is not None]
    assert rising == sorted(rising)
    widest = float(np.diff(binning.edges).max())
    for share, found in zip((0.25, 0.5, 0.75), quartiles, strict=True):
        low, high = (np.quantile(values, share, method=method) for method in ("lower", "higher"))
        assert found is not None
        assert low - widest - 1e-6 <= found <= high + widest + 1e-6


def test_the_description_is_that_of_numpy() -> None:
    """Mean, spread, extremes, zeros and missing values are exact."""
    values = np.array([0.0, 0.0, 1.5, 3.0, 7.0, np.nan, np.nan, np.nan])
    seen = describe(*side(values, FIVE))
    present = values[:5]
    assert (seen.n, seen.missing, seen.low, seen.high, seen.zeros) == (8, 0.375, 0.0, 7.0, 0.4)
    assert (seen.mean, seen.std) == pytest.approx((present.mean(), present.std(ddof=1)))


def test_descriptions_add_up() -> None:
    """The description of two windows is that of their sum: nothing has to be read again."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(2, 2, 500), rng.normal(3, 2, 700)
    whole = describe(*side(np.append(x, y), FIVE))
    (one, first), (other, second) = side(x, FIVE), side(y, FIVE)
    assert asdict(describe(one + other, first + second)) == pytest.approx(asdict(whole))


def test_points_in_time_are_text_and_spans_have_a_unit() -> None:
    """In JSON a date is a date; its spread is a number of days."""
    dates = numbers(15000, 15710, 16000, scale="date")
    seen = describe(*side([15706.0, 15708.0], dates)).to_dict(dates)
    assert (seen["low"], seen["mean"], seen["high"]) == ("2013-01-01", "2013-01-02", "2013-01-03")
    assert seen["std"] == pytest.approx(np.sqrt(2))
    assert seen["zeros"] is None
    assert (unit(dates), unit(numbers(0, 1, scale="timestamp")), unit(FIVE)) == ("days", "seconds", None)


def test_words() -> None:
    """What a person reads: plain numbers, dates and spans, a dash where nothing is known."""
    assert [show(x, FIVE) for x in (0.1 + 0.2, 12_345.678, -3.0, 1e300)] == ["0.3", "12346", "-3", "1e+300"]
    moments = numbers(0, 1, scale="timestamp")
    spans = [show_span(x, moments) for x in (0, 1, 90, 5400, 86_400, 900_000)]
    assert spans == ["0 seconds", "1 second", "1.5 minutes", "1.5 hours", "1 day", "10.4 days"]
    assert Description(5, missing=0.2).words(FIVE)["median"] == "-"
    assert Description(5, missing=0.2).words(BOOLEAN) == {"rows": "5", "missing": "20 %"}
    assert in_words(Description(1), Description(1), None, BOOLEAN) is None
