"""Charts: areas are numbers of rows, and no row is left out of a picture without a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.detection.evidence import Evidence
from drift.detection.page.charts import bins, histogram, small
from drift.profiles.binning import Binning, CategoricalBinning, NumericBinning
from drift.profiles.fitting import fit_numeric
from drift.profiles.histograms import Histogram, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drift.profiles.kinds import Scale


def numbers(edges: list[float], scale: Scale = "number", apart: list[float] | None = None) -> NumericBinning:
    """Bins between edges."""
    return NumericBinning(np.array(edges, float), scale, np.array(apart or [], float))


def evidence(binning: Binning, before: list[int], after: list[int]) -> Evidence:
    """Both sides by their counts."""
    return Evidence(Histogram(binning, np.array(before)), Histogram(binning, np.array(after)))


def areas(markup: str, kind: str) -> list[float]:
    """The areas of the bins of an outline, in square pixels."""
    found = re.search(rf'<path d="M([\d.]+) ([\d.]+)((?:V[\d.]+H[\d.]+)+)V[\d.]+" class="{kind}', markup)
    assert found is not None
    x, base = float(found[1]), float(found[2])
    out = []
    for up, to in re.findall(r"V([\d.]+)H([\d.]+)", found[3]):
        out.append((base - float(up)) * (float(to) - x))
        x = float(to)
    return out


def test_equal_areas_are_equal_rows() -> None:
    """Bins of unequal width with the same number of rows are as large, and one with twice as many is twice as large."""
    found = histogram(evidence(numbers([0, 10, 30, 70]), [0, 100, 100, 200, 0, 0], [0, 50, 50, 50, 0, 0]), "x")
    assert found is not None
    first, second, third = areas(found, "before")
    assert second == pytest.approx(first, rel=0.02)
    assert third == pytest.approx(2 * first, rel=0.02)
    one, two, three = areas(found, "after")
    assert one == pytest.approx(two, rel=0.02) == pytest.approx(three, rel=0.02)


@given(
    st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=12, unique=True),
    st.sets(st.integers(-50, 50).map(float), max_size=3),
    st.sampled_from(["number", "integer", "date"]),
    st.data(),
)
def test_every_row_is_on_the_axis_or_beside_it(
    edges: list[float], apart: set[float], scale: Scale, data: st.DataObject
) -> None:
    """Whatever the bins, the shares of a drawn histogram add up to one on either side, and its bins do not overlap."""
    binning = numbers(sorted(edges), scale, sorted(apart))
    rows = st.lists(st.integers(0, 99), min_size=binning.n_cells, max_size=binning.n_cells).filter(sum)
    both = evidence(binning, data.draw(rows), data.draw(rows))
    found = bins(both)
    assert small(both).startswith("<svg")
    if found is None:
        assert histogram(both, "x") is None
        return
    for side in ("before", "after"):
        assert getattr(found.inside, side).sum() + getattr(found.beside, side).sum() == pytest.approx(1)
    assert (found.high > found.low).all()
    assert (found.low[1:] >= found.high[:-1]).all()


def test_far_tails_and_tall_bins_are_said() -> None:
    """What is beyond the axis, or higher than the chart, stands in words with its shares."""
    binning = numbers([0, 1, 100, 200, 300, 1e6])
    found = histogram(evidence(binning, [0, 800, 300, 300, 300, 2, 0, 0], [0, 80, 30, 30, 30, 0, 0, 1]), "x")
    assert found is not None
    assert "higher than the chart: [0, 1) (47 % → 47 %)" in found
    assert "beyond the axis: [300, 1e+06) (0.1 % → 0 %)" in found
    assert ">missing</text>" in found


def test_whole_numbers_stored_as_fractions_stand_on_the_axis() -> None:
    """A single value with nothing up to the next edge is as wide as that; one among others is a bar beside."""
    after = np.nextafter
    binning = numbers([0, after(0, 1), 1, after(1, 2), 2, after(2, 3), 3])
    found = bins(evidence(binning, [0, 10, 0, 20, 0, 5, 40, 0, 0], [0, 10, 0, 20, 0, 5, 40, 0, 0]))
    assert found is not None
    assert found.inside.names == ["= 0", "= 1", "(2, 3)"]
    assert found.low.tolist() == pytest.approx([0, 1, 2])
    assert found.beside.names == ["= 2"]


def test_what_has_no_axis_has_a_picture_all_the_same() -> None:
    """Categories, a constant, and numbers farther apart than floats reach."""
    for binning in (CategoricalBinning(("a", "b")), numbers([]), numbers([-1.7e308, 0, 1.7e308])):
        counts = [3] * binning.n_cells
        both = evidence(binning, counts, counts)
        assert histogram(both, "x") is None
        assert "<path" in small(both)


def test_crowded_numbers_stand_on_a_logarithmic_axis() -> None:
    """Prices over four powers of ten: every power has its room, and equal areas are equal rows there, too."""
    prices = 10 ** np.random.default_rng(3).normal(1.5, 0.8, 4000)
    binning = fit_numeric(prices)
    side = Histogram(binning, np.bincount(binning.cell_of(prices), minlength=binning.n_cells))
    both = Evidence(side, side, Summary.of(prices), Summary.of(prices))
    found = bins(both)
    assert found is not None
    assert found.logarithmic
    drawn = histogram(both, "price")
    assert drawn is not None
    assert "% of rows per factor of ten" in drawn
    assert re.search(r"<rect[^>]*><title>[^<]*: 10 % → 10 %</title></rect>", drawn)
    assert all(f">{label}</text>" in drawn for label in ("1", "10", "100", "1,000"))
    # The outermost bins may go on beyond the axis.
    area, rows = np.array(areas(drawn, "before"))[1:-1], found.inside.before[1:-1]
    assert (area / area.sum()).tolist() == pytest.approx((rows / rows.sum()).tolist(), rel=0.05, abs=1e-3)
    assert found.inside.before.sum() + found.beside.before.sum() == pytest.approx(1)


@pytest.mark.parametrize("prices", [np.arange(-5.0, 995.0), np.random.default_rng(3).normal(50, 5, 1000)])
def test_other_numbers_stand_on_a_linear_axis(prices: NDArray[np.float64]) -> None:
    """Where some are not positive, and where they do not crowd."""
    binning = fit_numeric(prices)
    side = Histogram(binning, np.bincount(binning.cell_of(prices), minlength=binning.n_cells))
    found = bins(Evidence(side, side, Summary.of(prices), Summary.of(prices)))
    assert found is not None
    assert not found.logarithmic
