"""Windows of months, quarters and years, through a whole monitor."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.config.monitor import parse_monitor
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drift.detection.reports import Report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of three years, a few rows a day; from May 2025 on another mix, and none of 2024-02-29 is lost."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-01", "2025-12-31")
    frame = pd.DataFrame({"day": np.repeat(days.date, 20)})
    step = frame["day"] >= datetime(2025, 5, 1, tzinfo=UTC).date()
    draws = rng.random(len(frame))
    frame["v"] = np.where(draws < np.where(step, 0.9, 0.5), "a", "b")
    frame.to_parquet(tmp_path / "rows.parquet")
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty results database."""
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as opened:
        yield opened


def judged(folder: Path, store: Store, every: str, first: str, last: str, reference: str = "") -> list[Report]:
    """Backfill the windows from one text to another."""
    text = f"name: m\nsource: {{files: {folder}/rows.parquet, time_column: day}}\nwindow: {{every: {every}, timezone: "
    text += "America/New_York}\ndetection: {persistence: {of: 1, at_least: 1}}\n" + reference
    context = Context.of(parse_monitor(text), store, str)
    calendar = context.monitor.window.calendar
    windows = list(calendar.between(calendar.spanned(first)[0].start, calendar.spanned(last)[1].end))
    return runs.backfill(context, windows, clock=lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_months_with_their_own_lengths(folder: Path, store: Store) -> None:
    """Each month holds the rows of its days, is compared with the twelve before, and a step is called in its month."""
    reports = judged(folder, store, "1mo", "2024", "2025-05")
    assert [report.label for report in reports][:2] == ["2024-01", "2024-02"]
    assert [report.n_current for report in reports][:3] == [31 * 20, 29 * 20, 31 * 20]
    assert reports[1].n_reference == 365 * 20
    assert {report["v"].severity for report in reports[:-1]} == {"none"}
    assert (reports[-1].label, reports[-1]["v"].severity) == ("2025-05", "critical")


def test_quarters_against_a_fixed_year(folder: Path, store: Store) -> None:
    """The reference's bounds are those of quarters, and may be written as years."""
    reports = judged(folder, store, "1q", "2024-Q1", "2025-Q4", "reference: {fixed: [2023, 2024]}\n")
    assert {report.n_reference for report in reports} == {365 * 20}
    assert next(report.label for report in reports if report["v"].severity == "critical") == "2025-Q2"


def test_a_year_with_the_one_before(folder: Path, store: Store) -> None:
    """Leap years and all."""
    (report,) = judged(folder, store, "1y", "2024", "2024", "reference: {previous: 1}\n")
    assert (report.label, report.n_current, report.n_reference) == ("2024", 366 * 20, 365 * 20)
