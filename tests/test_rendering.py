"""What the terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.rendering import progress, report_table, sparkline
from tests.test_reports import report, verdict

if TYPE_CHECKING:
    import pytest


def test_sparkline_marks_gaps() -> None:
    """A window without a score is a dot, not a zero."""
    assert sparkline([0.0, None, 1.0], top=1.0) == "▁·█"


def test_status_is_a_word_not_only_a_colour(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are no colours the table still says it."""
    report_table(report(verdict("a", "critical", [0.5]), verdict("b")))
    out = capsys.readouterr().out
    assert "critical" in out
    assert "\x1b[" not in out


def test_names_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A feature called like a style tag is printed as it is."""
    report_table(report(verdict("[bold]x[/bold]", "critical", [0.5])))
    assert "[bold]x[/bold]" in capsys.readouterr().out


def test_quiet_progress_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts that ask for JSON get no bar."""
    with progress(3, "work", quiet=True) as advance:
        advance("one")
    assert capsys.readouterr() == ("", "")
