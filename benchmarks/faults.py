"""Faults to plant in the rows of the flights: rows in, rows out; what is random is drawn from a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Spoil = Callable[[pa.Table, np.random.Generator], pa.Table]

KM = 1.609344
"""Kilometres in a mile."""


def replaced(table: pa.Table, column: str, share: float, value: object, rng: np.random.Generator) -> pa.Table:
    """Put one value, or null, in the place of a share of those present, drawn at random."""
    valid = np.flatnonzero(table[column].is_valid().to_numpy())
    chosen = rng.choice(valid, round(share * len(valid)), replace=False)
    return _where(table, column, chosen, pa.scalar(value, table.schema.field(column).type))


def shifted(table: pa.Table, column: str, by: int) -> pa.Table:
    """Add to every value."""
    return _set(table, column, pc.add(table[column], pa.scalar(by, table.schema.field(column).type)))


def in_km(table: pa.Table, share: float, rng: np.random.Generator) -> pa.Table:
    """Give the distance of a share of the flights in kilometres, whole ones."""
    miles = table["distance"]
    km = pc.round(pc.multiply(miles.cast(pa.float64()), KM)).cast(miles.type)
    chosen = rng.choice(table.num_rows, round(share * table.num_rows), replace=False)
    return _where(table, "distance", chosen, km)


def renamed(table: pa.Table, column: str, old: str, new: str) -> pa.Table:
    """Give one category another name."""
    called = np.flatnonzero(pc.equal(table[column], pa.scalar(old)).to_numpy())
    return _where(table, column, called, pa.scalar(new, table.schema.field(column).type))


def lost(table: pa.Table, column: str, value: str, share: float, rng: np.random.Generator) -> pa.Table:
    """Lose a share of the rows of one category."""
    having = np.flatnonzero(pc.equal(table[column], pa.scalar(value)).to_numpy())
    gone = rng.choice(having, round(share * len(having)), replace=False)
    return table.take(np.setdiff1d(np.arange(table.num_rows), gone))


def _where(table: pa.Table, column: str, rows: NDArray[np.int64], new: Any) -> pa.Table:
    mask = np.zeros(table.num_rows, bool)
    mask[rows] = True
    return _set(table, column, pc.if_else(pa.array(mask), new, table[column]))


def _set(table: pa.Table, column: str, values: pa.ChunkedArray[Any]) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), table.schema.field(column), values)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and the feature it goes wrong in."""

    name: str
    feature: str
    spoil: Spoil


def cells(feature: str) -> list[Fault]:
    """Return the three faults that spoil single values, in one numeric feature."""
    return [
        Fault("2 % of values −999", feature, lambda table, rng: replaced(table, feature, 0.02, -999, rng)),
        Fault("5 % nulls", feature, lambda table, rng: replaced(table, feature, 0.05, None, rng)),
        Fault("5 % zeroed", feature, lambda table, rng: replaced(table, feature, 0.05, 0, rng)),
    ]


NINE: tuple[Fault, ...] = (
    Fault("unit change: all in km", "distance", lambda table, rng: in_km(table, 1, rng)),
    Fault("renamed carrier (B6)", "carrier", lambda table, _: renamed(table, "carrier", "B6", "JBU")),
    Fault("+5 minutes", "dep_delay", lambda table, _: shifted(table, "dep_delay", 5)),
    cells("dep_delay")[0],
    Fault("1 % of a new carrier", "carrier", lambda table, rng: replaced(table, "carrier", 0.01, "XX", rng)),
    Fault("half of JFK's rows lost", "origin", lambda table, rng: lost(table, "origin", "JFK", 0.5, rng)),
    *cells("dep_delay")[1:],
    Fault("10 % in km", "distance", lambda table, rng: in_km(table, 0.1, rng)),
)
"""The faults whose mean recall is the target."""

ELSEWHERE: tuple[Fault, ...] = (
    Fault("+5 minutes", "arr_delay", lambda table, _: shifted(table, "arr_delay", 5)),
    *cells("arr_delay"),
    *cells("air_time"),
    *cells("distance"),
)
"""The same faults in other features, so that no rule is made for the nine."""
