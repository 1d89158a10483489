"""What a monitor's file says of its alerts: read, refused in words, and handed to the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drift.config.alerts import Alerts, Maintenance, Policy, Route, is_web_address
from drift.config.monitor import Monitor, parse_monitor
from drift.errors import ConfigError, DriftError

NEW_YORK = ZoneInfo("America/New_York")
EVERYTHING = """
  close: {after: 3, below: 0.8}
  repeat: 4h
  cooldown: 2
  flapping: {openings: 5, windows: 14}
  dashboard: https://drift.example.com
  owners: {"pay_*": payments, "*": platform}
  maintenance:
    - {weekly: "sat 02:00-06:00", reason: nightly reload}
    - {from: 2013-07-04, to: 2013-07-05T12:00, reason: holiday}
  routes:
    - {to: pager, severity: [critical], notify_types: {critical: failure, resolved: info}}
    - {to: payments-mail, team: payments, kinds: [drift, schema], quiet_hours: ["22:00-07:00", "sat,sun"]}
"""


def monitor(alerts: str) -> Monitor:
    """A monitor with such alerts."""
    return parse_monitor(f"name: n\nwindow: {{every: 1d}}\nsource: {{files: a.csv, time_column: t}}\nalerts:{alerts}")


def problems(alerts: str) -> list[str]:
    """What is said of such alerts."""
    with pytest.raises(ConfigError) as caught:
        monitor(alerts)
    return caught.value.problems


def test_the_policy_is_what_the_file_says() -> None:
    """Every key arrives in the machine; without any, its own defaults are in force."""
    assert monitor(EVERYTHING).alerts.policy == Policy(3, 0.8, timedelta(hours=4), 2, 5, 14)
    assert Alerts().policy == Policy()
    assert Alerts(repeat="never").policy.repeat is None


def test_the_file_says_the_same_when_it_is_read_again() -> None:
    """What is stored of it is the same monitor."""
    one = monitor(EVERYTHING)
    assert parse_monitor(one.canonical) == one


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        (" {repeat: daily}", "alerts.repeat: 'daily' is not a span of time; fix: write 4h, 1d, or never"),
        (" {dashboard: 'javascript:x'}", "alerts.dashboard: is not a web address, or holds a password; fix: write"),
        (" {maintenance: [{reason: x}]}", "maintenance[0]: says no time; fix: give from and to, or weekly"),
        (" {maintenance: [{weekly: sat, from: 2013-01-01, reason: x}]}", "says no time"),
        (
            " {maintenance: [{from: 2013-01-02, to: 2013-01-02, reason: x}]}",
            "maintenance[0].to: 2013-01-02 is not after",
        ),
        (" {maintenance: [{from: soon, to: 2013-01-02, reason: x}]}", 'maintenance[0].from: "soon" is not a date'),
        (" {maintenance: [{from: 2013-01-01T00:00Z, to: 2013-01-02, reason: x}]}", "has a time zone of its own"),
        (" {maintenance: [{weekly: 2am, reason: x}]}", 'is not hours of the week; fix: write "22:00-07:00"'),
        (" {maintenance: [{weekly: sat}]}", "maintenance[0].reason: is missing"),
        (" {routes: [{to: a, quiet_hours: [daily]}]}", "routes[0].quiet_hours: fill the whole week"),
        (
            " {routes: [{to: a, team: b}]}",
            'routes[0].team: "b" owns no feature; fix: name its features in alerts.owners',
        ),
        (" {owners: {x: c}, routes: [{to: a, team: b}]}", "fix: choose among c in alerts.owners"),
        (" {routes: [{to: a, kinds: [drfit]}]}", 'routes[0].kinds[0]: "drfit" is not known; fix: did you mean drift?'),
        (" {close: {below: 1.5}}", "alerts.close.below: 1.5 should be at most 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(alerts: str, words: str) -> None:
    """With its place and what to do."""
    (problem,) = problems(alerts)
    assert words in problem


def at(text: str) -> datetime:
    """An instant by the clock on New York's walls."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def test_maintenance_once_and_weekly() -> None:
    """By local time, its end excluded; of two at once the longer one is told."""
    alerts = monitor(EVERYTHING).alerts
    said = {
        "2013-02-09T01:59": "",
        "2013-02-09T02:00": "until 2013-02-09 06:00 EST: nightly reload",
        "2013-02-09T06:00": "",
        "2013-07-03T23:59": "",
        "2013-07-04T00:00": "until 2013-07-05 12:00 EDT: holiday",
        "2013-07-05T12:00": "",
    }
    assert {when: alerts.maintenance_at(at(when), NEW_YORK) for when in said} == said
    both = Alerts(maintenance=[Maintenance(weekly=text, reason=text) for text in ("sat", "sat 02:00-06:00")])
    assert both.maintenance_at(at("2013-02-09T03:00"), NEW_YORK) == "until 2013-02-10 00:00 EST: sat"


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({}, True),
        ({"severity": ["critical"]}, False),
        ({"severity": ["warning"], "features": ["pay_*"], "team": "payments", "kinds": ["drift"]}, True),
        ({"features": ["age"]}, False),
        ({"team": "platform"}, False),
        ({"kinds": ["schema"]}, False),
    ],
)
def test_everything_that_a_route_asks_for_must_hold(route: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """Severity, feature, team and kind."""
    alerts = Alerts(owners={"pay_*": "payments", "*": "platform"}, routes=[Route(to="a", **route)])
    assert alerts.concerns(alerts.routes[0], "pay_day", "drift", "warning") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://drift.example.com/d?x=1", True),
        ("http://[::1]:8080", True),
        ("https://user:password@drift.example.com", False),
        ("ftp://drift.example.com", False),
        ("https://", False),
        ("https://a\nb", False),
        ("https://[", False),
    ],
)
def test_a_web_address(url: str, expected: bool) -> None:  # noqa: FBT001
    """What a reader may click on."""
    assert is_web_address(url) == expected


def test_an_alert_needs_a_quiet_window_to_close() -> None:
    """With none it would be over before it began."""
    with pytest.raises(DriftError, match="at least 1"):
        Policy(close_after=0)


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0])
def test_the_share_that_closes_is_a_share(share: float) -> None:
    """Above what opens an alert it could close and open at once."""
    with pytest.raises(DriftError, match="a share"):
        Policy(close_below=share)
