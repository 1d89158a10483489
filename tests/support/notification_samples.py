"""A notification that waits, with its payload and a secret that nobody may repeat: for the tests of delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from drift.alerts.messages import Notification

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECRET = "s3cr3t-t0ken"
PAYLOAD: dict[str, Any] = {
    "schema": "drift.alert", "schema_version": 1, "id": "n1", "created_at": "2013-02-09T06:00:00Z", "route": "chat",
    "urgency": "critical", "monitor": "flights",
    "window": {"start": "2013-02-08T05:00:00Z", "end": "2013-02-09T05:00:00Z", "label": "2013-02-08"},
    "reference": "trailing 28d", "direction": "current||reference", "unit": "nats", "n_reference": 23_000,
    "n_current": 930, "gate": "accepted", "status": "critical", "share_drifting": 0.1, "total_kl": 1.5, "findings": [],
    "failures": [], "n_drifting": 1, "n_judged": 10, "features": {}, "link": None, "run_url": None, "held": None,
    "notify_type": "failure",
    "incidents": [],
    "alerts": [{
        "id": "a1", "key": "drift:dep<b>", "kind": "drift", "feature": "dep<b>", "transition": "opened",
        "state": "open", "severity": "critical", "reason": "KL 1.28", "since": "2013-02-08T05:00:00Z", "windows": 1,
    }],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row(Notification):
    """A notification that is pending."""

    id: str = "n1"
    monitor: str = "flights"
    window_start: datetime | None = None
    route: str = "chat"
    title: str = "flights 2013-02-08: CRITICAL dep<b>"
    body: str = "1 of 10 features\n\nCRITICAL dep<b>\n  KL 1.28 nats"
    payload: Mapping[str, Any] = field(default_factory=lambda: dict(PAYLOAD))
    created_at: datetime = NOW
