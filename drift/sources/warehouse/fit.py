"""Fitting inside a warehouse: binnings from a bounded sample of numbers and from counts of labels.

The rules are those of `drift.profiles.fitting`. Up to `drift.profiles.fitting.SAMPLE` rows all numbers are fetched, so
the edges are the local engine's; of more rows the database picks about as many, always the same, and says how many
there are and which are the least and the greatest. Labels are counted in the database, all of them; so are combinations
of them, of which those come back that may be watched as segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from drift.errors import BinningError
from drift.profiles import fitting
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.fitting import MAX_KNOWN_LEVELS, FitOptions, fit_categorical, fit_numeric
from drift.sources.warehouse.engine import COLUMNS_AT_ONCE, NUMBERS_AS_TEXT, groups
from drift.sources.warehouse.segments import fitted as segments_of
from drift.sources.warehouse.segments import largest_branch
from drift.sources.warehouse.values import labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Summary
    from drift.profiles.segments import Segmentation
    from drift.sources.warehouse.engine import Warehouse
    from drift.sources.warehouse.query import Run

# In the order in which `fit_categorical` ranks them: text of UTF-8 in hexadecimal sorts by code points.
_MOST_FREQUENT = """
SELECT {i} AS feature, k{i} AS key, COUNT(*) AS n_rows FROM drift_rows WHERE k{i} IS NOT NULL
GROUP BY k{i} ORDER BY COUNT(*) DESC, k{i} LIMIT {most}
"""


def fit(
    warehouse: Warehouse, features: Mapping[str, FitOptions], *, expected_rows: int | None = None
) -> tuple[dict[str, Binning], dict[str, str]]:
    """Fit a binning for each feature inside a database: what `drift.profiles.fitting.fit` returns, problems too."""
    schema = warehouse.arrow_schema
    present = [name for name in features if name in schema.names]
    # What a type is fit for is judged where it always is; without a row every binning is empty.
    nothing = pa.RecordBatch.from_arrays([pa.array([], schema.field(name).type) for name in present], names=present)
    empty, problems = fitting.fit([nothing], features)
    problems |= {name: NUMBERS_AS_TEXT for name, b in empty.items() if isinstance(b, NumericBinning) and b.notation}
    problems |= {name: why for name, why in warehouse.refused.items() if name in features}
    n_rows = warehouse.count_rows()
    fitted: dict[str, Binning] = {}
    numeric = {name: b for name, b in empty.items() if isinstance(b, NumericBinning) and name not in problems}
    seen = _summaries(warehouse, numeric) if n_rows > fitting.SAMPLE else {}
    sample = _sample(warehouse, list(numeric), n_rows)
    known = [
        name
        for name, b in empty.items()
        if isinstance(b, CategoricalBinning) and name not in problems and not pa.types.is_null(schema.field(name).type)
    ]
    counted = _label_counts(warehouse, {name: features[name].levels for name in known})
    for name in features:
        if name in problems:
            continue
        binning = empty[name]
        try:
            if name in counted:
                options = features[name]
                fitted[name] = fit_categorical(
                    counted[name], levels=options.levels, salt=options.salt, kind=binning.kind
                )
            elif isinstance(binning, NumericBinning):
                values, n = _with_extremes(sample[name], seen.get(name))
                fitted[name] = fit_numeric(
                    values, expected_rows=expected_rows, n_rows=n, bins=features[name].bins, scale=binning.scale
                )
            else:
                fitted[name] = binning
        except BinningError as error:
            problems[name] = str(error)
    return fitted, problems


def fit_segments(
    warehouse: Warehouse, cuts: Sequence[Sequence[str]], *, most: int, least: float = 0
) -> list[tuple[Segmentation, dict[str, int]]]:
    """Find the segments of a reference that are watched by themselves, inside a database, for each way to cut.

    What `drift.profiles.segments.fit` returns, but for the rows: of segments that may be watched, and of two of the
    largest in any case.
    """
    if not cuts:
        return []
    database = warehouse.database
    kinds = warehouse.cut_kinds(dict.fromkeys(name for columns in cuts for name in columns))
    places = {name: f"k{i}" for i, name in enumerate(kinds)}
    width = max(map(len, cuts))
    branches = [
        largest_branch(i, [places[name] for name in columns], width=width, most=most, least=least)
        for i, columns in enumerate(cuts)
    ]
    wanted = warehouse.rows({places[name]: key for name, key in warehouse.cut_keys(kinds).items()})
    found: list[list[tuple[int, Sequence[str]]]] = [[] for _ in cuts]
    with database.session() as run:
        for part in run(database.statement(wanted, branches)):
            for i, n_rows, *keys in part:
                found[int(i)].append((int(n_rows), keys[: len(cuts[int(i)])]))
    return [
        segments_of(rows, columns, kinds, most=most, least=least) for columns, rows in zip(cuts, found, strict=True)
    ]


def _summaries(warehouse: Warehouse, numeric: Mapping[str, NumericBinning]) -> Mapping[str, Summary]:
    """Return how many finite numbers each feature has, the least and the greatest."""
    anything = {name: NumericBinning(np.empty(0), binning.scale) for name, binning in numeric.items()}
    return warehouse.profile(anything).summaries


def _with_extremes(values: NDArray[np.float64], seen: Summary | None) -> tuple[NDArray[np.float64], int]:
    if seen is None or seen.low is None or seen.high is None:
        return values, len(values)
    return np.concatenate([values, [seen.low, seen.high]]), seen.n


def _sample(warehouse: Warehouse, names: Sequence[str], n_rows: int) -> dict[str, NDArray[np.float64]]:
    """Return the finite numbers of all rows, or of about `drift.profiles.fitting.SAMPLE` of them."""
    warehouse = warehouse.sampled(fitting.SAMPLE, n_rows)
    database = warehouse.database
    found: dict[str, list[NDArray[np.float64]]] = {name: [np.empty(0)] for name in names}
    for some in groups(names, COLUMNS_AT_ONCE):
        wanted = warehouse.rows({f"x{i}": warehouse.number(name) for i, name in enumerate(some)})
        with database.session() as run:
            for part in run(database.statement(wanted)):
                for name, values in zip(some, zip(*part, strict=True), strict=True):
                    numbers = np.array(values, np.float64)
                    found[name].append(numbers[np.isfinite(numbers)])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _label_counts(warehouse: Warehouse, levels: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the rows of each label: of all, or of more than any binning remembers."""
    counted: dict[str, dict[str, int]] = {name: {} for name in levels}
    with warehouse.database.session() as run:
        for some in groups(list(levels), COLUMNS_AT_ONCE):
            for i, keys, counts in _most_frequent(warehouse, run, some, levels):
                arrow = warehouse.columns[some[i]].arrow
                for label, rows in zip(*labels(keys, counts, arrow), strict=True):
                    counted[some[i]][label] = counted[some[i]].get(label, 0) + rows
    return counted


def _most_frequent(
    warehouse: Warehouse, run: Run, names: Sequence[str], levels: Mapping[str, int]
) -> Iterator[tuple[int, list[str], list[int]]]:
    wanted = warehouse.rows({f"k{i}": warehouse.key(name) for i, name in enumerate(names)})
    branches = [_MOST_FREQUENT.format(i=i, most=levels[name] + MAX_KNOWN_LEVELS + 1) for i, name in enumerate(names)]
    for part in run(warehouse.database.statement(wanted, branches)):
        found: dict[int, tuple[list[str], list[int]]] = {}
        for i, key, n_rows in part:
            keys, counts = found.setdefault(int(i), ([], []))
            keys.append(key)
            counts.append(int(n_rows))
        for i, (keys, counts) in found.items():
            yield i, keys, counts
