"""Suppression: whether people are notified of an alert now, later or not at all, and why.

What people believe of an alert is the severity they were last notified of (`Alert.notified`). It is *news* that the
alert is worse than that, or over. People are notified of news once. Whatever suppresses a notification has a name,
which stands in the timeline; once it has passed, and if the news still is news, people are notified (`pending`).
So nothing is lost, and nothing is repeated but what is critical and acknowledged by nobody, all of it in one reminder.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drift.alerts import silences
from drift.alerts.rendering import named
from drift.detection.scores import SEVERITY_RANK
from drift.text.formatting import day, when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from drift.alerts.alerts import Alert, Transition
    from drift.alerts.silences import Silence
    from drift.config.alerts import AlertKind, Policy
    from drift.detection.scores import Severity
    from drift.windows import Window

BACKFILL = "backfill: it notifies nobody"
LATE = "late: it ended long ago, and newer windows were known already"
SUPERSEDED = "superseded: it ended in the same run"
INHIBITED = "inhibited"
UNHEARD = "unheard: nobody was notified that it opened"

HANDED_OVER = "handed over"

EARLY = 0.9
"""A run that comes a little early counts: this share of the repeat interval is enough."""


def _all_alike(*_: object) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Suppression:
    """What suppresses notifications at one moment: maintenance (until when and why, or empty) and silences.

    `audience` says by feature, kind and severity which routes are notified: who has heard of one alert of an incident
    knows of another only where it would have come the same way.
    """

    maintenance: str = ""
    silences: Sequence[Silence] = ()
    audience: Callable[[str | None, AlertKind, Severity], frozenset[str]] = _all_alike


@dataclass(frozen=True, slots=True)
class Moment:
    """When people are about to be notified, and by which rules.

    `window` is the start of the newest window, `every` the length of one.
    """

    now: datetime
    window: datetime
    every: timedelta
    policy: Policy
    suppression: Suppression


def is_news(alert: Alert) -> bool:
    """Whether what is so differs from what people believe: it is worse, or it is over."""
    if alert.live:
        return SEVERITY_RANK[alert.severity] > SEVERITY_RANK[alert.notified]
    return alert.notified != "none"


def is_old(window: Window, now: datetime, policy: Policy) -> bool:
    """Whether a window ended so long ago that what it says is no longer news where newer windows are known.

    That is more than a day ago, and longer than it takes quiet windows to resolve an alert (`Policy.close_after`).
    """
    return now - window.end > max(timedelta(days=1), policy.close_after * (window.end - window.start))


def suppressed_by(alert: Alert, others: Iterable[Alert], moment: Moment) -> str:
    """Say what suppresses the notification of an alert at a moment; empty where nothing does.

    That is a name, a colon and the particulars: ``silenced``, ``maintenance``, ``snoozed``, ``flapping``, ``cooldown``.
    `others` are the other alerts of its key.
    """
    if by := silences.silenced_by(moment.suppression.silences, alert, moment.now):
        return f"silenced: {by}"
    if moment.suppression.maintenance:
        return f"maintenance: {moment.suppression.maintenance}"
    # What is worse than when it was snoozed breaks the snooze; any other news of it waits.
    if alert.snoozed(moment.now) and not (alert.live and is_news(alert)):
        return snooze(alert)
    earlier = sorted((a for a in others if not a.withdrawn), key=lambda a: a.opened_window)
    return _flapping(alert, earlier, moment) or _cooling(alert, earlier, moment)


def inhibited(alert: Alert, others: Iterable[Alert], live: Mapping[str, Alert], moment: Moment) -> str:
    """Say which alert says what this one does, so that one event is one page; empty where none does.

    That is one in `live`, by key, that this alert is part of, or an earlier one of its key (among `others`) while it
    was open; or one of its incident of which the same people were notified before: the table's by the table's alone.
    What is worse than that ever was is news of its own, and so is what is still asked for once it is over.
    """
    if not alert.live:
        return ""
    wholes = [live.get(alert.inhibited_by)]
    wholes += [whole for a in others if (whole := live.get(a.inhibited_by)) and whole.opened_window <= a.opened_window]
    for whole in filter(None, wholes):
        if SEVERITY_RANK[alert.severity] <= SEVERITY_RANK[whole.worst]:
            name = named(whole.kind, whole.key, whole.feature, whole.segment)
            return f"{INHIBITED}: part of the alert of {name} since {day(whole.opened_window)}"
    for mate in live.values() if is_news(alert) else ():
        known = mate.notified_at != moment.now and SEVERITY_RANK[alert.severity] <= SEVERITY_RANK[mate.notified]
        # That so many features drift is more than that some do.
        more = alert.kind == "table" and mate.kind != "table"
        if known and not more and _mates(alert, mate) and _hears(moment, mate, mate.notified, alert, alert.severity):
            name = named(mate.kind, mate.key, mate.feature, mate.segment)
            return f"{INHIBITED}: part of the incident of {name} since {day(mate.opened_window)}"
    return ""


def heir(over: Alert, live: Iterable[Alert], moment: Moment) -> Alert | None:
    """Return the alert in which the incident goes on for all who know it by one that is over; None where it does not.

    It is the worst of those that are live; one that is silenced or snoozed would say nothing of the end.
    """
    mates = [
        mate
        for mate in live
        if _mates(over, mate)
        and (mate.notified == "none" or mate.known_as == over.known_as)
        and not mate.snoozed(moment.now)
        and not silences.silenced_by(moment.suppression.silences, mate, moment.now)
        and _hears(moment, mate, over.notified, over, over.notified)
    ]
    return min(mates, key=lambda a: (-SEVERITY_RANK[a.severity], a.opened_window, a.key), default=None)


def _mates(one: Alert, other: Alert) -> bool:
    return one.id != other.id and one.incident == other.incident != ""


def _hears(moment: Moment, mate: Alert, as_bad: Severity, alert: Alert, than: Severity) -> bool:
    """Whether all who are notified of an alert are notified of its mate, each as bad as given."""
    audience = moment.suppression.audience
    return audience(alert.feature, alert.kind, than) <= audience(mate.feature, mate.kind, as_bad)


def snooze(alert: Alert) -> str:
    """Say by whom and until when an alert is snoozed."""
    until = when(alert.snoozed_until) if alert.snoozed_until else "an unknown time"
    return f"snoozed: until {until} by {alert.snoozed_by}"


def flaps(alert: Alert, others: Iterable[Alert], moment: Moment) -> str:
    """Say how often the key of an alert has opened recently, where that is too often; else empty."""
    times, policy = _openings(moment.window, [alert, *others], moment), moment.policy
    if not policy.within or times <= policy.openings:
        return ""
    return f"opened {times} times in {policy.within} windows: only what is worse is notified of until that is over"


def _openings(at: datetime, alerts: Iterable[Alert], moment: Moment) -> int:
    since = at - (moment.policy.within - 0.5) * moment.every
    return sum(not a.withdrawn and since < a.opened_window <= at for a in alerts)


def _flapping(alert: Alert, earlier: Sequence[Alert], moment: Moment) -> str:
    """Suppress what flaps, once people have been notified that it does."""
    words = flaps(alert, earlier, moment)
    if not words:
        return ""
    if not alert.live:
        return f"flapping: {words}"
    before = [a for a in earlier if a.opened_window < alert.opened_window]
    if not before or SEVERITY_RANK[alert.severity] > max(SEVERITY_RANK[a.worst] for a in before):
        return ""
    last = before[-1]
    known = last.notified_at is not None or last.suppressed_by.startswith("flapping")
    again = known and _openings(last.opened_window, before, moment) > moment.policy.openings
    return f"flapping: {words}" if again else ""


def _cooling(alert: Alert, earlier: Sequence[Alert], moment: Moment) -> str:
    """Suppress what comes back right after its end, unless it is worse or nobody had been notified of it then."""
    before = [a for a in earlier if a.resolved_window is not None and a.resolved_window < alert.opened_window]
    if not alert.live or not before or not moment.policy.cooldown:
        return ""
    last = max(before, key=lambda a: (a.resolved_window, a.id))
    over = last.resolved_window or moment.window
    if moment.window - over > (moment.policy.cooldown + 0.5) * moment.every:
        return ""
    if last.notified_at is None or SEVERITY_RANK[alert.severity] > SEVERITY_RANK[last.worst]:
        return ""
    return f"cooldown: the last alert of this ended {day(over)}, at most {moment.policy.cooldown} windows before"


def pending(alert: Alert, moment: Moment, *, live: bool) -> tuple[Transition, str] | None:
    """Return the pending notification of an alert about which nothing has changed; None where there is none.

    That is news that was suppressed, and the end of a snooze. An alert that has begun to be quiet waits for its end.

    `live` is whether `moment` is that of a run of the newest window, and not merely of the clock: only such a window,
    by asking for the alert itself, brings up what a backfill, a late window or an inhibition left without a
    notification.
    """
    if alert.live and alert.quiet:
        return None
    still = f"still {alert.severity}: {alert.reason}" if alert.live else _ended(alert)
    if is_news(alert):
        asked_again = live and (alert.last_window == moment.window or not alert.live)
        wait = alert.suppressed_by.startswith((BACKFILL, LATE, INHIBITED)) and not asked_again
        why = alert.suppressed_by and f" ({alert.suppressed_by})"
        return None if wait else ("notified", f"not notified before{why}; {still}")
    if not alert.live or alert.snoozed(moment.now):
        return None
    notified_at = alert.notified_at or datetime.min.replace(tzinfo=UTC)
    if alert.snoozed_until and notified_at < alert.snoozed_until:
        return "notified", f"the snooze by {alert.snoozed_by} is over; {still}"
    return None


def unanswered(alert: Alert, moment: Moment) -> bool:
    """Whether an alert belongs in a reminder: critical, notified earlier, and nobody has acknowledged or snoozed it."""
    known = alert.notified_at is not None and alert.notified_at != moment.now and not is_news(alert)
    return alert.state == "open" and alert.severity == "critical" and known and not alert.snoozed(moment.now)


def due(alert: Alert, moment: Moment) -> bool:
    """Whether an unanswered alert is reason for a reminder; one that has begun to be quiet waits for its end."""
    repeat, since = moment.policy.repeat, alert.notified_at
    if repeat is None or since is None or alert.quiet:
        return False
    # A time far ahead was set by a clock that was wrong.
    return abs(moment.now - since) >= EARLY * repeat


def reminder(alert: Alert) -> str:
    """Say how long nobody has answered an alert."""
    since = f" since {when(alert.notified_at)}" if alert.notified_at else ""
    return f"nobody has acknowledged it{since}; still critical: {alert.reason}"


def _ended(alert: Alert) -> str:
    if alert.withdrawn:
        return "its windows were evaluated again and no longer ask for it"
    return f"over since {day(alert.resolved_window)}" if alert.resolved_window else "over"
