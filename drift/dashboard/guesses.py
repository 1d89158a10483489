"""Guesses of a token, slowed down: some at once, then one every few seconds, of each address and of all together."""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MOST = 4096
"""Addresses and sessions that are remembered; the oldest are forgotten first."""


@dataclass(slots=True)
class _Allowance:
    """What may still be guessed: so many at once, another one every so many seconds."""

    at_once: float
    every: float
    since: float
    spent: float = 0.0

    def wait(self, now: float) -> float:
        self.spent, self.since = max(0.0, self.spent - (now - self.since) / self.every), now
        return max(0.0, (self.spent + 1 - self.at_once) * self.every)


@dataclass(slots=True)
class Guesses:
    """Wrong tokens so far, in this process.

    An address has ten wrong tokens, then one every ten seconds; all addresses together a hundred, then one a second,
    which those that have signed in before are not kept waiting by. A session that is known waits for nothing, so that
    nobody is thrown out by the guesses of a neighbour.
    """

    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _each: OrderedDict[str, _Allowance] = field(default_factory=OrderedDict)
    _all: _Allowance = field(default_factory=lambda: _Allowance(100, 1, 0))
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def wait(self, address: str, session: str = "") -> int:
        """Return for how many seconds an address may present no token; 0 is now."""
        with self._lock:
            if session and session in self._known:
                return 0
            now = self.clock()
            own = self._each[address].wait(now) if address in self._each else 0.0
            return math.ceil(max(own, 0.0 if address in self._known else self._all.wait(now)))

    def wrong(self, address: str) -> None:
        """Count a wrong token, and log it."""
        log.warning("a wrong token from %s", address or "an unknown address")
        with self._lock:
            now = self.clock()
            own = self._each.setdefault(address, _Allowance(10, 10, now))
            self._each.move_to_end(address)
            for allowance in (own, self._all):
                allowance.wait(now)
                allowance.spent += 1
            if len(self._each) > MOST:
                self._each.popitem(last=False)

    def right(self, *names: str) -> None:
        """Remember an address, or a session, that presented the right token."""
        with self._lock:
            for name in names:
                self._known[name] = None
                self._known.move_to_end(name)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or a network of IPv6; empty where it is neither.

    Examples
    --------
    >>> network_of("192.0.2.7"), network_of("2001:db8::1"), network_of("::ffff:192.0.2.7"), network_of("x")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7', '')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
