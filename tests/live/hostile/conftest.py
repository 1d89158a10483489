"""When hostile input is fed in bulk: with `-m faults`, as the faults are."""

from __future__ import annotations

from tests.live.faults.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
