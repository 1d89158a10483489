"""The lifecycle of alerts: what opens, escalates, closes and pages, and that the order of arrival does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from drift.alerts.alerts import Transitions
from drift.alerts.lifecycle import advance, reaching
from drift.alerts.signals import Signal
from drift.alerts.silences import new_silence
from drift.alerts.suppression import Suppression
from drift.config.alerts import Policy
from drift.detection.scores import SEVERITY_RANK
from tests.support.alert_samples import KEY, NOW, SAYINGS, Record, check_laws, day, say
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from random import Random

    from drift.alerts.alerts import Alert
    from drift.config.alerts import AlertKind
    from drift.windows import Window

# -- opening and closing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["warning", "critical"])
def test_a_status_opens(word: str) -> None:
    """Detection's status, persistence included, is what opens an alert, and it pages."""
    record = Record().days(word)
    assert (record.only.state, record.only.severity, record.only.worst) == ("open", word, word)
    assert record.notified() == ["opened"]
    assert record.only.opened_window == day(1).start


@pytest.mark.parametrize("word", ["pending", "quiet", "few", "apart", "error"])
def test_nothing_else_opens(word: str) -> None:
    """A window that drifts alone, is quiet, or has no answer opens nothing."""
    assert not Record().days(word, word, word).alerts


def test_quiet_windows_in_a_row_resolve() -> None:
    """Two quiet windows in a row resolve an alert and page its end; one does not."""
    record = Record().days("critical", "quiet", "critical", "quiet")
    assert record.only.state == "open"
    record.run(say(5, "quiet"))
    assert (record.only.state, record.only.resolved_window) == ("resolved", day(5).start)
    assert record.notified() == ["opened", "resolved"]
    assert record.events[-1].reason == "2 quiet windows in a row: quiet on day 5"


@pytest.mark.parametrize("word", ["few", "apart", "error"])
def test_a_window_without_an_answer_is_no_quiet_window(word: str) -> None:
    """Too few rows, nothing to compare and errors neither close an alert nor break a quiet row."""
    record = Record().days("critical", word, word, word)
    assert record.only.state == "open"
    assert Record().days("critical", "quiet", word, "quiet").only.state == "resolved"


def test_a_pending_window_is_no_quiet_window() -> None:
    """A window that drifts by itself breaks the quiet row without changing the severity."""
    record = Record().days("critical", "quiet", "pending", "quiet")
    assert (record.only.state, record.only.severity, record.only.quiet) == ("open", "critical", 1)


def test_close_after_is_a_setting() -> None:
    """One quiet window closes where the policy says so."""
    assert Record(Policy(close_after=1)).days("critical", "quiet").only.state == "resolved"


def test_a_lingering_window_is_no_quiet_window() -> None:
    """What would open nothing but has not come back either breaks the quiet row: hysteresis."""
    record = Record().days("critical", "quiet", "lingering", "quiet")
    assert (record.only.state, record.only.severity, record.only.quiet) == ("open", "critical", 1)
    assert record.events[-2].reason.endswith("not below 0.5 times what opens an alert")
    assert not Record().days("lingering", "lingering", "lingering").alerts


def test_a_new_alert_after_the_end() -> None:
    """What drifts again after its alert was resolved opens another alert, with an id of its own."""
    record = Record().days("critical", "quiet", "quiet", "warning")
    assert [a.state for a in record.state()] == ["resolved", "open"]
    assert record.notified() == ["opened", "resolved", "opened"]


def test_escalation_pages_and_de_escalation_does_not() -> None:
    """Warning → critical is told; critical → warning is only written down; the worst is remembered."""
    record = Record().days("warning", "critical", "warning")
    assert record.notified() == ["opened", "escalated"]
    assert [e.transition for e in record.events] == ["opened", "escalated", "de-escalated"]
    assert (record.only.severity, record.only.worst) == ("warning", "critical")
    assert record.events[1].reason == "warning → critical: critical on day 2"


def test_ids_are_the_same_everywhere() -> None:
    """Two machines give the same alert the same id; another monitor, key or window another."""
    assert Record().days("critical").only.id == Record().days("critical").only.id
    here = advance([], [say(1, "critical")], monitor="flights", now=NOW).alerts[0].id
    there = advance([], [say(1, "critical")], monitor="trains", now=NOW).alerts[0].id
    assert len({here, there, Record().days("quiet", "critical").only.id}) == 3


# -- repeated, late and back-filled windows ---------------------------------------------------------------------------


@pytest.mark.parametrize("history", [True, False])
def test_a_repeated_window_changes_nothing(*, history: bool) -> None:
    """A task that runs again adds neither an event nor a page, with or without the history at hand."""
    record = Record().days("critical", "critical", "quiet")
    before = record.state(), list(record.events), list(record.notices)
    for number, word in [(1, "critical"), (3, "quiet"), (2, "critical")]:
        done = record.run(say(number, word), history=history)
        assert done == Transitions()
    assert (record.state(), record.events, record.notices) == before


def test_a_backfill_pages_nobody() -> None:
    """Alerts of back-filled windows get their state, and nobody is told."""
    record = Record()
    for number, word in enumerate(["critical", "critical", "quiet", "quiet"], start=1):
        record.run(say(number, word), page=False)
    assert (record.only.state, record.notified()) == ("resolved", [])


def test_a_late_window_pages_nobody() -> None:
    """A window older than the newest known one is put in its place silently."""
    record = Record()
    for number, word in [(5, "quiet"), (6, "quiet"), (7, "quiet"), (2, "critical"), (4, "critical")]:
        record.run(say(number, word))
    assert record.notified() == []
    assert (record.only.opened_window, record.only.resolved_window) == (day(2).start, day(6).start)


def test_mended_data_withdraw_an_alert() -> None:
    """When the only window of an alert is evaluated again and is quiet, the alert is withdrawn, and that is told."""
    record = Record().days("quiet", "critical")
    record.run(say(2, "quiet"))
    assert record.only.withdrawn
    assert record.notified() == ["opened", "withdrawn"]
    record.run(say(2, "critical"))
    assert (record.only.state, record.notified()[-1]) == ("open", "reopened")


def test_a_late_window_may_join_two_alerts() -> None:
    """A window that breaks a quiet row joins what looked like two alerts; the second is withdrawn."""
    record = Record()
    for number, word in [(1, "critical"), (2, "quiet"), (4, "quiet"), (5, "critical")]:
        record.run(say(number, word))
    assert [a.state for a in record.state()] == ["resolved", "open"]
    record.run(say(3, "warning"))
    (alert,) = record.state()
    assert (alert.state, alert.opened_window, alert.last_window) == ("open", day(1).start, day(5).start)
    assert sum(a.withdrawn for a in record.alerts.values()) == 1


def test_an_acknowledgement_survives_a_late_opening() -> None:
    """If the alert turns out to have begun earlier, whoever acknowledged it is still on it."""
    record = Record()
    record.run(say(3, "critical"))
    record.by_hand(record.only, "acknowledge")
    record.run(say(2, "critical"))
    (alert,) = record.state()
    assert (alert.state, alert.acknowledged_by, alert.opened_window) == ("acknowledged", "ada", day(2).start)


def test_a_stored_report_in_fewer_words_is_no_news() -> None:
    """Reports read back from the store may give a reason in fewer words; a repeated window makes no event of that."""
    record = Record().days("critical", "critical")
    at = (day(2).start, KEY)
    record.said[at] = replace(record.said[at], reason="critical")
    assert record.run(say(1, "critical")) == Transitions()


# -- what people do ---------------------------------------------------------------------------------------------------


def test_acknowledge_then_resolve_by_itself() -> None:
    """An acknowledged alert goes on being watched, pages an escalation, and is resolved by quiet windows."""
    record = Record().days("warning")
    record.by_hand(record.only, "acknowledge")
    for number, word in [(2, "warning"), (3, "critical"), (4, "quiet")]:
        record.run(say(number, word))
        assert (record.only.state, record.only.acknowledged_by) == ("acknowledged", "ada")
    record.run(say(5, "quiet"))
    assert record.only.state == "resolved"
    assert record.notified() == ["opened", "escalated", "resolved"]
    assert [e.seq for e in record.events] == list(range(1, len(record.events) + 1))


def test_resolve_by_hand() -> None:
    """A person's end stands, a repeated window does not undo it, and the next drifting window opens anew."""
    record = Record().days("critical", "critical")
    record.by_hand(record.only, "resolve")
    assert (record.only.resolved_by, record.events[-1].actor) == ("ada", "ada")
    assert record.run(say(2, "critical")) == Transitions()
    record.run(say(3, "critical"))
    assert [(a.state, a.resolved_by) for a in record.state()] == [("resolved", "ada"), ("open", None)]


# -- laws -------------------------------------------------------------------------------------------------------------


WORDS = st.sampled_from(list(SAYINGS))
DAYS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=10)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[int]]:
    """What each of some days says of two keys, and an order of arrival in which every day comes at least once."""
    days = draw(DAYS)
    again = draw(st.lists(st.integers(0, len(days) - 1), max_size=6))
    return days, draw(st.permutations([*range(len(days)), *again]))


def replay(days: Sequence[tuple[str, str]], order: Iterable[int]) -> Record:
    """Run the days of two keys in an order of arrival."""
    record = Record()
    for number in order:
        one, two = days[number]
        record.run(say(number + 1, one, "drift:a"), say(number + 1, two, "drift:b"))
        check_laws(record)
    return record


@given(arrivals())
def test_any_order_of_arrival_ends_the_same(case: tuple[list[tuple[str, str]], list[int]]) -> None:
    """Whatever order windows arrive in, and however often, the alerts that stand are those of one undisturbed pass."""
    days, order = case
    assert replay(days, order).state() == replay(days, range(len(days))).state()


@given(DAYS)
def test_in_order_no_history_is_needed(days: list[tuple[str, str]]) -> None:
    """Advancing one window at a time from the alerts alone is the same as folding over all of them at once."""
    alone, together = (
        Record(),
        [say(n, word, key) for n, pair in enumerate(days, 1) for key, word in zip("ab", pair, strict=True)],
    )
    for number, (one, two) in enumerate(days, start=1):
        alone.run(say(number, one, "a"), say(number, two, "b"), history=False)
    check_laws(alone)
    at_once = Record()
    at_once.alerts = {a.id: a for a in advance([], together, monitor="flights", now=NOW).alerts}
    assert alone.state() == at_once.state()


@given(DAYS, st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["acknowledge", "resolve"])), max_size=4), st.data())
def test_answers_survive_repetition(
    days: list[tuple[str, str]], answers: list[tuple[int, str]], data: st.DataObject
) -> None:
    """With people answering in between, repeating any windows afterwards adds nothing to any diary."""
    record = Record()
    for number, (word, _) in enumerate(days):
        record.run(say(number + 1, word))
        for at, action in answers:
            live = [a for a in record.alerts.values() if a.live]
            if at == number and live:
                record.by_hand(live[0], action)
    check_laws(record)
    before = record.state(), list(record.events)
    for number in data.draw(st.lists(st.integers(0, len(days) - 1), max_size=6)):
        record.run(say(number + 1, days[number][0]))
    assert (record.state(), record.events) == before


# -- whatever happens -------------------------------------------------------------------------------------------------


class Life(RuleBasedStateMachine):
    """Everything that can happen to the alerts of two keys, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record(Policy(close_after=1, cooldown=1, openings=1, within=8, repeat=timedelta(days=2)))
        self.days: dict[int, tuple[str, str]] = {}

    @rule(words=st.tuples(WORDS, WORDS), page=st.booleans(), skip=st.integers(1, 2))
    def next_window(self, words: tuple[str, str], skip: int, *, page: bool) -> None:
        """A window newer than all others, run live or by a backfill."""
        self.say(max(self.days, default=0) + skip, words, page=page, after=timedelta(hours=23))

    @rule(words=st.tuples(WORDS, WORDS), page=st.booleans(), data=st.data())
    def late_window(self, words: tuple[str, str], data: st.DataObject, *, page: bool) -> None:
        """A window that was left out, or one that is evaluated again and may say something else."""
        number = data.draw(st.integers(1, max(self.days, default=1)))
        self.say(number, words, page=page)

    @rule(page=st.booleans(), data=st.data())
    def repeated_window(self, data: st.DataObject, *, page: bool) -> None:
        """A window that says what it said before."""
        if self.days:
            number = data.draw(st.sampled_from(sorted(self.days)))
            before = self.record.state()
            self.say(number, self.days[number], page=page)
            assert self.record.state() == before

    def say(self, number: int, words: tuple[str, str], *, page: bool, after: timedelta = timedelta(0)) -> None:
        """Run a window of both keys."""
        self.days[number] = words
        self.record.run(*(say(number, w, k) for w, k in zip(words, KEYS, strict=True)), page=page, after=after)

    @rule(action=st.sampled_from(["acknowledge", "resolve", "snooze", "unsnooze"]), days=st.integers(1, 4))
    def answer(self, action: str, days: int) -> None:
        """Somebody does something about an alert."""
        live = [a for a in self.record.alerts.values() if a.live]
        if action == "unsnooze":
            live = [a for a in live if a.snoozed(self.record.clock)]
        for alert in live[:1]:
            until = self.record.clock + timedelta(days=days) if action == "snooze" else None
            self.record.by_hand(alert, action, until=until)

    @rule(days=st.integers(1, 4), features=st.sampled_from(["a", "*"]))
    def silence(self, days: int, features: str) -> None:
        """Somebody mutes a feature, or all."""
        until, now = self.record.clock + timedelta(days=days), self.record.clock
        one = new_silence("flights", features, reason="known", until=until, by="ada", now=now)
        self.record.suppression = replace(self.record.suppression, silences=[*self.record.suppression.silences, one])

    @rule(on=st.booleans())
    def maintain(self, *, on: bool) -> None:
        """Maintenance begins or ends."""
        self.record.suppression = replace(self.record.suppression, maintenance="until 06:00: reload" if on else "")

    @rule(hours=st.integers(0, 100))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.record.wait(timedelta(hours=hours))

    @invariant()
    def laws(self) -> None:
        """Whatever happened."""
        check_laws(self.record)

    def teardown(self) -> None:
        """In the end, when nothing keeps anybody from being told, people believe what is so."""
        if not self.days:
            return
        record, last = self.record, max(self.days)
        record.suppression = Suppression()
        # Longer than any snooze, cooldown or flapping; the windows ask for what they asked for.
        for number in range(last + 1, last + 12):
            record.run(
                *(say(number, w, k) for w, k in zip(self.days[last], KEYS, strict=True)), after=timedelta(days=1)
            )
            check_laws(record)
        for alert in record.alerts.values():
            if not alert.live:
                assert alert.notified == "none"
            elif not alert.quiet and alert.last_window == day(last + 11).start:
                assert SEVERITY_RANK[alert.notified] >= SEVERITY_RANK[alert.severity]


KEYS = ("drift:a", "drift:b")
TestLife = Life.TestCase
TestLife.settings = examples(120, stateful_step_count=25)


# -- any order, and verdicts that change ------------------------------------------------------------------------------


def verdicts(rng: Random, window: Window, noise: float) -> list[Signal]:
    """What a window says of two features, a segment, their table and the gate: a whole says what its parts do."""
    found: list[Signal] = []
    firing: set[str] = set()
    for key, kind, segment, whole in PARTS:
        bad = rng.random() < (0.2 if key == "table" else noise)
        severity, status = rng.choice(list(SAYINGS.values())) if bad else ("none", "ok")
        by = next((each for each in whole if each in firing), "")
        lingering = "lingers" if status == "ok" and severity == "none" and rng.random() < 0.1 else ""
        one = Signal(window, key, kind, None, severity, status, f"{key} {status}", "", "", lingering, segment, by)
        firing |= {key} if one.state == "firing" else set()
        found.append(one)
    return found


PARTS: list[tuple[str, AlertKind, str, tuple[str, ...]]] = [
    ("table", "table", "", ()),
    ("drift:a", "drift", "", ("table",)),
    ("drift:b", "drift", "", ("table",)),
    ("drift:a@s=1", "drift", "s=1", ("table", "drift:a")),
    ("gate", "data_quality", "", ()),
]


class Kept:
    """What a store keeps of a monitor, and the alerts that it hands out for one window's step."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.said: dict[datetime, list[Signal]] = {}

    def in_play(self, since: datetime, keys: set[str]) -> list[Alert]:
        """As `drift.store.alerts.Alerts.alerts_in_play`."""
        some = [a for a in self.alerts.values() if a.live or a.notified != "none" or a.last_window >= since]
        return [a for a in self.alerts.values() if a.key in {each.key for each in some} | keys]

    def run(self, window: Window, said: list[Signal]) -> None:
        """Take a window in, as `drift.pipeline.notify` does."""
        self.said[window.start] = said
        opening = {one.key for one in said if one.state == "firing"}
        known, since = reaching(lambda start: self.in_play(start, opening), window)
        last = max([window.start, *(a.last_window for a in known), *self.said])
        history = [
            o for start, some in self.said.items() if since <= start <= last and start != window.start for o in some
        ]
        done = advance(known, said, monitor="flights", now=NOW, history=history)
        self.alerts |= {a.id: a for a in done.alerts}

    def standing(self) -> list[Alert]:
        """As `Record.state`."""
        record = Record()
        record.alerts = self.alerts
        return record.state()


@given(st.randoms(use_true_random=False))
def test_any_order_ends_in_the_alerts_of_a_run_in_order(rng: Random) -> None:
    """Windows come in any order, and judged by what was known then; once they are run again the same alerts stand."""
    windows, noise = [day(number) for number in range(1, 13)], rng.choice([0.15, 0.3, 0.5])
    final = {window: verdicts(rng, window, noise) for window in windows}
    calm, crowded = Kept(), Kept()
    for window in windows:
        calm.run(window, final[window])
    for window in rng.sample(windows, len(windows)):
        crowded.run(window, final[window] if rng.random() < 0.3 else verdicts(rng, window, noise))
    for window in windows:
        crowded.run(window, final[window])
    assert crowded.standing() == calm.standing()
