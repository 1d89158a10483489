"""Statistics: arrays in, arrays out. The mathematics, with its sources; it knows no monitor.

>>> from drift.statistics import kl_divergence, js_divergence
>>> round(float(kl_divergence([0.75, 0.25], [0.5, 0.5])), 4)  # in nats
0.1308
>>> round(float(js_divergence([0.75, 0.25], [0.5, 0.5])), 4)
0.0338
"""

from __future__ import annotations

from drift.statistics.divergence import (
    as_distribution,
    contributions,
    cross_entropy,
    entropy,
    gaussian_kl,
    jeffreys_divergence,
    js_distance,
    js_divergence,
    kl_corrected,
    kl_divergence,
    noise_floor,
    smooth,
)

__all__ = [
    "as_distribution",
    "contributions",
    "cross_entropy",
    "entropy",
    "gaussian_kl",
    "jeffreys_divergence",
    "js_distance",
    "js_divergence",
    "kl_corrected",
    "kl_divergence",
    "noise_floor",
    "smooth",
]
