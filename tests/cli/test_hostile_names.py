"""No command obeys a name: what it prints has no control character, and as many lines as with harmless names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.support.command import runner
from tests.support.hostile_text import HOSTILE, harmless, unseen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command import Drift

DAYS, ROWS = 9, 120
SPAN = ("--from", "2024-01-01", "--to", "2024-01-09")
LABELS = HOSTILE[:6]
MONITOR = """
name: hostile
source: {files: data/*.parquet, time_column: day}
window: {every: 1d}
reference: {trailing: 7d, min_windows: 3}
segments: [where]
detection: {min_rows: 30, seasonal: false}
alerts: {routes: []}
"""


def monitored(folder: Path, spell: Callable[[str], str]) -> Drift:
    """Run a monitor over days of which the last ones moved, its columns and labels spelt some way."""
    rng = np.random.default_rng(4)
    for name in ("data", "monitors"):
        (folder / name).mkdir(parents=True)
    (folder / "monitors" / "hostile.yaml").write_text(MONITOR)
    for day in range(DAYS):
        moved = 3.0 * (day > DAYS - 3)
        frame: dict[str, Any] = {spell(name): rng.normal(moved, 1, ROWS) for name in HOSTILE}
        labels = [*map(spell, LABELS[: 3 + 3 * bool(moved)])]
        frame |= {"label": rng.choice(labels, ROWS), "where": rng.choice(labels[:2], ROWS)}
        table = pd.DataFrame(frame).assign(day=pd.Timestamp("2024-01-01") + pd.Timedelta(days=day))
        if moved:
            table = table.drop(columns=spell(HOSTILE[0]))
        table.to_parquet(folder / "data" / f"{day:02}.parquet")
    drift = runner(folder)
    assert drift("db", "upgrade").returncode == 0
    done = drift("backfill", "hostile", *SPAN)
    assert done.returncode == 0, done.stderr
    return drift


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Drift, Drift]:
    """The same monitor on hostile and on harmless names."""
    folder = tmp_path_factory.mktemp("names")
    return monitored(folder / "a", str), monitored(folder / "b", harmless)


def commands(drift: Drift, spell: Callable[[str], str]) -> list[tuple[str, ...]]:
    """Every command that prints a name, with names in its arguments where it takes some."""
    name, day, by = spell(HOSTILE[2]), ("--date", "2024-01-09"), ("--by", spell(HOSTILE[1]))
    alerts = json.loads(drift("alerts", "list", "--all", "--json").stdout)
    (alert,) = (alert["id"] for alert in alerts if alert["feature"] == name and not alert["segment"])
    reading: list[tuple[str, ...]] = [
        ("compare", "data/02.parquet", "data/08.parquet"),
        ("run", "hostile", *day),
        ("history", "hostile", "--last", "400"),
        ("history", "hostile", name, "--last", "400"),
        ("explain", "hostile", name, *day),
        ("explain", "hostile", "label", *day),
        ("explain", "hostile", f"{name}?", *day),
        ("explain", "hostile", "label", "--segment", name, *day),
        ("gate", "hostile"),
        ("baseline", "show", "hostile"),
        ("replay", "hostile", *SPAN),
        ("alerts", "list", "--all"),
        ("alerts", "show", alert),
        ("alerts", "timeline", "hostile"),
        ("alerts", "silences", "--all"),
        ("alerts", "undelivered", "--waiting"),
    ]
    acting: list[tuple[str, ...]] = [
        ("check", "monitors"),
        ("check", name),
        ("alerts", "ack", alert, *by, "--comment", name),
        ("alerts", "silence", "hostile", name, "--reason", name, "--for", "2d", *by),
        ("alerts", "show", name),
        ("alerts", "test", name),
        ("tune", "hostile", "--last", "3", "--plants", "0"),
        ("doctor",),
        ("doctor", "--monitors", name),
        ("compare", name, "data/08.parquet"),
        ("compare", "data/02.parquet", "data/08.parquet", "--kind", name),
        ("run", f"{name}.yaml"),
        ("history", name),
        ("prune", "--keep", name),
        ("baseline", "promote", "hostile", *SPAN, "--reason", name, *by),
        ("db", "downgrade", name),
    ]
    return [*acting, *reading, *((*command, "--json") for command in reading)]


def test_names_are_shown_and_not_obeyed(both: tuple[Drift, Drift]) -> None:
    """By all commands, as tables, as JSON, as errors."""
    for hostile, plain in zip(commands(both[0], str), commands(both[1], harmless), strict=True):
        said, expected = both[0](*hostile), both[1](*plain)
        for text, other in ((said.stdout, expected.stdout), (said.stderr, expected.stderr)):
            assert not unseen(text), hostile
            assert "--json" in hostile or text.count("\n") == other.count("\n"), (hostile, text, other)
            assert "Traceback" not in text, hostile
        assert said.returncode == expected.returncode, hostile


def test_a_report_and_a_page_show_them(both: tuple[Drift, Drift], tmp_path: Path) -> None:
    """The page of `--html`, headings and links included, and the summary of `--markdown`."""
    path, summary = tmp_path / "report.html", tmp_path / "report.md"
    both[0]("compare", "data/02.parquet", "data/08.parquet", "--html", str(path), "--markdown", str(summary))
    assert not unseen(path.read_text() + summary.read_text())
    assert "\\u202egnp.exe" in path.read_text()
    assert "\\\\u202egnp.exe" in summary.read_text()
    both[0]("run", "hostile", "--date", "2024-01-09", "--markdown", str(summary))
    assert summary.read_text().startswith("### ◆ hostile 2024-01-09: critical\n")
    assert "- note: segment where=" in summary.read_text()
    assert not unseen(summary.read_text())


def test_logs_show_them(both: tuple[Drift, Drift]) -> None:
    """As text and as JSON, warnings and tracebacks."""
    for shape in ("", "text:debug", "json:debug"):
        said = [drift("run", "hostile", "--date", "2024-01-08", "--force", log=shape).stderr for drift in both]
        assert not unseen(said[0])
        assert said[0].count("\n") == said[1].count("\n")
