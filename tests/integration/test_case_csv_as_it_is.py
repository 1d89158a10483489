"""Case: a monitor's CSV files as spreadsheets of several countries write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from drift.config.monitor import parse_monitor
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2024, 1, 1)


def test_days_written_differently_are_read_alike(tmp_path: Path) -> None:
    """Points or commas, tabs, UTF-16, no thousands on some days: the same prices; three times them are not."""
    rng = np.random.default_rng(1)
    (tmp_path / "in").mkdir()
    for i in range(12):
        day, factor = FIRST + timedelta(i), 3 if i == 11 else 1
        amounts = np.exp(rng.normal(6.5, 1, 400)) * factor
        texts = [f"{amount:,.2f}" for amount in amounts]
        if i % 3 == 0:
            texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
        elif i % 3 == 1:
            texts = [text.replace(",", "") for text in texts]
        sign, encoding = (";", "utf-16") if i % 3 == 0 else ("\t", "cp1252") if i % 3 == 1 else (";", "utf-8")
        lines = [
            sign.join(["", "day", "town", "price"]),
            *(sign.join([str(n), str(day), "Köln", t]) for n, t in enumerate(texts)),
        ]
        (tmp_path / "in" / f"{day}.csv").write_bytes("\n".join(lines).encode(encoding))
    monitor = parse_monitor(
        f"name: m\nsource: {{files: '{tmp_path}/in/*.csv', time_column: day}}\nwindow: {{every: 1d}}\n"
        "reference: {fixed: [2024-01-01, 2024-01-08]}\ndetection: {persistence: {at_least: 1, of: 1}}\n"
    )
    windows = [monitor.window.calendar.starting(FIRST + timedelta(i)) for i in range(7, 12)]
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=True) as store:
        reports = run.backfill(Context.of(monitor, store, str), windows, clock=lambda: datetime(2024, 2, 1, tzinfo=UTC))
    assert [[v.feature for v in report.verdicts] for report in reports] == [["town", "price"]] * 5
    assert [report["price"].status for report in reports] == ["ok"] * 4 + ["critical"]
    assert all(report["town"].status == "ok" for report in reports)
    said = {finding.message for finding in reports[2].findings if finding.kind == "read_as"}
    assert "CSV is read as separated by semicolons, with decimal commas, in UTF-16" in said
    assert not {"retyped_column", "missing_column"} & {
        finding.kind for report in reports for finding in report.findings
    }
