"""Who is told what, and when: maintenance, repeats, cooldown, flapping, backfills; nothing lost, nothing twice."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from drift.alerts.suppression import BACKFILL, LATE, Suppression
from drift.config.alerts import Policy
from tests.support.alert_samples import Record, check_laws, say

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MAINTENANCE = Suppression(maintenance="until 06:00: reload")


# -- maintenance ------------------------------------------------------------------------------------------------------


def test_maintenance_is_quiet_and_what_is_still_open_is_told_at_its_end() -> None:
    """Alerts change their state meanwhile, and the diary says why nobody was told."""
    record = Record(suppression=MAINTENANCE).days("critical")
    assert (record.only.state, record.only.notified, record.notified()) == ("open", "none", [])
    assert record.events[0].suppressed_by == record.only.suppressed_by == "maintenance: until 06:00: reload"
    record.wait(HOUR)
    assert record.notified() == []
    record.suppression = Suppression()
    record.wait(HOUR)
    assert record.notified() == ["notified"]
    assert record.only.suppressed_by == ""
    reason = "not notified before (maintenance: until 06:00: reload); still critical: critical on day 1"
    assert record.notices[0].event.reason == reason
    record.wait(HOUR)
    assert record.notified() == ["notified"]
    check_laws(record)


def test_what_is_on_its_way_out_is_not_told_at_the_end_of_maintenance() -> None:
    """A quiet window came meanwhile: it is told only if it drifts again."""
    record = Record(suppression=MAINTENANCE).days("critical", "quiet")
    record.suppression = Suppression()
    record.wait(HOUR)
    assert record.notified() == []
    record.run(say(3, "critical"))
    assert record.notified() == ["notified"]
    check_laws(record)


def test_an_escalation_in_maintenance_is_told_at_its_end() -> None:
    """People believe in a warning until then."""
    record = Record().days("warning")
    record.suppression = MAINTENANCE
    record.run(say(2, "critical"))
    assert (record.notified(), record.only.notified) == (["opened"], "warning")
    record.suppression = Suppression()
    record.run(say(3, "critical"))
    assert (record.notified(), record.only.notified) == (["opened", "notified"], "critical")
    check_laws(record)


# -- backfills and late windows ---------------------------------------------------------------------------------------


def test_what_a_backfill_opened_is_told_by_a_live_window_that_asks_for_it_again() -> None:
    """The state says that nobody was told; neither the clock nor another backfill tells it."""
    record = Record()
    record.run(say(1, "critical"), page=False)
    assert (record.only.state, record.only.suppressed_by) == ("open", BACKFILL)
    record.run(say(2, "critical"), page=False)
    record.wait(9 * DAY)
    assert record.notified() == []
    record.run(say(3, "few"))
    assert record.notified() == []
    record.run(say(4, "warning"))
    assert record.notified() == ["notified"]
    check_laws(record)


def test_what_a_backfill_opened_and_live_windows_end_is_told_to_nobody() -> None:
    """The end of what nobody knew of is no news."""
    record = Record()
    record.run(say(1, "critical"), page=False)
    for number in (2, 3, 4):
        record.run(say(number, "quiet"))
    assert (record.notified(), record.only.state) == ([], "resolved")
    assert record.suppressed_by() == ["backfill", "unheard"]


def test_a_backfill_that_ends_what_was_told_is_told_by_the_next_live_window() -> None:
    """Whoever believes it open hears that it is over."""
    record = Record().days("critical", "critical")
    record.run(say(1, "quiet"), page=False)
    record.run(say(2, "quiet"), page=False)
    assert record.notified() == ["opened"]
    record.wait(DAY)
    assert record.notified() == ["opened"]
    record.run(say(3, "quiet"))
    assert [(p.event.transition, p.alert.live) for p in record.notices] == [("opened", True), ("notified", False)]
    check_laws(record)


def test_an_alert_that_began_earlier_than_was_known_is_not_told_again() -> None:
    """It goes over into another one, and so does what people believe; its end is told once."""
    record = Record()
    record.run(say(5, "critical"))
    record.run(say(4, "critical"))
    record.run(say(6, "critical"))
    assert record.notified() == ["opened"]
    assert set(record.suppressed_by()) == {"handed over", "known"}
    for number in (7, 8):
        record.run(say(number, "quiet"))
    assert record.notified() == ["opened", "resolved"]
    check_laws(record)


def test_a_late_escalation_waits_for_the_next_window() -> None:
    """Told when a live window asks for it again."""
    record = Record()
    for number, word in [(1, "warning"), (3, "pending"), (2, "critical")]:
        record.run(say(number, word))
    assert (record.notified(), record.only.suppressed_by) == (["opened"], LATE)
    record.run(say(4, "critical"))
    assert record.notified() == ["opened", "notified"]
    check_laws(record)


# -- severity ---------------------------------------------------------------------------------------------------------


def test_up_again_is_no_news_to_those_who_believe_it_is_up() -> None:
    """Down is not told; so up again, to where people believe it to be, is not either, and the diary says so."""
    record = Record().days("warning", "critical", "warning", "critical")
    assert record.notified() == ["opened", "escalated"]
    assert record.events[-1].suppressed_by == "known: notified as critical already"


# -- repeats ----------------------------------------------------------------------------------------------------------


def test_what_is_critical_and_unacknowledged_is_told_again() -> None:
    """After the time asked for, by a run or by the clock; a run that comes a little early counts."""
    record = Record(Policy(repeat=DAY)).days("critical")
    record.run(say(2, "critical"), after=DAY - HOUR)
    assert record.notified() == ["opened", "repeated"]
    record.wait(HOUR)
    assert record.notified() == ["opened", "repeated"]
    record.wait(DAY)
    assert record.notified() == ["opened", "repeated", "repeated"]
    assert record.events[-1].window_start is None
    check_laws(record)


def test_a_clock_that_was_ahead_holds_up_no_reminder() -> None:
    """People were notified a year from now; once the clock is right the reminder comes, and then when it is due."""
    record = Record(Policy(repeat=DAY))
    record.run(say(1, "critical"), after=365 * DAY)
    record.wait(-365 * DAY)
    assert record.notified() == ["opened", "repeated"]
    record.wait(HOUR)
    assert record.notified() == ["opened", "repeated"]
    record.wait(DAY)
    assert record.notified() == ["opened", "repeated", "repeated"]


def test_reminders_come_once_a_week_as_one() -> None:
    """What began on different days is in the same reminder, one that has begun to be quiet too; none is extra."""
    record = Record()
    for number in range(1, 31):
        record.run(
            say(number, "critical"),
            say(number, "critical" if number >= 4 else "quiet", "drift:later"),
            say(number, "quiet" if number == 8 else "critical", "drift:restless"),
            after=DAY,
        )
        record.wait(HOUR)
    again = [notice for notice in record.notices if notice.event.transition == "repeated"]
    weeks = sorted({notice.event.at for notice in again})
    assert len(weeks) == 4
    assert all(later - earlier >= 7 * DAY for earlier, later in pairwise(weeks))
    assert len(again) == 4 * 3
    check_laws(record)


@pytest.mark.parametrize(
    ("words", "action", "policy"),
    [
        (["warning"], None, Policy()),
        (["critical"], "acknowledge", Policy()),
        (["critical"], None, Policy(repeat=None)),
        (["critical", "quiet"], None, Policy()),
        (["critical", "warning"], None, Policy()),
    ],
)
def test_nothing_else_is_told_again(words: list[str], action: Any, policy: Policy) -> None:
    """A warning, what somebody is on, what is on its way out, and where no repeat is wanted."""
    record = Record(policy).days(*words)
    if action:
        record.by_hand(record.only, action)
    record.wait(30 * DAY)
    assert record.notified() == ["opened"]


# -- cooldown ---------------------------------------------------------------------------------------------------------

COOL = Policy(cooldown=2, close_after=1)


def test_what_comes_back_right_after_its_end_is_told_when_it_lasts() -> None:
    """Within two windows of the end it is kept; still open after them, it is told."""
    record = Record(COOL).days("critical", "quiet", "critical", "critical")
    assert (record.notified(), record.suppressed_by()) == (["opened", "resolved"], ["cooldown"])
    record.run(say(5, "critical"))
    assert record.notified() == ["opened", "resolved", "notified"]
    check_laws(record)


@pytest.mark.parametrize(
    "words",
    [
        ["warning", "quiet", "critical"],
        ["critical", "quiet", "quiet", "quiet", "critical"],
    ],
)
def test_what_comes_back_worse_or_later_is_told_at_once(words: list[str]) -> None:
    """Cooldown damps only what is known."""
    record = Record(COOL).days(*words)
    assert record.notified() == ["opened", "resolved", "opened"]


def test_no_cooldown_after_what_nobody_was_told_of() -> None:
    """A backfill's alert ended yesterday: today's is news."""
    record = Record(COOL)
    for number, word in enumerate(["critical", "quiet"], start=1):
        record.run(say(number, word), page=False)
    record.run(say(3, "critical"))
    assert record.notified() == ["opened"]


# -- flapping ---------------------------------------------------------------------------------------------------------

FLAP = Policy(openings=2, within=10, close_after=1)


def test_flapping_is_told_once_and_then_what_is_worse() -> None:
    """The third opening in ten windows is told as flapping; the next ones are not, unless they are worse."""
    record = Record(FLAP).days("warning", "quiet", "warning", "quiet", "warning", "quiet", "warning")
    assert record.notified() == ["opened", "resolved", "opened", "resolved", "flapping"]
    notice = record.notices[-1].event.reason
    assert notice.startswith(
        "opened 3 times in 10 windows: only what is worse is notified of until that is over; warning on"
    )
    assert record.suppressed_by() == ["flapping", "flapping", "flapping"]
    record.run(say(8, "critical"))
    assert record.notified()[-1] == "escalated"
    check_laws(record)


def test_after_flapping_what_is_so_is_told() -> None:
    """Once the openings are ten windows past, people hear what is still open and what is over."""
    record = Record(FLAP).days("warning", "quiet", "warning", "quiet", "warning", "quiet", "warning")
    told = len(record.notices)
    for number in range(8, 16):
        record.run(say(number, "warning"))
        check_laws(record)
    late = {(p.event.transition, p.alert.live, p.alert.opened_window.day) for p in record.notices[told:]}
    assert late == {("notified", False, 5), ("notified", True, 7)}


def test_flapping_that_a_backfill_found_is_told_when_it_goes_on() -> None:
    """Nobody was told that it flaps: the next opening says so."""
    record = Record(FLAP)
    for number, word in enumerate(["warning", "quiet"] * 4, start=1):
        record.run(say(number, word), page=False)
    record.run(say(9, "warning"))
    assert record.notified() == ["flapping"]
    check_laws(record)


def test_flapping_can_be_turned_off() -> None:
    """Within 0 windows nothing flaps."""
    record = Record(Policy(openings=1, within=0, close_after=1)).days(*["warning", "quiet"] * 4)
    assert record.notified() == ["opened", "resolved"] * 4
