"""Alerts: a pure state machine from what the windows say to what a person has to know.

The state of a key (a feature, the gate, a column, the whole table) is a fold over its windows in the order of time,
with the answers people gave in between. The order in which windows arrive is no part of it: a repeated, late or
back-filled window is put in its place and the fold is done again, so every order of arrival ends in the same alerts.
Only the diary (`Event`) tells what happened when, and it is never rewritten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from drift.errors import DriftError
from drift.scores import SEVERITY_RANK, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.reports import FindingKind, Report
    from drift.windows import Window

Kind = Literal["drift", "table", "data_quality", "schema"]
State = Literal["open", "acknowledged", "resolved"]
Transition = Literal[
    "opened", "updated", "escalated", "de-escalated", "acknowledged", "resolved", "reopened", "withdrawn"
]
Answer = Literal["acknowledge", "resolve"]

SYSTEM = "drift"
"""The actor of everything that no person did."""

TABLE_SHARE = 0.2
"""Above this share of drifting features there is one alert for the table (STATISTICS: more than 20 % at once)."""
TABLE_FEATURES = 5
"""Fewer drifting features than this are told one by one."""

PAGED: frozenset[Transition] = frozenset({"opened", "reopened", "escalated", "resolved", "withdrawn"})
"""The transitions that someone is told of."""

SCHEMA_SEVERITY: dict[FindingKind, Severity] = {
    "missing_column": "critical",
    "new_column": "warning",
    "retyped_column": "warning",
}
"""How bad a change of the schema is: a column that went takes its feature with it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one window says of one key.

    Parameters
    ----------
    window
    key
        Such as ``drift:dep_delay``, ``table``, ``gate``, ``volume``, ``schema:carrier``.
    kind
    feature
        The feature or column; None where the whole window is meant.
    severity
        What this window alone says, before persistence.
    status
        What a person is told: ``warning`` and ``critical`` open an alert.
    reason
        Why; never empty.
    summary
        What moved, in words: ``missing rose from 0.9 % to 51 %: 0.93 of 1.28 nats``.
    standing
        What stays, though the window is quiet: ``the reference has adapted: still 0.83 nats from the baseline of
        2013-01-01 … 01-28``.
    """

    window: Window
    key: str
    kind: Kind
    feature: str | None
    severity: Severity
    status: Status
    reason: str
    summary: str = ""
    standing: str = ""

    @property
    def effect(self) -> Literal["bad", "pending", "quiet", "silent"]:
        """What it does to an alert.

        ``bad`` opens one or keeps it open; ``pending`` (this window drifts, but not yet often enough) keeps it from
        closing; ``quiet`` brings its closing nearer; ``silent`` (no answer: too few rows, nothing to compare, an
        error) does nothing at all.
        """
        if self.status in {"warning", "critical"}:
            return "bad"
        if self.status != "ok":
            return "silent"
        return "quiet" if self.severity == "none" else "pending"

    @property
    def words(self) -> str:
        """Reason, summary and what stays, in one line."""
        return "; ".join(filter(None, (self.reason, self.summary, self.standing)))


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know of, from the window that opened it to its end.

    Parameters
    ----------
    id
        Sixteen hexadecimal digits made of monitor, key and opening window: the same alert on every machine.
    monitor, key, kind, feature
    state
    severity
        Of the newest window that was not quiet.
    worst
        The highest severity it ever had: who was told of that is told of its end.
    reason
        Why, of the newest window that was not quiet; never empty.
    opened_window, last_window
        Starts of the window that opened it and of the newest one that counted for it.
    opened_at, last_seen_at
        When these were evaluated.
    windows
        How many windows asked for it.
    quiet
        How many quiet windows there were since.
    acknowledged_at, acknowledged_by
    resolved_at
    resolved_window
        Start of the window after which it was resolved. None also for an alert that was withdrawn: its windows were
        evaluated again and no longer ask for it.
    resolved_by
        Who resolved it by hand; None where quiet windows did.
    events
        Length of its diary.
    """

    id: str
    monitor: str
    key: str
    kind: Kind
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
    resolved_at: datetime | None = None
    resolved_window: datetime | None = None
    resolved_by: str | None = None
    events: int = 0

    @property
    def live(self) -> bool:
        """Whether it still waits for its end: open or acknowledged."""
        return self.state != "resolved"

    @property
    def withdrawn(self) -> bool:
        """Whether its windows, evaluated again, no longer ask for it."""
        return self.state == "resolved" and self.resolved_window is None


@dataclass(frozen=True, slots=True)
class Event:
    """One line in the diary of an alert.

    Parameters
    ----------
    alert_id
    seq
        1, 2, 3, … within the alert.
    at
        When it was found out.
    window_start
        The window that made it happen; None for a person.
    transition
    reason
        Never empty.
    actor
        ``drift``, or who did it.
    """

    alert_id: str
    seq: int
    at: datetime
    window_start: datetime | None
    transition: Transition
    reason: str
    actor: str = SYSTEM


@dataclass(frozen=True, slots=True)
class Policy:
    """How alerts behave.

    Parameters
    ----------
    close_after
        Quiet windows in a row that resolve an alert, at least 1.
    """

    close_after: int = 2

    def __post_init__(self) -> None:
        if self.close_after < 1:
            raise DriftError(f"close_after is {self.close_after}: an alert needs at least 1 quiet window to close")


@dataclass(frozen=True, slots=True)
class Page:
    """A transition that someone is to be told of, with the alert as it is after it."""

    alert: Alert
    event: Event


@dataclass(frozen=True, slots=True)
class Transitions:
    """What `advance` found: to be written in one transaction.

    Parameters
    ----------
    alerts
        Every alert that is new or changed, as it is now.
    events
        What to add to the diaries, in order.
    pages
        The events that are due to be told.
    """

    alerts: tuple[Alert, ...] = ()
    events: tuple[Event, ...] = ()
    pages: tuple[Page, ...] = ()


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


# -- what a report says -----------------------------------------------------------------------------------------------


def observations(
    report: Report, *, failures: Sequence[str] = (), adapted: Mapping[str, str] | None = None
) -> list[Observation]:
    """Turn a report into what it says of each key.

    One observation a feature (``drift:<feature>``), one for the gate, one for the number of rows (``volume``), one for
    the schema and one more for each column that changed. Where at least five features and more than 20 % of the scored
    ones drift, they are replaced by one for the ``table``.

    Parameters
    ----------
    report
        Of a window; a comparison of two tables (no window) says nothing to alerts.
    failures
        Messages of the expectations that failed, where there are any.
    adapted
        By key, what stays though the window is quiet, where it is only the reference that has moved.

    Returns
    -------
    list of Observation
    """
    window = report.window
    if window is None:
        return []

    def tell(key: str, kind: Kind, feature: str | None, severity: Severity, reason: str) -> Observation:
        return Observation(window, key, kind, feature, severity, "ok" if severity == "none" else severity, reason)

    found = [tell("gate", "data_quality", None, *_gate(report, failures))]
    if report.gate == "rejected":
        return found
    rows = [finding.message for finding in report.findings if finding.kind in {"row_count", "no_rows"}]
    volume = tell("volume", "data_quality", None, *(("warning", rows[0]) if rows else ("none", "usual")))
    stays = "; ".join(finding.message for finding in report.findings if finding.kind == "adapted")
    found.append(replace(volume, standing=stays))
    if report.n_reference and report.n_current:
        found.append(tell("schema", "schema", None, "none", "compared"))
    found.extend(
        tell(f"schema:{finding.column}", "schema", finding.column, SCHEMA_SEVERITY[finding.kind], finding.message)
        for finding in report.findings
        if finding.kind in SCHEMA_SEVERITY
    )
    scored = sum(v.score is not None for v in report.verdicts)
    drifting = report.drifting
    together = len(drifting) >= TABLE_FEATURES and len(drifting) > TABLE_SHARE * scored
    if scored:
        names = ", ".join(v.feature for v in drifting[:3]) + (", …" if len(drifting) > 3 else "")
        share = f"{len(drifting)} of {scored} scored features drift"
        found.append(
            tell("table", "table", None, report.severity, f"{share} ({len(drifting) / scored:.0%}): {names}")
            if together
            else tell("table", "table", None, "none", share)
        )
    found.extend(
        Observation(
            window,
            f"drift:{v.feature}",
            "drift",
            v.feature,
            v.severity,
            v.status,
            v.reason or v.status,
            "; ".join(report.explain(v.feature)) if v.drifting else "",
        )
        for v in report.verdicts
        if not (together and v.drifting)
    )
    return [replace(one, standing=adapted[one.key]) if adapted and one.key in adapted else one for one in found]


def _gate(report: Report, failures: Sequence[str]) -> tuple[Severity, str]:
    why = f": {'; '.join(failures)}" if failures else ""
    match report.gate:
        case "rejected":
            return "critical", f"rejected by its expectations{why}"
        case "warned":
            return "warning", f"an expectation failed{why}"
        case "accepted":
            return "none", "accepted"
        case _:
            return "none", "not validated"


# -- the fold ---------------------------------------------------------------------------------------------------------


def _step(alert: Alert | None, seen: Observation, monitor: str, policy: Policy) -> Alert | None:
    """Return the alert after one more window; `alert` is the newest of its key so far."""
    start, end = seen.window.start, seen.window.end
    effect = seen.effect
    if effect == "bad":
        severity: Severity = "critical" if seen.status == "critical" else "warning"
        if alert is None or not alert.live:
            name = alert_id(monitor, seen.key, start)
            return Alert(
                name, monitor, seen.key, seen.kind, seen.feature,
                "open", severity, severity, seen.reason, start, start, end, end,
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
        )
    if alert is None or not alert.live or effect == "silent":
        return alert
    if effect == "pending":
        return replace(alert, last_window=start, quiet=0)
    quiet = alert.quiet + 1
    if quiet < policy.close_after:
        return replace(alert, last_window=start, quiet=quiet)
    return replace(alert, last_window=start, quiet=quiet, state="resolved", resolved_window=start, resolved_at=end)


def _fold(
    seen: Iterable[Observation], known: Sequence[Alert], seed: Alert | None, monitor: str, policy: Policy
) -> list[Alert]:
    """Return the alerts of one key, oldest first: its windows in order, and people's answers among them.

    An answer is anchored in time by the alert it was given to: an acknowledgement belongs to whichever alert now spans
    that one's opening, a resolution by hand stands right after the window it was given at.
    """
    ended = {a.resolved_window: a for a in known if a.resolved_by is not None and a.resolved_window is not None}
    steps: list[tuple[datetime, int, Observation | Alert]] = [(o.window.start, 0, o) for o in seen]
    steps += [(start, 1, by_hand) for start, by_hand in ended.items() if seed is None or start > seed.last_window]
    found: list[Alert] = [] if seed is None else [seed]
    for start, _, step in sorted(steps, key=lambda s: s[:2]):
        alert = found[-1] if found else None
        if isinstance(step, Observation):
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
    return [_acknowledged(alert, known) for alert in found]


def _acknowledged(alert: Alert, known: Sequence[Alert]) -> Alert:
    answers = [
        a
        for a in known
        if a.acknowledged_at is not None and alert.opened_window <= a.opened_window <= alert.last_window
    ]
    if not answers:
        return alert
    last = max(answers, key=lambda a: (a.acknowledged_at, a.id))
    state: State = "acknowledged" if alert.live else "resolved"
    return replace(alert, state=state, acknowledged_at=last.acknowledged_at, acknowledged_by=last.acknowledged_by)


# -- one report more --------------------------------------------------------------------------------------------------


def history_start(alerts: Iterable[Alert], window: Window) -> datetime:
    """Return from where `advance` needs earlier and later reports to put `window` in its place.

    For a window newer than everything known that is its own start: no history is needed.

    Parameters
    ----------
    alerts
        Of the monitor.
    window
        About to be advanced by.
    """
    start = window.start
    known = list(alerts)
    while (earlier := min((a.opened_window for a in known if a.last_window >= start), default=start)) < start:
        start = earlier
    return start


@dataclass
class _Book:
    """All that is known while `advance` works: every window's observations, and every alert."""

    monitor: str
    policy: Policy
    now: datetime
    windows: dict[datetime, dict[str, Observation]]
    alerts: dict[str, Alert]
    events: list[Event] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    changed: dict[str, None] = field(default_factory=dict)

    def of_key(self, key: str) -> list[Observation]:
        """What every window says of a key. A changed column that is no longer reported has changed back."""
        found = []
        for start in sorted(self.windows):
            said = self.windows[start]
            if key in said:
                found.append(said[key])
            elif key.startswith("schema:") and "schema" in said:
                found.append(replace(said["schema"], key=key, feature=key.removeprefix("schema:"), reason="as before"))
        return found

    def fold(self, key: str) -> tuple[list[Alert], list[Alert]]:
        """Return the alerts of a key as they are known, and as they should be, from the first known window on."""
        mine = [a for a in self.alerts.values() if a.key == key]
        valid = [a for a in mine if not a.withdrawn]
        first = min(self.windows)
        seen = self.of_key(key)
        touched = [a for a in valid if a.last_window >= first]
        if all(a.opened_window >= first and a.last_window in self.windows for a in touched):
            before = touched
        else:
            # The history given does not reach back far enough to fold again: only what is newer counts.
            before, frontier = [], max(a.last_window for a in valid)
            seen = [o for o in seen if o.window.start > frontier]
        seed = next((a for a in valid if a.live and a not in before), None)
        after = _fold(seen, mine, seed, self.monitor, self.policy)
        return [*before, *([seed] if seed else [])], after

    def write(self, old: Alert | None, new: Alert, window: Window, says: Observation | None, *, page: bool) -> None:
        """Note what changed from `old` to `new`."""
        same = old is not None and not old.withdrawn
        new = replace(
            new,
            events=old.events if old else 0,
            opened_at=old.opened_at if old else self.now,
            last_seen_at=old.last_seen_at if old and same and old.last_window == new.last_window else self.now,
            resolved_at=_resolved_at(old, new, self.now),
        )
        if same and old is not None and window.start != new.last_window and replace(new, reason=old.reason) == old:
            # Words alone differ, and of another window: a stored report says less than a fresh one.
            return
        if new == old:
            return
        changes = _changes(old, new, says, self.policy)
        start = len(self.events)
        self.events += [
            Event(new.id, new.events + i, self.now, window.start, transition, reason)
            for i, (transition, reason) in enumerate(changes, start=1)
        ]
        new = replace(new, events=new.events + len(changes))
        self.alerts[new.id] = new
        self.changed[new.id] = None
        if page and (new.live or old is None or old.live):
            self.pages += [Page(new, e) for e in self.events[start:] if e.transition in PAGED]


def _resolved_at(old: Alert | None, new: Alert, now: datetime) -> datetime | None:
    if new.live:
        return None
    if new.resolved_by is not None:
        return new.resolved_at
    return old.resolved_at if old and old.resolved_window == new.resolved_window and not old.live else now


def _changes(old: Alert | None, new: Alert, says: Observation | None, policy: Policy) -> list[tuple[Transition, str]]:
    """Name every transition between two states of an alert, each with its reason."""
    bad = says is not None and says.effect == "bad" and says.window.start == new.last_window
    why = says.words if says is not None and bad else new.reason
    found: list[tuple[Transition, str]] = []
    if new.withdrawn:
        return [("withdrawn", "its windows were evaluated again and no longer ask for this alert")]
    if old is None:
        found.append(("opened", why))
    elif not old.live and (new.live or old.withdrawn):
        found.append(("reopened", f"windows were evaluated again: {why}"))
    elif SEVERITY_RANK[new.severity] != SEVERITY_RANK[old.severity]:
        up = SEVERITY_RANK[new.severity] > SEVERITY_RANK[old.severity]
        found.append(("escalated" if up else "de-escalated", f"{old.severity} → {new.severity}: {why}"))
    if not new.live and (old is None or old.live or old.withdrawn):
        hand = f"resolved by {new.resolved_by}"
        some = "1 quiet window" if policy.close_after == 1 else f"{policy.close_after} quiet windows in a row"
        found.append(("resolved", hand if new.resolved_by else f"{some}: {says.words if says else 'no drift'}"))
    if not found:
        if new.quiet:
            why = f"quiet: {new.quiet} of the {policy.close_after} windows in a row that resolve it"
            why += f"; {says.standing}" if says is not None and says.standing else ""
        elif says is not None:
            why = says.words
        found.append(("updated", why))
    return found


def advance(
    alerts: Iterable[Alert],
    observations: Iterable[Observation],
    *,
    monitor: str,
    now: datetime,
    policy: Policy | None = None,
    history: Iterable[Observation] = (),
    page: bool = True,
) -> Transitions:
    """Bring the alerts of a monitor up to date with what one or more windows say.

    Windows are taken in the order of time. Opening obeys the status that detection gave (persistence included); a
    window that says nothing (too few rows, not comparable, an error, no row at all) neither opens nor closes.

    Parameters
    ----------
    alerts
        All alerts known of this monitor.
    observations
        What the new windows say, as from `observations`; of a window already known this replaces what it said.
    monitor
        Its name.
    now
        Time of the evaluation, aware.
    policy
        How alerts behave.
    history
        What the other windows since `history_start` said. Needed for a window that is repeated or late; without it
        such a window changes nothing that is already known. A window newer than all others needs none.
    page
        Whether to tell anyone. A window with newer ones known is never told of.

    Returns
    -------
    Transitions

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from drift.windows import Calendar
    >>> window = Calendar("1d").starting(datetime(2013, 2, 8))
    >>> bad = Observation(window, "drift:dep_delay", "drift", "dep_delay", "critical", "critical", "KL 1.28 nats")
    >>> done = advance([], [bad], monitor="flights", now=datetime(2013, 2, 9, tzinfo=UTC))
    >>> done.alerts[0].state, done.events[0].transition, len(done.pages)
    ('open', 'opened', 1)
    >>> advance(done.alerts, [bad], monitor="flights", now=datetime(2013, 2, 10, tzinfo=UTC)).events
    ()
    """
    windows: dict[datetime, dict[str, Observation]] = {}
    for said in history:
        windows.setdefault(said.window.start, {})[said.key] = said
    fresh: dict[datetime, dict[str, Observation]] = {}
    for said in observations:
        fresh.setdefault(said.window.start, {})[said.key] = said
    book = _Book(monitor, policy or Policy(), now, windows, {a.id: a for a in alerts})
    for start in sorted(fresh):
        says = fresh[start]
        windows[start] = says
        window = next(iter(says.values())).window
        newest = max(start, *windows, *(a.last_window for a in book.alerts.values())) == start
        first = min(windows)
        keys = {a.key for a in book.alerts.values() if a.live or a.last_window >= first} | {
            o.key for o in says.values() if o.effect == "bad"
        }
        for key in sorted(keys):
            before, after = book.fold(key)
            there = {a.id for a in after}
            for gone in (a for a in before if a.id not in there):
                ended = replace(gone, state="resolved", resolved_window=None)
                book.write(gone, ended, window, says.get(key), page=page and newest)
            for alert in after:
                book.write(book.alerts.get(alert.id), alert, window, says.get(key), page=page and newest)
    return Transitions(tuple(book.alerts[i] for i in book.changed), tuple(book.events), tuple(book.pages))


# -- what people do ---------------------------------------------------------------------------------------------------


def answer(alert: Alert, action: Answer, *, by: str, now: datetime, comment: str = "") -> tuple[Alert, Event]:
    """Acknowledge or resolve an alert by hand.

    Parameters
    ----------
    alert
        Open or acknowledged.
    action
        ``acknowledge`` (somebody is on it; an escalation still pages) or ``resolve`` (it is over; the next window that
        drifts opens a new one).
    by
        Who.
    now
        Aware.
    comment
        Why, if they said so.

    Returns
    -------
    Alert, Event
        The alert afterwards and the line for its diary.

    Raises
    ------
    DriftError
        If the alert is resolved already.
    """
    if not alert.live:
        raise DriftError(f"alert {alert.id} ({alert.key}) is resolved already: there is nothing to {action}")
    who = by.strip() or "unknown"
    seq = alert.events + 1
    if action == "acknowledge":
        after = replace(alert, state="acknowledged", acknowledged_at=now, acknowledged_by=who, events=seq)
        return after, Event(alert.id, seq, now, None, "acknowledged", comment or f"acknowledged by {who}", who)
    after = replace(
        alert, state="resolved", resolved_at=now, resolved_by=who, resolved_window=alert.last_window, events=seq
    )
    return after, Event(alert.id, seq, now, None, "resolved", comment or f"resolved by {who}", who)
