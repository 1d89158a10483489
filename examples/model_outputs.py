"""Watch what a model says: its outputs month by month in production, and KL as the loss it is trained with.

    python examples/model_outputs.py

**Production.** A classifier learns from January to March which flights will leave more than 15 minutes late. Whether
its answers are right is often known late or never; what it answers is known at once. Its probabilities are binned once,
on flights of the same quarter that it did not learn from; every later month is counted into those cells and compared.

**Training.** Softmax regression, fitted by minimising the mean divergence of the model from softened labels, is the
logistic regression of scikit-learn: the log loss is that divergence plus the entropy of the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import approx_fprime, minimize
from scipy.special import log_softmax, rel_entr
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from drift.profiles.fitting import fit_numeric
from drift.statistics.divergence import entropy, kl_corrected, kl_divergence, noise_floor, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(__file__).parent.parent / "data"
LATE = 15
WARNING, CRITICAL = 0.01, 0.1
WEATHER = ["temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@dataclass(frozen=True, slots=True)
class Month:
    """A month of model outputs against the reference; divergences in nats."""

    month: int
    flights: int
    kl: float
    kl_corrected: float
    noise: float
    predicted_late: float
    observed_late: float

    @property
    def severity(self) -> str:
        """How far the outputs have moved, by the floors that Drift sets where nobody sets others."""
        return "critical" if self.kl_corrected >= CRITICAL else "warning" if self.kl_corrected >= WARNING else "none"


def departures() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is known of each flight before it leaves, and (month, delay) of it afterwards."""
    flights = pd.read_parquet(DATA / "flights.parquet")
    weather = pd.read_parquet(DATA / "weather.parquet", columns=["event_time", "origin", *WEATHER])
    weather = weather.rename(columns={"event_time": "hour"}).drop_duplicates(["hour", "origin"])
    flights["hour"] = flights["event_time"].dt.floor("h")
    rows = flights.merge(weather, on=["hour", "origin"], how="left", validate="many_to_one")
    local = rows["event_time"].dt.tz_convert("America/New_York")
    known = rows[["distance", *WEATHER]].assign(
        minute=60 * local.dt.hour + local.dt.minute,
        weekday=local.dt.day_of_week,
        carrier=rows["carrier"].astype("category").cat.codes,
        origin=rows["origin"].astype("category").cat.codes,
    )
    return known, pd.DataFrame({"month": local.dt.month, "delay": rows["dep_delay"]})


def watch_outputs() -> list[Month]:
    """Train on the first quarter, and compare the outputs of each later month with those of the first quarter."""
    known, outcome = departures()
    flown, late = outcome["delay"].notna(), outcome["delay"] > LATE
    first_quarter = outcome["month"] <= 3
    # A model is surer of what it learned from: the reference is outputs for flights that it has not seen either.
    held_out = np.arange(len(known)) % 5 == 0
    learned = first_quarter & ~held_out & flown
    model = HistGradientBoostingClassifier(max_iter=25, learning_rate=0.2, random_state=0).fit(
        known[learned], late[learned]
    )
    outputs = model.predict_proba(known)[:, 1]

    binning = fit_numeric(outputs[first_quarter & held_out])
    reference = binning.count(outputs[first_quarter & held_out])
    months = []
    for month in range(4, 13):
        here = (outcome["month"] == month).to_numpy()
        counts = binning.count(outputs[here])
        months.append(
            Month(
                month,
                int(here.sum()),
                float(kl_divergence(*smooth(counts, reference))),
                float(kl_corrected(counts, reference)),
                float(noise_floor(counts, reference)),
                float(outputs[here].mean()),
                float(late[here & flown].mean()),
            )
        )
    return months


@dataclass(frozen=True, slots=True)
class Training:
    """Softmax regression by minimal divergence, beside scikit-learn's. Losses in nats, per row."""

    mean_kl: float
    label_entropy: float
    log_loss: float
    coefficients: NDArray[np.float64]
    sklearn_coefficients: NDArray[np.float64]
    gradient_error: float


def train_by_divergence(softening: float = 0.1, penalty: float = 1.0) -> Training:
    """Fit by minimising the mean KL(label‖model) plus a ridge, with its gradient in closed form.

    The model is ``q = softmax(x W + b)`` and a label is ``1 - softening`` on the class of the row, the rest spread
    evenly. The gradient of the mean KL in the logits is ``(q - label) / n``.
    """
    wine = load_wine()
    rows = StandardScaler().fit_transform(wine.data)
    n, width = rows.shape
    classes = wine.target.max() + 1
    labels = np.full((n, classes), softening / classes)
    labels[np.arange(n), wine.target] += 1 - softening

    def logits(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        parameters = theta.reshape(width + 1, classes)
        return rows @ parameters[:-1] + parameters[-1]

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_model = log_softmax(logits(theta), axis=1)
        weights = theta.reshape(width + 1, classes)[:-1]
        mean_kl = float((labels * (np.log(labels) - log_model)).sum() / n)
        surplus = (np.exp(log_model) - labels) / n
        gradient = np.vstack([rows.T @ surplus + penalty * weights / n, surplus.sum(axis=0)])
        return mean_kl + penalty * float((weights**2).sum()) / (2 * n), gradient.ravel()

    start = np.zeros((width + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 1e-15, "maxiter": 5000})
    somewhere = np.random.default_rng(0).normal(scale=0.3, size=start.shape)
    gradient_error = np.abs(approx_fprime(somewhere, lambda theta: loss(theta)[0]) - loss(somewhere)[1]).max()

    # scikit-learn takes hard labels: each row stands once for every class, weighted with its label.
    repeated, hard, weight = np.repeat(rows, classes, axis=0), np.tile(np.arange(classes), n), labels.ravel()
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(repeated, hard, sample_weight=weight)

    model = np.exp(log_softmax(logits(found.x), axis=1))
    mean_kl = float(kl_divergence(labels, model).mean())
    if not np.isclose(mean_kl, rel_entr(labels, model).sum(axis=1).mean(), rtol=1e-12):
        raise ArithmeticError("Drift and SciPy disagree about a divergence")
    ours = found.x.reshape(width + 1, classes)
    return Training(
        mean_kl,
        float(entropy(labels).mean()),
        float(log_loss(hard, np.repeat(model, classes, axis=0), sample_weight=weight)),
        np.vstack([ours[:-1], ours[-1] - ours[-1].mean()]),
        np.vstack([theirs.coef_.T, theirs.intercept_ - theirs.intercept_.mean()]),
        float(gradient_error),
    )


def main() -> tuple[list[Month], Training]:
    """Run both halves and print what they show."""
    months = watch_outputs()
    print("Outputs of a model trained on January to March; D(month‖reference) in nats")
    print(f"{'month':>5} {'flights':>8} {'KL':>8} {'corrected':>9} {'noise':>8} {'predicted':>9} {'observed':>8}")
    for m in months:
        print(
            f"{m.month:>5} {m.flights:>8,} {m.kl:>8.4f} {m.kl_corrected:>9.4f} {m.noise:>8.4f} "
            f"{m.predicted_late:>9.1%} {m.observed_late:>8.1%}  {m.severity}"
        )
    print(
        "The model knows winter's weather only. Its outputs cannot show that they should have been others: December's"
    )
    print("moved least, and far more flights were late than it said. Watch outputs and, once they are known, outcomes.")

    training = train_by_divergence()
    gap = np.abs(training.coefficients - training.sklearn_coefficients).max()
    print("\nSoftmax regression on the wine data by minimal mean KL(label‖model)")
    print(f"  mean KL {training.mean_kl:.6f} + label entropy {training.label_entropy:.6f}", end="")
    print(f" = log loss {training.log_loss:.6f}")
    print(f"  largest difference from scikit-learn's coefficients {gap:.1e}; error of the gradient", end="")
    print(f" {training.gradient_error:.1e}")
    return months, training


if __name__ == "__main__":
    main()
