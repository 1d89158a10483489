"""One event, one page: the alert of the whole inhibits those of its parts, and is not over before they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.lifecycle import advance
from drift.detection.scores import SEVERITY_RANK
from tests.support.alert_samples import NOW, SAYINGS, Record, check_laws, day, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.alerts.signals import Signal

DAY = timedelta(days=1)
FEATURES = ("drift:a", "drift:b", "drift:c")
KEYS = (*FEATURES, "drift:a@s", "table")
BITS = {"c": "critical", "w": "warning", "p": "pending", "q": "quiet", "l": "lingering", "n": "few"}


def said(number: int, *words: str) -> list[Signal]:
    """What one day says of each of `KEYS`: the table inhibits all, a feature its segment."""
    found = {key: say(number, word, key) for key, word in zip(KEYS, words, strict=True)}
    found["drift:a@s"] = replace(found["drift:a@s"], segment="s", feature="a")
    found["table"] = replace(found["table"], kind="table", feature=None)
    if found["drift:a"].state == "firing":
        found["drift:a@s"] = replace(found["drift:a@s"], inhibited_by="drift:a")
    if found["table"].state == "firing":
        found = {k: s if k == "table" else replace(s, inhibited_by="table") for k, s in found.items()}
    return list(found.values())


def lived(days: str, **more: bool) -> Record:
    """Run days, each written as a letter a key: ``ccc-c`` is three features and the table; a dash is quiet."""
    record = Record()
    for number, letters in enumerate(days.split(), start=1):
        record.run(*said(number, *(BITS.get(letter, "quiet") for letter in letters)), after=DAY, **more)
        check_laws(record)
    return record


def told(record: Record) -> list[tuple[str, str]]:
    """The transitions that were notified, each with its key."""
    return [(notice.event.transition, notice.alert.key) for notice in record.notices]


def test_features_that_step_together_are_one_page_and_one_end() -> None:
    """They go back to normal on different days, too few for the table: neither they nor an early end are notified."""
    record = lived("ccc-c -cc-- --c-- --w-- --l-- ----- -----")
    assert told(record) == [("opened", "table"), ("resolved", "table")]
    assert record.notices[-1].event.window_start == day(7).start
    assert {a.state for a in record.alerts.values()} == {"resolved"}
    first = next(e for e in record.events if e.suppressed_by)
    assert first.suppressed_by == "inhibited: part of the alert of the table since 2013-02-01"


def test_what_was_open_before_the_table_goes_on_by_itself() -> None:
    """People know of it; its end is news, and the table does not wait for it."""
    record = lived("c---- c---- ccc-c c---- c---- c---- ----- -----")
    assert told(record) == [("opened", "drift:a"), ("opened", "table"), ("resolved", "table"), ("resolved", "drift:a")]


def test_a_table_that_follows_a_feature_by_a_day_is_news_of_one_incident() -> None:
    """That so many drift is more than that one does; the end of both is one."""
    record = lived("c---- ccc-c c---- c---- c---- ----- -----")
    assert told(record) == [("opened", "drift:a"), ("opened", "table"), ("resolved", "drift:a")]


def test_what_grows_worse_than_the_whole_ever_was_is_news() -> None:
    """A warning of the table, of which one feature becomes critical when the table no longer fires."""
    record = lived("www-w www-w w---- c---- c----")
    assert told(record) == [("opened", "table"), ("escalated", "drift:a")]


def test_an_escalation_with_the_table_is_one_page() -> None:
    """Both grow worse in the same window: the table says it."""
    assert told(lived("www-w ccc-c")) == [("opened", "table"), ("escalated", "table")]


def test_what_opens_while_the_table_no_longer_fires_is_news() -> None:
    """It is another event, though the table's alert still waits for its own features."""
    assert told(lived("cc--c cc--c c---- c-c--")) == [("opened", "table"), ("opened", "drift:c")]


def test_what_returns_while_the_table_is_open_is_not_notified_again() -> None:
    """A feature that was quiet for a while belongs to the same event; what is left when that is over is notified."""
    record = lived("cc--c cc--c c---- c---- cc--- cc---")
    assert told(record) == [("opened", "table")]
    for number in (7, 8, 9):
        record.run(*said(number, "quiet", "critical", "quiet", "quiet", "quiet"))
    assert told(record)[1:] == [("resolved", "table"), ("notified", "drift:b")]


def test_a_segment_is_part_of_its_feature() -> None:
    """Its alert opens unheard, keeps the feature's open, and ends with it."""
    assert told(lived("c--c- c--c- ---c- ---c- ----- -----")) == [("opened", "drift:a"), ("resolved", "drift:a")]


def test_after_a_whole_that_was_resolved_by_hand_its_parts_are_news() -> None:
    """At the next window that asks for them, not by the clock: a person who ends an alert is not paged for it."""
    record = lived("cc--c cc--c")
    record.by_hand(next(a for a in record.alerts.values() if a.key == "table"), "resolve")
    record.wait(DAY)
    assert told(record) == [("opened", "table")]
    record.run(*said(3, "critical", "quiet", "quiet", "quiet", "quiet"))
    assert told(record)[1:] == [("notified", "drift:a")]
    check_laws(record)


def test_reminders_are_of_the_whole() -> None:
    """Of what is inhibited nobody was notified, so nobody is reminded of it."""
    record = lived(" ".join(["ccc-c"] * 15))
    assert told(record) == [("opened", "table"), ("repeated", "table"), ("repeated", "table")]


@pytest.mark.parametrize("page", [True, False])
def test_after_a_backfill_the_whole_is_notified_for_all(page: bool) -> None:  # noqa: FBT001
    """The next live window brings up the table, not its features."""
    record = lived("ccc-c ccc-c", page=page)
    record.run(*said(3, *["critical"] * 3, "quiet", "critical"))
    assert {key for _, key in told(record)} == {"table"}


WORDS = st.tuples(*[st.sampled_from(list(SAYINGS))] * 5)
DAYS = st.lists(WORDS, min_size=1, max_size=9)


def replay(days: Sequence[tuple[str, ...]], order: Iterable[int]) -> Record:
    """Run days in an order of arrival."""
    record = Record()
    for number in order:
        record.run(*said(number + 1, *days[number]))
        check_laws(record)
    return record


@given(DAYS, st.data())
def test_any_order_of_arrival_ends_the_same(days: list[tuple[str, ...]], data: st.DataObject) -> None:
    """Whatever order windows arrive in, and however often, the alerts that stand are those of one undisturbed pass."""
    again = data.draw(st.lists(st.integers(0, len(days) - 1), max_size=4))
    order = data.draw(st.permutations([*range(len(days)), *again]))
    assert replay(days, order).state() == replay(days, range(len(days))).state()


@given(DAYS)
def test_in_order_no_history_is_needed(days: list[tuple[str, ...]]) -> None:
    """Advancing one window at a time from the alerts alone is the same as folding over all of them at once."""
    alone, at_once = Record(), Record()
    for number, words in enumerate(days, start=1):
        alone.run(*said(number, *words), history=False)
    together = [signal for number, words in enumerate(days, start=1) for signal in said(number, *words)]
    at_once.alerts = {a.id: a for a in advance([], together, monitor="flights", now=NOW).alerts}
    assert alone.state() == at_once.state()


@given(DAYS)
def test_no_part_is_notified_while_its_whole_is_as_bad(days: list[tuple[str, ...]]) -> None:
    """And the whole is not over while anything that opened with it is not."""
    record = Record()
    for number, words in enumerate(days, start=1):
        done = record.run(*said(number, *words), after=DAY)
        live = {a.key: a for a in record.alerts.values() if a.live}
        for notice in done.notices:
            whole = live.get(notice.alert.inhibited_by)
            if whole and notice.alert.live and notice.alert.notified_at == record.clock:
                assert SEVERITY_RANK[notice.alert.severity] > SEVERITY_RANK[whole.worst]
        for alert in live.values():
            if alert.inhibited_by and not alert.quiet:
                assert alert.inhibited_by in live
