"""Digests: what a route is told, in which words, and that hostile names stay harmless."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts import Policy, Transitions, advance, observations
from drift.binning import CategoricalBinning
from drift.config import Route
from drift.digest import MOST_SHOWN, Notification, notifications, plain, title, to_html, to_text
from drift.evidence import Evidence
from drift.histograms import Histogram
from drift.reports import Finding, Report
from drift.scores import Score, Severity, Verdict
from drift.windows import Calendar

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
            name, "categorical", kl, kl, 2 * kl, kl / 4, kl, 0.9 * kl, 1.1 * kl, 1e-6, 1e-5, None, 1e-3,
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
    report: Report, *routes: Route, before: Transitions | None = None, link: str | None = None
) -> list[Notification]:
    """What the routes are told of a report."""
    known = before.alerts if before else ()
    done = advance(known, observations(report), monitor="flights", now=NOW, policy=Policy(close_after=1))
    return notifications(report, done, routes or [CHAT], now=NOW, link=link)


THREE: dict[str, tuple[Severity, float]] = {
    "carrier": ("warning", 0.02),
    "dep_delay": ("critical", 1.28),
    "dest": ("critical", 0.3),
}


def test_the_title_says_it_all() -> None:
    """Monitor, window, severity, the worst feature with its KL, and how many more."""
    (message,) = told(made(THREE))
    assert message.title == "flights 2013-02-08: CRITICAL dep_delay KL 1.28 nats (+2 more)"


def test_the_text() -> None:
    """The text holds the whole story: verdict, interval, thresholds, sizes, direction, what moved, why, the link."""
    (message,) = told(
        made({"dep_delay": ("critical", 1.28)}, findings=[Finding("row_count", "row count 30 odd")]),
        link="https://drift.example/flights",
    )
    assert message.body == (
        "1 of 61 scored features drift (2%), 1.34 nats in all; 930 rows against 23,000 of the reference "
        "(trailing 28d: 28 of 28 windows). KL is D(current‖reference), in nats.\n"
        "\n"
        "CRITICAL dep_delay\n"
        "  KL 1.28 nats, 95 % interval 1.15 … 1.41, threshold 0.01 / 0.1, 930 rows against 23,000\n"
        "  of 1.28 nats 0.96 are missing values, 0.32 shifts between levels\n"
        "  missing rose from 1.0 % to 51 %: 0.96 of 1.28 nats\n"
        "  'a' fell from 99 % to 49 %: 0.32 of 1.28 nats\n"
        "  q 1e-5 and large\n"
        "\n"
        "WARNING number of rows\n"
        "  row count 30 odd\n"
        "\n"
        "Findings\n"
        "  row count 30 odd\n"
        "\n"
        "https://drift.example/flights"
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
    """Every field of the payload and of its alerts stands in docs/alerts.md."""
    (message,) = told(made(THREE))
    document = (Path(__file__).parent.parent / "docs" / "alerts.md").read_text()
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
    assert "Also drifting\n  CRITICAL dest: KL 0.3 nats" in only_delays.body
    rejected = made({}, calm=[], gate="rejected", n_current=0, n_reference=0)
    (gate,) = told(rejected, Route(to="a", features=["*_delay"]))
    assert gate.title == "flights 2013-02-08: CRITICAL expectations"
    assert gate.body.startswith("The window was rejected by its expectations")


def test_who_was_told_of_the_worst_is_told_of_the_end() -> None:
    """A critical-only route hears the end of an alert that was critical once and a warning when it ended."""
    route = Route(to="a", severity=["critical"])
    known: Transitions | None = None
    for day, severity in [(8, "critical"), (9, "warning")]:
        said = observations(made({"dest": (severity, 0.3)}, day=day))  # type: ignore[dict-item]
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
    (message,) = told(report, link="javascript:alert(1)")
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
    done = advance([], observations(report, failures=failures), monitor="flights", now=NOW)
    (message,) = notifications(report, done, [CHAT], now=NOW, failures=failures, label="Friday")
    assert message.title == "flights Friday: CRITICAL expectations"
    assert message.body.endswith("CRITICAL expectations\n  column a: 3 nulls\n  column b: 3 nulls\n  column c: 3 nulls")
    assert message.payload["failures"] == failures


def test_html_links_only_to_the_web() -> None:
    """An http link is a link, its quotes escaped."""
    (message,) = told(made(THREE), link='https://drift.example/?a="b"&c')
    assert '<a href="https://drift.example/?a=&quot;b&quot;&amp;c">' in to_html(message.payload)


@given(st.text())
def test_plain_is_one_printable_line(text: str) -> None:
    """Whatever goes in, what comes out is one line without control characters, and cleaning is bounded."""
    line = plain(text, limit=50)
    assert len(line) <= 50
    assert line.replace("\N{ZERO WIDTH SPACE}", "").isprintable()
    assert "@everyone" not in line


@pytest.mark.parametrize("text", ["dep_delay", "naïve café", "数据", "a@b.example", "x < 3", "-∞ … 5"])
def test_plain_leaves_names_alone(text: str) -> None:
    """Ordinary names in any script are not changed."""
    assert plain(text) == text
