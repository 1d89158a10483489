"""The versions of a monitor's baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from drift.store import engine, schema
from drift.store.schema import WHOLE

if TYPE_CHECKING:
    from datetime import datetime

    from drift.store.store import Store


@dataclass(frozen=True, slots=True)
class Fit:
    """A version of a monitor's baseline, of however many features."""

    version: int
    at: datetime
    by: str
    reason: str
    start: datetime
    end: datetime
    features: int


def fits(store: Store, monitor: str) -> list[Fit]:
    """Return the versions of a monitor's baseline after the first, oldest first."""
    table = schema.baseline
    about = (table.c.version, table.c.created_at, table.c.created_by, table.c.reason)
    columns = (*about, table.c.fitted_from, table.c.fitted_to)
    query = (
        sa.select(*columns, sa.func.count())
        .where(table.c.monitor == monitor, table.c.segment == WHOLE, table.c.version > 1)
        .group_by(*columns)
        .order_by(table.c.created_at)
    )
    with engine.reading(store.engine) as connection:
        return [Fit(*row) for row in connection.execute(query)]
