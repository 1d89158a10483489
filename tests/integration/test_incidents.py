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
