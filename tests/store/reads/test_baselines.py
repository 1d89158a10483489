"""The versions of a monitor's baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.store.reads.baselines import fits
from tests.support.store_samples import LATER, fit, numeric

if TYPE_CHECKING:
    from drift.store.store import Store


def test_versions_after_the_first_are_news(filled: Store) -> None:
    """Each with how many features it is of; the first one is where everything begins."""
    fit(filled, {"delay": numeric(0.0, 1.0)})
    assert fits(filled, "flights") == []
    fit(filled, {"delay": numeric(0.0, 2.0)}, now=LATER, new=True)
    assert [(one.version, one.features) for one in fits(filled, "flights")] == [(2, 1)]
