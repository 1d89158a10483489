"""The diary: what was told and when, counted as pages, in words that harm nobody; and the demo's own of 2013."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drift.alerts.actions import act
from drift.alerts.lifecycle import advance
from drift.alerts.signals import Signal
from drift.alerts.timeline import timeline
from drift.windows import Calendar

if TYPE_CHECKING:
    from drift.alerts.alerts import Alert, AlertEvent

CALENDAR = Calendar("1d", "America/New_York")
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "diary_2013.md"


def seen(day: int, status: str, feature: str = "delay", reason: str = "KL 1.28 nats") -> Signal:
    """Return what one day of February says of a feature."""
    window = CALENDAR.starting(date(2013, 2, day))
    severity = "none" if status == "ok" else status
    return Signal(window, f"drift:{feature}", "drift", feature, severity, status, reason)  # type: ignore[arg-type]


def lived(*windows: Signal, page: bool = True) -> str:
    """Return the diary of some days, each run the next morning."""
    alerts: dict[str, Alert] = {}
    events: list[AlertEvent] = []
    for each in windows:
        now = each.window.end + timedelta(hours=6)
        done = advance(alerts.values(), [each], monitor="flights", now=now, page=page)
        alerts |= {alert.id: alert for alert in done.alerts}
        events += done.events
    return timeline(alerts.values(), events, CALENDAR)


def test_a_diary_says_when_and_why() -> None:
    """What opened, what nobody answered and what ended, each under the hour it was told; quiet steps are left out."""
    bad = [seen(day, "critical") for day in range(8, 16)]
    told = lived(*bad, seen(16, "ok", reason="calm"), seen(17, "ok", reason="calm"))
    assert told.splitlines()[:7] == [
        "### February 2013",
        "",
        "*2 pages (1 of them reminders), 1 message of ends alone*",
        "",
        "**Sat 02-09 06:00**, of 2013-02-08",
        "",
        "- opened **delay**: KL 1.28 nats.",
    ]
    assert "repeated **delay** (since 2013-02-08): nobody has acknowledged it since 2013-02-09 11:00 UTC" in told
    assert "resolved **delay** (since 2013-02-08): 2 quiet windows in a row: calm." in told
    assert "02-17 06:00" not in told
    assert not lived(seen(8, "ok"))


def test_what_was_kept_back_says_why() -> None:
    """A backfill tells nobody: its openings stand there with that reason, and count as no page."""
    told = lived(seen(8, "critical"), page=False)
    assert "*0 pages, 0 messages of ends alone*" in told
    assert told.endswith("opened **delay**: KL 1.28 nats. *Not notified: backfill: it notifies nobody.*")


def test_answers_stand_in_it_with_who_gave_them() -> None:
    """Somebody acknowledged: that is news to whoever reads the diary."""
    now = datetime(2013, 2, 9, 12, tzinfo=UTC)
    done = advance([], [seen(8, "critical")], monitor="flights", now=now)
    changed, event = act(done.alerts[0], "acknowledge", by="ada", now=now + timedelta(hours=1), comment="on it")
    told = timeline([changed], [*done.events, event], CALENDAR)
    assert "**Sat 02-09 08:00**\n\n- acknowledged **delay** by ada: on it." in told
    assert "*1 page, 0 messages of ends alone*" in told


@pytest.mark.parametrize("hostile", ["<b>x</b>", "[x](javascript:1)", "*x*", "`x`", "a\nb", "x\u202ey", "a|b"])
def test_names_and_reasons_are_text(hostile: str) -> None:
    """No name or reason is markup, a line of its own, or reversed writing."""
    told = lived(seen(8, "critical", hostile, reason=hostile))
    assert len(told.splitlines()) == 7
    assert "\u202e" not in told
    line = told.splitlines()[-1].replace("**", "")
    for special in "<[*`|":
        assert line.count(special) == line.count(f"\\{special}")


def test_order_of_events_is_no_matter() -> None:
    """It is written by the clock."""
    now = datetime(2013, 2, 9, 12, tzinfo=UTC)
    done = advance([], [seen(8, "critical", "b"), seen(8, "critical", "a")], monitor="flights", now=now)
    later = replace(done.events[0], at=now - timedelta(days=1))
    assert timeline(done.alerts, done.events, CALENDAR) == timeline(done.alerts, done.events[::-1], CALENDAR)
    assert timeline(done.alerts, [*done.events[1:], later], CALENDAR).index("02-08 07:00") > 0


@pytest.mark.slow
def test_the_document_is_what_the_demo_tells(tmp_path: Path) -> None:
    """The demo's days to the end of the blizzard's alerts, run anew, tell what the document says of them."""
    from benchmarks.demo_year import HEAD, live

    written = DOCUMENT.read_text()
    assert written.startswith(HEAD)
    first, _, _ = written.removeprefix(HEAD).partition("\n### March")
    assert live(tmp_path, date(2013, 1, 1), date(2013, 2, 14)).strip() == first.strip()
