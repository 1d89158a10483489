"""Changes that last, begin early or are over at once: who is notified when, on days of files, end to end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.config.monitor import parse_monitor
from drift.pipeline import gate, run
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.support.flights import OPENED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from drift.detection.reports import Report
    from drift.detection.scores import Verdict

    Live = Callable[..., "Lived"]

FIRST = date(2024, 1, 1)
FIXED = "reference: {fixed: [2024-01-01, 2024-01-29]}"


@dataclass(frozen=True)
class Lived:
    """Days of one column x, each run the next morning."""

    reports: Sequence[Report]
    store: Store

    @property
    def verdicts(self) -> list[Verdict]:
        """Of x, a day each."""
        return [report["x"] for report in self.reports]

    @property
    def said(self) -> str:
        """All that the timelines and the findings say."""
        lines = [event.reason for _, events in self.store.timelines("t") for event in events]
        return "\n".join([*lines, *(str(finding) for report in self.reports for finding in report.findings)])

    @property
    def called(self) -> list[int]:
        """The days on which x drifts."""
        return [i for i, verdict in enumerate(self.verdicts) if verdict.drifting]

    def days(self, transition: str) -> list[int]:
        """The days whose windows made this of the alert of x."""
        timelines = self.store.timelines("t")
        events = [event for alert, lines in timelines if alert.key == "drift:x" for event in lines]
        starts = [event.window_start for event in events if event.transition == transition]
        return sorted((start.date() - FIRST).days for start in starts if start)


@pytest.fixture
def live(tmp_path: Path) -> Live:
    """Write a file a day, run every day and notify."""

    def lived(column: Callable[[int], NDArray[Any]], *keys: str, days: int = 120) -> Lived:
        for i in range(days):
            values = pa.array(column(i).tolist())
            day = pa.array([FIRST + timedelta(days=i)] * len(values))
            pq.write_table(pa.table({"day": day, "x": values}), tmp_path / f"{i:03}.parquet")
        text = [f"source: {{files: '{tmp_path}/*.parquet', time_column: day}}", "window: {every: 1d}", *keys]
        store = Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True)
        OPENED.append(store)
        context = Context.of(parse_monitor("\n".join(["name: t", *text])), store, lambda name: name)
        windows = list(context.monitor.window.calendar.between(midnight(0), midnight(days)))
        mornings = [window.end + timedelta(hours=6) for window in windows]
        run.prepare(context, windows, now=mornings[0])
        reports = [
            run.run_window(context, window, clock=repeat(now).__next__).report
            for window, now in zip(windows, mornings, strict=True)
        ]
        return Lived(reports, store)

    return lived


def midnight(i: int) -> datetime:
    """When a day begins."""
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=i)


def letters(shares: Callable[[int], float], seed: int = 1) -> Callable[[int], NDArray[Any]]:
    """A thousand letters a day, of which so many are a."""
    rng = np.random.default_rng(seed)
    return lambda i: rng.choice(["a", "b"], 1000, p=[shares(i), 1 - shares(i)])


def test_a_fixed_reference_never_heals(live: Live) -> None:
    """A lasting step stays called on every day, its alert open and the gate shut; nothing is said to have adapted."""
    found = live(letters(lambda i: 0.5 if i < 40 else 0.8), FIXED, days=75)
    assert found.called == list(range(40, 75))
    assert (found.days("opened"), found.days("resolved")) == ([40], [])
    assert not gate.decide(found.store, "t", now=midnight(75)).cleared
    assert "adapted" not in found.said


def test_a_fixed_reference_ends_an_alert_when_the_data_return(live: Live) -> None:
    """What comes back is quiet at once, however long it was away."""
    found = live(letters(lambda i: 0.8 if 32 <= i < 60 else 0.5), FIXED, days=64)
    assert found.called == list(range(32, 60))
    assert found.days("resolved") == [61]
    assert "adapted" not in found.said


def test_a_trailing_reference_adapts_and_says_so(live: Live) -> None:
    """One alert, notified once; it ends when the step fills the reference, and says how far the baseline is."""
    found = live(letters(lambda i: 0.5 if i < 40 else 0.8), days=72)
    assert set(range(40, 60)) <= set(found.called)
    assert (found.days("opened"), found.days("escalated"), found.days("reopened")) == ([40], [], [])
    (end,) = found.days("resolved")
    assert 60 <= end <= 70
    assert re.search(r"the reference has adapted: still 0\.\d+ nats from the baseline of 2024-01-01", found.said)


def test_a_step_after_three_weeks_is_told_within_three_days(live: Live) -> None:
    """A share of 30 % that becomes 42 % of 500 rows, with thirteen scores behind it."""
    rng = np.random.default_rng(1)
    found = live(lambda i: rng.random(500) < (0.30 if i < 20 else 0.42), days=23)
    assert found.days("opened") == [22]


@pytest.mark.parametrize("even", [True, False])
def test_a_label_lost_for_one_day_is_told_on_it(live: Live, *, even: bool) -> None:
    """One of 200 labels is missing on one day alone: .005 nats, and nothing like it ever happened."""
    rng = np.random.default_rng(1)
    labels = np.array([f"label {i:03}" for i in range(200)])
    shares = np.where(np.arange(200) < 40, 1.2, 0.95) / 200

    def column(i: int) -> NDArray[Any]:
        kept = labels != ("label 020" if i == 40 else "")
        if even:
            return np.repeat(labels[kept], 75)
        return rng.choice(labels[kept], 15_000, p=shares[kept] / shares[kept].sum())

    found = live(column, days=43)
    assert found.called == [40]
    assert found.days("opened") == [40]
    assert (
        "label 020 0.5 % → 0.0 %" in found.verdicts[40].reason or "label 020 0.6 % → 0.0 %" in found.verdicts[40].reason
    )


@pytest.mark.parametrize("dead", [3, 14])
def test_a_dead_sensor_is_never_usual(live: Live, dead: int) -> None:
    """Zeros after thirty good days are critical to the last; when it lives again, the reference excuses it at once."""
    rng = np.random.default_rng(1)
    end = 30 + dead
    found = live(lambda i: np.zeros(500) if 30 <= i < end else rng.normal(10, 3, 500), days=end + 12)
    assert [v.status for v in found.verdicts[30:end]] == ["critical"] * dead
    assert found.called == list(range(30, end))
    assert (found.days("opened"), found.days("resolved")) == ([30], [end + 1])
