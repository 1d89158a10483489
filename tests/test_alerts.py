"""The alert machine: what opens, escalates, closes and pages, and that the order of arrival does not matter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.alerts import (
    Alert,
    Event,
    Observation,
    Page,
    Policy,
    Transitions,
    advance,
    answer,
    history_start,
    observations,
)
from drift.errors import DriftError
from drift.reports import Finding, Report
from drift.scores import Score, Verdict
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.reports import Gate
    from drift.scores import Severity, Status

CALENDAR = Calendar("1d")
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
KEY = "drift:dep_delay"


def day(number: int) -> Window:
    """The `number`-th day of February 2013."""
    return CALENDAR.containing(datetime(2013, 2, 1, tzinfo=UTC) + timedelta(days=number - 1))


SAYINGS: dict[str, tuple[Severity, Status]] = {
    "critical": ("critical", "critical"),
    "warning": ("warning", "warning"),
    "pending": ("warning", "ok"),
    "quiet": ("none", "ok"),
    "few": ("none", "insufficient_data"),
    "apart": ("none", "not_comparable"),
    "error": ("none", "error"),
}


def say(number: int, what: str, key: str = KEY) -> Observation:
    """One word for what a day says."""
    severity, status = SAYINGS[what]
    return Observation(day(number), key, "drift", key.partition(":")[2], severity, status, f"{what} on day {number}")


class Record:
    """What a store would keep: alerts by id, the diary, the pages, and what each window said."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy
        self.alerts: dict[str, Alert] = {}
        self.events: list[Event] = []
        self.pages: list[Page] = []
        self.said: dict[tuple[datetime, str], Observation] = {}
        self.clock = NOW

    def run(self, *said: Observation, page: bool = True, history: bool = True) -> Transitions:
        """Advance by one window's observations, as a run does, and write down what came of it."""
        window = said[0].window
        self.clock += timedelta(minutes=1)
        since = history_start(self.alerts.values(), window)
        done = advance(
            self.alerts.values(),
            said,
            monitor="flights",
            now=self.clock,
            policy=self.policy,
            history=[o for (start, _), o in self.said.items() if start >= since] if history else (),
            page=page,
        )
        self.said = {at: o for at, o in self.said.items() if at[0] != window.start}
        self.said |= {(o.window.start, o.key): o for o in said}
        self.alerts |= {a.id: a for a in done.alerts}
        self.events += done.events
        self.pages += done.pages
        return done

    def days(self, *words: str) -> Record:
        """Run one day after another."""
        for number, word in enumerate(words, start=1):
            self.run(say(number, word))
        return self

    def by_hand(self, alert: Alert, action: Any, by: str = "ada") -> None:
        """Answer an alert."""
        after, event = answer(alert, action, by=by, now=self.clock)
        self.alerts[after.id] = after
        self.events.append(event)

    @property
    def only(self) -> Alert:
        """The one alert there is."""
        (alert,) = self.alerts.values()
        return alert

    def told(self) -> list[str]:
        """The transitions that were paged, in order."""
        return [page.event.transition for page in self.pages]

    def state(self) -> list[Alert]:
        """The alerts that stand, without what depends on the clock and on the course of things."""
        standing = [a for a in self.alerts.values() if not a.withdrawn]
        bare = [replace(a, opened_at=NOW, last_seen_at=NOW, resolved_at=None, events=0) for a in standing]
        return sorted(bare, key=lambda a: (a.key, a.opened_window))


# -- opening and closing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["warning", "critical"])
def test_a_status_opens(word: str) -> None:
    """Detection's status, persistence included, is what opens an alert, and it pages."""
    record = Record().days(word)
    assert (record.only.state, record.only.severity, record.only.worst) == ("open", word, word)
    assert record.told() == ["opened"]
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
    assert record.told() == ["opened", "resolved"]
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
    """One quiet window closes where the policy says so, and fewer than one is refused."""
    assert Record(Policy(close_after=1)).days("critical", "quiet").only.state == "resolved"
    with pytest.raises(DriftError, match="at least 1"):
        Policy(close_after=0)


def test_a_new_alert_after_the_end() -> None:
    """What drifts again after its alert was resolved opens another alert, with an id of its own."""
    record = Record().days("critical", "quiet", "quiet", "warning")
    assert [a.state for a in record.state()] == ["resolved", "open"]
    assert record.told() == ["opened", "resolved", "opened"]


def test_escalation_pages_and_de_escalation_does_not() -> None:
    """Warning → critical is told; critical → warning is only written down; the worst is remembered."""
    record = Record().days("warning", "critical", "warning")
    assert record.told() == ["opened", "escalated"]
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
    before = record.state(), list(record.events), list(record.pages)
    for number, word in [(1, "critical"), (3, "quiet"), (2, "critical")]:
        done = record.run(say(number, word), history=history)
        assert done == Transitions()
    assert (record.state(), record.events, record.pages) == before


def test_a_backfill_pages_nobody() -> None:
    """Alerts of back-filled windows get their state, and nobody is told."""
    record = Record()
    for number, word in enumerate(["critical", "critical", "quiet", "quiet"], start=1):
        record.run(say(number, word), page=False)
    assert (record.only.state, record.told()) == ("resolved", [])


def test_a_late_window_pages_nobody() -> None:
    """A window older than the newest known one is put in its place silently."""
    record = Record()
    for number, word in [(5, "quiet"), (6, "quiet"), (7, "quiet"), (2, "critical"), (4, "critical")]:
        record.run(say(number, word))
    assert record.told() == []
    assert (record.only.opened_window, record.only.resolved_window) == (day(2).start, day(6).start)


def test_mended_data_withdraw_an_alert() -> None:
    """When the only window of an alert is evaluated again and is quiet, the alert is withdrawn, and that is told."""
    record = Record().days("quiet", "critical")
    record.run(say(2, "quiet"))
    assert record.only.withdrawn
    assert record.told() == ["opened", "withdrawn"]
    record.run(say(2, "critical"))
    assert (record.only.state, record.told()[-1]) == ("open", "reopened")


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
    assert record.told() == ["opened", "escalated", "resolved"]
    assert [e.seq for e in record.events] == list(range(1, len(record.events) + 1))


def test_resolve_by_hand() -> None:
    """A person's end stands, a repeated window does not undo it, and the next drifting window opens anew."""
    record = Record().days("critical", "critical")
    record.by_hand(record.only, "resolve")
    assert (record.only.resolved_by, record.events[-1].actor) == ("ada", "ada")
    assert record.run(say(2, "critical")) == Transitions()
    record.run(say(3, "critical"))
    assert [(a.state, a.resolved_by) for a in record.state()] == [("resolved", "ada"), ("open", None)]


def test_an_ended_alert_takes_no_answer() -> None:
    """Whoever is late is told so."""
    alert = Record().days("critical", "quiet", "quiet").only
    with pytest.raises(DriftError, match="resolved already"):
        answer(alert, "acknowledge", by="ada", now=NOW)


def test_an_answer_has_a_reason_and_an_actor() -> None:
    """The comment is the reason; without one, and without a name, there still is one."""
    alert = Record().days("critical").only
    assert answer(alert, "acknowledge", by="ada", now=NOW, comment="on it")[1].reason == "on it"
    event = answer(alert, "resolve", by=" ", now=NOW)[1]
    assert (event.reason, event.actor) == ("resolved by unknown", "unknown")


# -- laws -------------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(list(SAYINGS))
DAYS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=10)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[int]]:
    """What each of some days says of two keys, and an order of arrival in which every day comes at least once."""
    days = draw(DAYS)
    again = draw(st.lists(st.integers(0, len(days) - 1), max_size=6))
    return days, draw(st.permutations([*range(len(days)), *again]))


def check_laws(record: Record) -> None:
    """What holds of every record, whatever happened."""
    live = Counter(a.key for a in record.alerts.values() if a.live)
    assert all(count == 1 for count in live.values())
    assert all(e.reason and e.actor for e in record.events)
    for alert in record.alerts.values():
        diary = [e for e in record.events if e.alert_id == alert.id]
        assert [e.seq for e in diary] == list(range(1, alert.events + 1))
        counted = Counter(e.transition for e in diary)
        assert counted["opened"] == 1
        assert counted["resolved"] <= 1 + counted["reopened"]
        assert counted["withdrawn"] <= 1 + counted["reopened"]
        assert alert.reason
    assert {p.event for p in record.pages} <= set(record.events)


def replay(days: Sequence[tuple[str, str]], order: Iterable[int]) -> Record:
    """Run the days of two keys in an order of arrival."""
    record = Record()
    for number in order:
        one, two = days[number]
        record.run(say(number + 1, one, "drift:a"), say(number + 1, two, "drift:b"))
        check_laws(record)
    return record


@settings(deadline=None)
@given(arrivals())
def test_any_order_of_arrival_ends_the_same(case: tuple[list[tuple[str, str]], list[int]]) -> None:
    """Whatever order windows arrive in, and however often, the alerts that stand are those of one undisturbed pass."""
    days, order = case
    assert replay(days, order).state() == replay(days, range(len(days))).state()


@settings(deadline=None)
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


@settings(deadline=None)
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


# -- what a report says -----------------------------------------------------------------------------------------------


def score(feature: str, kl: float) -> Score:
    """A score of which only the KL matters."""
    return Score(
        feature, "numeric", kl, kl, 2 * kl, kl / 4, kl, 0.9 * kl, 1.1 * kl, 1e-6, 1e-5, None, 1e-3,
        23_000, 930, "pooled", "f" * 16, np.array([kl]),
    )  # fmt: skip


def verdict(feature: str, status: Status = "ok", kl: float | None = 0.001) -> Verdict:
    """A verdict with a score, unless `kl` is None."""
    severity: Severity = status if status in {"warning", "critical"} else "none"
    return Verdict(feature, status, severity, f"{status} it is", 0.01, 0.1, None if kl is None else score(feature, kl))


def report(*verdicts: Verdict, gate: Gate = "accepted", findings: Sequence[Finding] = (), number: int = 8) -> Report:
    """A report of one day."""
    return Report(
        "flights", day(number), "trailing 28d", verdicts, 23_000, 930, gate, findings, label=f"2013-02-{number:02}"
    )


def keys(found: Iterable[Observation], effect: str) -> set[str]:
    """The keys with some effect."""
    return {o.key for o in found if o.effect == effect}


def test_each_feature_speaks_for_itself() -> None:
    """Below the share for the whole table each drifting feature is told of by itself."""
    found = observations(report(verdict("a", "critical", 1.28), *map(verdict, "bcdef"), verdict("g", "error", None)))
    assert keys(found, "bad") == {"drift:a"}
    assert keys(found, "silent") == {"drift:g"}
    assert {"gate", "volume", "table", "drift:b"} <= keys(found, "quiet")


def test_many_features_at_once_are_the_table() -> None:
    """Where five features or more, and above 20 %, drift, there is one observation instead of many."""
    many = [verdict(f, "warning", 0.02) for f in "abjk"] + [verdict("c", "critical", 2.0)] + [*map(verdict, "defghi")]
    found = observations(report(*many))
    assert keys(found, "bad") == {"table"}
    table = next(o for o in found if o.key == "table")
    assert (table.status, table.reason) == ("critical", "5 of 11 scored features drift (45%): c, a, b, …")
    assert not {o.key for o in found} & {f"drift:{f}" for f in "abcjk"}


def test_exactly_a_fifth_is_not_the_table() -> None:
    """20 % is not more than 20 %, and four features are too few to be taken together."""
    others = [verdict(f"f{i}") for i in range(20)]
    fifth = observations(report(*(verdict(f, "warning", 0.02) for f in "abcde"), *others))
    four = observations(report(*(verdict(f, "warning", 0.02) for f in "abcd")))
    assert keys(fifth, "bad") == {f"drift:{f}" for f in "abcde"}
    assert keys(four, "bad") == {f"drift:{f}" for f in "abcd"}


def test_a_table_alert_keeps_feature_alerts_as_they_are() -> None:
    """While the table is spoken of, an open alert of one of its features neither closes nor goes on."""
    record = Record()
    calm = [*map(verdict, "bcdefghi")]
    record.run(*observations(report(verdict("a", "critical", 1.0), *calm, number=1)))
    many = [verdict(f, "critical", 1.0) for f in "abcde"] + calm[4:]
    for number in (2, 3, 4):
        record.run(*observations(report(*many, number=number)))
    assert {a.key: a.state for a in record.state()} == {"drift:a": "open", "table": "open"}
    for number in (5, 6):
        record.run(*observations(report(verdict("a"), *calm, number=number)))
    assert {a.state for a in record.state()} == {"resolved"}
    assert record.told() == ["opened", "opened", "resolved", "resolved"]


@pytest.mark.parametrize(("gate", "severity"), [("rejected", "critical"), ("warned", "warning")])
def test_the_gate_raises_a_data_quality_alert(gate: Gate, severity: str) -> None:
    """A rejected window is critical, a warned one a warning, and the reason names the expectations."""
    record = Record()
    record.run(*observations(report(gate=gate), failures=["row count 3 is below 300"]))
    assert (record.only.kind, record.only.severity, record.only.key) == ("data_quality", severity, "gate")
    assert "row count 3 is below 300" in record.only.reason


def test_a_rejected_window_closes_no_drift_alert() -> None:
    """What was never scored is not quiet."""
    record = Record()
    record.run(*observations(report(verdict("a", "critical", 1.0), *map(verdict, "bcdef"), number=1)))
    for number in (2, 3, 4):
        record.run(*observations(report(gate="rejected", number=number)))
    assert {a.key: a.state for a in record.state()} == {"drift:a": "open", "gate": "open"}


def test_findings_about_columns_and_rows() -> None:
    """A missing column is critical, another change a warning, an odd number of rows a warning; the rest is no alert."""
    findings = [
        Finding("missing_column", "column a: missing", "a"),
        Finding("retyped_column", "column b: type changed from int64 to double", "b"),
        Finding("new_column", "column x: missing: new (bool)", "x: missing"),
        Finding("row_count", "row count 30 against 930 in a reference window"),
        Finding("no_reference", "the reference has 3 of 28 windows with rows; it needs 14"),
    ]
    found = observations(report(findings=findings))
    bad = {o.key: o.status for o in found if o.effect == "bad"}
    assert bad == {"schema:a": "critical", "schema:b": "warning", "schema:x: missing": "warning", "volume": "warning"}


GONE = Finding("missing_column", "column a: missing", "a")


def test_a_column_that_comes_back_resolves() -> None:
    """A schema alert closes when the finding is no longer reported, even by windows counted before it arrived."""
    record = Record()
    for number, findings in [(3, []), (4, []), (2, [GONE])]:
        record.run(*observations(report(findings=findings, number=number)))
    assert (record.only.state, record.only.resolved_window, record.only.feature) == ("resolved", day(4).start, "a")


def test_an_empty_window_closes_no_schema_alert() -> None:
    """Where there are no rows nothing was compared."""
    record = Record()
    record.run(*observations(report(findings=[GONE], number=1)))
    empty = replace(report(findings=[Finding("no_rows", "the window holds no rows")]), n_current=0)
    for number in (2, 3, 4):
        record.run(*observations(replace(empty, window=day(number))))
    assert {a.key: a.state for a in record.state()} == {"schema:a": "open", "volume": "open"}


def test_a_comparison_without_a_window_says_nothing() -> None:
    """`drift compare` raises no alerts."""
    assert observations(replace(report(verdict("a", "critical", 1.0)), window=None)) == []


def test_hostile_names_are_keys_like_any_other() -> None:
    """Names with line breaks, quotes and half a surrogate pair are told apart and never crash."""
    names = ["a\nb", "<script>", "\udc80", "column x: missing", "'; drop table alert; --", "schema:x"]
    calm = [verdict(f"calm {i}") for i in range(30)]
    done = advance(
        [], observations(report(*(verdict(n, "critical", 1.0) for n in names), *calm)), monitor="flights\n", now=NOW
    )
    assert {a.feature for a in done.alerts} == set(names)
    assert len({a.id for a in done.alerts}) == len(names)
