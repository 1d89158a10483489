"""The dashboard as a server of its own."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from drift.errors import DriftError
from drift.text import logs

if TYPE_CHECKING:
    import asyncio

    from fastapi import FastAPI

log = logs.logger("drift")

REQUEST_SECONDS, IDLE_SECONDS, ANSWER_SECONDS = 20, 5, 30
"""How long a request may take to arrive whole, its connection to stay open after it, an answer to be taken."""


class Connection(H11Protocol):
    """A connection that is dropped where a whole request does not arrive in time.

    By h11, which refuses what HTTP forbids, such as a second Host header, and is always there.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Read some of a request, or its end."""
        if self._deadline is None:
            self._expect()
        super().data_received(data)
        if not getattr(self.cycle, "more_body", True) and not self.cycle.response_complete:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(app: FastAPI, *, host: str, port: int, guarded: bool, proxied: bool) -> None:
    """Serve the dashboard until it is interrupted: `drift.dashboard.serve`.

    Parameters
    ----------
    app, host, port
    guarded
        Whether readers show a token, or come through a proxy that signs them in.
    proxied
        Whether there is such a proxy.
    """
    if not guarded and not is_loopback(host):
        raise DriftError(
            f"on {host} anybody who reaches this machine could read the dashboard: give --token (or DRIFT_TOKEN), "
            "or stay on 127.0.0.1"
        )
    if not guarded:
        # A web page elsewhere that lets its own name point to this machine must not read what is here.
        names = [host, "localhost", "127.0.0.1", "[::1]", "::1"]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    with listen(host, port) as listening:
        where = f"[{host}]" if ":" in host else host
        log.warning("the dashboard is on http://%s:%d/ (Ctrl-C stops it)", where, listening.getsockname()[1])
        uvicorn.Server(configuration(app, proxied=proxied)).run(sockets=[listening])


def configuration(app: FastAPI, *, proxied: bool) -> uvicorn.Config:
    """Return how the server treats connections."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        timeout_keep_alive=IDLE_SECONDS,
        log_config=None,
        server_header=False,
        lifespan="off",
        access_log=False,
        # Behind a proxy that signs people in, the address of a request is the proxy's own, whatever that says.
        proxy_headers=not proxied,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; a `DriftError` says why an address cannot be used."""
    if not 0 <= port < 1 << 16:
        raise DriftError(f"port {port} does not exist: choose one up to 65535 with --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        why = error.strerror or error
        raise DriftError(f"cannot listen on {host} port {port}: {why}; choose another with --port or --host") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Of each connection, on Linux: also where its reader is there, and takes nothing.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * ANSWER_SECONDS)
    return listening
