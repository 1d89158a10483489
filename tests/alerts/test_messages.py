"""Digests: what a route is told, in which words, and that hostile names stay harmless."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.lifecycle import advance
from drift.alerts.messages import Links, Notification, merge, newest, notifications
from drift.alerts.rendering import MOST_SHOWN, title, to_html, to_text
from drift.alerts.signals import run_signal, signals_of
from drift.config.alerts import Alerts, Policy, Route
from drift.detection.evidence import Evidence
from drift.detection.findings import Finding
from drift.detection.reports import Report
from drift.detection.scores import Score, Severity, Verdict
from drift.profiles.binning import CategoricalBinning
from drift.profiles.histograms import Histogram
from drift.windows import Calendar

if TYPE_CHECKING:
    from drift.alerts.alerts import Transitions

NOW = datetime(2013, 2, 9, 6, tzinfo=UTC)
CALENDAR = Calendar("1d", "America/New_York")
CHAT = Route(to="ops-chat")
CALM = [f"calm_{i}" for i in range(60)]


def made(
    drifting: dict[str, tuple[Severity, float]], *, day: int = 8, calm: list[str] | None = None, **changes: object
) -> Report:
    """A report in which some features drift and sixty do not, each with its evidence."""
    binning = CategoricalBinning(("a",))
    evidence = Evidence(Histogram(binning, np.array([99, 0, 0, 1])), Histogram(binning, np.array([49, 0, 0, 51])))
    verdicts = []
    for name in [*drifting, *(CALM if calm is None else calm)]:
        severity, kl = drifting.get(name, ("none", 0.001))
        score = Score(
            name, "categorical", kl, kl, 2 * kl, kl / 4, kl, 0.9 * kl, 1.1 * kl, 1e-6, 1e-5, None, None, 1e-3, 2,
            23_000, 930, "pooled", "f" * 16, np.array([0.25 * kl, 0, 0, 0.75 * kl]),
        )  # fmt: skip
        verdicts.append(
            Verdict(name, "ok" if severity == "none" else severity, severity, "q 1e-5 and large", 0.01, 0.1, score)
        )
    window = CALENDAR.starting(datetime(2013, 2, day))  # noqa: DTZ001 - local to the calendar
    report = Report(
        "flights", window, "trailing 28d: 28 of 28 windows", verdicts, 23_000, 930, "accepted",
        label=f"2013-02-{day:02}", evidence=dict.fromkeys(drifting, evidence),
    )  # fmt: skip
    return replace(report, **changes)  # type: ignore[arg-type]


def told(
    report: Report,
    *routes: Route,
    before: Transitions | None = None,
    links: Links | None = None,
    now: datetime = NOW,
    **settings: Any,
) -> list[Notification]:
    """What the routes are told of a report."""
    known = before.alerts if before else ()
    done = advance(known, signals_of(report), monitor="flights", now=now, policy=Policy(close_after=1))
    return sent(report, done, *routes, now=now, links=links, **settings)


def sent(
    report: Report, done: Transitions, *routes: Route, now: datetime = NOW, links: Links | None = None, **settings: Any
) -> list[Notification]:
    """What the routes are told of some transitions."""
    chosen = Alerts(routes=list(routes or [CHAT]), **settings)
    return notifications(report, done, chosen, now=now, calendar=CALENDAR, links=links)


THREE: dict[str, tuple[Severity, float]] = {
    "carrier": ("warning", 0.02),
    "dep_delay": ("critical", 1.28),
    "dest": ("critical", 0.3),
}


def test_the_title_says_it_all() -> None:
    """Monitor, window, severity, how the worst feature changed, and how many more."""
    (message,) = told(made(THREE))
    assert message.title == "flights 2013-02-08: CRITICAL dep_delay: missing rose from 1.0 % to 51 % (+2 more)"


def test_the_text() -> None:
    """The text holds the whole story: verdict, interval, thresholds, sizes, direction, what moved, why, the link."""
    (message,) = told(
        made({"dep_delay": ("critical", 1.28)}, findings=[Finding("fewer_rows", "30 rows", severity="warning")]),
        links=Links("https://drift.example", "https://airflow.example/log"),
    )
    assert message.body == (
        "1 of 61 judged features drifted (1.6 %), 1.34 nats in all; 930 rows compared with 23,000 of the reference "
        "(trailing 28d: 28 of 28 windows). KL is D(current‖reference), in nats.\n"
        "\n"
        "1 incident since 2013-02-08: dep_delay, because of missing values; fewer rows\n"
        "  dep_delay, fewer rows\n"
        "\n"
        "CRITICAL dep_delay\n"
        "  missing rose from 1.0 % to 51 %: 1.28 of 1.28 nats\n"
        "  KL 1.28 nats, corrected 1.28 (95 % 1.15 … 1.41), threshold 0.01 / 0.1, 930 rows compared with 23,000\n"
        "  q 1e-5 and large\n"
        "\n"
        "WARNING fewer rows\n"
        "  30 rows\n"
        "\n"
        "Findings\n"
        "  30 rows\n"
        "\n"
        "https://drift.example/monitor?name=flights&until=2013-02-08T05%3A00%3A00Z\n"
        "https://airflow.example/log"
    )


def test_the_payload_is_json_that_anyone_can_read() -> None:
    """The payload survives JSON, names its schema, and carries alerts and figures; text and HTML come from it alone."""
    (message,) = told(made(THREE))
    content = json.loads(json.dumps(message.payload, allow_nan=False))
    assert (content["schema"], content["schema_version"], content["urgency"]) == ("drift.alert", 1, "critical")
    assert [a["feature"] for a in content["alerts"]] == ["dep_delay", "dest", "carrier"]
    assert content["features"]["dep_delay"]["interval"]["level"] == 0.95
    assert "contributions" not in content["features"]["dep_delay"]
    assert (title(content), to_text(content)) == (message.title, message.body)


def test_the_payload_is_documented() -> None:
    """Every field of the payload and of its alerts stands in docs/reference/alerts.md."""
    (message,) = told(made(THREE))
    document = (Path(__file__).parents[2] / "docs" / "reference" / "alerts.md").read_text()
    fields = {*message.payload, *message.payload["alerts"][0]}
    assert {name for name in fields if f"`{name}`" not in document and f"[].{name}`" not in document} == set()


def test_one_message_a_route_and_none_without_news() -> None:
    """A route named twice gets one message; a run without pages sends none."""
    routes = [Route(to="ops-chat", severity=["critical"]), Route(to="ops-chat", features=["carrier"]), Route(to="mail")]
    messages = told(made(THREE), *routes)
    assert [(m.route, len(m.payload["alerts"])) for m in messages] == [("ops-chat", 3), ("mail", 3)]
    assert told(made({})) == []


def test_a_route_hears_what_it_asked_for() -> None:
    """Severities and features choose; what concerns every feature is told to all."""
    (only_critical,) = told(made(THREE), Route(to="a", severity=["critical"]))
    assert {a["feature"] for a in only_critical.payload["alerts"]} == {"dep_delay", "dest"}
    (only_delays,) = told(made(THREE), Route(to="a", features=["*_delay"]))
    assert {a["feature"] for a in only_delays.payload["alerts"]} == {"dep_delay"}
    assert "Also drifting\n  CRITICAL dest: missing rose" in only_delays.body
    rejected = made({}, calm=[], gate="rejected", n_current=0, n_reference=0)
    (gate,) = told(rejected, Route(to="a", features=["*_delay"]))
    assert gate.title == "flights 2013-02-08: CRITICAL expectations"
    assert gate.body.startswith("The window was rejected by its expectations")


def test_who_was_told_of_the_worst_is_told_of_the_end() -> None:
    """A critical-only route hears the end of an alert that was critical once and a warning when it ended."""
    route = Route(to="a", severity=["critical"])
    known: Transitions | None = None
    for day, severity in [(8, "critical"), (9, "warning")]:
        said = signals_of(made({"dest": (severity, 0.3)}, day=day))  # type: ignore[dict-item]
        known = advance(known.alerts if known else (), said, monitor="flights", now=NOW)
    (message,) = told(made({"dest": ("none", 0.001)}, day=10), route, before=known)
    assert (message.title, message.payload["urgency"]) == ("flights 2013-02-10: RESOLVED dest", "resolved")
    assert "RESOLVED dest\n  KL 0.001 nats" in message.body
    assert "1 quiet window: q 1e-5 and large" in message.body


def test_the_same_news_is_the_same_message() -> None:
    """A run repeated before anything was written makes the same id; another route, window or transition another."""
    ids = [told(made(THREE))[0].id, told(made(THREE))[0].id]
    assert len(set(ids)) == 1
    others = [told(made(THREE), Route(to="b"))[0].id, told(made(THREE, day=9))[0].id]
    assert len({*ids, *others}) == 3


def test_a_table_is_one_alert_with_the_worst_features() -> None:
    """Many features at once are one alert, and the worst of them follow with their figures."""
    many: dict[str, tuple[Severity, float]] = {f"f{i}": ("critical", 0.2 + i / 100) for i in range(30)}
    (message,) = told(made(many))
    assert message.title == "flights 2013-02-08: CRITICAL the table"
    assert len(message.payload["alerts"]) == 1
    assert list(message.payload["features"])[:2] == ["f29", "f28"]
    assert message.body.count("KL 0.") == MOST_SHOWN
    assert "… and 10 more" in message.body


HOSTILE = "<script>alert(1)</script>\n\x1b[31m@everyone <!channel> \u202egnp.exe & \"'"


def test_hostile_names_are_harmless() -> None:
    """A column may be called anything: no line break, escape code, mention or tag of its gets through."""
    report = made(
        {HOSTILE: ("critical", 1.0)},
        monitor=HOSTILE,
        label=HOSTILE,
        reference=HOSTILE,
        findings=[Finding("other", HOSTILE, HOSTILE)],
    )
    (message,) = told(report, links=Links("javascript:alert(1)", "javascript:alert(2)"))
    said = message.title + message.body
    assert not [bad for bad in ("\x1b", "\u202e", "@everyone", "<!channel>") if bad in said]
    assert "\n" not in message.title
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)  # type: ignore[method-assign] # noqa: ARG005
    parser.feed(to_html(message.payload))
    assert set(seen) <= {"h2", "h3", "p", "ul", "li"}
    assert message.payload["alerts"][0]["feature"] == HOSTILE


def test_failed_expectations_are_named() -> None:
    """Each expectation that failed is a line of its own, and the caller may name the window."""
    failures = [f"column {name}: 3 nulls" for name in "abc"]
    report = made({}, calm=[], gate="rejected", n_current=0, n_reference=0)
    done = advance([], signals_of(report, failures=failures), monitor="flights", now=NOW)
    chosen = Alerts(routes=[CHAT])
    (message,) = notifications(
        replace(report, label="Friday"), done, chosen, now=NOW, calendar=CALENDAR, failures=failures
    )
    assert message.title == "flights Friday: CRITICAL expectations"
    assert message.body.endswith("CRITICAL expectations\n  column a: 3 nulls\n  column b: 3 nulls\n  column c: 3 nulls")
    assert message.payload["failures"] == failures


def test_html_links_only_to_the_web() -> None:
    """A link to the web is a link, its quotes escaped, and each alert has its own page."""
    (message,) = told(made(THREE), links=Links("https://drift.example/d", 'https://airflow.example/?a="b"&c'))
    html = to_html(message.payload)
    assert '<a href="https://airflow.example/?a=&quot;b&quot;&amp;c">' in html
    assert '<a href="https://drift.example/d/monitor?name=flights&amp;until=2013-02-08T05%3A00%3A00Z">' in html
    first = message.payload["alerts"][0]
    assert first["link"] == f"https://drift.example/d/alert?id={first['id']}"
    (bare,) = told(made(THREE))
    assert (bare.payload["link"], bare.payload["run_url"], "<a" in to_html(bare.payload)) == (None, None, False)


# -- routes -----------------------------------------------------------------------------------------------------------


def test_teams_hear_of_what_they_own() -> None:
    """The most specific pattern names the owner; what concerns every feature is told to every team."""
    owners = {"*": "platform", "de*": "ops"}
    routes = [Route(to=team, team=team) for team in ("platform", "ops")]
    messages = told(
        made(THREE, findings=[Finding("fewer_rows", "30 rows", severity="warning")]), *routes, owners=owners
    )
    heard = {m.route: {a["feature"] or a["key"] for a in m.payload["alerts"]} for m in messages}
    assert heard == {"platform": {"carrier", "volume:fewer"}, "ops": {"dep_delay", "dest", "volume:fewer"}}
    assert {a["feature"]: a["team"] for a in messages[1].payload["alerts"]} == {
        "dep_delay": "ops",
        "dest": "ops",
        None: None,
    }


def test_kinds_choose() -> None:
    """Those who mend data hear of data alone."""
    report = made(
        THREE,
        findings=[Finding("fewer_rows", "30 rows", severity="warning"), Finding("new_column", "new", "x", "warning")],
    )
    (message,) = told(report, Route(to="data", kinds=["data_quality", "schema"]))
    assert {a["kind"] for a in message.payload["alerts"]} == {"data_quality", "schema"}


@pytest.mark.parametrize(
    ("severity", "types", "expected"),
    [
        ("critical", {}, "failure"),
        ("warning", {}, "warning"),
        ("warning", {"warning": "info"}, "info"),
        ("critical", {"warning": "info"}, "failure"),
    ],
)
def test_an_urgency_becomes_what_the_channel_knows(severity: Severity, types: Any, expected: str) -> None:
    """Apprise's types, which PagerDuty and others make severities of; a route may map them."""
    (message,) = told(made({"dest": (severity, 0.3)}), Route(to="a", notify_types=types))
    assert message.payload["notify_type"] == expected


@given(st.data())
def test_nothing_that_is_told_is_lost(data: st.DataObject) -> None:
    """Every page is in the message of every route that asks for it, and in no other."""
    routes = data.draw(st.lists(ROUTES, max_size=4))
    names = [*THREE, "a", "b"]
    before = made({n: (data.draw(st.sampled_from(["warning", "critical"])), 0.3) for n in names[:3]})
    done = advance([], signals_of(before), monitor="flights", now=NOW)
    after = made({names[data.draw(st.integers(0, 4))]: ("critical", 1.0)}, day=9)
    more = advance(done.alerts, signals_of(after), monitor="flights", now=NOW, policy=Policy(close_after=1))
    chosen = Alerts(routes=routes, owners={"de*": "ops", "*": "rest"})
    for report, transitions in [(before, done), (after, more)]:
        messages = notifications(report, transitions, chosen, now=NOW, calendar=CALENDAR)
        assert len({m.route for m in messages}) == len(messages)
        heard = {(m.route, a["id"], a["seq"]) for m in messages for a in m.payload["alerts"]}
        assert heard == {
            (r.to, p.event.alert_id, p.event.seq)
            for r in routes
            for p in transitions.notices
            if chosen.concerns(r, p.alert.feature, p.alert.kind, p.severity)
        }


LEVELS = st.sampled_from([None, ["critical"], ["warning"], ["warning", "critical"]])
ROUTES = st.builds(
    Route,
    to=st.sampled_from(["chat", "mail", "pager"]),
    severity=LEVELS,
    features=st.sampled_from([None, ["d*"], ["carrier"]]),
    team=st.sampled_from([None, "ops", "rest"]),
    kinds=st.sampled_from([None, ["drift"], ["schema"]]),
    quiet_hours=st.sampled_from([[], ["00:00-08:00"]]),
)


# -- quiet hours ------------------------------------------------------------------------------------------------------

NIGHT = Route(to="mail", quiet_hours=["22:00-07:00"])
MORNING = datetime(2013, 2, 9, 12, tzinfo=UTC)


def test_a_warning_waits_for_the_end_of_quiet_hours() -> None:
    """At one in the morning, New York's time, a warning waits until seven; the text says that it did."""
    (message,) = told(made({"dest": ("warning", 0.02)}), NIGHT)
    assert message.not_before == MORNING
    assert message.payload["held"] == {"until": "2013-02-09T07:00:00-05:00", "messages": 1}
    assert "Held back in quiet hours until 2013-02-09T07:00:00-05:00: 1 message." in message.body


def test_what_is_critical_does_not_wait() -> None:
    """And what goes with it in one message goes too; outside quiet hours nothing waits."""
    (message,) = told(made(THREE), NIGHT)
    assert (message.not_before, len(message.payload["alerts"])) == (None, 3)
    (day,) = told(made({"dest": ("warning", 0.02)}), NIGHT, now=MORNING)
    assert (day.not_before, day.payload["held"]) == (None, None)


def test_a_route_named_again_without_quiet_hours_does_not_wait() -> None:
    """What one of them asks for at once goes out at once."""
    (message,) = told(made({"dest": ("warning", 0.02)}), NIGHT, Route(to="mail", features=["dest"]))
    assert message.not_before is None


def test_what_waited_together_is_one_message() -> None:
    """Of each alert the newest that was not told meanwhile, with the figures of all; nothing where all was told."""
    first = told(made({"dest": ("warning", 0.02), "carrier": ("warning", 0.03)}), NIGHT)[0].payload
    known = advance([], signals_of(made({"dest": ("warning", 0.02)})), monitor="flights", now=NOW)
    second = told(made({"origin": ("warning", 0.04), "dest": ("none", 0.001)}, day=9), NIGHT, before=known)[0].payload
    content = merge([first, second], {}, now=MORNING)
    assert content is not None
    said = [(a["feature"], a["transition"]) for a in content["alerts"]]
    assert said == [("carrier", "opened"), ("origin", "opened"), ("dest", "resolved")]
    assert {"carrier", "dest", "origin"} <= content["features"].keys()
    assert (content["urgency"], content["held"]["messages"], content["window"]) == ("warning", 2, second["window"])
    assert title(content) == "flights 2013-02-09: WARNING carrier: missing rose from 1.0 % to 51 % (+2 more)"
    assert "2 messages in one" in to_text(content)
    seen = newest([first, second])
    assert merge([first, second], seen, now=MORNING) is None
    (left,) = (merge([first, second], {**seen, known.alerts[0].id: 0}, now=MORNING) or {})["alerts"]
    assert left["feature"] == "dest"


def test_a_failed_run_says_that_nothing_is_known() -> None:
    """Its message has the error and no figures."""
    report = made({}, calm=[], n_current=0, n_reference=0)
    assert report.window is not None
    done = advance([], [run_signal(report.window, "no route to host")], monitor="flights", now=NOW)
    (message,) = sent(report, done)
    assert message.title == "flights 2013-02-08: CRITICAL the run"
    assert message.body == (
        "The run failed: nothing is known about this window.\n\nCRITICAL the run\n  run failed: no route to host"
    )


def test_a_reminder_says_that_it_is_one() -> None:
    """What is told later, or again, has the reason beside the figures."""
    report = made({"dest": ("critical", 0.3)})
    opened = advance([], signals_of(report), monitor="flights", now=NOW)
    again = advance(opened.alerts, signals_of(report), monitor="flights", now=NOW.replace(day=16))
    (message,) = sent(report, again)
    assert "CRITICAL (repeated) dest\n  missing rose" in message.body
    assert "nobody has acknowledged it since 2013-02-09 06:00 UTC" in message.body
