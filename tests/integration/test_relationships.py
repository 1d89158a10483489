"""A relationship between columns that breaks, from files to an alert: no histogram shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.pipeline import run as runs
from drift.pipeline.evaluate import recall_pair
from tests.support.flights import FIRST, clock, days, monitor_text, open_context, rows, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context
    from drift.windows import Window


def test_labels_attached_to_other_rows_open_an_alert_that_names_their_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values dealt out anew within a day: no feature drifts, the column is named, and its alert ends by itself."""
    monkeypatch.chdir(tmp_path)
    frame = rows(26, 300)
    rng = np.random.default_rng(5)
    frame["late"] = (frame["carrier"] == "AA") ^ (rng.random(len(frame)) < 0.05)
    frame["gate"] = np.where(frame["late"] ^ (rng.random(len(frame)) < 0.05), "D", "A")
    spoiled = frame["day"] == FIRST + pd.Timedelta(days=20)
    frame.loc[spoiled, "late"] = rng.permutation(frame.loc[spoiled, "late"])
    write_parquet(frame, tmp_path / "flights")
    text = monitor_text('{files: "flights/date=*/*.parquet", time_column: day}')
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)
    runs.backfill(context, days(context, 0, 25), clock=clock)
    reports = {
        report.window: report for report in context.store.load_reports("flights", since=days(context, 0, 0)[0].start)
    }
    found = {
        window: [finding for finding in report.findings if finding.kind == "relationship"]
        for window, report in reports.items()
    }
    (broken,) = days(context, 20, 20)
    assert [(finding.column, finding.severity) for finding in found[broken]] == [("late", "critical")]
    assert found[broken][0].message.startswith("late no longer goes with ")
    assert not reports[broken].drifting
    assert not any(findings for window, findings in found.items() if window != broken)
    assert reports[broken].n_pairs == 6
    (alert,) = [alert for alert in context.store.alerts("flights") if alert.kind == "relationship"]
    assert (alert.key, alert.feature, alert.state) == ("relationship:late", "late", "resolved")
    measured = context.store.measured("flights", before=broken.start, limit=3)
    assert [one.window_start for one in measured] == [window.start for window in days(context, 17, 19)]
    assert all(sorted(one.columns) == ["carrier", "delay", "gate", "late"] for one in measured)
    assert context.store.measured("flights", before=days(context, 21, 21)[0].start, limit=1)[0].strays.any()
    assert_the_pair_can_be_looked_at(context, broken)


def assert_the_pair_can_be_looked_at(context: Context, window: Window) -> None:
    """The pair is compared once more from stored counts, in either order, and says what the run said."""
    found = recall_pair(context.store, "flights", window.start, ("late", "carrier"))
    one = found.compared
    assert one.columns == ("late", "carrier")
    assert one.kl_total == pytest.approx(one.kl + one.kl_margins, abs=1e-9)
    assert one.kl_corrected == pytest.approx(found.measured.kl_corrected, rel=1e-5)
    assert (found.measured.strays, found.windows) == (True, found.windows_then)
    assert one.before > 0.3 > one.after
    assert one.current.sum() == 300
    assert one.contributions.sum() == pytest.approx(one.kl)
    turned = recall_pair(context.store, "flights", window.start, ("carrier", "late")).compared
    assert turned.current.tolist() == one.current.T.tolist()
    assert {part.cells[::-1] for part in turned.moved()} == {part.cells for part in one.moved()}
    past = context.store.pair_history("flights", "carrier", "late", until=window.end, limit=8)
    assert [each.strays for each in past] == [False] * 7 + [True]
    assert past[-1] == found.measured
    assert all(each.z is not None and each.z < 9 for each in past[:-1])
