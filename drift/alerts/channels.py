"""Channels: from a route's name to its URL, and one notification over it, through Apprise or into a file.

A route's URL holds secrets. It exists only between `resolve_route` and the channel: no error, log line or stored text
repeats any part of it but its scheme.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from drift.alerts import rendering
from drift.config import roots
from drift.config.alerts import is_harmless
from drift.errors import MissingExtra, NotifyError
from drift.text.secrets import learn_environment, learn_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from drift.alerts.messages import Notification

IDEMPOTENCY_HEADER = "Idempotency-Key"

LONGEST = 60.0
"""Seconds that a route's own URL may ask for at most, by Apprise's ``cto`` and ``rto``."""

_LOADING = threading.Lock()
"""Apprise is imported, and reads a URL, in one thread at a time: the filters of warnings are everybody's."""


def route_variable(name: str) -> str:
    """Return the environment variable that may hold a route's URL.

    Examples
    --------
    >>> route_variable("ops-chat")
    'DRIFT_ROUTE_OPS_CHAT'
    """
    return "DRIFT_ROUTE_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def resolve_route(to: str, env: Mapping[str, str], lookup: Callable[[str], str | None] = lambda _name: None) -> str:
    """Return the Apprise URL that a route's name stands for, by the environment or else by `lookup`.

    A URL that needs no secret (``file:…``, or ``json://`` on this machine) stands for itself.

    Examples
    --------
    >>> resolve_route("ops-chat", {"DRIFT_ROUTE_OPS_CHAT": "slack://token"})
    'slack://token'
    >>> resolve_route("file:alerts.jsonl", {})
    'file:alerts.jsonl'
    """
    if is_harmless(to):
        return _below_root(to) if to.startswith("file:") else to
    if ":" in to:
        raise NotifyError("a route is a URL, which may hold a secret: name the route, and set DRIFT_ROUTE_<NAME> to it")
    learn_environment(env)
    url = env.get(route_variable(to)) or lookup(to)
    if not url:
        raise NotifyError(f"route {to!r} is not known: set {route_variable(to)} to its Apprise URL")
    learn_route(url)
    return url


def send_to(url: str, due: Notification, timeout: float) -> None:
    """Send a notification to a URL: a line of a file (``file:``), or whatever Apprise knows.

    A channel that does not take it raises `NotifyError`, which repeats no part of the URL but its scheme.
    """
    if url.startswith("file:"):
        _append(url, due)
    else:
        apprise_send(url, due, timeout)


def _below_root(url: str) -> str:
    """Return the URL of the file that is to be written, its links followed; a monitor names none outside the root."""
    path, root = _path_of(url), roots.monitors_root()
    real = roots.inside(path, root)
    if real is None:
        raise NotifyError(f"route {url}: {roots.refusal(path, root)}")
    return url if real == path else f"file://{quote(real)}"


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return unquote(("" if parts.netloc == "localhost" else parts.netloc) + parts.path)


def _append(url: str, due: Notification) -> None:
    """Add one line of JSON, the payload with its title and text, to a file; readers know repeated lines by ``id``."""
    path = Path(_path_of(url))
    line = json.dumps({**due.payload, "title": due.title, "body": due.body})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(0)
            if file.read(1) not in {b"", b"{"}:
                raise NotifyError("file: holds something else than notifications: name another file")
            file.write(f"{line}\n".encode())
    except OSError as error:
        raise NotifyError(f"file: cannot be written: {error.strerror}") from None


def apprise_send(url: str, due: Notification, timeout: float) -> None:
    """Send a notification through Apprise.

    It has `timeout` seconds, or as many as the URL asks for itself (Apprise's ``?cto=`` to connect and ``?rto=`` to
    read, together at most `LONGEST`).

    Mail gets HTML, everything else plain text. A ``json://`` webhook also gets the payload as the field ``drift``, and
    both the id as the header ``Idempotency-Key``. Redirects are not followed: a redirected POST would be taken for
    delivered and lost.
    """
    # What Apprise logs `drift.alerts.delivery.deliver` reports already, and it may quote the URL.
    logging.getLogger("apprise").propagate = False
    try:
        with _LOADING:
            import apprise
    except ImportError as error:
        raise MissingExtra("apprise", extra="notify") from error
    found = re.match(r"[a-z0-9]+(?=://)", url)
    scheme = found[0] if found else "URL"
    asset = apprise.AppriseAsset(app_id="Drift", app_desc="Drift", app_url="", async_mode=False, http_redirects=False)
    with _LOADING, warnings.catch_warnings():
        # Looking which of its channels can work here, it imports modules whose deprecation is no news of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        channel = apprise.Apprise.instantiate(url, asset=asset)
    if channel is None:
        raise NotifyError(f"{scheme}: Apprise cannot read this route's URL: see its documentation of {scheme}://")
    if re.search(r"[?&][cr]to=", url):
        timeout = min(channel.socket_connect_timeout + channel.socket_read_timeout, LONGEST)
    else:
        channel.socket_connect_timeout = channel.socket_read_timeout = timeout
    channel.overflow_mode = apprise.OverflowMode.TRUNCATE
    if channel.service_name in {"JSON", "E-Mail"}:
        channel.headers[IDEMPOTENCY_HEADER] = due.id
    if channel.service_name == "JSON":
        channel.payload_extras["drift"] = dict(due.payload)
    formats = channel.notify_format
    html = (formats if isinstance(formats, str) else formats[0]) == apprise.NotifyFormat.HTML
    sender = apprise.Apprise(asset=asset)
    sender.add(channel)
    with _unlogged("urllib3.connectionpool"):
        result = sender.notify(
            body=rendering.to_html(due.payload) if html else due.body,
            title=due.title,
            body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
            notify_type=due.payload.get("notify_type", "info"),
            timeout=timeout,
        )
    if not result:
        raise NotifyError(f"{scheme}: {_why(result, timeout)}")


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


class _Silence(logging.Filter):
    """Keeps a logger silent while anybody asks for it, in whatever thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.holders = 0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the signature is the library's
        """Let a record pass if nobody asks for silence."""
        return not self.holders


_SILENCE = _Silence()


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keep a logger to itself for a while: at level DEBUG the HTTP client writes down every path, tokens and all."""
    logging.getLogger(name).addFilter(_SILENCE)
    with _SILENCE.lock:
        _SILENCE.holders += 1
    try:
        yield
    finally:
        with _SILENCE.lock:
            _SILENCE.holders -= 1
