"""The dashboard as a server of its own."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from drift.errors import DriftError
from drift.text import logs

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logs.logger("drift")


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
    # Behind a proxy that signs people in, the address of a request is the proxy's own, whatever that says.
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, lifespan="off", access_log=False, proxy_headers=not proxied
    )
    with listen(host, port) as listening:
        where = f"[{host}]" if ":" in host else host
        log.warning("the dashboard is on http://%s:%d/ (Ctrl-C stops it)", where, listening.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; a `DriftError` says why an address cannot be used."""
    if not 0 <= port < 1 << 16:
        raise DriftError(f"port {port} does not exist: choose one up to 65535 with --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        why = error.strerror or error
        raise DriftError(f"cannot listen on {host} port {port}: {why}; choose another with --port or --host") from error
