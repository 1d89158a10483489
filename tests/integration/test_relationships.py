"""A relationship between columns that breaks, from files to an alert: no histogram shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drift.cli.tables import alert_timeline, report_table
from drift.pipeline import run as runs
from tests.support.flights import FIRST, clock, days, monitor_text, open_context, rows, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_labels_attached_to_other_rows_open_an_alert_that_names_their_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    (named,) = reports[broken].relationships
    assert (named.column, named.lasting, reports[broken].status) == ("late", True, "ok")
    assert {finding.message for finding in found[broken]} == {str(named)}
    next_step = "drift explain flights --pair carrier late --date 2024-01-21"
    report_table(reports[broken])
    assert next_step in capsys.readouterr().out
    opening = context.store.load_report("flights", alert.opened_window)
    alert_timeline(alert, context.store.alert_events(alert.id), "", "", [], opening)
    assert next_step in capsys.readouterr().out
    early = reports[days(context, 4, 4)[0]]
    assert early.unjudged_pairs.startswith("only ")
    assert not any("before this one were compared" in note for note in early.notes())
    report_table(early)
    assert f"pairs of columns not judged: {early.unjudged_pairs}" in capsys.readouterr().out
    assert f"6 · not judged: {early.unjudged_pairs}" in early.to_html()
