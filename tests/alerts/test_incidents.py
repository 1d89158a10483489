"""Incidents: what began together is one page and one end, whatever order its windows arrive in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.incidents import known
from drift.alerts.lifecycle import advance, forget
from drift.alerts.signals import Signal
from drift.alerts.silences import new_silence
from drift.alerts.suppression import Suppression
from drift.config.alerts import Alerts, Route
from drift.detection.localise import Slice, Where
from drift.detection.onset import Onset
from drift.detection.scores import SEVERITY_RANK
from drift.windows import Calendar
from tests.support.alert_samples import CALENDAR, NOW, SAYINGS, Record, check_laws, day, say, since

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.windows import Window

DAY = timedelta(days=1)
KEYS = ("drift:a", "drift:b", "drift:c", "volume:fewer")
BITS = {"c": "critical", "w": "warning", "-": "quiet", "p": "pending"}


def lived(days: str, begun: dict[str, tuple[int, int]], record: Record | None = None) -> Record:
    """Run days, each a letter a key of `KEYS`; `begun` is the first and last day of the set of a key's onset."""
    record = record or Record()
    for number, letters in enumerate(days.split(), start=1):
        said = [say(number, BITS[letter], key) for key, letter in zip(KEYS, letters, strict=False)]
        record.run(*(since(s, *begun[s.key]) if s.key in begun else s for s in said), after=DAY)
        check_laws(record)
    return record


def told(record: Record) -> list[tuple[str, str]]:
    """The transitions that were notified, each with its key."""
    return [(notice.event.transition, notice.alert.key) for notice in record.notices]


def parts(record: Record) -> list[set[str]]:
    """The incidents, each as the keys of its alerts, the oldest first."""
    found: dict[str, set[str]] = {}
    for alert in record.state():
        found.setdefault(alert.incident, set()).add(alert.key)
    return list(found.values())


# -- what belongs together --------------------------------------------------------------------------------------------


def test_what_began_together_is_one_incident() -> None:
    """It is noticed on different days, and one has no date but the window that opened it."""
    record = lived("---- c--w cw-w ccwc", {"drift:a": (1, 2), "drift:b": (2, 3), "drift:c": (2, 4)})
    assert parts(record) == [set(KEYS)]
    first = min(record.alerts.values(), key=lambda a: (a.opened_window, a.key))
    assert {a.incident for a in record.alerts.values()} == {first.id}


def test_what_began_on_other_days_is_another() -> None:
    """Though all of it is open at once."""
    assert parts(lived("c c cc cc ccc", {"drift:a": (1, 1), "drift:b": (3, 3), "drift:c": (5, 5)})) == [
        {"drift:a"}, {"drift:b"}, {"drift:c"},
    ]  # fmt: skip


def test_a_vague_alert_makes_no_one_of_two() -> None:
    """It joins the nearest by its most likely day, and narrows what is joined after it."""
    begun = {"drift:a": (1, 1), "drift:b": (3, 3), "drift:c": (1, 3)}
    assert parts(lived("c-- c-- cc- ccc", begun)) == [{"drift:a"}, {"drift:b", "drift:c"}]
    assert parts(lived("c-- c-- ccc", begun | {"drift:a": (1, 3), "drift:b": (1, 1)})) == [set(KEYS[:3])]


def test_a_refined_onset_moves_nobody() -> None:
    """People know the incident by its members: what is found out later changes the date, not them."""
    record = lived("cc", {"drift:a": (1, 1), "drift:b": (1, 1)})
    before = [(a.id, a.incident) for a in record.state()]
    record.run(since(say(2, "critical", "drift:a"), 1, 1), since(say(2, "critical", "drift:b"), 2, 2))
    assert [(a.id, a.incident) for a in record.state()] == before
    assert next(a for a in record.alerts.values() if a.key == "drift:b").onset != record.state()[0].onset


def test_a_part_is_in_the_incident_of_its_whole() -> None:
    """Whatever its own date is, and without narrowing the incident."""
    whole = replace(since(say(4, "critical", "table"), 1, 4), kind="table", feature=None)
    inside = [replace(since(say(4, "critical", key), d, d), inhibited_by="table") for d, key in enumerate(KEYS[:3], 1)]
    record = Record()
    record.run(whole, *inside)
    record.run(replace(whole, window=day(5)), since(say(5, "critical", "volume:fewer"), 4, 4))
    assert len(parts(record)) == 1
    assert told(record) == [("opened", "table")]


def test_what_opens_together_is_one_though_dated_apart() -> None:
    """It would be one message anyway; an alert that opens later has to fit the date of one of these."""
    begun = {"drift:a": (1, 1), "drift:b": (3, 3), "drift:c": (3, 4)}
    assert parts(lived("--- --- cc- ccc", begun)) == [{"drift:a", "drift:b", "drift:c"}]
    later = "--- --- cc- cc- ccc"
    assert parts(lived(later, begun | {"drift:c": (5, 5)})) == [{"drift:a", "drift:b"}, {"drift:c"}]


def test_a_date_may_be_a_window_off() -> None:
    """On either side, of a window of any length; not two, not one after another, and not of what has no date."""
    begun = {"drift:a": (3, 3), "drift:b": (2, 2), "drift:c": (4, 4)}
    assert parts(lived("--- --- c-- ccc", begun)) == [{"drift:a", "drift:b", "drift:c"}]
    chained = {"drift:a": (3, 3), "drift:b": (4, 4), "drift:c": (5, 5)}
    assert parts(lived("--- --- c-- cc- ccc", chained)) == [{"drift:a", "drift:b"}, {"drift:c"}]
    record = lived("--- --- c--", begun)
    record.run(say(4, "critical", "drift:a"), replace(say(4, "critical", "volume:fewer"), onset=None))
    assert parts(record) == [{"drift:a"}, {"volume:fewer"}]


@pytest.mark.parametrize(("every", "zone", "first"), [("1mo", "UTC", (1, 31)), ("1d", "Europe/Berlin", (10, 25))])
def test_neighbours_are_neighbours_whatever_their_length(every: str, zone: str, first: tuple[int, int]) -> None:
    """Of months and of days of 23 or 25 hours, those beside each other are, and every other one is not."""
    calendar = Calendar(every, zone)
    windows = [calendar.containing(datetime(2013, *first, 12, tzinfo=UTC))]
    for _ in range(14):
        windows.append(calendar.containing(windows[-1].end))
    for one, other, far in zip(windows, windows[1:], windows[2:], strict=False):
        founder = Signal(far, "drift:a", "drift", "a", "critical", "critical", "KL", onset=dated(far))
        for then, n in ((one, 2), (other, 1)):
            late = replace(founder, window=calendar.containing(far.end), key="drift:b", onset=dated(then))
            alerts = advance([], [founder, replace(founder, window=late.window), late], monitor="m", now=NOW).alerts
            assert len({alert.incident for alert in alerts}) == n


def dated(window: Window) -> Onset:
    """The set of one window."""
    return Onset(window.start, window.start, window.start)


def test_what_is_over_stays_over() -> None:
    """What opens after the end of an incident is another one, whatever its date."""
    begun = {"drift:a": (1, 1), "drift:b": (1, 4), "drift:c": (1, 4)}
    assert parts(lived("c-- --- -c-", begun)) == [{"drift:a", "drift:b"}]
    assert parts(lived("c-- --- --- -cc", begun)) == [{"drift:a"}, {"drift:b", "drift:c"}]


# -- one page, one end ------------------------------------------------------------------------------------------------


def test_an_incident_is_one_page_and_one_end() -> None:
    """What is found later is no page of its own, and what is over sooner no end."""
    record = lived("cc- ccw -cw -cw --w --- ---", {"drift:a": (1, 1), "drift:b": (1, 1), "drift:c": (1, 2)})
    assert told(record) == [("opened", "drift:a"), ("opened", "drift:b"), ("resolved", "drift:c")]
    assert record.suppressed_by() == ["inhibited", "handed over", "handed over"]
    late = next(e for e in record.events if e.suppressed_by.startswith("inhibited"))
    assert late.suppressed_by == "inhibited: part of the incident of a since 2013-02-01"
    over = next(e for e in record.events if e.suppressed_by.startswith("handed over"))
    assert record.alerts[over.suppressed_by.rpartition(" ")[2]].key == "drift:b"


def test_what_is_worse_than_people_believe_is_news() -> None:
    """Of the incident, not of the alert."""
    begun = {"drift:a": (1, 1), "drift:b": (1, 2)}
    assert told(lived("w- wc wc", begun)) == [("opened", "drift:a"), ("opened", "drift:b")]
    assert told(lived("w- ww wc cc", begun)) == [("opened", "drift:a"), ("escalated", "drift:b")]


def test_what_is_left_when_an_incident_was_resolved_by_hand_is_news() -> None:
    """At the next window that asks for it."""
    record = lived("c- cw", {"drift:a": (1, 1), "drift:b": (1, 2)})
    record.by_hand(record.state()[0], "resolve")
    record.wait(DAY)
    assert told(record) == [("opened", "drift:a")]
    record.run(say(3, "quiet", "drift:a"), say(3, "warning", "drift:b"))
    assert told(record)[1:] == [("notified", "drift:b")]


def test_who_heard_of_one_alert_hears_of_another_only_where_it_comes_the_same_way() -> None:
    """A team whose feature joins has heard nothing yet; and an end goes to all who heard of the beginning."""
    begun = {"drift:a": (1, 1), "drift:b": (1, 2)}
    days = "c- cw cw -w -w -- --"
    routes = [Route(to="all", severity=["critical"]), Route(to="b", features=["b"])]
    record = lived(days, begun, Record(suppression=Suppression(audience=Alerts(routes=routes).audience)))
    assert told(record) == [("opened", "drift:a"), ("opened", "drift:b"), ("resolved", "drift:b")]
    assert record.notices[-1].severity == "critical"
    apart = [Route(to="a", features=["a"]), Route(to="b", features=["b"])]
    record = lived(days, begun, Record(suppression=Suppression(audience=Alerts(routes=apart).audience)))
    assert told(record) == [(what, key) for what in ("opened", "resolved") for key in KEYS[:2]]


def test_a_silenced_alert_does_not_speak_for_the_incident() -> None:
    """Where all that is left is silenced, the end of the rest is the end."""
    silence = new_silence("flights", "b", reason="known", until=NOW + 30 * DAY, by="ada", now=NOW)
    record = Record(suppression=Suppression(silences=[silence]))
    lived("cc cc -c -c", {"drift:a": (1, 1), "drift:b": (1, 1)}, record)
    assert told(record) == [("opened", "drift:a"), ("resolved", "drift:a")]


def test_an_end_that_waited_is_handed_over_too() -> None:
    """A backfill tells nobody, so nobody is told of the end when the next live window comes."""
    record = lived("cc cc", {"drift:a": (1, 1), "drift:b": (1, 1)})
    for number in (3, 4):
        record.run(say(number, "quiet", "drift:a"), say(number, "critical", "drift:b"), page=False)
    record.run(say(5, "quiet", "drift:a"), say(5, "critical", "drift:b"))
    assert told(record) == [("opened", "drift:a"), ("opened", "drift:b")]
    check_laws(record)


def test_the_alert_that_goes_on_is_reminded_of() -> None:
    """Nobody acknowledged the incident, so the one that is left of it says so."""
    record = lived(" ".join(["c-", "cc", "-c", *["-c"] * 9]), {"drift:a": (1, 1), "drift:b": (1, 2)})
    assert told(record) == [("opened", "drift:a"), ("repeated", "drift:b")]


def test_people_keep_the_id_they_know() -> None:
    """A late window shows that it began earlier, with another alert; the end comes under the id of the beginning."""
    record = Record()
    for number in (2, 3):
        record.run(since(say(number, "critical", "drift:b"), 1, 2))
    name = record.only.incident
    record.run(say(1, "critical", "drift:a"), say(1, "quiet", "drift:b"))
    b = next(a for a in record.alerts.values() if a.key == "drift:b")
    assert (b.incident, b.known_as) == (next(a.id for a in record.alerts.values() if a.key == "drift:a"), name)
    assert record.events[-1].reason == f"it is part of incident {b.incident} now"


def test_without_a_window_its_incident_is_as_if_it_had_never_been() -> None:
    """What went on without the alert that began the incident begins one itself."""
    record = lived("c- -c", {"drift:a": (1, 1), "drift:b": (1, 2)})
    history = [s for (start, _), s in record.said.items() if start != day(1).start]
    done, gone = forget(record.alerts.values(), day(1), monitor="flights", now=NOW, by="ada", history=history)
    assert [a.key for a in gone] == ["drift:a"]
    assert [(a.key, a.incident == a.id) for a in done.alerts] == [("drift:b", True)]


# -- in words ---------------------------------------------------------------------------------------------------------


def in_slice(name: str) -> Where:
    """Where a feature drifts: in one slice of the rows."""
    return Where((Slice("origin", "JFK", name, 0.35, 0.35, 0.04, moved=False, sql=None),))


def test_features_that_one_thing_explains_are_one_sentence() -> None:
    """All from the same slice, all because of missing values; what is left, and what is not a feature, stands alone."""
    record = Record()
    signals = [replace(say(1, "critical", f"drift:f{n}"), where=in_slice("origin = JFK")) for n in range(40)]
    signals += [replace(say(1, "critical", f"drift:g{n}"), cause="missing") for n in range(12)]
    signals += [
        say(1, "warning", "drift:h"),
        replace(say(1, "warning", "volume:fewer"), kind="data_quality", feature=None),
    ]
    record.run(*signals)
    (incident,) = known(record.alerts.values())
    assert incident.words(CALENDAR) == (
        "since 2013-02-01: 40 features, all in origin = JFK; 12 features, all because of missing values; h; fewer rows"
    )


def test_a_segment_is_named_where_its_feature_is_not_an_alert() -> None:
    """And the table only where none of its features is."""
    inside = replace(say(1, "critical", "drift:a@s"), segment="s", feature="a")
    record = Record()
    record.run(inside, replace(say(1, "critical", "table"), kind="table", feature=None))
    assert known(record.alerts.values())[0].what == "a in s"
    record.run(inside, say(1, "critical", "drift:a"))
    assert known(record.alerts.values())[0].what == "a"


def test_the_alerts_of_an_incident_stand_by_evidence() -> None:
    """What goes on first, then by severity, then as the report ranks the features."""
    record = lived("wcc wcc w-c w-c", dict.fromkeys(KEYS, (1, 1)))
    (incident,) = known(record.alerts.values())
    assert [a.key for a in incident.ranked(["b", "a", "c"]).alerts] == ["drift:c", "drift:a", "drift:b"]
    assert (incident.severity, incident.state, incident.live) == ("critical", "open", True)


# -- laws -------------------------------------------------------------------------------------------------------------

WORD = st.tuples(st.sampled_from(list(SAYINGS)), st.integers(0, 3), st.integers(0, 2))
DAYS = st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=8)
Days = list[tuple[tuple[str, int, int], ...]]


def said(number: int, words: Sequence[tuple[str, int, int]]) -> list[Signal]:
    """What one day says of each key, what fires with a date of up to five days before; the last key has none."""
    found = [say(number, word, key) for key, (word, _, _) in zip(KEYS, words, strict=True)]
    if found[0].state == "firing" and found[1].state == "firing" and words[0][1] == 3:
        found[1] = replace(found[1], inhibited_by="drift:a")
    dated = [
        since(one, number - back - more, number - back) if one.state == "firing" else one
        for one, (_, back, more) in zip(found[:-1], words, strict=False)
    ]
    return [*dated, replace(found[-1], onset=None)]


def replay(days: Days, order: Iterable[int]) -> Record:
    """Run days in an order of arrival."""
    record = Record()
    for number in order:
        record.run(*said(number + 1, days[number]))
        check_laws(record)
    return record


@given(DAYS, st.data())
def test_any_order_of_arrival_ends_in_the_same_incidents(days: Days, data: st.DataObject) -> None:
    """Whatever order windows arrive in, and however often, alerts and incidents are those of one undisturbed pass."""
    again = data.draw(st.lists(st.integers(0, len(days) - 1), max_size=4))
    order = data.draw(st.permutations([*range(len(days)), *again]))
    assert replay(days, order).state() == replay(days, range(len(days))).state()


@given(DAYS)
def test_in_order_no_history_is_needed(days: Days) -> None:
    """Window by window from the alerts alone, or all at once: the same incidents, and who joins fits the date."""
    alone, at_once = Record(), Record()
    for number, words in enumerate(days, start=1):
        alone.run(*said(number, words), history=False)
    together = [signal for number, words in enumerate(days, start=1) for signal in said(number, words)]
    at_once.alerts = {a.id: a for a in advance([], together, monitor="flights", now=NOW).alerts}
    assert alone.state() == at_once.state()
    by_id = {alert.id: alert for alert in alone.state()}
    for alert in by_id.values():
        founder = by_id[alert.incident]
        if not alert.inhibited_by and alert.opened_window != founder.opened_window:
            first = [a for a in by_id.values() if (a.incident, a.opened_window) == (founder.id, founder.opened_window)]
            sets = [(a.began.earliest, a.began.latest) if a.began else (a.opened_window,) * 2 for a in (alert, *first)]
            off = DAY * (alert.began is not None)
            assert any(sets[0][0] <= late + off and early <= sets[0][1] + off for early, late in sets[1:])


@given(DAYS)
def test_an_incident_that_people_know_is_no_news_while_it_is_as_bad(days: Days) -> None:
    """And nobody hears of an end of it while another of its alerts goes on."""
    record = Record()
    for number, words in enumerate(days, start=1):
        before = {a.id: a for a in record.alerts.values()}
        done = record.run(*said(number, words), after=DAY)
        live = [a for a in record.alerts.values() if a.live]
        for notice in done.notices:
            mates = [a for a in live if a.incident == notice.alert.incident and a.id != notice.alert.id]
            if not notice.alert.live:
                assert not mates
            elif notice.event.transition in {"opened", "escalated"}:
                believed = [before[a.id].notified for a in mates if a.id in before and before[a.id].live]
                assert all(SEVERITY_RANK[notice.severity] > SEVERITY_RANK[each] for each in believed)


@pytest.mark.parametrize("page", [True, False])
def test_what_a_backfill_left_comes_as_one(page: bool) -> None:  # noqa: FBT001
    """The next live window notifies of all members at once."""
    record = Record()
    for number in (1, 2):
        record.run(*(since(say(number, "critical", key), 1, 1) for key in KEYS[:3]), page=page)
    record.run(*(since(say(3, "critical", key), 1, 1) for key in KEYS[:3]))
    assert len({notice.event.at for notice in record.notices}) == 1
    assert {key for _, key in told(record)} == set(KEYS[:3])
