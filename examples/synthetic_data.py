"""Compare generated data with real data: ``drift compare real.parquet synthetic.parquet``.

    python examples/synthetic_data.py [FOLDER]

Three generators learn from half of a year of weather and are compared with the other half, and so is the half that they
learned from, to show what a perfect generator scores:

- ``density``: a kernel density estimate, rounded to the steps of the instruments;
- ``independent``: a normal distribution for each column, with its mean and standard deviation;
- ``shuffled``: real values, each column in an order of its own.

Every column of ``shuffled`` is as real as can be, and no single feature can tell. What is lost is how columns belong
together: the reports list the relationships that a generator lost, with the mutual information before and after, each
apart from what the histograms of the two columns say.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from drift.pipeline.compare import compare

if TYPE_CHECKING:
    from drift.detection.reports import Report

DATA = Path(__file__).parent.parent / "data"
COLUMNS = ["temp", "dewp", "humid", "wind_speed", "pressure"]


def weather(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two random halves of the year: one to learn from, one to compare with."""
    rows = pd.read_parquet(DATA / "weather.parquet", columns=COLUMNS).astype("float64").dropna()
    rows = rows[rows["wind_speed"] < 1000]  # one broken reading of 1048 mph
    order = rng.permutation(len(rows))
    middle = len(rows) // 2
    return rows.iloc[order[:middle]].reset_index(drop=True), rows.iloc[order[middle:]].reset_index(drop=True)


def rounded(made: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Move every value to the nearest one that the instruments report.

    Wind comes in whole knots, temperature in steps: a generator of smooth values is told apart at the first glance.
    """
    columns = {}
    for name in made:
        steps = np.unique(real[name])
        columns[name] = steps[np.searchsorted((steps[1:] + steps[:-1]) / 2, made[name])]
    return pd.DataFrame(columns)


def generate(learned: pd.DataFrame, rows: int, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return a table by each generator."""
    mean, std = learned.mean(), learned.std()
    scaled = ((learned - mean) / std).to_numpy()
    seed = int(rng.integers(2**31))
    density = KernelDensity(bandwidth=0.03).fit(scaled).sample(rows, random_state=seed)
    independent, _ = GaussianMixture(1, covariance_type="diag", random_state=seed).fit(scaled).sample(rows)
    return {
        "density": rounded(pd.DataFrame(density, columns=COLUMNS) * std + mean, learned),
        "independent": rounded(pd.DataFrame(independent, columns=COLUMNS) * std + mean, learned),
        "shuffled": pd.DataFrame({name: rng.permutation(learned[name].to_numpy()) for name in COLUMNS}),
    }


def main(folder: Path | None = None) -> dict[str, Report]:
    """Write the tables to `folder`, compare each with the real one, and print the reports."""
    folder = folder or Path(tempfile.mkdtemp(prefix="drift-"))
    rng = np.random.default_rng(2013)
    learned, real = weather(rng)
    real.to_parquet(folder / "real.parquet", index=False)
    reports = {}
    for name, made in {"learned": learned, **generate(learned, len(real), rng)}.items():
        file = folder / f"{name}.parquet"
        made.to_parquet(file, index=False)
        reports[name] = compare(folder / "real.parquet", file, name=name)
        print(reports[name], end="\n\n")
    (folder / "density.parquet").replace(folder / "synthetic.parquet")
    print(f"The same on the command line: cd {folder} && drift compare real.parquet synthetic.parquet")
    print("What no such comparison says: whether a generator copies real rows. Its distribution would be perfect.")
    return reports


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
