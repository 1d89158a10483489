"""How alerts behave: when they close, and how often one problem may be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from drift.errors import DriftError

Kind = Literal["drift", "table", "data_quality", "missing_data", "schema", "run"]
"""What an alert is about: a feature, the whole table, failed expectations and odd numbers of rows, no rows at all,
columns, or a run that failed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How alerts behave.

    Parameters
    ----------
    close_after
        Quiet windows in a row that resolve an alert, at least 1.
    close_below
        A window is quiet only where a feature is below this share of what opens an alert: of the warning floor, and of
        how far beyond its own history it has to be. In (0, 1]; at 1 whatever does not open an alert is quiet.
    repeat
        After so long a critical alert that nobody acknowledged is told again; None for never.
    cooldown
        Windows after the end of an alert in which the next one of its key is not told, unless it is worse.
    openings, within
        More openings of a key than `openings` in so many windows are flapping; `within` 0 calls nothing so.
    """

    close_after: int = 2
    close_below: float = 0.5
    repeat: timedelta | None = timedelta(days=1)
    cooldown: int = 0
    openings: int = 3
    within: int = 28

    def __post_init__(self) -> None:
        if self.close_after < 1:
            raise DriftError(f"close_after is {self.close_after}: an alert needs at least 1 quiet window to close")
        if not 0 < self.close_below <= 1:
            raise DriftError(f"close_below is {self.close_below:g}: it is a share of what opens an alert, up to 1")
