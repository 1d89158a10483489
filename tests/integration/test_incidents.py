"""From rows to an incident: a monitor lived day by day, its messages delivered to PagerDuty's Events API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from drift.alerts.delivery import deliver
from tests.support.daily import live
from tests.support.https_receiver import answering

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_alert_is_one_incident_from_its_opening_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning opens it, what is worse raises its severity, the end resolves it; the next alert is another one."""
    rng = np.random.default_rng(2)
    shifts = [0.0] * 28 + [0.3] * 4 + [2.0] * 2 + [0.0] * 6 + [2.0] * 2 + [0.0] * 5
    days = [{"delay": rng.normal(shift, 1, 3000)} for shift in shifts]
    context, reports = live(tmp_path, days, "reference: {fixed: [2024-01-01, 2024-01-22]}")
    window = reports[-1].window
    assert window
    with answering(
        tmp_path, monkeypatch, ["events.pagerduty.com"], lambda _: (202, '{"status": "success"}')
    ) as arrived:
        done = deliver(context.store, window.end + timedelta(days=1), lambda _: "pagerduty://integration@key")
    said = [(each.body["event_action"], each.body.get("payload", {}).get("severity")) for each in arrived]
    assert said == [
        ("trigger", "warning"), ("trigger", "critical"), ("resolve", None), ("trigger", "critical"), ("resolve", None)
    ]  # fmt: skip
    keys = [each.body["dedup_key"] for each in arrived]
    assert [keys.index(key) for key in keys] == [0, 0, 0, 3, 3]
    assert (done.sent, done.postponed, done.dead) == (5, 0, 0)


def test_the_end_of_an_incident_says_in_what_sense_each_of_its_alerts_is_over(tmp_path: Path) -> None:
    """Two step together, one steps again: the one message of their end says of both that the reference has adapted."""
    rng = np.random.default_rng(3)
    steps = [(0.0, 0.0)] * 20 + [(3.0, 0.6)] * 6 + [(6.0, 0.6)] * 13
    days = [{"delay": rng.normal(a, 1, 1000), "distance": rng.normal(b, 1, 1000)} for a, b in steps]
    context, reports = live(tmp_path, days, "reference: {trailing: 7d}")
    window = reports[-1].window
    assert window
    assert not [alert for alert in context.store.alerts() if alert.live]
    sent = context.store.due_notifications(window.end + timedelta(days=1), 500)
    (over,) = [row for row in sent if row.payload["urgency"] == "resolved"]
    (incident,) = over.payload["incidents"]
    assert over.body.count("the reference has adapted: still ") >= 2
    assert {each["feature"] for each in incident["alerts"]} == {"delay", "distance"}
    assert sum(bool(each["end"]) for each in incident["alerts"]) == 1
