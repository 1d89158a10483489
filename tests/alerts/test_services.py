"""Services: what Slack, Teams, PagerDuty and Opsgenie receive, by the rules that they publish.

The rules: https://docs.slack.dev/reference/block-kit/blocks, https://adaptivecards.io/explorer,
https://developer.pagerduty.com/docs/send-alert-event, https://docs.opsgenie.com/docs/alert-api
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts import services
from drift.alerts.channels import send_to
from drift.alerts.lifecycle import advance
from drift.alerts.messages import Links, trial
from drift.alerts.signals import run_signal, signals_of
from drift.config.alerts import Policy
from drift.errors import ReceiverLate
from tests.alerts.test_messages import CALM, NOW, THREE, made, sent, told
from tests.support.https_receiver import Answer, Request, answering
from tests.support.relay import relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drift.alerts.messages import Notification

LINKS = Links("https://drift.example", "https://airflow.example/log")
HOSTILE = "<!channel> @here [x](https://evil.example) *b* & <at>all</at> https://evil.example :fire: |a~`_i_"
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
BOT = "slack://xoxb-1234-1234-abcdef/#ops/#data"
TEAMS = (
    "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJZxFE5A"
)
PAGERDUTY = "pagerduty://A1BRTD4JD0123456789012345678901a@key?region=eu"
OPSGENIE = "opsgenie://00000000-1111-2222-3333-444455556666/@ada"
HOSTS = ["hooks.slack.com", "slack.com", "prod-1.westus.logic.azure.com", "events.eu.pagerduty.com", "api.opsgenie.com",
         "api.eu.opsgenie.com"]  # fmt: skip

# -- their rules ------------------------------------------------------------------------------------------------------


def check_slack(message: dict[str, Any]) -> None:
    """Blocks and texts are of the kinds and within the lengths that Block Kit takes."""
    assert 0 < len(message["text"]) <= 3000
    assert 0 < len(message["blocks"]) <= 50
    texts = []
    for block in message["blocks"]:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text"
                assert 0 < len(block["text"]["text"]) <= 150
            case "section":
                assert block.keys() & {"text", "fields"}
                assert len(block.get("fields", [])) <= 10
                assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
                texts += [*block.get("fields", []), *([block["text"]] if "text" in block else [])]
                check_button(block.get("accessory"))
            case "context":
                assert 0 < len(block["elements"]) <= 10
                texts += block["elements"]
            case "actions":
                assert 0 < len(block["elements"]) <= 25
                for button in block["elements"]:
                    check_button(button)
            case other:
                assert other == "divider"
    for text in texts:
        assert 0 < len(text["text"]) <= 3000
        assert not set("<>") & set(text["text"])
    assert message["mrkdwn"] is False
    # What is read as markup holds our own words and numbers alone; a colon in plain text begins no emoji.
    marked = "".join(each["text"] for each in objects_of(message) if each.get("type") == "mrkdwn")
    assert re.fullmatch(r"(\*[A-Za-z ]+\*\n[\d.,∞−]+( of [\d,]+ features \([\d.,< ]+ %\)| nats)?)*", marked), marked
    assert all(each["emoji"] is False for each in objects_of(message) if each.get("type") == "plain_text")


def check_button(button: dict[str, Any] | None) -> None:
    """A button has plain text of at most 75 characters, and an address of at most 3,000."""
    if button:
        assert button["type"] == "button"
        assert button["text"]["type"] == "plain_text"
        assert len(button["text"]["text"]) <= 75
        assert button["url"].startswith("https://")
        assert len(button["url"]) <= 3000


def check_card(message: dict[str, Any]) -> None:
    """One Adaptive Card whose text from data stands in runs, which Teams takes literally."""
    assert len(json.dumps(message)) <= 28_000
    (attachment,) = message["attachments"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert "entities" not in card["msteams"]
    assert len(card["actions"]) <= 6
    assert {action["type"] for action in card["actions"]} <= {"Action.OpenUrl"}
    waiting = list(card["body"])
    while waiting:
        element = waiting.pop()
        match element["type"]:
            case "Container":
                waiting += element["items"]
            case "FactSet":
                assert all(set(fact) == {"title", "value"} for fact in element["facts"])
                assert not set("[*_<") & set(json.dumps([fact["value"] for fact in element["facts"]])[1:])
            case other:
                assert other == "RichTextBlock"
                assert all(run["type"] == "TextRun" and run["text"] for run in element["inlines"])


def check_pagerduty(event: dict[str, Any]) -> None:
    """An event of the Events API, version 2."""
    assert event["event_action"] in {"trigger", "resolve"}
    assert 0 < len(event["dedup_key"]) <= 255
    if event["event_action"] == "trigger":
        told_ = event["payload"]
        assert 0 < len(told_["summary"]) <= 1024
        assert told_["source"]
        assert told_["severity"] in {"critical", "error", "warning", "info"}
        assert all(link["href"].startswith("https://") for link in event.get("links", []))
        assert "images" not in event


def check_opsgenie(alert: dict[str, Any]) -> None:
    """A request to create an alert."""
    assert 0 < len(alert["message"]) <= 130
    assert 0 < len(alert["alias"]) <= 512
    assert len(alert["description"]) <= 15_000
    assert len(alert.get("entity", "")) <= 512
    assert alert["priority"] in {"P1", "P2", "P3", "P4", "P5"}
    assert sum(len(key) + len(value) for key, value in alert["details"].items()) <= 8000


# -- what they get ----------------------------------------------------------------------------------------------------


def values_of(value: Any) -> Iterator[Any]:
    """A JSON value and all in it."""
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from values_of(each)


def texts_of(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    return (each for each in values_of(value) if isinstance(each, str))


def objects_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value."""
    return (each for each in values_of(value) if isinstance(each, dict))


def hostile(name: str, *, many: int) -> dict[str, Any]:
    """The payload of many features with a hostile name."""
    drifting = {f"{name} {i}": ("critical", 1.28) for i in range(many)}
    (message,) = told(made(drifting), links=LINKS)  # type: ignore[arg-type]
    return dict(message.payload)


@pytest.mark.parametrize("many", [1, 30])
@pytest.mark.parametrize("name", [HOSTILE, "&" * 80, "\N{GRINNING FACE}" * 80, "\x1b]8;;" * 20])
def test_no_label_is_markup_and_nothing_is_too_long(name: str, many: int) -> None:
    """Whatever a feature is called, each service takes the message, and reads no mention, link or format in it."""
    payload = hostile(name, many=many)
    check_slack(services.slack(payload))
    check_card(services.teams(payload))


@given(st.text(min_size=1, max_size=400), st.integers(1, 12))
def test_any_name(name: str, lines: int) -> None:
    """The same of any text at all, in names, reasons and findings."""
    payload = {**PAYLOAD, "monitor": name, "reference": name}
    payload["alerts"] = [{**PAYLOAD["alerts"][0], "kind": "run", "key": name, "feature": None, "reason": name * lines}]
    payload["findings"] = [{"message": name * 10}] * lines
    check_slack(services.slack(payload))
    check_card(services.teams(payload))


(PLAIN,) = told(made(THREE), links=LINKS)
PAYLOAD = dict(PLAIN.payload)


def test_a_card_that_is_too_large_says_so() -> None:
    """It loses its last parts, and says where the rest is."""
    findings = [{"message": "\N{GRINNING FACE}" * 290}] * 10
    alerts = [{**PAYLOAD["alerts"][0], "kind": "run", "reason": "\N{GRINNING FACE}" * 290}] * 10
    message = services.teams({**PAYLOAD, "alerts": alerts, "findings": findings})
    check_card(message)
    assert "… shortened: Drift shows the rest" in set(texts_of(message))


def test_slack_shows_the_numbers_and_leads_to_each_alert() -> None:
    """A header, the window's numbers, the incident and each alert with a button, buttons to the monitor and the log."""
    blocks = services.slack(PAYLOAD)["blocks"]
    assert [block["type"] for block in blocks] == [
        "header", "section", "context", *["divider", "section"] * 4, "actions"
    ]  # fmt: skip
    assert blocks[0]["text"]["text"].endswith(PLAIN.title)
    assert blocks[1]["fields"][0]["text"] == "*Drifting*\n3 of 63 features (4.8 %)"
    said = "Compared with trailing 28d: 28 of 28 windows. KL is D(current‖reference), in nats."
    assert blocks[2]["elements"][0]["text"] == said
    assert blocks[4]["accessory"]["url"] == PAYLOAD["incidents"][0]["link"]
    assert blocks[6]["accessory"]["url"] == PAYLOAD["alerts"][0]["link"]
    assert [button["url"] for button in blocks[-1]["elements"]] == [PAYLOAD["link"], PAYLOAD["run_url"]]


def test_a_run_that_failed_has_no_numbers() -> None:
    """No share of nothing: what happened is said in words, and is an incident of the run."""
    report = made({}, calm=[], n_current=0, n_reference=0)
    assert report.window
    done = advance([], [run_signal(report.window, "no route to host")], monitor="flights", now=NOW)
    (message,) = sent(report, done, links=LINKS)
    assert services.facts(message.payload) == {}
    check_slack(services.slack(message.payload))
    check_card(services.teams(message.payload))
    (event,) = services.events(message.payload)
    assert (event.component, event.kind, event.priority) == ("the run", "run", 1)
    assert "no route to host" in event.details["details"]


def test_an_incident_has_one_key_from_beginning_to_end() -> None:
    """What opens it, what reminds of it and what ends it are of one incident; others have others."""
    first = services.events(PAYLOAD)
    later = made({}, day=9, calm=[*CALM, *THREE])
    known = advance((), signals_of(made(THREE)), monitor="flights", now=NOW, policy=Policy(close_after=1))
    over = advance(
        known.alerts, signals_of(later), monitor="flights", now=NOW + timedelta(days=1), policy=Policy(close_after=1)
    )
    (ended,) = sent(later, over, now=NOW + timedelta(days=1))
    last = services.events(ended.payload)
    assert {event.key for event in first} == {event.key for event in last}
    assert [event.resolved for event in (*first, *last)] == [False, True]
    assert first[0].summary.endswith("(+2 more)")
    other = sent(made(THREE), advance([], signals_of(made(THREE)), monitor="trains", now=NOW))
    assert services.events(other[0].payload)[0].key != first[0].key


# -- how it arrives ---------------------------------------------------------------------------------------------------


def answer(request: Request) -> Answer:
    """Answer as these services do; the one in Europe is overloaded."""
    match request.host:
        case "hooks.slack.com":
            return 200, "ok"
        case "slack.com":
            return 200, json.dumps({"ok": True, "channel": "C1", "ts": "1.2"})
        case "api.eu.opsgenie.com":
            return 429, json.dumps({"message": "You are making too many requests!"})
        case _:
            return 202, json.dumps({"status": "success", "requestId": "r1"})


def later(message: Notification, *, over: bool) -> Notification:
    """A message that repeats the alerts of another, or says that they are over."""
    ended = {"state": "resolved", "transition": "resolved", "notify_type": "success"}
    change = ended if over else {"transition": "repeated"}
    alerts = [{**alert, **change} for alert in message.payload["alerts"]]
    incidents = [{**each, **(ended if over else {})} for each in message.payload["incidents"]]
    return replace(message, payload={**message.payload, "alerts": alerts, "incidents": incidents})


TRIAL = trial("flights", "chat", by="ada", now=NOW)
SENT = {
    "slack": [(SLACK, PLAIN), (BOT, PLAIN), (SLACK, TRIAL)],
    "teams": [(TEAMS, PLAIN), (TEAMS, TRIAL)],
    "pagerduty": [
        (PAGERDUTY, PLAIN),
        *((PAGERDUTY, later(PLAIN, over=over)) for over in (False, True)),
        (PAGERDUTY, TRIAL),
    ],
    "opsgenie": [(OPSGENIE, PLAIN), *((OPSGENIE, later(PLAIN, over=over)) for over in (False, True))],
    "refused": [(f"{OPSGENIE}?region=eu", PLAIN)],
    "retired": [("msteams://a/b/c/", PLAIN), ("https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d", PLAIN)],
}


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Request], list[str]]:
    """What one sender's messages to all of them became, and the last word on each."""
    asked = "".join(
        json.dumps({"url": url, "timeout": 20, "payload": dict(due.payload), "id": due.id, "title": due.title,
                    "body": due.body}) + "\n"
        for each in SENT.values() for url, due in each
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    with pytest.MonkeyPatch.context() as environment, answering(folder, environment, HOSTS, answer) as arrived:
        command = [sys.executable, "-m", "drift.alerts.sender"]
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=120)
    words = [json.loads(line) for line in done.stdout.splitlines()]
    return arrived, [word.get("problem", "") for word in words if "late" not in word]


def arrived_at(exchanged: tuple[list[Request], list[str]], *hosts: str) -> list[Request]:
    """What arrived at some hosts."""
    return [request for request in exchanged[0] if request.host in hosts]


def test_what_came_of_each(exchanged: tuple[list[Request], list[str]]) -> None:
    """All arrive but what a service refuses, or what is retired, for which what takes its place is named."""
    _, problems = exchanged
    assert problems[:-3] == [""] * 12
    assert problems[-3] == "opsgenie: the receiver answered 429"
    assert all("Microsoft has retired the connectors of Teams: add the workflow" in said for said in problems[-2:])


def test_slack_gets_blocks(exchanged: tuple[list[Request], list[str]]) -> None:
    """By a webhook, and by a bot in each channel with its token."""
    arrived = arrived_at(exchanged, "hooks.slack.com", "slack.com")
    assert Counter((r.host, r.path, r.body.get("channel")) for r in arrived) == {
        ("hooks.slack.com", SLACK.removeprefix("https://hooks.slack.com"), None): 2,
        ("slack.com", "/api/chat.postMessage", "#ops"): 1,
        ("slack.com", "/api/chat.postMessage", "#data"): 1,
    }
    assert arrived[1].headers["authorization"] == "Bearer xoxb-1234-1234-abcdef"
    for request in arrived:
        assert not request.body.keys() - {"text", "mrkdwn", "blocks", "channel"}
        check_slack(request.body)
    assert "ada sent this message" in "".join(texts_of(arrived[-1].body))


def test_teams_gets_a_card(exchanged: tuple[list[Request], list[str]]) -> None:
    """By the URL of a workflow, as Teams gives it."""
    arrived = arrived_at(exchanged, "prod-1.westus.logic.azure.com")
    assert len(arrived) in {1, 2}
    for request in arrived:
        assert request.path.startswith("/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke?")
        check_card(request.body)


def test_pagerduty_opens_updates_and_ends_an_incident(exchanged: tuple[list[Request], list[str]]) -> None:
    """With severity, source, component, group, class and links, under one key; a test is an incident of its own."""
    arrived = arrived_at(exchanged, "events.eu.pagerduty.com")
    assert {request.path for request in arrived} == {"/v2/enqueue"}
    bodies = [request.body for request in arrived]
    for body in bodies:
        check_pagerduty(body)
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "resolve", "trigger"]
    assert len({body["dedup_key"] for body in bodies[:3]}) == 1
    first = bodies[0]["payload"]
    assert [first[name] for name in ("source", "component", "group", "class")] == [
        "flights", "dep_delay", "flights", "drift"
    ]  # fmt: skip
    assert first["severity"] == "critical"
    assert first["summary"] == "flights 2013-02-08: CRITICAL dep_delay: missing rose from 1.0 % to 51 % (+2 more)"
    assert all(name in first["custom_details"]["details"] for name in THREE)
    assert bodies[0]["links"] == [{"href": PAYLOAD["incidents"][0]["link"]}]
    assert bodies[-1]["payload"]["severity"] == "info"


def test_opsgenie_opens_updates_and_closes_an_alert_by_its_alias(exchanged: tuple[list[Request], list[str]]) -> None:
    """The alias stands for the incident in every later request, of whatever process; what goes on gets its priority."""
    arrived = arrived_at(exchanged, "api.opsgenie.com")
    alias = arrived[0].body["alias"]
    assert [(r.method, r.path) for r in arrived] == [
        *[("POST", "/v2/alerts")] * 2, ("PUT", f"/v2/alerts/{alias}/priority?identifierType=alias"),
        ("POST", f"/v2/alerts/{alias}/close?identifierType=alias"),
    ]  # fmt: skip
    for request in arrived:
        assert request.headers["authorization"] == "GenieKey 00000000-1111-2222-3333-444455556666"
        if request.path == "/v2/alerts":
            check_opsgenie(request.body)
            assert request.body["responders"]
    assert arrived[0].body["priority"] == "P1"
    assert arrived[2].body == {"priority": "P1"}


@pytest.mark.parametrize("url", [PAGERDUTY, OPSGENIE])
def test_the_events_of_a_message_share_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A service that answers each of three just in time gets no three times as long: here a second for half of one."""

    def slow(_: Request) -> Answer:
        time.sleep(0.6)
        return 202, json.dumps({"status": "success", "requestId": "r1"})

    (incident,), (alert, *_) = PLAIN.payload["incidents"], PLAIN.payload["alerts"]
    three = {"incidents": [{**incident, "id": f"i{n}", "alerts": [alert["id"]]} for n in range(3)]}
    three |= {"alerts": [{**alert, "incident": f"i{n}"} for n in range(3)]}
    payload = {**PLAIN.payload, **three}
    asked = {"url": url, "timeout": 20, "payload": payload, "id": "n1", "title": "t", "body": "b"}
    code = "from drift.alerts import sender; sender.LONGEST = 1.0; sender.main()"
    with answering(tmp_path, monkeypatch, HOSTS, slow) as arrived:
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(asked) + "\n", capture_output=True, text=True, check=False
        )
    assert done.returncode == -signal.SIGALRM
    assert json.loads(done.stdout.splitlines()[-1])["late"].endswith("no answer within 1 s")
    assert len(arrived) in {1, 2}


@pytest.mark.parametrize("url", [BOT, PAGERDUTY, OPSGENIE], ids=["slack", "pagerduty", "opsgenie"])
def test_a_service_that_drips_its_answer(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte it takes the time of a message, and no more."""
    with (
        answering(tmp_path, monkeypatch, HOSTS, lambda _: (200, "{}")),
        relay(("127.0.0.1", int(os.environ["https_proxy"].rpartition(":")[2]))) as slow,
    ):
        slow.mood = "drip"
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{slow.port}")
        with pytest.raises(ReceiverLate, match=r"^[a-z]+: no answer within 0\.3 s$"):
            send_to(url, PLAIN, 0.3)
