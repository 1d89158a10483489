"""Windows that say something, and what a store would keep of it: shared by the tests of alerts and their parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.alerts.actions import act
from drift.alerts.alerts import NOTIFIED, Alert, AlertEvent, Notice, Transitions
from drift.alerts.lifecycle import advance, history_start, remind
from drift.alerts.signals import Signal
from drift.alerts.suppression import Suppression, is_news
from drift.detection.onset import Onset
from drift.detection.reports import Report
from drift.detection.scores import Score, Verdict
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drift.config.alerts import Policy
    from drift.detection.findings import Finding
    from drift.detection.reports import Gate
    from drift.detection.scores import Severity, Status

CALENDAR = Calendar("1d")
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
KEY = "drift:dep_delay"


def day(number: int) -> Window:
    """The `number`-th day of February 2013."""
    return CALENDAR.containing(datetime(2013, 2, 1, tzinfo=UTC) + timedelta(days=number - 1))


SAYINGS: dict[str, tuple[Severity, Status]] = {
    "critical": ("critical", "critical"),
    "warning": ("warning", "warning"),
    "pending": ("warning", "ok"),
    "quiet": ("none", "ok"),
    "lingering": ("none", "ok"),
    "few": ("none", "insufficient_data"),
    "apart": ("none", "not_comparable"),
    "error": ("none", "error"),
}


def say(number: int, what: str, key: str = KEY) -> Signal:
    """One word for what a day says."""
    severity, status = SAYINGS[what]
    lingering = "not below 0.5 times what opens an alert" if what == "lingering" else ""
    words = f"{what} on day {number}"
    said = Signal(day(number), key, "drift", key.partition(":")[2], severity, status, words, lingering=lingering)
    # Every change is dated in its own window, and was in that alone if the next one is quiet.
    today, before = said.window.start, day(number - 1).start
    since = {"firing": Onset(today, today, today), "quiet": Onset(before, before, before, "single")}
    return replace(said, onset=since.get(said.state))


def since(signal: Signal, first: int, last: int) -> Signal:
    """The same signal with a set of days in which it may have begun."""
    return replace(signal, onset=Onset(day(last).start, day(first).start, day(last).start))


class Record:
    """What a store would keep: alerts by id, the diary, the pages, and what each window said."""

    def __init__(self, policy: Policy | None = None, suppression: Suppression | None = None) -> None:
        self.policy = policy
        self.suppression = suppression or Suppression()
        self.alerts: dict[str, Alert] = {}
        self.events: list[AlertEvent] = []
        self.notices: list[Notice] = []
        self.said: dict[tuple[datetime, str], Signal] = {}
        self.clock = NOW

    def run(
        self, *said: Signal, page: bool = True, history: bool = True, after: timedelta = timedelta(minutes=1)
    ) -> Transitions:
        """Advance by one window's signals, as a run does, and write down what came of it."""
        window = said[0].window
        self.clock += after
        since = history_start(self.alerts.values(), window)
        done = advance(
            self.alerts.values(),
            said,
            monitor="flights",
            now=self.clock,
            policy=self.policy,
            history=[o for (start, _), o in self.said.items() if start >= since] if history else (),
            page=page,
            suppression=self.suppression,
        )
        self.said = {at: o for at, o in self.said.items() if at[0] != window.start}
        self.said |= {(o.window.start, o.key): o for o in said}
        return self.write(done)

    def wait(self, time: timedelta) -> Transitions:
        """Let time pass, and look whether something is to be told by the clock alone."""
        self.clock += time
        done = remind(
            self.alerts.values(),
            monitor="flights",
            now=self.clock,
            every=timedelta(days=1),
            policy=self.policy,
            suppression=self.suppression,
        )
        return self.write(done)

    def write(self, done: Transitions) -> Transitions:
        """Keep what came of something."""
        self.alerts |= {a.id: a for a in done.alerts}
        self.events += done.events
        self.notices += done.notices
        return done

    def days(self, *words: str) -> Record:
        """Run one day after another."""
        for number, word in enumerate(words, start=1):
            self.run(say(number, word))
        return self

    def by_hand(self, alert: Alert, action: Any, by: str = "ada", **more: Any) -> None:
        """Answer an alert."""
        after, event = act(alert, action, by=by, now=self.clock, **more)
        self.alerts[after.id] = after
        self.events.append(event)

    @property
    def only(self) -> Alert:
        """The one alert there is."""
        (alert,) = self.alerts.values()
        return alert

    def suppressed_by(self) -> list[str]:
        """The names of what kept news from being told, in order."""
        return [event.suppressed_by.partition(":")[0] for event in self.events if event.suppressed_by]

    def notified(self) -> list[str]:
        """The transitions that were paged, in order."""
        return [page.event.transition for page in self.notices]

    def state(self) -> list[Alert]:
        """The alerts that stand, without what depends on the clock and on the course of things."""
        standing = [a for a in self.alerts.values() if not a.withdrawn]
        clockless: dict[str, Any] = {"opened_at": NOW, "last_seen_at": NOW, "resolved_at": None, "events": 0}
        chronicle: dict[str, Any] = {
            "notified": "none",
            "notified_at": None,
            "notified_as": "",
            "suppressed_by": "",
            "snoozed_until": None,
        }
        bare = [replace(a, **clockless, **chronicle) for a in standing]
        return sorted(bare, key=lambda a: (a.key, a.opened_window))


def check_laws(record: Record) -> None:
    """What holds of every record, whatever happened."""
    live = Counter(a.key for a in record.alerts.values() if a.live)
    assert all(count == 1 for count in live.values())
    assert all(e.reason and e.actor for e in record.events)
    told = {(p.event.alert_id, p.event.seq): p for p in record.notices}
    assert len(told) == len(record.notices)
    assert {p.event for p in record.notices} <= set(record.events)
    for alert in record.alerts.values():
        diary = [e for e in record.events if e.alert_id == alert.id]
        assert [e.seq for e in diary] == list(range(1, alert.events + 1))
        counted = Counter(e.transition for e in diary)
        assert counted["opened"] == 1
        assert counted["resolved"] <= 1 + counted["reopened"]
        assert counted["withdrawn"] <= 1 + counted["reopened"]
        assert alert.reason
        for event in diary:
            # Nothing is lost: what is news was told, or the diary says why not. And nothing else is told.
            if event.transition in NOTIFIED:
                assert ((alert.id, event.seq) in told) != bool(event.suppressed_by)
            else:
                assert (alert.id, event.seq) not in told
        pages = [told[alert.id, e.seq] for e in diary if (alert.id, e.seq) in told]
        handed = ("part of alert", "goes on in alert")
        heirs = sum(e.suppressed_by.endswith(tuple(f"{words} {alert.id}" for words in handed)) for e in record.events)
        check_told(pages, alert, diary, heirs)


def check_told(pages: Sequence[Notice], alert: Alert, diary: Sequence[AlertEvent], heirs: int) -> None:
    """Of one alert: an end is told only of what people believed to be open; what is not told is owed, with a reason."""
    known = sum(e.transition in {"acknowledged", "snoozed"} for e in diary)
    ends = sum(not page.alert.live for page in pages)
    assert ends <= len(pages) - ends + known + heirs
    assert all(page.severity != "none" for page in pages)
    assert all(page.alert.notified == "none" for page in pages if not page.alert.live)
    if is_news(alert):
        assert alert.suppressed_by


def score(feature: str, kl: float) -> Score:
    """A score of which only the KL matters."""
    return Score(
        feature, "numeric", kl, kl, 2 * kl, kl / 4, kl, 0.9 * kl, 1.1 * kl, 1e-6, 1e-5, None, None, 1e-3, 2,
        23_000, 930, "pooled", "f" * 16, np.array([kl]),
    )  # fmt: skip


def verdict(feature: str, status: Status = "ok", kl: float | None = 0.001) -> Verdict:
    """A verdict with a score, unless `kl` is None."""
    severity: Severity = status if status in {"warning", "critical"} else "none"
    found = None if kl is None else score(feature, kl)
    return Verdict(feature, status, severity, f"{status} it is", 0.01, 0.1, found, size=kl)


def report(*verdicts: Verdict, gate: Gate = "accepted", findings: Sequence[Finding] = (), number: int = 8) -> Report:
    """A report of one day."""
    return Report(
        "flights", day(number), "trailing 28d", verdicts, 23_000, 930, gate, findings, label=f"2013-02-{number:02}"
    )


def keys(found: Iterable[Signal], state: str) -> set[str]:
    """The keys with some state."""
    return {o.key for o in found if o.state == state}
