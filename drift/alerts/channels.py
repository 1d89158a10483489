"""Channels: from a route's name to its URL, and one notification over it, through Apprise or into a file.

A route's URL holds secrets. It exists only between `resolve_route` and the channel: no error, log line or stored text
repeats any part of it but its scheme.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from drift.config import roots
from drift.config.alerts import is_harmless
from drift.errors import MissingExtra, NotifyError, ReceiverLate
from drift.text.secrets import learn_environment, learn_route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from drift.alerts.messages import Notification


def route_variable(name: str) -> str:
    """Return the environment variable that may hold a route's URL.

    Examples
    --------
    >>> route_variable("ops-chat")
    'DRIFT_ROUTE_OPS_CHAT'
    """
    return "DRIFT_ROUTE_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def known_routes(env: Mapping[str, str]) -> list[str]:
    """Return the names of the routes that the environment has.

    Examples
    --------
    >>> known_routes({"DRIFT_ROUTE_OPS_CHAT": "slack://token", "DRIFT_DATABASE": "sqlite:///drift.db"})
    ['ops_chat']
    """
    return [name[12:].lower() for name in sorted(env) if re.fullmatch(r"DRIFT_ROUTE_[A-Z0-9_]+", name) and env[name]]


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


class Channel:
    """Sends notifications to a URL: a line of a file (``file:``), or by whatever Apprise knows (`drift.alerts.sender`).

    Of one channel one thread sends; when it is closed its process ends.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def send(self, due: Notification, timeout: float) -> None:
        """Send a notification within `timeout` seconds, where the URL does not say otherwise.

        A channel that does not take it raises `NotifyError`, which repeats no part of the URL but its scheme;
        `ReceiverLate` where the time is over.
        """
        if self._url.startswith("file:"):
            _append(self._url, due)
            return
        if find_spec("apprise") is None:
            raise MissingExtra("apprise", extra="notify")
        asked = {"url": self._url, "timeout": timeout, "payload": dict(due.payload)}
        answer = self._ask(json.dumps({**asked, "id": due.id, "title": due.title, "body": due.body}))
        if "problem" in answer:
            raise NotifyError(answer["problem"])
        if answer:
            raise ReceiverLate(answer["late"])

    def _ask(self, line: str) -> dict[str, str]:
        """Return the sender's last word; a process that has ended is begun anew for the next message."""
        process = self._process = self._process or _start()
        said: dict[str, str] = {"late": "the process that sends ended before it began"}
        with suppress(OSError):
            print(line, file=process.stdin, flush=True)
        for answer in process.stdout or ():
            said = json.loads(answer)
            if "late" not in said:
                return said
        process.communicate()
        self._process = None
        return said


def _start() -> subprocess.Popen[str]:
    # It finds what this process finds, wherever that was told where to look.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "drift.alerts.sender"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=env,
        )
    except OSError as error:
        raise NotifyError(f"no process can be started to send: {error.strerror}") from None


def send_to(url: str, due: Notification, timeout: float) -> None:
    """Send one notification to a URL: see `Channel.send`."""
    with Channel(url) as channel:
        channel.send(due, timeout)


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
