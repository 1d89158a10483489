"""Silences: features of a monitor that a person silenced, for a time and a reason."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drift.config.features import matches
from drift.errors import DriftError
from drift.text.formatting import when

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from drift.alerts.alerts import Alert


@dataclass(frozen=True, slots=True)
class Silence:
    """While it lasts nobody is notified of the alerts it covers; it ends by itself, or when somebody ends it.

    `features` is the name or pattern of features, in all segments or in one (``dep_delay@origin=JFK``); an alert of no
    feature goes by its key: ``table``, ``gate``, ``rows``, ``volume``, ``run``. It ends by itself at `until`;
    `ended_at`, `ended_by` and `ended_reason` say who ended it before that.
    """

    id: str
    monitor: str
    features: str
    reason: str
    created_at: datetime
    created_by: str
    until: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_reason: str | None = None

    def active(self, now: datetime) -> bool:
        """Whether it suppresses notifications now."""
        return self.created_at <= now < min(self.until, self.ended_at or self.until)

    def covers(self, alert: Alert) -> bool:
        """Whether it applies to an alert."""
        name = alert.feature or alert.key
        names = {name, f"{name}@{alert.segment}"} if alert.segment else {name}
        return self.monitor == alert.monitor and any(matches(each, [self.features]) for each in names)


def new_silence(monitor: str, features: str, *, reason: str, until: datetime, by: str, now: datetime) -> Silence:
    """Silence features of a monitor, by name or pattern: ``dep_delay``, ``*_delay``.

    Raises
    ------
    DriftError
        If the reason is missing, or the end is not in the future.
    """
    if not features.strip() or not reason.strip():
        raise DriftError(f"silencing features of {monitor} takes their name or a pattern, and a reason")
    check_until(until, now)
    who = by.strip() or "unknown"
    text = f"{monitor}\0{features}\0{who}\0{now.isoformat()}\0{until.isoformat()}\0{reason}"
    name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Silence(name, monitor, features, reason, now, who, until)


def expire(silence: Silence, *, by: str, now: datetime, comment: str = "") -> Silence:
    """End a silence before its time; one that is already over is an error."""
    if silence.ended_at is not None or silence.until <= now:
        raise DriftError(f"silence {silence.id} ({silence.features} of {silence.monitor}) is already over")
    who = by.strip() or "unknown"
    return replace(silence, ended_at=now, ended_by=who, ended_reason=comment or f"ended by {who}")


def silenced_by(silences: Iterable[Silence], alert: Alert, now: datetime) -> str:
    """Say by whom, until when and why an alert is silenced now; empty where it is not."""
    found = max(
        (each for each in silences if each.active(now) and each.covers(alert)),
        key=lambda each: each.until,
        default=None,
    )
    return f"{found.features} by {found.created_by} until {when(found.until)}: {found.reason}" if found else ""


def check_until(until: datetime, now: datetime) -> None:
    """Refuse an end that has no time zone, or is not in the future."""
    if until.tzinfo is None:
        raise DriftError(f"{until} has no time zone: give an aware time")
    if until <= now:
        raise DriftError(f"{until.isoformat()} is past: give a time in the future")
