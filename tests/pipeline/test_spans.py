"""Which windows a person means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drift.errors import DriftError, WindowError
from drift.pipeline import spans
from drift.windows import Calendar

DAYS = Calendar("1d")


def test_a_date_is_one_window_and_none_is_the_last_that_is_over() -> None:
    """A month of days is refused, with a date to write instead."""
    now = datetime(2024, 3, 5, 14, tzinfo=UTC)
    assert [DAYS.label(spans.window_of(DAYS, day, now)) for day in ("2024-02-29", None)] == ["2024-02-29", "2024-03-04"]
    with pytest.raises(WindowError, match="write a date such as 2024-02-01"):
        spans.window_on(DAYS, "2024-02")


def test_both_ends_are_included() -> None:
    """A month as an end means its last day; the end before the start is an error."""
    assert len(spans.between(DAYS, "2024-02-28", "2024-03")) == 33
    with pytest.raises(DriftError, match="2024-02-01, is before the start, 2024-02-02"):
        spans.between(DAYS, "2024-02-02", "2024-02-01")
