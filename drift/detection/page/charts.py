"""Charts as SVG: two distributions drawn to scale, and a divergence with its interval between the thresholds.

A bin's height is its density, so that equal areas are equal numbers of rows, however unequal the bins; of positive
numbers that crowd at one end of the axis, it is the density of their logarithm on a logarithmic axis. What has no width
stands beside the axis as a bar: missing values, those below and above every edge, a value with a cell of its own.

Colours are classes with an attribute as a fallback: a mail or a notebook may take the style away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.page.axes import powers, steps, ticks
from drift.detection.page.markup import Html, points, tag
from drift.profiles.binning import NumericBinning
from drift.text.formatting import nats, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drift.detection.evidence import Evidence
    from drift.detection.scores import Score, Verdict
    from drift.profiles.histograms import Summary

    Floats = NDArray[np.float64]

REFERENCE, CURRENT = "#8d96a0", "#2f86d6"
FAR = 0.02
"""Share of the rows at either end that may lie beyond the axis, where it would be a quarter longer with them."""

NARROW, TALLEST = 4.0, 3.0
"""Bins narrower than this many pixels are cut off at this many times the height of the tallest other one."""

CROWDED = 0.1
"""The axis is logarithmic where half of the rows would stand in less than this share of it."""

FEW = 20
"""A bin holds hardly a row where the single value before it holds this many times more."""

MOST_BESIDE, MOST_SMALL, SLOT, LETTER = 5, 12, 48.0, 6.5


@dataclass(frozen=True, slots=True)
class Shares:
    """Cells of both sides, drawn alike: names, the share of rows before and now."""

    names: Sequence[str]
    before: Floats
    after: Floats

    def of(self, cells: Sequence[int]) -> Shares:
        """Return some of the cells, in their order."""
        return Shares([self.names[i] for i in cells], self.before[list(cells)], self.after[list(cells)])

    def largest(self, most: int) -> Shares:
        """Return at most so many cells, those with the largest shares, in their order."""
        ranked = np.argsort(-np.maximum(self.before, self.after), kind="stable")
        return self.of(sorted(ranked[:most].tolist()))


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a number that have a width, from `low` to `high`, and the cells beside them.

    Of a logarithmic axis both are powers of ten.
    """

    binning: NumericBinning
    low: Floats
    high: Floats
    inside: Shares
    beside: Shares
    logarithmic: bool = False

    def quantiles(self, *shares: float) -> Floats:
        """Return where these shares of the rows, of both sides alike, lie below."""
        rows = self.inside.before + self.inside.after
        upto = np.append(0.0, np.cumsum(rows)) / rows.sum()
        return np.asarray(np.interp(shares, upto, np.append(self.low, self.high[-1])))

    def window(self) -> tuple[float, float]:
        """Return where the axis begins and ends: the bins, without far tails."""
        first, last = float(self.low[0]), float(self.high[-1])
        lowest, highest = self.quantiles(FAR, 1 - FAR)
        reach = float(highest - lowest)
        low, high = float(lowest) - reach / 8, float(highest) + reach / 8
        return (low if low - first > reach / 4 else first), (high if last - high > reach / 4 else last)


def bins(evidence: Evidence) -> Bins | None:
    """Return the bins to draw on an axis; None for categories, and where fewer than two bins have a width."""
    binning = evidence.current.binning
    if not isinstance(binning, NumericBinning) or len(binning.edges) < 3:
        return None
    low, high = binning.edges[:-1], binning.edges[1:]
    if binning.scale in {"integer", "date"}:
        # A whole number stands in the middle of its own unit; a date is a day long.
        half = 0.5 if binning.scale == "integer" else 0.0
        low, high = np.ceil(low) - half, np.ceil(high) - half
    with np.errstate(over="ignore"):
        reach = float(high[-1] - low[0])
    if not math.isfinite(reach):
        return None
    # The rest of a bin comes first, then what is set apart from it.
    rest = np.unique(binning.whole_cells, return_index=True)[1][1:-2]
    shares = _shares(evidence)
    drawn = _drawn(rest, high - low > reach * 1e-9, shares.before + shares.after)
    cells = rest[drawn]
    if np.count_nonzero(shares.before[cells] + shares.after[cells]) < 2:
        return None
    others = [i for i in _occupied(shares) if i not in set(cells.tolist())]
    edges = np.append(low[drawn], high[-1])
    found = Bins(binning, edges[:-1], edges[1:], shares.of(cells.tolist()), shares.of(others))
    return _spread_out(found, [evidence.reference_summary, evidence.current_summary])


def _spread_out(found: Bins, summaries: Sequence[Summary | None]) -> Bins:
    """Return the bins on a logarithmic axis where their numbers are positive and crowd at one end of a linear one."""
    lowest = [summary.low for summary in summaries if summary and summary.low is not None]
    start, end = found.window()
    lower, upper = found.quantiles(0.25, 0.75)
    if found.binning.scale not in {"number", "integer"} or len(lowest) < 2 or upper - lower >= CROWDED * (end - start):
        return found
    # The outermost bins reach beyond the values; none of these is zero or less.
    edges = np.append(found.low, found.high[-1])
    edges[0] = max(edges[0], min(lowest))
    if not 0 < edges[0] < edges[1]:
        return found
    edges = np.log10(edges)
    return replace(found, low=edges[:-1], high=edges[1:], logarithmic=True)


def _drawn(cells: NDArray[np.intp], wide: NDArray[np.bool_], rows: Floats) -> NDArray[np.intp]:
    """Return which bins stand on the axis, each up to the next one.

    A single value has no width; where nothing else lies between it and the next edge, as among whole numbers that are
    stored as fractions, it has that of the empty bin behind it.
    """
    found: list[int] = []
    for i in range(len(cells)):
        single = i > 0 and not wide[i - 1]
        if single and wide[i] and rows[cells[i]] * FEW < rows[cells[i - 1]]:
            found.append(i - 1)
        elif wide[i]:
            found.append(i)
    return np.array(found, np.intp)


def _shares(evidence: Evidence) -> Shares:
    return Shares(evidence.current.binning.cells, evidence.reference.shares, evidence.current.shares)


def _occupied(shares: Shares) -> list[int]:
    return np.flatnonzero(shares.before + shares.after).tolist()


# -- both distributions -----------------------------------------------------------------------------------------------


def histogram(evidence: Evidence, title: str) -> Html | None:
    """Return both densities on one axis with ticks and units, and the cells beside it; None where there is no axis."""
    found = bins(evidence)
    if found is None:
        return None
    width, left, top, base = 480.0, 46.0, 30.0, 192.0
    beside = found.beside.largest(MOST_BESIDE)
    right = width - 8 - SLOT * len(beside.names)
    start, end = found.window()
    scale = (right - left) / (end - start)
    per, unit = (1.0, "factor of ten") if found.logarithmic else steps(found.binning.scale, end - start)
    before, after = (share / (found.high - found.low) for share in (found.inside.before, found.inside.after))
    most, cut = _height(found, before, after, scale, (start, end))
    y_ticks = ticks(0.0, 100 * most * per, 3)
    parts: list[object] = [
        tag("text", f"% of rows per {unit}", x=0, y=11),
        *_legend(width),
    ]
    for value, label in y_ticks:
        y = base - (base - top) * value / (100 * most * per)
        parts += [tag("path", d=points("M{} {}H{}", left, y, right), class_="grid", stroke="#8884")]
        parts += [tag("text", label, x=left - 5, y=y + 4, text_anchor="end")]
    x = (np.clip(np.append(found.low[0], found.high), start, end) - start) * scale + left
    parts += _curves(x, before, after, (top, base, most))
    marks = (
        powers(start, end) if found.logarithmic else ticks(start, end, max(2, int((right - left) / 75)), found.binning)
    )
    for value, label in _apart(marks, scale):
        at = left + (value - start) * scale
        parts += [tag("path", d=points("M{} {}v4", at, base), class_="axis", stroke="#888")]
        if at + LETTER / 2 * len(label) < right + 12:  # where the names of bars begin
            parts += [tag("text", label, x=at, y=base + 16, text_anchor="middle")]
    parts += [_hover(found.inside, x, top, base), _beside(beside, right + 10, SLOT, top + 12, base)]
    said = [*_beyond(found, start, end), *cut]
    drawing = tag(
        "svg",
        tag("title", title),
        tag("desc", "Densities of the reference and of the current rows over the values; the table has the numbers."),
        tag("g", *parts, fill="#77808a", font_size=11),
        role="img",
        class_="histogram",
        viewBox="0 0 480 214",
    )
    return Html(drawing + (tag("p", "; ".join(said), class_="muted") if said else ""))


def _apart(found: list[tuple[float, str]], scale: float) -> list[tuple[float, str]]:
    """Return as many ticks as have room for what they are called."""
    if len(found) < 2:
        return found
    room = scale * (found[1][0] - found[0][0])
    return found[:: math.ceil((LETTER * max(len(label) for _, label in found) + 6) / room)]


def _legend(width: float) -> list[Html]:
    return [
        tag("rect", x=width - 130, y=2, width=10, height=10, class_="before", fill=REFERENCE),
        tag("text", "reference", x=width - 116, y=11),
        tag("rect", x=width - 58, y=2, width=10, height=10, class_="after", fill=CURRENT),
        tag("text", "current", x=width - 44, y=11),
    ]


def _height(
    found: Bins, before: Floats, after: Floats, scale: float, window: tuple[float, float]
) -> tuple[float, list[str]]:
    """Return the largest density that is drawn, and which bins rise above it, in words."""
    tall = np.maximum(before, after)
    seen = (found.low < window[1]) & (found.high > window[0])
    broad = seen & ((found.high - found.low) * scale >= NARROW)
    most = float(tall[seen].max())
    if broad.any() and 0 < tall[broad].max() * TALLEST < most:
        most = float(tall[broad].max()) * TALLEST
    above = np.flatnonzero(seen & (tall > most)).tolist()
    named = [f"{found.inside.names[i]} ({_change(found.inside, i)})" for i in above[:3]]
    more = f" and {len(above) - 3} more" if len(above) > 3 else ""
    return most, [f"higher than the chart: {', '.join(named)}{more}"] if named else []


def _beyond(found: Bins, start: float, end: float) -> list[str]:
    """Say which bins go on beyond the axis."""
    far = np.flatnonzero((found.high > end) | (found.low < start)).tolist()
    first, last = far[:1], far[-1:]
    named = [f"{found.inside.names[i]} ({_change(found.inside, i)})" for i in dict.fromkeys([*first, *last])]
    return [f"beyond the axis: {' and '.join(named)}"] if named else []


def _change(shares: Shares, i: int) -> str:
    return f"{percent(float(shares.before[i]))} → {percent(float(shares.after[i]))}"


def _curves(x: Floats, before: Floats, after: Floats, frame: tuple[float, float, float]) -> list[Html]:
    """Draw the reference as a grey area, the current rows as an outline over it."""
    top, base, most = frame

    def outline(density: Floats) -> str:
        y = base - (base - top) * np.minimum(density / most, 1.0)
        right = "".join(points("V{}H{}", up, to) for up, to in zip(y.tolist(), x[1:].tolist(), strict=True))
        return f"{points('M{} {}', float(x[0]), base)}{right}{points('V{}', base)}"

    return [
        tag("path", d=outline(before), class_="before", fill=REFERENCE, fill_opacity="0.55"),
        tag("path", d=outline(after), class_="after line", fill=CURRENT, fill_opacity="0.18", stroke=CURRENT),
    ]


def _hover(shares: Shares, x: Floats, top: float, base: float) -> Html:
    """Return what a pointer finds on each bin: its shares."""
    return tag(
        "g",
        [
            tag(
                "rect",
                tag("title", f"{name}: {_change(shares, i)}"),
                x=float(x[i]),
                y=top,
                width=float(x[i + 1] - x[i]),
                height=base - top,
            )
            for i, name in enumerate(shares.names)
            if x[i + 1] > x[i]
        ],
        fill_opacity=0,
    )


def _beside(shares: Shares, left: float, slot: float, top: float, base: float) -> list[Html]:
    """Draw cells that have no place on the axis as bars of their share, each pair with its numbers."""
    most = float(max(shares.before.max(initial=0.0), shares.after.max(initial=0.0))) or 1.0
    parts: list[Html] = []
    for i, name in enumerate(shares.names):
        at = left + slot * i
        for offset, kind, fill, share in (
            (5.0, "before", REFERENCE, float(shares.before[i])),
            (20.0, "after", CURRENT, float(shares.after[i])),
        ):
            tall = (base - top - 22) * share / most
            parts.append(tag("rect", x=at + offset, y=base - tall, width=14.0, height=tall, class_=kind, fill=fill))
        highest = base - (base - top - 22) * float(max(shares.before[i], shares.after[i])) / most
        middle = {"x": at + 19.5, "text_anchor": "middle"}
        parts += [
            tag("text", percent(float(shares.before[i])), y=highest - 16, **middle),
            tag("text", percent(float(shares.after[i])), y=highest - 4, class_="now", **middle),
            tag("text", tag("title", name), _short(name), y=base + 16, font_size=10, **middle),
        ]
    return parts


def _short(name: str) -> str:
    """Return what fits below a bar."""
    beyond = name.startswith(("below ", "above "))
    word = name[:5] if beyond else "above" if name.endswith(" and above") else name
    return word if len(word) <= 9 else f"{word[:8]}…"


def small(evidence: Evidence) -> Html:
    """Return both distributions as a picture for a row of a table: densities, or the largest cells in order."""
    found, width, base = bins(evidence), 132.0, 32.0
    if found is None:
        cells = _shares(evidence)
        drawn = cells.of(_occupied(cells)).largest(MOST_SMALL)
        parts = _pairs(drawn, 0.0, width, base)
    else:
        beside = found.beside.largest(MOST_BESIDE)
        right = width - 11 * len(beside.names)
        start, end = found.window()
        x = (np.clip(np.append(found.low[0], found.high), start, end) - start) / (end - start) * right
        before, after = (share / (found.high - found.low) for share in (found.inside.before, found.inside.after))
        most, _ = _height(found, before, after, right / (end - start) * 3, (start, end))
        parts = [*_curves(x, before, after, (1.0, base, most)), *_pairs(beside, right + 3, width, base, least=0.25)]
    axis = tag("path", d=points("M0 {}H{}", base, width), class_="axis", stroke="#888")
    return tag("svg", parts, axis, class_="small", viewBox="0 0 132 33", width=132, height=33, aria_hidden="true")


def _pairs(shares: Shares, left: float, right: float, base: float, *, least: float = 0.0) -> list[Html]:
    """Draw narrow pairs of bars, as two paths."""
    if not shares.names:
        return []
    most = float(max(shares.before.max(), shares.after.max(), least)) or 1.0
    slot = min((right - left) / len(shares.names), 26.0)
    bar = slot * 0.42

    def drawn(side: Floats, offset: float) -> str:
        return "".join(
            points("M{} {}h{}V{}h-{}z", left + slot * i + offset, base, bar, base - (base - 1) * share / most, bar)
            for i, share in enumerate(side.tolist())
            if share
        )

    return [
        tag("path", d=drawn(shares.before, 0.0), class_="before", fill=REFERENCE),
        tag("path", d=drawn(shares.after, bar), class_="after", fill=CURRENT),
    ]


# -- numbers as bars --------------------------------------------------------------------------------------------------


def pair(before: float, after: float, most: float) -> Html:
    """Return two thin bars, the share of a cell before and now."""
    return tag(
        "svg",
        tag("rect", width=100 * before / most, height=6, class_="before", fill=REFERENCE),
        tag("rect", y=7, width=100 * after / most, height=6, class_="after", fill=CURRENT),
        class_="pair",
        viewBox="0 0 100 13",
        width=100,
        height=13,
        aria_hidden="true",
    )


def divergence(verdict: Verdict, score: Score, furthest: float) -> Html:
    """Return a bar for the corrected KL with its 95 % interval, both thresholds marked; logarithmic above them.

    Parameters
    ----------
    furthest
        Where the axis ends, in nats; alike for all rows of a table.
    """
    limits, width = verdict.in_nats, 118.0

    def x(value: float) -> float:
        return 1 + width * min(math.log1p(max(value, 0.0) / 0.01) / math.log1p(furthest / 0.01), 1.0)

    kl = max(score.kl_corrected, 0.0)
    marks = [
        tag("path", d=points("M{} 1v16", x(limit)), class_=f"limit {level}", stroke=color, stroke_dasharray="2 1.5")
        for level, limit, color in (("warning", limits.warning, "#c97a00"), ("critical", limits.critical, "#d03a30"))
        if verdict.scale == "kl"
    ]
    return tag(
        "svg",
        tag("title", f"KL {nats(kl)} nats, 95 % interval {nats(score.ci_low)} to {nats(score.ci_high)}"),
        tag("rect", x=1, y=5, width=x(kl) - 1, height=8, class_=f"kl s-{verdict.status}", fill=CURRENT),
        *marks,
        tag(
            "path",
            d=points("M{} 9H{}M{} 6v6M{} 6v6", x(score.ci_low), x(score.ci_high), x(score.ci_low), x(score.ci_high)),
            class_="interval",
            stroke="#555",
        ),
        tag("path", d="M1 1v16", class_="axis", stroke="#888"),
        role="img",
        class_="divergence",
        viewBox="0 0 120 18",
        width=120,
        height=18,
    )
