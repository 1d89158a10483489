"""Incidents: the alerts of one monitor that began together, so that one event is one page.

Each alert has a set of windows in which it may have begun: that of its onset, as the window that opened it had it, or
that window alone. Alerts are taken by opening window and key. One joins the incident that is not over by then and whose
shared set, which is what the sets of all members so far have in common, overlaps its own, or that opened in the same
window; else it begins one. So nothing is chained: two events are not one because a third, vaguely dated alert fits
both.

An alert's incident rests on what was said up to the window that opened it, and on nothing later: however onsets are
refined, an incident keeps its members and its id, that of the alert that began it. Where a late window changes who
began it, `drift.alerts.alerts.Alert.notified_as` keeps the id that people know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from drift.alerts.signals import TABLE
from drift.detection.onset import Onset

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from drift.alerts.alerts import Alert
    from drift.alerts.signals import Signal


@dataclass(slots=True)
class _Begun:
    """An incident while alerts are taken in: what its members share, when it opened, and until when it is live."""

    id: str
    shared: Onset
    opened: datetime
    until: datetime

    def likely(self, own: Onset) -> timedelta:
        """How far its most likely window is from that of an alert."""
        return abs(self.shared.most_likely - own.most_likely)


def grouped(alerts: Iterable[Alert], since: datetime) -> dict[str, str]:
    """Return the incident of each alert that opened at `since` or later, by the alert's id.

    `alerts` are all that were in play since the earliest window in which one of those may have begun (`reach`). Those
    that opened before `since` keep their incidents: they do not depend on what opened later.
    """
    begun: dict[str, _Begun] = {}
    newest: dict[str, str] = {}
    found: dict[str, str] = {}
    for alert in sorted((a for a in alerts if not a.withdrawn), key=_order):
        own, part_of = _began(alert), newest.get(alert.inhibited_by)
        if alert.opened_window < since:
            incident = alert.incident
        else:
            incident = found[alert.id] = part_of or _joined(alert.opened_window, own, begun.values()) or alert.id
        newest[alert.key] = incident
        until = datetime.max.replace(tzinfo=UTC) if alert.live else alert.last_window
        if incident == alert.id:
            begun[incident] = _Begun(incident, own, alert.opened_window, until)
        elif known := begun.get(incident):
            known.until = max(known.until, until)
            known.shared = known.shared if part_of else _common(known.shared, own)
    return found


def reach(alerts: Iterable[Alert], signals: Iterable[Signal], since: datetime) -> datetime:
    """Return the earliest window in which anything that opens at `since` or later may have begun."""
    begun = [_began(a).earliest for a in alerts if a.opened_window >= since]
    return min([since, *begun, *(s.onset.earliest for s in signals if s.onset and s.state == "firing")])


def _order(alert: Alert) -> tuple[datetime, bool, bool, str]:
    """By opening window; in one window a whole before its parts."""
    return alert.opened_window, bool(alert.segment), not alert.key.startswith(TABLE), alert.key


def _began(alert: Alert) -> Onset:
    opened = alert.opened_window
    return alert.began or Onset(opened, opened, opened)


def _joined(opened: datetime, own: Onset, begun: Iterable[_Begun]) -> str | None:
    """Return the incident that an alert fits, the nearest by its most likely window; of those as near the oldest."""
    live = [each for each in begun if each.until >= opened]
    fits = [each for each in live if _overlap(each.shared, own)] or [each for each in live if each.opened == opened]
    return min(fits, key=lambda each: each.likely(own)).id if fits else None


def _overlap(one: Onset, other: Onset) -> bool:
    return one.earliest <= other.latest and other.earliest <= one.latest


def _common(one: Onset, other: Onset) -> Onset:
    """Return what two sets share; the first where that is nothing."""
    if not _overlap(one, other):
        return one
    first, last = max(one.earliest, other.earliest), min(one.latest, other.latest)
    return replace(one, earliest=first, latest=last, most_likely=min(max(one.most_likely, first), last))
