"""Labels that arrive late, through a whole monitor: quiet until they come, and as if they had never been late after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.pipeline import run as runs
from drift.pipeline.recall import recall
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql
from tests.support.store_samples import dump

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.windows import Window

LAST = 13
LATE = (11, 12, 13)
"""The days, counted from 0, whose labels are not there at first."""


def days(context: Context, *numbers: int) -> list[Window]:
    """Return the windows of those days."""
    calendar = context.monitor.window.calendar
    return [calendar.starting(FIRST + timedelta(days=i)) for i in numbers]


def run(context: Context, *numbers: int, force: bool = False) -> list[Report]:
    """Run those days and page."""
    return runs.backfill(context, days(context, *numbers), clock=clock, force=force, page=True)


def without_labels(frame: pd.DataFrame, *numbers: int) -> pd.DataFrame:
    """Take the labels of those days away."""
    waiting = frame["day"].isin([FIRST + timedelta(days=i) for i in numbers])
    return frame.assign(late=frame["late"].astype(object).mask(waiting, None))


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two weeks whose flights came in late more often on the last day."""
    found = rows(LAST + 1)
    last = found["day"] == FIRST + timedelta(days=LAST)
    return found.assign(late=found["late"] | (last & (found["delay"] > 10)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The warehouse."""
    return f"sqlite:///{tmp_path / 'warehouse.db'}"


def watching(tmp_path: Path, url: str, name: str = "drift") -> Context:
    """Return a monitor to which being late is a label."""
    text = monitor_text(SQL, features="{roles: {late: label}, weights: {late: 0.5}}")
    return open_context(f"sqlite:///{tmp_path / name}.db", url, text)


def test_labels_that_are_waited_for_wake_nobody(tmp_path: Path, url: str, frame: pd.DataFrame) -> None:
    """Every value missing is a status with its reason, no drift, no alert, and no shadow on the other features."""
    write_sql(without_labels(frame, *LATE), url)
    context = watching(tmp_path, url)
    for report in run(context, *range(LAST + 1))[LATE[0] :]:
        assert (report["late"].status, report["late"].score) == ("insufficient_data", None)
        assert report["late"].reason == "labels have not arrived (0 of 400)"
        assert report.status == "ok"
        assert report.rollup().by_role["label"].status == "not_judged"
    assert context.store.alerts("flights") == []
    stored = recall(context, days(context, LAST)[0])["late"]
    assert (stored.role, stored.weight, stored.status) == ("label", 0.5, "insufficient_data")


def test_windows_without_labels_are_no_reference_for_labels(tmp_path: Path, url: str, frame: pd.DataFrame) -> None:
    """Where labels came for one day before those of the days before it, it is compared with days that have them."""
    write_sql(without_labels(frame, 11, 12), url)
    (*_, report) = run(watching(tmp_path, url), *range(LAST + 1))
    label, other = report["late"].score, report["carrier"].score
    assert label is not None
    assert other is not None
    assert (label.n_reference, other.n_reference) == (5 * 400, 7 * 400)
    assert report.evidence["late"].reference.n_missing == 0


def test_labels_fill_in_when_they_come(tmp_path: Path, url: str, frame: pd.DataFrame) -> None:
    """Read again, the late days end in the very rows of a database for which no label was ever late."""
    write_sql(without_labels(frame, *LATE), url)
    context = watching(tmp_path, url)
    run(context, *range(LAST + 1))
    write_sql(frame, url)
    reports = run(context, *LATE, force=True)
    assert [report["late"].severity for report in reports] == ["none", "none", "critical"]
    punctual = watching(tmp_path, url, "punctual")
    run(punctual, *range(LAST + 1))
    assert dump(context.store) == dump(punctual.store)
