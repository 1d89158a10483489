"""What people are notified of, through a whole monitor: tables with a known event, lived day by day."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.daily import live, notified

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("steps", [[1.0] * 4, [0.5, 0.7, 0.9, 1.1, 1.4, 2.0]])
def test_features_that_step_at_once_are_one_page(tmp_path: Path, steps: list[float]) -> None:
    """By amounts that the reference adapts to on different days: one page, and no other but a reminder a week."""
    rng = np.random.default_rng(1)
    means = [*steps, *[0.0] * (len(steps) > 4) * 2]
    days = [{f"f{j}": rng.normal(10 + (i >= 40) * mean, 1, 1000) for j, mean in enumerate(means)} for i in range(66)]
    context, _ = live(tmp_path, days)
    found = notified(context)
    assert {transition for *_, transition in found} == {"opened", "repeated", "resolved"}
    assert len({at for at, _, transition in found if transition == "opened"}) == 1
    reminders = sorted({at for at, _, transition in found if transition == "repeated"})
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(reminders))
    if len(steps) > 4:
        assert {key for _, key, _ in found} == {"table"}
        assert {a.key for a, _ in context.store.timelines("daily")} >= {"table", *(f"drift:f{j}" for j in range(6))}
