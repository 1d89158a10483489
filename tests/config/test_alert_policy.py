"""How alerts behave: what cannot be is refused."""

from __future__ import annotations

import pytest

from drift.config.alert_policy import Policy
from drift.errors import DriftError


def test_an_alert_needs_a_quiet_window_to_close() -> None:
    """With none it would be over before it began."""
    with pytest.raises(DriftError, match="at least 1"):
        Policy(close_after=0)


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0])
def test_the_share_that_closes_is_a_share(share: float) -> None:
    """Above what opens an alert it could close and open at once."""
    with pytest.raises(DriftError, match="a share"):
        Policy(close_below=share)
