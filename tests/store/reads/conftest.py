"""A filled results database for the reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.store.store import Store
from tests.support.dashboard_samples import fill

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def filled(database_url: str) -> Iterator[Store]:
    """Two monitors and a week of windows of every kind: on SQLite, then on PostgreSQL."""
    with Store.open(database_url, create=True) as opened:
        fill(opened)
        yield opened
