"""Telling: what people believe, what is so, and why the difference is told now, later or not at all.

What people believe of an alert is the severity they were told last (`Alert.told`). It is *news* that it is worse than
that, or over. News is told once. What keeps it from being told has a name, which stands in the diary; where that passes
and the news still is news, it is told then (`owed`). So nothing is lost, and nothing that is known is told again, but
for what is critical and nobody has acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drift.alerts import silences
from drift.detection.scores import SEVERITY_RANK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.alerts.alerts import Alert, Transition
    from drift.alerts.silences import Silence
    from drift.config.alert_policy import Policy

BACKFILL = "backfill: nobody is told of one"
LATE = "late: newer windows were known already"
SUPERSEDED = "superseded: it ended in the same run"
UNHEARD = "unheard: nobody was told of its beginning"

EARLY = 0.9
"""A run that comes a little early counts: this share of the repeat interval is enough."""


@dataclass(frozen=True, slots=True)
class Hush:
    """What keeps people from being told of alerts at one moment, whatever the alert.

    Parameters
    ----------
    maintenance
        Until when there is maintenance, and why; empty outside of any.
    silences
        What people muted.
    """

    maintenance: str = ""
    silences: Sequence[Silence] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is about to be told, and by which rules.

    Parameters
    ----------
    now
        The clock's time, aware.
    window
        Start of the newest window.
    every
        Length of a window.
    policy, hush
    """

    now: datetime
    window: datetime
    every: timedelta
    policy: Policy
    hush: Hush


def is_news(alert: Alert) -> bool:
    """Whether what is so differs from what people believe: it is worse, or it is over."""
    if alert.live:
        return SEVERITY_RANK[alert.severity] > SEVERITY_RANK[alert.told]
    return alert.told != "none"


def kept(alert: Alert, others: Iterable[Alert], moment: Moment) -> str:
    """Say what keeps news of an alert from being told at a moment; empty where nothing does.

    Parameters
    ----------
    alert
    others
        The other alerts of its key.
    moment

    Returns
    -------
    str
        A name, a colon and the particulars: ``muted``, ``maintenance``, ``snoozed``, ``flapping``, ``cooldown``.
    """
    if muted := silences.muting(moment.hush.silences, alert, moment.now):
        return f"muted: {muted}"
    if moment.hush.maintenance:
        return f"maintenance: {moment.hush.maintenance}"
    # What is worse than when it was snoozed breaks the snooze; whatever else there is to tell of it waits.
    if alert.snoozed(moment.now) and not (alert.live and is_news(alert)):
        return snooze(alert)
    earlier = sorted((a for a in others if not a.withdrawn), key=lambda a: a.opened_window)
    return _flapping(alert, earlier, moment) or _cooling(alert, earlier, moment)


def snooze(alert: Alert) -> str:
    """Say by whom and until when an alert is snoozed."""
    until = f"{alert.snoozed_until:%Y-%m-%d %H:%M %Z}" if alert.snoozed_until else "nobody knows when"
    return f"snoozed: until {until} by {alert.snoozed_by}"


def flaps(alert: Alert, others: Iterable[Alert], moment: Moment) -> str:
    """Say how often the key of an alert opened of late, where that is too often; else empty."""
    times, policy = _openings(moment.window, [alert, *others], moment), moment.policy
    if not policy.within or times <= policy.openings:
        return ""
    return f"opened {times} times in {policy.within} windows: until that is over, only what is worse is told"


def _openings(at: datetime, alerts: Iterable[Alert], moment: Moment) -> int:
    since = at - (moment.policy.within - 0.5) * moment.every
    return sum(not a.withdrawn and since < a.opened_window <= at for a in alerts)


def _flapping(alert: Alert, earlier: Sequence[Alert], moment: Moment) -> str:
    """Keep what flaps, once people have been told that it does."""
    words = flaps(alert, earlier, moment)
    if not words:
        return ""
    if not alert.live:
        return f"flapping: {words}"
    before = [a for a in earlier if a.opened_window < alert.opened_window]
    if not before or _worse(alert, before):
        return ""
    last = before[-1]
    known = last.told_at is not None or last.untold.startswith("flapping")
    if known and _openings(last.opened_window, before, moment) > moment.policy.openings:
        return f"flapping: {words}"
    return ""


def _cooling(alert: Alert, earlier: Sequence[Alert], moment: Moment) -> str:
    """Keep what comes back right after its end, unless it comes back worse, or nobody had been told of it then."""
    before = [a for a in earlier if a.resolved_window is not None and a.resolved_window < alert.opened_window]
    if not alert.live or not before or not moment.policy.cooldown:
        return ""
    last = max(before, key=lambda a: (a.resolved_window, a.id))
    over = last.resolved_window or moment.window
    if moment.window - over > (moment.policy.cooldown + 0.5) * moment.every:
        return ""
    if last.told_at is None or SEVERITY_RANK[alert.severity] > SEVERITY_RANK[last.worst]:
        return ""
    return f"cooldown: the last alert of this ended {over:%Y-%m-%d}, at most {moment.policy.cooldown} windows before"


def _worse(alert: Alert, before: Sequence[Alert]) -> bool:
    return SEVERITY_RANK[alert.severity] > max(SEVERITY_RANK[a.worst] for a in before)


def owed(alert: Alert, moment: Moment, *, live: bool) -> tuple[Transition, str] | None:
    """Return what people have to be told of an alert though nothing about it has changed; None for nothing.

    That is news that was kept from them, the end of a snooze, and what is critical and nobody has acknowledged for so
    long. What has begun to be quiet waits for its end.

    Parameters
    ----------
    alert, moment
    live
        Whether `moment` is that of a run of the newest window, and not merely of the clock: only such a window, by
        asking for the alert itself, brings up what a backfill or a late window left untold.
    """
    if alert.live and alert.quiet:
        return None
    still = f"still {alert.severity}: {alert.reason}" if alert.live else _ended(alert)
    if is_news(alert):
        asked_again = live and (alert.last_window == moment.window or not alert.live)
        wait = alert.untold in {BACKFILL, LATE} and not asked_again
        return None if wait else ("told", f"not told before{alert.untold and f' ({alert.untold})'}; {still}")
    if not alert.live or alert.snoozed(moment.now):
        return None
    told_at = alert.told_at or datetime.min.replace(tzinfo=UTC)
    if alert.snoozed_until and told_at < alert.snoozed_until:
        return "told", f"the snooze by {alert.snoozed_by} is over; {still}"
    if alert.state == "open" and alert.severity == "critical" and alert.told_at and _due(told_at, moment):
        return "repeated", f"nobody has acknowledged it since {told_at:%Y-%m-%d %H:%M} UTC; {still}"
    return None


def _due(told_at: datetime, moment: Moment) -> bool:
    repeat = moment.policy.repeat
    return repeat is not None and moment.now - told_at >= EARLY * repeat


def _ended(alert: Alert) -> str:
    if alert.withdrawn:
        return "its windows were evaluated again and no longer ask for it"
    return f"over since {alert.resolved_window:%Y-%m-%d}" if alert.resolved_window else "over"
