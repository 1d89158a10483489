"""How often Drift is wrong: false alarms, bias, coverage, power and pages, beside the rules of its peers.

    python -m benchmarks.error_rates [--quick] [--only calibration,small,estimate,interval,power,pages,season,…]

Seeds are fixed, so the figures repeat. Bins are fitted end to end from raw values. The peers' rules are written anew
from their published formulas.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.special import chdtrc, kolmogorov, ndtr
from scipy.stats import spearmanr

from drift.config.detection import Detection
from drift.config.monitor import parse_monitor
from drift.detection.assess import Subject, assess
from drift.detection.scores import Past
from drift.detection.scoring import measure
from drift.pipeline import evaluate
from drift.pipeline.replay import offline
from drift.profiles.binning import NumericBinning
from drift.profiles.counting import count_labels, count_numbers
from drift.profiles.fitting import fit_categorical, fit_numeric
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.refinement import refined
from drift.statistics import divergence
from drift.statistics.dependence import dependence, rake
from drift.statistics.significance import confidence_interval
from drift.store.memory import Memory
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.detection.scores import Score
    from drift.pipeline.context import Context
    from drift.profiles.binning import Binning
    from drift.store.base import State, StateReader

    Floats = NDArray[np.float64]
    Sampler = Callable[[np.random.Generator, int], Floats]

FEATURES = 200
DAYS = 30


def zipf(levels: int, power: float = 1.0) -> Floats:
    """Return the shares of so many categories, the i-th proportional to 1/i, or to another power of it."""
    weights = np.arange(1, levels + 1) ** -power
    return np.asarray(weights / weights.sum())


def category(shares: Floats) -> Sampler:
    """Return a sampler of category codes."""
    return lambda rng, size: np.searchsorted(np.cumsum(shares)[:-1], rng.random(size), "right").astype(float)


def nulls(sampler: Sampler, share: float) -> Sampler:
    """Return a sampler that loses a share of its values at random."""
    return lambda rng, size: np.where(rng.random(size) < share, np.nan, sampler(rng, size))


NUMERIC: dict[str, Sampler] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "heavy tails": lambda rng, size: rng.standard_t(2, size),
    "3 % null": nulls(lambda rng, size: rng.normal(size=size), 0.03),
    "40 % zero, whole": lambda rng, size: np.where(rng.random(size) < 0.4, 0, np.round(rng.exponential(10, size))),
}
CATEGORICAL: dict[str, Sampler] = {
    "binary": category(np.array([0.7, 0.3])),
    "5 categories": category(zipf(5)),
    "50 categories": category(zipf(50)),
    "500 categories": category(zipf(500)),
}


def fit(values: Floats, *, numeric: bool, expected_rows: int) -> Binning:
    """Fit the binning that Drift would."""
    if numeric:
        return fit_numeric(values, expected_rows=expected_rows)
    labels, counts = np.unique(values, return_counts=True)
    return fit_categorical({str(int(label)): int(c) for label, c in zip(labels, counts, strict=True)})


def histogram(binning: Binning, values: Floats) -> Histogram:
    """Count values as Drift would."""
    if isinstance(binning, NumericBinning):
        return count_numbers(binning, values)
    labels, counts = np.unique(values, return_counts=True)
    return count_labels(binning, [str(int(label)) for label in labels], counts)


def table(title: str, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    cells = [[*map(str, heading)], *([f"{v:.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for row in cells:
        print(
            "  ".join(
                cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )


# --- §3: do p-values mean what they say?

LEVELS = (0.05, 0.01, 0.001)
BANDS = (0.2, 0.5, 0.5)
"""How far a rate may be from nominal, as a share of it."""

LABELS: dict[str, Floats] = {
    "100 even": np.full(100, 1 / 100),
    "300 even": np.full(300, 1 / 300),
    "5,000 even": np.full(5000, 1 / 5000),
    "100,000 even": np.full(100_000, 1e-5),
    "500 Zipf": zipf(500),
    "5,000 Zipf": zipf(5000),
    "100,000 Zipf": zipf(100_000),
    "2,000 by 1/√i": zipf(2000, 0.5),
    "10,000 by i^-1.5": zipf(10_000, 1.5),
}


def calibration(*, quick: bool) -> None:
    """Print false-alarm rates over nominal, from raw values, bins fitted on each reference."""
    sizes = [(100, 100), (500, 500), (5000, 500), (28_000, 1000), (5000, 5000), (500, 5000)]
    samplers = NUMERIC | CATEGORICAL
    grid = {
        f"{n:,} / {m:,} {name}": _fitted(sampler, n, m, numeric=name in NUMERIC)
        for n, m in sizes
        for name, sampler in samplers.items()
    }
    calibrated("False alarms over nominal, nothing changed", "rows, feature", grid, 2000 if quick else 10_000, 41)
    sizes = [(200, 200), (2000, 200), (200, 2000), (2000, 2000), (20_000, 2000)]
    grid = {f"{n:,} / {m:,} {name}": _labelled(shares, n, m) for n, m in sizes for name, shares in LABELS.items()}
    calibrated("The same, many labels", "rows, labels", grid, 1000 if quick else 10_000, 42)
    grid = {
        f"{name}, {kind}": _rolling(sampler, 20, kept, numeric=name in NUMERIC)
        for name, sampler in samplers.items()
        for kind, kept in {"the fit's windows": 20, "half of them": 10, "other windows": 0}.items()
    }
    calibrated("The same, 20 windows of 500 rows against one", "feature, reference", grid, 1000 if quick else 6000, 43)


def small(*, quick: bool) -> None:
    """Print the false-alarm rates and pages of windows of few rows, which `min_rows` rests on."""
    sizes = [(28 * m if whole else m, m) for m in (30, 50, 100) for whole in (False, True)]
    samplers = NUMERIC | CATEGORICAL
    for n, m in sizes:
        grid = {f"{n:,} / {m:,} {name}": _fitted(s, n, m, numeric=name in NUMERIC) for name, s in samplers.items()}
        calibrated("Windows of few rows", "rows, feature", grid, 500 if quick else 4000, 44 + n)
    rows = {m: _month(m) for m in (30, 50, 100)}
    rules = ("Drift: q ≤ .01", "Drift: + effect floor .01", "Drift: pages")
    heading = ["rule", *(f"{m} rows" for m in rows)]
    cells = [[rule, *(count[rule] for count in rows.values())] for rule in rules]
    table("False feature alerts in 30 days × 200 features when nothing changed", heading, cells)


Pair = tuple[Histogram, Histogram]


def calibrated(
    title: str, what: str, settings: Mapping[str, Callable[[np.random.Generator], Pair]], repeats: int, seed: int
) -> None:
    """Print how often each setting is called at each level, over the level, and how many keep within the bands."""
    rates: list[list[float]] = []
    for i, draw in enumerate(settings.values()):
        rng = np.random.default_rng([seed, i])
        p: list[float] = []
        while len(p) < repeats:
            p += [s.p for s in measure({str(j): draw(rng) for j in range(min(500, repeats - len(p)))}).values()]
        rates.append([float((np.array(p) <= level).mean() / level) for level in LEVELS])
    errors = ", ".join(f"{2 * np.sqrt(1 / (repeats * level)):.2f}" for level in LEVELS)
    heading = [what, *(f"at {level:g}" for level in LEVELS)]
    rows = [[name, *found] for name, found in zip(settings, rates, strict=True)]
    table(f"{title}, {repeats:,} tests each (two standard errors: {errors})", heading, rows)
    for level, band, column in zip(LEVELS, BANDS, list(zip(*rates, strict=True)), strict=True):
        within = sum(abs(rate - 1) <= band for rate in column)
        (low, where_low), (high, where_high) = (pick(zip(column, settings, strict=True)) for pick in (min, max))
        print(
            f"at {level:g}: {within} of {len(column)} within ±{band:.0%}, all together {np.mean(column):.2f}, "
            f"lowest {low:.2f} ({where_low}), highest {high:.2f} ({where_high})",
            flush=True,
        )


def _fitted(sampler: Sampler, n: int, m: int, *, numeric: bool) -> Callable[[np.random.Generator], Pair]:
    """Return what draws a reference and a window, with bins fitted on the reference."""

    def draw(rng: np.random.Generator) -> Pair:
        before = sampler(rng, n)
        binning = fit(before, numeric=numeric, expected_rows=m)
        return refined(histogram(binning, before), histogram(binning, sampler(rng, m)))

    return draw


def _labelled(shares: Floats, n: int, m: int) -> Callable[[np.random.Generator], Pair]:
    """Return what draws the counts of a reference's and a window's labels, with levels fitted on the reference."""
    names = np.array([str(label) for label in range(len(shares))])
    cuts = np.cumsum(shares)[:-1]

    def counts(rng: np.random.Generator, size: int) -> tuple[list[str], NDArray[np.int64]]:
        if len(shares) < size:
            rows = rng.multinomial(size, shares)
        else:
            rows = np.bincount(np.searchsorted(cuts, rng.random(size), "right"), minlength=len(shares))
        held = np.flatnonzero(rows)
        return names[held].tolist(), rows[held]

    def draw(rng: np.random.Generator) -> Pair:
        before, after = counts(rng, n), counts(rng, m)
        binning = fit_categorical(dict(zip(before[0], before[1].tolist(), strict=True)))
        return refined(count_labels(binning, *before), count_labels(binning, *after))

    return draw


def _rolling(sampler: Sampler, windows: int, kept: int, *, numeric: bool) -> Callable[[np.random.Generator], Pair]:
    """Return what draws windows of 500 rows, fits on the first ones, and keeps some of these in the reference."""
    m = 500

    def draw(rng: np.random.Generator) -> Pair:
        first = sampler(rng, windows * m)
        binning = fit(first, numeric=numeric, expected_rows=m)
        reference = np.concatenate([first[: kept * m], sampler(rng, (windows - kept) * m)])
        return refined(histogram(binning, reference), histogram(binning, sampler(rng, m)))

    return draw


# --- §1: is the estimate right?


def evidently_fill(p: Floats) -> Floats:
    """Fill the zeros of one side as Evidently does, and normalise."""
    least = np.where(p > 0, p, np.inf).min(axis=-1, keepdims=True)
    filled = np.where(p > 0, p, np.where(least <= 1e-4, least / 1e6, 1e-4))
    return np.asarray(filled / filled.sum(axis=-1, keepdims=True))


def estimate(*, quick: bool) -> None:
    """Print bias when nothing changed, and how well estimates rank true divergences at 1,000 rows."""
    repeats = 500 if quick else 4000
    methods: dict[str, Callable[[Floats, Floats], Floats]] = {
        "corrected": divergence.kl_corrected,
        "pooled": lambda y, x: divergence.kl_divergence(*divergence.smooth(y, x)),
        "jeffreys": lambda y, x: divergence.kl_divergence(*divergence.smooth(y, x, "jeffreys")),
        "laplace": lambda y, x: divergence.kl_divergence(*divergence.smooth(y, x, "laplace")),
        "Evidently ε": lambda y, x: divergence.kl_divergence(
            *(evidently_fill(side / side.sum(axis=-1, keepdims=True)) for side in (y, x))
        ),
    }
    sizes = (50, 100, 1000, 10_000, 100_000)
    uneven = np.random.default_rng(1).dirichlet(np.full(50, 0.3))
    laws = (np.full(10, 0.1), zipf(20), zipf(50), zipf(500), uneven)
    worst = {name: [0.0] * len(sizes) for name in methods}
    for j, n in enumerate(sizes):
        for shares in laws:
            rng = np.random.default_rng([1, n, len(shares)])
            x, y = (rng.multinomial(n, shares, repeats).astype(float) for _ in range(2))
            for name, method in methods.items():
                bias = float(method(y, x).mean())
                worst[name][j] = max(worst[name][j], bias, key=abs)
    rng = np.random.default_rng(12)
    truth: list[float] = []
    estimates: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repeats):
        q = rng.dirichlet(np.full(int(rng.integers(5, 51)), 1.0))
        p = q * np.exp(rng.uniform(0, 0.4) * rng.standard_normal(len(q)))
        p /= p.sum()
        truth.append(float(divergence.kl_divergence(p, q)))
        x, y = rng.multinomial(1000, q).astype(float), rng.multinomial(1000, p).astype(float)
        for name, method in methods.items():
            estimates[name].append(float(method(y, x)))
    rows = [[name, *worst[name], float(spearmanr(truth, estimates[name]).statistic)] for name in methods]
    table(
        "Worst bias when nothing changed (10 to 500 cells), by rows a side; Spearman's rank correlation with the truth "
        "at 1,000 rows, true KL 0 to about .08, 5 to 50 cells",
        ["estimate", *(f"{n:,}" for n in sizes), "Spearman"],
        rows,
    )


# --- §5: do intervals cover?


def interval(*, quick: bool) -> None:
    """Print the coverage of the 95 % interval over shapes, sizes and divergences."""
    repeats = 1000 if quick else 5000
    rows = []
    for n, m in ((500, 500), (5000, 500), (5000, 5000), (28_000, 1000), (100_000, 10_000)):
        for cells in (3, 10, 30):
            found = []
            for tilt in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5):
                rng = np.random.default_rng([5, n, m, cells, int(100 * tilt)])
                q = 0.9 * rng.dirichlet(np.full(cells, 2.0)) + 0.1 / cells
                p = q * np.exp(tilt * rng.standard_normal(cells))
                p /= p.sum()
                x, y = rng.multinomial(n, q, repeats), rng.multinomial(m, p, repeats)
                low, high = confidence_interval(divergence.kl_corrected(y, x), x, y)
                true = float(divergence.kl_divergence(p, q))
                found.append(float(((low <= true) & (true <= high)).mean()))
            rows.append([f"{n:,} / {m:,}, {cells} cells", min(found), float(np.mean(found)), max(found)])
    table("Coverage of the 95 % interval, seven divergences from 0 to about 1", ["", "least", "mean", "most"], rows)


# --- §9: is what changed found?


def power(*, quick: bool) -> None:
    """Print how often one changed feature of 200 is found on the first day: significant and large enough."""
    repeats = 40 if quick else 300

    def normal(shift: float = 0, scale: float = 1) -> Sampler:
        return lambda rng, size: rng.normal(shift, scale, size)

    def atom(value: float) -> Sampler:
        return lambda rng, size: np.where(rng.random(size) < 0.01, value, rng.normal(size=size))

    letters = zipf(20)
    swapped = letters[[2, 1, 0, *range(3, 20)]]
    faults: dict[str, tuple[bool, Sampler, Sampler]] = {
        "mean + .25 σ": (True, normal(), normal(0.25)),
        "mean + .5 σ": (True, normal(), normal(0.5)),
        "σ × 1.2": (True, normal(), normal(0, 1.2)),
        "1 % at -999": (True, normal(), atom(-999.0)),
        "1 % at one usual value": (True, normal(), atom(0.3)),
        "5 % null": (True, normal(), nulls(normal(), 0.05)),
        "two categories swapped": (False, category(letters), category(swapped)),
        "new category, .5 %": (False, category(letters), category(np.append(letters * 0.995, 0.005))),
        "mean + .02 σ (trivial)": (True, normal(), normal(0.02)),
    }
    sizes = [(500, 500), (5000, 5000), (50_000, 5000), (50_000, 50_000)] + ([] if quick else [(500_000, 500_000)])
    detection = Detection()
    rows: list[list[object]] = []
    for name, (numeric, old, new) in faults.items():
        found: list[object] = []
        for n, m in sizes:
            rng = np.random.default_rng([9, n, m, len(rows)])
            tries = repeats if n <= 5000 else max(20, repeats // (1 if n <= 50_000 else 10))
            hits = Counter[str]()
            for _ in range(tries):
                before = old(rng, n)
                binning = fit(before, numeric=numeric, expected_rows=m)
                pair = refined(histogram(binning, before), histogram(binning, new(rng, m)))
                # Alone among 200 it is called where 200 p ≤ .01.
                score = measure({"x": pair})["x"]
                significant = score.p * FEATURES <= detection.fdr
                hits["significant"] += significant
                hits["found"] += significant and score.kl_corrected >= detection.effect.warning
            found.append(f"{hits['found'] / tries:.2f} ({hits['significant'] / tries:.2f})")
        rows.append([name, *found])
    table(
        "Found on day 1, one feature of 200: significant and ≥ .01 nats (significant)",
        ["reference / current rows", *(f"{n:,} / {m:,}" for n, m in sizes)],
        rows,
    )


# --- §4: pages


def shared_bins(before: Floats, after: Floats, *, numeric: bool) -> tuple[Floats, Floats]:
    """Return both sides' shares over Evidently's bins: Sturges' over both samples, or the union of the categories."""
    if numeric:
        edges = np.histogram_bin_edges(np.concatenate([before, after]), bins="sturges")
        return tuple(np.histogram(side, edges)[0] / len(side) for side in (before, after))  # type: ignore[return-value]
    size = int(max(before.max(), after.max())) + 1
    return tuple(np.bincount(side.astype(int), minlength=size) / len(side) for side in (before, after))  # type: ignore[return-value]


def deciles(before: Floats, *, numeric: bool) -> Callable[[Floats], Floats]:
    """Return what counts values into ten quantile bins of the reference, or into its categories."""
    if numeric:
        edges = np.quantile(before, np.arange(1, 10) / 10)
        return lambda values: np.bincount(np.searchsorted(edges, values), minlength=10) / len(values)
    size = int(before.max()) + 2
    return lambda values: np.bincount(np.minimum(values.astype(int), size - 1), minlength=size) / len(values)


def epsilon_psi(p: Floats, q: Floats) -> float:
    """Return PSI with empty cells filled by 1e-4."""
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return float(((p - q) * np.log(p / q)).sum())


def js_distance(p: Floats, q: Floats) -> float:
    """Return the Jensen-Shannon distance of two arrays of shares."""
    return float(divergence.js_distance(p, q))


def ks_p(before_sorted: Floats, after: Floats) -> float:
    """Return the asymptotic p-value of the two-sample Kolmogorov-Smirnov test."""
    after = np.sort(after)
    n, m = len(before_sorted), len(after)
    both = np.concatenate([before_sorted, after])
    gap = np.searchsorted(before_sorted, both, "right") / n - np.searchsorted(after, both, "right") / m
    return float(kolmogorov(np.sqrt(n * m / (n + m)) * np.abs(gap).max()))


def remember(
    history: dict[str, list[Past]], scores: Mapping[str, Score], severities: Mapping[str, object], day: int
) -> None:
    """Append a day to every feature's history."""
    for name, s in scores.items():
        start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
        severity = severities[name]
        history[name].append(
            Past(start, s.kl, s.kl_corrected, s.n_reference, s.n_current, s.cells, severity)  # type: ignore[arg-type]
        )


def pages(*, quick: bool) -> None:
    """Print false alarms in 30 days of 200 features where nothing changes, by rule and by rows a window."""
    sizes = (500, 5000) if quick else (500, 5000, 50_000)
    rules: dict[str, list[object]] = {}
    for n in sizes:
        count = _month(n)
        for rule, value in count.items():
            rules.setdefault(rule, []).append(value)
    table(
        "False feature alerts in 30 days × 200 features when nothing changed, reference as large as the window",
        ["rule", *(f"{n:,} rows" for n in sizes)],
        [[rule, *values] for rule, values in rules.items()],
    )


def _month(n: int) -> Counter[str]:
    rng = np.random.default_rng([4, n])
    samplers = [
        (True, list(NUMERIC.values())[i % 2]) if i < FEATURES // 2 else (False, category(zipf(2 + i % 49)))
        for i in range(FEATURES)
    ]
    references = [sampler(rng, n) for _, sampler in samplers]
    binnings = [fit(r, numeric=numeric, expected_rows=n) for r, (numeric, _) in zip(references, samplers, strict=True)]
    before = [histogram(b, r) for b, r in zip(binnings, references, strict=True)]
    tens = [deciles(r, numeric=numeric) for r, (numeric, _) in zip(references, samplers, strict=True)]
    tens_before = [count(r) for count, r in zip(tens, references, strict=True)]
    ordered = [np.sort(r) for r in references]
    limits = []
    for i, (_, sampler) in enumerate(samplers):
        past = [js_distance(tens[i](sampler(rng, n)), tens_before[i]) for _ in range(20)]
        limits.append(np.mean(past) + 3 * np.std(past))
    count = Counter[str](dict.fromkeys(
        ("Evidently KL ≥ .1", "PSI ≥ .2, deciles", "JS distance ≥ .1", "KS p < .05 (100 numeric)", "JS mean + 3 σ",
         "Drift: q ≤ .01", "Drift: + effect floor .01", "Drift: pages"), 0))  # fmt: skip
    history: dict[str, list[Past]] = {str(i): [] for i in range(FEATURES)}
    detection, start = Detection(), datetime(2024, 1, 1, tzinfo=UTC)
    reference, days = Profile(None, n, {str(i): one for i, one in enumerate(before)}), list[Profile]()
    for day in range(DAYS):
        today = [sampler(rng, n) for _, sampler in samplers]
        for i, (numeric, _) in enumerate(samplers):
            old, new = shared_bins(references[i], today[i], numeric=numeric)
            count["Evidently KL ≥ .1"] += bool(
                divergence.kl_divergence(evidently_fill(old), evidently_fill(new)) >= 0.1
            )
            count["JS distance ≥ .1"] += js_distance(old, new) >= 0.1
            shares = tens[i](today[i])
            count["PSI ≥ .2, deciles"] += epsilon_psi(shares, tens_before[i]) >= 0.2
            count["JS mean + 3 σ"] += bool(js_distance(shares, tens_before[i]) > limits[i])
            if numeric:
                count["KS p < .05 (100 numeric)"] += ks_p(ordered[i], today[i]) < 0.05
        now = Profile(None, n, {str(i): histogram(binnings[i], today[i]) for i in range(FEATURES)})
        verdicts = assess([Subject(reference, now, list(history), history, days)], detection)[0].verdicts
        days.append(replace(now, window=Window(start + timedelta(days=day), start + timedelta(days=day + 1))))
        scores = {v.feature: v.score for v in verdicts if v.score}
        called = {s.feature for s in scores.values() if s.q <= detection.fdr}
        count["Drift: q ≤ .01"] += len(called)
        count["Drift: + effect floor .01"] += sum(v.severity != "none" for v in verdicts)
        count["Drift: pages"] += sum(v.drifting for v in verdicts)
        remember(history, scores, {v.feature: v.severity for v in verdicts}, day)
    return count


# --- §8: days that are not independent draws


def season(*, quick: bool) -> None:
    """Print pages and finds where every day differs a little, and weekends more: the stages a run uses, end to end."""
    months = 1 if quick else 4
    rows: list[list[object]] = []
    for unrest in (0.0, 0.05, 0.075, 0.1, 0.15):
        total = Counter[str]()
        for month in range(months):
            total += _seasonal_month(unrest, np.random.default_rng([8, month, int(1000 * unrest)]))
        found = [
            f"{total[f'{size} seen {when}'] / (20 * months):.2f} ({total[f'{size} told {when}'] / (20 * months):.2f})"
            for size in SHIFTS
            for when in (1, 3)
        ]
        early, false = (total[name] / months for name in ("early", "pages"))
        rows.append([f"up to {unrest:g} σ", early, false, *found])
    table(
        "Restless stream, 5,000 rows a day against 28 trailing days, weekends 1.5 times as restless: pages of 160 "
        "unchanged features in the first 84 days and in 30 days after these, and planted shifts found (notified)",
        ["a day's own shift (sd)", "first 84 days", "30 days"]
        + [f"{s} σ {when}" for s in SHIFTS for when in ("day 1", "by day 3")],
        rows,
    )


SHIFTS = (0.25, 0.45)
"""Planted shifts: divergences of .031 and .10 nats."""

WARM, WATCHED = 84, 30
"""Days before anything is planted, and days after these."""


def _seasonal_month(unrest: float, rng: np.random.Generator) -> Counter[str]:
    """Return pages and finds of a month after twelve weeks, each feature's restlessness drawn up to `unrest`."""
    n_rows, planted = 5000, np.repeat([*SHIFTS, 0.0], [20, 20, FEATURES - 40])
    binning = fit_numeric(np.random.default_rng(0).normal(size=28 * n_rows), expected_rows=n_rows)
    edges = np.concatenate([[-np.inf], binning.edges, [np.inf]])
    restless, weekend = rng.uniform(0, 1, (2, FEATURES)) * [[unrest], [1.5 * unrest]]
    fault_day = WARM + int(rng.integers(5, 20))

    def counted(day: int, window: Window) -> Profile:
        shift = restless * rng.standard_normal(FEATURES) + weekend * (day % 7 >= 5) + planted * (day >= fault_day)
        cells = rng.multinomial(n_rows, np.diff(ndtr(edges - shift[:, None])))
        histograms = {str(i): Histogram(binning, np.append(counts, 0)) for i, counts in enumerate(cells)}
        return Profile(window, n_rows, histograms, {}, dict.fromkeys(histograms, "double"))

    context, windows = _stream(counted, [binning] * FEATURES)
    tally = Counter[str]()
    seen: set[str] = set()
    told: set[str] = set()
    before: set[str] = set()
    for day, window in enumerate(windows):
        verdicts = evaluate.evaluate_window(context, window).verdicts
        drifting = {v.feature for v in verdicts if v.drifting}
        unchanged = {feature for feature in drifting if planted[int(feature)] == 0}
        # A run of days is one page.
        tally["early" if day < WARM else "pages"] += len(unchanged - before)
        before = unchanged
        if day >= fault_day:
            told |= drifting
            seen |= {v.feature for v in verdicts if v.severity != "none"}
        if day in {fault_day, fault_day + 2}:
            for word, features in (("seen", seen), ("told", told)):
                tally.update(f"{planted[int(f)]} {word} {day - fault_day + 1}" for f in features)
    return tally


def _stream(
    counted: Callable[[int, Window], Profile], binnings: Sequence[Binning], days: int = WARM + WATCHED, *keys: str
) -> tuple[Context[State], list[Window]]:
    """Return a monitor with default settings, but for `keys`, on days that are counted and nowhere stored."""
    text = ["name: stream", "window: {every: 1d}", "source: {files: none.csv, time_column: t}", *keys]
    monitor = parse_monitor("\n".join(text))
    memory = Memory(cast("StateReader", None))
    context = offline(monitor, memory)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    windows = list(monitor.window.calendar.between(start, start + timedelta(days=days)))
    memory.binnings |= {str(i): binning for i, binning in enumerate(binnings)}
    span = {"version": 1, "fitted_from": start, "fitted_to": windows[min(28, days - 1)].start}
    memory.fitted = {f: {**span, "fingerprint": binning.fingerprint} for f, binning in memory.binnings.items()}
    # Days before the first are known to hold nothing: nothing is left to be asked of a database.
    asked = {each for window in windows for each in (*context.needed(window), *context.remembered(window))}
    memory.decisions |= {window: "accepted" if window in windows else None for window in asked}
    memory.counts |= dict.fromkeys(asked)
    memory.counts |= {window: (counted(day, window), "accepted") for day, window in enumerate(windows)}
    return context, windows


# --- §4: steps, early and lasting

STEPS: dict[str, dict[float, float]] = {
    "binary": {0.015: 0.38, 0.035: 0.42, 0.1: 0.51},
    "categorical": {0.015: 0.425, 0.035: 0.47, 0.1: 0.56},
    "numeric": {0.015: 0.175, 0.035: 0.28, 0.1: 0.46},
}
"""What a step of so many nats is: the share of the first of two labels, that of ten labels by 1/i, a shift in σ."""


def _steps(
    kinds: Sequence[str], sizes: Sequence[float], first: int, rng: np.random.Generator, *, rows: int = 1000
) -> tuple[Callable[[int, Window], Profile], list[Binning]]:
    """Return what counts features of these kinds, each with a step of its size (0: none) from its day on."""
    numeric = fit_numeric(np.random.default_rng(0).normal(size=28 * rows), expected_rows=rows)
    edges = np.concatenate([[-np.inf], numeric.edges, [np.inf]])
    ten = zipf(10)
    names = {"binary": ("a", "b"), "categorical": tuple("abcdefghij")}
    before = {"binary": np.array([0.3, 0.7]), "categorical": ten, "numeric": np.diff(ndtr(edges))}

    def shares(kind: str, size: float) -> Floats:
        if not size:
            return before[kind]
        to = STEPS[kind][size]
        if kind == "numeric":
            return np.asarray(np.diff(ndtr(edges - to)))
        return np.concatenate([[to], before[kind][1:] * (1 - to) / (1 - before[kind][0])])

    fitted = {
        kind: fit_categorical({name: int(1e6 * share) for name, share in zip(labels, before[kind], strict=True)})
        for kind, labels in names.items()
    }
    binnings: list[Binning] = [numeric if kind == "numeric" else fitted[kind] for kind in kinds]

    def counted(day: int, window: Window) -> Profile:
        histograms = {}
        for i, (kind, size, binning) in enumerate(zip(kinds, sizes, binnings, strict=True)):
            counts = np.zeros(binning.n_cells, np.int64)
            drawn = rng.multinomial(rows, shares(kind, size if day >= first else 0.0))
            counts[: len(drawn)] = drawn
            histograms[str(i)] = Histogram(binning, counts)
        return Profile(window, rows, histograms, {}, dict.fromkeys(histograms, "double"))

    return counted, binnings


def early(*, quick: bool) -> None:
    """Print how often a step is told within three days, by the days of history before it."""
    streams, planted = (2 if quick else 6), 20
    kinds = [kind for kind in STEPS for _ in range(planted)] + [
        list(STEPS)[i % 3] for i in range(FEATURES - 3 * planted)
    ]
    sizes = [0.035] * 3 * planted + [0.0] * (FEATURES - 3 * planted)
    rows: list[list[object]] = []
    for days in (7, 14, 20, 28, 56):
        told, false = Counter[str](), 0
        for stream in range(streams):
            counted, binnings = _steps(kinds, sizes, days, np.random.default_rng([14, stream, days]))
            context, windows = _stream(counted, binnings, days + 3)
            found: set[int] = set()
            for window in windows:
                drifting = {int(v.feature) for v in evaluate.evaluate_window(context, window).verdicts if v.drifting}
                false += len(drifting - set(range(3 * planted)) - found)
                found |= drifting
            told.update(kinds[i] for i in found if i < 3 * planted)
        rows.append([f"{days} days", *(told[kind] / (streams * planted) for kind in STEPS), false / streams])
    heading = ["history", *STEPS, f"of {FEATURES - 3 * planted} unchanged, in all"]
    table("Notified within three days: a step of .035 nats, 1,000 rows a day", heading, rows)


def lasting(*, quick: bool) -> None:
    """Print how often a step stays called beside a fixed reference of four weeks."""
    streams, planted, first, days = (1 if quick else 6), 10, 35, 35 + (30 if quick else 90)
    cases = [(kind, size) for kind in STEPS for size in STEPS[kind] for _ in range(planted)]
    cases += [("unchanged", 0.0)] * (FEATURES - len(cases))
    kinds = [list(STEPS)[i % 3] if kind == "unchanged" else kind for i, (kind, _) in enumerate(cases)]
    called = []
    for stream in range(streams):
        counted, binnings = _steps(kinds, [size for _, size in cases], first, np.random.default_rng([15, stream]))
        context, windows = _stream(counted, binnings, days, "reference: {fixed: [2024-01-01, 2024-01-29]}")
        called.append([[v.drifting for v in evaluate.evaluate_window(context, window).verdicts] for window in windows])
    after = np.array(called)[:, first + 2 :]
    half = after.shape[1] // 2
    rows: list[list[object]] = []
    for case in dict.fromkeys(cases):
        mine = after[..., [i for i, each in enumerate(cases) if each == case]]
        halves = (float(part.mean()) for part in (mine[:, :half], mine[:, half:]))
        rows.append([f"{case[0]}, {case[1]:g} nats", *halves, float(mine.mean(axis=1).min())])
    table(
        f"Windows called from the third after a step on, 1,000 rows a day, 28 fixed days, {days - first} days",
        ["step", "first half", "second half", "least of a feature"],
        rows,
    )


# --- pairs of columns whose margins change and whose odds ratios do not

SHAPES = (2, 2), (2, 8), (4, 4), (8, 8)
MARGINS: dict[str, Callable[[int], Floats]] = {
    "even": lambda k: np.full(k, 1 / k),
    "1/i": zipf,
    "1/i²": lambda k: zipf(k, 2.0),
}
NEAR = {"independent": 0.0, "dependent": 3.0, "nearly determined": 12.0}
SIZES = (60, 60), (300, 300), (2000, 2000), (1680, 60), (8400, 300), (28_000, 1000), (840_000, 30_000), (300, 2000)
PAIRS_SEED = 101
"""The rule was chosen on seed 1."""


def pairs(*, quick: bool) -> None:
    """Print how often pairs of columns are called where their margins changed alone."""
    repeats, rates = (300 if quick else 2000), dict[str, list[list[float]]]()
    grid = [(*each, n, m) for each in product(SHAPES, MARGINS, NEAR) for n, m in SIZES]
    for case, (shape, margins, near, n, m) in enumerate(grid):
        rng = np.random.default_rng([PAIRS_SEED, case])
        a, b = (MARGINS[margins](k) for k in shape)
        apart = np.abs(np.linspace(0, 1, len(a))[:, None] - np.linspace(0, 1, len(b)))
        q = rake(np.exp(-NEAR[near] * apart)[None], a[None], b[None])
        p = rake(q, (0.3 * a[::-1] + 0.7 * a)[None], b[None])
        x, y = (
            rng.multinomial(rows, (each / each.sum()).ravel(), repeats).reshape(-1, *shape)
            for rows, each in ((n, q), (m, p))
        )
        found = dependence(x, y)
        chi2 = chdtrc((len(a) - 1) * (len(b) - 1), found.statistic)
        expected = float(found.expected.mean())
        full = expected >= 0.9 * (len(a) - 1) * (len(b) - 1)
        group = "full" if full else "sparse" if expected >= 2 else "hardly testable"
        rates.setdefault(group, []).append(
            [float(np.mean(each <= level)) / level for each in (found.p, chi2) for level in (0.05, 0.01)]
        )
    rows: list[list[object]] = []
    for group, some in sorted(rates.items()):
        at = np.array(some)
        lowest, middle, highest = np.quantile(at[:, 0], [0, 0.5, 1])
        within = float(np.mean(np.abs(at[:, 0] - 1) <= 0.2))
        rows.append(
            [group, len(at), lowest, middle, highest, within, *(float(each) for each in np.median(at[:, 1:], axis=0))]
        )
    heading = [
        "tables",
        "kinds",
        "lowest",
        "median",
        "highest",
        "within ±20 %",
        "median at .01",
        "χ²: median at .05",
        "at .01",
    ]
    table("Pairs called at .05 where margins changed alone, over nominal", heading, rows)


TABLES: dict[str, Callable[..., None]] = {
    "calibration": calibration,
    "small": small,
    "estimate": estimate,
    "interval": interval,
    "power": power,
    "pages": pages,
    "season": season,
    "early": early,
    "lasting": lasting,
    "pairs": pairs,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables asked for, each with the time it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and smaller windows")
    parser.add_argument("--only", default=",".join(TABLES), help="tables, separated by commas")
    options = parser.parse_args(argv)
    for name in options.only.split(","):
        started = time.perf_counter()
        TABLES[name](quick=options.quick)
        print(f"[{name}: {time.perf_counter() - started:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
