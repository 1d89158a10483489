"""Alerts: a fold over the signals of all windows, in the order of time, with people's actions in between.

The order in which windows arrive is not part of the fold: a repeated, late or back-filled window is put in its place
and the fold is done again (`drift.alerts.lifecycle`), so every order of arrival ends in the same alerts. Besides, an
alert carries what does depend on the course of things: when it was found, and what people were notified of
(`drift.alerts.suppression`). Its timeline (`AlertEvent`) records that course and is never rewritten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from drift.alerts.signals import Signal
from drift.detection.onset import Onset
from drift.detection.scores import SEVERITY_RANK, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from drift.alerts.signals import Cause
    from drift.config.alerts import AlertKind, Policy
    from drift.detection.localise import Where

State = Literal["open", "acknowledged", "resolved"]
Transition = Literal[
    "opened",
    "updated",
    "escalated",
    "de-escalated",
    "acknowledged",
    "snoozed",
    "unsnoozed",
    "resolved",
    "reopened",
    "withdrawn",
    "flapping",
    "repeated",
    "notified",
]

SYSTEM = "drift"
"""The actor of what no person did."""

NEWS: frozenset[Transition] = frozenset({"opened", "reopened", "escalated", "resolved", "withdrawn"})
"""Changes of an alert that people are notified of, unless something suppresses that."""

NOTIFIED: frozenset[Transition] = NEWS | {"flapping", "repeated", "notified"}
"""All transitions that people are notified of; the last three happen only to notify them."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know, from the window that opened it to its end.

    `id` is sixteen hexadecimal digits made of monitor, key and opening window: the same alert on every machine.
    `severity` and `reason` (never empty) are those of the newest window that was not quiet; `worst` is the highest
    severity it ever had. `opened_window` and `last_window` are the starts of the window that opened it and of the
    newest one that counted for it, `opened_at` and `last_seen_at` when these were evaluated. `windows` asked for it;
    since then `quiet` ones did not.

    `snoozed_until` is None once somebody, or an escalation, ended the snooze. `resolved_window` is the start of the
    window after which it was resolved; None also for an alert that was withdrawn. `resolved_by` is who resolved it by
    hand; None where quiet windows did.

    `notified` is what people believe: the severity that they were last notified of; ``none`` before that, and after
    they were notified of its end. News is where this differs from the present state. `suppressed_by` says why they were
    not notified of that: ``backfill: it notifies nobody``; empty where they were. `events` is the length of its
    timeline. `inhibited_by` is the key of the alert that it is part of: that one fired in the window that opened it.
    `onset` is since when, as the newest window that could say so has it; a ``single`` window where the next one was
    quiet. `where` is in which rows, as the newest window has it that was as severe as its worst: what lingers after an
    event says little of where it was. `began` is the onset as the window that opened it had it, by which it became part
    of an `incident` (`drift.alerts.incidents`). `notified_as` is the incident that people know it by, should late
    windows have given it another meanwhile. `cause` is that of the signal that opened it.
    """

    id: str
    monitor: str
    key: str
    kind: AlertKind
    feature: str | None
    state: State
    severity: Severity
    worst: Severity
    reason: str
    opened_window: datetime
    last_window: datetime
    opened_at: datetime
    last_seen_at: datetime
    windows: int = 1
    quiet: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    snoozed_at: datetime | None = None
    snoozed_by: str | None = None
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    resolved_window: datetime | None = None
    resolved_by: str | None = None
    notified: Severity = "none"
    notified_at: datetime | None = None
    suppressed_by: str = ""
    events: int = 0
    segment: str = ""
    inhibited_by: str = ""
    onset: Onset | None = None
    where: Where | None = None
    began: Onset | None = None
    incident: str = ""
    notified_as: str = ""
    cause: Cause = ""

    @property
    def known_as(self) -> str:
        """The incident that people know it by."""
        return self.notified_as or self.incident

    @property
    def live(self) -> bool:
        """Whether it still waits for its end: open or acknowledged."""
        return self.state != "resolved"

    @property
    def withdrawn(self) -> bool:
        """Whether its windows, evaluated again, no longer ask for it."""
        return self.state == "resolved" and self.resolved_window is None

    def snoozed(self, now: datetime) -> bool:
        """Whether somebody wants no notification of it now."""
        return self.snoozed_until is not None and now < self.snoozed_until


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line in the timeline of an alert.

    `seq` is 1, 2, 3, … within the alert; `window_start` is the window that made it happen, None for a person. `reason`
    is never empty. `suppressed_by` says why nobody was notified of it, though such a transition is news: ``maintenance:
    until 06:00: reload``. It is empty where people were, and where it is not news.
    """

    alert_id: str
    seq: int
    at: datetime
    window_start: datetime | None
    transition: Transition
    reason: str
    actor: str = SYSTEM
    suppressed_by: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """An event that people are to be notified of, with the alert as it is after it.

    `severity` decides who is notified: how bad it is, or for an end how bad people believe it to be.
    """

    alert: Alert
    event: AlertEvent
    severity: Severity


@dataclass(frozen=True, slots=True)
class Transitions:
    """The alerts that are new or changed, the events of their timelines, in order: to be written in one transaction."""

    alerts: tuple[Alert, ...] = ()
    events: tuple[AlertEvent, ...] = ()
    notices: tuple[Notice, ...] = ()


def alert_id(monitor: str, key: str, opened_window: datetime) -> str:
    """Return the id of the alert that a window opens.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> alert_id("flights", "drift:dep_delay", datetime(2013, 2, 8, 5, tzinfo=UTC))
    '40294a94b32d1845'
    """
    text = f"{monitor}\0{key}\0{opened_window.isoformat()}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def closes_after(alert: Alert, policy: Policy) -> int:
    """Return how many quiet windows in a row resolve an alert: the next answer ends that there was none."""
    return 1 if alert.kind in {"run", "not_judged"} else policy.close_after


def _step(alert: Alert | None, seen: Signal, monitor: str, policy: Policy) -> Alert | None:
    """Return the alert after one more window; `alert` is the newest of its key so far."""
    start, end = seen.window.start, seen.window.end
    if seen.state == "firing":
        severity: Severity = "critical" if seen.status == "critical" else "warning"
        if alert is None or not alert.live:
            name = alert_id(monitor, seen.key, start)
            return Alert(
                name, monitor, seen.key, seen.kind, seen.feature,
                "open", severity, severity, seen.reason, start, start, end, end,
                segment=seen.segment, inhibited_by=seen.inhibited_by, onset=seen.onset, began=seen.onset,
                where=seen.where, cause=seen.cause,
            )  # fmt: skip
        worst = max(alert.worst, severity, key=SEVERITY_RANK.__getitem__)
        return replace(
            alert,
            severity=severity,
            worst=worst,
            reason=seen.reason,
            last_window=start,
            windows=alert.windows + 1,
            quiet=0,
            onset=seen.onset or (alert.onset if alert.onset and alert.onset.kind != "single" else None),
            where=seen.where if seen.where and severity == worst else alert.where,
        )
    if alert is None or not alert.live or seen.state == "no_data":
        return alert
    if seen.state in {"pending", "lingering"}:
        return replace(alert, last_window=start, quiet=0)
    quiet = alert.quiet + 1
    alert = replace(alert, onset=_alone(alert, seen) or alert.onset)
    if quiet < closes_after(alert, policy):
        return replace(alert, last_window=start, quiet=quiet)
    return replace(alert, last_window=start, quiet=quiet, state="resolved", resolved_window=start, resolved_at=end)


def _alone(alert: Alert, after: Signal) -> Onset | None:
    """Return the opening window of an alert where the first quiet one says that what it is about was in that alone."""
    begun = alert.onset.most_likely if alert.onset else alert.opened_window
    if alert.windows > 1 or not begun == alert.opened_window == alert.last_window:
        return None
    if alert.key in _AT_ONCE or alert.key.startswith("volume:"):
        return Onset(begun, begun, begun, "single")
    # Of what is compared with a reference the reference may be what changed: only the counts themselves can say.
    single = after.onset and after.onset.kind == "single" and after.onset.most_likely == begun
    return after.onset if single else None


_AT_ONCE = frozenset({"gate", "rows", "run"})
"""Keys of alerts that say by themselves of every window whether they are about it."""


def fold(
    seen: Iterable[Signal], known: Sequence[Alert], seed: Alert | None, monitor: str, policy: Policy
) -> list[Alert]:
    """Return the alerts of one key, oldest first: its windows in order, and people's actions among them.

    An action is anchored in time by the alert it was taken on: an acknowledgement and a snooze belong to whichever
    alert now spans that one's opening, a resolution by hand stands right after the window it was given at. `known` are
    all alerts of the key, for these actions; `seed` is the alert that stands before the first window, if one does.
    """
    ended = {a.resolved_window: a for a in known if a.resolved_by is not None and a.resolved_window is not None}
    steps: list[tuple[datetime, int, Signal | Alert]] = [(o.window.start, 0, o) for o in seen]
    steps += [(start, 1, by_hand) for start, by_hand in ended.items() if seed is None or start > seed.last_window]
    found: list[Alert] = [] if seed is None else [seed]
    for start, _, step in sorted(steps, key=lambda s: s[:2]):
        alert = found[-1] if found else None
        if isinstance(step, Signal):
            after = _step(alert, step, monitor, policy)
            if after is None or after is alert:
                continue
            found[-1 if alert is not None and after.id == alert.id else len(found) :] = [after]
        elif alert is not None and alert.live:
            found[-1] = replace(
                alert,
                state="resolved",
                resolved_window=start,
                resolved_at=step.resolved_at,
                resolved_by=step.resolved_by,
            )
    return [_acted_on(alert, known) for alert in found]


def _acted_on(alert: Alert, known: Sequence[Alert]) -> Alert:
    mine = [a for a in known if alert.opened_window <= a.opened_window <= alert.last_window]
    taken = max((a for a in mine if a.acknowledged_at), key=lambda a: (a.acknowledged_at, a.id), default=None)
    if taken:
        state: State = "acknowledged" if alert.live else "resolved"
        alert = replace(
            alert, state=state, acknowledged_at=taken.acknowledged_at, acknowledged_by=taken.acknowledged_by
        )
    put_off = max((a for a in mine if a.snoozed_at), key=lambda a: (a.snoozed_at, a.id), default=None)
    if put_off:
        until = put_off.snoozed_until
        alert = replace(alert, snoozed_at=put_off.snoozed_at, snoozed_by=put_off.snoozed_by, snoozed_until=until)
    return alert
