"""KL to a prior: latent variables and maximum entropy; and what bins and samples see of a known divergence.

    python examples/latent_variables.py

**A variational autoencoder in closed form.** Probabilistic PCA is the linear case: z ~ N(0, I), x | z ~ N(Wz + μ, σ²I).
The bound that variational autoencoders climb, E_q[ln p(x|z)] - KL(q(z|x) ‖ N(0, I)), is exact here where q is the true
posterior, and equals the likelihood that scikit-learn's PCA reports; any other q loses exactly KL(q ‖ posterior).

**Maximum entropy.** Of all dice with a given mean, the one nearest to the fair die in KL has weights exp(λ · face).

**Gaussian closed form.** The binned divergence of two normal distributions rises to it as cells are refined, and so
does the corrected estimate from samples, as more rows feed more cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from drift.statistics.divergence import entropy, gaussian_kl, kl_corrected, kl_divergence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def gaussian_kl_many(mean: Floats, cov: Floats, reference_mean: Floats, reference_cov: Floats) -> Floats:
    """Divergence of multivariate normal distributions with means in rows, in nats (Cover & Thomas, chapter 8)."""
    inverse = np.linalg.inv(reference_cov)
    step = mean - reference_mean
    distance = np.einsum("ni,ij,nj->n", step, inverse, step)
    log_volumes = np.linalg.slogdet(reference_cov)[1] - np.linalg.slogdet(cov)[1]
    return 0.5 * (np.trace(inverse @ cov) + distance - mean.shape[1] + log_volumes)


@dataclass(frozen=True, slots=True)
class Bound:
    """The variational bound of probabilistic PCA, in nats, the mean over rows."""

    reconstruction: float
    kl_to_prior: float
    kl_to_prior_by_component: float
    log_likelihood: float
    worse_bound: float
    kl_to_posterior: float

    @property
    def bound(self) -> float:
        """Reconstruction less the divergence from the prior."""
        return self.reconstruction - self.kl_to_prior


def variational_bound(components: int = 5) -> Bound:
    """Evaluate the bound with the exact posterior, and with another q, on the breast cancer data."""
    rows = StandardScaler().fit_transform(load_breast_cancer().data)
    pca = PCA(components, svd_solver="full").fit(rows)
    noise = float(pca.noise_variance_)
    loadings = pca.components_.T * np.sqrt(pca.explained_variance_ - noise)
    precision = np.eye(components) + loadings.T @ loadings / noise
    posterior_cov = np.linalg.inv(precision)
    posterior_mean = (rows - pca.mean_) @ loadings @ posterior_cov / noise
    prior_mean, prior_cov = np.zeros((1, components)), np.eye(components)

    def reconstruction(mean: Floats, cov: Floats) -> float:
        misses = ((rows - pca.mean_ - mean @ loadings.T) ** 2).sum(axis=1) + np.trace(loadings @ cov @ loadings.T)
        return float((-0.5 * rows.shape[1] * np.log(2 * np.pi * noise) - misses / (2 * noise)).mean())

    # In the basis of PCA the components of the posterior are independent, so its divergence adds up over them.
    spread = np.sqrt(np.diag(posterior_cov))
    by_component = [sum(gaussian_kl(m, s, 0, 1) for m, s in zip(row, spread, strict=True)) for row in posterior_mean]

    rng = np.random.default_rng(0)
    other_mean = posterior_mean + rng.normal(scale=0.1, size=posterior_mean.shape)
    mixing = np.eye(components) + 0.3 * rng.normal(size=(components, components))
    other_cov = mixing @ posterior_cov @ mixing.T
    other_bound = reconstruction(other_mean, other_cov)
    other_bound -= float(gaussian_kl_many(other_mean, other_cov, prior_mean, prior_cov).mean())
    return Bound(
        reconstruction(posterior_mean, posterior_cov),
        float(gaussian_kl_many(posterior_mean, posterior_cov, prior_mean, prior_cov).mean()),
        float(np.mean(by_component)),
        float(pca.score(rows)),
        other_bound,
        float(gaussian_kl_many(other_mean, other_cov, posterior_mean, posterior_cov).mean()),
    )


@dataclass(frozen=True, slots=True)
class Die:
    """The die of a given mean that is nearest to the fair one: by exponential weights, and by numerical search."""

    exponential: Floats
    searched: Floats
    kl_to_fair: float
    entropy: float


def most_uncertain_die(mean: float = 4.5, faces: int = 6) -> Die:
    """Jaynes' die: a mean is all that is known of it."""
    face = np.arange(1.0, faces + 1)
    fair = np.full(faces, 1 / faces)

    def exponential(tilt: float) -> Floats:
        weights = np.exp(tilt * (face - face.mean()))
        return weights / weights.sum()

    exact = exponential(brentq(lambda tilt: exponential(tilt) @ face - mean, -20, 20, xtol=1e-14))
    searched = minimize(
        lambda p: float((p * np.log(p / fair)).sum()),
        fair,
        jac=lambda p: np.log(p / fair) + 1,
        method="SLSQP",
        bounds=[(1e-9, 1)] * faces,
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1, "jac": lambda _: np.ones(faces)},
            {"type": "eq", "fun": lambda p: p @ face - mean, "jac": lambda _: face},
        ],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return Die(exact, searched.x, float(kl_divergence(exact, fair)), float(entropy(exact)))


@dataclass(frozen=True, slots=True)
class Approach:
    """What is seen of the divergence of N(shift, 1) from N(0, 1): by cells, and by rows and cells together."""

    closed_form: float
    by_cells: dict[int, float]
    by_rows: dict[tuple[int, int], tuple[float, float]]


def shares(cells: int, shift: float) -> Floats:
    """Return the shares of N(shift, 1) in cells that each hold the same share of N(0, 1)."""
    edges = norm.ppf(np.linspace(0, 1, cells + 1))
    return np.diff(norm.cdf(edges, loc=shift))


def approach_closed_form(shift: float = 0.5, repeats: int = 200) -> Approach:
    """Refine the cells of the true distributions, then count ever larger samples into ever more cells.

    Each number of cells is a multiple of the one before, so that its edges contain the earlier ones: refining never
    lowers the divergence. Of the samples, mean and standard deviation of the corrected estimate are kept.
    """
    by_cells = {
        cells: float(kl_divergence(shares(cells, shift), shares(cells, 0.0)))
        for cells in (2, 4, 8, 16, 64, 256, 1024, 4096)
    }
    rng = np.random.default_rng(0)
    by_rows = {}
    for rows, cells in ((100, 4), (1_000, 8), (10_000, 32), (100_000, 128)):
        current = rng.multinomial(rows, shares(cells, shift), size=repeats)
        reference = rng.multinomial(rows, shares(cells, 0.0), size=repeats)
        estimates = kl_corrected(current, reference)
        by_rows[rows, cells] = float(estimates.mean()), float(estimates.std())
    return Approach(gaussian_kl(shift, 1, 0, 1), by_cells, by_rows)


def main() -> tuple[Bound, Die, Approach]:
    """Run all three and print what they show."""
    bound = variational_bound()
    print("Probabilistic PCA as a linear variational autoencoder, nats a row")
    print(f"  reconstruction {bound.reconstruction:.6f} - KL to the prior {bound.kl_to_prior:.6f} = {bound.bound:.6f}")
    print(f"  log-likelihood by scikit-learn {bound.log_likelihood:.6f}")
    print(f"  another q: {bound.worse_bound:.6f}, less by KL(q‖posterior) = {bound.kl_to_posterior:.6f}")

    die = most_uncertain_die()
    print("\nThe die with mean 4.5 that is nearest to the fair one")
    print(f"  {die.exponential.round(4).tolist()}: KL {die.kl_to_fair:.6f} = ln 6 - H = {np.log(6) - die.entropy:.6f}")
    print(f"  numerical search differs by at most {np.abs(die.exponential - die.searched).max():.1e}")

    approach = approach_closed_form()
    print(f"\nN(0.5, 1) against N(0, 1): {approach.closed_form} nats in closed form")
    for cells, value in approach.by_cells.items():
        print(f"  {cells:>5} cells: {value:.6f} ({value / approach.closed_form:.1%})")
    for (rows, cells), (mean, std) in approach.by_rows.items():
        print(f"  {rows:>7,} rows in {cells:>3} cells: corrected estimate {mean:.4f} ± {std:.4f}")
    return bound, die, approach


if __name__ == "__main__":
    main()
