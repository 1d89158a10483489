"""Misfits: which columns had better not be features, by a look at their values."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.columns import misfit

if TYPE_CHECKING:
    from collections.abc import Callable

N = 5000
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

SORTS: dict[str, tuple[str, str | None, Callable[[np.random.Generator], Any]]] = {
    "running numbers": ("order", "identifier", lambda _: range(10**6, 10**6 + N)),
    "in any order": ("order", "identifier", lambda rng: rng.permutation(2 * N)[:N]),
    "named a key": ("customerId", "identifier", lambda rng: rng.integers(0, 2**62, N)),
    "customers who come again": ("customer_id", "identifier", lambda rng: rng.integers(0, 4000, N)),
    "uuids": ("ref", "identifier", lambda rng: [str(uuid.UUID(int=int(x))) for x in rng.integers(0, 2**62, N)]),
    "mails": ("contact", "identifier", lambda _: [f"person{i}@example.org" for i in range(N)]),
    "mails that come again": ("email", "identifier", lambda rng: [f"p{i}@x.org" for i in rng.integers(0, 4000, N)]),
    "notes": ("note", "free text", lambda rng: [f"leave it at door {i}, please" for i in rng.integers(0, 9999, N)]),
    "instants": ("t", "timestamp", lambda _: [MONDAY + timedelta(minutes=i) for i in range(N)]),
    "dates": ("d", "timestamp", lambda _: [MONDAY.date()] * N),
    "dates as text": ("t", "timestamp", lambda _: [f"2024-01-01T10:00:00.{i:04}Z" for i in range(N)]),
    "seconds since 1970": ("created_at", "timestamp", lambda rng: 1_700_000_000 + rng.integers(0, 86_400, N)),
    "lists": ("tags", "nested", lambda _: [["a"]] * N),
    "one value": ("currency", "constant", lambda _: ["EUR"] * N),
    "a type of nothing": ("gone", "empty", lambda _: pa.nulls(N)),
    "nothing": ("gone", "empty", lambda _: pa.nulls(N, pa.float64())),
    "floats that differ": ("order_id", None, lambda rng: rng.random(N)),
    "counts": ("quantity", None, lambda rng: rng.poisson(3, N)),
    "cents": ("cents", None, lambda rng: rng.integers(0, 10**7, N)),
    "few shops": ("shop_id", None, lambda rng: rng.integers(0, 12, N)),
    "cities": ("city", None, lambda rng: [f"city {i}" for i in rng.integers(0, 300, N)]),
    "flags": ("paid", None, lambda rng: rng.random(N) < 0.5),
    "few rows": ("id", None, lambda _: range(19)),
    "keys of which one recurs": ("id", None, lambda _: ["0"] * 30 + [str(i) for i in range(1, N)]),
}


@pytest.mark.parametrize("case", SORTS)
def test_what_a_column_looks_like(case: str) -> None:
    """By type, name and values; a float, a count, a category and a flag are features."""
    name, sort, values = SORTS[case]
    found = misfit(name, pa.array(values(np.random.default_rng(1))))
    assert (found and found.sort) == sort
    assert found is None or found.because


def test_texts_look_alike_in_every_arrow_type_even_if_they_are_not_utf8() -> None:
    """Strings of any width, dictionaries, and bytes that were written as text."""
    texts = pa.array([f"a{i}" for i in range(N)])
    spoiled = pa.array([b"\xff%d" % i for i in range(N)])
    types = [texts, texts.cast(pa.large_string()), texts.cast(pa.string_view()), texts.dictionary_encode()]
    for each in [*types, pa.Array.from_buffers(pa.string(), N, spoiled.buffers())]:
        assert str(misfit("x", each)) == "identifier: 5,000 of 5,000 values differ"


def test_a_part_of_a_column_is_judged_by_the_whole() -> None:
    """A thousand of a million keys in any order are a thousandth of the numbers; alone they would not run on."""
    some = pa.array(np.random.default_rng(1).permutation(10**6)[:1000])
    assert misfit("order", some) is None
    assert str(misfit("order", some, 10**6)).startswith("identifier: whole numbers that run on")


ANY = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=60).map(lambda x: pa.array(x, pa.int64())),
    st.lists(st.none() | st.integers(0, 2**64 - 1), max_size=60).map(lambda x: pa.array(x, pa.uint64())),
    st.lists(st.none() | st.text(max_size=5), max_size=60).map(lambda x: pa.array(x, pa.string())),
    st.lists(st.none() | st.binary(max_size=5), max_size=60).map(lambda x: pa.array(x, pa.binary())),
    st.lists(st.none() | st.times(), max_size=60).map(lambda x: pa.array(x, pa.time64("us"))),
    st.lists(st.none() | st.dictionaries(st.text(), st.integers(0, 9)), max_size=9).map(
        lambda x: pa.array([each and list(each.items()) for each in x], pa.map_(pa.string(), pa.int64()))
    ),
)


@given(st.text(max_size=20), ANY)
def test_any_column_can_be_looked_at(name: str, values: Any) -> None:
    """Whatever its name, type and values, there is a judgement; nulls and repeats do not turn a feature into a key."""
    found = misfit(name, values)
    again = misfit(name, pa.concat_arrays([values] * 300))
    assert again is None or found is None or again.sort == found.sort or again.sort not in {"identifier", "free text"}
