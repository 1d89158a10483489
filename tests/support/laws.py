"""How far the property tests search, and by which seeds.

`make test` draws the same examples every time, a quarter of those that a law asks for. `make test-random` draws others,
ten times as many as it asks for, and prints what reproduces a failure; what it finds becomes an `@example` of its test.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

EFFORT = int(os.environ.get("DRIFT_RANDOM", "0"))
_SHARE = EFFORT or 0.25

# A shared machine is no stopwatch.
settings.register_profile(
    "same", deadline=None, print_blob=True, derandomize=True, database=None, max_examples=round(100 * _SHARE)
)
settings.register_profile("random", deadline=None, print_blob=True, max_examples=round(100 * _SHARE))


def load_profile() -> None:
    """Search by fresh seeds where DRIFT_RANDOM asks for it, else by the same ones every time."""
    settings.load_profile("random" if EFFORT else "same")


def examples(count: int, **more: Any) -> settings:
    """Draw `count` examples times DRIFT_RANDOM, or a quarter of them."""
    return settings(max_examples=round(count * _SHARE), **more)
