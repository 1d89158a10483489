"""Schedules: which are valid, and which one fits a window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.schedule import PRESETS, for_windows, wrong_with
from drift.windows import Span


@pytest.mark.parametrize(
    "schedule",
    [
        *PRESETS,
        "* * * * *",
        "*/15 * * * *",
        "0 6,18 * * *",
        "30 6 * * MON-FRI",
        "0 0 1 jan,Jul *",
        "0 0 29 2 *",
        "0 0 30 2 1",
        "0 0 * * 7",
        "5/20 1-5/2 * * *",
        " 0  0 * * * ",
    ],
)
def test_valid_schedules(schedule: str) -> None:
    """Presets, and five fields of values, names, ranges, lists and steps."""
    assert wrong_with(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "wrong"),
    [
        ("", "a schedule has 5 fields, not 0"),
        ("daily", "a schedule has 5 fields, not 1"),
        ("* * * * * *", "a schedule has 5 fields, not 6"),
        ("@yearly", "there is no preset @yearly"),
        ("60 * * * *", 'the minute "60" is not within 0-59'),
        ("* 24 * * *", 'the hour "24" is not within 0-23'),
        ("* * 0 * *", 'the day of month "0" is not within 1-31'),
        ("* * * 13 *", 'the month "13" is not within 1-12'),
        ("* * * * 8", 'the day of week "8" is not within 0-7'),
        ("* * * MON *", 'the month "MON" is not within 1-12'),
        ("*/0 * * * *", 'the minute "*/0" is not within 0-59'),
        ("9-3 * * * *", 'the minute "9-3" is not within 0-59'),
        ("1,,2 * * * *", 'the minute "1,,2" is not within 0-59'),
        ("-5 * * * *", 'the minute "-5" is not within 0-59'),
        ("0 0 L * *", 'the day of month "L" is not within 1-31'),
        ("0 0 lw * *", 'the day of month "lw" is not within 1-31'),
        ("0 0 * * 5L", 'the day of week "5L" is not within 0-7'),
        ("0 0 * * MON#2", 'the day of week "MON#2" is not within 0-7'),
        ("0 0 31 2,4 *", "there is no such day in these months"),
    ],
)
def test_invalid_schedules(schedule: str, wrong: str) -> None:
    """The field that is wrong is named, with its range."""
    assert wrong_with(schedule) == wrong


@given(st.text(alphabet="0123456789*/,-@ LWMONJANx#?", max_size=30))
def test_no_text_breaks_the_check(schedule: str) -> None:
    """The check answers; it does not raise."""
    assert wrong_with(schedule) is None or wrong_with(schedule)


@pytest.mark.parametrize(
    ("every", "schedule"),
    [
        ("1m", "* * * * *"),
        ("15m", "*/15 * * * *"),
        ("45m", "*/15 * * * *"),
        ("90m", "*/30 * * * *"),
        ("1h", "@hourly"),
        ("60m", "@hourly"),
        ("6h", "0 */6 * * *"),
        ("12h", "0 */12 * * *"),
        ("24h", "@daily"),
        ("1d", "@daily"),
        ("3d", "@daily"),
        ("1w", "0 0 * * 1"),
        ("7d", "0 0 * * 1"),
        ("28d", "0 0 * * 1"),
        ("1mo", "@monthly"),
        ("2mo", "0 0 1 */2 *"),
        ("1q", "0 0 1 */3 *"),
        ("4mo", "0 0 1 */4 *"),
        ("6mo", "0 0 1 */6 *"),
        ("1y", "0 0 1 1 *"),
    ],
)
def test_the_schedule_of_a_window(every: str, schedule: str) -> None:
    """It fires whenever a window ends, weeks on Mondays, months on a first; where cron cannot say it, more often."""
    assert for_windows(Span.parse(every)) == schedule
    assert wrong_with(schedule) is None
