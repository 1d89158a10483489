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
    from collections.abc import Iterable
    from pathlib import Path

    from drift.detection.reports import Report

FIRST = date(2024, 1, 1)


def test_placeholders_and_days_first_cost_no_window(tmp_path: Path) -> None:
    """Two rows a day have no readable time: they are counted, and every window is judged by the others."""
    rng = np.random.default_rng(1)
    (tmp_path / "in").mkdir()
    for i in range(10):
        times = ["unknown", "01/01/1970", *[f"{FIRST + timedelta(i):%d/%m/%Y}"] * 400]
        lines = [f"{time},{x:.3f}" for time, x in zip(times, rng.normal(size=402), strict=True)]
        (tmp_path / "in" / f"{i}.csv").write_text("\n".join(["day,x", *lines]))
    reports = backfilled(tmp_path, "time_column: day, time_format: '%d/%m/%Y'", range(7, 10))
    assert [(report["x"].status, report.n_current) for report in reports] == [("ok", 400)] * 3
    said = {finding.message for report in reports for finding in report.findings if finding.column == "day"}
    assert said == {"column day: 2 rows without a readable time are in no window"}


def backfilled(folder: Path, source: str, days: Iterable[int]) -> list[Report]:
    """Run a monitor of the files on some days, with a week as its reference."""
    monitor = parse_monitor(
        f"name: m\nsource: {{files: '{folder}/in/*.csv', {source}}}\nwindow: {{every: 1d}}\n"
        "reference: {fixed: [2024-01-01, 2024-01-08]}\ndetection: {persistence: {at_least: 1, of: 1}}\n"
    )
    windows = [monitor.window.calendar.starting(FIRST + timedelta(i)) for i in days]
    with Store.open(f"sqlite:///{folder}/drift.db", create=True) as store:
        return run.backfill(Context.of(monitor, store, str), windows, clock=lambda: datetime(2024, 2, 1, tzinfo=UTC))


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
    reports = backfilled(tmp_path, "time_column: day", range(7, 12))
    assert [[v.feature for v in report.verdicts] for report in reports] == [["town", "price"]] * 5
    assert [report["price"].status for report in reports] == ["ok"] * 4 + ["critical"]
    assert all(report["town"].status == "ok" for report in reports)
    said = {finding.message for finding in reports[2].findings if finding.kind == "read_as"}
    assert "CSV is read as separated by semicolons, with decimal commas, in UTF-16" in said
    assert not {"retyped_column", "missing_column"} & {
        finding.kind for report in reports for finding in report.findings
    }
