"""When the whole load is run: with `-m faults`, as its faults are."""

from __future__ import annotations

from tests.live.faults.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
