"""Fitting inside DuckDB and PostgreSQL: the local engine's bins, and much the same of more rows than are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles import fitting
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.fitting import FitOptions, fit
from drift.profiles.kinds import is_text
from drift.sources.warehouse import fit as warehouse_fit
from drift.sources.warehouse.engine import NUMBERS_AS_TEXT
from drift.sources.warehouse.source import open_warehouse
from tests.support.warehouses import KINDS, MANY, POSTGRES_KINDS, Ducks, Kind, Postgres, frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


OPTIONS = [
    FitOptions(),
    FitOptions(kind="categorical", levels=2),
    FitOptions(kind="categorical", salt="salt"),
    FitOptions(kind="numeric", bins=3),
    FitOptions(bins=[0, 1.5, 7]),
    FitOptions(kind="boolean"),
]


def assert_same_fit(
    database: Ducks | Postgres, rows: list[tuple[Any, ...]], kinds: Mapping[str, Kind], options: FitOptions
) -> None:
    """The same binnings, the same problems; but text that is to be numbers is refused inside a database."""
    table = database.fill(kinds, rows)
    features = dict.fromkeys([*kinds, "gone"], options)
    expected, problems = fit(table.to_batches(), features, expected_rows=50)
    found, found_problems = warehouse_fit.fit(open_warehouse(database.url, table="t"), features, expected_rows=50)
    for name in [name for name in kinds if is_text(table.schema.field(name).type)]:
        if options.kind == "numeric":
            assert found_problems.pop(name) == NUMBERS_AS_TEXT
            problems.pop(name, None)
        if isinstance(expected.get(name), NumericBinning):
            del expected[name]
            found.pop(name, None)
    assert {n: b.to_dict() for n, b in found.items()} == {n: b.to_dict() for n, b in expected.items()}
    assert found_problems == problems


@MANY
@given(rows=frames(KINDS).filter(bool), options=st.sampled_from(OPTIONS))
def test_duckdb_fits_what_the_local_engine_fits(ducks: Ducks, rows: list[tuple[Any, ...]], options: FitOptions) -> None:
    """Edges bit for bit, levels in their order, problems word for word, for every kind of column and option."""
    assert_same_fit(ducks, rows, KINDS, options)


@MANY
@given(rows=frames(POSTGRES_KINDS).filter(bool), options=st.sampled_from(OPTIONS))
def test_postgres_fits_what_the_local_engine_fits(
    postgres: Postgres, rows: list[tuple[Any, ...]], options: FitOptions
) -> None:
    """The same there."""
    assert_same_fit(postgres, rows, POSTGRES_KINDS, options)


def test_more_rows_than_are_fetched_are_sampled(database: Ducks | Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always the same rows, evenly spread, in step with nothing; extremes, ties, row counts and labels are exact."""
    monkeypatch.setattr(fitting, "SAMPLE", 2000)
    rng = np.random.default_rng(11)
    n = 20_000
    # Two sensors report in turns; one value holds a tenth of the rows.
    values = np.where(np.arange(n) % 2, rng.normal(0, 1, n), rng.normal(10, 1, n))
    values[rng.random(n) < 0.1] = 5.0
    values[[17, 4711]] = -1e6, 1e6
    labels = [f"c{x}" for x in rng.zipf(1.5, n) % 500]
    database.fill({"f": KINDS["f"], "s": KINDS["s"]}, list(zip(values.tolist(), labels, strict=True)))
    opened = open_warehouse(database.url, table="t")
    features = {"f": FitOptions(), "s": FitOptions()}
    found, problems = warehouse_fit.fit(opened, features, expected_rows=1000)
    again, _ = warehouse_fit.fit(opened, features, expected_rows=1000)
    assert found == again
    assert problems == {}
    sampled, counted = found["f"], found["s"]
    assert isinstance(sampled, NumericBinning)
    assert isinstance(counted, CategoricalBinning)
    assert sampled.seen == (-1e6, 1e6)
    assert {5.0, np.nextafter(5.0, np.inf)} <= set(sampled.edges.tolist())
    exact = fitting.fit_numeric(values, expected_rows=1000)
    assert sampled.n_cells == exact.n_cells
    # The quantiles of the sample lie within 2 % of those of all rows.
    ranks = np.searchsorted(np.sort(values), sampled.edges) - np.searchsorted(np.sort(values), exact.edges)
    assert np.abs(ranks).max() < 0.02 * n
    everything = {label: labels.count(label) for label in set(labels)}
    assert counted == fitting.fit_categorical(everything)


def test_identifiers_are_not_fetched_whole(database: Ducks | Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more labels than a binning remembers the most frequent come back, and the fit is the same."""
    monkeypatch.setattr(fitting, "MAX_KNOWN_LEVELS", 30)
    monkeypatch.setattr(warehouse_fit, "MAX_KNOWN_LEVELS", 30)
    rng = np.random.default_rng(5)
    labels = [f"é{x}" for x in rng.zipf(1.2, 3000) % 1000]
    table = database.fill({"s": KINDS["s"]}, [(label,) for label in labels])
    features = {"s": FitOptions(levels=5)}
    found, _ = warehouse_fit.fit(open_warehouse(database.url, table="t"), features)
    expected, _ = fit(table.to_batches(), features)
    assert found == expected
    assert isinstance(found["s"], CategoricalBinning)
    assert found["s"].rare is None
