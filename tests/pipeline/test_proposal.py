"""Proposals: what a look at data suggests, and that every one of them is a monitor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.monitor import parse_monitor
from drift.pipeline.proposal import Proposal, propose, scalar
from drift.pipeline.survey import Survey, survey
from drift.profiles.columns import Misfit

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)


def orders(rng: np.random.Generator, days: int = 30, n: int = 400) -> pd.DataFrame:
    """Orders of a shop, as somebody might keep them."""
    size = days * n
    start = np.datetime64("2024-03-01") - np.timedelta64(days, "D")
    return pd.DataFrame(
        {
            "order_id": np.arange(size) + 10_000,
            "created_at": start + (np.arange(size) * 86_400 // n).astype("timedelta64[s]"),
            "shipped_at": start + (np.arange(size) * 86_400 // n + 200_000).astype("timedelta64[s]"),
            "email": [f"person{i}@example.org" for i in rng.integers(0, 10**6, size)],
            "country": rng.choice(["DE", "FR"], size),
            "payment": rng.choice(["card", "cash"], size, p=[0.999, 0.001]),
            "shop_id": rng.choice([3, 7, 9], size),
            "price": rng.lognormal(3, 1, size),
            "margin": rng.normal(size=size),
            "coupon": pd.Series(rng.choice(["A", "B"], size)).mask(rng.random(size) < 0.8),
            "currency": "EUR",
        }
    )


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """What a look at them gives."""
    monkeypatch.chdir(tmp_path)
    orders(np.random.default_rng(3)).to_parquet(tmp_path / "orders.parquet", index=False)
    return survey({"files": "orders.parquet"}, None, now=NOW)


def test_what_is_proposed_for_orders(seen: Survey) -> None:
    """Keys and later times are left out, codes are categories, segments have rows enough, what holds is expected."""
    found = propose("orders", seen, description="All: of them", owner="team: shop", routes=["ops"])
    monitor = parse_monitor(found.to_yaml())
    assert (monitor.name, monitor.description) == ("orders", "All: of them")
    assert (monitor.source.files, monitor.source.time_column) == ("orders.parquet", "created_at")
    assert (monitor.window.every, monitor.reference.trailing) == ("1d", "14d")
    assert monitor.features.exclude == ["order_id", "shipped_at", "email"]
    assert monitor.features.kinds == {"shop_id": "categorical"}
    assert monitor.segments == ["country"]
    assert monitor.alerts.owners == {"*": "team: shop"}
    assert [route.to for route in monitor.alerts.routes] == ["ops"]
    expected = [(each.type.removeprefix("expect_"), each.kwargs) for each in monitor.expectations]
    assert ("table_row_count_to_be_between", {"min_value": 100}) in expected
    assert ("column_values_to_not_be_null", {"column": "price", "mostly": 0.99}) in expected
    countries = {"column": "country", "value_set": ["DE", "FR"], "mostly": 0.99}
    assert ("column_values_to_be_in_set", countries) in expected
    ranges = [kwargs["column"] for name, kwargs in expected if name == "column_values_to_be_between"]
    nulls = [kwargs["column"] for name, kwargs in expected if name == "column_values_to_not_be_null"]
    assert (ranges, "coupon" in nulls) == (["price"], False)
    assert {each.severity for each in monitor.expectations} == {"warn"}


def test_each_column_that_is_left_out_has_its_reason_beside_it(seen: Survey) -> None:
    """And the file says how often there were rows, and how to set a time zone."""
    text = propose("orders", seen).to_yaml()
    assert "    - order_id  # identifier: whole numbers that run on, " in text
    assert "# 30 windows so far, usually of 400 rows." in text
    assert text.startswith("# yaml-language-server: $schema=")


def test_without_great_expectations_what_holds_is_a_comment(seen: Survey) -> None:
    """The monitor runs all the same."""
    text = propose("orders", seen).to_yaml(validated=False)
    assert parse_monitor(text).expectations == []
    assert "# expectations:\n#   - expect_table_row_count_to_be_between" in text


PRINTABLE = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs"])
NAMES = st.text(PRINTABLE, min_size=1, max_size=12)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=4, unique=True), st.text(PRINTABLE, max_size=30))
def test_any_names_and_words_make_a_monitor_that_says_them(time: str, names: list[str], words: str) -> None:
    """Whatever a column, a label or an owner is called, it is read back as it is, and no line is forged."""
    if time in names or "://" in time:
        return
    import pyarrow as pa

    look = Survey(
        parse_monitor(f"name: n\nwindow: {{every: 1d}}\nsource: {{files: a.csv, time_column: {scalar(time)}}}").source,
        "1d",
        100,
        [],
        [100],
        pa.table({name: [1.5] for name in names}),
        frozenset(),
    )
    expectations: list[tuple[str, Any]] = [
        ("expect_column_values_to_be_in_set", {"column": names[0], "value_set": names})
    ]
    left_out = {name: Misfit("identifier", "all differ") for name in names}
    proposal = Proposal("n", look, left_out, names, names, expectations, words, words.strip(), [])
    monitor = parse_monitor(proposal.to_yaml().replace("  kinds:", "  # kinds:"))
    assert monitor.source.time_column == time
    assert monitor.features.exclude == names
    assert monitor.segments == names
    assert monitor.expectations[0].kwargs == {"column": names[0], "value_set": names}
    assert monitor.description == words
    assert monitor.alerts.owners.get("*", "") == words.strip()


def test_a_short_history_has_a_short_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A week of days is compared with the days before; of three days of many rows hours are."""
    monkeypatch.chdir(tmp_path)
    for days, n, every, reference in ((8, 400, "1d", "7d"), (3, 4800, "1h", "2d")):
        orders(np.random.default_rng(3), days, n).to_parquet("orders.parquet", index=False)
        text = propose("orders", survey({"files": "orders.parquet"}, None, now=NOW + timedelta(hours=1))).to_yaml()
        monitor = parse_monitor(text)
        assert (monitor.window.every, monitor.reference.trailing) == (every, reference)
