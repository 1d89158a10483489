"""Alerts as the pages ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.store.reads import alerts
from tests.support.dashboard_samples import MONITOR

if TYPE_CHECKING:
    from drift.store.store import Store


def test_live_alerts_are_counted_by_severity(filled: Store) -> None:
    """Each monitor that has any, with how many of which severity."""
    live = [alert for alert in filled.alerts(MONITOR) if alert.live]
    found = alerts.counts(filled)[MONITOR]
    assert live
    assert sum(found.values()) == len(live)


def test_one_alert_by_its_id(filled: Store) -> None:
    """The whole id is asked for; nothing else is found."""
    alert = filled.alerts(MONITOR)[0]
    assert alerts.one(filled, alert.id) == alert
    assert alerts.one(filled, alert.id[:-1]) is None
