"""Incidents: the alerts of one monitor that began together, so that one event is one page.

Each alert has a set of windows in which it may have begun: that of its onset, as the window that opened it had it, or
that window alone. Alerts are taken by opening window and key. One joins the incident that is not over by then and whose
shared set, which is what the sets of all members so far have in common, overlaps its own, or that opened in the same
window; else it begins one. What is noticed days late is often dated a window off, so that sets of neighbouring windows
count as overlapping; but such a member changes nothing of what is shared. So nothing is chained: two events are not one
because a third, vaguely dated alert fits both. Where alerts of the first window share nothing, there is a set for each
of their dates.

An alert's incident rests on what was said up to the window that opened it, and on nothing later: however onsets are
refined, an incident keeps its members and its id, that of the alert that began it. Where a late window changes who
began it, `drift.alerts.alerts.Alert.notified_as` keeps the id that people know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drift.alerts.rendering import named, plain
from drift.alerts.signals import TABLE
from drift.detection.onset import Onset, together
from drift.detection.scores import SEVERITY_RANK
from drift.text.formatting import many

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drift.alerts.alerts import Alert, State
    from drift.alerts.circumstances import Event
    from drift.alerts.signals import Signal
    from drift.detection.scores import Severity
    from drift.windows import Calendar, Window

_STEP = 1.5
"""In lengths of a window, more than lies between the starts of neighbours, and less than between every other one's:
whatever the window, though months and the days of clock changes differ in length."""


@dataclass(slots=True)
class _Begun:
    """An incident while alerts are taken in.

    `shared` is what its members share: one set, or several where some that opened in its first window share nothing.
    """

    id: str
    shared: list[Onset]
    opened: datetime
    until: datetime

    def fit(self, own: Onset, slack: timedelta = timedelta()) -> tuple[timedelta, int] | None:
        """Return how far the nearest set that a new alert's overlaps is, by the most likely window, and its place."""
        found = ((abs(each.most_likely - own.most_likely), i) for i, each in enumerate(self.shared))
        return min((one for one in found if _overlap(self.shared[one[1]], own, slack)), default=None)

    def add(self, own: Onset, opened: datetime) -> None:
        """Narrow the set that a new member overlaps."""
        if place := self.fit(own):
            self.shared[place[1]] = _common(self.shared[place[1]], own)
        elif opened == self.opened:
            self.shared.append(own)


def grouped(alerts: Iterable[Alert], window: Window) -> dict[str, str]:
    """Return the incident of each alert that opened in a window or later, by the alert's id.

    `alerts` are all that were in play since the earliest window in which one of those may have begun (`reach`). Those
    that opened before keep their incidents: they do not depend on what opened later.
    """
    begun: dict[str, _Begun] = {}
    newest: dict[str, str] = {}
    found: dict[str, str] = {}
    for alert in sorted((a for a in alerts if not a.withdrawn), key=_order):
        own, part_of = _began(alert), newest.get(alert.inhibited_by)
        if alert.opened_window < window.start:
            incident = alert.incident
        else:
            incident = found[alert.id] = part_of or _joined(alert, begun.values(), _slack(window)) or alert.id
        newest[alert.key] = incident
        until = datetime.max.replace(tzinfo=UTC) if alert.live else alert.last_window
        if incident == alert.id:
            begun[incident] = _Begun(incident, [own], alert.opened_window, until)
        elif there := begun.get(incident):
            there.until = max(there.until, until)
            if not part_of:
                there.add(own, alert.opened_window)
    return found


def reach(alerts: Iterable[Alert], signals: Iterable[Signal], window: Window) -> datetime:
    """Return from when on an incident may be joined by anything that opens in a window or later."""
    begun = [a.began for a in alerts if a.began and a.opened_window >= window.start]
    begun += [s.onset for s in signals if s.onset and s.state == "firing"]
    return min([window.start, *(each.earliest - _slack(window) for each in begun)])


def _order(alert: Alert) -> tuple[datetime, bool, bool, str]:
    """By opening window; in one window a whole before its parts."""
    return alert.opened_window, bool(alert.segment), not alert.key.startswith(TABLE), alert.key


def _began(alert: Alert) -> Onset:
    opened = alert.opened_window
    return alert.began or Onset(opened, opened, opened)


def _joined(alert: Alert, begun: Iterable[_Begun], slack: timedelta) -> str | None:
    """Return the incident that an alert fits, the nearest by its most likely window; of those as near the oldest."""
    own, opened = _began(alert), alert.opened_window
    live = [each for each in begun if each.until >= opened]
    # What has no date of its own begins when it opens: there is nothing to be off.
    allowed = slack if alert.began else timedelta()
    fits = [(fit[0], i) for i, each in enumerate(live) if (fit := each.fit(own, allowed))]
    fits = fits or [(timedelta(), i) for i, each in enumerate(live) if each.opened == opened]
    return live[min(fits)[1]].id if fits else None


def _slack(window: Window) -> timedelta:
    return _STEP * (window.end - window.start)


def _overlap(one: Onset, other: Onset, slack: timedelta) -> bool:
    return one.earliest <= other.latest + slack and other.earliest <= one.latest + slack


def _common(one: Onset, other: Onset) -> Onset:
    """Return what two sets that overlap share."""
    first, last = max(one.earliest, other.earliest), min(one.latest, other.latest)
    return replace(one, earliest=first, latest=last, most_likely=min(max(one.most_likely, first), last))


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts of one monitor that began together.

    Parameters
    ----------
    id
        By which people know it: that of the alert that began it.
    alerts
        Its members, in the order of their evidence.
    elsewhere
        Incidents of monitors that share its source or an upstream asset, in words:
        ``weather: 2 features since 2013-02-08``.
    events
        What else happened then.
    ends
        Why each of its alerts is over, by the alert's id; of an incident that is over.
    """

    id: str
    alerts: tuple[Alert, ...]
    elsewhere: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    ends: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def monitor(self) -> str:
        """The monitor of its alerts."""
        return self.alerts[0].monitor

    def ranked(self, worst: Sequence[str] = ()) -> Incident:
        """Return it with its alerts by evidence: `worst` are its features, the one that drifts most first."""
        order = {feature: place for place, feature in enumerate(worst)}

        def rank(alert: Alert) -> tuple[bool, int, int, str]:
            return not alert.live, -SEVERITY_RANK[alert.severity], order.get(alert.feature or "", len(order)), alert.key

        return replace(self, alerts=tuple(sorted(self.alerts, key=rank)))

    @property
    def asked(self) -> tuple[Alert, ...]:
        """Its alerts but for those that were withdrawn; all where all were."""
        return tuple(alert for alert in self.alerts if not alert.withdrawn) or self.alerts

    @property
    def live(self) -> bool:
        """Whether any of its alerts is not over."""
        return any(alert.live for alert in self.alerts)

    @property
    def severity(self) -> Severity:
        """The worst of its alerts that are live; of one that is over the worst it ever was."""
        live = [alert.severity for alert in self.alerts if alert.live]
        return max(live or [alert.worst for alert in self.alerts], key=SEVERITY_RANK.__getitem__)

    @property
    def state(self) -> State:
        """Open while any of its alerts is, acknowledged while any goes on, resolved when all are."""
        states = {alert.state for alert in self.alerts}
        return "open" if "open" in states else "acknowledged" if "acknowledged" in states else "resolved"

    @property
    def opened(self) -> datetime:
        """The window that opened the first of its alerts."""
        return min(alert.opened_window for alert in self.alerts)

    def about(self, calendar: Calendar) -> tuple[datetime, datetime]:
        """Return the time that it may have begun in, to the end of the window that opened it: ``[since, until)``."""
        return self.onset.earliest, calendar.containing(max(self.onset.latest, self.opened)).end

    @property
    def onset(self) -> Onset:
        """Since when: what the sets of all its alerts share, as they are known now; if nothing, what any holds."""
        dated = [alert.onset or _began(alert) for alert in self.asked]
        return together(dated) or dated[0]

    def words(self, calendar: Calendar) -> str:
        """Say since when and what, in one line: ``since 2013-02-08: 3 features; fewer rows``."""
        return f"{self.onset.words(calendar)}: {self.what}"

    @property
    def what(self) -> str:
        """What it is about: features together that one thing explains, then what else alerted."""
        alerts = self.asked
        whole = {a.feature for a in alerts if a.kind == "drift" and not a.segment}
        drift = [a for a in alerts if a.kind == "drift" and not (a.segment and a.feature in whole)]
        parts = [_features(why, mine) for why, mine in _explained(drift).items()]
        rest = [a for a in alerts if a.kind != "drift" and (a.kind != "table" or not drift)]
        return "; ".join([*parts, *dict.fromkeys(named(a.kind, a.key, a.feature, a.segment) for a in rest)])


def known(alerts: Iterable[Alert]) -> list[Incident]:
    """Return the incidents of some alerts, the oldest first, each under the id that people know."""
    taken = sorted(alerts, key=lambda a: (a.opened_window, a.id))
    ids = {a.incident: a.incident for a in taken} | {a.incident: a.notified_as for a in taken[::-1] if a.notified_as}
    found: dict[str, list[Alert]] = {}
    for alert in taken:
        found.setdefault(alert.notified_as or ids[alert.incident], []).append(alert)
    return [Incident(name, tuple(mine)).ranked() for name, mine in found.items()]


def _explained(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """Return alerts of features by what explains them: the slice of rows that most of them share, or missing values.

    What no slice explains may be alike in all.
    """
    slices = {a.id: {each.name for each in a.where.slices if not each.alike} if a.where else set() for a in alerts}
    found: dict[str, list[Alert]] = {}
    rest = list(alerts)
    while names := Counter(name for alert in rest for name in slices[alert.id]):
        name = max(names, key=lambda each: (names[each], each))
        found[f"in {name}"] = [alert for alert in rest if name in slices[alert.id]]
        rest = [alert for alert in rest if name not in slices[alert.id]]
    for alert in rest:
        whys = "because of missing values" if alert.cause else "", alert.where.alike if alert.where else ""
        found.setdefault(", ".join(filter(None, whys)), []).append(alert)
    return found


def _features(why: str, alerts: Sequence[Alert]) -> str:
    features = dict.fromkeys(named(a.kind, a.key, a.feature, a.segment) for a in alerts)
    names = next(iter(features)) if len(features) == 1 else many(len(features), "feature")
    return f"{names}, {'all ' * (len(features) > 1)}{plain(why, limit=120)}" if why else names
