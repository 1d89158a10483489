"""What people are notified of, through a whole monitor: tables with a known event, lived day by day."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.daily import FIRST, live, notified

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context


@pytest.mark.parametrize("steps", [pytest.param([1.0] * 4, marks=pytest.mark.slow), [0.5, 0.7, 0.9, 1.1, 1.4, 2.0]])
def test_features_that_step_at_once_are_one_page(tmp_path: Path, steps: list[float]) -> None:
    """By amounts that the reference adapts to on different days: one page, and no other but a reminder a week."""
    rng = np.random.default_rng(1)
    means = [*steps, *[0.0] * (len(steps) > 4) * 2]
    days = [{f"f{j}": rng.normal(10 + (i >= 40) * mean, 1, 1000) for j, mean in enumerate(means)} for i in range(66)]
    context, _ = live(tmp_path, days)
    found = notified(context)
    assert {transition for _, _, transition in found} <= {"opened", "repeated", "resolved"}
    assert len({at for at, _, transition in found if transition == "opened"}) == 1
    reminders = sorted({at for at, _, transition in found if transition == "repeated"})
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(reminders))
    if len(steps) > 4:
        assert {key for _, key, _ in found} == {"table"}
        assert {a.key for a, _ in context.store.timelines("daily")} >= {"table", *(f"drift:f{j}" for j in range(6))}


def told_of_rows(context: Context) -> list[tuple[int, str, str]]:
    """What was notified of the number of rows: the day it was of, the direction and the transition."""
    return [
        ((at.date() - FIRST).days - 1, key.removeprefix("volume:"), transition)
        for at, key, transition in notified(context)
        if key.startswith("volume")
    ]


def test_each_lasting_number_of_rows_is_told_once(tmp_path: Path) -> None:
    """30 rows a day, 70, then 20 and 1,400 in turns: each with its direction, and none again."""
    counts = [30 if i < 40 else 70 if i < 42 else [20, 1400][i % 2] for i in range(120)]
    context, _ = live(tmp_path, [{"v": ["a"] * rows} for rows in counts], "reference: {trailing: 4d}")
    found = told_of_rows(context)
    assert [each for each in found if each[2] in {"opened", "escalated", "reopened"}] == [
        (40, "more", "opened"),
        (42, "fewer", "opened"),
        (43, "more", "escalated"),
    ]
    assert {(key, transition) for _, key, transition in found} >= {("more", "resolved"), ("fewer", "resolved")}


@pytest.mark.parametrize("keys", ["", "reference: {fixed: [2024-01-01, 2024-01-29]}"])
def test_a_new_number_of_rows_is_told_once(tmp_path: Path, keys: str) -> None:
    """A third of them for good: a fixed reference keeps its alert open, a trailing one adapts; no chance is told."""
    rng = np.random.default_rng(4)
    days = [{"v": ["a"] * int(rng.poisson(400 if i < 42 else 120) if i % 7 < 5 else 15)} for i in range(70)]
    context, _ = live(tmp_path, days, keys)
    found = told_of_rows(context)
    found = [each for each in found if each[0] > 20 or not keys]
    assert found[0] == (42, "fewer", "opened")
    assert [transition for _, _, transition in found[1:]] == ([] if keys else ["resolved"])


def test_a_weekend_without_rows_wakes_nobody(tmp_path: Path) -> None:
    """But for the first ones, when nothing is known of weeks; a Wednesday without rows does."""
    days = [{"v": ["a"] * (0 if i % 7 > 4 or i == 51 else 300)} for i in range(60)]
    context, reports = live(tmp_path, days)
    late = [(at.date(), key, transition) for at, key, transition in notified(context) if (at.date() - FIRST).days > 30]
    assert [(key, transition) for _, key, transition in late if transition == "opened"] == [("rows", "opened")]
    assert "the window holds no rows, as is usual for this weekday" in [str(f) for f in reports[54].findings]
