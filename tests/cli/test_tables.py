"""What the terminal shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from drift.cli.tables import explanation, progress, report_table, sparkline
from drift.detection.evidence import Evidence
from drift.profiles.binning import NumericBinning
from drift.profiles.histograms import Histogram, Summary
from drift.windows import Calendar
from tests.detection.test_reports import report, verdict
from tests.support.dashboard_samples import IN_JFK

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


def test_the_rule_is_printed_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One line says why the whole is what it is."""
    report_table(report(verdict("a", "critical", [0.5]), verdict("b")))
    assert "critical: a (input) is critical; 1 of 2 features drifted (50 %)\n" in capsys.readouterr().out


def test_an_explanation_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    """In which rows it drifts; mean, spread, quartiles and extremes of both sides, dates as dates."""
    binning = NumericBinning(np.array([15000.0, 15710, 16000]), "date")
    before, after = [15700.0, 15706.0], [15713.0, 15713.0, 15713.0]
    sides = [(Histogram(binning, binning.count(values)), Summary.of(values)) for values in (before, after)]
    (reference, old), (current, new) = sides
    seen = Evidence(reference, current, old, new)
    moved = verdict("x", "critical", [0.0, 0.5, 0.5, 0.0, 0.0])
    moved = replace(moved, explanation=replace(moved.explanation, where=IN_JFK))
    explanation(replace(report(moved), evidence={"x": seen}), "x", Calendar("1d"))
    out = capsys.readouterr().out
    assert "mostly in origin = JFK (34 % of the rows): without it 4.0 % of the divergence is left" in out
    assert "WHERE origin = 'JFK'" in out
    assert "spread" in out
    assert "2013-01-01" in out
    assert "2013-01-08" in out
