"""The fold of one key: what stands after some windows and answers, whatever the order they are given in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.alerts import NEWS, NOTIFIED, Alert, alert_id, closes_after, fold
from drift.config.alerts import Policy
from drift.detection.localise import Slice, Where
from drift.detection.onset import Onset
from tests.support.alert_samples import KEY, NOW, SAYINGS, Record, day, say

WORDS = st.lists(st.sampled_from(list(SAYINGS)), min_size=1, max_size=12)
POLICY = Policy()


def folded(words: list[str], known: list[Alert] | None = None, policy: Policy = POLICY) -> list[Alert]:
    """What stands after some days."""
    return fold([say(i, word) for i, word in enumerate(words, start=1)], known or [], None, "flights", policy)


@given(WORDS, st.randoms())
def test_the_order_of_the_windows_given_does_not_matter(words: list[str], random: object) -> None:
    """They are put in the order of time."""
    seen = [say(i, word) for i, word in enumerate(words, start=1)]
    random.shuffle(seen)  # type: ignore[attr-defined]
    assert fold(seen, [], None, "flights", POLICY) == folded(words)


@given(WORDS, WORDS)
def test_a_fold_may_be_cut_anywhere(first: list[str], second: list[str]) -> None:
    """What stands after some windows is all that the next ones need."""
    before = folded(first)
    later = [say(i, word) for i, word in enumerate(second, start=len(first) + 1)]
    seed = before[-1] if before and before[-1].live else None
    rest = fold(later, before, seed, "flights", POLICY)
    assert [*(before if seed is None else before[:-1]), *rest] == folded([*first, *second])


@given(WORDS, st.integers(1, 4))
def test_alerts_of_a_key_follow_each_other(words: list[str], after: int) -> None:
    """At most the last one is live, none begins before the one before has ended, and each has a reason."""
    found = folded(words, policy=Policy(close_after=after))
    assert all(not alert.live for alert in found[:-1])
    for before, later in pairwise(found):
        assert before.resolved_window is not None
        assert before.resolved_window < later.opened_window
    for alert in found:
        assert alert.reason
        assert alert.id == alert_id("flights", KEY, alert.opened_window)
        assert (alert.quiet >= after) == (not alert.live)


def test_answers_are_anchored_in_time() -> None:
    """An acknowledgement and a snooze belong to the alert that spans the opening of the one they were given to."""
    (late,) = folded(["quiet", "critical"])
    until = NOW + timedelta(days=1)
    answered = replace(
        late, acknowledged_at=NOW, acknowledged_by="ada", snoozed_at=NOW, snoozed_by="bob", snoozed_until=until
    )
    (alert,) = folded(["critical", "critical"], [answered])
    assert (alert.state, alert.acknowledged_by, alert.snoozed_by) == ("acknowledged", "ada", "bob")
    assert alert.snoozed(NOW)
    assert not alert.snoozed(until)
    taken_back = replace(answered, id="f" * 16, snoozed_at=NOW + timedelta(hours=1), snoozed_until=None)
    (alert,) = folded(["critical", "critical"], [answered, taken_back])
    assert not alert.snoozed(NOW)


def test_a_resolution_by_hand_stands_after_its_window() -> None:
    """The next window that drifts opens another alert."""
    (first,) = folded(["critical"])
    by_hand = replace(first, state="resolved", resolved_by="ada", resolved_at=NOW, resolved_window=day(1).start)
    found = folded(["critical", "critical"], [by_hand])
    assert [(a.resolved_by, a.live) for a in found] == [("ada", False), (None, True)]


def test_an_alert_keeps_the_date_of_the_newest_window_that_says_so() -> None:
    """Refined while it fires; a window that cannot say, and one that is quiet, leave it."""
    dates = [Onset(day(first).start, day(1).start, day(3).start) for first in (3, 2)]
    said = [("critical", dates[0]), ("warning", dates[1]), ("critical", None), ("quiet", None)]
    seen = [replace(say(i, word), onset=onset) for i, (word, onset) in enumerate(said, start=3)]
    (alert,) = fold(seen, [], None, "flights", POLICY)
    assert alert.onset == dates[1]


def test_an_alert_is_where_it_was_when_it_was_worst() -> None:
    """Refined by windows as severe; what lingers milder is elsewhere, and says nothing of the event."""
    places = [Where((Slice("origin", c, f"origin = {c}", 0.3, 0.3, 0.0, False, None),)) for c in ("EWR", "JFK", "LGA")]
    said = [("warning", places[0]), ("critical", places[1]), ("critical", None), ("warning", places[2])]
    seen = [replace(say(i, word), where=where) for i, (word, where) in enumerate(said, start=3)]
    (alert,) = fold(seen, [], None, "flights", POLICY)
    assert alert.where == places[1]


@pytest.mark.parametrize("key", ["drift:dep_delay", "gate", "rows", "run", "volume:fewer"])
def test_what_the_next_window_does_not_show_was_in_a_single_one(key: str) -> None:
    """Said by the first quiet window; not of an alert that lingers, lasts, or began before it was opened."""
    alone = Onset(day(3).start, day(3).start, day(3).start, "single")

    def onset(*said: str, since: int = 3) -> Onset | None:
        seen = [say(i, word, key) for i, word in enumerate(said, start=3)]
        begun = Onset(day(since).start, day(since).start, day(3).start)
        (alert,) = fold([replace(seen[0], onset=begun), *seen[1:]], [], None, "flights", POLICY)
        return alert.onset

    assert onset("critical", "quiet") == onset("critical", "quiet", "quiet") == alone
    assert onset("critical", "quiet", "critical") == Onset(day(5).start, day(5).start, day(5).start)
    for others in (["lingering", "quiet"], ["critical", "quiet"]):
        assert onset("critical", *others) not in {None, alone}
    assert onset("critical", "quiet", since=2) not in {None, alone}


@pytest.mark.parametrize("key", ["drift:dep_delay", "table", "schema:carrier", "not_judged"])
def test_where_the_reference_may_be_what_changed_the_counts_have_to_say_so(key: str) -> None:
    """A window that is quiet beside a reference that has adapted is no proof."""
    quiet = replace(say(4, "quiet", key), onset=None)
    (alert,) = fold([say(3, "critical", key), quiet], [], None, "flights", POLICY)
    assert alert.onset == Onset(day(3).start, day(3).start, day(3).start)


def test_a_failed_run_closes_with_the_first_that_succeeds() -> None:
    """Whatever the policy says of drift."""
    record = Record().days("critical")
    assert closes_after(record.only, Policy(close_after=5)) == 5
    assert closes_after(replace(record.only, kind="run"), Policy(close_after=5)) == 1


def test_what_is_news_is_told() -> None:
    """And what happens only to tell is no change."""
    assert NEWS < NOTIFIED
    assert {"flapping", "repeated", "notified"} == NOTIFIED - NEWS
