"""The dashboard as a server of its own."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from drift.dashboard.app import create_app
from drift.dashboard.proxy import Proxy
from drift.errors import DriftError
from drift.store.store import Store

log = logging.getLogger("drift")


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


def serve(  # noqa: PLR0913 - as in the package
    store: Store | Callable[[], Store],
    *,
    host: str = "127.0.0.1",
    port: int = 8090,
    token: str | None = None,
    read_token: str | None = None,
    proxy: Proxy | None = None,
    read_only: bool = False,
    monitors: Path | None = None,
    root_path: str = "",
) -> None:
    """Serve the dashboard until it is interrupted: `drift.dashboard.serve`."""
    token, read_token = ((given or "").strip() or None for given in (token, read_token))
    if not (token or read_token or proxy) and not is_loopback(host):
        raise DriftError(
            f"on {host} anybody who reaches this machine could read the dashboard: give --token (or DRIFT_TOKEN), "
            "or stay on 127.0.0.1"
        )
    app = create_app(
        store,
        monitors=monitors,
        token=token,
        read_token=read_token,
        proxy=proxy,
        read_only=read_only,
        root_path=root_path,
    )
    if not (token or read_token or proxy):
        # A web page elsewhere that lets its own name point to this machine must not read what is here.
        names = [host, "localhost", "127.0.0.1", "[::1]", "::1"]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    # Behind a proxy that signs people in, the address of a request is the proxy's own, whatever that says.
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, lifespan="off", access_log=False, proxy_headers=proxy is None
    )
    with listen(host, port) as listening:
        where = f"[{host}]" if ":" in host else host
        log.warning("the dashboard is on http://%s:%d/ (Ctrl-C stops it)", where, listening.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    DriftError
        If the address cannot be used.
    """
    if not 0 <= port < 1 << 16:
        raise DriftError(f"port {port} does not exist: choose one up to 65535 with --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        why = error.strerror or error
        raise DriftError(f"cannot listen on {host} port {port}: {why}; choose another with --port or --host") from error
