"""The lifecycle of alerts: what one more window changes, which event says so, and whether people are notified.

A pure function of the alerts known, what windows say, the policy and the clock. What stands afterwards is a fold over
all windows in the order of their time (`drift.alerts.alerts.fold`), whatever the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drift.alerts import incidents
from drift.alerts import suppression as rules
from drift.alerts.alerts import NEWS, Alert, AlertEvent, Notice, Transition, Transitions, closes_after, fold
from drift.alerts.signals import TABLE, Signal
from drift.alerts.suppression import (
    BACKFILL,
    HANDED_OVER,
    LATE,
    SUPERSEDED,
    UNHEARD,
    Moment,
    Suppression,
    flaps,
    is_news,
    is_old,
)
from drift.config.alerts import Policy
from drift.detection.scores import SEVERITY_RANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta

    from drift.windows import Window

Changes = list[tuple[Transition, str]]


def history_start(alerts: Iterable[Alert], window: Window) -> datetime:
    """Return from where `advance` needs earlier and later reports to put `window` in its place.

    For a window newer than everything known that is its own start: no history is needed.
    """
    start = window.start
    known = list(alerts)
    while (earlier := min((a.opened_window for a in known if a.last_window >= start), default=start)) < start:
        start = earlier
    return start


def reaching(in_play: Callable[[datetime], list[Alert]], window: Window) -> tuple[list[Alert], datetime]:
    """Return the alerts that have to be folded again with `window`, and from where on.

    `in_play` gives those that are in play since an instant. What was there when one of them opened is folded with it:
    a whole is not over before its parts are, however long ago these ended.
    """
    since = window.start
    known = in_play(since)
    while (start := history_start(known, window)) < since:
        since, known = start, in_play(start)
    return known, since


def as_of(alerts: Iterable[Alert], window: Window, ahead: datetime) -> list[Alert]:
    """Return the alerts as they stood without the windows that start at `ahead` or later, which lie in the future.

    One that only these windows opened is left out; one that they reached is to be folded again from `window`, at the
    latest.
    """
    known = [a for a in alerts if a.opened_window < ahead]
    return [replace(a, last_window=max(window.start, a.opened_window)) if a.last_window >= ahead else a for a in known]


def advance(
    alerts: Iterable[Alert],
    signals: Iterable[Signal],
    *,
    monitor: str,
    now: datetime,
    policy: Policy | None = None,
    history: Iterable[Signal] = (),
    page: bool = True,
    suppression: Suppression | None = None,
) -> Transitions:
    """Bring all alerts of a monitor up to date with what one or more windows say.

    Windows are taken in the order of time; one already known replaces what it said before. Opening obeys the status
    that detection gave (persistence included); a window that says nothing (too few rows, not comparable, an error, no
    row at all) neither opens nor closes.

    `history` are the signals of the other windows since `history_start`, needed for a window that is repeated or late;
    without it such a window changes nothing that is already known. `page` is false where nobody is to be notified: a
    backfill notifies nobody, and neither does a window that ended long ago (`drift.alerts.suppression.is_old`) where
    newer ones are known.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from drift.alerts.signals import Signal
    >>> from drift.windows import Calendar
    >>> window = Calendar("1d").starting(datetime(2013, 2, 8))
    >>> bad = Signal(window, "drift:dep_delay", "drift", "dep_delay", "critical", "critical", "KL 1.28 nats")
    >>> done = advance([], [bad], monitor="flights", now=datetime(2013, 2, 9, tzinfo=UTC))
    >>> done.alerts[0].state, done.events[0].transition, len(done.notices)
    ('open', 'opened', 1)
    >>> advance(done.alerts, [bad], monitor="flights", now=datetime(2013, 2, 9, 1, tzinfo=UTC)).events
    ()
    """
    windows: dict[datetime, dict[str, Signal]] = {}
    for said in history:
        windows.setdefault(said.window.start, {})[said.key] = said
    fresh: dict[datetime, dict[str, Signal]] = {}
    for said in signals:
        fresh.setdefault(said.window.start, {})[said.key] = said
    book = _Book(monitor, policy or Policy(), suppression or Suppression(), now, windows, {a.id: a for a in alerts})
    for start in sorted(fresh):
        windows[start] = fresh[start]
        newest = max(start, *windows, *(a.last_window for a in book.alerts.values())) == start
        news = newest or not is_old(next(iter(fresh[start].values())).window, now, book.policy)
        book.take(start, "" if page and news else LATE if page else BACKFILL)
    return book.transitions


def forget(
    alerts: Iterable[Alert],
    window: Window,
    *,
    monitor: str,
    now: datetime,
    by: str,
    policy: Policy | None = None,
    history: Iterable[Signal] = (),
) -> tuple[Transitions, tuple[Alert, ...]]:
    """Fold the alerts that a window took part in as if it had never been, and return those that rested on it too.

    Nobody is notified: whoever deletes a window knows. An alert that goes on without the window that opened it has
    another id; what people know of it, and did about it, goes over.
    """
    windows: dict[datetime, dict[str, Signal]] = {window.start: {}}
    for said in history:
        windows.setdefault(said.window.start, {})[said.key] = said
    book = _Book(monitor, policy or Policy(), Suppression(), now, windows, {a.id: a for a in alerts})
    gone: list[Alert] = []
    keys = {a.key: a.segment for a in book.alerts.values() if a.opened_window <= window.start <= a.last_window}
    for key in _parts_first(keys):
        before, after = book.fold(key)
        ids = {a.id for a in after}
        lost = [a for a in before if a.id not in ids]
        gone += lost
        for old, new in book.chronicled(before, after):
            if new.id not in ids or new == old:
                continue
            spans = (a for a in lost if a.opened_window <= new.opened_window <= a.last_window)
            before_it = next(spans, None) if old is None else None
            why = f"window {window} was deleted by {by}" + (f"; it was alert {before_it.id}" if before_it else "")
            book.rewrite(_inherits(new, before_it) if before_it else new, why, by)
        book.alerts = {i: a for i, a in book.alerts.items() if a not in lost}
    for moved in book.regrouped(window):
        if book.alerts[moved.id].incident:
            book.rewrite(moved, f"window {window} was deleted by {by}: {_moved(moved)}", by)
        else:
            book.alerts[moved.id] = moved
    return book.transitions, tuple(gone)


def _inherits(new: Alert, gone: Alert) -> Alert:
    """Return an alert with what people know of the one it continues, and did about it."""
    return replace(
        new,
        state=gone.state if new.live and gone.live else new.state,
        opened_at=gone.opened_at,
        notified=gone.notified,
        notified_at=gone.notified_at,
        notified_as=gone.known_as,
        acknowledged_at=gone.acknowledged_at,
        acknowledged_by=gone.acknowledged_by,
        snoozed_at=gone.snoozed_at,
        snoozed_by=gone.snoozed_by,
        snoozed_until=gone.snoozed_until,
    )


def remind(
    alerts: Iterable[Alert],
    *,
    monitor: str,
    now: datetime,
    every: timedelta,
    policy: Policy | None = None,
    suppression: Suppression | None = None,
) -> Transitions:
    """Find what people have to be notified of by the clock alone: what is no longer suppressed, or not acknowledged.

    `alerts` are all that are known of the monitor, `every` is the length of its windows.
    """
    book = _Book(monitor, policy or Policy(), suppression or Suppression(), now, {}, {a.id: a for a in alerts})
    book.notify_pending(Moment(now, now - every, every, book.policy, book.suppression), None)
    return book.transitions


@dataclass
class _Book:
    """The signals of each window and every alert while windows are taken in, and what came of it."""

    monitor: str
    policy: Policy
    suppression: Suppression
    now: datetime
    windows: dict[datetime, dict[str, Signal]]
    alerts: dict[str, Alert]
    events: list[AlertEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    changed: dict[str, None] = field(default_factory=dict)

    @property
    def transitions(self) -> Transitions:
        """What came of it."""
        return Transitions(tuple(self.alerts[i] for i in self.changed), tuple(self.events), tuple(self.notices))

    def take(self, start: datetime, suppressed_by: str) -> None:
        """Put one window in its place; `suppressed_by` says why it notifies nobody, if so."""
        signals = self.windows[start]
        window = next(iter(signals.values())).window
        moment = Moment(self.now, start, window.end - window.start, self.policy, self.suppression)
        first = min(self.windows)
        keys = {a.key: a.segment for a in self.alerts.values() if a.live or a.last_window >= first} | {
            o.key: o.segment for o in signals.values() if o.state == "firing"
        }
        written: dict[str, tuple[Changes, str | None]] = {}
        for key in _parts_first(keys):
            before, after = self.fold(key)
            for old, new in self.chronicled(before, after):
                if changes := self._changes(old, new, window, signals.get(key)):
                    written[new.id] = changes, _heir(old, after) if old else None
                    self.alerts[new.id] = new
        for moved in self.regrouped(window) if written else ():
            changes, heir = written.get(moved.id, ([], None))
            if self.alerts[moved.id].incident:
                changes = [*changes, ("updated", _moved(moved))]
            written[moved.id] = changes, heir
            self.alerts[moved.id] = moved
        # What is over is handed over to what goes on, as that is by then.
        for alert_id, (changes, heir) in sorted(written.items(), key=lambda each: not self.alerts[each[0]].live):
            self._write(self.alerts[alert_id], changes, moment, suppressed_by, heir=heir)
        if not suppressed_by:
            self.notify_pending(moment, start)

    # -- what is so

    def _of_key(self, key: str) -> list[Signal]:
        """The signals of a key, window by window.

        A changed column, or relationship, that is no longer reported has changed back; one that could not be judged is
        judged once it has been.
        """
        found = []
        for start in sorted(self.windows):
            said = self.windows[start]
            if key in said:
                found.append(self._outlasted(said[key], said))
            elif (kind := key.partition(":")[0]) in {"schema", "relationship"} and kind in said:
                found.append(replace(said[kind], key=key, feature=key.partition(":")[2], reason="as before"))
            elif key.startswith("not_judged:") and f"drift:{key.removeprefix('not_judged:')}" in said:
                drift = said[f"drift:{key.removeprefix('not_judged:')}"]
                if drift.state != "no_data":
                    found.append(Signal(drift.window, key, "not_judged", drift.feature, "none", "ok", "judged again"))
        return found

    def _outlasted(self, seen: Signal, said: Mapping[str, Signal]) -> Signal:
        """Return a signal that is not quiet before the alerts that are part of its own are."""
        start = seen.window.start
        parts = {
            a.key
            for a in self.alerts.values()
            if a.inhibited_by == seen.key
            and a.opened_window <= start
            and (a.live or a.last_window >= start)
            and not a.withdrawn
        }
        last = sorted(key for key in parts if key in said and said[key].state != "quiet")
        if not last or seen.state != "quiet":
            return seen
        names = ", ".join(last[:3]) + (", …" if len(last) > 3 else "")
        return replace(seen, lingering=f"not all that was part of it is quiet: {names}")

    def fold(self, key: str) -> tuple[list[Alert], list[Alert]]:
        """Return the alerts of a key as they are known, and as they should be, from the first known window on."""
        mine = [a for a in self.alerts.values() if a.key == key]
        valid = [a for a in mine if not a.withdrawn]
        first = min(self.windows)
        seen = self._of_key(key)
        touched = [a for a in valid if a.last_window >= first]
        if all(a.opened_window >= first and a.last_window in self.windows for a in touched):
            before = touched
        else:
            # The history given does not reach back far enough to fold again: only what is newer counts.
            before, frontier = [], max(a.last_window for a in valid)
            seen = [o for o in seen if o.window.start > frontier]
        seed = next((a for a in valid if a.live and a not in before), None)
        after = fold(seen, mine, seed, self.monitor, self.policy)
        return [*before, *([seed] if seed else [])], after

    def chronicled(self, before: list[Alert], after: list[Alert]) -> list[tuple[Alert | None, Alert]]:
        """Pair every alert as it was with itself as it is; one that became part of another hands its history on."""
        there = {a.id for a in after}
        pairs: list[tuple[Alert | None, Alert]] = []
        beliefs: dict[str, Alert] = {}
        for gone in (a for a in before if a.id not in there):
            ended = replace(gone, state="resolved", resolved_window=None, resolved_at=self.now)
            heir = _heir(gone, after)
            if heir and gone.notified != "none":
                beliefs[heir] = gone
                ended = replace(ended, notified="none", suppressed_by="")
            pairs.append((gone, ended))
        for alert in after:
            old, known = self.alerts.get(alert.id), beliefs.get(alert.id)
            same = old is not None and not old.withdrawn and old.last_window == alert.last_window
            seen_at = old.last_seen_at if old and same else self.now
            new = replace(
                alert,
                events=old.events if old else 0,
                opened_at=old.opened_at if old else self.now,
                last_seen_at=seen_at,
                resolved_at=_resolved_at(old, alert, self.now),
                notified=old.notified if old else "none",
                notified_at=old.notified_at if old else None,
                notified_as=old.notified_as if old else "",
                incident=old.incident if old else "",
                suppressed_by=old.suppressed_by if old else "",
            )
            if known and SEVERITY_RANK[known.notified] > SEVERITY_RANK[new.notified]:
                new = replace(new, notified=known.notified, notified_at=known.notified_at, notified_as=known.known_as)
            pairs.append((old, new))
        return pairs

    def _changes(self, old: Alert | None, new: Alert, window: Window, says: Signal | None) -> Changes:
        """Name every transition between two states of an alert, each with its reason; none where nothing changed."""
        same = old is not None and not old.withdrawn
        if new == old:
            return []
        if same and old is not None and window.start != new.last_window and replace(new, reason=old.reason) == old:
            # Only words of another window differ: a stored report says less than a fresh one.
            return []
        return _name(old, new, says, self.policy)

    def regrouped(self, window: Window) -> list[Alert]:
        """Return the alerts whose incident is another one than it was, among those opened in a window or later."""
        found = incidents.grouped(self.alerts.values(), window)
        return [replace(self.alerts[i], incident=name) for i, name in found.items() if self.alerts[i].incident != name]

    # -- who is notified

    def _write(self, alert: Alert, changes: Changes, moment: Moment, suppressed_by: str, *, heir: str | None) -> None:
        """Add events; people are notified of the last one that is news, unless something suppresses that."""
        news = [i for i, (transition, _) in enumerate(changes) if transition in NEWS]
        others = self._others(alert)
        for i, (transition, reason) in enumerate(changes):
            if i not in news:
                alert = self._line(alert, moment.window, transition, reason)
            elif i != news[-1]:
                alert = self._line(alert, moment.window, transition, reason, SUPERSEDED)
            elif not is_news(alert):
                alert = self._line(alert, moment.window, transition, reason, _no_news(alert, heir))
            elif words := self._handed_over(alert, moment):
                alert = self._line(alert, moment.window, transition, reason, words)
                alert = replace(alert, notified="none", suppressed_by="")
            elif why := suppressed_by or self._suppressed_by(alert, others, moment):
                alert = replace(self._line(alert, moment.window, transition, reason, why), suppressed_by=why)
            elif transition in {"opened", "reopened"} and (words := flaps(alert, others, moment)):
                instead = "flapping: people are notified of that instead"
                alert = self._line(alert, moment.window, transition, reason, instead)
                alert = self._notify(alert, moment.window, "flapping", f"{words}; {reason}")
            else:
                alert = self._notify(alert, moment.window, transition, reason)
        self.alerts[alert.id] = alert
        self.changed[alert.id] = None

    def notify_pending(self, moment: Moment, window: datetime | None) -> None:
        """Notify people of what is no longer suppressed, and of critical alerts that nobody has acknowledged."""
        unanswered = []
        for alert in sorted(self.alerts.values(), key=lambda a: (a.key, a.opened_window, a.id)):
            found = rules.pending(alert, moment, live=window is not None)
            if not found and not rules.unanswered(alert, moment):
                continue
            if words := self._handed_over(alert, moment):
                self.alerts[alert.id] = replace(
                    self._line(alert, window, "updated", words), notified="none", suppressed_by=""
                )
                self.changed[alert.id] = None
                continue
            if self._suppressed_by(alert, self._others(alert), moment):
                continue
            if found:
                self._bring_up(alert, window, *found)
            else:
                unanswered.append(alert)
        # One reminder of everything, so that what began on different days does not come on different days.
        if any(rules.due(alert, moment) for alert in unanswered):
            for alert in unanswered:
                self._bring_up(alert, window, "repeated", rules.reminder(alert))

    def _bring_up(self, alert: Alert, window: datetime | None, transition: Transition, reason: str) -> None:
        self.alerts[alert.id] = self._notify(alert, window, transition, reason)
        self.changed[alert.id] = None

    def _suppressed_by(self, alert: Alert, others: list[Alert], moment: Moment) -> str:
        live = {a.key: a for a in self.alerts.values() if a.live}
        return rules.inhibited(alert, others, live, moment) or rules.suppressed_by(alert, others, moment)

    def _handed_over(self, over: Alert, moment: Moment) -> str:
        """Let another alert of its incident, if one goes on, say the end of one that is over; say which."""
        if over.live or not is_news(over):
            return ""
        heir = rules.heir(over, [a for a in self.alerts.values() if a.live], moment)
        if heir is None:
            return ""
        known = max(over.notified, heir.notified, key=SEVERITY_RANK.__getitem__)
        since = heir.notified_at or over.notified_at
        heir = self._line(heir, moment.window, "updated", f"alert {over.id} of its incident is over: this one goes on")
        heir = replace(heir, notified=known, notified_at=since, notified_as=over.known_as)
        self.alerts[heir.id] = heir if is_news(heir) else replace(heir, suppressed_by="")
        self.changed[heir.id] = None
        return f"{HANDED_OVER}: its incident goes on in alert {heir.id}"

    def rewrite(self, alert: Alert, reason: str, by: str) -> None:
        """Put an alert in the place of itself as it was, with a line that says why, and notify nobody."""
        event = AlertEvent(alert.id, alert.events + 1, self.now, None, "updated", reason, actor=by)
        self.events.append(event)
        self.alerts[alert.id] = replace(alert, events=event.seq)
        self.changed[alert.id] = None

    def _others(self, alert: Alert) -> list[Alert]:
        return [a for a in self.alerts.values() if a.key == alert.key and a.id != alert.id]

    def _notify(self, alert: Alert, window: datetime | None, transition: Transition, reason: str) -> Alert:
        """Add an event that people are notified of, which is what they believe from then on."""
        severity = alert.severity if alert.live else alert.notified
        broken = alert.snoozed(self.now) and alert.live
        believed = max(alert.notified, alert.severity, key=SEVERITY_RANK.__getitem__) if alert.live else "none"
        alert = self._line(alert, window, transition, reason)
        alert = replace(
            alert, notified=believed, notified_at=self.now, notified_as=self._known_as(alert), suppressed_by=""
        )
        event = self.events[-1]
        if broken:
            alert = self._line(alert, window, "unsnoozed", f"it became {alert.severity} since it was snoozed")
            alert = replace(alert, snoozed_until=None)
        self.notices.append(Notice(alert, event, severity))
        return alert

    def _known_as(self, alert: Alert) -> str:
        """Return the id under which people know the incident of an alert, or are about to."""
        mates = (a for a in self.alerts.values() if a.incident == alert.incident and a.notified != "none")
        return alert.known_as if alert.notified != "none" else next((a.known_as for a in mates), alert.incident)

    def _line(
        self, alert: Alert, window: datetime | None, transition: Transition, reason: str, suppressed_by: str = ""
    ) -> Alert:
        seq = alert.events + 1
        self.events.append(AlertEvent(alert.id, seq, self.now, window, transition, reason, suppressed_by=suppressed_by))
        return replace(alert, events=seq)


def _parts_first(keys: Mapping[str, str]) -> list[str]:
    """Return keys, each with its segment, in the order to fold them: a whole is not over before its parts are."""
    return sorted(keys, key=lambda key: (not keys[key], key.startswith(TABLE), key))


def _heir(gone: Alert, after: Iterable[Alert]) -> str | None:
    """Return the id of the alert that an alert became part of, where a late window shows that it began earlier."""
    return next(
        (a.id for a in after if a.id != gone.id and a.opened_window <= gone.opened_window <= a.last_window), None
    )


def _moved(alert: Alert) -> str:
    return f"it is part of incident {alert.incident} now"


def _no_news(alert: Alert, heir: str | None) -> str:
    if alert.live:
        return f"known: notified as {alert.notified} already"
    return f"{HANDED_OVER}: it became part of alert {heir}" if alert.withdrawn and heir else UNHEARD


def _resolved_at(old: Alert | None, new: Alert, now: datetime) -> datetime | None:
    if new.live:
        return None
    if new.resolved_by is not None:
        return new.resolved_at
    return old.resolved_at if old and old.resolved_window == new.resolved_window and not old.live else now


def _name(old: Alert | None, new: Alert, says: Signal | None, policy: Policy) -> Changes:
    bad = says is not None and says.state == "firing" and says.window.start == new.last_window
    why = says.words if says is not None and bad else new.reason
    found: Changes = []
    if new.withdrawn:
        return [("withdrawn", "its windows were evaluated again and no longer ask for this alert")]
    if old is None:
        found.append(("opened", why))
    elif not old.live and (new.live or old.withdrawn):
        found.append(("reopened", f"windows were evaluated again: {why}"))
    elif SEVERITY_RANK[new.severity] != SEVERITY_RANK[old.severity]:
        up = SEVERITY_RANK[new.severity] > SEVERITY_RANK[old.severity]
        found.append(("escalated" if up else "de-escalated", f"{old.severity} → {new.severity}: {why}"))
    needed = closes_after(new, policy)
    if not new.live and (old is None or old.live or old.withdrawn):
        hand = f"resolved by {new.resolved_by}"
        some = "1 quiet window" if needed == 1 else f"{needed} quiet windows in a row"
        found.append(("resolved", hand if new.resolved_by else f"{some}: {says.words if says else 'no drift'}"))
    if not found:
        if new.quiet:
            why = f"quiet: {new.quiet} of the {needed} windows in a row that resolve it"
            why += f"; {says.standing}" if says is not None and says.standing else ""
        elif says is not None:
            why = says.words
        found.append(("updated", why))
    return found
