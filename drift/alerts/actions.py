"""Actions: what a person does about an alert, as the alert afterwards and an event for its timeline.

Whoever acts on an alert knows of it, so nothing that was suppressed before is pending after that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from drift.alerts.alerts import Alert, AlertEvent, Transition
from drift.alerts.silences import check_until
from drift.detection.scores import SEVERITY_RANK
from drift.errors import DriftError
from drift.text.formatting import when

if TYPE_CHECKING:
    from datetime import datetime

Action = Literal["acknowledge", "snooze", "unsnooze", "resolve"]

_TRANSITIONS: dict[Action, Transition] = {
    "acknowledge": "acknowledged",
    "snooze": "snoozed",
    "unsnooze": "unsnoozed",
    "resolve": "resolved",
}


def act(
    alert: Alert, action: Action, *, by: str, now: datetime, comment: str = "", until: datetime | None = None
) -> tuple[Alert, AlertEvent]:
    """Acknowledge, snooze or resolve a live alert by hand; return it afterwards, and the event for its timeline.

    ``acknowledge``: somebody is on it, so it is not repeated; an escalation still pages. ``snooze``: nobody is notified
    of it until then, unless it becomes worse; if it is still open then, people are notified of that. ``unsnooze`` takes
    that back. ``resolve``: it is over; the next window that drifts opens a new one.

    Raises
    ------
    DriftError
        If the alert is already resolved, a snooze does not end in the future, or there is none to take back.
    """
    if not alert.live:
        raise DriftError(f"alert {alert.id} ({alert.key}) is already resolved: there is nothing to {action}")
    who = by.strip() or "unknown"
    seq = alert.events + 1
    reason = f"{_TRANSITIONS[action]} by {who}"
    suppressed_by = ""
    after = replace(alert, events=seq)
    match action:
        case "acknowledge":
            after = replace(_acknowledged(after), state="acknowledged", acknowledged_at=now, acknowledged_by=who)
        case "snooze":
            if until is None:
                raise DriftError(f"alert {alert.id} ({alert.key}): a snooze needs an end")
            check_until(until, now)
            after = replace(_acknowledged(after), snoozed_at=now, snoozed_by=who, snoozed_until=until)
            reason = f"until {when(until)}: {comment or reason}"
            comment = ""
        case "unsnooze":
            if not alert.snoozed(now):
                raise DriftError(f"alert {alert.id} ({alert.key}) is not snoozed")
            after = replace(after, snoozed_at=now, snoozed_by=who, snoozed_until=None)
        case "resolve":
            after = replace(
                after,
                state="resolved",
                resolved_at=now,
                resolved_by=who,
                resolved_window=alert.last_window,
                notified="none",
                suppressed_by="",
            )
            suppressed_by = f"by hand: {who} knows"
    return after, AlertEvent(alert.id, seq, now, None, _TRANSITIONS[action], comment or reason, who, suppressed_by)


def _acknowledged(alert: Alert) -> Alert:
    """Return the alert as one whose severity people know."""
    return replace(alert, notified=max(alert.notified, alert.severity, key=SEVERITY_RANK.__getitem__), suppressed_by="")
