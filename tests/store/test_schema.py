"""What the columns take and give back, on the databases they are for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from drift.store import migrations
from drift.store.schema import Cells, Finite, Instant, Words, metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

DIALECTS: list[Dialect] = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]
both = pytest.mark.parametrize("dialect", DIALECTS, ids=["sqlite", "postgresql"])
aware = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))]),
)


@both
@given(when=aware)
def test_an_instant_comes_back_as_the_same_instant_in_utc(dialect: Dialect, when: datetime) -> None:
    """Whatever the zone it was written in."""
    kind = Instant()
    read = kind.process_result_value(kind.process_bind_param(when, dialect), dialect)
    assert read == when
    assert read is not None
    assert read.tzinfo is UTC


@given(one=aware, other=aware)
def test_the_text_of_instants_sorts_as_time_does(one: datetime, other: datetime) -> None:
    """SQLite compares text, so its order must be the order of time."""
    first, second = (Instant().process_bind_param(when, DIALECTS[0]) for when in (one, other))
    assert (first < second) == (one < other)


@both
def test_a_naive_time_is_refused(dialect: Dialect) -> None:
    """Nobody knows when it was."""
    with pytest.raises(ValueError, match="no time zone"):
        Instant().process_bind_param(datetime(2013, 2, 8), dialect)  # noqa: DTZ001


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), np.float64("nan")])
def test_infinity_and_nan_are_refused(value: float) -> None:
    """They never stand for a score, nor for a contribution."""
    with pytest.raises(ValueError, match="finite"):
        Finite().process_bind_param(value, DIALECTS[0])
    with pytest.raises(ValueError, match="finite"):
        Cells("f8").process_bind_param(np.array([0.0, value]), DIALECTS[0])


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_counts_come_back_bit_for_bit(values: list[int]) -> None:
    """Every int64, and no row at all."""
    counts = np.array(values, np.int64)
    written = Cells("i8").process_bind_param(counts, DIALECTS[0])
    assert written == counts.astype("<i8").tobytes()
    read = Cells("i8").process_result_value(written, DIALECTS[0])
    assert read is not None
    assert read.tolist() == values
    assert read.dtype == np.int64


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_contributions_come_back_bit_for_bit(values: list[float]) -> None:
    """Denormals and negative zero too."""
    kind = Cells("f8")
    read = kind.process_result_value(kind.process_bind_param(np.array(values, float), DIALECTS[0]), DIALECTS[0])
    assert read is not None
    assert read.tobytes() == np.array(values, float).tobytes()


@pytest.mark.parametrize("values", [np.array([0.5]), np.array([2**63], np.uint64), np.array(["1"])])
def test_what_is_no_count_is_refused(values: Any) -> None:
    """A fraction would be cut, a large unsigned number would wrap around."""
    with pytest.raises((ValueError, TypeError)):
        Cells("i8").process_bind_param(values, DIALECTS[0])


@given(st.text(st.characters(exclude_categories=[])))
def test_free_text_is_what_any_database_holds(text: str) -> None:
    """Only NUL and half surrogates change; the rest stays."""
    written = Words().process_bind_param(text, DIALECTS[1])
    assert written is not None
    assert "\0" not in written
    assert written.encode().decode() == written
    if "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        assert written == text


def test_every_table_has_a_natural_key_and_no_sequence() -> None:
    """What is written twice must meet itself."""
    for table in metadata.tables.values():
        assert list(table.primary_key)
        assert not any(column.autoincrement is True or column.default for column in table.columns)


def test_the_document_describes_every_table_column_and_view() -> None:
    """docs/reference/database.md names them all, and the views' headers name all of their columns."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / "database.md").read_text("utf-8")
    for table in metadata.tables.values():
        section = re.search(rf"^### `{table.name}`$(.*?)(?=^##)", text + "\n##", re.MULTILINE | re.DOTALL)
        assert section, f"{table.name} is not described"
        missing = [column.name for column in table.columns if f"`{column.name}`" not in section[1]]
        assert not missing, f"{table.name}: {missing}"
    for name in migrations.views():
        assert f"`{name}`" in text


def test_instants_compare_in_the_database(database_url: str) -> None:
    """A bound given in another zone finds what was written in this one."""
    from drift.store.engine import make_engine

    engine = make_engine(database_url)
    table = sa.Table("moment", sa.MetaData(), sa.Column("at", Instant, primary_key=True))
    with engine.begin() as connection:
        table.create(connection)
        start = datetime(2013, 2, 8, 5, tzinfo=UTC)
        connection.execute(table.insert(), [{"at": start + timedelta(microseconds=i)} for i in range(3)])
        bound = start.astimezone(timezone(timedelta(hours=-5)))
        assert connection.execute(sa.select(table.c.at).where(table.c.at <= bound)).scalars().all() == [start]
    engine.dispose()
