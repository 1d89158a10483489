"""The dashboard: what is stored, as pages and as a JSON API; alone with `serve`, or inside another application.

People answer alerts here; nothing else is changed. Importing this package loads neither FastAPI nor Jinja.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drift.dashboard.proxy import Proxy
from drift.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from pathlib import Path

    from fastapi import FastAPI

    from drift.store.store import Store

    Message = MutableMapping[str, Any]
    Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

__all__ = ["Proxy", "create_app", "deferred", "serve"]


def create_app(
    store: Store | Callable[[], Store],
    *,
    monitors: Path | None = None,
    token: str | None = None,
    read_token: str | None = None,
    proxy: Proxy | None = None,
    auth: Callable[..., Any] | None = None,
    read_only: bool | Callable[[Any], bool] = False,
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
        What people must present, as a bearer token or in the login form. Without this, `read_token`, `proxy` and `auth`
        everybody may read, and answer alerts.
    read_token
        Another one, of those who may read and not answer.
    proxy
        A reverse proxy that signs people in; those it names need no token.
    auth
        A FastAPI dependency that refuses whoever may not read, and returns who it is (a name, or what has a
        ``get_name()``); in place of tokens and proxy.
    read_only
        Nobody answers alerts here; or, of what `auth` returns, who may not.
    root_path
        The prefix that a proxy strips; only the OpenAPI document and the cookie's path need it.

    Raises
    ------
    MissingExtra
        If the extra ``dashboard`` is not installed.
    """
    with _extra():
        from drift.dashboard import app
    return app.create_app(
        store,
        monitors=monitors,
        token=token,
        read_token=read_token,
        proxy=proxy,
        auth=auth,
        read_only=read_only,
        root_path=root_path,
    )


def serve(  # noqa: PLR0913 - what the command line asks for, each by name
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
    """Serve the dashboard until it is interrupted.

    Parameters
    ----------
    store, token, read_token, proxy, read_only, monitors, root_path
        As for `create_app`.
    host, port
        Where to listen. Beyond this machine (anything but loopback) only with a token or a proxy.

    Raises
    ------
    DriftError
        If it would be open to a network without a token, or the address cannot be used.
    MissingExtra
        If the extra ``dashboard`` is not installed.
    """
    with _extra():
        from drift.dashboard import server
    token, read_token = ((given or "").strip() or None for given in (token, read_token))
    app = create_app(
        store,
        monitors=monitors,
        token=token,
        read_token=read_token,
        proxy=proxy,
        read_only=read_only,
        root_path=root_path,
    )
    server.serve(app, host=host, port=port, guarded=bool(token or read_token or proxy), proxied=proxy is not None)


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


@contextmanager
def _extra() -> Iterator[None]:
    """Name the extra to install where a module that it brings is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "drift":
            raise
        raise MissingExtra(error.name or "fastapi", extra="dashboard") from error
