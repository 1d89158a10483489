"""When other tools are installed to be tried: with `-m faults`, as what takes minutes."""

from __future__ import annotations

from tests.live.faults.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
