"""Many features at once: the share of false discoveries.

References
----------
.. [1] Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. *J. R. Statist.
   Soc. B* 57(1), 289-300.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Return for each p-value the smallest false-discovery rate at which it would be called [1]_.

    Calling every feature with ``q ≤ rate`` keeps the expected share of false calls among the called at or below `rate`,
    for independent and for positively dependent features.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    values = np.asarray(p, np.float64)
    n = len(values)
    order = np.argsort(values, kind="stable")
    # The factor is at least 1 in floating point too, so that no q is below its p.
    steps = values[order] * (n / np.arange(1, n + 1))
    q = np.empty(n)
    q[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return np.minimum(q, 1.0)
