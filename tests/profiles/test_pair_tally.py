"""Twin of `drift.profiles.pair_tally`."""

from __future__ import annotations

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles.pair_tally import PairTally
from drift.profiles.sampling import kept
from tests.support.laws import examples
from tests.support.paired_rows import counted, rows

law = examples(60)


def split(batch: pa.RecordBatch, cuts: list[int]) -> list[pa.RecordBatch]:
    """Cut a batch into several, some of them empty."""
    bounds = [0, *sorted(min(cut, batch.num_rows) for cut in cuts), batch.num_rows]
    return [batch.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


@law
@given(st.integers(0, 9000), st.integers(1, 3000), st.lists(st.integers(0, 9000), max_size=6))
def test_pairs_do_not_depend_on_how_a_stream_is_cut(n: int, limit: int, cuts: list[int]) -> None:
    """The same rows are sampled, those that `kept` names, and of all columns the same."""
    batch = rows(n)
    whole, cut = counted([batch], limit), counted(split(batch, cuts), limit)
    assert whole == cut
    stride = next(1 << k for k in range(20) if len(kept(0, n, 1 << k)) <= limit)
    assert whole == counted([batch.take(pa.array(kept(0, n, stride), pa.int64()))])


def test_texts_of_several_dictionaries_are_sampled_as_one() -> None:
    """Batches with dictionaries of their own, more than the limit, however much memory they take."""
    parts = [pa.array(labels * 40).dictionary_encode() for labels in (["EWR", "JFK"], ["SFO", "EWR"], [None, "JFK"])]
    encoded = [pa.record_batch({"origin": part}) for part in parts]
    plain = [pa.record_batch({"origin": part.dictionary_decode()}) for part in parts]
    assert counted(encoded, 100).margin("origin").tolist() == counted(plain, 100).margin("origin").tolist()


def test_a_column_that_cannot_be_read_is_left_out() -> None:
    """Lists, a column that turns into text or goes: the other pairs stand."""
    batch = rows(50)
    expected = counted([batch, batch]).restricted(["origin", "late"])
    for other in (pa.array([[1]] * 50), pa.array(["x"] * 50)):
        changed = batch.set_column(batch.schema.get_field_index("delay"), "delay", other)
        assert counted([batch, changed]) == counted([changed, batch]) == expected
    assert counted([batch, batch.drop_columns(["delay"])]) == expected
    assert counted([batch, batch.rename_columns(["late", "delays", "origin", "ignored"])]) == expected


def test_columns_may_change_their_place_and_encoding_between_batches() -> None:
    """Names say what a column is; a dictionary is what its values are."""
    batch = rows(50)
    turned = batch.select(batch.schema.names[::-1])
    encoded = turned.set_column(1, "origin", turned.column("origin").dictionary_encode())
    assert counted([batch, turned, encoded]) == counted([batch] * 3)


def test_no_rows_are_pairs_of_nothing() -> None:
    """Counts of 0, and a sum with others is the others."""
    assert counted([]).n_rows == counted([rows(0)]).n_rows == 0
    assert counted([]) + counted([rows(9)]) == counted([rows(9)])
    assert PairTally({}).pairs().counts.shape == (0, 0)
