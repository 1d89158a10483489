"""Delivery: what the outbox owes goes out through Apprise, is tried again when it fails, and is never lost in silence.

A route's URL holds secrets. It exists only between `resolve_route` and the channel: no error, log line or stored text
repeats any part of it but its scheme.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from drift import digest
from drift.errors import DriftError, MissingExtra, NotifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

log = logging.getLogger(__name__)

IDEMPOTENCY_HEADER = "Idempotency-Key"


class Due(Protocol):
    """A notification that waits: what `deliver` reads of a row of the outbox."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def route(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> str: ...  # noqa: D102
    @property
    def payload(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def attempts(self) -> int:
        """How often it was taken to be sent, this time included."""
        ...


class Outbox(Protocol):
    """The part of the store that `deliver` works on."""

    def due_notifications(self, now: datetime, limit: int = ...) -> Iterable[Any]:
        """Take what is due (as `Due`), so that no other sender gets it meanwhile."""
        ...

    def mark_sent(self, notification_id: str, now: datetime) -> None:
        """Record a delivery."""
        ...

    def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failure: when to try again, or None to give it up."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery went.

    Parameters
    ----------
    sent
    postponed
        Failed, and to be tried again.
    dead
        Failed for the last time: kept in the outbox with the error.
    """

    sent: int = 0
    postponed: int = 0
    dead: int = 0

    def __str__(self) -> str:
        return f"{self.sent} sent, {self.postponed} to be tried again, {self.dead} given up"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long a notification is tried.

    Parameters
    ----------
    attempts
        In all; 12 with the other defaults last about six hours.
    first
        Pause after the first failure; it doubles with each.
    longest
        The longest pause.
    """

    attempts: int = 12
    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)

    def pause(self, attempt: int, key: str) -> timedelta:
        """Return the pause after a failed attempt: exponential, spread by ±50 % so that many do not return at once.

        The spread is drawn from `key` and `attempt`, so it is the same whenever it is asked for.

        Examples
        --------
        >>> Retry().pause(1, "a") < Retry().pause(3, "a") < Retry().pause(6, "a")
        True
        """
        exact = min(self.first * 2.0 ** min(attempt - 1, 30), self.longest)
        draw = int.from_bytes(hashlib.sha256(f"{key} {attempt}".encode()).digest()[:8]) / 2**64
        return exact * (0.5 + draw)


def route_variable(name: str) -> str:
    """Return the environment variable that may hold a route's URL.

    Examples
    --------
    >>> route_variable("ops-chat")
    'DRIFT_ROUTE_OPS_CHAT'
    """
    return "DRIFT_ROUTE_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def resolve_route(to: str, env: Mapping[str, str], lookup: Callable[[str], str | None] = lambda _name: None) -> str:
    """Return the Apprise URL that a route's name stands for.

    Parameters
    ----------
    to
        As in the monitor: a name, or a URL that needs no secret (``file:…``, or ``json://`` on this machine).
    env
        The environment, such as ``os.environ``.
    lookup
        Where else names are known: gives the URL, or None.

    Raises
    ------
    NotifyError
        If nobody knows the name; the message says which variable to set.

    Examples
    --------
    >>> resolve_route("ops-chat", {"DRIFT_ROUTE_OPS_CHAT": "slack://token"})
    'slack://token'
    >>> resolve_route("file:alerts.jsonl", {})
    'file:alerts.jsonl'
    """
    if _is_literal(to):
        return to
    if ":" in to:
        raise NotifyError("a route is a URL, which may hold a secret: name the route, and set DRIFT_ROUTE_<NAME> to it")
    url = env.get(route_variable(to)) or lookup(to)
    if not url:
        raise NotifyError(f"route {to!r} is not known: set {route_variable(to)} to its Apprise URL")
    return url


def _is_literal(to: str) -> bool:
    try:
        parts = urlsplit(to)
        host = parts.hostname or ""
        local = host == "localhost" or (bool(host) and ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False
    return "@" not in to and (parts.scheme == "file" or (parts.scheme in {"json", "jsons"} and local))


def deliver(
    store: Outbox,
    now: datetime,
    resolve: Callable[[str], str],
    *,
    send: Callable[[str, Due, float], None] | None = None,
    limit: int = 50,
    timeout: float = 10.0,
    retry: Retry | None = None,
) -> Delivered:
    """Send the notifications that are due, each at most once, and write down what came of each.

    A notification is marked sent only after its channel took it: if the process dies in between, it is sent again, with
    the same idempotency key.

    Parameters
    ----------
    store
    now
        Aware.
    resolve
        Gives the URL of a route.
    send
        Sends one notification to a URL within a time limit in seconds, or raises; by default `send_to`.
    limit
        How many at most; together with `timeout` it has to fit the lease for which the store reserves them.
    timeout
        Seconds for each.
    retry

    Raises
    ------
    MissingExtra
        If Apprise is not installed; nothing counts as tried then.
    """
    send = send or send_to
    rules = retry or Retry()
    sent = postponed = dead = 0
    for due in store.due_notifications(now, limit):
        try:
            send(resolve(due.route), due, timeout)
        except MissingExtra:
            raise
        except DriftError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - one bad channel must not hold up the others
            # What a library says may quote the URL.
            problem = f"{type(error).__name__} while sending"
        else:
            store.mark_sent(due.id, now)
            sent += 1
            continue
        final = due.attempts >= rules.attempts
        store.mark_failed(due.id, problem, None if final else now + rules.pause(due.attempts, due.id))
        log.warning("notification %s for %s: %s%s", due.id, due.route, problem, "; given up" if final else "")
        postponed, dead = postponed + (not final), dead + final
    return Delivered(sent, postponed, dead)


# -- channels ---------------------------------------------------------------------------------------------------------


def send_to(url: str, due: Due, timeout: float) -> None:
    """Send a notification to a URL: a line of a file (``file:``), or whatever Apprise knows.

    Raises
    ------
    NotifyError
        If the channel did not take it. No part of the URL but its scheme is repeated.
    MissingExtra
        If Apprise is not installed.
    """
    if url.startswith("file:"):
        _append(url, due)
    else:
        apprise_send(url, due, timeout)


def _append(url: str, due: Due) -> None:
    """Add one line of JSON, the payload with its title and text, to a file; readers know repeated lines by ``id``."""
    parts = urlsplit(url)
    path = Path(unquote(("" if parts.netloc == "localhost" else parts.netloc) + parts.path))
    line = json.dumps({**due.payload, "title": due.title, "body": due.body})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise NotifyError(f"file: cannot be written: {error.strerror}") from None


def apprise_send(url: str, due: Due, timeout: float) -> None:
    """Send a notification through Apprise.

    Mail gets HTML, everything else plain text. A ``json://`` webhook also gets the payload as the field ``drift`` and
    the id as the header ``Idempotency-Key``. Redirects are not followed: a redirected POST would be taken for delivered
    and lost.

    Raises
    ------
    NotifyError
        If the channel did not take it.
    MissingExtra
        If Apprise is not installed.
    """
    # What Apprise logs `deliver` reports already, and it may quote the URL.
    logging.getLogger("apprise").propagate = False
    try:
        import apprise
    except ImportError as error:
        raise MissingExtra("apprise", extra="notify") from error
    found = re.match(r"[a-z0-9]+(?=://)", url)
    scheme = found[0] if found else "URL"
    asset = apprise.AppriseAsset(app_id="Drift", app_desc="Drift", app_url="", async_mode=False, http_redirects=False)
    with warnings.catch_warnings():
        # Looking which of its channels can work here, it imports modules whose deprecation is no news of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        channel = apprise.Apprise.instantiate(url, asset=asset)
    if channel is None:
        raise NotifyError(f"{scheme}: Apprise cannot read this route's URL: see its documentation of {scheme}://")
    channel.socket_connect_timeout = channel.socket_read_timeout = timeout
    channel.overflow_mode = apprise.OverflowMode.TRUNCATE
    if channel.service_name == "JSON":
        channel.headers[IDEMPOTENCY_HEADER] = due.id
        channel.payload_extras["drift"] = dict(due.payload)
    formats = channel.notify_format
    html = (formats if isinstance(formats, str) else formats[0]) == apprise.NotifyFormat.HTML
    sender = apprise.Apprise(asset=asset)
    sender.add(channel)
    with _unlogged("urllib3.connectionpool"):
        result = sender.notify(
            body=digest.to_html(due.payload) if html else due.body,
            title=due.title,
            body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
            notify_type=_TYPES.get(due.payload.get("urgency", ""), "info"),
            timeout=timeout,
        )
    if not result:
        raise NotifyError(f"{scheme}: {_why(result, timeout)}")


_TYPES = {"critical": "failure", "warning": "warning", "resolved": "success"}


def _why(result: Any, timeout: float) -> str:
    """Say why Apprise failed. Its own words may quote what is secret, so only what is known to be harmless is kept."""
    said = " ".join(str(entry) for service in result for entry in service.logs())
    if answered := re.search(r"error=(\d{3})\b", said):
        return f"the receiver answered {answered[1]}"
    if result.status.name == "TIMEOUT":
        return f"no answer within {timeout:g} s"
    if re.search(r"connection error", said, re.IGNORECASE):
        return f"no connection, or no answer within {timeout:g} s"
    return "not delivered; the logger `apprise` says more at level DEBUG"


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keep a logger to itself for a while: at level DEBUG the HTTP client writes down every path, tokens and all."""
    logger = logging.getLogger(name)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
