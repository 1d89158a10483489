"""The dashboard: what is stored, as pages and as a JSON API; alone with `serve`, or inside another application.

Nothing here computes a score or writes to the database. Importing this package loads neither FastAPI nor Jinja.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drift.errors import DriftError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from pathlib import Path

    from fastapi import FastAPI

    from drift.store import Store

    Message = MutableMapping[str, Any]
    Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

__all__ = ["create_app", "deferred", "serve"]


def create_app(
    store: Store | Callable[[], Store],
    *,
    monitors: Path | None = None,
    token: str | None = None,
    auth: Callable[..., Any] | None = None,
    root_path: str = "",
) -> FastAPI:
    """Return the dashboard as an ASGI application.

    Every link is relative, so it works below any prefix, mounted or behind a proxy.

    Parameters
    ----------
    store
        The results database, or what opens it; then it is opened by the first request.
    monitors
        Folder of the monitor files, to show those too that never ran.
    token
        What readers must present, as a bearer token or in the login form. None lets everybody read.
    auth
        A FastAPI dependency that refuses whoever may not read; in place of `token`.
    root_path
        The prefix that a proxy strips; only the OpenAPI document and the cookie's path need it.

    Raises
    ------
    MissingExtra
        If the extra ``dashboard`` is not installed.
    """
    try:
        from drift.dashboard import app
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return app.create_app(store, monitors=monitors, token=token, auth=auth, root_path=root_path)


def serve(
    store: Store | Callable[[], Store],
    *,
    host: str = "127.0.0.1",
    port: int = 8090,
    token: str | None = None,
    monitors: Path | None = None,
    root_path: str = "",
) -> None:
    """Serve the dashboard until it is interrupted.

    Parameters
    ----------
    store, token, monitors, root_path
        As for `create_app`.
    host, port
        Where to listen. Beyond this machine (anything but loopback) only with a token.

    Raises
    ------
    DriftError
        If it would be open to a network without a token, or the address cannot be used.
    MissingExtra
        If the extra ``dashboard`` is not installed.
    """
    try:
        from drift.dashboard import server
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    server.serve(store, host=host, port=port, token=token, monitors=monitors, root_path=root_path)


def deferred(build: Callable[[], FastAPI]) -> Asgi:
    """Return an ASGI application that is built by its first request.

    For a plugin that is imported by many processes of which only one serves pages.

    Parameters
    ----------
    build
        Such as ``lambda: create_app(open_store, auth=get_user)``.
    """
    built: list[FastAPI] = []

    async def application(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if not built:
            built.append(build())
        await built[0](scope, receive, send)

    return application


def _missing(error: ModuleNotFoundError) -> DriftError:
    if (error.name or "").partition(".")[0] == "drift":
        raise error
    return MissingExtra(error.name or "fastapi", extra="dashboard")
