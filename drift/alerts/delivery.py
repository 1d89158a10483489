"""Delivery: pending notifications go out by a channel, are tried again on failure, and are never lost silently.

Each route has a worker and a circuit breaker of its own, so that one that hangs or is dead holds up no other.
"""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from drift.alerts.channels import Channel
from drift.alerts.sender import LONGEST
from drift.errors import DriftError, MissingExtra, NotifyError, ReceiverLate
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from drift.alerts.messages import Notification

log = logs.logger(__name__)

BUDGET = 30.0
"""Seconds in which a route may begin notifications, each time that some are delivered."""

SKEW = timedelta(minutes=10)
"""So far apart may the clocks of two senders be; what was written later than that was written by a wrong clock."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many notifications are due on a route, and how its channel has done of late: for the circuit breaker.

    `failures` are the attempts that failed since the last one that succeeded, the last of them at `tried_at`. Of a
    notification that was there before that only one is counted, so that a message that the receiver dislikes does not
    stand for a dead channel.
    """

    route: str
    due: int
    failures: int = 0
    tried_at: datetime | None = None


class Outbox(Protocol):
    """The part of the store that `deliver` works on, from several threads."""

    def waiting_routes(self, now: datetime) -> Iterable[Waiting]:
        """Return the routes on which something is due."""
        ...

    def due_notifications(self, now: datetime, limit: int = ..., *, route: str | None = ...) -> Iterable[Notification]:
        """Take what is due on a route, so that no other sender gets it meanwhile."""
        ...

    def mark_sent(self, notification_id: str, now: datetime) -> None:
        """Record a delivery."""
        ...

    def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failure: when to try again, or None to give it up."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery went: how many were sent, postponed to be tried again, or failed for the last time (`dead`).

    `held` are the routes that failed so often in a row that what is due on them waits for a while.
    """

    sent: int = 0
    postponed: int = 0
    dead: int = 0
    held: tuple[str, ...] = ()

    def __str__(self) -> str:
        held = f"; out of order for now: {', '.join(self.held)}" if self.held else ""
        return f"{self.sent} sent, {self.postponed} to be tried again, {self.dead} given up{held}"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a notification is tried, and the pauses: the first doubles with each failure, up to the longest.

    The defaults last about six hours.
    """

    attempts: int = 12
    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)

    def pause(self, attempt: int, key: str) -> timedelta:
        """Return the pause after a failed attempt: exponential, spread by ±50 % so that many do not return at once.

        The spread is drawn from `key` and `attempt`, so it is the same whenever it is asked for.
        """
        exact = min(self.first * 2.0 ** min(attempt - 1, 30), self.longest)
        draw = int.from_bytes(hashlib.sha256(f"{key} {attempt}".encode()).digest()[:8]) / 2**64
        return exact * (0.5 + draw)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a route is left alone: a circuit breaker, whose state is that of the outbox and of no process.

    After this many failures in a row, of whatever notifications, it is open: what is due waits, and no attempt of it is
    used up. When the pause is over it is half open: one notification is tried. If that arrives the rest follows, else
    the pause begins again.
    """

    failures: int = 5
    pause: timedelta = timedelta(minutes=5)

    def is_open(self, health: Waiting, now: datetime) -> bool:
        """Whether a route is to be left alone now; an attempt that lies ahead was made by a clock that was wrong."""
        if health.tried_at is None or health.tried_at > now + SKEW:
            return False
        return health.failures >= self.failures and now < health.tried_at + self.pause


def deliver(
    store: Outbox,
    now: datetime,
    resolve: Callable[[str], str],
    *,
    send: Callable[[str, Notification, float], None] | None = None,
    limit: int = 50,
    timeout: float = 10.0,
    retry: Retry | None = None,
    breaker: Breaker | None = None,
) -> Delivered:
    """Send the notifications that are due, each at most once, and write down what came of each.

    A notification is marked sent only after its channel took it: if the process dies in between, it is sent again, with
    the same idempotency key. Each route has a thread of its own, so none waits for another, and sends at most `limit`.

    `resolve` gives the URL of a route, and is called by the thread that calls this. `send` has `timeout` seconds for
    each notification, where the route's URL does not say otherwise. A receiver that takes all of it is left alone until
    the next delivery. After `BUDGET` seconds a route begins no other, and what it does not finish within `LONGEST` more
    is left behind, to be due again when its lease is over.

    Raises
    ------
    MissingExtra
        If Apprise is not installed; nothing counts as tried then.
    """
    breaker = breaker or Breaker()
    held, works = [], []
    for health in store.waiting_routes(now):
        if breaker.is_open(health, now):
            held.append(health.route)
        else:
            attempt = _attempt(health.route, resolve, send, timeout)
            works.append(_Work(store, health, now, attempt, retry or Retry(), breaker, limit))
    threads = [threading.Thread(target=work.run, name=f"drift {work.health.route}", daemon=True) for work in works]
    for thread in threads:
        thread.start()
    over = time.monotonic() + BUDGET + LONGEST
    for thread, work in zip(threads, works, strict=True):
        thread.join(max(0.0, over - time.monotonic()))
        if thread.is_alive():
            log.warning("route %s: does not come to an end; left behind", work.health.route)
    for work in works:
        if work.broken is not None:
            raise work.broken
    sent, postponed, dead = (sum(getattr(work, name) for work in works) for name in ("sent", "postponed", "dead"))
    return Delivered(sent, postponed, dead, tuple(held))


def _attempt(
    route: str, resolve: Callable[[str], str], send: Callable[[str, Notification, float], None] | None, timeout: float
) -> AbstractContextManager[Callable[[Notification], None]]:
    """Return what opens a route, to send notifications over it, or to say for each why that cannot be."""
    try:
        url, problem = resolve(route), ""
    except Exception as error:  # noqa: BLE001 - one bad channel must not hold up the others
        url, problem = "", _problem(error)

    @contextmanager
    def opened() -> Iterator[Callable[[Notification], None]]:
        def attempt(due: Notification) -> None:
            if problem:
                raise NotifyError(problem)
            send(url, due, timeout) if send else channel.send(due, timeout)

        with Channel(url) as channel:
            yield attempt

    return opened()


@dataclass(slots=True)
class _Work:
    """One thread's: the notifications of one route, one after the other."""

    store: Outbox
    health: Waiting
    now: datetime
    attempt: AbstractContextManager[Callable[[Notification], None]]
    retry: Retry
    breaker: Breaker
    limit: int
    sent: int = 0
    postponed: int = 0
    dead: int = 0
    broken: BaseException | None = None

    def run(self) -> None:
        until = time.monotonic() + BUDGET
        try:
            failures = self.health.failures
            with self.attempt as attempt:
                for _ in range(self.limit):
                    # One at a time: what is not begun keeps its attempts, and is there for other senders.
                    due = next(iter(self.store.due_notifications(self.now, 1, route=self.health.route)), None)
                    if due is None:
                        return
                    problem = self._deliver(due, attempt)
                    failures = failures + 1 if problem else 0
                    late = isinstance(problem, ReceiverLate)
                    if late or failures >= self.breaker.failures or time.monotonic() >= until:
                        return
        except BaseException as error:  # noqa: BLE001 - raised again where the thread is awaited
            self.broken = error

    def _deliver(self, due: Notification, attempt: Callable[[Notification], None]) -> Exception | None:
        try:
            attempt(due)
        except MissingExtra:
            raise
        except Exception as error:  # noqa: BLE001 - one bad message must not hold up the others
            failed, problem = error, _problem(error)
        else:
            self.store.mark_sent(due.id, self.now)
            self.sent += 1
            return None
        final = due.attempts >= self.retry.attempts
        again = None if final else self.now + self.retry.pause(due.attempts, due.id)
        self.store.mark_failed(due.id, problem, again)
        log.warning("notification %s for %s: %s%s", due.id, due.route, problem, "; given up" if final else "")
        self.postponed, self.dead = self.postponed + (not final), self.dead + final
        return failed


def _problem(error: Exception) -> str:
    """Say what went wrong. What a library says may quote the URL, so only our own words are repeated."""
    return str(error) if isinstance(error, DriftError) else f"{type(error).__name__} while sending"
