"""What scoring costs: a thousand features of 32 cells, beside `scipy.stats.entropy` in a loop.

    python -m benchmarks.detector [--features 1000] [--repeats 7]

`measure` is all of it: five divergences, bias correction, interval, p-value, false-discovery rate, cells' shares. The
vectorised KL alone and the loop are what it is compared with; all run in turns in this process, medians.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import entropy

from benchmarks.processes import load, table
from drift.detection.scoring import measure
from drift.profiles.binning import NumericBinning
from drift.profiles.histograms import Histogram
from drift.statistics import divergence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

CELLS = 32


def draws(features: int, rows: int, shift: float, *, sparse: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return reference and current counts, shape (features, cells): of equal cells, or of ever rarer ones."""
    rng = np.random.default_rng([rows, int(100 * shift)])
    inner = CELLS - 1
    shares = np.exp(-0.3 * np.arange(inner)) if sparse else np.ones(inner)
    shares /= shares.sum()
    moved = shares * np.exp(shift * np.linspace(-1, 1, inner))
    sides = [rng.multinomial(rows, p / p.sum(), features) for p in (shares, moved)]
    # The last cell is that of the missing, of which there are none.
    reference, current = (np.pad(side, ((0, 0), (0, 1))) for side in sides)
    return reference, current


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args(argv)
    binning = NumericBinning(np.arange(CELLS - 2.0))
    rows: list[list[object]] = []
    for name, size, shift, sparse in (
        ("dense: 50,000 rows, unchanged", 50_000, 0.0, False),
        ("sparse: 500 rows, unchanged", 500, 0.0, True),
        ("sparse: 500 rows, drifting (.03 nats)", 500, 0.4, True),
    ):
        reference, current = draws(options.features, size, shift, sparse=sparse)
        pairs = {
            f"f{i}": (Histogram(binning, x), Histogram(binning, y))
            for i, (x, y) in enumerate(zip(reference, current, strict=True))
        }

        def loop(x: NDArray[np.int64] = reference, y: NDArray[np.int64] = current) -> None:
            for before, after in zip(x, y, strict=True):
                entropy(after + 0.5, before + 0.5)

        def alone(x: NDArray[np.int64] = reference, y: NDArray[np.int64] = current) -> None:
            divergence.kl_divergence(*divergence.smooth(y, x, "pooled"))

        def whole(pairs: dict[str, tuple[Histogram, Histogram]] = pairs) -> None:
            measure(pairs)

        loop_s, alone_s, whole_s = in_turns([loop, alone, whole], options.repeats)
        rows.append(
            [
                name,
                *(f"{1e3 * s:.1f}" for s in (loop_s, alone_s, whole_s)),
                f"{whole_s / loop_s:.2f}",
                f"{whole_s / alone_s:.0f}",
            ]
        )
    title = f"{options.features:,} features × {CELLS} cells, one process, medians of {options.repeats} ({load()})"
    heading = ["", "scipy loop ms", "KL alone ms", "measure ms", "measure / loop", "measure / KL alone"]
    table(title, heading, rows)


def in_turns(functions: Sequence[Callable[[], None]], repeats: int) -> list[float]:
    """Return the median seconds of each of several functions, run in turns after one round to warm up."""
    took: list[list[float]] = [[] for _ in functions]
    for i in range(repeats + 1):
        for function, times in zip(functions, took, strict=True):
            started = time.perf_counter()
            function()
            if i:
                times.append(time.perf_counter() - started)
    return [median(times) for times in took]


if __name__ == "__main__":
    main()
