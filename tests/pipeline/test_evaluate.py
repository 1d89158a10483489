"""Evaluation: what a window is judged by, from stored counts alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drift.errors import StoreError
from drift.pipeline import evaluate, run
from drift.pipeline.recall import recall
from drift.store import schema
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.windows import Window

    Open = Callable[..., Context]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open a monitor on some rows; its keys can be replaced."""

    def on(frame: pd.DataFrame, **changes: str) -> Context:
        url = f"sqlite:///{tmp_path / 'warehouse.db'}"
        write_sql(frame, url)
        return open_context(f"sqlite:///{tmp_path / 'drift.db'}", url, monitor_text(SQL, **changes))

    return on


def windows(context: Context, first: int, last: int) -> list[Window]:
    """The windows of those days, the last included."""
    calendar = context.monitor.window.calendar
    return [calendar.starting(FIRST + timedelta(days=i)) for i in range(first, last + 1)]


def backfill(context: Context, last: int) -> list[Report]:
    """Run the days up to one."""
    return run.backfill(context, windows(context, 0, last), clock=clock)


def day_of(frame: pd.DataFrame, number: int) -> pd.Series:
    """Which rows are of that day."""
    return frame["day"] == FIRST + timedelta(days=number)


def test_a_short_history_is_filled_up(opened: Open) -> None:
    """From seven stored windows on a feature is compared with what these differ by, whatever scores it has."""
    frame = rows(14)
    # Every day has a level of its own: significant and large, and usual here.
    level = np.random.default_rng(3).normal(0, 3, 14)
    frame["delay"] += np.repeat(level, 400)
    reports = backfill(opened(frame, reference="{trailing: 28d, min_windows: 3}"), 13)
    scores = [score for report in reports[7:] if (score := report["delay"].score)]
    assert all(score.z is not None for score in scores)
    assert sum(score.q < 0.01 and score.kl_corrected > 0.01 for score in scores) >= 5
    assert not any(report["delay"].drifting for report in reports[7:])


def test_a_cell_is_told_where_the_feature_as_a_whole_is_usual(opened: Open) -> None:
    """Four percent of nulls in a restless column: no large divergence there, and the cell is named in the reason."""
    frame = rows(40, 1000)
    frame["delay"] += np.repeat(np.random.default_rng(3).normal(0, 3, 40), 1000)
    for number in (38, 39):
        lost = np.flatnonzero(day_of(frame, number))[:40]
        frame.loc[lost, "delay"] = np.nan
    report = backfill(opened(frame, reference="{trailing: 28d}"), 39)[-1]
    verdict = report["delay"]
    assert (verdict.status, verdict.severity) == ("critical", "critical")
    assert "missing 0.0 % → 4.0 % (0.14 nats by itself)" in verdict.reason
    assert verdict.score is not None
    assert verdict.explanation.cell is not None
    assert verdict.score.z is not None
    assert verdict.score.z < 4
    assert verdict.explanation.cell.lasting >= 5
    assert report.to_dict()["features"]["delay"]["cell"]["cell"] == "missing"


def test_what_is_stored_is_what_was_said(opened: Open) -> None:
    """A report is read back with its cells and with what lasted."""
    frame = rows(20)
    frame.loc[day_of(frame, 19), "delay"] += 8
    context = opened(frame)
    said = backfill(context, 19)[-1]
    again = recall(context, windows(context, 19, 19)[0])
    assert said["delay"].score is not None
    assert said["delay"].explanation.cell is not None
    assert again.to_dict() == said.to_dict()


@pytest.mark.parametrize("history", [0, 1])
def test_persistence_needs_no_history(opened: Open, history: int) -> None:
    """However short the history is to be, the last windows are remembered for persistence."""
    frame = rows(20)
    for number in (18, 19):
        frame.loc[day_of(frame, number), "delay"] += 2.5
    context = opened(frame, detection=f"{{min_rows: 100, history: {history}}}")
    before, last = backfill(context, 19)[-2:]
    assert (before["delay"].severity, before["delay"].status) == ("warning", "ok")
    assert last["delay"].status == "warning"
    assert "2 of the last 3 windows" in last["delay"].reason
    assert last["delay"].score is not None
    assert last["delay"].score.z is None


def test_a_slow_ramp_is_a_finding(opened: Open) -> None:
    """A column that moves a little every day is told on none of them, and found far from its baseline."""
    frame = rows(60)
    frame["delay"] += np.repeat(np.maximum(np.arange(60) - 10, 0) * 0.12, 400)
    context = opened(frame, reference="{trailing: 7d, min_windows: 3}")
    reports = backfill(context, 59)
    moved = [i for i, report in enumerate(reports) for f in report.findings if f.kind == "moved"]
    assert moved == list(range(moved[0], 60))
    assert not any(report["delay"].drifting for report in reports)
    assert "column delay: has moved slowly away from its baseline: KL_fixed" in str(reports[-1].findings[-1])
    score, away = reports[-1]["delay"].score, reports[-1]["delay"].explanation.kl_fixed
    assert score is not None
    assert away is not None
    assert away > 0.1 > score.kl_corrected


def test_a_backfill_fits_its_bins_on_a_whole_reference(opened: Open) -> None:
    """Not on the first few days that would do: the rest of the reference is there."""
    context = opened(rows(12))
    backfill(context, 11)
    fitted = {(row["fitted_from"], row["fitted_to"]) for row in context.store.baselines("flights").values()}
    first, *_, last = windows(context, 0, 6)
    assert fitted == {(first.start, last.end)}


def test_a_short_backfill_takes_what_there_is(opened: Open) -> None:
    """Where no reference is whole, the last window that has enough of one decides; a single run does not wait."""
    context = opened(rows(12))
    backfill(context, 5)
    (row, *_) = context.store.baselines("flights").values()
    first, *_, last = windows(context, 0, 4)
    assert (row["fitted_from"], row["fitted_to"]) == (first.start, last.end)


def test_a_single_run_waits_for_no_whole_reference(opened: Open) -> None:
    """On schedule the bins are fitted as soon as there are `min_windows`."""
    context = opened(rows(12))
    for window in windows(context, 0, 3):
        run.run_window(context, window, clock=clock)
    (row, *_) = context.store.baselines("flights").values()
    first, *_, last = windows(context, 0, 2)
    assert (row["fitted_from"], row["fitted_to"]) == (first.start, last.end)


def test_a_window_never_run_cannot_be_recalled(opened: Open) -> None:
    """The error says how to run it."""
    context = opened(rows(3))
    with pytest.raises(StoreError, match="drift run flights --date 2024-01-02"):
        recall(context, windows(context, 1, 1)[0])


def labelled(number_to_label: Callable[[int], str | None], days: int) -> pd.DataFrame:
    """Days on which every row has one carrier."""
    frame = rows(days)
    frame["carrier"] = np.repeat(np.array([number_to_label(i) for i in range(days)], object), 400)
    return frame


def test_one_unseen_label_that_becomes_another_is_named(opened: Open) -> None:
    """Neither was there when the bins were fitted: each step is critical, and says which label came."""
    frame = labelled(lambda i: "a" if i < 20 else "b" if i < 40 else "c", 44)
    reports = backfill(opened(frame, reference="{trailing: 7d, min_windows: 3}"), 43)
    for first, label in ((20, "b"), (40, "c")):
        found = [report for report in reports[first : first + 2] if report["carrier"].status == "critical"]
        assert found
        assert f"'{label}' 0 % → 100 % (not in the reference)" in " ".join(reports[first].explain("carrier"))
    assert [f.kind for f in reports[-1].findings if f.column == "carrier"] == ["bins_outgrown"]
    assert "drift baseline fit flights" in str(reports[-1].findings[0])
    assert all(report["carrier"].status == "ok" for report in reports[10:20])


def test_a_label_of_each_day_is_no_news(opened: Open) -> None:
    """A batch number is new every day; that is its custom, and nobody is told again and again."""
    reports = backfill(opened(labelled(lambda i: f"batch {i}", 50), reference="{trailing: 7d, min_windows: 3}"), 49)
    # From the day on when no window of the reference is one that the bins were fitted on.
    assert not any(report["carrier"].drifting for report in reports[35:])


def test_a_column_without_values_is_watched_as_soon_as_they_come(opened: Open) -> None:
    """Not judged while there are none, critical when they come, and the finding says what to do."""
    frame = labelled(lambda i: None if i < 20 else "a", 22)
    reports = backfill(opened(frame, reference="{trailing: 7d, min_windows: 3}"), 21)
    assert {report["carrier"].status for report in reports[:20]} == {"insufficient_data"}
    assert reports[15]["carrier"].reason.startswith("no reference")
    assert reports[15].status == "ok"
    assert reports[20]["carrier"].status == "critical"
    assert [str(f) for f in reports[20].findings if f.kind == "bins_outgrown"] == [
        "column carrier: had no value in the baseline, and has now: drift baseline fit flights gives it bins that fit"
    ]


@pytest.mark.parametrize("hashed", [False, True])
def test_a_label_set_apart_is_read_back(opened: Open, *, hashed: bool) -> None:
    """The report as it was said, its cells too; never the clear label where labels are hashed."""
    frame = rows(20)
    frame.loc[np.flatnonzero(day_of(frame, 19))[:40], "carrier"] = "klarna"
    keys = {"features": "{exclude: [day], hashed: [carrier]}"} if hashed else {}
    context = opened(frame, **keys)
    said = backfill(context, 19)[-1]
    words = " ".join(said.explain("carrier"))
    assert "0 % → 10 % (not in the reference)" in words
    assert ("klarna" in words) != hashed
    again = recall(context, windows(context, 19, 19)[0])
    assert again.to_dict() == said.to_dict()
    assert again.explain("carrier") == said.explain("carrier")
    assert ("klarna" in str(again.to_dict())) != hashed


def test_windows_counted_before_labels_were_followed_are_read(opened: Open) -> None:
    """Their rows say nothing of labels that recur: nothing is set apart while they are in the reference."""
    frame = rows(20)
    frame.loc[np.flatnonzero(day_of(frame, 19))[:40], "carrier"] = "klarna"
    context = opened(frame)
    said = backfill(context, 19)[-1]
    old = schema.histogram.update().where(schema.histogram.c.window_start < windows(context, 19, 19)[0].start)
    with context.store.engine.begin() as connection:
        connection.execute(old.values(atoms=None))
    again = evaluate.evaluate_window(context, windows(context, 19, 19)[0])
    cells = [report.evidence["carrier"].current.binning.cells for report in (said, again)]
    assert ["klarna" in names for names in cells] == [True, False]
    assert again["carrier"].status == said["carrier"].status == "critical"
