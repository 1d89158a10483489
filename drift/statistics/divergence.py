r"""Divergences between distributions, in nats, vectorised over features.

Two layers. On *probability arrays*: `kl_divergence(p, q)` and its kin, exact, refusing what is not a distribution. On
*counts*: `smooth`, which makes two samples comparable, and `kl_corrected`, which estimates the divergence of the
populations behind them.

Everything works over the last axis, so an array of shape ``(n_features, n_cells)`` is one call. Padding a row with
empty cells changes nothing.

In Drift P is the current window and Q the reference: :math:`D(P\|Q)` is the mean log-likelihood ratio that a row of
today carries against the model of the past. Peers differ silently in direction and in the base of the logarithm.

References
----------
- Kullback, S. & Leibler, R. A. (1951). On information and sufficiency. *Ann. Math. Statist.* 22(1), 79-86.
- Lin, J. (1991). Divergence measures based on the Shannon entropy. *IEEE Trans. Inf. Theory* 37(1), 145-151.
- Zhang, Z. & Grabchak, M. (2014). Nonparametric estimation of Kullback-Leibler divergence. *Neural Computation*
  26(11), 2570-2593.
- Yurdakul, B. (2018). Statistical properties of the population stability index. Western Michigan University.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from drift.errors import DistributionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Smoothing = Literal["pooled", "jeffreys", "laplace", "epsilon", "none"]
TOLERANCE = 1e-8


def as_distribution(values: ArrayLike, name: str = "p") -> Floats:
    """Return `values` as float64 after checking that they are probabilities over the last axis.

    Raises
    ------
    DistributionError
        If a value is negative or not finite, or a row does not sum to 1 within 1e-8.

    Examples
    --------
    >>> as_distribution([1/2, 1/2, 1/4, 1/4, 1/8, 1/8], "Q")
    Traceback (most recent call last):
    drift.errors.DistributionError: Q is not a probability distribution: it sums to 1.75, not 1; divide it by its ...
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise DistributionError(f"{name} is not a probability distribution: it has no cells")
    if not np.isfinite(array).all():
        raise DistributionError(f"{name} is not a probability distribution: it holds NaN or infinity")
    if (array < 0).any():
        raise DistributionError(f"{name} is not a probability distribution: it holds {array.min():.6g}, below 0")
    totals = array.sum(axis=-1)
    worst = np.ravel(totals)[np.argmax(np.abs(np.ravel(totals) - 1))]
    if abs(worst - 1) > TOLERANCE:
        raise DistributionError(
            f"{name} is not a probability distribution: it sums to {worst:.9g}, not 1; "
            "divide it by its sum if these are weights or counts"
        )
    return array


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    first, second = as_distribution(p, "P"), as_distribution(q, "Q")
    if first.shape[-1] != second.shape[-1]:
        raise DistributionError(
            f"P has {first.shape[-1]} cells and Q has {second.shape[-1]}: both must be over the same cells"
        )
    return first, second


def _terms(p: Floats, q: Floats) -> Floats:
    # ln p - ln q, not ln(p / q): the quotient of two tiny numbers overflows or loses all its digits.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)


def kl_divergence(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Kullback-Leibler divergence of P from Q, :math:`D(P\|Q)`, in nats.

    .. math:: D(P\|Q) = \sum_i p_i \ln\frac{p_i}{q_i}, \qquad 0 \ln 0 = 0, \qquad q_i = 0 < p_i \Rightarrow \infty

    Never negative; zero only where P = Q; not symmetric; no triangle inequality (Kullback & Leibler 1951).

    Parameters
    ----------
    p, q : array_like, shape (..., n_cells)
        Probabilities: each row sums to 1.

    Returns
    -------
    ndarray of float64, shape (...)
        Nats. Divide by ``ln 2`` for bits.

    Raises
    ------
    DistributionError
        If P or Q is not a distribution; the message says what it sums to.

    Examples
    --------
    >>> die, loaded = np.full(6, 1 / 6), [1/4, 1/4, 1/8, 1/8, 1/8, 1/8]
    >>> round(float(kl_divergence(die, loaded)), 12), round(float(kl_divergence(loaded, die)), 12)
    (0.056633012265, 0.058891517828)
    >>> float(kl_divergence([0.5, 0.5], [1.0, 0.0]))
    inf
    """
    first, second = _pair(p, q)
    return np.asarray(np.maximum(_terms(first, second).sum(axis=-1), 0.0))


def contributions(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""What each cell adds to :math:`D(P\|Q)`, in nats: never negative, summing to it exactly.

    .. math:: c_i = p_i \ln\frac{p_i}{q_i} - p_i + q_i \ge 0

    The bare terms mislead: a category of 5 % that vanished has a bare term of 0 and is all of the news.

    Returns
    -------
    ndarray of float64, shape (..., n_cells)

    Examples
    --------
    >>> contributions([0.5, 0.5, 0.0], [0.475, 0.475, 0.05]).round(4).tolist()
    [0.0006, 0.0006, 0.05]
    """
    first, second = _pair(p, q)
    return np.asarray(np.maximum(_terms(first, second) - first + second, 0.0))


def entropy(p: ArrayLike) -> Floats:
    r"""Shannon entropy :math:`H(P) = -\sum_i p_i \ln p_i`, in nats.

    ``ln k - H(P)`` is the divergence of P from the uniform distribution over its k cells.

    Examples
    --------
    >>> bool(np.isclose(entropy(np.full(6, 1 / 6)), np.log(6)))
    True
    """
    first = as_distribution(p, "P")
    return np.asarray(-_terms(first, np.ones_like(first)).sum(axis=-1) + 0.0)


def cross_entropy(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Cross-entropy :math:`H(P, Q) = -\sum_i p_i \ln q_i = H(P) + D(P\|Q)`, in nats.

    As a loss it has the same gradient in Q as the divergence: H(P) does not depend on the model.
    """
    first, second = _pair(p, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.where(first > 0, first * np.log(second), 0.0).sum(axis=-1))


def jeffreys_divergence(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Jeffreys divergence :math:`D(P\|Q) + D(Q\|P)`, in nats.

    The population stability index is the same number (Yurdakul 2018).

    Examples
    --------
    >>> round(float(jeffreys_divergence([0.9, 0.1], [0.5, 0.5])), 6)
    0.87889
    """
    first, second = _pair(p, q)
    return np.asarray(np.maximum((_terms(first, second) + _terms(second, first)).sum(axis=-1), 0.0))


psi = jeffreys_divergence


def js_divergence(p: ArrayLike, q: ArrayLike, *, weight: float = 0.5) -> Floats:
    r"""Jensen-Shannon divergence, in nats: at most ``ln 2``, symmetric at equal weights, always finite.

    See Lin (1991).

    .. math:: w\,D(P\|M) + (1-w)\,D(Q\|M), \qquad M = wP + (1-w)Q

    Parameters
    ----------
    p, q : array_like, shape (..., n_cells)
    weight
        The weight w of P, in (0, 1).

    Examples
    --------
    >>> bool(np.isclose(js_divergence([1, 0], [0, 1]), np.log(2)))
    True
    """
    first, second = _pair(p, q)
    middle = weight * first + (1 - weight) * second
    return np.asarray(
        np.maximum(
            weight * _terms(first, middle).sum(axis=-1) + (1 - weight) * _terms(second, middle).sum(axis=-1), 0.0
        )
    )


def js_distance(p: ArrayLike, q: ArrayLike) -> Floats:
    """Jensen-Shannon distance: the square root of the divergence (nats), a metric, at most ``sqrt(ln 2)`` = 0.833."""
    return np.asarray(np.sqrt(js_divergence(p, q)))


def gaussian_kl(mean: float, std: float, reference_mean: float, reference_std: float) -> float:
    r"""Divergence of one normal distribution from another, closed form, in nats.

    .. math:: D = \ln\frac{\sigma_0}{\sigma_1} + \frac{\sigma_1^2 + (\mu_1-\mu_0)^2}{2\sigma_0^2} - \frac{1}{2}

    with 1 the first (current) and 0 the second (reference).

    Raises
    ------
    DistributionError
        If a standard deviation is not positive.

    Examples
    --------
    >>> gaussian_kl(1.0, 1.0, 0.0, 1.0)
    0.5
    """
    if not (std > 0 and reference_std > 0):
        raise DistributionError(f"a standard deviation must be positive, got {std} and {reference_std}")
    return float(np.log(reference_std / std) + (std**2 + (mean - reference_mean) ** 2) / (2 * reference_std**2) - 0.5)


def smooth(current: ArrayLike, reference: ArrayLike, method: Smoothing = "pooled") -> tuple[Floats, Floats]:
    r"""Turn two arrays of counts into distributions whose divergence is finite.

    ``pooled`` (the default): a Dirichlet prior proportional to the pooled shares, of mass half the number of occupied
    cells, on both sides. Equal proportions stay equal, so they score exactly zero whatever the sample sizes; additive
    constants (``laplace`` 1, ``jeffreys`` ½, to each occupied cell) pull unequal samples apart. ``epsilon`` fills zeros
    with 1e-4 as some peers do; ``none`` leaves the counts as they are, and the divergence may be infinite.

    .. math:: p_i = \frac{y_i + a\pi_i}{m + a}, \quad q_i = \frac{x_i + a\pi_i}{n + a}, \quad
              \pi_i = \frac{x_i + y_i}{n + m}, \quad a = \tfrac12 k_+

    Parameters
    ----------
    current, reference : array_like of counts, shape (..., n_cells)
    method

    Returns
    -------
    p, q : ndarray of float64, shape (..., n_cells)
        Current and reference; a row without any count is all zero.

    Examples
    --------
    >>> p, q = smooth([9, 1, 0], [900, 100, 0])
    >>> float(kl_divergence(p, q))
    0.0
    """
    y, x = np.asarray(current, np.float64), np.asarray(reference, np.float64)
    y, x = np.broadcast_arrays(y, x)
    m, n = y.sum(axis=-1, keepdims=True), x.sum(axis=-1, keepdims=True)
    pooled = x + y
    occupied = pooled > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        match method:
            case "pooled":
                mass = occupied.sum(axis=-1, keepdims=True) / 2
                prior = mass * pooled / (n + m)
                # The pooled share is written as one quotient, so that equal proportions give the very same float.
                p, q = (y + prior) / (m + mass), (x + prior) / (n + mass)
                same = y * n == x * m
                p = np.where(same.all(axis=-1, keepdims=True), q, p)
            case "jeffreys" | "laplace":
                extra = np.where(occupied, 1.0 if method == "laplace" else 0.5, 0.0)
                p = (y + extra) / (m + extra.sum(axis=-1, keepdims=True))
                q = (x + extra) / (n + extra.sum(axis=-1, keepdims=True))
            case "epsilon":
                p, q = (
                    np.where(occupied, np.maximum(y / m, 1e-4), 0.0),
                    np.where(occupied, np.maximum(x / n, 1e-4), 0.0),
                )
                p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
            case "none":
                p, q = y / m, x / n
            case _:
                raise DistributionError(f"unknown smoothing {method!r}: pooled, jeffreys, laplace, epsilon or none")
    return np.nan_to_num(p), np.nan_to_num(q)


def kl_corrected(current: ArrayLike, reference: ArrayLike) -> Floats:
    r"""Bias-corrected estimate of :math:`D(P\|Q)` from two samples' counts, in nats.

    .. math:: \hat D = \sum_i \frac{y_i}{m}\left[\psi(y_i) - \psi(x_i + 1)\right] - \psi(m) + \psi(n + 1)

    The estimator of Zhang & Grabchak in closed form (2014): no smoothing constant, finite where the reference has no
    count, blind to empty cells. It may be slightly negative; show ``max(0, ·)``.

    Parameters
    ----------
    current, reference : array_like of counts, shape (..., n_cells)

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where a side has no rows at all.

    Examples
    --------
    >>> round(float(kl_corrected([50, 50], [500, 500])), 4)
    -0.0055
    """
    from scipy.special import digamma

    y, x = np.asarray(current, np.float64), np.asarray(reference, np.float64)
    m, n = y.sum(axis=-1), x.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(y > 0, y * (digamma(np.maximum(y, 1)) - digamma(x + 1)), 0.0).sum(axis=-1)
        estimate = inner / m - digamma(m) + digamma(n + 1)
    return np.where((m > 0) & (n > 0), estimate, np.nan)


def noise_floor(current: ArrayLike, reference: ArrayLike) -> Floats:
    r"""What the plug-in divergence of two samples averages when nothing changed, in nats.

    .. math:: \frac{k_+-1}{2}\left(\frac1n+\frac1m\right)

    Parameters
    ----------
    current, reference : array_like of counts, shape (..., n_cells)

    Examples
    --------
    >>> float(noise_floor([50, 50], [50, 50]))
    0.01
    """
    y, x = np.asarray(current, np.float64), np.asarray(reference, np.float64)
    occupied = ((x + y) > 0).sum(axis=-1)
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(occupied - 1, 0) / 2 * (1 / x.sum(axis=-1) + 1 / y.sum(axis=-1)))
